"""CSV and TSV: one row under a line of names is one article; with a comma, a semicolon or a tab between."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, cast

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.arrow import articles, columns_of, tell_columns
from dedup.io.blocks import Stream, peek
from dedup.io.encoding import SIGNATURE, as_utf8, refuse_other_kinds
from dedup.io.file import File
from dedup.io.formats import format_of
from dedup.io.place import Found, Place, SetAside, reason
from dedup.io.reading import Reading

_HEADER = 2**16  # bytes in which the first line ends
_AT_ONCE = 2**23  # bytes of rows that are parsed together; no row is longer


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the articles of a file; places are the file and the row's number, the names not counted.

    Rows with more or fewer values than there are names are set aside.
    """
    from pyarrow import csv

    broken: list[tuple[int | None, str]] = []

    def invalid(row: Any) -> str:
        broken.append((row.number, f"has {row.actual_columns} values under {row.expected_columns} names"))
        return "skip"

    try:
        head, source = peek(source, SIGNATURE)
        refuse_other_kinds(head)
        _, recoded = as_utf8(source)
        head, recoded = peek(_decodable(recoded), _HEADER)
        if not head.strip():
            yield place.problem("the file is only white space" if head else "the file is empty", "skipped")
            return
        between = _between(head, format_of(file.name)[0] == "tsv" or reading.format == "tsv")
        first, *rest = re.split(rb"\r\n|\n|\r", head, maxsplit=1)
        names = next(_rows(first, between), [])
        kinds = {name: pa.large_string() for name in names}
        present = columns_of(pa.schema([(name, pa.large_string()) for name in names]), reading.names)
        if len(head) < _HEADER and not b"".join(rest).strip():
            yield place.problem("the file has no rows", "skipped")
            return
        tell_columns(present, place, reading)
        stream = csv.open_csv(
            cast(Any, pa.PythonFile(Stream(recoded), mode="r")),
            csv.ReadOptions(use_threads=False, block_size=max(_AT_ONCE, 2 * len(head))),
            csv.ParseOptions(delimiter=between, newlines_in_values=True, invalid_row_handler=invalid),
            csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""]),
        )
        yield from articles(stream, present, reading, file.shown)
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
    except InputError as error:
        yield place.problem(str(error))
    except (pa.ArrowException, OSError) as error:
        what = reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        if "straddl" in what:
            what = f"a row is longer than {_AT_ONCE:,} bytes; give it as JSON Lines or Parquet"
        yield place.problem(f"{what}; the rows before are kept")
    for number, why in broken:
        row = None if number is None else number - 1
        yield Place(file.shown, row).problem(f"the row {why}; it is set aside")


def _decodable(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same blocks, up to bytes that are no text."""
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    for block in chain(blocks, (b"",)):
        try:
            text = decoder.decode(block, not block)
        except UnicodeDecodeError as error:
            raise OSError(f"not valid UTF-8 after byte {before + error.start}") from None
        before += len(block)
        if text:
            yield text.encode()


def _between(head: bytes, tabs: bool) -> str:
    """What stands between values: a tab, or the one of comma, semicolon and tab that the names have most."""
    if tabs:
        return "\t"
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    return max(",;\t", key=lambda sign: line.count(sign.encode()))


def _rows(line: bytes, between: str) -> Iterator[list[str]]:
    import csv

    return csv.reader([line.decode("utf-8", "replace").rstrip("\r")], delimiter=between)
