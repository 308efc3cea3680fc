"""Boilerplate as it shows itself over time: paragraphs that an outlet repeats across unrelated stories.

The rule is `weigh.mark_repeated`'s, one article after another: what is boilerplate now is so from now on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dedup.kernels.tokenise import BOILERPLATE
from dedup.online.index import Changes, Index, Spot, articles_of
from dedup.online.texts import Known, mixed
from dedup.weigh import LARGEST, RELATED, STORIES, Paragraphs

_STATE = struct.Struct(">HiiI")  # unrelated stories, day of the first (-1: not known), where the last is kept


@dataclass(slots=True)
class Boilerplate:
    """What is known of outlets' paragraphs; `changes` are for who writes."""

    index: Index
    found: set[int]  # keys (`mixed`) of paragraphs that are boilerplate
    states: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)  # changed, with the partition they go to

    @classmethod
    def of(cls, index: Index) -> Boilerplate:
        """As an index has it."""
        return cls(index, {int.from_bytes(key[1:], "big") for key, _ in index.rocks.range("default", b"b")})

    def flags(self, text: Known) -> NDArray[np.uint8]:
        """The flags of a text's tokens, with its boilerplate."""
        outlet, paragraphs = text.facts.get("outlet"), text.paragraphs
        if outlet is None or not self.found or not paragraphs.keys.size:
            return text.tokens.flags
        own = [key in self.found for key in mixed(outlet, paragraphs.keys).tolist()]
        if not any(own):
            return text.tokens.flags
        flags = text.tokens.flags.copy()
        for first, size in zip(paragraphs.firsts[own].tolist(), paragraphs.lengths[own].tolist(), strict=True):
            flags[first : first + size] |= BOILERPLATE
        return flags

    def take(self, spot: Spot, text: Known, days: list[int], last_of: Callable[[Spot], Known | None]) -> None:
        """Take note of an article's paragraphs; `days` are the partitions to look into, the latest last."""
        outlet, paragraphs = text.facts.get("outlet"), text.paragraphs
        if outlet is None or not paragraphs.keys.size:
            return
        own = mixed(outlet, paragraphs.keys)
        keys = list(dict.fromkeys(own.astype(">u8").tobytes()[at : at + 8] for at in range(0, 8 * own.size, 8)))
        day = -1 if text.facts["published"] is None else text.facts["time"] // 86_400_000_000
        for key, state in zip(keys, self._states(keys, days), strict=True):
            place = int(np.flatnonzero(own == int.from_bytes(key, "big"))[0])
            stories, first = 1, day
            if state is not None:
                stories, first, where, number = _STATE.unpack(state)
                last = last_of(Spot(where, number))
                if last is not None and not _related(last, text, place):
                    stories += 1
                if stories >= STORIES and (first < 0 or first != day):
                    self.found.add(int.from_bytes(key, "big"))
            self.states[key] = spot.day, _STATE.pack(min(stories, 65535), first, *spot)

    def changes(self, before: set[int]) -> Changes:
        """What to write: states, and the boilerplate that was not known `before`."""
        states: Changes = [(articles_of(day), b"p" + key, state) for key, (day, state) in self.states.items()]
        new: Changes = [("default", b"b" + key.to_bytes(8, "big"), b"") for key in self.found - before]
        return states + new

    def _states(self, keys: list[bytes], days: list[int]) -> list[bytes | None]:
        out: list[bytes | None] = [self.states[key][1] if key in self.states else None for key in keys]
        for day in reversed(days):
            missing = [place for place, state in enumerate(out) if state is None]
            if not missing:
                break
            values = self.index.rocks.several(articles_of(day), [b"p" + keys[place] for place in missing])
            for place, value in zip(missing, values, strict=True):
                out[place] = value
        return out


def _related(one: Known, two: Known, place: int) -> bool:
    """Are two texts one story, or is the paragraph at `place` of the second too much of either?"""
    shortest = min(one.tokens.hashes.size, two.tokens.hashes.size)
    if two.paragraphs.lengths[place] > LARGEST * shortest:
        return True
    common = np.isin(one.paragraphs.keys, _without(two.paragraphs, two.paragraphs.keys[place]))
    return bool(one.paragraphs.lengths[common].sum() >= RELATED * shortest)


def _without(paragraphs: Paragraphs, key: np.uint64) -> NDArray[np.uint64]:
    return paragraphs.keys[paragraphs.keys != key]
