"""Make text from outside safe to show: nothing in it can steer a terminal or reorder a line.

Articles, titles, ids and paths come from strangers. Control characters start terminal commands, and
bidirectional controls make a line read otherwise than it is stored (Unicode Technical Report 36).
Each such character is shown as its escape, so that the reader sees that it is there.
"""

from __future__ import annotations

import unicodedata

_SPACE = frozenset("\t\n\v\f\r\x85")
_JOINERS = frozenset("\u200c\u200d")  # carry meaning in Persian, Indic scripts and emoji; move nothing
_UNSAFE = frozenset({"Cc", "Cf", "Cs"})  # control, format (bidi, invisible), lone surrogate


def _shown(character: str) -> str:
    """Return what stands for one character."""
    if character.isprintable() or character in _JOINERS:
        return character
    if character in _SPACE:
        return " "
    if unicodedata.category(character) in _UNSAFE:
        return _escape(character)
    return " " if character.isspace() else character


def _escape(character: str) -> str:
    """Write one character as Python and JSON programmers know it: \\x1b, \\u202e, \\U000e0001."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """Return `text` as one line that is safe to print; line breaks and tabs become spaces."""
    return text if text.isprintable() else "".join(map(_shown, text))


def encodable(text: str) -> str:
    """Return `text` as valid UTF-8 can carry it: a lone surrogate (an undecodable path) is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
