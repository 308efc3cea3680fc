"""Postings in memory and in segments: how `lists` are kept in a column family.

The keys of the family begin with a letter; numbers in them are big-endian:

    l + log (uint32)                  postings of one batch: their keys uint64, numbers and contexts uint32
    s + first and last log            that there is a segment of these logs: how many postings it has, uint64
    b + first and last log + block    a block of a segment (`kernels.lists.pack`)
    f + first and last log + piece    a piece of its Bloom filter: words of 64 bits, lowest byte first
    u + first and last log            that a segment is being written
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.csr import Offsets, offsets_of
from dedup.kernels import lists as kernels
from dedup.kernels.lists import KEY_BITS, LINE, RECORD
from dedup.online.rocks import Changes, Rocks

LOG, _NAME, _COUNT = struct.Struct(">I"), struct.Struct(">II"), struct.Struct(">Q")
_KEY = np.dtype([("segment", "V9"), ("part", ">u4")])
_BLOCK = 128  # postings in a block, on average
_FEWEST = 256  # blocks of a segment: so the lower four bytes of a key tell it from all others in a block
_BITS = 12  # of a Bloom filter for a posting: of keys that are not there, 1 in 200 seems to be
_PIECE = 2**14  # lines of a Bloom filter in a value: 1 MB
_PART = 2**18  # postings of a segment that are sorted and written in one go
_AT_ONCE = 256  # blocks that are written at once, while the database holds Python's lock
_ROOM = 2**12  # postings for which there is room in memory at first


class Postings(NamedTuple):
    """Postings, each of a key."""

    keys: NDArray[np.uint64]
    numbers: NDArray[np.uint32]  # articles
    contexts: NDArray[np.uint32]  # `kernels.meet.contexts`

    @classmethod
    def room(cls, count: int) -> Postings:
        """Room for so many."""
        return cls(np.empty(count, np.uint64), np.empty(count, np.uint32), np.empty(count, np.uint32))

    @classmethod
    def joined(cls, parts: list[Postings]) -> Postings:
        """Several, one after another."""
        keys, numbers, contexts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(keys, numbers, contexts)

    def some(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Postings:
        """Some of them."""
        return Postings(self.keys[rows], self.numbers[rows], self.contexts[rows])


class Recent:
    """Postings in memory, as they came; those of a range of keys are chained (`kernels.lists.chain`)."""

    def __init__(self, first: int) -> None:
        self.first = first  # log
        self.count = 0
        self._make_room(_ROOM)

    def _make_room(self, room: int) -> None:
        self.postings = Postings.room(room)
        self.nexts, self.heads = np.empty(room, np.int32), np.full(2 * room, -1, np.int32)

    def add(self, more: Postings) -> None:
        """Add postings."""
        if self.count + more.keys.size > self.nexts.size:
            more = Postings.joined([self.there, more])
            self.count = 0
            self._make_room(2 * more.keys.size)
        first, self.count = self.count, self.count + more.keys.size
        own = self.there.some(slice(first, self.count))
        own.keys[:], own.numbers[:], own.contexts[:] = more
        kernels.chain(self.postings.keys, first, self.count, self.nexts, self.heads)

    @property
    def there(self) -> Postings:
        """Those added so far."""
        return self.postings.some(slice(self.count))


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings on disk, by key, and those of one key as they came; made of the logs `first` to `last`."""

    first: int
    last: int
    count: int  # postings
    lines: NDArray[np.uint64] = field(repr=False)  # of its Bloom filter, (n, LINE)

    @classmethod
    def blank(cls, first: int, last: int, count: int) -> Segment:
        """One whose Bloom filter is empty."""
        lines = max(1, -(-count * _BITS // (64 * LINE)))
        return cls(first, last, count, np.zeros((lines, LINE), np.uint64))

    @property
    def name(self) -> bytes:
        """In keys."""
        return _NAME.pack(self.first, self.last)

    @property
    def blocks(self) -> int:
        """How many equal ranges its keys are cut into."""
        return max(_FEWEST, -(-self.count // _BLOCK))

    @property
    def pieces(self) -> int:
        """How many values its Bloom filter is in."""
        return -(-len(self.lines) // _PIECE)

    def names(self, parts: NDArray[Any], kind: bytes = b"b") -> list[bytes]:
        """The keys of some of its blocks, or of pieces of its Bloom filter."""
        return named([self], np.zeros(parts.size, np.int64), parts, kind)

    def least(self, blocks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The least key of each of some blocks."""
        count = np.uint64(self.blocks)
        return ((blocks << np.uint64(KEY_BITS)) + count - np.uint64(1)) // count


def named(
    segments: list[Segment], numbers: NDArray[np.int64], parts: NDArray[Any], kind: bytes = b"b"
) -> list[bytes]:
    """The keys of blocks, or of pieces of Bloom filters, each of the segment of a number."""
    names = np.array([kind + segment.name for segment in segments], f"V{1 + _NAME.size}")
    keys = np.empty(parts.size, _KEY)
    keys["segment"], keys["part"] = names[numbers], parts
    whole: list[bytes] = keys.view(f"V{_KEY.itemsize}").tolist()
    return whole


@dataclass(frozen=True, slots=True)
class Store:
    """Logs and segments in a column family. Raises `IndexStoreError`."""

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
        out = []
        for key, value in self.rocks.range(self.family, b"s"):
            segment = Segment.blank(*_NAME.unpack(key[1:]), *_COUNT.unpack(value))
            names = segment.names(np.arange(segment.pieces), b"f")
            for piece, name in enumerate(names):
                lines = np.frombuffer(self.rocks.get(self.family, name) or b"", np.uint64)
                segment.lines[piece * _PIECE : (piece + 1) * _PIECE] = lines.reshape(-1, LINE)
            out.append(segment)
        return out

    def blocks(self, names: list[bytes]) -> tuple[Offsets, NDArray[np.uint8]]:
        """Blocks one after another: bounds int64 (blocks + 1), and their bytes."""
        values = [value or b"" for value in self.rocks.several(self.family, names)]
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        return offsets_of(sizes), np.frombuffer(b"".join(values), np.uint8)

    def segment(self, joined: list[Segment], recent: Recent, last: int, stopping: Event) -> Segment:
        """Write a segment of others, which follow one another, and of what came after, up to a log.

        It is in use only once it `replace`s them. Raises `InterruptedError` if it is told to stop.
        """
        first = joined[0].first if joined else recent.first
        new = Segment.blank(first, last, sum(segment.count for segment in joined) + recent.count)
        self.rocks.write([(self.family, b"u" + new.name, b"")])
        late = recent.there.some(np.argsort(recent.there.keys, kind="stable"))
        bounds = np.linspace(0, new.blocks, 1 + -(-new.count // _PART)).astype(np.uint64)
        for start, stop in pairwise(bounds):
            if stopping.is_set():
                raise InterruptedError
            low, high = new.least(np.array([start, stop]))
            parts = [self._between(segment, low, high) for segment in joined]
            parts.append(late.some(slice(*np.searchsorted(late.keys, (low, high)))))
            own = Postings.joined(parts)
            own = own.some(np.argsort(own.keys, kind="stable"))
            kernels.remember(own.keys, new.lines)
            self._write(new, own, np.arange(start, stop, dtype=np.uint64))
        lines = [new.lines[at : at + _PIECE] for at in range(0, len(new.lines), _PIECE)]
        for name, piece in zip(new.names(np.arange(len(lines)), b"f"), lines, strict=True):
            self.rocks.write([(self.family, name, piece.tobytes())])
        return new

    def _between(self, segment: Segment, low: np.uint64, high: np.uint64) -> Postings:
        """The postings of a segment with keys from `low` to below `high`."""
        ends = np.array([low, high - np.uint64(1)]) * np.uint64(segment.blocks) >> np.uint64(KEY_BITS)
        some = np.arange(ends[0], ends[1] + np.uint64(1), dtype=np.uint64)
        bounds, data = self.blocks(segment.names(some))
        out = Postings.room(data.size // RECORD)
        kernels.unpack(data, bounds, segment.least(some), *out)
        return out.some(slice(*np.searchsorted(out.keys, (low, high))))

    def _write(self, segment: Segment, postings: Postings, blocks: NDArray[np.uint64]) -> None:
        """Write some blocks of a segment, which hold these postings, sorted."""
        bounds = np.append(np.searchsorted(postings.keys, segment.least(blocks)), postings.keys.size)
        data = np.empty(RECORD * postings.keys.size, np.uint8)
        kernels.pack(*postings, bounds, data)
        values, places = data.tobytes(), (RECORD * bounds).tolist()
        changes: Changes = [
            (self.family, name, values[places[place] : places[place + 1]])
            for place, name in enumerate(segment.names(blocks))
            if places[place] < places[place + 1]
        ]
        for at in range(0, len(changes), _AT_ONCE):
            self.rocks.write(changes[at : at + _AT_ONCE])

    def replace(self, gone: list[Segment], new: Segment) -> None:
        """Have a segment in place of others and of its logs, from now on."""
        changes: Changes = [(self.family, b"s" + segment.name, None) for segment in gone]
        changes.append((self.family, b"u" + new.name, None))
        changes.append((self.family, b"s" + new.name, _COUNT.pack(new.count)))
        ranges = [self._all(kind + segment.name) for segment in gone for kind in (b"b", b"f")]
        ranges.append((self.family, b"l", b"l" + LOG.pack(new.last) + b"\0"))
        self.rocks.write(changes, ranges=ranges)

    def forget_unfinished(self) -> None:
        """Drop what there is of segments that were not finished."""
        for key, _ in list(self.rocks.range(self.family, b"u")):
            ranges = [self._all(kind + key[1:]) for kind in (b"b", b"f")]
            self.rocks.write([(self.family, key, None)], ranges=ranges)

    def _all(self, start: bytes) -> tuple[str, bytes, bytes]:
        """The range of all keys that begin so and end with the number of a part."""
        return self.family, start, start + b"\xff" * 5

    def problems(self, segments: list[Segment], articles: int) -> Iterator[str]:
        """What cannot be read, or leads to none of so many articles."""
        sizes = {b"l": 16, b"s": _COUNT.size, b"b": RECORD, b"f": 8 * LINE, b"u": 1}
        for key, value in self.rocks.range(self.family, b""):
            if key[:1] not in sizes or len(value) % sizes[key[:1]]:
                yield f"{self.family}: {key!r} is damaged"
        for log, postings in self.logs():
            if postings.numbers.max(initial=0) >= articles:
                yield f"{self.family}: log {log} is damaged"
        for segment in segments:
            count, most = 0, np.uint32(0)
            for first in range(0, segment.blocks, _PART // _BLOCK):
                stop = min(first + _PART // _BLOCK, segment.blocks)
                own = self._between(segment, *segment.least(np.array([first, stop], np.uint64)))
                count, most = count + own.keys.size, max(most, own.numbers.max(initial=0))
            if count != segment.count or most >= articles:
                yield f"{self.family}: the segment {segment.first} to {segment.last} is damaged"
