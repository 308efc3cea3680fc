"""Articles that an earlier scan kept, as it read them: they were checked then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.place import Rows
from dedup.io.remote import is_remote, remote
from dedup.schema import INPUT


def read_kept(files: Sequence[str], rows: int) -> Iterator[Rows]:
    """The articles of Parquet files, paths or addresses, at most `rows` at a time. Raises `InputError`."""
    for file in files:
        yield from read_groups(file, rows)


def read_groups(file: str, rows: int, groups: range | None = None) -> Iterator[Rows]:
    """The same of some row groups of one file."""
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(opened(file)) as whole:
            own = range(whole.num_row_groups) if groups is None else groups
            number = sum(whole.metadata.row_group(group).num_rows for group in range(own.start))
            for batch in whole.iter_batches(rows, row_groups=list(own)):
                yield Rows(
                    pa.RecordBatch.from_arrays(batch.cast(INPUT).columns, schema=INPUT),
                    number + 1,
                    shown(file),
                )
                number += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        what = str(error).splitlines()[0]
        raise InputError(f"{shown(file)}: cannot be read as kept articles: {what}; scan them anew") from error


def opened(file: str) -> object:
    """A file, or a path, that Parquet is read from."""
    if not is_remote(file):
        return Path(file)
    [found] = remote(file, False)
    return found.open()


def shown(file: str) -> str:
    """How messages call a file."""
    return file.partition("?")[0] if is_remote(file) else file
