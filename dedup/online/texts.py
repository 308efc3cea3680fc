"""Texts that articles are verified against: tokenised once, while they are asked for again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dedup.agencies import Credit, credits_of, declared, mentions
from dedup.csr import Offsets, counts_of, offsets_of
from dedup.kernels.places import unpack_all
from dedup.online.index import Index, Spot
from dedup.places import pack, spread
from dedup.repeats import digests
from dedup.threads import in_order
from dedup.tokens import Tokens, tokenise
from dedup.weigh import Paragraphs, mark_navigation

_MOST = 32_768  # texts that are kept at hand
_MOST_TOKENS = 16_000_000  # in all of them
_AT_ONCE = 32  # texts that a thread takes in one go, at least
_PLACED = 2  # bytes of a token's place, unless it does not fit (`places.pack`)

T = TypeVar("T")
R = TypeVar("R")

Facts = dict[str, Any]  # of an article: its fields, `time` in microseconds and `order` of arrival

# A paragraph: its outlet's (`mixed`), itself (`weigh.Paragraphs`), its first token and how many there are.
PARAGRAPH = np.dtype([("name", np.uint64), ("key", np.uint64), ("first", np.int32), ("length", np.int32)])


@dataclass(slots=True)
class Known:
    """An article's facts, and what is made of its text, in bytes: those of many texts are soon joined."""

    facts: Facts  # without the text, once others may ask for the article
    size: int  # tokens
    hashes: bytes  # uint32, as in `Tokens`
    flags: bytes  # uint8
    places: bytes  # uint8, as `kernels.places.unpack_all` takes them
    paragraphs: bytes  # of PARAGRAPH; none without an outlet
    digest: bytes  # of the tokens
    names: bool  # any agency
    credits: list[Credit] | None = None  # the agencies that it credits, once somebody asked (`Texts.credits`)


def known(many: Sequence[Facts]) -> list[Known]:
    """Tokenise articles."""
    tokens = tokenise(pa.array([facts["text"] for facts in many], pa.large_string()))
    mark_navigation(tokens)
    digested = digests(tokens).tobytes()
    named = set(mentions(tokens)[0].tolist())
    hashes, flags, bounds = tokens.hashes.tobytes(), tokens.flags.tobytes(), tokens.offsets.tolist()
    places, paragraphs = _places(tokens), _paragraphs(tokens, many)
    return [
        Known(
            facts, stop - first, hashes[4 * first : 4 * stop], flags[first:stop], places[number],
            paragraphs[number], digested[16 * number : 16 * number + 16], number in named,
        )
        for number, (facts, (first, stop)) in enumerate(zip(many, pairwise(bounds), strict=True))
    ]  # fmt: skip


def _places(tokens: Tokens) -> list[bytes]:
    """Where the tokens of each text stand."""
    packed, odd = pack(tokens)
    out = _cut(packed, tokens.offsets)
    for text in np.flatnonzero(odd).tolist():
        out[text] = spread(tokens.part(text, text + 1), odd[text : text + 1]).tobytes()
    return out


def _paragraphs(tokens: Tokens, many: Sequence[Facts]) -> list[bytes]:
    """The paragraphs of each text that has an outlet."""
    cut = Paragraphs.of(tokens)
    outlets = [xxhash.xxh3_64_intdigest((facts["outlet"] or "").encode()) for facts in many]
    rows = np.empty(cut.keys.size, PARAGRAPH)
    rows["name"], rows["key"] = mixed(np.array(outlets, np.uint64)[cut.texts], cut.keys), cut.keys
    rows["first"], rows["length"] = cut.firsts - tokens.offsets[cut.texts], cut.lengths
    own = _cut(rows, np.searchsorted(cut.texts, np.arange(len(many) + 1)))
    return [b"" if facts["outlet"] is None else rows for facts, rows in zip(many, own, strict=True)]


def _cut(rows: NDArray[Any], bounds: NDArray[np.int64]) -> list[bytes]:
    """The bytes of each text's rows."""
    data, places = rows.tobytes(), (rows.itemsize * bounds).tolist()
    return [data[first:stop] for first, stop in pairwise(places)]


def tokens_of(texts: Sequence[Known]) -> Tokens:
    """The tokens of several texts, those of the first before those of the next."""
    hashes = np.frombuffer(bytearray().join([text.hashes for text in texts]), np.uint32)
    flags = np.frombuffer(bytearray().join([text.flags for text in texts]), np.uint8)
    places = np.frombuffer(bytearray().join([text.places for text in texts]), np.uint8)
    offsets = offsets_of(np.array([text.size for text in texts], np.int64))
    bounds = offsets_of(np.array([len(text.places) for text in texts], np.int64))
    starts, ends = np.empty(hashes.size, np.int32), np.empty(hashes.size, np.int32)
    wide = counts_of(bounds) != _PLACED * counts_of(offsets)
    unpack_all(places, bounds, wide, offsets, starts, ends)
    return Tokens(hashes, starts, ends, flags, offsets)


def paragraphs_of(texts: Sequence[Known]) -> tuple[NDArray[Any], Offsets]:
    """The paragraphs of several texts, of PARAGRAPH, and the bounds of each text's."""
    rows = np.frombuffer(b"".join([text.paragraphs for text in texts]), PARAGRAPH)
    sizes = np.array([len(text.paragraphs) for text in texts], np.int64)
    return rows, offsets_of(sizes // PARAGRAPH.itemsize)


class Texts:
    """The articles of an index by where they are kept; those asked for last are at hand."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._held: OrderedDict[Spot, Known] = OrderedDict()
        self._tokens = 0

    def get(self, spots: Sequence[Spot]) -> dict[Spot, Known]:
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
        for spot, text in self._shared(self._read, missing):
            out[spot] = text
            self.put(spot, text)
        return out

    def known(self, many: Sequence[Facts]) -> list[Known]:
        """Tokenise articles that come."""
        return list(self._shared(known, many))

    def _shared(self, work: Callable[[Sequence[T]], list[R]], many: Sequence[T]) -> Iterator[R]:
        """What `work` makes of many, a part of them in each thread."""
        at_once = max(_AT_ONCE, -(-len(many) // self._index.threads))
        parts = [many[first : first + at_once] for first in range(0, len(many), at_once)]
        return chain.from_iterable(in_order(work, parts, self._index.threads, self._index.pool))

    def _read(self, spots: Sequence[Spot]) -> list[tuple[Spot, Known]]:
        """Some articles from the index."""
        found = zip(spots, self._index.articles(spots), strict=True)
        there = {spot: facts for spot, facts in found if facts is not None}
        return list(zip(there, known(list(there.values())), strict=True))

    def put(self, spot: Spot, text: Known) -> None:
        """Have an article at hand, without its text."""
        text.facts.pop("text", None)
        if spot not in self._held:
            self._tokens += text.size
        self._held[spot] = text
        while len(self._held) > _MOST or (self._tokens > _MOST_TOKENS and len(self._held) > 1):
            _, gone = self._held.popitem(last=False)
            self._tokens -= gone.size

    def credits(self, asked: Sequence[tuple[Spot, Known]]) -> list[list[Credit]]:
        """The agencies that each of some articles credits, which are kept or will be."""
        new = [(spot, text) for spot, text in asked if text.credits is None]
        found = self._credits([(spot, text) for spot, text in new if text.names])
        for spot, text in new:
            text.credits = [*found.get(spot, []), *declared(text.facts)]
        return [text.credits or [] for _, text in asked]

    def _credits(self, asked: list[tuple[Spot, Known]]) -> dict[Spot, list[Credit]]:
        """What stands in the texts of those that are still there."""
        gone = [spot for spot, text in asked if "text" not in text.facts]
        again = dict(zip(gone, self._index.articles(gone), strict=True))
        kept = [(again.get(spot, text.facts) or {}).get("text") for spot, text in asked]
        there = [(spot, text) for (spot, text), whole in zip(asked, kept, strict=True) if whole is not None]
        if not there:
            return {}
        texts = pa.array([whole for whole in kept if whole is not None], pa.large_string())
        found = credits_of(texts, tokens_of([text for _, text in there]))
        return {spot: credits for (spot, _), credits in zip(there, found, strict=True)}

    def clear(self) -> None:
        """Let go of all articles."""
        self._held.clear()
        self._tokens = 0

    def forget(self, spot: Spot) -> None:
        """Let go of an article."""
        text = self._held.pop(spot, None)
        if text is not None:
            self._tokens -= text.size


def mixed(outlets: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keys of outlets' paragraphs, from digests of the outlets."""
    return (keys ^ outlets) * np.uint64(0x9E3779B97F4A7C15)
