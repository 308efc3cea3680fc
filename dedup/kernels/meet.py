"""One article after another against an index: whom it meets, and where it is posted."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.buckets import MOST, NEEDED, OF_BAND, STRONG, WEAK, _ways

DEPTH = 7  # tokens on each side of a fingerprint that its context tells of
BITS = 3  # for each of them: a run that is a token short passes for a long one 1 time in 8
PARTITIONS = 1024  # at most, that a batch looks into
_PLACE, _NUMBER, _PARTITION, _TEXT = (np.uint64(bit) for bit in (2, 13, 45, 55))  # lowest bits of a meeting
_PLACES = np.uint64(2047)
_MIX = np.uint32(0x9E3779B1)


@kernel
def contexts(around: Any, known: Any, out: Any) -> None:
    """Fill `out` uint64 with `BITS` for each of the nearest tokens around a fingerprint (`surroundings`).

    The lowest are those of the tokens before it, the nearest first; then come those behind it.
    """
    for p in range(out.size):
        bits = 0
        for side in range(2):
            for i in range(min(known[p, side], DEPTH)):
                own = np.uint32(around[p, side, i] * _MIX) >> np.uint32(32 - BITS)
                bits |= np.int64(own) << (BITS * (side * DEPTH + i))
        out[p] = bits


@inner
def _alike(one: int, other: int, side: int, known: int, beside: int) -> int:
    """How many tokens on one side of two fingerprints may be the same, of the `known` ones of the first."""
    same = 0
    differing = (one ^ other) >> (BITS * side * DEPTH)
    while same < min(known, DEPTH) and differing >> (BITS * same) & ((1 << BITS) - 1) == 0:
        same += 1
    return min(known, beside) if same == DEPTH else same


@inner
def _told(context: int, known: Any, other: int, beside: int) -> int:
    """The ways (`buckets._ways`) in which the runs around two fingerprints may be one."""
    before = _alike(context, other, 0, known[0], beside)
    return _ways(before, _alike(context, other, 1, known[1], beside), beside)


@kernel
def meet(
    offsets: Any, cells: Any, spots: Any, context: Any, known: Any, brief: Any, beside: int, reach: Any,
    own: Any, numbers: Any, posted: Any, bounds: Any, listed: Any, listed_context: Any, few: int, most: int,
    added: Any, nexts: Any, heads: Any, counts: Any, out: Any,
) -> int:  # fmt: skip
    """Let texts meet, one after another, those that stand in their buckets already, and post each of them.

    The postings of text t are `offsets[t]:offsets[t + 1]`: `cells` int64 its keys' numbers, `spots`, `known`
    and `brief` as in `buckets`, `context` uint64. Each of n keys has a list in each partition, that of key c
    in partition p at p * n + c: `bounds` int64, `listed` uint32 the numbers of articles, and
    `listed_context`. Text t looks into the partitions in which `reach` bool (texts, partitions) is true; if
    it is `posted` bool (texts,), it gets the number `numbers` uint32 (texts,) in the partition `own` int64
    (texts,).

    A list takes in `few` postings, and up to `most` if no other has the same context: so every run of the
    guaranteed length around the fingerprint stays found, however many articles hold it. What is added to a
    list is chained by `heads`, the first, and `nexts`, int32, with -1 behind the last; `added` uint32 is its
    number, all by posting. Of what is not added, `nexts` stays as it is. `counts` int32 are the lists'
    lengths, kept up to date.

    In a list of `few` or more that is a band's, only the first is met on strong evidence.

    Fills `out` uint64, one for each posting and each on its lists, with text << 55 | partition << 45 |
    number << 13 | place << 2 | evidence: of up to 512 texts and `PARTITIONS`, and the fingerprint's place
    modulo 2,048; bands lie apart from one another. Returns how many there are.
    """
    partitions = reach.shape[1]
    n = (bounds.size - 1) // partitions
    filled = 0
    for t in range(offsets.size - 1):
        for p in range(offsets[t], offsets[t + 1]):
            seen = 0  # ways that needed pairs have seen
            told = False  # whether it met another in this band
            place = np.int64(spots[p])
            if spots[p] == OF_BAND:
                place = beside * (p - offsets[t])
            for q in range(partitions):
                if not reach[t, q]:
                    continue
                cell = q * n + cells[p]
                listing, entry = bounds[cell], heads[cell]
                while listing < bounds[cell + 1] or entry >= 0:
                    if listing < bounds[cell + 1]:
                        number, theirs = listed[listing], listed_context[listing]
                        listing += 1
                    else:
                        number, theirs = added[entry], context[entry]
                        entry = nexts[entry]
                    if posted[t] and own[t] == q and number == numbers[t]:
                        continue
                    evidence = WEAK
                    if spots[p] == OF_BAND:
                        if not told or counts[cell] < few:
                            evidence = STRONG
                        told = True
                    else:
                        ways = _told(np.int64(context[p]), known[p], np.int64(theirs), beside)
                        if ways & ~seen != 0:
                            evidence = NEEDED
                        elif brief[p]:
                            evidence = STRONG
                        seen |= ways
                    out[filled] = (
                        np.uint64(t) << _TEXT
                        | np.uint64(q) << _PARTITION
                        | np.uint64(number) << _NUMBER
                        | (np.uint64(place) & _PLACES) << _PLACE
                        | np.uint64(evidence)
                    )
                    filled += 1
            if posted[t]:
                cell = own[t] * n + cells[p]
                if _is_welcome(cell, p, context, numbers[t], bounds, listed, listed_context, few, most,
                               added, nexts, heads, counts):  # fmt: skip
                    added[p], nexts[p] = numbers[t], -1
                    _chain(cell, p, nexts, heads)
                    counts[cell] += 1
    return filled


@inner
def _is_welcome(
    cell: int, posting: int, context: Any, number: Any, bounds: Any, listed: Any, listed_context: Any,
    few: int, most: int, added: Any, nexts: Any, heads: Any, counts: Any,
) -> bool:  # fmt: skip
    """Is there room for a posting in a list: for one with that context, or for any?"""
    if counts[cell] >= most:
        return False
    alike = False
    for listing in range(bounds[cell], bounds[cell + 1]):
        if listed_context[listing] == context[posting]:
            alike = True
            if listed[listing] == number:
                return False
    entry = heads[cell]
    while entry >= 0:
        if context[entry] == context[posting]:
            alike = True
            if added[entry] == number:
                return False
        entry = nexts[entry]
    return counts[cell] < few or not alike


@inner
def _chain(cell: int, posting: int, nexts: Any, heads: Any) -> None:
    """Put a posting at the end of a list's additions."""
    if heads[cell] < 0:
        heads[cell] = posting
        return
    entry = heads[cell]
    while nexts[entry] >= 0:
        entry = nexts[entry]
    nexts[entry] = posting


@kernel
def rank(meetings: Any, least: int, beside: int, bounds: Any, out: Any) -> None:
    """Fill `out` uint64 with the pairs among sorted `meetings` (`meet`) that are worth comparing.

    Those that meet on more than weak evidence, or `least` times in places of which two lie `beside` tokens
    apart: fingerprints that lie together may be those of one run that is shorter than those needed. Text t's
    are `bounds[t]:bounds[t + 1]` of int64, those that meet most often first: MOST - times << 43 | partition
    << 33 | number << 1, and 1 more if the pair is needed.
    """
    kept, first = 0, 0
    evidence, lowest, highest = np.uint64(WEAK), _PLACES, np.uint64(0)
    bounds[:] = 0
    for m in range(meetings.size):
        evidence = max(evidence, meetings[m] & np.uint64(3))
        place = meetings[m] >> _PLACE & _PLACES
        lowest, highest = min(lowest, place), max(highest, place)
        if m + 1 < meetings.size and meetings[m + 1] >> _NUMBER == meetings[first] >> _NUMBER:
            continue
        times = min(m + 1 - first, MOST)
        if evidence != WEAK or (times >= least and highest - lowest >= np.uint64(beside)):
            both = np.uint64(meetings[first] >> _NUMBER) & np.uint64((1 << 42) - 1)
            needed = np.uint64(evidence == NEEDED)
            out[kept] = np.uint64(MOST - times) << np.uint64(43) | both << np.uint64(1) | needed
            kept += 1
            bounds[np.int64(meetings[first] >> _TEXT) + 1] = kept
        first, evidence, lowest, highest = m + 1, np.uint64(WEAK), _PLACES, np.uint64(0)
    for text in range(bounds.size - 1):
        bounds[text + 1] = max(bounds[text], bounds[text + 1])
        out[bounds[text] : bounds[text + 1]].sort()
