"""Seen: words that verified copies account for, so that nobody aligns two articles for them once more.

In a large family two articles share runs that neither shares with the hub: both left out the same word. Such
a run tells nothing new where all of its words are already known to be copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.csr import offsets_of
from dedup.kernels import seen as kernels
from dedup.kernels.runs import seed
from dedup.threads import in_order
from dedup.tokens import Tokens

_AT_ONCE = 256  # pairs
_FOLLOWED, _LONG = 8, 64  # as `dedup.align`


@dataclass(frozen=True, slots=True)
class Seen:
    """Marks on the tokens of some of n texts."""

    starts: NDArray[np.int64]  # (n,) where a text's marks begin, -1 if it has none
    marks: NDArray[np.uint8]  # 1: in a run within a copy

    @classmethod
    def nothing(cls, tokens: Tokens, pairs: NDArray[np.int32]) -> Seen:
        """No marks yet on the texts of `pairs` int32 (n, 2)."""
        starts = np.full(len(tokens), -1, np.int64)
        texts = np.unique(pairs)
        offsets = offsets_of(tokens.lengths[texts])
        starts[texts] = offsets[:-1]
        return cls(starts, np.zeros(int(offsets[-1]), np.uint8))

    def news(self, tokens: Tokens, pairs: NDArray[np.int32], least: int, threads: int) -> NDArray[np.bool_]:
        """Which `pairs` of marked texts share a run of `least` tokens with words not seen, bool (n,)."""
        out = np.empty(len(pairs), np.bool_)

        def run(first: int) -> None:
            own = slice(first, first + _AT_ONCE)
            lefts, rights = np.ascontiguousarray(pairs[own, 0]), np.ascontiguousarray(pairs[own, 1])
            bounds = np.empty(lefts.size + 1, np.int64)
            runs = seed(tokens.hashes, tokens.offsets, lefts, rights, least, _FOLLOWED, _LONG, least, bounds)
            kernels.news(
                tokens.flags, tokens.offsets, lefts, rights, runs, bounds, least, self.starts, self.marks,
                out[own],
            )  # fmt: skip

        for _ in in_order(run, range(0, len(pairs), _AT_ONCE), threads):
            pass
        return out
