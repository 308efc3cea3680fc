"""Families that grow: an article joins those of the articles it takes copy from, or founds one with them.

A family is anchored on a part of its founder: a member shares that very part, not merely some text of another
member, so that a round-up does not make one family of two stories. Names stay as families grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.agencies import Credit, names
from dedup.io.hosts import plain
from dedup.online.index import Spot, articles_of, key_of, member_of, packed
from dedup.online.rocks import Changes
from dedup.provenance import AGENCY_ITSELF, COMPLETE, DERIVED, EARLIEST, PURE, WORTH

Spans = list[list[int]]  # half-open, tokens of one article
Head = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an article that families ask for."""

    spot: Spot
    id: str
    outlet: str | None
    time: int
    tokens: int  # boilerplate aside, at least 1
    digest: bytes  # of its tokens
    credits: Callable[[], Sequence[Credit]]  # looked for when they are asked for
    url: str | None = None
    derived_from: str | None = None  # id or address of the article that it says it comes from

    def is_called(self, name: str | None) -> bool:
        """Is this the article of an id or an address?"""
        return name is not None and (name == self.id or bool(self.url and plain(name) == plain(self.url)))


@dataclass(frozen=True, slots=True)
class Link:
    """Copy that an article shares with an earlier one."""

    other: Kept
    spans: Spans  # in the article
    theirs: Spans  # in the other


@dataclass(slots=True)
class Kin:
    """Families as an index has them, and what has changed since; `changed` is for who writes."""

    known: Callable[[str], Head | None]  # a family's head
    of: Callable[[Spot], list[dict[str, Any]]]  # an article's families
    shares: Callable[
        [Spot], Spans | None
    ]  # the spans the article at hand shares with one it was not aligned with
    copy_share: float
    heads: dict[str, Head] = field(default_factory=dict)  # changed, by name
    members: dict[Spot, list[dict[str, Any]]] = field(default_factory=dict)  # changed

    def join(self, article: Kept, links: Sequence[Link]) -> list[str]:
        """Let an article join families by its links, those that account for most of it first; their names."""
        length = 1 + max((span[1] for link in links for span in link.spans), default=0)
        claimed = np.zeros(length, np.bool_)
        joined: list[dict[str, Any]] = []
        for link in links:
            own = _marked(link.spans, length)
            held, fresh, theirs = _size(link.spans), np.count_nonzero(own & ~claimed), _size(link.theirs)
            if joined and fresh < self.copy_share * article.tokens:
                continue
            if max(held / article.tokens, theirs / link.other.tokens) < self.copy_share:
                continue
            name = self._family(article, link) or self._founded(link)
            if all(one["family"] != name for one in joined):
                joined.append({"family": name, "spans": link.spans})
                self._grow(name, article, held)
                self._told(name, article, links)
            claimed |= own
        if joined:
            self.members[article.spot] = joined
        return [one["family"] for one in joined]

    def repeat(self, article: Kept, first: Kept) -> list[str]:
        """Let an article join the families of the one that it repeats word for word."""
        joined = self._of(first.spot)
        if not joined:
            whole = [[0, first.tokens]]
            joined = [{"family": self._founded(Link(first, whole, whole)), "spans": whole}]
        self.members[article.spot] = joined
        for one in joined:
            self._grow(one["family"], article, _size(one["spans"]))
        return [one["family"] for one in joined]

    def changes(self) -> Changes:
        """What to write: families' heads where their latest members are, and who is in which."""
        heads: Changes = [
            (articles_of(head["day"]), b"f" + name.encode(), packed(head))
            for name, head in self.heads.items()
        ]
        members: Changes = [
            (articles_of(spot.day), key_of(b"m", spot.number), packed(families))
            for spot, families in self.members.items()
        ]
        joined: Changes = [
            (articles_of(spot.day), member_of(one["family"], spot.number), b"")
            for spot, families in self.members.items()
            for one in families
        ]
        return heads + members + joined

    def head(self, name: str) -> Head | None:
        """A family's head as it is now."""
        return self.heads.get(name) or self.known(name)

    def _of(self, spot: Spot) -> list[dict[str, Any]]:
        return self.members[spot] if spot in self.members else self.of(spot)

    def _family(self, article: Kept, link: Link) -> str | None:
        """The family of the link's other article that the shared text is of, if its founder has it too."""
        best, most = None, 0
        for one in self._of(link.other.spot):
            common = _common(one["spans"], link.theirs)
            if 2 * common >= min(_size(one["spans"]), _size(link.theirs)) and common > most:
                best, most = one["family"], common
        head = self.head(best) if best else None
        if head is None:
            return None
        founder = Spot(*head["founder"])
        if founder == link.other.spot:
            return best
        theirs = self.shares(founder)
        if theirs is None:  # gone; who is left stands for it
            return best
        common = _common(head["spans"], theirs)
        enough = self.copy_share * min(article.tokens, max(_size(head["spans"]), 1))
        return best if common >= enough else None

    def _founded(self, link: Link) -> str:
        """Found a family on what another article shares."""
        founder = link.other
        key = founder.digest + repr(link.theirs[0][0] if self._of(founder.spot) else 0).encode()
        name = xxhash.xxh3_64_hexdigest(key)
        if self.head(name) is None:
            self.heads[name] = {
                "family": name, "founder": list(founder.spot), "spans": link.theirs, "size": 0, "votes": {},
                "earliest": founder.time, "most": 0, "origin": None, "day": founder.spot.day,
            }  # fmt: skip
            self.members[founder.spot] = [
                *self._of(founder.spot), {"family": name, "spans": link.theirs},
            ]  # fmt: skip
            self._grow(name, founder, _size(link.theirs))
        return name

    def _grow(self, name: str, article: Kept, held: int) -> None:
        """Count a member, and see whether it is nearer to the original than those before it."""
        head = {**(self.head(name) or {})}
        head["size"] += 1
        head["day"] = max(head["day"], article.spot.day)
        head["earliest"] = min(head["earliest"], article.time)
        head["most"] = max(head["most"], held)
        member = _member(article, held)
        votes = dict(head["votes"])
        for voice, weight in _votes([member]).items():
            votes[voice] = votes.get(voice, 0.0) + weight
        head["votes"] = votes
        self._compared(name, head, member)

    def _told(self, name: str, article: Kept, links: Sequence[Link]) -> None:
        """Take note of the member that an article says it comes from."""
        for link in links:
            if not link.other.is_called(article.derived_from):
                continue
            for one in self._of(link.other.spot):
                if one["family"] == name:
                    head = {**(self.head(name) or {})}
                    head["derived"] = sorted({*head.get("derived", ()), link.other.id})
                    self._compared(name, head, _member(link.other, _size(one["spans"])))

    def _compared(self, name: str, head: Head, member: dict[str, Any]) -> None:
        """Keep a head, with the member as its origin if that is nearer to the original."""
        best = head["origin"]
        if best is None or _points(member, head) > _points(best, head):
            head["origin"] = member
        self.heads[name] = head


def without(head: Head, rest: Sequence[tuple[Kept, Spans]]) -> Head:
    """The head of a family of which one left that it told of; the rest, not empty, with what is its copy."""
    members = [_member(article, _size(spans)) for article, spans in rest]
    head = {
        **head, "size": len(rest), "earliest": min(article.time for article, _ in rest),
        "most": max(member["held"] for member in members), "votes": _votes(members),
        "day": max(article.spot.day for article, _ in rest),
    }  # fmt: skip
    return {**head, "origin": max(members, key=lambda member: _points(member, head))}


def _votes(members: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The agencies that members are or credit, and how much speaks for each."""
    votes: dict[str, float] = {}
    for member in members:
        voices = [member["agency"]] if member["agency"] else sorted(member["said"])
        for voice in voices:
            votes[voice] = votes.get(voice, 0.0) + (0.01 + member["share"]) / len(voices)
    return votes


def _member(article: Kept, held: int) -> dict[str, Any]:
    """What tells how near a member is to the original."""
    return {
        "id": article.id, "held": held, "share": min(1.0, held / article.tokens), "time": article.time,
        "agency": names().get(article.outlet or ""), "said": _said(article.credits()),
    }  # fmt: skip


def _points(member: Mapping[str, Any], head: Head) -> float:
    """How near a member is to the original, as `provenance.origins` has it."""
    votes = head["votes"]
    agency = min(votes, key=lambda name: (-votes[name], name)) if votes else None
    named = AGENCY_ITSELF if agency and member["agency"] == agency else member["said"].get(agency, 0.0)
    first = EARLIEST if member["time"] == head["earliest"] else 0.0
    derived = DERIVED if member["id"] in head.get("derived", ()) else 0.0
    return float(
        derived + named + first + COMPLETE * member["held"] / max(head["most"], 1) + PURE * member["share"]
    )


def _said(credits: Sequence[Credit]) -> dict[str, float]:
    """The agencies that an article credits for text, and what that is worth."""
    out: dict[str, float] = {}
    for credit in credits:
        if credit.kind != "picture":
            out[credit.agency] = max(WORTH[credit.kind], out.get(credit.agency, 0.0))
    return out


def _marked(spans: Spans, length: int) -> NDArray[np.bool_]:
    marks = np.zeros(length, np.bool_)
    for start, stop in spans:
        marks[start:stop] = True
    return marks


def _size(spans: Spans) -> int:
    return sum(stop - start for start, stop in spans)


def _common(one: Spans, other: Spans) -> int:
    """Tokens that lie in both of two sets of spans."""
    return sum(max(0, min(b, d) - max(a, c)) for a, b in one for c, d in other)
