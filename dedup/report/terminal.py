"""The report for people, on a terminal or as plain text: every claim with the words it rests on."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from dedup.report.circulation import circulation
from dedup.report.comparison import render_comparison
from dedup.report.encode import rows
from dedup.report.figures import overview
from dedup.report.model import Report
from dedup.report.quotes import QUOTED, clip, count, percent, place, quote, say, two_sides, wants_marks

__all__ = ["plain_text", "render", "render_comparison"]

_MEMBERS = 12  # of a family, and examples of set-aside text, where the report is not to be complete
_PASSAGES = 3  # quoted of each family
_TITLE = 100  # characters
_PARTS = {"copy": "copy of", "quotation": "quotations, as in", "boilerplate": "boilerplate", "own": "own"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Page:
    """Where to write, how, and how much."""

    report: Report
    console: Console
    limit: int | None
    marks: bool

    def rows(self, table: pa.Table, limit: int | None) -> Iterator[Row]:
        return rows(table if self.limit is None or limit is None else table.slice(0, limit))

    def articles(self, ids: Iterable[str]) -> dict[str, Row]:
        wanted = pc.is_in(self.report.articles.column("id"), pa.array(sorted(set(ids)), pa.string()))
        return {row["id"]: row for row in rows(self.report.articles.filter(wanted))}

    def heading(self, text: str) -> None:
        self.console.print()
        say(self.console, (text, "bold"))

    def rest(self, shown: int, total: int, what: str, indent: int = 0) -> None:
        if shown < total:
            say(self.console, (f"… and {total - shown:,} more {what}", "dim"), indent=indent)


def render(report: Report, console: Console, limit: int | None = 20) -> None:
    """Print the report; `limit` caps the families, the examples and the problems shown (None: all)."""
    page = _Page(report, console, limit, wants_marks(console))
    _overview(page)
    _families(page)
    _compositions(page)
    _quotations(page)
    _set_aside(page)
    _problems(page)
    _ending(page)


def plain_text(report: Report, limit: int | None = None) -> str:
    """Return the report as plain text, 100 columns wide."""
    text = io.StringIO()
    console = Console(file=text, width=100, color_system=None, force_terminal=False, legacy_windows=False)
    render(report, console, limit)
    return text.getvalue()


def _overview(page: _Page) -> None:
    figures, inputs = overview(page.report), page.report.inputs
    travel = circulation(page.report)
    agencies, outlets = (
        ", ".join(f"{clip(name, 60)} ({number:,})" for name, number in ranked[:_MEMBERS])
        for ranked in (figures.agencies, travel.outlets)
    )
    short = f", {figures.short:,} of them too short to judge" if figures.short else ""
    doubts = f", {count(inputs.warnings, 'warning')}" if inputs.warnings else ""
    lines = {
        "Inputs": f"{inputs.read:,} read, {inputs.skipped:,} skipped, {inputs.failed:,} failed{doubts}",
        "Articles": f"{figures.articles:,}{short}",
        "Families": f"{figures.families:,}, with {count(figures.in_families, 'article')}",
        "Carrying copy": f"{count(figures.sharing, 'article')} with text in common with another",
        "Copied text": f"{percent(figures.copied)} of all words; {percent(figures.quoted)} shared quotations",
        "Agencies": f"{agencies or 'none credited'}",
        "Outlets": f"{outlets or 'none named'}",
        "Credit": f"{travel.credited:,} of {count(travel.credited + travel.uncredited, 'member')} say where "
        "their copy came from",
        "Set aside": f"{percent(figures.boilerplate)} of all words as boilerplate, "
        f"in {count(figures.boilerplate_in, 'article')}",
    }
    say(page.console, ("Shared copy", "bold"))
    for name, value in lines.items():
        say(page.console, (f"{name:<14}", "dim"), value, indent=2, hang=14)


def _families(page: _Page) -> None:
    families = page.report.families.sort_by([("size", "descending"), ("family", "ascending")])
    shown = 0
    for family in page.rows(families, page.limit):
        _family(page, family)
        shown += 1
    page.rest(shown, families.num_rows, "families")


def _family(page: _Page, family: Row) -> None:
    members = family["members"] or []
    cut = members if page.limit is None else members[:_MEMBERS]
    known = page.articles([family["origin"] or "", *(member["article"] for member in cut)])
    agency = f" · {clip(family['agency'], 60)}" if family["agency"] else ""
    page.heading(f"Family {clip(family['family'], 60)} · {count(family['size'], 'article')}{agency}")
    if family["origin"] is None:
        say(page.console, "no likely origin", indent=2)
    else:
        doubt = "" if family["confidence"] is None else f" (confidence {family['confidence']:.2f})"
        say(page.console, "likely origin: ", (clip(family["origin"], 200), "bold"), doubt, indent=2)
    for piece in (family["evidence"] or [])[:_MEMBERS]:
        say(page.console, ("because ", "dim"), _evidence(page, piece), indent=4, hang=2)
    for member in cut:
        _member(page, member, known.get(member["article"], {}))
    page.rest(len(cut), len(members), "members", indent=2)
    _passages(page, [member["article"] for member in members])


def _evidence(page: _Page, piece: Row) -> str:
    """Write one piece of evidence with the words it rests on and their place."""
    words = piece["text"]
    text = page.report.texts.get(piece["article"] or "")
    if words is None and text is not None and piece["start"] is not None and piece["end"] is not None:
        words = text[piece["start"] : piece["end"]]
    said = f"{clip(piece['kind'] or 'evidence', 60)}: {clip(piece['value'] or '', 200)}"
    where = (
        f", {clip(piece['article'], 200)} {place(piece['start'], piece['end'])}" if piece["article"] else ""
    )
    quoted = f" {quote(words, 0, len(words), 200)}" if words else ""
    return f"{said}{quoted}{where}".rstrip()


def _member(page: _Page, member: Row, article: Row) -> None:
    """Two lines for a member: what it is to the family, and what it is."""
    credited = {True: "credited", False: "not credited", None: "credit unknown"}[member["credited"]]
    say(
        page.console,
        (clip(member["article"], 200), "bold"),
        f" · {member['role']} · {percent(member['share'])} of it is this copy · "
        f"has {percent(member['origin_share'])} of the origin · {credited}",
        indent=2,
        hang=2,
    )
    facts = [clip(article["outlet"], 60)] if article.get("outlet") else []
    facts += [f"{article['published'][:16].replace('T', ' ')} UTC"] if article.get("published") else []
    facts += [f"“{clip(article['title'], _TITLE)}”"] if article.get("title") else []
    if facts:
        say(page.console, (" · ".join(facts), "dim"), indent=4)


def _passages(page: _Page, members: list[str]) -> None:
    """Quote the longest passages that the family's members share, at most one of each pair."""
    table, ids = page.report.passages, pa.array(members, pa.string())
    inside = pc.and_(pc.is_in(table.column("left"), ids), pc.is_in(table.column("right"), ids))
    copies = table.filter(pc.and_(inside, pc.equal(table.column("kind"), "copy")))
    longest = copies.sort_by(
        [("matched_tokens", "descending"), *((name, "ascending") for name in copies.column_names[:4])]
    )
    pairs: set[tuple[str, str]] = set()
    for passage in rows(longest.slice(0, 64)):
        pair = (passage["left"], passage["right"])
        if pair not in pairs:
            pairs.add(pair)
            _passage(page, passage)
        if len(pairs) == _PASSAGES:
            break


def _passage(page: _Page, passage: Row) -> None:
    spans = (passage["left_start"], passage["left_end"]), (passage["right_start"], passage["right_end"])
    texts = page.report.texts
    say(
        page.console,
        f"{count(passage['matched_tokens'], 'word')} in common, {percent(passage['similarity'])} alike",
        indent=2,
    )
    ids = passage["left"], passage["right"]
    sides: tuple[Any, Any] = ("", "")
    if ids[0] in texts and ids[1] in texts:
        sides = two_sides(texts[ids[0]], texts[ids[1]], *spans, marks=page.marks, room=QUOTED)
    for id, span, side in zip(ids, spans, sides, strict=True):
        say(page.console, (f"{clip(id, 200)} {place(*span)} ", "dim"), side, indent=4, hang=2)


def _compositions(page: _Page) -> None:
    """Say what each article with several sorts of text is made of."""
    table = page.report.articles
    parts = pc.list_value_length(table.column("composition"))
    mixed = table.filter(pc.and_(pc.greater(parts, 1), pc.greater(table.column("copied"), 0)))
    mixed = mixed.sort_by([("copied", "descending"), ("id", "ascending")])
    if not mixed.num_rows:
        return
    page.heading("What the articles are made of")
    shown = 0
    for article in page.rows(mixed, page.limit):
        say(page.console, (clip(article["id"], 200), "bold"), ": ", composition(article), indent=2, hang=2)
        shown += 1
    page.rest(shown, mixed.num_rows, "articles", indent=2)


def composition(article: Row) -> str:
    """Write an article's composition in one line, e.g. `52% copy of a, 3% quotations, as in b, 45% own`."""
    sums: dict[tuple[str, str], float] = {}
    for kind in _PARTS:
        for part in article["composition"]:
            if part["kind"] == kind:
                source = part["source"] if kind in {"copy", "quotation"} and part["source"] else ""
                key = ("origin" if source == article["id"] else kind), source
                sums[key] = sums.get(key, 0.0) + part["share"]
    words = []
    for (kind, source), share in sums.items():
        if kind == "origin":
            name = "carried by others"
        else:
            name = f"{_PARTS[kind]} {clip(source, 200)}" if source else _PARTS[kind].removesuffix(", as in")
        words.append(f"{percent(share)} {name.removesuffix(' of')}")
    return ", ".join(words)


def _quotations(page: _Page) -> None:
    """List the pairs that share only quotations, apart from copy."""
    pairs = page.report.pairs.filter(pc.equal(page.report.pairs.column("relation"), "quotations only"))
    if not pairs.num_rows:
        return
    page.heading("Only quotations in common (not counted as copying)")
    shown = 0
    for pair in page.rows(pairs, page.limit):
        say(page.console, f"{clip(pair['left'], 200)} and {clip(pair['right'], 200)}", indent=2)
        shared = page.report.passages
        same = pc.and_(
            pc.equal(shared.column("left"), pair["left"]), pc.equal(shared.column("right"), pair["right"])
        )
        for passage in rows(shared.filter(same).slice(0, 1)):
            _quoted(page, passage["left"], passage["left_start"], passage["left_end"])
        shown += 1
    page.rest(shown, pairs.num_rows, "pairs", indent=2)


def _quoted(page: _Page, id: str, start: int, end: int) -> None:
    """Quote a place of an article."""
    words = quote(page.report.texts[id], start, end, 200) if id in page.report.texts else ""
    say(page.console, (f"{clip(id, 200)} {place(start, end)} ", "dim"), words, indent=4, hang=2)


def _set_aside(page: _Page) -> None:
    """Show what was recognised as boilerplate or template, so that it can be judged."""
    table, passages = page.report.articles, page.report.passages
    repeated = table.filter(pc.greater(table.column("boilerplate"), 0))
    repeated = repeated.sort_by([("boilerplate", "descending"), ("id", "ascending")])
    forms = passages.filter(pc.equal(passages.column("kind"), "template"))
    if not repeated.num_rows and not forms.num_rows:
        return
    page.heading("Set aside (not counted as copying)")
    for article in page.rows(repeated, _PASSAGES):
        say(
            page.console,
            f"boilerplate, {percent(article['boilerplate'])} of {clip(article['id'], 200)}",
            indent=2,
        )
        for part in article["composition"]:
            if part["kind"] == "boilerplate":
                _quoted(page, article["id"], part["start"], part["end"])
    for passage in page.rows(forms, _PASSAGES):
        say(page.console, "the same form with other figures", indent=2)
        _passage(page, passage)


def _problems(page: _Page) -> None:
    problems = page.report.inputs.problems
    if not problems:
        return
    page.heading("Problems with inputs")
    shown = problems if page.limit is None else problems[: max(page.limit, 1)]
    for problem in shown:
        say(page.console, f"{problem.kind}: {clip(str(problem), 500)}", indent=2, hang=2)
    total = page.report.inputs.counts.total()
    listed = f"the first {len(problems):,}" if len(problems) < total else "them all"
    page.rest(len(shown), total, f"(a .json report lists {listed})", indent=2)


def _ending(page: _Page) -> None:
    page.console.print()
    if not page.report.families.num_rows:
        say(page.console, "No copy was found that makes a family of articles.")
    say(page.console, ("Offsets count characters of the original texts. Nothing is listed unaligned.", "dim"))
