"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: each article meets its neighbours and the bucket's first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import buckets as kernels
from dedup.kernels.tokenise import PARAGRAPH
from dedup.lsh import Bands, band_hashes
from dedup.minhash import sign_shingles
from dedup.settings import Settings
from dedup.shingles import Shingles
from dedup.tokens import Tokens
from dedup.winnow import winnow

_BLOCK = 128  # tokens in the smallest block that is signed for itself
_REACH = 32  # neighbours in a bucket that an article meets; up to 34 articles all meet
_BAND = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints


def postings(
    tokens: Tokens, shingles: Shingles, settings: Settings, bands: Bands
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Bucket keys uint64 and text numbers int32 of a batch of texts; text numbers rise."""
    prints = winnow(shingles, settings.window)
    texts = np.arange(len(tokens), dtype=np.int32)
    keys, items = [prints.hashes], [np.repeat(texts, np.diff(prints.offsets))]
    signatures, owners = _signatures(tokens, shingles, settings)
    hashes = band_hashes(signatures, bands) ^ _BAND
    keys.append(hashes.ravel())
    items.append(np.repeat(owners, bands.bands))
    order = np.argsort(np.concatenate(items), kind="stable")
    return np.concatenate(keys)[order], np.concatenate(items)[order]


def _signatures(
    tokens: Tokens, shingles: Shingles, settings: Settings
) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Signatures of every block, and of every article with several, with the text number of each.

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
        return of_blocks, owners
    pieces = np.stack([offsets[several], offsets[several + 1]], axis=1).ravel()
    padded = np.concatenate([of_blocks, of_blocks[-1:]])
    whole = np.minimum.reduceat(padded, pieces, axis=0)[::2]
    return np.concatenate([of_blocks, whole]), np.concatenate([owners, texts[several]])


def candidate_pairs(keys: NDArray[np.uint64], items: NDArray[np.int32]) -> NDArray[np.int32]:
    """Candidate pairs int32 (n, 2), lower number first, sorted, each once; not yet verified.

    `items` must rise, so that within a bucket they do as well.
    """
    keys, items = keys.copy(), items.copy()
    kernels.sort_postings(keys, items, np.empty_like(keys), np.empty_like(items))
    pairs = np.empty(kernels.count_pairs(keys, items, _REACH), np.uint64)
    kernels.fill_pairs(keys, items, _REACH, np.empty(items.size + 1, np.int32), pairs)
    pairs = np.unique(pairs)
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int32)
