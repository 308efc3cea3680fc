"""Verifying: clusters in one place each; where copy joins clusters, they meet in one of their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.align import keys_of
from dedup.candidates import Candidates
from dedup.families import telling
from dedup.spark import joining, large, placing, turns
from dedup.spark.graph import joined
from dedup.spark.groups import (
    Group,
    group_of,
    part_of,
    tokens_of,
    told_to_arrays,
    whole_of,
    with_large,
    with_numbers,
)
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.spark.storage import packed_arrays
from dedup.verify import Verified, numbered, verified

_PAIR = ("host", "guest", "buckets", "needed")
_KINDS = (np.int64, np.int64, np.uint16, np.bool_)


def receive(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the articles and the pairs that came here; lend helpers what they ask for."""
    large.note(job, part, inbox)
    yield from placing.lend(job, part, inbox)
    texts, credits, pairs = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit", "pair"))
    if texts:
        Group.of(job.folder, texts, credits).keep(part)
        columns = {
            name: np.concatenate([np.empty(0, kind), *(column(batch, name) for batch in pairs)])
            for name, kind in zip(_PAIR, _KINDS, strict=True)
        }
        job.folder.write_arrays(f"pairs-{part}", columns)
    aside = [batch for _, batch in inbox.each("aside")]
    if aside:
        job.folder.write_batches(f"aside-{part}", aside[0].schema, aside, packed=False)


def verify(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Verify clusters, and make families of what helpers have found; tell which clusters share copy."""
    yield from joining.join(job, part, inbox)
    if not job.folder.has(f"texts-{part}"):
        return
    group = group_of(job, part)
    found, hosts = _candidates(group.column("number"), job.folder.read_arrays(f"pairs-{part}"))
    told = _verified(job, group, found, ~_later(job, group, found))
    places = np.searchsorted(keys_of(found.pairs), told.between.keys)
    job.folder.write_arrays(f"verified-{part}", told_to_arrays(told) | {"hosts": hosts[places]})
    roots, at = group.column("root"), group.column("at")
    ends = told.between.pairs[telling(told.between, group.column("lengths"), job.settings.copy_share)]
    if ends.size:
        yield Message(0, "copies", arrays(
            one=roots[ends[:, 0]], other=roots[ends[:, 1]], at=at[ends[:, 0]], other_at=at[ends[:, 1]]
        ))  # fmt: skip


def _later(job: Job, group: Group, found: Candidates) -> NDArray[np.bool_]:
    """Which pairs are verified while the place of a large cluster goes on: those within clusters.

    bool (n,), none if no cluster is large. Pairs between clusters come first, as they say which are to meet.
    """
    roots = group.column("root")[found.pairs]
    later: NDArray[np.bool_] = (roots[:, 0] == roots[:, 1]) & large.there(job)
    return later


def _verified(job: Job, group: Group, found: Candidates, rows: NDArray[np.bool_]) -> Verified:
    texts, places = np.unique(found.pairs[rows], return_inverse=True)
    some = Candidates(places.reshape(-1, 2).astype(np.int32), found.buckets[rows], found.needed[rows])
    told = verified(tokens_of(group.described(texts)), some, group.column("number")[texts], job.settings)
    return numbered(told, texts)


def verify_waiting(job: Job, part: int, moved: NDArray[np.int64], turn: int) -> None:
    """Verify the clusters that have waited till now; `moved` int64: roots of those that meet others."""
    if not (large.there(job) and job.folder.has(f"texts-{part}")):
        return
    group = group_of(job, part)
    found, _ = _candidates(group.column("number"), job.folder.read_arrays(f"pairs-{part}"))
    late = turns.late(group.column("root")[found.pairs[:, 0]], moved) == (turn == turns.LATE)
    told = _verified(job, group, found, _later(job, group, found) & late)
    job.folder.write_arrays(f"waited-{part}-{turn}", told_to_arrays(told))


def _candidates(
    numbers: NDArray[np.int64], pairs: dict[str, NDArray[Any]]
) -> tuple[Candidates, NDArray[np.int32]]:
    """Pairs by place among the articles, sorted, and the host of each."""
    host, guest, buckets, needed = (pairs[name] for name in _PAIR)
    hosts = np.searchsorted(numbers, host).astype(np.int32)
    both = np.sort(np.stack([hosts, np.searchsorted(numbers, guest).astype(np.int32)], axis=1), axis=1)
    order = np.lexsort((both[:, 1], both[:, 0]))
    return Candidates(both[order], buckets[order], needed[order]), hosts[order]


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell all clusters that share copy where to meet, where most of that copy is; align what is apart."""
    yield from joining.rejoin(job, part, inbox)
    found = inbox.table("copies")
    if found is None:
        return
    one, other, at, other_at = (column(found[1], name) for name in ("one", "other", "at", "other_at"))
    roots, rows, counts = np.unique(np.concatenate([one, other]), return_index=True, return_counts=True)
    places = np.concatenate([at, other_at])[rows]
    stars = joined(np.stack([one, other], axis=1), int(job.bases[-1]))  # by root
    order = np.lexsort((roots, -counts, stars[:, 1]))
    first = np.flatnonzero(np.diff(stars[order, 1], prepend=-1))
    there = places[order[first]][np.searchsorted(stars[order[first], 1], stars[:, 1])]
    for place, rows in divided(places, job.parts):
        yield Message(place, "moved", arrays(root=roots[rows], at=there[rows]))


def move(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Conclude what is found of large clusters, and send the clusters that share copy where they meet."""
    joining.conclude(job, part, inbox)
    found = [
        np.stack([column(batch, "root"), column(batch, "at")], axis=1) for _, batch in inbox.each("moved")
    ]
    moved = np.concatenate([np.empty((0, 2), np.int64), *found])
    moved = moved[np.argsort(moved[:, 0])]
    verify_waiting(job, part, moved[:, 0], turns.EARLY)
    job.folder.write_arrays(f"moved-{part}", {"moved": moved})
    places = np.setdiff1d(moved[:, 1], part).tolist()
    if not places:
        return
    whole = whole_of(job, part)
    for place in places:
        roots = moved[moved[:, 1] == place, 0]
        group, told, shared = part_of(with_large(job, part, whole, roots), roots)
        yield from group.messages(place)
        parts = {"told": with_numbers(told, group)} | (
            {"shared": shared.arrays()} if shared.held.size else {}
        )
        for kind, values in parts.items():
            yield Message(place, kind, arrays(data=pa.array([packed_arrays(values).to_pybytes()])))
