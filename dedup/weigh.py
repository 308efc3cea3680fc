"""Weigh: which text is boilerplate, and so no evidence of copying.

Two sorts are known: page navigation that extraction left in an article (a table of phrases,
`data/navigation.txt`), and paragraphs that one outlet repeats across unrelated stories. How often a text
occurs says nothing by itself: a story that 400 outlets carry in a day keeps all its evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.kernels import weigh as kernels
from dedup.kernels.tokenise import PARAGRAPH
from dedup.threads import in_order
from dedup.tokens import Tokens, tokenise
from dedup.winnow import among

# Unrelated stories of one outlet that a paragraph stands in to be boilerplate, without and with a phrase of
# navigation in it.
STORIES = (3, 2)
RELATED = 0.2  # share of the shorter article in other paragraphs, from which on two are one story
_LEAST = 4  # tokens in a paragraph that is looked at
_MIX = np.uint64(0x9E3779B97F4A7C15)
_EACH, _PART = 56, 8  # bytes for each of the paragraphs that are compared in one go, in a part of the memory
_ROWS, _MARKED = 2**20, 2**14  # paragraphs looked at, and marked, in one go
LARGEST = 0.5  # share of its article up to which a paragraph can be boilerplate


@cache
def _phrases() -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Token hashes of the navigation phrases, and their bounds."""
    table = files("dedup").joinpath("data/navigation.txt").read_text("utf-8")
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    tokens = tokenise(pa.array(sorted(lines), pa.large_string()))
    return tokens.hashes, tokens.offsets


def mark_navigation(tokens: Tokens) -> None:
    """Set the BOILERPLATE flag of page navigation, in place; it depends on the text alone."""
    kernels.mark_navigation(tokens.hashes, tokens.flags, tokens.offsets, *_phrases())


@dataclass(frozen=True, slots=True)
class Paragraphs:
    """The paragraphs of n texts that are long enough to be looked at, text after text."""

    keys: NDArray[np.uint64]  # (paragraphs,) hash of the tokens; odd: a navigation phrase is among them
    texts: NDArray[np.int32]  # (paragraphs,) text numbers, rising
    firsts: NDArray[np.int64]  # (paragraphs,) first token, counted through all texts
    lengths: NDArray[np.int32]  # (paragraphs,) tokens

    @classmethod
    def of(cls, tokens: Tokens) -> Paragraphs:
        """Cut texts into paragraphs."""
        room = np.count_nonzero(tokens.flags & PARAGRAPH) + len(tokens)
        keys, firsts = np.empty(room, np.uint64), np.empty(room, np.int64)
        texts, lengths = np.empty((2, room), np.int32)
        count = kernels.paragraphs(
            tokens.hashes, tokens.flags, tokens.offsets, _LEAST, *_phrases(), keys, texts, firsts, lengths
        )
        return cls(keys[:count], texts[:count], firsts[:count], lengths[:count])


def days(published: pa.Array) -> NDArray[np.int64]:
    """The day of each time since 1970, `kernels.weigh.NO_DAY` where it is not known."""
    days = pc.floor(pc.divide(published.cast(pa.int64()).cast(pa.float64()), 86_400e6))
    known: NDArray[np.int64] = days.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(pc.is_null(published).to_numpy(zero_copy_only=False), kernels.NO_DAY, known)


def mark_repeated(
    tokens: Tokens,
    paragraphs: Paragraphs,
    outlets: NDArray[np.int64],
    days: NDArray[np.int64],
    memory: int = 2**32,
    let_go: Callable[[], None] = lambda: None,
    threads: int = 1,
) -> None:
    """Set the BOILERPLATE flag of paragraphs that an outlet repeats across unrelated stories, in place.

    `outlets` and `days` int64 (n,): a number for each text's outlet (-1: unknown, such texts are left
    alone) and day (`kernels.weigh.NO_DAY` if unknown). The paragraph must stand in three stories of one
    outlet, two if it holds a navigation phrase, that share less than a fifth of their other paragraphs, on
    more than one day where days are known. A part of `memory` bytes bounds how many paragraphs are compared
    in one go, by all `threads`; `let_go` is called as all of them are looked at.
    """
    bounds = np.searchsorted(paragraphs.texts, np.arange(len(tokens) + 1))
    lots = threads * max(1, -(-paragraphs.keys.size * _EACH * _PART // memory))

    def of_lot(lot: int) -> NDArray[np.int64]:
        mixed, some = _several_of(paragraphs, outlets, lot, lots, let_go)
        texts = paragraphs.texts[some]
        order = np.lexsort((texts, days[texts], mixed))
        some, marked = some[order], np.empty(some.size, np.bool_)
        kernels.repeated(
            mixed[order], paragraphs.keys[some], texts[order], paragraphs.lengths[some], days, tokens.offsets,
            paragraphs.keys, bounds, paragraphs.lengths, np.array(STORIES), RELATED, LARGEST, marked,
        )  # fmt: skip
        let_go()
        return some[marked]

    found = list(in_order(of_lot, range(lots), threads))
    rows = np.sort(np.concatenate(found))
    for first in range(0, rows.size, _MARKED):
        own = rows[first : first + _MARKED]
        kernels.mark(tokens.flags, paragraphs.firsts[own], paragraphs.lengths[own])
        let_go()


def _several_of(
    paragraphs: Paragraphs, outlets: NDArray[np.int64], lot: int, lots: int, let_go: Callable[[], None]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Paragraphs, a `lot` of all, that an outlet has often enough: their keys by outlet, and their rows."""
    mixes, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for first in range(0, paragraphs.keys.size, _ROWS):
        some = slice(first, first + _ROWS)
        own = outlets[paragraphs.texts[some]]
        mixed = (paragraphs.keys[some] + (own + 2).astype(np.uint64)) * _MIX
        wanted = np.flatnonzero((own >= 0) & (mixed % np.uint64(lots) == np.uint64(lot)))
        mixes.append(mixed[wanted])
        rows.append(first + wanted)
        let_go()
    mixed, numbers = np.concatenate(mixes), np.concatenate(rows)
    odd = (paragraphs.keys[numbers] & np.uint64(1)).astype(np.bool_)
    parts = [
        _several(mixed[odd == holds], times) for holds, times in zip((False, True), STORIES, strict=True)
    ]
    several = among(mixed, np.sort(np.concatenate(parts)))
    return mixed[several], numbers[several]


def _several(values: NDArray[np.uint64], times: int) -> NDArray[np.uint64]:
    """The values that are there so often, sorted."""
    ordered = np.sort(values)
    return np.unique(ordered[times - 1 :][ordered[times - 1 :] == ordered[: 1 - times]])


def weights(tokens: Tokens) -> NDArray[np.int64]:
    """How many tokens of each text are not boilerplate, at least 1: what its shares are shares of."""
    counts = np.empty(len(tokens), np.int64)
    kernels.count_telling(tokens.flags, tokens.offsets, counts)
    return counts
