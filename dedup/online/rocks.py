"""RocksDB as the index uses it: one database per folder, one writer, column families that come and go."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from dedup.errors import IndexStoreError

_WRITER = "WRITER"  # locked by who writes, and tells who that is
_MEMTABLE = 16 * 2**20
_LOGS = 256 * 2**20  # of the write-ahead log, that opening may have to read again
_CACHE = 48 * 2**20
_MANY = 2048  # keys that are asked for in two threads
REMEDY = "bring it back from a copy, or make a new index"  # where it is damaged
_FULL = "no space left", "disk quota", "max file size"  # what the database says of a disk that is


Changes = list[tuple[str, bytes, bytes | None]]  # family, key, value; None deletes
Ranges = list[tuple[str, bytes, bytes]]  # family, first key and the one behind the last


class Rocks:
    """A database of bytes by bytes, in column families.

    Raises `IndexStoreError` wherever the database does.
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.folder = folder
        self._lock: int | None = None
        self._beside = ThreadPoolExecutor(1)
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
        try:
            with telling(folder):
                self._open(read_only)
        except BaseException:
            self._unlock()
            raise

    def _open(self, read_only: bool) -> None:
        from rocksdict import AccessType, Cache, Rdict

        path, self._cache = str(self.folder), Cache(_CACHE)
        exists = (self.folder / "CURRENT").exists()
        if read_only and not exists:
            raise IndexStoreError(f"{self.folder}: there is no index; `dedup filter` makes one")
        names = Rdict.list_cf(path, self._options()) if exists else []
        families = {name: self._options() for name in names if name != "default"}
        access = AccessType.read_only() if read_only else AccessType.read_write()
        self._db = Rdict(path, self._options(), column_families=families or None, access_type=access)
        self._families = {name: self._db.get_column_family(name) for name in names}
        self._families["default"] = self._db
        self._handles = {name: self._db.get_column_family_handle(name) for name in self._families}

    def _options(self) -> Any:
        from rocksdict import BlockBasedOptions, DBCompressionType, DBRecoveryMode, Options

        options = Options(raw_mode=True)
        options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())  # and no others
        options.create_if_missing(True)
        options.set_max_background_jobs(2)
        options.set_write_buffer_size(_MEMTABLE)
        options.set_max_total_wal_size(_LOGS)
        options.set_max_open_files(-1 if self._lock is None else 256)  # a reader keeps what it opened
        options.set_memtable_whole_key_filtering(True)  # most keys that are asked for are not there
        options.set_memtable_prefix_bloom_ratio(0.1)
        options.set_keep_log_file_num(2)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_bottommost_compression_type(DBCompressionType.zstd())
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_bloom_filter(10, False)
        blocks.set_cache_index_and_filter_blocks(False)
        options.set_block_based_table_factory(blocks)
        return options

    @property
    def families(self) -> list[str]:
        """The column families there are, sorted."""
        return sorted(self._families)

    def create(self, name: str) -> None:
        """Add an empty column family."""
        with telling(self.folder):
            self._db.create_column_family(name, self._options())
            self._take(name)

    def _take(self, name: str) -> None:
        """Have a column family that is there at hand."""
        self._families[name] = self._db.get_column_family(name)
        self._handles[name] = self._db.get_column_family_handle(name)

    def drop(self, name: str) -> None:
        """Forget a column family and all that is in it, if it is there."""
        if name not in self._families:
            return
        with telling(self.folder):
            self._families[name].close()
            self._handles.pop(name)
            try:
                self._db.drop_column_family(name)
            except BaseException:  # it is still there, and may be dropped another time
                self._take(name)
                raise
            self._families.pop(name)

    def get(self, family: str, key: bytes) -> bytes | None:
        """What stands at a key; nothing does in a family that is not there."""
        self._check()
        if family not in self._families:
            return None
        with telling(self.folder):
            value: bytes | None = self._families[family].get(key)
        return value

    def several(self, family: str, keys: list[bytes]) -> list[bytes | None]:
        """What stands at each of some keys; nothing does in a family that is not there."""
        self._check()
        if not keys or family not in self._families:
            return [None] * len(keys)
        get: Any = self._families[family].get
        with telling(self.folder):
            if len(keys) < _MANY:
                return cast(list[bytes | None], get(keys))
            half = self._beside.submit(get, keys[: len(keys) // 2])  # the database lets go of the global lock
            rest = get(keys[len(keys) // 2 :])
            return cast(list[bytes | None], half.result() + rest)

    def range(self, family: str, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All keys that begin with `prefix`, in order."""
        self._check()
        with telling(self.folder):
            cursor = self._families[family].iter()
            cursor.seek(prefix)
        while cursor.valid() and cursor.key().startswith(prefix):
            yield cursor.key(), cursor.value()
            cursor.next()
        with telling(self.folder):
            cursor.status()  # raises if it has ended before its time

    def last(self, family: str, prefix: bytes) -> bytes | None:
        """The last key that begins with `prefix`, which does not end in 0xff."""
        self._check()
        with telling(self.folder):
            cursor = self._families[family].iter()
            cursor.seek_for_prev(prefix[:-1] + bytes([prefix[-1] + 1]))
            key: bytes | None = cursor.key() if cursor.valid() else None
        return key if key is not None and key.startswith(prefix) else None

    def write(self, changes: Changes, *, ranges: Ranges | None = None) -> None:
        """Make changes and delete what is in `ranges`, all or nothing; durable once `sync` returns."""
        from rocksdict import WriteBatch

        self._check()
        with telling(self.folder):
            batch = WriteBatch(raw_mode=True)
            handles = self._handles
            for family, first, stop in ranges or ():
                batch.delete_range(first, stop, handles[family])
            for family, key, value in changes:
                if value is None:
                    batch.delete(key, handles[family])
                else:
                    batch.put(key, value, handles[family])
            self._db.write(batch)  # which holds Python's global lock; to wait for the disk does not

    def sync(self) -> None:
        """Wait until all that was written is durable."""
        self._check()
        with telling(self.folder):
            self._db.flush_wal(True)

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by kind of file."""
        out: dict[str, int] = {}
        for path in self.folder.iterdir():
            with suppress(OSError):
                out[path.suffix or path.name] = out.get(path.suffix or path.name, 0) + path.stat().st_size
        return out

    def compact(self) -> None:
        """Leave nothing in the files that is no longer there."""
        with telling(self.folder):
            for family in self._families.values():
                family.compact_range(None, None)

    def _check(self) -> None:
        if not self._families:
            raise IndexStoreError(f"{self.folder}: the index is closed")

    def close(self) -> None:
        """Write out what is in memory, and let others write."""
        if not self._families:
            return
        with telling(self.folder):
            self._handles.clear()  # each keeps the database open
            for name, family in self._families.items():
                if name != "default":
                    family.close()
            self._families.clear()
            self._db.close()
        self._unlock()
        self._beside.shutdown()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except (IndexStoreError, InterruptedError):
        raise
    except Exception as error:
        said = str(error)
        if any(words in said.lower() for words in _FULL) or ("previous error" in said and _is_full(folder)):
            raise IndexStoreError(
                f"{folder}: the disk is full; all verdicts given so far are kept. Make room, and go on; "
                "then `dedup index expire` drops days that are not needed"
            ) from error
        if "Corruption" in said:
            raise IndexStoreError(f"{folder}: the index is damaged ({said}); {REMEDY}") from error
        raise IndexStoreError(f"{folder}: {said}") from error


def _is_full(folder: Path) -> bool:
    """Is there no room for what the database writes in one go? It does not always say why it failed."""
    return shutil.disk_usage(folder).free < _MEMTABLE


def _locked(folder: Path) -> int:
    """Become the writer of a folder; a descriptor that keeps others out until it is closed."""
    try:
        descriptor = os.open(folder / _WRITER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise IndexStoreError(f"{folder}: cannot be written to ({error.strerror})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        who = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
        os.close(descriptor)
        raise IndexStoreError(f"{folder}: another process writes to this index: {_named(who)}") from None
    own = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat("T", "seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(own).encode(), 0)
    return descriptor


def _named(who: str) -> str:
    try:
        facts = json.loads(who)
        return f"process {facts['process']} on {facts['host']}, since {facts['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said which"
