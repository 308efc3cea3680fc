"""What there is to find: exact all-pairs overlap of shingle sets, without any frequency cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.shingles import shingle
from dedup.tokens import Tokens


@dataclass(frozen=True)
class Overlaps:
    """Pairs of texts (left < right), the shingles they share, and those over the fewer of either's."""

    pairs: NDArray[np.int64]  # (n, 2)
    shared: NDArray[np.int64]  # (n,)
    containment: NDArray[np.float64]  # (n,)


def overlaps(tokens: Tokens, k: int, least: int) -> Overlaps:
    """All pairs with at least `least` distinct `k`-token shingles in common, by a sparse matrix product."""
    from scipy.sparse import csr_matrix

    found = shingle(tokens, k)
    texts = np.repeat(np.arange(len(tokens)), np.diff(found.offsets))
    long = tokens.lengths[texts] >= k  # a shorter text is one shingle, and no k-token one
    texts, values = texts[long], found.hashes[long]
    columns, inverse, _ = np.unique(values, return_inverse=True, return_counts=True)
    cells = np.unique(texts * columns.size + inverse)
    texts, inverse = cells // columns.size, cells % columns.size
    sizes = np.bincount(texts, minlength=len(tokens))
    often = np.bincount(inverse, minlength=columns.size) > 1
    kept = often[inverse]
    shape = (len(tokens), columns.size)
    matrix = csr_matrix((np.ones(int(kept.sum()), np.int32), (texts[kept], inverse[kept])), shape)
    pairs, shared = [], []
    for first in range(0, len(tokens), 1000):  # a slice at a time bounds the memory
        product = (matrix[first : first + 1000] @ matrix.T).tocoo()
        good = (product.data >= least) & (product.row + first < product.col)
        pairs.append(np.stack([product.row[good] + first, product.col[good]], axis=1))
        shared.append(product.data[good])
    both = np.concatenate(pairs).astype(np.int64).reshape(-1, 2)
    counts = np.concatenate(shared).astype(np.int64)
    return Overlaps(both, counts, counts / np.maximum(sizes[both].min(axis=1), 1))


def repeated(tokens: Tokens, k: int, idle: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which tokens lie in a run of `k` that also stands in another text, bool (tokens,).

    Runs that hold an `idle` token, bool (tokens,), do not count.
    """
    found = shingle(tokens, k)
    texts = np.repeat(np.arange(len(tokens)), np.diff(found.offsets))
    places = np.arange(found.hashes.size) - found.offsets[texts] + tokens.offsets[texts]
    before = np.concatenate([[0], np.cumsum(idle)])
    long = tokens.lengths[texts] >= k
    long[long] = before[places[long] + k] == before[places[long]]
    texts, places, values = texts[long], places[long], found.hashes[long]
    order = np.argsort(values, kind="stable")
    bounds = np.flatnonzero(np.concatenate([[True], values[order][1:] != values[order][:-1], [True]]))
    several = np.minimum.reduceat(texts[order], bounds[:-1]) if order.size else texts
    most = np.maximum.reduceat(texts[order], bounds[:-1]) if order.size else texts
    shared = np.repeat(several != most, np.diff(bounds)) if order.size else np.zeros(0, np.bool_)
    edges = np.zeros(tokens.hashes.size + 1, np.int64)
    np.add.at(edges, places[order][shared], 1)
    np.add.at(edges, places[order][shared] + k, -1)
    inside: NDArray[np.bool_] = np.cumsum(edges)[:-1] > 0
    return inside
