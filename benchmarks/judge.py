"""How good found pairs are: recall against all pairs at a containment, precision by exact containment.

A pair counts as found if it is reported, or both are in one cluster. In our reports it also counts if both
repeat one article word for word, if the pair of the articles that they repeat is reported, or if both are in
one family. Precision is the share of reported pairs with a containment of at least `PRECISE`, of a sample
where there are many; for clusters, of pairs within one cluster; for ours, of the pairs whose relation is
copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
RECALLED, PRECISE, SHARED = 0.5, 0.2, 8
_SAMPLE = 20_000
_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Truth:
    """The shingles of every row and all pairs at containment `RECALLED` with `SHARED` shared shingles."""

    pairs: Array  # (n, 2)
    hashes: Array  # sorted and distinct within each row
    offsets: Array
    stories: Array | None = None  # (rows, 2) that a generated article has copy of; -1: none

    @classmethod
    def of(cls, path: str, pairs: Array, containment: Array) -> Truth:
        """Keep the pairs at `RECALLED`, and read the shingles."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from dedup.shingles import shingle
        from dedup.tokens import tokenise

        column = pq.read_table(path, columns=["text"])["text"].combine_chunks()
        found = shingle(tokenise(column.cast(pa.large_string())), 5)
        rows = np.repeat(np.arange(len(found)), np.diff(found.offsets))
        order = np.lexsort((found.hashes, rows))
        rows, hashes = rows[order], found.hashes[order]
        new = np.concatenate([[True], (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])])[: rows.size]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[new], minlength=len(found)))])
        return cls(pairs[containment >= RECALLED], hashes[new], offsets, _stories(path))

    def containment(self, pairs: Array) -> Array:
        """Shared shingles over those of the row that has fewer."""
        shares = np.empty(len(pairs))
        for number, (left, right) in enumerate(pairs.tolist()):
            one = self.hashes[self.offsets[left] : self.offsets[left + 1]]
            other = self.hashes[self.offsets[right] : self.offsets[right + 1]]
            shared = np.intersect1d(one, other, assume_unique=True).size
            shares[number] = shared / max(1, min(one.size, other.size))
        return shares

    def related(self, pairs: Array) -> float | None:
        """Share of the pairs that have copy of one story; None where it is not known."""
        if self.stories is None or not len(pairs):
            return None
        one, other = self.stories[pairs[:, 0]], self.stories[pairs[:, 1]]
        same = (one[:, :, None] == other[:, None, :]) & (one[:, :, None] >= 0)
        return float(same.any(axis=(1, 2)).mean())


def _stories(path: str) -> Array | None:
    """The stories of each row of a generated corpus, from the truth beside it."""
    import pyarrow.parquet as pq

    truth = Path(path).with_suffix(".truth.parquet")
    if not truth.exists():
        return None
    columns = pq.read_table(truth, columns=["family", "second"])
    return np.stack([column.fill_null(-1).to_numpy() for column in columns.columns], axis=1)


def judged(truth: Truth, answer: dict[str, Array]) -> dict[str, float | None]:
    """Pairs found, recall and precision."""
    if "labels" in answer:
        labels = answer["labels"]
        sizes = np.bincount(labels[labels >= 0]) if (labels >= 0).any() else np.zeros(1, np.int64)
        count, sample = int((sizes * (sizes - 1) // 2).sum()), _within(labels)
    else:
        reported = answer["pairs"][answer["copying"]] if "copying" in answer else answer["pairs"]
        count, sample = len(answer["pairs"]), reported
    if len(sample) > _SAMPLE:
        sample = sample[np.random.default_rng(1).choice(len(sample), _SAMPLE, replace=False)]
    precise = float((truth.containment(sample) >= PRECISE).mean()) if len(sample) else None
    found = _found(truth.pairs, answer)
    return {
        "pairs": count,
        "recall": float(found.mean()) if found.size else None,
        "precision": precise,
        "one story": truth.related(sample),
    }


def _found(pairs: Array, answer: dict[str, Array]) -> Array:
    """Which pairs the answer explains, bool (n,)."""
    if "labels" in answer:
        one, other = answer["labels"][pairs[:, 0]], answer["labels"][pairs[:, 1]]
        same: Array = (one == other) & (one >= 0)
        return same
    told = _codes(answer["pairs"])
    found: Array = np.isin(_codes(pairs), told)
    if "first" in answer:
        firsts = np.sort(answer["first"][pairs], axis=1)
        found |= (firsts[:, 0] == firsts[:, 1]) | np.isin(_codes(firsts), told)
        rest = np.flatnonzero(~found)
        found[rest] = _related(pairs[rest], answer["members"], answer["first"].size)
    return found


def _related(pairs: Array, members: Array, rows: int) -> Array:
    """Whether both of a pair are in one family."""
    from scipy.sparse import csr_matrix

    if not members.size:
        return np.zeros(len(pairs), np.bool_)
    shape = rows, int(members[:, 1].max()) + 1
    matrix = csr_matrix((np.ones(len(members), np.int32), (members[:, 0], members[:, 1])), shape)
    parts = [np.zeros(0, np.bool_)]
    for at in range(0, len(pairs), _AT_ONCE):
        part = pairs[at : at + _AT_ONCE]
        both = matrix[part[:, 0]].multiply(matrix[part[:, 1]])
        parts.append(np.asarray(both.sum(axis=1)).ravel() > 0)
    return np.concatenate(parts)


def _within(labels: Array) -> Array:
    """Pairs within clusters: `_SAMPLE` drawn evenly, or all if they are few."""
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(np.append(starts, order.size)).astype(np.int64)
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    total = int(ends[-1]) if ends.size else 0
    draw = np.random.default_rng(1)
    chosen = np.arange(total) if total <= _SAMPLE else draw.integers(0, total, _SAMPLE)
    cluster = np.searchsorted(ends, chosen, side="right")
    if total <= _SAMPLE:
        pairs = [
            np.stack(np.triu_indices(size, 1), axis=1) + start
            for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
        ]
        within: Array = order[np.concatenate([np.empty((0, 2), np.int64), *pairs])]
        return within
    left = draw.integers(0, sizes[cluster])
    right = (left + draw.integers(1, sizes[cluster])) % sizes[cluster]
    drawn: Array = order[np.stack([left, right], axis=1) + starts[cluster][:, None]]
    return drawn


def _codes(pairs: Array) -> Array:
    codes: Array = pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1].astype(np.int64)
    return codes
