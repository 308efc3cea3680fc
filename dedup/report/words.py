"""Word by word: what was kept, changed, cut and added between two passages.

Patience difference: words that occur once in both passages and stand in the same order anchor the
comparison, and only the gaps between anchors are compared word by word. That reads as an editor would
mark it, and it keeps the quadratic comparison to short gaps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal, NamedTuple

from dedup.tokens import tokens_of

Operation = Literal["equal", "replace", "delete", "insert"]
Steps = Iterator[tuple[int, int, int, int]]  # equal runs: left_start, left_end, right_start, right_end

# A gap without anchors is compared word by word up to this many pairs of words (256 x 256, about 0.1 s
# at worst); a larger one is shown as replaced whole.
GAP_PAIRS = 1 << 16


class Change(NamedTuple):
    """One step from left to right; half-open offsets in characters of the original texts."""

    operation: Operation
    left_start: int
    left_end: int
    right_start: int
    right_end: int


def word_changes(
    left: str, right: str, left_span: tuple[int, int] | None = None, right_span: tuple[int, int] | None = None
) -> list[Change]:
    """Return the steps that turn the words of `left` into the words of `right`, in text order.

    Spans are half-open, in characters; without one the whole text is compared. Words are equal when
    their normalised forms are: case, quote marks and dashes do not count. Where a step has no words on
    one side, that side's start and end are both the place where the words would stand.
    """
    left_from, left_to = left_span or (0, len(left))
    right_from, right_to = right_span or (0, len(right))
    left_hashes, left_starts, left_ends = tokens_of(left[left_from:left_to])
    right_hashes, right_starts, right_ends = tokens_of(right[right_from:right_to])
    left_places = [
        (int(s) + left_from, int(e) + left_from) for s, e in zip(left_starts, left_ends, strict=True)
    ]
    right_places = [
        (int(s) + right_from, int(e) + right_from) for s, e in zip(right_starts, right_ends, strict=True)
    ]
    return [
        Change(
            operation,
            *_characters(left_places, first, last, left_from),
            *_characters(right_places, start, end, right_from),
        )
        for operation, first, last, start, end in _steps(left_hashes.tolist(), right_hashes.tolist())
    ]


def _characters(places: list[tuple[int, int]], first: int, last: int, default: int) -> tuple[int, int]:
    """Turn a run of words into characters; an empty run stands after the word before it."""
    if first < last:
        return places[first][0], places[last - 1][1]
    point = places[first - 1][1] if first else (places[0][0] if places else default)
    return point, point


def _steps(left: list[int], right: list[int]) -> Iterator[tuple[Operation, int, int, int, int]]:
    """Yield steps in words: equal runs joined where they touch, and what lies between them."""
    runs: list[list[int]] = []
    for first, last, start, end in _equal_runs(left, right):
        if runs and runs[-1][1] == first and runs[-1][3] == start:
            runs[-1][1], runs[-1][3] = last, end
        else:
            runs.append([first, last, start, end])
    at_left = at_right = 0
    for first, last, start, end in [*runs, [len(left), len(left), len(right), len(right)]]:
        if at_left < first and at_right < start:
            yield "replace", at_left, first, at_right, start
        elif at_left < first:
            yield "delete", at_left, first, at_right, start
        elif at_right < start:
            yield "insert", at_left, first, at_right, start
        if first < last:
            yield "equal", first, last, start, end
        at_left, at_right = last, end


def _equal_runs(left: list[int], right: list[int]) -> Steps:
    """Yield the runs of equal words in order, anchors first and gaps between them."""
    gaps = [(0, len(left), 0, len(right))]
    while gaps:
        first, last, start, end = gaps.pop()
        if first == last or start == end:
            continue
        begin = first
        while begin < last and start + begin - first < end and left[begin] == right[start + begin - first]:
            begin += 1
        if begin > first:
            yield first, begin, start, start + begin - first
            gaps.append((begin, last, start + begin - first, end))
            continue
        anchors = _anchors(left[first:last], right[start:end])
        if anchors:
            edges = [(first + a, start + b) for a, b in anchors]
            gaps.extend(reversed(_between(edges, first, last, start, end)))
        elif (last - first) * (end - start) <= GAP_PAIRS:
            matcher = SequenceMatcher(None, left[first:last], right[start:end], autojunk=False)
            for a, b, size in matcher.get_matching_blocks()[:-1]:
                yield first + a, first + a + size, start + b, start + b + size


def _between(
    edges: list[tuple[int, int]], first: int, last: int, start: int, end: int
) -> list[tuple[int, int, int, int]]:
    """Cut a gap at its anchors: each new gap begins with an anchor, except perhaps the first."""
    cuts = [(first, start), *edges, (last, end)]
    return [(a, c, b, d) for (a, b), (c, d) in pairwise(cuts)]


def _anchors(left: list[int], right: list[int]) -> list[tuple[int, int]]:
    """Find words that occur once on each side, the most that stand in the same order on both."""
    in_left, in_right = Counter(left), Counter(right)
    place = {word: at for at, word in enumerate(right) if in_right[word] == 1}
    pairs = [(at, place[word]) for at, word in enumerate(left) if in_left[word] == 1 and word in place]
    tails: list[int] = []  # the smallest right place that ends a chain of each length
    before: list[int] = []  # for each pair, the pair before it in its chain, -1 for none
    owners: list[int] = []
    for index, (_, at) in enumerate(pairs):
        length = bisect_left(tails, at)
        tails[length : length + 1] = [at]
        owners[length : length + 1] = [index]
        before.append(owners[length - 1] if length else -1)
    chain = []
    index = owners[-1] if owners else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]
