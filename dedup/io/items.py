"""Articles handed over from Python, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dedup.article import Article
from dedup.errors import InputError
from dedup.io.place import Found, Place
from dedup.io.record import FIELDS, check

_OURS = {name: name for name in FIELDS}


def read_items(items: Iterable[Any], names: Mapping[str, str], limit: int) -> Iterator[Found]:
    """Yield what `items`, each an `Article` or a mapping, come to; places are "item 1", "item 2", ...

    `names` apply to mappings; `limit` as for `record.check`. Raises `InputError` for an item of
    another type.
    """
    for number, item in enumerate(items, 1):
        place = Place(item=f"item {number}")
        if isinstance(item, Article):
            yield from check({name: getattr(item, name) for name in FIELDS}, _OURS, place, limit)
        elif isinstance(item, Mapping):
            yield from check(item, names, place, limit)
        else:
            kind = type(item).__name__
            raise InputError(f"item {number} is of type {kind}; give dedup.Article or a mapping of fields")
