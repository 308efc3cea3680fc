"""Bytes of a file in blocks, decompressed on the way where its name or its first bytes say so."""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from io import RawIOBase
from itertools import chain
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol, TypeAlias

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from dedup.errors import InputError
from dedup.io.file import File

Codec: TypeAlias = Literal["gzip", "zstd", "bz2", "xz"]
Progress: TypeAlias = Callable[[int], None]

BLOCK = 2**18  # bytes asked for at once
STEP = 2**20  # decompressed bytes handed on at most at once
_BEGUN = 2**24  # decompressed bytes from which on the ratio is looked at
_XZ_MEMORY = 2**28  # bytes that a decoder of xz may take

MAGIC: tuple[tuple[bytes, Codec], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
)


class DamagedError(OSError):
    """The compressed data end or break before they should."""


class BombError(OSError):
    """The data expand to more than may be."""


class ChangedError(OSError):
    """The file was written to while it was being read."""


class Limits(NamedTuple):
    """How far compressed data may expand: in bytes, and as a multiple of what is stored."""

    expanded: int
    ratio: int

    def check(self, stored: int, expanded: int) -> None:
        """Raise `BombError` where data that took `stored` bytes have come to `expanded`."""
        if expanded > self.expanded:
            rule = f"more than {self.expanded:,} bytes; raise --max-expanded if that is right"
            raise BombError(f"expands to {rule}")
        if expanded > max(_BEGUN, stored * self.ratio):
            rule = f"more than {self.ratio} times its size; raise --max-ratio if that is right"
            raise BombError(f"expands to {rule}")


def blocks(file: File, codec: Codec | None, progress: Progress | None, limits: Limits) -> Iterator[bytes]:
    """Yield the bytes of `file`, decompressed by `codec`, in non-empty blocks.

    `progress` is told how many bytes of the file itself each block took. Raises `OSError` as the system gives
    it, `DamagedError`, `BombError`, or (after the last block) `ChangedError`; every block before an error is
    good.
    """
    with file.open() as raw:
        before = _state(raw)
        stored = _stored(raw, progress)
        yield from stored if codec is None else decompressed(stored, codec, limits)
        if before is not None and _state(raw) != before:
            raise ChangedError("changed while it was being read; read it again when nothing writes to it")


def standard_input(progress: Progress | None) -> Iterator[bytes]:
    """Yield the bytes of standard input in blocks; raises `InputError` if it is closed."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("standard input is closed or not made of bytes; give a file instead of '-'")
    yield from _stored(stream, progress)


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


def _stored(raw: BinaryIO, progress: Progress | None) -> Iterator[bytes]:
    while block := raw.read(BLOCK):
        if progress:
            progress(len(block))
        yield block


def _state(raw: BinaryIO) -> tuple[int, int] | None:
    """Size and time of a regular file that is open; None of anything else."""
    try:
        found = os.fstat(raw.fileno())
    except (OSError, AttributeError):
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


class _Decoder(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Is the stream at its end?"""

    @property
    def unused_data(self) -> bytes:
        """What stands behind the end."""

    def feed(self, data: bytes) -> bytes:
        """Take in data, and hand out at most `STEP` bytes."""
        ...

    @property
    def more(self) -> bool:
        """Is there more to hand out before it needs more data?"""


class _Gzip:
    def __init__(self) -> None:
        self._own = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._own.decompress(self._own.unconsumed_tail + data, STEP)

    @property
    def more(self) -> bool:
        return bool(self._own.unconsumed_tail) and not self._own.eof

    @property
    def eof(self) -> bool:
        return self._own.eof

    @property
    def unused_data(self) -> bytes:
        return self._own.unused_data


class _Other:
    """bz2, xz and zstd, which bound what they hand out in the same way."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._own.decompress(data, STEP)
        return out

    @property
    def more(self) -> bool:
        return not self._own.needs_input and not self._own.eof

    @property
    def eof(self) -> bool:
        return bool(self._own.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._own.unused_data)


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "bz2": lambda: _Other(bz2.BZ2Decompressor()),
    "zstd": lambda: _Other(zstd.ZstdDecompressor()),
    "xz": lambda: _Other(lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
}


def decompressed(stored: Iterator[bytes], codec: Codec, limits: Limits) -> Iterator[bytes]:
    """The blocks of compressed data, of one stream or of several end to end, expanded."""
    taken, given = [0], 0

    def counted() -> Iterator[bytes]:
        for block in stored:
            taken[0] += len(block)
            yield block

    try:
        for block in _streams(counted(), _DECODERS[codec]):
            if block:
                given += len(block)
                limits.check(taken[0], given)
                yield block
    except (zlib.error, lzma.LZMAError, zstd.ZstdError, EOFError) as error:
        raise DamagedError(f"the {codec} data are damaged or cut short ({error})") from error
    except OSError as error:
        if error.errno is not None or isinstance(error, BombError):
            raise
        raise DamagedError(f"the {codec} data are damaged or cut short ({error})") from error


def _streams(stored: Iterator[bytes], make: Callable[[], _Decoder]) -> Iterator[bytes]:
    """What one stream after another expands to; zeros behind the last are padding."""
    decoder, rest = make(), b""
    begun = several = False
    while True:
        if not rest:
            block = next(stored, b"")
            if not block:
                break
            rest = block
        if several and not begun:
            rest = rest.lstrip(b"\0")
            if not rest:
                continue
        begun = True
        yield decoder.feed(rest)
        while decoder.more:
            yield decoder.feed(b"")
        rest = decoder.unused_data if decoder.eof else b""
        if decoder.eof:
            decoder, begun, several = make(), False, True
    if begun:
        raise EOFError("they end too early")


class Stream(RawIOBase):
    """Blocks as a stream that libraries read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest, self._at = blocks, b"", 0
        self._error: OSError | None = None

    def tell(self) -> int:
        """Bytes read so far."""
        return self._at

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end; all that are left if it is negative."""
        parts: list[bytes] = []
        wanted = -1 if size is None else size
        while wanted:
            if not self._rest and not self._filled(keep=bool(parts)):
                break
            part = self._rest if wanted < 0 else self._rest[:wanted]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            wanted -= len(part) if wanted > 0 else 0
            self._at += len(part)
        return b"".join(parts)

    def _filled(self, *, keep: bool) -> bool:
        """Take in a block; an error is kept for the next time if there is something to hand out first."""
        if self._error is not None:
            raise self._error
        try:
            self._rest = next(self._blocks, b"")
        except OSError as error:
            if not keep:
                raise
            self._error = error
        return bool(self._rest)
