"""What every Unicode character is to the tokeniser: a class, and what it folds to.

The table is made from `unicodedata` by `python -m dedup.kernels.unicode` and shipped beside this file,
so that tokens do not depend on the Python version that reads them. Layout: code point `c` has the entry
`entries[pages[c >> 8], c & 255]`, an int32 with the class in bits 0–3, bit 4 set if it folds to several
code points, and above that the signed distance to what it folds to, or (bit 4) its place in `expansions`,
where a count is followed by that many code points.

Folding is NFKD, case folding, NFKD again (Unicode Standard, section 3.13, caseless matching), then without
the marks that carry no meaning between two printings of the same copy: Latin, Greek, Cyrillic, Arabic and
Hebrew diacritics. Digits of all scripts fold to ASCII.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR, SPACE, NEWLINE, TERMINATOR, QUOTE, OPEN, CLOSE = range(7)
WORD, LOWER, DIGIT, CHARACTER, EXTEND, DROP, APOSTROPHE, POINT, COMMA = range(7, 16)

_FILE = Path(__file__).with_suffix(".npz")
_TOP = 0x110000

_PLACED = {
    NEWLINE: "\n\r\x0b\x0c\x85\u2028\u2029",
    TERMINATOR: "!?‼⁇⁈⁉…‥。｡؟۔।॥։።៕。",
    QUOTE: '"＂',
    OPEN: "“„‟«「『〝",
    CLOSE: "”»」』〞〟",
    APOSTROPHE: "'’‘‛ʼʻʹ′`´＇",
    POINT: ".․",
    COMMA: ",٫٬",
}
_CLASS_OF = {character: klass for klass, characters in _PLACED.items() for character in characters}

# Letters that keyboards and agencies use for one another, beyond compatibility decomposition.
_ALIKE = {"ي": "ی", "ى": "ی", "ك": "ک", "ە": "ه", "ہ": "ه", "ھ": "ه", "ة": "ه", "ı": "i", "ß": "ss"}

_UNSPACED = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "YI",
    "TAI",
    "JAVANESE",
)
_UNMARKED = ("COMBINING", "ARABIC", "HEBREW", "SYRIAC", "VARIATION", "MONGOLIAN FREE", "CYRILLIC")
_VOICED = "\u3099\u309a"  # the kana marks for voicing do carry meaning


class Table(NamedTuple):
    """`pages` uint16 (4352,), `entries` int32 (n, 256), `expansions` int32 (m,)."""

    pages: NDArray[np.uint16]
    entries: NDArray[np.int32]
    expansions: NDArray[np.int32]


@cache
def table() -> Table:
    """The shipped table."""
    with np.load(_FILE) as stored:
        return Table(stored["pages"], stored["entries"], stored["expansions"])


def _is_dropped(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cf":
        return True
    name = unicodedata.name(character, "")
    return (
        category in ("Mn", "Me") and name.startswith(_UNMARKED) and character not in _VOICED
    ) or character == "ـ"


def fold(character: str) -> str:
    """What the tokeniser sees of one character: empty if it drops it."""
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return str(decimal)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(_ALIKE.get(part, part) for part in folded if not _is_dropped(part))


def classify(character: str) -> int:
    """The class of one character."""
    if character in _CLASS_OF:
        return _CLASS_OF[character]
    category = unicodedata.category(character)
    if _is_dropped(character):
        return DROP
    if category[0] == "Z" or character == "\t":
        return SPACE
    if category == "Nd":
        return DIGIT
    if category[0] == "M":
        return EXTEND
    if category[0] not in "LN":
        compatible = unicodedata.normalize("NFKC", character)
        return _CLASS_OF.get(compatible, SEPARATOR)
    if unicodedata.name(character, "").removeprefix("HALFWIDTH ").startswith(_UNSPACED):
        return CHARACTER
    if not any(part.isalnum() for part in fold(character)):
        return SEPARATOR
    return LOWER if character.islower() else WORD


def build() -> Table:
    """Make the table from this Python's `unicodedata`."""
    expansions = [0]  # so that no place is 0: whatever folds to something else has bits above the fourth
    places: dict[bytes, int] = {}
    rows: list[NDArray[np.int32]] = []
    pages = np.zeros(_TOP >> 8, np.uint16)
    for page in range(_TOP >> 8):
        row = np.zeros(256, np.int32)
        for cell in range(256):
            code = page << 8 | cell
            if not 0xD800 <= code < 0xE000:
                row[cell] = _entry(chr(code), expansions)
        key = row.tobytes()
        if key not in places:
            places[key] = len(rows)
            rows.append(row)
        pages[page] = places[key]
    return Table(pages, np.stack(rows), np.array(expansions, np.int32))


def _entry(character: str, expansions: list[int]) -> int:
    klass = classify(character)
    if klass not in (WORD, LOWER, DIGIT, CHARACTER, EXTEND):
        return klass
    folded = [part for part in fold(character) if part.isalnum() or unicodedata.category(part)[0] == "M"]
    if len(folded) == 1:
        return (ord(folded[0]) - ord(character)) << 5 | klass
    place = len(expansions)
    expansions += [len(folded), *map(ord, folded)]
    return place << 5 | 16 | klass


if __name__ == "__main__":
    np.savez_compressed(_FILE, **build()._asdict())
