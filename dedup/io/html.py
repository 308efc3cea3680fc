"""Pages of HTML: text and date as trafilatura finds them, the rest as the page declares it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from dedup.io.file import File
from dedup.io.folders import shown
from dedup.io.hosts import outlet_of
from dedup.io.place import Found, Place, SetAside, attempted
from dedup.io.reading import Reading, Told
from dedup.io.text import whole
from dedup.report.model import Problem

if TYPE_CHECKING:
    from lxml.html import HtmlElement

LONGEST = 20_000_000  # bytes of a page; longer ones are no articles
_DEEPEST = 500  # elements in elements; what is deeper is made to hang programs


class Waiting(NamedTuple):
    """A page that is to be made sense of, and where it stands."""

    page: Page
    place: Place


class Page(NamedTuple):
    """A page, and what is known of it besides."""

    data: bytes
    url: str | None = None
    key: str | None = None  # what it goes by; None: its address
    where: str = ""  # where `key` is from


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found | Waiting]:
    """Yield the page, which is to be made sense of; its article's id is the name the file goes by."""
    data = attempted(lambda: whole(source, min(reading.limit, LONGEST)), place)
    if isinstance(data, Problem):
        yield data
    else:
        yield Waiting(Page(data, None, shown(file.name.as_posix()), "the file's name"), place)


def fields_of(page: Page) -> dict[str, Told]:
    """What a page says. Raises `SetAside` for a page without an article."""
    import trafilatura

    if len(page.data) > LONGEST:
        raise SetAside(f"the page has {len(page.data):,} bytes, more than {LONGEST:,}; it is no article")
    tree = trafilatura.load_html(page.data)
    if tree is None:
        raise SetAside("the page holds no HTML", "skipped")
    _refuse_deep(tree)
    said = _declared(tree)
    url = page.url or said.get("og:url") or said.get("canonical")
    found: Any = trafilatura.bare_extraction(
        tree, url=url, with_metadata=True, include_comments=False, include_tables=False, deduplicate=False
    )
    if found is None or not found.text:
        raise SetAside("no article was found in the page", "skipped")
    text = found.text.removeprefix(f"{found.title}\n") if found.title else found.text
    text = "\n\n".join(text.splitlines())  # each of its lines is a paragraph
    canonical, derived = said.get("canonical"), None
    if canonical and url and outlet_of(canonical) not in (None, outlet_of(url)):
        derived = canonical
    elif canonical and outlet_of(canonical):
        url = canonical
    site = said.get("og:site_name")
    host = outlet_of(url)
    return {
        "id": (page.key or url, page.where or "the address"),
        "text": (text, "the page's main text"),
        "title": (found.title, "title"),
        "outlet": (site, "og:site_name") if site else (host or found.sitename, "the address's host"),
        "url": (url, "the address" if page.url else "og:url or canonical link"),
        "published": (said.get("published"), "published time")
        if "published" in said
        else (found.date, "date"),
        "language": (said.get("lang"), "html/@lang"),
        "byline": (found.author, "author"),
        "source": (said.get("source"), "source-organization or original-source"),
        "copyright": (said.get("copyright"), "copyright"),
        "derived_from": (derived, "canonical link, which leads to another outlet"),
    }


def _refuse_deep(tree: HtmlElement) -> None:
    from lxml import etree

    depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > _DEEPEST:
            raise SetAside(f"elements lie in elements, more than {_DEEPEST} deep; it is no page")


_META = {
    "og:site_name": "og:site_name",
    "og:url": "og:url",
    "copyright": "copyright",
    "dcterms.rightsholder": "copyright",
    "dc.rights": "copyright",
    "source-organization": "source",
    "syndication-source": "source",
    "original-source": "source",
    "dc.source": "source",
    "article:source": "source",
    "article:published_time": "published",
    "og:article:published_time": "published",
    "datepublished": "published",
    "dc.date.issued": "published",
    "dcterms.created": "published",
    "parsely-pub-date": "published",
}
_LINKED = re.compile(r'"datePublished"\s*:\s*"([^"\\]{4,40})"')


def _declared(tree: HtmlElement) -> dict[str, str]:
    """What the head of a page declares, by our names."""
    out: dict[str, str] = {}
    for element in tree.iter("meta", "link"):
        if element.tag == "link":
            rels = (element.get("rel") or "").lower().split()
            name, value = ("canonical" if "canonical" in rels else None), element.get("href")
        else:
            said = element.get("property") or element.get("name") or element.get("itemprop") or ""
            name, value = _META.get(said.lower()), element.get("content")
        if name and value and value.strip():
            out.setdefault(name, " ".join(value.split()))
    for script in tree.iter("script"):
        if "published" not in out and script.get("type") == "application/ld+json":
            linked = _LINKED.search(script.text or "")
            out |= {"published": linked[1]} if linked else {}
    lang = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    if lang:
        out["lang"] = lang.strip().replace("_", "-")
    return out


def told(page: Page) -> dict[str, Told] | SetAside:
    """What a page says, or why it is set aside."""
    try:
        return fields_of(page)
    except SetAside as verdict:
        return verdict
    except Exception as error:  # whatever a hostile page makes of the library
        return SetAside(f"the page cannot be made sense of ({type(error).__name__}: {error})")
