"""The world's news agencies, and where an article credits them.

Agencies and their names are a table (`data/agencies.csv`), not code. A name counts as a credit only where
credits stand: in the dateline, in a byline, or closing the article in brackets, behind a dash or on a line
of its own. Pictures' credits are told apart; "Xinhua reported" within a story is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.kernels.lines import HEAD, TAIL, lines_with
from dedup.kernels.names import find_names
from dedup.kernels.tokenise import CAPITAL
from dedup.schema import CREDIT
from dedup.tokens import Tokens, tokenise, utf8

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

# What may stand behind a name and an apostrophe: the English and the Turkish cases. Anything else is another
# word, and so is what goes on with a letter: then what stands before is no name.
_ENDINGS = (
    "s", "a", "e", "ya", "ye", "da", "de", "ta", "te", "dan", "den", "tan", "ten", "ı", "i", "u", "ü", "yı",
    "yi", "yu", "yü", "ın", "in", "un", "ün", "nın", "nin", "nun", "nün", "la", "le", "yla", "yle",
)  # fmt: skip
_GOES_ON = rf"[^\W_]|['’](?!(?:{'|'.join(_ENDINGS)})(?![^\W_]))[^\W_]"


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
def _aliases(initial: str) -> re.Pattern[str] | None:
    """What matches the aliases that begin with a character, as names of their own.

    Those in scripts with spaces are tried first, the longest of them first.
    """
    own = sorted((name for name in names() if name[0] == initial), key=lambda name: (-len(name), name))
    if not own:
        return None
    spaced = "|".join(re.escape(name) for name in own if not _UNSPACED.search(name))
    unspaced = [re.escape(name) for name in own if _UNSPACED.search(name)]
    named = [rf"(?<![^\W_])(?:{spaced})(?!{_GOES_ON})"] if spaced else []
    return re.compile("|".join(named + unspaced))


def spellings(name: str) -> list[str]:
    """A name as it stands in texts: by itself, and with what an apostrophe may join to it."""
    return [name] if _UNSPACED.search(name) else [name, *(f"{name}'{ending}" for ending in _ENDINGS)]


@cache
def _name_tokens() -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_]]:
    """The aliases' token hashes, their bounds, and whether each begins with a capital letter."""
    spelled = [one for alias in sorted(names()) for one in spellings(alias)]
    tokens = tokenise(pa.array(spelled, pa.large_string()))
    return tokens.hashes, tokens.offsets, (tokens.flags[tokens.offsets[:-1]] & CAPITAL) != 0


def mentions(tokens: Tokens) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where agencies are named, credited or not: text numbers and characters, int32 (n,), in order."""
    found = find_names(tokens.hashes, tokens.flags, tokens.offsets, *_name_tokens())
    return found[:, 0].copy(), tokens.starts[tokens.offsets[found[:, 0]] + found[:, 1]]


def credit_rows(texts: pa.Array, tokens: Tokens) -> pa.RecordBatch:
    """The credits, `CREDITS`, of a large string array with its `tokens`, in text order."""
    data, bounds = utf8(texts)
    numbers, places = mentions(tokens)
    lines = lines_with(data, bounds, numbers, places, _HEAD, _TAIL, _LINE)
    whole, starts, told = memoryview(data.data), bounds[lines[:, 0]], places.tolist()
    rows = []
    for (text, start, begin, end, where, first, stop), base in zip(
        lines.tolist(), starts.tolist(), strict=True
    ):
        line = str(whole[base + begin : base + end], "utf-8").rstrip()
        for kind, agency, at, to in _credits(line, [place - start for place in told[first:stop]], where):
            rows.append((text, kind, agency, start + at, start + to, line[at:to]))
    return _batch(rows)


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
    return _batch(rows)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows of `CREDITS` as a batch."""
    arrays = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(CREDITS)]
    return pa.record_batch(arrays, CREDITS)


def _in(value: str) -> set[str]:
    """The agencies that a field names."""
    return {agency for _, _, agency in _named(value, range(len(value)))}


def credits(text: str, tokens: Tokens | None = None) -> list[Credit]:
    """Agencies that `text` credits, in text order; agencies of pictures have the kind "picture".

    `tokens` of the text, if they are known.
    """
    texts = pa.array([text], pa.large_string())
    rows = credit_rows(texts, tokens or tokenise(texts)).select(["kind", "agency", "start", "end"])
    return [Credit(**row) for row in rows.to_pylist()]


def _credits(line: str, places: Sequence[int], where: int) -> list[tuple[str, str, int, int]]:
    """The credits in a line that stands `where` (`kernels.lines`), agencies named at `places`."""
    named = _named(line, places)
    if not named:
        return []
    masked = line
    for first, stop, _ in named:
        masked = f"{masked[:first]}{_NAME * (stop - first)}{masked[stop:]}"
    kind, span = _kind(masked, bool(where & HEAD), bool(where & TAIL))
    if kind is None:
        return []
    said = {agency for first, stop, agency in named if span[0] <= first and stop <= span[1]}
    return [(kind, agency, *span) for agency in sorted(said)]


def _named(line: str, places: Iterable[int]) -> list[tuple[int, int, str]]:
    """The agencies named at `places` of a line, rising, one behind another: where, and which."""
    found: list[tuple[int, int, str]] = []
    behind = 0
    for place in places:
        pattern = _aliases(line[place]) if place >= behind else None
        if pattern and (match := pattern.match(line, place)):
            behind = match.end()
            found.append((place, behind, names()[match[0]]))
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
