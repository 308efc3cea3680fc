"""ZIP and tar archives: their members, one after another, never unpacked to disk under names of theirs."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import PurePath, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from dedup.io.blocks import BLOCK, BombError, Limits, Stream
from dedup.io.file import File
from dedup.io.folders import shown
from dedup.io.place import Place, reason
from dedup.io.reading import Reading
from dedup.report.model import Problem

_IN_MEMORY = 2**26  # bytes of a file that has to be read at random, before it goes to disk

# What the libraries raise where an archive is damaged, or was made to break them.
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError,
    LookupError, ArithmeticError,
)  # fmt: skip

Member = File | Problem


def members(file: File, form: str, source: Iterator[bytes], reading: Reading) -> Iterator[Member]:
    """The files in an archive; those of a tar are to be read before the next is asked for.

    `source`: the blocks of the archive, expanded. What cannot be read is a problem with its place.
    """
    place = Place(file.shown)
    try:
        if form == "tar":
            yield from _of_tar(file, source, reading.limits)
        elif file.seeks:
            with file.open() as stream:
                yield from _of_zip(file, stream, reading.limits)
        else:
            with spooled(source) as stream:
                yield from _of_zip(file, stream, reading.limits)
    except _BROKEN as error:
        yield place.problem(f"the archive is damaged or cut short ({error}); what stands before is kept")
    except OSError as error:
        yield place.problem(f"{reason(error)}; what stands before is kept")


def spooled(source: Iterator[bytes]) -> BinaryIO:
    """Blocks as a file in which one can jump about; it is gone when it is closed."""
    stream = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by who asked for it
    try:
        for block in source:
            stream.write(block)
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return cast(BinaryIO, stream)


def _of_zip(file: File, stream: BinaryIO, limits: Limits) -> Iterator[Member]:
    given = 0
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if not info.filename or info.is_dir() or _is_hidden(info.filename):
                continue
            member = _member(file, info.filename)
            if isinstance(member, Problem):
                yield member
                continue
            given += info.file_size
            if given > limits.expanded:
                raise BombError(f"expands to more than {limits.expanded:,} bytes; raise --max-expanded")
            where, name = member
            if info.flag_bits & 1:
                yield Place(where).problem("is encrypted; unpack it with its password")
                continue

            def opened(info: zipfile.ZipInfo = info) -> BinaryIO:
                with _telling():
                    own = _Checked(archive.open(info), info.compress_size, limits)
                return cast(BinaryIO, own)

            yield File(where, name, opened, seeks=False, size=info.file_size)


def _of_tar(file: File, source: Iterator[bytes], limits: Limits) -> Iterator[Member]:
    whole = Stream(source)
    with tarfile.open(fileobj=cast(BinaryIO, whole), mode="r|", bufsize=BLOCK) as archive:
        for info in archive:
            if info.isdir() or _is_hidden(info.name):
                continue
            member = _member(file, info.name)
            if isinstance(member, Problem):
                yield member
                continue
            where, name = member
            if info.issparse():
                yield Place(where).problem("has holes, which are not filled in; pack it without them")
                continue
            if not info.isreg():
                yield Place(where).problem(
                    "is a link or a device in an archive; it was not opened", "skipped"
                )
                continue
            stream = archive.extractfile(info)
            assert stream is not None  # a regular file has one
            checked = _Checked(stream, info.size, limits)
            yield File(where, name, partial(cast, BinaryIO, checked), seeks=False, size=info.size)
    while whole.read(BLOCK):
        pass  # what is packed ends well only at its end


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part.startswith(".") and part != ".." for part in parts) or "__MACOSX" in parts


def _member(file: File, name: str) -> tuple[str, PurePath] | Problem:
    """How a member is called, and the name it goes by; names that lead out of the archive are refused."""
    path = PurePosixPath(name.replace("\\", "/"))
    where = f"{file.shown}/{shown(name)}"
    if not path.parts:
        return Place(where).problem("it has no name; it was not opened")
    if path.is_absolute() or ".." in path.parts or "\0" in name or ":" in path.parts[0]:
        return Place(where).problem("its name leads out of the archive; it was not opened")
    return where, file.name / path


@contextmanager
def _telling() -> Iterator[None]:
    """Say what is wrong with a member of an archive as an error of its own."""
    try:
        yield
    except _BROKEN as error:
        raise OSError(f"is damaged, or packed in a way that is not known here ({error})") from error


class _Checked(BufferedIOBase):
    """A member of an archive, whose expansion is watched."""

    def __init__(self, stream: IO[bytes], stored: int, limits: Limits) -> None:
        self._stream, self._stored, self._limits, self._given = stream, stored, limits, 0

    def read(self, size: int | None = -1) -> bytes:
        with _telling():
            data = self._stream.read(BLOCK if size is None or size < 0 else size)
        self._given += len(data)
        self._limits.check(self._stored, self._given)
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()
