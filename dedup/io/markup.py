"""Markup: XML parsed without entities, files or network, and what its elements say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dedup.io.place import SetAside

if TYPE_CHECKING:
    from lxml.etree import _Element

# Elements after which text goes on in a new paragraph.
_BREAKS = frozenset(
    (
        "address", "article", "blockquote", "body.content", "br", "caption", "dd", "div", "dl", "dt",
        "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hl1", "hl2", "hr",
        "lede", "li", "main", "media", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
    )
)  # fmt: skip
_SILENT = frozenset(("script", "style", "noscript", "template", "head", "media-reference", "block.media"))
_ENTITY = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)
# Where a document may declare any; each place is looked at once, however many of these words follow.
_SUBSET = re.compile(rb"<!DOCTYPE(?:(?!<!DOCTYPE)[^>\[])*\[", re.IGNORECASE)


def parsed(data: bytes) -> _Element:
    """The root of an XML document; raises `SetAside` for what is none, or declares entities.

    Nothing beyond the document itself is read: no DTD, no entity, no network.
    """
    from lxml import etree

    plain = data.replace(b"\0", b"")  # of UTF-16
    inside = _SUBSET.search(plain)
    if inside and _ENTITY.search(plain, inside.start()):
        raise SetAside("the document declares entities, which are not followed; expand them, and try again")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SetAside(f"not valid XML: {error}") from None


def named(root: _Element, *names: str) -> Iterator[_Element]:
    """Elements under `root` with one of some local names, whatever their namespace, in document order."""
    for element in root.iter():
        if local(element) in names:
            yield element


def local(element: _Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def first(root: _Element, *names: str) -> str | None:
    """What the first element with one of some names says, if it says anything."""
    for element in named(root, *names):
        if said := flat(element):
            return said
    return None


def flat(element: _Element) -> str:
    """The words of an element on one line."""
    return " ".join("".join(element.itertext()).split())


def paragraphs(element: _Element) -> str:
    """The text of an element, its paragraphs on lines of their own with one between."""
    from lxml import etree

    parts: list[list[str]] = [[]]
    silent = 0  # elements around whose text is none of the article's
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        name = local(inner).lower()
        if name in _BREAKS:
            parts.append([])
        if name in _SILENT:
            silent += 1 if event == "start" else -1
        said = inner.text if event == "start" else inner.tail
        if said and not silent and (event == "start" or inner is not element):
            parts[-1].append(said)
    lines = (" ".join("".join(part).split()) for part in parts)
    return "\n\n".join(line for line in lines if line)


def text_of(markup: str) -> str:
    """The text of a piece of HTML."""
    from lxml import etree, html

    if "<" not in markup and "&" not in markup:
        return markup
    data = f"<div>{markup}</div>".encode("utf-8", "replace")
    try:
        parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
        root = html.fromstring(data, parser=parser)
    except etree.ParserError:  # there is nothing in it
        return ""
    return paragraphs(root)


def joined(values: Iterable[str | None]) -> str | None:
    """Values that are there, one behind another."""
    there = [value for value in values if value]
    return ", ".join(dict.fromkeys(there)) or None
