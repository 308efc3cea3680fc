"""Components of a graph whose nodes are articles, by messages along its edges.

Small graphs go to one partition. In a large one, large-star and small-star take turns until nothing changes
(Kiveris et al. 2014, *Connected components in MapReduce and beyond*): each node tells its larger neighbours
of its least one, then its smaller ones; edges end as stars around the least node of each component.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.families import components
from dedup.spark.job import MIX, Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided

SMALL = 2**22  # edges that one partition may take in
_SPARSE = 16  # numbers to choose from for each that is there, from which on sorting takes less

Edges = NDArray[np.int64]  # (n, 2)


def keep(job: Job, part: int, number: int, edges: Edges) -> None:
    """Keep the edges that there are after a turn; a step that is repeated reads the same ones again."""
    job.folder.write_arrays(f"edges-{number}-{part}", {"edges": edges})


def _edges(job: Job, part: int, number: int) -> Edges:
    edges: Edges = job.folder.read_arrays(f"edges-{number}-{part}")["edges"]
    return edges


def _sent(job: Job, kind: str, edges: Edges) -> Iterator[Message]:
    """Each edge to the home of its first node."""
    for home, rows in divided(job.homes(edges[:, 0]), job.parts):
        yield Message(home, kind, arrays(one=edges[rows, 0], other=edges[rows, 1]))


def _received(inbox: Inbox, kind: str) -> Edges:
    parts = [
        np.stack([column(batch, "one"), column(batch, "other")], axis=1) for _, batch in inbox.each(kind)
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *parts])


def gather(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send all edges to the first partition."""
    edges = _edges(job, part, 0)
    if len(edges):
        yield Message(0, "edge", arrays(one=edges[:, 0], other=edges[:, 1]))


def join(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell homes the components of their articles."""
    edges = _received(inbox, "edge")
    if len(edges):
        stars = joined(edges, int(job.bases[-1]))
        roots = np.searchsorted(stars[:, 0], stars[:, 1])
        yield from _roots(job, stars, np.bincount(roots)[roots])


def joined(edges: Edges, count: int) -> Edges:
    """Each node with the least of its component, the nodes rising; all of them are below `count`."""
    nodes, places = _ranked(edges, count)
    firsts = components([places.astype(np.int32)], nodes.size)
    return np.stack([nodes, nodes[firsts]], axis=1)


def _ranked(numbers: Edges, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct numbers, which are below `count`, rising, and the place of each among them."""
    if count > _SPARSE * numbers.size:
        distinct, places = np.unique(numbers, return_inverse=True)
        return distinct, places.reshape(numbers.shape)
    there = np.zeros(count, np.bool_)
    there[numbers] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[numbers]


def _roots(job: Job, stars: Edges, sizes: NDArray[np.int64]) -> Iterator[Message]:
    """Whole components, each node with the least, to the nodes' homes; and how many nodes there are."""
    for home, rows in divided(job.homes(stars[:, 0]), job.parts):
        yield Message(home, "root", arrays(
            row=(stars[rows, 0] - job.bases[home]).astype(np.int32), root=stars[rows, 1],
            size=sizes[rows].astype(np.int32),
        ))  # fmt: skip


def both_ways(number: int, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send each edge to both of its nodes."""
    edges = _edges(job, part, number)
    yield from _sent(job, "edge", np.concatenate([edges, edges[:, ::-1]]))


def large_star(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tie the larger neighbours of each node to the least one."""
    nodes, others, least = _least(_received(inbox, "edge"), closed=True)
    larger = others > nodes
    yield from _sent(job, "edge", _once(np.stack([others[larger], least[larger]], axis=1)))


def small_star(number: int, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tie each node and its smaller neighbours to the least one; keep the edges, and tell their sum."""
    edges = _once(_received(inbox, "edge"))
    nodes, others, least = _least(edges, closed=False)
    tied = np.concatenate([np.stack([others, least], axis=1), np.stack([nodes, least], axis=1)])
    made = _once(tied[tied[:, 0] != tied[:, 1]])
    keep(job, part, number + 1, made)
    yield Message(part, "sum", arrays(count=np.array([len(made)]), sum=np.array([_sum(made)])))


def tell_middles(number: int, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send each star to the home of its middle."""
    yield from _sent(job, "edge", _edges(job, part, number)[:, ::-1])


def tell_roots(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell homes the components that stars stand for."""
    stars = _received(inbox, "edge")
    middles = np.unique(stars[:, 0])
    stars = np.concatenate([stars[:, ::-1], np.stack([middles, middles], axis=1)])
    _, which, counts = np.unique(stars[:, 1], return_inverse=True, return_counts=True)
    yield from _roots(job, stars, counts[which])


def _least(edges: Edges, *, closed: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of each edge its node, the neighbour, and its least neighbour (or itself, if `closed`)."""
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    nodes, others = edges[:, 0], edges[:, 1]
    new = np.flatnonzero(np.diff(nodes, prepend=-1))
    least = np.repeat(others[new], np.diff(np.append(new, nodes.size)))
    return nodes, others, np.minimum(least, nodes) if closed else least


def _once(edges: Edges) -> Edges:
    """Each edge once."""
    keys = np.unique(edges[:, 0].astype(np.uint64) << np.uint64(32) | edges[:, 1].astype(np.uint64))
    return np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _sum(edges: Edges) -> int:
    """A number that changes with any edge, whatever their order."""
    keys = edges[:, 0].astype(np.uint64) << np.uint64(32) | edges[:, 1].astype(np.uint64)
    mixed = keys * MIX
    return int((mixed ^ mixed >> np.uint64(29)).sum(dtype=np.uint64) >> np.uint64(1))
