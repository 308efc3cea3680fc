"""Band: signatures to buckets, with bands chosen for a stated recall.

Two signatures of resemblance s agree in a given band of r rows with probability s**r, so that at least one
of b bands agrees with probability 1 - (1 - s**r)**b, the S-curve (Leskovec, Rajaraman & Ullman, *Mining of
Massive Datasets*, section 3.4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dedup.errors import SettingsError
from dedup.kernels import lsh as kernels


@dataclass(frozen=True, slots=True)
class Bands:
    """`bands` slices of `rows` consecutive signature values each."""

    bands: int
    rows: int


def recall_at(resemblance: float | NDArray[np.float64], bands: Bands) -> float | NDArray[np.float64]:
    """Probability that a pair of this resemblance shares a bucket: 1 - (1 - s**rows)**bands."""
    recall: float | NDArray[np.float64] = 1.0 - (1.0 - resemblance**bands.rows) ** bands.bands
    return recall


@cache
def bands_for(num_perm: int, resemblance: float, recall: float) -> Bands:
    """The most selective banding that finds a pair of `resemblance` with probability `recall` or more.

    Longer bands let fewer dissimilar pairs through, so the rows are as many as the recall allows, and then
    the bands as few. Raises `SettingsError` when not even one row a band reaches the recall.
    """
    for rows in range(num_perm, 0, -1):
        bands = Bands(num_perm // rows, rows)
        if recall_at(resemblance, bands) >= recall:
            while bands.bands > 1 and recall_at(resemblance, Bands(bands.bands - 1, rows)) >= recall:
                bands = Bands(bands.bands - 1, rows)
            return bands
    reached = recall_at(resemblance, Bands(num_perm, 1))
    raise SettingsError(
        f"num_perm={num_perm} reaches a recall of at most {reached:.3f} at resemblance={resemblance}, "
        f"not recall={recall}; raise num_perm or resemblance, or lower recall"
    )


def band_hashes(signatures: NDArray[np.uint32], bands: Bands) -> NDArray[np.uint64]:
    """Bucket keys, uint64 (n, bands): equal keys in one column mean equal values throughout that band."""
    keys = np.empty((signatures.shape[0], bands.bands), np.uint64)
    kernels.band_hashes(signatures, bands.rows, keys)
    return keys
