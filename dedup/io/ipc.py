"""Arrow IPC: files and streams; one row is one article."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from dedup.errors import InputError
from dedup.io.archive import spooled
from dedup.io.arrow import articles, columns_of, tell_columns
from dedup.io.file import File
from dedup.io.place import Found, Place, reason
from dedup.io.reading import Reading


def read(file: File, source: Iterator[bytes], place: Place, reading: Reading) -> Iterator[Found]:
    """Yield the articles of a file, batch after batch; places are the file and the row's number."""
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(file.open() if file.seeks else spooled(source))
            head = stream.read(6)
            stream.seek(0)
            opened: Any = pa.ipc.open_file(stream) if head == b"ARROW1" else pa.ipc.open_stream(stream)
            whole = stack.enter_context(opened)
            present = columns_of(whole.schema, reading.names)
            tell_columns(present, place, reading)
            yield from articles(_batches(whole), present, reading, file.shown)
    except InputError as error:
        yield place.problem(str(error))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = reason(error) if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        yield place.problem(f"cannot be read as Arrow IPC: {what}; the rows before are kept")


def _batches(whole: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(whole, pa.ipc.RecordBatchFileReader):
        for number in range(whole.num_record_batches):
            yield _sound(whole.get_batch(number))
    else:
        yield from map(_sound, whole)


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, if no value in it leads out of its buffers; text is looked at later."""
    for column in batch.columns:
        if pa.types.is_string(column.type):
            column.view(pa.binary()).validate(full=True)
        elif pa.types.is_large_string(column.type):
            column.view(pa.large_binary()).validate(full=True)
        else:
            column.validate(full=True)
    return batch
