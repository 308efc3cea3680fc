"""The facts of one run that every task knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.settings import Settings
from dedup.spark.storage import Folder

OWN, GUEST, REPEAT = range(3)  # what an article is where it is verified
MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Job:
    """One run: its folder, its partitions, and which articles are whose.

    Articles are numbered in the order of their ids. Partition p is the home of those from `bases[p]` to
    `bases[p + 1]`; besides, each partition holds a range of hashes.
    """

    folder: Folder
    bits: int  # there are 2 ** bits partitions
    settings: Settings
    bases: NDArray[np.int64]  # (parts + 1,), zeros before articles are numbered
    derives: bool = False  # whether an article says that it derives from another
    keep: bool = False  # whether the report keeps the articles as they were read, with their sketches
    back: bool = False  # whether they are handed back to the driver instead
    earlier: tuple[str, ...] = ()  # files in which earlier reports kept articles

    @property
    def parts(self) -> int:
        """How many partitions there are."""
        return 1 << self.bits

    def home(self, part: int) -> tuple[int, int]:
        """The numbers of the articles of a partition: first and stop."""
        return int(self.bases[part]), int(self.bases[part + 1])

    def homes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The partitions that articles are at home in."""
        return np.searchsorted(self.bases, numbers, "right") - 1

    def holders(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The partitions that hold some hashes, which are spread evenly."""
        return (
            (hashes >> np.uint64(64 - self.bits)).astype(np.int64)
            if self.bits
            else np.zeros(hashes.size, np.int64)
        )

    def spread(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """A partition for each number, evenly."""
        return self.holders(numbers.astype(np.uint64) * MIX)
