"""Pages made sense of by several processes, while everything else passes by in its order."""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import local

from dedup.io.html import Page, Waiting
from dedup.io.place import Found, Place, SetAside
from dedup.io.reading import Reading, Told
from dedup.io.worker import sent

_AHEAD = 8  # items for each process that may wait to be taken
_PATIENCE = 60.0  # seconds that a page may take

Answer = dict[str, Told] | SetAside


def resolved(items: Iterable[Found | Waiting], reading: Reading) -> Iterator[Found]:
    """The same items in the same order, with the articles of pages that wait."""
    queue: deque[_Queued] = deque()
    with _Workers(reading.threads) as workers:
        for item in items:
            if isinstance(item, Waiting):
                queue.append(_Queued(item.place, workers.submit(item.page)))
            elif queue:
                queue.append(_Queued(item, None))
            else:
                yield item
            while queue and (len(queue) > _AHEAD * reading.threads or queue[0].is_done):
                yield from queue.popleft().found(reading)
        while queue:
            yield from queue.popleft().found(reading)


@dataclass(slots=True)
class _Queued:
    """An item that waits its turn: one that is done, or the place of a page and what will come of it."""

    item: Found | Place
    answer: Future[Answer] | None

    @property
    def is_done(self) -> bool:
        """Need nobody wait for it?"""
        return self.answer is None or self.answer.done()

    def found(self, reading: Reading) -> Iterator[Found]:
        """What comes of it."""
        if self.answer is None:
            yield self.item  # type: ignore[misc]
            return
        assert isinstance(self.item, Place)
        answer = self.answer.result()
        if isinstance(answer, SetAside):
            yield self.item.problem(str(answer), answer.kind)
        else:
            yield from reading.article(answer, self.item)


class _Workers:
    """Processes that make sense of pages, started when there are pages for them."""

    def __init__(self, count: int) -> None:
        self._pool, self._own = ThreadPoolExecutor(count), local()
        self._started: list[_Worker] = []

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for worker in self._started:
            worker.end()

    def submit(self, page: Page) -> Future[Answer]:
        """Have a page made sense of."""
        return self._pool.submit(self._told, page)

    def _told(self, page: Page) -> Answer:
        if not hasattr(self._own, "worker"):
            self._own.worker = _Worker()
            self._started.append(self._own.worker)
        answer: Answer = self._own.worker.told(page)
        return answer


class _Worker:
    """One process, started anew after a page that broke it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def told(self, page: Page) -> Answer:
        """What a page says; `SetAside` also for one that takes too long or breaks the process."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", "from dedup.io.worker import main; main()"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(),
            )  # fmt: skip
        assert self._process.stdin is not None
        try:
            sent(self._process.stdin, page)
            found = pickle.loads(self._answer())
        except TimeoutError:
            self.end()
            return SetAside(f"the page took more than {_PATIENCE:.0f} seconds to make sense of")
        except (OSError, EOFError):
            self.end()
            return SetAside("the page broke the parser")
        return SetAside(*found) if isinstance(found, tuple) else found

    def _answer(self) -> bytes:
        """The next message. Raises `TimeoutError`, and `EOFError` if there is none."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, until = self._process.stdout.fileno(), time.monotonic() + _PATIENCE
        data = bytearray()
        while len(data) < 8 or len(data) < 8 + int.from_bytes(data[:8], "little"):
            if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(descriptor, 2**20)
            if not part:
                raise EOFError
            data += part
        return bytes(data[8:])

    def end(self) -> None:
        """Stop the process."""
        if self._process is None:
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._process.wait()
        self._process = None


def _environment() -> dict[str, str]:
    """As ours, with the same modules in reach."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
