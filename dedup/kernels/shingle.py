"""Tokens to shingle hashes, shingle hashes to signatures and to winnowed fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's 64-bit finaliser
_FMIX1 = np.uint32(0x85EBCA6B)  # MurmurHash3's 32-bit finaliser, datasketch's pre-mix
_FMIX2 = np.uint32(0xC2B2AE35)
_EMPTY = np.uint32(0xFFFFFFFF)
_ROUND = 64  # shingles that the compiled loop over them takes at once


@inner
def fill_shingles(hashes: Any, k: int, shingles: Any) -> int:
    """Fill `shingles` uint64 with those of one text (see `shingle`), given its token hashes; how many."""
    k = min(k, hashes.size)
    state, leaving = np.uint64(0), _BASE
    for token in range(k):
        state = (state + np.uint64(hashes[token]) + np.uint64(1)) * _BASE
        leaving *= _BASE
    count = 0
    for token in range(k, hashes.size + (k > 0)):
        shingles[count] = ((state ^ (state >> np.uint64(32))) * _MIX) ^ (state >> np.uint64(29))
        count += 1
        if token < hashes.size:
            entering = (np.uint64(hashes[token]) + np.uint64(1)) * _BASE
            state = state * _BASE + (entering - (np.uint64(hashes[token - k]) + np.uint64(1)) * leaving)
    return count


@kernel
def shingle(hashes: Any, offsets: Any, k: int, shingles: Any, shingle_offsets: Any) -> None:
    """Hash every run of `k` tokens of each text; a text of 1 to k - 1 tokens is one shingle.

    `hashes` uint32 and `offsets` int64 (texts + 1) as in `Tokens`. Fills `shingles` uint64 (at least as
    long as `hashes`) and `shingle_offsets` int64 (texts + 1). The hash is a rolling
    polynomial (Karp & Rabin 1987) modulo 2**64, mixed.
    """
    count = np.int64(0)
    shingle_offsets[0] = 0
    for text in range(offsets.size - 1):
        own = hashes[offsets[text] : offsets[text + 1]]
        count += fill_shingles(own, k, shingles[count : count + own.size])
        shingle_offsets[text + 1] = count


@inner
def _mixed(shingle: Any) -> Any:
    """The upper half of a shingle's hash, pre-mixed as datasketch does."""
    value = np.uint32(shingle >> np.uint64(32))
    value ^= value >> np.uint32(16)
    value = np.uint32(value * _FMIX1)
    value ^= value >> np.uint32(13)
    value = np.uint32(value * _FMIX2)
    return value ^ (value >> np.uint32(16))


@kernel
def minima(shingles: Any, offsets: Any, multipliers: Any, increments: Any, signatures: Any) -> None:
    """Fill `signatures` uint32 (texts, num_perm) with each permutation's minimum over a text's shingles.

    `shingles` uint64 and `offsets` as in `Shingles`; permutation p maps h (`_mixed`) to
    multipliers[p] * h + increments[p] modulo 2**32. The loop over shingles is innermost, so that it compiles
    to vector instructions (5 ns a shingle for 128 permutations with AVX-512; 58 ns the other way round); each
    text is filled up to whole rounds of that loop with its first shingle, which changes no minimum. Texts
    without shingles get 2**32 - 1.
    """
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    mixed = np.empty(longest + _ROUND, np.uint32)
    for text in range(offsets.size - 1):
        own = shingles[offsets[text] : offsets[text + 1]]
        for place in range(own.size):
            mixed[place] = _mixed(own[place])
        size = own.size
        while size > 0 and size % _ROUND != 0:
            mixed[size] = mixed[0]
            size += 1
        for permutation in range(multipliers.size):
            multiplier, increment = multipliers[permutation], increments[permutation]
            least = _EMPTY
            for place in range(size):
                least = min(least, np.uint32(np.uint32(multiplier * mixed[place]) + increment))
            signatures[text, permutation] = least


@kernel
def unite(signatures: Any, offsets: Any, texts: Any, out: Any) -> None:
    """Fill the rows of `out` uint32 with the signatures of `texts`: the minima of their blocks'.

    The blocks of text t are the rows `offsets[t]:offsets[t + 1]`, at least one, of `signatures`.
    """
    for row in range(texts.size):
        first = offsets[texts[row]]
        for value in range(signatures.shape[1]):
            out[row, value] = signatures[first, value]
        for block in range(first + 1, offsets[texts[row] + 1]):
            for value in range(signatures.shape[1]):
                out[row, value] = min(out[row, value], signatures[block, value])


@kernel
def winnow(shingles: Any, offsets: Any, window: int, prints: Any, places: Any, print_offsets: Any) -> None:
    """Pick the least shingle hash of every `window` consecutive ones, the last of equals, each once.

    Robust winnowing (Schleimer, Wilkerson & Aiken 2003, section 3.4 and figure 5): a text of fewer
    shingles than `window` is one window. Fills `prints` uint64 and `places` int32 (token place of the
    shingle in its text), at most one per shingle, and `print_offsets` int64 (texts + 1).
    """
    count = 0
    print_offsets[0] = 0
    for text in range(offsets.size - 1):
        first, stop = offsets[text], offsets[text + 1]
        least, value = -1, np.uint64(0)
        for last in range(max(first, min(first + window, stop) - 1), stop):
            begin = max(first, last - window + 1)
            if least >= begin:
                if shingles[last] > value:
                    continue
                least, value = last, shingles[last]
            else:
                least, value = begin, shingles[begin]
                for place in range(begin + 1, last + 1):  # without a branch: which is least none can foresee
                    less = shingles[place] <= value
                    least = place if less else least
                    value = min(value, shingles[place])
            prints[count] = value
            places[count] = least - first
            count += 1
        print_offsets[text + 1] = count


@kernel
def windows(
    hashes: Any, offsets: Any, k: int, window: int, owners: Any, places: Any, keys: Any, texts: Any
) -> int:
    """Fill `keys` uint64 and `texts` int32 for every window whose fingerprint stands at a place; how many.

    `hashes` and `offsets` as in `Tokens`; `owners` int32 (n,) the texts and `places` int32 (n,) the first
    tokens, within them, of fingerprints of `k` tokens; windows as in `winnow`. A key stands for all tokens of
    a window, so that texts share it if and only if they share the whole window. Room for n * window.
    """
    count = 0
    near = np.empty(2 * window + k, np.uint64)
    for n in range(owners.size):
        start, stop = offsets[owners[n]], offsets[owners[n] + 1]
        shingles = max(stop - start - k + 1, min(stop - start, 1))
        begin = max(0, places[n] - window + 1)
        end = min(places[n] + window, shingles)
        fill_shingles(hashes[start + begin : min(start + end + k - 1, stop)], k, near)
        own = places[n] - begin
        for last in range(max(own, min(window, shingles) - 1 - begin), end - begin):
            first = max(0, last - window + 1)
            least = True
            for place in range(first, last + 1):
                least &= near[place] > near[own] or (near[place] == near[own] and place <= own)
            if least:
                state = near[last] * _MIX  # unlike the first, though they be the same
                for place in range(first, last, k):  # shingles side by side cover every token
                    state = (state ^ near[place]) * _BASE
                keys[count] = (state ^ (state >> np.uint64(31))) * _MIX + near[own]
                texts[count] = owners[n]
                count += 1
    return count


@kernel
def among(hashes: Any, some: Any, shift: Any, seen: Any, out: Any) -> None:
    """Set `out` bool, given as false, where `hashes` uint64 are in `some` uint64, sorted.

    `seen` bool (2 ** (64 - shift),), given as false, is scratch: most hashes are told by their highest bits.
    """
    for s in range(some.size):
        seen[some[s] >> shift] = True
    for h in range(hashes.size):
        if seen[hashes[h] >> shift]:
            low, high = 0, some.size
            while low < high:
                middle = (low + high) // 2
                if some[middle] < hashes[h]:
                    low = middle + 1
                else:
                    high = middle
            out[h] = low < some.size and some[low] == hashes[h]
