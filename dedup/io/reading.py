"""What all readers of one run share, and how articles in a format of its own become rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from dedup.io.blocks import Limits, Progress
from dedup.io.place import Found, Place
from dedup.io.record import FIELDS, check

# What a field was taken to be, and where it stood in the file.
Told: TypeAlias = tuple[Any, str]


class Tell(Protocol):
    """Who wants to know what files were taken for, and where each field of their articles stood."""

    def file(self, place: Place, form: str, codec: str | None) -> None:
        """A file is read as this format, expanded by `codec`."""

    def article(self, place: Place, fields: Mapping[str, Told]) -> None:
        """An article was found there; only the fields that it has."""


_OURS = {name: name for name in FIELDS}


class Reading(NamedTuple):
    """What all files of one run share."""

    names: Mapping[str, str]  # as from `record.names_of`
    limit: int  # bytes of UTF-8 in the longest text
    rows: int  # taken out of a table at once
    limits: Limits
    progress: Progress | None = None
    threads: int = 1
    format: str | None = None  # what the user says files are, whatever they look like
    tell: Tell | None = None

    def article(self, fields: Mapping[str, Told], place: Place) -> Iterator[Found]:
        """Check an article whose fields were found one by one; None stands for one that was not."""
        if self.tell:
            self.tell.article(place, {name: told for name, told in fields.items() if told[0] is not None})
        return check({name: value for name, (value, _) in fields.items()}, _OURS, place, self.limit)
