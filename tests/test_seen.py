"""Large families: no shared words are lost, although most pairs are never aligned."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup.align import align
from dedup.kernels.tokenise import BOILERPLATE
from dedup.seen import Seen
from dedup.tokens import Tokens

RUN = dedup.Settings().guarantee
NONE = np.empty(0, np.int32)


def copies(draw, count, story):
    """Copies of a story that leave out words, put in others, and share what they add."""
    added = [[f"added{n}of{number}" for n in range(20)] for number in range(6)]
    for _ in range(count):
        words = [word for word in story if draw.random() > 0.04]
        for number in draw.sample(range(6), draw.randint(0, 2)):
            at = draw.randrange(len(words))
            words[at:at] = added[number]
        yield words


def shared_runs(texts):
    """Words of each text, by place, in a run of `RUN` that another text has too."""
    holders = defaultdict(set)
    for number, words in enumerate(texts):
        for at in range(len(words) - RUN + 1):
            holders[tuple(words[at : at + RUN])].add((number, at))
    places = defaultdict(set)
    for found in holders.values():
        if len({number for number, _ in found}) > 1:
            for number, at in found:
                places[number].update(range(at, at + RUN))
    return places


@pytest.mark.parametrize("seed", range(3))
def test_all_shared_words_of_a_large_family_lie_in_passages(seed):
    draw = random.Random(seed)
    texts = list(copies(draw, 120, [f"w{draw.randrange(500)}" for _ in range(200)]))
    bodies = [" ".join(words) for words in texts]
    report = dedup.scan([{"id": f"{n:03}", "text": body} for n, body in enumerate(bodies)])
    spans = defaultdict(list)
    for row in report.passages.to_pylist():
        spans[int(row["left"])].append((row["left_start"], row["left_end"]))
        spans[int(row["right"])].append((row["right_start"], row["right_end"]))
    missed = []
    for number, places in shared_runs(texts).items():
        at = 0
        for place, word in enumerate(texts[number]):
            if place in places and not any(start <= at < end for start, end in spans[number]):
                missed.append((number, place))
            at += len(word) + 1
    assert missed == []
    assert len(report.pairs) < 120 * 119 / 4  # most pairs say nothing that others do not


def test_what_copies_add_is_traced_to_each_other():
    draw = random.Random(1)
    story = [f"w{draw.randrange(500)}" for _ in range(200)]
    added = [f"added{n}" for n in range(20)]
    texts = [[word for word in story if draw.random() > 0.03] for _ in range(60)]
    for number in (7, 41):
        texts[number][100:100] = added
    report = dedup.scan([{"id": f"{n:03}", "text": " ".join(words)} for n, words in enumerate(texts)])
    pairs = {(row["left"], row["right"]) for row in report.pairs.to_pylist()}
    assert ("007", "041") in pairs


def tokens_of(texts, flags):
    hashes = np.array([token for text in texts for token in text], np.uint32)
    own = np.array([flag for text in flags for flag in text], np.uint8)
    return Tokens(hashes, NONE, NONE, own, np.cumsum([0, *map(len, texts)]))


@given(st.integers(0, 10**6), st.integers(3, 6))
@settings(deadline=None, max_examples=80)
def test_news_are_runs_with_words_not_seen(seed, least):
    draw = random.Random(seed)
    texts = [[draw.randrange(1, 9) * 2**28 for _ in range(draw.randint(0, 25))] for _ in range(4)]
    flags = [[BOILERPLATE * (draw.random() < 0.2) for _ in text] for text in texts]
    pairs = np.array([(0, 1), (1, 2), (2, 3)], np.int32)
    tokens = tokens_of(texts, flags)
    seen = Seen.nothing(tokens, pairs)
    seen.marks[:] = [draw.random() < 0.8 for _ in range(seen.marks.size)]
    marks = np.split(seen.marks, tokens.offsets[1:-1])
    expected = []
    for left, right in pairs.tolist():
        a, b = texts[left], texts[right]
        fresh = False
        for i in range(len(a) - least + 1):
            for j in range(len(b) - least + 1):
                if a[i : i + least] == b[j : j + least]:
                    for t in range(least):
                        known = marks[left][i + t] and marks[right][j + t]
                        fresh |= not known and not (flags[left][i + t] or flags[right][j + t])
        expected.append(fresh)
    assert seen.news(tokens, pairs, least, 1).tolist() == expected


def test_only_copies_are_seen_and_only_in_texts_that_are_watched():
    story = [n * 2**20 + 1 for n in range(60)]
    texts = [
        story,
        story[:40] + [7 * 2**24 + n for n in range(9)],
        [5 * 2**26 + n for n in range(60)] + story[:12],
        story[20:],
    ]
    tokens = tokens_of(texts, [[0] * len(text) for text in texts])
    seen = Seen.nothing(tokens, np.array([[1, 2]], np.int32))
    align(tokens, np.array([[0, 1], [0, 3], [1, 2]], np.int32), dedup.Settings(), seen=seen)
    own = len(texts[1])
    assert seen.marks[:own].tolist() == [1] * 40 + [0] * 9
    assert not seen.marks[own:].any()  # a run of twelve words is a phrase, no copy
    assert seen.starts.tolist() == [-1, 0, own, -1]
