"""JSON Lines: one object on a line is one article.

Blocks of lines are parsed by Arrow, on every core; a block in which anything is doubtful is parsed line by
line, which says what is wrong with which line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from dedup.io.blocks import peek
from dedup.io.encoding import SIGNATURE, as_utf8, refuse_other_kinds
from dedup.io.file import File
from dedup.io.lines import grouped
from dedup.io.ninjs import article_of
from dedup.io.place import Found, Place, Rows, SetAside, reason
from dedup.io.reading import Reading
from dedup.io.record import Number, check, described
from dedup.io.whole import Whole, whole
from dedup.threads import in_order

# A line may hold a text of the greatest length with most of its characters escaped or doubled, and
# the other fields.
ESCAPED = 2
OTHERS = 2**16
_AT_ONCE = 2**22  # bytes of lines that are parsed together


class _Part(NamedTuple):
    """Lines that follow one another, the first of them number `first`."""

    first: int
    lines: list[bytes | None]


@dataclass(slots=True)
class _Seen:
    """What the lines so far came to."""

    lines: int = 0
    filled: int = 0  # lines that are not blank
    end: OSError | SetAside | None = None  # what ended them, if it was not the end


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the article of every line that is not blank.

    Every such line comes to one row or one problem that is no warning. A file without any is a problem
    itself. An error of `source` ends the file; the lines before it are kept.
    """
    seen, longest = _Seen(), reading.limit * ESCAPED + OTHERS
    try:
        head, source = peek(source, SIGNATURE)
        refuse_other_kinds(head)
        encoding, recoded = as_utf8(source)
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
        return
    except OSError as error:
        yield Place(file.shown, 1).problem(f"{reason(error)}; the lines before are kept")
        return
    parts = _parts(grouped(recoded, longest), seen)
    for part, valid in in_order(partial(_at_once, reading=reading, path=file.shown), parts, reading.threads):
        if valid is None:
            yield from _line_by_line(part, encoding, longest, reading, file.shown)
            continue
        for row, doubt in valid.times.doubts:
            yield Place(file.shown, part.first + row).problem(doubt, "warning")
        yield Rows(valid.batch, part.first, file.shown, valid.times.zoneless)
    if isinstance(seen.end, SetAside):
        yield place.problem(str(seen.end), seen.end.kind)
    elif seen.end is not None:
        yield Place(file.shown, seen.lines + 1).problem(f"{reason(seen.end)}; the lines before are kept")
    elif not seen.filled:
        yield place.problem("the file is only white space" if seen.lines else "the file is empty", "skipped")


def _parts(groups: Iterator[list[bytes | None]], seen: _Seen) -> Iterator[_Part]:
    """Lines in parts of some size; `seen` tells how they ended."""
    held: list[bytes | None] = []
    size, first = 0, 1
    group: list[bytes | None] | None = []
    while group is not None:
        try:
            group = next(groups, None)
        except (OSError, SetAside) as error:
            group, seen.end = None, error
        if group:
            held += group
            size += sum(len(line) for line in group if line is not None)
        if held and (group is None or size >= _AT_ONCE):
            seen.lines += len(held)
            seen.filled += sum(line is None or (bool(line) and not line.isspace()) for line in held)
            yield _Part(first, held)
            first, held, size = first + len(held), [], 0


def _at_once(part: _Part, reading: Reading, path: str) -> tuple[_Part, Whole | None]:
    """The articles of a part if every line is a valid one, and a line of JSON as Arrow reads it."""
    lines = [line for line in part.lines if line]
    if len(lines) < len(part.lines) or reading.tell:
        return part, None
    names = {theirs: ours for ours, theirs in reading.names.items()}
    if len(names) < len(reading.names):
        return part, None
    numbered = re.match(
        rb'.{0,200}?"%b"\s*:\s*\d' % re.escape(reading.names["id"]).encode(), lines[0], re.DOTALL
    )
    kinds = {theirs: pa.large_string() if ours == "text" else pa.string() for theirs, ours in names.items()}
    if numbered:
        kinds[reading.names["id"]] = pa.int64()
    data = b"\n".join(lines)
    try:
        table = pa.json.read_json(
            BytesIO(data),
            pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            pa.json.ParseOptions(pa.schema(kinds), unexpected_field_behavior="ignore"),
        )
    except pa.ArrowException:
        return part, None
    if table.num_rows != len(lines):
        return part, None
    columns = {ours: table[theirs].combine_chunks() for theirs, ours in names.items()}
    if numbered and (columns["id"].null_count or pc.any(pc.equal(columns["id"], 0)).as_py()):
        return part, None  # 0 may have been -0
    return part, whole(columns, reading.names, reading.limit, path, part.first)


def _line_by_line(part: _Part, encoding: str, longest: int, reading: Reading, path: str) -> Iterator[Found]:
    for number, line in enumerate(part.lines, part.first):
        if line is not None and (not line or line.isspace()):
            continue
        place = Place(path, number)
        if line is None:
            yield place.problem(f"the line is longer than {longest:,} bytes; raise --max-bytes")
            continue
        try:
            record = parsed(line, encoding)
        except SetAside as verdict:
            yield place.problem(str(verdict), verdict.kind)
        else:
            yield from article(record, place, reading)


def article(record: dict[str, Any], place: Place, reading: Reading) -> Iterator[Found]:
    """The article that an object is: one with our fields, or one in ninjs."""
    if reading.names["text"] not in record and (fields := article_of(record)):
        return reading.article(fields, place)
    if reading.tell:
        taken = {ours: record.get(theirs) for ours, theirs in reading.names.items()}
        told = {ours: (value, f"field {reading.names[ours]!r}") for ours, value in taken.items()}
        reading.tell.article(place, {ours: pair for ours, pair in told.items() if pair[0] is not None})
    return check(record, reading.names, place, reading.limit)


def parsed(line: bytes, encoding: str = "utf-8") -> dict[str, Any]:
    """Parse one line to an object; numbers come as `Number`. Raises `SetAside`."""
    try:
        record = DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise SetAside(_undecodable(line, error, encoding)) from None
    except json.JSONDecodeError as error:
        raise SetAside(f"not valid JSON at column {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise SetAside("not valid JSON: lists or objects nested too deeply") from None
    if not isinstance(record, dict):
        hint = "; one big list belongs into a .json file" if isinstance(record, list) else ""
        raise SetAside(f"the line is {described(record)}, not an object{hint}")
    return record


def _undecodable(line: bytes, error: UnicodeDecodeError, encoding: str) -> str:
    if encoding != "utf-8":
        before = len(line[: error.start].decode())
        return f"not valid {encoding.upper()} after character {before} of the line"
    bad = f"0x{line[error.start]:02x}"
    return f"not valid UTF-8 at byte {error.start} of the line ({bad}); JSON Lines are written in UTF-8"


def _constant(name: str) -> NoReturn:
    raise SetAside(f"not valid JSON: {name} is no JSON value; use null")


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_constant)
