"""Room for results whose number is not known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel


@inner
def with_room(rows: Any, needed: int) -> Any:
    """`rows` int32 (n, k) if there are as many as `needed`, else a copy with twice as many."""
    if needed <= rows.shape[0]:
        return rows
    larger = np.empty((2 * needed, rows.shape[1]), np.int32)
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            larger[row, column] = rows[row, column]
    return larger


@kernel
def gather(data: Any, starts: Any, bounds: Any, out: Any) -> None:
    """Copy the pieces that begin at `starts` int64 (n,) of `data` to `bounds` int64 (n + 1,) of `out`."""
    for piece in range(starts.size):
        own = out[bounds[piece] : bounds[piece + 1]]
        source = data[starts[piece] : starts[piece] + own.size]
        for place in range(source.size):  # ten times as fast as with places in the whole arrays
            own[place] = source[place]


@kernel
def dictionary(values: Any, places: Any, codes: Any, distinct: Any) -> int:
    """Number `values` uint32 (n,) in the order in which they first stand there; how many there are.

    Fills `codes` int32 (n,) with each one's number and `distinct` uint32 (n,) with the values by number.
    `places` int32 (2 ** b,), given as -1, with room for twice as many, is scratch.
    """
    last = np.int64(places.size - 1)
    count = 0
    for p in range(values.size):
        slot = np.int64(values[p] * np.uint32(0x9E3779B1)) & last
        while places[slot] >= 0 and distinct[places[slot]] != values[p]:
            slot = (slot + 1) & last
        if places[slot] < 0:
            places[slot] = count
            distinct[count] = values[p]
            count += 1
        codes[p] = places[slot]
    return count
