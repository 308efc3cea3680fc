"""The lists of postings of one partition: who holds a fingerprint or a band, in the order they came.

A log-structured store (O'Neil et al. 1996). What came last is in memory, and durable as logs in the database,
one a batch. When that is much, it is sorted by key and written as a segment, a file; of segments of like size
several become one, in a thread of its own. Who looks a key up asks memory, and each segment's Bloom filter,
kept in memory, before a block of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.csr import Offsets, counts_of, offsets_of
from dedup.errors import IndexStoreError
from dedup.kernels import lists as kernels
from dedup.online.postings import Postings, Recent
from dedup.online.rocks import Changes, Rocks
from dedup.online.segments import LOG, Reader, Segment, Store, logged

MOST = 2**20  # postings in memory that become a segment
FULL = 4 * MOST  # for which whoever posts more waits until an earlier segment is written
ALIKE = 4  # segments of like size that become one


class Found(NamedTuple):
    """The postings of keys, as they came; those of key i are `bounds[i]:bounds[i + 1]`."""

    bounds: Offsets
    numbers: NDArray[np.uint32]
    contexts: NDArray[np.uint64]

    @classmethod
    def nothing(cls, keys: int) -> Found:
        """No postings of so many keys."""
        return cls(np.zeros(keys + 1, np.int64), np.empty(0, np.uint32), np.empty(0, np.uint64))

    @classmethod
    def joined(cls, parts: list[Found]) -> Found:
        """Several, one after another."""
        if len(parts) == 1:
            return parts[0]
        counts = np.concatenate([counts_of(part.bounds) for part in parts])
        numbers = np.concatenate([part.numbers for part in parts])
        return cls(offsets_of(counts), numbers, np.concatenate([part.contexts for part in parts]))


class _Kept(NamedTuple):
    """Blocks, as `kernels.count_kept` takes them."""

    rows: NDArray[np.int64]
    kinds: NDArray[np.int64]
    widths: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    data: NDArray[np.uint8]


class Lists:
    """The lists of a partition, in a column family of their own; postings are added and never taken away.

    For one thread at a time, but for `find`; `worker` is one that writes segments beside it. Raises
    `IndexStoreError`.
    """

    def __init__(self, rocks: Rocks, family: str, worker: ThreadPoolExecutor, *, read_only: bool) -> None:
        self._store = Store(rocks, family)
        self._worker = worker
        self._look_into(self._store.segments())
        if not read_only:
            self._store.forget_others(self._segments)
        self._next = self._segments[-1].last + 1 if self._segments else 0  # log
        self._recent, self._full = Recent(self._next), Recent(self._next)  # what is full becomes a segment
        for log, postings in self._store.logs():
            self._recent.add(postings)
            self._next = log + 1
        self._work: Future[Segment] | None = None
        self._is_closing = Event()

    def _look_into(self, segments: list[Segment]) -> None:
        """From now on look into these segments, the earliest first."""
        self._segments, self._reader = segments, Reader.of(segments[::-1])

    def find(self, wanted: NDArray[np.uint64]) -> Found:
        """The lists of different keys, rising."""
        kept = self._kept(wanted)
        counts = np.zeros(wanted.size, np.int64)
        kernels.count_kept(wanted, *kept, counts)
        for recent in (self._full, self._recent):
            kernels.count_chained(wanted, recent.postings.keys, recent.nexts, recent.heads, counts)
        offsets = offsets_of(counts)
        ends, count = offsets[1:].copy(), offsets[-1]
        numbers, contexts = np.empty(count, np.uint32), np.empty(count, np.uint64)
        for recent in (self._recent, self._full):
            kernels.take_chained(
                wanted, *recent.postings, recent.nexts, recent.heads, ends, numbers, contexts
            )
        kernels.take_kept(wanted, *kept, ends, numbers, contexts)
        return Found(offsets, numbers, contexts)

    def _kept(self, wanted: NDArray[np.uint64]) -> _Kept:
        """The blocks that keys may be in, those of the latest segments first."""
        reader, counts = self._reader, list[int]()
        rows, firsts, stops = np.empty((3, len(reader.segments) * wanted.size), np.int64)
        for segment in reader.segments:
            own = slice(sum(counts), None)
            counts.append(
                kernels.recall(wanted, segment.lines, segment.bounds, rows[own], firsts[own], stops[own])
            )
        numbers, there = np.repeat(np.arange(len(counts)), counts), slice(sum(counts))
        return _Kept(rows[there], numbers, reader.widths, *reader.read(numbers, firsts[there], stops[there]))

    def log(self, postings: Postings) -> Changes:
        """What is to be written for postings to be durable, before they are `added`."""
        self._next += 1  # whatever becomes of it, no other log has this number
        value = logged(postings)
        return [(self._store.family, b"l" + LOG.pack(self._next - 1), value)]

    def added(self, postings: Postings) -> None:
        """These postings are written."""
        self._recent.add(postings)

    def settle(self) -> None:
        """See to it that what is in memory becomes a segment once it is much, and that those stay few."""
        if self._work is not None and (self._work.done() or self._recent.count > FULL):
            work, self._work = self._work, None
            self._take_over(work.result())
        if self._work is None and max(self._recent.count, self._full.count) >= MOST:
            if not self._full.count:
                self._full, self._recent = self._recent, Recent(self._next)
            joined = self._joined(self._full.count)
            last = self._recent.first - 1
            self._work = self._worker.submit(self._store.segment, joined, self._full, last, self._is_closing)

    def _joined(self, count: int) -> list[Segment]:
        """The segments that become one with so many new postings."""
        taken = 0
        while True:
            stop = len(self._segments) - taken
            group = self._segments[max(0, stop - ALIKE + 1) : stop]
            if len(group) < ALIKE - 1 or max(segment.count for segment in group) > 2 * count:
                return self._segments[stop:]
            taken += len(group)
            count += sum(segment.count for segment in group)

    def _take_over(self, new: Segment) -> None:
        """Look into a segment from now on, in place of what it is made of."""
        gone = [segment for segment in self._segments if segment.first >= new.first]
        self._store.replace(gone, new)
        self._look_into([*self._segments[: len(self._segments) - len(gone)], new])
        self._full = Recent(self._recent.first)
        self._worker.submit(self._store.remove, gone)  # a large file takes long to remove

    def problems(self, articles: int) -> Iterator[str]:
        """What cannot be read, or leads to none of so many articles."""
        yield from self._store.problems(self._segments, articles)

    def close(self) -> None:
        """Leave the column family alone; a segment that is not finished by now is written another time."""
        new = self._finished()
        if new is not None:
            with suppress(IndexStoreError):
                self._take_over(new)
        self._look_into([])

    def drop(self) -> None:
        """Leave nothing behind, once the column family is gone."""
        self._finished()
        self._look_into([])
        self._store.forget_others([])

    def _finished(self) -> Segment | None:
        """The segment that was being written, if it is finished by now."""
        self._is_closing.set()
        work, self._work = self._work, None
        if work is None or work.cancel() or work.exception() is not None:
            return None
        return work.result()
