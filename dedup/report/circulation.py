"""How copy travelled: who carries whose and says so, when families began, how soon others took them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.report.model import Report

_LIMITS = (
    ("under 15 minutes", timedelta(minutes=15)),
    ("15 to 60 minutes", timedelta(hours=1)),
    ("1 to 3 hours", timedelta(hours=3)),
    ("3 to 12 hours", timedelta(hours=12)),
    ("12 to 24 hours", timedelta(days=1)),
    ("1 to 3 days", timedelta(days=3)),
)
_LATER = "over 3 days"


@dataclass(frozen=True, slots=True)
class Circulation:
    """Counts of members of families that are not their origins, unless said otherwise."""

    credited: int  # that name where their copy came from
    uncredited: int
    outlets: list[tuple[str, int]]  # articles in families by outlet, origins too, most first
    flows: list[tuple[str, str, int]]  # origin's outlet, other outlet, most first
    began: list[tuple[datetime, int]]  # families by the time their earliest article was published, rising
    pickup: list[tuple[str, int]]  # by how long after the origin they were published


def circulation(report: Report) -> Circulation:
    """Follow the copy of all families."""
    credit: Counter[bool] = Counter()
    outlets: Counter[str] = Counter()
    flows: Counter[tuple[str, str]] = Counter()
    began: Counter[datetime] = Counter()
    pickup: Counter[str] = Counter()
    for family in _families(report):
        times = [time for time in family.times if time is not None]
        if times:
            began[min(times).replace(minute=0, second=0, microsecond=0)] += 1
        for place, (outlet, time) in enumerate(zip(family.outlets, family.times, strict=True)):
            if outlet:
                outlets[outlet] += 1
            if place == family.origin:
                continue
            credit[bool(family.credited[place])] += 1
            source, since = family.outlets[family.origin], family.times[family.origin]
            if source and outlet and source != outlet:
                flows[source, outlet] += 1
            if time is not None and since is not None and time >= since:
                pickup[_within(time - since)] += 1
    labels = [*(label for label, _ in _LIMITS), _LATER]
    return Circulation(
        credited=credit[True],
        uncredited=credit[False],
        outlets=sorted(outlets.items(), key=lambda item: (-item[1], item[0])),
        flows=[(*pair, number) for pair, number in sorted(flows.items(), key=lambda i: (-i[1], i[0]))],
        began=sorted(began.items()),
        pickup=[(label, pickup[label]) for label in labels] if pickup else [],
    )


@dataclass(frozen=True, slots=True)
class _Family:
    origin: int  # place among the members
    outlets: list[str | None]
    times: list[datetime | None]
    credited: list[bool | None]


def _families(report: Report) -> Iterator[_Family]:
    """Each family that has an origin, with what is known of its members."""
    members = pc.list_flatten(report.families.column("members")).combine_chunks()
    ids = members.field("article")
    rows = pc.index_in(ids, report.articles.column("id").combine_chunks())
    outlets = report.articles.column("outlet").take(rows).to_pylist()
    times = [_utc(time) for time in _plain(report.articles.column("published").take(rows))]
    credited = members.field("credited").to_pylist()
    names = ids.to_pylist()
    sizes = pc.list_value_length(report.families.column("members")).to_numpy()
    bounds = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    for number, origin in enumerate(report.families.column("origin").to_pylist()):
        own = slice(bounds[number], bounds[number + 1])
        if origin in names[own]:
            yield _Family(names[own].index(origin), outlets[own], times[own], credited[own])


def _plain(times: pa.ChunkedArray) -> list[Any]:
    """Microseconds since 1970, so that no time zone database is needed."""
    values: list[Any] = times.cast(pa.int64()).to_pylist()
    return values


def _utc(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _within(delay: timedelta) -> str:
    return next((label for label, limit in _LIMITS if delay < limit), _LATER)
