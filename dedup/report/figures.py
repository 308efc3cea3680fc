"""The figures at the head of every report for people, computed once from the tables."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dedup.report.model import Report
from dedup.schema import PASSAGE_KINDS


@dataclass(frozen=True, slots=True)
class Overview:
    """What was read and what was found in it. Shares are of all tokens read, in [0, 1]."""

    articles: int
    short: int  # too few tokens to judge
    families: int
    in_families: int  # articles
    sharing: int  # articles with text that stands in another article as well
    copied: float
    quoted: float
    boilerplate: float
    boilerplate_in: int  # articles
    agencies: list[tuple[str, int]]  # with the number of articles that credit them, most first
    passages: dict[str, int]  # by kind, in the order of the schema


def overview(report: Report) -> Overview:
    """Add up the report."""
    articles = report.articles
    kinds = dict.fromkeys(PASSAGE_KINDS, 0) | counts(report.passages.column("kind"))
    agencies = counts(pc.list_flatten(articles.column("agencies")))
    return Overview(
        articles=articles.num_rows,
        short=_true(pc.equal(articles.column("status"), "short")),
        families=report.families.num_rows,
        in_families=_true(pc.greater(pc.list_value_length(articles.column("families")), 0)),
        sharing=_true(pc.greater(articles.column("copied"), 0)),
        copied=_share(articles, "copied"),
        quoted=_share(articles, "quoted"),
        boilerplate=_share(articles, "boilerplate"),
        boilerplate_in=_true(pc.greater(articles.column("boilerplate"), 0)),
        agencies=sorted(agencies.items(), key=lambda item: (-item[1], item[0])),
        passages=kinds,
    )


def counts(values: pa.ChunkedArray) -> dict[str, int]:
    """Count each value; nulls do not count."""
    return {
        entry["values"]: entry["counts"]
        for entry in pc.value_counts(values).to_pylist()
        if entry["values"] is not None
    }


def _true(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)


def _share(articles: pa.Table, column: str) -> float:
    """Share of all tokens, from the articles' own shares."""
    tokens = articles.column("tokens")
    total = pc.sum(tokens).as_py()
    return (
        float(pc.sum(pc.multiply(articles.column(column), tokens)).as_py() or 0.0) / total if total else 0.0
    )
