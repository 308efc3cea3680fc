"""Reading: articles from files, folders, Arrow tables and Python, with every bad input reported.

Plain text (one file, one article) and JSON Lines (one object, one article), each also compressed; Parquet.
What cannot be read becomes a `Problem` with its place; it is counted and never stops the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa

from dedup.article import Article
from dedup.errors import InputError
from dedup.io.arrow import is_arrow, read_arrow
from dedup.io.blocks import Limits
from dedup.io.collect import collect
from dedup.io.files import read_paths
from dedup.io.formats import NAMES
from dedup.io.items import read_items
from dedup.io.place import Found
from dedup.io.reading import Reading, Tell
from dedup.io.record import names_of
from dedup.io.remote import is_remote
from dedup.report.model import Inputs
from dedup.schema import INPUT
from dedup.settings import Settings

if TYPE_CHECKING:
    from dedup.io.kept import Kept

__all__ = ["batches", "read", "size_of"]

_COUNTED = 10_000  # files whose sizes are added up beforehand

# A path, paths, Arrow data, or articles.
Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str] | Article | Mapping[str, Any]] | Any


def read(
    source: Source,
    *,
    inputs: Inputs,
    settings: Settings,
    fields: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
    input_format: str | None = None,
    tell: Tell | None = None,
) -> pa.Table:
    """Read all articles of `source` into one table of `schema.INPUT`; see `batches`."""
    stream = batches(
        source, inputs=inputs, settings=settings, fields=fields, progress=progress, input_format=input_format,
        tell=tell,
    )  # fmt: skip
    return pa.Table.from_batches(stream, schema=INPUT)


def batches(
    source: Source,
    *,
    inputs: Inputs,
    settings: Settings,
    fields: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
    input_format: str | None = None,
    tell: Tell | None = None,
    earlier: Kept | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read the articles of `source` as record batches of `schema.INPUT`, in the order they stand.

    `source` is one of
    - a path, a pattern of paths, an address (s3://...), or several of these: files by their ending, or by
      their first bytes where that says nothing; folders and archives to the bottom. "-" is standard input,
      told by its first bytes.
    - a pyarrow Table, RecordBatch or RecordBatchReader, or any object with Arrow's stream interface,
      with columns named as those of `schema.INPUT` (`id` and `text` required).
    - `dedup.Article`s or mappings with the same fields, one after another.

    `fields` maps our names to the source's, as in `{"text": "body"}`. `inputs` takes the count of
    articles and the problems while the batches are drawn. A batch has at most `settings.batch_size`
    rows; texts longer than `settings.max_bytes` bytes of UTF-8 are set aside. `progress` is called with
    the number of bytes of the files (as stored) read since the last call. `input_format`: what files are
    read as, whatever they look like. `tell` is told what files are taken for, and where each field
    stood. `earlier`: articles that were read before, which come first; their batches have no texts, but
    the places where they are kept, and the texts' sizes (`schema.READ`).

    Raises `InputError` before anything is read if the source as a whole is unusable: a path that does
    not exist, a column missing or of a wrong type, an unknown name in `fields`. An item that is no
    article raises it when its turn comes.
    """
    found = _found(source, names_of(fields), settings, progress, input_format, tell)
    if earlier is not None:
        found = chain(earlier.batches(settings.batch_size), found)
    return collect(found, inputs, settings.batch_size)


def size_of(source: Source) -> int | None:
    """Bytes of the files on this machine that paths lead to; None if they cannot be told beforehand."""
    paths = [source] if _is_path(source) else source
    if not isinstance(paths, list | tuple) or not all(map(_is_path, paths)):
        return None
    total = 0
    for path in paths:
        if path == "-" or is_remote(path):
            return None
        try:
            found = Path(path)
            inside = [found] if found.is_file() else list(islice(found.rglob("*"), _COUNTED))
            if len(inside) == _COUNTED:
                return None
            total += sum(file.stat().st_size for file in inside if file.is_file())
        except OSError:
            return None
    return total


def _found(
    source: Source,
    names: Mapping[str, str],
    settings: Settings,
    progress: Callable[[int], None] | None,
    input_format: str | None,
    tell: Tell | None,
) -> Iterator[Found]:
    if input_format is not None and input_format not in NAMES:
        raise InputError(f"input_format={input_format!r} is no format; there are {', '.join(NAMES)}")
    limits = Limits(settings.max_expanded, settings.max_ratio)
    size, threads = settings.batch_size, settings.cores
    reading = Reading(names, settings.max_bytes, size, limits, progress, threads, input_format, tell)
    if _is_path(source):
        return read_paths([_path(source)], reading)
    if is_arrow(source):
        return read_arrow(source, reading)
    if isinstance(source, (Article, Mapping)):
        raise InputError("the source is a single article; put it in a list")
    if isinstance(source, (bytes, bytearray)) or not isinstance(source, Iterable):
        kind = type(source).__name__
        raise InputError(f"the source is of type {kind}; give a path, paths, an Arrow table or articles")
    items = iter(source)
    head = list(islice(items, 1))
    if not head or not _is_path(head[0]):
        return read_items(chain(head, items), names, settings.max_bytes)
    paths = [*head, *items]
    for number, path in enumerate(paths, 1):
        if not _is_path(path):
            kind = type(path).__name__
            raise InputError(f"item {number} is of type {kind}, but item 1 is a path; do not mix them")
    return read_paths([_path(path) for path in paths], reading)


def _is_path(value: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(value, (str, os.PathLike))


def _path(value: str | os.PathLike[str]) -> str | Path | None:
    """None is standard input, a string an address."""
    if not os.fspath(value):
        raise InputError("an empty path names no file; use '.' for the folder you are in")
    if value == "-":
        return None
    return str(value) if is_remote(value) else Path(value)
