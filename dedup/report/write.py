"""Write a report: to a file, to a folder of tables, or to a stream such as standard output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from dedup.errors import OutputError
from dedup.report import encode
from dedup.report.atomic import new_file, replace_file, replace_folder
from dedup.report.model import Report
from dedup.report.saved import EARLIER, FILES, HEADER, write_kept, write_texts
from dedup.schema import TABLES

FORMATS = {
    ".txt": "terminal",
    ".json": "json",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".html": "html",
}
FOLDER_FORMATS = ("parquet", "csv")  # those whose file holds one table


def write(
    report: Report,
    path: str | Path,
    *,
    format: str | None = None,
    table: str = "articles",
    limit: int | None = None,
    keep: bool = False,
) -> None:
    """Write to a file or, when `path` ends in "/" or is a folder, all four tables into that folder.

    `format` goes before the path's ending; a folder takes Parquet unless told. `table` is the one table
    that a single CSV or Parquet file carries, `limit` how many families a text report or a page shows (None:
    all, or as many as a page can hold). `keep`: a folder also takes the articles as they were read, and their
    sketches, for a later scan against them. Raises `OutputError`, and `InputError` where texts that
    an earlier report kept cannot be read; what stood at `path` is then untouched.
    """
    chosen = check(path, format=format, table=table)
    if is_folder(path):
        replace_folder(Path(path), lambda folder: _fill(report, folder, chosen, keep))
    else:
        replace_file(Path(path), lambda stream: dump(report, stream, chosen, table=table, limit=limit))


def dump(
    report: Report, stream: BinaryIO, format: str, *, table: str = "articles", limit: int | None = None
) -> None:
    """Write to an open binary stream."""
    if format == "json":
        encode.to_json(report, stream)
    elif format == "jsonl":
        encode.to_json_lines(report, stream)
    elif format == "csv":
        encode.to_csv(report, stream, table)
    elif format == "parquet":
        encode.to_parquet(report, stream, table)
    elif format == "html":
        from dedup.report.html import to_html

        to_html(report, stream, limit)
    else:
        from dedup.report.terminal import plain_text

        stream.write(plain_text(report, limit).encode("utf-8", "backslashreplace"))


def check(path: str | Path, *, format: str | None = None, table: str = "articles") -> str:
    """Return the format that `path` will be written in; raise `OutputError` where it cannot be written.

    Costs nothing, so that a long scan need not end in a mistyped path.
    """
    if table not in TABLES:
        raise OutputError(f"table={table!r} is not in a report; there are {', '.join(TABLES)}")
    chosen = chosen_format(path, format)
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if is_folder(path):
        _check_replaceable(Path(path))
    return chosen


def chosen_format(path: str | Path, format: str | None) -> str:
    """Return the format asked for, or the one that the ending of `path` names."""
    names = tuple(FORMATS.values())
    if format is not None and format not in names:
        raise OutputError(f"format={format!r} is not known; use {', '.join(names)}")
    if is_folder(path):
        if format is not None and format not in FOLDER_FORMATS:
            raise OutputError(
                f"{path}: a folder of tables is {' or '.join(FOLDER_FORMATS)}, not {format}; "
                f"name a file for {format}"
            )
        return format or FOLDER_FORMATS[0]
    ending = Path(path).suffix.lower()
    if format is None and ending not in FORMATS:
        raise OutputError(
            f"{path}: the ending {ending!r} names no format; use {', '.join(FORMATS)}, "
            f"or end the path in / for a folder of tables"
        )
    return format or FORMATS[ending]


def is_folder(path: str | Path) -> bool:
    """Tell whether `path` means a folder: it ends in a slash, or a folder stands there."""
    text = os.fspath(path)
    return text.endswith(("/", os.sep)) or Path(text).is_dir()


def _fill(report: Report, folder: Path, format: str, keep: bool) -> None:
    for table in TABLES:
        with new_file(folder / f"{table}.{format}") as stream:
            dump(report, stream, format, table=table)
    if format == "parquet":
        with new_file(folder / "texts.parquet") as stream:
            write_texts(report, stream)
    if keep:
        with new_file(folder / EARLIER) as stream:
            write_kept(report, stream)
    header = json.dumps(encode.head(report), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    with new_file(folder / HEADER) as stream:
        stream.write(header.encode())


def _check_replaceable(path: Path) -> None:
    """Refuse to replace anything but an empty folder or an earlier report with nothing else in it."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{path}: is a file; leave out the / at the end, or name another folder")
    ours = {HEADER, *FILES} | {f"{table}.{format}" for table in TABLES for format in FOLDER_FORMATS}
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return
    others = [name for name in names if name not in ours]
    if others or not _is_header(path / HEADER):
        what = ", ".join(others[:3]) if others else f"no {HEADER} of an earlier report"
        raise OutputError(
            f"{path}: holds more than a report of dedup ({what}), and would be replaced as a whole; "
            f"name a new folder, e.g. {path / 'report'}{os.sep}"
        )


def _is_header(path: Path) -> bool:
    """Tell whether the file is the header of a report."""
    try:
        header = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(header, dict) and header.get("record") == "report" and "schema_version" in header
