"""The report: four tables and what is needed to trace them. Figures are computed before, never here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Problem:
    """One input that was set aside, or (a warning) kept with a doubt; its place and the reason."""

    kind: Literal["skipped", "failed", "warning"]
    message: str
    path: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.path or "input"
        return f"{place}:{self.line}: {self.message}" if self.line else f"{place}: {self.message}"


@dataclass(slots=True)
class Inputs:
    """How many articles were read, and every input that was not.

    *skipped*: nothing to compare in it (an empty text, a file of another kind); the run is still
    complete. *failed*: there was an article, but it could not be read as it stands. *warning*: the
    article was kept, but part of it was guessed or left out (an encoding, a date).
    """

    read: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """Inputs with nothing to compare."""
        return sum(problem.kind == "skipped" for problem in self.problems)

    @property
    def failed(self) -> int:
        """Inputs that could not be read."""
        return sum(problem.kind == "failed" for problem in self.problems)

    @property
    def warnings(self) -> int:
        """Doubts about articles that were kept."""
        return sum(problem.kind == "warning" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Report:
    """What a scan found. The tables' columns are documented in `dedup.schema`."""

    articles: pa.Table
    passages: pa.Table
    pairs: pa.Table
    families: pa.Table
    inputs: Inputs
    settings: Mapping[str, int | float]  # those that can change the answer
    version: str  # of dedup
    texts: Mapping[str, str] = field(repr=False)  # article id -> original text, to show passages
    # Of a report that was not saved before: what was read of each article besides its text, by id.
    details: pa.Table | None = field(default=None, repr=False)
    # Of the same: what makes the sketches, `schema.SKETCH`, of the articles from one row to another.
    sketches: Callable[[int, int], pa.RecordBatch] | None = field(default=None, repr=False)
    # Gives back the memory of what was only looked at on disk, if the process has grown large.
    let_go: Callable[[], None] = field(default=lambda: None, repr=False)

    def write(self, path: str | Path) -> None:
        """Write to `path`, in the format its ending names (`.html`, `.json`, `.jsonl`, `.csv`,
        `.parquet`, `.txt`).

        Raises `OutputError`; what stood at `path` is then untouched.
        """
        from dedup.report.write import write

        write(self, path)
