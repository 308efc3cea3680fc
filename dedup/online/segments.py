"""Segments: postings on disk, by key, in files that are written once; and the logs of those not in one yet.

Logs, and which segments there are, stand in a column family. Its keys begin with a letter; numbers in them
are big-endian:

    l + log (uint32)          postings of one batch: their keys uint64, numbers and contexts uint32
    s + first and last log    that there is a segment of these logs: how many postings it has, uint64

A segment's file has a head (`_HEAD`: what it is, first and last log, postings, and the XXH3-128 of all that
follows), its blocks (`kernels.lists.pack`) one behind the other, how many postings each of them has, uint32,
and its Bloom filter, uint64; all lowest byte first.
"""

from __future__ import annotations

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
from dedup.kernels import lists as kernels
from dedup.kernels.lists import KEY_BITS, LINE, RECORD
from dedup.online.postings import Postings, Recent
from dedup.online.rocks import Changes, Rocks, telling
from dedup.report.atomic import sync_folder

LOG, _NAME, _COUNT = struct.Struct(">I"), struct.Struct(">II"), struct.Struct(">Q")
_HEAD, _WHAT = struct.Struct("<8sIIQ16s"), b"dedup\0p1"
SUFFIX = ".postings"  # of segments' files
_BLOCK = 128  # postings in a block, on average
_FEWEST = 256  # blocks of a segment: so the lower four bytes of a key tell it from all others in a block
_BITS = 12  # of a Bloom filter for a posting: of keys that are not there, 1 in 200 seems to be
_PART = 2**18  # postings of a segment that are sorted and written in one go
_PIECE = 2**22  # bytes that are read in one go to see whether a file is sound


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings on disk, by key, and those of one key as they came; made of the logs `first` to `last`."""

    first: int
    last: int
    bounds: Offsets = field(repr=False)  # (blocks + 1,) of the postings in its blocks
    lines: NDArray[np.uint64] = field(repr=False)  # of its Bloom filter, (n, LINE)
    file: int  # descriptor

    @property
    def count(self) -> int:
        """Postings."""
        return int(self.bounds[-1])

    @property
    def blocks(self) -> int:
        """How many equal ranges its keys are cut into."""
        return self.bounds.size - 1

    def between(self, low: np.uint64, high: np.uint64) -> Postings:
        """The postings with keys from `low` to below `high`."""
        first, last = (
            np.array([low, high - np.uint64(1)]) * np.uint64(self.blocks) >> np.uint64(KEY_BITS)
        ).tolist()
        start, stop = self.bounds[[first, last + 1]].tolist()
        data = _read(
            np.array([self.file], np.int32),
            np.array([_HEAD.size + RECORD * start]),
            np.array([0, RECORD * (stop - start)]),
        )
        out = Postings.room(stop - start)
        bounds = RECORD * (self.bounds[first : last + 2] - start)
        least = least_of(np.arange(first, last + 1, dtype=np.uint64), self.blocks)
        kernels.unpack(data, bounds, least, *out)
        return out.some(slice(*np.searchsorted(out.keys, (low, high))))

    def close(self) -> None:
        """Let go of its file."""
        os.close(self.file)

    def is_sound(self) -> bool:
        """Is what its file holds what was written?"""
        digest, place = xxhash.xxh3_128(), _HEAD.size
        while piece := os.pread(self.file, _PIECE, place):
            digest.update(piece)
            place += len(piece)
        written: bytes = _HEAD.unpack(os.pread(self.file, _HEAD.size, 0))[-1]
        return digest.digest() == written


def least_of(blocks: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    """The least key of each of some blocks, of `count` that there are."""
    return ((blocks << np.uint64(KEY_BITS)) + np.uint64(count - 1)) // np.uint64(count)


def read(
    segments: Sequence[Segment], numbers: NDArray[np.int64], blocks: NDArray[np.int64]
) -> tuple[Offsets, NDArray[np.uint8]]:
    """Blocks one after another, each of the segment of a number, rising: bounds in bytes, and the bytes.

    Raises `IndexStoreError` if one cannot be read.
    """
    cuts = np.searchsorted(numbers, np.arange(len(segments) + 1))
    places = np.empty((2, blocks.size), np.int64)
    for segment, (first, stop) in zip(segments, pairwise(cuts.tolist()), strict=True):
        own = blocks[first:stop]
        places[:, first:stop] = segment.bounds[own], segment.bounds[own + 1]
    places *= RECORD
    bounds = offsets_of(places[1] - places[0])
    files = np.array([segment.file for segment in segments], np.int32)[numbers]
    return bounds, _read(files, _HEAD.size + places[0], bounds)


def _read(files: NDArray[np.int32], places: NDArray[np.int64], bounds: Offsets) -> NDArray[np.uint8]:
    data = np.empty(bounds[-1], np.uint8)
    if not kernels.read(files, places, bounds, data):
        raise IndexStoreError("a segment of postings cannot be read; `dedup index verify` says which")
    return data


@dataclass(frozen=True, slots=True)
class Store:
    """The logs and segments of a column family. Raises `IndexStoreError`."""

    rocks: Rocks
    family: str

    def logs(self) -> Iterator[tuple[int, Postings]]:
        """The logs that are in no segment yet."""
        for key, value in self.rocks.range(self.family, b"l"):
            count = len(value) // 16
            keys = np.frombuffer(value, np.uint64, count)
            rest = np.frombuffer(value, np.uint32, 2 * count, keys.nbytes)
            yield LOG.unpack(key[1:])[0], Postings(keys, rest[:count], rest[count:])

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
        with telling(self.rocks.folder):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        blocks, lines = blocks_of(count), lines_of(count)
        sizes = _HEAD.size, RECORD * count, 4 * blocks, 8 * LINE * lines
        head = os.pread(file, _HEAD.size, 0)
        if os.fstat(file).st_size != sum(sizes) or _HEAD.unpack(head)[:4] != (_WHAT, first, last, count):
            os.close(file)
            raise IndexStoreError(f"{path}: the file is damaged; take it from a copy, or make a new index")
        rest = os.pread(file, sizes[2] + sizes[3], sizes[0] + sizes[1])
        bounds = offsets_of(np.frombuffer(rest, np.uint32, blocks))
        bloom = np.frombuffer(bytearray(rest[sizes[2] :]), np.uint64).reshape(-1, LINE)
        return Segment(first, last, bounds, bloom, file)

    def segment(self, joined: list[Segment], recent: Recent, last: int, stopping: Event) -> Segment:
        """Write a segment of others, which follow one another, and of what came after, up to a log.

        It is in use only once it `replace`s them. Raises `InterruptedError` if it is told to stop.
        """
        first = joined[0].first if joined else recent.first
        count, path = sum(segment.count for segment in joined) + recent.count, self._path(first, last)
        try:
            with telling(self.rocks.folder):
                with path.open("wb") as stream:
                    head = _HEAD.pack(_WHAT, first, last, count, self._fill(stream, joined, recent, stopping))
                    stream.seek(0)
                    stream.write(head)
                    stream.flush()
                    os.fsync(stream.fileno())
                sync_folder(self.rocks.folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self._opened(first, last, count)

    def _fill(self, stream: BinaryIO, joined: list[Segment], recent: Recent, stopping: Event) -> bytes:
        """Write all of a segment but its head; the digest of that."""
        count = sum(segment.count for segment in joined) + recent.count
        blocks, lines = blocks_of(count), np.zeros((lines_of(count), LINE), np.uint64)
        late = recent.there.some(np.argsort(recent.there.keys, kind="stable"))
        digest, counts = xxhash.xxh3_128(), list[NDArray[np.uint32]]()
        stream.seek(_HEAD.size)
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
            bounds, data = np.searchsorted(own.keys, least), np.empty(RECORD * own.keys.size, np.uint8)
            kernels.pack(*own, bounds, data)
            counts.append(np.diff(bounds).astype(np.uint32))
            digest.update(data.data)
            stream.write(data.data)
            stream.flush()
            os.fsync(stream.fileno())  # bit by bit: others wait for the disk too
        for rest in (np.concatenate(counts).data, lines.data):
            digest.update(rest)
            stream.write(rest)
        return digest.digest()

    def replace(self, gone: list[Segment], new: Segment) -> None:
        """Have a segment in place of others and of its logs, from now on."""
        changes: Changes = [(self.family, b"s" + _NAME.pack(one.first, one.last), None) for one in gone]
        changes.append((self.family, b"s" + _NAME.pack(new.first, new.last), _COUNT.pack(new.count)))
        logs = self.family, b"l", b"l" + LOG.pack(new.last) + b"\0"
        self.rocks.write(changes, ranges=[logs])
        self.rocks.sync()
        for segment in gone:
            segment.close()
            self._path(segment.first, segment.last).unlink()

    def forget_others(self, segments: list[Segment]) -> None:
        """Drop the files of all segments but these: those not finished, and those that were replaced."""
        there = {self._path(segment.first, segment.last) for segment in segments}
        for path in files(self.rocks.folder).get(self.family, set()) - there:
            path.unlink()

    def problems(self, segments: list[Segment], articles: int) -> Iterator[str]:
        """What cannot be read, or leads to none of so many articles."""
        sizes = {b"l": 16, b"s": _COUNT.size}
        for key, value in self.rocks.range(self.family, b""):
            if key[:1] not in sizes or len(value) % sizes[key[:1]]:
                yield f"{self.family}: {key!r} is damaged"
        for log, postings in self.logs():
            if postings.numbers.max(initial=0) >= articles:
                yield f"{self.family}: log {log} is damaged"
        for segment in segments:
            if not segment.is_sound() or _most(segment) >= articles:
                yield f"{self.family}: the segment {segment.first} to {segment.last} is damaged"


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
