"""Convert: articles from any source into one table on disk, as a scan would read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from dedup.errors import OutputError
from dedup.io import Source, batches
from dedup.report.atomic import replace_file
from dedup.report.model import Inputs
from dedup.schema import INPUT
from dedup.settings import Settings

FORMATS = (".parquet", ".jsonl", ".ndjson")


def convert(
    source: Source,
    output: str | os.PathLike[str],
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    input_format: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Inputs:
    """Write the articles of `source` to `output`, Parquet or JSON Lines with the columns of `schema.INPUT`.

    Memory is bounded whatever the size of the source. What stood at `output` stays until the new file is
    whole. Returns how many articles were read, and the problems. Raises `InputError` and `OutputError`.
    """
    path, inputs = Path(output), Inputs()
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"{path}: the ending names no format of tables of articles; use {', '.join(FORMATS)}"
        )
    stream = batches(
        source, inputs=inputs, settings=Settings.of(settings), fields=fields, input_format=input_format,
        progress=progress,
    )  # fmt: skip
    write = _parquet if path.suffix.lower() == ".parquet" else lines
    replace_file(path, lambda file: write(stream, file))
    return inputs


def _parquet(stream: Iterator[pa.RecordBatch], file: BinaryIO) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(file, INPUT, compression="zstd") as writer:
        for batch in stream:
            writer.write_batch(batch)


def lines(stream: Iterator[pa.RecordBatch], file: BinaryIO) -> None:
    """Write articles as JSON Lines, without the fields that they do not have."""
    for batch in stream:
        for row in batch.to_pylist():
            there = {name: value for name, value in row.items() if value is not None}
            file.write(orjson.dumps(there, option=orjson.OPT_APPEND_NEWLINE))
