"""Articles handed over from Python, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dedup.article import Article
from dedup.errors import InputError
from dedup.io.place import NO_ZONE, Found, Place, Row
from dedup.io.record import FIELDS, check
from dedup.report.model import Problem

_OURS = {name: name for name in FIELDS}


def read_items(items: Iterable[Any], names: Mapping[str, str], limit: int) -> Iterator[Found]:
    """Yield what `items`, each an `Article` or a mapping, come to; places are "item 1", "item 2", ...

    `names` apply to mappings; `limit` as for `record.check`. Raises `InputError` for an item of
    another type.
    """
    for number, item in enumerate(items, 1):
        yield from _checked(item, names, Place(item=f"item {number}"), limit)


def row_of(item: Any, place: Place, limit: int) -> tuple[tuple[Any, ...], list[str]]:
    """The values of one article (`Row`), and what is doubtful about it.

    Raises `InputError` for what is no article.
    """
    doubts: list[str] = []
    for found in _checked(item, _OURS, place, limit):
        if isinstance(found, Row):
            return found.values, [*doubts, NO_ZONE] if found.zoneless else doubts
        if isinstance(found, Problem) and found.kind == "warning":
            doubts.append(found.message)
        else:
            raise InputError(str(found))
    raise InputError(f"{place}: no article")


def _checked(item: Any, names: Mapping[str, str], place: Place, limit: int) -> Iterator[Found]:
    if isinstance(item, Article):
        return check({name: getattr(item, name) for name in FIELDS}, _OURS, place, limit)
    if isinstance(item, Mapping):
        return check(item, names, place, limit)
    raise InputError(f"{place} is of type {type(item).__name__}; give dedup.Article or a mapping of fields")
