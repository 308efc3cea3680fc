"""Markup: XML parsed without entities, files or network, and what its elements say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

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
_ROOT = re.compile(rb"<[A-Za-z_]")


def parsed(data: bytes) -> _Element:
    """The root of an XML document; raises `SetAside` for what is none, or declares entities.

    Nothing beyond the document itself is read: no DTD, no entity, no network.
    """
    from lxml import etree

    plain = data.replace(b"\0", b"")
    root = _ROOT.search(plain)
    if _ENTITY.search(plain, 0, root.start() if root else len(plain)):
        raise SetAside(
            "the document declares entities, which are not followed; expand them and send it again"
        )
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
    parts: list[str] = [""]
    _gather(element, parts)
    lines = (" ".join(part.split()) for part in parts)
    return "\n\n".join(line for line in lines if line)


def _gather(root: _Element, parts: list[str]) -> None:
    """Add what `root` says to the last of `parts`, or to new ones where paragraphs begin."""
    from lxml import etree

    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local(element)
        if name.lower() in _BREAKS:
            parts.append("")
        if event == "start":
            parts[-1] += element.text or "" if not _is_silent(element) else ""
        elif element is not root:
            parts[-1] += element.tail or "" if not _is_silent(element.getparent()) else ""


def _is_silent(element: Any) -> bool:
    while element is not None:
        if local(element).lower() in _SILENT:
            return True
        element = element.getparent()
    return False


def text_of(markup: str) -> str:
    """The text of a piece of HTML."""
    from lxml import html

    if "<" not in markup and "&" not in markup:
        return markup
    try:
        root = html.fromstring(
            f"<div>{markup}</div>", parser=html.HTMLParser(encoding="utf-8", no_network=True)
        )
    except (ValueError, TypeError):
        return re.sub(r"<[^>]*>", " ", markup)
    except Exception as error:
        if type(error).__name__ != "ParserError":
            raise
        return ""
    return paragraphs(root)


def joined(values: Iterable[str | None]) -> str | None:
    """Values that are there, one behind another."""
    there = [value for value in values if value]
    return ", ".join(dict.fromkeys(there)) or None
