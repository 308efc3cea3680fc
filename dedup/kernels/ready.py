"""Compile all kernels before the first use, on two cores, and say so.

Numba compiles one function at a time in one process. Two processes, each with half of the work, leave the
compiled code in the cache that every later run loads from.
"""

from __future__ import annotations

import gc
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

_LOG = logging.getLogger("dedup")
_LIMIT = 300  # seconds after which a half that hangs is left to the run itself


@cache
def ready() -> None:
    """See to it, once a process, that the kernels are compiled; a note on `logging` if they were not.

    Without two cores, a cache that can be written to, or an interpreter to start, it does nothing: then
    each kernel is compiled when it is first called.
    """
    marker = _marker()
    if marker is None or marker.exists():
        return
    _LOG.warning("compiling the kernels for this processor, once (about 10 s) …")
    if (os.cpu_count() or 1) > 1 and sys.executable and _compile_all():
        try:
            marker.touch()
        except OSError:
            _LOG.debug("cannot write %s; it will be looked at again", marker)


def compiled() -> bool:
    """Are all kernels compiled and kept?"""
    marker = _marker()
    return marker is not None and marker.exists()


def _compile_all() -> bool:
    """Compile one half here and one in a process of its own; whether all went well."""
    package = str(Path(__file__).parents[2])
    other = subprocess.Popen(
        [sys.executable, "-P", "-m", "dedup.kernels.ready"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _uncollected():
            _compile_here()
        return other.wait(_LIMIT) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        other.kill()


def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None if nowhere."""
    from dedup.kernels.tokenise import tokenise

    dispatcher: Any = tokenise
    return Path(dispatcher.stats.cache_path) if dispatcher.stats.cache_path else None


def _marker() -> Path | None:
    """The file that says that these kernels are compiled for this processor by this compiler."""
    import llvmlite
    import numba
    from llvmlite import binding

    folder = cache_folder()
    if folder is None:
        return None
    sources = sorted(Path(__file__).parent.glob("*.py"))
    stamps = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sources]
    facts = (
        stamps,
        numba.__version__,
        llvmlite.__version__,
        platform.python_version(),
        binding.get_host_cpu_name(),
    )
    return folder / f"compiled-{sha256(repr(facts).encode()).hexdigest()[:16]}"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave cyclic garbage alone for a while: looking for it is a tenth of a compiler's time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _pair() -> tuple[Any, ...]:
    """Two texts and a pair of them, in the types that a scan has."""
    hashes = np.arange(64, dtype=np.uint32)
    offsets = np.array([0, 32, 64])
    return hashes, np.zeros(64, np.uint8), offsets, np.zeros(1, np.int32), np.ones(1, np.int32)


def _compile_here() -> None:
    """Compile half of the kernels."""
    from dedup.kernels.runs import resemble, seed
    from dedup.kernels.sentences import rework
    from dedup.kernels.weigh import mark_navigation
    from dedup.tokens import Tokens
    from dedup.weigh import Paragraphs, mark_repeated

    hashes, flags, *texts = _pair()
    bounds = np.zeros(2, np.int64)
    runs = seed(hashes, *texts, 3, 8, 64, bounds)
    rework(hashes, flags, *texts, runs, bounds, bounds.copy())
    resemble(hashes, *texts, 5, np.zeros(1))
    mark_navigation(hashes, flags, texts[0], hashes, texts[0])
    places = np.zeros(64, np.int32)
    tokens = Tokens(hashes, places, places, flags, texts[0])
    mark_repeated(tokens, Paragraphs.of(tokens), bounds, bounds)


def _compile_there() -> None:
    """Compile the rest."""
    import pyarrow as pa

    from dedup.candidates import candidate_pairs
    from dedup.kernels.align import assemble
    from dedup.lsh import Bands
    from dedup.scratch import Scratch
    from dedup.settings import Settings
    from dedup.tokens import tokenise

    bounds, none = np.zeros(2, np.int64), np.empty((0, 4), np.int32)
    totals = np.zeros((1, 4), np.int64)
    assemble(*_pair(), none[:, :3].copy(), bounds, none, bounds, 12, totals, bounds.copy())
    tokens = tokenise(pa.array(["one two three four five six"] * 40, pa.large_string()))
    candidate_pairs(tokens, np.ones(40, np.bool_), [(0, 40)], Settings(), Bands(2, 2), Scratch(2**24))


if __name__ == "__main__":
    with _uncollected():
        _compile_there()
