"""Files in buckets and on clusters: s3://, gs://, hdfs://, abfs:// and what else Arrow opens."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from glob import has_magic
from pathlib import PurePath, PurePosixPath
from typing import Any

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.file import File

SCHEMES = ("s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss", "file")
_WEB = ("http", "https", "ftp")


def is_remote(path: object) -> bool:
    """Is it an address rather than a path? Raises `InputError` for one that is not read."""
    scheme, sign, _ = str(path).partition("://")
    if not sign or not isinstance(path, str):
        return False
    if scheme in _WEB:
        raise InputError(f"{path!r}: pages are not fetched; crawl them, and give the files or the WARC")
    if scheme not in SCHEMES:
        raise InputError(f"{path!r}: no address begins with {scheme}://; use {', '.join(SCHEMES)}, or a path")
    return True


def remote(address: str, several: bool) -> Iterator[File]:
    """The files at an address, under it if it is a folder, or that it stands for if it is a pattern, sorted.

    `several`: the files' names begin with the address. Raises `InputError` where there is nothing.
    """
    from pyarrow import fs

    base, options = address.partition("?")[::2]
    pattern = base if has_magic(base) else None
    first = base[: _literal(base)] if pattern else base
    try:
        system, root = fs.FileSystem.from_uri(first + (f"?{options}" if options else ""))
        [info] = system.get_file_info([root])
        if info.type == fs.FileType.NotFound:
            raise InputError(f"there is nothing at {first}")
        if info.type == fs.FileType.File:
            infos = [info]
        else:
            infos = system.get_file_info(fs.FileSelector(root, recursive=True))
    except (OSError, pa.ArrowException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{first}: cannot be opened: {str(error).splitlines()[0]}") from error
    prefix = first.rstrip("/").removesuffix(root.rstrip("/"))
    for found in sorted(infos, key=lambda found: found.path):
        where = prefix + found.path
        if found.type != fs.FileType.File or (pattern and not fnmatchcase(where, pattern)):
            continue
        inside = PurePosixPath(found.path)
        name = inside.relative_to(root) if len(infos) > 1 or found.path != root else PurePath(inside.name)
        if any(part.startswith(".") for part in name.parts):
            continue
        name = PurePath(where) if several else PurePath(name)
        yield File(where, name, partial(_opened, system, found.path), size=found.size)


def _literal(pattern: str) -> int:
    """How much of a pattern, in whole folders, stands for itself."""
    parts = pattern.split("/")
    plain = next(number for number, part in enumerate(parts) if has_magic(part))
    return len("/".join(parts[:plain]))


def _opened(system: Any, path: str) -> Any:
    try:
        return system.open_input_file(path)
    except pa.ArrowException as error:
        raise OSError(str(error).splitlines()[0]) from error
