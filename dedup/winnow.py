"""Winnow: a sample of each text's shingles that misses no long enough run two texts share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import shingle as kernels
from dedup.shingles import Shingles
from dedup.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Winnowed shingles of n texts, concatenated; those of text i are `offsets[i]:offsets[i + 1]`."""

    hashes: NDArray[np.uint64]  # (fingerprints,)
    places: NDArray[np.int32]  # (fingerprints,) token place of the shingle in its text
    offsets: NDArray[np.int64]  # (n + 1,)


def winnow(shingles: Shingles, window: int) -> Fingerprints:
    """Keep the least shingle hash of every `window` consecutive shingles.

    Guarantee: two texts that share a verbatim run of `window + k - 1` tokens (k: shingle size) share a
    fingerprint inside that run. Expected density 2 / (window + 1) of the shingles (Schleimer, Wilkerson &
    Aiken 2003, sections 3.2 and 3.3).
    """
    hashes = np.empty(shingles.hashes.size, np.uint64)
    places = np.empty(shingles.hashes.size, np.int32)
    offsets = np.empty(shingles.offsets.size, np.int64)
    kernels.winnow(shingles.hashes, shingles.offsets, window, hashes, places, offsets)
    count = int(offsets[-1])
    return Fingerprints(hashes[:count], places[:count], offsets)


def windows(
    tokens: Tokens, k: int, window: int, owners: NDArray[np.int32], places: NDArray[np.int32]
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The windows around fingerprints: keys uint64 and text numbers int32.

    `owners` int32 (n,): the fingerprints' texts; `places` int32 (n,): their first tokens within them; `k`:
    tokens in a shingle. Texts that share a verbatim run of `window + k - 1` tokens share the key of a window
    inside it. There are several times more windows than fingerprints, so only fingerprints that too many
    texts share to meet each other are looked at this closely.
    """
    keys = np.empty(owners.size * window, np.uint64)
    texts = np.empty(owners.size * window, np.int32)
    count = kernels.windows(tokens.hashes, tokens.offsets, k, window, owners, places, keys, texts)
    return keys[:count], texts[:count]


def among(hashes: NDArray[np.uint64], some: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of `hashes` are in `some` (sorted), bool (hashes,); both well mixed."""
    bits = max(6, min(30, int(some.size).bit_length() + 4))
    out = np.zeros(hashes.size, np.bool_)
    kernels.among(hashes, some, np.uint64(64 - bits), np.zeros(1 << bits, np.bool_), out)
    return out
