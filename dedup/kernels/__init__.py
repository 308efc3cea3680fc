"""Numba kernels: they take arrays and fill arrays, and know nothing of files, settings or users.

Every kernel is compiled once for the user's own processor and cached (`NUMBA_CACHE_DIR` moves the
cache); none holds the global lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from numba import njit
from numba.core import event

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile lazily, cache on disk, release the global lock."""
    compiled: F = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


class _Once(event.Listener):  # type: ignore[misc]  # numba ships no types
    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell: Callable[[], None] | None = tell

    def on_start(self, event: Any) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def on_end(self, event: Any) -> None: ...


@contextmanager
def announcing_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` once, if and when a kernel has to be compiled within the block (cached ones have not)."""
    listener = _Once(tell)
    with event.install_listener("numba:compile", listener):
        yield
