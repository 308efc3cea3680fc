"""What is kept of a text stands for it in every way, and is refused where it cannot."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import InputError
from dedup.schema import SKETCH
from dedup.sketch import check, packed, sketches_of, tokens_of, version
from dedup.tokens import tokenise
from dedup.weigh import mark_navigation

PIECES = st.sampled_from(
    ["a", "The Star", "Zürich", "新華社", "U.S. 1,5", "“so”", "x" * 300, " " * 300, "\n\n", ". ", " ",
     "LONDON (Reuters) - ", "Read more", "(AP)", "Share this article", "𝐀"]
)  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=8).map("".join), max_size=6)


def sizes(texts):
    return np.array([len(text.encode()) for text in texts], np.int64)


def strings(texts):
    return pa.array(texts, pa.large_string())


def kept(texts):
    return packed(sketches_of(strings(texts)), sizes(texts))


def same(found, expected):
    for name in ("hashes", "starts", "ends", "flags", "offsets"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype, name
        assert one.tolist() == other.tolist(), name


@given(TEXTS, st.data())
@settings(deadline=None)
def test_what_is_kept_is_as_from_the_text(texts, data):
    there = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))), np.bool_)
    expected = sketches_of(strings(texts))
    whole = kept(texts)
    check(whole)
    assert whole.schema.equals(SKETCH)
    some = whole.take(pa.array(np.arange(len(texts)), pa.int64(), mask=~there))
    left = strings(["" if known else text for text, known in zip(texts, there.tolist(), strict=True)])
    found = sketches_of(left, some)
    same(found.tokens, expected.tokens)
    same(tokens_of(left, some), expected.tokens)
    assert found.characters.tolist() == [len(text) for text in texts]
    assert found.credits.equals(expected.credits)
    assert packed(found, sizes(texts)).equals(whole)
    middle = len(texts) // 2
    same(tokens_of(left[middle:], some[middle:]), tokens_of(strings(texts[middle:])))


@given(TEXTS)
@settings(deadline=None)
def test_a_sketch_is_what_the_stages_make(texts):
    found = sketches_of(strings(texts))
    tokens = tokenise(strings(texts))
    mark_navigation(tokens)
    same(found.tokens, tokens)
    each = [sketches_of(strings([text])).credits.to_pylist() for text in texts]
    assert found.credits.to_pylist() == [
        credit | {"article": number} for number, credits in enumerate(each) for credit in credits
    ]


def test_credits_come_in_the_order_of_texts():
    texts = ["LONDON (Reuters) - One.", "Two.", "PARIS (AFP) - Three.", "ROME (AP) - Four."]
    whole = kept(texts)
    some = whole.take(pa.array([None, 1, 2, None], pa.int64()))
    found = sketches_of(strings([texts[0], "", "", texts[3]]), some)
    assert found.credits["article"].to_pylist() == [0, 2, 3]
    assert found.credits["words"].to_pylist() == ["(Reuters)", "(AFP)", "(AP)"]


def changed(**columns):
    """The sketches of two texts, some columns as given."""
    whole = kept(["LONDON (Reuters) - One, two, three.", "Four " + " " * 300 + "five."])
    for name, values in columns.items():
        field = whole.schema.field(name)
        own = values(whole[name].to_pylist()) if callable(values) else values
        whole = whole.set_column(whole.schema.get_field_index(name), field, pa.array(own, field.type))
    return whole


def credit(**values):
    return [[{"kind": "dateline", "agency": "Reuters", "start": 0, "end": 5, "words": "x"} | values], []]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"hashes": lambda all_: [all_[0], None]}, "hashes is missing"),
        ({"credits": [None, []]}, "credits is missing"),
        ({"characters": [35, None]}, "characters is missing"),
        ({"hashes": lambda all_: [all_[0][:-1], all_[1]]}, "do not agree"),
        ({"hashes": lambda all_: [all_[0][:-4], all_[1]]}, "do not agree"),
        ({"flags": lambda all_: [all_[0] + b"\0", all_[1]]}, "do not agree"),
        ({"flags": lambda all_: all_[::-1]}, "do not agree"),
        ({"places": lambda all_: [all_[0][:-2], all_[1]]}, "do not agree"),
        ({"places": lambda all_: [all_[0], all_[1][:-8]]}, "do not agree"),
        ({"places": [b"", b""]}, "do not agree"),
        ({"flags": lambda all_: [b"\xff" * len(all_[0]), all_[1]]}, "a flag within"),
        ({"characters": [2**62, 5]}, "more characters"),
        ({"characters": [-1, 5]}, "more characters"),
        ({"bytes": [2**40, 400], "characters": [2**40, 400]}, "more characters"),
        ({"characters": [20, 310]}, "outside its text"),
        ({"places": lambda all_: [b"\xff" * len(all_[0]), all_[1]]}, "outside its text"),
        ({"places": lambda all_: [all_[0], b"\xff" * len(all_[1])]}, "outside its text"),
        ({"places": lambda all_: [all_[0], all_[1][8:] + all_[1][:8]]}, "outside its text"),
        ({"credits": credit(agency="Nobody")}, "a credit within"),
        ({"credits": credit(kind="declared")}, "a credit within"),
        ({"credits": credit(start=-1)}, "a credit within"),
        ({"credits": credit(end=2**31 - 1)}, "a credit within"),
        ({"credits": credit(start=7)}, "a credit within"),
        ({"credits": credit(words=None)}, "a part of a credit"),
        ({"credits": [[None], []]}, "a part of a credit"),
    ],
)
def test_what_does_not_agree_is_refused(columns, message):
    check(changed())
    check(changed(credits=credit()))
    with pytest.raises(InputError, match=message):
        check(changed(**columns))


def test_another_sketch_has_another_version():
    """Where this fails, a text has another sketch than before: raise `sketch._RULES`, if no table is new."""
    texts = [
        "LONDON (Reuters) - “One”, two, U.S. three’s 1,000.50.\n\nFour “five\nsix”\n(Reporting by AFP)",
        "Read more\n\n新華社北京電 東京。ｶﾞラ\n\nShare this article\nstraße ﬁne İstanbul’da",
        "a" + " " * 400 + 'b\r\n\r\nDr. Who said: "no." Nov. 5',
    ]
    whole = kept(texts)
    data = (
        b"".join(value for name in ("hashes", "flags", "places") for value in whole[name].to_pylist())
        + repr(whole.select(["characters", "credits"]).to_pylist()).encode()
    )
    assert (version().partition("-")[0], xxhash.xxh3_64_hexdigest(data)) == (
        "2",
        "a15454b41e8c02fb",
    )
