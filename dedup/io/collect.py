"""Collect rows into record batches: ids stay unique, problems are kept, articles are counted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from reprlib import repr as shortened

import pyarrow as pa
import pyarrow.compute as pc

from dedup.io.place import NO_ZONE, Found, Place, Row, Rows, placed
from dedup.report.model import Inputs, Problem
from dedup.schema import INPUT

# Bytes of all strings in a batch; only an article that is longer by itself goes beyond.
BATCH_BYTES = 32 * 2**20
_AHEAD = timedelta(days=1)  # of our clock, that a time may be without a word


class _Ids:
    """The ids that are taken, each with the place of its article."""

    def __init__(self) -> None:
        self._places: dict[str, Place | int] = {}  # a number counts the rows of `_blocks`
        self._blocks: list[tuple[str | None, int]] = []  # their files and first rows, not the rows
        self._bounds = [0]

    def taken(self, key: str, place: Place) -> Place | None:
        """The place that has the id already; otherwise it goes to `place`."""
        first = self._places.setdefault(key, place)
        return None if first is place else self._place(first)

    def take(self, rows: Rows, inputs: Inputs) -> pa.RecordBatch:
        """The rows whose ids are new; the others are problems."""
        keys = rows.batch.column("id").to_pylist()
        base = self._bounds[-1]
        self._blocks.append((rows.path, rows.first))
        self._bounds.append(base + len(keys))
        if len(set(keys)) == len(keys) and self._places.keys().isdisjoint(keys):
            self._places.update(zip(keys, range(base, base + len(keys)), strict=True))
            return rows.batch
        kept = []
        for row, key in enumerate(keys):
            first = self._places.setdefault(key, base + row)
            if first == base + row:
                kept.append(row)
            else:
                inputs.add([repeated(key, rows.place(row), self._place(first))])
        return rows.batch.take(pa.array(kept, pa.int64()))

    def _place(self, place: Place | int) -> Place:
        if isinstance(place, Place):
            return place
        block = bisect_right(self._bounds, place) - 1
        path, first = self._blocks[block]
        return placed(path, first + place - self._bounds[block])


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
    yield from gathered(found, inputs, max_rows, _Ids(), zoneless)
    inputs.add(zoneless.problems())


def gathered(
    found: Iterable[Found], inputs: Inputs, max_rows: int, ids: _Ids | None, zoneless: Zoneless
) -> Iterator[pa.RecordBatch]:
    """The same, of a part of the articles: `ids` are those taken (None: all stay), `zoneless` is filled."""
    now = datetime.now(UTC)
    rows: list[Row] = []
    size = 0
    for item in found:
        if isinstance(item, Problem):
            inputs.add([item])
            continue
        zoneless.take(item)
        if isinstance(item, Row) and ids is not None:
            first = ids.taken(item.values[0], item.place)
            if first is not None:
                inputs.add([repeated(item.values[0], item.place, first)])
                continue
        if rows and (isinstance(item, Rows) or len(rows) >= max_rows or size + item.size > BATCH_BYTES):
            yield _counted(rows, inputs, now)
            rows, size = [], 0
        if isinstance(item, Row):
            rows.append(item)
            size += item.size
            continue
        inputs.add(_early(item.batch, now, item.place))
        batch = item.batch if ids is None else ids.take(item, inputs)
        if batch.num_rows:
            inputs.read += batch.num_rows
            yield batch
    if rows:
        yield _counted(rows, inputs, now)


def _counted(rows: list[Row], inputs: Inputs, now: datetime) -> pa.RecordBatch:
    """Rows as a batch, counted."""
    batch = _batch(rows)
    inputs.read += batch.num_rows
    inputs.add(_early(batch, now, lambda row: rows[row].place))
    return batch


def _early(batch: pa.RecordBatch, now: datetime, place: Callable[[int], Place]) -> Iterator[Problem]:
    """Doubts about articles of days to come."""
    later = pc.greater(
        batch.column("published"), pa.scalar(now + _AHEAD, batch.schema.field("published").type)
    )
    for row in pc.indices_nonzero(pc.fill_null(later, False)).to_pylist():
        time = batch.column("published").cast(pa.timestamp("s")).cast(pa.string())[row].as_py()
        yield place(row).problem(f"published {time}, in the future; the article is kept as it is", "warning")


def _batch(rows: list[Row]) -> pa.RecordBatch:
    columns = zip(*(row.values for row in rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, INPUT, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=INPUT)
