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

from dedup.align import Aligned, align
from dedup.candidates import SHORT, postings
from dedup.kernels import buckets, meet
from dedup.kernels.align import COPY, FIRST, KIND, MATCHED, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.lsh import Bands, bands_for
from dedup.online.boilerplate import Boilerplate
from dedup.online.index import POSTING, Changes, Index, Spot, postings_of
from dedup.online.kin import Kept, Kin, Link, Spans
from dedup.online.texts import Known, Texts
from dedup.online.verdict import Match, Shared, Verdict, named
from dedup.provenance import relations
from dedup.schema import COPYING, PASSAGE_KINDS
from dedup.seen import Seen
from dedup.settings import Settings
from dedup.tokens import Tokens
from dedup.weigh import weights

_FEW, _MOST = 16, 64  # postings on a list, and with contexts of their own
_FIRST = 16  # candidates of an article that are aligned, those that share most with it
_BUCKETS = 3  # in which two articles meet, for them to be compared on weak evidence


@dataclass(slots=True)
class Arrival:
    """An article to be judged."""

    text: Known
    spot: Spot  # where it will be kept
    reach: list[int]  # partitions to look into, rising
    latest: Spot | None = None  # the version of it that came before
    notes: tuple[str, ...] = ()
    is_first: bool = False  # in its partition, of those with its tokens; found out here


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on a batch, and what has to be written to keep them true."""

    verdicts: list[Verdict]
    changes: Changes
    kin: Kin


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
        return _Verdicts(self, arrivals, known).given(met, firsts, changes)

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
        tokens = self._tokens([arrival.text for arrival in arrivals])
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

    def _tokens(self, texts: Sequence[Known]) -> Tokens:
        """The tokens of several texts, with the boilerplate known by now."""
        parts = [
            Tokens(t.hashes, t.starts, t.ends, self.boilerplate.flags(text), t.offsets)
            for text in texts
            for t in (text.tokens,)
        ]
        return Tokens.concatenated(parts)


class _Verdicts:
    """Verdicts on a batch, from whom its articles met."""

    def __init__(self, judge: Judge, arrivals: Sequence[Arrival], known: dict[Spot, Known]) -> None:
        self.judge, self.arrivals, self.known = judge, arrivals, known
        self.numbers = {spot: number for number, spot in enumerate(known)}
        self.spots = list(known)
        self.tokens = judge._tokens(list(known.values()))
        self.weights = weights(self.tokens)
        self.sizes = self.weights.tolist()

    def given(
        self, met: list[tuple[list[Spot], list[Spot]]], firsts: list[Spot | None], changes: Changes
    ) -> Judged:
        """The verdicts, in order."""
        found = self._aligned(met)
        by_text: dict[Spot, list[int]] = {arrival.spot: [] for arrival in self.arrivals}
        for row, (_, article) in enumerate(found.oriented):
            by_text[article].append(row)
        self.found = found
        judge = self.judge
        kin = Kin(judge.index.family, judge.index.families, self._shares, judge.settings.copy_share)
        out = []
        for arrival, first in zip(self.arrivals, firsts, strict=True):
            self.at_hand = arrival
            if first is not None:
                out.append(self._repeated(arrival, self.known[first], first, kin))
            else:
                out.append(self._judged(arrival, by_text[arrival.spot], kin))
        return Judged(out, changes, kin)

    def _aligned(self, met: list[tuple[list[Spot], list[Spot]]]) -> _Oriented:
        """All pairs aligned; of runs that not the closest hold, only those with words not seen."""
        close, further = [], []
        for arrival, (first, rest) in zip(self.arrivals, met, strict=True):
            own = [arrival.latest] if arrival.latest is not None and arrival.latest not in first else []
            close += [(spot, arrival.spot) for spot in own + first if self._counts(spot, arrival)]
            further += [(spot, arrival.spot) for spot in rest if self._counts(spot, arrival)]
        settings, threads = self.judge.settings, self.judge.threads
        one, two = self._pairs(close), self._pairs(further)
        seen = Seen.nothing(self.tokens, two)
        parts = [align(self.tokens, one, settings, threads=threads, seen=seen)]
        if len(two):
            fresh = seen.news(self.tokens, two, settings.guarantee, threads)
            parts.append(align(self.tokens, two[fresh], settings, threads=threads))
        return _Oriented.of(Aligned.concatenated(parts), self.tokens, self.weights, self.spots, self.known)

    def _counts(self, spot: Spot, arrival: Arrival) -> bool:
        """Is an article still there, and within the window?"""
        return spot in self.known and self.judge.near(self.known[spot], arrival.text)

    def _pairs(self, spots: list[tuple[Spot, Spot]]) -> NDArray[np.int32]:
        """Pairs by number, the lower id on the left, as a scan has them."""
        pairs = np.empty((len(spots), 2), np.int32)
        for row, both in enumerate(spots):
            left, right = sorted(both, key=lambda spot: self.known[spot].facts["id"])
            pairs[row] = self.numbers[left], self.numbers[right]
        return pairs

    def _judged(self, arrival: Arrival, rows: list[int], kin: Kin) -> Verdict:
        found = self.found
        rows = [row for row in rows if found.names[row] in COPYING]
        rows.sort(key=lambda row: (-found.covered[row], self.known[found.oriented[row][0]].facts["order"]))
        matches = tuple(self._match(row) for row in rows)
        links = [self._link(row) for row in rows]
        families = kin.join(self._kept(arrival.spot), links)
        newer = arrival.latest is not None
        verdict = named([match.relation for match in matches], newer=newer)
        return self._verdict(arrival, verdict, matches, families, kin)

    def _repeated(self, arrival: Arrival, first: Known, spot: Spot, kin: Kin) -> Verdict:
        own, theirs = arrival.text.tokens, first.tokens
        whole = Shared(
            int(own.starts[0]),
            int(own.ends[-1]),
            int(theirs.starts[0]),
            int(theirs.ends[-1]),
            own.hashes.size,
            "copy",
        )
        match = Match(first.facts["id"], "duplicate", 1.0, 1.0, (whole,))
        families = kin.repeat(self._kept(arrival.spot), self._kept(spot))
        return self._verdict(arrival, "duplicate", (match,), families, kin)

    def _verdict(
        self, arrival: Arrival, verdict: str, matches: tuple[Match, ...], families: list[str], kin: Kin
    ) -> Verdict:
        head = kin.head(families[0]) if families else None
        origin = head["origin"]["id"] if head else None
        return Verdict(arrival.text.facts["id"], verdict, matches, tuple(families), origin, arrival.notes)

    def _match(self, row: int) -> Match:
        found = self.found
        other, _ = found.oriented[row]
        shared = sorted(found.shared[found.bounds[row] : found.bounds[row + 1]])
        passages = tuple(
            Shared(a, b, x, y, matched, PASSAGE_KINDS[kind]) for a, b, x, y, matched, kind in shared
        )
        own, theirs = found.shares[row]
        return Match(self.known[other].facts["id"], found.names[row], own, theirs, passages)

    def _link(self, row: int) -> Link:
        found = self.found
        copies = [span for span in found.spans[found.bounds[row] : found.bounds[row + 1]] if span[4] == COPY]
        other, _ = found.oriented[row]
        return Link(
            self._kept(other), _joined([span[:2] for span in copies]), _joined([span[2:4] for span in copies])
        )

    def _kept(self, spot: Spot) -> Kept:
        text = self.known[spot]
        return Kept(
            spot, text.facts["id"], text.facts.get("outlet"), text.facts["time"],
            self.sizes[self.numbers[spot]], text.digest, text.credits,
        )  # fmt: skip

    def _shares(self, spot: Spot) -> Spans | None:
        """What the article at hand shares with one that it may not have met, in that one's tokens."""
        for row, (other, article) in enumerate(self.found.oriented):
            if (other, article) == (spot, self.at_hand.spot):
                return self._link(row).theirs
        text = self.known.get(spot) or self.judge.texts.get([spot]).get(spot)
        if text is None:
            return None
        tokens = self.judge._tokens([text, self.at_hand.text])
        aligned = align(tokens, np.array([[0, 1]], np.int32), self.judge.settings)
        copies = aligned.passages[aligned.passages[:, KIND] == COPY]
        return _joined(copies[:, [FIRST, STOP]].tolist())


@dataclass(frozen=True, slots=True)
class _Oriented:
    """Aligned pairs, the earlier article first; the passages of pair p are `bounds[p]:bounds[p + 1]`."""

    oriented: list[tuple[Spot, Spot]]
    names: list[str]  # relations: what the later is to the earlier
    covered: list[float]  # share of the later one that copies cover
    shares: list[list[float]]  # of the later and of the earlier one, in shared runs within copies
    bounds: list[int]
    spans: list[list[int]]  # first and stop in the later, in the earlier one, in tokens; kind
    shared: list[list[int]]  # the same in characters; matched tokens, kind

    @classmethod
    def of(
        cls,
        aligned: Aligned,
        tokens: Tokens,
        weights: NDArray[np.int64],
        spots: list[Spot],
        known: dict[Spot, Known],
    ) -> _Oriented:
        """From pairs of texts, of which `spots` tell where they are kept."""
        orders = np.array([known[spot].facts["order"] for spot in spots])
        flipped = orders[aligned.pairs[:, 0]] > orders[aligned.pairs[:, 1]]  # the earlier one is on the right
        pairs = np.where(flipped[:, None], aligned.pairs[:, ::-1], aligned.pairs)
        oriented = [(spots[one], spots[other]) for one, other in pairs.tolist()]
        matched, covered = (
            np.where(flipped[:, None], both[:, ::-1], both) for both in aligned.shares(weights)
        )
        owners = np.repeat(np.arange(len(pairs)), np.diff(aligned.offsets))
        kinds = np.zeros((len(pairs), len(PASSAGE_KINDS)), np.bool_)
        kinds[owners, aligned.passages[:, KIND]] = True
        same = [_same(known[one].facts, known[other].facts) for one, other in oriented]
        names = relations(matched, covered, kinds, np.array(same, np.bool_)).tolist()
        passages, sides = aligned.passages, [FIRST, STOP, RIGHT_FIRST, RIGHT_STOP]
        own = np.where(flipped[owners, None], passages[:, sides], passages[:, sides[2:] + sides[:2]])
        bases = tokens.offsets[pairs[owners]]
        places = [
            tokens.starts[bases[:, 1] + own[:, 0]],
            tokens.ends[bases[:, 1] + own[:, 1] - 1],
            tokens.starts[bases[:, 0] + own[:, 2]],
            tokens.ends[bases[:, 0] + own[:, 3] - 1],
        ]
        return cls(
            oriented,
            names,
            covered[:, 1].tolist(),
            matched[:, ::-1].tolist(),
            aligned.offsets.tolist(),
            np.column_stack([own, passages[:, KIND]]).tolist(),
            np.column_stack([*places, passages[:, [MATCHED, KIND]]]).tolist(),
        )


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    """Are two articles from one outlet, or from one address?"""
    return any(one.get(name) is not None and one.get(name) == other.get(name) for name in ("outlet", "url"))


def _joined(spans: Spans) -> Spans:
    """Spans in order, those that touch joined."""
    out: Spans = []
    for start, stop in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], stop)
        else:
            out.append([start, stop])
    return out
