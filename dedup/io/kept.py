"""Articles that earlier scans kept, as they were read, with their sketches; their texts only where asked for.

A file is Parquet of `schema.KEPT`; its metadata name the layout and the version of its sketches. The place of
an article is the number of its file, times 2**40, plus its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.csr import offsets_of
from dedup.errors import InputError
from dedup.io.place import Rows
from dedup.io.remote import is_remote, remote
from dedup.schema import INPUT, KEPT, SKETCH
from dedup.sketch import check, version

ROWS = 1024  # of a row group: what is decoded to look at one article
OPTIONS: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}  # with which files are written
_LAYOUT = "1"
_FILE = 40  # bits of a row
_DETAILS = [name for name in INPUT.names if name != "text"]


def schema() -> pa.Schema:
    """What files are written with: `schema.KEPT` and the metadata that a later scan asks for."""
    return KEPT.with_metadata({"dedup.kept": _LAYOUT, "dedup.sketch": version()})


class Kept:
    """The files, paths or addresses, in which earlier reports kept their articles.

    Raises `InputError` where one cannot be read, was kept by a version of dedup that makes other sketches, or
    is not as it was when the article was first seen.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._lock = Lock()
        folders = len({shown(file).rpartition("/")[0] for file in files})  # parts follow one another
        self._open = lru_cache(folders + 1)(self._opened)
        self._group = lru_cache(folders + 2)(self._decoded)

    def sizes(self, file: int) -> list[int]:
        """The bytes of a file's row groups."""
        with self._reading(file) as (whole, _):
            return [whole.metadata.row_group(group).total_byte_size for group in range(whole.num_row_groups)]

    def batches(self, rows: int) -> Iterator[Rows]:
        """All articles, at most `rows` at a time: details, places and sizes of texts (of `schema.READ`)."""
        for file in range(len(self.files)):
            yield from self.groups(file, rows, ["bytes"])

    def groups(
        self, file: int, rows: int, columns: Sequence[str] = SKETCH.names, groups: range | None = None
    ) -> Iterator[Rows]:
        """The same of some row groups of a file, with some `columns` of sketches."""
        with self._reading(file) as (whole, bounds):
            own = range(whole.num_row_groups) if groups is None else groups
            row = int(bounds[own.start])
            for batch in whole.iter_batches(rows, row_groups=list(own), columns=[*_DETAILS, *columns]):
                yield Rows(_read(_checked(batch), file << _FILE | row), row + 1, shown(self.files[file]))
                row += batch.num_rows

    def taken(self, places: NDArray[np.int64], ids: pa.Array, columns: Sequence[str]) -> pa.RecordBatch:
        """Some columns of the articles at `places` (n,), whose `ids` are known, in their order."""
        order = np.argsort(places, kind="stable")
        files, rows = places[order] >> _FILE, places[order] & ((1 << _FILE) - 1)
        parts = [pa.schema([KEPT.field(name) for name in columns]).empty_table()]
        with self._lock:
            for file in np.unique(files).tolist():
                some = rows[files == file]
                parts += self._parts(file, some, ids.take(pa.array(order[files == file])), columns)
        whole = pa.concat_tables(parts).combine_chunks()
        if (order[1:] < order[:-1]).any():
            whole = whole.take(pa.array(np.argsort(order)))
        return pa.RecordBatch.from_arrays([_one(column) for column in whole.columns], schema=whole.schema)

    def _parts(
        self, file: int, rows: NDArray[np.int64], ids: pa.Array, columns: Sequence[str]
    ) -> Iterator[pa.Table]:
        with self._reading(file) as (_, bounds):
            groups = np.searchsorted(bounds, rows, "right") - 1
            if groups.size and groups[-1] >= bounds.size - 1:
                raise InputError("has fewer articles than it had")
            for group in np.unique(groups).tolist():
                first, stop = np.searchsorted(groups, [group, group + 1])
                own = pa.array(rows[first:stop] - bounds[group])
                found = self._group(file, group, ("id", *columns)).take(own)
                if not found["id"].combine_chunks().equals(ids.slice(first, stop - first)):
                    raise InputError("has other articles than it had")
                yield found.select(list(columns))

    def _decoded(self, file: int, group: int, columns: tuple[str, ...]) -> pa.Table:
        whole, _ = self._open(file)
        table = whole.read_row_group(group, columns=list(columns), use_threads=False)
        found = _checked(table.combine_chunks().to_batches()[0])
        if set(SKETCH.names) <= set(columns):
            check(found.select(SKETCH.names))
        return pa.Table.from_batches([found])

    def _opened(self, file: int) -> tuple[Any, NDArray[np.int64]]:
        """A file that is open, and the bounds of its row groups."""
        from pyarrow import parquet

        name = self.files[file]
        whole = parquet.ParquetFile(_file(name), page_checksum_verification=True)
        told = whole.schema_arrow.metadata or {}
        for key, own, what in (
            ("dedup.kept", _LAYOUT, "keeps articles in layout"),
            ("dedup.sketch", version(), "keeps sketches of version"),
        ):
            found = told.get(key.encode(), b"none").decode(errors="replace")
            if found != own:
                raise InputError(f"{what} {found}, and this version of dedup reads {own}")
        if not whole.schema_arrow.remove_metadata().equals(KEPT):
            raise InputError("has other columns than kept articles have")
        counts = [whole.metadata.row_group(group).num_rows for group in range(whole.num_row_groups)]
        return whole, offsets_of(np.array(counts, np.int64))

    @contextmanager
    def _reading(self, file: int) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Say of which file something is wrong, and what to do."""
        try:
            yield self._open(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            what = str(error).splitlines()[0]
            if not isinstance(error, InputError):
                what = f"cannot be read as kept articles: {what}"
            raise InputError(f"{shown(self.files[file])}: {what}; scan them anew with --keep") from error


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same; raises where it is damaged."""
    batch.validate(full=True)
    if batch["id"].null_count or ("text" in batch.schema.names and batch["text"].null_count):
        raise InputError("an article without an id or a text is among the kept ones")
    return batch


def _read(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    """Kept articles, the first at the place `first`, of those columns of `schema.READ` that are there."""
    if set(SKETCH.names) <= set(batch.schema.names):
        check(batch.select(SKETCH.names))
    texts = pa.array([""] * len(batch), pa.large_string())
    places = pa.array(np.arange(first, first + len(batch)))
    columns = [texts if name == "text" else batch[name] for name in INPUT.names]
    sketched = [name for name in SKETCH.names if name in batch.schema.names]
    kind = pa.schema([*INPUT, ("kept", pa.int64()), *(SKETCH.field(name) for name in sketched)])
    return pa.RecordBatch.from_arrays([*columns, places, *(batch[name] for name in sketched)], schema=kind)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)


def _file(name: str) -> Any:
    """A file that Parquet is read from, or its path."""
    if not is_remote(name):
        return Path(name)
    [found] = remote(name, False)
    return found.open()


def shown(file: str) -> str:
    """How messages call a file."""
    return file.partition("?")[0] if is_remote(file) else file
