"""Resume: what stages hand on, as arrays that a checkpoint can keep, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dedup.align import Aligned
from dedup.checkpoint import Arrays
from dedup.errors import InputError
from dedup.families import Families
from dedup.io.files import expanded
from dedup.io.folders import Seen, walk
from dedup.io.remote import is_remote
from dedup.report.model import Inputs, Problem
from dedup.scratch import Scratch
from dedup.settings import Settings
from dedup.store import Articles, Texts

_NAMED = 10_000  # files of which a checkpoint can tell which has changed


def facts_of(
    source: Any, settings: Settings, fields: Mapping[str, str] | None, input_format: str | None, version: str
) -> dict[str, Any]:
    """What a checkpoint is of: version, settings, field names and, for each path, its files.

    Raises `InputError` if the source is not made of files, which alone can be told to be the same.
    """
    paths = [source] if isinstance(source, str | os.PathLike) else source
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise InputError("a checkpoint is of files and folders; write the articles to a file first")
    facts: dict[str, Any] = {"version": version, "fields": dict(sorted((fields or {}).items()))}
    facts["input_format"] = input_format
    facts |= settings.answer()
    facts["paths"] = [os.fsdecode(path) for path in paths]
    for path in facts["paths"]:
        if path == "-" or is_remote(path):
            what = "standard input" if path == "-" else "addresses"
            raise InputError(f"a checkpoint is of files on this machine, not of {what}; write a file first")
        facts[f"files of {path}"] = _files([Path(one) for one in expanded(path) if one is not None])
    return facts


def _under(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The files under paths, and what to call them."""
    for path in paths:
        if not path.is_dir():
            yield path, str(path)
            continue
        for item in walk(path, Seen()):
            if not isinstance(item, Problem):
                yield item.path, str(item.path.relative_to(path) if len(paths) == 1 else item.path)


def _files(paths: Sequence[Path]) -> dict[str, Any]:
    """The files under paths: sizes and times of the first, and number, size and a digest of all."""
    state, count, size = xxhash.xxh3_64(), 0, 0
    each: dict[str, str] = {}
    for file, name in _under(paths):
        try:
            found = file.stat()
        except OSError:
            continue
        state.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        if count < _NAMED:
            time = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(" ", "milliseconds")
            each[os.fsencode(name).decode("utf-8", "backslashreplace")] = f"{found.st_size} bytes of {time}"
        count, size = count + 1, size + found.st_size
    return {"each": each, "files": count, "bytes": size, "digest": state.hexdigest()}


def articles_to_arrays(articles: Articles, inputs: Inputs) -> Arrays:
    """Articles as read, and what was set aside."""
    texts = articles.texts
    return {
        "details": table_to_array(articles.details),
        "inputs": np.frombuffer(inputs.packed(), np.uint8),
        "data": texts.data.array(),
        "starts": texts.starts,
        "sizes": texts.sizes,
    }


def articles_of_arrays(kept: Arrays, inputs: Inputs, scratch: Scratch) -> Articles:
    """The same articles again; `inputs` takes in what was set aside."""
    inputs.add_packed(kept["inputs"].tobytes())
    texts = Texts(scratch.given(kept["data"]), scratch.let_go, kept["starts"], kept["sizes"])
    return Articles(table_of_array(kept["details"]), texts, texts.sizes)


def table_to_array(table: pa.Table) -> NDArray[np.uint8]:
    """A table as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), np.uint8)


def table_of_array(kept: NDArray[np.uint8]) -> pa.Table:
    """The same table again."""
    return pa.ipc.open_stream(pa.py_buffer(kept)).read_all().combine_chunks()


def families_to_arrays(aligned: Aligned, found: Families) -> Arrays:
    """Aligned pairs and the families they make."""
    arrays = aligned_to_arrays(aligned)
    return arrays | {f"families-{name}": getattr(found, name) for name in Families.__dataclass_fields__}


def families_of_arrays(kept: Arrays) -> tuple[Aligned, Families]:
    """The same again."""
    found = {name: kept[f"families-{name}"] for name in Families.__dataclass_fields__}
    return aligned_of_arrays(kept), Families(**found)


def aligned_to_arrays(aligned: Aligned) -> Arrays:
    """Aligned pairs."""
    return {f"aligned-{name}": getattr(aligned, name) for name in Aligned.__dataclass_fields__}


def aligned_of_arrays(kept: Arrays) -> Aligned:
    """The same again."""
    return Aligned(**{name: kept[f"aligned-{name}"] for name in Aligned.__dataclass_fields__})
