import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from dedup.report.model import Inputs, Problem
from dedup.report.terminal import plain_text, render, render_comparison

HOSTILE = "\x1b]0;own\x07\x1b[31m[red]x[/red] \u202eevil\u2066 :smile: [link=http://e]y[/link] \x9b1m\r\nnext"


def shown(content, width=100, **options):
    text = io.StringIO()
    options = {"color_system": None, "force_terminal": False} | options
    console = Console(file=text, width=width, legacy_windows=False, _environ={}, **options)
    (render_comparison if hasattr(content, "relation") else render)(content, console)
    return text.getvalue()


def flat(text):
    return " ".join(text.split())


def test_overview(example):
    text = flat(shown(example.report()))
    assert "4 read, 1 skipped, 1 failed" in text
    assert "4, 1 of them too short to judge" in text
    assert "Reuters (1)" in text


def test_family_has_origin_evidence_members_and_words(example):
    text = flat(shown(example.report()))
    assert "likely origin: a (confidence 0.75)" in text
    assert "credit: Reuters “(Reuters)”, a [138–147]" in text
    assert "b · edited copy · 50% of it is this copy · has 62% of the origin · not credited" in text
    assert "b.example · 2023-11-17 09:10 UTC · “Title of b”" in text
    assert "a [0–91] The two [-leaders-] met" in text
    assert "b [0–97] The two {+presidents+} met" in text


def test_composition_quotations_boilerplate_and_problems(example):
    text = flat(shown(example.report()))
    assert "b: 50% copy of a, 25% quotations, as in a, 12% boilerplate, 12% own" in text
    assert "a and c" in text.partition("Only quotations")[2]
    assert "b [187–214] “Sign up for our newsletter.”" in text
    assert "failed: in/news.jsonl:5: not JSON" in text


@pytest.mark.parametrize("width", [30, 60, 79, 80, 200])
def test_widths(example, width):
    for content in (example.report(), example.comparison()):
        lines = shown(content, width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not any(line != line.rstrip() for line in lines)


def test_long_words_and_wide_characters_fold(example):
    texts = example.TEXTS | {"a": "東京" * 300, "b": "東京" * 299 + "大阪"}
    rows = [
        {
            "left": "a", "right": "b", "left_start": 0, "left_end": 600, "right_start": 0, "right_end": 600,
            "matched_tokens": 598, "similarity": 0.99, "kind": "copy",
        }
    ]  # fmt: skip
    text = shown(example.report(passages=rows, texts=texts), 60)
    assert max(map(cell_len, text.splitlines())) <= 60
    assert "[-東京-]" in flat(text).replace(" ", "")


def test_plain_has_no_escape_codes_and_a_terminal_has_colours_not_marks(example):
    plain = shown(example.report())
    coloured = shown(example.report(), color_system="standard", force_terminal=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31mleaders" in coloured
    assert "[-" not in coloured


def test_without_colour_differences_are_marked(example):
    text = shown(example.report(), color_system="standard", force_terminal=True, no_color=True)
    assert "[-leaders-]" in re.sub(r"\x1b\[\d*m", "", text)
    assert "\x1b[31m" not in text


def test_hostile_text_is_shown_and_does_nothing(example):
    rows = example.articles()
    rows[0] |= {"title": HOSTILE, "outlet": HOSTILE}
    families = example.families()
    families[0] |= {"agency": HOSTILE}
    families[0]["evidence"][0] |= {"value": HOSTILE, "text": HOSTILE}
    texts = example.TEXTS | {"a": HOSTILE * 3}
    inputs = Inputs(1, [Problem("failed", HOSTILE, HOSTILE, 3)])
    hostile = example.report(articles=rows, families=families, texts=texts, inputs=inputs)
    article = example.Article(id=HOSTILE, text=example.TEXTS["a"], title=HOSTILE)
    for content in (hostile, example.comparison(left=article)):
        text = shown(content)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", text)
        assert "\\x1b" in text
        assert "[red]x[/red]" in flat(text)
        assert ":smile:" in text


def test_long_passages_are_shown_from_the_first_difference(example):
    words = [f"word{number}" for number in range(400)]
    left, right = " ".join(words), " ".join([*words[:200], "changed", *words[201:]])
    rows = [
        {
            "left": "a", "right": "b", "left_start": 0, "left_end": len(left), "right_start": 0,
            "right_end": len(right), "matched_tokens": 399, "similarity": 0.99, "kind": "copy",
        }
    ]  # fmt: skip
    text = flat(shown(example.report(passages=rows, texts=example.TEXTS | {"a": left, "b": right})))
    assert re.search(r"a \[0–\d+\] …word\d+ .*\[-word200-\] .*…", text)
    assert re.search(r"b \[0–\d+\] …word\d+ .*\{\+changed\+\} .*…", text)
    assert len(text) < 3000


def test_warnings_are_counted_and_listed(example):
    inputs = Inputs(4, [Problem("warning", "the date was guessed", "x.txt")])
    text = flat(shown(example.report(inputs=inputs)))
    assert "0 failed, 1 warning" in text
    assert "warning: x.txt: the date was guessed" in text


def test_limit(example):
    families = [
        example.families()[0] | {"family": f"f{number}", "size": 2 + (number == 7)} for number in range(9)
    ]
    inputs = Inputs(1, [Problem("failed", f"no {number}", "x") for number in range(9)])
    report = example.report(families=families, inputs=inputs)
    text = io.StringIO()
    render(report, Console(file=text, width=80), 2)
    assert [line[:9] for line in text.getvalue().splitlines() if line.startswith("Family ")] == [
        "Family f7",
        "Family f0",
    ]
    assert "… and 7 more families" in text.getvalue()
    assert "… and 7 more (a .json report lists them all)" in text.getvalue()
    assert plain_text(report).count("Family ") == 9
    assert "no 8" in plain_text(report)


def test_nothing_found(example):
    rows = [example.article("a"), example.article("b")]
    report = example.report(articles=rows, passages=[], pairs=[], families=[], inputs=Inputs(2))
    assert "No copy was found" in shown(report)


def test_figures_and_texts_may_be_missing(example):
    rows = example.articles()
    rows[0] |= {"published": None, "outlet": None, "title": None}
    families = example.families()
    families[0] |= {"confidence": None, "evidence": None, "agency": None}
    families[0]["members"][1] |= {"origin_share": None, "credited": None}
    text = flat(shown(example.report(articles=rows, families=families, texts={})))
    assert "credit unknown" in text
    assert "a [0–91]" in text


def test_comparison(example):
    text = shown(example.comparison())
    assert text.startswith("Edited copy\n")
    assert "a · 62% of it is in right" in flat(text)
    assert "resemblance 0.375 (exact)" in text
    assert "quotation, not counted as copying" in text
    assert re.search(r"\[0–91\] +│ \[0–97\]", text)
    assert re.search(r"\[-leaders-\].* │ .*\{\+presidents\+\}", text)


def test_comparison_is_stacked_when_narrow(example):
    text = shown(example.comparison(), 60)
    assert "│" not in text
    assert "left [0–91] The two [-leaders-]" in text


def test_comparison_dims_what_is_not_copying(example):
    text = shown(example.comparison(), color_system="standard", force_terminal=True)
    assert re.search(r"\x1b\[2m[^\x1b]*common interests", text)


def test_nothing_in_common(example):
    assert "No passage" in shown(example.comparison(passages=(), relation="unrelated"))
