"""The news item as users hand it over from Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Article:
    """One news item.

    `published` is a `datetime` (without a zone it is taken as UTC) or an ISO 8601 string. `credit`,
    `provider`, `source` and `copyright` are what the sender declares; `derived_from` is the id or the address
    of the article that this one says it comes from.
    """

    id: str
    text: str
    title: str | None = None
    outlet: str | None = None
    url: str | None = None
    published: datetime | str | None = None
    language: str | None = None
    slug: str | None = None
    byline: str | None = None
    dateline: str | None = None
    credit: str | None = None
    provider: str | None = None
    source: str | None = None
    copyright: str | None = None
    version: str | None = None
    derived_from: str | None = None
