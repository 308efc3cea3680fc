"""Paths, as users give them: which file is read by which format, and under which id."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal, NamedTuple, TypeAlias

from dedup.errors import InputError
from dedup.io.blocks import Codec, Progress, blocks, peek, standard_input
from dedup.io.folders import File, Seen, shown, walk
from dedup.io.jsonl import read_jsonl
from dedup.io.parquet import read_parquet
from dedup.io.place import Found, Place, reason
from dedup.io.text import WIDEST, read_text
from dedup.report.model import Problem

Format: TypeAlias = Literal["text", "jsonl", "parquet"]

FORMATS: dict[str, Format] = {
    ".txt": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
CODECS: dict[str, Codec] = {".gz": "gzip", ".zst": "zstd"}
EXPECTED = f"{', '.join(FORMATS)}, all but the last also with {' or '.join(CODECS)}"

STDIN = "<stdin>"
SNIFFED = 2**12  # bytes in which the first character that is not white space decides the format


class Reading(NamedTuple):
    """What all files of one run share."""

    names: Mapping[str, str]  # as from `record.names_of`
    limit: int  # bytes of UTF-8 in the longest text
    rows: int  # taken out of a table at once
    progress: Progress | None
    threads: int = 1


def format_of(path: PurePath) -> tuple[Format | None, Codec | None]:
    """Tell format and compression from the endings of a name, in upper or lower case."""
    name = path.name.lower()
    codec = next((codec for ending, codec in CODECS.items() if name.endswith(ending)), None)
    inner = PurePath(name.rpartition(".")[0]) if codec else PurePath(name)
    form = FORMATS.get(inner.suffix)
    return (None if form == "parquet" and codec else form), codec


def read_paths(paths: Sequence[Path | None], reading: Reading) -> Iterator[Found]:
    """Check that every path is there, then return the articles of all of them in order.

    None is standard input. A text file's id is its path in the folder given, or its name; where
    several paths are given, each id begins with its path as given. Raises `InputError` at once for a
    path that does not exist.
    """
    for path in paths:
        if path is not None:
            _check(path)
    return _articles(paths, reading)


def _check(path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no file or folder {shown(path)!r}") from None
    except ValueError as error:
        raise InputError(f"{str(path)!r} is no path: {error}") from None
    except OSError:
        return  # it is there, but not for us: reported in its turn


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _articles(paths: Sequence[Path | None], reading: Reading) -> Iterator[Found]:
    seen, several = Seen(), len(paths) > 1
    for path in paths:
        if path is None:
            yield from _sniffed(standard_input(reading.progress), STDIN, Place(STDIN), reading)
        elif _is_folder(path):
            yield from _folder(path, PurePath(path) if several else PurePath(), seen, reading)
        elif first := seen.before(path):
            message = f"is the same as {shown(first)}, which is read already"
            yield Place(shown(path)).problem(message, "skipped")
        else:
            yield from _given(File(path, path if several else PurePath(path.name)), reading)


def _folder(folder: Path, prefix: PurePath, seen: Seen, reading: Reading) -> Iterator[Found]:
    nothing, repeats = True, seen.repeats
    for item in walk(folder, seen):
        if isinstance(item, Problem):
            nothing = nothing and item.kind == "skipped"
            yield item
            continue
        form, _ = format_of(item.name)
        if form is None:
            message = f"files of this kind are not read; expected {EXPECTED}"
            yield Place(shown(item.path)).problem(message, "skipped")
            continue
        nothing = False
        yield from _file(File(item.path, prefix / item.name), form, reading)
    if nothing and seen.repeats == repeats:
        yield Place(shown(folder)).problem(f"no articles in this folder; expected {EXPECTED}")


def _given(file: File, reading: Reading) -> Iterator[Found]:
    """Read a file named by the user, whatever its ending."""
    form, codec = format_of(file.path)
    if form is not None:
        yield from _file(file, form, reading)
        return
    source = blocks(file.path, codec, reading.progress)
    yield from _sniffed(source, shown(file.name.as_posix()), Place(shown(file.path)), reading)


def _file(file: File, form: Format, reading: Reading) -> Iterator[Found]:
    place = Place(shown(file.path))
    codec = format_of(file.path)[1]
    source = blocks(file.path, codec, reading.progress)
    if form == "parquet":
        rest = reading.names, reading.limit, reading.rows, reading.progress, reading.threads
        yield from read_parquet(file.path, shown(file.path), *rest)
        return
    if form == "jsonl":
        yield from read_jsonl(source, reading.names, shown(file.path), reading.limit)
        return
    try:
        found = file.path.stat()
    except OSError as error:
        yield place.problem(reason(error))
        return
    most = reading.limit * WIDEST + WIDEST
    if codec is None and stat.S_ISREG(found.st_mode) and found.st_size > most:
        rule = f"more than a text of {reading.limit:,} bytes can be"
        yield place.problem(f"the file has {found.st_size:,} bytes, {rule}; raise --max-bytes")
        return
    yield from read_text(source, shown(file.name.as_posix()), place, reading.limit)


def _sniffed(source: Iterator[bytes], key: str, place: Place, reading: Reading) -> Iterator[Found]:
    """Read JSON Lines if the first character that is not white space is `{`, else one text."""
    try:
        head, source = peek(source, SNIFFED)
    except OSError as error:
        yield place.problem(reason(error))
        return
    # Marks and the NULs of UTF-16 are not looked at: only the brace matters.
    first = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n\v\f")[:1]
    if first == b"{" and not head.startswith(b"{\\rtf"):
        yield from read_jsonl(source, reading.names, place.path or STDIN, reading.limit)
    else:
        yield from read_text(source, key, place, reading.limit)
