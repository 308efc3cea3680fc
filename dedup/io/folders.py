"""Folders, walked to the bottom: the files in them, in order, each once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from dedup.io.place import Place, reason
from dedup.report.model import Problem

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class File(NamedTuple):
    """A file to read: where it is, and the name it goes by (relative to the folder walked)."""

    path: Path
    name: PurePath


def shown(path: PurePath | str) -> str:
    r"""Write a path as valid text; bytes that are no UTF-8 come as `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Item(NamedTuple):
    file: File
    real: str  # the path without links; following it from the top for every file would be quadratic


class Seen:
    """What was read already, so that links and repeated arguments do not make copies of an article.

    Files are told apart by their real paths and not by inodes: two hard links are two articles, since
    archives save space that way.
    """

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self.repeats = 0  # how often something was met again

    def before(self, path: Path, real: str | None = None) -> Path | None:
        """Return the path by which the same file or folder was met before; otherwise remember it.

        `real` is the path without links, where it is known.
        """
        first = self._paths.setdefault(real or os.path.realpath(path), path)
        if first is path:
            return None
        self.repeats += 1
        return first


def walk(folder: Path, seen: Seen) -> Iterator[File | Problem]:
    """Yield the regular files under `folder`, sorted by name at every level.

    Names that begin with a dot are passed over. Links are followed, but nothing is read twice, so a
    loop of links ends. Pipes, sockets and devices are reported and never opened.
    """
    todo = [_Item(File(folder, PurePath()), os.path.realpath(folder))]
    while todo:
        item, real = todo.pop()
        place = Place(shown(item.path))
        try:
            mode = item.path.stat().st_mode
            regular = stat.S_ISREG(mode)
            if not regular and not stat.S_ISDIR(mode):
                yield place.problem(f"is {kind_of(mode)}, not a file; it was not opened", "skipped")
                continue
            if first := seen.before(item.path, real):
                yield place.problem(f"is the same as {shown(first)}, which is read already", "skipped")
                continue
            inside = [] if regular else _inside(item, real)
        except OSError as error:
            yield place.problem(reason(error))
            continue
        if regular:
            yield item
        todo.extend(inside)


def kind_of(mode: int) -> str:
    """Name what is neither file nor folder."""
    return next((name for test, name in _KINDS if test(mode)), "something else")


def _inside(folder: File, real: str) -> list[_Item]:
    """List what is in a folder, last name first."""
    with os.scandir(folder.path) as entries:
        found = [(entry.name, entry.is_symlink()) for entry in entries if not entry.name.startswith(".")]
    items = []
    for name, link in sorted(found, reverse=True):
        path = folder.path / name
        inside = os.path.realpath(path) if link else f"{real.rstrip(os.sep)}{os.sep}{name}"
        items.append(_Item(File(path, folder.name / name), inside))
    return items
