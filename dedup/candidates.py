"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: each article meets its neighbours and the bucket's first. Where a fingerprint is crowded,
so that not all articles meet, those that share the whole window around it meet in smaller buckets.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import buckets as kernels
from dedup.kernels.tokenise import PARAGRAPH
from dedup.lsh import Bands, band_hashes
from dedup.minhash import sign_shingles
from dedup.scratch import Parts, Scratch
from dedup.settings import Settings
from dedup.shingles import Shingles, shingle
from dedup.tokens import Tokens
from dedup.winnow import among, windows, winnow

_BLOCK = 128  # tokens in the smallest block that is signed for itself
_BRIEF = 32  # shingles in a text under which each of them is a fingerprint: its runs may all be short
_REACH = 34  # articles in a bucket up to which all meet
_FEW = 8  # of a larger one that each of the others meets
_RARE = 8  # texts that share a fingerprint for which `_RARE_BESIDE` is enough
_RARE_BESIDE = 4  # tokens beside a rare fingerprint that two texts share, for it to be evidence by itself
_SHORT = 128  # tokens in a text under which a fingerprint is a good part of it
_BUCKETS = 3  # in which two texts meet, for them to be compared on weak evidence
_PURITIES = 8  # steps in which the share of a text that others have is looked at
_MOST = 65535  # buckets that are counted
_BAND = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints
_MIX = np.uint64(0x9E3779B97F4A7C15)  # spreads keys, of which fingerprints are the least, over all parts
_PARTS = 64  # ranges of texts in which pairs are sorted


class Candidates(NamedTuple):
    """Pairs of texts to verify."""

    pairs: NDArray[np.int32]  # (n, 2) lower number first, sorted
    buckets: NDArray[np.uint16]  # (n,) in which they met
    needed: NDArray[np.bool_]  # (n,) needed, so that what they share in some bucket is seen by one pair


class Postings(NamedTuple):
    """Bucket keys uint64, what stands around them uint64 (`kernels.contexts`), and text numbers int32."""

    keys: NDArray[np.uint64]
    contexts: NDArray[np.uint64]
    texts: NDArray[np.int32]


def candidate_pairs(
    tokens: Tokens,
    compared: NDArray[np.bool_],
    settings: Settings,
    bands: Bands,
    scratch: Scratch,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """Candidate pairs of the `compared` texts (bool (n,)), not yet verified.

    `progress` is called with texts done and texts in all.
    """
    count = len(tokens)
    lengths = tokens.lengths.astype(np.int32)
    met = scratch.parts(_PARTS, np.uint64)
    per_part = max(1, -(-count // _PARTS))

    def spread(work: Callable[[Tokens], Postings]) -> Parts:
        """Postings of all texts by the first byte of their keys."""

        def run(batch: tuple[int, int]) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
            found = work(tokens.part(*batch))
            kept = compared[found.texts + batch[0]]
            keys, contexts = found.keys[kept] * _MIX, found.contexts[kept]
            texts = found.texts[kept] + np.int32(batch[0])
            columns = [np.empty_like(column) for column in (keys, contexts, texts)]
            bounds = np.empty(257, np.int64)
            kernels.scatter(keys, contexts, texts, bounds, *columns)
            return columns, bounds

        parts = scratch.parts(256, np.uint64, np.uint64, np.int32)
        batches = settings.batches(count)
        for (_, stop), (columns, bounds) in zip(batches, pool.map(run, batches), strict=True):
            parts.append(columns, bounds)
            scratch.let_go()
            if progress:
                progress(stop, count)
        return parts

    def rank(parts: Parts) -> NDArray[np.int32]:
        """Place of each text in the order of what share of it others have, then of how much, most first."""

        def run(share: range) -> NDArray[np.int32]:
            weights = np.zeros((2, count), np.int32)
            for part in share:
                kernels.count_shared(*_sorted(Postings(*parts.part(part))), weights)
                scratch.let_go()
            return weights

        weights = pool.map(run, [range(first, 256, threads) for first in range(threads)])
        shared, alone = np.sum(list(weights), axis=0)
        purity = _PURITIES * shared // np.maximum(shared + alone, 1)
        ranks = np.empty(count, np.int32)
        ranks[np.lexsort((-shared, -purity))] = np.arange(count, dtype=np.int32)
        return ranks

    def pair(parts: Parts, ranks: NDArray[np.int32], reach: int) -> NDArray[np.uint64]:
        """Let texts meet part by part; the keys of buckets in which not all did, sorted."""
        crowded = [np.empty(0, np.uint64)]
        bounds = np.arange(_PARTS + 1, dtype=np.uint64) * np.uint64(per_part) << np.uint64(33)
        for pairs, busy in pool.map(
            lambda part: meet(Postings(*parts.part(part)), lengths, ranks, settings, reach), range(256)
        ):
            met.append([pairs], np.searchsorted(pairs, bounds))
            crowded.append(busy)
            scratch.let_go()
        parts.clear()
        return np.sort(np.concatenate(crowded))

    def reduce(part: int) -> Candidates:
        (pairs,) = met.part(part)
        pairs.sort()
        buckets, needed = np.empty(pairs.size, np.uint16), np.empty(pairs.size, np.bool_)
        kept = kernels.reduce_pairs(pairs, _BUCKETS, _MOST, buckets, needed)
        pairs = pairs[:kept]
        both = np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int32)
        return Candidates(both, buckets[:kept].copy(), needed[:kept].copy())

    with ThreadPoolExecutor(threads) as pool:
        parts = spread(lambda part: postings(part, settings, bands))
        ranks = rank(parts)
        busy = pair(parts, ranks, _REACH)
        if busy.size:
            pair(spread(lambda part: _closer(part, settings, busy)), ranks, 0)
        found = list(pool.map(reduce, range(_PARTS)))
    met.clear()
    return Candidates(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _sorted(found: Postings) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]]:
    """Sorted keys, the posting of each, and the postings' texts."""
    keys, order = kernels.sort_postings(found.keys, np.arange(found.keys.size, dtype=np.int32))
    return keys, order, found.texts


def meet(
    found: Postings, lengths: NDArray[np.int32], ranks: NDArray[np.int32], settings: Settings, reach: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Pairs of texts that meet, as `kernels.fill_pairs` gives them, sorted; and the keys of crowded buckets.

    `lengths`: tokens of every text; `ranks`: its place among the texts that others may be compared with.
    Keys, which are scratch, must have the highest 8 bits in common; text numbers must rise from posting to
    posting. A bucket is crowded where it holds so many texts that not all of them meet.
    """
    keys, order, texts = _sorted(found)
    pairs = np.empty(kernels.count_pairs(keys, order, texts, reach, _FEW), np.uint64)
    beside = min(settings.guarantee - settings.shingle, kernels.BESIDE)
    filled = kernels.fill_pairs(
        keys, order, texts, found.contexts, lengths, ranks,
        _RARE, min(_RARE_BESIDE, beside), beside, _SHORT, reach, _FEW, pairs,
    )  # fmt: skip
    pairs = pairs[:filled]
    pairs.sort()
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    return pairs, keys[bounds[:-1]][np.diff(bounds) > reach] if keys.size else keys


def postings(tokens: Tokens, settings: Settings, bands: Bands) -> Postings:
    """The buckets of a batch of texts; text numbers rise."""
    shingles = shingle(tokens, settings.shingle)
    prints = winnow(shingles, settings.window)
    numbers = np.arange(len(tokens), dtype=np.int32)
    signatures, signed, _ = signatures_of(tokens, shingles, settings)
    counts = np.diff(shingles.offsets)
    brief = np.flatnonzero(np.repeat(counts < _BRIEF, counts))
    brief_owners = np.repeat(numbers, counts)[brief]
    of_bands = (band_hashes(signatures, bands) ^ _BAND).ravel()
    keys = np.concatenate([prints.hashes, shingles.hashes[brief], of_bands])
    owners = np.concatenate([np.repeat(numbers, np.diff(prints.offsets)), brief_owners])
    places = np.concatenate([prints.places, (brief - shingles.offsets[brief_owners]).astype(np.int32)])
    contexts = np.full(keys.size, kernels.BAND)
    kernels.contexts(tokens.hashes, tokens.offsets, owners, places, settings.shingle, contexts)
    kernels.mark_idle(tokens.flags, tokens.offsets, owners, places, settings.shingle, contexts)
    texts = np.concatenate([owners, np.repeat(signed, bands.bands)])
    order = np.argsort(texts, kind="stable")
    return Postings(keys[order], contexts[order], texts[order])


def _closer(tokens: Tokens, settings: Settings, crowded: NDArray[np.uint64]) -> Postings:
    """Buckets of the texts that share the whole window around a crowded fingerprint (spread keys)."""
    shingles = shingle(tokens, settings.shingle)
    keys, texts, places = windows(shingles, settings.window, among(shingles.hashes * _MIX, crowded))
    contexts = np.full(keys.size, kernels.WINDOW)
    kernels.mark_idle(tokens.flags, tokens.offsets, texts, places, settings.shingle, contexts)
    return Postings(keys, contexts, texts)


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
