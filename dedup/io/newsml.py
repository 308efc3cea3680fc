"""NewsML-G2, IPTC's exchange format: items of text, alone or in a message of many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dedup.io.file import File
from dedup.io.markup import first, joined, local, named, paragraphs, parsed
from dedup.io.place import Found, Place, attempted
from dedup.io.reading import Reading, Told
from dedup.io.text import whole
from dedup.report.model import Problem

if TYPE_CHECKING:
    from lxml.etree import _Element

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the articles of a document; pictures and other items without text are skipped."""
    root = attempted(lambda: parsed(whole(source, reading.limit)), place)
    if isinstance(root, Problem):
        yield root
        return
    items = list(named(root, "newsItem"))
    if not items:
        yield place.problem("the document holds no news item", "skipped")
    for number, item in enumerate(items, 1):
        own = Place(file.shown, number) if len(items) > 1 else place
        fields = fields_of(item)
        if fields["text"][0] is None:
            yield own.problem("the news item holds no text", "skipped")
        else:
            yield from reading.article(fields, own)


def fields_of(item: _Element) -> dict[str, Told]:
    """What an item says of itself, and its text."""
    text, where, language = _content(item)
    return {
        "id": (item.get("guid"), "newsItem/@guid"),
        "text": (text, where),
        "title": (first(item, "headline") or first(item, "title"), "headline"),
        "outlet": (_party(item, "publisher"), "publisher"),
        "url": (_link(item, "canonical", "permalink"), "link"),
        "published": (
            first(item, "versionCreated") or first(item, "firstCreated") or first(item, "contentCreated"),
            "versionCreated",
        ),
        "language": (language or _tag(item), "@xml:lang or language/@tag"),
        "slug": (first(item, "slugline"), "slugline"),
        "byline": (first(item, "by"), "by"),
        "dateline": (first(item, "dateline"), "dateline"),
        "credit": (first(item, "creditline"), "creditline"),
        "provider": (_party(item, "provider"), "provider"),
        "source": (_party(item, "infoSource"), "infoSource"),
        "copyright": (_party(item, "copyrightHolder") or first(item, "copyrightNotice"), "copyrightHolder"),
        "version": (item.get("version"), "newsItem/@version"),
        "derived_from": (_link(item, "evolvedfrom", "derivedfrom", "translatedfrom"), "link"),
    }


def _content(item: _Element) -> tuple[str | None, str, str | None]:
    """The first text among the item's contents, where it stood, and its language."""
    for content in named(item, "inlineXML", "inlineData"):
        body = next(named(content, "body.content", "body"), content)
        said = paragraphs(next(named(body, "body.content"), body))
        if said:
            return said, local(content), content.get(_LANGUAGE)
    return None, "contentSet", None


def _tag(item: _Element) -> str | None:
    return next((found.get("tag") for found in named(item, "language") if found.get("tag")), None)


def _party(item: _Element, name: str) -> str | None:
    """The names of a party, or what it is called in a vocabulary."""
    found = list(named(item, name))
    said = [first(party, "name") for party in found]
    called = [party.get("literal") or (party.get("qcode") or party.get("uri")) for party in found]
    return joined(name or code for name, code in zip(said, called, strict=True))


def _link(item: _Element, *relations: str) -> str | None:
    for found in named(item, "link"):
        if (found.get("rel") or "").rpartition(":")[2].lower() in relations:
            return str(found.get("residref") or found.get("href") or "") or None
    return None
