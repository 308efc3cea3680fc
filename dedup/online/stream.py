"""JSON Lines through a filter: lines in, the same lines out with their verdicts, nothing lost on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from dedup.io.jsonl import ESCAPED, OTHERS, parsed
from dedup.io.place import NO_ZONE, Place, Row, SetAside
from dedup.io.record import check
from dedup.online.filter import Filter, facts_of
from dedup.online.texts import Facts
from dedup.online.verdict import Verdict
from dedup.report.atomic import failure
from dedup.report.model import Problem

FIELD = "dedup"  # of a line, that holds its verdict


class Added:
    """A file that lines are added to; whatever goes wrong names it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._file = Path(path).open("ab")  # noqa: SIM115 - closed by `close`
        if _is_cut(Path(path)):
            self.write(b"\n")

    def write(self, line: bytes) -> None:
        """Add a line."""
        with self._telling():
            self._file.write(line)

    def flush(self) -> None:
        """Hand on what was added."""
        with self._telling():
            self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        with self._telling():
            self._file.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failure(os.fspath(self.path), error) from error


def _is_cut(path: Path) -> bool:
    """Does a file end within a line, as that of a process that was killed?"""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


@dataclass(slots=True)
class Streams:
    """Where lines go; None: nowhere."""

    fresh: BinaryIO
    rejects: Added | None = None
    dead: Added | None = None


@dataclass(slots=True)
class Counts:
    """What came of the lines so far."""

    verdicts: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    skipped: int = 0  # without anything to judge, as a scan passes them over
    noted: list[str] = field(default_factory=list)  # doubts, for who has not been told yet


@dataclass(slots=True)
class Stream:
    """Lines of one source after another through a filter.

    `names` as from `record.names_of`; articles with one of the verdicts `dropped` do not come out fresh.
    """

    filter: Filter
    names: dict[str, str]
    dropped: Collection[str]
    streams: Streams
    counts: Counts = field(default_factory=Counts)
    zoneless: bool = False  # whether a time without a zone was told of

    @property
    def longest(self) -> int:
        """Bytes in the longest line."""
        return self.filter.index.settings.max_bytes * ESCAPED + OTHERS

    def take(self, lines: Iterable[tuple[Place, bytes | None]]) -> None:
        """Judge lines (None: too long), write them where they belong, and flush."""
        kept: list[tuple[bytes, Facts]] = []
        for place, line in lines:
            if line is not None and (not line or line.isspace()):
                continue
            try:
                if line is None:
                    raise SetAside(f"the line is longer than {self.longest:,} bytes; raise --max-bytes")
                kept.append((line, self._facts(line, place)))
            except SetAside as reason:
                self._set_aside(line, place, reason)
        verdicts = self.filter.judge([facts for _, facts in kept])
        for (line, _), verdict in zip(kept, verdicts, strict=True):
            self._write(line, verdict)
        for stream in (self.streams.fresh, self.streams.rejects, self.streams.dead):
            if stream is not None:
                stream.flush()

    def _facts(self, line: bytes, place: Place) -> Facts:
        doubts: list[str] = []
        for found in check(parsed(line), self.names, place, self.filter.index.settings.max_bytes):
            if isinstance(found, Row):
                if found.zoneless and not self.zoneless:
                    self.zoneless = True
                    self.counts.noted.append(f"{place}: {NO_ZONE}, here and wherever else it has none")
                self.counts.noted += [f"{place}: {doubt}" for doubt in doubts]
                return facts_of(found.values, doubts)
            if isinstance(found, Problem):
                if found.kind != "warning":
                    raise SetAside(found.message, found.kind)
                doubts.append(found.message)
        raise SetAside("no article")

    def _set_aside(self, line: bytes | None, place: Place, reason: SetAside) -> None:
        if reason.kind == "skipped":
            self.counts.skipped += 1
        else:
            self.counts.broken += 1
        self.counts.noted.append(f"{place}: {reason}")
        if self.streams.dead is not None:
            text = None if line is None else line.decode("utf-8", "backslashreplace")
            told = {"path": place.path, "line": place.line, "reason": str(reason), "text": text}
            self.streams.dead.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def _write(self, line: bytes, verdict: Verdict) -> None:
        self.counts.verdicts[verdict.verdict] = self.counts.verdicts.get(verdict.verdict, 0) + 1
        self.counts.noted += [f"{verdict.id}: {note}" for note in verdict.notes]
        stream = self.streams.rejects if verdict.verdict in self.dropped else self.streams.fresh
        if stream is not None:
            stream.write(with_verdict(line, verdict.plain()) + b"\n")


def with_verdict(line: bytes, verdict: dict[str, Any]) -> bytes:
    """A line, an object in JSON, with one more field; every other byte stays as it is.

    A field of this name that it had already is replaced; only then is the line written anew.
    """
    own = json.dumps(verdict, ensure_ascii=False, separators=(",", ":")).encode()
    if FIELD.encode() in line:  # rarely, and rarely as a field
        record = parsed(line)
        if FIELD in record:
            record = {name: value for name, value in json.loads(line).items() if name != FIELD}
            line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    body = line.rstrip()
    return body[:-1].rstrip() + b"," + json.dumps(FIELD).encode() + b":" + own + b"}"


def numbered(groups: Iterable[list[bytes | None]], path: str) -> Iterator[list[tuple[Place, bytes | None]]]:
    """Lines, some at a time, with their places."""
    number = 0
    for group in groups:
        yield [(Place(path, at), line) for at, line in enumerate(group, number + 1)]
        number += len(group)
