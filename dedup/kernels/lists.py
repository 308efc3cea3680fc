"""Lists of postings: looked up in memory by chains, on disk in blocks that a Bloom filter guards.

A key is an integer of `KEY_BITS`, all values alike likely, so that it says itself where it stands: in part
`key * parts >> KEY_BITS` of anything that is cut into so many parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import inner, kernel
from dedup.kernels.bits import load8, prefetch

KEY_BITS = 40
CONTEXT_BITS = 42  # `kernels.meet.contexts`
LINE = 8  # words of 64 bits in a line of a Bloom filter: what the processor fetches at once
_AHEAD = 32  # lines that are asked for before the first of them is looked at
_PROBES = 6  # bits of a line that stand for a key
_MIX = np.uint64(0x9E3779B97F4A7C15)


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

    `numbers` uint32 and `contexts` uint64 of all postings, `out_numbers` and `out_contexts` of those wanted.
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


def room(lines: int) -> NDArray[np.uint64]:
    """A Bloom filter of so many lines that remembers nothing; each is one of the processor's."""
    raw = np.zeros((lines + 1) * LINE, np.uint64)
    first = -(raw.ctypes.data // raw.itemsize) % LINE
    return raw[first : first + lines * LINE].reshape(lines, LINE)


@kernel
def remember(keys: Any, lines: Any) -> None:
    """Put `keys` uint64 into a Bloom filter, `lines` uint64 (n, LINE) (`room`)."""
    for p in range(keys.size):
        line = _part(keys[p], lines.shape[0])
        for probe in range(_PROBES):
            bit = _probe(keys[p], probe)
            lines[line, bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)


@kernel
def recall(wanted: Any, lines: Any, bounds: Any, rows: Any, firsts: Any, stops: Any) -> int:
    """Which of `wanted` uint64 may be among those that a Bloom filter remembers, and where; how many.

    Fills `rows` int64 with their places in `wanted`, and `firsts` and `stops` int64 with the bounds of their
    blocks, of which `bounds` int64 has those of all.
    """
    count = 0
    for w in range(wanted.size):
        if w % _AHEAD == 0:
            for v in range(w, min(w + _AHEAD, wanted.size)):
                prefetch(lines, LINE * _part(wanted[v], lines.shape[0]))
        line = _part(wanted[w], lines.shape[0])
        there = True
        for probe in range(_PROBES):
            bit = _probe(wanted[w], probe)
            there &= lines[line, bit >> 6] >> np.uint64(bit & 63) & np.uint64(1) != 0
        if there:
            block = _part(wanted[w], bounds.size - 1)
            rows[count], firsts[count], stops[count] = w, bounds[block], bounds[block + 1]
            count += 1
    return count


@inner
def _bits(data: Any, at: int, width: int) -> Any:
    """An integer of `width` bits, 57 at most, that begins at the bit `at`; eight bytes are read."""
    mask = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
    return load8(data, at >> 3) >> np.uint64(at & 7) & mask


@inner
def _put(data: Any, at: int, value: Any) -> None:
    """Set the bits of an integer from the bit `at` on, which are given as 0."""
    rest = np.uint64(value) << np.uint64(at & 7)
    place = at >> 3
    while rest != 0:
        data[place] |= np.uint8(rest & np.uint64(255))
        rest >>= np.uint64(8)
        place += 1


@kernel
def count_kept(
    wanted: Any, rows: Any, kinds: Any, widths: Any, starts: Any, sizes: Any, data: Any, counts: Any
) -> None:
    """Add to `counts` int64 how many postings each of `wanted` uint64 has in blocks.

    Block b, where `wanted[rows[b]]` may be, has `sizes[b]` records from the bit `starts[b]` of `data` uint8
    on (`pack`), which goes on for eight bytes behind the last. `widths[kinds[b]]` int64: bits of their keys
    and numbers.
    """
    for b in range(rows.size):
        width = widths[kinds[b], 0]
        low = wanted[rows[b]] & (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        at, step = starts[b], width + widths[kinds[b], 1] + CONTEXT_BITS
        for _ in range(sizes[b]):
            counts[rows[b]] += _bits(data, at, width) == low
            at += step


@kernel
def take_kept(
    wanted: Any, rows: Any, kinds: Any, widths: Any, starts: Any, sizes: Any, data: Any, ends: Any,
    out_numbers: Any, out_contexts: Any,
) -> None:  # fmt: skip
    """Fill in the postings of `wanted` that are in blocks, the latest first; as in `take_chained`."""
    for b in range(rows.size):
        row, width, more = rows[b], widths[kinds[b], 0], widths[kinds[b], 1]
        low = wanted[row] & (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        step = width + more + CONTEXT_BITS
        for record in range(sizes[b] - 1, -1, -1):
            at = starts[b] + record * step
            if _bits(data, at, width) == low:
                ends[row] -= 1
                out_numbers[ends[row]] = _bits(data, at + width, more)
                out_contexts[ends[row]] = _bits(data, at + width + more, CONTEXT_BITS)


@kernel
def pack(
    keys: Any, numbers: Any, contexts: Any, key_bits: int, number_bits: int, start: int, out: Any
) -> None:
    """Fill `out` uint8, given as 0 from the bit `start` on, with records, one behind the other.

    Each is the lowest bits of a key uint64, a number and a context, as many as there are to tell it.
    """
    mask = (np.uint64(1) << np.uint64(key_bits)) - np.uint64(1)
    at = start
    for p in range(keys.size):
        _put(out, at, keys[p] & mask)
        _put(out, at + key_bits, numbers[p])
        _put(out, at + key_bits + number_bits, contexts[p])
        at += key_bits + number_bits + CONTEXT_BITS


@kernel
def unpack(
    data: Any, start: int, key_bits: int, number_bits: int, bounds: Any, lows: Any, keys: Any, numbers: Any,
    contexts: Any,
) -> None:  # fmt: skip
    """The reverse of `pack`; `bounds` int64 of blocks in records, `lows` uint64 the least key of each."""
    mask = (np.uint64(1) << np.uint64(key_bits)) - np.uint64(1)
    at = start
    for b in range(lows.size):
        for p in range(bounds[b], bounds[b + 1]):
            keys[p] = lows[b] + ((_bits(data, at, key_bits) - lows[b]) & mask)
            numbers[p] = _bits(data, at + key_bits, number_bits)
            contexts[p] = _bits(data, at + key_bits + number_bits, CONTEXT_BITS)
            at += key_bits + number_bits + CONTEXT_BITS
