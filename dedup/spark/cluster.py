"""The cluster: everything that is asked of Spark, in one place."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from dedup.spark.messages import SCHEMA, TICK, Inbox, Message, rows_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from dedup.spark.job import Job

Step: TypeAlias = Callable[["Job", int, Inbox], Iterator[Message]]
Work: TypeAlias = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Received: TypeAlias = tuple[str, int, pa.RecordBatch]  # kind, sender, rows

_LOG = logging.getLogger("dedup")
_OFTEN = 0.5  # seconds between two looks at the running tasks
_TASKS_OF = ("numCompletedTasks", "numTasks")
_TASKS = 4096  # at most, that rows of their own are made to


class Cluster:
    """A Spark session, and the tasks that run there."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self.tell: Callable[[int, int], None] | None = None  # how many tasks of a job are done, of how many

    @property
    def parallelism(self) -> int:
        """How many tasks run at once, about."""
        return int(self._spark.sparkContext.defaultParallelism)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell how far the running job is, now and then, as long as somebody wants to know."""
        ended = Event()
        watch = Thread(target=self._watch, args=(ended,), name="dedup-progress", daemon=True)
        if self.tell is not None:
            watch.start()
        try:
            yield
        finally:
            ended.set()
            if self.tell is not None:
                watch.join()

    def _watch(self, ended: Event) -> None:
        tracker = self._spark.sparkContext.statusTracker()
        while not ended.wait(_OFTEN):
            try:
                jobs = [tracker.getJobInfo(number) for number in tracker.getActiveJobsIds()]
                stages = [tracker.getStageInfo(number) for job in jobs if job for number in job.stageIds]
            except Exception as error:  # whatever it is, the job itself will say
                _LOG.debug("no word of the running tasks: %r", error)
                continue
            done, total = (sum(getattr(stage, name) for stage in stages if stage) for name in _TASKS_OF)
            if self.tell is not None and total:
                self.tell(done, total)

    def _describe(self, works: Sequence[Any]) -> None:
        """Name the next job's work, for Spark's pages and logs."""
        names = [getattr(work, "func", work).__name__ for work in works]
        self._spark.sparkContext.setJobDescription(f"dedup: {', '.join(names)}")

    def rows(self, values: Sequence[tuple[Any, ...]], kind: str) -> DataFrame:
        """Rows, each in a task of its own as far as that is sensible; `number` tells in which order."""
        count = max(1, min(len(values), _TASKS))
        numbered = [
            (number * count // max(len(values), 1), number, *row) for number, row in enumerate(values)
        ]
        frame = self._spark.createDataFrame(numbered, f"part int, number int, {kind}")
        return frame.repartitionById(count, "part")

    def results(self, frame: DataFrame, work: Work, kind: str) -> list[Any]:
        """What tasks tell of their rows, in the order of the tasks."""
        self._describe([work])
        with self._told():
            return sorted(frame.mapInArrow(work, kind).collect(), key=lambda row: row.task)

    def run(
        self, job: Job, steps: Sequence[Step], first: tuple[DataFrame, Work] | None = None
    ) -> list[Received]:
        """Run supersteps; the messages of the last one, which must be few.

        They begin with what partitions keep, or with the messages that `first` makes of rows.
        """
        if first is None:
            frame = self._spark.createDataFrame([], SCHEMA)
        else:
            frame = first[0].mapInArrow(partial(_sent, first[1]), SCHEMA)
        self._describe([*([first[1]] if first else []), *steps])
        for step in steps:
            frame = frame.repartitionById(job.parts, "part").mapInArrow(partial(_stepped, job, step), SCHEMA)
        with self._told():
            rows = frame.where(f"kind != '{TICK}'").collect()
        rows.sort(key=lambda row: (row.source, row.number))
        return [(row.kind, row.source, pa.ipc.open_stream(row.data).read_next_batch()) for row in rows]


def task() -> tuple[int, int]:
    """The number of the running task among those of its stage, and one that no other task has."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return (context.partitionId(), context.taskAttemptId()) if context else (0, 0)


@cache
def _keep_modules() -> None:
    """Leave what is there by now, once a process, to no garbage collection.

    Spark collects garbage after every task; what was imported is never any, and to look at it takes longer
    than many a task.
    """
    gc.freeze()


def _sent(
    work: Callable[[Iterable[pa.RecordBatch]], Iterator[Message]], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    yield from rows_of(task()[0], work(batches))
    _keep_modules()


def _stepped(job: Job, step: Step, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    part = task()[0]
    yield from rows_of(part, step(job, part, Inbox(batches)))
    _keep_modules()
