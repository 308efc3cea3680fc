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

SPREAD = np.uint64(0x9E3779B97F4A7C15)  # spreads keys, of which fingerprints are the least, over all parts
_OF_BANDS = np.uint64(0x5DEECE66D0000001)  # keeps the keys of bands apart from those of fingerprints
_MIX = np.uint64(0xC4CEB9FE1A85EC53)  # of MurmurHash3's 64-bit finaliser
_BITS = np.uint64(4)  # of a context for each token
_ONE = np.uint64(15)


@inner
def _context(hashes: Any, flags: Any, first: int, stop: int, at: int, k: int) -> Any:
    """The tokens around the shingle of `k` tokens at `at` of a text, four bits a token, 0 beyond the text.

    The nearest on the left stand in the lowest bits, those on the right from bit 4 * BESIDE on. IDLE is set if
    the shingle is all boilerplate.
    """
    context = np.uint64(0)
    for i in range(min(BESIDE, at - first)):
        value = np.uint64(hashes[at - 1 - i] % np.uint32(15)) + np.uint64(1)
        context |= value << (_BITS * np.uint64(i))
    for i in range(min(BESIDE, stop - at - k)):
        value = np.uint64(hashes[at + k + i] % np.uint32(15)) + np.uint64(1)
        context |= value << (_BITS * np.uint64(BESIDE + i))
    return context | (IDLE if _is_idle(flags, at, min(at + k, stop)) else np.uint64(0))


@inner
def _is_idle(flags: Any, first: int, stop: int) -> bool:
    """Are all of some tokens boilerplate?"""
    idle = True
    for token in range(first, stop):
        idle &= flags[token] & BOILERPLATE != 0
    return idle


@kernel
def postings(
    hashes: Any, flags: Any, offsets: Any, k: int, shingles: Any, shingle_offsets: Any, places: Any,
    place_offsets: Any, brief: int, bands: Any, band_offsets: Any, keys: Any, contexts: Any, texts: Any,
) -> int:  # fmt: skip
    """Fill `keys` uint64, `contexts` uint64 and `texts` int32 with the buckets of each text; how many.

    `hashes`, `flags`, `offsets` as in `Tokens`; `shingles` uint64 of `k` tokens and `shingle_offsets` as in
    `Shingles`; `places` int32 and `place_offsets`: the fingerprints. A text of fewer than `brief` shingles has
    all of them as fingerprints. `bands` uint64 (signatures, b): bucket keys of each text's signatures,
    `band_offsets` int64 (texts + 1).
    """
    count = 0
    for text in range(offsets.size - 1):
        first, stop = offsets[text], offsets[text + 1]
        base = shingle_offsets[text]
        whole = shingle_offsets[text + 1] - base
        fingerprints = whole if whole < brief else place_offsets[text + 1] - place_offsets[text]
        for print_ in range(fingerprints):
            place = print_ if whole < brief else places[place_offsets[text] + print_]
            keys[count] = shingles[base + place] * SPREAD
            contexts[count] = _context(hashes, flags, first, stop, first + place, k)
            texts[count] = text
            count += 1
        for signature in range(band_offsets[text], band_offsets[text + 1]):
            for band in range(bands.shape[1]):
                keys[count] = (bands[signature, band] ^ _OF_BANDS) * SPREAD
                contexts[count] = BAND
                texts[count] = text
                count += 1
    return count


@kernel
def mark_idle(flags: Any, offsets: Any, texts: Any, places: Any, k: int, contexts: Any) -> None:
    """Set IDLE in `contexts` uint64 of shingles all of whose `k` tokens are boilerplate.

    `flags` and `offsets` as in `Tokens`; `texts` int32 and `places` int32: text and first token, within it.
    """
    for p in range(texts.size):
        first = offsets[texts[p]] + places[p]
        if _is_idle(flags, first, min(first + k, offsets[texts[p] + 1])):
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
    keys: Any, contexts: Any, texts: Any, first_text: Any, bounds: Any, out_keys: Any, out_contexts: Any,
    out_texts: Any,
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
        out_contexts[place] = contexts[p]
        out_texts[place] = texts[p] + first_text


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
def _possible(context: Any, beside: int) -> int:
    """Bit i: there are i tokens before the fingerprint and `beside` - i behind it in its text."""
    before, behind = 0, 0
    for i in range(BESIDE):
        before += (context >> (_BITS * np.uint64(i))) & _ONE != 0
        behind += (context >> (_BITS * np.uint64(BESIDE + i))) & _ONE != 0
    possible = 0
    for i in range(max(0, beside - behind), min(before, beside) + 1):
        possible |= 1 << i
    return possible


@inner
def of_text(key: Any, text: int) -> Any:
    """A bucket's key as one text's own."""
    return key ^ ((np.uint64(text) + np.uint64(1)) * _MIX)


@kernel
def own_keys(shingles: Any, offsets: Any, first_text: int, out: Any) -> None:
    """Fill `out` uint64 with the own keys (`of_text`) of the shingles of texts from number `first_text` on."""
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
    keys: Any, order: Any, texts: Any, contexts: Any, lengths: Any, ranks: Any, rare: int, rare_beside: int,
    beside: int, short: int, reach: int, few: int, pairs: Any, missed: Any,
) -> tuple[int, int]:  # fmt: skip
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
    `short` tokens. All others are weak; of boilerplate, only needed ones are written.

    A text of a crowded bucket, in which not all meet, may share a run with one it does not meet. If those it
    meets do not share all that it could, `missed` uint64 takes in the bucket's key as the text's own (`of_text`).
    Returns how many pairs and how many such keys are written.
    """
    filled, n_missed = 0, 0
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
            own = contexts[members[one]]
            if hubs < distinct - 1 and own & (BAND | WINDOW) == 0 and _possible(own, beside) & ~seen != 0:
                missed[n_missed] = of_text(keys[first], texts[members[one]])
                n_missed += 1
        first = p
    return filled, n_missed


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
