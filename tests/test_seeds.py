"""What the sample articles must show."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import dedup

SEEDS = Path(__file__).parents[1] / "seeds"
IDS = sorted(path.name for path in SEEDS.iterdir())
TEXTS = {id: (SEEDS / id).read_text("utf-8") for id in IDS}
A, B, C, D, E = IDS


@pytest.fixture(scope="module", params=["local", "spark"])
def report(request):
    if request.param == "spark":
        request.getfixturevalue("spark")
    return dedup.scan(SEEDS, engine=request.param)


def passages(report, left, right, kind="copy"):
    return [
        row
        for row in report.passages.to_pylist()
        if (row["left"], row["right"], row["kind"]) == (left, right, kind)
    ]


def pair(report, left, right):
    return next(row for row in report.pairs.to_pylist() if (row["left"], row["right"]) == (left, right))


def article(report, id):
    return next(row for row in report.articles.to_pylist() if row["id"] == id)


def test_one_family_names_both_versions_and_their_agency(report):
    family = next(
        row
        for row in report.families.to_pylist()
        if {A, B} <= {member["article"] for member in row["members"]}
    )
    assert family["agency"] == "Reuters"
    credit = next(piece for piece in family["evidence"] if piece["article"] == B)
    assert credit["value"] == "Reuters"
    assert TEXTS[B][credit["start"] : credit["end"]] == credit["text"]
    assert "Reuters" in credit["text"]


def test_the_copy_covers_most_of_one_version_and_the_first_story_of_the_other(report):
    found = passages(report, A, B)
    covered = {at for row in found for at in range(row["right_start"], row["right_end"])}
    words = [word.start() for word in re.finditer(r"\w+", TEXTS[B])]
    assert sum(word in covered for word in words) >= 0.55 * len(words)
    second_story = TEXTS[A].index("Japan, China agree on a constructive relationship")
    assert all(row["left_end"] <= second_story for row in found)


def test_the_second_story_is_the_articles_own(report):
    second_story = TEXTS[A].index("Japan, China agree on a constructive relationship")
    own = sum(
        part["end"] - max(part["start"], second_story)
        for part in article(report, A)["composition"]
        if part["kind"] in {"own", "quotation"} and part["end"] > second_story
    )
    assert own >= 0.9 * (len(TEXTS[A]) - second_story)


@pytest.mark.parametrize("other", [A, B])
def test_a_rewrite_is_partial_reuse(report, other):
    assert pair(report, other, C)["relation"] == "partial reuse"
    statement = TEXTS[C].index("In a joint statement issued in 2008")
    assert any(row["right_start"] <= statement < row["right_end"] for row in passages(report, other, C))


def test_two_reports_with_shared_passages_and_quotations(report):
    assert pair(report, D, E)["relation"] == "partial reuse"
    copies = passages(report, D, E)
    for words in (
        "treated radioactive water from the Fukushima power plant",
        "summit meeting in a year was held",
    ):
        at = TEXTS[D].index(words)
        assert any(row["left_start"] <= at < row["left_end"] for row in copies)
    assert passages(report, D, E, "quotation")


def test_credits_and_navigation(report):
    assert article(report, E)["agencies"] == ["AP", "Reuters"]
    for id, words in ((E, "Skip next section"), (E, "Skip to content"), (C, "Our readers are reading too")):
        at = TEXTS[id].index(words)
        part = next(part for part in article(report, id)["composition"] if part["start"] <= at < part["end"])
        assert part["kind"] == "boilerplate"


def test_stock_phrases_make_nobody_a_copy(report):
    assert pair(report, A, E)["relation"] == "quotations only"
    phrase = "on the sidelines of the Asia-Pacific Economic Cooperation summit"
    texts = [f"The minister met farmers {phrase} and spoke of wheat prices and rain in the north."]
    texts += [f"A new airport opened {phrase} with flights to seven cities across two oceans daily."]
    alone = dedup.scan([{"id": str(number), "text": text} for number, text in enumerate(texts)])
    assert alone.families.num_rows == 0


def test_offsets_cut_at_word_boundaries(report):
    assert report.passages.num_rows
    for row in report.passages.to_pylist():
        for side in ("left", "right"):
            text, start, end = TEXTS[row[side]], row[f"{side}_start"], row[f"{side}_end"]
            assert text[start].isalnum()
            assert text[end - 1].isalnum()
            assert start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
            assert end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())


def test_compositions_are_whole(report):
    for row in report.articles.to_pylist():
        parts = row["composition"]
        assert sum(part["share"] for part in parts) == pytest.approx(1)
        assert all(one["end"] <= two["start"] for one, two in pairwise(parts))
