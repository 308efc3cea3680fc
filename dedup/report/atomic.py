"""Replace a file or a folder as a whole: at every moment the old one or the new one stands there.

New content is written beside the target under a name of its own, brought to the disk, and then moved
into place. Whatever fails on the way, the old content is untouched and nothing is left behind; what a
process that was killed has left is removed by the next that writes there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dedup.errors import DedupError, OutputError

try:
    import fcntl
except ImportError:  # on systems without it nothing is removed
    fcntl = None  # type: ignore[assignment]

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux's renameat2
_YOUNG = 60  # seconds in which a file or folder may not be claimed yet by who made it
_REMEDIES = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "free some space or write to another disk",
    errno.EACCES: "write to a folder that you may write to",
    errno.EPERM: "write to a folder that you may write to",
    errno.EROFS: "write to a folder that you may write to",
    errno.ENOENT: "create the folder it stands in first",
    errno.ENOTDIR: "a part of the path is a file; name another place",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.EEXIST: "it is a file; name a folder",
    errno.EFBIG: "this process may write no larger files; raise that limit (ulimit -f)",
    errno.EBUSY: "the folder is in use as a whole (a mounted disk?); name a folder inside it",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def failure(path: str | Path, error: OSError) -> OutputError:
    """Say which path could not be written, why, and what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "see to that, or write to another place")
    return OutputError(f"{path}: cannot be written: {reason}; {remedy}")


def _beside(target: Path, ending: str) -> Path:
    """Name a new neighbour of `target`, short enough for every file system."""
    return target.parent / f".dedup-{secrets.token_hex(8)}.{ending}"


@contextmanager
def _claimed(temporary: Path) -> Iterator[None]:
    """Show others that a file or folder is being written, for as long as this process lives."""
    claim = _claim(temporary)
    try:
        yield
    finally:
        if claim is not None:
            os.close(claim)


def _claim(path: Path) -> int | None:
    """A descriptor of a file or folder that nobody else has claimed; None if somebody has, or may have."""
    if fcntl is None:
        return None
    claim = None
    try:
        claim = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if claim is not None:
            os.close(claim)
        return None
    return claim


def _sweep(folder: Path) -> None:
    """Remove what processes have left in a folder that were killed while they wrote."""
    for left in folder.glob(".dedup-*.tmp"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < _YOUNG:
                continue
            claim = _claim(left)
            if claim is not None:
                os.close(claim)
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the folder's own entries to the disk, on systems that know how to."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that must not exist yet; at the end it is on the disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o666), "wb") as stream:  # noqa: PTH123 - opened by descriptor
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def replace_file(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Put what `fill` writes in the place of the file at `path`; links are followed, devices written to.

    Raises `OutputError`.
    """
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            with path.open("wb") as stream:  # a pipe or a device: there is nothing to keep
                fill(stream)
            return
        target = Path(os.path.realpath(path))
        temporary = _beside(target, "tmp")
        _sweep(target.parent)
        try:
            with ExitStack() as claim:
                with new_file(temporary) as stream:
                    claim.enter_context(_claimed(temporary))
                    fill(stream)
                if mode is not None:
                    temporary.chmod(stat.S_IMODE(mode))
                os.replace(temporary, target)  # noqa: PTH105 - the call whose promise this rests on
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    except OutputError:
        raise
    except OSError as error:
        raise failure(path, error) from error


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Put the folder that `fill` fills in the place of the one at `path`. Raises `OutputError`."""
    with replaced_folder(path) as folder:
        fill(folder)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A new folder that takes the place of the one at `path` if the block ends well.

    The old folder is moved aside, the new one moved in, and only then is the old one removed. Raises
    `OutputError`.
    """
    try:
        target = Path(os.path.realpath(path))
        temporary, aside = _beside(target, "tmp"), _beside(target, "old")
        _sweep(target.parent)
        temporary.mkdir()
        try:
            with _claimed(temporary):
                yield temporary
                sync_folder(temporary)
                _swap(temporary, target, aside)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(target.parent)
    except DedupError:
        raise
    except OSError as error:
        raise failure(path, error) from error
    try:
        if aside.exists():
            shutil.rmtree(aside)
    except OSError as error:
        raise OutputError(
            f"{path}: is written, but the earlier report could not be removed: {error.strerror}; "
            f"it stands at {aside}, remove it by hand"
        ) from error


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders at one stroke; only Linux can, and not on every disk."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if exchange is None:
        return False
    given = [_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE]
    return bool(exchange(*given) == 0)


def _swap(temporary: Path, target: Path, aside: Path) -> None:
    """Move the old folder aside and the new one in; put the old one back when that fails.

    Where the system can exchange them, one stands there at every moment, and the old one is left behind as
    what the next sweep would remove.
    """
    if not target.exists():
        temporary.rename(target)
        return
    if _exchanged(temporary, target):
        temporary.rename(aside)
        return
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
