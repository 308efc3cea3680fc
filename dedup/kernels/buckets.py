"""Postings to candidate pairs, without work that is quadratic in a bucket."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.tokenise import BOILERPLATE

BESIDE = 7  # tokens on either side of a fingerprint that its context tells apart
WEAK, STRONG, NEEDED = range(3)  # evidence that a bucket gives of a pair

BAND = np.uint64(1) << np.uint64(63)  # context of a band: evidence by itself, without a place in the text
IDLE = np.uint64(1) << np.uint64(61)  # in a context: the fingerprint is boilerplate, no evidence of copying
WINDOW = np.uint64(1) << np.uint64(62)  # context of a whole window, which all its texts share

_BITS = np.uint64(4)  # of a context for each token
_ONE = np.uint64(15)


@kernel
def contexts(hashes: Any, offsets: Any, texts: Any, places: Any, k: int, out: Any) -> None:
    """Fill `out` uint64 with the tokens around each shingle, four bits a token, 0 beyond the text.

    `hashes` and `offsets` as in `Tokens`; `texts` int32 and `places` int32: text and first token, within it,
    of the shingles of `k` tokens. The nearest on the left stand in the lowest bits, those on the right from
    bit 4 * BESIDE on.
    """
    for p in range(texts.size):
        first, stop = offsets[texts[p]], offsets[texts[p] + 1]
        at = first + places[p]
        context = np.uint64(0)
        for i in range(min(BESIDE, at - first)):
            value = np.uint64(hashes[at - 1 - i] % np.uint32(15)) + np.uint64(1)
            context |= value << (_BITS * np.uint64(i))
        for i in range(min(BESIDE, stop - at - k)):
            value = np.uint64(hashes[at + k + i] % np.uint32(15)) + np.uint64(1)
            context |= value << (_BITS * np.uint64(BESIDE + i))
        out[p] = context


@kernel
def mark_idle(flags: Any, offsets: Any, texts: Any, places: Any, k: int, contexts: Any) -> None:
    """Set IDLE in `contexts` uint64 of shingles all of whose `k` tokens are boilerplate.

    `flags` and `offsets` as in `Tokens`; `texts` and `places` as for `contexts`.
    """
    for p in range(texts.size):
        first = offsets[texts[p]] + places[p]
        idle = True
        for t in range(first, min(first + k, offsets[texts[p] + 1])):
            idle &= flags[t] & BOILERPLATE != 0
        if idle:
            contexts[p] |= IDLE


@inner
def _beside(one: Any, other: Any, side: int) -> int:
    """How many tokens on one side of a fingerprint (0 left, 1 right) two contexts have in common."""
    a, b = one >> (_BITS * np.uint64(BESIDE * side)), other >> (_BITS * np.uint64(BESIDE * side))
    same = 0
    while same < BESIDE and a & _ONE != 0 and (a ^ b) & _ONE == 0:
        same += 1
        a >>= _BITS
        b >>= _BITS
    return same


@kernel
def scatter(
    keys: Any, contexts: Any, texts: Any, bounds: Any, out_keys: Any, out_contexts: Any, out_texts: Any
) -> None:
    """Put postings in order of the highest 8 bits of their keys uint64, keeping the order of equals.

    Fills `bounds` int64 (257) with the parts' bounds.
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
        out_contexts[place] = contexts[p]
        out_texts[place] = texts[p]


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
def count_pairs(keys: Any, order: Any, texts: Any, reach: int, few: int) -> int:
    """How many pairs `fill_pairs` will write at most."""
    total = 0
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            distinct = 1
            for q in range(first + 1, p):
                distinct += texts[order[q]] != texts[order[q - 1]]
            hubs = _hubs(distinct, reach, few)
            total += hubs * (hubs - 1) // 2 + (distinct - hubs) * hubs
            first = p
    return total


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
    keys: Any, order: Any, texts: Any, contexts: Any, lengths: Any, ranks: Any, rare: int, rare_beside: int,
    beside: int, short: int, reach: int, few: int, pairs: Any,
) -> int:  # fmt: skip
    """Fill `pairs` uint64 with lower text << 33 | higher text << 2 | evidence for the texts of each bucket.

    `keys` uint64 sorted; `order` int32 the posting of each key, of which `texts` int32 holds the text, rising
    within a bucket, repeats allowed, and `contexts` uint64 what stands around it; `lengths` and `ranks`
    int32 by text. In a bucket of up to `reach` texts all meet; in a larger one each meets the `few` that have
    the best ranks, so that n texts give at most n * few pairs.

    Evidence: pairs are needed that together stand for all runs around the bucket's fingerprint: each text
    meets others in the order of their ranks, and those are needed with which `beside` tokens of the contexts
    are common, unless every such run is also in a needed pair before it. So are pairs of which one stands
    there twice. Strong is the best rank that a text meets in a band, or whose context has
    `rare_beside` tokens in common in a bucket of at most `rare` texts; and a pair of which one has fewer than
    `short` tokens. All others are weak; of boilerplate, only needed ones are written. Returns how many are.
    """
    filled = 0
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
        enough = rare_beside if distinct <= rare else beside
        for one in range(1, distinct):
            told = False  # whether it met another in this band
            seen = 0  # bit i: a run of `beside` tokens, i of them before the fingerprint, is in a needed pair
            for other in range(min(one, hubs)):
                left, right = texts[members[other]], texts[members[one]]
                a, b = contexts[members[other]], contexts[members[one]]
                evidence = WEAK
                if a == BAND or b == BAND:
                    if not told:
                        evidence = STRONG
                        told = True
                else:
                    before, behind = BESIDE, BESIDE
                    if a & WINDOW == 0:
                        before, behind = _beside(a, b, 0), _beside(a, b, 1)
                    first_seen = seen == 0
                    needed = False
                    for i in range(max(0, beside - behind), min(before, beside) + 1):
                        needed |= seen & (1 << i) == 0
                        seen |= 1 << i
                    if needed or repeats[one] + repeats[other] > 0:
                        evidence = NEEDED
                    elif (first_seen and before + behind >= enough) or min(
                        lengths[left], lengths[right]
                    ) < short:
                        evidence = STRONG
                if (a | b) & IDLE != 0 and evidence != NEEDED:
                    continue
                pairs[filled] = (
                    np.uint64(min(left, right)) << np.uint64(33)
                    | np.uint64(max(left, right)) << np.uint64(2)
                    | np.uint64(evidence)
                )
                filled += 1
        first = p
    return filled


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
