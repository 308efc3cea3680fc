"""Groups: clusters verified some at a time, so that no more than their tokens need be in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned, align
from dedup.candidates import Candidates
from dedup.csr import batches
from dedup.families import Families
from dedup.pile import Pile
from dedup.scratch import Scratch
from dedup.settings import Settings
from dedup.store import StoredTokens
from dedup.threads import in_order
from dedup.verify import Verified, clusters, numbered, verified

_TOKENS = 2**20  # in the texts that are looked at together; a larger cluster is looked at by itself
_MUCH = 1 / 8  # of all tokens, in those texts, of which no copy is made then


@dataclass(frozen=True, slots=True)
class Verifier:
    """Aligns pairs of stored texts; `tell` is called with how many more pairs are done."""

    tokens: StoredTokens
    settings: Settings
    scratch: Scratch
    threads: int
    tell: Callable[[int], None]

    def verified(self, found: Candidates) -> tuple[Verified, list[Pile]]:
        """Align the candidates that are worth it; the pairs stand in piles, which are to be cleared."""
        roots = clusters(found, self.tokens.lengths.size)
        inside = roots[found.pairs[:, 0]] == roots[found.pairs[:, 1]]
        within, between = Pile(self.scratch), Pile(self.scratch)
        families, rest = [], [np.empty((0, 2), np.int32)]
        for told in self._of_clusters(Candidates(*(column[inside] for column in found)), roots):
            within.append(told.within)
            families.append(told.families)
            rest.append(told.rest)
        for part in self._parts(found.pairs[~inside]):
            between.append(part)
        known = Families.concatenated(families)
        return Verified(within.aligned(), between.aligned(), known, np.concatenate(rest)), [within, between]

    def aligned(self, pairs: NDArray[np.int32]) -> Aligned:
        """Align `pairs` int32 (n, 2), all of them."""
        none = align(self.tokens.taken(np.empty(0, np.int64)), pairs[:0], self.settings)
        return Aligned.concatenated([none, *self._parts(pairs)])

    def _of_clusters(self, close: Candidates, roots: NDArray[np.int32]) -> Iterator[Verified]:
        """What is found of clusters; `roots` int32 (texts,): the first text of each one's cluster."""
        owners = roots[close.pairs[:, 0]]
        order = np.argsort(owners, kind="stable").astype(np.int32)
        owners = owners[order]
        heads = np.flatnonzero(np.diff(owners, prepend=-1))
        paired = np.zeros(roots.size, np.bool_)
        paired[close.pairs] = True
        texts = np.flatnonzero(paired)
        sizes = np.bincount(roots[texts], self.tokens.lengths[texts], roots.size)[owners[heads]]
        bounds = np.append(heads, order.size)
        del owners, heads, paired, texts  # a good part of the memory

        def tokens_of(group: tuple[int, int]) -> float:
            return float(sizes[slice(*group)].sum())

        def run(group: tuple[int, int], threads: int) -> tuple[int, Verified]:
            rows = order[bounds[group[0]] : bounds[group[1]]]
            some = Candidates(close.pairs[rows], close.buckets[rows], close.needed[rows])
            if tokens_of(group) > _MUCH * self.tokens.offsets[-1]:
                everything = self.tokens.whole()
                numbers = np.arange(len(everything))
                return rows.size, verified(everything, some, numbers, self.settings, threads=threads)
            numbers, places = np.unique(some.pairs, return_inverse=True)
            some = some._replace(pairs=places.reshape(-1, 2).astype(np.int32))
            tokens = self.tokens.taken(numbers)
            told = verified(tokens, some, numbers.astype(np.int64), self.settings, threads=threads)
            return rows.size, numbered(told, numbers)

        groups = batches(sizes, sizes.size, _TOKENS)
        small = [group for group in groups if tokens_of(group) <= _TOKENS]
        large = [group for group in groups if tokens_of(group) > _TOKENS]
        together = in_order(partial(run, threads=1), small, self.threads)
        for count, told in chain(together, map(partial(run, threads=self.threads), large)):
            yield told
            self.tell(count)

    def _parts(self, pairs: NDArray[np.int32]) -> Iterator[Aligned]:
        """The pairs aligned, some at a time."""
        whole = self.tokens.whole() if self.tokens.held else None

        def run(cut: tuple[int, int]) -> Aligned:
            own = pairs[slice(*cut)]
            if whole is not None:
                return align(whole, own, self.settings)
            texts, places = np.unique(own, return_inverse=True)
            part = align(self.tokens.taken(texts), places.reshape(-1, 2).astype(np.int32), self.settings)
            return replace(part, pairs=texts[part.pairs])

        cuts = batches(self.tokens.lengths[pairs].sum(axis=1), len(pairs), _TOKENS)
        for cut, part in zip(cuts, in_order(run, cuts, self.threads), strict=True):
            yield part
            self.tell(cut[1] - cut[0])
