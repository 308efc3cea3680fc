"""Boilerplate and blocks against slow twins."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.kernels import buckets
from dedup.kernels import weigh as kernels
from dedup.kernels.tokenise import BOILERPLATE, PARAGRAPH, SENTENCE
from dedup.tokens import Tokens
from dedup.weigh import Paragraphs, mark_repeated

PHRASES = [[1], [2, 3], [4, 4, 5]]
TEXTS = st.lists(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0, 0, SENTENCE])), max_size=40), max_size=3
)
DAYS = st.sampled_from([kernels.NO_DAY, -1, 0, 1])
PARAGRAPHS = st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=9)  # texts of numbered paragraphs


def lay(texts):
    """Hashes, flags and offsets of texts given as (hash, flag) tokens."""
    hashes = np.array([token for text in texts for token, _ in text], np.uint32)
    flags = np.array([flag for text in texts for _, flag in text], np.uint8)
    return hashes, flags, np.cumsum([0, *map(len, texts)])


def pieces(flags, flag):
    """The (first, stop) of what `flag` begins."""
    starts = [0, *(t for t in range(1, len(flags)) if flags[t] & flag), len(flags)]
    return list(pairwise(starts)) if len(flags) else []


@given(TEXTS)
@settings(deadline=None, max_examples=300)
def test_navigation(texts):
    hashes, flags, offsets = lay(texts)
    phrases = np.array([token for phrase in PHRASES for token in phrase], np.uint32)
    kernels.mark_navigation(hashes, flags, offsets, phrases, np.cumsum([0, *map(len, PHRASES)]))
    for number, text in enumerate(texts):
        sentences = pieces([flag for _, flag in text], SENTENCE)
        marks = []
        for first, stop in sentences:
            own = [token for token, _ in text[first:stop]]
            marks.append(
                any(
                    len(own) <= (len(phrase) + 6 if len(phrase) > 1 else 2)
                    and any(own[at : at + len(phrase)] == phrase for at in range(len(own)))
                    for phrase in PHRASES
                )
            )
        held = [n for n, mark in enumerate(marks) if mark]
        for one, other in pairwise([-1, *held, len(sentences)]) if held else []:
            if all(stop - first <= 2 for first, stop in sentences[one + 1 : other]):
                marks[one + 1 : other] = [True] * (other - one - 1)
        expected = {
            t
            for (first, stop), mark in zip(sentences, marks, strict=True)
            if mark
            for t in range(first, stop)
        }
        found = flags[offsets[number] : offsets[number + 1]] & BOILERPLATE
        assert set(np.flatnonzero(found).tolist()) == expected


@given(PARAGRAPHS, st.integers(1, 3))
@settings(deadline=None)
def test_paragraphs(texts, least):
    tokens = [
        [(number, PARAGRAPH if at == 0 else 0) for number in text for at in range(number + 1)]
        for text in texts
    ]
    hashes, flags, offsets = lay(tokens)
    room = int(offsets[-1]) + len(texts)
    columns = [np.empty(room, dtype) for dtype in (np.uint64, np.int32, np.int64, np.int32)]
    phrase = np.array([2, 2], np.uint32), np.array([0, 2])
    count = kernels.paragraphs(hashes, flags, offsets, least, *phrase, *columns)
    keys, *rest = (column[:count].tolist() for column in columns)
    expected = [
        (t, int(offsets[t]) + first, stop - first)
        for t, text in enumerate(tokens)
        for first, stop in pieces([flag for _, flag in text], PARAGRAPH)
        if stop - first >= least
    ]
    assert list(zip(*rest, strict=True)) == expected
    contents = [hashes[first : first + length].tolist() for _, first, length in expected]
    assert [key % 2 for key in keys] == [
        any(content[at : at + 2] == [2, 2] for at in range(len(content))) for content in contents
    ]
    for one in range(count):
        for other in range(count):
            assert (keys[one] == keys[other]) == (contents[one] == contents[other])


@given(PARAGRAPHS, st.data())
@settings(deadline=None, max_examples=300)
def test_repeated(texts, data):
    """Each paragraph is two tokens; its number is its key."""
    outlets = data.draw(st.lists(st.integers(0, 1), min_size=len(texts), max_size=len(texts)))
    days = data.draw(st.lists(DAYS, min_size=len(texts), max_size=len(texts)))
    tokens = [[(number, 0) for number in text for _ in range(2)] for text in texts]
    _, flags, offsets = lay(tokens)
    rows = [
        (outlets[t], number, days[t], t, int(offsets[t]) + 2 * at)
        for t, text in enumerate(texts)
        for at, number in enumerate(text)
    ]
    ordered = sorted(rows, key=lambda row: row[:4])

    def column(rows, at, dtype=np.int64):
        return np.array([row[at] for row in rows], dtype)

    bounds = np.searchsorted(column(rows, 3), np.arange(len(texts) + 1))
    keys = column(ordered, 1, np.uint64)
    marked = np.empty(len(ordered), np.bool_)
    kernels.repeated(
        column(ordered, 0, np.uint64) * np.uint64(9) + keys, keys, column(ordered, 3, np.int32),
        np.full(len(rows), 2, np.int32), np.array(days, np.int64), offsets,
        column(rows, 1, np.uint64), bounds, np.full(len(rows), 2, np.int32), np.array((3, 2)), 0.2, 0.5,
        marked,
    )  # fmt: skip
    own = np.flatnonzero(marked)
    kernels.mark(flags, column(ordered, 4)[own], np.full(own.size, 2, np.int32))
    own = [tuple(row) for row in ordered]
    expected = repeated(texts, outlets, days, own, lambda number: 2 if number % 2 else 3)
    assert set(np.flatnonzero(flags & BOILERPLATE).tolist()) == expected


def repeated(texts, outlets, days, ordered, enough=lambda _: 3):
    """Tokens of the paragraphs that outlets repeat; rows of outlet, number, day, text and first token."""
    found = set()
    for outlet in {0, 1} & set(outlets):
        for number in range(5):
            own = [row for row in ordered if row[:2] == (outlet, number)]
            stories = 1
            for one, other in pairwise(row[3] for row in own):
                shorter = 2 * min(len(texts[one]), len(texts[other]))
                common = sum(2 for p in texts[one] if p != number and p in texts[other])
                stories += one != other and shorter >= 4 and common < 0.2 * shorter
            if stories >= enough(number) and (own[0][2] == kernels.NO_DAY or own[0][2] != own[-1][2]):
                found |= {t for row in own for t in (row[4], row[4] + 1)}
    return found


@given(PARAGRAPHS, st.data())
@settings(deadline=None)
def test_repeated_of_outlets(texts, data):
    """The stage, of paragraphs of four tokens: outlets that are not known are left alone."""
    outlets = data.draw(st.lists(st.integers(-1, 1), min_size=len(texts), max_size=len(texts)))
    days = data.draw(st.lists(DAYS, min_size=len(texts), max_size=len(texts)))
    parts = [
        [[(number, PARAGRAPH if at == 0 else 0) for at in range(4)] for number in text] for text in texts
    ]
    hashes, flags, offsets = lay([[token for part in text for token in part] for text in parts])
    none = np.empty(0, np.int32)
    tokens = Tokens(hashes, none, none, flags, offsets)
    memory = data.draw(st.sampled_from([1000, 2**32]))  # some in one go, or all
    mark_repeated(
        tokens, Paragraphs.of(tokens), np.array(outlets, np.int64), np.array(days, np.int64), memory
    )
    rows = [
        (outlets[t], number, days[t], t, (int(offsets[t]) + 4 * at) // 2)
        for t, text in enumerate(texts)
        for at, number in enumerate(text)
    ]
    halves = repeated(texts, outlets, days, sorted(rows, key=lambda row: row[:4]))
    assert set((np.flatnonzero(flags & BOILERPLATE) // 2).tolist()) == halves


@given(st.lists(st.lists(st.sampled_from([0, PARAGRAPH, BOILERPLATE, BOILERPLATE | SENTENCE]), max_size=9)))
@settings(deadline=None)
def test_telling_tokens(texts):
    _, flags, offsets = lay([[(0, flag) for flag in text] for text in texts])
    counts = np.empty(len(texts), np.int64)
    kernels.count_telling(flags, offsets, counts)
    assert counts.tolist() == [max(1, sum(not flag & BOILERPLATE for flag in text)) for text in texts]


@given(st.lists(st.lists(st.integers(1, 6), max_size=8), max_size=4), st.integers(1, 8))
@settings(deadline=None)
def test_blocks(texts, least):
    tokens = [[(0, PARAGRAPH if at == 0 else 0) for size in text for at in range(size)] for text in texts]
    _, flags, offsets = lay(tokens)
    bounds, block_offsets = np.empty(flags.size + 1, np.int64), np.empty(len(texts) + 1, np.int64)
    buckets.blocks(flags, offsets, PARAGRAPH, least, bounds, block_offsets)
    expected, counts = [], [0]
    for number, text in enumerate(texts):
        blocks = []
        left = sum(text)
        for size in text:
            if not blocks or (blocks[-1] >= least and left >= least):
                blocks.append(0)
            blocks[-1] += size
            left -= size
        starts = np.cumsum([0, *blocks])[:-1] + offsets[number] if blocks else []
        expected += [int(start) for start in starts]
        counts.append(len(expected))
    assert block_offsets.tolist() == counts
    assert bounds[: len(expected) + 1].tolist() == [*expected, flags.size]
