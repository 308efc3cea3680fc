"""Buckets against slow twins: postings, the pairs that meet in buckets, and what is made of the pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup import candidates
from dedup.candidates import Postings, meet
from dedup.kernels import buckets
from dedup.kernels.tokenise import BOILERPLATE
from dedup.shingles import shingle
from dedup.tokens import Tokens
from dedup.winnow import winnow

MASK = 2**64 - 1
SPREAD, OF_BANDS = 0x9E3779B97F4A7C15, 0x5DEECE66D0000001
PLACES = np.empty(0, np.int32)
FLAGGED = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, BOILERPLATE])), max_size=12), max_size=5
)


def lay(texts):
    """Texts given as (hash, flag) tokens."""
    hashes = np.array([token for text in texts for token, _ in text], np.uint32)
    flags = np.array([flag for text in texts for _, flag in text], np.uint8)
    return Tokens(hashes, PLACES, PLACES, flags, np.cumsum([0, *map(len, texts)]))


def packed(pairs):
    return np.array([left << 33 | right << 2 | evidence for left, right, evidence in pairs], np.uint64)


def unpacked(pairs):
    return [(pair >> 33, pair >> 2 & 0x7FFFFFFF, pair & 3) for pair in pairs.tolist()]


@given(FLAGGED, st.integers(2, 4), st.integers(1, 4), st.integers(0, 8), st.data())
@settings(deadline=None)
def test_postings(texts, k, window, brief, data):
    tokens = lay(texts)
    shingles = shingle(tokens, k)
    prints = winnow(shingles, window)
    counts = data.draw(st.lists(st.integers(0, 2), min_size=len(texts), max_size=len(texts)))
    bands = np.arange(2 * sum(counts), dtype=np.uint64).reshape(-1, 2)
    band_offsets = np.cumsum([0, *counts])
    room = shingles.hashes.size + bands.size
    keys, numbers, spots = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32)
    count = buckets.postings(
        tokens.flags, tokens.offsets, k, shingles.hashes, shingles.offsets, prints.places, prints.offsets,
        brief, bands, band_offsets, keys, numbers, spots,
    )  # fmt: skip
    expected = []
    for number, text in enumerate(texts):
        own = shingles.hashes[shingles.offsets[number] : shingles.offsets[number + 1]].tolist()
        places = prints.places[prints.offsets[number] : prints.offsets[number + 1]].tolist()
        for place in range(len(own)) if len(own) <= brief else places:
            if not all(flag for _, flag in text[place : place + k]):
                expected.append((own[place] * SPREAD & MASK, number, place))
        for row in bands[band_offsets[number] : band_offsets[number + 1]].tolist():
            expected += [((key ^ OF_BANDS) * SPREAD & MASK, number, buckets.OF_BAND) for key in row]
    columns = keys[:count].tolist(), numbers[:count].tolist(), spots[:count].tolist()
    assert list(zip(*columns, strict=True)) == expected


@given(
    st.lists(st.tuples(st.integers(0, MASK), st.integers(0, 9), st.integers(-2, 9)), max_size=40),
    st.integers(1, 8),
)
@settings(deadline=None)
def test_scatter_is_a_stable_sort_by_the_highest_bits(rows, bits):
    keys = np.array([row[0] for row in rows], np.uint64)
    texts, spots = (np.array([row[at] for row in rows], np.int32) for at in (1, 2))
    bounds = np.empty((1 << bits) + 1, np.int64)
    out = [np.empty_like(keys), np.empty_like(texts), np.empty_like(spots)]
    buckets.scatter(keys, texts, spots, np.int32(100), bits, bounds, *out)
    expected = sorted(rows, key=lambda row: row[0] >> (64 - bits))
    assert list(zip(*(column.tolist() for column in out), strict=True)) == [
        (key, text + 100, spot) for key, text, spot in expected
    ]
    for part in range(1 << bits):
        assert bounds[part + 1] - bounds[part] == sum(row[0] >> (64 - bits) == part for row in rows)
    assert bounds[0] == 0


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(2**40, 2**40 + 5000), max_size=200))
@settings(deadline=None)
def test_pairs_are_sorted(values):
    pairs = np.array(values, np.uint64)
    assert buckets.sort_pairs(pairs.copy()).tolist() == sorted(values)


@given(st.lists(st.integers(0, MASK), max_size=60), st.integers(1, 8))
@settings(deadline=None)
def test_sort_postings_is_stable(values, bits):
    values = [value >> bits for value in values]
    keys, items = buckets.sort_postings(
        np.array(values, np.uint64), np.arange(len(values), dtype=np.int32), bits
    )
    assert list(zip(keys.tolist(), items.tolist(), strict=True)) == sorted(
        zip(values, range(len(values)), strict=True)
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=40))
@settings(deadline=None)
def test_shared_postings_are_kept(rows):
    rows.sort()
    keys = np.array([key for key, _ in rows], np.uint64)
    places = [text << 32 | (number - 2) % 2**32 for number, (_, text) in enumerate(rows)]
    shared, columns = np.zeros(6, np.int32), [np.empty(len(rows), np.int32) for _ in range(2)]
    kept = buckets.keep_shared(keys, np.array(places, np.uint64), shared, *columns)
    counts = [0] * 6
    expected = []
    for number, (key, text) in enumerate(rows):
        if {other for k, other in rows if k == key} != {text}:
            counts[text] += 1
            expected.append((key, text, number - 2))
    assert shared.tolist() == counts
    assert list(zip(*(c[:kept].tolist() for c in (keys, *columns)), strict=True)) == expected


@given(FLAGGED, st.integers(2, 3), st.integers(0, 4), st.integers(0, 9), st.data())
@settings(deadline=None)
def test_what_stands_around_fingerprints(texts, k, beside, short, data):
    places = [
        (n, at) for n, text in enumerate(texts) for at in range(max(len(text) - k + 1, min(len(text), 1)))
    ]
    places += [(n, spot) for n in range(len(texts)) for spot in (buckets.OF_BAND, buckets.OF_WINDOW)]
    chosen = data.draw(st.lists(st.sampled_from(places), max_size=20)) if places else []
    tokens, count = lay(texts), len(chosen)
    around, known = np.zeros((count, 2, beside), np.uint32), np.empty((count, 2), np.uint8)
    brief = np.empty(count, np.bool_)
    numbers, spots = (np.array([row[at] for row in chosen], np.int32) for at in (0, 1))
    buckets.surroundings(numbers, spots, tokens.hashes, tokens.offsets, k, short, around, known, brief)
    for p, (number, at) in enumerate(chosen):
        words = [token for token, _ in texts[number]]
        before, behind = ([], []) if at < 0 else (words[:at][::-1][:beside], words[at + k :][:beside])
        assert around[p, 0, : known[p, 0]].tolist() == before
        assert around[p, 1, : known[p, 1]].tolist() == behind
        assert brief[p] == (len(words) < short)


def met(postings, texts, ranks, k, beside, short, reach, few):
    """The twin of `fill_pairs`: pairs with their evidence, and the fingerprints in crowds."""

    def runs(one, a, other, b):
        """Starts, before the places, of runs of `beside` tokens and the shingle that both have."""
        return {
            i
            for i in range(beside + 1)
            if min(a, b) >= i
            and one[a - i : a] == other[b - i : b]
            and max(a - len(one), b - len(other)) + k + beside - i <= 0
            and one[a + k : a + k + beside - i] == other[b + k : b + k + beside - i]
        }

    pairs, crowd = [], []
    for key in sorted({key for key, _, _ in postings}):
        members = {}
        for other, text, place in postings:
            if other == key:
                members.setdefault(text, []).append(place)
        ordered = sorted(members.items(), key=lambda member: ranks[member[0]])
        all_meet = len(ordered) <= reach or few >= len(ordered) - 1
        for number, (right, there) in enumerate(ordered):
            told, seen, at = False, set(), there[0]
            others = ordered[:number] if all_meet else ordered[: min(number, few)]
            for left, here in others:
                evidence = buckets.WEAK
                if buckets.OF_BAND in (here[0], at):
                    if not told:
                        evidence = buckets.STRONG
                        told = True
                else:
                    one, other = texts[left], texts[right]
                    common = set(range(beside + 1))
                    if at != buckets.OF_WINDOW:
                        common = runs(one, here[0], other, at)
                    if common - seen or len(here) > 1 or len(there) > 1:
                        evidence = buckets.NEEDED
                    elif min(len(one), len(other)) < short:
                        evidence = buckets.STRONG
                    seen |= common
                pairs.append((min(left, right), max(left, right), evidence))
            if not all_meet and at >= 0:
                possible = runs(texts[right], at, texts[right], at)
                misses = number > 0 and bool(len(there) > 1 or possible - seen)
                crowd += [(right, spot, misses) for spot in there if spot >= 0]
    return pairs, crowd


MEETINGS = st.tuples(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 19), st.integers(-1, 5)), max_size=150),
    st.lists(st.lists(st.sampled_from([0, 0, 1]), min_size=2, max_size=7), min_size=20, max_size=20),
)


def laid(meetings):
    """Postings of twenty texts: a key, a text, and a shingle of two tokens; of key 3 whole windows."""
    rows, texts = meetings
    postings = []
    for key, text, place in sorted(rows, key=lambda row: row[1]):
        spot = place if place < 0 else place % (len(texts[text]) - 1)
        postings.append((key, text, buckets.OF_WINDOW if key == 3 else spot))
    found = Postings(
        np.array([row[0] for row in postings], np.uint64),
        *(np.array([row[at] for row in postings], np.int32) for at in (1, 2)),
    )
    order = np.argsort(found.keys, kind="stable")
    found = Postings(*(column[order] for column in found))
    return postings, texts, found, lay([[(token, 0) for token in text] for text in texts])


def crowd_of(packed):
    return [(code >> 33, code >> 1 & 0x7FFFFFFF, bool(code & 1)) for code in packed.tolist()]


@given(
    MEETINGS, st.permutations(range(20)), st.integers(2, 5), st.integers(0, 8), st.integers(1, 3),
    st.sampled_from([0, 5]),
)  # fmt: skip
@settings(deadline=None, max_examples=250)
def test_meeting(meetings, ranks, guarantee, reach, few, short):
    postings, texts, found, tokens = laid(meetings)
    chosen = dedup.Settings(shingle=2, guarantee=guarantee)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SHORT", short)
        pairs, crowd = meet(found, tokens, np.array(ranks, np.int32), chosen, reach, few)
    expected = met(postings, texts, ranks, 2, guarantee - 2, short, reach, few)
    most, crowded = buckets.count_pairs(found.keys, found.texts, reach, few)
    assert (len(pairs), crowded >= len(crowd)) == (most, True)
    assert sorted(unpacked(pairs)) == sorted(expected[0])
    assert sorted(crowd_of(crowd)) == sorted(expected[1])


@pytest.mark.parametrize("spot", [buckets.OF_WINDOW, buckets.OF_BAND, 0])
def test_a_large_bucket_costs_no_more_than_its_size(spot):
    count = 200_000
    numbers = np.arange(count, dtype=np.int32)
    found = Postings(np.zeros(count, np.uint64), numbers, np.full(count, spot, np.int32))
    offsets = 12 * np.arange(count + 1)
    tokens = Tokens(np.zeros(12 * count, np.uint32), PLACES, PLACES, np.zeros(12 * count, np.uint8), offsets)
    pairs, crowd = meet(found, tokens, numbers[::-1].copy(), dedup.Settings(), 34, 8)
    assert count <= len(pairs) <= 9 * count
    assert crowd.size == (count if spot == 0 else 0)
    assert not any(misses for _, _, misses in crowd_of(crowd))  # every run is that of a text that all meet


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(4, 7), st.integers(0, 2)), max_size=40).map(sorted)


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 3)), max_size=40), st.integers(0, 4))
@settings(deadline=None)
def test_pairs_are_scattered_by_ranges_of_texts(rows, shift):
    pairs = packed([(left, 40, evidence) for left, evidence in rows])
    bounds, out = np.empty((31 >> shift) + 2, np.int64), np.empty_like(pairs)
    buckets.scatter_pairs(pairs, shift, bounds, out)
    assert unpacked(out) == sorted(unpacked(pairs), key=lambda pair: pair[0] >> shift)
    assert bounds[0] == 0
    assert np.diff(bounds).tolist() == [
        sum(left >> shift == part for left, _ in rows) for part in range((31 >> shift) + 1)
    ]


def counted(pairs):
    """The twin of `count_meetings`: each pair once, with its best evidence, and how often it met."""
    return [
        (*both, max(pair[2] for pair in pairs if pair[:2] == both), sum(pair[:2] == both for pair in pairs))
        for both in sorted({pair[:2] for pair in pairs})
    ]


@given(PAIRS, st.lists(st.integers(0, 3), min_size=8, max_size=8))
@settings(deadline=None)
def test_meetings_are_counted(pairs, before):
    most, found, counts = np.array(before, np.int32), packed(pairs), np.empty(len(pairs), np.uint16)
    kept = buckets.count_meetings(found, counts, most)
    both = [pair[:2] for pair in pairs]
    assert most.tolist() == [
        max([before[text], *(both.count(pair) for pair in both if text in pair)]) for text in range(8)
    ]
    columns = unpacked(found[:kept]), counts[:kept].tolist()
    assert [(*pair, count) for pair, count in zip(*columns, strict=True)] == counted(pairs)


def test_no_more_meetings_are_counted_than_a_number_holds():
    found, counts, most = packed([(0, 1, 0)] * 70_000), np.empty(70_000, np.uint16), np.zeros(2, np.int32)
    assert buckets.count_meetings(found, counts, most) == 1
    assert (counts[0], most.tolist()) == (65535, [70_000, 70_000])


@given(PAIRS, PAIRS, st.integers(1, 4))
@settings(deadline=None)
def test_pairs_are_kept_for_good_evidence_or_for_many_buckets(one, other, least):
    lists = []
    for pairs in (one, other):
        found, counts = packed(pairs), np.empty(len(pairs), np.uint16)
        kept = buckets.count_meetings(found, counts, np.zeros(8, np.int32))
        lists += [found[:kept], counts[:kept]]
    room = lists[0].size + lists[2].size
    pairs, counts, needed = np.empty((room, 2), np.int32), np.empty(room, np.uint16), np.empty(room, np.bool_)
    kept = buckets.reduce_pairs(*lists, least, pairs, counts, needed)
    expected = [
        ([left, right], count, evidence == buckets.NEEDED)
        for left, right, evidence, count in counted(one + other)
        if evidence > buckets.WEAK or count >= least
    ]
    columns = pairs[:kept].tolist(), counts[:kept].tolist(), needed[:kept].tolist()
    assert list(zip(*columns, strict=True)) == expected
