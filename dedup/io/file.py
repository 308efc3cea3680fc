"""Files to read, wherever they are: on disk, in an archive, in a bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from dedup.io.folders import shown


@dataclass(frozen=True, slots=True)
class File:
    """A file: how messages call it, the name it goes by, and how it is opened, as often as is wanted.

    `open` gives the bytes as they are stored, unbuffered or not, and raises `OSError`. `seeks`: whether one
    can jump about in them, and they are not compressed. `size` in bytes, None where it is not known.
    """

    shown: str
    name: PurePath  # relative to what the user gave; endings tell its format
    open: Callable[[], BinaryIO]
    seeks: bool = True
    size: int | None = None
    local: Path | None = None  # where it is on this machine, if it is a file of its own

    @classmethod
    def at(cls, path: Path, name: PurePath) -> File:
        """A file on this machine."""
        return cls(shown(path), name, lambda: path.open("rb", buffering=0), local=path)
