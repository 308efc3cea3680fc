"""Lines of a stream of blocks, with a bound on the memory that one line can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines(blocks: Iterable[bytes], limit: int) -> Iterator[bytes | None]:
    r"""Yield each line without its `\n`; None for a line of more than `limit` bytes.

    No line is kept beyond `limit` plus one block. An error of `blocks` passes through, and the
    unfinished line before it is dropped: it may not be whole.
    """
    for group in grouped(blocks, limit):
        yield from group


def grouped(blocks: Iterable[bytes], limit: int) -> Iterator[list[bytes | None]]:
    """The lines that each block ends, as `lines` has them; what follows the last line's end comes last."""
    held: list[bytes] = []
    size = 0
    for block in blocks:
        first, *rest = block.split(b"\n")
        size += len(first)
        if size <= limit:
            held.append(first)
        else:
            held.clear()
        if not rest:
            continue
        last = rest.pop()
        yield [
            b"".join(held) if size <= limit else None,
            *(line if len(line) <= limit else None for line in rest),
        ]
        size = len(last)
        held = [last] if size <= limit else []
    if size:
        yield [b"".join(held) if size <= limit else None]
