"""Two articles side by side: each passage they share, with the words that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from dedup.report.encode import iso_time
from dedup.report.quotes import clip, count, percent, place, quote, say, say_beside, two_sides, wants_marks
from dedup.report.visible import encodable
from dedup.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from dedup.article import Article
    from dedup.comparison import Comparison
    from dedup.explanation import Step
    from dedup.settings import Settings

_BESIDE = 80  # columns from which two texts stand side by side
_EXAMPLE = 100  # characters of the words behind a step
_MEANING = {
    "copy": "copy",
    "quotation": "quotation, not counted as copying",
    "boilerplate": "boilerplate, not counted as copying",
    "template": "template, the same form with other figures",
    "phrase": "common phrase, not counted as copying",
}


def render_comparison(comparison: Comparison, console: Console) -> None:
    """Print what two articles share; side by side from 80 columns on, otherwise one below the other."""
    left, right = comparison.left, comparison.right
    say(console, (comparison.relation.capitalize(), "bold"))
    for name, article, share in (
        ("left", left, comparison.left_containment),
        ("right", right, comparison.right_containment),
    ):
        other = "right" if name == "left" else "left"
        say(
            console,
            f"{name:<6}",
            (clip(article.id, 200), "bold"),
            f" · {percent(share)} of it is in {other}",
            indent=2,
        )
        if article.title:
            say(console, (f"“{clip(article.title, 200)}”", "dim"), indent=8)
    say(console, f"resemblance {comparison.resemblance:.3f} (exact)", indent=2)
    for passage in comparison.passages:
        console.print()
        _passage(comparison, passage, console)
    if not comparison.passages:
        console.print()
        say(console, "No passage stands in both articles.")
    console.print()
    say(console, ("Offsets count characters of the original texts.", "dim"))


def render_explanation(comparison: Comparison, steps: Sequence[Step], console: Console) -> None:
    """Print what each stage found, kept and dropped, with the words."""
    stage = ""
    for step in steps:
        if step.stage != stage:
            stage = step.stage
            console.print()
            say(console, (stage.capitalize(), "bold"))
        say(
            console,
            (f"{step.outcome:<8}", "dim" if step.outcome in {"dropped", "none"} else ""),
            step.reason,
            indent=2,
            hang=8,
        )
        if step.places:
            a, b, x, y = step.places
            say(console, place(a, b), " ", quote(comparison.left.text, a, b, _EXAMPLE), indent=10)
            say(console, place(x, y), " ", quote(comparison.right.text, x, y, _EXAMPLE), indent=10)


def _passage(comparison: Comparison, passage: Any, console: Console) -> None:
    spans = (passage.left_start, passage.left_end), (passage.right_start, passage.right_end)
    marks = wants_marks(console)
    sides = two_sides(comparison.left.text, comparison.right.text, *spans, marks=marks)
    if passage.kind != "copy":
        for side in sides:
            side.stylize_before("dim")
    say(
        console,
        (_MEANING[passage.kind], "bold" if passage.kind == "copy" else "dim"),
        f" · {count(passage.matched_tokens, 'word')} in common, {percent(passage.similarity)} alike",
    )
    heads = [Text(place(*span), "dim") for span in spans]
    if console.width >= _BESIDE:
        say_beside(console, *heads)
        say_beside(console, *sides)
    else:
        for name, head, side in zip(("left", "right"), heads, sides, strict=True):
            say(console, f"{name} ", head, " ", side, indent=2)


def comparison_object(
    comparison: Comparison, settings: Settings, version: str, steps: Sequence[Step] | None = None
) -> dict[str, Any]:
    """Return the comparison as JSON carries it; offsets rather than words, as in reports."""
    explained = {} if steps is None else {"explanation": [asdict(step) for step in steps]}
    return {
        "record": "comparison",
        "schema_version": SCHEMA_VERSION,
        "version": version,
        "settings": settings.answer(),
        "left": _article(comparison.left),
        "right": _article(comparison.right),
        "left_containment": comparison.left_containment,
        "right_containment": comparison.right_containment,
        "left_overlap": comparison.left_overlap,
        "right_overlap": comparison.right_overlap,
        "resemblance": comparison.resemblance,
        "relation": comparison.relation,
        "passages": [
            {
                "left_start": passage.left_start,
                "left_end": passage.left_end,
                "right_start": passage.right_start,
                "right_end": passage.right_end,
                "matched_tokens": passage.matched_tokens,
                "similarity": passage.similarity,
                "kind": passage.kind,
            }
            for passage in comparison.passages
        ],
        **explained,
    }


def _article(article: Article) -> dict[str, Any]:
    published = article.published
    return {
        "id": encodable(article.id),
        "title": article.title,
        "outlet": article.outlet,
        "url": article.url,
        "published": published if published is None or isinstance(published, str) else iso_time(published),
        "language": article.language,
        "characters": len(article.text),
    }
