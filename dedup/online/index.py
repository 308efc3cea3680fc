"""The index: postings, articles and verdicts on disk, in partitions of some days that expire as a whole.

A partition is two column families, and files. One family and the files have the lists of postings (`lists`);
in the other family, the first byte of a key says what it leads to:

    a + number (uint32)           the article, JSON
    v + number                    its verdict, JSON
    i + id                        its latest version: number, and digest of its text (16 bytes)
    d + digest of tokens (16)     the first article with these tokens, and the latest published: numbers, time
    p + outlet and paragraph (8)  where the outlet had the paragraph: `weigh`
    m + number                    its families, JSON
    f + family (16 letters)       the family's head, JSON
    k + family + number           that the article is in it
    n                             how many numbers there have been, once an article was deleted

Numbers are big-endian, so that keys stand in order. The default column family holds the settings, under
b + outlet and paragraph (8) what is known as boilerplate, and under n + first day (int64) how many numbers
a partition has had that was dropped: one that comes again goes on from there, for families and versions
may still name its articles; under o how many articles there have been. A file beside the database says how
many of those are surely on disk, so that damage is seen that takes away whole articles.
"""

from __future__ import annotations

import json
import math
import os
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from dedup.errors import IndexStoreError
from dedup.online.lists import Found, Lists
from dedup.online.postings import Postings
from dedup.online.rocks import REMEDY, Changes, Rocks, telling
from dedup.online.segments import files
from dedup.settings import Settings
from dedup.threads import in_order

FORMAT = 7  # with figures that are told apart by all their digits
DAY = 86_400_000_000  # microseconds
_A_YEAR, _REACHED = 365, 4  # days in a partition without a window; partitions that a window reaches over
_ABOUT, _COUNTED, _ORDER = b"about", b"n", b"o"
_KEPT = "ARTICLES"  # the file that says how many articles are on disk
_OFTEN = 1.0  # seconds after which that is noted again: each time makes the disk's next wait longer
_NUMBER, _DAY, _HOLDERS = struct.Struct(">I"), struct.Struct(">q"), struct.Struct(">IIq")
_TRIES, _GONE = 5, "No such file"  # to open what another process writes to
_MANY = 2048  # keys that are looked up in one go, at least
_FEW = 512  # keys up to which threads would wait for each other more than they save


class Spot(NamedTuple):
    """Where an article is kept: the partition's first day since 1970, and the number within."""

    day: int
    number: int


class Holders(NamedTuple):
    """Articles of one partition that have the same tokens."""

    first: Spot  # that came
    latest: Spot  # published
    time: int  # when that was, microseconds since 1970

    def packed(self) -> bytes:
        """As they are kept."""
        return _HOLDERS.pack(self.first.number, self.latest.number, self.time)


class Index:
    """An index in a folder; one process writes, others may read what it had written when they opened it.

    The settings are fixed when the index is made, as is how many days are in a partition: so many that a
    `window`, in microseconds, reaches over a few. An index that is there must have those of the `settings`
    that are `asked` for by name. `order` is the number of articles there have been. Those
    who work with it may use its `pool` of `threads`. Raises `IndexStoreError`.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Settings | None = None,
        *,
        asked: Collection[str] = (),
        window: int | None = None,
        read_only: bool = False,
        threads: int = 1,
    ) -> None:
        self.threads, self.pool = threads, ThreadPoolExecutor(threads)
        self._read_only, self._beside = read_only, ThreadPoolExecutor(1)
        self._kept: int | None = None  # the file `_KEPT`, where this process writes
        self._noted = -math.inf  # when it was written last
        for left in reversed(range(_TRIES if read_only else 1)):
            try:
                self._open(Path(folder), settings, asked, window)
                break
            except IndexStoreError as error:
                if not left or _GONE not in str(error):
                    raise

    def _open(
        self, folder: Path, settings: Settings | None, asked: Collection[str], window: int | None
    ) -> None:
        """Open the database and the segments; a writer may replace a file meanwhile, which is an error."""
        read_only, kept = self._read_only, _kept_in(folder)
        self.rocks = Rocks(folder, read_only=read_only)
        self._lists: dict[int, Lists] = {}
        try:
            self.settings, self.days = self._agreed(settings, asked, _days(window), read_only)
            names = [name for name in self.rocks.families if name.startswith("a")]
            self._next = dict.fromkeys(sorted(int(name[1:]) for name in names), 0)
            order = self.rocks.get("default", _ORDER)
            self.order = self._written = 0 if order is None else int.from_bytes(order, "big")
            if self.order < kept:
                raise IndexStoreError(
                    f"{folder}: the index is damaged: it had {kept:,} articles and knows of {self.order:,}; "
                    f"{REMEDY}, or remove {folder / _KEPT} to go on with what is left"
                )
            for day in self._next:
                self._go_on(day)
                self._lists[day] = self._lists_of(day)
            if not read_only:
                self._kept = os.open(folder / _KEPT, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
                self._tidy()
        except BaseException:
            self._release()
            raise

    def _agreed(
        self, settings: Settings | None, asked: Collection[str], days: int, read_only: bool
    ) -> tuple[Settings, int]:
        """The settings of the index, which are those asked for, if any are."""
        about = self.rocks.get("default", _ABOUT)
        if about is None:
            settings = settings or Settings()
            own = {"format": FORMAT, "settings": settings.answer(), "days": days}
            if not read_only:
                self.rocks.write([("default", _ABOUT, json.dumps(own).encode())])
                self.rocks.sync()
            return settings, days
        own = json.loads(about)
        if own["format"] != FORMAT:
            raise IndexStoreError(
                f"{self.rocks.folder}: the index has format {own['format']}, this version of dedup reads "
                f"{FORMAT}; use the version that made it, or make a new index"
            )
        for name, value in (settings.answer() if settings else {}).items():
            if name in asked and own["settings"].get(name) != value:
                raise IndexStoreError(
                    f"{self.rocks.folder}: the index was made with {name}={own['settings'].get(name)}, "
                    f"now {name}={value} is asked for; use the former, or make a new index"
                )
        return Settings(**own["settings"]), own["days"]

    @property
    def partitions(self) -> list[int]:
        """The first days of the partitions, rising."""
        return sorted(self._next)

    @property
    def latest_partition(self) -> int:
        """The first day of the last of them; -1 if there is none."""
        return max(self._next, default=-1)

    def partition(self, time: int) -> int:
        """The first day of the partition for a time in microseconds since 1970."""
        day = max(0, time // DAY)  # what is older is kept with what is of 1970
        return int(day - day % self.days)

    def make(self, day: int) -> None:
        """See to it that a partition is there."""
        if day not in self._next:
            for name in (postings_of(day), articles_of(day)):  # with the second it is there from now on
                if name not in self.rocks.families:  # or is, if something went wrong the last time
                    self.rocks.create(name)
            self._next[day], self._lists[day] = self._had(day), self._lists_of(day)

    def _had(self, day: int) -> int:
        """How many numbers a partition has had that was dropped."""
        had = self.rocks.get("default", _COUNTED + _DAY.pack(day))
        return 0 if had is None else int(_NUMBER.unpack(had)[0])

    def _lists_of(self, day: int) -> Lists:
        return Lists(self.rocks, postings_of(day), self._beside, read_only=self._read_only)

    def expire(self, day: int) -> list[int]:
        """Drop all partitions that end before `day`, days since 1970; the first days of those dropped."""
        gone = [first for first in self.partitions if first + self.days <= day]
        if gone:
            self.rocks.write(
                [("default", _COUNTED + _DAY.pack(first), _NUMBER.pack(self.number(first))) for first in gone]
            )
            self.rocks.sync()
        for first in gone:
            self.rocks.drop(articles_of(first))
            self.rocks.drop(postings_of(first))
            self._lists.pop(first).drop()
            self._next.pop(first, None)
        return gone

    def number(self, day: int) -> int:
        """The number for the next article in a partition."""
        number = self._next.get(day)
        return self._had(day) if number is None else number

    def counted(self, day: int) -> tuple[str, bytes, bytes | None]:
        """The change that keeps how many articles a partition has had, whichever are deleted."""
        return articles_of(day), _COUNTED, _NUMBER.pack(self.number(day))

    def took(self, spot: Spot, order: int) -> None:
        """An article is kept from now on."""
        self._next[spot.day] = max(self._next[spot.day], spot.number + 1)
        self.order = max(self.order, order + 1)

    def _go_on(self, day: int) -> None:
        """Count on from the last article of a partition, though it was deleted."""
        counted = self.rocks.get(articles_of(day), _COUNTED)
        own = 0 if counted is None else int(_NUMBER.unpack(counted)[0])
        self._next[day] = max(own, self._had(day))
        key = self.rocks.last(articles_of(day), b"a")
        if key is not None:
            number = _NUMBER.unpack(key[1:])[0]
            last = self.article(Spot(day, number))
            self.took(Spot(day, number), last["order"] if last else 0)

    def _tidy(self) -> None:
        """Drop what was left when a partition was made or dropped by halves."""
        there = set(self.partitions)
        for name in self.rocks.families:
            if name.startswith("p") and int(name[1:]) not in there:
                self.rocks.drop(name)
        for name, paths in files(self.rocks.folder).items():
            for path in paths if name not in self.rocks.families else ():
                path.unlink()

    def lists(self, days: list[int], keys: NDArray[np.uint64]) -> Found:
        """The lists of different keys, rising, in one partition after another."""
        at_once = max(_MANY, -(-keys.size // self.threads))
        parts = [
            (day, keys[first : first + at_once])
            for day in days
            for first in range(0, max(keys.size, 1), at_once)
        ]
        threads = self.threads if keys.size > _FEW else 1
        return Found.joined(list(in_order(self._found, parts, threads, self.pool)))

    def _found(self, asked: tuple[int, NDArray[np.uint64]]) -> Found:
        """The lists of some keys in one partition."""
        day, keys = asked
        return self._lists[day].find(keys) if day in self._lists else Found.nothing(keys.size)

    def write(self, changes: Changes, posted: Mapping[int, Postings]) -> None:
        """Make changes and add to the lists of partitions, all or none, durable once `rocks.sync` returns."""
        logs: Changes = []
        for day in posted:
            self._lists[day].settle()
            logs += self._lists[day].log(posted[day])
        self.rocks.write([*changes, *logs, ("default", _ORDER, self.order.to_bytes(8, "big"))])
        try:
            self._written = self.order
            for day, postings in posted.items():
                self._lists[day].added(postings)
        except BaseException:  # memory knows less than the disk: who goes on has to open it anew
            self.close()
            raise

    def sync(self) -> None:
        """Wait until all that was written is durable, and note now and then how many articles that is."""
        self.rocks.sync()
        if self._kept is not None and time.monotonic() - self._noted >= _OFTEN:
            with telling(self.rocks.folder):
                os.pwrite(self._kept, b"%d\n" % self._written, 0)  # it only grows
            self._noted = time.monotonic()

    def problems(self, day: int) -> Iterator[str]:
        """What is wrong with the lists of a partition."""
        return self._lists[day].problems(self.number(day))

    def article(self, spot: Spot) -> dict[str, Any] | None:
        """An article as it was kept."""
        found: dict[str, Any] | None = self._plain(articles_of(spot.day), key_of(b"a", spot.number))
        return found

    def articles(self, spots: Sequence[Spot]) -> list[dict[str, Any] | None]:
        """Several articles as they were kept."""
        return self._several(b"a", spots)

    def _several(self, kind: bytes, spots: Sequence[Spot]) -> list[Any]:
        """What of a kind is kept by the numbers of articles, None where nothing is."""
        found: dict[Spot, Any] = {}
        for day in {spot.day for spot in spots}:
            own = [spot for spot in spots if spot.day == day]
            values = self.rocks.several(articles_of(day), [key_of(kind, spot.number) for spot in own])
            plain = [None if value is None else self.plain(value) for value in values]
            found |= zip(own, plain, strict=True)
        return [found[spot] for spot in spots]

    def verdict(self, spot: Spot) -> dict[str, Any] | None:
        """The verdict on an article."""
        found: dict[str, Any] | None = self._plain(articles_of(spot.day), key_of(b"v", spot.number))
        return found

    def families(self, spots: Sequence[Spot]) -> list[list[dict[str, Any]]]:
        """The families of each of some articles: name and the article's spans in tokens that are its copy."""
        return [found or [] for found in self._several(b"m", spots)]

    def family(self, name: str) -> dict[str, Any] | None:
        """The latest head of a family."""
        for day in reversed(self.partitions):
            head: dict[str, Any] | None = self._plain(articles_of(day), b"f" + name.encode())
            if head is not None:
                return head
        return None

    def members(self, name: str) -> Iterator[Spot]:
        """Where the members of a family are kept, partition by partition, in the order they came."""
        for day in self.partitions:
            for key, _ in self.rocks.range(articles_of(day), b"k" + name.encode()):
                if len(key) == 1 + len(name.encode()) + _NUMBER.size:
                    yield Spot(day, _NUMBER.unpack(key[-_NUMBER.size :])[0])

    def _plain(self, family: str, key: bytes) -> Any:
        value = self.rocks.get(family, key)
        return None if value is None else self.plain(value)

    @staticmethod
    def plain(value: bytes) -> Any:
        """What `packed` packed; raises `ValueError`."""
        return orjson.loads(value)

    def latest(self, ids: list[str]) -> list[tuple[Spot, bytes] | None]:
        """The latest version of each id: where it is kept, and the digest of its text."""
        found: list[tuple[Spot, bytes] | None] = [None] * len(ids)
        newest = [b""] * len(ids)
        for day in self.partitions:
            for place, value in enumerate(
                self.rocks.several(articles_of(day), [b"i" + id.encode() for id in ids])
            ):
                if value is not None and value[20:] > newest[place]:
                    found[place] = (Spot(day, _NUMBER.unpack(value[:4])[0]), value[4:20])
                    newest[place] = value[20:]
        return found

    def version(self, day: int, id: str) -> Spot | None:
        """Where the latest version of an article in a partition is kept."""
        value = self.rocks.get(articles_of(day), b"i" + id.encode())
        return None if value is None else Spot(day, _NUMBER.unpack(value[:4])[0])

    def versions(self, id: str) -> list[Spot]:
        """Where the versions of an article are kept, the latest first.

        Each knows the one before it, which may have expired, and the one before it in its own partition.
        """
        rest = [self.version(day, id) for day in self.partitions]
        orders: dict[Spot, int] = {}
        while rest:
            spot = rest.pop()
            facts = None if spot is None or spot in orders else self.article(spot)
            if spot is not None and facts is not None:
                orders[spot] = facts["order"]
                rest += [Spot(*facts[name]) for name in ("before", "beside") if facts.get(name)]
        return sorted(orders, key=orders.__getitem__, reverse=True)

    def holders(self, days: Iterable[int], digests: Sequence[bytes]) -> list[dict[int, Holders]]:
        """Who has the tokens of each digest in some partitions, by partition."""
        out: list[dict[int, Holders]] = [{} for _ in digests]
        for day in days:
            values = self.rocks.several(articles_of(day), [holders_key(digest) for digest in digests])
            for found, value in zip(out, values, strict=True):
                if value is not None:
                    first, latest, time = _HOLDERS.unpack(value)
                    found[day] = Holders(Spot(day, first), Spot(day, latest), time)
        return out

    def everything(self) -> Iterator[tuple[Spot, dict[str, Any], dict[str, Any]]]:
        """All articles and their verdicts, partition by partition, in the order they came."""
        for day in self.partitions:
            for key, value in self.rocks.range(articles_of(day), b"a"):
                spot = Spot(day, _NUMBER.unpack(key[1:])[0])
                yield spot, self.plain(value), self.verdict(spot) or {}

    def close(self) -> None:
        """Let go of the folder."""
        self._release()
        self._beside.shutdown()
        self.pool.shutdown()

    def _release(self) -> None:
        for lists in self._lists.values():
            lists.close()
        if self._kept is not None:
            os.close(self._kept)
            self._kept = None
        self.rocks.close()


def _kept_in(folder: Path) -> int:
    """How many articles an index is sure to have had."""
    try:
        return int((folder / _KEPT).read_bytes() or b"0")
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise IndexStoreError(
            f"{folder / _KEPT}: cannot be read ({error}); remove it to go on without"
        ) from error


def _days(window: int | None) -> int:
    """Days in a partition for a window; without one, each article looks into all of them, so they are few."""
    return _A_YEAR if window is None else max(1, -(-window // (DAY * _REACHED)))


def articles_of(day: int) -> str:
    """The column family of a partition's articles."""
    return f"a{day}"


def postings_of(day: int) -> str:
    """The column family of a partition's postings."""
    return f"p{day}"


def key_of(kind: bytes, number: int) -> bytes:
    """The key of what is kept by an article's number."""
    return kind + _NUMBER.pack(number)


def holders_key(digest: bytes) -> bytes:
    """The key of those who have the tokens of a digest."""
    return b"d" + digest


def member_of(family: str, number: int) -> bytes:
    """The key that says that an article is in a family."""
    return b"k" + family.encode() + _NUMBER.pack(number)


def packed(value: object) -> bytes:
    """JSON as it is kept, of plain values and of dataclasses."""
    return orjson.dumps(value)
