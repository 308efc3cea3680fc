"""Evaluate: how well the answers agree with pairs that users have labelled themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.article import Article
from dedup.comparison import compare
from dedup.errors import InputError
from dedup.schema import COPYING
from dedup.settings import Settings

_YES = {"1", "true", "yes", "y", "t", "copy", "duplicate"}
_NO = {"0", "false", "no", "n", "f", "none"}

MEASURES = ("containment", "resemblance", "overlap")


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled pair of article ids."""

    left: str
    right: str
    positive: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How decisions agree with labels."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, chosen: NDArray[np.bool_], positive: NDArray[np.bool_]) -> Agreement:
        """Precision, recall and F1 of what was chosen; 0 where nothing was chosen or is positive."""
        hits = int((chosen & positive).sum())
        precision = hits / max(int(chosen.sum()), 1)
        recall = hits / max(int(positive.sum()), 1)
        return cls(precision, recall, 2 * hits / max(int(chosen.sum() + positive.sum()), 1))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `dedup` says of labelled pairs; all sequences in the labels' order."""

    labels: tuple[Label, ...]
    relations: tuple[str, ...]
    scores: dict[str, NDArray[np.float64]]  # measure -> (pairs,)
    missing: tuple[Label, ...]  # pairs with an article that the corpus does not hold

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each pair is labelled as a copy."""
        return np.array([label.positive for label in self.labels], np.bool_)

    @property
    def called(self) -> NDArray[np.bool_]:
        """Whether each pair's relation says that there is copy."""
        return np.array([relation in COPYING for relation in self.relations], np.bool_)

    def verdict(self) -> Agreement:
        """How the relations agree with the labels."""
        return Agreement.of(self.called, self.positive)

    def auc(self, measure: str) -> float:
        """Area under the ROC curve of a measure; NaN where all labels are the same."""
        return auc(self.scores[measure], self.positive)

    def threshold(self, measure: str) -> float:
        """The least score to call a copy that gives the best F1; halfway to the next lower score."""
        return best_threshold(self.scores[measure], self.positive)

    def at(self, measure: str, threshold: float) -> Agreement:
        """How calling copies from `threshold` on agrees with the labels."""
        return Agreement.of(self.scores[measure] >= threshold, self.positive)

    def best_measure(self) -> str:
        """The measure with the best F1 at its own threshold."""
        return max(MEASURES, key=lambda name: self.at(name, self.threshold(name)).f1)


def auc(scores: Sequence[float] | NDArray[np.float64], positive: Sequence[bool] | NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative, ties counting half (Mann & Whitney 1947)."""
    values, labelled = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    above, below = int(labelled.sum()), int((~labelled).sum())
    if not above or not below:
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[labelled].sum() - above * (above + 1) / 2) / (above * below))


def best_threshold(
    scores: Sequence[float] | NDArray[np.float64], positive: Sequence[bool] | NDArray[np.bool_]
) -> float:
    """The threshold with the best F1, halfway between two scores; the higher one of equals."""
    values, labelled = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    steps = np.unique(values)[::-1]
    if not steps.size:
        return 1.0
    order = np.sort(-values)
    chosen = np.searchsorted(order, -steps, side="right")
    hits = np.searchsorted(np.sort(-values[labelled]), -steps, side="right")
    best = int(np.argmax(2 * hits / np.maximum(chosen + labelled.sum(), 1)))
    lower = steps[best + 1] if best + 1 < steps.size else steps[best]
    return float((steps[best] + lower) / 2)


def read_labels(path: str | Path) -> list[Label]:
    """Labelled pairs from a CSV, TSV or Parquet file with the columns left, right and label.

    A label is yes or no in words (true, false, 1, 0, yes, no), or a number, of which 1 and more mean yes.
    Raises `InputError` with the line where one cannot be understood.
    """
    table = _table(Path(path))
    absent = [name for name in ("left", "right", "label") if name not in table.column_names]
    if absent:
        raise InputError(
            f"{path}: no column {', '.join(absent)}; it has {', '.join(table.column_names)}, "
            f"and left, right and label are needed"
        )
    labels = []
    columns = (table[name].to_pylist() for name in ("left", "right", "label"))
    for line, (left, right, label) in enumerate(zip(*columns, strict=True), 2):
        positive = _positive(label)
        if left is None or right is None or positive is None:
            raise InputError(
                f"{path}:{line}: left={left!r}, right={right!r}, label={label!r}: "
                f"two ids are needed, and a label that is true or false, yes or no, or a number"
            )
        labels.append(Label(str(left), str(right), positive))
    if not labels:
        raise InputError(f"{path}: holds no labelled pair")
    return labels


def _table(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            from pyarrow import parquet

            return parquet.read_table(path)
        from pyarrow import csv

        delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
        types = {"left": pa.string(), "right": pa.string(), "label": pa.string()}
        return csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=types),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as labels: {error}") from error


def _positive(label: object) -> bool | None:
    """Is it a yes? None where it is neither yes nor no."""
    if isinstance(label, bool | int | float):
        return None if isnan(label) else label >= 1
    word = str(label).strip().lower() if label is not None else "?"
    if word in _YES or word in _NO:
        return word in _YES
    try:
        return float(word) >= 1
    except ValueError:
        return None


def evaluate(
    articles: Mapping[str, Article], labels: Sequence[Label], settings: Settings | None = None
) -> Evaluation:
    """Compare every labelled pair whose articles are known, by id.

    Containment is the larger of both ways: copy of a part counts as copy. Overlap likewise.
    """
    known = [label for label in labels if label.left in articles and label.right in articles]
    scores: dict[str, list[float]] = {name: [] for name in MEASURES}
    relations = []
    for label in known:
        found = compare(articles[label.left], articles[label.right], settings)
        relations.append(found.relation)
        scores["containment"].append(max(found.left_containment, found.right_containment))
        scores["resemblance"].append(found.resemblance)
        scores["overlap"].append(max(found.left_overlap, found.right_overlap))
    rest = tuple(label for label in labels if label.left not in articles or label.right not in articles)
    arrays = {name: np.array(values, np.float64) for name, values in scores.items()}
    return Evaluation(tuple(known), tuple(relations), arrays, rest)
