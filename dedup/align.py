"""Align: candidate pairs to verified passages, in tokens.

Seeds are runs of equal tokens (verbatim copy) and similar sentences (reworked copy); they are chained into
passages whose ends are trimmed to shared runs. What an alignment of two articles says depends on nothing
but their texts, so that a scan, a comparison and an online filter say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.csr import counts_of, offsets_of, taken
from dedup.kernels.align import FIRST, RIGHT_FIRST, assemble
from dedup.kernels.runs import resemble, seed
from dedup.kernels.seen import see
from dedup.kernels.sentences import rework
from dedup.seen import Seen
from dedup.settings import Settings
from dedup.threads import in_order
from dedup.tokens import Tokens

_AT_ONCE, _LEAST = 256, 64  # pairs that a thread aligns in one go, of many and of few
SEED = 3  # tokens in the shortest run that counts as matched
FOLLOWED = 8  # places on the right that a run is followed to
LONG = 64  # tokens in a run inside which no other is looked for


@dataclass(frozen=True, slots=True)
class Aligned:
    """Passages of n pairs; those of pair p are `offsets[p]:offsets[p + 1]`, by left, then right place."""

    pairs: NDArray[np.int32]  # (n, 2) text numbers, left < right
    passages: NDArray[np.int32]  # (passages, 6): columns of `dedup.kernels.align`, places in tokens
    offsets: NDArray[np.int64]  # (n + 1,)
    matched: NDArray[np.int32]  # (n, 2) tokens of left and right in shared runs within copies
    covered: NDArray[np.int32]  # (n, 2) tokens of left and right that copies cover
    resemblance: NDArray[np.float64]  # (n,) exact, of the shingle sets

    @classmethod
    def concatenated(cls, parts: Sequence[Aligned]) -> Aligned:
        """The pairs of all `parts` (at least one), in order."""
        if len(parts) == 1:
            return parts[0]
        counts = np.concatenate([counts_of(part.offsets) for part in parts])
        return cls(
            np.concatenate([part.pairs for part in parts]),
            np.concatenate([part.passages for part in parts]),
            offsets_of(counts),
            np.concatenate([part.matched for part in parts]),
            np.concatenate([part.covered for part in parts]),
            np.concatenate([part.resemblance for part in parts]),
        )

    @classmethod
    def merged(cls, parts: Sequence[Aligned]) -> Aligned:
        """The pairs of all `parts`, sorted."""
        whole = cls.concatenated(parts)
        return whole.taken(np.argsort(whole.keys, kind="stable"))

    @property
    def keys(self) -> NDArray[np.int64]:
        """Each pair as one number, int64 (n,): left << 32 | right."""
        return keys_of(self.pairs)

    def shares(
        self, weights: NDArray[np.int64], rows: slice | NDArray[Any] = slice(None)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is matched and what is covered of left and right of the pairs `rows`, float64 (n, 2) each.

        `weights` int64 (texts,): the tokens that shares are shares of. Repeats are matched with their
        boilerplate, so shares are cut at 1.
        """
        both = weights[self.pairs[rows]]
        return np.minimum(self.matched[rows] / both, 1.0), np.minimum(self.covered[rows] / both, 1.0)

    def among(self, numbers: NDArray[np.int64]) -> Aligned:
        """The same pairs by place among the texts `numbers` (n,), which rise."""
        return replace(self, pairs=np.searchsorted(numbers, self.pairs).astype(np.int32))

    def taken(self, order: NDArray[np.int64]) -> Aligned:
        """The pairs in another order, or some of them."""
        bounds, rows = taken(self.offsets, order)
        return Aligned(
            self.pairs[order], self.passages[rows], bounds,
            self.matched[order], self.covered[order], self.resemblance[order],
        )  # fmt: skip


def keys_of(pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    """Each pair, int32 (n, 2), as one number, int64 (n,): left << 32 | right."""
    keys = pairs[:, 0].astype(np.int64)
    keys <<= 32
    keys |= pairs[:, 1]
    return keys


def align(
    tokens: Tokens,
    pairs: NDArray[np.int32],
    settings: Settings,
    *,
    threads: int = 1,
    pool: ThreadPoolExecutor | None = None,
    seen: Seen | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Aligned:
    """Align `pairs` int32 (n, 2) of texts; pairs that share no passage are left out.

    `seen` takes in which tokens copies account for. `progress` is called with pairs done and pairs in all.
    The result does not depend on `threads`; `pool` as for `threads.in_order`.
    """
    at_once = min(_AT_ONCE, max(_LEAST, -(-len(pairs) // threads)))

    def run(first: int) -> Aligned:
        return _align(tokens, pairs[first : first + at_once], settings, seen)

    parts = []
    work = in_order(run, range(0, len(pairs), at_once), threads, pool)
    for number, part in enumerate(work, 1):
        parts.append(part)
        if progress:
            progress(min(number * at_once, len(pairs)), len(pairs))
    return Aligned.concatenated(parts or [_align(tokens, pairs, settings)])


def _align(tokens: Tokens, pairs: NDArray[np.int32], settings: Settings, seen: Seen | None = None) -> Aligned:
    lefts, rights = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    texts = tokens.offsets, lefts, rights
    run_offsets = np.empty(lefts.size + 1, np.int64)
    span_offsets, offsets = run_offsets.copy(), run_offsets.copy()
    runs = seed(tokens.hashes, *texts, SEED, FOLLOWED, LONG, settings.guarantee, run_offsets)
    spans = rework(tokens.hashes, tokens.flags, *texts, runs, run_offsets, span_offsets)
    totals = np.zeros((lefts.size, 4), np.int32)
    passages = assemble(
        tokens.hashes,
        tokens.flags,
        *texts,
        runs,
        run_offsets,
        spans,
        span_offsets,
        settings.guarantee,
        totals,
        offsets,
    )
    if seen is not None:
        see(lefts, rights, runs, run_offsets, passages, offsets, seen.starts, seen.marks)
    counts = counts_of(offsets)
    order = np.lexsort(
        (passages[:, RIGHT_FIRST], passages[:, FIRST], np.repeat(np.arange(lefts.size), counts))
    )
    kept = counts > 0
    resemblance = np.empty(int(kept.sum()))
    resemble(tokens.hashes, tokens.offsets, lefts[kept], rights[kept], settings.shingle, resemblance)
    offsets = offsets_of(counts[kept])
    return Aligned(pairs[kept], passages[order], offsets, totals[kept, :2], totals[kept, 2:], resemblance)
