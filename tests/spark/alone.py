"""A cluster without Spark: tasks run one after another in this process."""

from types import SimpleNamespace
from unittest import mock

import pyarrow as pa

from dedup.report.model import Inputs
from dedup.settings import Settings
from dedup.spark import reading
from dedup.spark.engine import Engine
from dedup.spark.messages import TICK, Inbox, rows_of
from dedup.spark.reading import Options
from dedup.spark.storage import Folder


class Alone:
    parallelism = 2
    tell = None

    def rows(self, values, kind):
        names = ["number", *(field.split()[0] for field in kind.split(","))]
        return [
            pa.RecordBatch.from_pylist([dict(zip(names, (number, *row), strict=True))])
            for number, row in enumerate(values)
        ]

    def results(self, frame, work, kind):
        rows = []
        for number, batch in enumerate(frame):
            with mock.patch.object(reading, "task", lambda number=number: (number, 0)):
                rows += [SimpleNamespace(**row) for found in work([batch]) for row in found.to_pylist()]
        return rows

    def run(self, job, steps, first=None):
        sent = [] if first is None else [row for batch in first[0] for row in rows_of(0, first[1]([batch]))]
        for step in steps:
            boxes = [[] for _ in range(job.parts)]
            for batch in sent:
                for row, part in enumerate(batch["part"].to_pylist()):
                    boxes[part].append(batch.slice(row, 1))
            sent = [
                batch
                for part, box in enumerate(boxes)
                for batch in rows_of(part, step(job, part, Inbox(reversed(box))))
            ]
        return [
            (row["kind"], row["source"], pa.ipc.open_stream(row["data"]).read_next_batch())
            for batch in sent
            for row in batch.to_pylist()
            if row["kind"] != TICK
        ]


def scan_alone(source, folder, settings=None, parts=None, fields=None, **options):
    """The folder that a scan's tables are written to, and what was read."""
    inputs, out = Inputs(), Folder(str(folder / "report"))
    work = Folder(str(folder / "work"))
    work.make()
    engine = Engine(Alone(), Settings.of(settings), work, Options(fields or {}, None), lambda *_: None, parts)
    engine.run(source, inputs, out, **options)
    return folder / "report", inputs
