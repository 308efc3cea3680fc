from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import families as stage
from dedup.align import Aligned
from dedup.families import Families, families, renewed, with_duplicates
from dedup.kernels.align import COPY, QUOTATION
from dedup.kernels.families import components, sizes


def aligned(*rows):
    """Pairs of one passage each, from (left, right, left first, stop, right first, stop[, kind])."""
    passages = np.array([[*row[2:6], row[3] - row[2], (row[6:] or (COPY,))[0]] for row in rows], np.int32)
    sizes = np.stack([passages[:, 1] - passages[:, 0], passages[:, 3] - passages[:, 2]], axis=1)
    sizes = (sizes * (passages[:, 5] == COPY)[:, None]).astype(np.int64)
    pairs = np.array([row[:2] for row in rows], np.int32)
    return Aligned(pairs, passages, np.arange(len(rows) + 1), sizes, sizes, np.ones(len(rows)))


def told(found):
    """Each family as its representative, and its members with their spans."""
    out = []
    for family, representative in enumerate(found.representatives.tolist()):
        members = {}
        for row in range(found.offsets[family], found.offsets[family + 1]):
            spans = found.spans[found.span_offsets[row] : found.span_offsets[row + 1]]
            members[int(found.members[row])] = spans.tolist()
        out.append((representative, members))
    return out


def members(found):
    return sorted(sorted(family) for _, family in told(found))


def test_members_share_the_same_part():
    found = families(aligned((0, 1, 0, 80, 0, 80), (0, 2, 0, 80, 10, 90)), np.array([100, 100, 100]), 0.2)
    assert members(found) == [[0, 1, 2]]


def test_a_round_up_of_two_stories_does_not_chain_them():
    round_up = aligned((0, 1, 0, 100, 0, 100), (1, 2, 100, 200, 0, 100))
    assert members(families(round_up, np.array([100, 200, 100]), 0.2)) == [[0, 1], [1, 2]]


def test_a_chain_of_small_overlaps_is_no_family():
    chain = aligned(*((n, n + 1, 60, 100, 0, 40) for n in range(5)))
    found = families(chain, np.full(6, 100), 0.2)
    assert max(len(family) for family in members(found)) == 2


def test_too_small_a_share_makes_no_family():
    assert told(families(aligned((0, 1, 0, 15, 0, 15)), np.array([100, 100]), 0.2)) == []
    assert members(families(aligned((0, 1, 0, 15, 0, 15)), np.array([100, 60]), 0.2)) == [[0, 1]]
    assert told(families(aligned((0, 1, 0, 90, 0, 90, QUOTATION)), np.array([100, 100]), 0.2)) == []


def test_exact_repeats_join_the_families_of_what_they_repeat():
    lengths = np.array([100, 100, 100, 50, 50])
    found = families(aligned((0, 1, 0, 80, 0, 80)), lengths, 0.2)
    found = with_duplicates(found, np.array([0, 1, 0, 3, 3]), lengths)
    assert members(found) == [[0, 1, 2], [3, 4]]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12))
@settings(deadline=None)
def test_components(edges):
    firsts = np.arange(12, dtype=np.int32)
    columns = np.array(edges, np.int32).reshape(-1, 2).T
    components(*np.ascontiguousarray(columns), firsts)
    assert firsts.tolist() == firsts_of(12, edges)


def firsts_of(count, edges):
    """The first node that each node can be reached from."""
    reached = [{node} for node in range(count)]
    for _ in range(count):
        for one, other in edges:
            both = reached[one] | reached[other]
            for node in both:
                reached[node] = both
    return [min(nodes) for nodes in reached]


@st.composite
def overlaps(draw):
    """Pairs of up to eight texts that share up to three spans each, copies or not; and the texts' lengths."""
    count = draw(st.integers(2, 8))
    lengths = draw(st.lists(st.integers(1, 12), min_size=count, max_size=count))
    every = [(left, right) for right in range(count) for left in range(right)]
    pairs = sorted(draw(st.lists(st.sampled_from(every), unique=True, max_size=12)))

    def span(text):
        one = draw(st.integers(0, lengths[text] - 1))
        return one, draw(st.integers(one + 1, lengths[text]))

    kinds = st.sampled_from([COPY, COPY, COPY, QUOTATION])
    sharing = [
        [(*span(left), *span(right), draw(kinds)) for _ in range(draw(st.integers(1, 3)))]
        for left, right in pairs
    ]
    return lengths, pairs, sharing


def inside(spans):
    return {token for first, stop in spans for token in range(first, stop)}


def laid(pairs, sharing):
    """The `Aligned` of pairs with their passages."""
    copied = [[passage for passage in passages if passage[4] == COPY] for passages in sharing]
    covered = [[len(inside(p[a : a + 2] for p in own)) for a in (0, 2)] for own in copied]
    sizes = np.array(covered, np.int64).reshape(-1, 2)
    rows = [[*p[:4], p[1] - p[0], p[4]] for passages in sharing for p in passages]
    return Aligned(
        np.array(pairs, np.int32).reshape(-1, 2), np.array(rows, np.int32).reshape(-1, 6),
        np.cumsum([0, *map(len, sharing)]), sizes, sizes, np.ones(len(pairs)),
    )  # fmt: skip


def clustered(lengths, pairs, sharing, share):
    """The twin of `families`: representatives, and members with their spans."""
    edges = defaultdict(dict)  # text -> other -> spans in the text, spans in the other
    for (left, right), passages in zip(pairs, sharing, strict=True):
        ours = [list(p[:2]) for p in passages if p[4] == COPY]
        theirs = [list(p[2:4]) for p in passages if p[4] == COPY]
        if len(inside(ours)) >= share * lengths[left] or len(inside(theirs)) >= share * lengths[right]:
            edges[left][right], edges[right][left] = (ours, theirs), (theirs, ours)
    known = defaultdict(set)  # text -> tokens that families explain
    found = []

    def fresh(text, spans):
        return len(inside(spans) - known[text])

    def still_open(text):
        return {
            other: (own, there)
            for other, (own, there) in edges[text].items()
            if not any(text in family and other in family for _, family in found)
            and (fresh(text, own) >= share * lengths[text] or fresh(other, there) >= share * lengths[other])
        }

    def weight(text):
        return sum(fresh(other, there) for other, (_, there) in still_open(text).items())

    # Where the text that stood first founded a family, it goes on with one less, behind its equals.
    weights = {text: weight(text) for text in edges}
    while weights:
        text = min(weights, key=lambda text: (-weights[text], text))
        now = weight(text)
        if now == 0:
            del weights[text]
        elif now < weights[text]:
            weights[text] = now
        else:
            family = around(text, still_open(text), lengths[text], known[text], fresh)
            found.append((text, family))
            for member, spans in family.items():
                known[member] |= inside(spans)
            weights[text] = now - 1
    firsts = firsts_of(len(lengths), [(one, other) for one in edges for other in edges[one]])
    return sorted(found, key=lambda family: firsts[family[0]])


def around(text, edges, length, explained, fresh):
    """The members of the family of the part of `text` that most copies hold."""
    depth = [sum(t in inside(own) for own, _ in edges.values()) * (t not in explained) for t in range(length)]
    most = depth.index(max(depth))
    holders = [inside(own) for own, _ in edges.values() if most in inside(own)] if max(depth) else []
    core = {t for t in range(length) if holders and 2 * sum(t in own for own in holders) >= len(holders)}
    core &= set().union(*holders)
    chosen = [other for other, (own, _) in edges.items() if 2 * len(inside(own) & core) >= len(inside(own))]
    if not chosen:
        chosen = [min(edges, key=lambda other: (-fresh(other, edges[other][1]), other))]
    own = sorted(set().union(*(inside(edges[other][0]) for other in chosen)))
    starts = [t for t in own if t - 1 not in own]
    stops = [t + 1 for t in own if t + 1 not in own]
    whole = [list(span) for span in zip(starts, stops, strict=True)]
    return {text: whole, **{other: edges[other][1] for other in chosen}}


@given(overlaps(), st.sampled_from([0.01, 0.2, 0.5, 1.0]), st.sampled_from([1, 2, 4096]))
@settings(deadline=None, max_examples=500)
def test_families_are_those_of_plain_greed(drawn, share, at_once):
    lengths, pairs, sharing = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "_AT_ONCE", at_once)
        found = families(laid(pairs, sharing), np.array(lengths), share, threads=at_once % 3)
    expected = clustered(lengths, pairs, sharing, share)
    assert told(found) == [(text, dict(sorted(family.items()))) for text, family in expected]
    assert [list(family) for _, family in told(found)] == [sorted(family) for _, family in expected]


@given(overlaps())
@settings(deadline=None)
def test_tokens_of_an_edge_are_counted_once(drawn):
    _, _, sharing = drawn
    spans = np.array([p[:4] for passages in sharing for p in passages], np.int32).reshape(-1, 4)
    found = np.empty((len(sharing), 2), np.int32)
    sizes(spans, np.cumsum([0, *map(len, sharing)]), found)
    assert found.tolist() == [
        [len(inside(p[side : side + 2] for p in passages)) for side in (0, 2)] for passages in sharing
    ]


@given(overlaps(), st.data())
@settings(deadline=None)
def test_repeats_are_like_what_they_repeat(drawn, data):
    """Texts are compared where they are no repeats; of each, some repeats stand behind all of them."""
    lengths, pairs, sharing = drawn
    count = len(lengths)
    repeated = data.draw(st.lists(st.integers(0, count - 1), max_size=5))
    firsts = [*range(count), *repeated]
    sizes = [lengths[first] for first in firsts]
    found = families(laid(pairs, sharing), np.array(sizes), 0.2)
    expected = []
    for text, family in told(found):
        joined = {n: family[first] for n, first in enumerate(firsts) if first in family}
        expected.append((text, joined))
    placed = {member for _, family in expected for member in family}
    for text in sorted(set(repeated) - placed):
        family = {n: [[0, lengths[text]]] for n, first in enumerate(firsts) if first == text}
        expected.append((text, family))
    grown = with_duplicates(found, np.array(firsts), np.array(sizes))
    assert isinstance(grown, Families)
    assert told(grown) == expected


@given(overlaps(), st.data())
@settings(deadline=None)
def test_renewed_families_are_those_of_all_pairs(drawn, data):
    lengths, pairs, sharing = drawn
    whole, sizes = laid(pairs, sharing), np.array(lengths)
    turns = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    parts = [whole.taken(np.flatnonzero(np.array(turns, np.int64) == turn)) for turn in range(4)]
    found = families(parts[0], sizes, 0.2)
    for count in range(2, 5):
        found = renewed(found, parts[:count], sizes, 0.2)
        assert told(found) == told(families(Aligned.merged(parts[:count]), sizes, 0.2))


def test_many_families_outgrow_their_first_room():
    rows = [(2 * n, 2 * n + 1, 0, 9, 0, 9) for n in range(3000)]
    found = families(aligned(*rows), np.full(6000, 9), 0.2)
    assert members(found) == [[2 * n, 2 * n + 1] for n in range(3000)]
