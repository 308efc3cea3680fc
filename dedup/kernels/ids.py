"""A set of strings as a table of their hashes: which of some are new, and whom the others resemble.

Open addressing with linear probes; a hash is found again, not the string, so who asks has to compare.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.bits import load8

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's 64-bit finaliser
FREE = -1


@inner
def _hash(data: Any, first: Any, stop: Any, seed: Any) -> Any:
    """Of the bytes `first` to `stop`, eight at a time."""
    state = (seed ^ np.uint64(stop - first)) * _MULTIPLIER
    place = first
    while place + 8 <= stop:
        state = (state ^ load8(data, place)) * _MULTIPLIER
        state ^= state >> np.uint64(29)
        place += 8
    held = np.uint64(0)
    while place < stop:
        held = held << np.uint64(8) | np.uint64(data[place])
        place += 1
    state = (state ^ held) * _MULTIPLIER
    state = (state ^ state >> np.uint64(32)) * _MIX
    return state ^ state >> np.uint64(29)


@inner
def _place(hashes: Any, rows: Any, wanted: Any) -> Any:
    """Where a hash stands in the table, or may be put."""
    last = rows.size - 1
    place = np.int64(wanted) & last
    while rows[place] != FREE and hashes[place] != wanted:
        place = (place + 1) & last
    return place


@kernel
def claim(data: Any, bounds: Any, seed: Any, first: int, hashes: Any, rows: Any, holders: Any) -> int:
    """Put strings into the table; how many were new to it.

    String i is `data[bounds[i]:bounds[i + 1]]` and gets number `first` + i; fills `holders` int64 (n,) with
    the number of who stands there already with the same hash, or FREE. The table is `hashes` uint64 (2 ** b,)
    and `rows` int64 (2 ** b,), with room for twice as many; `seed` uint64.
    """
    new = 0
    for own in range(bounds.size - 1):
        wanted = _hash(data, bounds[own], bounds[own + 1], seed)
        place = _place(hashes, rows, wanted)
        holders[own] = rows[place]
        if rows[place] == FREE:
            hashes[place], rows[place] = wanted, first + own
            new += 1
    return new


@kernel
def move(hashes: Any, rows: Any, to_hashes: Any, to_rows: Any) -> None:
    """Put all that stands in one table into another."""
    for old in range(rows.size):
        if rows[old] != FREE:
            place = _place(to_hashes, to_rows, hashes[old])
            to_hashes[place], to_rows[place] = hashes[old], rows[old]
