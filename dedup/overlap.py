"""Overlap: how much of an article's wording stands in another, in passages or scattered.

Reworked copy may keep no passage long or like enough to be shown; its wording still betrays it. Overlap is
an indication, not evidence: independent reports of one event have a good part of their wording in common.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dedup.kernels.unicode import CHARACTER, DIGIT, EXTEND, LOWER, WORD, table

_LETTERS = 5  # in a gram; spaces do not count, so that words written together or apart match
_BASE = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(maxsize=1)  # both ways are asked for, one after the other
def overlap(left: str, right: str) -> tuple[float, float]:
    """The share of each text's distinct 5-letter grams that stand in the other, 0 to 1.

    Containment of character n-grams, as Sharjeel, Nawab & Rayson 2017 (COUNTER) found it to tell derived
    from independent news.
    """
    one, other = _grams(left), _grams(right)
    common = np.intersect1d(one, other, assume_unique=True).size
    return common / max(one.size, 1), common / max(other.size, 1)


def _grams(text: str) -> NDArray[np.uint64]:
    """Hashes of the distinct runs of folded letters and digits."""
    pages, entries, expansions = table()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.int32)
    found = entries[pages[codes >> 8], codes & 255]
    codes, found = (
        part[np.isin(found & 15, (WORD, LOWER, DIGIT, CHARACTER, EXTEND))] for part in (codes, found)
    )
    several = (found & 16) != 0  # of what folds to several letters the first stands for all
    firsts = expansions[np.minimum(np.where(several, found >> 5, 0) + 1, expansions.size - 1)]
    letters = np.where(several, firsts, codes + (found >> 5)).astype(np.uint64)
    count = max(letters.size - _LETTERS + 1, 0)
    hashes = np.zeros(count, np.uint64)
    for at in range(_LETTERS):
        hashes = (hashes + letters[at : at + count] + np.uint64(1)) * _BASE
    return np.unique(hashes)
