"""Scratch: what grows with the corpus, held in memory as long as it fits, then on disk.

Files have no name in the folder: the system takes them away with the process, however it ends.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterable, Sequence
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.csr import Offsets, counts_of, offsets_of
from dedup.errors import ScratchError
from dedup.kernels import files
from dedup.kernels.rows import gather
from dedup.memory import give_back

_HELD = 0.6  # part of the memory in which what grows with the corpus is held
_IN_ORDER = 0.25  # the same, of what is only ever read in order
_ALONE = (
    0.1  # the same, of one array that is; one that outgrows it will most likely go to disk, so the sooner
)
_FULL = 0.85  # part of it from which on the process gives back what it has only looked at
_MORE = 0.05  # part of it by which the process grows until it tries that once more
_MOST = 0.95  # part of it from which on it is tried every time
_OFTEN = 0.005  # seconds between two looks at how large the process is
_GAP = 2**14  # bytes between two pieces of a file up to which what lies between them is read, too
_NEAR = 2**20  # bytes of a file that are read at once for several pieces
_COLD = 0.25  # part of the machine's memory from which on a file may not stay in it: the disk is asked early
_PAGE = mmap.PAGESIZE
_HUGE = 2**21  # bytes in a huge page


def _close(files: set[IO[bytes]]) -> None:
    """Close files."""
    while files:
        files.pop().close()


def _resident() -> float:
    """Bytes of this process in memory; without end where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
    except OSError:
        return float("inf")


def _machine() -> float:
    """Bytes of memory of the machine; without end where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * float(_PAGE)
    except (AttributeError, OSError, ValueError):
        return float("inf")


class Spool:
    """An array that grows at its end; made by `Scratch.spool`.

    One thread puts values there. Others may read those that are there, also while they are moved to disk.
    """

    def __init__(self, scratch: Scratch, dtype: Any, at_random: bool) -> None:
        self.dtype = np.dtype(dtype)
        self.size = 0
        self.held = 0  # bytes in memory
        self.at_random = at_random
        self.handed_out = False  # as an array in memory, so that to move it to disk would free nothing
        self.file: IO[bytes] | None = None  # its first bytes are the values; more may follow
        self._scratch = scratch
        self._room: mmap.mmap | None = None  # memory that what is held stands at the start of
        self._map: mmap.mmap | None = None  # of the file
        self._mapped = False  # once, so that somebody may look at the file still
        self._whole: NDArray[Any] | None = None

    def append(self, values: NDArray[Any]) -> None:
        """Put a copy of `values` at the end."""
        values = np.ascontiguousarray(values, self.dtype)
        self.size += values.size
        self.handed_out = False
        self._whole = self._map = None
        if self.file is not None:
            self._extend(values)
        elif values.size:
            end = self.held + values.nbytes
            room = self._with_room(end)
            np.frombuffer(room, self.dtype, values.size, self.held)[:] = values.ravel()
            self.held = end
            self._scratch.grown()

    def _with_room(self, size: int) -> mmap.mmap:
        """Memory for `size` bytes that begins with what is held.

        Once it is large it is all that can be held, of which the system gives only what is written to: to
        move what is held would break up its huge pages.
        """
        if self._room is not None and size <= len(self._room):
            return self._room
        room = self._scratch.room(size)
        if room is None:
            size = -(-max(size, 2 * self.held) // _PAGE) * _PAGE
            if self._room is not None and _resized(self._room, size):
                return self._room
            room = _memory(size)
        elif hasattr(mmap, "MADV_HUGEPAGE"):
            room.madvise(mmap.MADV_HUGEPAGE)
        if self._room is not None:
            room[: self.held] = memoryview(self._room)[: self.held]
        self._room = room
        return room

    def array(self) -> NDArray[Any]:
        """All values, writable; from disk they are mapped, so that only what is looked at is in memory."""
        if self._whole is None:
            if self.file is not None and self.size:
                self._map = mmap.mmap(self.file.fileno(), self.size * self.dtype.itemsize)
                self._mapped = True
                self._whole = np.frombuffer(self._map, self.dtype)
            else:
                self._whole = np.frombuffer(self._room or bytearray(), self.dtype, self.size)
                self.handed_out = True
        return self._whole

    def _in_memory(self) -> NDArray[Any] | None:
        """The values, unless they are on disk; they stay in memory for who has them."""
        whole, room = self._whole, self._room  # looked at before the file, which is there before they go
        if self.file is not None:
            return None
        return np.frombuffer(room or bytearray(), self.dtype, self.size) if whole is None else whole

    def _descriptor(self) -> int:
        """The descriptor of the file."""
        assert self.file is not None
        return self.file.fileno()

    def read(self, first: int, out: NDArray[Any]) -> None:
        """Fill `out` with the values from `first` on; from disk they are read, and leave no pages mapped."""
        whole = self._in_memory()
        if whole is not None:
            out[:] = whole[first : first + out.size]
            return
        left, at = out.view(np.uint8).data, first * self.dtype.itemsize
        while left:
            count = os.preadv(self._descriptor(), [left], at)
            left, at = left[count:], at + count

    def gather(self, starts: NDArray[np.int64], bounds: Offsets, out: NDArray[Any]) -> None:
        """Fill `out` with pieces that begin at `starts`, the i-th at `bounds[i]:bounds[i + 1]`.

        Pieces that lie near to one another on disk, one behind the other, are read at once.
        """
        whole = self._in_memory()
        if whole is not None:
            gather(whole, starts, bounds, out)
            return
        size, near = self.dtype.itemsize, np.empty(_NEAR, np.uint8)
        places, ends, raw = starts * size, bounds * size, out.view(np.uint8)
        if self.size * size > _COLD * _machine() and hasattr(os, "posix_fadvise"):
            files.ask(self._descriptor(), places, ends, os.POSIX_FADV_WILLNEED)
        done = files.gather(self._descriptor(), places, ends, _GAP, near, raw)
        for piece in range(done, starts.size):
            self.read(int(starts[piece]), out[bounds[piece] : bounds[piece + 1]])

    def scatter(self, starts: NDArray[np.int64], bounds: Offsets, values: NDArray[Any]) -> None:
        """Replace pieces that begin at `starts`, the i-th by `values[bounds[i]:bounds[i + 1]]`."""
        done, values = 0, np.ascontiguousarray(values, self.dtype)
        if self.file is not None:
            size = self.dtype.itemsize
            done = files.write(self._descriptor(), starts * size, bounds * size, values.view(np.uint8))
        for piece in range(done, starts.size):
            self.write(int(starts[piece]), values[bounds[piece] : bounds[piece + 1]])

    def write(self, first: int, values: NDArray[Any]) -> None:
        """Replace the values from `first` on; those that are mapped change as well."""
        whole = self._in_memory()
        if whole is not None:
            whole[first : first + values.size] = values
        else:
            self._write(self._descriptor(), first, np.ascontiguousarray(values, self.dtype))

    @property
    def on_disk(self) -> bool:
        """Are the values on disk?"""
        return self.file is not None or self._map is not None

    def let_go(self) -> None:
        """Let the system take back the memory of what was looked at on disk."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def spill(self) -> None:
        """Move to disk what is in memory; who reads it meanwhile finds it in the one place or the other."""
        whole, file = self._in_memory(), self._scratch.file()
        assert whole is not None
        try:
            self._write(file.fileno(), 0, whole)
        except BaseException:
            self._scratch.used(file, False)
            raise
        self._scratch.spilled += whole.nbytes
        self.file = file
        self._room, self._whole, self.held = None, None, 0

    def clear(self) -> None:
        """Forget all values, and give back their memory and their disk."""
        self._room, self._whole, self._map, self.held, self.size = None, None, None, 0, 0
        self.handed_out = False
        if self.file is not None:
            self._scratch.used(self.file, self._mapped)
            self.file, self._mapped = None, False

    def _write(self, descriptor: int, first: int, values: NDArray[Any]) -> None:
        left, at = values.ravel().view(np.uint8).data, first * self.dtype.itemsize
        try:
            while left:
                count = os.pwrite(descriptor, left, at)
                left, at = left[count:], at + count
        except OSError as error:
            raise self._scratch.failed(error) from error

    def _extend(self, values: NDArray[Any]) -> None:
        """Write values, the last of all, behind the others."""
        self._write(self._descriptor(), self.size - values.size, values)
        self._scratch.spilled += values.nbytes


class _Sink(RawIOBase):
    """A spool of bytes as a file that is written to."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        values = np.frombuffer(data, np.uint8)
        self._spool.append(values)
        return values.size


def _memory(size: int) -> mmap.mmap:
    """Memory that is taken from the system as it is written to."""
    try:
        if hasattr(mmap, "MAP_PRIVATE"):
            return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError from error


def _resized(room: mmap.mmap, size: int) -> bool:
    """Did some memory grow where it is? Not while it is looked at, nor on systems that know no such thing."""
    try:
        room.resize(size)
    except (BufferError, SystemError, ValueError):
        return False
    except OSError as error:
        raise MemoryError from error
    return True


def _laid(pieces: list[tuple[int, int]]) -> tuple[NDArray[np.int64], Offsets]:
    """Where pieces of arrays begin, and their bounds when they are laid end to end."""
    bounds = np.array(pieces, np.int64).reshape(-1, 2)
    return bounds[:, 0].copy(), offsets_of(bounds[:, 1] - bounds[:, 0])


class Parts:
    """Arrays that grow side by side, in numbered parts; made by `Scratch.parts`."""

    def __init__(self, spools: Sequence[Spool], count: int) -> None:
        self._spools = spools
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(count)]

    def append(self, columns: Sequence[NDArray[Any]], bounds: NDArray[np.int64]) -> None:
        """Put at the end of each part p what stands at `bounds[p]:bounds[p + 1]` of every column."""
        base = self._spools[0].size
        for spool, column in zip(self._spools, columns, strict=True):
            spool.append(column)
        for own, first, stop in zip(self._pieces, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if stop > first:
                own.append((base + first, base + stop))

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def size(self) -> int:
        """Values of each column, in all parts."""
        return sum(stop - first for own in self._pieces for first, stop in own)

    def part(self, number: int) -> list[NDArray[Any]]:
        """The columns of one part, copied."""
        starts, bounds = _laid(self._pieces[number])
        columns = [np.empty(bounds[-1], spool.dtype) for spool in self._spools]
        for spool, column in zip(self._spools, columns, strict=True):
            spool.gather(starts, bounds, column)
        return columns

    def replace(self, number: int, columns: Sequence[NDArray[Any]]) -> None:
        """Put other values in the place of one part's, no more than there are."""
        starts, bounds = _laid(self._pieces[number])
        bounds = np.minimum(bounds, columns[0].size)
        for spool, column in zip(self._spools, columns, strict=True):
            spool.scatter(starts, bounds, column)
        stops = starts + counts_of(bounds)
        self._pieces[number] = list(zip(starts.tolist(), stops.tolist(), strict=True))

    def clear(self) -> None:
        """Forget everything."""
        for spool in self._spools:
            spool.clear()
        self._pieces = []


class Scratch:
    """Room for what grows with the corpus, within a process of up to `memory` bytes.

    A part of that (`_HELD`, and what is not `reserved`) is held in memory, what is looked at at random before
    the rest. All else goes to disk under `folder`, by default the system's for temporary files. Raises
    `ScratchError` where it cannot be written to or is full.
    """

    def __init__(self, memory: int, folder: str | os.PathLike[str] | None = None) -> None:
        self.memory = memory
        self.folder = Path(folder or tempfile.gettempdir())
        self.spilled = 0  # bytes written to disk
        self.reserved = 0  # bytes of the memory that others need
        self._full = _FULL * memory
        self._looked = 0.0  # at the process, and when
        self._spools: list[Spool] = []
        self._spare: list[IO[bytes]] = []  # files that nobody needs
        self._files: set[IO[bytes]] = set()  # all that are open, closed with the last who looks into them
        weakref.finalize(self, _close, self._files)

    def spool(self, dtype: Any, *, at_random: bool = False) -> Spool:
        """A new array; whether it will be looked at at random, rather than in order."""
        self._spools.append(Spool(self, dtype, at_random))
        return self._spools[-1]

    def given(self, values: NDArray[Any]) -> Spool:
        """An array that is there already; nothing is to be put at its end.

        If it is mapped from a file, it counts as on disk, and nothing is to be written to it.
        """
        spool = Spool(self, values.dtype, True)
        spool.size, spool.handed_out, spool._whole = values.size, True, values
        base: Any = values
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):
            spool._map = base
            self._spools.append(spool)
        return spool

    def parts(self, count: int, *dtypes: Any) -> Parts:
        """New arrays in `count` parts, one for each dtype."""
        return Parts([self.spool(dtype) for dtype in dtypes], count)

    def table(self, kind: pa.Schema, pieces: Iterable[pa.Table]) -> pa.Table:
        """A table from its pieces: on disk, and mapped, if anything has had to go there by now."""
        if not self.spilled:
            return pa.concat_tables([kind.empty_table(), *pieces])
        spool = self.spool(np.uint8)
        spool.spill()
        with pa.ipc.new_file(_Sink(spool), kind) as writer:
            for piece in pieces:
                writer.write_table(piece)
                self.let_go()
        return pa.ipc.open_file(pa.py_buffer(spool.array())).read_all()

    def grown(self) -> None:
        """Move arrays to disk, the largest first, while more is held in memory than may be."""
        movable = [spool for spool in self._spools if spool.held and not spool.handed_out]
        movable.sort(key=lambda spool: (not spool.at_random, spool.held))
        held = sum(spool.held for spool in self._spools)
        in_order = sum(spool.held for spool in self._spools if not spool.at_random)
        room = min(_HELD * self.memory, max(0, self.memory - self.reserved))
        while movable:
            spool = movable.pop()
            alone = 0 if spool.at_random else spool.held
            if held <= room and in_order <= _IN_ORDER * self.memory and alone <= _ALONE * self.memory:
                return
            held, in_order = held - spool.held, in_order - alone
            spool.spill()

    def room(self, size: int) -> mmap.mmap | None:
        """Memory for an array of `size` bytes that is growing large, with room for all that may be held."""
        whole = int(_HELD * self.memory)
        if not _HUGE <= size <= whole:
            return None
        try:
            return _memory(whole)
        except MemoryError:  # the system promises no more than it has
            return None

    def let_go(self) -> None:
        """Give memory back to the system if the process has grown large; may be called at any time."""
        now = time.monotonic()
        if now - self._looked < _OFTEN:
            return
        self._looked = now
        if _resident() >= self._full:
            self.give_back()
            self._full = max(_FULL * self.memory, min(_resident() + _MORE * self.memory, _MOST * self.memory))

    def left(self) -> None:
        """Give back what is left of what is done with, before something else takes memory at one time."""
        if _resident() >= _HELD * self.memory:
            self.give_back()

    def give_back(self) -> None:
        """Give memory back: what was only looked at on disk, and what allocators keep for later."""
        for spool in self._spools:
            spool.let_go()
        give_back()

    def file(self) -> IO[bytes]:
        """A file without a name.

        If there is a spare one it is that: the system writes over what is in a file in a fraction of the time
        that it takes to find new room on disk and in memory.
        """
        if self._spare:
            return self._spare.pop()
        try:
            file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - closed by `_close`
        except OSError as error:
            raise self.failed(error) from error
        self._files.add(file)
        return file

    def used(self, file: IO[bytes], mapped: bool) -> None:
        """Take back a file; one that was mapped is not used again, as somebody may look at it still."""
        if mapped:
            file.close()
            self._files.discard(file)
        else:
            self._spare.append(file)

    def failed(self, error: OSError) -> ScratchError:
        """What to tell the user about a failure to write."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ScratchError(
                f"{self.folder} is full ({self.spilled / 1e9:.1f} GB of temporary files, now removed); "
                "name a folder with more room with --temp-dir (temp_dir=)"
            )
        if error.errno == errno.EFBIG:
            return ScratchError(
                f"this process may not write temporary files as large as it needs in {self.folder}; "
                "raise that limit (ulimit -f), or use more --memory (memory=)"
            )
        return ScratchError(
            f"cannot write temporary files in {self.folder}: {error.strerror}; "
            "name a folder that can be written to with --temp-dir (temp_dir=)"
        )

    def close(self) -> None:
        """Give everything back."""
        for spool in self._spools:
            spool.clear()
        self._spools, self._spare = [], []
        _close(self._files)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
