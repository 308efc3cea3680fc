import numpy as np

from dedup.align import Aligned
from dedup.compose import Shared, compose
from dedup.families import families, with_duplicates
from dedup.kernels.align import COPY, QUOTATION

NONE = np.empty((0, 2), np.int32)


def aligned(*rows):
    """Pairs of one passage each, from (left, right, left first, stop, right first, stop[, kind])."""
    passages = np.array([[*row[2:6], row[3] - row[2], (row[6:] or (COPY,))[0]] for row in rows], np.int32)
    sizes = np.stack([passages[:, 1] - passages[:, 0], passages[:, 3] - passages[:, 2]], axis=1)
    sizes = (sizes * (passages[:, 5] == COPY)[:, None]).astype(np.int64)
    pairs = np.array([row[:2] for row in rows], np.int32)
    return Aligned(pairs, passages, np.arange(len(rows) + 1), sizes, sizes, np.ones(len(rows)))


def members(found):
    return sorted(sorted(family.members) for family in found)


def test_members_share_the_same_part():
    found = families(aligned((0, 1, 0, 80, 0, 80), (0, 2, 0, 80, 10, 90)), np.array([100, 100, 100]), 0.2)
    assert members(found) == [[0, 1, 2]]


def test_a_round_up_of_two_stories_does_not_chain_them():
    round_up = aligned((0, 1, 0, 100, 0, 100), (1, 2, 100, 200, 0, 100))
    assert members(families(round_up, np.array([100, 200, 100]), 0.2)) == [[0, 1], [1, 2]]


def test_a_chain_of_small_overlaps_is_no_family():
    chain = aligned(*((n, n + 1, 60, 100, 0, 40) for n in range(5)))
    found = families(chain, np.full(6, 100), 0.2)
    assert max(len(family.members) for family in found) == 2


def test_too_small_a_share_makes_no_family():
    assert families(aligned((0, 1, 0, 15, 0, 15)), np.array([100, 100]), 0.2) == []
    assert members(families(aligned((0, 1, 0, 15, 0, 15)), np.array([100, 60]), 0.2)) == [[0, 1]]
    assert families(aligned((0, 1, 0, 90, 0, 90, QUOTATION)), np.array([100, 100]), 0.2) == []


def test_exact_repeats_join_the_families_of_what_they_repeat():
    lengths = np.array([100, 100, 100, 50, 50])
    found = with_duplicates(families(aligned((0, 1, 0, 80, 0, 80)), lengths, 0.2), {0: [2], 3: [4]}, lengths)
    assert members(found) == [[0, 1, 2], [3, 4]]


def test_parts_cover_the_article_once():
    idle = np.zeros(100, np.bool_)
    idle[90:] = True
    small = Shared(7, np.array([[0, 30]]), NONE, is_origin=False)
    large = Shared(8, np.array([[10, 60], [95, 100]]), np.array([[55, 70]]), is_origin=False)
    parts = compose(100, idle, [small, large])
    assert [(part.kind, part.first, part.stop, part.source) for part in parts] == [
        ("own", 0, 10, None),
        ("copy", 10, 60, 8),
        ("quotation", 60, 70, 8),
        ("own", 70, 90, None),
        ("boilerplate", 90, 100, None),
    ]


def test_the_origin_is_preferred_among_like_sources():
    other = Shared(1, np.array([[0, 52]]), NONE, is_origin=False)
    origin = Shared(2, np.array([[0, 50]]), NONE, is_origin=True)
    assert [part.source for part in compose(60, np.zeros(60, np.bool_), [other, origin])] == [2, None]


def test_nothing_is_composed_of_nothing():
    assert compose(0, np.zeros(0, np.bool_), []) == []
