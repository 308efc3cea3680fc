"""Threads: work on many items at once, results in order, only a few ahead of who takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # results for each thread that may wait to be taken, so that memory is bounded


def in_order(
    work: Callable[[T], R], items: Iterable[T], threads: int, pool: ThreadPoolExecutor | None = None
) -> Iterator[R]:
    """What `work` makes of each item, in the order of the items, by up to `threads` threads.

    An error in `work` is raised when its turn comes; what is not begun by then is dropped. The threads are
    those of a `pool` if there is one: to make new ones takes a millisecond. Work done there must not wait for
    other work there.
    """
    source = iter(items)
    head = list(islice(source, 2))
    if threads <= 1 or len(head) < 2:
        yield from map(work, chain(head, source))
        return
    waiting: deque[Future[R]] = deque()
    with nullcontext(pool) if pool else ThreadPoolExecutor(threads) as own:
        try:
            for item in chain(head, source):
                waiting.append(own.submit(work, item))
                if len(waiting) > _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, of which the next is worked out in a thread of its own while one is used."""
    end = object()
    source = iter(items)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, source, end)
        while (item := future.result()) is not end:
            future = pool.submit(next, source, end)
            yield item  # type: ignore[misc]
