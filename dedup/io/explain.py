"""Explain: what a file is taken for, and where each field of its articles stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from reprlib import Repr

from dedup.io import batches
from dedup.io.place import Place
from dedup.io.reading import Told
from dedup.report.model import Inputs
from dedup.settings import Settings

_SHOWN = 5  # articles of a file
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 100


@dataclass(slots=True)
class Explanation:
    """What was told of files while they were read."""

    lines: list[str] = field(default_factory=list)
    articles: int = 0

    def file(self, place: Place, form: str, codec: str | None) -> None:
        """A file is read as this format, expanded by `codec`."""
        self.lines.append(f"{place}: read as {form}{f', expanded by {codec}' if codec else ''}")

    def article(self, place: Place, fields: Mapping[str, Told]) -> None:
        """An article was found there."""
        self.articles += 1
        if self.articles > _SHOWN:
            return
        self.lines.append(f"  {place}")
        for name, (value, where) in fields.items():
            self.lines.append(f"    {name:12} {_SHORT.repr(value)}  <- {where}")


def explain(
    path: str,
    settings: Settings,
    *,
    fields: Mapping[str, str] | None = None,
    input_format: str | None = None,
) -> Iterator[str]:
    """Lines that tell how a file is read, with the first of its articles and every problem among them."""
    told, inputs = Explanation(), Inputs()
    stream = batches(
        path, inputs=inputs, settings=settings, fields=fields, input_format=input_format, tell=told
    )  # fmt: skip
    shown = 0
    for _ in stream:
        yield from told.lines[shown:]
        shown = len(told.lines)
        if told.articles > _SHOWN:
            yield f"  and more: only the first {_SHOWN} articles are shown"
            break
    yield from told.lines[shown:]
    for problem in inputs.problems[:_SHOWN]:
        yield f"  {problem}"
