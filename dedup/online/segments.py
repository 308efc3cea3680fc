"""Segments: postings on disk, by key, in files that are written once; and the logs of those not in one yet.

Logs, and which segments there are, stand in a column family. Its keys begin with a letter; numbers in them
are big-endian:

    l + log (uint32)          postings of one batch: their keys uint64, contexts uint64, and numbers uint32
    s + first and last log    that there is a segment of these logs: how many postings it has, uint64

A segment's file has a head (`_HEAD`: what it is, first and last log, postings, bits of an article's number,
and the XXH3-128 of all that follows), its postings (`kernels.lists.pack`), which are cut into blocks of equal
ranges of keys, how many of them each block has, uint32, and its Bloom filter, uint64; all lowest byte first.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.csr import Offsets, offsets_of
from dedup.errors import IndexStoreError
from dedup.kernels import files as pieces
from dedup.kernels import lists as kernels
from dedup.kernels.lists import CONTEXT_BITS, KEY_BITS, LINE
from dedup.memory import give_back
from dedup.online.postings import Postings, Recent
from dedup.online.rocks import REMEDY, Changes, Rocks, telling
from dedup.report.atomic import sync_folder

LOG, _NAME, _COUNT = struct.Struct(">I"), struct.Struct(">II"), struct.Struct(">Q")
_HEAD, _WHAT = struct.Struct("<8sIIQI16s"), b"dedup\0p1"
SUFFIX = ".postings"  # of segments' files
_LOGGED = 20  # bytes of a posting in a log
_BLOCK = 128  # postings in a block, on average
_FEWEST = 256  # blocks of a segment
_BITS = 10  # of a Bloom filter for a posting: of keys that are not there, 1 in 200 seems to be
_PART = 2**16  # postings of a segment that are sorted in one go
_SYNCED = 2**21  # bytes of them that are waited for in one go: others wait for the disk too
_SPARE = 8  # bytes behind what is read: integers are taken from eight bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings on disk, by key, and those of one key as they came; made of the logs `first` to `last`."""

    first: int
    last: int
    bounds: Offsets = field(repr=False)  # (blocks + 1,) of the postings in its blocks
    lines: NDArray[np.uint64] = field(repr=False)  # of its Bloom filter, (n, LINE)
    number_bits: int  # of an article's number
    data: NDArray[np.uint8] = field(repr=False)  # its file, mapped

    @property
    def count(self) -> int:
        """Postings."""
        return int(self.bounds[-1])

    @property
    def blocks(self) -> int:
        """How many equal ranges its keys are cut into."""
        return self.bounds.size - 1

    @property
    def widths(self) -> tuple[int, int]:
        """Bits of a key and of a number in its file."""
        return key_bits_of(self.blocks), self.number_bits

    @property
    def record(self) -> int:
        """Bits of a posting in its file."""
        return sum(self.widths) + CONTEXT_BITS

    def between(self, low: np.uint64, high: np.uint64) -> Postings:
        """The postings with keys from `low` to below `high`."""
        ends = np.array([low, high - np.uint64(1)]) * np.uint64(self.blocks) >> np.uint64(KEY_BITS)
        first, last = ends.tolist()
        bounds = self.bounds[first : last + 2]
        starts, _, data = Reader.of([self]).read(np.zeros(1, np.int64), bounds[:1], bounds[-1:])
        out = Postings.room(int(bounds[-1] - bounds[0]))
        least = least_of(np.arange(first, last + 1, dtype=np.uint64), self.blocks)
        kernels.unpack(data, starts[0], *self.widths, bounds - bounds[0], least, *out)
        return out.some(slice(*np.searchsorted(out.keys, (low, high))))

    def is_sound(self) -> bool:
        """Is what its file holds what was written?"""
        written: bytes = _HEAD.unpack(self.data[: _HEAD.size].tobytes())[-1]
        return xxhash.xxh3_128_digest(self.data[_HEAD.size :].data) == written


def least_of(blocks: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    """The least key of each of some blocks, of `count` that there are."""
    return ((blocks << np.uint64(KEY_BITS)) + np.uint64(count - 1)) // np.uint64(count)


def key_bits_of(blocks: int) -> int:
    """The lowest bits of a key that tell it from all others in its block, of so many."""
    return KEY_BITS + 1 - blocks.bit_length()


@dataclass(frozen=True, slots=True)
class Reader:
    """What it takes to read postings of n segments."""

    segments: Sequence[Segment]
    starts: NDArray[np.int64]  # (n,) addresses of their postings
    records: NDArray[np.int64]  # (n,) bits of a posting
    widths: NDArray[np.int64]  # (n, 2) bits of a key and of a number

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> Reader:
        """Of some segments, in this order."""
        starts = [segment.data.ctypes.data + _HEAD.size for segment in segments]
        records = [segment.record for segment in segments]
        widths = [segment.widths for segment in segments]
        return cls(
            segments, np.array(starts, np.int64), np.array(records, np.int64),
            np.array(widths, np.int64).reshape(-1, 2),
        )  # fmt: skip

    def read(
        self, numbers: NDArray[np.int64], firsts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
        """Postings `firsts` to `stops` of segments, each of the segment of a number.

        Returns the bits of the data where each of these runs begins, how many postings it has, and the data.
        """
        records = self.records[numbers]
        begin, end = firsts * records, stops * records
        places = begin >> 3
        bounds = offsets_of((end + 7 >> 3) - places)
        data = np.empty(bounds[-1] + _SPARE, np.uint8)
        pieces.copy(self.starts[numbers] + places, bounds, data)
        return 8 * bounds[:-1] + (begin & 7), stops - firsts, data


@dataclass(frozen=True, slots=True)
class Store:
    """The logs and segments of a column family. Raises `IndexStoreError`."""

    rocks: Rocks
    family: str

    def logs(self) -> Iterator[tuple[int, Postings]]:
        """The logs that are in no segment yet."""
        for key, value in self.rocks.range(self.family, b"l"):
            count = len(value) // _LOGGED
            keys, contexts = np.frombuffer(value, np.uint64, 2 * count).reshape(2, -1)
            numbers = np.frombuffer(value, np.uint32, count, 16 * count)
            yield LOG.unpack(key[1:])[0], Postings(keys, numbers, contexts)

    def segments(self) -> list[Segment]:
        """The segments there are, the earliest first."""
        return [
            self._opened(*_NAME.unpack(key[1:]), *_COUNT.unpack(value))
            for key, value in self.rocks.range(self.family, b"s")
        ]

    def _path(self, first: int, last: int) -> Path:
        return self.rocks.folder / f"{self.family}-{first}-{last}{SUFFIX}"

    def _opened(self, first: int, last: int, count: int) -> Segment:
        """A segment of a file that is there."""
        path = self._path(first, last)
        damaged = IndexStoreError(f"{path}: the file is damaged; {REMEDY}")
        with telling(self.rocks.folder):
            try:
                data = _mapped(path)
            except FileNotFoundError as error:
                raise IndexStoreError(f"{path}: No such file, and the index needs it; {REMEDY}") from error
        if data.size < _HEAD.size:
            raise damaged
        blocks, bloom = blocks_of(count), kernels.room(lines_of(count))
        *what, number_bits, _ = _HEAD.unpack(data[: _HEAD.size].tobytes())
        record = key_bits_of(blocks) + number_bits + CONTEXT_BITS
        start = _HEAD.size + -(-count * record // 8)
        stop = start + 4 * blocks
        if what != [_WHAT, first, last, count] or data.size != stop + bloom.nbytes:
            raise damaged
        bounds = offsets_of(np.frombuffer(data[start:stop].tobytes(), np.uint32))
        if bounds[-1] != count:
            raise damaged
        bloom.reshape(-1).view(np.uint8)[:] = data[stop:]
        return Segment(first, last, bounds, bloom, number_bits, data)

    def segment(self, joined: list[Segment], recent: Recent, last: int, stopping: Event) -> Segment:
        """Write a segment of others, which follow one another, and of what came after, up to a log.

        It is in use only once it `replace`s them. Raises `InterruptedError` if it is told to stop.
        """
        first = joined[0].first if joined else recent.first
        count, path = sum(segment.count for segment in joined) + recent.count, self._path(first, last)
        try:
            with telling(self.rocks.folder):
                with path.open("wb") as stream:
                    most = int(recent.there.numbers.max(initial=1)).bit_length()
                    number_bits = max([most, *(segment.number_bits for segment in joined)])
                    digest = self._fill(stream, joined, recent, number_bits, stopping)
                    stream.seek(0)
                    stream.write(_HEAD.pack(_WHAT, first, last, count, number_bits, digest))
                    stream.flush()
                    os.fsync(stream.fileno())
                sync_folder(self.rocks.folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self._opened(first, last, count)

    def _fill(
        self, stream: BinaryIO, joined: list[Segment], recent: Recent, number_bits: int, stopping: Event
    ) -> bytes:
        """Write all of a segment but its head; the digest of that."""
        count = sum(segment.count for segment in joined) + recent.count
        blocks, lines = blocks_of(count), kernels.room(lines_of(count))
        widths = key_bits_of(blocks), number_bits
        late = recent.there.some(np.argsort(recent.there.keys, kind="stable"))
        digest, counts = xxhash.xxh3_128(), list[NDArray[np.uint32]]()
        stream.seek(_HEAD.size)
        written = 0  # since it was last waited for
        rest = np.zeros(0, np.uint8)  # of the last byte, which the next part goes on with
        bits = 0
        cuts = np.linspace(0, blocks, 1 + -(-count // _PART)).astype(np.uint64)
        for start, stop in pairwise(cuts):
            if stopping.is_set():
                raise InterruptedError
            least = least_of(np.arange(start, stop + np.uint64(1), dtype=np.uint64), blocks)
            parts = [segment.between(least[0], least[-1]) for segment in joined]
            parts.append(late.some(slice(*np.searchsorted(late.keys, least[[0, -1]]))))
            own = Postings.joined(parts)
            own = own.some(np.argsort(own.keys, kind="stable"))
            kernels.remember(own.keys, lines)
            counts.append(np.diff(np.searchsorted(own.keys, least)).astype(np.uint32))
            bits, begun = bits % 8 + own.keys.size * (sum(widths) + CONTEXT_BITS), bits % 8
            data = np.zeros(-(-bits // 8), np.uint8)
            data[: rest.size] = rest
            kernels.pack(*own, *widths, begun, data)
            data, rest = data[: bits // 8], data[bits // 8 :]
            digest.update(data.data)
            written += stream.write(data.data)
            if written >= _SYNCED:
                stream.flush()
                os.fsync(stream.fileno())
                written = 0
        for column in (rest.data, np.concatenate(counts).data, lines.data):
            digest.update(column)
            stream.write(column)
        return digest.digest()

    def replace(self, gone: list[Segment], new: Segment) -> None:
        """Have a segment in place of others and of its logs, from now on."""
        changes: Changes = [(self.family, b"s" + _NAME.pack(one.first, one.last), None) for one in gone]
        changes.append((self.family, b"s" + _NAME.pack(new.first, new.last), _COUNT.pack(new.count)))
        logs = self.family, b"l", b"l" + LOG.pack(new.last) + b"\0"
        self.rocks.write(changes, ranges=[logs])
        self.rocks.sync()

    def remove(self, gone: list[Segment]) -> None:
        """Leave nothing of segments that nobody looks into any more, on disk or in memory."""
        for segment in gone:
            self._path(segment.first, segment.last).unlink(missing_ok=True)
        give_back()

    def forget_others(self, segments: list[Segment]) -> None:
        """Drop the files of all segments but these: those not finished, and those that were replaced."""
        there = {self._path(segment.first, segment.last) for segment in segments}
        for path in files(self.rocks.folder).get(self.family, set()) - there:
            path.unlink(missing_ok=True)

    def problems(self, segments: list[Segment], articles: int) -> Iterator[str]:
        """What cannot be read, or leads to none of so many articles."""
        sizes = {b"l": _LOGGED, b"s": _COUNT.size}
        for key, value in self.rocks.range(self.family, b""):
            if key[:1] not in sizes or len(value) % sizes[key[:1]]:
                yield f"{self.family}: {key!r} is damaged"
        for log, postings in self.logs():
            if postings.numbers.max(initial=0) >= articles:
                yield f"{self.family}: log {log} is damaged"
        for segment in segments:
            if not segment.is_sound() or _most(segment) >= articles:
                yield f"{self.family}: the segment {segment.first} to {segment.last} is damaged"


def _mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, of which a page is read when it is looked at, and no other with it."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return np.empty(0, np.uint8)
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        whole.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(whole, np.uint8)


def logged(postings: Postings) -> bytes:
    """Postings as they stand in a log."""
    return b"".join(column.tobytes() for column in (postings.keys, postings.contexts, postings.numbers))


def files(folder: Path) -> dict[str, set[Path]]:
    """The files of segments in a folder, finished or not, by column family."""
    out: dict[str, set[Path]] = {}
    for path in folder.glob(f"*{SUFFIX}"):
        out.setdefault(path.name.rsplit("-", 2)[0], set()).add(path)
    return out


def blocks_of(count: int) -> int:
    """Blocks of a segment of so many postings."""
    return max(_FEWEST, -(-count // _BLOCK))


def lines_of(count: int) -> int:
    """Lines of its Bloom filter."""
    return max(1, -(-count * _BITS // (64 * LINE)))


def _most(segment: Segment) -> int:
    """The greatest number of an article in a segment."""
    cuts = least_of(np.arange(0, segment.blocks, _PART // _BLOCK, dtype=np.uint64), segment.blocks)
    cuts = np.append(cuts, np.uint64(1 << KEY_BITS))
    parts = [segment.between(low, high).numbers.max(initial=0) for low, high in pairwise(cuts)]
    return int(max(parts))
