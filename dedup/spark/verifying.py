"""Verifying: clusters in one place each; where copy joins clusters, they meet in one of their places."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.agencies import CREDITS
from dedup.align import keys_of
from dedup.candidates import Candidates
from dedup.families import telling
from dedup.spark import large
from dedup.spark.graph import joined
from dedup.spark.groups import Group, group_of, part_of, told_of_arrays, told_to_arrays, with_numbers
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.spark.storage import packed_arrays
from dedup.verify import merged, verified

_PAIR = ("host", "guest", "buckets", "needed")
_KINDS = (np.int64, np.int64, np.uint16, np.bool_)


def verify(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Verify the clusters and the pairs that came here, and begin with those that others share."""
    texts, credits, pairs = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit", "pair"))
    if texts:
        group = Group.of(texts, credits)
        job.folder.write_batches(f"texts-{part}", group.table.schema, group.table.to_batches())
        job.folder.write_batches(f"said-{part}", CREDITS, group.credits.to_batches())
        found, hosts = _candidates(group.column("number"), pairs)
        told = verified(group.tokens(), found, group.column("number"), job.settings)
        places = np.searchsorted(keys_of(found.pairs), told.between.keys)
        job.folder.write_arrays(f"verified-{part}", told_to_arrays(told) | {"hosts": hosts[places]})
    yield from large.begin(job, part, inbox)


def conclude(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Take in what was found of large clusters; tell which clusters share copy."""
    if not job.folder.has(f"texts-{part}"):
        return
    group, kept = group_of(job, part), job.folder.read_arrays(f"verified-{part}")
    hosts, told = kept.pop("hosts"), told_of_arrays(kept)
    found = large.concluded(job, part, group, inbox)
    if found is not None:
        whole = told_to_arrays(merged([told, found])) | {"hosts": hosts}
        job.folder.write_arrays(f"verified-all-{part}", whole)
    roots, at = group.column("root"), group.column("at")
    ends = told.between.pairs[telling(told.between, group.column("lengths"), job.settings.copy_share)]
    if ends.size:
        yield Message(0, "copies", arrays(
            one=roots[ends[:, 0]], other=roots[ends[:, 1]], at=at[ends[:, 0]], other_at=at[ends[:, 1]]
        ))  # fmt: skip


def _candidates(
    numbers: NDArray[np.int64], pairs: list[pa.RecordBatch]
) -> tuple[Candidates, NDArray[np.int32]]:
    """Pairs by place among the articles, sorted, and the host of each."""
    host, guest, buckets, needed = (
        np.concatenate([np.empty(0, kind), *(column(batch, name) for batch in pairs)])
        for name, kind in zip(_PAIR, _KINDS, strict=True)
    )
    hosts = np.searchsorted(numbers, host).astype(np.int32)
    both = np.sort(np.stack([hosts, np.searchsorted(numbers, guest).astype(np.int32)], axis=1), axis=1)
    order = np.lexsort((both[:, 1], both[:, 0]))
    return Candidates(both[order], buckets[order], needed[order]), hosts[order]


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell all clusters that share copy where to meet: where most of that copy is."""
    found = inbox.table("copies")
    if found is None:
        return
    one, other, at, other_at = (column(found[1], name) for name in ("one", "other", "at", "other_at"))
    roots, rows, counts = np.unique(np.concatenate([one, other]), return_index=True, return_counts=True)
    places = np.concatenate([at, other_at])[rows]
    stars = joined(np.stack([one, other], axis=1))  # by root
    order = np.lexsort((roots, -counts, stars[:, 1]))
    first = np.flatnonzero(np.diff(stars[order, 1], prepend=-1))
    there = places[order[first]][np.searchsorted(stars[order[first], 1], stars[:, 1])]
    for place, rows in divided(places, job.parts):
        yield Message(place, "moved", arrays(root=roots[rows], at=there[rows]))


def move(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send the clusters that share copy where they meet."""
    found = [
        np.stack([column(batch, "root"), column(batch, "at")], axis=1) for _, batch in inbox.each("moved")
    ]
    moved = np.concatenate([np.empty((0, 2), np.int64), *found])
    moved = moved[np.argsort(moved[:, 0])]
    job.folder.write_arrays(f"moved-{part}", {"moved": moved})
    for place in np.setdiff1d(moved[:, 1], part).tolist():
        group, told = part_of(job, part, moved[moved[:, 1] == place, 0])
        yield from group.messages(place)
        yield Message(
            place, "told", arrays(data=pa.array([packed_arrays(with_numbers(told, group)).to_pybytes()]))
        )
