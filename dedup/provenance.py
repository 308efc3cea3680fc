"""Provenance: where a family's copy came from, what each member is to it, and how one article relates to
another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.agencies import KINDS, names
from dedup.csr import Offsets, offsets_of, owners, taken
from dedup.families import Families
from dedup.io.hosts import plain
from dedup.schema import PASSAGE_KINDS

VERBATIM = 0.9  # share of both articles in shared runs
WHOLE = 0.7  # share of an article that copies cover, for it to be all of the other's copy
LIGHTLY = 0.45  # share of it in shared runs, for it to be edited rather than rewritten

CREDITS = (*KINDS, "declared")  # kinds of `agencies.Credit`
UNKNOWN = np.iinfo(np.int64).min  # a time that is not known
NEVER = np.iinfo(np.int64).max

# Points towards being the original: that others say they derive from it, that it is the agency, that its
# sender declares the agency, that its dateline or another line credits it, and what times and shares say.
DERIVED, AGENCY_ITSELF, DECLARED, DATELINE, CREDIT = 4.0, 3.0, 2.0, 1.5, 1.0
EARLIEST, COMPLETE, PURE = 1.0, 1.0, 0.5
WORTH = {"declared": DECLARED, "dateline": DATELINE, "credit": CREDIT, "byline": CREDIT}


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


def relation(shares: Shares, kinds: set[str], *, same_outlet: bool) -> str:
    """What the right article is to the left one: one of `schema.RELATIONS`; `kinds` are their passages'."""
    there = np.array([[kind in kinds for kind in PASSAGE_KINDS]])
    return str(relations(*shares.arrays(), there, np.array([same_outlet]))[0])


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


def roles(
    matched: NDArray[np.float64],
    covered: NDArray[np.float64],
    same_outlet: NDArray[np.bool_],
    duplicate: NDArray[np.bool_],
) -> NDArray[np.object_]:
    """What members are to their family's origin, names of `schema.ROLES` (n,).

    `matched` and `covered` (n, 2) as for `relations`, the origin on the left; `duplicate` (n,): its words.
    """
    names = _copied(matched, covered)
    names[same_outlet & (names != "partial reuse")] = "update"
    names[duplicate] = "verbatim copy"
    return names


@cache
def agencies() -> list[str]:
    """The agencies' names, sorted; an agency's number is its place here."""
    return sorted(set(names().values()))


def coded(names: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """A number for each of `names`, int64 (n,), -1 for null, and the names by number."""
    whole = names.dictionary_encode()
    codes: NDArray[np.int64] = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, whole.dictionary.to_pylist()


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of n articles besides their texts; credits of article i: `offsets[i]:offsets[i + 1]`."""

    outlets: NDArray[np.int64]  # (n,) number of the outlet, -1: unknown
    outlet_names: list[str]
    published: NDArray[np.int64]  # (n,) microseconds since 1970, `UNKNOWN` where there is none
    own: NDArray[np.int64]  # (n,) the agency that the outlet is, -1: none
    offsets: Offsets  # (n + 1,)
    kinds: NDArray[np.int64]  # (credits,) places in `CREDITS`
    agencies: NDArray[np.int64]  # (credits,)
    starts: NDArray[np.int32]  # (credits,) characters, -1 where the credit is declared beside the text
    ends: NDArray[np.int32]
    words: pa.Array  # (credits,) the credit as it stands
    derived: NDArray[np.int64]  # (n,) the article that each says it derives from, -1: none that is there

    @classmethod
    def of(cls, columns: Mapping[str, pa.Array], credits: pa.Table) -> Sources:
        """From the columns of `schema.INPUT` but the text, and the articles' `agencies.CREDITS`, in order."""
        outlets, published = columns["outlet"], columns["published"]
        codes, called = coded(outlets)
        number = {name: place for place, name in enumerate(agencies())}
        own = np.array([number.get(names().get(name, ""), -1) for name in called] + [-1], np.int64)
        places = (
            pc.index_in(credits["agency"], pa.array(agencies())),
            pc.index_in(credits["kind"], pa.array(CREDITS)),
        )
        numbers = [column.to_numpy().astype(np.int64) for column in places]
        return cls(
            codes,
            called,
            published.cast(pa.int64()).fill_null(UNKNOWN).to_numpy(zero_copy_only=False),
            own[codes],
            offsets_of(np.bincount(credits["article"].to_numpy(), minlength=len(outlets))),
            numbers[1],
            numbers[0],
            credits["start"].to_numpy(),
            credits["end"].to_numpy(),
            credits["words"].combine_chunks(),
            _derived(columns["id"], columns["url"], columns["derived_from"]),
        )

    def said(self, articles: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The credits for text of some articles: the place among `articles`, and the credit's number."""
        bounds, rows = taken(self.offsets, articles)
        telling = self.kinds[rows] != CREDITS.index("picture")
        return owners(bounds)[telling], rows[telling]


def _derived(ids: pa.Array, urls: pa.Array, said: pa.Array) -> NDArray[np.int64]:
    """The numbers of the articles whose ids or addresses are `said`, int64 (n,); -1 where there is none."""
    out = np.full(len(ids), -1)
    telling = pc.indices_nonzero(said.is_valid()).to_pylist()
    if not telling:
        return out
    places = {plain(url): row for row, url in reversed(list(enumerate(urls.to_pylist()))) if url}
    places |= {id: row for row, id in enumerate(ids.to_pylist())}
    for row in telling:
        name = said[row].as_py()
        found = places.get(name, places.get(plain(name), row))
        out[row] = found if found != row else -1
    return out


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each of n families came from."""

    texts: NDArray[np.int64]  # (n,) the member nearest to the original
    confidence: NDArray[np.float64]  # (n,) in it, 0 to 1
    agencies: NDArray[np.int64]  # (n,) the agency that the copy is credited to, -1: none


def agencies_of(found: Families, sources: Sources, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """The agency that each family's members credit most, -1: none, int64 (families,).

    Members' votes are weighed by how much of each is the family's copy, `shares` (members,); credits of
    several agencies share a vote, and an agency votes for itself.
    """
    count = len(agencies())
    own = sources.own[found.members]
    places, rows = sources.said(found.members)
    several = np.unique(places * count + sources.agencies[rows])
    several = several[own[several // count] < 0]
    themselves = np.flatnonzero(own >= 0)
    voters = np.concatenate([themselves, several // count])
    chosen = np.concatenate([own[themselves], several % count])
    votes = (0.01 + shares[voters]) / np.bincount(voters, minlength=found.members.size)[voters]
    keys, which = np.unique(found.owners[voters] * count + chosen, return_inverse=True)
    totals = np.bincount(which, votes, keys.size)
    order = np.lexsort((keys, -totals, keys // count))
    best = order[np.flatnonzero(np.diff(keys[order] // count, prepend=-1))]
    out = np.full(len(found), -1)
    out[keys[best] // count] = keys[best] % count
    return out


def origins(found: Families, sources: Sources, lengths: NDArray[np.int64]) -> Origins:
    """The member of each family that is nearest to the original; `lengths` int64 are the articles' tokens.

    Points are given for being what others say they derive from, for being the agency, for naming it where
    wires name themselves, for being the first in time, for holding all of the family's copy and for holding
    little else. The confidence is the best member's share of all members' exponentiated points.
    """
    held = found.held
    shares = held / np.maximum(lengths[found.members], 1)
    agency = agencies_of(found, sources, shares)
    if not len(found):
        return Origins(np.empty(0, np.int64), np.empty(0), agency)
    family, firsts = found.owners, found.offsets[:-1]
    points = COMPLETE * held / np.maximum(np.maximum.reduceat(held, firsts), 1)[family] + PURE * shares
    places, rows = sources.said(found.members)
    theirs = sources.agencies[rows] == agency[family[places]]
    places, rows = places[theirs], rows[theirs]
    named = np.zeros(found.members.size)
    np.maximum.at(named, places, np.array([WORTH.get(kind, 0.0) for kind in CREDITS])[sources.kinds[rows]])
    own = sources.own[found.members]
    points += np.where((own >= 0) & (own == agency[family]), AGENCY_ITSELF, named)
    times = sources.published[found.members]
    known = np.add.reduceat((times != UNKNOWN).astype(np.int64), firsts)
    earliest = np.minimum.reduceat(np.where(times == UNKNOWN, NEVER, times), firsts)
    points += np.where((known[family] > 1) & (times == earliest[family]), EARLIEST, 0.0)
    points[_pointed_at(found, sources)] += DERIVED
    order = np.lexsort((-points, family))
    best = order[found.offsets[:-1]]
    confidence = 1.0 / np.add.reduceat(np.exp(points - points[best][family]), firsts)
    return Origins(found.members[best].astype(np.int64), confidence, agency)


def credited(
    found: Families,
    origins: Origins,
    sources: Sources,
    named: Callable[[NDArray[np.int32], NDArray[np.int64]], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Does each member name the agency, or the origin's outlet, that its copy came from? bool (members,).

    `named` tells which of some texts name an outlet, each one of its own, by number.
    """
    texts, first = found.members, origins.texts[found.owners]
    agency = origins.agencies[found.owners]
    out: NDArray[np.bool_] = (agency >= 0) & (sources.own[texts] == agency)
    places, rows = sources.said(texts)
    out[places[sources.agencies[rows] == agency[places]]] = True
    out |= sources.derived[texts] == first
    outlets = sources.outlets[first]
    left = np.flatnonzero(~out & (outlets >= 0) & (outlets != sources.outlets[texts]))
    out[left] = named(texts[left], outlets[left])
    return out


def _pointed_at(found: Families, sources: Sources) -> NDArray[np.int64]:
    """The members that another of their family says it derives from, by place among `found.members`."""
    count = max(sources.derived.size, 1)
    keys = found.owners.astype(np.int64) * count + found.members
    order = np.argsort(keys)
    theirs = sources.derived[found.members]
    wanted = (found.owners.astype(np.int64) * count + theirs)[theirs >= 0]
    places = np.minimum(np.searchsorted(keys[order], wanted), keys.size - 1)
    return np.unique(order[places[keys[order][places] == wanted]])
