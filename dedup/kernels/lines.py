"""Lines in which names stand, at either end of texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.bits import count_trailing_zeros, load8
from dedup.kernels.rows import with_room

HEAD, TAIL = 1, 2  # bits of where a line stands

_FEED = np.uint8(10)
_FEEDS = np.uint64(0x0A0A0A0A0A0A0A0A)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)


@inner
def _is_blank(data: Any, at: int, stop: int) -> bool:
    """Is the character that begins at the byte `at` white space, as Python's `str.isspace` tells it?"""
    byte = data[at]
    if byte < 0x80:
        return byte == 0x20 or 9 <= byte <= 13 or 28 <= byte <= 31
    if byte == 0xC2 and at + 1 < stop:
        return data[at + 1] == 0x85 or data[at + 1] == 0xA0
    if at + 2 >= stop:
        return False
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:
        return second == 0x9A and third == 0x80
    if byte == 0xE2 and second == 0x80:
        return third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
    if byte == 0xE2:
        return second == 0x81 and third == 0x9F
    return byte == 0xE3 and second == 0x80 and third == 0x80


@inner
def _newline(data: Any, at: int, stop: int) -> int:
    """The first line feed in `data[at:stop]`, or `stop`; of eight bytes that hold one, bit 7 tells where."""
    while at + 8 <= stop:
        others = load8(data, at) ^ _FEEDS
        feeds = (others - _ONES) & ~others & _HIGH  # exact for the lowest byte that is one
        if feeds != 0:
            return at + (count_trailing_zeros(feeds) >> 3)
        at += 8
    while at < stop and data[at] != _FEED:
        at += 1
    return at


@inner
def _characters(line: Any) -> int:
    """How many characters some bytes are."""
    count = 0
    for place in range(line.size):
        count += line[place] & 0xC0 != 0x80
    return count


@inner
def _all_blank(data: Any, at: int, stop: int) -> bool:
    """Is there nothing but white space in `data[at:stop]`?"""
    while at < stop:
        if data[at] & 0xC0 != 0x80 and not _is_blank(data, at, stop):
            return False
        at += 1
    return True


@inner
def _lines(data: Any, first: int, stop: int, lines: Any) -> Any:
    """Fill `lines` int32 (l, 3) with each line's first byte and character, and whether it is not blank.

    Bytes are told from `first`. Returns `lines`, or a larger array, and how many there are; behind them
    stands where one more would begin.
    """
    count, characters, at = 0, 0, first
    while at <= stop:
        end = _newline(data, at, stop)
        lines = with_room(lines, count + 2)
        lines[count, 0], lines[count, 1] = at - first, characters
        lines[count, 2] = not _all_blank(data, at, end)
        characters += _characters(data[at:end]) + 1
        count += 1
        at = end + 1
    lines[count, 0], lines[count, 1] = at - first, characters
    return lines, count


@inner
def _ends(lines: Any, count: int, heads: int, tails: int) -> Any:
    """The last of the first `heads` lines that are not blank, and the first of the last `tails`."""
    head, tail = count, -1
    seen = 0
    for line in range(count):
        seen += lines[line, 2]
        if seen == heads:
            head = line
            break
    seen = 0
    for line in range(count - 1, -1, -1):
        seen += lines[line, 2]
        if seen == tails:
            tail = line
            break
    return head, tail


@inner
def _stepped(data: Any, at: int, step: int, characters: int) -> int:
    """The byte `characters` further on from one where a character begins, or back if `step` is -1."""
    while characters > 0:
        at += step
        while data[at] & 0xC0 == 0x80:
            at += step
        characters -= 1
    return at


@kernel
def lines_with(data: Any, bounds: Any, texts: Any, places: Any, heads: int, tails: int, most: int) -> Any:
    """The lines with `places` among the first `heads` and the last `tails` that are not blank, in order.

    Text i is the UTF-8 bytes `data[bounds[i]:bounds[i + 1]]`; `texts` and `places` int32 (n,): a text and a
    character in it, not white space, both rising. Of long lines `most` characters are told: in the head from
    their start, in the tail from their end. Returns int32 (l, 7): text, first character, first and last byte
    in the text (half-open), the bits `HEAD` and `TAIL`, and which of `places` stand there (half-open).
    """
    out = np.empty((256, 7), np.int32)
    lines = np.empty((256, 3), np.int32)
    found, at = 0, 0
    while at < texts.size:
        text, base = texts[at], bounds[texts[at]]
        lines, count = _lines(data, base, bounds[text + 1], lines)
        head, tail = _ends(lines, count, heads, tails)
        line = 0
        while at < texts.size and texts[at] == text:
            while lines[line + 1, 1] <= places[at]:
                line += 1
            start, stop = lines[line, 1], lines[line + 1, 1] - 1
            begin, end = lines[line, 0], lines[line + 1, 0] - 1
            beyond = at
            while beyond < texts.size and texts[beyond] == text and places[beyond] < stop:
                beyond += 1
            long = stop - start > most
            for side in range(2 if long else 1):
                where = (HEAD if line <= head else 0) | (TAIL if line >= tail else 0)
                first, last, low, high = start, stop, begin, end
                own, other = at, beyond
                if long and side == 0:
                    where &= HEAD
                    last, high = start + most, _stepped(data, base + begin, 1, most) - base
                    while other > own and places[other - 1] >= last:
                        other -= 1
                elif long:
                    where &= TAIL
                    first, low = stop - most, _stepped(data, base + end, -1, most) - base
                    while other > own and places[own] < first:
                        own += 1
                if where and own < other:
                    out = with_room(out, found + 1)
                    out[found, 0], out[found, 1], out[found, 2] = text, first, low
                    out[found, 3], out[found, 4], out[found, 5] = high, where, own
                    out[found, 6] = other
                    found += 1
            at = beyond
    return out[:found]
