"""Verbatim copy: maximal runs of equal tokens, and the chains they form."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room
from dedup.kernels.shingle import shingles_of

_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_THIRD = np.uint64(0x165667B19E3779F9)
_STRIDE = 8  # so that no run of `_TELLING` tokens within a long one is passed over
_TELLING = 10  # tokens in a run that is followed however common its words are
_WALKED = 256  # places of one k-gram that are looked at


@inner
def _gram(hashes: Any, at: int, k: int) -> Any:
    if k == 3:  # the usual case, in products that do not wait for one another
        one, two = np.uint64(hashes[at]) * _FIRST, np.uint64(hashes[at + 1]) * _SECOND
        return (one + two + np.uint64(hashes[at + 2]) * _THIRD) >> np.uint64(32)
    state = np.uint64(0)
    for i in range(at, at + k):
        state = (state + np.uint64(hashes[i]) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return state >> np.uint64(32)


@inner
def runs(left: Any, right: Any, k: int, most: int, long: int) -> Any:
    """Maximal runs of at least `k` equal token hashes on both sides: int32 (n, 3) of left, right, length.

    Sorted by left place. Within a run of `long` tokens or more, which what else its words resemble adds
    little to, only runs of `_TELLING` tokens are told. Of a k-gram that stands more than `most`
    times on the right, only the first `most` places are followed, and those that make a long enough run.
    """
    n_left, n_right = left.size - k + 1, right.size - k + 1
    if n_left <= 0 or n_right <= 0:
        n_left, n_right = 0, 0
    size = 16
    while size < 2 * n_right:
        size *= 2
    mask = np.uint64(size - 1)
    heads = np.full(size, -1, np.int32)
    nexts = np.empty(n_right, np.int32)
    for j in range(n_right - 1, -1, -1):
        slot = _gram(right, j, k) & mask
        nexts[j] = heads[slot]
        heads[slot] = j
    found = np.empty((64, 3), np.int32)
    count = 0
    reached = np.zeros(right.size + left.size, np.int32)  # per diagonal, where its last run ended on the left
    long_until = 0
    for i in range(n_left):
        inside = i + k <= long_until
        if inside and i % _STRIDE != 0:
            continue
        j = heads[_gram(left, i, k) & mask]
        followed = 0
        walked = 0
        while j >= 0 and walked < _WALKED:
            walked += 1
            diagonal = j - i + left.size - 1
            followed += 1
            if reached[diagonal] <= i:
                length = 0
                while (
                    i + length < left.size
                    and j + length < right.size
                    and left[i + length] == right[j + length]
                ):
                    length += 1
                if length >= k:
                    back = 0  # its first words may have been passed over
                    while (
                        i - back > reached[diagonal]
                        and j > back
                        and left[i - back - 1] == right[j - back - 1]
                    ):
                        back += 1
                    if (followed <= most and not inside) or length + back >= _TELLING:
                        reached[diagonal] = i + length
                        if length + back >= long:
                            long_until = max(long_until, i + length)
                        found = with_room(found, count + 1)
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
    return found[:count]


@kernel
def seed(
    hashes: Any, offsets: Any, lefts: Any, rights: Any, k: int, most: int, long: int, found_offsets: Any
) -> Any:
    """Runs of each pair, as `runs` gives them: int32 (n, 3), pair after pair.

    `hashes` and `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers. Fills `found_offsets`
    int64 (pairs + 1).
    """
    out = np.empty((16 * lefts.size + 16, 3), np.int32)
    filled = 0
    found_offsets[0] = 0
    for p in range(lefts.size):
        left = hashes[offsets[lefts[p]] : offsets[lefts[p] + 1]]
        right = hashes[offsets[rights[p]] : offsets[rights[p] + 1]]
        found = runs(left, right, k, most, long)
        out = with_room(out, filled + found.shape[0])
        for r in range(found.shape[0]):
            out[filled, 0], out[filled, 1], out[filled, 2] = found[r, 0], found[r, 1], found[r, 2]
            filled += 1
        found_offsets[p + 1] = filled
    return out[:filled]


@kernel
def resemble(hashes: Any, offsets: Any, lefts: Any, rights: Any, k: int, out: Any) -> None:
    """Fill `out` float64 (pairs) with the exact Jaccard of the pairs' sets of `k`-token shingles.

    `hashes` and `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers.
    """
    for p in range(lefts.size):
        left = shingles_of(hashes[offsets[lefts[p]] : offsets[lefts[p] + 1]], k)
        right = shingles_of(hashes[offsets[rights[p]] : offsets[rights[p] + 1]], k)
        size = 16
        while size < 2 * (left.size + right.size):
            size *= 2
        mask = np.uint64(size - 1)
        keys = np.empty(size, np.uint64)
        side = np.zeros(size, np.uint8)  # 0 free, 1 left only, 2 right only, 3 both
        union, common = 0, 0
        for s in range(left.size + right.size):
            key = left[s] if s < left.size else right[s - left.size]
            bit = np.uint8(1) if s < left.size else np.uint8(2)
            slot = (key >> np.uint64(20)) & mask
            while side[slot] != 0 and keys[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            keys[slot] = key
            union += 1 if side[slot] == 0 else 0
            common += 1 if side[slot] == 1 and bit == 2 else 0
            side[slot] |= bit
        out[p] = common / union if union > 0 else 0.0
