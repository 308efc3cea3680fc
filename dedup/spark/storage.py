"""Storage: files that every executor reads and writes, in a folder of one run."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.errors import ScratchError

_LOG = logging.getLogger("dedup")
_AT_ONCE = ("s3", "gcs", "abfs")  # systems where a file shows once it is closed
_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder by its address (`s3://…`, `hdfs://…`) or path.

    The driver makes it, and tasks do not: one that goes on when all others have ended leaves nothing behind,
    and one on a machine that has no such folder fails.
    """

    address: str

    def _system(self) -> tuple[Any, str]:
        from pyarrow import fs

        system, root = fs.FileSystem.from_uri(self.address)
        return system, root.rstrip("/")

    def inside(self, name: str) -> Folder:
        """A folder in this one; what stands behind a "?" in the address (an endpoint, say) stays."""
        base, mark, options = self.address.partition("?")
        return Folder(f"{base.rstrip('/')}/{name}{mark}{options}")

    def make(self) -> None:
        """Make the folder."""
        with self._telling():
            system, root = self._system()
            system.create_dir(root, recursive=True)

    def write(self, name: str, data: Any) -> None:
        """Put bytes into a file, always the same ones; it is there as a whole or not at all."""
        with self._telling():
            system, root = self._system()
            path = f"{root}/{name}"
            aside = path if system.type_name in _AT_ONCE else f"{root}/.{name}.{secrets.token_hex(4)}"
            with system.open_output_stream(aside) as stream:
                stream.write(data)
            if aside != path:
                self._move(system, aside, path)

    def _move(self, system: Any, aside: str, path: str) -> None:
        """Move a file to where it may be already, as tasks may run twice."""
        from pyarrow import fs

        try:
            system.move(aside, path)
        except OSError:  # some systems put nothing in the place of another file
            if system.get_file_info(path).type != fs.FileType.File:
                raise
            system.delete_file(aside)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say what to do where the folder cannot be written to."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise ScratchError(
                f"{self.address}: cannot be written: {str(error).splitlines()[0]}; it must be one and the "
                "same folder for all executors, and have room: name one with --temp-dir (temp_dir=) for what "
                "stages hand on, another -o for the report"
            ) from error

    def read(self, name: str) -> pa.Buffer:
        """The bytes of a file, mapped where that is possible."""
        try:
            system, root = self._system()
            if system.type_name == "local":
                with pa.memory_map(f"{root}/{name}") as mapped:
                    return mapped.read_buffer()
            with system.open_input_file(f"{root}/{name}") as file:
                return file.read_buffer()
        except (OSError, pa.ArrowException) as error:
            raise ScratchError(
                f"{self.address}/{name}: cannot be read: {str(error).splitlines()[0]}; the folder of "
                "--temp-dir (temp_dir=) must be one and the same for all executors"
            ) from error

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table in Parquet, in one file or in a folder of its parts."""
        from pyarrow import dataset

        system, root = self._system()
        yield from dataset.dataset(f"{root}/{name}", filesystem=system).to_batches()

    def write_batches(
        self, name: str, kind: pa.Schema, batches: Sequence[pa.RecordBatch], *, packed: bool = True
    ) -> None:
        """Put record batches into a file; of one that is not `packed` readers need not look at all."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, kind, options=_LZ4 if packed else None) as writer:
            for batch in batches:
                writer.write_batch(batch)
        self.write(name, sink.getvalue())

    def read_batches(self, name: str) -> list[pa.RecordBatch]:
        """The record batches of a file."""
        file = pa.ipc.open_file(self.read(name))
        return [file.get_batch(number) for number in range(file.num_record_batches)]

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put arrays of any lengths into a file."""
        self.write(name, packed_arrays(arrays))

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a file."""
        return unpacked_arrays(self.read(name))

    def tidy(self) -> None:
        """Remove what tasks have left here, and in the folders in it, that died while they wrote."""
        from pyarrow import fs

        system, root = self._system()
        if system.type_name not in _AT_ONCE:
            for info in system.get_file_info(fs.FileSelector(root, recursive=True)):
                if info.type == fs.FileType.File and info.base_name.startswith("."):
                    system.delete_file(info.path)

    def has(self, name: str) -> bool:
        """Is a file there?"""
        from pyarrow import fs

        system, root = self._system()
        there: bool = system.get_file_info(f"{root}/{name}").type == fs.FileType.File
        return there

    def files(self) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes of the files in this folder, sorted."""
        from pyarrow import fs

        system, root = self._system()
        found = system.get_file_info(fs.FileSelector(root, allow_not_found=True))
        for info in sorted(found, key=lambda info: info.path):
            if info.type == fs.FileType.File:
                yield info.base_name, info.size

    def names(self) -> list[str]:
        """What is in this folder."""
        from pyarrow import fs

        system, root = self._system()
        found = system.get_file_info(fs.FileSelector(root, allow_not_found=True))
        return [info.base_name for info in found]

    def take(self, other: Folder, folders: Sequence[str], last: str) -> None:
        """Move files of some folders in another one here, in the place of those here, and one file last."""
        from pyarrow import fs

        system, root = self._system()
        _, theirs = other._system()
        if system.get_file_info(f"{root}/{last}").type == fs.FileType.File:
            system.delete_file(f"{root}/{last}")
        for name in folders:
            there = system.get_file_info(f"{root}/{name}").type
            if there == fs.FileType.Directory:
                system.delete_dir(f"{root}/{name}")
            elif there == fs.FileType.File:  # of a report that was made here and brought there
                system.delete_file(f"{root}/{name}")
            for file, _ in other.inside(name).files():
                system.create_dir(f"{root}/{name}", recursive=True)
                system.move(f"{theirs}/{name}/{file}", f"{root}/{name}/{file}")
        system.move(f"{theirs}/{last}", f"{root}/{last}")

    def remove(self) -> None:
        """Remove the folder with all that is in it, if it is there; a note on `logging` if that fails."""
        from pyarrow import fs

        try:
            system, root = self._system()
            if system.get_file_info(root).type == fs.FileType.Directory:
                system.delete_dir(root)
        except (OSError, pa.ArrowException) as error:
            _LOG.warning("%s cannot be removed (%s); remove it by hand", self.address, error)


def packed_arrays(arrays: Mapping[str, NDArray[Any]]) -> pa.Buffer:
    """Arrays as one row of binary columns: dtype, shape and bytes stand in the schema."""
    fields, columns = [], []
    for name, array in arrays.items():
        values = np.ascontiguousarray(array)
        shape = ",".join(map(str, values.shape))
        fields.append(pa.field(name, pa.large_binary(), metadata={"dtype": values.dtype.str, "shape": shape}))
        bounds = pa.py_buffer(np.array([0, values.nbytes], np.int64))
        columns.append(pa.Array.from_buffers(pa.large_binary(), 1, [None, bounds, pa.py_buffer(values)]))
    sink = pa.BufferOutputStream()
    kind = pa.schema(fields)
    with pa.ipc.new_stream(sink, kind, options=_LZ4) as writer:
        writer.write_batch(pa.record_batch(columns, kind))
    return sink.getvalue()


def unpacked_arrays(data: Any) -> dict[str, NDArray[Any]]:
    """The same arrays again, writable."""
    batch = pa.ipc.open_stream(data).read_next_batch()
    out = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        shape = tuple(int(part) for part in field.metadata[b"shape"].decode().split(",") if part)
        whole = np.frombuffer(column.buffers()[2] or b"", np.dtype(field.metadata[b"dtype"].decode()))
        out[field.name] = whole[: int(np.prod(shape))].reshape(shape).copy()
    return out
