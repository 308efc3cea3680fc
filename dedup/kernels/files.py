"""Pieces of files, by descriptor, or mapped into memory.

From Python a call to the system takes twice as long, and takes the global lock between two of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from dedup.kernels import inner, kernel

_LONG: Any = types.int64
_SIGNATURE: Any = _LONG(types.int32, types.voidptr, types.uint64, _LONG)
_pread: Any = types.ExternalFunction("pread", _SIGNATURE)
_pwrite: Any = types.ExternalFunction("pwrite", _SIGNATURE)
_copy: Any = types.ExternalFunction("memcpy", _LONG(types.voidptr, _LONG, _LONG))
_advise: Any = types.ExternalFunction("posix_fadvise", types.int32(types.int32, _LONG, _LONG, types.int32))


@inner
def _is_read(file: Any, place: int, out: Any) -> bool:
    """Fill `out` uint8 with what stands at a place of a file; whether all was there."""
    return out.size == _pread(file, out.ctypes, np.uint64(out.size), place)


@kernel
def copy(addresses: Any, bounds: Any, out: Any) -> None:
    """Fill `out[bounds[b]:bounds[b + 1]]` uint8 with what stands at `addresses[b]` int64 in memory."""
    for b in range(addresses.size):
        own = out[bounds[b] : bounds[b + 1]]
        _copy(own.ctypes, addresses[b], own.size)


@kernel
def ask(file: Any, places: Any, bounds: Any, advice: int) -> None:
    """Ask the disk for pieces of a file, all of them before one is waited for; the rest as in `gather`.

    `advice`: the system's number for it, `os.POSIX_FADV_WILLNEED`; not every system has such a thing.
    """
    for p in range(places.size):
        _advise(file, places[p], bounds[p + 1] - bounds[p], advice)


@kernel
def gather(file: Any, places: Any, bounds: Any, gap: int, near: Any, out: Any) -> int:
    """Fill `out[bounds[p]:bounds[p + 1]]` uint8 with what stands at `places[p]` int64 of a file.

    Pieces that stand one behind the other, up to `gap` bytes apart, are read at once, as many as `near`
    uint8, which is scratch, has room for. Returns how many pieces were read before one that was not there.
    """
    piece = 0
    while piece < places.size:
        first = places[piece]
        stop, behind = first + bounds[piece + 1] - bounds[piece], piece + 1
        while behind < places.size and 0 <= places[behind] - stop <= gap:
            end = places[behind] + bounds[behind + 1] - bounds[behind]
            if end - first > near.size:
                break
            stop, behind = end, behind + 1
        own = out[bounds[piece] : bounds[behind]]
        if own.size == stop - first:
            if not _is_read(file, first, own):
                return piece
        else:
            if not _is_read(file, first, near[: stop - first]):
                return piece
            for p in range(piece, behind):
                source = near[places[p] - first :]
                target = out[bounds[p] : bounds[p + 1]]
                for byte in range(target.size):
                    target[byte] = source[byte]
        piece = behind
    return piece


@kernel
def write(file: Any, places: Any, bounds: Any, data: Any) -> int:
    """Write `data[bounds[p]:bounds[p + 1]]` uint8 to `places[p]` int64 of a file.

    Returns how many pieces were written before one that was not, or not to its end.
    """
    for p in range(places.size):
        own = data[bounds[p] : bounds[p + 1]]
        if own.size != _pwrite(file, own.ctypes, np.uint64(own.size), places[p]):
            return p
    return places.size
