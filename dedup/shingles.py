"""Shingle: runs of k consecutive tokens, as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.kernels import shingle as kernels
from dedup.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Shingles:
    """Shingle hashes of n texts, concatenated; those of text i are `offsets[i]:offsets[i + 1]`.

    Shingle j of a text starts at its token j.
    """

    hashes: NDArray[np.uint64]  # (shingles,)
    offsets: NDArray[np.int64]  # (n + 1,)

    def __len__(self) -> int:
        return self.offsets.size - 1

    def part(self, first: int, stop: int) -> Shingles:
        """The texts `first` to `stop`, without copying them."""
        own = slice(self.offsets[first], self.offsets[stop])
        return Shingles(self.hashes[own], self.offsets[first : stop + 1] - self.offsets[first])


def shingle(tokens: Tokens, k: int) -> Shingles:
    """Hash every run of `k` tokens; a text of 1 to k - 1 tokens is one shingle."""
    hashes = np.empty(tokens.hashes.size, np.uint64)
    offsets = np.empty(tokens.offsets.size, np.int64)
    kernels.shingle(tokens.hashes, tokens.offsets, k, hashes, offsets)
    return Shingles(hashes[: offsets[-1]], offsets)
