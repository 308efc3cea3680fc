"""Boilerplate as it shows itself over time: paragraphs that an outlet repeats across unrelated stories.

The rule is `weigh.mark_repeated`'s, one article after another: what is boilerplate now is so from now on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dedup.kernels.tokenise import BOILERPLATE
from dedup.online.index import DAY, Changes, Index, Spot, articles_of
from dedup.online.texts import Known
from dedup.weigh import LARGEST, RELATED, STORIES, Paragraphs

_State = tuple[int, int, int, int]
_STATE = struct.Struct(">HiiI")  # unrelated stories, day of the first (-1: not known), where the last is kept


@dataclass(slots=True)
class Boilerplate:
    """What is known of outlets' paragraphs; `changes` are for who writes."""

    index: Index
    found: set[int]  # keys (`mixed`) of paragraphs that are boilerplate
    states: dict[int, _State] = field(default_factory=dict)  # changed

    @classmethod
    def of(cls, index: Index) -> Boilerplate:
        """As an index has it."""
        return cls(index, {int.from_bytes(key[1:], "big") for key, _ in index.rocks.range("default", b"b")})

    def flags(self, text: Known) -> NDArray[np.uint8]:
        """The flags of a text's tokens, with its boilerplate."""
        if self.found.isdisjoint(text.keys):
            return text.tokens.flags
        flags = text.tokens.flags.copy()
        for place, key in enumerate(text.keys):
            if key in self.found:
                first = text.paragraphs.firsts[place]
                flags[first : first + text.paragraphs.lengths[place]] |= BOILERPLATE
        return flags

    def take(
        self, texts: Sequence[tuple[Spot, Known, list[int]]], last_of: Callable[[Spot], Known | None]
    ) -> int:
        """Take note of the paragraphs of articles in turn, each with the partitions that it looks into.

        Ends before one, other than the first, that shows new boilerplate: those before it do not know of that
        yet. Returns how many were taken.
        """
        days = sorted({day for _, _, reach in texts for day in reach})
        keys = list(dict.fromkeys(key for _, text, _ in texts for key in text.keys))
        names = [b"p" + key.to_bytes(8, "big") for key in keys]
        held = [
            dict(zip(keys, self.index.rocks.several(articles_of(day), names), strict=True)) for day in days
        ]
        for number, (spot, text, reach) in enumerate(texts):
            there = [column for own, column in zip(days, held, strict=True) if own in reach]
            states, found = self._seen(spot, text, there, last_of)
            if found and number:
                return number
            self.states |= states
            self.found |= found
        return len(texts)

    def _seen(
        self,
        spot: Spot,
        text: Known,
        held: list[dict[int, bytes | None]],
        last_of: Callable[[Spot], Known | None],
    ) -> tuple[dict[int, _State], set[int]]:
        """What is known of an article's paragraphs with it, and those that are boilerplate now."""
        day = -1 if text.facts["published"] is None else text.facts["time"] // DAY
        states: dict[int, _State] = {}
        found: set[int] = set()
        for place, key in enumerate(text.keys):
            if key in states:
                continue  # it stands here twice
            stories, first = 1, day
            state = self._state(key, held)
            if state is not None:
                stories, first, *where = state
                last = last_of(Spot(*where))
                stories += last is not None and not _related(last, text, place)
                if stories >= STORIES and (first < 0 or first != day) and key not in self.found:
                    found.add(key)
            states[key] = min(stories, 65535), first, *spot
        return states, found

    def _state(self, key: int, held: list[dict[int, bytes | None]]) -> _State | None:
        """What is known of a paragraph, the latest first."""
        if key in self.states:
            return self.states[key]
        for column in reversed(held):
            value = column[key]
            if value is not None:
                return _STATE.unpack(value)
        return None

    def changes(self, before: set[int]) -> Changes:
        """What to write: states, and the boilerplate that was not known `before`."""
        states: Changes = [
            (articles_of(state[2]), b"p" + key.to_bytes(8, "big"), _STATE.pack(*state))
            for key, state in self.states.items()
        ]
        new: Changes = [("default", b"b" + key.to_bytes(8, "big"), b"") for key in self.found - before]
        return states + new


def _related(one: Known, two: Known, place: int) -> bool:
    """Are two texts one story, or is the paragraph at `place` of the second too much of either?"""
    shortest = min(one.tokens.hashes.size, two.tokens.hashes.size)
    if two.paragraphs.lengths[place] > LARGEST * shortest:
        return True
    common = np.isin(one.paragraphs.keys, _without(two.paragraphs, two.paragraphs.keys[place]))
    return bool(one.paragraphs.lengths[common].sum() >= RELATED * shortest)


def _without(paragraphs: Paragraphs, key: np.uint64) -> NDArray[np.uint64]:
    kept: NDArray[np.uint64] = paragraphs.keys[paragraphs.keys != key]
    return kept
