import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.report.words import word_changes


def words(changes, left, right):
    return [
        (
            change.operation,
            left[change.left_start : change.left_end],
            right[change.right_start : change.right_end],
        )
        for change in changes
    ]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", []),
        ("same words", "Same  words!", [("equal", "same words", "Same  words")]),
        ("a b c", "a x c", [("equal", "a", "a"), ("replace", "b", "x"), ("equal", "c", "c")]),
        ("a b c", "a c", [("equal", "a", "a"), ("delete", "b", ""), ("equal", "c", "c")]),
        ("a c", "a b c", [("equal", "a", "a"), ("insert", "", "b"), ("equal", "c", "c")]),
        ("a b", "c d", [("replace", "a b", "c d")]),
        ("a a a", "a a", [("equal", "a a", "a a"), ("delete", "a", "")]),
        ("", "new", [("insert", "", "new")]),
    ],
)
def test_changes(left, right, expected):
    assert words(word_changes(left, right), left, right) == expected


def test_spans_keep_offsets_of_the_whole_text():
    left, right = "Lead. The cat sat.", "A cat. Then: the dog sat."
    changes = word_changes(left, right, (6, 18), (13, 25))
    assert words(changes, left, right) == [
        ("equal", "The", "the"),
        ("replace", "cat", "dog"),
        ("equal", "sat", "sat"),
    ]


TEXT = st.lists(st.sampled_from("abcdefg"), max_size=30).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT)
def test_steps_rebuild_both_sides(left, right):
    changes = word_changes(left, right)
    found = words(changes, left, right)
    assert " ".join(one for _, one, _ in found if one) == left
    assert " ".join(other for _, _, other in found if other) == right
    assert all(one == other for operation, one, other in found if operation == "equal")
    assert all(one != other for operation, one, other in found if operation != "equal")
    kinds = [change.operation for change in changes]
    assert all(a != b for a, b in pairwise(kinds))


def test_long_passages_stay_fast():
    chance = random.Random(1)
    left = [f"w{chance.randrange(50)}" for _ in range(20_000)]  # every word many times: no anchors
    right = [f"w{chance.randrange(50)}" for _ in range(20_000)]
    started = time.perf_counter()
    changes = word_changes(" ".join(left), " ".join(right))
    assert changes
    assert time.perf_counter() - started < 2


def test_anchors_carry_long_passages():
    left = [f"w{number}" for number in range(20_000)]
    right = [*left[:10_000], "added", *left[10_000:]]
    changes = word_changes(" ".join(left), " ".join(right))
    assert [change.operation for change in changes] == ["equal", "insert", "equal"]
