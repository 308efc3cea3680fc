"""Pile: aligned pairs, which grow with the corpus, held in memory as long as they fit, then on disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dedup.align import Aligned
from dedup.csr import offsets_of
from dedup.scratch import Scratch

_COLUMNS = {  # of `Aligned`, one row after the other
    "pairs": (np.int32, 2),
    "passages": (np.int32, 6),
    "matched": (np.int32, 2),
    "covered": (np.int32, 2),
    "resemblance": (np.float64, 1),
}
_ROWS = 2**16  # pairs that are put in order in one go


class Pile:
    """Aligned pairs, more of which are put at the end."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._spools = {name: scratch.spool(dtype) for name, (dtype, _) in _COLUMNS.items()}
        self._counts = scratch.spool(np.int32)  # passages of each pair

    def append(self, part: Aligned) -> None:
        """Put the pairs of `part` at the end."""
        for name, spool in self._spools.items():
            spool.append(getattr(part, name))
        self._counts.append(np.diff(part.offsets))

    def merge(self, parts: Sequence[Aligned]) -> None:
        """Put the pairs of all `parts` at the end, sorted."""
        order = np.argsort(np.concatenate([part.keys for part in parts]), kind="stable")
        bases = offsets_of(np.array([len(part.pairs) for part in parts]))
        for first in range(0, order.size, _ROWS):
            own = order[first : first + _ROWS]
            which = np.searchsorted(bases, own, "right") - 1
            some = [part.taken(own[which == number] - bases[number]) for number, part in enumerate(parts)]
            places = np.empty_like(own)
            places[np.argsort(which, kind="stable")] = np.arange(own.size)
            self.append(Aligned.concatenated(some).taken(places))
            self._scratch.let_go()

    @property
    def size(self) -> int:
        """Pairs."""
        return self._counts.size

    def aligned(self) -> Aligned:
        """All pairs; from disk they are mapped."""
        columns = {
            name: spool.array().reshape(-1, width) if (width := _COLUMNS[name][1]) > 1 else spool.array()
            for name, spool in self._spools.items()
        }
        return Aligned(**columns, offsets=offsets_of(self._counts.array()))

    def clear(self) -> None:
        """Forget all pairs, and give back their memory and their disk."""
        for spool in (*self._spools.values(), self._counts):
            spool.clear()
