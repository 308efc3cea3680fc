"""An evaluation for people: a table of measures, the pairs it gets wrong, and the curves as a picture."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from dedup.evaluation import MEASURES, Evaluation
from dedup.report.quotes import clip, count, say

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wrong(found: Evaluation, measure: str, threshold: float) -> list[int]:
    """The pairs on the wrong side of the threshold, the furthest from it first."""
    scores = found.scores[measure]
    places = np.flatnonzero((scores >= threshold) != found.positive)
    order: NDArray[np.int64] = places[np.argsort(-np.abs(scores[places] - threshold), kind="stable")]
    return [int(place) for place in order]


def render_evaluation(
    found: Evaluation, measure: str, threshold: float, console: Console, limit: int | None
) -> None:
    """Print measures, the suggested threshold and the wrong pairs."""
    positive = int(found.positive.sum())
    say(console, f"{count(len(found.labels), 'labelled pair')}, {positive:,} of them copies")
    table = Table("judged by", "threshold", "precision", "recall", "F1", "AUC", box=None, pad_edge=False)
    verdict = found.verdict()
    table.add_row("relation", "", *_figures(verdict.precision, verdict.recall, verdict.f1), "")
    for name in MEASURES:
        least = threshold if name == measure else found.threshold(name)
        at = found.at(name, least)
        table.add_row(
            name, f"{least:.3f}", *_figures(at.precision, at.recall, at.f1, found.auc(name)),
            style="bold" if name == measure else None,
        )  # fmt: skip
    console.print()
    console.print(table)
    places = wrong(found, measure, threshold)
    console.print()
    say(console, f"Judged by {measure} from {threshold:.3f} on, {count(len(places), 'pair')} would be wrong.")
    for place in places[:limit]:
        label = found.labels[place]
        told = "labelled a copy" if label.positive else "labelled no copy"
        say(
            console,
            f"{found.scores[measure][place]:.3f} ",
            (clip(label.left, 60), "bold"),
            " and ",
            (clip(label.right, 60), "bold"),
            f": {told}, found {found.relations[place]}",
            indent=2,
        )
    if limit is not None and len(places) > limit:
        say(console, f"and {len(places) - limit:,} more; --limit 0 shows all", indent=2)


def _figures(*values: float) -> list[str]:
    return ["–" if isnan(value) else f"{value:.3f}" for value in values]


def evaluation_object(found: Evaluation, measure: str, threshold: float) -> dict[str, Any]:
    """The same figures for programs."""
    verdict = found.verdict()
    measures = {}
    for name in MEASURES:
        least = threshold if name == measure else found.threshold(name)
        at, area = found.at(name, least), found.auc(name)
        measures[name] = {
            "threshold": least, "precision": at.precision, "recall": at.recall, "f1": at.f1,
            "auc": None if isnan(area) else area,
        }  # fmt: skip
    return {
        "pairs": len(found.labels),
        "copies": int(found.positive.sum()),
        "missing": len(found.missing),
        "relation": {"precision": verdict.precision, "recall": verdict.recall, "f1": verdict.f1},
        "measures": measures,
        "measure": measure,
        "wrong": [
            {
                "left": found.labels[place].left,
                "right": found.labels[place].right,
                "label": found.labels[place].positive,
                "score": float(found.scores[measure][place]),
                "relation": found.relations[place],
            }
            for place in wrong(found, measure, threshold)
        ],
    }


def draw(found: Evaluation, path: str | Path) -> None:
    """Draw precision and recall over the threshold, and the ROC curve, of every measure (.png or .svg).

    Raises `OutputError` where the file cannot be written.
    """
    from matplotlib.figure import Figure

    from dedup.report.atomic import replace_file

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    curves, roc = figure.subplots(1, 2)
    positive = found.positive
    for number, name in enumerate(MEASURES):
        steps = np.unique(np.concatenate([found.scores[name], [0.0, 1.0]]))
        at = [found.at(name, step) for step in steps]
        curves.plot(steps, [a.precision for a in at], f"C{number}-", label=f"{name}: precision")
        curves.plot(steps, [a.recall for a in at], f"C{number}--", label=f"{name}: recall")
        false = [
            ((found.scores[name] >= step) & ~positive).sum() / max((~positive).sum(), 1) for step in steps
        ]
        roc.plot([*false, 0.0], [*[a.recall for a in at], 0.0], f"C{number}", label=name)
    curves.set(xlabel="threshold", ylim=(0, 1.02), title="Precision and recall")
    roc.set(xlabel="share of other pairs called copies", ylabel="share of copies found", title="ROC")
    curves.legend(fontsize="small")
    roc.legend(fontsize="small")
    kind = Path(path).suffix[1:].lower()
    facts = {"Date": None} if kind == "svg" else None  # the same picture of the same figures
    replace_file(Path(path), lambda stream: figure.savefig(stream, format=kind, metadata=facts))
