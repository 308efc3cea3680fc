"""Postings, and those in memory: what came last, before it stands in a segment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import lists as kernels

_ROOM = 5 * 2**10  # postings for which there is room in memory at first
_MORE = 4  # times as many when there are more: 5 * 2**18 are enough for a segment, and chaining anew is rare


class Postings(NamedTuple):
    """Postings, each of a key."""

    keys: NDArray[np.uint64]
    numbers: NDArray[np.uint32]  # articles
    contexts: NDArray[np.uint64]  # `kernels.meet.contexts`

    @classmethod
    def room(cls, count: int) -> Postings:
        """Room for so many."""
        return cls(np.empty(count, np.uint64), np.empty(count, np.uint32), np.empty(count, np.uint64))

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
        room = self.nexts.size
        while room < self.count + more.keys.size:
            room *= _MORE
        if room > self.nexts.size:
            more = Postings.joined([self.there, more])
            self.count = 0
            self._make_room(room)
        first, self.count = self.count, self.count + more.keys.size
        own = self.there.some(slice(first, self.count))
        own.keys[:], own.numbers[:], own.contexts[:] = more
        kernels.chain(self.postings.keys, first, self.count, self.nexts, self.heads)

    @property
    def there(self) -> Postings:
        """Those added so far."""
        return self.postings.some(slice(self.count))
