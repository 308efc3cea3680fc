"""Meetings: whom the articles of a batch meet in the index's lists, and what they add to the lists.

One article after another, so that each also meets those of the batch that came before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.candidates import SHORT, Postings, postings
from dedup.kernels import buckets, meet
from dedup.lsh import Bands
from dedup.online.index import Index, postings_of
from dedup.online.rocks import Puts
from dedup.settings import Settings
from dedup.tokens import Tokens

_FEW, _MOST = 16, 64  # postings on a list, and with contexts of their own
_BUCKETS = 3  # in which two articles meet, for them to be compared on weak evidence
_KEY = 5  # bytes of a key in the index


class Places(NamedTuple):
    """Where n articles look and where they are kept, by column of `days`."""

    days: list[int]  # partitions, rising
    reach: NDArray[np.bool_]  # (n, days) which of them each looks into
    own: NDArray[np.int64]  # (n,) which each is kept in
    numbers: NDArray[np.uint32]  # (n,) and under which number
    posted: NDArray[np.bool_]  # (n,) is it added to the lists?


class Met(NamedTuple):
    """Pairs worth comparing, by article; within one, those that share most come first."""

    articles: NDArray[np.int64]
    columns: NDArray[np.int64]  # partition of the earlier article
    numbers: NDArray[np.int64]  # its number there
    needed: NDArray[np.bool_]  # may they share a run of the guaranteed length that is news?


@dataclass(frozen=True, slots=True)
class Meetings:
    """The buckets of a batch of texts, with what stands around each fingerprint."""

    found: Postings
    offsets: NDArray[np.int64]  # (texts + 1,) of the postings
    beside: int  # tokens of a guaranteed run beside its fingerprint
    known: NDArray[np.uint8]  # (postings, 2) tokens before and behind
    brief: NDArray[np.bool_]  # (postings,) is the text a short one?
    contexts: NDArray[np.uint32]  # (postings,)
    keys: NDArray[np.uint64]  # different ones, rising, as the index has them
    cells: NDArray[np.int64]  # (postings,) the key of each

    @classmethod
    def of(cls, tokens: Tokens, settings: Settings, bands: Bands) -> Meetings:
        """Sketch texts; those without tokens meet nobody."""
        found = postings(tokens, settings, bands)
        count, beside = found.keys.size, settings.guarantee - settings.shingle
        around, known = np.empty((count, 2, beside), np.uint32), np.empty((count, 2), np.uint8)
        brief, contexts = np.empty(count, np.bool_), np.empty(count, np.uint32)
        buckets.surroundings(
            found.texts, found.spots, tokens.hashes, tokens.offsets, settings.shingle, SHORT,
            around, known, brief,
        )  # fmt: skip
        meet.contexts(around, known, contexts)
        keys, cells = np.unique(found.keys >> np.uint64(64 - 8 * _KEY), return_inverse=True)
        offsets = np.searchsorted(found.texts, np.arange(len(tokens) + 1))
        return cls(found, offsets, beside, known, brief, contexts, keys, cells)

    def held(self, index: Index, places: Places) -> tuple[Met, list[Puts]]:
        """Whom each text meets, and the lists as they are with those that are posted."""
        names = _names(self.keys)
        bounds, listed = index.lists(places.days, names)
        lists = bounds, listed["number"].copy(), listed["context"].copy()
        counts = np.diff(bounds).astype(np.int32)
        rows, heads = self.cells.size, np.full(counts.size, -1, np.int32)
        added = np.empty(rows, np.uint32), np.empty(rows, np.uint32), np.empty(rows, np.int32), heads
        more = np.minimum(np.bincount(self.cells, minlength=self.keys.size), _MOST)
        longest = counts.reshape(-1, len(places.days)).sum(axis=1) + more
        out = np.empty(int(longest[self.cells].sum()), np.uint64)
        filled = meet.meet(
            self.offsets, self.cells, self.found.spots, self.contexts, self.known, self.brief, self.beside,
            places.reach, places.own, places.numbers, places.posted, *lists, _FEW, _MOST, *added, counts, out,
        )  # fmt: skip
        changed = np.flatnonzero(heads >= 0)
        data = np.empty(int(counts[changed].sum()), np.uint64)
        sizes = np.empty(changed.size + 1, np.int64)
        meet.lists(*lists, *added, changed, sizes, data)
        values = _values(data, sizes)
        cells, columns = np.divmod(changed, len(places.days))
        puts = []
        for column in np.unique(columns).tolist():
            own = np.flatnonzero(columns == column)
            family = postings_of(places.days[column])
            keys = [names[cell] for cell in cells[own].tolist()]
            puts.append(Puts(family, keys, [values[row] for row in own.tolist()]))
        return _worth_comparing(np.sort(out[:filled])), puts


def _names(keys: NDArray[np.uint64]) -> list[bytes]:
    """Keys as the index has them."""
    first = keys << np.uint64(64 - 8 * _KEY)
    names: list[bytes] = (
        np.ascontiguousarray(first.astype(">u8").view(np.uint8).reshape(-1, 8)[:, :_KEY])
        .view(f"V{_KEY}")
        .ravel()
        .tolist()
    )
    return names


def _values(data: NDArray[np.uint64], bounds: NDArray[np.int64]) -> list[bytes]:
    """Lists as the index has them; list i is `data[bounds[i]:bounds[i + 1]]`."""
    postings, lengths = data.astype("<u8").view("V8").tolist(), np.diff(bounds)
    values = np.empty(lengths.size, object)
    values[:] = postings if len(postings) == lengths.size else np.array(postings, object)[bounds[:-1]]
    for row in np.flatnonzero(lengths > 1).tolist():
        values[row] = b"".join(postings[bounds[row] : bounds[row + 1]])
    out: list[bytes] = values.tolist()
    return out


def _worth_comparing(meetings: NDArray[np.uint64]) -> Met:
    """Of sorted meetings, as `kernels.meet.meet` has them, the pairs that may share copy."""
    pairs = meetings >> np.uint64(2)
    firsts = np.flatnonzero(np.diff(pairs, prepend=np.uint64(2**63)))
    often = np.diff(np.append(firsts, pairs.size))
    evidence = (meetings[firsts + often - 1] & np.uint64(3)).astype(np.int64)
    kept = (evidence != buckets.WEAK) | (often >= _BUCKETS)
    pairs, often, evidence = pairs[firsts[kept]], often[kept], evidence[kept]
    order = np.lexsort((pairs, -often, pairs >> np.uint64(42)))
    articles, columns, numbers = (
        (pairs[order] >> np.uint64(shift) & np.uint64(mask)).astype(np.int64)
        for shift, mask in ((42, 2**22 - 1), (32, 1023), (0, 2**32 - 1))
    )
    return Met(articles, columns, numbers, evidence[order] == buckets.NEEDED)
