"""A bucket that is split among homes says what it says as a whole."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import candidates
from dedup.candidates import Postings
from dedup.settings import Settings
from dedup.spark import buckets
from dedup.spark.buckets import Met
from dedup.spark.messages import Inbox, rows_of

HOME = 20  # articles
PARTS = 4


@pytest.fixture(autouse=True, scope="module")
def small():
    with mock.patch.object(buckets, "LARGEST", 0):
        yield


def job():
    return SimpleNamespace(parts=PARTS, bits=2, settings=Settings())


@st.composite
def met(draw):
    """The postings of all homes in a few buckets."""
    numbers = np.arange(HOME * PARTS)
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    count = draw(st.integers(0, 6 * numbers.size))
    texts = np.sort(random.integers(0, numbers.size, count)).astype(np.int32)
    keys = random.integers(0, draw(st.integers(1, 4)), count).astype(np.uint64)
    spots = random.integers(-1, 30, count).astype(np.int32)
    beside = job().settings.beside
    known = random.integers(0, beside + 1, (count, 2)).astype(np.uint8)
    known[spots < 0] = 0
    around = random.integers(0, 2, (count, 2, beside)).astype(np.uint32)
    brief = random.random(numbers.size) < 0.2
    purity, shared = random.integers(0, 9, numbers.size), random.integers(0, 5, numbers.size)
    order = np.lexsort((texts, keys))
    columns = [values[order] for values in (keys, texts, spots, around, known, brief[texts])]
    return Met(*columns, numbers, purity.astype(np.int32), shared.astype(np.int32))


def by_number(numbers, pairs, crowd):
    lefts, rights = numbers[candidates.lefts_of(pairs)], numbers[candidates.rights_of(pairs)]
    told = zip(lefts.tolist(), rights.tolist(), (pairs & np.uint64(3)).tolist(), strict=True)
    texts, spots = numbers[candidates.texts_of(crowd)], candidates.spots_of(crowd)
    standing = zip(texts.tolist(), spots.tolist(), candidates.missing(crowd).tolist(), strict=True)
    return list(told), list(standing)


def split(whole, reach, few):
    """The same by homes, and the size of the largest bucket that was taken in."""
    held, sent = [], []
    for home in range(PARTS):
        own = whole.taken(np.flatnonzero(whole.texts // HOME == home))
        own = own.taken(np.argsort(own.texts, kind="stable"))
        found = Postings(own.keys, own.texts, own.spots)
        _, places, _ = buckets.distinct(found)
        back, parted = buckets.held_back(job(), places, own.texts, own.ranks, reach, few)
        held.append(own.taken(np.flatnonzero(back)))
        there = np.flatnonzero(~back)
        if there.size:
            sent += rows_of(home, own.taken(there).messages(0, parted[there]))
    holding = buckets.Holding.of(job(), Inbox(sent))
    if holding is None:
        return [], [], 0
    pairs, crowd = [], []

    def say(numbers, found, standing):
        told, missed = by_number(numbers, found, standing)
        pairs.extend(told)
        crowd.extend(missed)

    for found, standing in holding.pairs(reach, few):
        say(holding.met.numbers, found, standing)
    answers = list(holding.hubs(few))
    for home in range(PARTS):
        hubs = buckets.received(job(), Inbox(rows_of(0, [each for each in answers if each.part == home])))
        assert (hubs is None) == (len(held[home]) == 0)
        if hubs is not None:
            kept = Met.of_arrays(job(), held[home].arrays())
            say(*buckets.meet_hubs(kept, hubs[-1], few))
    return pairs, crowd, np.bincount(holding.met.keys.astype(np.int64)).max(initial=0)


@settings(deadline=None)
@given(met(), st.sampled_from([(34, 8), (0, 16), (10, 2), (3, 1)]))
def test_a_split_bucket_says_what_the_whole_one_does(whole, bounds):
    reach, few = bounds
    expected = by_number(whole.numbers, *whole.met(whole.ranks, reach, few))
    pairs, crowd, _ = split(whole, reach, few)
    assert sorted(pairs) == sorted(expected[0])
    assert sorted(crowd) == sorted(expected[1])


def test_no_partition_takes_in_a_large_bucket():
    numbers = np.arange(HOME * PARTS)
    beside = job().settings.beside
    nothing = np.zeros(numbers.size, np.int32)
    whole = Met(
        nothing.astype(np.uint64), numbers.astype(np.int32), nothing,
        np.zeros((numbers.size, 2, beside), np.uint32),
        np.full((numbers.size, 2), beside, np.uint8), nothing > 0, numbers, nothing, nothing,
    )  # fmt: skip
    pairs, _, largest = split(whole, 3, 1)
    assert largest == PARTS * 3
    assert len(pairs) == numbers.size - 1
