"""Worst cases, as batches of the articles of `benchmarks.corpus`: what makes a scan slow, large or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from benchmarks.corpus import ARTICLES, BATCH, OUTLETS, Desk, Newsroom, Row
from benchmarks.prose import SPACE, STOP, Matter

_STORY = 11  # paragraphs
_BRIEF = 20  # words
_PARAGRAPHS = 10_000  # of one long article that are made together


def identical(count: int, seed: int = 1) -> Iterator[pa.RecordBatch]:
    """The same text `count` times, of many outlets."""
    room, story = _kept(seed)

    def plan(desk: Desk, articles: int) -> None:
        desk.rows += [Row([*story], desk.outlet()[0], desk.when()) for _ in range(articles)]

    return _batches(room, count, plan)


def one_family(count: int, seed: int = 1) -> Iterator[pa.RecordBatch]:
    """`count` copies of one story, edited in all the ways that outlets edit."""
    room, story = _kept(seed)

    def plan(desk: Desk, articles: int) -> None:
        desk.copies(0, story, room.datelines, desk.when(), articles)

    return _batches(room, count, plan)


def one_paragraph(count: int, seed: int = 1, outlets: int = 5) -> Iterator[pa.RecordBatch]:
    """`count` unrelated articles of some outlets, which all end in one paragraph of boilerplate."""

    def plan(desk: Desk, articles: int) -> None:
        desk.rows += [
            Row([*desk.story(_STORY), 0], OUTLETS[number % outlets], desk.when())
            for number in range(articles)
        ]

    return _batches(Newsroom(seed), count, plan)


def one_long(size: int, seed: int = 1) -> Iterator[pa.RecordBatch]:
    """One article of `size` bytes."""
    room = Newsroom(seed)
    parts: list[bytes] = []
    left = size
    while left > 0:
        made = room.language.paragraphs(room.draw, np.arange(_PARAGRAPHS) // _STORY)
        text = room.language.texts(made, made.bounds[[0, -1]])
        parts.append(text.buffers()[2].to_pybytes()[: left - 1] + b"\n")
        left -= len(parts[-1])
    yield _batch(pa.array([b"".join(parts).decode()], pa.large_string()), 0)


def briefs(count: int, seed: int = 1) -> Iterator[pa.RecordBatch]:
    """`count` articles of 20 words."""
    room = Newsroom(seed)
    for number in range(0, count, BATCH):
        bounds = np.arange(0, (min(BATCH, count - number) + 1) * _BRIEF, _BRIEF)
        words = room.language.stream(room.draw, int(bounds[-1]))
        ends = np.full(words.size, SPACE, np.int8)
        ends[bounds[1:] - 1] = STOP
        matter = Matter(words, ends, bounds)
        room.language.fill(room.draw, matter)
        yield _batch(room.language.texts(matter, bounds), number)


def _kept(seed: int) -> tuple[Newsroom, range]:
    """A newsroom in which one story stands ready."""
    room = Newsroom(seed)
    desk = Desk(room, 0)
    story = desk.story(_STORY)
    room.keep(desk)
    return room, story


def _batches(room: Newsroom, count: int, plan: Callable[[Desk, int], None]) -> Iterator[pa.RecordBatch]:
    for number in range(0, count, BATCH):
        desk = Desk(room, number)
        plan(desk, min(BATCH, count - number))
        for batch, _ in room.batches(desk, number):
            yield batch


def _batch(texts: pa.Array, number: int) -> pa.RecordBatch:
    """Articles of these texts, each of the next outlet."""
    numbers = range(number, number + len(texts))
    outlets = [OUTLETS[n % len(OUTLETS)] for n in numbers]
    return pa.record_batch(
        [
            pa.array([f"{n:08}"[::-1] for n in numbers]),
            texts,
            pa.array(outlets),
            pa.array(["2024-01-01T00:00:00+00:00"] * len(texts)),
        ],
        ARTICLES,
    )
