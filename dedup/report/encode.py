"""Put a report's tables into bytes: JSON, JSON Lines, CSV, Parquet.

The same report gives the same bytes. Times are ISO 8601 in UTC, with a Z; offsets are characters of
the original texts, so every figure can be traced without repeating the texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dedup.report.model import Report
from dedup.report.visible import encodable
from dedup.schema import SCHEMA_VERSION, TABLES

_ROWS = 4096  # rows turned into Python objects at once
_GROUP = 2**17  # rows in a row group of Parquet

# JSON Lines names each row's kind.
RECORDS = {"articles": "article", "passages": "passage", "pairs": "pair", "families": "family"}

# What a spreadsheet takes for the start of a formula, and the mark itself, so that it can be undone.
_FORMULA = r"^(['=+\-@\t\r\n＝＋－＠])"


def compact(value: Any) -> str:
    """Write JSON on one line; text as it is, not escaped."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def head(report: Report) -> dict[str, Any]:
    """Return what every format says of the run: schema version, version, settings, inputs."""
    return {
        "record": "report",
        **made_by(report.version, report.settings),
        "inputs": {
            "read": report.inputs.read,
            "skipped": report.inputs.skipped,
            "failed": report.inputs.failed,
            "warnings": report.inputs.warnings,
            "problems": [
                {
                    "kind": problem.kind,
                    "path": None if problem.path is None else encodable(problem.path),
                    "line": problem.line,
                    "message": encodable(problem.message),
                }
                for problem in report.inputs.problems
            ],
        },
    }


def made_by(version: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What made a report: schema version, version, settings."""
    return {"schema_version": SCHEMA_VERSION, "version": version, "settings": dict(settings)}


def iso(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write timestamps as ISO 8601 in UTC: `2023-11-17T05:10:00Z`, with microseconds where there are any.

    Goes through the time without a zone, so that no time zone database is needed.
    """
    text = times.cast(pa.timestamp("us")).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    return pc.binary_join_element_wise(text, "Z", "")


def iso_time(time: datetime) -> str:
    """Write one time as `iso` does; without a zone it is taken as UTC."""
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.replace(tzinfo=None).isoformat() + "Z"


def plain(table: pa.Table) -> pa.Table:
    """Return the table with its times as text."""
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, iso(table.column(index)))
    return table


def rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows as objects, a batch at a time."""
    for batch in plain(table).to_batches(max_chunksize=_ROWS):
        yield from batch.to_pylist()


def tables(report: Report) -> dict[str, pa.Table]:
    """Return the four tables by name, in the order reports carry them."""
    return {
        "articles": report.articles,
        "passages": report.passages,
        "pairs": report.pairs,
        "families": report.families,
    }


def to_json(report: Report, stream: BinaryIO) -> None:
    """Write one JSON document; one row a line, so that two reports can be compared line by line."""
    for index, (name, value) in enumerate(head(report).items()):
        stream.write(f"{',' if index else '{'}\n{compact(name)}: {compact(value)}".encode())
    for name, table in tables(report).items():
        stream.write(f",\n{compact(name)}: [".encode())
        for index, row in enumerate(rows(table)):
            stream.write(f"{',' if index else ''}\n{compact(row)}".encode())
        stream.write(b"\n]")
    stream.write(b"\n}\n")


def to_json_lines(report: Report, stream: BinaryIO) -> None:
    """Write one JSON object a line, the header first; `record` says what each one is."""
    stream.write(compact(head(report)).encode() + b"\n")
    for name, table in tables(report).items():
        for row in rows(table):
            stream.write(compact({"record": RECORDS[name], **row}).encode() + b"\n")


def to_csv(report: Report, stream: BinaryIO, table: str) -> None:
    """Write one table as CSV (UTF-8); nested columns are JSON, nulls are empty and texts are quoted.

    Titles come from strangers, and a spreadsheet runs a cell that begins with = + - @ as a formula.
    A text that begins with one of these, with a tab or line break, or with ', gets one ' before it.
    To have the text back, take one leading ' off.
    """
    from pyarrow import csv

    content = plain(tables(report)[table])
    for index, field in enumerate(content.schema):
        column = content.column(index)
        if pa.types.is_nested(field.type):
            values = [None if value is None else compact(value) for value in column.to_pylist()]
            column = pa.chunked_array([pa.array(values, pa.large_string())])
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = pc.replace_substring_regex(column, _FORMULA, r"'\1")
        content = content.set_column(index, field.name, column)
    csv.write_csv(content, stream)


def described(table: str, facts: Mapping[str, Any]) -> pa.Schema:
    """The schema of a table with what is known of the run, as in `head`, in its metadata."""
    metadata = {"dedup.table": table} | {
        f"dedup.{name}": value if isinstance(value, str) else compact(value)
        for name, value in facts.items()
        if name != "record"
    }
    return TABLES[table].with_metadata(metadata)


def to_parquet(report: Report, stream: BinaryIO, table: str) -> None:
    """Write one table as Parquet; the header stands in the file's metadata as JSON, under `dedup.*`."""
    from pyarrow import parquet

    kind, content = described(table, head(report)), tables(report)[table]
    with parquet.ParquetWriter(stream, kind, compression="zstd") as writer:
        for first in range(0, content.num_rows, _GROUP):
            writer.write_table(content.slice(first, _GROUP).cast(kind).combine_chunks())
            report.let_go()
