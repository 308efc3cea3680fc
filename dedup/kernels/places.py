"""Places of tokens, packed and unpacked."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel

_MOST = 255


@inner
def _int32(data: Any, at: int) -> Any:
    """Four bytes, the lowest first."""
    value = np.uint32(0)
    for place in range(4):
        value |= np.uint32(data[at + place]) << np.uint32(8 * place)
    return np.int32(value)


@kernel
def pack(starts: Any, ends: Any, offsets: Any, packed: Any, odd: Any) -> None:
    """Fill `packed` uint16 with each token's distance from the end of the one before, and its length << 8.

    `starts`, `ends`, `offsets` as in `Tokens`; `odd` bool (texts,) is set where one does not fit.
    """
    for text in range(offsets.size - 1):
        before = 0
        fits = True
        for token in range(offsets[text], offsets[text + 1]):
            gap, size = starts[token] - before, ends[token] - starts[token]
            fits &= gap <= _MOST and size <= _MOST
            packed[token] = np.uint16(gap) & np.uint16(_MOST) | np.uint16(size) << np.uint16(8)
            before = ends[token]
        odd[text] = not fits


@kernel
def unpack(packed: Any, offsets: Any, texts: Any, firsts: Any, stops: Any, starts: Any, ends: Any) -> None:
    """Fill `starts` and `ends` int32 (n,) with the characters that spans of tokens start and end at.

    `packed` and `offsets` int64 as for `pack`; `texts` rising, `firsts` and `stops` int32 (n,): the spans, in
    tokens of their texts.
    """
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    own_starts, own_ends = np.empty(longest, np.int32), np.empty(longest, np.int32)
    known = -1
    for span in range(texts.size):
        if texts[span] != known:
            known = texts[span]
            own = packed[offsets[known] : offsets[known + 1]]
            at = np.int32(0)
            for token in range(own.size):
                at += own[token] & np.uint16(_MOST)
                own_starts[token] = at
                at += own[token] >> np.uint16(8)
                own_ends[token] = at
        starts[span] = own_starts[firsts[span]]
        ends[span] = own_ends[stops[span] - 1]


@kernel
def unpack_all(places: Any, bounds: Any, wide: Any, offsets: Any, starts: Any, ends: Any) -> None:
    """Fill `starts` and `ends` int32 (tokens,) with where all tokens stand.

    `places` uint8: those of text i are `places[bounds[i]:bounds[i + 1]]`, for each token two bytes as `pack`
    makes them or, in `wide` texts, four for its start and, behind all of these, four for its end.
    """
    for text in range(offsets.size - 1):
        at = bounds[text]
        first, stop = offsets[text], offsets[text + 1]
        if wide[text]:
            for token in range(first, stop):
                starts[token] = _int32(places, at + 4 * (token - first))
                ends[token] = _int32(places, at + 4 * (stop - first + token - first))
            continue
        place = np.int32(0)
        for token in range(first, stop):
            place += np.int32(places[at])
            starts[token] = place
            place += np.int32(places[at + 1])
            ends[token] = place
            at += 2


@kernel
def within(starts: Any, ends: Any, offsets: Any, characters: Any) -> bool:
    """Do the tokens of each text stand one behind another, none beyond its `characters` int64 (texts,)?"""
    for text in range(offsets.size - 1):
        before = 0
        for token in range(offsets[text], offsets[text + 1]):
            if starts[token] < before or ends[token] < starts[token]:
                return False
            before = ends[token]
        if before > characters[text]:
            return False
    return True
