"""Turns: when the clusters of a partition are verified and finished.

Those that share copy with others have met in one place, and make one group there. Where nothing is large, all
are verified and finished at once. What the place of a large cluster does of it is done by one task, in
several steps; so that others do not wait for it, they verify and finish some of their clusters a step later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.spark import large
from dedup.spark.groups import (
    Group,
    Part,
    Shared,
    among,
    part_of,
    told_of_arrays,
    whole_of,
    with_large,
    with_numbers,
)
from dedup.spark.job import GUEST, Job
from dedup.spark.messages import Inbox
from dedup.spark.storage import unpacked_arrays
from dedup.verify import Verified, merged

MET = ("text", "credit", "told", "shared")  # kinds of messages from places that clusters have left
LARGE, EARLY, LATE = range(3)
_LATE = 3  # of so many clusters one is late, so that each step has about as much to do beside the large one

Found: TypeAlias = tuple[Group, Verified, Shared]


def late(roots: NDArray[np.int64], moved: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which clusters wait longest, if any do: some of those that have not `moved` to meet others."""
    waiting: NDArray[np.bool_] = (roots % _LATE == 0) & ~np.isin(roots, moved)
    return waiting


@dataclass(frozen=True)
class Turns:
    """What was verified in a partition, and where clusters meet."""

    job: Job
    part: int
    whole: Part | None  # None where nothing was verified
    moved: NDArray[np.int64]  # (n, 2) roots of clusters that were here, and where they meet others

    @classmethod
    def of(cls, job: Job, part: int) -> Turns:
        """As it was kept."""
        whole = whole_of(job, part) if job.folder.has(f"texts-{part}") else None
        return cls(job, part, whole, job.folder.read_arrays(f"moved-{part}")["moved"])

    def staying(self, turn: int) -> Iterator[Found]:
        """The clusters that meet no others, as a group, if there are any; all are late if none is large."""
        if self.whole is None:
            return
        if not large.there(self.job):
            found = part_of(self.whole, self.moved[:, 0], without=True)
        else:
            roots = self.whole.group.column("root")
            turns = np.where(late(roots, self.moved[:, 0]), LATE, EARLY)
            own = np.where(np.isin(roots, self.whole.large), LARGE, turns) == turn
            own &= (self.whole.group.column("what") != GUEST) & ~np.isin(roots, self.moved[:, 0])
            found = self._of(self.whole, np.unique(roots[own]))
        if len(found[0]):
            yield found

    def asking(self, inbox: Inbox) -> bool:
        """Is there a large cluster among those that meet here?"""
        if inbox.has("shared") or self.whole is None:
            return inbox.has("shared")
        return bool(np.isin(self._meeting, self.whole.large).any())

    def met(self, inbox: Inbox) -> Iterator[Found]:
        """The clusters that meet here, as a group, if there are any."""
        texts, credits = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit"))
        told, shared = (
            [unpacked_arrays(batch["data"][0].as_buffer()) for _, batch in inbox.each(kind)]
            for kind in ("told", "shared")
        )
        parts = [Shared.of_arrays(each) for each in shared]
        if self.whole is not None and self._meeting.size:
            group, found, kept = self._of(self.whole, self._meeting)
            texts += group.table.to_batches()
            credits += group.credits.to_batches()
            told.append(with_numbers(found, group))
            parts.append(kept)
        if texts:
            met = Group.of(self.job.folder, texts, credits)
            numbers = met.column("number")
            several = [among(told_of_arrays(found), found["numbers"], numbers) for found in told]
            yield met, merged(several), Shared.merged(parts)

    @property
    def _meeting(self) -> NDArray[np.int64]:
        """The roots of the clusters that others come to here."""
        roots: NDArray[np.int64] = self.moved[self.moved[:, 1] == self.part, 0]
        return roots

    def _of(self, whole: Part, roots: NDArray[np.int64]) -> Found:
        """Some of the clusters that were verified here."""
        return part_of(with_large(self.job, self.part, whole, roots), roots)
