"""Parquet: one row is one article."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import local

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.archive import spooled
from dedup.io.arrow import articles, columns_of, tell_columns
from dedup.io.file import File
from dedup.io.place import Found, Place, reason
from dedup.io.reading import Reading
from dedup.threads import in_order

_SMALL = 2**25  # bytes of decoded row groups that are read whole, several at once


def read(
    file: File, source: Iterator[bytes], place: Place, reading: Reading, groups: range | None = None
) -> Iterator[Found]:
    """Yield the articles of a file, row group after row group; places are the file and the row's number.

    Only the columns that are wanted are read, and only some row `groups` if they are given. A file that
    cannot be read, or that lacks a column, is a problem; so is the rest of one that is damaged.
    """
    from pyarrow import parquet

    try:
        with ExitStack() as stack:
            opened = file.local or stack.enter_context(file.open() if file.seeks else spooled(source))
            whole = stack.enter_context(parquet.ParquetFile(opened))
            present = columns_of(whole.schema_arrow, reading.names)
            tell_columns(present, place, reading)
            own = range(whole.num_row_groups) if groups is None else groups
            before = sum(whole.metadata.row_group(group).num_rows for group in range(own.start))
            batches = _batches(file.local, whole, own, list(present.values()), reading)
            yield from articles(batches, present, reading, place.path, before)
            if not whole.metadata.num_rows:
                yield place.problem("the file has no rows", "skipped")
    except InputError as error:
        yield place.problem(str(error))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # names of columns may be no UTF-8
        what = reason(error) if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        yield place.problem(f"cannot be read as Parquet: {what}; the rows before are kept")


def _batches(
    path: Path | None, file: pa.parquet.ParquetFile, own: range, columns: list[str], reading: Reading
) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups: small ones of a file on disk are decoded by several threads."""
    facts = [file.metadata.row_group(group) for group in own]
    several = reading.threads > 1 and max((group.total_byte_size for group in facts), default=0) <= _SMALL
    groups = _decoded(path, columns, own, reading.threads) if several and path is not None else None
    for number, group in zip(own, facts, strict=True):
        if groups is not None:
            yield from next(groups).to_batches(reading.rows)
        else:
            yield from file.iter_batches(reading.rows, row_groups=[number], columns=columns)
        if reading.progress:
            taken = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
            reading.progress(taken)


def _decoded(path: Path, columns: list[str], groups: range, threads: int) -> Iterator[pa.Table]:
    """Row groups, in order; each thread has a file of its own, for a reader serves one at a time."""
    from pyarrow import parquet

    own = local()
    opened = []

    def decode(group: int) -> pa.Table:
        if not hasattr(own, "file"):
            own.file = parquet.ParquetFile(path)
            opened.append(own.file)
        return own.file.read_row_group(group, columns, use_threads=False)

    try:
        yield from in_order(decode, groups, threads)
    finally:
        for file in opened:
            file.close()
