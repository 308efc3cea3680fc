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
SPREAD, MIX, OF_BANDS = 0x9E3779B97F4A7C15, 0xC4CEB9FE1A85EC53, 0x5DEECE66D0000001
PLACES = np.empty(0, np.int32)
FLAGGED = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, BOILERPLATE])), max_size=12), max_size=5
)


def lay(texts):
    """Texts given as (hash, flag) tokens."""
    hashes = np.array([token for text in texts for token, _ in text], np.uint32)
    flags = np.array([flag for text in texts for _, flag in text], np.uint8)
    return Tokens(hashes, PLACES, PLACES, flags, np.cumsum([0, *map(len, texts)]))


def of_text(key, text):
    return key ^ ((text + 1) * MIX & MASK)


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
        for place in range(len(own)) if len(own) < brief else places:
            if not all(flag for _, flag in text[place : place + k]):
                expected.append((own[place] * SPREAD & MASK, number, place))
        for row in bands[band_offsets[number] : band_offsets[number + 1]].tolist():
            expected += [((key ^ OF_BANDS) * SPREAD & MASK, number, buckets.OF_BAND) for key in row]
    columns = keys[:count].tolist(), numbers[:count].tolist(), spots[:count].tolist()
    assert list(zip(*columns, strict=True)) == expected


@given(FLAGGED, st.integers(2, 4), st.data())
@settings(deadline=None)
def test_idle_shingles_are_left_out(texts, k, data):
    tokens = lay(texts)
    shingles = shingle(tokens, k)
    size = shingles.hashes.size
    wanted = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    found = np.array(wanted, np.bool_)
    buckets.leave_out_idle(tokens.flags, tokens.offsets, shingles.offsets, k, found)
    idle = [
        all(flag for _, flag in text[place : place + k])
        for number, text in enumerate(texts)
        for place in range(shingles.offsets[number + 1] - shingles.offsets[number])
    ]
    assert found.tolist() == [want and not still for want, still in zip(wanted, idle, strict=True)]


@given(st.lists(st.lists(st.integers(0, MASK), max_size=4), max_size=4), st.integers(0, 2**31 - 10))
@settings(deadline=None)
def test_own_keys(texts, first):
    whole = np.array([key for text in texts for key in text], np.uint64)
    out = np.empty_like(whole)
    buckets.own_keys(whole, np.cumsum([0, *map(len, texts)]), first, out)
    assert out.tolist() == [
        of_text(key * SPREAD & MASK, first + number) for number, text in enumerate(texts) for key in text
    ]


@given(st.lists(st.tuples(st.integers(0, MASK), st.integers(0, 9), st.integers(-2, 9)), max_size=40))
@settings(deadline=None)
def test_scatter_is_a_stable_sort_by_the_highest_byte(rows):
    keys = np.array([row[0] for row in rows], np.uint64)
    texts, spots = (np.array([row[at] for row in rows], np.int32) for at in (1, 2))
    bounds, out = np.empty(257, np.int64), [np.empty_like(keys), np.empty_like(texts), np.empty_like(spots)]
    buckets.scatter(keys, texts, spots, np.int32(100), bounds, *out)
    expected = sorted(rows, key=lambda row: row[0] >> 56)
    assert list(zip(*(column.tolist() for column in out), strict=True)) == [
        (key, text + 100, spot) for key, text, spot in expected
    ]
    for part in range(256):
        assert bounds[part + 1] - bounds[part] == sum(row[0] >> 56 == part for row in rows)
    assert bounds[0] == 0


@given(st.lists(st.integers(0, 2**56 - 1), max_size=60))
@settings(deadline=None)
def test_sort_postings_is_stable(values):
    keys, items = buckets.sort_postings(np.array(values, np.uint64), np.arange(len(values), dtype=np.int32))
    assert list(zip(keys.tolist(), items.tolist(), strict=True)) == sorted(
        zip(values, range(len(values)), strict=True)
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=40))
@settings(deadline=None)
def test_postings_are_shared_or_alone(rows):
    rows.sort()
    keys, texts = np.array([key for key, _ in rows], np.uint64), np.array([t for _, t in rows], np.int32)
    weights = np.zeros((2, 6), np.int32)
    buckets.count_shared(keys, np.arange(len(rows), dtype=np.int32), texts, weights)
    expected = np.zeros((2, 6), int)
    for key, text in rows:
        alone = {other for k, other in rows if k == key} == {text}
        expected[int(alone), text] += 1
    assert weights.tolist() == expected.tolist()


def met(postings, texts, ranks, k, beside, short, reach, few):
    """The twin of `fill_pairs`: pairs with their evidence, what texts may miss, and crowded buckets."""

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

    pairs, missed, crowded = [], [], []
    for key in sorted({key for key, _, _ in postings}):
        members = {}
        for other, text, place in postings:
            if other == key:
                members.setdefault(text, []).append(place)
        ordered = sorted(members.items(), key=lambda member: ranks[member[0]])
        all_meet = len(ordered) <= reach or few >= len(ordered) - 1
        if not all_meet:
            crowded.append(key)
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
            if number and not all_meet and at >= 0:
                possible = runs(texts[right], at, texts[right], at)
                if len(there) > 1 or possible - seen:
                    missed.append((key, right))
    return pairs, missed, crowded


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
    return postings, texts, found, lay([[(token, 0) for token in text] for text in texts])


@given(
    MEETINGS, st.permutations(range(20)), st.integers(0, 3), st.integers(0, 8), st.integers(1, 3),
    st.sampled_from([0, 5]),
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_pairs_of_buckets(meetings, ranks, beside, reach, few, short):
    postings, texts, found, tokens = laid(meetings)
    order = np.argsort(found.keys, kind="stable").astype(np.int32)
    keys = found.keys[order]
    most, postings_in_crowds = buckets.count_pairs(keys, order, found.texts, reach, few)
    pairs = np.empty(most, np.uint64)
    missed, crowded = np.empty(postings_in_crowds, np.uint64), np.empty(postings_in_crowds, np.uint64)
    missing = np.zeros(20, np.bool_)
    filled, n_missed, n_crowded = buckets.fill_pairs(
        keys, order, found.texts, found.spots, tokens.hashes, tokens.offsets, np.array(ranks, np.int32), 2,
        beside, short, reach, few, pairs, missed, crowded, missing,
    )  # fmt: skip
    expected = met(postings, texts, ranks, 2, beside, short, reach, few)
    assert filled == most
    assert sorted(unpacked(pairs)) == sorted(expected[0])
    assert sorted(missed[:n_missed].tolist()) == sorted(of_text(*miss) for miss in expected[1])
    assert set(np.flatnonzero(missing).tolist()) == {text for _, text in expected[1]}
    assert crowded[:n_crowded].tolist() == expected[2]


@given(MEETINGS, st.permutations(range(20)), st.integers(2, 5), st.integers(0, 8), st.integers(1, 3))
@settings(deadline=None)
def test_meeting(meetings, ranks, guarantee, reach, few):
    postings, texts, found, tokens = laid(meetings)
    chosen = dedup.Settings(shingle=2, guarantee=guarantee)
    missing = np.zeros(20, np.bool_)
    pairs, missed, crowded = meet(found, tokens, np.array(ranks, np.int32), chosen, reach, few, missing)
    expected = met(postings, texts, ranks, 2, guarantee - 2, candidates._SHORT, reach, few)
    assert unpacked(pairs) == sorted(expected[0])
    assert sorted(missed.tolist()) == sorted(of_text(*miss) for miss in expected[1])
    assert set(np.flatnonzero(missing).tolist()) == {text for _, text in expected[1]}
    assert crowded.tolist() == expected[2]


@pytest.mark.parametrize("spot", [buckets.OF_WINDOW, buckets.OF_BAND, 0])
def test_a_large_bucket_costs_no_more_than_its_size(spot):
    count = 200_000
    numbers = np.arange(count, dtype=np.int32)
    found = Postings(np.zeros(count, np.uint64), numbers, np.full(count, spot, np.int32))
    offsets = 12 * np.arange(count + 1)
    tokens = Tokens(np.zeros(12 * count, np.uint32), PLACES, PLACES, np.zeros(12 * count, np.uint8), offsets)
    missing = np.zeros(count, np.bool_)
    pairs, missed, crowded = meet(found, tokens, numbers[::-1].copy(), dedup.Settings(), 34, 8, missing)
    assert count <= len(pairs) <= 9 * count
    assert crowded.tolist() == [0]
    assert not missed.size | missing.sum()  # every run is that of a text that all meet


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(4, 7), st.integers(0, 2)), max_size=40).map(sorted)


@given(PAIRS, st.lists(st.integers(0, 3), min_size=8, max_size=8))
@settings(deadline=None)
def test_strongest(pairs, before):
    most = np.array(before, np.int32)
    buckets.strongest(packed(pairs), most)
    both = [pair[:2] for pair in pairs]
    assert most.tolist() == [
        max([before[text], *(both.count(pair) for pair in both if text in pair)]) for text in range(8)
    ]


@given(PAIRS, st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None)
def test_pairs_are_kept_for_good_evidence_or_for_many_buckets(pairs, least, most):
    found = packed(pairs)
    counts, needed = np.empty(len(pairs), np.uint16), np.empty(len(pairs), np.bool_)
    kept = buckets.reduce_pairs(found, least, most, counts, needed)
    expected = []
    for left, right in sorted({pair[:2] for pair in pairs}):
        evidence = [pair[2] for pair in pairs if pair[:2] == (left, right)]
        if max(evidence) > buckets.WEAK or len(evidence) >= least:
            expected.append((left << 32 | right, min(len(evidence), most), buckets.NEEDED in evidence))
    columns = found[:kept].tolist(), counts[:kept].tolist(), needed[:kept].tolist()
    assert list(zip(*columns, strict=True)) == expected
