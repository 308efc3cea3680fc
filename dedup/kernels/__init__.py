"""Numba kernels: they take arrays and fill arrays, and know nothing of files, settings or users.

Every kernel is compiled once for the user's own processor and cached (`NUMBA_CACHE_DIR` moves the
cache); none holds the global lock. `dedup.kernels.ready` compiles them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile when first called, cache on disk, release the global lock."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    compiled: F
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that a cache could be written to
        compiled = njit(**options)(function)
    return compiled
