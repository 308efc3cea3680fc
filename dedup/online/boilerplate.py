"""Boilerplate as it shows itself over time: paragraphs that an outlet repeats across unrelated stories.

The rule is `weigh.mark_repeated`'s, one article after another: what is boilerplate now is so from now on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.csr import owners
from dedup.kernels.weigh import mark
from dedup.online.index import DAY, Index, Spot, articles_of
from dedup.online.rocks import Changes
from dedup.online.texts import Known, paragraphs_of, tokens_of
from dedup.tokens import Tokens
from dedup.weigh import LARGEST, RELATED, STORIES
from dedup.winnow import among

_State = tuple[int, int, int, int]
_STATE = struct.Struct(">HiiI")  # unrelated stories, day of the first (or _NO_DAY), where the last is kept
_STATES = np.dtype([("stories", ">u2"), ("first", ">i4"), ("day", ">i4"), ("number", ">u4")])  # the same
_NAME = np.dtype([("kind", "S1"), ("name", ">u8")])
_NO_DAY = -(2**31)  # of an article whose day is not known
_MOST = 65_535  # stories that are counted

Asked = tuple[Spot, Known, list[int]]  # an article, where it will be kept, the partitions it looks into


@dataclass(slots=True)
class Boilerplate:
    """What is known of outlets' paragraphs.

    What a batch changes is kept apart until it is `settled`, when it is written down, or `forgotten`.
    """

    index: Index
    found: NDArray[np.uint64]  # names (`mixed`) of paragraphs that are boilerplate, sorted
    new: set[int] = field(default_factory=set)  # that a batch has shown to be
    states: dict[int, dict[int, _State]] = field(default_factory=dict)  # by partition, of those in several
    alone: list[tuple[int, NDArray[Any], NDArray[Any]]] = field(default_factory=list)  # of others: `_alone`

    @classmethod
    def of(cls, index: Index) -> Boilerplate:
        """As an index has it."""
        found = [int.from_bytes(key[1:], "big") for key, _ in index.rocks.range("default", b"b")]
        return cls(index, np.array(sorted(found), np.uint64))

    def tokens(self, texts: Sequence[Known]) -> Tokens:
        """The tokens of texts, with the boilerplate known by now in their flags."""
        tokens = tokens_of(texts)
        rows, bounds = paragraphs_of(texts)
        told = np.flatnonzero(self._knows(rows["name"].copy()))
        firsts = tokens.offsets[owners(bounds)[told]] + rows["first"][told]
        mark(tokens.flags, firsts, rows["length"][told])
        return tokens

    def _knows(self, names: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which paragraphs are boilerplate, bool (n,)."""
        new = np.array(sorted(self.new), np.uint64)
        return among(names, np.sort(np.concatenate([self.found, new])) if new.size else self.found)

    def take(self, texts: Sequence[Asked], texts_of: Callable[[list[Spot]], Mapping[Spot, Known]]) -> int:
        """Take note of the paragraphs of articles in turn.

        Ends before one, other than the first, that shows new boilerplate: those before it do not know of that
        yet. Returns how many were taken.
        """
        rows, bounds = paragraphs_of([text for _, text, _ in texts])
        told = np.flatnonzero(~self._knows(rows["name"].copy()))  # of the others there is nothing to learn
        numbers, names = owners(bounds)[told], rows["name"][told]
        asked, several = set[int](), set[int]()
        for name in names.tolist():
            (several if name in asked else asked).add(name)
        held = {day: self._states(day, list(asked)) for day in {day for *_, reach in texts for day in reach}}
        lasts = {Spot(*state[2:]) for states in held.values() for state in states.values()}
        there = {**texts_of(sorted(lasts)), **{spot: text for spot, text, _ in texts}}
        several.update(*held.values())
        is_alone = np.array([name not in several for name in names.tolist()], np.bool_)
        count = len(texts)
        for number in sorted(set(numbers[~is_alone].tolist())):
            spot, text, reach = texts[number]
            before = [of[day] for day in reversed(reach) for of in (self.states, held) if day in of]
            states, new = self._seen(spot, text, several, before, there)
            if new and number:
                count = number
                break
            self.states.setdefault(spot.day, {}).update(states)
            self.new |= new
        rest = is_alone & (numbers < count)
        self.alone = _alone(names[rest], numbers[rest], texts)
        return count

    def _states(self, day: int, names: list[int]) -> dict[int, _State]:
        """What a partition has of paragraphs."""
        values = self.index.rocks.several(articles_of(day), _named(np.array(names, np.uint64)))
        there = zip(names, values, strict=True)
        return {name: _STATE.unpack(value) for name, value in there if value is not None}

    def _seen(
        self,
        spot: Spot,
        text: Known,
        several: set[int],
        held: list[dict[int, _State]],
        there: Mapping[Spot, Known],
    ) -> tuple[dict[int, _State], set[int]]:
        """What is known of an article's paragraphs with it, and those that are boilerplate from now on.

        Only of those among `several`, of which others are known.
        """
        day = _day(text)
        states: dict[int, _State] = {}
        new: set[int] = set()
        rows, _ = paragraphs_of([text])
        for place, name in enumerate(rows["name"].tolist()):
            if name not in several or name in states or name in self.new:
                continue  # it stands here twice, or there is nothing more to learn of it
            stories, first = 1, day
            state = next((own[name] for own in held if name in own), None)
            if state is not None:
                stories, first, *where = state
                last = there.get(Spot(*where))
                stories += last is not None and not _related(last, text, place)
                enough = STORIES[int(rows["key"][place]) & 1]
                if stories >= enough and (first == _NO_DAY or first != day):
                    new.add(name)
            states[name] = min(stories, _MOST), first, *spot
        return states, new

    def changes(self) -> Changes:
        """What a batch changes."""
        changes: Changes = [
            (articles_of(day), b"p" + name.to_bytes(8, "big"), _STATE.pack(*state))
            for day, states in self.states.items()
            for name, state in states.items()
        ]
        for day, names, states in self.alone:
            values = states.view(f"V{_STATES.itemsize}").tolist()
            own = articles_of(day)
            changes += [(own, name, value) for name, value in zip(_named(names), values, strict=True)]
        changes += [("default", b"b" + name.to_bytes(8, "big"), b"") for name in self.new]
        return changes

    def settled(self) -> None:
        """What the batch showed is so from now on."""
        if self.new:
            self.found = np.sort(np.append(self.found, np.array(sorted(self.new), np.uint64)))
        self.forgotten()

    def forgotten(self) -> None:
        """As before the batch."""
        self.new.clear()
        self.states.clear()
        self.alone.clear()


def _alone(
    names: NDArray[np.uint64], numbers: NDArray[np.int64], texts: Sequence[Asked]
) -> list[tuple[int, NDArray[np.uint64], NDArray[Any]]]:
    """Paragraphs that stand in one article each, its number given: by partition names, and _STATES."""
    states = np.array([(1, _day(text), *spot) for spot, text, _ in texts], _STATES)[numbers]
    return [
        (day, names[own], states[own])
        for day in np.unique(states["day"]).tolist()
        for own in [states["day"] == day]
    ]


def _day(text: Known) -> int:
    """The day an article was published, if that is known."""
    return _NO_DAY if text.facts["published"] is None else int(text.facts["time"] // DAY)


def _related(one: Known, two: Known, place: int) -> bool:
    """Are two texts one story, or is the paragraph at `place` of the second too much of either?"""
    shortest = min(one.size, two.size)
    theirs, bounds = paragraphs_of([one, two])
    ours, theirs = theirs[bounds[1] :], theirs[: bounds[1]]
    if ours["length"][place] > LARGEST * shortest:
        return True
    others = ours["key"][ours["key"] != ours["key"][place]]
    common = theirs["length"][np.isin(theirs["key"], others)].sum()
    return bool(common >= RELATED * shortest)


def _named(names: NDArray[np.uint64]) -> list[bytes]:
    """The keys under which paragraphs are kept."""
    keys = np.empty(names.size, _NAME)
    keys["kind"], keys["name"] = b"p", names
    whole: list[bytes] = keys.view(f"V{_NAME.itemsize}").tolist()
    return whole
