"""Batcher: requests that come at one time share one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from dedup.online.texts import Facts
from dedup.online.verdict import Verdict

_AT_ONCE = 256
_PATIENCE = 0.005  # seconds that are waited for more articles, at most


class Full(Exception):  # noqa: N818 - says how it stands, not that something broke
    """There are as many articles waiting as may wait."""


class Batcher:
    """Hands articles that wait for a verdict to `judge`, all at once, in a thread of its own."""

    def __init__(self, judge: Callable[[list[Facts]], list[Verdict]], most: int) -> None:
        self._judge, self._room = judge, asyncio.Semaphore(most)
        self._waiting: asyncio.Queue[tuple[Facts, asyncio.Future[Verdict]]] = asyncio.Queue()
        self._pending = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Articles without a verdict yet."""
        return self._pending

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish what was taken."""
        await self._waiting.join()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def take(self, facts: Facts, *, patient: bool = False) -> Verdict:
        """The verdict on an article; raises whatever `judge` raises, and `Full` unless it is `patient`."""
        if self._room.locked() and not patient:
            raise Full
        async with self._room:
            self._pending += 1
            future = asyncio.get_running_loop().create_future()
            self._waiting.put_nowait((facts, future))
            try:
                return await asyncio.shield(future)
            finally:
                self._pending -= 1

    async def _gathered(self, answered: int) -> list[tuple[Facts, asyncio.Future[Verdict]]]:
        """Articles that wait; for a moment, until they are half of all that are about to be sent.

        Who got a verdict just now, `answered` of them, is likely to send another article. To judge the first
        one to come would make all others wait, and to wait for all would leave nothing to do meanwhile: with
        half of them, these are judged while those are read and answered.
        """
        batch = [await self._waiting.get()]
        half = (answered + len(batch) + self._waiting.qsize() + 1) // 2
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while len(batch) < half:
                    batch.append(await self._waiting.get())
        while len(batch) < _AT_ONCE and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    async def _run(self) -> None:
        batch: list[tuple[Facts, asyncio.Future[Verdict]]] = []
        while True:
            batch = await self._gathered(len(batch))
            try:
                verdicts = await asyncio.to_thread(self._judge, [facts for facts, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # its taker may have gone
            else:
                for (_, future), verdict in zip(batch, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
            finally:
                for _ in batch:
                    self._waiting.task_done()
