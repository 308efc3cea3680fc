"""Texts that articles are verified against: tokenised once, while they are asked for again and again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dedup.agencies import Credit, credits, declared, mentions
from dedup.online.index import Index, Spot
from dedup.repeats import digests
from dedup.tokens import Tokens, tokenise
from dedup.weigh import Paragraphs, mark_navigation

_MOST = 4096  # texts that are kept at hand
_MOST_TOKENS = 8_000_000  # in all of them

Facts = dict[str, Any]  # of an article: its fields, `time` in microseconds and `order` of arrival


@dataclass(slots=True)
class Known:
    """An article's facts, and its tokens: those of one text."""

    facts: Facts
    tokens: Tokens
    paragraphs: Paragraphs
    keys: list[int]  # of its outlet's paragraphs (`mixed`), none without an outlet
    digest: bytes  # of the tokens
    names: bool  # any agency
    _credits: list[Credit] | None = None

    @property
    def credits(self) -> list[Credit]:
        """The agencies that it credits."""
        if self._credits is None:
            self._credits = credits(self.facts["text"], self.tokens) if self.names else []
            self._credits += declared(self.facts)
        return self._credits


def known(many: list[Facts]) -> list[Known]:
    """Tokenise articles."""
    tokens = tokenise(pa.array([facts["text"] for facts in many], pa.large_string()))
    mark_navigation(tokens)
    cut, digested = Paragraphs.of(tokens), digests(tokens)
    named = set(mentions(tokens)[0].tolist())
    bounds = np.searchsorted(cut.texts, np.arange(len(many) + 1)).tolist()
    outlets = [xxhash.xxh3_64_intdigest((facts["outlet"] or "").encode()) for facts in many]
    keys = mixed(np.array(outlets, np.uint64)[cut.texts], cut.keys).tolist()
    places = tokens.offsets.tolist()
    out = []
    for number, facts in enumerate(many):
        first, stop = places[number : number + 2]
        alone = Tokens(
            tokens.hashes[first:stop].copy(), tokens.starts[first:stop].copy(),
            tokens.ends[first:stop].copy(), tokens.flags[first:stop].copy(), np.array([0, stop - first]),
        )  # fmt: skip
        own = slice(bounds[number], bounds[number + 1])
        firsts = cut.firsts[own] - first
        paragraphs = Paragraphs(
            cut.keys[own].copy(), np.zeros(firsts.size, np.int32), firsts, cut.lengths[own].copy()
        )
        known_by = keys[own] if facts["outlet"] is not None else []
        digest = digested[number].tobytes()
        out.append(Known(facts, alone, paragraphs, known_by, digest, number in named))
    return out


class Texts:
    """The articles of an index by where they are kept; those asked for last are at hand."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._held: OrderedDict[Spot, Known] = OrderedDict()
        self._tokens = 0

    def get(self, spots: list[Spot]) -> dict[Spot, Known]:
        """Some articles; those that are no longer there are left out."""
        out: dict[Spot, Known] = {}
        missing = []
        for spot in spots:
            text = self._held.get(spot)
            if text is None:
                missing.append(spot)
            else:
                self._held.move_to_end(spot)
                out[spot] = text
        if missing:
            found = zip(missing, self._index.articles(missing), strict=True)
            there = {spot: facts for spot, facts in found if facts is not None}
            for spot, text in zip(there, known(list(there.values())), strict=True):
                out[spot] = text
                self.put(spot, text)
        return out

    def put(self, spot: Spot, text: Known) -> None:
        """Have an article at hand."""
        if spot not in self._held:
            self._tokens += text.tokens.hashes.size
        self._held[spot] = text
        while len(self._held) > _MOST or (self._tokens > _MOST_TOKENS and len(self._held) > 1):
            _, gone = self._held.popitem(last=False)
            self._tokens -= gone.tokens.hashes.size

    def clear(self) -> None:
        """Let go of all articles."""
        self._held.clear()
        self._tokens = 0

    def forget(self, spot: Spot) -> None:
        """Let go of an article."""
        text = self._held.pop(spot, None)
        if text is not None:
            self._tokens -= text.tokens.hashes.size


def mixed(outlets: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keys of outlets' paragraphs, from digests of the outlets."""
    return (keys ^ outlets) * np.uint64(0x9E3779B97F4A7C15)
