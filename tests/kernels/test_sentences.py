"""Sentences, bags and fragments against slow twins. Weights are eighths, so that sums are exact."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from dedup.kernels import sentences as module
from dedup.kernels.runs import seed as runs_of
from dedup.kernels.tokenise import BOILERPLATE, CAPITAL, NUMBER, QUOTED, SENTENCE, UNSPACED


def called(inner):
    """Let Python call what only kernels can."""
    return njit(lambda *arguments: inner(*arguments))  # noqa: PLW0108


kernels = SimpleNamespace(
    **{
        name: called(getattr(module, name))
        for name in ("stems", "number", "sentences", "bags", "weigh_bags", "similar_sentences", "fragments")
    }
)

FLAGS = st.sampled_from([0, 0, 0, SENTENCE, CAPITAL, UNSPACED, QUOTED, BOILERPLATE])
TERMS = st.lists(st.integers(0, 5), max_size=40)


def bounds_of(count, cuts):
    """Sentence bounds of `count` tokens, cut at some of them."""
    return [0, *sorted({cut for cut in cuts if 0 < cut < count}), count] if count else [0]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0, UNSPACED])), max_size=30))
@settings(deadline=None)
def test_stems(tokens):
    hashes = np.array([hash for hash, _ in tokens], np.uint32)
    flags = np.array([flag for _, flag in tokens], np.uint8)
    expected = []
    for at, (hash, flag) in enumerate(tokens):
        if flag and at + 1 < len(tokens) and tokens[at + 1][1]:
            expected.append((hash * 0x9E3779B1 % 2**32) ^ tokens[at + 1][0])
        else:
            expected.append(hash >> 12)
    assert kernels.stems(hashes, flags).tolist() == expected


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 9), max_size=30))
@settings(deadline=None)
def test_number(left, right):
    one, two, count = kernels.number(np.array(left, np.uint32), np.array(right, np.uint32))
    order = {value: place for place, value in enumerate(dict.fromkeys(left + right))}
    assert (one.tolist(), two.tolist(), count) == (
        [order[value] for value in left],
        [order[value] for value in right],
        len(order),
    )


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(5, 9))
@settings(deadline=None)
def test_sentences(starts, shortest, longest):
    flags = np.array(starts, np.uint8) * np.uint8(SENTENCE)
    pieces = []
    if starts:
        pieces, own = [], 1
        for start in starts[1:]:
            if own >= longest or (start and own >= shortest):
                pieces.append(own)
                own = 0
            own += 1
        pieces.append(own)
        if len(pieces) > 1 and pieces[-1] < shortest:
            last = pieces.pop()
            pieces[-1] += last
    expected = [0, *np.cumsum(pieces).tolist()]
    assert kernels.sentences(flags, shortest, longest).tolist() == expected


@given(TERMS, st.lists(st.integers(0, 40), max_size=8))
@settings(deadline=None)
def test_bags(ids, cuts):
    bounds = bounds_of(len(ids), cuts)
    frequencies = np.ones(6, np.int32)
    offsets, terms, counts = kernels.bags(np.array(ids, np.int32), np.array(bounds, np.int32), frequencies)
    expected, seen = [], Counter(dict.fromkeys(range(6), 1))
    for first, stop in pairwise(bounds):
        bag = Counter(ids[first:stop])
        seen.update(bag.keys())
        expected.append(list(bag.items()))
    found = list(zip(terms.tolist(), counts.tolist(), strict=True))
    assert [found[a:b] for a, b in pairwise(offsets)] == expected
    assert frequencies.tolist() == [seen[term] for term in range(6)]


@given(TERMS, st.lists(st.integers(0, 40), max_size=8), st.lists(st.integers(0, 16), min_size=6, max_size=6))
@settings(deadline=None)
def test_weights_have_unit_length(ids, cuts, eighths):
    bounds = np.array(bounds_of(len(ids), cuts), np.int32)
    rarity = np.array(eighths, np.float32) / 8
    offsets, terms, counts = kernels.bags(np.array(ids, np.int32), bounds, np.zeros(6, np.int32))
    expected = counts * rarity[terms]
    units = kernels.weigh_bags(offsets, terms, counts, rarity)
    assert counts.tolist() == expected.tolist()
    for first, stop in pairwise(offsets):
        length = np.linalg.norm(expected[first:stop])
        assert np.allclose(units[first:stop] * length, expected[first:stop], rtol=1e-5)
        assert not length or np.isclose(np.linalg.norm(units[first:stop]), 1)


SENTENCES = st.lists(
    st.dictionaries(st.integers(0, 7), st.integers(1, 8), min_size=1, max_size=5), max_size=7
)


def flat(sentences):
    """Offsets, terms and weights of sentences given as dicts of term and eighths."""
    rows = [sorted(sentence.items()) for sentence in sentences]
    terms = [term for row in rows for term, _ in row]
    weights = [eighths / 8 for row in rows for _, eighths in row]
    offsets = np.cumsum([0, *map(len, rows)])
    return offsets.astype(np.int32), np.array(terms, np.int32), np.array(weights, np.float32)


@given(SENTENCES, SENTENCES, st.integers(1, 6), st.integers(1, 3))
@settings(deadline=None, max_examples=300)
def test_similar_sentences(left, right, commonest, most):
    frequencies = Counter(term for sentence in left + right for term in sentence)
    alike = {}
    for s, one in enumerate(left):
        for o, other in enumerate(right):
            common = [t for t in one if t in other and frequencies[t] <= commonest]
            cosine = sum(one[t] * other[t] for t in common) / 64
            if cosine >= 0.375 and 2 * len(common) / (len(one) + len(other)) >= 0.33 and common:
                alike[s, o] = cosine, -min(common), -o
    expected = []
    for s in range(len(left)):
        best = sorted((pair for pair in alike if pair[0] == s), key=lambda pair: alike[pair], reverse=True)
        for pair in best[:most]:
            rivals = [alike[other][0] for other in alike if other[0] == pair[0] or other[1] == pair[1]]
            if alike[pair][0] >= 0.5 * max(rivals):
                expected.append(list(pair))
    counts = np.array([frequencies[term] for term in range(8)], np.int32)
    found = kernels.similar_sentences(*flat(left), *flat(right), counts, commonest, 0.375, 0.33, 0.5, most)
    assert found.tolist() == expected


def slow_cosine(span, left, right):
    """Cosine of the summed weights of two rows of sentences, both ends included."""
    one, other = Counter(), Counter()
    for sentence in left[span[0] : span[1] + 1]:
        one.update(sentence)
    for sentence in right[span[2] : span[3] + 1]:
        other.update(sentence)
    dot = sum(one[term] * other[term] for term in one)
    return dot / max((sum(v * v for v in one.values()) * sum(v * v for v in other.values())) ** 0.5, 1e-9)


def slow_fragments(seeds, gap, least_gap, least_cosine, longest, left, right):
    """Spans of the seeds' clusters, split until they are alike enough."""

    def split(group, side):
        group = sorted(group, key=lambda seed: seed[side])
        pieces = [[group[0]]]
        for seed in group[1:]:
            if seed[side] - pieces[-1][-1][side] > gap:
                pieces.append([])
            pieces[-1].append(seed)
        return pieces

    def clusters(group):
        for side in range(2):
            pieces = split(group, side)
            if len(pieces) > 1:
                return [cluster for piece in pieces for cluster in clusters(piece)]
        return [group]

    found = []
    for group in clusters(seeds) if seeds else []:
        span = [pick(seed[side] for seed in group) for side in range(2) for pick in (min, max)]
        if gap > 1 and min(span[1] - span[0], span[3] - span[2]) >= longest:
            found += slow_fragments(group, 1, least_gap, least_cosine, longest, left, right)
        elif slow_cosine(span, left, right) >= least_cosine:
            found.append(span)
        elif gap > least_gap:
            found += slow_fragments(group, gap - 1, least_gap, least_cosine, longest, left, right)
    return found


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_fragments(data):
    full = st.lists(
        st.dictionaries(st.integers(0, 7), st.integers(1, 8), min_size=1, max_size=5), min_size=1, max_size=14
    )
    left, right = data.draw(full), data.draw(full)
    places = st.tuples(st.integers(0, len(left) - 1), st.integers(0, len(right) - 1))
    seeds = sorted(data.draw(st.sets(places, max_size=12)))
    gap, least_gap, longest = (
        data.draw(st.integers(1, 4)),
        data.draw(st.integers(0, 2)),
        data.draw(st.integers(2, 9)),
    )
    cosine = 0.61803  # no cosine of small whole numbers
    found = kernels.fragments(
        np.array(seeds, np.int32).reshape(-1, 2),
        gap,
        least_gap,
        cosine,
        longest,
        *flat(left),
        *flat(right),
        8,
    )
    expected = slow_fragments(seeds, gap, least_gap, cosine, longest, left, right)
    assert sorted(found.tolist()) == sorted(expected)


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), FLAGS), max_size=60), min_size=2, max_size=4))
@settings(deadline=None, max_examples=150)
def test_rework_is_its_steps_for_each_pair(texts):
    """What is done once for many pairs at a time is what its steps give one pair."""
    hashes = [np.array([token << 12 for token, _ in text], np.uint32) for text in texts]
    flags = [np.array([flag for _, flag in text], np.uint8) for text in texts]
    pairs = [(i, j) for i in range(len(texts)) for j in range(i + 1, len(texts))]
    offsets = np.cumsum([0, *map(len, texts)])
    run_offsets, span_offsets = np.empty((2, len(pairs) + 1), np.int64)
    lefts, rights = (side.copy() for side in np.array(pairs, np.int32).T)
    found = runs_of(np.concatenate(hashes), offsets, lefts, rights, 3, 8, 64, 12, run_offsets)
    spans = module.rework(
        np.concatenate(hashes),
        np.concatenate(flags),
        offsets,
        lefts,
        rights,
        found,
        run_offsets,
        span_offsets,
    )
    for number, (i, j) in enumerate(pairs):
        own = spans[span_offsets[number] : span_offsets[number + 1]].tolist()
        runs = found[run_offsets[number] : run_offsets[number + 1]]
        assert own == steps(hashes[i], flags[i], hashes[j], flags[j], runs)


def steps(left, left_flags, right, right_flags, found):
    """Fragments of one pair in tokens."""
    explained = {i + t for i, _, length in found.tolist() if length >= 5 for t in range(length)}
    if len(found) < 3 or len(explained) >= 0.7 * min(left.size, right.size):
        return []
    ids = kernels.number(kernels.stems(left, left_flags), kernels.stems(right, right_flags))
    blank = ids[2]
    left_ids, right_ids = ids[0].copy(), ids[1].copy()
    left_ids[left_flags & BOILERPLATE > 0] = blank
    right_ids[right_flags & BOILERPLATE > 0] = blank
    for i, j, length in found.tolist():
        for t in range(length):
            if left_flags[i + t] & QUOTED and right_flags[j + t] & QUOTED:
                left_ids[i + t] = right_ids[j + t] = blank
    bounds = [kernels.sentences(flags, 3, 40) for flags in (left_flags, right_flags)]
    frequencies = np.zeros(blank + 1, np.int32)
    bags = [
        kernels.bags(own, cut, frequencies) for own, cut in zip((left_ids, right_ids), bounds, strict=True)
    ]
    total = len(bounds[0]) + len(bounds[1]) - 2
    rarity = np.zeros(blank + 1, np.float32)
    rarity[:blank] = np.log(total / np.maximum(frequencies[:blank], 1))
    for term in range(blank):
        flags = [*left_flags[left_ids == term], *right_flags[right_ids == term]]
        if all(flag & (CAPITAL | NUMBER) for flag in flags):
            rarity[term] *= np.float32(0.7)
    units = [kernels.weigh_bags(*bag, rarity) for bag in bags]
    seeds = kernels.similar_sentences(
        *bags[0][:2], units[0], *bags[1][:2], units[1], frequencies, 256, 0.3, 0.33, 0.8, 8
    )
    spans = kernels.fragments(seeds, 3, 2, 0.4, 13, *bags[0], *bags[1], blank + 1)
    return [[bounds[0][a], bounds[0][b + 1], bounds[1][c], bounds[1][d + 1]] for a, b, c, d in spans.tolist()]
