"""Reports saved as a folder of Parquet tables, read again without scanning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dedup.errors import InputError, OutputError
from dedup.io.remote import is_remote
from dedup.report.model import Inputs, Problem, Report
from dedup.report.texts import SortedTexts
from dedup.schema import INPUT, KEPT, SCHEMA_VERSION, SKETCH, TABLES, TEXTS

HEADER = "report.json"  # what makes a folder recognisable as a report
EARLIER = "kept.parquet"  # the articles as they were read, with their sketches, for a later scan
FILES = (*(f"{name}.parquet" for name in (*TABLES, "texts")), EARLIER)  # or folders of parts


def write_texts(report: Report, stream: BinaryIO) -> None:
    """Write the texts of all articles that share a passage or are in a family, by id."""
    from pyarrow import parquet

    articles, passages = report.articles, report.passages
    members = pc.greater(pc.list_value_length(articles["families"]), 0)
    told = [articles["id"].filter(members), passages["left"], passages["right"]]
    ids = pc.unique(pa.chunked_array([pc.unique(column) for column in told], pa.string()))
    report.let_go()
    with parquet.ParquetWriter(stream, TEXTS, compression="zstd") as writer:
        for table in SortedTexts.of(report.texts).some(ids):
            writer.write_table(table)
            report.let_go()


def write_kept(report: Report, stream: BinaryIO) -> None:
    """Write all articles as they were read, with their sketches, `schema.KEPT`, by id."""
    from pyarrow import parquet

    from dedup.io.kept import OPTIONS, ROWS, schema

    if report.details is None or report.sketches is None:
        raise OutputError(
            "only a scan knows its articles as they were read; a report that was saved does not"
        )
    texts = SortedTexts.of(report.texts)
    with parquet.ParquetWriter(stream, schema(), **OPTIONS) as writer:
        for first in range(0, report.details.num_rows, ROWS):
            some = report.details.slice(first, ROWS)
            [own] = texts.some(some["id"].combine_chunks())
            columns = some.append_column(INPUT.field("text"), own["text"])
            for field, column in zip(SKETCH, report.sketches(first, first + len(some)).columns, strict=True):
                columns = columns.append_column(field, column)
            writer.write_table(columns.select(KEPT.names).cast(schema()))
            report.let_go()


def kept(folder: str | Path) -> list[str]:
    """The files in which a report kept its articles: paths or addresses, in order. Raises `InputError`."""
    from pyarrow import fs

    saved = _Saved(folder)
    _header(saved)
    [info] = saved.system.get_file_info([f"{saved.root}/{EARLIER}"])
    if info.type == fs.FileType.NotFound:
        raise InputError(
            f"{saved.shown}: kept no articles; scan them with --keep, to compare others against them"
        )
    return saved.files(info)


class _Saved:
    """A folder, or an address (s3://...), and the files in it."""

    def __init__(self, folder: str | Path) -> None:
        from pyarrow import fs

        base, mark, options = str(folder).partition("?") if is_remote(folder) else (str(folder), "", "")
        self.shown, self._options = base.rstrip("/"), f"{mark}{options}"
        try:
            self.system, root = fs.FileSystem.from_uri(
                folder if is_remote(folder) else str(Path(folder).absolute())
            )
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{folder}: cannot be opened: {str(error).splitlines()[0]}") from error
        self.root = root.rstrip("/")

    def files(self, info: Any) -> list[str]:
        """A file, or those in a folder, by paths or addresses of their own."""
        from pyarrow import fs

        whole = info.type == fs.FileType.File
        found = [info] if whole else self.system.get_file_info(fs.FileSelector(info.path))
        names = sorted(each.path.removeprefix(self.root) for each in found)
        return [f"{self.shown}{name}{self._options}" for name in names]

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with self.system.open_input_file(f"{self.root}/{name}") as file:
            data: bytes = file.read()
        return data

    def table(self, name: str, kind: pa.Schema) -> pa.Table:
        """A table, in one file or in a folder of its parts."""
        from pyarrow import fs, parquet

        paths = [f"{self.root}/{name}.{ending}" for ending in ("parquet", "csv")]
        there = [info.type != fs.FileType.NotFound for info in self.system.get_file_info(paths)]
        if there == [False, True]:
            raise InputError(
                f"{self.shown}: holds CSV tables; only a report saved as Parquet can be read again"
            )
        try:
            return parquet.read_table(paths[0], filesystem=self.system).cast(kind)
        except (pa.ArrowException, OSError, ValueError) as error:
            what = f"{self.shown}/{name}.parquet: cannot be read as a table of a report; scan anew"
            raise InputError(what) from error


def load(folder: str | Path) -> Report:
    """Read a report that was written as a folder of Parquet tables, here or at an address.

    Raises `InputError` for a folder that is none, or that another version wrote.
    """
    saved = _Saved(folder)
    header = _header(saved)
    inputs = header["inputs"]
    problems = [Problem(**problem) for problem in inputs["problems"]]
    counts = {"skipped": inputs["skipped"], "failed": inputs["failed"], "warning": inputs["warnings"]}
    tables = {name: saved.table(name, kind) for name, kind in TABLES.items()}
    return Report(
        **tables,
        inputs=Inputs(inputs["read"], problems, counts),
        settings=header["settings"],
        version=header["version"],
        texts=_texts(saved.table("texts", TEXTS)),
    )


def _header(saved: _Saved) -> dict[str, Any]:
    path = saved.shown
    try:
        header = json.loads(saved.read(HEADER))
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


def _texts(table: pa.Table) -> SortedTexts:
    texts = table.column("text").combine_chunks()
    return SortedTexts(table.column("id").combine_chunks(), lambda rows: texts.take(pa.array(rows)))
