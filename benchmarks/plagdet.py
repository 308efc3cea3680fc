"""The measures of the PAN text alignment task (Potthast, Stein, Barron-Cedeno & Rosso 2010)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

Spans = tuple[int, int, int, int]  # left start, left end, right start, right end, in characters


@dataclass(frozen=True)
class Score:
    """Macro-averaged precision and recall over cases, granularity, and plagdet."""

    precision: float
    recall: float
    granularity: float
    detections: int
    cases: int

    @property
    def plagdet(self) -> float:
        """F1 of precision and recall, over log2(1 + granularity)."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total / log2(1 + self.granularity) if total else 0.0


def _meet(one: Spans, other: Spans) -> bool:
    left = min(one[1], other[1]) > max(one[0], other[0])
    return left and min(one[3], other[3]) > max(one[2], other[2])


def _covered(span: Spans, by: Iterable[Spans]) -> float:
    """Share of the characters of `span` (both sides) that the spans meeting it on both sides cover."""
    meeting = [other for other in by if _meet(span, other)]
    found = 0
    for start, end in ((0, 1), (2, 3)):
        parts = sorted((max(span[start], o[start]), min(span[end], o[end])) for o in meeting)
        reached = span[start]
        for first, last in parts:
            found += max(0, last - max(first, reached))
            reached = max(reached, last)
    return found / (span[1] - span[0] + span[3] - span[2])


def score(pairs: Sequence[tuple[Sequence[Spans], Sequence[Spans]]]) -> Score:
    """Score pairs of (true cases, detections), one for each pair of documents."""
    precisions = [_covered(r, cases) for cases, detections in pairs for r in detections]
    recalls = [_covered(s, detections) for cases, detections in pairs for s in cases]
    pieces = [sum(_meet(s, r) for r in detections) for cases, detections in pairs for s in cases]
    detected = [count for count in pieces if count]
    return Score(
        precision=sum(precisions) / len(precisions) if precisions else 0.0,
        recall=sum(recalls) / len(recalls) if recalls else 0.0,
        granularity=sum(detected) / len(detected) if detected else 1.0,
        detections=len(precisions),
        cases=len(recalls),
    )
