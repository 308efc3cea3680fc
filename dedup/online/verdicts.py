"""Verdicts on a batch of articles, from whom they met: aligned, related, put into families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned, align
from dedup.csr import owners, taken
from dedup.kernels.align import COPY, FIRST, KIND, MATCHED, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.online.index import Holders, Spot
from dedup.online.kin import Kept, Kin, Link, Spans
from dedup.online.postings import Postings
from dedup.online.texts import Known, Texts
from dedup.online.verdict import Match, Shared, Verdict, named
from dedup.provenance import relations
from dedup.schema import COPYING, PASSAGE_KINDS
from dedup.tokens import Tokens
from dedup.weigh import weights

if TYPE_CHECKING:
    from dedup.online.judge import Judge


@dataclass(slots=True)
class Arrival:
    """An article to be judged."""

    text: Known
    spot: Spot  # where it will be kept
    reach: list[int]  # partitions to look into, rising
    latest: Spot | None = None  # the version of it that came before
    notes: tuple[str, ...] = ()
    holders: Holders | None = None  # of its tokens in its partition, if it changes them; found out here


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on a batch, and what has to be written to keep them true."""

    verdicts: list[Verdict]
    posted: dict[int, Postings]  # by partition
    kin: Kin


class Verdicts:
    """Verdicts on a batch, from whom its articles met."""

    def __init__(self, judge: Judge, arrivals: Sequence[Arrival], known: dict[Spot, Known]) -> None:
        self.judge, self.arrivals, self.known = judge, arrivals, known
        self.numbers = {spot: number for number, spot in enumerate(known)}
        self.spots = list(known)
        ids = [text.facts["id"] for text in known.values()]
        self.ranks = np.empty(len(ids), np.int64)
        self.ranks[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
        self.tokens = judge.boilerplate.tokens(list(known.values()))
        self.weights = weights(self.tokens)
        self.sizes = self.weights.tolist()
        self.kept: dict[Spot, Kept] = {}

    def given(
        self,
        met: list[list[Spot]],
        firsts: list[Spot | None],
        posted: dict[int, Postings],
    ) -> Judged:
        """The verdicts, in order."""
        self.found = found = self._aligned(met)
        self.rows = {both: row for row, both in enumerate(found.oriented)}
        by_text: dict[Spot, list[int]] = {arrival.spot: [] for arrival in self.arrivals}
        for row, (_, article) in enumerate(found.oriented):
            by_text[article].append(row)
        kin = self._kin(firsts)
        out = []
        for arrival, first in zip(self.arrivals, firsts, strict=True):
            self.at_hand = arrival
            if first is not None:
                out.append(self._repeated(arrival, self.known[first], first, kin))
            else:
                out.append(self._judged(arrival, by_text[arrival.spot], kin))
        return Judged(out, posted, kin)

    def _kin(self, firsts: list[Spot | None]) -> Kin:
        """The families, with what they are about to ask for looked up all at once: that is cheaper."""
        index, texts = self.judge.index, self.judge.texts
        own = [arrival.spot for arrival in self.arrivals]
        pairs = self.found.oriented + [
            (first, spot) for first, spot in zip(firsts, own, strict=True) if first is not None
        ]
        others = sorted({other for other, _ in pairs}.difference(own))
        held: dict[Spot, list[dict[str, Any]]] = {spot: [] for spot in own}
        held |= zip(others, index.families(others), strict=True)
        joining = {article for _, article in pairs}.union(other for other in others if not held[other])
        texts.credits([(spot, self.known[spot]) for spot in joining])
        return Kin(index.family, held.__getitem__, self._shares, self.judge.settings.copy_share)

    def _aligned(self, met: list[list[Spot]]) -> _Oriented:
        """All pairs that share copy."""
        pairs = []
        for arrival, spots in zip(self.arrivals, met, strict=True):
            own = [arrival.latest] if arrival.latest is not None and arrival.latest not in spots else []
            counted = [spot for spot in own + spots if self.judge.is_there(spot, arrival, self.known)]
            pairs += [(spot, arrival.spot) for spot in counted]
        if not pairs:
            return _Oriented.nothing()
        index = self.judge.index
        aligned = align(
            self.tokens, self._pairs(pairs), index.settings, threads=index.threads, pool=index.pool
        )
        return _Oriented.of(aligned, self.tokens, self.weights, self.spots, self.known)

    def _pairs(self, spots: list[tuple[Spot, Spot]]) -> NDArray[np.int32]:
        """Pairs by number, the lower id on the left, as a scan has them."""
        numbers = self.numbers
        pairs = np.array([(numbers[one], numbers[other]) for one, other in spots], np.int32).reshape(-1, 2)
        return np.where((self.ranks[pairs[:, 0]] > self.ranks[pairs[:, 1]])[:, None], pairs[:, ::-1], pairs)

    def _judged(self, arrival: Arrival, rows: list[int], kin: Kin) -> Verdict:
        found = self.found
        rows.sort(key=lambda row: (-found.covered[row], self.known[found.oriented[row][0]].facts["order"]))
        matches = tuple(self._match(row) for row in rows)
        links = [self._link(row) for row in rows]
        families = kin.join(self._kept(arrival.spot), links) if links else []
        newer = arrival.latest is not None
        verdict = named([match.relation for match in matches], newer=newer)
        return self._verdict(arrival, verdict, matches, families, kin)

    def _repeated(self, arrival: Arrival, first: Known, spot: Spot, kin: Kin) -> Verdict:
        (start, end), (their_start, their_end) = self._ends(arrival.spot), self._ends(spot)
        whole = Shared(start, end, their_start, their_end, arrival.text.size, "copy")
        match = Match(first.facts["id"], "duplicate", 1.0, 1.0, (whole,))
        families = kin.repeat(self._kept(arrival.spot), self._kept(spot))
        return self._verdict(arrival, "duplicate", (match,), families, kin)

    def _ends(self, spot: Spot) -> tuple[int, int]:
        """Where an article's first token starts, and its last one ends."""
        first, stop = self.tokens.offsets[self.numbers[spot] :][:2]
        return int(self.tokens.starts[first]), int(self.tokens.ends[stop - 1])

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
        if spot not in self.kept:
            size = self.sizes[self.numbers[spot]]
            self.kept[spot] = kept_of(self.judge.texts, spot, self.known[spot], size)
        return self.kept[spot]

    def _shares(self, spot: Spot) -> Spans | None:
        """What the article at hand shares with one that it may not have met, in that one's tokens."""
        row = self.rows.get((spot, self.at_hand.spot))
        if row is not None:
            return self._link(row).theirs
        text = self.known.get(spot) or self.judge.texts.get([spot]).get(spot)
        if text is None:
            return None
        tokens = self.judge.boilerplate.tokens([text, self.at_hand.text])
        aligned = align(tokens, np.array([[0, 1]], np.int32), self.judge.settings)
        copies = aligned.passages[aligned.passages[:, KIND] == COPY]
        return _joined(copies[:, [FIRST, STOP]].tolist())


def kept_of(texts: Texts, spot: Spot, text: Known, size: int) -> Kept:
    """What families ask for of an article with so many tokens besides boilerplate."""
    facts = text.facts
    return Kept(
        spot, facts["id"], facts.get("outlet"), facts["time"], size, text.digest,
        lambda: texts.credits([(spot, text)])[0], facts["url"], facts["derived_from"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Oriented:
    """Pairs that share copy, the earlier one first; the passages of pair p are `bounds[p]:bounds[p + 1]`."""

    oriented: list[tuple[Spot, Spot]]
    names: list[str]  # relations: what the later is to the earlier
    covered: list[float]  # share of the later one that copies cover
    shares: list[list[float]]  # of the later and of the earlier one, in shared runs within copies
    bounds: list[int]
    spans: list[list[int]]  # first and stop in the later, in the earlier one, in tokens; kind
    shared: list[list[int]]  # the same in characters; matched tokens, kind

    @classmethod
    def nothing(cls) -> _Oriented:
        """No pairs."""
        return cls([], [], [], [], [0], [], [])

    @classmethod
    def of(
        cls,
        aligned: Aligned,
        tokens: Tokens,
        weights: NDArray[np.int64],
        spots: list[Spot],
        known: dict[Spot, Known],
    ) -> _Oriented:
        """From aligned pairs of texts, of which `spots` tell where they are kept."""
        is_copy = aligned.passages[:, KIND] == COPY
        if not is_copy.any():
            return cls.nothing()
        aligned = aligned.taken(np.unique(owners(aligned.offsets)[is_copy]))
        orders = np.array([known[spot].facts["order"] for spot in spots])
        flipped = orders[aligned.pairs[:, 0]] > orders[aligned.pairs[:, 1]]  # the earlier one is on the right
        pairs = np.where(flipped[:, None], aligned.pairs[:, ::-1], aligned.pairs)
        oriented = [(spots[one], spots[other]) for one, other in pairs.tolist()]
        matched, covered = (
            np.where(flipped[:, None], both[:, ::-1], both) for both in aligned.shares(weights)
        )
        kinds = np.zeros((len(pairs), len(PASSAGE_KINDS)), np.bool_)
        kinds[owners(aligned.offsets), aligned.passages[:, KIND]] = True
        same = [_same(known[one].facts, known[other].facts) for one, other in oriented]
        names = relations(matched, covered, kinds, np.array(same, np.bool_))
        kept = np.flatnonzero(np.isin(names, list(COPYING)))
        bounds, rows = taken(aligned.offsets, kept)
        passages, sides = aligned.passages[rows], [FIRST, STOP, RIGHT_FIRST, RIGHT_STOP]
        pair = kept[owners(bounds)]
        own = np.where(flipped[pair, None], passages[:, sides], passages[:, sides[2:] + sides[:2]])
        bases = tokens.offsets[pairs[pair]]
        places = [
            tokens.starts[bases[:, 1] + own[:, 0]],
            tokens.ends[bases[:, 1] + own[:, 1] - 1],
            tokens.starts[bases[:, 0] + own[:, 2]],
            tokens.ends[bases[:, 0] + own[:, 3] - 1],
        ]
        return cls(
            [oriented[number] for number in kept.tolist()],
            names[kept].tolist(),
            covered[kept, 1].tolist(),
            matched[kept, ::-1].tolist(),
            bounds.tolist(),
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
