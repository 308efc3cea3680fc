"""Where an input stands, and what a format hands on for it: rows, or the problem that set it aside.

Every format is a generator of `Found`. It never counts, never sees other files, and never raises for
a bad record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import pyarrow as pa

from dedup.report.model import Problem

T = TypeVar("T")
NO_ZONE = "the published time has no zone; taken as UTC"
Kind: TypeAlias = Literal["skipped", "failed", "warning"]


class SetAside(Exception):  # noqa: N818 - a verdict on one input, caught by its format
    """The input at hand is no article; the message says why, `kind` how to count it."""

    def __init__(self, message: str, kind: Kind = "failed") -> None:
        super().__init__(message)
        self.kind: Kind = kind


class Place(NamedTuple):
    """A file, a line of a file (1-based), or an item from Python (1-based: "item 3")."""

    path: str | None = None
    line: int | None = None
    item: str | None = None

    def __str__(self) -> str:
        if self.path is None:
            return self.item or "input"
        return f"{self.path}:{self.line}" if self.line else self.path

    def problem(self, message: str, kind: Kind = "failed") -> Problem:
        """Report on this place."""
        if self.item is not None:
            message = f"{self.item}: {message}"
        return Problem(kind, message, self.path, self.line)


class Row(NamedTuple):
    """One valid article.

    `values` follow the columns of `schema.INPUT`, `published` in microseconds since 1970 UTC;
    `size` is the UTF-8 length of all its strings in bytes. `zoneless`: its time was given without a zone.
    """

    values: tuple[Any, ...]
    size: int
    place: Place
    zoneless: bool = False


class Rows(NamedTuple):
    """Valid articles, one a row; row i is number `first` + i of its source."""

    batch: pa.RecordBatch  # of `schema.INPUT`
    first: int  # 1-based
    path: str | None
    zoneless: Sequence[int] = ()  # rows whose times were given without a zone

    def place(self, row: int) -> Place:
        """Where a row stands."""
        return placed(self.path, self.first + row)


def placed(path: str | None, number: int) -> Place:
    """The place of a row of a file (its number stands for the line) or of a table from Python."""
    return Place(item=f"row {number}") if path is None else Place(path, number)


Found: TypeAlias = Row | Rows | Problem


def reason(error: OSError) -> str:
    """Say what the operating system said, without its numbers and paths."""
    return error.strerror or str(error)


def attempted(work: Callable[[], T], place: Place) -> T | Problem:
    """What `work` makes of one input, or the problem that sets it aside."""
    try:
        return work()
    except SetAside as verdict:
        return place.problem(str(verdict), verdict.kind)
    except OSError as error:
        return place.problem(reason(error))
