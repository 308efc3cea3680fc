"""Weigh: which text is boilerplate, and so no evidence of copying.

Two sorts are known: page navigation that extraction left in an article (a table of phrases,
`data/navigation.txt`), and paragraphs that one outlet repeats across unrelated stories. How often a text
occurs says nothing by itself: a story that 400 outlets carry in a day keeps all its evidence.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.kernels import weigh as kernels
from dedup.kernels.tokenise import BOILERPLATE, PARAGRAPH
from dedup.tokens import Tokens, tokenise

_STORIES = 3  # unrelated stories of one outlet that a paragraph stands in to be boilerplate
_RELATED = 0.2  # share of the shorter article in other paragraphs, from which on two are one story
_LEAST = 4  # tokens in a paragraph that is looked at
_LARGEST = 0.5  # share of its article up to which a paragraph can be boilerplate


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


def mark_repeated(tokens: Tokens, outlets: NDArray[np.int64], days: NDArray[np.int64]) -> None:
    """Set the BOILERPLATE flag of paragraphs that an outlet repeats across unrelated stories, in place.

    `outlets` and `days` int64 (n,): a number for each text's outlet (-1: unknown, such texts are left
    alone) and day (any value if unknown). The paragraph must stand in three stories of one outlet
    that share less than a fifth of their other paragraphs, on more than one day where days are known.
    """
    room = np.count_nonzero(tokens.flags & PARAGRAPH) + len(tokens)
    columns = np.empty(room, np.uint64), *np.empty((3, room), np.int64)
    count = kernels.paragraphs(tokens.hashes, tokens.flags, tokens.offsets, _LEAST, *columns)
    hashes, texts, firsts, stops = (column[:count] for column in columns)
    known = outlets[texts] >= 0
    order = np.lexsort((texts, days[texts], hashes, outlets[texts]))
    order = order[known[order]]
    kernels.mark_repeated(
        hashes[order], texts[order], firsts[order], stops[order], outlets, days, tokens.offsets,
        hashes, np.searchsorted(texts, np.arange(len(tokens) + 1)), stops - firsts,
        _STORIES, _RELATED, _LARGEST, tokens.flags,
    )  # fmt: skip


def boilerplate(tokens: Tokens) -> NDArray[np.bool_]:
    """Whether each token is boilerplate, bool (tokens,)."""
    marked: NDArray[np.bool_] = (tokens.flags & BOILERPLATE).astype(np.bool_)
    return marked


def weights(tokens: Tokens) -> NDArray[np.int64]:
    """How many tokens of each text are not boilerplate, at least 1: what its shares are shares of."""
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(~boilerplate(tokens))])
    return np.maximum(np.diff(counts[tokens.offsets]), 1)
