"""Rows laid end to end, and names in texts, against slow twins."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.kernels.names import BEGINS, HEADS, chain_names, find_names, hold_names
from dedup.kernels.rows import dictionary, gather
from dedup.kernels.tokenise import CAPITAL

# Hashes of which some differ only in the upper half, by which names are not looked up.
HASHES = st.sampled_from([1, 2, 1 + 2**16, 2 + 2**31])


def chained(*names):
    tables = np.empty(HEADS, np.int32), np.empty(names[1].size - 1, np.int32), np.empty(BEGINS, np.uint8)
    chain_names(*names, *tables)
    return *names, *tables


@given(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8))
@settings(deadline=None)
def test_gather(data, ends):
    pieces = [data[min(pair) : max(pair)] for pair in ends]
    starts = np.array([min(*pair, len(data)) for pair in ends], np.int64)
    out = np.zeros(sum(map(len, pieces)), np.uint8)
    gather(np.frombuffer(bytearray(data), np.uint8), starts, np.cumsum([0, *map(len, pieces)]), out)
    assert out.tobytes() == b"".join(pieces)


@given(st.lists(st.one_of(HASHES, st.integers(0, 2**32 - 1)), max_size=50))
@settings(deadline=None)
def test_dictionary(values):
    codes, distinct = np.zeros(len(values), np.int32), np.zeros(len(values), np.uint32)
    places = np.full(1 << max(1, (2 * len(values)).bit_length()), -1, np.int32)
    count = dictionary(np.array(values, np.uint32), places, codes, distinct)
    assert distinct[:count].tolist() == list(dict.fromkeys(values))
    assert [distinct[code] for code in codes] == values


@given(
    st.lists(st.lists(st.tuples(HASHES, st.sampled_from([0, CAPITAL, 0xFF])), max_size=12), max_size=4),
    st.lists(st.tuples(st.lists(HASHES, min_size=1, max_size=3), st.booleans()), max_size=5),
)
@settings(deadline=None, max_examples=200)
def test_names_are_found_wherever_they_stand(texts, names):
    found = find_names(
        np.array([token for text in texts for token, _ in text], np.uint32),
        np.array([flag for text in texts for _, flag in text], np.uint8),
        np.cumsum([0, *map(len, texts)]),
        *chained(
            np.array([token for name, _ in names for token in name], np.uint32),
            np.cumsum([0, *(len(name) for name, _ in names)]),
            np.array([capital for _, capital in names], np.bool_),
        ),
    )
    assert found.tolist() == [
        [number, place]
        for number, text in enumerate(texts)
        for place in range(len(text))
        if any(
            [token for token, _ in text[place : place + len(name)]] == name
            and (not capital or text[place][1] & CAPITAL)
            for name, capital in names
        )
    ]


@given(
    st.lists(
        st.lists(st.tuples(HASHES, st.sampled_from([0, CAPITAL, 0xFF])), max_size=9), min_size=1, max_size=4
    ),
    st.lists(
        st.lists(st.lists(st.tuples(HASHES, st.sampled_from([0, CAPITAL])), max_size=3), max_size=3),
        min_size=1,
        max_size=3,
    ),
    st.data(),
)
@settings(deadline=None, max_examples=200)
def test_texts_hold_the_names_that_stand_in_them(texts, groups, data):
    numbers = st.tuples(st.integers(0, len(texts) - 1), st.integers(0, len(groups) - 1))
    asked = np.array(data.draw(st.lists(numbers, max_size=5)), np.int64).reshape(-1, 2)
    names = [name for group in groups for name in group]
    out = np.zeros(len(asked), np.bool_)
    hold_names(
        np.array([token for text in texts for token, _ in text], np.uint32),
        np.array([flag for text in texts for _, flag in text], np.uint8),
        np.cumsum([0, *map(len, texts)]),
        asked[:, 0].astype(np.int32),
        np.array([token for name in names for token, _ in name], np.uint32),
        np.array([capital for name in names for _, capital in name], np.uint8),
        np.cumsum([0, *map(len, names)]),
        np.cumsum([0, *map(len, groups)]),
        asked[:, 1].copy(),
        out,
    )
    assert out.tolist() == [
        any(
            name
            and len(texts[text][place:]) >= len(name)
            and all(
                word == token and (not capital or flag & CAPITAL)
                for (word, capital), (token, flag) in zip(name, texts[text][place:], strict=False)
            )
            for name in groups[group]
            for place in range(len(texts[text]))
        )
        for text, group in asked.tolist()
    ]


def test_there_is_room_for_many_names():
    hashes = np.ones(1000, np.uint32)
    name = np.ones(1, np.uint32), np.array([0, 1]), np.zeros(1, np.bool_)
    found = find_names(hashes, np.zeros(1000, np.uint8), np.array([0, 1000]), *chained(*name))
    assert found.tolist() == [[0, place] for place in range(1000)]
