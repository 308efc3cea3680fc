"""Collapse: articles with the same normalised text are compared once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.tokens import Tokens


def digests(tokens: Tokens) -> list[bytes]:
    """A 16-byte digest (XXH3-128) of each text's tokens; equal digests mean the same normalised text."""
    data = memoryview(tokens.hashes.tobytes())
    bounds = (4 * tokens.offsets).tolist()
    return [xxhash.xxh3_128_digest(data[first:stop]) for first, stop in pairwise(bounds)]


def repeats(keys: list[bytes], judged: NDArray[np.bool_]) -> tuple[NDArray[np.int64], dict[int, list[int]]]:
    """The first text with the same digest for each text, int64 (n,), and first text -> its repeats.

    Texts that are not judged (bool (n,)) repeat nothing: each is its own first.
    """
    firsts: dict[bytes, int] = {}
    of_text = np.arange(len(keys))
    groups: dict[int, list[int]] = {}
    for text in np.flatnonzero(judged).tolist():
        first = firsts.setdefault(keys[text], text)
        if first != text:
            of_text[text] = first
            groups.setdefault(first, []).append(text)
    return of_text, groups
