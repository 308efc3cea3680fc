"""Numba kernels: they take arrays and fill arrays, and know nothing of files, settings or users.

Every kernel is compiled once for the user's own processor and cached (`NUMBA_CACHE_DIR` moves the
cache); none holds the global lock. `dedup.kernels.ready` compiles them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_OPTIONS}


def kernel(function: F) -> F:
    """Compile when first called, cache on disk, release the global lock."""
    compiled: F
    try:
        compiled = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # there is no folder that a cache could be written to
        compiled = njit(**_OPTIONS)(function)
    return compiled


def inner(function: F) -> F:
    """Compile as a part of the kernels that call it; Python cannot call it.

    Without an entry from Python and a cache of its own it compiles faster: a tenth off the first run.
    """
    compiled: F = njit(**_INNER)(function)
    return compiled
