"""Compose: what each article is made of, as disjoint parts whose shares sum to one.

Boilerplate comes first, then copy by a small cover of sources (greedy set cover: the source that explains
most of what is left, family origins preferred), then shared quotations; the rest is the article's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dedup.families import Spans, mask

_GAIN = 12  # tokens that a further source must explain
_ORIGIN = 1.25  # what a token explained by a family's origin counts against one by another article


@dataclass(frozen=True, slots=True)
class Shared:
    """What an article shares with one other: spans in tokens of the article."""

    source: int  # text number of the other
    copies: Spans
    quotations: Spans
    is_origin: bool  # of a family that both belong to


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an article, in tokens, half-open."""

    kind: str
    first: int
    stop: int
    source: int | None


def compose(length: int, boilerplate: NDArray[np.bool_], shared: Sequence[Shared]) -> list[Part]:
    """Cut an article of `length` tokens into parts, in text order."""
    labels = np.zeros(length, np.int32)  # 0 own, 1 boilerplate, then two for each source: copy, quotation
    labels[boilerplate] = 1
    copies = [mask(one.copies, length) for one in shared]
    left = set(range(len(shared)))
    while left:
        free = labels == 0
        gains = {place: int((copies[place] & free).sum()) for place in left}
        best = max(
            sorted(left), key=lambda place: gains[place] * (_ORIGIN if shared[place].is_origin else 1.0)
        )
        if gains[best] < min(_GAIN, max(1, length // 2)):
            break
        labels[copies[best] & free] = 2 + 2 * best
        left.remove(best)
    for place, one in enumerate(shared):
        labels[mask(one.quotations, length) & (labels == 0)] = 3 + 2 * place
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = [0, *edges.tolist(), length] if length else []
    return [_part(int(labels[first]), first, stop, shared) for first, stop in pairwise(bounds)]


def _part(label: int, first: int, stop: int, shared: Sequence[Shared]) -> Part:
    if label < 2:
        return Part("boilerplate" if label else "own", first, stop, None)
    place, quotation = divmod(label - 2, 2)
    return Part("quotation" if quotation else "copy", first, stop, shared[place].source)
