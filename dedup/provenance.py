"""Provenance: where a family's copy came from, what each member is to it, and how one article relates to
another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp

import numpy as np
from numpy.typing import NDArray

from dedup.agencies import Credit, names
from dedup.schema import PASSAGE_KINDS

VERBATIM = 0.9  # share of both articles in shared runs
WHOLE = 0.7  # share of an article that copies cover, for it to be all of the other's copy
LIGHTLY = 0.45  # share of it in shared runs, for it to be edited rather than rewritten

_AGENCY_ITSELF, _DATELINE, _CREDIT, _EARLIEST, _COMPLETE, _PURE = 3.0, 1.5, 1.0, 1.0, 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Shares:
    """How two articles share copy: shares of each one's tokens, boilerplate aside, and exact resemblance."""

    left_matched: float  # in shared runs within copies
    right_matched: float
    left_covered: float  # within copies
    right_covered: float
    resemblance: float

    @classmethod
    def of(cls, matched: NDArray[np.float64], covered: NDArray[np.float64], resemblance: float) -> Shares:
        """From arrays of two shares each, left and right."""
        (one, other), (left, right) = matched.tolist(), covered.tolist()
        return cls(one, other, left, right, resemblance)

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is matched and what is covered, (1, 2) each."""
        matched, covered = (self.left_matched, self.right_matched), (self.left_covered, self.right_covered)
        return np.array([matched]), np.array([covered])

    def turned(self) -> Shares:
        """The same, seen from the other article."""
        return Shares(
            self.right_matched, self.left_matched, self.right_covered, self.left_covered, self.resemblance
        )


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of an article besides its text."""

    outlet: str | None
    published: datetime | None
    credits: tuple[Credit, ...]

    @property
    def agencies(self) -> set[str]:
        """Agencies that it credits for its text."""
        return {credit.agency for credit in self.credits if credit.kind != "picture"}

    @property
    def own_agency(self) -> str | None:
        """The agency that published it, if its outlet is one."""
        return names().get(self.outlet or "")


def relation(shares: Shares, kinds: set[str], left: Source, right: Source) -> str:
    """What the right article is to the left one: one of `schema.RELATIONS`; `kinds` are their passages'."""
    there = np.array([[kind in kinds for kind in PASSAGE_KINDS]])
    same = np.array([left.outlet is not None and left.outlet == right.outlet])
    return str(relations(*shares.arrays(), there, same)[0])


def relations(
    matched: NDArray[np.float64],
    covered: NDArray[np.float64],
    kinds: NDArray[np.bool_],
    same_outlet: NDArray[np.bool_],
) -> NDArray[np.object_]:
    """What right articles are to left ones, names of `schema.RELATIONS` (n,).

    `matched` and `covered` (n, 2): shares of left and right in shared runs within copies, and within copies;
    `kinds` (n, 5): whether a pair has passages of each of `schema.PASSAGE_KINDS`; `same_outlet` (n,).
    """
    copied = _copied(matched, covered)
    copied[same_outlet & (copied != "partial reuse")] = "update"
    has = dict(zip(PASSAGE_KINDS, kinds.T, strict=True))
    names = np.full(len(matched), "unrelated", object)
    for kind, name in (
        ("phrase", "stock phrases"),
        ("boilerplate", "boilerplate"),
        ("quotation", "quotations only"),
        ("template", "template"),
    ):  # from the weakest on: the strongest stands last
        names[has[kind]] = name
    names[has["copy"]] = copied[has["copy"]]
    return names


def _copied(matched: NDArray[np.float64], covered: NDArray[np.float64]) -> NDArray[np.object_]:
    """What pairs with copy are to each other, leaving outlets aside (n,)."""
    whole = (covered >= WHOLE) & (matched >= LIGHTLY)
    names = np.full(len(matched), "partial reuse", object)
    names[whole[:, 0]] = "extended"
    names[whole[:, 1]] = "excerpt"
    names[whole.all(axis=1)] = "edited copy"
    names[matched.min(axis=1) >= VERBATIM] = "verbatim copy"
    return names


def agency_of(members: Sequence[Source], shares: Sequence[float]) -> str | None:
    """The agency that members credit most, weighed by how much of each is copy; shared credits are split."""
    votes: Counter[str] = Counter()
    for source, share in zip(members, shares, strict=True):
        said = {source.own_agency} if source.own_agency else source.agencies
        for agency in said:
            if agency:
                votes[agency] += (0.01 + share) / len(said)  # type: ignore[assignment]
    return min(votes, key=lambda name: (-votes[name], name)) if votes else None


def origin_of(
    members: Sequence[Source], complete: Sequence[float], shares: Sequence[float], agency: str | None
) -> tuple[int, float]:
    """The member nearest to the original, and the confidence in it (0 to 1).

    Points are given for being the agency, for naming it where wires name themselves, for being the first in
    time, for holding all of the family's copy (`complete`) and for holding little else (`shares`). The
    confidence is the best member's share of all members' exponentiated points.
    """
    times = [source.published for source in members if source.published is not None]
    points = []
    for source, whole, share in zip(members, complete, shares, strict=True):
        score = _COMPLETE * whole + _PURE * share
        if agency is not None:
            kinds = {credit.kind for credit in source.credits if credit.agency == agency}
            if source.own_agency == agency:
                score += _AGENCY_ITSELF
            elif "dateline" in kinds:
                score += _DATELINE
            elif kinds - {"picture"}:
                score += _CREDIT
        if len(times) > 1 and source.published == min(times):
            score += _EARLIEST
        points.append(score)
    best = max(range(len(points)), key=lambda place: (points[place], -place))
    return best, 1.0 / sum(exp(point - points[best]) for point in points)


def role(shares: Shares, origin: Source, member: Source, *, duplicate: bool) -> str:
    """What a member is to the family's origin: one of `schema.ROLES`. `shares`: left is the origin."""
    if duplicate:
        return "verbatim copy"
    name = str(_copied(*shares.arrays())[0])
    if name != "partial reuse" and origin.outlet is not None and origin.outlet == member.outlet:
        return "update"
    return name


def credited(member: Source, origin: Source, agency: str | None, text: str) -> bool:
    """Does the member name the agency, or the origin's outlet, that its copy came from?"""
    if agency is not None and (agency in member.agencies or member.own_agency == agency):
        return True
    return bool(origin.outlet and origin.outlet != member.outlet and origin.outlet in text)
