"""NITF, IPTC's News Industry Text Format: one document is one article."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dedup.io.file import File
from dedup.io.folders import shown
from dedup.io.markup import first, joined, named, paragraphs, parsed
from dedup.io.place import Found, Place, attempted
from dedup.io.reading import Reading, Told
from dedup.io.text import whole
from dedup.report.model import Problem

if TYPE_CHECKING:
    from lxml.etree import _Element


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the article of a document; without an identifier it goes by the file's name."""
    fields = attempted(lambda: fields_of(parsed(whole(source, reading.limit))), place)
    if isinstance(fields, Problem):
        yield fields
        return
    if fields["id"][0] is None:
        fields["id"] = shown(file.name.as_posix()), "the file's name"
    yield from reading.article(fields, place)


def fields_of(root: _Element) -> dict[str, Told]:
    """What a document says of itself, and its text."""
    bodies = list(named(root, "body.content"))
    return {
        "id": (_attribute(root, "doc-id", "id-string"), "doc-id/@id-string"),
        "text": ("\n\n".join(filter(None, map(paragraphs, bodies))), "body.content"),
        "title": (first(root, "hl1") or first(root, "title"), "hedline/hl1"),
        "outlet": (_attribute(root, "pubdata", "name"), "pubdata/@name"),
        "url": (_attribute(root, "pubdata", "ex-ref"), "pubdata/@ex-ref"),
        "published": (
            _attribute(root, "date.issue", "norm")
            or _attribute(root, "date.release", "norm")
            or _attribute(root, "pubdata", "date.publication"),
            "date.issue/@norm",
        ),
        "language": (
            _attribute(root, "nitf", "{http://www.w3.org/XML/1998/namespace}lang"),
            "nitf/@xml:lang",
        ),
        "slug": (_attribute(root, "du-key", "key") or _attribute(root, "fixture", "fix-id"), "du-key/@key"),
        "byline": (first(root, "byline"), "byline"),
        "dateline": (first(root, "dateline"), "dateline"),
        "credit": (first(root, "bytag") or first(root, "tagline"), "bytag or tagline"),
        "provider": (first(root, "distributor"), "distributor"),
        "source": (_attribute(root, "doc-id", "regsrc"), "doc-id/@regsrc"),
        "copyright": (
            _attribute(root, "doc.copyright", "holder") or first(root, "doc.copyright", "rights.owner"),
            "doc.copyright/@holder",
        ),
        "version": (
            _attribute(root, "du-key", "version") or _attribute(root, "doc-id", "version"),
            "du-key/@version",
        ),
        "derived_from": (_attribute(root, "revision-history", "derived-from"), "revision-history"),
    }


def _attribute(root: _Element, element: str, attribute: str) -> str | None:
    return joined(found.get(attribute) for found in named(root, element))
