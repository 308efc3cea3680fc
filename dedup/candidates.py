"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: each article meets its neighbours and the bucket's first. Where a fingerprint is crowded,
so that not all articles meet, those that share the whole window around it meet in smaller buckets.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import buckets as kernels
from dedup.kernels.tokenise import PARAGRAPH
from dedup.lsh import Bands, band_hashes
from dedup.minhash import sign_shingles
from dedup.settings import Settings
from dedup.shingles import Shingles
from dedup.tokens import Tokens
from dedup.winnow import contexts, winnow


class Postings(NamedTuple):
    """Bucket keys uint64, text numbers int32, and token places int64 (-1: none, the bucket is evidence)."""

    keys: NDArray[np.uint64]
    texts: NDArray[np.int32]
    places: NDArray[np.int64]


_BLOCK = 128  # tokens in the smallest block that is signed for itself
_BRIEF = 32  # shingles in a text under which each of them is a fingerprint: its runs may all be short
_REACH = 32  # neighbours in a bucket that an article meets; up to 34 articles all meet
_FEW = 8  # neighbours that it meets in a larger bucket, besides the bucket's first
_RARE = 8  # texts that share a fingerprint which is evidence by itself
_SHORT = 128  # tokens in a text under which a fingerprint is a good part of it
_BUCKETS = 2  # in which two texts meet, for them to be compared on weak evidence
_BAND = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints


def candidate_pairs(
    tokens: Tokens,
    shingles: Shingles,
    compared: NDArray[np.bool_],
    settings: Settings,
    bands: Bands,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int32]:
    """Candidate pairs int32 (n, 2) of the `compared` texts (bool (n,)), not yet verified.

    Lower number first, sorted, each once. `progress` is called with texts done and texts in all.
    """
    count = len(tokens)
    batches = settings.batches(count)

    def sketch(batch: tuple[int, int]) -> Postings:
        return postings(tokens.part(*batch), shingles.part(*batch), settings, bands)

    def look_closer(batch: tuple[int, int]) -> Postings:
        keys, texts = contexts(shingles.part(*batch), settings.window, busy)
        return Postings(keys, texts, np.full(keys.size, -1))

    def gathered(work: Callable[[tuple[int, int]], Postings]) -> Postings:
        parts = [Postings(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int64))]
        with ThreadPoolExecutor(threads) as pool:
            for (first, stop), part in zip(batches, pool.map(work, batches), strict=True):
                kept = compared[part.texts + first]
                places = part.places[kept]
                places[places >= 0] += tokens.offsets[first]
                parts.append(Postings(part.keys[kept], part.texts[kept] + np.int32(first), places))
                if progress:
                    progress(stop, count)
        return Postings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    keys, pairs = meet(gathered(sketch), tokens, settings.guarantee)
    busy = crowded(keys)
    if busy.size:
        pairs = np.union1d(pairs, meet(gathered(look_closer), tokens, settings.guarantee)[1])
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int32)


def meet(found: Postings, tokens: Tokens, enough: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The postings' keys, sorted, and the pairs of texts that meet, lower << 32 | higher, sorted, each once.

    Texts that meet in a single bucket, at a fingerprint that is not rare and around which no run of at least
    `enough` tokens stands in both, are let go: stock phrases bring most texts together somewhere. Text
    numbers must rise from posting to posting.
    """
    keys, order = found.keys.copy(), np.arange(found.keys.size, dtype=np.int32)
    kernels.sort_postings(keys, order, np.empty_like(keys), np.empty_like(order))
    pairs = np.empty(kernels.count_pairs(keys, order, found.texts, _REACH, _FEW), np.uint64)
    kernels.fill_pairs(
        keys, order, found.texts, found.places, tokens.hashes, tokens.offsets,
        _RARE, _SHORT, enough, _REACH, _FEW,
        np.empty(order.size + 1, np.int32), np.empty(order.size + 1, np.uint8), pairs,
    )  # fmt: skip
    pairs.sort()
    strong, pairs = (pairs & np.uint64(1)).astype(np.bool_), pairs >> np.uint64(1)
    last = np.flatnonzero(np.append(pairs[1:] != pairs[:-1], pairs.size > 0))  # the strong one of equal pairs
    several = np.diff(last, prepend=-1) >= _BUCKETS
    return keys, pairs[last][strong[last] | several]


def crowded(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of sorted bucket keys those that stand so often that not all of the bucket's texts meet, sorted."""
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    return keys[bounds[:-1]][np.diff(bounds) > _REACH + 2] if keys.size else keys


def postings(tokens: Tokens, shingles: Shingles, settings: Settings, bands: Bands) -> Postings:
    """The bucket keys of a batch of texts; text numbers rise."""
    prints = winnow(shingles, settings.window)
    numbers = np.arange(len(tokens), dtype=np.int32)
    owners = np.repeat(numbers, np.diff(prints.offsets))
    signatures, signed, _ = signatures_of(tokens, shingles, settings)
    counts = np.diff(shingles.offsets)
    brief = np.flatnonzero(np.repeat(counts < _BRIEF, counts))
    brief_owners = np.repeat(numbers, counts)[brief]
    keys = prints.hashes, (band_hashes(signatures, bands) ^ _BAND).ravel(), shingles.hashes[brief]
    texts = owners, np.repeat(signed, bands.bands), brief_owners
    places = (
        tokens.offsets[owners] + prints.places,
        np.full(texts[1].size, -1),
        tokens.offsets[brief_owners] + brief - shingles.offsets[brief_owners],
    )
    order = np.argsort(np.concatenate(texts), kind="stable")
    return Postings(*(np.concatenate(columns)[order] for columns in (keys, texts, places)))


def signatures_of(
    tokens: Tokens, shingles: Shingles, settings: Settings
) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]]:
    """Signatures of every block, then of every text with several; text numbers; first tokens of the blocks.

    An article's signature is the minimum of its blocks'.
    """
    bounds = np.empty(tokens.hashes.size + 1, np.int64)
    offsets = np.empty(len(tokens) + 1, np.int64)
    kernels.blocks(tokens.flags, tokens.offsets, PARAGRAPH, _BLOCK, bounds, offsets)
    counts = np.diff(offsets)
    texts = np.arange(len(tokens), dtype=np.int32)
    owners = np.repeat(texts, counts)
    # Shingles, like tokens, stand text after text, but there are k - 1 fewer of them in each text.
    starts = bounds[: offsets[-1]] - tokens.offsets[owners] + shingles.offsets[owners]
    ends = np.append(starts, shingles.offsets[-1])
    of_blocks = sign_shingles(Shingles(shingles.hashes, ends), settings.num_perm, settings.seed)
    several = np.flatnonzero(counts > 1)
    if not several.size:
        return of_blocks, owners, bounds[: offsets[-1]]
    pieces = np.stack([offsets[several], offsets[several + 1]], axis=1).ravel()
    padded = np.concatenate([of_blocks, of_blocks[-1:]])
    whole = np.minimum.reduceat(padded, pieces, axis=0)[::2]
    signatures = np.concatenate([of_blocks, whole])
    return signatures, np.concatenate([owners, texts[several]]), bounds[: offsets[-1]]
