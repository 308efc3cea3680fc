"""ninjs, IPTC's news in JSON: objects that carry a `uri` and a body, of any version of the standard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dedup.io.markup import text_of
from dedup.io.reading import Told

_BODIES = ("body_text", "body_xhtml", "body_html", "body_nitf")


def article_of(record: Mapping[str, Any]) -> dict[str, Told] | None:
    """The fields of an article; None for an object that is not in ninjs."""
    if not isinstance(record.get("uri"), str):
        return None
    text, where = _body(record)
    if text is None:
        return None
    return {
        "id": (record["uri"], "uri"),
        "text": (text, where),
        "title": _first(record, "headline", "headlines"),
        "outlet": _first(record, "copyrightholder"),
        "url": _first(record, "url", "renditions"),
        "published": _first(record, "versioncreated", "versionCreated", "firstcreated"),
        "language": _first(record, "language"),
        "slug": _first(record, "slugline", "slug"),
        "byline": _first(record, "byline", "by", "bylines"),
        "dateline": _first(record, "located"),
        "credit": _first(record, "creditline"),
        "provider": _first(record, "provider", "copyrightholder"),
        "source": _first(record, "infosources", "infosource", "infoSources", "source"),
        "copyright": _first(record, "copyrightnotice", "copyrightNotice"),
        "version": _first(record, "version"),
        "derived_from": _first(record, "evolvedfrom", "evolvedFrom", "derivedfrom"),
    }


def _body(record: Mapping[str, Any]) -> tuple[str | None, str]:
    for name in _BODIES:
        value = record.get(name)
        if isinstance(value, str):
            return (value if name == "body_text" else text_of(value)), name
    for body in _list(record.get("bodies")):
        value = body.get("value") if isinstance(body, Mapping) else None
        if isinstance(value, str):
            plain = str(body.get("contenttype", "")).startswith("text/plain")
            return (value if plain else text_of(value)), "bodies"
    return None, ""


def _first(record: Mapping[str, Any], *names: str) -> Told:
    for name in names:
        for value in _values(record.get(name)):
            return value, name
    return None, ""


def _values(value: Any) -> Iterator[str]:
    """The strings that a value is or names, the main one first."""
    if isinstance(value, str):
        if value.strip():
            yield str(value)
    elif isinstance(value, Mapping):
        for name in ("value", "name", "literal", "uri", "href"):
            yield from _values(value.get(name))
    else:
        for one in _list(value):
            yield from _values(one)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
