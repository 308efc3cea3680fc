"""Parquet: one row is one article."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.arrow import articles, columns_of
from dedup.io.blocks import Progress
from dedup.io.place import Found, Place, reason


def read_parquet(
    path: Path, shown: str, names: Mapping[str, str], limit: int, rows: int, progress: Progress | None
) -> Iterator[Found]:
    """Yield the articles of a file, row group after row group; places are the file and the row's number.

    Only the columns that are wanted are read. A file that cannot be read, or that lacks a column, is a
    problem; so is the rest of one that is damaged. `limit` and `rows` as for `read_arrow`.
    """
    from pyarrow import parquet

    place = Place(shown)
    try:
        with parquet.ParquetFile(path) as file:
            present = columns_of(file.schema_arrow, names)
            yield from articles(
                _batches(file, list(present.values()), rows, progress), present, names, limit, rows, shown
            )
            if not file.metadata.num_rows:
                yield place.problem("the file has no rows", "skipped")
    except InputError as error:
        yield place.problem(str(error))
    except (pa.ArrowException, OSError) as error:
        what = reason(error) if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        yield place.problem(f"cannot be read as Parquet: {what}; the rows before are kept")


def _batches(
    file: pa.parquet.ParquetFile, columns: list[str], rows: int, progress: Progress | None
) -> Iterator[pa.RecordBatch]:
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, row_groups=[group], columns=columns)
        if progress:
            facts = file.metadata.row_group(group)
            progress(sum(facts.column(number).total_compressed_size for number in range(facts.num_columns)))
