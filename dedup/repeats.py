"""Collapse: articles with the same normalised text are compared once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.tokens import Tokens


def digests(tokens: Tokens) -> NDArray[np.uint8]:
    """A digest (XXH3-128) of each text's tokens, uint8 (n, 16); equal ones mean the same normalised text."""
    data = np.ascontiguousarray(tokens.hashes).view(np.uint8).data
    bounds = (4 * tokens.offsets).tolist()
    whole = b"".join(xxhash.xxh3_128_digest(data[first:stop]) for first, stop in pairwise(bounds))
    return np.frombuffer(whole, np.uint8).reshape(-1, 16)


def first_of(keys: NDArray[np.uint8], judged: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first text with the same digest (uint8 (n, 16)) for each text, int64 (n,).

    Texts that are not judged (bool (n,)) repeat nothing: each is its own first.
    """
    firsts = np.arange(len(keys))
    some = np.flatnonzero(judged)
    low, high = np.ascontiguousarray(keys).view(np.uint64)[some].T
    order = np.lexsort((low, high))
    new = np.concatenate([[True], np.diff(low[order]) != 0]) | np.concatenate(
        [[True], np.diff(high[order]) != 0]
    )
    new = new[: order.size]
    leads = np.flatnonzero(new)[np.cumsum(new) - 1]
    firsts[some[order]] = some[order[leads]]
    return firsts
