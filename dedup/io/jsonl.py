"""JSON Lines: one object on a line is one article."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from dedup.io.blocks import peek
from dedup.io.encoding import SIGNATURE, as_utf8, refuse_other_kinds
from dedup.io.lines import lines
from dedup.io.place import Found, Place, SetAside, reason
from dedup.io.record import Number, check, described

# A line may hold a text of the greatest length with most of its characters escaped or doubled, and
# the other fields.
ESCAPED = 2
OTHERS = 2**16


def read_jsonl(source: Iterator[bytes], names: Mapping[str, str], path: str, limit: int) -> Iterator[Found]:
    """Yield the article of every line that is not blank; `limit` as for `record.check`.

    Every such line comes to one row or one problem that is no warning. A file without any is a
    problem itself. An error of `source` ends the file; the lines before it are kept.
    """
    longest = limit * ESCAPED + OTHERS
    place = Place(path)
    number = articles = 0
    try:
        head, source = peek(source, SIGNATURE)
        refuse_other_kinds(head)
        encoding, recoded = as_utf8(source)
        for number, line in enumerate(lines(recoded, longest), 1):
            if line is not None and (not line or line.isspace()):
                continue
            articles += 1
            place = Place(path, number)
            if line is None:
                yield place.problem(f"the line is longer than {longest:,} bytes; raise --max-bytes")
                continue
            try:
                record = parsed(line, encoding)
            except SetAside as verdict:
                yield place.problem(str(verdict), verdict.kind)
            else:
                yield from check(record, names, place, limit)
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
    except OSError as error:
        yield Place(path, number + 1).problem(f"{reason(error)}; the lines before are kept")
    else:
        if not articles:
            yield place.problem("the file is only white space" if number else "the file is empty", "skipped")


def parsed(line: bytes, encoding: str = "utf-8") -> dict[str, Any]:
    """Parse one line to an object; numbers come as `Number`. Raises `SetAside`."""
    try:
        record = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise SetAside(_undecodable(line, error, encoding)) from None
    except json.JSONDecodeError as error:
        raise SetAside(f"not valid JSON at column {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise SetAside("not valid JSON: lists or objects nested too deeply") from None
    if not isinstance(record, dict):
        hint = "; for one big list, write each of its objects on a line" if isinstance(record, list) else ""
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


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_constant)
