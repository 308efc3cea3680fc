"""Meetings: whom the articles of a batch meet in the index's lists, and what they add to the lists.

One article after another, so that each also meets those of the batch that came before it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.candidates import Postings, postings, surroundings
from dedup.csr import counts_of
from dedup.kernels import meet
from dedup.kernels.lists import KEY_BITS
from dedup.lsh import Bands
from dedup.online.index import Index
from dedup.online.postings import Postings as Posted
from dedup.settings import Settings
from dedup.threads import in_order
from dedup.tokens import Tokens

_FEW, _MOST = 16, 64  # postings on a list, and with contexts of their own
_BUCKETS = 3  # in which two articles meet, for them to be compared on weak evidence
_AT_ONCE = 32  # texts that a thread sketches in one go, at least
_ABSENT = -2  # of a posting that is not added to its list


class Places(NamedTuple):
    """Where n articles look and where they are kept, by column of `days`."""

    days: list[int]  # partitions, rising
    reach: NDArray[np.bool_]  # (n, days) which of them each looks into
    own: NDArray[np.int64]  # (n,) which each is kept in
    numbers: NDArray[np.uint32]  # (n,) and under which number
    posted: NDArray[np.bool_]  # (n,) is it added to the lists?


class Met(NamedTuple):
    """Pairs worth comparing; those of text i are `bounds[i]:bounds[i + 1]`, who shares most with it first."""

    bounds: NDArray[np.int64]  # (texts + 1,)
    columns: NDArray[np.int64]  # partition of the earlier article
    numbers: NDArray[np.int64]  # its number there
    needed: NDArray[np.bool_]  # may they share a run of the guaranteed length that is news?


@dataclass(frozen=True, slots=True)
class Meetings:
    """The buckets of a batch of texts, with what stands around each fingerprint."""

    texts: NDArray[np.int32]  # (postings,) rising
    spots: NDArray[np.int32]  # (postings,) as in `candidates.Postings`
    offsets: NDArray[np.int64]  # (texts + 1,) of the postings
    beside: int  # tokens of a guaranteed run beside its fingerprint
    known: NDArray[np.uint8]  # (postings, 2) tokens before and behind
    brief: NDArray[np.bool_]  # (postings,) is the text a short one?
    contexts: NDArray[np.uint64]  # (postings,)
    keys: NDArray[np.uint64]  # different ones, rising, as the index has them
    cells: NDArray[np.int64]  # (postings,) the key of each

    @classmethod
    def of(
        cls, tokens: Tokens, settings: Settings, bands: Bands, threads: int, pool: ThreadPoolExecutor
    ) -> Meetings:
        """Sketch texts, a part of them in each thread; those without tokens meet nobody."""

        def run(first: int) -> tuple[NDArray[Any], ...]:
            part = tokens.part(first, min(first + at_once, len(tokens)))
            found = postings(part, settings, bands)
            known, brief, contexts = _around(part, found, settings)
            return found.keys, found.texts + np.int32(first), found.spots, known, brief, contexts

        at_once = max(_AT_ONCE, -(-len(tokens) // threads))
        parts = list(in_order(run, range(0, len(tokens), at_once), threads, pool))
        columns = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        keys, texts, spots, known, brief, contexts = columns
        different, cells = np.unique(keys >> np.uint64(64 - KEY_BITS), return_inverse=True)
        offsets = np.searchsorted(texts, np.arange(len(tokens) + 1))
        return cls(texts, spots, offsets, settings.beside, known, brief, contexts, different, cells)

    def held(self, index: Index, places: Places) -> tuple[Met, dict[int, Posted]]:
        """Whom each text meets, and by partition the postings to add to the lists."""
        listed = index.lists(places.days, self.keys)
        counts = counts_of(listed.bounds).astype(np.int32)
        rows, heads = self.cells.size, np.full(counts.size, -1, np.int32)
        added, nexts = np.empty(rows, np.uint32), np.full(rows, _ABSENT, np.int32)
        more = np.minimum(np.bincount(self.cells, minlength=self.keys.size), _MOST)
        longest = counts.reshape(len(places.days), -1).sum(axis=0) + more
        out = np.empty(int(longest[self.cells].sum()), np.uint64)
        filled = meet.meet(
            self.offsets, self.cells, self.spots, self.contexts, self.known, self.brief, self.beside,
            places.reach, places.own, places.numbers, places.posted, *listed,
            _FEW, _MOST, added, nexts, heads, counts, out,
        )  # fmt: skip
        new = nexts != _ABSENT
        columns = places.own[self.texts]
        posted = {}
        for column in set(places.own.tolist()):
            own = new & (columns == column)
            if own.any():
                cells = self.cells[own]
                posted[places.days[column]] = Posted(self.keys[cells], added[own], self.contexts[own])
        return _worth_comparing(np.sort(out[:filled]), places.own.size, self.beside), posted


def _around(
    tokens: Tokens, found: Postings, settings: Settings
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint64]]:
    """What stands around postings: tokens before and behind, is the text a short one, and contexts."""
    around, known, brief = surroundings(found, tokens, settings)
    contexts = np.empty(brief.size, np.uint64)
    meet.contexts(around, known, contexts)
    return known, brief, contexts


def _worth_comparing(meetings: NDArray[np.uint64], texts: int, beside: int) -> Met:
    """Of sorted meetings, as `kernels.meet.meet` has them, the pairs that may share copy."""
    bounds, pairs = np.empty(texts + 1, np.int64), np.empty(meetings.size, np.uint64)
    meet.rank(meetings, _BUCKETS, beside, bounds, pairs)
    own = pairs[: bounds[-1]].astype(np.int64)
    return Met(bounds, own >> 33 & 1023, own >> 1 & 0xFFFFFFFF, (own & 1).astype(np.bool_))
