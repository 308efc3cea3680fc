"""Stopping in order: SIGTERM ends a run between two pieces of work, or as an error does."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_BLOCK = 2**20  # bytes read at once


class Stop:
    """Whether somebody `asked` to stop; reads what comes until then, and is `cut` short by it."""

    def __init__(self, woken: int) -> None:
        self.asked = self.cut = False
        self._woken = woken

    def blocks(self, descriptor: int) -> Iterator[bytes]:
        """What there is to read, as it comes: a reader who waits gets every little piece at once."""
        while not self.asked:
            ready, _, _ = select.select([descriptor, self._woken], [], [])
            if descriptor in ready and not self.asked:
                block = os.read(descriptor, _BLOCK)
                if not block:
                    return
                yield block
        self.cut = True


def leave_in_order() -> None:
    """From now on SIGTERM ends the process as an error does, so that what is half done is removed."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """SIGTERM sets `asked`, and wakes who waits for input."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    stop = Stop(woken)

    def ask(_: int, __: FrameType | None) -> None:
        stop.asked = True

    before = signal.signal(signal.SIGTERM, ask)
    before_fd = signal.set_wakeup_fd(waker)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(before_fd)
        signal.signal(signal.SIGTERM, before)
        os.close(woken)
        os.close(waker)
