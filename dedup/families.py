"""Families: verified clusters that do not chain.

A family is anchored on a part of one article, its representative: the part that most copies hold. Every
member shares that very part with the representative, not merely with a neighbour, so that a round-up that
carries two stories does not make one family of them; it belongs to both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned
from dedup.csr import Offsets, offsets_of, owners, sums, taken
from dedup.kernels import families as kernels
from dedup.kernels.align import COPY, FIRST, KIND, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.threads import in_order

_AT_ONCE = 4096  # edges of the components that are clustered in one go
_ROWS = 2**18  # pairs of which it is told in one go whether they are edges


@dataclass(frozen=True, slots=True)
class Families:
    """Families of articles; the members of family f are `offsets[f]:offsets[f + 1]`, by text number.

    The spans of member m, int32 (spans, 2) of token places in the member, are those of the family's copy:
    `span_offsets[m]:span_offsets[m + 1]`.
    """

    representatives: NDArray[np.int32]  # (families,) text numbers
    offsets: Offsets  # (families + 1,)
    members: NDArray[np.int32]  # (members,) text numbers
    span_offsets: Offsets  # (members + 1,)
    spans: NDArray[np.int32]

    def __len__(self) -> int:
        return self.representatives.size

    @property
    def owners(self) -> NDArray[np.int64]:
        """The family that each row of `members` belongs to, int64 (members,)."""
        return owners(self.offsets)

    @property
    def held(self) -> NDArray[np.int64]:
        """How many tokens of each member are the family's copy, int64 (members,)."""
        return sums((self.spans[:, 1] - self.spans[:, 0]).astype(np.int64), self.span_offsets)

    @classmethod
    def concatenated(cls, parts: Sequence[Families]) -> Families:
        """The families of all `parts`, in order."""
        sizes = [np.empty(0, np.int64), *(np.diff(part.offsets) for part in parts)]
        spans = [np.empty(0, np.int64), *(np.diff(part.span_offsets) for part in parts)]
        return cls(
            np.concatenate([np.empty(0, np.int32), *(part.representatives for part in parts)]),
            offsets_of(np.concatenate(sizes)),
            np.concatenate([np.empty(0, np.int32), *(part.members for part in parts)]),
            offsets_of(np.concatenate(spans)),
            np.concatenate([np.empty((0, 2), np.int32), *(part.spans for part in parts)]),
        )

    @classmethod
    def of(
        cls,
        representatives: NDArray[np.int32],
        families: NDArray[np.int64],
        members: NDArray[np.int32],
        span_offsets: Offsets,
        spans: NDArray[np.int32],
    ) -> Families:
        """From members in any order, each with the number of its family."""
        order = np.lexsort((members, families))
        bounds, rows = taken(span_offsets, order)
        offsets = offsets_of(np.bincount(families, minlength=representatives.size))
        return cls(representatives, offsets, members[order], bounds, spans[rows])


def families(
    aligned: Aligned, lengths: NDArray[np.int64], copy_share: float, *, threads: int = 1
) -> Families:
    """Cluster articles into families (`kernels.families.cluster`); `lengths` int64 are the articles' tokens.

    An edge counts if copies cover at least `copy_share` of either article. Families come in the order of
    their component's first article; the result does not depend on `threads`.
    """
    edges = np.flatnonzero(telling(aligned, lengths, copy_share))
    bounds, rows = taken(aligned.offsets, edges)
    passages = aligned.passages[rows]
    copies = passages[:, KIND] == COPY
    bounds = offsets_of(copies)[bounds]
    spans = np.ascontiguousarray(passages[copies][:, [FIRST, STOP, RIGHT_FIRST, RIGHT_STOP]])
    pairs = aligned.pairs[edges]
    firsts = components([pairs], lengths.size)
    joined = np.zeros(lengths.size, np.bool_)
    joined[pairs.ravel()] = True
    texts = np.flatnonzero(joined).astype(np.int32)
    texts = texts[np.argsort(firsts[texts], kind="stable")]  # nodes, component after component
    places = np.empty(lengths.size, np.int32)
    places[texts] = np.arange(texts.size, dtype=np.int32)
    parts = np.append(np.flatnonzero(np.diff(firsts[texts], prepend=-1)), texts.size)
    heads, entries = _entries(places[pairs], texts.size)
    sizes = np.empty((edges.size, 2), np.int32)
    kernels.sizes(spans, bounds, sizes)
    return _clustered(parts, heads, entries, (spans, bounds, sizes), texts, lengths, copy_share, threads)


def renewed(
    found: Families,
    parts: Sequence[Aligned],
    lengths: NDArray[np.int64],
    copy_share: float,
    *,
    threads: int = 1,
) -> Families:
    """The families of the pairs of all `parts`, given those of all but the last of them.

    Only components that the last one has an edge in are clustered anew.
    """
    told = [telling(part, lengths, copy_share) for part in parts]
    edges = [part.pairs[own] for part, own in zip(parts, told, strict=True)]
    firsts = components(edges, lengths.size)
    changed = np.zeros(lengths.size, np.bool_)
    changed[firsts[edges[-1][:, 0]]] = True
    changed = changed[firsts]
    some = [
        part.taken(np.flatnonzero(own & changed[part.pairs[:, 0]]))
        for part, own in zip(parts, told, strict=True)
    ]
    new = families(Aligned.concatenated(some), lengths, copy_share, threads=threads)
    kept = ~changed[found.representatives]
    members = kept[found.owners]
    bounds, rows = taken(found.span_offsets, np.flatnonzero(members))
    numbers = np.cumsum(kept) - 1
    leads = np.concatenate([found.representatives[kept], new.representatives])
    order = np.argsort(firsts[leads], kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(order.size)
    return Families.of(
        leads[order],
        ranks[np.concatenate([numbers[found.owners[members]], kept.sum() + new.owners])],
        np.concatenate([found.members[members], new.members]),
        np.concatenate([bounds, bounds[-1] + new.span_offsets[1:]]),
        np.concatenate([found.spans[rows], new.spans]),
    )


def telling(aligned: Aligned, lengths: NDArray[np.int64], copy_share: float) -> NDArray[np.bool_]:
    """The pairs that count as edges, bool (n,)."""
    out = np.empty(len(aligned.pairs), np.bool_)
    for first in range(0, out.size, _ROWS):
        own = slice(first, first + _ROWS)
        shares = aligned.covered[own] / np.maximum(lengths[aligned.pairs[own]], 1)
        out[own] = shares.max(axis=1, initial=0.0) >= copy_share
    return out


def components(edges: Sequence[NDArray[np.int32]], texts: int) -> NDArray[np.int32]:
    """The first text of each one's component, int32 (texts,); each of `edges` int32 (n, 2)."""
    firsts = np.arange(texts, dtype=np.int32)
    for pairs in edges:
        kernels.components(pairs[:, 0].copy(), pairs[:, 1].copy(), firsts)
    return firsts


def _entries(nodes: NDArray[np.int32], count: int) -> tuple[Offsets, tuple[NDArray[Any], ...]]:
    """Each edge int32 (edges, 2) from both of its `count` nodes: bounds; neighbour, edge and side."""
    own = nodes.ravel()
    order = np.lexsort((nodes[:, ::-1].ravel(), own))
    heads = offsets_of(np.bincount(own, minlength=count))
    ends = np.ascontiguousarray(nodes[:, ::-1]).ravel()[order]
    return heads, (ends, (order // 2).astype(np.int32), (order % 2).astype(np.uint8))


def _clustered(
    parts: Offsets,
    heads: Offsets,
    entries: tuple[NDArray[Any], ...],
    spans: tuple[NDArray[np.int32], Offsets, NDArray[np.int32]],
    texts: NDArray[np.int32],
    lengths: NDArray[np.int64],
    copy_share: float,
    threads: int,
) -> Families:
    """The families of all components, some at a time; `texts` are the nodes' numbers."""
    own = lengths[texts]
    cuts = np.searchsorted(heads[parts], np.arange(0, heads[-1] + 2 * _AT_ONCE, 2 * _AT_ONCE))
    cuts = np.unique(np.append(np.minimum(cuts, parts.size - 1), parts.size - 1))

    def run(cut: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        some = parts[cut[0] : cut[1] + 1]
        base = some[0]
        first = heads[base]
        own_heads = heads[base : some[-1] + 1] - first
        ends, edges, sides = (column[first : heads[some[-1]]] for column in entries)
        found: tuple[NDArray[np.int32], NDArray[np.int32]] = kernels.cluster(
            some - base,
            own_heads,
            ends - np.int32(base),
            edges,
            sides,
            *spans,
            own[base : some[-1]],
            copy_share,
        )
        found[0][:, 1] += np.int32(base)
        return found

    found = list(in_order(run, pairwise(cuts.tolist()), threads))
    members = np.concatenate([np.empty((0, 3), np.int32), *(part for part, _ in found)])
    counts = [int(part[-1, 0]) + 1 if len(part) else 0 for part, _ in found]
    numbers = members[:, 0] + np.repeat(
        offsets_of(np.array(counts, np.int64))[:-1], [len(p) for p, _ in found]
    )
    nodes = texts[members[:, 1]].astype(np.int32)
    leads = np.flatnonzero(np.diff(numbers, prepend=-1))
    copies = np.concatenate([np.empty((0, 2), np.int32), *(part for _, part in found)])
    return Families.of(nodes[leads], numbers, nodes, offsets_of(members[:, 2]), copies)


def with_duplicates(found: Families, first_of: NDArray[np.int64], lengths: NDArray[np.int64]) -> Families:
    """Let exact repeats join every family of the article they repeat; those in none make one of their own.

    `first_of` int64 (n,): the first article with the same text; `lengths` int64 (n,): tokens.
    """
    repeats = np.flatnonzero(first_of != np.arange(first_of.size))
    repeats = repeats[np.argsort(first_of[repeats], kind="stable")]
    counts = offsets_of(np.bincount(first_of[repeats], minlength=first_of.size))
    placed = np.zeros(first_of.size, np.bool_)
    placed[found.members] = True
    lone = np.unique(first_of[repeats])
    lone = lone[~placed[lone]]
    numbers = np.concatenate([found.owners, len(found) + np.arange(lone.size)])
    members = np.concatenate([found.members, lone.astype(np.int32)])
    whole = np.stack([np.zeros(lone.size, np.int64), lengths[lone]], axis=1).astype(np.int32)
    spans = np.concatenate([found.spans, whole])
    span_offsets = np.concatenate([found.span_offsets, found.span_offsets[-1] + 1 + np.arange(lone.size)])
    copies, rows = taken(counts, members)  # each member's repeats
    which = owners(copies)
    bounds, taken_spans = taken(span_offsets, which)
    return Families.of(
        np.concatenate([found.representatives, lone.astype(np.int32)]),
        np.concatenate([numbers, numbers[which]]),
        np.concatenate([members, repeats[rows].astype(np.int32)]),
        np.concatenate([span_offsets, span_offsets[-1] + bounds[1:]]),
        np.concatenate([spans, spans[taken_spans]]),
    )
