"""Our side of the benchmarks: scans in a process of their own."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.child import Answer, Finish

TABLES = ("articles", "pairs", "passages", "families")


def scanned(path: str, settings: dict[str, Any]) -> Any:
    """Scan a Parquet file by its path."""
    import dedup

    return dedup.scan(path, dedup.Settings(**settings))


def scan(path: str, **settings: Any) -> Finish:
    """Scan; afterwards tell the sizes of the answer and its digest."""
    report = scanned(path, settings)

    def told() -> Answer:
        rows = {name: getattr(report, name).num_rows for name in TABLES}
        return {"rows": rows, "digest": digest(report), "problems": len(report.inputs.problems)}

    return told


def scan_to(path: str, folder: str, **settings: Any) -> Finish:
    """Scan, and write the report to `folder`, as the command does; afterwards tell its sizes."""
    from dedup.report.write import write

    report = scanned(path, settings)
    problems = len(report.inputs.problems)
    write(report, f"{folder}/")

    def told() -> Answer:
        rows = {name: pq.ParquetFile(f"{folder}/{name}.parquet").metadata.num_rows for name in TABLES}
        return {"rows": rows, "problems": problems}

    return told


def digest(report: Any) -> str:
    """SHA-256 of the four tables as Arrow streams: the same bytes or not."""
    whole = hashlib.sha256()
    for name in TABLES:
        sink = pa.BufferOutputStream()
        table = getattr(report, name).combine_chunks()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        whole.update(sink.getvalue())
    return whole.hexdigest()
