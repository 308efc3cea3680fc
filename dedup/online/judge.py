"""Judge: a batch of articles against an index, one after another, with the stages of a scan.

The same postings, alignment, relations and boilerplate as in `dedup.scan`; only who meets whom is found in
lists on disk instead of by sorting. The batch is a matter of speed: each article sees those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dedup.lsh import Bands, bands_for
from dedup.online.boilerplate import Boilerplate
from dedup.online.index import Index, Spot
from dedup.online.meetings import Meetings, Places
from dedup.online.postings import Postings
from dedup.online.texts import Known, Texts
from dedup.online.verdicts import Arrival, Judged, Verdicts
from dedup.settings import Settings

_FIRST = 16  # candidates that are aligned, those that share most with an article, besides those needed


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges batches against an index; `window` in microseconds, None: without end."""

    index: Index
    texts: Texts
    boilerplate: Boilerplate
    window: int | None

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
        count = self.boilerplate.take(
            [(arrival.spot, arrival.text, arrival.reach) for arrival in arrivals], self.texts.get
        )
        arrivals = arrivals[:count]
        batch = {arrival.spot: arrival.text for arrival in arrivals}
        firsts = self._firsts(arrivals)
        met, posted = self._meet(arrivals, firsts)
        wanted = {spot for spots in met for spot in spots} - batch.keys()
        wanted |= {first for first in firsts if first is not None} - batch.keys()
        wanted |= {arrival.latest for arrival in arrivals if arrival.latest is not None}
        known = {**self.texts.get(sorted(wanted)), **batch}
        return Verdicts(self, arrivals, known).given(met, firsts, posted)

    def near(self, one: Known, other: Known) -> bool:
        """Are two articles within the window of each other?"""
        return self.window is None or abs(one.facts["time"] - other.facts["time"]) <= self.window

    def _firsts(self, arrivals: Sequence[Arrival]) -> list[Spot | None]:
        """The earliest article with the same tokens as each, if there is one."""
        days = sorted({day for arrival in arrivals for day in arrival.reach})
        held = self.index.firsts(days, [arrival.text.digest for arrival in arrivals])
        texts = self.texts.get(sorted({spot for found in held for spot in found.values()}))
        texts |= {arrival.spot: arrival.text for arrival in arrivals}
        out: list[Spot | None] = []
        new: dict[bytes, dict[int, Spot]] = {}
        for arrival, found in zip(arrivals, held, strict=True):
            own = {**new.setdefault(arrival.text.digest, {}), **found}
            there = [own[day] for day in arrival.reach if day in own] if self._is_judged(arrival.text) else []
            near = [spot for spot in there if spot in texts and self.near(texts[spot], arrival.text)]
            out.append(min(near, key=lambda spot: texts[spot].facts["order"]) if near else None)
            arrival.is_first = self._is_judged(arrival.text) and arrival.spot.day not in own
            if arrival.is_first:
                new[arrival.text.digest][arrival.spot.day] = arrival.spot
        return out

    def _is_judged(self, text: Known) -> bool:
        return text.size >= self.settings.min_tokens

    def _meet(
        self, arrivals: Sequence[Arrival], firsts: Sequence[Spot | None]
    ) -> tuple[list[list[Spot]], dict[int, Postings]]:
        """Whom each article meets: who shares most with it, and other holders of runs; and what to post.

        A repeat meets nobody; it is posted if the first of its kind is in another partition.
        """
        days = sorted({day for arrival in arrivals for day in arrival.reach} | {a.spot.day for a in arrivals})
        columns = {day: column for column, day in enumerate(days)}
        reach, is_posted = np.zeros((len(arrivals), len(days)), np.bool_), np.zeros(len(arrivals), np.bool_)
        for row, (arrival, first) in enumerate(zip(arrivals, firsts, strict=True)):
            judged = self._is_judged(arrival.text)
            is_posted[row] = judged and (first is None or arrival.is_first)
            if first is None and judged:
                reach[row, [columns[day] for day in arrival.reach]] = True
        own = np.array([columns[arrival.spot.day] for arrival in arrivals], np.int64)
        numbers = np.array([arrival.spot.number for arrival in arrivals], np.uint32)
        tokens = self.boilerplate.tokens([arrival.text for arrival in arrivals]).some(
            0, len(arrivals), is_posted
        )
        meetings = Meetings.of(tokens, self.settings, self.bands, self.index.threads, self.index.pool)
        met, posted = meetings.held(self.index, Places(days, reach, own, numbers, is_posted))
        places = zip(met.columns.tolist(), met.numbers.tolist(), strict=True)
        spots = [Spot(days[column], number) for column, number in places]
        needed = met.needed.tolist()
        out = []
        for first, stop in pairwise(met.bounds.tolist()):
            out.append([spots[row] for row in range(first, stop) if row < first + _FIRST or needed[row]])
        return out, posted
