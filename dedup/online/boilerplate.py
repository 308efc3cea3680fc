"""Boilerplate as it shows itself over time: paragraphs that an outlet repeats across unrelated stories.

The rule is `weigh.mark_repeated`'s, one article after another: what is boilerplate now is so from now on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dedup.kernels.tokenise import BOILERPLATE
from dedup.online.index import DAY, Index, Spot, articles_of
from dedup.online.rocks import Changes
from dedup.online.texts import Known
from dedup.weigh import LARGEST, RELATED, STORIES, Paragraphs

_State = tuple[int, int, int, int]
_STATE = struct.Struct(">HiiI")  # unrelated stories, day of the first (-1: not known), where the last is kept


@dataclass(slots=True)
class Boilerplate:
    """What is known of outlets' paragraphs.

    What a batch changes is kept apart until it is `settled`, when it is written down, or `forgotten`.
    """

    index: Index
    found: set[int]  # keys (`mixed`) of paragraphs that are boilerplate
    new: set[int] = field(default_factory=set)  # that a batch has shown to be
    states: dict[int, _State] = field(default_factory=dict)  # that a batch has changed

    @classmethod
    def of(cls, index: Index) -> Boilerplate:
        """As an index has it."""
        return cls(index, {int.from_bytes(key[1:], "big") for key, _ in index.rocks.range("default", b"b")})

    def knows(self, key: int) -> bool:
        """Is a paragraph boilerplate?"""
        return key in self.found or key in self.new

    def flags(self, text: Known) -> NDArray[np.uint8]:
        """The flags of a text's tokens, with its boilerplate."""
        if self.found.isdisjoint(text.keys) and self.new.isdisjoint(text.keys):
            return text.tokens.flags
        flags = text.tokens.flags.copy()
        for place, key in enumerate(text.keys):
            if self.knows(key):
                first = text.paragraphs.firsts[place]
                flags[first : first + text.paragraphs.lengths[place]] |= BOILERPLATE
        return flags

    def take(
        self,
        texts: Sequence[tuple[Spot, Known, list[int]]],
        texts_of: Callable[[list[Spot]], Mapping[Spot, Known]],
    ) -> int:
        """Take note of the paragraphs of articles in turn, each with the partitions that it looks into.

        Ends before one, other than the first, that shows new boilerplate: those before it do not know of that
        yet. Returns how many were taken.
        """
        days = sorted({day for _, _, reach in texts for day in reach})
        keys = list(dict.fromkeys(key for _, text, _ in texts for key in text.keys if not self.knows(key)))
        names = [b"p" + key.to_bytes(8, "big") for key in keys]
        held: dict[int, dict[int, _State]] = {}
        for day in days:
            values = self.index.rocks.several(articles_of(day), names)
            column = zip(keys, values, strict=True)
            held[day] = {key: _STATE.unpack(value) for key, value in column if value is not None}
        lasts = {Spot(*state[2:]) for column in held.values() for state in column.values()}
        there = {**texts_of(sorted(lasts)), **{spot: text for spot, text, _ in texts}}
        for number, (spot, text, reach) in enumerate(texts):
            states, new = self._seen(spot, text, [held[day] for day in reversed(reach)], there)
            if new and number:
                return number
            self.states |= states
            self.new |= new
        return len(texts)

    def _seen(
        self, spot: Spot, text: Known, held: list[dict[int, _State]], there: Mapping[Spot, Known]
    ) -> tuple[dict[int, _State], set[int]]:
        """What is known of an article's paragraphs with it, and those that are boilerplate from now on."""
        day = -1 if text.facts["published"] is None else text.facts["time"] // DAY
        states: dict[int, _State] = {}
        new: set[int] = set()
        for place, key in enumerate(text.keys):
            if key in states or self.knows(key):
                continue  # it stands here twice, or there is nothing more to learn of it
            stories, first = 1, day
            state = self.states.get(key) or next((column[key] for column in held if key in column), None)
            if state is not None:
                stories, first, *where = state
                last = there.get(Spot(*where))
                stories += last is not None and not _related(last, text, place)
                enough = STORIES[int(text.paragraphs.keys[place]) & 1]
                if stories >= enough and (first < 0 or first != day):
                    new.add(key)
            states[key] = min(stories, 65535), first, *spot
        return states, new

    def changes(self) -> Changes:
        """What a batch changes."""
        states: Changes = [
            (articles_of(state[2]), b"p" + key.to_bytes(8, "big"), _STATE.pack(*state))
            for key, state in self.states.items()
        ]
        new: Changes = [("default", b"b" + key.to_bytes(8, "big"), b"") for key in self.new]
        return states + new

    def settled(self) -> None:
        """What the batch showed is so from now on."""
        self.found |= self.new
        self.forgotten()

    def forgotten(self) -> None:
        """As before the batch."""
        self.new.clear()
        self.states.clear()


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
