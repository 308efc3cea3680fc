"""The tokeniser against a slow one that reads characters by the rules."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.kernels import tokenise as kernel
from dedup.kernels import unicode as uni
from dedup.tokens import tokenise

MASK = 2**64 - 1
MULTIPLIER, MIX = 0x9E3779B97F4A7C15, 0xFF51AFD7ED558CCD
WORDS = (uni.WORD, uni.LOWER)
TOKENS = (*WORDS, uni.DIGIT, uni.CHARACTER)
MARKS = (uni.APOSTROPHE, uni.POINT, uni.COMMA)


def classes(text):
    """Class, place and character of all that is not dropped; a newline of two characters is one."""
    kept = [(uni.classify(c), place, c) for place, c in enumerate(text)]
    return [
        item
        for item in kept
        if item[0] != uni.DROP and not (item[2] == "\n" and item[1] and text[item[1] - 1] == "\r")
    ]


def extent(items, first):
    """Of the token at `first`: the places in `items` of its characters and joints, and where it ends."""
    kind = uni.WORD if items[first][0] in WORDS else items[first][0]
    taken, joints = [first], []
    joint = items[first][1]
    at = first + 1
    while at < len(items):
        klass, place, _ = items[at]
        follower = items[at + 1][0] if at + 1 < len(items) else None
        if klass == uni.EXTEND or (kind != uni.CHARACTER and klass in (*WORDS, uni.DIGIT)):
            taken.append(at)
            at += 1
            continue
        elision = klass == uni.APOSTROPHE and kind == uni.WORD and follower in WORDS
        initials = klass == uni.POINT and kind == uni.WORD and follower in WORDS and place - joint == 1
        number = (
            klass in (uni.POINT, uni.COMMA)
            and kind == items[taken[-1]][0] == uni.DIGIT
            and follower == uni.DIGIT
        )
        if kind == uni.CHARACTER or not (elision or initials or number):
            break
        joint = items[at + 1][1]
        joints += [at] if number else []
        taken.append(at + 1)
        at += 2
    return taken, joints, at


def folded(character):
    parts = uni.fold(character)
    return [p for p in parts if p.isalnum() or unicodedata.category(p)[0] == "M"]


def hashed(items, taken, joints):
    """The hash of a token: of its folded characters, eight bytes at a time; a joint in a number counts.

    A figure has no stem.
    """
    state, first = 0, None
    piece = b""
    for at in taken:
        if at - 1 in joints:
            first = piece if first is None else first
            state = ((state ^ int.from_bytes(piece, "little")) * MULTIPLIER + uni.POINT) & MASK
            piece = b""
        for part in folded(items[at][2]):
            code = ord(part)
            for byte in code.to_bytes(1 if code < 128 else 2 if code < 65536 else 3, "little"):
                piece += bytes([byte])
                if len(piece) == 8:
                    first = piece if first is None else first
                    state = (state ^ int.from_bytes(piece, "little")) * MULTIPLIER & MASK
                    piece = b""
    held = int.from_bytes(piece, "little")
    stem = int.from_bytes(piece if first is None else first, "little")
    if stem & 0x8080808080808080 == 0:
        stem &= 0xFFFFFFFFFFFF
    if held:
        state = (state ^ held) * MULTIPLIER & MASK
    stem = stem * MULTIPLIER & MASK
    upper = ((stem ^ stem >> 32) * MIX & MASK) >> 32
    lower = ((state ^ state >> 32) * MIX & MASK) >> 32
    if items[taken[0]][0] == uni.DIGIT:
        return lower
    rest = 32 - kernel.STEM_BITS
    return (upper >> rest << rest) | (lower & ((1 << rest) - 1))


def slow(text):
    """Hash, start, end and flags of the tokens of one text."""
    items = classes(text)
    out = []
    newlines, ended, point = 2, True, False
    opened = None  # the first token in an open quotation
    before = uni.SPACE
    at = 0

    def unquote():
        for token in out[opened:]:
            token[3] &= ~kernel.QUOTED

    while at < len(items):
        klass, place, character = items[at]
        if klass not in TOKENS:
            newlines += klass == uni.NEWLINE
            ended |= klass == uni.TERMINATOR
            point |= klass == uni.POINT
            starts = before in (uni.SPACE, uni.NEWLINE) or (before == uni.SEPARATOR and opened is None)
            if klass == uni.OPEN or (klass == uni.QUOTE and starts):
                opened = len(out) if opened is None else opened
            elif klass in (uni.CLOSE, uni.QUOTE):
                opened = None
            before = klass
            at += 1
            continue
        taken, joints, at = extent(items, at)
        flags = 0
        if klass == uni.DIGIT:
            flags |= kernel.NUMBER
        if klass == uni.CHARACTER:
            flags |= kernel.UNSPACED
        if klass == uni.WORD and uni.fold(character)[:1] != character:
            flags |= kernel.CAPITAL
        if point and out and out[-1][3] & kernel.CAPITAL:
            point = out[-1][2] - out[-1][1] > 3
        if ended or newlines > 1 or (klass != uni.LOWER and (newlines or point)):
            flags |= kernel.SENTENCE
        if newlines > 1 or (newlines and (ended or point)):
            flags |= kernel.PARAGRAPH
            if opened is not None and before not in (uni.OPEN, uni.QUOTE):
                unquote()
                opened = None
        if opened is not None:
            flags |= kernel.QUOTED
        end = items[at][1] if at < len(items) else len(text)
        out.append([hashed(items, taken, joints), place, end, flags])
        newlines, ended, point = 0, False, False
        before = uni.DIGIT if items[taken[-1]][0] == uni.DIGIT else uni.WORD
        if at < len(items) and items[at][0] in MARKS and klass != uni.CHARACTER:
            point = items[at][0] == uni.POINT
            at += 1
    if opened is not None:
        unquote()
    return out


def test_figures_are_told_apart_by_all_their_digits():
    rates = [f"{whole}.{part:04}" for whole in (0, 1) for part in range(10_000)]
    large = [f"12,{number:03},{number:03}" for number in range(1000)] + [
        f"1234567{n:05}" for n in range(5000)
    ]
    for figures in (rates, large):
        assert len({row[0] for [row] in fast(figures)}) > len(figures) - 3  # 2 in a million pairs of 32 bits


def fast(texts):
    tokens = tokenise(pa.array(texts, pa.large_string()))
    rows = np.stack([tokens.hashes, tokens.starts, tokens.ends, tokens.flags], axis=1).tolist()
    return [rows[a:b] for a, b in zip(tokens.offsets.tolist(), tokens.offsets.tolist()[1:], strict=False)]


PIECES = [
    *"aZ09 .,'’\"“”«»!?\n\r\t-–\u00a0\u200b\u00ad\u0301é中のไカ٣ßſİ𝐀😀\u0600ي",
    "word", "Capital", "U.S.", "Mr. ", "abcdefgh", "abcdefghi", "internationally", "\n\n", "3.5", "1,000",
    "don't", "日本", "．", "ﬁ", "한", "हिन्दी",
]  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        ),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=400)
@example(['Mr. Ito said: "Yes."\n\nHe left.\r\nAt 3.5 p.m. o\'clock', "", "x"])
def test_tokens_are_those_of_the_rules(texts):
    assert fast(texts) == [slow(text) for text in texts]


@pytest.mark.skipif(
    unicodedata.unidata_version != "14.0.0",
    reason="made by Python 3.11",
)
def test_the_shipped_table_is_what_unicodedata_gives():
    for shipped, built in zip(uni.table(), uni.build(), strict=True):
        assert np.array_equal(shipped, built)
