import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.agencies import credits, mentions, names
from dedup.tokens import tokenise

BODY = "\n\n".join(f"Paragraph {n} of a story that goes on and on about the harbour." for n in range(20))


def mentioned(text):
    return mentions(tokenise(pa.array([text], pa.large_string()))).get(0, [])


def found(text):
    assert credits(text, mentioned(text)) == credits(text)
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
def test_credits_are_the_same_where_mentions_are_known(text):
    assert credits(text, mentioned(text)) == credits(text)


LINES = ["", "", " ", "harbour", "Reuters", "(AP)", " – AFP ", "PARIS (AFP) - Open.", "x" * 238 + " – AFP"]


@given(st.lists(st.sampled_from(LINES), max_size=24).map("\n".join))
@settings(deadline=None, max_examples=200)
def test_lines_with_credits_are_the_same_where_mentions_are_known(text):
    assert credits(text, mentioned(text)) == credits(text)


@pytest.mark.parametrize("line", ["ANKARA (AFP'nin haberi) - Liman kapandı.", "(Reuters’tan)"])
def test_names_with_endings_behind_an_apostrophe(line):
    text = f"{line}\n\n{BODY}"
    assert len(credits(text)) == 1
    assert credits(text, mentioned(text)) == credits(text)


@pytest.mark.parametrize("alias", sorted(names()))
def test_every_alias_is_a_mention(alias):
    for text in (f"({alias})", f"{BODY} {alias}'s harbour", f"{BODY}\n\n({alias})", f"{alias} - {BODY}"):
        assert text.index(alias) in mentioned(text)
        assert credits(text, mentioned(text)) == credits(text)


def test_mentions_are_told_by_text():
    texts = ["Nobody.", "é AP and Reuters", "", "Reuters"]
    assert mentions(tokenise(pa.array(texts, pa.large_string()))) == {1: [2, 9], 3: [0]}


@pytest.mark.parametrize("end", ["\n", " "])
def test_many_mentions_cost_no_more_than_the_text(end):
    text = f"Reuters said on Monday that ships wait.{end}" * 50_000
    begun = time.perf_counter()
    assert credits(text, mentioned(text)) == []
    assert time.perf_counter() - begun < 5
