"""The world's news agencies, and where an article credits them.

Agencies and their names are a table (`data/agencies.csv`), not code. A name counts as a credit only where
credits stand: in the dateline, in a byline, or closing the article in brackets, behind a dash or on a line
of its own. Pictures' credits are told apart; "Xinhua reported" within a story is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.kernels.names import find_names
from dedup.kernels.tokenise import CAPITAL
from dedup.schema import CREDIT
from dedup.tokens import Tokens, tokenise

_HEAD, _TAIL = 4, 12  # lines at either end of an article where credits stand
_LINE = 240  # characters of a line that are looked at, from its start in the head, to its end in the tail
_DATELINE_END = 120  # characters of a line within which a dateline ends
_ALONE = 80  # characters of a line that is nothing but a credit

# Lines are matched with each agency's name masked, letter for letter, by a private-use character.
_NAME = "\ue000"
_SEVERAL = rf"{_NAME}+(?:\s*(?:[,،、/;&+]|\band\b|\bund\b|\bet\b|\by\b|اور)\s*{_NAME}+)*"
_IN_BRACKETS = rf"[(（\[【]\s*(?:[^()（）\n]{{0,40}}?[\s,:/])?{_SEVERAL}[^()（）\n]{{0,24}}[)）\]】]"
_DATELINE = re.compile(rf"{_IN_BRACKETS}|^\s*{_NAME}+[^\n。，]{{0,24}}?[电電]|^\s*{_SEVERAL}\s*[-–—]\s")
_BRACKET = re.compile(rf"{_IN_BRACKETS}[\s.。]*$")
_DASH = re.compile(rf"(?:(?:^|\s)[-–—/]+|[;|])\s*(?:[^\W\d_]+\s+){{0,3}}{_SEVERAL}[\s.。]*$")
_BYLINE = re.compile(rf"(?i:^\s*(?:by|von|par|por|di|door)\s)[^\n]{{0,80}}?{_SEVERAL}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_PICTURE = re.compile(r"(?i)\b(?:image|photo|picture|foto|bild|getty|pool|archiv\w*|caption)\b|图|写真|©")
_CREDIT_WORDS = re.compile(
    r"(?i)\b(?:source|sources|via|by|from|with|and|inputs?|contributed|contributing|additional|reporting|"
    r"material|agencies|agency|news|staff|wire|wires|services?|report|quelle|mit|von|und|avec|et|con|fuente|"
    r"fonte|com|e|y|source|bron|kilde|the|to|this)\b|来源|来自|記事|एजेंसी|ذرائع|وکالات"
)


KINDS = ("credit", "dateline", "byline", "picture")  # of credits in texts

DECLARED = ("credit", "provider", "source", "copyright", "dateline", "byline")  # fields that name agencies

# What may stand behind a name and an apostrophe: the English and the Turkish cases.
_ENDINGS = (
    "s", "a", "e", "ya", "ye", "da", "de", "ta", "te", "dan", "den", "tan", "ten", "ı", "i", "u", "ü", "yı",
    "yi", "yu", "yü", "ın", "in", "un", "ün", "nın", "nin", "nun", "nün", "la", "le", "yla", "yle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credit:
    """One agency credited in one place, in characters; `kind` is one of `KINDS`, or "declared"."""

    kind: str
    agency: str
    start: int
    end: int


# Credits of many articles, by their numbers; `kind` to `end` as in `Credit`.
CREDITS = pa.schema([pa.field("article", pa.int64()), *CREDIT])


@cache
def names() -> dict[str, str]:
    """Every alias with the agency it stands for."""
    table = files("dedup").joinpath("data/agencies.csv").read_text("utf-8")
    rows = csv.DictReader(table.splitlines())
    return {alias: row["name"] for row in rows for alias in row["aliases"].split("|")}


@cache
def _names_pattern() -> re.Pattern[str]:
    longest_first = sorted(names(), key=lambda name: (-len(name), name))
    unspaced = "|".join(re.escape(name) for name in longest_first if _UNSPACED.search(name))
    spaced = "|".join(re.escape(name) for name in longest_first if not _UNSPACED.search(name))
    ended = (
        rf"['’](?!(?:{'|'.join(_ENDINGS)})(?![^\W_]))[^\W_]"  # another word: what stands before is no name
    )
    return re.compile(rf"(?<![^\W_])(?:{spaced})(?!{ended}|[^\W_])|{unspaced}")


def spellings(name: str) -> list[str]:
    """A name as it stands in texts: by itself, and with what an apostrophe may join to it."""
    return [name] if _UNSPACED.search(name) else [name, *(f"{name}'{ending}" for ending in _ENDINGS)]


@cache
def _name_tokens() -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_]]:
    """The aliases' token hashes, their bounds, and whether each begins with a capital letter."""
    spelled = [one for alias in sorted(names()) for one in spellings(alias)]
    tokens = tokenise(pa.array(spelled, pa.large_string()))
    return tokens.hashes, tokens.offsets, (tokens.flags[tokens.offsets[:-1]] & CAPITAL) != 0


def mentions(tokens: Tokens) -> dict[int, list[int]]:
    """The characters where agencies are named, credited or not, by text number.

    Only there can `credits` find any; most articles name none.
    """
    found = find_names(tokens.hashes, tokens.flags, tokens.offsets, *_name_tokens())
    places = tokens.starts[tokens.offsets[found[:, 0]] + found[:, 1]]
    out: dict[int, list[int]] = {}
    for text, place in zip(found[:, 0].tolist(), places.tolist(), strict=True):
        out.setdefault(text, []).append(place)
    return out


def credit_rows(texts: pa.Array, named: Mapping[int, Sequence[int]], first: int) -> pa.RecordBatch:
    """The credits, `CREDITS`, of texts in which agencies are `named` (see `mentions`), in text order.

    `first`: the number of the first text.
    """
    columns: list[list[Any]] = [[] for _ in CREDITS]
    for text, places in named.items():
        body = texts[text].as_py()
        for found in credits(body, places):
            row = (
                first + text,
                found.kind,
                found.agency,
                found.start,
                found.end,
                body[found.start : found.end],
            )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, CREDITS, strict=True)], CREDITS
    )


def renumbered(credits: Any, articles: NDArray[np.int64]) -> Any:
    """The same batch or table of `CREDITS`, of other `articles`: their numbers, int64 (credits,)."""
    return credits.set_column(0, CREDITS.field("article"), pa.array(articles))


def declared(fields: Mapping[str, Any]) -> list[Credit]:
    """The agencies that an article's sender declares in the fields of `DECLARED`; they have no place: -1."""
    found = {agency for name in DECLARED if fields.get(name) for agency in _in(fields[name])}
    return [Credit("declared", agency, -1, -1) for agency in sorted(found)]


def declared_rows(columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """The agencies that senders declare, `CREDITS`, by article; `columns` have those of `DECLARED`."""
    own = [columns[name] for name in DECLARED]
    there = sorted({row for column in own for row in pc.indices_nonzero(column.is_valid()).to_pylist()})
    rows = []
    for article in there:
        fields = {name: column[article].as_py() for name, column in zip(DECLARED, own, strict=True)}
        for credit in declared(fields):
            where = next(name for name, value in fields.items() if value and credit.agency in _in(value))
            rows.append((article, credit.kind, credit.agency, -1, -1, f"{where}: {fields[where]}"))
    arrays = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(CREDITS)]
    return pa.record_batch(arrays, CREDITS)


def _in(value: str) -> set[str]:
    """The agencies that a field names."""
    return {names()[match[0]] for match in _names_pattern().finditer(value)}


def credits(text: str, places: Sequence[int] | None = None) -> list[Credit]:
    """Agencies that `text` credits, in text order; agencies of pictures have the kind "picture".

    `places`: the characters where agencies are named, if that is known.
    """
    found = []
    for start, line, head, tail in _lines(text) if places is None else _lines_at(text, places):
        own = (
            None
            if places is None
            else [place - start for place in places if start <= place < start + len(line)]
        )
        named = _named(line, own)
        if not named:
            continue
        masked = line
        for first, stop, _ in named:
            masked = f"{masked[:first]}{_NAME * (stop - first)}{masked[stop:]}"
        kind, span = _kind(masked, head, tail)
        if kind:
            said = {agency for first, stop, agency in named if span[0] <= first and stop <= span[1]}
            found += [Credit(kind, agency, start + span[0], start + span[1]) for agency in sorted(said)]
    return found


def _named(line: str, places: Sequence[int] | None) -> list[tuple[int, int, str]]:
    """The agencies named in a line, one behind another: place and agency; looked for at `places` if given."""
    pattern = _names_pattern()
    if places is None:
        return [(*match.span(), names()[match[0]]) for match in pattern.finditer(line)]
    found: list[tuple[int, int, str]] = []
    for place in places:
        match = None if found and place < found[-1][1] else pattern.match(line, place)
        if match:
            found.append((*match.span(), names()[match[0]]))
    return found


def _kind(masked: str, head: bool, tail: bool) -> tuple[str | None, tuple[int, int]]:
    """What sort of credit a line holds, agencies' names masked, and where."""
    if len(masked) < _LINE and _PICTURE.search(masked):
        return "picture", (0, len(masked))
    if head and (match := _DATELINE.search(masked[:_DATELINE_END])):
        return "dateline", match.span()
    if head and (match := _BYLINE.search(masked)):
        return "byline", match.span()
    if tail and (match := _BRACKET.search(masked) or _DASH.search(masked)):
        return "credit", match.span()
    if len(masked) <= _ALONE and not re.search(r"\w", _CREDIT_WORDS.sub("", masked)):
        return "credit", (len(masked) - len(masked.lstrip()), len(masked))
    return None, (0, 0)


def _lines(text: str) -> Iterator[tuple[int, str, bool, bool]]:
    """The first and last lines that are not blank: place, words, whether in the head, whether in the tail."""
    heads, tails = _first_lines(text), _last_lines(text)
    spans = {(at, min(end, at + _LINE)): [True, False] for at, end in heads}
    for at, end in tails:
        spans.setdefault((max(at, end - _LINE), end), [False, False])[1] = True
    yield from _cut(text, spans)


def _lines_at(text: str, places: Sequence[int]) -> Iterator[tuple[int, str, bool, bool]]:
    """Those of `_lines` in which one of `places`, rising, may lie, found from there."""
    heads = _first_lines(text)
    head_ends = heads[-1][1] if len(heads) == _HEAD else len(text)
    tail_starts = 0
    if text.count("\n") - text.count("\n\n") >= _TAIL:  # so many lines are not blank, at most, but for one
        tails = _last_lines(text)
        tail_starts = tails[-1][0] if len(tails) == _TAIL else 0
    spans: dict[tuple[int, int], list[bool]] = {}
    end = -1  # of the line at hand
    for place in places:
        if place < end or head_ends <= place < tail_starts:
            continue
        at = text.rfind("\n", 0, place) + 1
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        if at < head_ends:
            spans.setdefault((at, min(end, at + _LINE)), [False, False])[0] = True
        if end > tail_starts:
            spans.setdefault((max(at, end - _LINE), end), [False, False])[1] = True
    yield from _cut(text, spans)


def _cut(text: str, spans: Mapping[tuple[int, int], list[bool]]) -> Iterator[tuple[int, str, bool, bool]]:
    for (start, stop), (head, tail) in sorted(spans.items()):
        yield start, text[start:stop].rstrip(), head, tail


def _first_lines(text: str) -> list[tuple[int, int]]:
    """The first lines that are not blank, up to `_HEAD`."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(text) and len(found) < _HEAD:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if not text[at:end].isspace() and end > at:
            found.append((at, end))
        at = end + 1
    return found


def _last_lines(text: str) -> list[tuple[int, int]]:
    """The last lines that are not blank, up to `_TAIL`, the last one first."""
    found: list[tuple[int, int]] = []
    end = len(text)
    while end > 0 and len(found) < _TAIL:
        at = text.rfind("\n", 0, end) + 1
        if not text[at:end].isspace() and end > at:
            found.append((at, end))
        end = at - 1
    return found
