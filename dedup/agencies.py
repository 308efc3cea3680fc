"""The world's news agencies, and where an article credits them.

Agencies and their names are a table (`data/agencies.csv`), not code. A name counts as a credit only where
credits stand: in the dateline, in a byline, or closing the article in brackets, behind a dash or on a line
of its own. Pictures' credits are told apart; "Xinhua reported" within a story is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_HEAD, _TAIL = 4, 12  # lines at either end of an article where credits stand
_LINE = 240  # characters of a line that are looked at, from its start in the head, to its end in the tail
_DATELINE = 120  # characters of a line within which a dateline ends

_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_PICTURE = re.compile(r"(?i)\b(?:image|photo|picture|foto|bild|getty|pool|archiv\w*|caption)\b|图|写真|©")
_CREDIT_WORDS = re.compile(
    r"(?i)\b(?:source|sources|via|by|from|with|and|inputs?|contributed|contributing|additional|reporting|"
    r"material|agencies|agency|news|staff|wire|wires|services?|report|quelle|mit|von|und|avec|et|con|fuente|"
    r"fonte|com|e|y|source|bron|kilde|the|to|this)\b|来源|来自|記事|एजेंसी|ذرائع|وکالات"
)


@dataclass(frozen=True, slots=True)
class Credit:
    """One agency credited in one place (characters of the text); `kind` is credit, dateline, byline or picture."""

    kind: str
    agency: str
    start: int
    end: int


@cache
def names() -> dict[str, str]:
    """Every alias with the agency it stands for."""
    table = files("dedup").joinpath("data/agencies.csv").read_text("utf-8")
    rows = csv.DictReader(table.splitlines())
    return {alias: row["name"] for row in rows for alias in row["aliases"].split("|")}


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    longest_first = sorted(names(), key=lambda name: (-len(name), name))
    unspaced = "|".join(re.escape(name) for name in longest_first if _UNSPACED.search(name))
    spaced = "|".join(re.escape(name) for name in longest_first if not _UNSPACED.search(name))
    one = rf"(?:(?<![^\W_])(?:{spaced})(?![^\W_])|{unspaced})"
    several = rf"{one}(?:\s*(?:[,،、/;&+]|\band\b|\bund\b|\bet\b|\by\b|اور)\s*{one})*"
    bracket = rf"[(（\[【]\s*(?:[^()（）\n]{{0,40}}?[\s,:/])?{several}[^()（）\n]{{0,24}}[)）\]】]"
    return (
        re.compile(one),
        re.compile(rf"{bracket}|^\s*{one}[^\n。，]{{0,24}}?[电電]|^\s*{several}\s*[-–—]\s"),
        re.compile(rf"{bracket}[\s.。]*$"),
        re.compile(rf"(?:(?:^|\s)[-–—/]+|[;|])\s*(?:[^\W\d_]+\s+){{0,3}}{several}[\s.。]*$"),
        re.compile(rf"(?i:^\s*(?:by|von|par|por|di|door)\s)[^\n]{{0,80}}?{several}"),
    )


def credits(text: str) -> list[Credit]:
    """Agencies that `text` credits, in text order; agencies of pictures have the kind "picture"."""
    any_name, dateline, bracket, dash, byline = _patterns()
    found = []
    for start, line, head, tail in _lines(text):
        if not any_name.search(line):
            continue
        kind, match = None, None
        if _PICTURE.search(line) and len(line) < _LINE:
            kind, match = "picture", re.search(r".+", line)
        elif head and (match := dateline.search(line[:_DATELINE])):
            kind = "dateline"
        elif head and (match := byline.search(line)):
            kind = "byline"
        elif tail and (match := bracket.search(line) or dash.search(line)):
            kind = "credit"
        elif len(line) <= 80 and not re.search(r"\w", _CREDIT_WORDS.sub("", any_name.sub("", line))):
            kind, match = "credit", re.search(r"\S.*\S|\S", line)
        if kind and match:
            said = {names()[name] for name in any_name.findall(match[0])}
            found += [Credit(kind, agency, start + match.start(), start + match.end()) for agency in sorted(said)]
    return found


def _lines(text: str) -> Iterator[tuple[int, str, bool, bool]]:
    """The first and last lines that are not blank: place, words, whether in the head, whether in the tail."""
    head, at = [], 0
    while at < len(text) and len(head) < _HEAD:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if text[at:end].strip():
            head.append((at, min(end, at + _LINE)))
        at = end + 1
    tail, end = [], len(text)
    while end > 0 and len(tail) < _TAIL:
        at = text.rfind("\n", 0, end) + 1
        if text[at:end].strip():
            tail.append((max(at, end - _LINE), end))
        end = at - 1
    for start, stop in sorted(set(head) | set(tail)):
        yield start, text[start:stop].rstrip(), (start, stop) in head, (start, stop) in tail
