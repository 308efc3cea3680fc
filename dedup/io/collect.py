"""Collect rows into record batches: ids stay unique, problems are kept, articles are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from reprlib import repr as shortened

import pyarrow as pa

from dedup.io.place import Found, Place, Row
from dedup.report.model import Inputs, Problem
from dedup.schema import INPUT

# Bytes of all strings in a batch; only an article that is longer by itself goes beyond.
BATCH_BYTES = 32 * 2**20


def collect(found: Iterable[Found], inputs: Inputs, max_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of `schema.INPUT` with at most `max_rows` rows, in the order of `found`.

    Of articles with the same id the first stays. `inputs` counts an article when its batch is handed
    out, and takes every problem as it comes.
    """
    taken: dict[str, Place] = {}
    rows: list[Row] = []
    size = 0
    for item in found:
        if isinstance(item, Problem):
            inputs.problems.append(item)
            continue
        key = item.values[0]
        first = taken.setdefault(key, item.place)
        if first is not item.place:
            message = f"id {shortened(key)} is taken by {first}; that article stays, this one is set aside"
            inputs.problems.append(item.place.problem(message))
            continue
        if rows and (len(rows) >= max_rows or size + item.size > BATCH_BYTES):
            inputs.read += len(rows)
            yield _batch(rows)
            rows, size = [], 0
        rows.append(item)
        size += item.size
    if rows:
        inputs.read += len(rows)
        yield _batch(rows)


def _batch(rows: list[Row]) -> pa.RecordBatch:
    columns = zip(*(row.values for row in rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, INPUT, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=INPUT)
