"""Texts by article id, looked up one by one or many at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.schema import TEXTS

_ROWS = 4096  # texts taken at once


class SortedTexts(Mapping[str, str]):
    """Texts whose ids are sorted; `take` gets the rows of some, int64, as a large string array."""

    def __init__(self, ids: pa.Array, take: Callable[[NDArray[Any]], pa.Array]) -> None:
        self._ids = ids
        self._take = take

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> SortedTexts:
        """The same texts, sorted."""
        if isinstance(texts, SortedTexts):
            return texts
        ids = sorted(texts)
        values = pa.array([texts[id] for id in ids], pa.large_string())
        return cls(pa.array(ids, pa.string()), lambda rows: values.take(pa.array(rows)))

    def __getitem__(self, id: str) -> str:
        place = bisect_left(range(len(self._ids)), id, key=lambda number: str(self._ids[number]))
        if place == len(self._ids) or self._ids[place].as_py() != id:
            raise KeyError(id)
        return str(self._take(np.array([place]))[0])

    def __iter__(self) -> Iterator[str]:
        for id in self._ids:
            yield id.as_py()

    def __len__(self) -> int:
        return len(self._ids)

    def some(self, ids: pa.Array) -> Iterator[pa.Table]:
        """Those of `ids` that are there, sorted, as tables of `schema.TEXTS`."""
        rows = np.unique(pc.index_in(ids, self._ids).drop_null().to_numpy())
        for first in range(0, rows.size, _ROWS):
            own = rows[first : first + _ROWS]
            yield pa.table([self._ids.take(pa.array(own)), self._take(own)], TEXTS)
