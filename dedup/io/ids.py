"""Ids that are taken, each with the place of its article."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.io.place import Place
from dedup.kernels import ids as kernels
from dedup.tokens import utf8

PlaceOf = Callable[[int], Place]  # of a row of a batch

_LEAST = 2**12  # places in the table


class Ids:
    """The ids of articles that came, in batches.

    Found by hash, in a table; two ids of the same hash are told apart all the same, and the hashes differ
    from run to run, so that nobody can choose ids that fall together.
    """

    def __init__(self) -> None:
        self._seed = np.uint64(secrets.randbits(64))
        self._hashes, self._rows = _table(_LEAST)
        self._count = 0  # in the table
        self._blocks: list[tuple[bytes, NDArray[np.uint32], PlaceOf]] = []
        self._bounds = [0]  # numbers of the first articles of the blocks
        self._beside: dict[str, int] = {}  # those whose hash another id has: the numbers of their articles

    def take(self, ids: pa.Array, place: PlaceOf) -> tuple[pa.Array | None, list[tuple[int, Place]]]:
        """Take in a batch: the rows whose ids are new, None if all are, and the others.

        Of the others, their rows and the places of the articles that have their ids; `place` tells the places
        of rows, and must not hold on to the batch.
        """
        data, bounds = utf8(ids)
        base = self._bounds[-1]
        self._blocks.append(
            (data[bounds[0] : bounds[-1]].tobytes(), (bounds - bounds[0]).astype(np.uint32), place)
        )
        self._bounds.append(base + len(ids))
        self._make_room(len(ids))
        holders = np.empty(len(ids), np.int64)
        self._count += kernels.claim(data, bounds, self._seed, base, self._hashes, self._rows, holders)
        found = []
        for row in np.flatnonzero(holders != kernels.FREE).tolist():
            holder = self._holder(base + row, int(holders[row]))
            if holder != base + row:
                found.append((row, self._place(holder)))
        if not found:
            return None, found
        kept = np.delete(np.arange(len(ids)), [row for row, _ in found])
        return pa.array(kept), found

    def _holder(self, number: int, holder: int) -> int:
        """Who has the id of article `number`, which may be that one itself; `holder` has its hash."""
        id = self._id(number)
        return holder if self._id(holder) == id else self._beside.setdefault(id, number)

    def _make_room(self, more: int) -> None:
        """Keep half of the table free."""
        size = self._rows.size
        while size < 2 * (self._count + more):
            size *= 2
        if size > self._rows.size:
            hashes, rows = _table(size)
            kernels.move(self._hashes, self._rows, hashes, rows)
            self._hashes, self._rows = hashes, rows

    def _block(self, number: int) -> tuple[tuple[bytes, NDArray[np.uint32], PlaceOf], int]:
        """The block of an article, and its row there."""
        block = bisect_right(self._bounds, number) - 1
        return self._blocks[block], number - self._bounds[block]

    def _id(self, number: int) -> str:
        (data, bounds, _), row = self._block(number)
        return data[bounds[row] : bounds[row + 1]].decode()

    def _place(self, number: int) -> Place:
        (_, _, place), row = self._block(number)
        return place(row)


def _table(size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.empty(size, np.uint64), np.full(size, kernels.FREE, np.int64)
