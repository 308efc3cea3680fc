"""Reworked copy: sentences of two articles that say the same in much the same words, and their fragments."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room
from dedup.kernels.tokenise import BOILERPLATE, CAPITAL, NUMBER, QUOTED, SENTENCE, STEM_BITS, UNSPACED

_SHIFT = np.uint32(32 - STEM_BITS)

_SENTENCE_GAP, _LEAST_GAP = 3, 2  # sentences between the seeds of one fragment
_LONG_FRAGMENT = 13  # sentences; a longer fragment is cut at every sentence without counterpart
_SHORTEST, _LONGEST = 3, 40  # tokens in a sentence
_COSINE, _DICE, _NEAR_BEST = 0.3, 0.33, 0.8  # of two sentences
_FRAGMENT_COSINE = 0.4
_TOUCHING = 3  # runs, for reworked copy to be looked for between them
_EXPLAINING, _EXPLAINED = 5, 0.7  # tokens in a run, and share of the shorter text in them, to be verbatim
_COMMONEST = 256  # sentences a term may stand in to make a seed
_NAME = np.float32(0.7)  # weight of names and numbers, which all reports of one event have in common
_PARTNERS = 8  # of one left sentence


@inner
def stems(hashes: Any, flags: Any) -> Any:
    """Terms uint32 to compare reworked text by: the word's stem, or in unspaced scripts two characters."""
    terms = np.empty(hashes.size, np.uint32)
    for i in range(hashes.size):
        if flags[i] & UNSPACED and i + 1 < hashes.size and flags[i + 1] & UNSPACED:
            terms[i] = (hashes[i] * np.uint32(0x9E3779B1)) ^ hashes[i + 1]
        else:
            terms[i] = hashes[i] >> _SHIFT
    return terms


@inner
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


@inner
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


@inner
def bags(ids: Any, bounds: Any, frequencies: Any) -> Any:
    """Each sentence's distinct terms, as they come, and counts (CSR); adds to `frequencies` per term."""
    offsets = np.zeros(bounds.size, np.int32)
    terms = np.empty(ids.size, np.int32)
    counts = np.empty(ids.size, np.float32)
    places = np.full(frequencies.size, -1, np.int32)  # of each term, where it stood last
    filled = 0
    for s in range(bounds.size - 1):
        first = filled
        for t in range(bounds[s], bounds[s + 1]):
            term = ids[t]
            if places[term] >= first:
                counts[places[term]] += 1
                continue
            terms[filled], counts[filled], places[term] = term, 1, filled
            frequencies[term] += 1
            filled += 1
        offsets[s + 1] = filled
    return offsets, terms[:filled], counts[:filled]


@inner
def _rarity(frequencies: Any, sentences: int) -> Any:
    """Logarithm float32 of `sentences` by each term's frequency; 0 for the last, which counts nothing."""
    rarity = np.zeros(frequencies.size, np.float32)
    known = np.zeros(64, np.float32)  # logarithms take their time, and most terms are rare
    for t in range(frequencies.size - 1):
        frequency = max(frequencies[t], 1)
        if frequency >= known.size:
            rarity[t] = np.log(sentences / frequency)
            continue
        if known[frequency] == 0:
            known[frequency] = np.log(sentences / frequency)
        rarity[t] = known[frequency]
    return rarity


@inner
def weigh_bags(offsets: Any, terms: Any, counts: Any, rarity: Any) -> Any:
    """Turn `counts` into tf-isf weights, in place; the same at unit length per sentence, float32."""
    units = np.empty(counts.size, np.float32)
    for s in range(offsets.size - 1):
        total = np.float32(0)
        for p in range(offsets[s], offsets[s + 1]):
            counts[p] *= rarity[terms[p]]
            total += counts[p] * counts[p]
        scale = np.float32(1) / np.sqrt(total) if total > 0 else np.float32(0)
        for p in range(offsets[s], offsets[s + 1]):
            units[p] = counts[p] * scale
    return units


@inner
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
    fill = np.empty(n_terms, np.int32)
    for t in range(n_terms):
        fill[t] = heads[t]
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
                seeds[count + place, 0] = seeds[count + place - 1, 0]
                seeds[count + place, 1] = seeds[count + place - 1, 1]
                place -= 1
            cosines[count + place] = cosine
            seeds[count + place, 0] = s
            seeds[count + place, 1] = other
        count += kept
    kept = 0
    for p in range(count):
        if cosines[p] >= near_best * max(best_left[seeds[p, 0]], best_right[seeds[p, 1]]):
            seeds[kept, 0], seeds[kept, 1] = seeds[p, 0], seeds[p, 1]
            kept += 1
    return seeds[:kept]


@inner
def _sort(seeds: Any, members: Any, first: int, stop: int, side: int) -> None:
    """Sort `members[first:stop]`, seed numbers, by the seeds' place on one side, in place (Shell's sort).

    A library sort here would take longer to compile than all the rest of the file.
    """
    step = 1
    while step < (stop - first) // 3:
        step = 3 * step + 1
    while step > 0:
        for m in range(first + step, stop):
            member = members[m]
            place = m
            while place - step >= first and seeds[members[place - step], side] > seeds[member, side]:
                members[place] = members[place - step]
                place -= step
            members[place] = member
        step //= 3


@inner
def bag_cosine(
    span: Any, left_offsets: Any, left_terms: Any, left_counts: Any,
    right_offsets: Any, right_terms: Any, right_counts: Any, sums: Any,
) -> float:  # fmt: skip
    """Cosine of the summed weights of left sentences span[0]..span[1] and right ones span[2]..span[3].

    `sums` float32 (terms, 2) is scratch, all zero before and after.
    """
    first, last, begin, stop = span[0], span[1], span[2], span[3]
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


@inner
def fragments(
    seeds: Any, gap: int, least_gap: int, least_cosine: float, longest: int,
    left_offsets: Any, left_terms: Any, left_counts: Any,
    right_offsets: Any, right_terms: Any, right_counts: Any, n_terms: int,
) -> Any:  # fmt: skip
    """Merge seeds not more than `gap` sentences apart on both sides into fragments, int32 (n, 4), inclusive.

    A fragment whose two sides are less alike than `least_cosine` is split again with a smaller gap, down to
    `least_gap`, then dropped (Sanchez-Perez, Sidorov & Gelbukh 2014, section 3.2; the gap adapts).
    """
    n_seeds = seeds.shape[0]
    found = np.empty((n_seeds, 4), np.int32)
    count = 0
    members = np.empty(n_seeds, np.int32)
    for m in range(n_seeds):
        members[m] = m
    sums = np.zeros((n_terms, 2), np.float32)
    stack = np.empty(
        (n_seeds * (gap + 2) + 1, 5), np.int32
    )  # first, stop, gap, side, is it whole on the other
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3], stack[0, 4] = 0, n_seeds, gap, 0, 0
    depth = 1 if n_seeds > 0 else 0
    while depth > 0:
        depth -= 1
        first, stop, gap, side, whole = (
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3], stack[depth, 4],
        )  # fmt: skip
        _sort(seeds, members, first, stop, side)
        start = first
        for m in range(first + 1, stop + 1):
            if m == stop and start == first:
                break
            if m == stop or seeds[members[m], side] - seeds[members[m - 1], side] > gap:
                stack[depth, 0], stack[depth, 1], stack[depth, 2] = start, m, gap
                stack[depth, 3], stack[depth, 4] = 1 - side, 0
                depth += 1
                start = m
        if start > first:
            continue
        if whole == 0:
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = first, stop, gap
            stack[depth, 3], stack[depth, 4] = 1 - side, 1
            depth += 1
            continue
        for axis in range(2):
            low, high = seeds[members[first], axis], seeds[members[first], axis]
            for m in range(first, stop):
                low = min(low, seeds[members[m], axis])
                high = max(high, seeds[members[m], axis])
            found[count, 2 * axis], found[count, 2 * axis + 1] = low, high
        if gap > 1 and min(found[count, 1] - found[count, 0], found[count, 3] - found[count, 2]) >= longest:
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = first, stop, 1
            stack[depth, 3], stack[depth, 4] = 0, 0
            depth += 1
            continue
        cosine = bag_cosine(
            found[count],
            left_offsets,
            left_terms,
            left_counts,
            right_offsets,
            right_terms,
            right_counts,
            sums,
        )
        if cosine >= least_cosine:
            count += 1
        elif gap > least_gap:
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = first, stop, gap - 1
            stack[depth, 3], stack[depth, 4] = 0, 0
            depth += 1
    return found[:count]


@inner
def _blank(flags: Any, ids: Any, blank: int) -> None:
    for t in range(ids.size):
        if flags[t] & BOILERPLATE:
            ids[t] = blank


@inner
def _note_plain(flags: Any, ids: Any, plain: Any) -> None:
    """Set `plain` of the terms that stand in lower case somewhere."""
    for t in range(ids.size):
        if flags[t] & (CAPITAL | NUMBER) == 0:
            plain[ids[t]] = 1


@inner
def _is_verbatim(found: Any, shorter: int) -> bool:
    """Do runs explain so much of the shorter text that sentences have nothing to add?"""
    covered, reached = 0, 0
    for r in range(found.shape[0]):
        if found[r, 2] >= _EXPLAINING:
            covered += max(0, found[r, 0] + found[r, 2] - max(found[r, 0], reached))
            reached = max(reached, found[r, 0] + found[r, 2])
    return bool(covered >= _EXPLAINED * shorter)


@kernel
def rework(hashes: Any, flags: Any, offsets: Any, lefts: Any, rights: Any, found: Any, found_offsets: Any,
           span_offsets: Any) -> Any:  # fmt: skip
    """Fragments of similar sentences of each pair: int32 (n, 4), left and right token places.

    `hashes`, `flags`, `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers; `found` and
    `found_offsets` (pairs + 1): their runs; quotations that both share weigh nothing, nor does boilerplate.
    Fills `span_offsets` int64 (pairs + 1). Pairs that are all but verbatim are passed over. After
    Sanchez-Perez, Sidorov & Gelbukh 2014, sections 3.1 and 3.2.
    """
    out = np.empty((lefts.size + 16, 4), np.int32)
    filled = 0
    span_offsets[0] = 0
    for p in range(lefts.size):
        a, b = offsets[lefts[p]], offsets[lefts[p] + 1]
        x, y = offsets[rights[p]], offsets[rights[p] + 1]
        left_flags, right_flags = flags[a:b], flags[x:y]
        span_offsets[p + 1] = filled
        own = found[found_offsets[p] : found_offsets[p + 1]]
        if own.shape[0] < _TOUCHING or _is_verbatim(own, min(b - a, y - x)):
            continue
        left_ids, right_ids, n_terms = number(stems(hashes[a:b], left_flags), stems(hashes[x:y], right_flags))
        for r in range(found_offsets[p], found_offsets[p + 1]):
            for t in range(found[r, 2]):
                if left_flags[found[r, 0] + t] & right_flags[found[r, 1] + t] & QUOTED:
                    left_ids[found[r, 0] + t] = n_terms
                    right_ids[found[r, 1] + t] = n_terms
        _blank(left_flags, left_ids, n_terms)
        _blank(right_flags, right_ids, n_terms)
        left_bounds = sentences(left_flags, _SHORTEST, _LONGEST)
        right_bounds = sentences(right_flags, _SHORTEST, _LONGEST)
        frequencies = np.zeros(n_terms + 1, np.int32)
        left_offsets, left_terms, left_weights = bags(left_ids, left_bounds, frequencies)
        right_offsets, right_terms, right_weights = bags(right_ids, right_bounds, frequencies)
        rarity = _rarity(frequencies, left_bounds.size + right_bounds.size - 2)
        plain = np.zeros(n_terms + 1, np.int32)
        _note_plain(left_flags, left_ids, plain)
        _note_plain(right_flags, right_ids, plain)
        for t in range(n_terms):
            if plain[t] == 0:
                rarity[t] *= _NAME
        left_units = weigh_bags(left_offsets, left_terms, left_weights, rarity)
        right_units = weigh_bags(right_offsets, right_terms, right_weights, rarity)
        seeds = similar_sentences(
            left_offsets, left_terms, left_units, right_offsets, right_terms, right_units,
            frequencies, _COMMONEST, _COSINE, _DICE, _NEAR_BEST, _PARTNERS,
        )  # fmt: skip
        spans = fragments(
            seeds, _SENTENCE_GAP, _LEAST_GAP, _FRAGMENT_COSINE, _LONG_FRAGMENT,
            left_offsets, left_terms, left_weights, right_offsets, right_terms, right_weights, n_terms + 1,
        )  # fmt: skip
        out = with_room(out, filled + spans.shape[0])
        for s in range(spans.shape[0]):
            out[filled, 0], out[filled, 1] = left_bounds[spans[s, 0]], left_bounds[spans[s, 1] + 1]
            out[filled, 2], out[filled, 3] = right_bounds[spans[s, 2]], right_bounds[spans[s, 3] + 1]
            filled += 1
        span_offsets[p + 1] = filled
    return out[:filled]
