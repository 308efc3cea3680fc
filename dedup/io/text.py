"""Plain text: one file is one article."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.io.blocks import peek
from dedup.io.encoding import SIGNATURE, decode, refuse_other_kinds
from dedup.io.file import File
from dedup.io.folders import shown
from dedup.io.place import Found, Place, Row, SetAside, reason
from dedup.io.reading import Reading

# UTF-32 takes four bytes where UTF-8 takes one, and a mark.
WIDEST = 4


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the article that a whole file is; its id is the name the file goes by."""
    try:
        text, doubt = decode(whole(source, reading.limit))
        if not text:
            raise SetAside("the file is empty", "skipped")
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
    except OSError as error:
        yield place.problem(reason(error))
    else:
        fields = {"id": (shown(file.name.as_posix()), "the file's name"), "text": (text, "the file")}
        for found in reading.article(fields, place):
            if doubt and isinstance(found, Row):
                yield place.problem(doubt, "warning")
            yield found


def whole(blocks: Iterator[bytes], limit: int) -> bytes:
    """All bytes of a file that may be a text of `limit` bytes; raises `SetAside` if it cannot be one."""
    head, blocks = peek(blocks, SIGNATURE)
    refuse_other_kinds(head)
    most = limit * WIDEST + WIDEST
    held: list[bytes] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        if size > most:
            raise SetAside(f"the file is longer than a text of {limit:,} bytes can be; raise --max-bytes")
    return b"".join(held)
