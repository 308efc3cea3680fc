"""Bytes to text: UTF-8 as it stands, UTF-16 and UTF-32 by mark or pattern, Windows-1252 if certain.

What is none of these is refused with the place of the first bad byte. Nothing is replaced or dropped.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

from dedup.io.blocks import peek
from dedup.io.place import SetAside
from dedup.io.western import western

# UTF-32 before UTF-16: the mark of the one begins with the mark of the other.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HEAD = 4  # bytes that show a mark

# First bytes of other kinds of file, whether they hold an article, and what to do about it.
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF89a", "a GIF image", ""),
    (b"GIF87a", "a GIF image", ""),
    (b"\x7fELF", "a program", ""),
    (b"MZ\x90\x00", "a program", ""),
    (b"SQLite format 3\x00", "a database", ""),
    (b"%PDF-", "a PDF document", "convert it to text, e.g. with pdftotext"),
    (b"{\\rtf", "an RTF document", "convert it to plain text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "convert it to plain text"),
    (b"PK\x03\x04", "a ZIP archive or Office document", "unpack it or convert it to plain text"),
    (b"\x1f\x8b\x08", "gzip data", "let its name end in .gz"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "let its name end in .zst"),
    (b"BZh", "bzip2 data", "unpack it"),
    (b"\xfd7zXZ\x00", "xz data", "unpack it"),
    (b"PAR1", "a Parquet file", "read it with pyarrow and pass the table"),
)
SIGNATURE = max(len(magic) for magic, _, _ in SIGNATURES)  # bytes that show a kind of file

_REMEDY = "convert it to UTF-8, e.g. with iconv -f ENCODING -t UTF-8"
# What UTF-16 guessed wrongly is full of: controls, private use, noncharacters.
_UNWRITTEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_SHIFTED = re.compile(r"\x1b\$[@A-C(]")  # an escape to a Chinese, Japanese or Korean set
MOST_CONTROLS = 0.05  # share of characters; a stray one is no harm
_SAMPLE = 2**16  # bytes looked at to guess UTF-16


def refuse_other_kinds(head: bytes) -> None:
    """Raise `SetAside` if a file that begins with `head` is no text at all.

    *skipped* when such a file holds no article, *failed* when it may.
    """
    for magic, kind, remedy in SIGNATURES:
        if head.startswith(magic):
            if remedy:
                raise SetAside(f"is {kind}, not text; {remedy}")
            raise SetAside(f"is {kind}, not text", "skipped")


def decode(data: bytes) -> tuple[str, str | None]:
    """Decode a whole text; also returns the doubt to report if the encoding was guessed.

    A mark at the beginning is not part of the text. Raises `SetAside`.
    """
    encoding, doubt = _marked(data), None
    if encoding is None and b"\x00" in data and (encoding := _unmarked(data)):
        text = data.decode(encoding)
        doubt = f"read as {encoding.upper()}, which it looks like: it has no byte order mark"
    else:
        try:
            text = data.decode(encoding or "utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            guess = None if encoding or b"\x00" in data else western(data)
            if guess is None:
                raise SetAside(_undecodable(data, error)) from None
            text = guess
            doubt = (
                f"read as Windows-1252, which it looks like: it is not valid UTF-8 from byte {error.start} on"
            )
    _refuse_controls(text)
    return text, doubt


def _refuse_controls(text: str) -> None:
    """Refuse what decodes but is no text: Thai in unmarked UTF-16 is ASCII controls, all valid."""
    if "\x00" in text:
        raise SetAside(f"holds a NUL at character {text.index(chr(0))}: binary data, not text")
    if match := _SHIFTED.search(text):
        raise SetAside(f"is ISO-2022 text, from the escape at character {match.start()}; {_REMEDY}")
    controls = len(_CONTROLS.findall(text))
    if controls > MOST_CONTROLS * len(text):
        raise SetAside(f"holds {controls:,} control characters: binary data, or in another encoding")


def as_utf8(source: Iterator[bytes]) -> tuple[str, Iterable[bytes]]:
    """Turn a stream into UTF-8 without a mark; returns the name of its encoding and the blocks.

    Only marks decide, and `{` written in UTF-16. UTF-8 is passed on unchecked; what is wrong in
    the others comes out as invalid UTF-8, so that the line it stands in is set aside and no other.
    """
    head, source = peek(source, HEAD)
    encoding = _marked(head)
    if encoding is None:
        encoding = {b"{\x00": "utf-16-le", b"\x00{": "utf-16-be"}.get(head[:2], "utf-8")
        return encoding, source if encoding == "utf-8" else _recoded(source, encoding)
    mark = next(len(mark) for mark, name in MARKS if name == encoding)
    source = _after(source, mark)
    return encoding, source if encoding == "utf-8" else _recoded(source, encoding)


def _marked(data: bytes) -> str | None:
    """Name the encoding whose byte order mark `data` begins with."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    return None


def _unmarked(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark by where its NULs are; None unless certain.

    Text has NULs in the high bytes of ASCII characters only, so nearly all at even or all at odd
    places. The same holds by chance for 8-bit text with a few NULs; but there, both bytes of almost
    every other pair are printable ASCII, which in UTF-16 is a minority of Chinese or a stray ellipsis.
    """
    if len(data) % 2:
        return None
    pairs = np.frombuffer(data[:_SAMPLE], dtype=np.uint8).reshape(-1, 2)
    nuls = (pairs == 0).sum(axis=0)
    if nuls.min() * 10 > nuls.max():
        return None
    rest = pairs[(pairs != 0).all(axis=1)]
    printable = ((rest >= 0x20) & (rest < 0x7F)).all(axis=1).sum()
    if printable * 2 > len(rest) and printable * 10 > len(pairs):
        return None
    encoding = "utf-16-be" if nuls[0] > nuls[1] else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    unassigned = any(unicodedata.category(character) == "Cn" for character in set(text[:_SAMPLE]))
    return None if unassigned or _UNWRITTEN.search(text) else encoding


def _undecodable(data: bytes, error: UnicodeDecodeError) -> str:
    name = error.encoding.upper()
    if b"\x00" in data and not name.startswith(("UTF-16", "UTF-32")):
        return f"holds NUL bytes, the first at byte {data.index(0)}: binary data, or in no known encoding"
    bad = data[error.start : error.start + 1].hex()
    return f"is not valid {name} at byte {error.start} (0x{bad}); {_REMEDY}"


def _after(source: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Drop the first `size` bytes."""
    for block in source:
        if size < len(block):
            yield block[size:]
        size = max(0, size - len(block))


def _recoded(source: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Recode to UTF-8; lone surrogates stay as they are, which UTF-8 forbids."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for block in source:
        yield _salvaged(decoder, block, final=False)
    yield _salvaged(decoder, b"", final=True)


def _salvaged(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bytes:
    try:
        return decoder.decode(block, final).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        decoder.reset()
        return b"\xff"
