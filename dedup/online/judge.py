"""Judge: a batch of articles against an index, one after another, with the stages of a scan.

The same postings, alignment, relations and boilerplate as in `dedup.scan`; only who meets whom is found in
lists on disk instead of by sorting. The batch is a matter of speed: each article sees those before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dedup.errors import IndexStoreError
from dedup.kernels.meet import PARTITIONS
from dedup.lsh import Bands, bands_for
from dedup.online.boilerplate import Boilerplate
from dedup.online.index import Holders, Index, Spot
from dedup.online.kin import Kept
from dedup.online.meetings import Meetings, Places
from dedup.online.postings import Postings
from dedup.online.texts import Known, Texts
from dedup.online.verdicts import Arrival, Judged, Verdicts, kept_of
from dedup.settings import Settings
from dedup.weigh import weights

_FIRST = 8  # candidates that are aligned, those that share most with an article, besides those needed


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
        ranked, posted = self._meet(arrivals, firsts)
        wanted = {first for first in firsts if first is not None} - batch.keys()
        wanted |= {arrival.latest for arrival in arrivals if arrival.latest is not None}
        known = {**self.texts.get(sorted(wanted)), **batch}
        met = self._compared(arrivals, ranked, known)
        return Verdicts(self, arrivals, known).given(met, firsts, posted)

    def posted(self, text: Known, spot: Spot) -> dict[int, Postings]:
        """What to post of an article that is kept, and was a repeat of another that is gone."""
        return self._meet([Arrival(text, spot, [])], [None])[1]

    def kept(self, spots: Sequence[Spot]) -> list[Kept]:
        """What families ask for of articles that are there."""
        there = self.texts.get(spots)
        sizes = weights(self.boilerplate.tokens(list(there.values()))).tolist()
        return [
            kept_of(self.texts, spot, text, size)
            for (spot, text), size in zip(there.items(), sizes, strict=True)
        ]

    def near(self, one: int, other: int) -> bool:
        """Are two times within the window of each other?"""
        return self.window is None or abs(one - other) <= self.window

    def _firsts(self, arrivals: Sequence[Arrival]) -> list[Spot | None]:
        """The earliest article with the same tokens as each, if there is one within the window.

        If none of the first ones in their partitions is, one of the latest published.
        """
        days = sorted({day for arrival in arrivals for day in arrival.reach})
        held = self.index.holders(days, [arrival.text.digest for arrival in arrivals])
        texts = self.texts.get(sorted({both.first for found in held for both in found.values()}))
        texts |= {arrival.spot: arrival.text for arrival in arrivals}
        out: list[Spot | None] = []
        new: dict[bytes, dict[int, Holders]] = {}
        for arrival, found in zip(arrivals, held, strict=True):
            own, time = found | new.setdefault(arrival.text.digest, {}), arrival.text.facts["time"]
            there = [own[day] for day in arrival.reach if day in own] if self._is_judged(arrival.text) else []
            near = [both.first for both in there if both.first in texts]
            near = [spot for spot in near if self.near(texts[spot].facts["time"], time)]
            near = near or [both.latest for both in there if self.near(both.time, time)]
            texts |= self.texts.get([spot for spot in near if spot not in texts])
            near = [spot for spot in near if spot in texts]
            out.append(min(near, key=lambda spot: texts[spot].facts["order"]) if near else None)
            arrival.holders = self._holders(arrival, own.get(arrival.spot.day))
            if arrival.holders is not None:
                new[arrival.text.digest][arrival.spot.day] = arrival.holders
        return out

    def _holders(self, arrival: Arrival, others: Holders | None) -> Holders | None:
        """Who has an article's tokens in its partition from now on, None if that does not change."""
        spot, time = arrival.spot, arrival.text.facts["time"]
        if not self._is_judged(arrival.text) or (others is not None and time <= others.time):
            return None
        return Holders(spot if others is None else others.first, spot, time)

    def _compared(
        self, arrivals: Sequence[Arrival], ranked: list[list[tuple[Spot, bool]]], known: dict[Spot, Known]
    ) -> list[list[Spot]]:
        """Whom each article is compared with, of those that it meets, with whether they are needed.

        All that are needed, and those that share most with it, so many that `_FIRST` of them are there and in
        its window, if there are as many. They are `known` from now on.
        """
        most, asked = [_FIRST] * len(arrivals), {*known}
        while True:
            met = [
                [spot for place, (spot, needed) in enumerate(own) if needed or place < count]
                for own, count in zip(ranked, most, strict=True)
            ]
            new = {spot for spots in met for spot in spots} - asked
            asked |= new
            known |= self.texts.get(sorted(new))
            instead = {} if self.window is None else self._repeated(arrivals, met, known)
            few = []
            for row, (arrival, own) in enumerate(zip(arrivals, ranked, strict=True)):
                if most[row] < len(own):
                    first = [instead.get((row, spot), spot) for spot, _ in own[: most[row]]]
                    if sum(self.is_there(spot, arrival, known) for spot in first) < _FIRST:
                        few.append(row)
            if not few:
                break
            for row in few:
                most[row] += _FIRST
        return [
            list(dict.fromkeys(instead.get((row, spot), spot) for spot in spots))
            for row, spots in enumerate(met)
        ]

    def is_there(self, spot: Spot, arrival: Arrival, known: Mapping[Spot, Known]) -> bool:
        """Is an article still there, and within the window of another?"""
        text = known.get(spot)
        return text is not None and self.near(text.facts["time"], arrival.text.facts["time"])

    def _repeated(
        self, arrivals: Sequence[Arrival], met: list[list[Spot]], known: dict[Spot, Known]
    ) -> dict[tuple[int, Spot], Spot]:
        """The latest repeat that takes the place of one that is out of an article's window, for each such.

        Repeats are not posted. Those that take a place are `known` from now on.
        """
        old = [
            (row, spot)
            for row, (arrival, spots) in enumerate(zip(arrivals, met, strict=True))
            for spot in spots
            if spot in known and not self.near(known[spot].facts["time"], arrival.text.facts["time"])
        ]
        if not old:
            return {}
        digests = sorted({known[spot].digest for _, spot in old})
        held = self.index.holders(sorted({spot.day for _, spot in old}), digests)
        holders = dict(zip(digests, held, strict=True))
        changed: dict[tuple[bytes, int], list[tuple[int, Holders]]] = {}
        for row, arrival in enumerate(arrivals):
            if arrival.holders is not None:
                place = arrival.text.digest, arrival.spot.day
                changed.setdefault(place, []).append((row, arrival.holders))
        instead: dict[tuple[int, Spot], Spot] = {}
        for row, spot in old:
            place = known[spot].digest, spot.day
            before = [both for at, both in changed.get(place, []) if at < row]
            both = before[-1] if before else holders[place[0]].get(spot.day)
            if both is not None and self.near(both.time, arrivals[row].text.facts["time"]):
                instead[row, spot] = both.latest
        known |= self.texts.get(sorted(set(instead.values()) - known.keys()))
        return instead

    def _is_judged(self, text: Known) -> bool:
        return text.size >= self.settings.min_tokens

    def _meet(
        self, arrivals: Sequence[Arrival], firsts: Sequence[Spot | None]
    ) -> tuple[list[list[tuple[Spot, bool]]], dict[int, Postings]]:
        """Whom each article meets, who shares most with it first, and if they are needed; and what to post.

        A repeat meets nobody; it is posted if the first of its kind is in another partition.
        """
        days = sorted({day for arrival in arrivals for day in arrival.reach} | {a.spot.day for a in arrivals})
        if len(days) > PARTITIONS:
            raise IndexStoreError(
                f"{self.index.rocks.folder}: an article would have to look into {len(days):,} partitions; "
                "give a --window (window=), or let some expire (`dedup index expire`)"
            )
        columns = {day: column for column, day in enumerate(days)}
        reach, is_posted = np.zeros((len(arrivals), len(days)), np.bool_), np.zeros(len(arrivals), np.bool_)
        for row, (arrival, first) in enumerate(zip(arrivals, firsts, strict=True)):
            judged = self._is_judged(arrival.text)
            is_first = arrival.holders is not None and arrival.holders.first == arrival.spot
            is_posted[row] = judged and (first is None or is_first)
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
        ranked = list(zip(spots, met.needed.tolist(), strict=True))
        return [ranked[first:stop] for first, stop in pairwise(met.bounds.tolist())], posted
