"""Rows of unequal length, laid end to end: those of item i are `offsets[i]:offsets[i + 1]`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]


def offsets_of(counts: NDArray[Any]) -> Offsets:
    """The n + 1 bounds of n items with so many rows each."""
    out = np.empty(counts.size + 1, np.int64)
    out[0] = 0
    counts.cumsum(dtype=np.int64, out=out[1:])
    return out


def counts_of(offsets: Offsets) -> NDArray[np.int64]:
    """How many rows each item has: the reverse of `offsets_of`."""
    counts: NDArray[np.int64] = offsets[1:] - offsets[:-1]
    return counts


def owners(offsets: Offsets) -> NDArray[np.int64]:
    """The item that each row belongs to."""
    return np.repeat(np.arange(offsets.size - 1), counts_of(offsets))


def taken(offsets: Offsets, items: NDArray[Any]) -> tuple[Offsets, NDArray[np.int64]]:
    """Some items in an order of their own: their bounds, and the rows they take."""
    counts = counts_of(offsets)[items]
    bounds = offsets_of(counts)
    return bounds, np.arange(bounds[-1]) + np.repeat(offsets[items] - bounds[:-1], counts)


def sums(values: NDArray[Any], offsets: Offsets) -> NDArray[Any]:
    """The sum of each item's rows; 0 for an item without any."""
    totals = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    added: NDArray[Any] = totals[offsets[1:]] - totals[offsets[:-1]]
    return added


def batches(sizes: NDArray[np.int64], rows: int, most: int) -> list[tuple[int, int]]:
    """Bounds, half-open, of batches of at most `rows` items and, larger items aside, of `most` in size."""
    ends = np.cumsum(sizes)
    bounds = [0]
    while bounds[-1] < sizes.size:
        first = bounds[-1]
        full = int(np.searchsorted(ends, (ends[first - 1] if first else 0) + most, "right"))
        bounds.append(min(max(full, first + 1), first + rows))
    return [(first, min(stop, sizes.size)) for first, stop in pairwise(bounds)]
