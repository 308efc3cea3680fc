"""The news item as users hand it over from Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Article:
    """One news item.

    `published` is a `datetime` (without a zone it is taken as UTC) or an ISO 8601 string.
    """

    id: str
    text: str
    title: str | None = None
    outlet: str | None = None
    url: str | None = None
    published: datetime | str | None = None
    language: str | None = None
