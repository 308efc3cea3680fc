"""Plain text: one file is one article."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.io.blocks import peek
from dedup.io.encoding import SIGNATURE, decode, refuse_other_kinds
from dedup.io.place import Found, Place, Row, SetAside, reason
from dedup.io.record import FIELDS, check

# UTF-32 takes four bytes where UTF-8 takes one, and a mark.
WIDEST = 4

_NAMES = {name: name for name in FIELDS}


def read_text(blocks: Iterator[bytes], key: str, place: Place, limit: int) -> Iterator[Found]:
    """Yield the article in `blocks` under the id `key`; `limit` is its longest text in UTF-8 bytes."""
    try:
        data = _whole(blocks, limit)
        text, doubt = decode(data)
        if not text:
            raise SetAside("the file is empty", "skipped")
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
    except OSError as error:
        yield place.problem(reason(error))
    else:
        for found in check({"id": key, "text": text}, _NAMES, place, limit):
            if doubt and isinstance(found, Row):
                yield place.problem(doubt, "warning")
            yield found


def _whole(blocks: Iterator[bytes], limit: int) -> bytes:
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
