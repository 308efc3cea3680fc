"""Verbatim copy: maximal runs of equal tokens, and the chains they form."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel


@kernel
def runs(left: Any, right: Any, k: int, most: int, long: int) -> Any:
    """Maximal runs of at least `k` equal token hashes on both sides: int32 (n, 3) of left, right, length.

    Sorted by left place. Left places within a run of `long` tokens or more start no other run. Of a k-gram that stands more than `most` times on the right, only `most` places
    are followed, those next behind the last one met first.
    """
    n_left, n_right = left.size - k + 1, right.size - k + 1
    if n_left <= 0 or n_right <= 0:
        return np.empty((0, 3), np.int32)
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
    reached = np.full(right.size + left.size, -1, np.int32)  # per diagonal, where its last run ended on the left
    long_until = 0
    for i in range(n_left):
        if i + k <= long_until:  # inside a long run; what else these few words resemble adds nothing
            continue
        j = heads[_gram(left, i, k) & mask]
        followed = 0
        while j >= 0 and followed < most:
            diagonal = j - i + left.size - 1
            if reached[diagonal] <= i:
                length = 0
                while i + length < left.size and j + length < right.size and left[i + length] == right[j + length]:
                    length += 1
                if length >= k:
                    followed += 1
                    reached[diagonal] = i + length
                    if length >= long:
                        long_until = max(long_until, i + length)
                    if count == found.shape[0]:
                        more = np.empty((2 * count, 3), np.int32)
                        more[:count] = found
                        found = more
                    found[count, 0] = i
                    found[count, 1] = j
                    found[count, 2] = length
                    count += 1
            else:
                followed += 1
            j = nexts[j]
    return found[:count]


@kernel
def _gram(hashes: Any, at: int, k: int) -> Any:
    state = np.uint64(0)
    for i in range(at, at + k):
        state = (state + np.uint64(hashes[i]) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return state >> np.uint64(32)


@kernel
def chains(found: Any, shortest: int, gap: int) -> Any:
    """Join runs (as `runs` gives them) that lie within `gap` tokens of each other on both sides.

    Runs shorter than `shortest` are left out. Order on the right does not matter, so that text moved within
    a passage stays one passage. Returns the chain number of each run, int32 (n,), -1 for those left out;
    numbers are those of the chains' first runs.
    """
    parents = np.full(found.shape[0], -1, np.int32)
    for run in range(found.shape[0]):
        if found[run, 2] >= shortest:
            parents[run] = run
    for run in range(found.shape[0]):
        if parents[run] < 0:
            continue
        for other in range(run + 1, found.shape[0]):
            if found[other, 0] - (found[run, 0] + found[run, 2]) > gap:
                break
            if parents[other] < 0:
                continue
            if (
                found[other, 1] - (found[run, 1] + found[run, 2]) <= gap
                and found[run, 1] - (found[other, 1] + found[other, 2]) <= gap
            ):
                one, two = run, other
                while parents[one] != one:
                    one = parents[one]
                while parents[two] != two:
                    two = parents[two]
                parents[max(one, two)] = min(one, two)
    for run in range(found.shape[0]):
        if parents[run] >= 0:
            parents[run] = parents[parents[run]]
    return parents
