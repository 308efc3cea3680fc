"""Compare: two articles, side by side. The same stages as a scan, on one pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dedup.align import align
from dedup.article import Article
from dedup.kernels.align import FIRST, KIND, MATCHED, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.kernels.ready import ready
from dedup.overlap import overlap
from dedup.provenance import Shares, relation
from dedup.schema import PASSAGE_KINDS
from dedup.settings import Settings
from dedup.tokens import tokenise
from dedup.verify import copies_of
from dedup.weigh import mark_navigation, weights


@dataclass(frozen=True, slots=True)
class Passage:
    """Aligned spans of two articles: half-open, in characters of the original texts."""

    left_start: int
    left_end: int
    right_start: int
    right_end: int
    matched_tokens: int
    similarity: float  # 2 * matched / (left tokens + right tokens)
    kind: str  # one of schema.PASSAGE_KINDS


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two articles share. Containment: share of one's tokens found in the other, in shared runs."""

    left: Article
    right: Article
    passages: tuple[Passage, ...]  # sorted by left, then right place
    left_containment: float
    right_containment: float
    resemblance: float  # exact Jaccard of the shingle sets
    relation: str  # one of schema.RELATIONS: what the right article is to the left one

    @property
    def left_overlap(self) -> float:
        """Share of left's wording that stands in right, passages or not; an indication (`dedup.overlap`)."""
        return overlap(self.left.text, self.right.text)[0]

    @property
    def right_overlap(self) -> float:
        """Share of right's wording that stands in left."""
        return overlap(self.left.text, self.right.text)[1]


def compare(
    left: str | Article, right: str | Article, settings: Settings | Mapping[str, Any] | None = None
) -> Comparison:
    """Align two articles (texts, or `Article`s).

    Raises `SettingsError`, and `TypeError` for anything that is no article.
    """
    settings = Settings.of(settings)
    ready()
    articles = _article(left, "left"), _article(right, "right")
    tokens = tokenise(pa.array([article.text for article in articles], pa.large_string()))
    mark_navigation(tokens)
    one, other = np.split(tokens.hashes, tokens.offsets[1:2])
    same = one.size > 0 and np.array_equal(one, other)
    if same:  # as a scan, which compares only one of two texts with the same words
        aligned = copies_of(np.zeros(2, np.int64), tokens.lengths)
    else:
        aligned = align(tokens, np.array([[0, 1]], np.int32), settings, threads=1)
    shares = Shares(0.0, 0.0, 0.0, 0.0, 0.0)
    if len(aligned.pairs):
        matched, covered = aligned.shares(weights(tokens))
        shares = Shares.of(matched[0], covered[0], float(aligned.resemblance[0]))
    starts = [tokens.starts[tokens.offsets[side] : tokens.offsets[side + 1]] for side in (0, 1)]
    ends = [tokens.ends[tokens.offsets[side] : tokens.offsets[side + 1]] for side in (0, 1)]
    passages = tuple(
        Passage(
            int(starts[0][row[FIRST]]),
            int(ends[0][row[STOP] - 1]),
            int(starts[1][row[RIGHT_FIRST]]),
            int(ends[1][row[RIGHT_STOP] - 1]),
            int(row[MATCHED]),
            2.0 * row[MATCHED] / (row[STOP] - row[FIRST] + row[RIGHT_STOP] - row[RIGHT_FIRST]),
            PASSAGE_KINDS[row[KIND]],
        )
        for row in aligned.passages.tolist()
    )
    outlets = {article.outlet for article in articles}
    same_outlet = len(outlets) == 1 and None not in outlets
    kinds = {passage.kind for passage in passages}
    what = "duplicate" if same else relation(shares, kinds, same_outlet=same_outlet)
    return Comparison(
        *articles, passages, shares.left_matched, shares.right_matched, shares.resemblance, what
    )


def _article(value: str | Article, side: str) -> Article:
    if isinstance(value, str):
        return Article(id=side, text=value)
    if isinstance(value, Article):
        return value
    raise TypeError(f"{side} is of type {type(value).__name__}; give a text or a dedup.Article")
