"""Lists of postings: looked up in memory by chains, on disk in blocks that a Bloom filter guards.

A key is an integer of `KEY_BITS`, all values alike likely, so that it says itself where it stands: in part
`key * parts >> KEY_BITS` of anything that is cut into so many parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from dedup.kernels import inner, kernel

KEY_BITS = 40
RECORD = 12  # bytes of a posting in a block
LINE = 8  # words of 64 bits in a line of a Bloom filter: what the processor fetches at once
_PROBES = 6  # bits of a line that stand for a key
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LONG: Any = types.int64
_pread: Any = types.ExternalFunction("pread", _LONG(types.int32, types.voidptr, types.uint64, _LONG))


@inner
def _part(key: Any, parts: int) -> Any:
    """Which of `parts` equal ranges a key is in."""
    return np.int64(np.uint64(key) * np.uint64(parts) >> np.uint64(KEY_BITS))


@kernel
def chain(keys: Any, first: int, stop: int, nexts: Any, heads: Any) -> None:
    """Put the postings `first` to `stop` of `keys` uint64 on chains, the latest first.

    `heads` int32: the latest of each range of keys, -1 for none; `nexts` int32: the one before each.
    """
    for p in range(first, stop):
        part = _part(keys[p], heads.size)
        nexts[p] = heads[part]
        heads[part] = p


@kernel
def count_chained(wanted: Any, keys: Any, nexts: Any, heads: Any, counts: Any) -> None:
    """Add to `counts` int64 how many chained postings each of `wanted` uint64 has; the rest as in `chain`."""
    for w in range(wanted.size):
        p = heads[_part(wanted[w], heads.size)]
        while p >= 0:
            counts[w] += keys[p] == wanted[w]
            p = nexts[p]


@kernel
def take_chained(
    wanted: Any, keys: Any, numbers: Any, contexts: Any, nexts: Any, heads: Any, ends: Any,
    out_numbers: Any, out_contexts: Any,
) -> None:  # fmt: skip
    """Fill in the chained postings of `wanted`, in the order they came, up to `ends` int64, which move down.

    `numbers` and `contexts` uint32 of all postings, `out_numbers` and `out_contexts` of those wanted.
    """
    for w in range(wanted.size):
        p = heads[_part(wanted[w], heads.size)]
        while p >= 0:
            if keys[p] == wanted[w]:
                ends[w] -= 1
                out_numbers[ends[w]], out_contexts[ends[w]] = numbers[p], contexts[p]
            p = nexts[p]


@inner
def _probe(key: Any, probe: int) -> Any:
    """The bit of a line, of 512, that is one of those that stand for a key."""
    mixed = (np.uint64(key) ^ np.uint64(key) >> np.uint64(21)) * _MIX
    return np.int64(mixed >> np.uint64(10 + 9 * probe)) & 511


@kernel
def remember(keys: Any, lines: Any) -> None:
    """Put `keys` uint64 into a Bloom filter, `lines` uint64 (n, LINE)."""
    for p in range(keys.size):
        line = _part(keys[p], lines.shape[0])
        for probe in range(_PROBES):
            bit = _probe(keys[p], probe)
            lines[line, bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)


@kernel
def recall(wanted: Any, lines: Any, out: Any) -> None:
    """Fill `out` bool with whether each of `wanted` uint64 may be in a Bloom filter."""
    for w in range(wanted.size):
        line = _part(wanted[w], lines.shape[0])
        there = True
        for probe in range(_PROBES):
            bit = _probe(wanted[w], probe)
            there &= lines[line, bit >> 6] >> np.uint64(bit & 63) & np.uint64(1) != 0
        out[w] = there


@inner
def _number(data: Any, first: int, count: int, record: int, plane: int) -> Any:
    """An integer of four bytes of a block that begins at `first`; its lowest byte is in `plane`."""
    at = first + plane * count + record
    return np.uint32(
        data[at] | data[at + count] << 8 | data[at + 2 * count] << 16 | np.int64(data[at + 3 * count]) << 24
    )


@kernel
def read(files: Any, places: Any, bounds: Any, out: Any) -> bool:
    """Fill `out[bounds[b]:bounds[b + 1]]` uint8 with what stands at `places[b]` int64 of `files[b]` int32.

    By descriptor, one system call each: from Python one takes as long again, and the global lock between.
    Returns whether all was there.
    """
    whole = True
    for b in range(files.size):
        size = bounds[b + 1] - bounds[b]
        whole &= size == _pread(files[b], out[bounds[b] :].ctypes, np.uint64(size), places[b])
    return whole


@kernel
def count_kept(wanted: Any, rows: Any, bounds: Any, data: Any, counts: Any) -> None:
    """Add to `counts` int64 how many postings each of `wanted` uint64 has in blocks.

    Block b, `data[bounds[b]:bounds[b + 1]]` of uint8, is where `wanted[rows[b]]` may be.
    """
    for b in range(rows.size):
        first, count = bounds[b], (bounds[b + 1] - bounds[b]) // RECORD
        low = np.uint32(wanted[rows[b]] & np.uint64(0xFFFFFFFF))
        for record in range(count):
            counts[rows[b]] += _number(data, first, count, record, 0) == low


@kernel
def take_kept(
    wanted: Any, rows: Any, bounds: Any, data: Any, ends: Any, out_numbers: Any, out_contexts: Any
) -> None:
    """Fill in the postings of `wanted` that are in blocks, the latest first; as in `take_chained`."""
    for b in range(rows.size):
        row = rows[b]
        first, count = bounds[b], (bounds[b + 1] - bounds[b]) // RECORD
        low = np.uint32(wanted[row] & np.uint64(0xFFFFFFFF))
        for record in range(count - 1, -1, -1):
            if _number(data, first, count, record, 0) == low:
                ends[row] -= 1
                out_numbers[ends[row]] = _number(data, first, count, record, 4)
                out_contexts[ends[row]] = _number(data, first, count, record, 8)


@kernel
def pack(keys: Any, numbers: Any, contexts: Any, bounds: Any, out: Any) -> None:
    """Fill `out` uint8 with blocks: block b holds the postings `bounds[b]` to `bounds[b + 1]`.

    Of each the lower four bytes of its key, its number and its context, all first bytes of a block before
    all second ones: most of the higher ones are alike, and take no room once they are compressed.
    """
    for b in range(bounds.size - 1):
        first, count = bounds[b], bounds[b + 1] - bounds[b]
        for record in range(count):
            p = first + record
            for byte in range(4):
                at, shift = RECORD * first + byte * count + record, np.uint64(8 * byte)
                out[at] = np.uint64(keys[p]) >> shift & np.uint64(255)
                out[at + 4 * count] = np.uint64(numbers[p]) >> shift & np.uint64(255)
                out[at + 8 * count] = np.uint64(contexts[p]) >> shift & np.uint64(255)


@kernel
def unpack(data: Any, bounds: Any, lows: Any, keys: Any, numbers: Any, contexts: Any) -> None:
    """The reverse of `pack`; `bounds` int64 in bytes of `data`, `lows` uint64 the least key of each block."""
    p = 0
    for b in range(bounds.size - 1):
        first, count = bounds[b], (bounds[b + 1] - bounds[b]) // RECORD
        for record in range(count):
            low = np.uint64(_number(data, first, count, record, 0))
            keys[p] = lows[b] + ((low - lows[b]) & np.uint64(0xFFFFFFFF))
            numbers[p] = _number(data, first, count, record, 4)
            contexts[p] = _number(data, first, count, record, 8)
            p += 1
