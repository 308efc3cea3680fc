"""Verbatim copy: maximal runs of equal tokens, and the chains they form."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room
from dedup.kernels.shingle import fill_shingles

_FIRST, _SECOND, _THIRD = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
_STRIDE = 8  # at most, so that no run of `_TELLING` tokens within a long one is passed over
_TELLING = 10  # tokens in a run that is followed however common its words are, unless fewer are asked for
_FINE = 8  # bits of the places within a run that is very long at which others are looked for
_WALKED = 256  # places of one k-gram that are looked at
_SPARSE = 8  # slots for each thing in a table; 2 in one of more than so many slots
_LARGE = 1 << 20


@inner
def _fill_grams(hashes: Any, k: int, grams: Any) -> None:
    """Hash every run of `k` tokens to uint32, of which the upper bits are well mixed."""
    if k == 3:  # the usual case, in vector instructions
        for i in range(hashes.size - 2):
            grams[i] = hashes[i] * _FIRST + hashes[i + 1] * _SECOND + hashes[i + 2] * _THIRD
    else:
        factor = _FIRST
        grams[: hashes.size - k + 1] = 0
        for t in range(k):
            for i in range(hashes.size - k + 1):
                grams[i] += hashes[i + t] * factor
            factor = (factor * _SECOND) | np.uint32(1)


@inner
def _bits(count: int) -> int:
    """Of the numbers of slots in a table of `count` things."""
    bits = 4
    while 1 << bits < min(_SPARSE * count, max(2 * count, _LARGE)):
        bits += 1
    return bits


@inner
def _fill_runs(
    left: Any, right: Any, left_grams: Any, heads: Any, nexts: Any, shift: Any, k: int, most: int, long: int,
    telling: int, first: int, reached: Any, long_until: int, found: Any, count: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Write runs (see `seed`) that begin at left place `first` or later to `found`, from row `count` on.

    Stops where there might be no room. Returns the left place to go on from, how far the last long run
    reaches on the left, and the new count. `reached` int32: where the last run of each diagonal ended.
    """
    stride = max(1, min(_STRIDE, telling - 2))
    for i in range(first, left.size - k + 1):
        if count + _WALKED > found.shape[0]:
            return i, long_until, count
        inside = i + k <= long_until
        far = (long_until - i) >> _FINE if inside else 0
        if inside and i % max(stride, far) != 0:
            continue
        places = most if far > stride else _WALKED
        j = heads[left_grams[i] >> shift]
        followed = 0
        walked = 0
        while j >= 0 and walked < places:
            walked += 1
            diagonal = j - i + left.size - 1
            followed += 1
            if reached[diagonal] <= i:
                room = min(left.size - i, right.size - j)
                length = 0
                while length < room and left[i + length] == right[j + length]:
                    length += 1
                if length >= k:
                    back = 0  # its first words may have been passed over
                    while (
                        i - back > reached[diagonal]
                        and j > back
                        and left[i - back - 1] == right[j - back - 1]
                    ):
                        back += 1
                    if (followed <= most and not inside) or length + back >= telling:
                        reached[diagonal] = i + length
                        if length + back >= long:
                            long_until = max(long_until, i + length)
                        place = count
                        while place > 0 and found[place - 1, 0] > i - back:
                            for column in range(3):
                                found[place, column] = found[place - 1, column]
                            place -= 1
                        found[place, 0] = i - back
                        found[place, 1] = j - back
                        found[place, 2] = length + back
                        count += 1
                else:
                    followed -= 1
            j = nexts[j]
    return left.size, long_until, count


@kernel
def seed(
    hashes: Any, offsets: Any, lefts: Any, rights: Any, k: int, most: int, long: int, guarantee: int,
    found_offsets: Any,
) -> Any:  # fmt: skip
    """Maximal runs of at least `k` equal token hashes on both sides, of each pair of texts.

    `hashes` and `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers. Returns int32 (n, 3) of
    left, right, length, pair after pair, sorted by left place; fills `found_offsets` int64 (pairs + 1).

    Within a run of `long` tokens or more, which what else its words resemble adds little to, only runs of
    `_TELLING` tokens are told, or of `guarantee` if those are fewer; where some thousand tokens of it are
    still to come, only some of them: what is repeated over and over has too many. Of a k-gram that stands
    more than `most` times on the right, only the first `most` places are followed, and those that make a
    long enough run.
    """
    longest, telling = k, max(k, min(_TELLING, guarantee))
    for p in range(lefts.size):
        longest = max(longest, offsets[lefts[p] + 1] - offsets[lefts[p]])
        longest = max(longest, offsets[rights[p] + 1] - offsets[rights[p]])
    left_grams, right_grams = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    heads, nexts = np.full(1 << _bits(longest), -1, np.int32), np.empty(longest, np.int32)
    reached = np.zeros(2 * longest, np.int32)
    out = np.empty((16 * lefts.size + 2 * _WALKED, 3), np.int32)
    known = -1  # the text that `left_grams` are of
    filled = 0
    found_offsets[0] = 0
    for p in range(lefts.size):
        left = hashes[offsets[lefts[p]] : offsets[lefts[p] + 1]]
        right = hashes[offsets[rights[p]] : offsets[rights[p] + 1]]
        found_offsets[p + 1] = filled
        if min(left.size, right.size) < k:
            continue
        shift = np.uint32(32 - _bits(right.size))
        if lefts[p] != known:
            _fill_grams(left, k, left_grams)
            known = lefts[p]
        _fill_grams(right, k, right_grams)
        for j in range(right.size - k, -1, -1):
            slot = right_grams[j] >> shift
            nexts[j] = heads[slot]
            heads[slot] = j
        reached[: left.size + right.size] = 0
        i, long_until, count = 0, 0, 0
        while i < left.size:
            out = with_room(out, filled + count + _WALKED)
            i, long_until, count = _fill_runs(
                left, right, left_grams, heads, nexts, shift, k, most, long, telling, i, reached,
                long_until, out[filled:], count,
            )  # fmt: skip
        for j in range(right.size - k + 1):
            heads[right_grams[j] >> shift] = -1
        filled += count
        found_offsets[p + 1] = filled
    return out[:filled]


@inner
def _slot(keys: Any, stamps: Any, own: int, key: Any, bits: int) -> Any:
    """Where `key` stands in a table, or would: slots that are not stamped with `own` are free."""
    slot = np.int64(key >> np.uint64(64 - bits))
    while stamps[slot] == own and keys[slot] != key:
        slot = (slot + 1) & ((1 << bits) - 1)
    return slot


@kernel
def resemble(hashes: Any, offsets: Any, lefts: Any, rights: Any, k: int, out: Any) -> None:
    """Fill `out` float64 (pairs) with the exact Jaccard of the pairs' sets of `k`-token shingles.

    `hashes` and `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers. The left text's table
    serves all pairs that follow with the same.
    """
    longest = 1
    for p in range(lefts.size):
        longest = max(longest, offsets[lefts[p] + 1] - offsets[lefts[p]])
        longest = max(longest, offsets[rights[p] + 1] - offsets[rights[p]])
    room = 1 << _bits(longest)
    keys, rest = np.empty(room, np.uint64), np.empty(room, np.uint64)
    stamps, met, rest_stamps = np.zeros(room, np.int32), np.zeros(room, np.int32), np.zeros(room, np.int32)
    shingles = np.empty(longest, np.uint64)
    stamp, known, distinct, bits = 0, -1, 0, 0
    for p in range(lefts.size):
        if lefts[p] != known:
            known, distinct = lefts[p], 0
            stamp = p + 1
            first, stop = offsets[known], offsets[known + 1]
            bits = _bits(stop - first)
            for s in range(fill_shingles(hashes[first:stop], k, shingles)):
                slot = _slot(keys, stamps, stamp, shingles[s], bits)
                distinct += stamps[slot] != stamp
                keys[slot], stamps[slot], met[slot] = shingles[s], stamp, 0
        common, others = 0, 0
        first, stop = offsets[rights[p]], offsets[rights[p] + 1]
        other_bits = _bits(stop - first)
        for s in range(fill_shingles(hashes[first:stop], k, shingles)):
            slot = _slot(keys, stamps, stamp, shingles[s], bits)
            if stamps[slot] == stamp:
                common += met[slot] != p + 1
                met[slot] = p + 1
            else:
                slot = _slot(rest, rest_stamps, p + 1, shingles[s], other_bits)
                others += rest_stamps[slot] != p + 1
                rest[slot], rest_stamps[slot] = shingles[s], p + 1
        union = distinct + others
        out[p] = common / union if union > 0 else 0.0
