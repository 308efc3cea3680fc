"""The scan on Spark: the only file that knows the order of its supersteps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dedup.errors import EngineError
from dedup.io.collect import Zoneless
from dedup.io.place import Place
from dedup.io.remote import is_remote
from dedup.report.model import Inputs, Problem
from dedup.schema import INPUT
from dedup.settings import Settings
from dedup.spark import graph, homes, meeting, placing, reading, reporting, verifying
from dedup.spark.job import Job
from dedup.spark.messages import SCHEMA, Step, rows_of, then
from dedup.spark.storage import Folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Progress = Callable[[str, int, int | None], None]

_IN_PART = 2**15  # articles in a partition, about
_MOST_BITS = 16


class Engine:
    """One scan."""

    def __init__(
        self, spark: SparkSession, settings: Settings, folder: Folder, options: reading.Options, tell: Progress,
        parts: int | None = None,
    ) -> None:  # fmt: skip
        self.spark = spark
        self.options = options
        self.tell = tell
        self.parts = parts
        self.job = Job(folder, 0, settings, np.zeros(2, np.int64))

    def run(self, source: Any, inputs: Inputs, out: Folder) -> None:
        """Read, verify, and write the tables of a report to `out`."""
        chunks, samples, derives = self._read(source, inputs)
        self._settle(chunks, samples, derives, inputs)
        self._verify(self._cluster(self._pair()), out)
        self._families(out)

    def _read(self, source: Any, inputs: Inputs) -> tuple[list[str], list[tuple[int, list[str]]], bool]:
        """Write all articles as chunks; their names, samples of their ids, and whether one derives."""
        self.tell("read", 0, None)
        if _is_frame(source):
            names = [field.name for field in source.schema]
            columns = [source[f"`{name}`"] for name in names if name in _wanted(self.options)]
            frame = source.select(*columns).mapInArrow(
                partial(reading.read_rows, self.job, self.options), reading.RESULT
            )
            paths: list[Any] = []
        else:
            paths = source
            found = reading.pieces(paths, self.options, inputs.problems)
            frame = self._rows(found, "where string, name string, path int, named boolean, first int, stop int")
            frame = frame.mapInArrow(partial(reading.read_pieces, self.job, self.options), reading.RESULT)
        chunks, samples, full, derives = [], [], set(), False
        zoneless = Zoneless()
        for row in sorted(frame.collect(), key=lambda row: row.task):
            data = json.loads(row.data)
            if row.kind == "chunk":
                chunks.append(data["name"])
                samples.append((data["rows"], data["ids"]))
            elif row.kind == "problem":
                inputs.problems.append(Problem(**data))
            elif row.kind == "zoneless":
                zoneless.add(Place(*data["place"]), data["count"])
            else:
                full |= set(data["paths"])
                derives |= data["derives"]
        inputs.problems += zoneless.problems()
        for number, path in enumerate(paths):
            if number not in full and (is_remote(path) or Path(path).is_dir()):
                inputs.problems.append(reading.nothing_in(path))
        return chunks, samples, derives

    def _rows(self, rows: Sequence[Any], kind: str) -> DataFrame:
        """Rows, each in a task of its own as far as that is sensible."""
        count = max(1, min(len(rows), 4096))
        numbered = [(number * count // max(len(rows), 1), *row) for number, row in enumerate(rows)]
        frame = self.spark.createDataFrame(numbered, f"part int, {kind}")
        return frame.repartitionById(count, "part")

    def _settle(
        self, chunks: list[str], samples: list[tuple[int, list[str]]], derives: bool, inputs: Inputs
    ) -> None:
        """Sort articles by id into homes, and number them."""
        rows = sum(rows for rows, _ in samples)
        parts = self.parts or max(1, rows // _IN_PART, min(self.spark.sparkContext.defaultParallelism, rows // 256))
        bits = min(_MOST_BITS, max(parts - 1, 0).bit_length())
        self.job = Job(self.job.folder, bits, self.job.settings, np.zeros((1 << bits) + 1, np.int64), derives)
        bounds = reading.bounds_of(samples, self.job.parts)
        frame = self._rows([(name,) for name in chunks], "name string")
        sent = frame.mapInArrow(partial(_split, self.job, bounds), SCHEMA)
        counts = np.zeros(self.job.parts, np.int64)
        for kind, source, batch in self._collected(then(sent, self.job, reading.settle)):
            if kind == "settled":
                counts[source] = batch["rows"][0].as_py()
            else:
                inputs.problems += (Problem(**json.loads(data)) for data in batch["data"].to_pylist())
        bases = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        if bases[-1] >= 2**31:
            raise EngineError(f"{bases[-1]:,} articles are more than 2**31; scan them by period")
        inputs.read = int(bases[-1])
        self.job = Job(self.job.folder, bits, self.job.settings, bases, derives)

    def _pair(self) -> int:
        """Find candidate pairs; how many edges join the close ones."""
        self.tell("pair", 0, None)
        told = self._run(
            homes.look, homes.compare, homes.relate, homes.tell_boilerplate, meeting.post, meeting.share,
            meeting.meet, meeting.pair, meeting.count, meeting.look_closer, meeting.pair_closer, meeting.reduce,
        )  # fmt: skip
        return sum(batch["edges"][0].as_py() for _, _, batch in told)

    def _cluster(self, edges: int) -> tuple[Step, ...]:
        """The supersteps that tell homes the clusters of their articles."""
        if edges <= graph.SMALL:
            return graph.gather, graph.join
        self.tell("families", 0, None)
        before = None
        while True:
            told = self._run(graph.both_ways, graph.large_star, graph.small_star)
            found = [(source, batch["count"][0].as_py(), batch["sum"][0].as_py()) for _, source, batch in told]
            if sorted(found) == before:
                return (graph.tell_roots,)
            before = sorted(found)

    def _verify(self, roots: tuple[Step, ...], out: Folder) -> None:
        """Verify clusters where they are placed, and write what homes have to report."""
        self.tell("align", 0, None)
        self._run(
            *roots, placing.root, placing.classify, placing.degrees, placing.place, placing.send, verifying.verify,
            verifying.meet, verifying.move, verifying.finish, partial(reporting.write_home, out),
        )  # fmt: skip

    def _families(self, out: Folder) -> None:
        """Write the families, the largest first."""
        self.tell("report", 0, None)
        counts: Counter[int] = Counter()
        for _, _, batch in self._run(reporting.tell_sizes):
            counts.update(dict(zip(batch["size"].to_pylist(), batch["count"].to_pylist(), strict=True)))
        larger, before = {}, 0
        for size in sorted(counts, reverse=True):
            larger[size] = before, counts[size]
            before += counts[size]
        self._run(partial(reporting.send_families, larger), partial(reporting.write_families, out))

    def _run(self, *steps: Step) -> list[tuple[str, int, pa.RecordBatch]]:
        """Run supersteps that begin with what partitions keep; the messages of the last one, which are few."""
        frame = self.spark.createDataFrame([], SCHEMA)
        for step in steps:
            frame = then(frame, self.job, step)
        return self._collected(frame)

    def _collected(self, frame: DataFrame) -> list[tuple[str, int, pa.RecordBatch]]:
        rows = sorted(frame.where("kind != 'tick'").collect(), key=lambda row: (row.source, row.number))
        return [(row.kind, row.source, pa.ipc.open_stream(row.data).read_next_batch()) for row in rows]


def _split(job: Job, bounds: list[str], batches: Any) -> Iterator[pa.RecordBatch]:
    """Chunks to messages for homes."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    yield from rows_of(context.partitionId(), reading.split(job, bounds, batches))


def _is_frame(source: Any) -> bool:
    return hasattr(source, "mapInArrow")


def _wanted(options: reading.Options) -> set[str]:
    """The columns that are looked at."""
    return {options.fields.get(name, name) for name in INPUT.names}
