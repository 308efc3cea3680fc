"""Postings to candidate pairs, without work that is quadratic in a bucket."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.bits import prefetch
from dedup.kernels.tokenise import BOILERPLATE

WEAK, STRONG, NEEDED = range(3)  # evidence that a bucket gives of a pair
OF_BAND, OF_WINDOW = -1, -2  # in place of a posting's place: no fingerprint, but a band, or a whole window

SPREAD = np.uint64(0x9E3779B97F4A7C15)  # spreads keys, of which fingerprints are the least, over all parts
_OF_BANDS = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints
MOST = 65535  # meetings that are counted
_AHEAD = 32  # items for which memory is asked before they are looked at: as many as a processor waits for


@inner
def _is_idle(flags: Any, first: int, stop: int) -> bool:
    """Are all of some tokens boilerplate?"""
    idle = True
    for token in range(first, stop):
        idle &= flags[token] & BOILERPLATE != 0
    return idle


@kernel
def postings(
    flags: Any, offsets: Any, k: int, shingles: Any, shingle_offsets: Any, places: Any,
    place_offsets: Any, brief: int, bands: Any, band_offsets: Any, keys: Any, texts: Any, spots: Any,
) -> int:  # fmt: skip
    """Fill `keys` uint64, `texts` and `spots` int32 with the buckets of each text, and where it meets them.

    `flags`, `offsets` as in `Tokens`; `shingles` uint64 of `k` tokens, `shingle_offsets` as in `Shingles`;
    `places` int32 and `place_offsets`: the fingerprints. A text of up to `brief` shingles has all of
    them as fingerprints; those all of whose tokens are boilerplate are left out. `bands` uint64
    (signatures, b): bucket keys of each text's signatures, `band_offsets` int64 (texts + 1). A spot is the
    fingerprint's first token in its text, or OF_BAND. Returns how many there are.
    """
    count = 0
    for text in range(offsets.size - 1):
        first, stop = offsets[text], offsets[text + 1]
        base = shingle_offsets[text]
        whole = shingle_offsets[text + 1] - base
        fingerprints = whole if whole <= brief else place_offsets[text + 1] - place_offsets[text]
        for print_ in range(fingerprints):
            place = print_ if whole <= brief else places[place_offsets[text] + print_]
            if _is_idle(flags, first + place, min(first + place + k, stop)):
                continue
            keys[count] = shingles[base + place] * SPREAD
            texts[count] = text
            spots[count] = place
            count += 1
        for signature in range(band_offsets[text], band_offsets[text + 1]):
            for band in range(bands.shape[1]):
                keys[count] = (bands[signature, band] ^ _OF_BANDS) * SPREAD
                texts[count] = text
                spots[count] = OF_BAND
                count += 1
    return count


@kernel
def scatter(
    keys: Any, texts: Any, spots: Any, first_text: Any, bits: int, bounds: Any, out_keys: Any, out_texts: Any,
    out_spots: Any,
) -> None:  # fmt: skip
    """Put postings in order of the highest `bits` of their keys uint64, keeping the order of equals.

    Fills `bounds` int64 (2 ** bits + 1) with the parts' bounds; to `texts` int32 `first_text` is added.
    """
    parts, shift = 1 << bits, np.uint64(64 - bits)
    counts = np.zeros(parts, np.int64)
    for p in range(keys.size):
        counts[keys[p] >> shift] += 1
    bounds[0] = 0
    for part in range(parts):
        bounds[part + 1] = bounds[part] + counts[part]
        counts[part] = bounds[part]
    for p in range(keys.size):
        part = keys[p] >> shift
        place = counts[part]
        counts[part] += 1
        out_keys[place] = keys[p]
        out_texts[place] = texts[p] + first_text
        out_spots[place] = spots[p]


@inner
def _starts(keys: Any, shift: Any, values: int) -> Any:
    """Where `keys` uint64 with each value of a digit begin, int64 (values + 1); `values`: a power of two."""
    starts = np.zeros(values + 1, np.int64)
    for p in range(keys.size):
        starts[((keys[p] >> shift) & np.uint64(values - 1)) + np.uint64(1)] += 1
    for value in range(values):
        starts[value + 1] += starts[value]
    return starts


@kernel
def sort_postings(keys: Any, order: Any, bits: int) -> Any:
    """Sort `keys` uint64 that share their highest `bits`, `order` along with them, stably.

    Radix sort of the next 24 bits, least significant digit first, then insertion of what is out of order.
    Returns both, sorted; what was given is scratch.
    """
    spare_keys, spare_order = np.empty_like(keys), np.empty_like(order)
    for digit in range(3):
        shift = np.uint64(40 - bits + 8 * digit)
        starts = _starts(keys, shift, 256)
        for p in range(keys.size):
            value = (keys[p] >> shift) & np.uint64(255)
            place = starts[value]
            starts[value] += 1
            spare_keys[place] = keys[p]
            spare_order[place] = order[p]
        keys, spare_keys = spare_keys, keys
        order, spare_order = spare_order, order
    for p in range(1, keys.size):
        key, item = keys[p], order[p]
        place = p
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            order[place] = order[place - 1]
            place -= 1
        keys[place] = key
        order[place] = item
    return keys, order


@inner
def _hubs(distinct: int, reach: int, few: int) -> int:
    """How many of a bucket's texts each of the others meets."""
    return distinct - 1 if distinct <= reach else min(few, distinct - 1)


@kernel
def keep_shared(keys: Any, places: Any, shared: Any, texts: Any, spots: Any) -> int:
    """Keep only the postings that stand in a bucket with another text's; how many.

    `keys` uint64 sorted, and kept in place; `places` uint64 each one's text << 32 | spot, the texts rising
    within a bucket: `texts` and `spots` int32 take in those of the kept ones. `shared` int32 (n,) grows by
    each text's postings that are kept.
    """
    kept = 0
    first = 0
    for p in range(1, keys.size + 1):
        if p % _AHEAD == 1:
            for q in range(p, min(p + _AHEAD, keys.size)):
                prefetch(shared, np.int64(places[q] >> np.uint64(32)))
        if p < keys.size and keys[p] == keys[first]:
            continue
        if p > first + 1 and places[first] >> np.uint64(32) != places[p - 1] >> np.uint64(32):
            for q in range(first, p):
                text = np.int64(places[q] >> np.uint64(32))
                shared[text] += 1
                keys[kept] = keys[q]
                texts[kept] = text
                spots[kept] = np.int32(places[q] & np.uint64(0xFFFFFFFF))
                kept += 1
        first = p
    return kept


@kernel
def surroundings(
    texts: Any, spots: Any, hashes: Any, offsets: Any, k: int, short: int, around: Any, known: Any, brief: Any
) -> None:
    """Fill what stands around the fingerprints of postings.

    `texts` and `spots` int32 (n,) as `postings` gives them; `hashes` and `offsets` as in `Tokens`. `around`
    uint32 (n, 2, beside): the tokens before a shingle of `k` tokens, the nearest first, and those behind;
    `known` uint8 (n, 2) how many of them there are; `brief` bool (n,) whether the text is of fewer than
    `short` tokens. A band has nothing around it, a window all that counts (`OF_WINDOW`).
    """
    beside = around.shape[2]
    for p in range(texts.size):
        if p % _AHEAD == 0:
            for q in range(p, min(p + _AHEAD, texts.size)):
                at = offsets[texts[q]] + max(spots[q], 0)
                prefetch(hashes, at - beside)
                prefetch(hashes, at + k + beside - 1)
        start, stop = offsets[texts[p]], offsets[texts[p] + 1]
        brief[p] = stop - start < short
        known[p, 0], known[p, 1] = 0, 0
        if spots[p] >= 0:
            at = start + spots[p]
            known[p, 0], known[p, 1] = min(beside, at - start), max(0, min(beside, stop - at - k))
            for i in range(known[p, 0]):
                around[p, 0, i] = hashes[at - 1 - i]
            for i in range(known[p, 1]):
                around[p, 1, i] = hashes[at + k + i]


@inner
def _same(around: Any, known: Any, side: int, one: int, other: int) -> int:
    """How many tokens on one side of two fingerprints are the same, from the fingerprints on."""
    most = min(known[one, side], known[other, side])
    same = 0
    while same < most and around[one, side, same] == around[other, side, same]:
        same += 1
    return same


@inner
def _ways(before: int, behind: int, beside: int) -> int:
    """Bit i: i of the `before` tokens and `beside` - i of those `behind` make a run around a fingerprint."""
    ways = 0
    for i in range(max(0, beside - behind), min(before, beside) + 1):
        ways |= 1 << i
    return ways


@inner
def _lead(members: Any, repeats: Any, distinct: int, texts: Any, ranks: Any, hubs: int) -> None:
    """Bring the `hubs` members of a bucket that have the best ranks to its front, in their order."""
    for one in range(1, distinct):
        member, repeat = members[one], repeats[one]
        place = min(one, hubs)
        if place < one and ranks[texts[members[place - 1]]] < ranks[texts[member]]:
            continue
        members[one], repeats[one] = members[place], repeats[place]
        while place > 0 and ranks[texts[members[place - 1]]] > ranks[texts[member]]:
            members[place] = members[place - 1]
            repeats[place] = repeats[place - 1]
            place -= 1
        members[place] = member
        repeats[place] = repeat


@kernel
def count_pairs(keys: Any, texts: Any, reach: int, few: int) -> tuple[int, int]:
    """How many pairs `fill_pairs` will write at most, and how many postings stand in crowded buckets."""
    total, crowded = 0, 0
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            distinct = 1
            for q in range(first + 1, p):
                distinct += texts[q] != texts[q - 1]
            hubs = _hubs(distinct, reach, few)
            total += hubs * (hubs - 1) // 2 + (distinct - hubs) * hubs
            crowded += p - first if hubs < distinct - 1 else 0
            first = p
    return total, crowded


@kernel
def fill_pairs(
    keys: Any, texts: Any, spots: Any, around: Any, known: Any, brief: Any, ranks: Any, reach: int, few: int,
    pairs: Any, crowd: Any,
) -> tuple[int, int]:  # fmt: skip
    """Fill `pairs` uint64 with lower text << 33 | higher text << 2 | evidence for the texts of each bucket.

    `keys` uint64 sorted, `texts` int32 rising within a bucket, repeats allowed, and `spots` int32: postings,
    with what stands around them (`surroundings`); `ranks` int32 by text. In a bucket of up to `reach` texts
    all meet; in a larger one, a crowd, each meets the `few` that have the best ranks, so that n texts give at
    most n * few pairs.

    Evidence: pairs are needed that together stand for all runs around the bucket's fingerprint: each text
    meets others in the order of their ranks, and those are needed with which it has all the tokens of such a
    run in common, unless every such run is also in a needed pair before it. So are pairs of which one stands
    there twice. Strong is the best rank that a text meets in a band, and a pair of which one is brief. All
    others are weak.

    A text of a crowd may share a run with one that it does not meet: it misses that if those it meets do not
    share all that it could. `crowd` uint64 takes in text << 33 | spot << 1 | whether it misses something, for
    every fingerprint in a crowd. Returns how many are written to each.
    """
    filled, n_crowd = 0, 0
    first = 0
    beside = around.shape[2]
    members = np.empty(keys.size, np.int32)  # the first posting of each text in the bucket
    repeats = np.empty(keys.size, np.uint8)
    for p in range(1, keys.size + 1):
        if p % _AHEAD == 1:
            for q in range(p, min(p + _AHEAD, keys.size)):
                prefetch(ranks, texts[q])
        if p < keys.size and keys[p] == keys[first]:
            continue
        distinct = 0
        for q in range(first, p):
            if distinct == 0 or texts[members[distinct - 1]] != texts[q]:
                members[distinct] = q
                repeats[distinct] = 0
                distinct += 1
            else:
                repeats[distinct - 1] = 1
        hubs = _hubs(distinct, reach, few)
        _lead(members, repeats, distinct, texts, ranks, hubs)
        for one in range(distinct):
            told = False  # whether it met another in this band
            seen = 0  # ways (`_ways`) that needed pairs have seen
            right, own = texts[members[one]], members[one]
            for other in range(min(one, hubs)):
                left, theirs = texts[members[other]], members[other]
                evidence = WEAK
                if spots[own] == OF_BAND or spots[theirs] == OF_BAND:
                    if not told:
                        evidence = STRONG
                        told = True
                else:
                    before, behind = beside, beside
                    if spots[own] != OF_WINDOW:
                        before = _same(around, known, 0, own, theirs)
                        behind = _same(around, known, 1, own, theirs)
                    ways = _ways(before, behind, beside)
                    if ways & ~seen != 0 or repeats[one] + repeats[other] > 0:
                        evidence = NEEDED
                    elif brief[own] or brief[theirs]:
                        evidence = STRONG
                    seen |= ways
                pairs[filled] = (
                    np.uint64(min(left, right)) << np.uint64(33)
                    | np.uint64(max(left, right)) << np.uint64(2)
                    | np.uint64(evidence)
                )
                filled += 1
            if hubs < distinct - 1 and spots[own] >= 0:
                possible = _ways(known[own, 0], known[own, 1], beside)
                misses = one > 0 and (repeats[one] > 0 or possible & ~seen != 0)
                q = own
                while q < p and texts[q] == right:
                    if spots[q] >= 0:
                        crowd[n_crowd] = (
                            np.uint64(right) << np.uint64(33)
                            | np.uint64(spots[q]) << np.uint64(1)
                            | np.uint64(misses)
                        )
                        n_crowd += 1
                    q += 1
        first = p
    return filled, n_crowd


@kernel
def scatter_pairs(pairs: Any, shift: int, bounds: Any, out: Any) -> None:
    """Put `pairs` uint64 in order of their lower text's number >> `shift`; `bounds` int64 (parts + 1)."""
    counts = np.zeros(bounds.size, np.int64)
    own = np.uint64(33 + shift)
    for p in range(pairs.size):
        counts[pairs[p] >> own] += 1
    bounds[0] = 0
    for part in range(bounds.size - 1):
        bounds[part + 1] = bounds[part] + counts[part]
        counts[part] = bounds[part]
    for p in range(pairs.size):
        part = pairs[p] >> own
        out[counts[part]] = pairs[p]
        counts[part] += 1


@kernel
def sort_pairs(pairs: Any) -> Any:
    """Sort `pairs` uint64: radix sort of the digits in which they differ, of 11 bits, the least first.

    Returns them sorted; what was given is scratch.
    """
    differing = np.uint64(0)
    for p in range(1, pairs.size):
        differing |= pairs[p] ^ pairs[0]
    spare = np.empty_like(pairs)
    for digit in range(6):
        shift = np.uint64(11 * digit)
        if (differing >> shift) & np.uint64(2047) == 0:
            continue
        starts = _starts(pairs, shift, 2048)
        for p in range(pairs.size):
            value = (pairs[p] >> shift) & np.uint64(2047)
            spare[starts[value]] = pairs[p]
            starts[value] += 1
        pairs, spare = spare, pairs
    return pairs


@kernel
def count_meetings(pairs: Any, counts: Any, strongest: Any) -> int:
    """Keep of equal `pairs` uint64, sorted, in place the one with the best evidence; how many are kept.

    `counts` uint16 takes in how many there were, up to its largest value, and `strongest` int32 (texts,)
    rises to how often a text met the one that it met most often.
    """
    kept = 0
    first = 0
    for p in range(1, pairs.size + 1):
        if p < pairs.size and pairs[p] >> np.uint64(2) == pairs[first] >> np.uint64(2):
            continue
        left, right = pairs[first] >> np.uint64(33), (pairs[first] >> np.uint64(2)) & np.uint64(0x7FFFFFFF)
        strongest[left] = max(strongest[left], p - first)
        strongest[right] = max(strongest[right], p - first)
        pairs[kept] = pairs[p - 1]  # the strongest of equals stands last
        counts[kept] = min(p - first, MOST)
        kept += 1
        first = p
    return kept


@kernel
def reduce_pairs(
    met: Any, counts: Any, further: Any, further_counts: Any, buckets: int,
    pairs: Any, in_buckets: Any, needed: Any,
) -> int:  # fmt: skip
    """Of two lists of meetings, as `count_meetings` makes them, the pairs to compare; how many.

    Those are the pairs that are not weak or met in `buckets`. Fills `pairs` int32 (n, 2), `in_buckets` uint16
    in how many they met, and `needed` bool whether one says so.
    """
    kept, f = 0, 0
    m = 0
    while m < met.size or f < further.size:
        both = np.uint64(0xFFFFFFFFFFFFFFFF)
        if m < met.size:
            both = met[m] >> np.uint64(2)
        if f < further.size:
            both = min(both, further[f] >> np.uint64(2))
        evidence, count = np.uint64(WEAK), 0
        if m < met.size and met[m] >> np.uint64(2) == both:
            evidence = met[m] & np.uint64(3)
            count += counts[m]
            m += 1
        if f < further.size and further[f] >> np.uint64(2) == both:
            evidence = max(evidence, further[f] & np.uint64(3))
            count += further_counts[f]
            f += 1
        if evidence != WEAK or count >= buckets:
            pairs[kept, 0], pairs[kept, 1] = both >> np.uint64(31), both & np.uint64(0x7FFFFFFF)
            in_buckets[kept] = min(count, MOST)
            needed[kept] = evidence == NEEDED
            kept += 1
    return kept


@kernel
def blocks(flags: Any, offsets: Any, paragraph: int, least: int, bounds: Any, block_offsets: Any) -> None:
    """Cut texts into blocks of whole paragraphs of at least `least` tokens; what is left joins the last.

    Fills `bounds` int64 with the first token of each block (room for one a token, and one more), closed by
    the number of tokens, and `block_offsets` int64 (texts + 1).
    """
    count = 0
    block_offsets[0] = 0
    for text in range(offsets.size - 1):
        start, stop = offsets[text], offsets[text + 1]
        if stop > start:
            bounds[count] = start
            count += 1
        for token in range(start + 1, stop):
            if flags[token] & paragraph and token - bounds[count - 1] >= least and stop - token >= least:
                bounds[count] = token
                count += 1
        block_offsets[text + 1] = count
    bounds[count] = offsets[offsets.size - 1]
