"""Cover: the candidate pairs that are worth aligning.

Of a small family all pairs are. In a large one n articles make up to n² pairs that say little more than the n
pairs with its hub do, and a pair is left out if its two articles are found to be of one family all the same.
Pairs that are needed, so that every long enough shared run is seen, are left out only if all the words of the
runs are seen already (`dedup.seen`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedup.candidates import Candidates
from dedup.csr import offsets_of
from dedup.families import Families
from dedup.kernels import cover as kernels

_FEW = 8  # neighbours up to which a text is no hub, so that all pairs of a small family are aligned
_SHARE = 0.8  # of the buckets of two texts, that each must have in common with their hub


def cover(found: Candidates, texts: int) -> NDArray[np.bool_]:
    """Which candidate pairs of `texts` texts to align, bool (n,), if the others prove to be in families."""
    lefts, rights = np.ascontiguousarray(found.pairs[:, 0]), np.ascontiguousarray(found.pairs[:, 1])
    weights = np.bincount(lefts, found.buckets, texts) + np.bincount(rights, found.buckets, texts)
    order = np.argsort(-weights, kind="stable").astype(np.int32)
    ranks = np.empty_like(order)
    ranks[order] = np.arange(texts, dtype=np.int32)
    chosen = np.zeros(len(found.pairs), np.bool_)
    kernels.uncovered(lefts, rights, found.buckets, ranks, order, _FEW, _SHARE, chosen)
    return chosen


def apart(pairs: NDArray[np.int32], found: Families, texts: int) -> NDArray[np.bool_]:
    """Which pairs of `texts` texts are not in one family, bool (n,)."""
    order = np.argsort(found.members, kind="stable")
    heads = offsets_of(np.bincount(found.members, minlength=texts))
    out = np.ones(len(pairs), np.bool_)
    lefts, rights = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    kernels.apart(lefts, rights, heads, found.owners[order], out)
    return out
