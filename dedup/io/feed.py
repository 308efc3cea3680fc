"""RSS and Atom: one entry is one article, as far as the feed carries its text."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from dedup.io.file import File
from dedup.io.hosts import outlet_of
from dedup.io.markup import parsed, text_of
from dedup.io.place import Found, Place, SetAside, attempted
from dedup.io.reading import Reading, Told
from dedup.io.record import published_of
from dedup.io.text import whole
from dedup.report.model import Problem


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the articles of a feed; places are the file and the entry's number."""
    feed = attempted(lambda: _parsed(whole(source, reading.limit)), place)
    if isinstance(feed, Problem):
        yield feed
        return
    if not feed.entries:
        wrong = feed.get("bozo_exception")
        yield place.problem(
            f"the feed has no entries{f' ({wrong})' if wrong else ''}", "failed" if wrong else "skipped"
        )
    for number, entry in enumerate(feed.entries, 1):
        yield from reading.article(_fields(entry, feed.feed), Place(file.shown, number))


def _parsed(data: bytes) -> Any:
    import feedparser

    _refuse_entities(data)
    try:
        return feedparser.parse(BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # it trips over odd markup
        raise SetAside(f"the feed is damaged: {error}") from error


def _refuse_entities(data: bytes) -> None:
    """Feeds are often not quite XML; only what they declare is looked at here."""
    try:
        parsed(data)
    except SetAside as verdict:
        if "entities" in str(verdict):
            raise


def _fields(entry: dict[str, Any], feed: Mapping[str, Any]) -> dict[str, Told]:
    contents = [str(part.get("value") or "") for part in entry.get("content") or []]
    summary = str(entry.get("summary") or "")
    longest, where = max([(content, "content") for content in contents] + [(summary, "summary")], key=_length)
    link = entry.get("link")
    source = entry.get("source") or {}
    host = outlet_of(link)
    return {
        "id": (entry.get("id") or link, "guid" if entry.get("id") else "link"),
        "text": (text_of(longest), where),
        "title": (text_of(str(entry.get("title") or "")) or None, "title"),
        "outlet": (host, "the link's host") if host else (feed.get("title"), "the feed's title"),
        "url": (link, "link"),
        "published": _time(entry),
        "language": (feed.get("language"), "the feed's language"),
        "byline": (entry.get("author"), "author"),
        "source": (source.get("title") or source.get("href"), "source"),
        "provider": (feed.get("title"), "the feed's title"),
        "copyright": (entry.get("rights") or feed.get("rights"), "rights"),
    }


def _length(part: tuple[str, str]) -> int:
    return len(part[0])


def _time(entry: dict[str, Any]) -> Told:
    """The time as it stands, if we understand it; else in UTC as the library does, which knows more forms."""
    for name in ("published", "updated"):
        time, words = dict.get(entry, f"{name}_parsed"), dict.get(entry, name)
        if words and published_of(str(words), name)[0] is not None:
            return str(words), name
        if time:
            with suppress(ValueError, OverflowError):
                return datetime.fromtimestamp(calendar.timegm(time), UTC), name
        if words:
            return str(words), name
    return None, "published"
