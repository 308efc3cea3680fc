"""Formats: told by the ending of a name, or by the first bytes; each is read by a file of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, cast

from dedup.io.blocks import MAGIC, Codec
from dedup.io.file import File
from dedup.io.place import Place
from dedup.io.reading import Reading

Format: TypeAlias = Literal[
    "text", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "html", "warc", "feed", "nitf", "newsml",
    "xml", "zip", "tar",
]  # fmt: skip

FORMATS: dict[str, Format] = {
    ".txt": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".ninjs": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".warc": "warc",
    ".rss": "feed",
    ".atom": "feed",
    ".rdf": "feed",
    ".xml": "xml",
    ".nitf": "nitf",
    ".zip": "zip",
    ".tar": "tar",
}
CODECS: dict[str, Codec] = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_PACKED: dict[str, Codec] = {".tgz": "gzip", ".tbz2": "bz2", ".txz": "xz", ".tzst": "zstd"}
EXPECTED = f"{', '.join(FORMATS)}, each also with {', '.join(CODECS)}"

SNIFFED = 2**12  # bytes that tell a format
_MARKS = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n\v\f"
_ROOTS: dict[bytes, Format] = {
    b"nitf": "nitf",
    b"newsitem": "newsml",
    b"newsmessage": "newsml",
    b"packageitem": "newsml",
    b"rss": "feed",
    b"feed": "feed",
    b"rdf": "feed",
    b"html": "html",
}
_ROOT = re.compile(rb"<(?:[a-z][\w.-]*:)?([a-z][\w.-]*)[\s>/]", re.IGNORECASE)
_BEFORE_ROOT = re.compile(
    rb"<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE
)
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|article)\b", re.IGNORECASE)
CERTAIN = ("parquet", "arrow", "warc", "html", "feed", "nitf", "newsml")  # whatever a file's name

Reader: TypeAlias = Callable[[File, Iterator[bytes], Place, Reading], Iterator[Any]]
_READERS = {
    "text": "text",
    "jsonl": "jsonl",
    "json": "json_values",
    "csv": "delimited",
    "tsv": "delimited",
    "parquet": "parquet",
    "arrow": "ipc",
    "html": "html",
    "warc": "warc",
    "feed": "feed",
    "nitf": "nitf",
    "newsml": "newsml",
}
NAMES = tuple(_READERS)  # what a user may say that files are


def reader_of(form: Format) -> Reader:
    """The function that reads a format; what it needs is imported only now."""
    return cast(Reader, import_module(f"dedup.io.{_READERS[form]}").read)


def format_of(path: PurePath) -> tuple[Format | None, Codec | None]:
    """Tell format and compression from the endings of a name, in upper or lower case."""
    name = PurePath(path.name.lower())
    if name.suffix in _PACKED:
        return "tar", _PACKED[name.suffix]
    codec = CODECS.get(name.suffix)
    inner = PurePath(name.stem) if codec else name
    return FORMATS.get(inner.suffix), codec


def codec_of(head: bytes) -> Codec | None:
    """Tell the compression from a file's first bytes."""
    return next((codec for magic, codec in MAGIC if head.startswith(magic)), None)


def sniffed(head: bytes) -> Format | None:
    """Tell the format from a file's first bytes; None if it is no format with marks of its own."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if re.match(rb"WARC/\d", head):
        return "warc"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    start = head.lstrip(_MARKS).replace(b"\0", b"")
    if start.startswith(b"<"):
        return marked_up(start)
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]"):
        return "json"
    if start.startswith(b"{") and not start.startswith(b"{\\rtf"):
        return _lines_or_values(start)
    return None


def marked_up(start: bytes) -> Format | None:
    """Tell a page from a feed and agencies' formats by the first element; None: it is none of them."""
    root = _ROOT.search(_BEFORE_ROOT.sub(b"", start))
    found = _ROOTS.get(root[1].lower()) if root else None
    if found is None and _PAGE.search(start):
        return "html"
    return found


def _lines_or_values(start: bytes) -> Format:
    """JSON Lines if the first line is a value of its own or goes on beyond what is seen."""
    line, end, _ = start.partition(b"\n")
    try:
        json.loads(line)
    except ValueError:
        return "json" if end else "jsonl"
    return "jsonl"
