"""Digest: everything that is made of each text by itself, in one pass over all of them.

What grows with the texts goes to scratch; what is of a known size for each article stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.agencies import CREDITS, renumbered
from dedup.csr import Offsets, offsets_of
from dedup.places import pack, spread
from dedup.repeats import digests
from dedup.scratch import Scratch, Spool
from dedup.store import Articles
from dedup.threads import in_order
from dedup.tokens import Tokens
from dedup.weigh import Paragraphs


class Digest(NamedTuple):
    """What is made of n texts."""

    hashes: Spool  # uint32, as in `Tokens`
    flags: Spool  # uint8
    places: Spool  # uint16, `places.packed`
    spread: Spool  # int32, `places.spread`
    paragraphs: tuple[Spool, ...]  # the columns of `weigh.Paragraphs`
    offsets: Offsets  # (n + 1,) of tokens
    odd: NDArray[np.bool_]  # (n,) whose places are spread
    characters: NDArray[np.int64]  # (n,)
    keys: NDArray[np.uint8]  # (n, 16) digests of the tokens
    credits: pa.Table  # of `agencies.CREDITS`


class _Batch(NamedTuple):
    """What is made of a batch of texts at once."""

    tokens: Tokens
    places: NDArray[np.uint16]
    odd: NDArray[np.bool_]
    spread: NDArray[np.int32]
    characters: NDArray[np.int64]
    keys: NDArray[np.uint8]
    credits: pa.RecordBatch
    paragraphs: Paragraphs


def digest(
    articles: Articles,
    batches: Sequence[tuple[int, int]],
    scratch: Scratch,
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Digest:
    """Digest all texts, in `batches`; `progress` is called with how many are done."""
    hashes, flags = (scratch.spool(dtype, at_random=True) for dtype in (np.uint32, np.uint8))
    places, wide = scratch.spool(np.uint16), scratch.spool(np.int32)
    columns = tuple(scratch.spool(dtype) for dtype in (np.uint64, np.int32, np.int64, np.int32))
    lengths, characters = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    keys, odd, credits = [np.empty((0, 16), np.uint8)], [np.empty(0, np.bool_)], []
    made = in_order(partial(_digested, articles), batches, threads)
    for (_, stop), batch in zip(batches, made, strict=True):
        part = batch.paragraphs
        own: tuple[NDArray[Any], ...] = (part.keys, part.texts, part.firsts + hashes.size, part.lengths)
        for spool, column in zip(columns, own, strict=True):
            spool.append(column)
        hashes.append(batch.tokens.hashes)
        flags.append(batch.tokens.flags)
        places.append(batch.places)
        wide.append(batch.spread)
        odd.append(batch.odd)
        lengths.append(batch.tokens.lengths)
        characters.append(batch.characters)
        keys.append(batch.keys)
        credits.append(batch.credits)
        scratch.let_go()
        if progress:
            progress(stop)
    return Digest(
        hashes, flags, places, wide, columns, offsets_of(np.concatenate(lengths)), np.concatenate(odd),
        np.concatenate(characters), np.concatenate(keys), pa.Table.from_batches(credits, CREDITS),
    )  # fmt: skip


def _digested(articles: Articles, batch: tuple[int, int]) -> _Batch:
    tokens, characters, credits = articles.sketches(*batch)
    paragraphs = Paragraphs.of(tokens)
    paragraphs.texts[:] += np.int32(batch[0])
    credits = renumbered(credits, credits["article"].to_numpy() + batch[0])
    places, odd = pack(tokens)
    return _Batch(tokens, places, odd, spread(tokens, odd), characters, digests(tokens), credits, paragraphs)
