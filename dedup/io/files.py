"""Paths, as users give them: which files there are, and which format each is read as."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple, cast

from dedup.errors import InputError
from dedup.io.archive import members
from dedup.io.blocks import Codec, blocks, decompressed, peek, standard_input
from dedup.io.file import File
from dedup.io.folders import Seen, shown, walk
from dedup.io.formats import CERTAIN, EXPECTED, SNIFFED, Format, codec_of, format_of, reader_of, sniffed
from dedup.io.pages import resolved
from dedup.io.place import Found, Place, reason
from dedup.io.reading import Reading
from dedup.io.remote import is_remote, remote
from dedup.io.text import WIDEST
from dedup.report.model import Problem

STDIN = "<stdin>"
_DEEPEST = 3  # archives in archives
_NOT_READ = f"files of this kind are not read; expected {EXPECTED}"


def read_paths(paths: Sequence[str | Path | None], reading: Reading) -> Iterator[Found]:
    """Check that every path is there, then return the articles of all of them in order.

    None is standard input; a string is an address (s3://...), or a pattern of paths. A text file's id is its
    path in the folder given, or its name; where several paths are given, each id begins with its path as
    given. Raises `InputError` at once for a path that does not exist.
    """
    whole: list[str | Path | None] = []
    for path in paths:
        whole += expanded(path)
    return resolved(_articles(whole, reading), reading)


def expanded(path: str | Path | None) -> list[str | Path | None]:
    """A path that is there, or those that a pattern stands for. Raises `InputError` if there is nothing."""
    if path is None or is_remote(path):
        return [path]
    path = Path(path)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        found = sorted(glob(str(path), recursive=True)) if has_magic(str(path)) else []  # noqa: PTH207
        if not found:
            raise InputError(f"there is no file or folder {shown(path)!r}") from None
        return [Path(name) for name in found]
    except ValueError as error:
        raise InputError(f"{str(path)!r} is no path: {error}") from None
    except OSError:
        pass  # it is there, but not for us: reported in its turn
    return [path]


class Listed(NamedTuple):
    """A file that one of several paths leads to: which one, and whether that names the very file."""

    path: int
    file: File
    named: bool


def _given(path: str | os.PathLike[str]) -> str | Path:
    return str(path) if is_remote(path) else Path(path)


def listed(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Listed | Problem]:
    """The files that paths lead to, in the order in which `read_paths` reads them, and what is passed over.

    Raises `InputError` at once for a path that does not exist.
    """
    whole = [(number, found) for number, path in enumerate(paths) for found in expanded(_given(path))]
    seen, several = Seen(), len(whole) > 1
    for number, path in whole:
        if is_remote(path):
            yield from (Listed(number, file, False) for file in remote(str(path), several))
        elif _is_folder(path := Path(cast(Path, path))):
            prefix = PurePath(path) if several else PurePath()
            for item in walk(path, seen):
                if isinstance(item, Problem):
                    yield item
                else:
                    yield Listed(number, File.at(item.path, prefix / item.name), False)
        elif first := seen.before(path):
            message = f"is the same as {shown(first)}, which is read already"
            yield Place(shown(path)).problem(message, "skipped")
        else:
            yield Listed(number, File.at(path, path if several else PurePath(path.name)), True)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _articles(paths: Sequence[str | Path | None], reading: Reading) -> Iterator[Found]:
    seen, several = Seen(), len(paths) > 1
    for path in paths:
        if path is None:
            yield from _standard_input(reading)
        elif is_remote(path):
            yield from _remote(str(path), several, reading)
        elif _is_folder(path := Path(path)):
            yield from _folder(path, PurePath(path) if several else PurePath(), seen, reading)
        elif first := seen.before(path):
            message = f"is the same as {shown(first)}, which is read already"
            yield Place(shown(path)).problem(message, "skipped")
        else:
            yield from read_file(File.at(path, path if several else PurePath(path.name)), reading)


def _standard_input(reading: Reading) -> Iterator[Found]:
    """Whatever comes in: told by its first bytes, or text."""
    source = standard_input(reading.progress)
    try:
        form, _, source = _by_content(source, None, reading)
    except OSError as error:
        yield Place(STDIN).problem(reason(error))
        return
    form = cast(Format | None, reading.format) or form or "text"
    yield from _read(File(STDIN, PurePath(STDIN), _no_second, seeks=False), form, source, reading, 0)


def _no_second() -> BinaryIO:
    raise OSError("standard input can be read once only")


def _remote(address: str, several: bool, reading: Reading) -> Iterator[Found]:
    if (yield from _watched(_each(remote(address, several), reading))):
        yield Place(address).problem(f"no articles under this address; expected {EXPECTED}")


def _folder(folder: Path, prefix: PurePath, seen: Seen, reading: Reading) -> Iterator[Found]:
    repeats, inside = seen.repeats, walk(folder, seen)
    files = (item if isinstance(item, Problem) else File.at(item.path, prefix / item.name) for item in inside)
    if (yield from _watched(_each(files, reading))) and seen.repeats == repeats:
        yield Place(shown(folder)).problem(f"no articles in this folder; expected {EXPECTED}")


def _each(files: Iterable[File | Problem], reading: Reading, depth: int = 0) -> Iterator[Found]:
    """What is in several files, among the problems of finding them."""
    for item in files:
        if isinstance(item, Problem):
            yield item
        else:
            yield from read_file(item, reading, named=False, depth=depth)


def _watched(found: Iterable[Found]) -> Generator[Found, None, bool]:
    """The same; is there nothing but what was skipped?"""
    nothing = True
    for item in found:
        nothing = nothing and isinstance(item, Problem) and item.kind == "skipped"
        yield item
    return nothing


def read_file(file: File, reading: Reading, *, named: bool = True, depth: int = 0) -> Iterator[Found]:
    """Read one file as what the user says, its ending, or its first bytes tell.

    `named`: the user asked for this very file, so that it is at least a text; `depth`: archives it lies in.
    """
    form, codec = format_of(file.name)
    place = Place(file.shown)
    if reading.format and depth == 0 and form not in ("zip", "tar"):
        form = cast(Format, reading.format)
    source, is_xml = blocks(file, codec, reading.progress, reading.limits), form == "xml"
    try:
        if form is None or is_xml:
            form, codec, source = _by_content(source, codec, reading)
            if form is None and is_xml:
                yield place.problem("is XML, but neither a page, a feed, NITF nor NewsML-G2", "skipped")
                return
            if named:
                form = form or "text"
            elif form not in CERTAIN:
                yield place.problem(_NOT_READ, "skipped")
                return
        if codec is not None:
            file = replace(file, seeks=False, local=None)
        _refuse_long(file, form, reading)
    except OSError as error:
        yield place.problem(reason(error))
        return
    yield from _read(file, form, source, reading, depth, codec)


def _by_content(
    source: Iterator[bytes], codec: Codec | None, reading: Reading
) -> tuple[Format | None, Codec | None, Iterator[bytes]]:
    """Look at the first bytes, and at those they expand to; also returns the whole."""
    head, source = peek(source, SNIFFED)
    if codec is None and (codec := codec_of(head)):
        head, source = peek(decompressed(source, codec, reading.limits), SNIFFED)
    return sniffed(head), codec, source


def _refuse_long(file: File, form: Format | None, reading: Reading) -> None:
    """Do not even begin with a file that is too long for the one text that it is."""
    if form != "text" or file.local is None:
        return
    found = file.local.stat()
    if stat.S_ISREG(found.st_mode) and found.st_size > reading.limit * WIDEST + WIDEST:
        rule = f"more than a text of {reading.limit:,} bytes can be"
        raise OSError(f"the file has {found.st_size:,} bytes, {rule}; raise --max-bytes")


def _read(
    file: File,
    form: Format,
    source: Iterator[bytes],
    reading: Reading,
    depth: int,
    codec: Codec | None = None,
) -> Iterator[Found]:
    place = Place(file.shown)
    if reading.tell:
        reading.tell.file(place, form, codec)
    if form not in ("zip", "tar"):
        yield from reader_of(form)(file, source, place, reading)
        return
    if depth == _DEEPEST:
        yield place.problem(f"archives lie in archives, {_DEEPEST} deep; unpack it")
        return
    inside = members(file, form, source, reading)
    if (yield from _watched(_each(inside, reading, depth + 1))):
        yield place.problem(f"no articles in this archive; expected {EXPECTED}")
