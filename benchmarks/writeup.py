"""What a run of the benchmarks leaves: tables in Markdown, raw figures as JSON, the machine, the plots."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dedup
from benchmarks.peers import PEERS

Row = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A figure and what it should reach: "≥ 15", or no bar; without a value it could not be measured."""

    measure: str
    value: float | None
    bar: str
    aim: str = ""

    @property
    def met(self) -> bool | None:
        """Does the value reach the bar?"""
        if self.value is None or not self.bar:
            return None
        limit = float(self.bar.split()[1])
        return self.value >= limit if self.bar[0] == "≥" else self.value <= limit

    @property
    def word(self) -> str:
        """Whether it is met, in a table."""
        return "not measured" if self.value is None else {True: "yes", False: "NO", None: ""}[self.met]


@dataclass
class Part:
    """One benchmark: a table, whose columns are those of its rows, bars, and what to know about it."""

    name: str
    title: str
    notes: str
    rows: list[Row] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    raw: list[Row] = field(default_factory=list)  # for JSON alone

    def add(self, row: Row) -> None:
        """Add a row, and say it."""
        self.rows.append(row)
        print(f"{self.name}: " + ", ".join(f"{k} {_cell(v)}" for k, v in row.items() if v not in (None, "")))
        sys.stdout.flush()

    def markdown(self) -> str:
        """The part as Markdown."""
        lines = [f"## {self.title}", "", self.notes, ""]
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        if columns:
            lines += _table(columns, [[row.get(name) for name in columns] for row in self.rows])
        if self.bars:
            cells = [[bar.measure, bar.value, bar.bar, bar.aim, bar.word] for bar in self.bars]
            lines += ["", *_table(["measure", "measured", "bar", "aim", "met"], cells)]
        return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return head + [f"| {' | '.join(map(_cell, row))} |" for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if value == 0 or abs(value) >= 100:
            return f"{value:,.0f}"
        return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def machine() -> Row:
    """What the figures were measured on."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.M)
    return {
        "processor": cpu.group(1) if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory.group(1)) / 1e6, 1) if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {peer.package: peer.version or "not installed" for peer in PEERS.values()},
        "dedup": dedup.__version__,
    }


def label() -> str:
    """The machine in a folder's name."""
    found = machine()
    word = re.search(r"epyc|xeon|ryzen|core|graviton|neoverse|apple", str(found["processor"]).lower())
    return f"{word.group() if word else platform.machine()}-{found['cores']}core"


def write(folder: Path, parts: Sequence[Part], facts: Row) -> None:
    """Write speed.md, speed-runs.json and the plots."""
    from benchmarks.plots import plot

    folder.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    about = machine()
    text = [
        "# How fast",
        "",
        (
            f"`{command}`, {facts['date']}, {facts['seconds']:.0f} s in all, "
            f"on {about['processor']}, {about['cores']} cores, {about['memory_gb']} GB; "
            f"Python {about['python']}; load before and after {facts['load'][0]:.2f}, {facts['load'][1]:.2f}."
        ),
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in about["versions"].items()) + ".",
        "",
        (
            "Every figure is of a process of its own. `start` is the interpreter and the import of "
            "libraries, also of those that libraries import when they are first used, and is not in the "
            "other times. Memory is the peak RSS summed over the process tree, "
            "sampled every 50 ms. Compiling kernels, once for a processor, is in no figure."
        ),
        "",
    ]
    if facts.get("quick"):
        note = "A quick run: too small to judge by; loading compiled kernels is much of the time of a scan."
        text += [note, ""]
    pictures = plot(folder, parts)
    for part in parts:
        text.append(part.markdown())
        text += [f"![{part.title}]({name})\n" for name in pictures.get(part.name, [])]
    (folder / "speed.md").write_text("\n".join(text), "utf-8")
    whole = {**facts, "command": command, "machine": about, "parts": [_raw(part) for part in parts]}
    (folder / "speed-runs.json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def _raw(part: Part) -> Row:
    return {**asdict(part), "bars": [{**asdict(bar), "met": bar.met} for bar in part.bars]}


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
