"""Scrapy: an item pipeline that drops what came before, or notes what it is.

    ITEM_PIPELINES = {"dedup.integrations.scrapy.DedupPipeline": 300}
    DEDUP_INDEX = "index/"

Settings: `DEDUP_INDEX`, the folder of the index; `DEDUP_WINDOW`, as in "7d"; `DEDUP_DROP`, the verdicts on
what is dropped, `["duplicate", "copy"]` unless told otherwise, `[]` to drop nothing; `DEDUP_FIELDS`, the
items' names for an article's fields, as in `{"text": "body"}`. An item without an id has its url for one.
What is not dropped gets its verdict in the field `dedup`, where the item has room for it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

from itemadapter import ItemAdapter
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, NotConfigured

from dedup.errors import InputError
from dedup.io.record import FIELDS, names_of
from dedup.online.filter import Filter
from dedup.online.verdict import DROPPED, VERDICTS


class DedupPipeline:
    """Judges each item against all before it, in this crawl and in earlier ones."""

    def __init__(self, crawler: Crawler) -> None:
        settings = crawler.settings
        self._folder = settings.get("DEDUP_INDEX")
        if not self._folder:
            raise NotConfigured("DEDUP_INDEX names no folder for the index")
        self._window = settings.get("DEDUP_WINDOW")
        self._dropped = frozenset(settings.getlist("DEDUP_DROP", list(DROPPED)))
        if not self._dropped.issubset(VERDICTS):
            unknown = ", ".join(sorted(self._dropped.difference(VERDICTS)))
            raise InputError(f"DEDUP_DROP: {unknown} is none of {', '.join(VERDICTS)}")
        self._names = names_of(settings.getdict("DEDUP_FIELDS"))
        self._stats = crawler.stats

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the pipeline of a crawl."""
        return cls(crawler)

    def open_spider(self) -> None:
        """Open the index."""
        self._filter = Filter(self._folder, window=self._window)

    def close_spider(self) -> None:
        """Let go of the index."""
        self._filter.close()

    def process_item(self, item: Any) -> Any:
        """Drop an item, or hand it on with its verdict; what is no article is handed on as it is."""
        own = ItemAdapter(item)
        fields = {name: own.get(self._names[name]) for name in FIELDS}
        fields["id"] = fields["id"] or fields["url"]
        try:
            verdict = self._filter.check(fields)
        except InputError:
            self._count("no article")
            return item
        self._count(verdict.verdict)
        if verdict.verdict in self._dropped:
            matched = verdict.matches[0].id if verdict.matches else "an earlier article"
            raise DropItem(f"{verdict.verdict} of {matched}: {verdict.id}")
        with suppress(KeyError):  # an item that declares its fields, and not this one
            own["dedup"] = verdict.plain()
        return item

    def _count(self, name: str) -> None:
        if self._stats is not None:
            self._stats.inc_value(f"dedup/{name}")
