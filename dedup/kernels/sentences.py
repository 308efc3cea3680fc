"""Reworked copy: sentences of two articles that say the same in much the same words, and their fragments."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel
from dedup.kernels.tokenise import SENTENCE, STEM_BITS, UNSPACED

_SHIFT = np.uint32(32 - STEM_BITS)


@kernel
def stems(hashes: Any, flags: Any) -> Any:
    """Terms uint32 to compare reworked text by: the word's stem, or in unspaced scripts two characters."""
    terms = np.empty(hashes.size, np.uint32)
    for i in range(hashes.size):
        if flags[i] & UNSPACED and i + 1 < hashes.size and flags[i + 1] & UNSPACED:
            terms[i] = (hashes[i] * np.uint32(0x9E3779B1)) ^ hashes[i + 1]
        else:
            terms[i] = hashes[i] >> _SHIFT
    return terms


@kernel
def number(left: Any, right: Any) -> Any:
    """Number the distinct values of two uint32 arrays from 0 on, in order of appearance: int32 ids, count."""
    size = 16
    while size < 2 * (left.size + right.size):
        size *= 2
    mask = size - 1
    ids = np.full(size, -1, np.int32)
    keys = np.empty(size, np.uint32)
    out = np.empty(left.size + right.size, np.int32)
    count = 0
    for i in range(out.size):
        key = left[i] if i < left.size else right[i - left.size]
        slot = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & mask
        while ids[slot] >= 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if ids[slot] < 0:
            ids[slot] = count
            keys[slot] = key
            count += 1
        out[i] = ids[slot]
    return out[: left.size], out[left.size :], count


@kernel
def sentences(flags: Any, shortest: int, longest: int) -> Any:
    """Sentence bounds in tokens, int32 (n + 1): fragments under `shortest` join the next sentence."""
    bounds = np.empty(flags.size + 1, np.int32)
    count = 0
    start = 0
    for i in range(1, flags.size + 1):
        length = i - start
        if i == flags.size or length >= longest or (flags[i] & SENTENCE and length >= shortest):
            bounds[count] = start
            count += 1
            start = i
    if count > 1 and flags.size - bounds[count - 1] < shortest:
        count -= 1
    bounds[count] = flags.size
    return bounds[: count + 1]


@kernel
def bags(ids: Any, bounds: Any, frequencies: Any) -> Any:
    """Each sentence's distinct terms and counts (CSR), sorted by id; adds to `frequencies` per term."""
    offsets = np.zeros(bounds.size, np.int32)
    terms = np.empty(ids.size, np.int32)
    counts = np.empty(ids.size, np.float32)
    filled = 0
    for s in range(bounds.size - 1):
        first = filled
        for t in range(bounds[s], bounds[s + 1]):
            term = ids[t]
            place = filled
            while place > first and terms[place - 1] > term:
                place -= 1
            if place > first and terms[place - 1] == term:
                counts[place - 1] += 1
                continue
            for move in range(filled, place, -1):
                terms[move] = terms[move - 1]
                counts[move] = counts[move - 1]
            terms[place] = term
            counts[place] = 1
            filled += 1
        for place in range(first, filled):
            frequencies[terms[place]] += 1
        offsets[s + 1] = filled
    return offsets, terms[:filled], counts[:filled]


@kernel
def weigh_bags(offsets: Any, terms: Any, counts: Any, rarity: Any) -> None:
    """Turn `counts` into tf-isf weights of unit length per sentence, in place."""
    for s in range(offsets.size - 1):
        total = np.float32(0)
        for p in range(offsets[s], offsets[s + 1]):
            counts[p] *= rarity[terms[p]]
            total += counts[p] * counts[p]
        if total > 0:
            scale = np.float32(1) / np.sqrt(total)
            for p in range(offsets[s], offsets[s + 1]):
                counts[p] *= scale


@kernel
def similar_sentences(
    left_offsets: Any, left_terms: Any, left_weights: Any,
    right_offsets: Any, right_terms: Any, right_weights: Any,
    frequencies: Any, commonest: int, least_cosine: float, least_dice: float, near_best: float, most: int,
) -> Any:  # fmt: skip
    """Pairs of sentences alike in tf-isf cosine and in Dice of their term sets: int32 (n, 2).

    Sanchez-Perez, Sidorov & Gelbukh 2014, section 3.1; but a pair must also reach `near_best` times the best
    cosine that either sentence has with any, and a left sentence has at most `most` partners. Terms that
    stand in more than `commonest` sentences only count towards lengths, which bounds the work in long texts.
    """
    n_terms = frequencies.size
    n_left = left_offsets.size - 1
    n_right = right_offsets.size - 1
    heads = np.zeros(n_terms + 1, np.int32)
    for p in range(right_terms.size):
        heads[right_terms[p] + 1] += 1
    for t in range(n_terms):
        heads[t + 1] += heads[t]
    fill = heads[:-1].copy()
    posted = np.empty(right_terms.size, np.int32)
    weight = np.empty(right_terms.size, np.float32)
    for s in range(n_right):
        for p in range(right_offsets[s], right_offsets[s + 1]):
            posted[fill[right_terms[p]]] = s
            weight[fill[right_terms[p]]] = right_weights[p]
            fill[right_terms[p]] += 1
    dots = np.zeros(n_right, np.float32)
    commons = np.zeros(n_right, np.int32)
    touched = np.empty(n_right, np.int32)
    seeds = np.empty((n_left * most, 2), np.int32)
    cosines = np.empty(n_left * most, np.float32)
    best_left = np.zeros(n_left, np.float32)
    best_right = np.zeros(n_right, np.float32)
    count = 0
    for s in range(n_left):
        n_touched = 0
        for p in range(left_offsets[s], left_offsets[s + 1]):
            term = left_terms[p]
            if frequencies[term] > commonest:
                continue
            for q in range(heads[term], heads[term + 1]):
                other = posted[q]
                if commons[other] == 0:
                    touched[n_touched] = other
                    n_touched += 1
                commons[other] += 1
                dots[other] += left_weights[p] * weight[q]
        kept = 0
        size = left_offsets[s + 1] - left_offsets[s]
        for p in range(n_touched):
            other = touched[p]
            cosine = dots[other]
            dice = 2.0 * commons[other] / (size + right_offsets[other + 1] - right_offsets[other])
            dots[other] = 0
            commons[other] = 0
            if cosine < least_cosine or dice < least_dice:
                continue
            best_left[s] = max(best_left[s], cosine)
            best_right[other] = max(best_right[other], cosine)
            place = kept
            if kept == most:
                place = most - 1
                if cosines[count + place] >= cosine:
                    continue
            else:
                kept += 1
            while place > 0 and cosines[count + place - 1] < cosine:
                cosines[count + place] = cosines[count + place - 1]
                seeds[count + place] = seeds[count + place - 1]
                place -= 1
            cosines[count + place] = cosine
            seeds[count + place, 0] = s
            seeds[count + place, 1] = other
        count += kept
    kept = 0
    for p in range(count):
        if cosines[p] >= near_best * max(best_left[seeds[p, 0]], best_right[seeds[p, 1]]):
            seeds[kept] = seeds[p]
            cosines[kept] = cosines[p]
            kept += 1
    return seeds[:kept]


@kernel
def _order(seeds: Any, members: Any, side: int) -> None:
    """Sort the seed numbers `members` by the seeds' place on one side (then the other), in place."""
    keys = np.empty(members.size, np.int64)
    for m in range(members.size):
        keys[m] = np.int64(seeds[members[m], side]) << 32 | np.int64(seeds[members[m], 1 - side])
    order = np.argsort(keys)
    copy = members.copy()
    for m in range(members.size):
        members[m] = copy[order[m]]


@kernel
def bag_cosine(
    first: int, last: int, left_offsets: Any, left_terms: Any, left_counts: Any,
    begin: int, stop: int, right_offsets: Any, right_terms: Any, right_counts: Any, sums: Any,
) -> float:  # fmt: skip
    """Cosine of the summed weights of left sentences first..last and right sentences begin..stop.

    `sums` float32 (terms, 2) is scratch, all zero before and after.
    """
    for p in range(left_offsets[first], left_offsets[last + 1]):
        sums[left_terms[p], 0] += left_counts[p]
    for p in range(right_offsets[begin], right_offsets[stop + 1]):
        sums[right_terms[p], 1] += right_counts[p]
    dot, one, two = 0.0, 0.0, 0.0
    for p in range(left_offsets[first], left_offsets[last + 1]):
        t = left_terms[p]
        dot += sums[t, 0] * sums[t, 1]
        one += sums[t, 0] * sums[t, 0]
        sums[t, 0] = 0
    for p in range(right_offsets[begin], right_offsets[stop + 1]):
        t = right_terms[p]
        two += sums[t, 1] * sums[t, 1]
        sums[t, 1] = 0
    return dot / np.sqrt(one * two) if one > 0 and two > 0 else 0.0


@kernel
def fragments(
    seeds: Any, gap: int, least_gap: int, least_cosine: float,
    left_offsets: Any, left_terms: Any, left_counts: Any,
    right_offsets: Any, right_terms: Any, right_counts: Any, n_terms: int,
) -> Any:  # fmt: skip
    """Merge seeds not more than `gap` sentences apart on both sides into fragments, int32 (n, 4), inclusive.

    A fragment whose two sides are less alike than `least_cosine` is split again with a smaller gap, down to
    `least_gap`, then dropped (Sanchez-Perez, Sidorov & Gelbukh 2014, section 3.2; the gap adapts).
    """
    found = np.empty((seeds.shape[0], 4), np.int32)
    count = 0
    members = np.arange(seeds.shape[0])
    sums = np.zeros((n_terms, 2), np.float32)
    stack = [(0, seeds.shape[0], gap, 0, 0)]
    while len(stack) > 0:
        first, stop, gap, side, whole = stack.pop()
        if stop == first:
            continue
        own = members[first:stop]
        _order(seeds, own, side)
        start = 0
        split = False
        for m in range(1, own.size + 1):
            if m == own.size and not split:
                break
            if m == own.size or seeds[own[m], side] - seeds[own[m - 1], side] > gap:
                split = True
                stack.append((first + start, first + m, gap, 1 - side, 0))
                start = m
        if split:
            continue
        if whole == 0:  # unbroken on this side; try the other before it counts as one fragment
            stack.append((first, stop, gap, 1 - side, 1))
            continue
        box = np.empty(4, np.int32)
        for axis in range(2):
            box[2 * axis] = seeds[own[0], axis]
            box[2 * axis + 1] = seeds[own[0], axis]
            for m in range(own.size):
                box[2 * axis] = min(box[2 * axis], seeds[own[m], axis])
                box[2 * axis + 1] = max(box[2 * axis + 1], seeds[own[m], axis])
        cosine = bag_cosine(
            box[0], box[1], left_offsets, left_terms, left_counts,
            box[2], box[3], right_offsets, right_terms, right_counts, sums,
        )  # fmt: skip
        if cosine >= least_cosine:
            found[count] = box
            count += 1
        elif gap > least_gap:
            stack.append((first, stop, gap - 1, 0, 0))
    return found[:count]
