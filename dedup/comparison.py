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
    pair = np.array([[0, 1]], np.int32)
    aligned = align(tokens, pair, settings, threads=1)
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
    one, other = np.split(tokens.hashes, tokens.offsets[1:2])
    if tokens.lengths.min() > 0 and np.array_equal(one, other):
        what = "duplicate"
    else:
        outlets = {article.outlet for article in articles}
        same = len(outlets) == 1 and None not in outlets
        what = relation(shares, {passage.kind for passage in passages}, same_outlet=same)
    return Comparison(
        *articles, passages, shares.left_matched, shares.right_matched, shares.resemblance, what
    )


def _article(value: str | Article, side: str) -> Article:
    if isinstance(value, str):
        return Article(id=side, text=value)
    if isinstance(value, Article):
        return value
    raise TypeError(f"{side} is of type {type(value).__name__}; give a text or a dedup.Article")
