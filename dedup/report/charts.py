"""Charts as SVG, drawn by Matplotlib; they follow the reader's light or dark scheme."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from dedup.report.circulation import Circulation
from dedup.report.visible import visible

_INK, _FAINT, _ACCENT, _ON_ACCENT = "#23303b", "#c9d3da", "#1d6fa5", "#fdfeff"
_DARK = {_INK: "#dfe6ea", _FAINT: "#46525c", _ACCENT: "#6cb8e6", _ON_ACCENT: "#10161b"}
_OUTLETS = 12  # in the picture of flows; a table holds the rest
_NAME = 22  # characters of an outlet's name
_WIDE, _NARROW = 7.2, 3.6  # inches


def charts(found: Circulation) -> dict[str, dict[str, str]]:
    """SVG documents by chart and width: `began`, `flows` and `pickup`, each if there is anything to show."""
    drawn: dict[str, dict[str, str]] = {}
    for name, draw, data in (
        ("began", _began, found.began),
        ("flows", _flows, found.flows),
        ("pickup", _pickup, found.pickup),
    ):
        if data:
            drawn[name] = {width: _svg(draw, data, inches) for width, inches in _WIDTHS.items()}
    return drawn


_WIDTHS = {"wide": _WIDE, "narrow": _NARROW}


def _svg(draw: Any, data: Any, width: float) -> str:
    """One chart, without anything that differs from run to run.

    Letters stay letters, which the reader's fonts draw; Matplotlib's own font, by which it measures them,
    has none for many scripts.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        "svg.hashsalt": "dedup", "svg.fonttype": "none", "font.size": 8.5, "text.parse_math": False,
        "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _FAINT, "xtick.color": _INK,
        "ytick.color": _INK, "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with mpl.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(width, 2.4), layout="constrained")
        draw(figure, data)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    return out.getvalue().replace(
        "</defs>", f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style></defs>", 1
    )


def _began(figure: Any, data: list[tuple[datetime, int]]) -> None:
    """Families by the hour, day, month or year that they began."""
    axes = figure.add_subplot()
    name, code, form = _unit(data[-1][0] - data[0][0])
    moments = np.array([time.replace(tzinfo=None) for time, _ in data], f"datetime64[{code}]")
    starts, which = np.unique(moments, return_inverse=True)
    numbers = np.bincount(which, [number for _, number in data])
    times: list[datetime] = starts.astype("datetime64[s]").tolist()
    gaps = [later - time for time, later in pairwise(times)]
    axes.bar(
        times,
        numbers,
        width=0.9 * min(gaps, default=timedelta(hours=1)),
        color=_ACCENT,
    )
    most = 7 if figure.get_figwidth() > 5 else 3
    shown = times[:: -(-len(times) // most)]
    axes.set_xticks(shown, [time.strftime(form) for time in shown])
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(f"families by {name}")


def _unit(length: timedelta) -> tuple[str, str, str]:
    """For a stretch of time: what bars stand for, its code in NumPy, and how their times are written."""
    if length <= timedelta(days=4):
        return "hour", "h", "%d %b\n%H:00"
    if length <= timedelta(days=120):
        return "day", "D", "%d %b"
    return ("month", "M", "%b %Y") if length <= timedelta(days=3000) else ("year", "Y", "%Y")


def _pickup(figure: Any, data: list[tuple[str, int]]) -> None:
    """Members by how long after the origin they came out."""
    axes = figure.add_subplot()
    labels = [label for label, _ in data][::-1]
    bars = axes.barh(labels, [number for _, number in data][::-1], color=_ACCENT)
    axes.bar_label(bars, padding=3, fmt="{:,.0f}")
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_visible(False)


def _flows(figure: Any, data: list[tuple[str, str, int]]) -> None:
    """Who carries whose copy: origins' outlets down, the others across."""
    from matplotlib.colors import LinearSegmentedColormap

    most = _OUTLETS if figure.get_figwidth() > 5 else 6
    totals: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for source, outlet, number in data:
        sources[source] += number
        totals[outlet] += number
    rows = [name for name, _ in sorted(sources.items(), key=lambda i: (-i[1], i[0]))[:most]]
    columns = [name for name, _ in sorted(totals.items(), key=lambda i: (-i[1], i[0]))[:most]]
    cells = np.zeros((len(rows), len(columns)))
    for source, outlet, number in data:
        if source in rows and outlet in columns:
            cells[rows.index(source), columns.index(outlet)] = number
    figure.set_figheight(1.6 + 0.26 * len(rows))
    axes = figure.add_subplot()
    scale = LinearSegmentedColormap.from_list("copy", [f"{_ACCENT}00", _ACCENT])
    axes.pcolormesh(np.sqrt(cells), cmap=scale, edgecolor=_FAINT, linewidth=0.5, vmin=0)
    largest = cells.max(initial=1)
    for (row, column), cell in np.ndenumerate(cells):
        if cell:
            ink = _ON_ACCENT if np.sqrt(cell / largest) > 0.75 else _INK
            axes.text(column + 0.5, row + 0.5, f"{cell:,.0f}", ha="center", va="center", color=ink)
    axes.set_yticks(np.arange(len(rows)) + 0.5, [_short(name) for name in rows])
    axes.set_xticks(np.arange(len(columns)) + 0.5, [_short(name) for name in columns], rotation=40, ha="left")
    axes.xaxis.tick_top()
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.set_ylabel("copy of")
    axes.set_xlabel("carried by")
    axes.xaxis.set_label_position("top")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"
