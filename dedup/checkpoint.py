"""Checkpoint: finished stages of a scan on disk, so that an interrupted one goes on where it was.

A folder holds `checkpoint.json` (format, version, what the scan is of, and for each finished stage its
arrays with sizes and checksums) and one file for each array. A stage counts once the header that
names it has replaced the one before, so a scan that is killed leaves the stages before it as they were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.errors import CheckpointError
from dedup.report.atomic import failure, replace_file

_FORMAT = 4
_HEADER = "checkpoint.json"
_BLOCK = 2**24  # bytes checked at once

Arrays = dict[str, NDArray[Any]]


class Checkpoint:
    """The stages kept in `folder`, of a scan that `facts` describe: names and values that JSON can hold.

    Raises `CheckpointError` if the folder holds something else, or stages of a scan with other facts, and
    `OutputError` where it cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.facts = json.loads(json.dumps(facts))
        self._stages: dict[str, dict[str, dict[str, Any]]] = {}
        self._open()

    def _open(self) -> None:
        header = self.folder / _HEADER
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(".dedup-*.tmp"):  # of a scan that was killed while it wrote
                left.unlink(missing_ok=True)
            found = sorted(entry.name for entry in self.folder.iterdir())
            if not found:
                return
            if _HEADER not in found:
                if all(name.endswith(".array") for name in found):
                    return  # killed in its first stage
                raise CheckpointError(
                    f"{self.folder}: holds {found[0]} and no {_HEADER}, so it is none; name an empty folder"
                )
            data = header.read_bytes()
        except OSError as error:
            raise failure(self.folder, error) from error
        try:
            stored = json.loads(data)
        except ValueError as error:
            raise self._damaged(str(error)) from error
        self._check(stored)
        self._stages = stored["stages"]

    def _check(self, stored: Any) -> None:
        """Refuse stages of another scan, saying what differs."""
        if not isinstance(stored, dict):
            raise self._damaged("it holds no object")
        if stored.get("format") != _FORMAT:
            raise CheckpointError(
                f"{self.folder}: is a checkpoint of format {stored.get('format')}, not {_FORMAT}; "
                "remove it, or use the version of dedup that made it"
            )
        theirs = stored.get("facts")
        if not isinstance(theirs, dict) or not isinstance(stored.get("stages"), dict):
            raise self._damaged("it names no scan or no stages")
        other = [name for name in sorted({*theirs, *self.facts}) if theirs.get(name) != self.facts.get(name)]
        if other:
            was, now = (
                ", ".join(
                    f"{name}={_shown(_apart(facts[name], than.get(name)))}" if name in facts else f"no {name}"
                    for name in other
                )
                for facts, than in ((theirs, self.facts), (self.facts, theirs))
            )
            raise CheckpointError(
                f"{self.folder}: was made with {was}, and this scan has {now}; "
                "use the same, or name another folder"
            )

    def _damaged(self, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self.folder / _HEADER}: is damaged ({why}); remove the folder and scan anew"
        )

    def load(self, stage: str) -> Arrays | None:
        """The arrays of a finished stage, mapped from disk; None if it is not finished.

        Raises `CheckpointError` if a file is not what was written.
        """
        if stage not in self._stages:
            return None
        arrays: Arrays = {}
        for name, facts in self._stages[stage].items():
            path = self._path(stage, name)
            if not path.exists() or _digest(path) != facts["digest"]:
                raise CheckpointError(f"{path}: is missing or damaged; remove {self.folder} and scan anew")
            shape, dtype = tuple(facts["shape"]), np.dtype(facts["dtype"])
            empty = 0 in shape
            arrays[name] = (
                np.empty(shape, dtype) if empty else np.asarray(np.memmap(path, dtype, "c", 0, shape))
            )
        return arrays

    def save(self, stage: str, arrays: Mapping[str, NDArray[Any]], let_go: Callable[[], None]) -> None:
        """Keep the arrays of a stage that has been finished; `let_go` of memory while they are written."""
        facts = {}
        for name, array in arrays.items():
            values = np.ascontiguousarray(array)
            path = self._path(stage, name)
            replace_file(path, partial(_fill, values, let_go))
            facts[name] = {"shape": values.shape, "dtype": values.dtype.str, "digest": _digest(path)}
        self._stages = {**self._stages, stage: facts}
        header = {"format": _FORMAT, "facts": self.facts, "stages": self._stages}
        text = json.dumps(header, ensure_ascii=False, indent=1) + "\n"
        replace_file(self.folder / _HEADER, partial(_write, text))

    def _path(self, stage: str, name: str) -> Path:
        return self.folder / f"{stage}.{name}.array"


def _write(text: str, stream: BinaryIO) -> None:
    stream.write(text.encode())


def _fill(values: NDArray[Any], let_go: Callable[[], None], stream: BinaryIO) -> None:
    """Write an array's bytes, a part at a time."""
    if values.size:
        data = values.reshape(-1).view(np.uint8).data
        for first in range(0, len(data), _BLOCK):
            stream.write(data[first : first + _BLOCK])
            let_go()


def _digest(path: Path) -> str:
    state = xxhash.xxh3_64()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _apart(value: Any, other: Any) -> Any:
    """A value as far as it is not the other: of an object, only the entries that differ."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return value
    return {name: _apart(own, other.get(name)) for name, own in value.items() if own != other.get(name, ...)}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:199]}…"
