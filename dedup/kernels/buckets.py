"""Postings to candidate pairs, without work that is quadratic in a bucket."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.tokenise import BOILERPLATE

WEAK, STRONG, NEEDED = range(3)  # evidence that a bucket gives of a pair
OF_BAND, OF_WINDOW = -1, -2  # in place of a posting's place: no fingerprint, but a band, or a whole window

SPREAD = np.uint64(0x9E3779B97F4A7C15)  # spreads keys, of which fingerprints are the least, over all parts
_OF_BANDS = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints
_MIX = np.uint64(0xC4CEB9FE1A85EC53)  # of MurmurHash3's 64-bit finaliser


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
    `places` int32 and `place_offsets`: the fingerprints. A text of fewer than `brief` shingles has all of
    them as fingerprints; those all of whose tokens are boilerplate are left out. `bands` uint64
    (signatures, b): bucket keys of each text's signatures, `band_offsets` int64 (texts + 1). A spot is the
    fingerprint's first token in its text, or OF_BAND. Returns how many there are.
    """
    count = 0
    for text in range(offsets.size - 1):
        first, stop = offsets[text], offsets[text + 1]
        base = shingle_offsets[text]
        whole = shingle_offsets[text + 1] - base
        fingerprints = whole if whole < brief else place_offsets[text + 1] - place_offsets[text]
        for print_ in range(fingerprints):
            place = print_ if whole < brief else places[place_offsets[text] + print_]
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
def leave_out_idle(flags: Any, offsets: Any, shingle_offsets: Any, k: int, wanted: Any) -> None:
    """Clear `wanted` bool (shingles,) for shingles all of whose `k` tokens are boilerplate.

    `flags` and `offsets` as in `Tokens`, `shingle_offsets` as in `Shingles`.
    """
    for text in range(offsets.size - 1):
        for shingle in range(shingle_offsets[text], shingle_offsets[text + 1]):
            first = offsets[text] + shingle - shingle_offsets[text]
            if wanted[shingle] and _is_idle(flags, first, min(first + k, offsets[text + 1])):
                wanted[shingle] = False


@inner
def _before(hashes: Any, first: int, at: int, other_first: int, other: int, most: int) -> int:
    """How many tokens before two places, in texts that begin at `first`, are the same, up to `most`."""
    same = 0
    while (
        same < min(most, at - first, other - other_first)
        and hashes[at - 1 - same] == hashes[other - 1 - same]
    ):
        same += 1
    return same


@inner
def _behind(hashes: Any, stop: int, at: int, other_stop: int, other: int, most: int) -> int:
    """How many tokens from two places on, each in a text that ends at `stop`, are the same, up to `most`."""
    same = 0
    while same < min(most, stop - at, other_stop - other) and hashes[at + same] == hashes[other + same]:
        same += 1
    return same


@kernel
def scatter(
    keys: Any, texts: Any, spots: Any, first_text: Any, bounds: Any, out_keys: Any, out_texts: Any,
    out_spots: Any,
) -> None:  # fmt: skip
    """Put postings in order of the highest 8 bits of their keys uint64, keeping the order of equals.

    Fills `bounds` int64 (257) with the parts' bounds; to `texts` int32 `first_text` is added.
    """
    counts = np.zeros(256, np.int64)
    for p in range(keys.size):
        counts[keys[p] >> np.uint64(56)] += 1
    bounds[0] = 0
    for part in range(256):
        bounds[part + 1] = bounds[part] + counts[part]
        counts[part] = bounds[part]
    for p in range(keys.size):
        part = keys[p] >> np.uint64(56)
        place = counts[part]
        counts[part] += 1
        out_keys[place] = keys[p]
        out_texts[place] = texts[p] + first_text
        out_spots[place] = spots[p]


@kernel
def sort_postings(keys: Any, order: Any) -> Any:
    """Sort `keys` uint64 that share their highest 8 bits, `order` int32 along with them, stably.

    Radix sort of the next 24 bits, least significant digit first, then insertion of what is out of order.
    Returns both, sorted; what was given is scratch.
    """
    spare_keys, spare_order = np.empty_like(keys), np.empty_like(order)
    for digit in range(3):
        shift = np.uint64(32 + 8 * digit)
        counts = np.zeros(257, np.int64)
        for p in range(keys.size):
            counts[((keys[p] >> shift) & np.uint64(255)) + np.uint64(1)] += 1
        for value in range(256):
            counts[value + 1] += counts[value]
        for p in range(keys.size):
            value = (keys[p] >> shift) & np.uint64(255)
            place = counts[value]
            counts[value] += 1
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
def count_pairs(keys: Any, order: Any, texts: Any, reach: int, few: int) -> tuple[int, int]:
    """How many pairs `fill_pairs` will write at most, and how many postings stand in crowded buckets."""
    total, crowded = 0, 0
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            distinct = 1
            for q in range(first + 1, p):
                distinct += texts[order[q]] != texts[order[q - 1]]
            hubs = _hubs(distinct, reach, few)
            total += hubs * (hubs - 1) // 2 + (distinct - hubs) * hubs
            crowded += distinct if hubs < distinct - 1 else 0
            first = p
    return total, crowded


@inner
def _ways(before: int, behind: int, beside: int) -> int:
    """Bit i: i of the `before` tokens and `beside` - i of those `behind` make a run around a fingerprint."""
    ways = 0
    for i in range(max(0, beside - behind), min(before, beside) + 1):
        ways |= 1 << i
    return ways


@inner
def of_text(key: Any, text: int) -> Any:
    """A bucket's key as one text's own."""
    return key ^ ((np.uint64(text) + np.uint64(1)) * _MIX)


@kernel
def own_keys(shingles: Any, offsets: Any, first_text: int, out: Any) -> None:
    """Fill `out` uint64 with the own keys (`of_text`) of the shingles of texts, `first_text` and on."""
    for text in range(offsets.size - 1):
        for place in range(offsets[text], offsets[text + 1]):
            out[place] = of_text(shingles[place] * SPREAD, first_text + text)


@kernel
def count_shared(keys: Any, order: Any, texts: Any, weights: Any) -> None:
    """Add to `weights` int32 (2, texts) the postings that stand in a bucket with another text's, and alone.

    `keys`, `order`, `texts` as for `fill_pairs`.
    """
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            alone = int(texts[order[first]] == texts[order[p - 1]])
            for q in range(first, p):
                weights[alone, texts[order[q]]] += 1
            first = p


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
def fill_pairs(
    keys: Any, order: Any, texts: Any, spots: Any, hashes: Any, offsets: Any, ranks: Any, k: int,
    beside: int, short: int, reach: int, few: int, pairs: Any, missed: Any, crowded: Any, missing: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Fill `pairs` uint64 with lower text << 33 | higher text << 2 | evidence for the texts of each bucket.

    `keys` uint64 sorted; `order` int32 the posting of each key, of which `texts` int32 holds the text, rising
    within a bucket, repeats allowed, and `spots` int32 the place of the shingle of `k` tokens in it;
    `hashes` and `offsets` as in `Tokens`; `ranks` int32 by text. In a bucket of up to `reach` texts all meet;
    in a larger one each meets the `few` that have the best ranks, so that n texts give at most n * few pairs.

    Evidence: pairs are needed that together stand for all runs around the bucket's fingerprint: each text
    meets others in the order of their ranks, and those are needed with which it has `beside` tokens around
    the fingerprint in common, unless every such run is also in a needed pair before it. So are pairs of which
    one stands there twice. Strong is the best rank that a text meets in a band, and a pair of which one has
    fewer than `short` tokens. All others are weak.

    A text of a crowded bucket, in which not all meet, may share a run with one it does not meet. If those it
    meets do not share all that it could, `missed` uint64 takes in the bucket's key as the text's own
    (`of_text`), and `missing` bool (texts,) is set. `crowded` uint64 takes in the keys of such buckets.
    Returns how many are written to each.
    """
    filled, n_missed, n_crowded = 0, 0, 0
    first = 0
    members = np.empty(keys.size, np.int32)
    repeats = np.empty(keys.size, np.uint8)
    for p in range(1, keys.size + 1):
        if p < keys.size and keys[p] == keys[first]:
            continue
        if p == first + 1:
            first = p
            continue
        distinct = 0
        for q in range(first, p):
            if distinct == 0 or texts[members[distinct - 1]] != texts[order[q]]:
                members[distinct] = order[q]
                repeats[distinct] = 0
                distinct += 1
            else:
                repeats[distinct - 1] = 1
        hubs = _hubs(distinct, reach, few)
        _lead(members, repeats, distinct, texts, ranks, hubs)
        for one in range(1, distinct):
            told = False  # whether it met another in this band
            seen = 0  # ways (`_ways`) that needed pairs have seen
            right, spot = texts[members[one]], spots[members[one]]
            start, stop = offsets[right], offsets[right + 1]
            for other in range(min(one, hubs)):
                left, other_spot = texts[members[other]], spots[members[other]]
                evidence = WEAK
                if spot == OF_BAND or other_spot == OF_BAND:
                    if not told:
                        evidence = STRONG
                        told = True
                else:
                    before, behind = beside, beside
                    other_start, other_stop = offsets[left], offsets[left + 1]
                    if spot != OF_WINDOW:
                        at, other_at = start + spot, other_start + other_spot
                        before = _before(hashes, start, at, other_start, other_at, beside)
                        behind = _behind(hashes, stop, at + k, other_stop, other_at + k, beside)
                    ways = _ways(before, behind, beside)
                    shorter = min(stop - start, other_stop - other_start)
                    if ways & ~seen != 0 or repeats[one] + repeats[other] > 0:
                        evidence = NEEDED
                    elif shorter < short:
                        evidence = STRONG
                    seen |= ways
                pairs[filled] = (
                    np.uint64(min(left, right)) << np.uint64(33)
                    | np.uint64(max(left, right)) << np.uint64(2)
                    | np.uint64(evidence)
                )
                filled += 1
            if hubs < distinct - 1 and spot >= 0:
                possible = _ways(spot, stop - start - spot - k, beside)
                if repeats[one] or possible & ~seen != 0:
                    missed[n_missed] = of_text(keys[first], right)
                    missing[right] = True
                    n_missed += 1
        if hubs < distinct - 1:
            crowded[n_crowded] = keys[first]
            n_crowded += 1
        first = p
    return filled, n_missed, n_crowded


@kernel
def strongest(pairs: Any, most: Any) -> None:
    """Raise `most` int32 (texts,) to the buckets in which a text of sorted `pairs` meets one other."""
    first = 0
    for p in range(1, pairs.size + 1):
        if p < pairs.size and pairs[p] >> np.uint64(2) == pairs[first] >> np.uint64(2):
            continue
        left, right = pairs[first] >> np.uint64(33), (pairs[first] >> np.uint64(2)) & np.uint64(0x7FFFFFFF)
        most[left] = max(most[left], p - first)
        most[right] = max(most[right], p - first)
        first = p


@kernel
def reduce_pairs(pairs: Any, buckets: int, most: int, counts: Any, needed: Any) -> int:
    """Of sorted `pairs`, as `fill_pairs` gives them, keep in place each that is not weak or met in `buckets`.

    They become lower text << 32 | higher text, each once; `counts` uint16 takes in how many buckets
    they met, up to `most`, and `needed` bool whether one says so. Returns how many are kept.
    """
    kept = 0
    first = 0
    for p in range(1, pairs.size + 1):
        if p < pairs.size and pairs[p] >> np.uint64(2) == pairs[first] >> np.uint64(2):
            continue
        evidence = pairs[p - 1] & np.uint64(3)  # the strongest of equals stands last
        if evidence != WEAK or p - first >= buckets:
            counts[kept] = min(p - first, most)
            needed[kept] = evidence == NEEDED
            both = pairs[first] >> np.uint64(2)
            pairs[kept] = (both >> np.uint64(31)) << np.uint64(32) | both & np.uint64(0x7FFFFFFF)
            kept += 1
        first = p
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
