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
from threading import local
from typing import Any

from dedup.io.html import Page, Waiting, told
from dedup.io.place import Found, Place, SetAside
from dedup.io.reading import Reading, Told
from dedup.io.worker import sent

_ALONE = 8  # pages that are not worth starting processes for
_AHEAD = 8  # items for each process that may wait to be taken
_PATIENCE = 60.0  # seconds that a page may take

Answer = dict[str, Told] | SetAside


def resolved(items: Iterable[Found | Waiting], reading: Reading) -> Iterator[Found]:
    """The same items in the same order, with the articles of pages that wait."""
    waiting: deque[tuple[Found | Place, Future[Answer] | None]] = deque()
    pages = 0
    with _Workers(reading.threads) as workers:
        for item in items:
            if isinstance(item, Waiting):
                pages += 1
                if pages > _ALONE and reading.threads > 1:
                    waiting.append((item.place, workers.submit(item.page)))
                else:
                    yield from _article(told(item.page), item.place, reading)
                    continue
            elif not waiting:
                yield item
                continue
            else:
                waiting.append((item, None))
            while len(waiting) > _AHEAD * reading.threads or (waiting and _is_done(waiting[0][1])):
                yield from _taken(*waiting.popleft(), reading)
        while waiting:
            yield from _taken(*waiting.popleft(), reading)


def _is_done(future: Future[Answer] | None) -> bool:
    return future is None or future.done()


def _taken(item: Any, future: Future[Answer] | None, reading: Reading) -> Iterator[Found]:
    if future is None:
        yield item
    else:
        yield from _article(future.result(), item, reading)


def _article(answer: Answer, place: Place, reading: Reading) -> Iterator[Found]:
    if isinstance(answer, SetAside):
        yield place.problem(str(answer), answer.kind)
    else:
        yield from reading.article(answer, place)


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
