"""Messages: what partitions send each other, and the supersteps in which they do.

In a superstep every partition takes in what was sent to it, works, and sends further messages (the model of
Valiant 1990, *A bridging model for parallel computation*). Spark moves the messages; a partition is one task.
A message is a record batch in compressed Arrow format, so that a row of Spark's holds thousands of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.csr import batches as cut
from dedup.spark.storage import Folder

SCHEMA = "part int, kind string, source int, number int, data binary"
_ARROW = pa.schema(
    [
        ("part", pa.int32()),
        ("kind", pa.string()),
        ("source", pa.int32()),
        ("number", pa.int32()),
        ("data", pa.binary()),
    ]
)
TICK = "tick"  # the kind of what every partition sends itself
_ROWS = 4096  # texts in a message
_AT_ONCE = 2**23  # bytes of messages that are handed to Spark in one go
_COMPRESSION = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 3))


class Message(NamedTuple):
    """Something for a partition; `kind` is known to its step."""

    part: int
    kind: str
    batch: pa.RecordBatch


class Inbox:
    """What was sent to a partition, by kind, in the order of senders and of what each sent."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._rows: dict[str, list[tuple[int, int, pa.Scalar]]] = {}
        for batch in batches:
            self._add(batch)

    def _add(self, batch: pa.RecordBatch) -> None:
        kinds, sources = batch["kind"].to_pylist(), batch["source"].to_pylist()
        numbers = batch["number"].to_pylist()
        for kind, source, number, data in zip(kinds, sources, numbers, batch["data"], strict=True):
            if kind != TICK:
                self._rows.setdefault(kind, []).append((source, number, data))

    def has(self, kind: str) -> bool:
        """Is there anything of one kind?"""
        return kind in self._rows

    def put_aside(self, folder: Folder, name: str, kinds: Iterable[str]) -> None:
        """Keep what is of some kinds for a later step, in a file; without anything there is none."""
        rows = [
            (0, kind, source, number, data.as_buffer())
            for kind in kinds
            for source, number, data in self._rows.pop(kind, [])
        ]
        if rows:
            folder.write_batches(name, _ARROW, [_batch(rows)])

    def take_back(self, folder: Folder, name: str) -> None:
        """Take in what an earlier step put aside."""
        if folder.has(name):
            for batch in folder.read_batches(name):
                self._add(batch)

    def each(self, kind: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The senders and what they sent of one kind; it is forgotten as it is handed out."""
        rows = sorted(self._rows.pop(kind, []), key=lambda row: row[:2])
        for place, (source, _, data) in enumerate(rows):
            rows[place] = (0, 0, None)
            with pa.ipc.open_stream(data.as_buffer()) as reader:
                yield source, reader.read_next_batch()

    def table(self, kind: str) -> tuple[NDArray[np.int32], pa.Table] | None:
        """All rows that were sent of one kind, with their senders; None if there are none."""
        found = list(self.each(kind))
        if not found:
            return None
        sources = np.repeat(
            np.array([source for source, _ in found], np.int32), [len(batch) for _, batch in found]
        )
        return sources, pa.Table.from_batches([batch for _, batch in found])


def encoded(batch: pa.RecordBatch) -> pa.Buffer:
    """A record batch as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_COMPRESSION) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def arrays(**columns: Any) -> pa.RecordBatch:
    """A record batch of NumPy arrays."""
    made = [pa.array(column) if isinstance(column, np.ndarray) else column for column in columns.values()]
    return pa.record_batch(made, names=list(columns))


def column(table: pa.Table | pa.RecordBatch, name: str) -> NDArray[Any]:
    """A column of numbers as an array that can be written to, as kernels are compiled for."""
    values = table.column(name)
    own: NDArray[Any] = (
        values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False)
    )
    return own if own.flags.writeable and own.flags.c_contiguous else own.copy()


def sizes_of(table: pa.Table) -> NDArray[np.int64]:
    """The bytes of each row's text, wherever it is, int64 (n,); `table` has columns of `schema.READ`.

    A row without one has none.
    """
    sizes = pc.coalesce(table["bytes"], pc.binary_length(table["text"]))
    return np.concatenate([np.empty(0, np.int64), sizes.fill_null(0).to_numpy()])


def texts_in(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Rows with a `text` or its sketch, in batches that are small enough for messages."""
    for first, stop in cut(sizes_of(table), _ROWS, _AT_ONCE):
        yield from table.slice(first, stop - first).combine_chunks().to_batches()


def divided(parts: NDArray[Any], count: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows that go to each of `count` partitions, in their order; `parts` int (n,) names them."""
    order = np.argsort(parts.astype(np.uint16 if count <= 2**16 else np.uint32), kind="stable")
    bounds = np.searchsorted(parts[order], np.arange(count + 1))
    for part in np.flatnonzero(np.diff(bounds)).tolist():
        yield part, order[bounds[part] : bounds[part + 1]]


def rows_of(source: int, messages: Iterable[Message]) -> Iterator[pa.RecordBatch]:
    """Messages as rows for Spark."""
    # A row for itself, so that no step goes without one: Spark does not run what has nothing to work on.
    held: list[tuple[int, str, int, int, pa.Buffer]] = [(source, TICK, source, 0, pa.py_buffer(b""))]
    size = 0
    for number, message in enumerate(messages):
        data = encoded(message.batch)
        held.append((message.part, message.kind, source, number, data))
        size += data.size
        if size >= _AT_ONCE:
            yield _batch(held)
            held, size = [], 0
    if held:
        yield _batch(held)


def _batch(held: list[tuple[int, str, int, int, pa.Buffer]]) -> pa.RecordBatch:
    *columns, data = zip(*held, strict=True)
    binary = pa.array([bytes(item) for item in data], pa.binary())
    made = [pa.array(values, field.type) for values, field in zip(columns, _ARROW, strict=False)]
    return pa.record_batch([*made, binary], _ARROW)
