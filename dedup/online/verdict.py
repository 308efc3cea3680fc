"""Verdicts: what an article is to those that came before it, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dedup.schema import COPIES

VERDICTS = (
    "new",  # carries nobody's copy
    "duplicate",  # the same normalised text
    "copy",  # all but the same: edited, an excerpt, or extended
    "update",  # a newer version from the same outlet, the same address, or under the same id
    "partial",  # passages of others, and text of its own
)
DROPPED = ("duplicate", "copy")  # unless told otherwise


@dataclass(frozen=True, slots=True)
class Shared:
    """One passage, half-open, in characters of the two original texts."""

    start: int  # in the article
    end: int
    their_start: int  # in the one that it matches
    their_end: int
    matched_tokens: int
    kind: str  # one of schema.PASSAGE_KINDS


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier article that shares copy with this one."""

    id: str
    relation: str  # one of schema.RELATIONS: what the article is to this match
    containment: float  # share of the article's tokens, boilerplate aside, found in the match
    their_containment: float  # share of the match's found in the article
    passages: tuple[Shared, ...]  # in text order


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an article is to those that came before it."""

    id: str
    verdict: str  # one of VERDICTS
    matches: tuple[Match, ...] = ()  # the one that accounts for most of the article first
    families: tuple[str, ...] = ()  # the first is the one that most of the article belongs to
    origin: str | None = None  # of the first family: the article it likely comes from
    notes: tuple[str, ...] = ()  # what was doubtful about the article itself

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        matches = [
            {
                "id": match.id, "relation": match.relation, "containment": match.containment,
                "their_containment": match.their_containment,
                "passages": [
                    {
                        "start": one.start, "end": one.end, "their_start": one.their_start,
                        "their_end": one.their_end, "matched_tokens": one.matched_tokens, "kind": one.kind,
                    }
                    for one in match.passages
                ],
            }
            for match in self.matches
        ]  # fmt: skip
        return {
            "id": self.id, "verdict": self.verdict, "matches": matches, "families": list(self.families),
            "origin": self.origin, "notes": list(self.notes),
        }  # fmt: skip

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Verdict:
        """From what `plain` gave."""
        matches = tuple(
            Match(**{**match, "passages": tuple(Shared(**shared) for shared in match["passages"])})
            for match in plain["matches"]
        )
        lists = {name: tuple(plain[name]) for name in ("families", "notes")}
        return cls(plain["id"], plain["verdict"], matches, origin=plain["origin"], **lists)


def named(relations: list[str], *, newer: bool) -> str:
    """The verdict on an article from its `relations` to its matches, the most telling one first.

    `newer`: it is a newer version of one of them.
    """
    if "duplicate" in relations:
        return "duplicate"
    if newer or "update" in relations:
        return "update"
    if COPIES.intersection(relations):
        return "copy"
    return "partial" if relations else "new"
