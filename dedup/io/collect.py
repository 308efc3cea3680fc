"""Collect rows into record batches: ids stay unique, problems are kept, articles are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from reprlib import repr as shortened

import pyarrow as pa
import pyarrow.compute as pc

from dedup.io.ids import Ids, PlaceOf
from dedup.io.place import NO_ZONE, Found, Place, Row, Rows, placed
from dedup.report.model import Inputs, Problem
from dedup.schema import INPUT

# Bytes of all strings in a batch; only an article that is longer by itself goes beyond.
BATCH_BYTES = 32 * 2**20
_AHEAD = timedelta(days=1)  # of our clock, that a time may be without a word


def repeated(key: str, place: Place, first: Place) -> Problem:
    """What becomes of an article whose id another has."""
    return place.problem(
        f"id {shortened(key)} is taken by {first}; that article stays, this one is set aside"
    )


class Zoneless:
    """Times that were given without a zone: how many in each file, and where the first is."""

    def __init__(self) -> None:
        self._files: dict[str | None, tuple[Place, int]] = {}

    def take(self, item: Row | Rows) -> None:
        """Count those of rows."""
        if not item.zoneless:
            return
        if isinstance(item, Row):
            self.add(item.place, 1)
        else:
            self.add(item.place(item.zoneless[0]), len(item.zoneless))

    def add(self, place: Place, more: int) -> None:
        """Count some of one file; `place` is the first of them."""
        first, count = self._files.get(place.path, (place, 0))
        self._files[place.path] = first, count + more

    def counts(self) -> Iterator[tuple[Place, int]]:
        """The first place and the number of each file."""
        yield from self._files.values()

    def problems(self) -> Iterator[Problem]:
        """One for each file."""
        for first, count in self._files.values():
            others = "" if count == 1 else f", as {count:,} of this input are"
            yield first.problem(NO_ZONE + others, "warning")


def collect(found: Iterable[Found], inputs: Inputs, max_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of `schema.INPUT` with at most `max_rows` rows, in the order of `found`.

    Of articles with the same id the first stays. `inputs` counts an article when its batch is handed
    out, and takes every problem as it comes; times without a zone are one for each file.
    """
    zoneless = Zoneless()
    yield from gathered(found, inputs, max_rows, Ids(), zoneless)
    inputs.add(zoneless.problems())


def gathered(
    found: Iterable[Found], inputs: Inputs, max_rows: int, ids: Ids | None, zoneless: Zoneless
) -> Iterator[pa.RecordBatch]:
    """The same, of a part of the articles: `ids` are those taken (None: all stay), `zoneless` is filled."""
    now = datetime.now(UTC)
    for batch, place in _batches(found, inputs, max_rows, zoneless):
        inputs.add(_early(batch, now, place))
        taken, others = (None, []) if ids is None else ids.take(batch["id"], place)
        inputs.add(repeated(batch["id"][row].as_py(), place(row), first) for row, first in others)
        kept = batch if taken is None else batch.take(taken)
        if kept.num_rows:
            inputs.read += kept.num_rows
            yield kept


def _batches(
    found: Iterable[Found], inputs: Inputs, max_rows: int, zoneless: Zoneless
) -> Iterator[tuple[pa.RecordBatch, PlaceOf]]:
    """Batches of rows, and what tells where their rows stand."""
    rows: list[Row] = []
    size = 0
    for item in found:
        if isinstance(item, Problem):
            inputs.add([item])
            continue
        zoneless.take(item)
        if rows and (isinstance(item, Rows) or len(rows) >= max_rows or size + item.size > BATCH_BYTES):
            yield _batch(rows)
            rows, size = [], 0
        if isinstance(item, Row):
            rows.append(item)
            size += item.size
        else:
            yield item.batch, partial(_numbered, item.path, item.first)
    if rows:
        yield _batch(rows)


def _numbered(path: str | None, first: int, row: int) -> Place:
    return placed(path, first + row)


def _early(batch: pa.RecordBatch, now: datetime, place: PlaceOf) -> Iterator[Problem]:
    """Doubts about articles of days to come."""
    later = pc.greater(
        batch.column("published"), pa.scalar(now + _AHEAD, batch.schema.field("published").type)
    )
    for row in pc.indices_nonzero(pc.fill_null(later, False)).to_pylist():
        time = batch.column("published")[row].as_py().isoformat(" ", "seconds")
        yield place(row).problem(f"published {time}, in the future; the article is kept as it is", "warning")


def _batch(rows: list[Row]) -> tuple[pa.RecordBatch, PlaceOf]:
    columns = zip(*(row.values for row in rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, INPUT, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=INPUT), [row.place for row in rows].__getitem__
