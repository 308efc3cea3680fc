"""Where tokens stand is told from two bytes a token just as from the text."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.kernels.places import unpack_all, within
from dedup.places import Places, pack, spread
from dedup.scratch import Scratch
from dedup.tokens import tokenise

WORDS = st.sampled_from(["a", "of", "Zürich", "x" * 255, "x" * 256, "x" * 300, "新華", "U.S."])
GAPS = st.sampled_from([" ", "  ", "\n\n", ". ", " " * 254, " " * 255, " " * 256, "-" * 70_000])
TEXT = st.lists(st.tuples(WORDS, GAPS), max_size=9).map(lambda parts: "".join(sum(parts, ())))


@given(st.lists(TEXT, min_size=1, max_size=6), st.data(), st.integers(1, 3), st.sampled_from([0, 10**9]))
@settings(deadline=None)
def test_spans_stand_where_they_stand(texts, data, at_once, memory):
    tokens = tokenise(pa.array(texts, pa.large_string()))
    spans = [
        (number, first, stop)
        for number in range(len(texts))
        for first in range(tokens.lengths[number])
        for stop in range(first + 1, tokens.lengths[number] + 1)
    ]
    wanted = data.draw(st.lists(st.lists(st.sampled_from(spans), max_size=8), max_size=3)) if spans else [[]]
    batches = [(first, min(first + at_once, len(texts))) for first in range(0, len(texts), at_once)]
    with Scratch(memory) as scratch:
        packed, odd = pack(tokens)
        spool = scratch.spool(np.uint16)
        spool.append(packed)
        wide = scratch.spool(np.int32)
        wide.append(spread(tokens, odd))
        places = Places(spool, tokens.offsets, odd, wide)
        columns = [tuple(np.array([row[at] for row in some], np.int32) for at in range(3)) for some in wanted]
        found = places.spans(columns, batches, 2)
    for some, (starts, ends) in zip(wanted, found, strict=True):
        expected = [
            (tokens.starts[tokens.offsets[n] + first], tokens.ends[tokens.offsets[n] + stop - 1])
            for n, first, stop in some
        ]
        assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == expected


def test_only_far_or_long_tokens_are_odd():
    texts = ["a" + " " * 255 + "b", "a" + " " * 256 + "b", "x" * 255, "x" * 256, " " * 256 + "a", ""]
    _, odd = pack(tokenise(pa.array(texts, pa.large_string())))
    assert odd.tolist() == [False, True, False, True, True, False]


@given(st.lists(TEXT, min_size=1, max_size=6))
@settings(deadline=None)
def test_all_places_are_unpacked(texts):
    tokens = tokenise(pa.array(texts, pa.large_string()))
    packed, odd = pack(tokens)
    wide, at = spread(tokens, odd), 0
    own = []
    for text, (first, stop) in enumerate(pairwise(tokens.offsets.tolist())):
        if odd[text]:
            own.append(wide[at : at + 2 * (stop - first)].tobytes())
            at += 2 * (stop - first)
        else:
            own.append(packed[first:stop].tobytes())
    assert at == wide.size
    starts, ends = np.empty((2, tokens.starts.size), np.int32)
    places, bounds = np.frombuffer(b"".join(own), np.uint8).copy(), np.cumsum([0, *map(len, own)])
    unpack_all(places, bounds, odd, tokens.offsets, starts, ends)
    assert starts.tolist() == tokens.starts.tolist()
    assert ends.tolist() == tokens.ends.tolist()


SPANS = st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9)), max_size=3)


@given(st.lists(st.tuples(SPANS, st.integers(0, 9)), max_size=3))
@settings(deadline=None)
def test_tokens_stand_in_order_within_their_texts(texts):
    starts, ends = np.array([span for spans, _ in texts for span in spans], np.int32).reshape(-1, 2).T
    offsets = np.cumsum([0, *(len(spans) for spans, _ in texts)])
    characters = np.array([count for _, count in texts], np.int64)
    edges = [[0, *(place for span in spans for place in span), count] for spans, count in texts]
    expected = all(one <= other for some in edges for one, other in pairwise(some))
    assert within(starts.copy(), ends.copy(), offsets, characters) == expected
