"""The plots of a run, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.writeup import Part


def plot(folder: Path, parts: Sequence[Part]) -> dict[str, list[str]]:
    """Draw the parts that have something to draw; names of files by part."""
    mpl.rcParams["svg.hashsalt"] = "dedup"
    names = {}
    for part in parts:
        draw = {"sketching": _sketching, "growth": _growth, "endtoend": _endtoend}.get(
            part.name.split("-")[0]
        )
        if draw and any("MB/s" in row for row in part.rows):
            figure = Figure(figsize=(7, 4), layout="constrained")
            draw(figure.subplots(), [row for row in part.rows if "MB/s" in row])
            figure.savefig(folder / f"{part.name}.svg", metadata={"Date": None})
            names[part.name] = [f"{part.name}.svg"]
    return names


def _sketching(axes: Any, rows: list[dict[str, Any]]) -> None:
    names = [row["library"] for row in rows][::-1]
    bars = axes.barh(names, [row["MB/s"] for row in rows][::-1])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set(xlabel="MB/s of text to 128-permutation signatures, one core")
    axes.margins(x=0.1)


def _growth(axes: Any, rows: list[dict[str, Any]]) -> None:
    sizes = [row["articles"] for row in rows]
    axes.loglog(sizes, [row["s"] for row in rows], "o-", label="seconds")
    axes.loglog(sizes, rows[0]["s"] / sizes[0] * _array(sizes), ":", label="in proportion")
    axes.set(xlabel="articles", ylabel="s")
    memory = axes.twinx()
    memory.loglog(sizes, [row["peak MB"] for row in rows], "s--", color="tab:red", label="peak MB")
    memory.set(ylabel="peak MB")
    axes.legend(loc="upper left")
    memory.legend(loc="lower right")


def _endtoend(axes: Any, rows: list[dict[str, Any]]) -> None:
    for library in dict.fromkeys(row["library"] for row in rows):
        own = [row for row in rows if row["library"] == library and row.get("recall") is not None]
        axes.plot([row["MB/s"] for row in own], [row["recall"] for row in own], "o", label=library)
    axes.set(xscale="log", xlabel="MB/s", ylabel="recall of pairs at containment ≥ .5", ylim=(0, 1.05))
    axes.legend(fontsize="small")


def _array(values: list[int]) -> Any:
    import numpy as np

    return np.array(values, float)
