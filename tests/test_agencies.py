import re
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import agencies
from dedup.agencies import Credit, credit_rows, credits, mentions, names
from dedup.kernels.lines import HEAD, TAIL, lines_with
from dedup.tokens import tokenise

BODY = "\n\n".join(f"Paragraph {n} of a story that goes on and on about the harbour." for n in range(20))


def mentioned(text):
    return mentions(tokenise(pa.array([text], pa.large_string())))[1].tolist()


def slow_lines(text):
    """Place, words and where they stand of the lines at both ends that are not blank, in order."""
    spans, at = [], 0
    for line in text.split("\n"):
        if line and not line.isspace():
            spans.append((at, at + len(line)))
        at += len(line) + 1
    where = {(start, min(stop, start + 240)): HEAD for start, stop in spans[:4]}
    for start, stop in spans[-12:]:
        span = max(start, stop - 240), stop
        where[span] = where.get(span, 0) | TAIL
    for (start, stop), sides in sorted(where.items()):
        yield start, text[start:stop].rstrip(), sides


def pattern():
    """Every alias, the longest first, as a word of its own where its script has spaces."""
    unspaced, spaced = [], []
    for name in sorted(names(), key=lambda name: (-len(name), name)):
        (unspaced if re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", name) else spaced).append(re.escape(name))
    ended = rf"['’](?!(?:{'|'.join(agencies._ENDINGS)})(?![^\W_]))[^\W_]"
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(spaced)})(?!{ended}|[^\W_])|{'|'.join(unspaced)}")


PATTERN = pattern()


def slow_credits(text):
    """The same as `credits`, by looking for every name in every line."""
    out = []
    for start, line, sides in slow_lines(text):
        named = [(*match.span(), names()[match[0]]) for match in PATTERN.finditer(line)]
        assert agencies._named(line, range(len(line))) == named
        places = [place for place, _, _ in named]
        for kind, agency, first, stop in agencies._credits(line, places, sides):
            out.append(Credit(kind, agency, start + first, start + stop))
    return out


def found(text):
    assert credits(text) == slow_credits(text)
    return [(credit.kind, credit.agency, text[credit.start : credit.end]) for credit in credits(text)]


@pytest.mark.parametrize(
    ("line", "kind", "agency"),
    [
        ("LONDON (Reuters) - The harbour was closed.", "dateline", "Reuters"),
        ("PARIS, Nov 3 (AFP) — The harbour was closed.", "dateline", "AFP"),
        ("BERLIN (dpa) - Der Hafen war zu.", "dateline", "dpa"),
        ("【法新社巴黎三日电】港口关闭。", "dateline", "AFP"),
        ("(共同) 港は閉鎖された。", "dateline", "Kyodo"),
        ("By The Associated Press", "byline", "AP"),
        ("Von Deutsche Presse-Agentur", "byline", "dpa"),
    ],
)
def test_credits_in_the_head(line, kind, agency):
    assert [item[:2] for item in found(f"{line}\n\n{BODY}")] == [(kind, agency)]


@pytest.mark.parametrize(
    ("line", "agencies"),
    [
        ("The harbour is open again. (Reuters)", ["Reuters"]),
        ("The harbour is open again. – Reuters", ["Reuters"]),
        ("AP, Reuters", ["AP", "Reuters"]),
        ("Source: AFP", ["AFP"]),
        ("With material from dpa and AFP", ["AFP", "dpa"]),
        ("(来源：新华社)", ["Xinhua"]),
    ],
)
def test_credits_in_the_tail(line, agencies):
    items = found(f"{BODY}\n\n{line}")
    assert [item[1] for item in items] == agencies
    assert {item[0] for item in items} == {"credit"}


@pytest.mark.parametrize(
    "line",
    [
        "The minister told Reuters that the harbour was closed.",
        "Xinhua reported that the harbour was closed for days.",
        "The AP test is hard, and APs are dear.",
        "Reutersberg is a hill.",
    ],
)
def test_what_is_said_within_a_story_is_no_credit(line):
    assert found(f"{BODY}\n\n{line}\n\n{BODY}") == []


def test_pictures_are_told_apart():
    assert found(f"{BODY}\n\nPhoto: Jo Doe/AFP")[0][:2] == ("picture", "AFP")


def test_places_are_characters():
    text = f"𝐀é {BODY}\n\n😀 Open again. (Reuters)"
    (credit,) = credits(text)
    assert text[credit.start : credit.end] == "(Reuters)"


def test_a_long_text_without_lines_takes_no_time():
    assert credits("(Reuters " * 500_000) is not None


def test_every_alias_is_unique_and_trimmed():
    assert all(alias == alias.strip() and alias for alias in names())
    assert names()["法新社"] == "AFP"


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "Reuters",
                "AP",
                "AFP",
                "The Associated Press",
                "新华社",
                "共同",
                "dpa",
                "dpa's ",
                "AP’s ",
                "apa",
            ),
            *(
                "(",
                ")",
                "【",
                "】",
                "—",
                "-",
                ", ",
                "/",
                "\n",
                "\n\n",
                " ",
                " ",
                ".",
                "。",
                "By ",
                "Source: ",
            ),
            *(
                "Photo ",
                "PARIS",
                "x",
                "7",
                "é",
                "电",
                "reuters",
                "The",
                "Press",
                "and ",
                "“",
                "”",
                "harbour ",
            ),
        ]
    ),
    max_size=25,
).map("".join)


@given(PIECES)
@settings(deadline=None, max_examples=400)
def test_credits_are_found_where_they_stand(text):
    assert credits(text) == slow_credits(text)


LINES = [
    *("", "", " ", "harbour", "Reuters", "(AP)", " – AFP ", "PARIS (AFP) - Open.", "x" * 238 + " – AFP"),
    *(
        "\u2003",
        "\xa0\u3000",
        "\u200b",
        "\x85\x1f",
        "é" * 230 + " – AFP " + "港" * 3,
        "é" * 250 + "(AFP)",
        "\u2060",
    ),
]


@given(st.lists(st.sampled_from(LINES), max_size=24).map("\n".join))
@settings(deadline=None, max_examples=200)
def test_credits_are_found_in_the_lines_at_either_end(text):
    assert credits(text) == slow_credits(text)


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=9).map("\n".join), max_size=4))
@settings(deadline=None, max_examples=100)
def test_texts_have_the_same_credits_side_by_side(many):
    texts = pa.array(["(AP)", *many], pa.large_string())[1:]
    rows = credit_rows(texts, tokenise(texts)).to_pylist()
    told = [(number, found, text) for number, text in enumerate(many) for found in credits(text)]
    assert [(row["article"], row["kind"], row["start"], row["words"]) for row in rows] == [
        (number, found.kind, found.start, text[found.start : found.end]) for number, found, text in told
    ]


def test_every_white_space_character_is_blank():
    for code in set(range(0x3100)) - {ord("\n")}:
        data = np.frombuffer(f"{chr(code)}\nAP\n".encode(), np.uint8)
        none = np.zeros(1, np.int32)
        found = lines_with(data, np.array([0, data.size]), none, none + np.int32(2), 1, 1, 9)
        assert found[0, 4] == (HEAD | TAIL if chr(code).isspace() else TAIL), code


@pytest.mark.parametrize("line", ["ANKARA (AFP'nin haberi) - Liman kapandı.", "(Reuters’tan)"])
def test_names_with_endings_behind_an_apostrophe(line):
    text = f"{line}\n\n{BODY}"
    assert len(found(text)) == 1


@pytest.mark.parametrize("alias", sorted(names()))
def test_every_alias_is_a_mention(alias):
    for text in (f"({alias})", f"{BODY} {alias}'s harbour", f"{BODY}\n\n({alias})", f"{alias} - {BODY}"):
        assert text.index(alias) in mentioned(text)
        assert credits(text) == slow_credits(text)


def test_mentions_are_told_by_text():
    texts = ["Nobody.", "é AP and Reuters", "", "Reuters"]
    numbers, places = mentions(tokenise(pa.array(texts, pa.large_string())))
    assert list(zip(numbers.tolist(), places.tolist(), strict=True)) == [(1, 2), (1, 9), (3, 0)]


@pytest.mark.parametrize("end", ["\n", " "])
def test_many_mentions_cost_no_more_than_the_text(end):
    text = f"Reuters said on Monday that ships wait.{end}" * 50_000
    begun = time.perf_counter()
    assert credits(text) == []
    assert time.perf_counter() - begun < 5
