"""Compile all kernels before the first use, on two cores, and say so; load them while others read.

Numba compiles one function at a time in one process. Two processes, each with half of the work, leave the
compiled code in the cache that every later run loads from.
"""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from dedup.memory import uncollected

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
    _LOG.warning("compiling the kernels for this processor, once (15 s, more on a busy machine) …")
    if (os.cpu_count() or 1) > 1 and sys.executable and _compile_all():
        try:
            marker.touch()
        except OSError:
            _LOG.debug("cannot write %s; it will be looked at again", marker)


@cache
def load() -> None:
    """Load those of a scan, once a process, in a thread of its own: they are there when they are needed.

    That takes a good part of a second. Whoever needs one before waits for it, as without the thread.
    """
    if compiled():
        Thread(target=_load, args=(_compile_there, _compile_here), name="dedup-load").start()


def loaded() -> None:
    """Load all kernels before this returns: nobody has to wait for them later."""
    if compiled():
        _load(_compile_there, _compile_here, _compile_online)


def _load(*parts: Callable[[], None]) -> None:
    try:
        for part in parts:
            part()
    except Exception as error:
        _LOG.debug("kernels are left to be loaded by those who need them: %r", error)


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
        with uncollected():
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


def _pair() -> tuple[Any, ...]:
    """Two texts and a pair of them, in the types that a scan has."""
    hashes = np.arange(64, dtype=np.uint32)
    offsets = np.array([0, 32, 64])
    return hashes, np.zeros(64, np.uint8), offsets, np.zeros(1, np.int32), np.ones(1, np.int32)


def _crowd() -> Any:
    """40 texts and their tokens, that share a run between words of their own, so that every step has work."""
    import pyarrow as pa

    from dedup.tokens import tokenise

    texts = [f"{n} {n} one two three four five six {n} {n}" for n in range(40)]
    whole = pa.array(texts, pa.large_string())
    return whole, tokenise(whole)


def _meet() -> None:
    """One text without postings meets nobody."""
    from dedup.kernels import meet

    def none(dtype: Any) -> Any:
        return np.empty(0, dtype)

    around, known, context = np.empty((0, 2, 7), np.uint32), np.empty((0, 2), np.uint8), none(np.uint64)
    meet.contexts(around, known, context)
    bounds, one, numbers = np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(1, np.uint32)
    lists = one, none(np.uint32), none(np.uint64)
    chained = none(np.uint32), none(np.int32), none(np.int32)
    reach, posted = np.zeros((1, 1), np.bool_), np.zeros(1, np.bool_)
    meet.meet(
        bounds, none(np.int64), none(np.int32), context, known, none(np.bool_), 7, reach, one, numbers,
        posted, *lists, 16, 64, *chained, none(np.int32), none(np.uint64),
    )  # fmt: skip
    meet.rank(none(np.uint64), 3, 7, bounds, none(np.uint64))


def _keep() -> None:
    """No postings in memory, none in blocks, and no pieces of files."""
    from dedup.kernels import files, lists

    bounds, keys, numbers = np.zeros(1, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint32)
    data = np.empty(0, np.uint8)
    postings, lines, counts = (keys, numbers, keys), lists.room(1), bounds[:0]
    chains = np.empty(0, np.int32), np.full(2, -1, np.int32)
    lists.chain(keys, 0, 0, *chains)
    lists.count_chained(keys, keys, *chains, counts)
    lists.take_chained(keys, *postings, *chains, counts, numbers, keys)
    lists.remember(keys, lines)
    lists.recall(keys, lines, np.zeros(2, np.int64), counts, counts, counts)
    files.copy(counts, bounds, data)
    files.gather(0, counts, bounds, 0, data, data)
    if hasattr(os, "posix_fadvise"):
        files.ask(0, counts, bounds, os.POSIX_FADV_WILLNEED)
    files.write(0, counts, bounds, data)
    kept = counts, counts, np.zeros((0, 2), np.int64), counts, counts, data
    lists.count_kept(keys, *kept, counts)
    lists.take_kept(keys, *kept, counts, numbers, keys)
    lists.pack(*postings, 20, 20, 0, data)
    lists.unpack(data, 0, 20, 20, bounds, keys, *postings)


def _compile_here() -> None:
    """Compile half of the kernels: those that need no text."""
    from dedup.align import Aligned
    from dedup.compose import compose
    from dedup.cover import apart
    from dedup.families import families
    from dedup.kernels.runs import resemble, seed
    from dedup.kernels.seen import news, see
    from dedup.kernels.sentences import rework
    from dedup.kernels.weigh import mark
    from dedup.tokens import Tokens
    from dedup.weigh import Paragraphs, mark_repeated

    hashes, flags, *texts = _pair()
    bounds = np.zeros(2, np.int64)
    runs = seed(hashes, *texts, 3, 8, 64, 12, bounds)
    rework(hashes, flags, *texts, runs, bounds, bounds.copy())
    resemble(hashes, *texts, 5, np.zeros(1))
    places = np.zeros(64, np.int32)
    tokens = Tokens(hashes, places, places, flags, texts[0])
    mark_repeated(tokens, Paragraphs.of(tokens), bounds, bounds)
    mark(flags, bounds[:1], places[:1])
    pairs, whole = np.array([[0, 1]], np.int32), np.full((1, 2), 9, np.int64)
    passages = np.array([[0, 9, 0, 9, 9, 0]], np.int32)
    starts, marks = bounds.copy(), np.zeros(64, np.uint8)
    see(*texts[1:], runs, bounds, passages, bounds, starts, marks)
    news(flags, *texts, runs, bounds, 12, starts, marks, np.zeros(1, np.bool_))
    aligned = Aligned(pairs, passages, np.arange(2), whole, whole, np.ones(1))
    clusters = families(aligned, tokens.lengths, 0.2)
    apart(pairs, clusters, 2)
    compose(tokens, aligned, clusters, np.zeros(len(clusters), np.int64), [(0, 2)])


def _compile_there() -> None:
    """Compile the rest of those of a scan."""
    import pyarrow as pa

    from dedup.agencies import credit_rows
    from dedup.candidates import candidate_pairs
    from dedup.cover import cover
    from dedup.io.ids import Ids
    from dedup.io.place import Place
    from dedup.kernels.align import assemble
    from dedup.kernels.places import unpack, unpack_all, within
    from dedup.kernels.rows import dictionary, gather
    from dedup.kernels.shingle import unite
    from dedup.lsh import Bands
    from dedup.outlets import named
    from dedup.places import pack
    from dedup.scratch import Scratch
    from dedup.settings import Settings
    from dedup.weigh import mark_navigation, weights

    bounds, none = np.zeros(2, np.int64), np.empty((0, 4), np.int32)
    totals = np.zeros((1, 4), np.int32)
    assemble(*_pair(), none[:, :3].copy(), bounds, none, bounds, 12, totals, bounds.copy())
    gather(np.zeros(1, np.uint8), bounds[:1], bounds, np.zeros(1, np.uint8))
    dictionary(
        np.zeros(1, np.uint32), np.full(2, -1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint32)
    )
    unite(np.zeros((2, 2), np.uint32), np.array([0, 2]), bounds[:1], np.zeros((1, 2), np.uint32))
    (texts, tokens), batches = _crowd(), [(0, 40)]
    packed, _ = pack(tokens)
    some = np.zeros(1, np.int32)
    unpack(packed, tokens.offsets, some, some, some + np.int32(1), some.copy(), some.copy())
    unpack_all(
        packed.view(np.uint8), 2 * tokens.offsets, np.zeros(40, np.bool_), tokens.offsets, tokens.starts,
        tokens.ends,
    )  # fmt: skip
    within(tokens.starts, tokens.ends, tokens.offsets, tokens.lengths)
    mark_navigation(tokens)
    credit_rows(texts, tokens)
    weights(tokens)
    named(tokens, some, ["One"], np.zeros(1, np.int64))
    compared = np.ones(40, np.bool_)
    found = candidate_pairs(tokens, compared, batches, Settings(), Bands(2, 2), Scratch(2**24))
    cover(found, 40)
    Ids().take(pa.array([str(n) for n in range(4096)]), [Place()].__getitem__)


def _compile_online() -> None:
    """Compile what only the filter uses, and what reads and writes pieces of files."""
    _meet()
    _keep()


if __name__ == "__main__":
    with uncollected():
        _compile_there()
        _compile_online()
