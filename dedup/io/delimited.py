"""CSV and TSV: one row under a line of names is one article; with a comma, a semicolon or a tab between."""

from __future__ import annotations

import codecs
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.errors import InputError
from dedup.io.arrow import articles, columns_of, tell_columns
from dedup.io.blocks import Stream, peek
from dedup.io.encoding import SIGNATURE, as_utf8, refuse_other_kinds
from dedup.io.file import File
from dedup.io.formats import format_of
from dedup.io.place import Found, Place, SetAside, reason
from dedup.io.reading import Reading
from dedup.report.model import Problem

_HEADER = 2**16  # bytes in which the first line ends
_MARK = "\ufdd0"  # no character, and no text has it
_MARKED = "dedup-marked"  # how the codecs know of it
_AT_ONCE = 2**23  # bytes of rows that are parsed together; no row is longer


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the articles of a file; places are the file and the row's number, the names not counted.

    Rows with more or fewer values than there are names are set aside, and those that are no UTF-8.
    """
    from pyarrow import csv

    broken = _Broken(file.shown)
    try:
        head, source = peek(source, SIGNATURE)
        refuse_other_kinds(head)
        _, recoded = as_utf8(source)
        head, recoded = peek(broken.decoded(recoded), _HEADER)
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
            csv.ParseOptions(delimiter=between, newlines_in_values=True, invalid_row_handler=broken.skip),
            csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""]),
        )
        for batch, number in broken.between(stream):
            start = 0
            for row in (*broken.undecoded(batch, present.values()), len(batch)):
                part = batch.slice(start, row - start)
                yield from articles([part], present, reading, file.shown, number + start)
                if row < len(batch):
                    wrong = Place(file.shown, number + row + 1)
                    yield wrong.problem("the row is not valid UTF-8; it is set aside")
                start = row + 1
            yield from broken.told()
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
    except InputError as error:
        yield place.problem(str(error))
    except (pa.ArrowException, OSError) as error:
        what = reason(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        if "straddl" in what:
            what = f"a row is longer than {_AT_ONCE:,} bytes; give it as JSON Lines or Parquet"
        yield place.problem(f"{what}; the rows before are kept")
    yield from broken.told()


class _Broken:
    """Rows that are set aside: those with other than as many values as there are names, and no UTF-8."""

    def __init__(self, path: str) -> None:
        self._path, self._expected, self._is_marked = path, 0, False
        self._numbers, self._counts = array("q"), array("q")  # small, as all rows of a file may be
        self._told = 0

    def skip(self, row: Any) -> str:
        """Pass over a row."""
        self._expected = row.expected_columns
        self._numbers.append(row.number - 1)  # the names are the first row
        self._counts.append(row.actual_columns)
        return "skip"

    def between(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """The other rows, and how many rows stand before them in the file, these too."""
        number = passed = 0
        for batch in batches:
            at = 0
            while True:
                while passed < len(self._numbers) and self._numbers[passed] == number + 1:
                    number, passed = number + 1, passed + 1
                if at == len(batch):
                    break
                behind = self._numbers[passed] - number - 1 if passed < len(self._numbers) else len(batch)
                part = batch.slice(at, behind)
                yield part, number
                at, number = at + len(part), number + len(part)

    def told(self) -> Iterator[Problem]:
        """What there is to say of rows that nobody was told of yet."""
        for at in range(self._told, len(self._numbers)):
            what = f"has {self._counts[at]} values under {self._expected} names"
            yield Place(self._path, self._numbers[at]).problem(f"the row {what}; it is set aside")
        self._told = len(self._numbers)

    def decoded(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, with `_MARK` in the place of bytes that are no text."""
        decoder = codecs.getincrementaldecoder("utf-8")(_MARKED)
        for block in chain(blocks, (b"",)):
            text = decoder.decode(block, not block)
            self._is_marked = self._is_marked or _MARK in text
            if text:
                yield text.encode()

    def undecoded(self, batch: pa.RecordBatch, columns: Iterable[str]) -> list[int]:
        """Rows of a batch in which something was no text."""
        if not self._is_marked:
            return []
        found = np.zeros(len(batch), np.bool_)
        for name in columns:
            there = pc.match_substring(batch.column(name), _MARK)
            found |= pc.fill_null(there, False).to_numpy(zero_copy_only=False)
        rows: list[int] = np.flatnonzero(found).tolist()
        return rows


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _MARK, error.end


codecs.register_error(_MARKED, _mark)


def _between(head: bytes, tabs: bool) -> str:
    """What stands between values: a tab, or the one of comma, semicolon and tab that the names have most."""
    if tabs:
        return "\t"
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    return max(",;\t", key=lambda sign: line.count(sign.encode()))


def _rows(line: bytes, between: str) -> Iterator[list[str]]:
    import csv

    return csv.reader([line.decode("utf-8", "replace").rstrip("\r")], delimiter=between)
