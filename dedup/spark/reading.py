"""Reading in tasks, and sorting by id: every partition becomes the home of a range of articles."""

from __future__ import annotations

import json
import os
import socket
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.csr import batches as cut
from dedup.errors import EngineError, InputError
from dedup.io.arrow import articles, columns_of
from dedup.io.blocks import Limits
from dedup.io.collect import Zoneless, gathered, repeated
from dedup.io.file import File
from dedup.io.files import listed, read_file
from dedup.io.formats import EXPECTED, NAMES
from dedup.io.kept import Kept
from dedup.io.pages import resolved
from dedup.io.parquet import read as read_parquet
from dedup.io.place import Found, Place
from dedup.io.reading import Reading
from dedup.io.record import names_of
from dedup.io.remote import is_remote, remote
from dedup.report.model import Inputs, Problem
from dedup.schema import READ
from dedup.spark.cluster import task
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, sizes_of
from dedup.spark.storage import Folder
from dedup.tokens import BATCH_BYTES

_CHUNK = 2**25  # bytes of text that are sorted and sent in one go
_GROUPS = 2**26  # bytes of decoded row groups of a Parquet file that are one task
_SAMPLED, _SAMPLES = 64, 2**17  # ids of each chunk, and of all, from which the ranges are chosen
_BY_ID = [("id", "ascending"), ("order", "ascending")]
_ORDERED = READ.append(pa.field("order", pa.int64()))  # tasks, then rows, in the order of reading

RESULT = "task int, kind string, data string"
_RESULT = pa.schema([("task", pa.int32()), ("kind", pa.string()), ("data", pa.string())])


class Piece(NamedTuple):
    """A file, or some row groups of one, that a task reads."""

    where: str  # on whatever machine the task runs
    shown: str  # how messages and reports call it
    name: str
    path: int  # which of the paths given led there, or of the files of earlier reports it is
    named: bool
    first: int = -1  # row groups, if not all
    stop: int = -1
    kept: bool = False  # by an earlier scan


PIECES = "where string, shown string, name string, path int, named boolean, first int, stop int, kept boolean"


class Options(NamedTuple):
    """How articles are read."""

    fields: Mapping[str, str]
    format: str | None
    after: int = 0  # tasks that have read what comes before
    host: str = ""  # of the driver, which has seen the files
    sampled: int = _SAMPLED  # ids of each chunk that the driver is told

    def of_tasks(self, count: int) -> Options:
        """The same for so many tasks: however many there are, the driver is told no more ids in all."""
        return self._replace(sampled=max(1, min(_SAMPLED, _SAMPLES // max(count, 1))))

    def reading(self, job: Job) -> Reading:
        """What all files share."""
        settings = job.settings
        limits = Limits(settings.max_expanded, settings.max_ratio)
        return Reading(
            names_of(self.fields), settings.max_bytes, settings.batch_size, limits, None, 1, self.format
        )


def check(options: Options, columns: pa.Schema | None = None) -> None:
    """Refuse a format or a field that there is not, and a table without the columns that are needed."""
    if options.format is not None and options.format not in NAMES:
        raise InputError(f"input_format={options.format!r} is no format; there are {', '.join(NAMES)}")
    names = names_of(options.fields)
    if columns is not None:
        columns_of(columns, names)


def pieces(paths: Sequence[str | os.PathLike[str]], options: Options, inputs: Inputs) -> list[Piece]:
    """What there is to read; `inputs` takes in what is passed over.

    Raises `InputError` if all there is are Parquet files without the columns that are needed.
    """
    names = names_of(options.fields)
    found: list[Piece] = []
    lacking: list[InputError] = []
    for item in listed(paths):
        if isinstance(item, Problem):
            inputs.add([item])
            continue
        if item.file.local is not None:
            where = str(item.file.local.absolute())
        else:
            _, mark, options_of = str(paths[item.path]).partition("?")
            where = f"{item.file.shown}{mark}{options_of}"
        whole = Piece(where, item.file.shown, str(item.file.name), item.path, item.named)
        is_parquet = item.file.name.suffix.lower() == ".parquet" and options.format in (None, "parquet")
        found += _groups(whole, item.file, names, lacking) if is_parquet else [whole]
    if lacking and len(lacking) == len({piece.where for piece in found}):
        raise lacking[0]
    return found


def kept_pieces(kept: Kept) -> list[Piece]:
    """Pieces of the files in which earlier reports kept their articles."""
    found = []
    for number, file in enumerate(kept.files):
        sizes = np.array(kept.sizes(number), np.int64)
        for first, stop in cut(sizes, max(sizes.size, 1), _GROUPS):
            found.append(Piece(file, file, file, number, True, first, stop, True))
    return found


def _groups(whole: Piece, file: File, names: Mapping[str, str], lacking: list[InputError]) -> list[Piece]:
    """A Parquet file in pieces of some row groups; whole if it cannot be read, for its task to say so.

    `lacking` takes in what is wrong with its columns.
    """
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file.local or file.open()) as opened:
            sizes = [opened.metadata.row_group(n).total_byte_size for n in range(opened.num_row_groups)]
            columns_of(opened.schema_arrow, names)
    except InputError as error:
        lacking.append(InputError(f"{file.shown}: {error}"))
        return [whole]
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return [whole]
    if len(sizes) < 2:
        return [whole]
    return [
        whole._replace(first=first, stop=stop) for first, stop in cut(np.array(sizes), len(sizes), _GROUPS)
    ]


def read_pieces(job: Job, options: Options, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Read pieces of files, and write what is in them as chunks; rows of `RESULT` say what there was."""
    reading = options.reading(job)
    rows = [row for batch in batches for row in batch.to_pylist()]
    rows.sort(key=lambda row: row["number"])
    pieces_ = [Piece(**{name: row[name] for name in Piece._fields}) for row in rows]
    full: set[int] = set()
    found = chain.from_iterable(
        _noted(_of_piece(piece, reading, options, job), piece.path, full) for piece in pieces_
    )
    yield from _chunks(job, found, reading, full, options)


def _check_reached(where: str, driver: str) -> None:
    """Refuse to pass over a file that is on the driver's machine alone."""
    own = socket.gethostname()
    if own != driver and not Path(where).exists():
        raise EngineError(
            f"{where} is there on {driver}, where the driver runs, and not on {own}; put what is to be read "
            "where all executors reach it, at the same path or under an address (s3://…, hdfs://…)"
        )


def _of_piece(piece: Piece, reading: Reading, options: Options, job: Job) -> Iterator[Found]:
    if piece.kept:
        return Kept(job.earlier).groups(piece.path, reading.rows, groups=range(piece.first, piece.stop))
    name = PurePath(piece.name)
    if is_remote(piece.where):
        [file] = remote(piece.where, False)
        file = File(file.shown, name, file.open, size=file.size)
    else:
        _check_reached(piece.where, options.host)
        file = replace(File.at(Path(piece.where), name), shown=piece.shown)
    if piece.first >= 0:
        return read_parquet(file, iter(()), Place(file.shown), reading, range(piece.first, piece.stop))
    return resolved(read_file(file, reading, named=piece.named), reading)


def read_rows(job: Job, options: Options, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same for the rows of a DataFrame."""
    reading = options.reading(job)
    stream = iter(batches)
    head = next(stream, None)
    if head is not None:
        present = columns_of(head.schema, reading.names)
        yield from _chunks(job, articles(chain([head], stream), present, reading), reading, set(), options)


def _noted(found: Iterable[Found], path: int, full: set[int]) -> Iterator[Found]:
    """The same; `full` takes in the path if there is anything but what is skipped."""
    for item in found:
        if not isinstance(item, Problem) or item.kind != "skipped":
            full.add(path)
        yield item


def _chunks(
    job: Job, found: Iterable[Found], reading: Reading, full: set[int], options: Options
) -> Iterator[pa.RecordBatch]:
    """Write articles as chunks; tell what there was."""
    number, attempt = task()
    number += options.after
    inputs, zoneless = Inputs(), Zoneless()
    chunks = Chunks(job.folder, number, attempt, options.sampled)
    results = list(chunks.written(gathered(found, inputs, reading.rows, None, zoneless)))
    told: list[tuple[str, dict[str, Any]]] = [("chunk", chunk._asdict()) for chunk in results]
    if inputs.counts:
        told.append(("problems", {"name": keep_problems(job.folder, f"{number}-{attempt}", inputs)}))
    told += [("zoneless", {"place": list(place), "count": more}) for place, more in zoneless.counts()]
    told.append(("done", {"paths": sorted(full)}))
    columns = zip(*((number, kind, json.dumps(data)) for kind, data in told), strict=True)
    made = [pa.array(values, field.type) for values, field in zip(columns, _RESULT, strict=True)]
    yield pa.record_batch(made, _RESULT)


class Chunk(NamedTuple):
    """Articles in a file of their own, sorted by id."""

    name: str
    task: int  # which read them; later tasks have read what comes later
    rows: int
    ids: list[str]  # some of them
    derives: bool  # whether one says that it derives from another


class Chunks:
    """What one task reads, in files."""

    def __init__(self, folder: Folder, task: int, attempt: int, sampled: int = _SAMPLED) -> None:
        self._folder, self._task, self._attempt, self._sampled = folder, task, attempt, sampled
        self._rows = self._count = 0

    def written(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Chunk]:
        """Write batches of `schema.INPUT` or `READ`."""
        held: list[pa.RecordBatch] = []
        size = 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size >= _CHUNK:
                yield self._write(held)
                held, size = [], 0
        if held:
            yield self._write(held)

    def _write(self, held: list[pa.RecordBatch]) -> Chunk:
        tables = [READ.empty_table(), *(pa.Table.from_batches([batch]) for batch in held)]
        table = pa.concat_tables(tables, promote_options="default")
        order = pa.array((np.int64(self._task) << 40) + self._rows + np.arange(table.num_rows))
        table = table.append_column(_ORDERED.field("order"), order).sort_by(_BY_ID)
        name = f"chunk-{self._task}-{self._count}-{self._attempt}"
        self._folder.write_batches(name, _ORDERED, table.combine_chunks().to_batches())
        self._rows, self._count = self._rows + table.num_rows, self._count + 1
        picked = np.unique(np.linspace(0, table.num_rows - 1, self._sampled).astype(np.int64))
        ids = table["id"].take(pa.array(picked)).to_pylist()
        return Chunk(name, self._task, table.num_rows, ids, table["derived_from"].null_count < table.num_rows)


def keep_problems(folder: Folder, name: str, inputs: Inputs) -> str:
    """Put what a task has found to say of its inputs into a file, and name it."""
    name = f"problems-{name}"
    folder.write(name, inputs.packed())
    return name


def add_problems(folder: Folder, name: str, inputs: Inputs) -> None:
    """Add what stands in such a file; of all of them together no more are held than a report lists."""
    inputs.add_packed(folder.read(name).to_pybytes())


def nothing_in(path: str | Path) -> Problem:
    """What to say of a folder or an address with no article in it."""
    what = "under this address" if is_remote(path) else "in this folder"
    return Place(str(path)).problem(f"no articles {what}; expected {EXPECTED}")


def bounds_of(chunks: Sequence[Chunk], parts: int) -> list[str]:
    """The first ids of all ranges but the first."""
    weighed = sorted((id, chunk.rows / len(chunk.ids)) for chunk in chunks for id in chunk.ids)
    if not weighed:
        return [""] * (parts - 1)
    sums = np.cumsum([weight for _, weight in weighed])
    places = np.searchsorted(sums, sums[-1] * np.arange(1, parts) / parts)
    return [weighed[place][0] for place in places.tolist()]


def split(job: Job, bounds: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[Message]:
    """Send the articles of chunks to their homes."""
    for batch in batches:
        for name in batch["name"].to_pylist():
            table = pa.Table.from_batches(job.folder.read_batches(name), _ORDERED)
            ids = table["id"]
            cuts = [
                bisect_left(range(len(ids)), bound, key=lambda row: ids[row].as_py().encode())
                for bound in (b.encode() for b in bounds)
            ]
            for part, (first, stop) in enumerate(zip([0, *cuts], [*cuts, len(ids)], strict=True)):
                if stop > first:
                    yield Message(
                        part, "article", table.slice(first, stop - first).combine_chunks().to_batches()[0]
                    )


def settle(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Sort the articles of a home by id and keep them; of several with the same id the first read stays."""
    found = inbox.table("article")
    table = found[1] if found else pa.Table.from_batches([], _ORDERED)
    table = table.sort_by(_BY_ID).combine_chunks()
    ids = table["id"]
    again = np.zeros(table.num_rows, np.bool_)
    if table.num_rows > 1:
        again[1:] = column_equal(ids)
    first = np.maximum.accumulate(np.where(again, 0, np.arange(again.size)))
    inputs = Inputs(problems=(_taken(table, row, first[row]) for row in np.flatnonzero(again).tolist()))
    kept = table.filter(pa.array(~again)).select(READ.names).combine_chunks()
    sizes = sizes_of(kept)
    pieces_ = [kept.slice(first, stop - first) for first, stop in cut(sizes, 2**16, BATCH_BYTES * 8)]
    job.folder.write_batches(
        f"home-{part}", READ, [batch for piece in pieces_ for batch in piece.combine_chunks().to_batches()]
    )
    yield Message(part, "settled", arrays(rows=np.array([kept.num_rows]), bytes=np.array([int(sizes.sum())])))
    if inputs.counts:
        name = keep_problems(job.folder, f"home-{part}", inputs)
        yield Message(part, "problems", arrays(name=pa.array([name])))


def column_equal(ids: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which values, from the second on, are the same as the one before, bool (n - 1,)."""
    whole = ids.combine_chunks()
    same: np.ndarray[Any, np.dtype[np.bool_]] = pc.equal(
        whole.slice(1), whole.slice(0, len(whole) - 1)
    ).to_numpy(zero_copy_only=False)
    return same


def _taken(table: pa.Table, row: int, first: int) -> Problem:
    return repeated(table["id"][row].as_py(), _place(table, row), _place(table, first))


def _place(table: pa.Table, row: int) -> Place:
    path, line, order = (table[name][row].as_py() for name in ("path", "line", "order"))
    if path is not None:
        return Place(path, line)
    return Place(item=f"row {(order & (1 << 40) - 1) + 1} of partition {order >> 40}")
