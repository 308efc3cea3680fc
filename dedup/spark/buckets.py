"""Buckets: postings on their way to where texts meet, without a partition that holds all of a large one.

In a crowd a text meets the few texts of the best ranks, its hubs, and nobody else
(`dedup.kernels.buckets.fill_pairs`). So a home with many texts in one bucket sends the best of them and holds
back the rest. The bucket's partition finds the hubs among the best of all homes, and tells them to those that
hold texts back, which let them meet the hubs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup import candidates
from dedup.candidates import SHORT, Postings, surroundings
from dedup.kernels import buckets as kernels
from dedup.kernels.rows import dictionary
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column
from dedup.tokens import Tokens

LARGEST = 4096  # texts of one bucket that a partition takes in, unless a few of each home are more
_BESIDES = 2  # texts that are sent besides as many as there are hubs, so that what is sent is a crowd, too


@dataclass(frozen=True)
class Met:
    """Postings that are to meet, and what is known of their texts."""

    keys: NDArray[np.uint64]
    texts: NDArray[np.int32]  # rows of the columns of texts
    spots: NDArray[np.int32]
    around: NDArray[np.uint32]  # this and the next two as `kernels.surroundings` fills them
    known: NDArray[np.uint8]
    brief: NDArray[np.bool_]
    numbers: NDArray[np.int64]  # (texts,) of articles
    purity: NDArray[np.int32]  # (texts,) as `candidates.purities`, and what it is worked out from
    shared: NDArray[np.int32]

    def __len__(self) -> int:
        return self.keys.size

    @classmethod
    def of(
        cls, job: Job, tokens: Tokens, found: Postings, numbers: NDArray[np.int64],
        purity: NDArray[np.int32], shared: NDArray[np.int32],
    ) -> Met:  # fmt: skip
        """Postings of a home, with what stands around them."""
        return cls(*found, *surroundings(found, tokens, job.settings), numbers, purity, shared)

    @classmethod
    def of_windows(
        cls, job: Job, keys: NDArray[np.uint64], texts: NDArray[np.int32], lengths: NDArray[np.int64],
        numbers: NDArray[np.int64], purity: NDArray[np.int32], shared: NDArray[np.int32],
    ) -> Met:  # fmt: skip
        """Whole windows of a home, with nothing around them; `lengths` int64 (texts,): tokens."""
        spots = np.full(keys.size, kernels.OF_WINDOW, np.int32)
        known = np.zeros((keys.size, 2), np.uint8)
        around = np.zeros((keys.size, 2, job.settings.beside), np.uint32)
        return cls(keys, texts, spots, around, known, lengths[texts] < SHORT, numbers, purity, shared)

    @property
    def ranks(self) -> NDArray[np.int32]:
        """The texts' ranks; their numbers must rise."""
        return candidates.ranks_of(self.shared, self.purity)

    def taken(self, rows: NDArray[Any]) -> Met:
        """Some of the postings."""
        names = ("keys", "texts", "spots", "around", "known", "brief")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def met(
        self, ranks: NDArray[np.int32], reach: int, few: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The pairs that meet, and the crowd, as `candidates.filled`; they are sorted by key, then text."""
        found = Postings(self.keys, self.texts, self.spots)
        return candidates.filled(found, self.around, self.known, self.brief, ranks, reach, few)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays that can be written, without what is empty around them."""
        made = {field.name: getattr(self, field.name) for field in fields(self)}
        return made | {"around": self.around[_there(self.around, self.known)]}

    @classmethod
    def of_arrays(cls, job: Job, kept: dict[str, NDArray[Any]]) -> Met:
        """The same again."""
        return cls(**kept | {"around": _spelled(job.settings.beside, kept["known"], kept["around"])})

    def messages(self, part: int, split: NDArray[np.bool_]) -> Iterator[Message]:
        """All of it; `split` bool (n,): which stand in buckets that others are held back of."""
        texts, places = np.unique(self.texts, return_inverse=True)
        yield Message(part, "rank", arrays(
            number=self.numbers[texts].astype(np.uint32), purity=self.purity[texts].astype(np.uint8),
            shared=self.shared[texts],
        ))  # fmt: skip
        yield Message(part, "met", arrays(
            key=self.keys, text=places.astype(np.int32), spot=self.spots, before=self.known[:, 0],
            behind=self.known[:, 1], brief=self.brief, split=split,
        ))  # fmt: skip
        words = self.around[_there(self.around, self.known)]
        room = np.full(1 << max(4, int(2 * words.size).bit_length()), -1, np.int32)
        codes, distinct = np.empty(words.size, np.int32), np.empty(words.size, np.uint32)
        distinct = distinct[: dictionary(words, room, codes, distinct)]
        low, middle, high = (codes.view(np.uint8)[place::4] for place in range(3))
        yield Message(part, "around", arrays(low=low.copy(), middle=middle.copy(), high=high.copy()))
        yield Message(part, "words", arrays(word=distinct))


def _there(around: NDArray[np.uint32], known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = np.arange(around.shape[2]) < known[:, :, None]
    return there


def _spelled(beside: int, known: NDArray[np.uint8], words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    around = np.zeros((len(known), 2, beside), np.uint32)
    around[_there(around, known)] = words
    return around


def received(job: Job, inbox: Inbox) -> tuple[NDArray[np.int32], NDArray[np.bool_], Met] | None:
    """The postings that came, in the order of their senders: these, `split`, and the postings."""
    ranked, met, around, sources, base = [], [], [], [], 0
    each = (inbox.each(kind) for kind in ("rank", "met", "around", "words"))
    for (source, rank), (_, batch), (_, codes), (_, words) in zip(*each, strict=True):
        ranked.append([column(rank, name) for name in ("number", "purity", "shared")])
        texts = column(batch, "text") + np.int32(base)
        known = np.stack([column(batch, "before"), column(batch, "behind")], axis=1)
        met.append((
            column(batch, "key"), texts, column(batch, "spot"), known, column(batch, "brief"),
            column(batch, "split"),
        ))  # fmt: skip
        low, middle, high = (column(codes, name).astype(np.int32) for name in ("low", "middle", "high"))
        around.append(column(words, "word")[low | middle << 8 | high << 16])
        sources.append(np.full(len(batch), source, np.int32))
        base += len(rank)
    if not met:
        return None
    keys, texts, spots, known, brief, split = (np.concatenate(some) for some in zip(*met, strict=True))
    numbers, purity, shared = (np.concatenate(some) for some in zip(*ranked, strict=True))
    spelled = _spelled(job.settings.beside, known, np.concatenate(around))
    whole = Met(
        keys, texts, spots, spelled, known, brief, numbers.astype(np.int64), purity.astype(np.int32), shared
    )
    return np.concatenate(sources), split, whole


def distinct(found: Postings) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]:
    """The keys of a home, once each, sorted; each posting's among them; and which keys have several texts.

    The texts of the postings must rise.
    """
    rows = np.arange(found.keys.size, dtype=np.int32)
    keys, order = kernels.sort_postings(found.keys.copy(), rows, 0)
    firsts = np.flatnonzero(changes(keys))
    places = np.empty(keys.size, np.int64)
    places[order] = np.repeat(np.arange(firsts.size), np.diff(firsts, append=keys.size))
    texts, lasts = found.texts[order], np.append(firsts, keys.size)[1:] - 1
    return keys[firsts], places, texts[firsts] != texts[lasts]


def changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are not as those before them, bool (n,)."""
    return np.append(True, values[1:] != values[:-1])[: values.size]


def held_back(
    job: Job,
    keys: NDArray[np.int64],
    texts: NDArray[np.int32],
    ranks: NDArray[np.int32],
    reach: int,
    few: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which postings a home does not send, and which are in a bucket with one of those, bool (n,) each.

    `keys` as places among `distinct` ones; `texts` rise; `ranks` int32 by text; `reach` and `few` as for
    `kernels.fill_pairs`.
    """
    most = max(reach, few + _BESIDES, LARGEST // job.parts)
    rows = np.flatnonzero((np.bincount(keys) > most)[keys])
    order = rows[np.argsort(keys[rows], kind="stable")]
    new = order[changes(keys[order]) | changes(texts[order])]  # a text may stand in a bucket more than once
    split: NDArray[np.bool_] = (np.bincount(keys[new], minlength=int(keys.max(initial=-1)) + 1) > most)[keys]
    held, rows = np.zeros(split.size, np.bool_), np.flatnonzero(split)
    held[rows] = ~_leads(keys[rows], ranks[texts[rows]], few + _BESIDES)
    return held, split


def _leads(keys: NDArray[Any], ranks: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """Which postings are of one of the `count` best texts in their buckets, bool (n,); `ranks` int32 (n,)."""
    order = np.lexsort((ranks, keys))
    first = changes(keys[order])
    texts = np.cumsum(first | changes(ranks[order]))
    out = np.empty(order.size, np.bool_)
    out[order] = texts - np.maximum.accumulate(np.where(first, texts, 0)) < count
    return out


@dataclass(frozen=True)
class Holding:
    """What a partition takes in of its buckets, by key, then text; a text alone is left out."""

    sources: NDArray[np.int32]  # (postings,) homes
    split: NDArray[np.bool_]  # (postings,) whether that home holds texts of the bucket back
    met: Met
    ranks: NDArray[np.int32]

    @classmethod
    def of(cls, job: Job, inbox: Inbox) -> Holding | None:
        """What came; None if nothing did."""
        found = received(job, inbox)
        if found is None:
            return None
        sources, split, met = found
        keys, order = kernels.sort_postings(met.keys.copy(), np.arange(len(met), dtype=np.int32), job.bits)
        firsts = np.flatnonzero(changes(keys))
        texts, lasts = met.texts[order], np.append(firsts, keys.size)[1:] - 1
        several = np.repeat(texts[firsts] != texts[lasts], np.diff(firsts, append=keys.size))
        order = order[several]
        return cls(sources[order], split[order], met.taken(order), met.ranks)

    def pairs(self, reach: int, few: int) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
        """The pairs that meet, and the crowd; a bucket that texts are held back of is crowded."""
        crowded = self._crowded()
        if not crowded.any():
            yield self.met.met(self.ranks, reach, few)
            return
        for some, own_reach in ((~crowded, reach), (crowded, 0)):
            yield self.met.taken(np.flatnonzero(some)).met(self.ranks, own_reach, few)

    def hubs(self, few: int) -> Iterator[Message]:
        """The best texts of the buckets that texts are held back of, to the homes of those."""
        rows = np.flatnonzero(self._crowded())
        if not rows.size:
            return
        keys = self.met.keys
        rows = rows[_leads(keys[rows], self.ranks[self.met.texts[rows]], few + _BESIDES)]
        for home in np.unique(self.sources[self.split]).tolist():
            wanted = np.unique(keys[self.split & (self.sources == home)])
            own = rows[np.isin(keys[rows], wanted)]
            yield from self.met.taken(own).messages(home, np.ones(own.size, np.bool_))

    def _crowded(self) -> NDArray[np.bool_]:
        """Which postings are in a bucket that texts are held back of, bool (postings,)."""
        places = np.cumsum(changes(self.met.keys)) - 1
        out: NDArray[np.bool_] = (np.bincount(places, self.split) > 0)[places]
        return out


def meet_hubs(
    held: Met, hubs: Met, few: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """What comes of texts that were held back: the articles' numbers, and their pairs and crowd by those.

    A text may be a hub in one bucket and held back in another, and has a number for each.
    """
    both = np.concatenate([2 * hubs.numbers, 2 * held.numbers + 1])
    numbers, firsts, places = np.unique(both, return_index=True, return_inverse=True)
    texts = places[np.concatenate([hubs.texts, held.texts + np.int32(hubs.numbers.size)])].astype(np.int32)
    columns = {
        name: np.concatenate([getattr(hubs, name), getattr(held, name)])
        for name in ("keys", "spots", "around", "known", "brief")
    }
    purity, shared = (
        np.concatenate([getattr(hubs, name), getattr(held, name)])[firsts] for name in ("purity", "shared")
    )
    whole = Met(**columns, texts=texts, numbers=numbers >> 1, purity=purity, shared=shared)
    whole = whole.taken(np.lexsort((texts, whole.keys)))
    pairs, crowd = whole.met(whole.ranks, 0, few)
    own = numbers % 2 == 1
    pairs = pairs[own[candidates.lefts_of(pairs)] | own[candidates.rights_of(pairs)]]
    return whole.numbers, pairs, crowd[own[candidates.texts_of(crowd)]]
