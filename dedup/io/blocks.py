"""Bytes of a file in blocks, decompressed on the way where the name says so."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from dedup.errors import InputError

Codec: TypeAlias = Literal["gzip", "zstd"]
Progress: TypeAlias = Callable[[int], None]

BLOCK = 2**18  # bytes asked for at once
STEP = 2**14  # decompressed bytes asked for at once; what a damaged stream makes us read again


class DamagedError(OSError):
    """The compressed data end or break before they should."""


class ChangedError(OSError):
    """The file was written to while it was being read."""


def blocks(path: Path, codec: Codec | None, progress: Progress | None) -> Iterator[bytes]:
    """Yield the bytes of `path`, decompressed by `codec`, in non-empty blocks.

    `progress` is told how many bytes of the file itself each block took. Raises `OSError` as the
    system gives it, `DamagedError`, or (after the last block) `ChangedError`; every block before an
    error is good.
    """
    with path.open("rb", buffering=0) as raw:
        before = os.fstat(raw.fileno())
        yield from _plain(raw, progress) if codec is None else _decompressed(raw, path, codec, progress)
        after = os.fstat(raw.fileno())
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if stat.S_ISREG(before.st_mode) and not same:
        raise ChangedError("changed while it was being read; read it again when nothing writes to it")


def standard_input(progress: Progress | None) -> Iterator[bytes]:
    """Yield the bytes of standard input in blocks; raises `InputError` if it is closed."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("standard input is closed or not made of bytes; give a file instead of '-'")
    while block := stream.read(BLOCK):
        if progress:
            progress(len(block))
        yield block


def peek(source: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Look at the first `size` bytes (fewer if there are no more); also returns the whole again."""
    held: list[bytes] = []
    have = 0
    for block in source:
        held.append(block)
        have += len(block)
        if have >= size:
            break
    return b"".join(held)[:size], chain(held, source)


def _plain(raw: FileIO, progress: Progress | None) -> Iterator[bytes]:
    while block := raw.read(BLOCK):
        if progress:
            progress(len(block))
        yield block


def _decompressed(raw: FileIO, path: Path, codec: Codec, progress: Progress | None) -> Iterator[bytes]:
    done = told = 0
    try:
        # Arrow closes what it is given; the descriptor stays ours.
        lent = pa.PythonFile(FileIO(raw.fileno(), closefd=False), mode="r")
        stream = pa.CompressedInputStream(lent, codec)
        while block := stream.read(STEP):
            done += len(block)
            if progress and raw.seekable() and (at := raw.tell()) > told:
                progress(at - told)
                told = at
            yield block
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            yield from _rest(path, codec, done)
        raise DamagedError(f"the {codec} data are damaged or cut short ({error})") from error


def _rest(path: Path, codec: Codec, done: int) -> Iterator[bytes]:
    """Read the bytes between `done` and the damage, one by one.

    The call that meets the damage keeps what it had decompressed, up to `STEP` bytes.
    """
    rest = bytearray()
    with path.open("rb", buffering=0) as raw:
        try:
            stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)
            while done and (known := stream.read(min(done, STEP))):
                done -= len(known)
            while byte := stream.read(1):
                rest += byte
        except (OSError, pa.ArrowException):
            pass
    if rest:
        yield bytes(rest)
