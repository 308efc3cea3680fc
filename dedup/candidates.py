"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: each article meets its neighbours and the bucket's first. Where a fingerprint is crowded,
so that not all articles meet, those that share the whole window around it meet in smaller buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

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

Postings = tuple[NDArray[np.uint64], NDArray[np.int32]]  # bucket keys and text numbers

_BLOCK = 128  # tokens in the smallest block that is signed for itself
_BRIEF = 32  # shingles in a text under which each of them is a fingerprint: its runs may all be short
_REACH = 32  # neighbours in a bucket that an article meets; up to 34 articles all meet
_FEW = 8  # neighbours that it meets in a larger bucket, besides the bucket's first
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
    count, size = len(tokens), settings.batch_size
    batches = [(first, min(first + size, count)) for first in range(0, count, size)]

    def sketch(batch: tuple[int, int]) -> Postings:
        return postings(tokens.part(*batch), shingles.part(*batch), settings, bands)

    def look_closer(batch: tuple[int, int]) -> Postings:
        return contexts(shingles.part(*batch), settings.window, busy)

    def gathered(work: Callable[[tuple[int, int]], Postings]) -> Iterator[Postings]:
        with ThreadPoolExecutor(threads) as pool:
            for (first, stop), (keys, items) in zip(batches, pool.map(work, batches), strict=True):
                kept = compared[items + first]
                yield keys[kept], items[kept] + np.int32(first)
                if progress:
                    progress(stop, count)

    keys, pairs = meet(list(gathered(sketch)))
    busy = crowded(keys)
    if busy.size:
        pairs = np.union1d(pairs, meet(list(gathered(look_closer)))[1])
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int32)


def meet(parts: Sequence[Postings]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """All postings' keys, sorted, and the pairs of texts that meet, lower << 32 | higher, sorted, each once.

    Text numbers must rise from posting to posting.
    """
    keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in parts)])
    items = np.concatenate([np.empty(0, np.int32), *(items for _, items in parts)])
    kernels.sort_postings(keys, items, np.empty_like(keys), np.empty_like(items))
    pairs = np.empty(kernels.count_pairs(keys, items, _REACH, _FEW), np.uint64)
    kernels.fill_pairs(keys, items, _REACH, _FEW, np.empty(items.size + 1, np.int32), pairs)
    return keys, np.unique(pairs)


def crowded(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of sorted bucket keys those that stand so often that not all of the bucket's texts meet, sorted."""
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    return keys[bounds[:-1]][np.diff(bounds) > _REACH + 2] if keys.size else keys


def postings(tokens: Tokens, shingles: Shingles, settings: Settings, bands: Bands) -> Postings:
    """The bucket keys of a batch of texts; text numbers rise."""
    prints = winnow(shingles, settings.window)
    texts = np.arange(len(tokens), dtype=np.int32)
    keys, items = [prints.hashes], [np.repeat(texts, np.diff(prints.offsets))]
    signatures, owners, _ = signatures_of(tokens, shingles, settings)
    hashes = band_hashes(signatures, bands) ^ _BAND
    keys.append(hashes.ravel())
    items.append(np.repeat(owners, bands.bands))
    counts = np.diff(shingles.offsets)
    brief = np.repeat(counts < _BRIEF, counts)
    keys.append(shingles.hashes[brief])
    items.append(np.repeat(texts, counts)[brief])
    order = np.argsort(np.concatenate(items), kind="stable")
    return np.concatenate(keys)[order], np.concatenate(items)[order]


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
