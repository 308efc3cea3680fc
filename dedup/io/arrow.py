"""Arrow tables, and whatever else hands out Arrow data (Polars, DuckDB, pandas 2.2 and later)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from dedup.errors import InputError
from dedup.io.dates import Instant, Zoneless
from dedup.io.place import Found, Place, Row, Rows, placed
from dedup.io.reading import Reading
from dedup.io.record import FIELDS, check
from dedup.io.whole import whole

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
PLACE = ("path", "line")  # columns of a table that was read before; they go through unchanged


def is_arrow(source: object) -> bool:
    """Tell whether `source` hands out Arrow data."""
    return hasattr(source, "__arrow_c_stream__") or isinstance(source, (pa.RecordBatch, pa.RecordBatchReader))


def read_arrow(source: Any, reading: Reading) -> Iterator[Found]:
    """Check the columns, then return the articles; places are "row 1", "row 2", ...

    Other columns are passed over. Raises `InputError` at once for one that is missing or of a wrong type.
    """
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        source = source.to_reader(max_chunksize=reading.rows)
    elif not isinstance(source, pa.RecordBatchReader):
        source = _stream(source)
    present = columns_of(source.schema, reading.names)
    return articles(source, present, reading)


def _stream(source: Any) -> pa.RecordBatchReader:
    """The record batches that `source` hands out."""
    try:
        return pa.RecordBatchReader.from_stream(source)
    except pa.ArrowException as error:
        reason = " ".join(str(part) for part in error.args)
        raise InputError(
            f"the {type(source).__name__} cannot be handed over as Arrow data ({reason}); "
            "give each column values of one type"
        ) from error


def columns_of(schema: pa.Schema, names: Mapping[str, str]) -> dict[str, str]:
    """Name the columns to take, ours to theirs; refuse missing, doubled and unusable ones."""
    present = {}
    for ours in (*FIELDS, *PLACE):
        theirs = names.get(ours, ours)
        places = schema.get_all_field_indices(theirs)
        if not places:
            if ours in ("id", "text"):
                found = ", ".join(schema.names) or "none"
                raise InputError(
                    f"the table has no column {theirs!r} (for {ours}); its columns are {found}; say which it "
                    f"is (--field {ours}=NAME)"
                )
            continue
        if len(places) > 1:
            raise InputError(f"the table has {len(places)} columns {theirs!r}; rename all but one")
        kind = schema.field(places[0]).type
        wanted = _wanted(ours, kind)
        if wanted:
            raise InputError(f"column {theirs!r} is of type {kind}; {ours} wants {wanted}")
        present[ours] = theirs
    return present


def tell_columns(present: Mapping[str, str], place: Place, reading: Reading) -> None:
    """Tell who wants to know which columns are taken for what."""
    if reading.tell:
        fields = {ours: (f"column {theirs!r}", "every row") for ours, theirs in present.items()}
        reading.tell.article(place, fields)


def _wanted(ours: str, kind: pa.DataType) -> str | None:
    """Name the types that would do, if this one does not."""
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    string = _is_string(kind)
    if ours == "published":
        good = string or kinds.is_timestamp(kind) or kinds.is_date(kind)
        return None if good or kinds.is_null(kind) else "a timestamp, a date or a string"
    if ours == "line":
        return None if kinds.is_integer(kind) or kinds.is_null(kind) else "an integer"
    if ours == "id":
        return None if string or kinds.is_integer(kind) or kinds.is_null(kind) else "a string or an integer"
    return None if string or kinds.is_null(kind) else "a string"


def _is_string(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (kinds.is_string, kinds.is_large_string, kinds.is_string_view))


def articles(
    batches: Iterable[pa.RecordBatch],
    present: Mapping[str, str],
    reading: Reading,
    path: str | None = None,
    number: int = 0,
) -> Iterator[Found]:
    """The articles of record batches, from the columns `present` (ours to theirs); `path`: their file.

    `number`: rows that stand before them there.

    A batch in which every article is valid is handed on as it is; another is looked at row by row.
    """
    names, limit = reading.names, reading.limit
    for large in batches:
        for start in range(0, large.num_rows, reading.rows):
            batch = large.slice(start, reading.rows)
            columns = {ours: batch.column(theirs) for ours, theirs in present.items()}
            valid = whole(columns, names, limit, path, number + 1)
            if valid is not None:
                for row, doubt in valid.times.doubts:
                    yield placed(path, number + 1 + row).problem(doubt, "warning")
                yield Rows(valid.batch, number + 1, path, valid.times.zoneless)
            else:
                yield from _row_by_row(columns, names, limit, path, number)
            number += batch.num_rows


def _row_by_row(
    columns: Mapping[str, pa.Array], names: Mapping[str, str], limit: int, path: str | None, number: int
) -> Iterator[Found]:
    values_of = [_values(ours, column) for ours, column in columns.items()]
    theirs_of = [names.get(ours, ours) if ours in FIELDS else f"\0{ours}" for ours in columns]
    for values in zip(*values_of, strict=True):
        number += 1
        record = dict(zip(theirs_of, values, strict=True))
        for found in check(record, names, placed(path, number), limit):
            yield _placed(found, record) if isinstance(found, Row) else found


def _placed(row: Row, record: Mapping[str, Any]) -> Row:
    """Give the row the path and line its table has for it."""
    path, line = record.get("\0path"), record.get("\0line")
    if path is None and line is None:
        return row
    return row._replace(values=(*row.values[:-2], path, line))


def _values(ours: str, column: pa.Array) -> list[Any]:
    """Take a column out of Arrow; a string that is not valid UTF-8 comes as bytes."""
    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_timestamp(column.type) or kinds.is_date(column.type):
        return _instants(column)
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        values = [_text_or_bytes(value) for value in column.cast(pa.large_binary()).to_pylist()]
    if ours == "path":
        return [value if isinstance(value, str) else None for value in values]
    return values


def _instants(column: pa.Array) -> list[Instant | None]:
    """Take times as whole numbers: Python's own types cannot show every year that Arrow can."""
    bits, scale, divisor = _units(column.type)
    made = Zoneless if kinds.is_timestamp(column.type) and column.type.tz is None else Instant
    values = column.view(bits).to_pylist()
    return [None if value is None else made(value * scale // divisor) for value in values]


def _units(kind: pa.DataType) -> tuple[pa.DataType, int, int]:
    """Width of the integers in a column of times, and the fraction that makes them microseconds."""
    if kinds.is_date32(kind):
        return pa.int32(), 86_400 * 10**6, 1
    if kinds.is_date64(kind):
        return pa.int64(), 10**3, 1
    return pa.int64(), 10**6, PER_SECOND[kind.unit]


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value
