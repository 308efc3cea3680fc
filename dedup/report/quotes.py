"""Quote articles for people: the words themselves, their place, and what differs between two passages."""

from __future__ import annotations

import re
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dedup.report.visible import visible
from dedup.report.words import Change, word_changes

Span = tuple[int, int]

LEFT, RIGHT = "bold red", "bold green"  # words that stand on one side only
QUOTED = 300  # characters of a passage shown where passages are examples
_BEFORE = 80  # of them before the first word that differs


def place(start: int | None, end: int | None) -> str:
    """Write offsets (characters of the original text)."""
    return "" if start is None or end is None else f"[{start}–{end}]"


def percent(share: float | None) -> str:
    """Write a share so that neither something nor a rest disappears in rounding."""
    if share is None:
        return "unknown"
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 < share < 1 else f"{share:.0%}"


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 article`, `2,000 articles`, `3 families`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def clip(text: str, room: int) -> str:
    """Make text from outside safe to show, on one line of at most `room` characters."""
    line = _line(text[: 2 * room])
    return line if len(line) <= room and len(text) <= 2 * room else line[: room - 1].rstrip() + "…"


def quote(text: str, start: int, end: int, room: int = QUOTED) -> str:
    """Quote `text[start:end]`, cut to `room` characters."""
    return f"“{clip(text[start:end], room)}”"


def two_sides(
    left: str, right: str, left_span: Span, right_span: Span, *, marks: bool, room: int | None = None
) -> tuple[Text, Text]:
    """Quote a passage on both sides, with the words that differ marked.

    `marks`: as [-left-] and {+right+} rather than in colour. `room`: characters to show, from a little
    before the first difference; None shows all.
    """
    changes = word_changes(left, right, left_span, right_span)
    left_at, right_at = _window((left, right), changes, left_span, right_span, room)
    lefts = [(c.left_start, c.left_end) for c in changes if c.operation != "equal"]
    rights = [(c.right_start, c.right_end) for c in changes if c.operation != "equal"]
    return (
        _side(left, left_span, left_at, lefts, style=LEFT, marks=("[-", "-]") if marks else ("", "")),
        _side(right, right_span, right_at, rights, style=RIGHT, marks=("{+", "+}") if marks else ("", "")),
    )


def _window(
    texts: tuple[str, str], changes: list[Change], left_span: Span, right_span: Span, room: int | None
) -> tuple[Span, Span]:
    """Choose the part of each side to show, beginning at the same words."""
    if room is None:
        return left_span, right_span
    left, right = texts
    begin = left_span[0], right_span[0]
    first = next((change for change in changes if change.operation != "equal"), None)
    if first is not None and first.left_start - left_span[0] > room // 2:
        begin = (
            _word_start(left, first.left_start - _BEFORE, first.left_start),
            _word_start(right, first.right_start - _BEFORE, first.right_start),
        )
    return (
        (begin[0], _cut(left, begin[0] + room, left_span[1])),
        (begin[1], _cut(right, begin[1] + room, right_span[1])),
    )


def _word_start(text: str, start: int, end: int) -> int:
    """Move forward to the start of a word, where there is one before `end`."""
    space = text.find(" ", start, end)
    return start if space < 0 else space + 1


def _cut(text: str, at: int, end: int) -> int:
    """Cut at `at`, or rather at the space before it; not at all when `end` comes first."""
    if at >= end:
        return end
    space = text.rfind(" ", at - 40, at)
    return at if space < 0 else space


def _side(
    text: str, span: Span, window: Span, changed: list[Span], *, style: str, marks: tuple[str, str]
) -> Text:
    """Quote one side of a passage."""
    line = Text("…" if window[0] > span[0] else "")
    at = window[0]
    for first, last in changed:
        start, end = max(first, at), min(last, window[1])
        if start < end:
            line.append(_line(text[at:start]))
            line.append(f"{marks[0]}{_line(text[start:end])}{marks[1]}", style)
            at = end
    line.append(_line(text[at : window[1]]))
    if window[1] < span[1]:
        line.append("…")
    return line


def _line(text: str) -> str:
    return re.sub(" {2,}", " ", visible(text))


def say(console: Console, *parts: str | Text | tuple[str, str], indent: int = 0, hang: int = 0) -> None:
    """Print one paragraph, wrapped to the console, its later lines `hang` columns further in.

    Strings are taken as they are, never as markup.
    """
    hang = min(hang, console.width // 4)
    lines = Text.assemble(*parts).wrap(console, max(16, console.width - indent - hang), overflow="fold")
    for number, line in enumerate(lines or [Text("")]):
        _print(console, Text.assemble(" " * (indent + hang * (number > 0)), line))


def say_beside(console: Console, left: Text, right: Text, *, indent: int = 2) -> None:
    """Print two paragraphs side by side."""
    width = (console.width - indent - 3) // 2
    columns = [side.wrap(console, width, overflow="fold") for side in (left, right)]
    for one, other in zip_longest(*columns, fillvalue=Text("")):
        one.rstrip()
        gap = " " * (width - cell_len(one.plain))
        _print(console, Text.assemble(" " * indent, one, gap, " │ ", other))


def _print(console: Console, line: Text) -> None:
    line.rstrip()
    console.print(line, no_wrap=True, crop=False, overflow="ignore", highlight=False)


def wants_marks(console: Console) -> bool:
    """Tell whether differences must be marked with signs because colours will not show."""
    return console.color_system is None or console.no_color
