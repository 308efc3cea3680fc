"""Signatures to bucket keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xC4CEB9FE1A85EC53)  # of MurmurHash3's 64-bit finaliser


@kernel
def band_hashes(signatures: Any, rows: int, keys: Any) -> None:
    """Fill `keys` uint64 (n, bands) with a hash of each band's number and its `rows` signature values."""
    for item in range(keys.shape[0]):
        for band in range(keys.shape[1]):
            state = np.uint64(band + 1) * _MIX
            for row in range(band * rows, (band + 1) * rows):
                state = (state ^ np.uint64(signatures[item, row])) * _BASE
                state ^= state >> np.uint64(29)
            keys[item, band] = state * _MIX
