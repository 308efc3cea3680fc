"""From runs and fragments to passages, against slow twins over sets."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.kernels import align as kernels
from dedup.kernels.align import BOILER, COPY, PHRASE, QUOTATION, TEMPLATE
from dedup.kernels.runs import seed
from dedup.kernels.tokenise import BOILERPLATE, NUMBER, QUOTED

FLAGS = st.sampled_from([0, 0, 0, 0, NUMBER, QUOTED, BOILERPLATE])
TEXT = st.lists(st.tuples(st.integers(0, 3), FLAGS), max_size=90)


def near(one, other, gap):
    """Do two runs lie within `gap` tokens of each other on both sides?"""
    return all(
        max(one[side], other[side]) - min(one[side] + one[2], other[side] + other[2]) <= gap
        or (one[side] < other[side] + other[2] and other[side] < one[side] + one[2])
        for side in range(2)
    )


def slow_chains(found, shortest, gap):
    """The connected components of the runs that are near each other."""
    chain = {n: n for n, run in enumerate(found) if run[2] >= shortest}
    for _ in found:
        for one, other in combinations(chain, 2):
            if near(found[one], found[other], gap):
                chain[one] = chain[other] = min(chain[one], chain[other])
    return [chain.get(n, -1) for n in range(len(found))]


def cells(found):
    """The pairs of token places that runs match."""
    return {(i + t, j + t) for i, j, length in found for t in range(length)}


def trimmed(span, found):
    """The span cut to its runs of four tokens or more, if these are six tenths of its shorter side."""
    a, b, x, y = span
    inner = []
    for i, j, length in found:
        places = [t for t in range(length) if a <= i + t < b and x <= j + t < y]
        if len(places) >= 4:
            inner.append((i + places[0], i + places[-1] + 1, j + places[0], j + places[-1] + 1))
    covered = {t for first, stop, _, _ in inner for t in range(first, stop)}
    if not covered or len(covered) < 0.6 * min(b - a, y - x):
        return span
    firsts, stops, right_firsts, right_stops = zip(*inner, strict=True)
    return [min(firsts), max(stops), min(right_firsts), max(right_stops)]


def joined(copies):
    """Copies that overlap on both sides, made one."""
    for one, other in combinations(copies, 2):
        if all(min(one[s + 1], other[s + 1]) > max(one[s], other[s]) for s in (0, 2)):
            rest = [copy for copy in copies if copy is not one and copy is not other]
            whole = [pick(one[c], other[c]) for c, pick in enumerate((min, max, min, max))]
            return joined([*rest, whole])
    return copies


def chained(left, right, found, chain_of, least):
    """The ends of the chains with at least `least` tokens of evidence."""
    ends = []
    for chain in sorted(set(chain_of) - {-1}):
        own = [run for run, number in zip(found, chain_of, strict=True) if number == chain]
        evidence, reached = 0, 0
        for i, j, length in own:  # a token that two runs match counts with the first of them
            for t in range(max(i, reached), i + length):
                one, other = left[t][1], right[t + j - i][1]
                evidence += not (one & other & QUOTED or (one | other) & BOILERPLATE)
            reached = max(reached, i + length)
        a, b = min(i for i, _, _ in own), max(i + n for i, _, n in own)
        x, y = min(j for _, j, _ in own), max(j + n for _, j, n in own)
        if min(evidence, y - x) >= least:
            ends.append([a, b, x, y])
    return ends


def is_template(left, right, a, b, x, y):
    ours = [token for token, flag in left[a:b] if flag & NUMBER]
    theirs = [token for token, flag in right[x:y] if flag & NUMBER]
    fewer = min(len(ours), len(theirs))
    same = sum(token in theirs for token in ours)
    return fewer >= 3 and fewer >= 0.1 * min(b - a, y - x) and same < 0.5 * fewer


def slow_passages(left, right, found, spans, guarantee):
    """Passages of a pair as rows, and the four totals."""
    shorter = min(len(left), len(right))
    copies = []
    for a, b, x, y in (trimmed(span, found) for span in spans):
        sizes = sorted((b - a, y - x))
        lefts = {t for t, u in cells(found) if a <= t < b and x <= u < y}
        sure = sizes[0] >= 36 or len(lefts) >= 0.35 * sizes[0]
        if sizes[0] >= min(30, shorter // 2) and sizes[0] >= 0.4 * sizes[1] and sure:
            copies.append([a, b, x, y])
    chain_of = slow_chains(found, 5, 30)
    copies += chained(left, right, found, chain_of, min(25, max(shorter // 2, 5)))
    copies = joined(copies)
    rows = [[*copy, COPY] for copy in copies]
    for i, j, length in found:
        flags = [(left[i + t][1], right[j + t][1]) for t in range(length)]
        boiler = sum(bool((one | other) & BOILERPLATE) for one, other in flags)
        quoted = sum(bool(one & other & QUOTED and not (one | other) & BOILERPLATE) for one, other in flags)
        kind = BOILER if 2 * boiler > length else QUOTATION if 2 * quoted > length else PHRASE
        inside = any(a <= i and i + length <= b and x <= j and j + length <= y for a, b, x, y in copies)
        if length >= (guarantee if kind == PHRASE else 5) and not (kind == PHRASE and inside):
            rows.append([i, i + length, j, j + length, kind])
    if not rows:
        weak = chained(left, right, found, chain_of, max(guarantee, int(0.2 * shorter)))
        rows = [[*ends, PHRASE] for ends in weak]
    passages, matched, covered = [], [set(), set()], [set(), set()]
    for a, b, x, y, kind in rows:
        inner = {(t, u) for t, u in cells(found) if a <= t < b and x <= u < y}
        told = TEMPLATE if kind == COPY and is_template(left, right, a, b, x, y) else kind
        passages.append([a, b, x, y, min(len({t for t, _ in inner}), y - x), told])
        if told == COPY:
            for side, (text, first, stop) in enumerate(((left, a, b), (right, x, y))):
                counted = {t for t in range(first, stop) if not text[t][1] & BOILERPLATE}
                covered[side] |= counted
                matched[side] |= counted & {cell[side] for cell in inner}
    return passages, [len(own) for own in (*matched, *covered)]


@given(TEXT, TEXT, st.integers(2, 6), st.integers(0, 9))
@settings(deadline=None, max_examples=200)
def test_chains(left, right, shortest, gap):
    hashes = np.array([token for token, _ in left + right], np.uint32)
    offsets = np.array([0, len(left), len(left) + len(right)])
    found = seed(
        hashes, offsets, np.zeros(1, np.int32), np.ones(1, np.int32), 3, 8, 64, 12, np.empty(2, np.int64)
    )
    assert kernels.chains(found, shortest, gap).tolist() == slow_chains(found.tolist(), shortest, gap)


def test_what_is_repeated_over_and_over_has_few_runs():
    count = 60_000
    hashes, offsets = np.ones(2 * count + 1, np.uint32), np.array([0, count, 2 * count + 1])
    found = seed(
        hashes, offsets, np.zeros(1, np.int32), np.ones(1, np.int32), 3, 8, 64, 12, np.empty(2, np.int64)
    )
    assert found[0].tolist() == [0, 0, count]
    assert found[:, 2].sum(dtype=np.int64) < 4096 * count  # not the square of it


@pytest.mark.parametrize(("guarantee", "told"), [(6, True), (12, False)])
def test_short_runs_within_long_ones_are_told_where_they_are_asked_for(guarantee, told):
    common = np.arange(1, 201, dtype=np.uint32)
    left, right = common, np.concatenate([common, [900, 901], common[101:107], [902]]).astype(np.uint32)
    hashes, offsets = np.concatenate([left, right]), np.array([0, left.size, left.size + right.size])
    pair = np.zeros(1, np.int32), np.ones(1, np.int32)
    found = seed(hashes, offsets, *pair, 3, 8, 64, guarantee, np.empty(2, np.int64))
    assert ([101, 202, 6] in found.tolist()) == told


@given(st.lists(TEXT, min_size=2, max_size=3), st.data())
@settings(deadline=None, max_examples=400)
def test_assemble(texts, data):
    texts = [*texts, texts[0][len(texts[0]) // 3 :] + texts[1]]
    hashes = [np.array([token for token, _ in text], np.uint32) for text in texts]
    flags = np.array([flag for text in texts for _, flag in text], np.uint8)
    offsets = np.cumsum([0, *map(len, texts)])
    pairs = list(combinations(range(len(texts)), 2))
    lefts, rights = (side.copy() for side in np.array(pairs, np.int32).T)
    whole = np.concatenate(hashes)
    run_offsets, passage_offsets = np.empty(len(pairs) + 1, np.int64), np.empty(len(pairs) + 1, np.int64)
    found = seed(whole, offsets, lefts, rights, 3, 8, 64, 12, run_offsets)
    spans = []
    for i, j in pairs:
        ends = [st.tuples(*[st.integers(0, len(texts[side]))] * 2).map(sorted) for side in (i, j)]
        drawn = st.tuples(*ends).map(lambda two: [*two[0], *two[1]])
        spans.append(
            [
                span
                for span in data.draw(st.lists(drawn, max_size=2))
                if span[0] < span[1] and span[2] < span[3]
            ]
        )
    span_offsets = np.cumsum([0, *map(len, spans)])
    totals = np.zeros((len(pairs), 4), np.int64)
    flat = np.array([span for own in spans for span in own], np.int32).reshape(-1, 4)
    passages = kernels.assemble(
        whole,
        flags,
        offsets,
        lefts,
        rights,
        found,
        run_offsets,
        flat,
        span_offsets,
        6,
        totals,
        passage_offsets,
    )
    parts = [passages[a:b].tolist() for a, b in pairwise(passage_offsets)]
    for number, (i, j) in enumerate(pairs):
        own = found[run_offsets[number] : run_offsets[number + 1]].tolist()
        expected, sums = slow_passages(texts[i], texts[j], own, spans[number], 6)
        assert sorted(parts[number]) == sorted(expected)
        assert totals[number].tolist() == sums
