"""The report: four tables and what is needed to trace them. Figures are computed before, never here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

LISTED = 10_000  # problems in a report; the others are counted


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


class Inputs:
    """How many articles were read, and what was not, or with a doubt.

    *skipped*: nothing to compare in it (an empty text, a file of another kind); the run is still
    complete. *failed*: there was an article, but it could not be read as it stands. *warning*: the
    article was kept, but part of it was guessed or left out (an encoding, a date).

    All are counted, and the first `LISTED` are kept, whatever the order in which they were found.
    """

    __slots__ = ("_problems", "counts", "read")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, read: int = 0, problems: Iterable[Problem] = (), counts: Mapping[str, int] | None = None
    ) -> None:
        """`counts` by kind, if `problems` are not all."""
        self.read = read
        self.counts: Counter[str] = Counter()
        self._problems: list[Problem] = []
        self.add(problems, counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Inputs):
            return NotImplemented
        return (self.read, self.counts, self.problems) == (other.read, other.counts, other.problems)

    def __repr__(self) -> str:
        return f"Inputs(read={self.read}, {', '.join(f'{kind}={n}' for kind, n in self.counts.items())})"

    def add(self, problems: Iterable[Problem], counts: Mapping[str, int] | None = None) -> None:
        """Take in more of them; `counts` by kind, if `problems` are only the first of many."""
        for problem in problems:
            if counts is None:
                self.counts[problem.kind] += 1
            self._problems.append(problem)
            if len(self._problems) >= 2 * LISTED:
                self._problems = self.problems
        self.counts.update(counts or {})

    def packed(self) -> bytes:
        """All of it as JSON, for `add_packed`."""
        problems = [asdict(problem) for problem in self.problems]
        return json.dumps({"read": self.read, "problems": problems, "counts": self.counts}).encode()

    def add_packed(self, data: bytes) -> None:
        """Add what another one has packed."""
        facts = json.loads(data)
        self.read += facts["read"]
        self.add((Problem(**problem) for problem in facts["problems"]), facts["counts"])

    @property
    def problems(self) -> list[Problem]:
        """The first `LISTED`, by path, line and message."""
        found = sorted(self._problems, key=lambda one: (one.path or "", one.line or 0, one.message))
        return found[:LISTED]

    @property
    def unlisted(self) -> int:
        """How many more there were."""
        return self.counts.total() - min(len(self._problems), LISTED)

    @property
    def skipped(self) -> int:
        """Inputs with nothing to compare."""
        return self.counts["skipped"]

    @property
    def failed(self) -> int:
        """Inputs that could not be read."""
        return self.counts["failed"]

    @property
    def warnings(self) -> int:
        """Doubts about articles that were kept."""
        return self.counts["warning"]


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
