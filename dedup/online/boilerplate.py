"""Boilerplate as it shows itself over time: paragraphs that an outlet repeats across unrelated stories.

The rule is `weigh.mark_repeated`'s, one article after another: what is boilerplate now is so from now on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dedup.kernels.tokenise import BOILERPLATE
from dedup.online.index import DAY, Index, Spot, articles_of
from dedup.online.rocks import Changes
from dedup.online.texts import Known
from dedup.weigh import LARGEST, RELATED, STORIES

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
    held: dict[int, dict[int, _State | None]] = field(default_factory=dict)  # by partition, as it is written

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
        keys = {key for _, text, _ in texts for key in text.keys} - self.found
        lasts = {Spot(*state[2:]) for day in days for state in self._states(day, keys)}
        there = {**texts_of(sorted(lasts)), **{spot: text for spot, text, _ in texts}}
        for number, (spot, text, reach) in enumerate(texts):
            states, new = self._seen(spot, text, [self.held[day] for day in reversed(reach)], there)
            if new and number:
                return number
            self.states |= states
            self.new |= new
        return len(texts)

    def _states(self, day: int, keys: set[int]) -> Iterator[_State]:
        """What a partition has of paragraphs, which is `held` from now on."""
        held = self.held.setdefault(day, {})
        asked = list(keys - held.keys())
        values = self.index.rocks.several(articles_of(day), [_name(key) for key in asked])
        for key, value in zip(asked, values, strict=True):
            held[key] = None if value is None else _STATE.unpack(value)
        return filter(None, map(held.__getitem__, keys))

    def _seen(
        self, spot: Spot, text: Known, held: list[dict[int, _State | None]], there: Mapping[Spot, Known]
    ) -> tuple[dict[int, _State], set[int]]:
        """What is known of an article's paragraphs with it, and those that are boilerplate from now on."""
        day = -1 if text.facts["published"] is None else text.facts["time"] // DAY
        states: dict[int, _State] = {}
        new: set[int] = set()
        for place, key in enumerate(text.keys):
            if key in states or self.knows(key):
                continue  # it stands here twice, or there is nothing more to learn of it
            stories, first = 1, day
            state = self.states.get(key) or next(filter(None, (column[key] for column in held)), None)
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
            (articles_of(state[2]), _name(key), _STATE.pack(*state)) for key, state in self.states.items()
        ]
        new: Changes = [("default", b"b" + key.to_bytes(8, "big"), b"") for key in self.new]
        return states + new

    def settled(self) -> None:
        """What the batch showed is so from now on."""
        self.found |= self.new
        for key, state in self.states.items():
            self.held.setdefault(state[2], {})[key] = state
        self.forgotten()

    def let_go(self) -> None:
        """Hold nothing that others may change."""
        self.held.clear()

    def forgotten(self) -> None:
        """As before the batch."""
        self.new.clear()
        self.states.clear()


def _related(one: Known, two: Known, place: int) -> bool:
    """Are two texts one story, or is the paragraph at `place` of the second too much of either?"""
    shortest = min(one.tokens.hashes.size, two.tokens.hashes.size)
    if two.paragraphs.lengths[place] > LARGEST * shortest:
        return True
    others = set(two.paragraphs.keys.tolist()) - {int(two.paragraphs.keys[place])}
    lengths = zip(one.paragraphs.keys.tolist(), one.paragraphs.lengths.tolist(), strict=True)
    common = sum(length for key, length in lengths if key in others)
    return bool(common >= RELATED * shortest)


def _name(key: int) -> bytes:
    return b"p" + key.to_bytes(8, "big")
