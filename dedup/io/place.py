"""Where an input stands, and what a format hands on for it: a row, or the problem that set it aside.

Every format is a generator of `Found`. It never counts, never sees other files, and never raises for
a bad record.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from dedup.report.model import Problem

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
    `size` is the UTF-8 length of all its strings in bytes.
    """

    values: tuple[Any, ...]
    size: int
    place: Place


Found: TypeAlias = Row | Problem


def reason(error: OSError) -> str:
    """Say what the operating system said, without its numbers and paths."""
    return error.strerror or str(error)
