"""The scan on Spark: the only file that knows the order of its supersteps."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dedup.candidates import FEW, FEW_CLOSER
from dedup.errors import EngineError
from dedup.io import batches
from dedup.io.collect import Zoneless
from dedup.io.kept import Kept
from dedup.io.place import Place
from dedup.io.remote import is_remote
from dedup.report.model import Inputs
from dedup.schema import INPUT
from dedup.settings import Settings
from dedup.spark import (
    asking,
    finishing,
    graph,
    homes,
    large,
    meeting,
    placing,
    reading,
    reporting,
    verifying,
)
from dedup.spark.cluster import Cluster, Received, Step
from dedup.spark.job import Job
from dedup.spark.storage import Folder
from dedup.verify import ROUNDS

Progress = Callable[[str, int, int | None], None]

_IN_PART, _SMALL = 2**15, 2**8  # articles in a partition, about; and at least
_MOST_BITS = 13  # of their number: Spark keeps account of its square


class Engine:
    """One scan."""

    def __init__(
        self, cluster: Cluster, settings: Settings, folder: Folder, options: reading.Options, tell: Progress,
        parts: int | None = None,
    ) -> None:  # fmt: skip
        self.cluster = cluster
        self.options = options
        self.tell = tell
        self.parts = parts
        self.job = Job(folder, 0, settings, np.zeros(2, np.int64))

    def run(
        self, source: Any, inputs: Inputs, out: Folder, *, earlier: Kept | None = None, keep: bool = False,
        back: bool = False,
    ) -> tuple[int, int, int, int]:  # fmt: skip
        """Read, verify, and write the tables of a report to `out`; the counts of `scan.Written`.

        `earlier`: articles that were read before; `keep` and `back`: as for `Job`.
        """
        files = () if earlier is None else earlier.files
        self.job = replace(self.job, keep=keep, back=back, earlier=files)
        reporting.make_folders(out, self.job)
        self._settle(self._read(source, inputs, earlier), inputs)
        pairs, copies = self._verify(self._cluster(self._pair()), out)
        return inputs.read, pairs, copies, self._families(out)

    def _read(self, source: Any, inputs: Inputs, earlier: Kept | None) -> list[reading.Chunk]:
        """Write all articles as chunks, the earlier ones first."""
        self._tell("read")
        chunks = self._pieces(reading.kept_pieces(earlier), [], inputs) if earlier is not None else []
        self.options = self.options._replace(after=1 + max((chunk.task for chunk in chunks), default=-1))
        return chunks + self._fresh(source, inputs)

    def _fresh(self, source: Any, inputs: Inputs) -> list[reading.Chunk]:
        """Write the articles of a source as chunks."""
        if is_frame(source):
            wanted = {self.options.fields.get(name, name) for name in INPUT.names}
            columns = [source[f"`{field.name}`"] for field in source.schema if field.name in wanted]
            frame = source.select(*columns)
            options = self.options.of_tasks(frame.rdd.getNumPartitions())
            work = partial(reading.read_rows, self.job, options)
            return self._told(self.cluster.results(frame, work, reading.RESULT), [], inputs)
        paths = paths_of(source)
        if not paths:
            stream = batches(
                source, inputs=inputs, settings=self.job.settings, fields=self.options.fields,
                input_format=self.options.format,
            )  # fmt: skip
            return list(reading.Chunks(self.job.folder, self.options.after, 0).written(stream))
        return self._pieces(reading.pieces(paths, self.options, inputs), paths, inputs)

    def _pieces(self, found: list[reading.Piece], paths: list[Any], inputs: Inputs) -> list[reading.Chunk]:
        """Write the articles of files as chunks."""
        frame = self.cluster.rows(found, reading.PIECES)
        work = partial(reading.read_pieces, self.job, self.options.of_tasks(len(found)))
        return self._told(self.cluster.results(frame, work, reading.RESULT), paths, inputs)

    def _told(self, rows: list[Any], paths: list[Any], inputs: Inputs) -> list[reading.Chunk]:
        """What tasks say of what they have read."""
        chunks, full, zoneless = [], set(), Zoneless()
        for row in rows:
            data = json.loads(row.data)
            if row.kind == "chunk":
                chunks.append(reading.Chunk(**data))
            elif row.kind == "problems":
                reading.add_problems(self.job.folder, data["name"], inputs)
            elif row.kind == "zoneless":
                zoneless.add(Place(*data["place"]), data["count"])
            else:
                full |= set(data["paths"])
        inputs.add(zoneless.problems())
        for number, path in enumerate(paths):
            if number not in full and (is_remote(path) or Path(path).is_dir()):
                inputs.add([reading.nothing_in(path)])
        return chunks

    def _settle(self, chunks: list[reading.Chunk], inputs: Inputs) -> None:
        """Sort articles by id into homes, and number them."""
        rows, derives = sum(chunk.rows for chunk in chunks), any(chunk.derives for chunk in chunks)
        least = min(self.cluster.parallelism, rows // _SMALL)
        bits = max(self.parts - 1, 0).bit_length() if self.parts else bits_for(rows, least)
        self.job = replace(self.job, bits=bits, bases=np.zeros((1 << bits) + 1, np.int64), derives=derives)
        bounds = reading.bounds_of(chunks, self.job.parts)
        frame = self.cluster.rows([(chunk.name,) for chunk in chunks], "name string")
        counts = np.zeros(self.job.parts, np.int64)
        first = frame, partial(reading.split, self.job, bounds)
        for kind, source, batch in self.cluster.run(self.job, [reading.settle], first):
            if kind == "settled":
                counts[source] = batch["rows"][0].as_py()
            else:
                reading.add_problems(self.job.folder, batch["name"][0].as_py(), inputs)
        bases = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        if bases[-1] >= 2**31:
            raise EngineError(f"{bases[-1]:,} articles are more than 2**31; scan them by period")
        inputs.read = int(bases[-1])
        self.job = replace(self.job, bases=bases)

    def _pair(self) -> int:
        """Find candidate pairs; how many edges join the close ones."""
        self._tell("pair")
        told = self._run(
            homes.look, homes.compare, homes.relate, homes.tell_boilerplate, meeting.post, meeting.share,
            meeting.meet, meeting.pair, partial(meeting.meet_hubs, "met", FEW), meeting.count,
            meeting.look_closer, meeting.pair_closer, partial(meeting.meet_hubs, "further", FEW_CLOSER),
            meeting.reduce,
        )  # fmt: skip
        return sum(batch["edges"][0].as_py() for _, _, batch in told)

    def _cluster(self, edges: int) -> tuple[Step, ...]:
        """The supersteps that tell homes the clusters of their articles."""
        if edges <= graph.SMALL:
            return graph.gather, graph.join
        self._tell("families")
        number, before, now = 0, None, None
        while before is None or now != before:
            before = now
            told = self._run(
                partial(graph.both_ways, number), graph.large_star, partial(graph.small_star, number)
            )
            now = sorted(
                (source, *(batch[name][0].as_py() for name in ("count", "sum"))) for _, source, batch in told
            )
            number += 1
        return partial(graph.tell_middles, number), graph.tell_roots

    def _verify(self, roots: tuple[Step, ...], out: Folder) -> tuple[int, int]:
        """Verify clusters where they are placed, and write what homes have to report; pairs and copies."""
        self._tell("align")
        rounds: list[Step] = []
        for number in range(ROUNDS):
            rounds += large.pool, partial(large.look, number)
        told = self._run(
            *roots, placing.root, placing.classify, placing.degrees, placing.place, placing.send,
            verifying.receive, large.begin, *rounds, verifying.verify, verifying.meet, verifying.move,
            finishing.trace, asking.answer, finishing.finish, partial(reporting.write_home, out),
        )  # fmt: skip
        pairs, copies = (sum(batch[name][0].as_py() for _, _, batch in told) for name in ("pairs", "copies"))
        return pairs, copies

    def _families(self, out: Folder) -> int:
        """Write the families, the largest first; how many."""
        self._tell("report")
        counts: Counter[int] = Counter()
        for _, _, batch in self._run(reporting.tell_sizes):
            counts.update(dict(zip(batch["size"].to_pylist(), batch["count"].to_pylist(), strict=True)))
        larger, before = {}, 0
        for size in sorted(counts, reverse=True):
            larger[size] = before, counts[size]
            before += counts[size]
        self._run(partial(reporting.send_families, larger), partial(reporting.write_families, out))
        return before

    def _tell(self, stage: str) -> None:
        """A stage begins; from now on the cluster's tasks are its."""
        self.tell(stage, 0, None)
        self.cluster.tell = partial(self.tell, stage)

    def _run(self, *steps: Step) -> list[Received]:
        return self.cluster.run(self.job, steps)


def bits_for(articles: int, least: int = 1) -> int:
    """The binary logarithm of how many partitions to work in, `least` or more."""
    return min(_MOST_BITS, (max(articles // _IN_PART, least, 1) - 1).bit_length())


def is_frame(source: Any) -> bool:
    """Is it a DataFrame of Spark's?"""
    return hasattr(source, "mapInArrow")


def paths_of(source: Any) -> list[str | os.PathLike[str]]:
    """The paths that a source consists of; none if it is something else."""
    if isinstance(source, str | os.PathLike):
        return [source]
    if isinstance(source, list | tuple) and all(isinstance(path, str | os.PathLike) for path in source):
        return list(source)
    return []
