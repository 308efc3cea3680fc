"""Families: verified clusters that do not chain.

A family is anchored on a part of one article, its representative: the part that most copies hold. Every
member shares that very part with the representative, not merely with a neighbour, so that a round-up that
carries two stories does not make one family of them; it belongs to both.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned
from dedup.kernels.align import COPY, FIRST, KIND, RIGHT_FIRST, RIGHT_STOP, STOP

_CORE = 0.5  # of the neighbours that hold the most copied place hold the part that is the family's copy

Spans = NDArray[np.int32]  # (n, 2) token places, half-open


@dataclass(frozen=True, slots=True)
class Family:
    """A representative, and each member's spans of the family's copy (token places in the member)."""

    representative: int
    members: dict[int, Spans]  # text number -> spans; the representative's own included


@dataclass(frozen=True, slots=True)
class _Edge:
    own: Spans  # in the article whose edge it is
    other: Spans  # in its neighbour


class _Graph:
    """Articles joined by copy, each with the tokens that families so far explain."""

    def __init__(self, aligned: Aligned, lengths: NDArray[np.int64], copy_share: float) -> None:
        self.lengths = lengths
        self.copy_share = copy_share
        self.edges: dict[int, dict[int, _Edge]] = defaultdict(dict)
        self.explained: dict[int, NDArray[np.bool_]] = {}
        self.families_of: dict[int, set[int]] = defaultdict(set)
        shares = aligned.covered / np.maximum(lengths[aligned.pairs], 1)
        for pair in np.flatnonzero(shares.max(axis=1) >= copy_share):
            passages = aligned.passages[aligned.offsets[pair] : aligned.offsets[pair + 1]]
            copies = passages[passages[:, KIND] == COPY]
            left, right = (int(text) for text in aligned.pairs[pair])
            ours, theirs = copies[:, [FIRST, STOP]], copies[:, [RIGHT_FIRST, RIGHT_STOP]]
            self.edges[left][right] = _Edge(ours, theirs)
            self.edges[right][left] = _Edge(theirs, ours)

    def fresh(self, text: int, spans: Spans) -> int:
        """Tokens of `spans` that no family explains yet."""
        if len(spans) == 1:  # the usual case, without an array as long as the article
            first, stop = spans[0].tolist()
            known = self.explained.get(text)
            return int(stop - first) - (0 if known is None else int(np.count_nonzero(known[first:stop])))
        return int(np.count_nonzero(mask(spans, self.lengths[text]) & ~self.mask(text)))

    def mask(self, text: int) -> NDArray[np.bool_]:
        """Which tokens of a text the families so far explain."""
        if text not in self.explained:
            self.explained[text] = np.zeros(self.lengths[text], np.bool_)
        return self.explained[text]

    def open_edges(self, text: int) -> dict[int, _Edge]:
        """Edges to articles of no common family whose unexplained part is a good share of either article."""
        return {
            other: edge
            for other, edge in self.edges[text].items()
            if self.families_of[text].isdisjoint(self.families_of[other])
            and (
                self.fresh(text, edge.own) >= self.copy_share * self.lengths[text]
                or self.fresh(other, edge.other) >= self.copy_share * self.lengths[other]
            )
        }

    def weight(self, text: int) -> int:
        """How many unexplained tokens the neighbours of a text share with it."""
        return sum(self.fresh(other, edge.other) for other, edge in self.open_edges(text).items())


def mask(spans: Spans, length: int) -> NDArray[np.bool_]:
    """Which tokens of an article of `length` tokens lie in `spans`."""
    inside = np.zeros(length, np.bool_)
    for first, stop in spans:
        inside[first:stop] = True
    return inside


def families(aligned: Aligned, lengths: NDArray[np.int64], copy_share: float) -> list[Family]:
    """Cluster articles into families; `lengths` int64 are the articles' tokens.

    Greedy: the article whose copy stands most in others becomes a representative; those that share its most
    copied part become members; what this explains is taken out, and so on. An edge counts if copies cover
    at least `copy_share` of either article. The order is the order of finding, largest weight first.
    """
    graph = _Graph(aligned, lengths, copy_share)
    heap = [(-graph.weight(text), text) for text in sorted(graph.edges)]
    heapq.heapify(heap)
    found = []
    while heap:
        weight, text = heapq.heappop(heap)
        now = -graph.weight(text)
        if now == 0:
            continue
        if now > weight:  # what it shared is explained in the meantime
            heapq.heappush(heap, (now, text))
            continue
        family = _around(graph, text)
        found.append(family)
        for member, spans in family.members.items():
            graph.mask(member)[mask(spans, int(lengths[member]))] = True
            graph.families_of[member].add(len(found))
        heapq.heappush(heap, (now + 1, text))  # it may hold a second story
    return found


def _around(graph: _Graph, text: int) -> Family:
    """The family anchored on the most copied part of `text`."""
    edges = graph.open_edges(text)
    length = int(graph.lengths[text])
    shares = {other: mask(edge.own, length) for other, edge in edges.items()}
    depth = np.sum(list(shares.values()), axis=0) * ~graph.mask(text)
    most = int(depth.argmax())
    holders = [shared for shared in shares.values() if shared[most] and depth[most]]
    core = np.sum(holders, axis=0) >= max(1.0, _CORE * len(holders))
    members = {}
    own = np.zeros(length, np.bool_)
    for other, edge in edges.items():
        shared = shares[other]
        if 2 * (shared & core).sum() >= shared.sum():
            members[other] = edge.other
            own |= shared
    if not members:  # no neighbour holds half of its copy in the core: take the nearest alone
        other = max(edges, key=lambda other: (graph.fresh(other, edges[other].other), -other))
        return Family(text, {text: edges[other].own, other: edges[other].other})
    return Family(text, {text: _spans(own), **members})


def _spans(inside: NDArray[np.bool_]) -> Spans:
    """The runs of true values, int32 (n, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int32)


def with_duplicates(
    found: Iterable[Family], repeats: dict[int, list[int]], lengths: NDArray[np.int64]
) -> list[Family]:
    """Let exact repeats join every family of the article they repeat; those in none make one of their own."""
    placed = set()
    grown = []
    for family in found:
        members = dict(family.members)
        for text, spans in family.members.items():
            for repeat in repeats.get(text, ()):
                members[repeat] = spans
            placed.add(text)
        grown.append(Family(family.representative, members))
    for text, copies in sorted(repeats.items()):
        if text not in placed:
            whole = np.array([[0, lengths[text]]], np.int32)
            grown.append(Family(text, dict.fromkeys([text, *copies], whole)))
    return grown
