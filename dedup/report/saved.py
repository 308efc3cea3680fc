"""Reports saved as a folder of Parquet tables, read again without scanning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dedup.errors import InputError
from dedup.report.model import Inputs, Problem, Report
from dedup.report.texts import SortedTexts
from dedup.schema import SCHEMA_VERSION, TABLES, TEXTS

HEADER = "report.json"  # what makes a folder recognisable as a report


def write_texts(report: Report, stream: BinaryIO) -> None:
    """Write the texts of all articles that share a passage or are in a family, by id."""
    from pyarrow import parquet

    articles = report.articles
    told = pa.concat_tables(
        [
            report.passages.select(["left"]).rename_columns(["id"]),
            report.passages.select(["right"]).rename_columns(["id"]),
            articles.filter(pc.greater(pc.list_value_length(articles.column("families")), 0)).select(["id"]),
        ]
    )
    with parquet.ParquetWriter(stream, TEXTS, compression="zstd") as writer:
        for table in SortedTexts.of(report.texts).some(pc.unique(told.column("id"))):
            writer.write_table(table)


def load(folder: str | Path) -> Report:
    """Read a report that was written as a folder of Parquet tables.

    Raises `InputError` for a folder that is none, or that another version wrote.
    """
    path = Path(folder)
    header = _header(path)
    inputs = header["inputs"]
    problems = [Problem(**problem) for problem in inputs["problems"]]
    tables = {name: _table(path / f"{name}.parquet", kind) for name, kind in TABLES.items()}
    return Report(
        **tables,
        inputs=Inputs(inputs["read"], problems),
        settings=header["settings"],
        version=header["version"],
        texts=_texts(_table(path / "texts.parquet", TEXTS)),
    )


def _header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads((path / HEADER).read_bytes())
        version = header["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is no saved report ({HEADER} is missing or damaged); dedup scan … -o DIR/ writes one"
        ) from error
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: has schema version {version}, not {SCHEMA_VERSION}; scan anew")
    if not isinstance(header, dict) or not {"inputs", "settings", "version"} <= header.keys():
        raise InputError(f"{path}: {HEADER} is damaged; scan anew")
    return header


def _table(path: Path, kind: pa.Schema) -> pa.Table:
    from pyarrow import parquet

    if not path.exists() and path.with_suffix(".csv").exists():
        raise InputError(f"{path.parent}: holds CSV tables; only a report saved as Parquet can be read again")
    try:
        return parquet.read_table(path).cast(kind)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table of a report; scan anew") from error


def _texts(table: pa.Table) -> SortedTexts:
    texts = table.column("text").combine_chunks()
    return SortedTexts(table.column("id").combine_chunks(), lambda rows: texts.take(pa.array(rows)))
