"""The filter: an article in, a durable verdict out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import xxhash

from dedup.article import Article
from dedup.errors import IndexStoreError, SettingsError
from dedup.io.dates import EPOCH, MICROSECOND
from dedup.io.items import row_of
from dedup.io.place import Place
from dedup.io.record import FIELDS
from dedup.kernels.ready import ready
from dedup.memory import uncollected
from dedup.online.boilerplate import Boilerplate
from dedup.online.forget import forgotten
from dedup.online.index import DAY, Index, Spot, articles_of, holders_key, packed
from dedup.online.judge import Judge
from dedup.online.rocks import Changes
from dedup.online.texts import Facts, Texts
from dedup.online.verdict import Verdict
from dedup.online.verdicts import Arrival
from dedup.settings import Settings

_AT_ONCE, _LARGE = 256, 2**23  # articles that are judged and committed together, at most, and their text
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AHEAD = 3_600_000_000  # microseconds a publisher's clock may be ahead of ours

Given = Article | Mapping[str, Any]


class Filter:
    """Judges articles against all that came before, in an index that outlives the process.

    `window`: how far to look back by published time, as in "7d" (s, m, h, d, w); None: without end. Older
    articles are dropped a partition at a time. `settings` are fixed when the index is made. May be used by
    several threads; only one process may write, and `read_only` ones can only ask.

    Raises `IndexStoreError`, `SettingsError`, and `InputError` for what is no article.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        window: str | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
        read_only: bool = False,
    ) -> None:
        ready()
        self.window = None if window is None else span_of(window)
        chosen = None if settings is None else Settings.of(settings)
        speed = chosen or Settings()
        asked = settings if isinstance(settings, Mapping) else speed.answer()
        self._at_once = min(_AT_ONCE, speed.batch_size)
        self.index = Index(
            Path(folder), chosen, asked=asked, window=self.window, read_only=read_only, threads=speed.cores
        )
        self._lock = RLock()
        self._judge = Judge(self.index, Texts(self.index), Boilerplate.of(self.index), self.window)
        self._read_only = read_only

    def check(self, article: Given) -> Verdict:
        """The verdict on an article, which is part of the index from then on."""
        return self.check_many([article])[0]

    def check_many(self, articles: Iterable[Given]) -> list[Verdict]:
        """Verdicts on articles in the order given; each is judged against all before it."""
        with self._lock:
            return self.judge([self._facts(article, number) for number, article in enumerate(articles, 1)])

    def judge(self, many: list[Facts], *, add: bool = True) -> list[Verdict]:
        """The same as `check_many`, or `query`, of articles that are checked already (`facts_of`)."""
        with self._lock, uncollected():
            return self._judged(many, add=add)

    def get(self, id: str) -> tuple[Facts, Verdict] | None:
        """The latest version of an article as it is kept, and the verdict on it."""
        with self._lock:
            [found] = self.index.latest([id])
            facts = self.index.article(found[0]) if found else None
            return None if found is None or facts is None else (facts, self._again(found[0]))

    def family(self, name: str) -> dict[str, Any] | None:
        """A family: its name, size, likely origin, and the ids of those members that are still there.

        The origin may have expired meanwhile.
        """
        with self._lock:
            head = self.index.family(name)
            if head is None:
                return None
            there = [self.index.article(spot) for spot in self.index.members(name)]
            members = [facts["id"] for facts in sorted(filter(None, there), key=lambda facts: facts["order"])]
            origin = head["origin"]["id"] if head["origin"] else None
            return {"family": name, "size": len(members), "origin": origin, "members": members}

    def query(self, article: Given) -> Verdict:
        """What the verdict on an article would be; nothing changes."""
        with self._lock:
            return self.judge([self._facts(article, 1)], add=False)[0]

    def delete(self, id: str) -> bool:
        """Forget all versions of an article; whether there was one."""
        with self._lock:
            self._refuse_to_write()
            return self._deleted(id)

    def close(self) -> None:
        """Let go of the index."""
        with self._lock:
            self.index.close()

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_to_write(self) -> None:
        """Raise where this filter may not write."""
        if self._read_only:
            raise SettingsError("this filter was opened with read_only=True; use query, or open it to write")

    def _facts(self, article: Given, number: int) -> Facts:
        """An article's fields, checked, with its time."""
        row, doubts = row_of(article, Place(item=f"article {number}"), self.index.settings.max_bytes)
        return facts_of(row, doubts)

    def _judged(self, many: list[Facts], *, add: bool) -> list[Verdict]:
        if add:
            self._refuse_to_write()
        out: list[Verdict] = []
        batch: dict[str, Facts] = {}
        size, now = 0, time.time_ns() // 1000
        for facts in many:
            facts["time"] = _time(facts, now)
            day = self.index.partition(facts["time"])
            opens = add and self.window is not None and day > self.index.latest_partition
            if len(batch) >= self._at_once or size > _LARGE or facts["id"] in batch or (opens and batch):
                out += self._batch(list(batch.values()), add=add)
                batch, size = {}, 0
            if opens:
                self._open(day)
            batch[facts["id"]] = facts
            size += len(facts["text"])
        out += self._batch(list(batch.values()), add=add) if batch else []
        if add:
            self.index.sync()  # also what was written for an article before, and not waited for
        return out

    def _batch(self, many: list[Facts], *, add: bool) -> list[Verdict]:
        """Verdicts on articles of different ids, those on new ones written down."""
        latest = self.index.latest([facts["id"] for facts in many])
        digests = [xxhash.xxh3_128_digest(facts["text"].encode()) for facts in many]
        again = list(map(self._same, latest, many, digests))
        new = [place for place, spot in enumerate(again) if spot is None]
        verdicts = dict.fromkeys(range(len(many)))
        if new:
            arrivals = self._arrivals([many[place] for place in new], [latest[place] for place in new])
            given: list[Verdict] = []
            while len(given) < len(new):
                own = [digests[place] for place in new[len(given) :]]
                given += self._new(arrivals[len(given) :], own, add=add)
            verdicts |= zip(new, given, strict=True)
        return [verdict or self._again(again[place]) for place, verdict in verdicts.items()]

    def _same(self, latest: tuple[Spot, bytes] | None, facts: Facts, digest: bytes) -> Spot | None:
        """The version of an article that has its very text, if one has."""
        if latest is None or latest[1] == digest:
            return None if latest is None else latest[0]
        for spot in self.index.versions(facts["id"]):
            earlier = self.index.article(spot)
            if earlier is not None and earlier["text"] == facts["text"]:
                return spot
        return None

    def _new(self, arrivals: list[Arrival], digests: list[bytes], *, add: bool) -> list[Verdict]:
        """Verdicts on articles that are new, the first of them at least; `digests` of their texts."""
        boilerplate = self._judge.boilerplate
        try:
            judged = self._judge.judge(arrivals)
            arrivals = arrivals[: len(judged.verdicts)]
            if add:
                for day in sorted({arrival.spot.day for arrival in arrivals}):
                    self.index.make(day)
                for arrival in arrivals:  # whatever happens now, nobody else gets their numbers
                    self.index.took(arrival.spot, arrival.text.facts["order"])
                changes = boilerplate.changes() + judged.kin.changes()
                for kept in map(_kept, arrivals, judged.verdicts, digests):  # as many as were judged
                    changes += kept
                self.index.write(changes, judged.posted)
                boilerplate.settled()
        finally:
            boilerplate.forgotten()
        if add:
            for arrival in arrivals:
                self._judge.texts.put(arrival.spot, arrival.text)
        return judged.verdicts

    def _again(self, spot: Spot | None) -> Verdict:
        """The verdict that was given on the same id and text before."""
        stored = None if spot is None else self.index.verdict(spot)
        if stored is None:
            raise IndexStoreError(
                f"{self.index.rocks.folder}: a verdict is gone; `dedup index verify` says which"
            )
        return Verdict.of(stored)

    def _arrivals(self, many: list[Facts], latest: Sequence[tuple[Spot, bytes] | None]) -> list[Arrival]:
        """Articles with the places that they will have in the index, and the partitions they look into."""
        taken: dict[int, int] = {}
        texts, said = [], []
        for order, facts in enumerate(many, self.index.order):
            published, notes = facts["published"], facts.pop("doubts")
            if published is not None and published > facts["time"]:
                notes = (*notes, f"published {_iso(published)} is in the future; it counts as published now")
            if self._is_forgotten(facts["time"]):
                told = (
                    f"published {_iso(facts['time'])} is before the window; what it repeats may be forgotten"
                )
                notes = (*notes, told)
            texts.append({**facts, "order": order})
            said.append(notes)
        out = []
        for text, found, notes in zip(self._judge.texts.known(texts), latest, said, strict=True):
            day = self._partition(text.facts["time"])
            number = taken[day] if day in taken else self.index.number(day)
            taken[day] = number + 1
            before = None if found is None else found[0]
            text.facts["before"] = None if before is None else [*before]
            if before is not None and before.day != day:
                beside = self.index.version(day, text.facts["id"])
                text.facts["beside"] = None if beside is None else [*beside]
            out.append((Spot(day, number), text, before, notes))
        days = sorted({*self.index.partitions, *taken})
        return [
            Arrival(text, spot, self._reach(text.facts["time"], days), before, notes)
            for spot, text, before, notes in out
        ]

    def _partition(self, time: int) -> int:
        """The partition for a time; what is before the window is kept with what expires next."""
        if self._is_forgotten(time):
            time = self._first_needed(self.index.latest_partition) * DAY
        return self.index.partition(time)

    def _reach(self, time: int, days: list[int]) -> list[int]:
        """Those of the partitions that articles within the window of a time may be in."""
        if self.window is None:
            return days
        first, last = self._partition(time - self.window), self._partition(time + self.window)
        return [day for day in days if first <= day <= last]

    def _open(self, day: int) -> None:
        """Begin a partition later than all others; what lies out of its reach expires.

        That is before the first article in it is judged, however articles are put into batches.
        """
        self.index.make(day)
        if self.index.expire(self._first_needed(day)):
            self._judge.texts.clear()  # a partition that comes again begins with new numbers

    def _first_needed(self, day: int) -> int:
        """The first day that the window of a partition reaches."""
        assert self.window is not None
        return day - -(-self.window // DAY)

    def _is_forgotten(self, time: int) -> bool:
        """Is a time in a partition that has expired?"""
        if self.window is None:
            return False
        day, latest = self.index.partition(time), self.index.latest_partition
        return latest >= 0 and day + self.index.days <= self._first_needed(latest)

    def _deleted(self, id: str) -> bool:
        spots = self.index.versions(id)
        if spots:
            changes, posted = forgotten(self._judge, id, spots)
            for spot in spots:
                self._judge.texts.forget(spot)
            self.index.write(changes, posted)
            self.index.sync()
        return bool(spots)


def facts_of(values: Sequence[Any], doubts: Sequence[str] = ()) -> Facts:
    """An article's fields as an index keeps them; `values` as `io.place.Row` has them."""
    return {**dict(zip(FIELDS, values, strict=False)), "doubts": tuple(doubts)}


def _time(facts: Facts, now: int) -> int:
    """When an article was published; now if that is not known, or in the future."""
    published: int | None = facts["published"]
    return now if published is None or published > now + _AHEAD else published


def span_of(window: str) -> int:
    """A window as users write it, in microseconds."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", window.strip())
    if match is None or int(match[1]) == 0:
        raise SettingsError(f"window={window!r} is no span of time; write it as 12h, 7d or 4w")
    return int(match[1]) * _UNITS[match[2]] * 1_000_000


def _kept(arrival: Arrival, verdict: Verdict, digest: bytes) -> Changes:
    """What is written of an article and its verdict."""
    spot, facts = arrival.spot, arrival.text.facts
    own, number = articles_of(spot.day), spot.number.to_bytes(4, "big")
    id = number + digest + facts["order"].to_bytes(8, "big")
    changes: Changes = [
        (own, b"a" + number, packed(facts)),
        (own, b"v" + number, packed(verdict)),
        (own, b"i" + facts["id"].encode(), id),
    ]
    if arrival.holders is not None:
        changes.append((own, holders_key(arrival.text.digest), arrival.holders.packed()))
    return changes


def _iso(time: int) -> str:
    return (EPOCH + time * MICROSECOND).isoformat("T", "seconds")
