"""Judge: a batch of articles against an index, one after another, with the stages of a scan.

The same postings, alignment, relations and boilerplate as in `dedup.scan`; only who meets whom is found in
lists on disk instead of by sorting. The batch is a matter of speed: each article sees those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dedup.candidates import SHORT, postings
from dedup.kernels import buckets, meet
from dedup.lsh import Bands, bands_for
from dedup.online.boilerplate import Boilerplate
from dedup.online.index import POSTING, Changes, Index, Spot, postings_of
from dedup.online.texts import Known, Texts
from dedup.online.verdicts import Arrival, Judged, Verdicts
from dedup.settings import Settings
from dedup.tokens import Tokens

_FEW, _MOST = 16, 64  # postings on a list, and with contexts of their own
_FIRST = 16  # candidates of an article that are aligned, those that share most with it
_BUCKETS = 3  # in which two articles meet, for them to be compared on weak evidence


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges batches against an index; `window` in microseconds, None: without end."""

    index: Index
    texts: Texts
    boilerplate: Boilerplate
    window: int | None
    threads: int

    @property
    def settings(self) -> Settings:
        """Those of the index."""
        return self.index.settings

    @property
    def bands(self) -> Bands:
        """The bands of signatures."""
        return bands_for(self.settings.num_perm, self.settings.resemblance, self.settings.recall)

    def judge(self, arrivals: Sequence[Arrival]) -> Judged:
        """Judge articles in the order given, the first of them at least. No two may have one id."""
        batch = {arrival.spot: arrival.text for arrival in arrivals}
        count = self.boilerplate.take(
            [(arrival.spot, arrival.text, arrival.reach) for arrival in arrivals],
            lambda spot: batch.get(spot) or self.texts.get([spot]).get(spot),
        )
        arrivals = arrivals[:count]
        batch = {arrival.spot: arrival.text for arrival in arrivals}
        firsts = self._firsts(arrivals)
        met, changes = self._meet(arrivals, firsts)
        wanted = {spot for spots, _ in met for spot in spots} - batch.keys()
        wanted |= {first for first in firsts if first is not None} - batch.keys()
        wanted |= {arrival.latest for arrival in arrivals if arrival.latest is not None}
        known = {**self.texts.get(sorted(wanted)), **batch}
        return Verdicts(self, arrivals, known).given(met, firsts, changes)

    def near(self, one: Known, other: Known) -> bool:
        """Are two articles within the window of each other?"""
        return self.window is None or abs(one.facts["time"] - other.facts["time"]) <= self.window

    def _firsts(self, arrivals: Sequence[Arrival]) -> list[Spot | None]:
        """The earliest article with the same tokens as each, if there is one."""
        days = sorted({day for arrival in arrivals for day in arrival.reach})
        held = self.index.firsts(days, [arrival.text.digest for arrival in arrivals])
        out: list[Spot | None] = []
        new: dict[bytes, dict[int, Spot]] = {}
        for arrival, found in zip(arrivals, held, strict=True):
            own = {**new.setdefault(arrival.text.digest, {}), **found}
            there = [own[day] for day in arrival.reach if day in own] if self._is_judged(arrival.text) else []
            texts = {**self.texts.get([spot for spot in there if spot in found.values()])}
            texts |= {other.spot: other.text for other in arrivals if other.spot in there}
            near = [spot for spot in there if spot in texts and self.near(texts[spot], arrival.text)]
            out.append(min(near, key=lambda spot: texts[spot].facts["order"]) if near else None)
            arrival.is_first = self._is_judged(arrival.text) and arrival.spot.day not in own
            if arrival.is_first:
                new[arrival.text.digest][arrival.spot.day] = arrival.spot
        return out

    def _is_judged(self, text: Known) -> bool:
        return text.tokens.hashes.size >= self.settings.min_tokens

    def _meet(
        self, arrivals: Sequence[Arrival], firsts: Sequence[Spot | None]
    ) -> tuple[list[tuple[list[Spot], list[Spot]]], Changes]:
        """Whom each article meets: who shares most with it, and other holders of runs; and lists to write.

        A repeat meets nobody; it is posted if the first of its kind is in another partition.
        """
        settings = self.settings
        days = sorted({day for arrival in arrivals for day in arrival.reach} | {a.spot.day for a in arrivals})
        columns = {day: column for column, day in enumerate(days)}
        reach = np.zeros((len(arrivals), len(days)), np.bool_)
        posted = np.zeros(len(arrivals), np.bool_)
        for row, (arrival, first) in enumerate(zip(arrivals, firsts, strict=True)):
            judged = self._is_judged(arrival.text)
            posted[row] = judged and (first is None or arrival.is_first)
            if first is None and judged:
                reach[row, [columns[day] for day in arrival.reach]] = True
        tokens = self.tokens([arrival.text for arrival in arrivals])
        tokens = tokens.some(0, len(arrivals), posted)
        found = postings(tokens, settings, self.bands)
        count, beside = found.keys.size, settings.guarantee - settings.shingle
        around, known = np.empty((count, 2, beside), np.uint32), np.empty((count, 2), np.uint8)
        brief, context = np.empty(count, np.bool_), np.empty(count, np.uint32)
        buckets.surroundings(
            found.texts,
            found.spots,
            tokens.hashes,
            tokens.offsets,
            settings.shingle,
            SHORT,
            around,
            known,
            brief,
        )
        meet.contexts(around, known, context)
        keys, cells = np.unique(found.keys >> np.uint64(24), return_inverse=True)
        packed = (keys << np.uint64(24)).astype(">u8").tobytes()
        names = [packed[at : at + 5] for at in range(0, 8 * keys.size, 8)]
        bounds, listed = self.index.lists(days, names)
        heads = np.full(keys.size * len(days), -1, np.int32)
        counts = np.diff(bounds).astype(np.int32)
        added, contexts, nexts = (
            np.empty(count, np.uint32),
            np.empty(count, np.uint32),
            np.empty(count, np.int32),
        )
        beside_it = counts.reshape(keys.size, len(days)).sum(axis=1) + np.minimum(
            np.bincount(cells, minlength=keys.size), _MOST
        )
        out = np.empty(int(beside_it[cells].sum()), np.uint64)
        offsets = np.searchsorted(found.texts, np.arange(len(arrivals) + 1))
        numbers = np.array([arrival.spot.number for arrival in arrivals], np.uint32)
        own = np.array([columns[arrival.spot.day] for arrival in arrivals], np.int64)
        listed_numbers, listed_contexts = listed["number"].copy(), listed["context"].copy()
        filled = meet.meet(
            offsets, cells, found.spots, context, known, brief, beside, reach, own, numbers, posted, bounds,
            listed_numbers, listed_contexts, _FEW, _MOST,
            added, contexts, nexts, heads, counts, out,
        )  # fmt: skip
        changed = np.flatnonzero(heads >= 0)
        sizes = np.empty(changed.size + 1, np.int64)
        data = np.empty((int(counts[changed].sum()), 2), np.uint32)
        meet.lists(
            bounds, listed_numbers, listed_contexts, added, contexts, nexts, heads, changed, sizes, data
        )  # fmt: skip
        whole, cuts = data.astype("<u4").tobytes(), (sizes * POSTING.itemsize).tolist()
        families = [postings_of(day) for day in days]
        rows, columns_of = (part.tolist() for part in np.divmod(changed, len(days)))
        changes: Changes = [
            (families[column], names[row], whole[first:stop])
            for row, column, first, stop in zip(rows, columns_of, cuts[:-1], cuts[1:], strict=True)
        ]
        return self._candidates(np.sort(out[:filled]), days, len(arrivals)), changes

    def _candidates(
        self, meetings: NDArray[np.uint64], days: list[int], count: int
    ) -> list[tuple[list[Spot], list[Spot]]]:
        """Of sorted meetings the pairs worth comparing, by article: the closest ones, other needed ones."""
        pairs = meetings >> np.uint64(2)
        firsts = np.flatnonzero(np.diff(pairs, prepend=np.uint64(2**63)))
        often = np.diff(np.append(firsts, pairs.size))
        lasts = firsts + often - 1
        evidence = (meetings[lasts] & np.uint64(3)).astype(np.int64)
        kept = (evidence != buckets.WEAK) | (often >= _BUCKETS)
        pairs, often, evidence = pairs[firsts][kept], often[kept], evidence[kept]
        texts = (pairs >> np.uint64(42)).astype(np.int64)
        columns = (pairs >> np.uint64(32) & np.uint64(1023)).astype(np.int64)
        numbers = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        order = np.lexsort((pairs, -often, texts))
        bounds = np.searchsorted(texts[order], np.arange(count + 1)).tolist()
        spots = [
            Spot(days[column], number)
            for column, number in zip(columns[order].tolist(), numbers[order].tolist(), strict=True)
        ]
        needed = (evidence[order] == buckets.NEEDED).tolist()
        out = []
        for first, stop in pairwise(bounds):
            cut = min(first + _FIRST, stop)
            out.append(
                (spots[first:cut], [spot for at, spot in enumerate(spots[cut:stop], cut) if needed[at]])
            )
        return out

    def tokens(self, texts: Sequence[Known]) -> Tokens:
        """The tokens of several texts, with the boilerplate known by now."""
        parts = [
            Tokens(t.hashes, t.starts, t.ends, self.boilerplate.flags(text), t.offsets)
            for text in texts
            for t in (text.tokens,)
        ]
        return Tokens.concatenated(parts)
