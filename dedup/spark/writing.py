"""Writing: parts of tables, and the articles that a report keeps or shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.csr import batches
from dedup.io.kept import OPTIONS
from dedup.report.encode import described, made_by
from dedup.schema import KEPT, SKETCH, TEXTS
from dedup.sketch import packed
from dedup.spark.homes import Home
from dedup.spark.job import Job
from dedup.spark.messages import sizes_of
from dedup.spark.storage import Folder
from dedup.store import DETAILS

ROWS = 2**17  # of a row group
_AT_ONCE = 2**25  # bytes of texts that are written in one go


def write_table(out: Folder, job: Job, name: str, part: int, pieces: Iterable[pa.Table]) -> int:
    """Write the rows of one of the report's tables in one partition; how many there are.

    What made the report stands in the metadata, but for the inputs, which are not all known yet.
    """
    from dedup import __version__

    kind = described(name, made_by(__version__, job.settings.answer()))
    return write_part(out, name, part, kind, pieces)


def write_part(
    folder: Folder, name: str, part: int, kind: pa.Schema, pieces: Iterable[pa.Table], rows: int = ROWS
) -> int:
    """Write some rows in one partition as Parquet, so many in a row group; how many there are."""
    from pyarrow import parquet

    sink, count = pa.BufferOutputStream(), 0
    with parquet.ParquetWriter(sink, kind, **OPTIONS) as writer:
        for piece in pieces:
            count += piece.num_rows
            writer.write_table(piece.cast(kind), row_group_size=rows)
    folder.inside(f"{name}.parquet").write(f"part-{part:06}.parquet", sink.getvalue())
    return count


def kept_rows(home: Home) -> Iterator[pa.Table]:
    """The articles of a home as they are kept."""
    texts, sizes = home.texts, sizes_of(home.table)
    for first, stop in home.batches:
        own = home.table.slice(first, stop - first)
        sketches = packed(home.sketches(first, stop), sizes[first:stop])
        columns = {name: own[name] for name in DETAILS.names} | {"text": texts.batch(first, stop)}
        columns |= dict(zip(SKETCH.names, sketches.columns, strict=True))
        yield pa.table([columns[name] for name in KEPT.names], KEPT)


def shown_texts(home: Home, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
    """The texts of some articles of a home."""
    texts = home.texts
    for first, stop in batches(sizes_of(home.table)[rows], ROWS, _AT_ONCE):
        own = rows[first:stop]
        yield pa.table([home.column("id").take(pa.array(own)), texts.taken(own)], TEXTS)
