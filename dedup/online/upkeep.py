"""Upkeep: what an index holds, whether it is sound, and all of it as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from dedup.errors import IndexStoreError
from dedup.io.dates import EPOCH, MICROSECOND
from dedup.online.index import FORMAT, Index, articles_of, key_of
from dedup.online.verdict import VERDICTS


def stats(index: Index) -> dict[str, Any]:
    """Articles by verdict, partitions, bytes on disk, format, days in a partition, settings."""
    verdicts: Counter[str] = Counter()
    partitions = []
    for day in index.partitions:
        count = 0
        for _, value in index.rocks.range(articles_of(day), b"v"):
            verdicts[index.plain(value)["verdict"]] += 1
            count += 1
        first = EPOCH.date() + timedelta(days=day)
        partitions.append(
            {"first": str(first), "last": str(first + timedelta(days=index.days - 1)), "articles": count}
        )
    return {
        "articles": sum(verdicts.values()),
        "verdicts": {name: verdicts[name] for name in VERDICTS},
        "partitions": partitions,
        "bytes": sum(index.rocks.sizes().values()),
        "format": FORMAT,
        "partition_days": index.days,
        "settings": index.settings.answer(),
    }


def verify(index: Index) -> Iterator[str]:
    """Whatever is not as it should be: unreadable values, articles without verdict, lists to nowhere."""
    for family in index.rocks.families:
        try:
            for _ in index.rocks.range(family, b""):
                pass
        except IndexStoreError as error:
            yield f"{family}: {error}"
            return  # what stands behind cannot be looked at
    for day in index.partitions:
        own = articles_of(day)
        for kind, what in ((b"a", "article"), (b"v", "verdict")):
            for key, value in index.rocks.range(own, kind):
                try:
                    index.plain(value)
                except ValueError as error:
                    yield f"{own}: the {what} {key!r} cannot be read: {error}"
                other = (b"v" if kind == b"a" else b"a") + key[1:]
                if index.rocks.get(own, other) is None:
                    yield f"{own}: {key!r} has no {other!r}"
        for key, value in index.rocks.range(own, b"i"):
            if index.rocks.get(own, key_of(b"a", int.from_bytes(value[:4], "big"))) is None:
                yield f"{own}: the id {key[1:]!r} leads nowhere"
        yield from index.problems(day)


def exported(index: Index) -> Iterator[dict[str, Any]]:
    """All articles, as they came, with their verdicts."""
    for _, facts, verdict in index.everything():
        record = {
            name: facts[name] for name in ("id", "text", "title", "outlet", "url", "language") if facts[name]
        }
        if facts["published"] is not None:
            record["published"] = (EPOCH + facts["published"] * MICROSECOND).isoformat()
        yield {**record, "dedup": verdict}
