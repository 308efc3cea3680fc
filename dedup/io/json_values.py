"""JSON: a list of articles, one article, or one value after another; read value by value."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from dedup.io.blocks import peek
from dedup.io.encoding import SIGNATURE, as_utf8, refuse_other_kinds
from dedup.io.file import File
from dedup.io.jsonl import DECODER, ESCAPED, OTHERS, article
from dedup.io.place import Found, Place, SetAside, reason
from dedup.io.reading import Reading
from dedup.io.record import described

_BLANK = " \t\r\n"


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the article of every object; places are the file and the object's number.

    An error of `source`, or in the JSON, ends the file; the articles before it are kept.
    """
    number = 0
    try:
        head, source = peek(source, SIGNATURE)
        refuse_other_kinds(head)
        _, recoded = as_utf8(source)
        for number, value in enumerate(_values(iter(recoded), reading.limit * ESCAPED + OTHERS), 1):
            own = Place(file.shown, number)
            if isinstance(value, dict):
                yield from article(value, own, reading)
            else:
                yield own.problem(f"value {number} is {described(value)}, not an object")
    except SetAside as verdict:
        kept = "; the articles before are kept" if number else ""
        yield Place(file.shown, number + 1 if number else None).problem(f"{verdict}{kept}", verdict.kind)
    except OSError as error:
        yield Place(file.shown, number + 1).problem(f"{reason(error)}; the articles before are kept")
    else:
        if not number:
            yield place.problem("the file holds no article", "skipped")


class _Text:
    """Characters of a stream, as many as are needed at a time."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self.held, self.at, self.ended = "", 0, False

    def more(self) -> None:
        """Take in at least as much again as is left."""
        parts = [self.held[self.at :]]
        wanted = max(len(parts[0]), 1)
        while wanted > 0 and not self.ended:
            block = next(self._source, None)
            self.ended = block is None
            try:
                parts.append(self._decode(block or b"", self.ended))
            except UnicodeDecodeError as error:
                raise SetAside(f"not valid UTF-8 ({error.reason})") from None
            wanted -= len(parts[-1])
        self.held, self.at = "".join(parts), 0

    def sign(self) -> str:
        """The next character that is not blank, which stays; "" at the end."""
        while True:
            while self.at < len(self.held) and self.held[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.held) or self.ended:
                return self.held[self.at : self.at + 1]
            self.more()

    def value(self, longest: int) -> Any:
        """The next value. Raises `SetAside`."""
        while True:
            try:
                value, stop = DECODER.raw_decode(self.held, self.at)
                if stop < len(self.held) or self.ended:  # a number may go on
                    self.at = stop
                    return value
            except JSONDecodeError as error:
                if self.ended:
                    raise SetAside(f"not valid JSON: {error.msg}") from None
            except RecursionError:
                raise SetAside("not valid JSON: lists or objects nested too deeply") from None
            if len(self.held) - self.at > longest:
                raise SetAside(f"not valid JSON, or a value longer than {longest:,} bytes; raise --max-bytes")
            self.more()


def _values(source: Iterator[bytes], longest: int) -> Iterator[Any]:
    """The values of a document; a list at its top counts as what is in it."""
    text = _Text(source)
    while sign := text.sign():
        if sign != "[":
            yield text.value(longest)
            continue
        text.at += 1
        if text.sign() == "]":
            text.at += 1
            continue
        while True:
            text.sign()
            yield text.value(longest)
            sign = text.sign()
            if sign not in (",", "]") or not sign:
                raise SetAside(
                    "not valid JSON: the list is cut short" if not sign else "not valid JSON: no comma"
                )
            text.at += 1
            if sign == "]":
                break
