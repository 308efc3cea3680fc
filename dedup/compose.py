"""Compose: what each article is made of, as disjoint parts whose shares sum to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned
from dedup.csr import Offsets, offsets_of
from dedup.families import Families
from dedup.kernels import compose as kernels
from dedup.kernels.align import COPY, FIRST, KIND, QUOTATION, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.threads import in_order
from dedup.tokens import Tokens


def compose(
    tokens: Tokens,
    aligned: Aligned,
    found: Families,
    origins: NDArray[np.int64],
    batches: Sequence[tuple[int, int]],
    *,
    threads: int = 1,
    let_go: Callable[[], None] = lambda: None,
) -> NDArray[np.int32]:
    """Cut every article into parts, int32 (n, 6): columns of `kernels.compose`, in text order.

    `origins` int64 (families,): their origins' text numbers; `batches` bound the work done in one go,
    after each of which `let_go` is called.
    """
    kinds = aligned.passages[:, KIND]
    telling = (kinds == COPY) | (kinds == QUOTATION)
    pairs = np.flatnonzero(np.diff(offsets_of(telling)[aligned.offsets]))
    spans: list[NDArray[Any]] = []
    for kind in (COPY, QUOTATION):
        chosen = np.flatnonzero(kinds == kind)
        places = aligned.passages[chosen[:, None], [FIRST, STOP, RIGHT_FIRST, RIGHT_STOP]]
        bounds = np.searchsorted(chosen, aligned.offsets)  # pairs between those that tell have none
        spans += [places, np.append(bounds[pairs], chosen.size)]
    both = aligned.pairs[pairs]
    shared: tuple[Any, ...] = (*_entries(both, len(tokens)), *spans, *_index(found, len(tokens)))

    def run(batch: tuple[int, int]) -> NDArray[np.int32]:
        part = tokens.part(*batch)
        made: NDArray[np.int32] = kernels.compose(*(batch[0], part.offsets, part.flags, *shared, origins))
        return made

    made = [np.empty((0, 6), np.int32)]
    for part in in_order(run, batches, threads):
        made.append(part)
        let_go()
    return np.concatenate(made)


def _entries(pairs: NDArray[np.int32], count: int) -> tuple[NDArray[Any], ...]:
    """Each pair from both of its texts: bounds by text; the other text, the pair and the side."""
    own = pairs.ravel()
    order = np.argsort(own, kind="stable")
    heads = offsets_of(np.bincount(own, minlength=count))
    others = np.ascontiguousarray(pairs[:, ::-1]).ravel()[order]
    return heads, others, (order // 2).astype(np.int32), (order % 2).astype(np.uint8)


def _index(found: Families, count: int) -> tuple[Offsets, NDArray[np.int32]]:
    """The families of each of `count` texts, rising, and their bounds."""
    order = np.argsort(found.members, kind="stable")
    heads = offsets_of(np.bincount(found.members, minlength=count))
    return heads, found.owners[order].astype(np.int32)
