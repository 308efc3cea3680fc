"""Clusters verified apart from one another say what they say together."""

import random

import numpy as np
import pyarrow as pa
import pytest

import dedup
from dedup import groups
from dedup.align import Aligned, align
from dedup.candidates import Candidates, candidate_pairs
from dedup.lsh import bands_for
from dedup.pile import Pile
from dedup.scratch import Scratch
from dedup.store import StoredTokens
from dedup.tokens import tokenise
from dedup.verify import CLOSE, clusters, verified

SETTINGS = dedup.Settings()


def corpus(draw):
    """Families of edited copies, some of which hold a piece of another family's story."""
    stories = [[f"w{draw.randrange(2000)}" for _ in range(220)] for _ in range(12)]
    for story in stories:
        for _ in range(draw.choice([1, 4, 40])):
            words = [word for word in story if draw.random() > 0.05]
            if draw.random() < 0.3:
                other, at = draw.choice(stories), draw.randrange(150)
                words += other[at : at + 25]
            yield " ".join(words)


def pairs_of(tokens):
    bands = bands_for(SETTINGS.num_perm, SETTINGS.resemblance, SETTINGS.recall)
    with Scratch(2**30) as scratch:
        return candidate_pairs(
            tokens, np.ones(len(tokens), np.bool_), [(0, len(tokens))], SETTINGS, bands, scratch
        )


def told(parts):
    """All that aligned pairs say."""
    whole = Aligned.merged(parts)
    return [getattr(whole, name).tolist() for name in Aligned.__dataclass_fields__]


@pytest.mark.parametrize("seed", range(3))
def test_clusters_may_be_verified_apart(seed):
    draw = random.Random(seed)
    texts = list(corpus(draw))
    tokens = tokenise(pa.array(texts, pa.large_string()))
    found = pairs_of(tokens)
    whole = verified(tokens, found, np.arange(len(texts)), SETTINGS)
    assert len(whole.within.pairs)
    assert len(whole.between.pairs)
    heads = clusters(found, len(texts))
    groups = np.random.default_rng(seed).integers(0, 3, len(texts))[heads]  # of whole clusters
    within, between = [], []
    for group in range(3):
        own = groups[found.pairs[:, 0]] == group
        numbers = np.unique(found.pairs[own])
        part = tokenise(pa.array([texts[number] for number in numbers], pa.large_string()))
        pairs = np.searchsorted(numbers, found.pairs[own]).astype(np.int32)
        apart = verified(part, Candidates(pairs, found.buckets[own], found.needed[own]), numbers, SETTINGS)
        for aligned, out in ((apart.within, within), (apart.between, between)):
            fields = {name: getattr(aligned, name) for name in Aligned.__dataclass_fields__}
            out.append(Aligned(**{**fields, "pairs": numbers[aligned.pairs].astype(np.int32)}))
    assert told(within) == told([whole.within])
    assert told(between) == told([whole.between])


@pytest.mark.parametrize("memory", [10**4, 2**30])
@pytest.mark.parametrize("at_once", [1, 5000])
def test_clusters_are_verified_some_at_a_time(monkeypatch, memory, at_once):
    monkeypatch.setattr(groups, "_TOKENS", at_once)
    texts = list(corpus(random.Random(4)))
    tokens = tokenise(pa.array(texts, pa.large_string()))
    found = pairs_of(tokens)
    whole = verified(tokens, found, np.arange(len(texts)), SETTINGS)
    with Scratch(memory) as scratch:
        hashes, flags = scratch.spool(np.uint32, at_random=True), scratch.spool(np.uint8, at_random=True)
        hashes.append(tokens.hashes)
        flags.append(tokens.flags)
        stored = StoredTokens(hashes, flags, tokens.offsets)
        assert stored.held == (memory > 10**4)
        done = []
        verifier = groups.Verifier(stored, SETTINGS, scratch, 2, done.append)
        parts, piles = verifier.verified(found)
        assert told([parts.within]) == told([whole.within])
        assert told([parts.between]) == told([whole.between])
        assert told([verifier.aligned(found.pairs[:9])]) == told([align(tokens, found.pairs[:9], SETTINGS)])
        assert sum(done) == len(found.pairs) + 9
        assert sorted(map(tuple, parts.rest)) == sorted(map(tuple, whole.rest))
        assert families_of(parts) == families_of(whole)
        pile = Pile(scratch)
        pile.merge([parts.within, parts.between, align(tokens, found.pairs[:0], SETTINGS)])
        for one in piles:
            one.clear()
        assert pile.size == len(whole.within.pairs) + len(whole.between.pairs)
        ordered = pile.aligned()
        assert (np.diff(ordered.keys) > 0).all()
        assert told([ordered]) == told([whole.within, whole.between])


def families_of(found):
    known = found.families
    return sorted(
        (lead, known.members[first:stop].tolist())
        for lead, first, stop in zip(
            known.representatives, known.offsets[:-1], known.offsets[1:], strict=True
        )
    )


def test_texts_are_of_one_cluster_that_close_pairs_join():
    pairs = np.array([[0, 1], [1, 2], [2, 3], [4, 5]], np.int32)
    buckets = np.array([CLOSE, CLOSE, CLOSE - 1, CLOSE], np.uint16)
    found = Candidates(pairs, buckets, np.zeros(4, np.bool_))
    assert clusters(found, 6).tolist() == [0, 0, 0, 3, 4, 4]
