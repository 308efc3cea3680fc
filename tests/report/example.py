"""A small report made by hand, with every column filled somewhere."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa

from dedup import schema
from dedup.article import Article
from dedup.report.model import Inputs, Problem, Report
from dedup.settings import Settings

LEAD = "The two leaders met on Thursday evening and agreed to keep talking about trade and fishing."
CHANGED = "The two presidents met on Thursday evening and agreed to keep on talking about trade and fishing."
QUOTE = "“We will focus on common interests,” he said."
FOOT = "Sign up for our newsletter."
TEXTS = {
    "a": f"{LEAD} {QUOTE} (Reuters)",
    "b": f"{CHANGED} Our correspondent adds that nobody smiled. {QUOTE} {FOOT}",
    "c": f"Another story altogether, of rain and wind. {QUOTE}",
    "d": "Too short.",
}
PUBLISHED = datetime(2023, 11, 17, 5, 10, tzinfo=UTC)


def span(article: str, words: str) -> tuple[int, int]:
    start = TEXTS[article].index(words)
    return start, start + len(words)


def part(article: str, kind: str, words: str, share: float, *shared: str | None) -> dict:
    start, end = span(article, words)
    family, source = shared or (None, None)
    return {"kind": kind, "start": start, "end": end, "share": share, "family": family, "source": source}


def article(id: str, **columns) -> dict:
    row = {
        "id": id, "title": f"Title of {id}", "outlet": f"{id}.example", "url": f"https://{id}.example/1",
        "published": PUBLISHED, "language": "en", "path": "in/news.jsonl", "line": 1,
        "characters": len(TEXTS.get(id, "")), "tokens": len(TEXTS.get(id, "").split()), "status": "ok",
        "duplicate_of": None, "families": [], "role": None, "copied": 0.0, "quoted": 0.0,
        "boilerplate": 0.0, "agencies": [], "credits": [], "composition": [],
    }  # fmt: skip
    return row | columns


def passage(left: str, left_words: str, right: str, right_words: str, *facts) -> dict:
    left_start, left_end = span(left, left_words)
    right_start, right_end = span(right, right_words)
    kind, tokens = facts
    return {
        "left": left, "right": right, "left_start": left_start, "left_end": left_end,
        "right_start": right_start, "right_end": right_end, "matched_tokens": tokens,
        "similarity": 0.9375, "kind": kind,
    }  # fmt: skip


def credit() -> dict:
    start, end = span("a", "(Reuters)")
    return {
        "kind": "credit", "article": "a", "value": "Reuters", "text": "(Reuters)", "start": start, "end": end,
    }  # fmt: skip


def articles() -> list[dict]:
    family = {"families": ["f1"]}
    return [
        article(
            "a", **family, role="origin", copied=0.625, quoted=0.25, agencies=["Reuters"], credits=[credit()],
            composition=[
                part("a", "copy", LEAD, 0.625, "f1", "b"),
                part("a", "quotation", QUOTE, 0.25, None, "b"),
                part("a", "own", "(Reuters)", 0.125),
            ],
        ),
        article(
            "b", **family, role="edited copy", copied=0.5, quoted=0.25, boilerplate=0.125,
            published=PUBLISHED.replace(hour=9, microsecond=250000), line=2,
            composition=[
                part("b", "copy", CHANGED, 0.5, "f1", "a"),
                part("b", "own", "Our correspondent adds that nobody smiled.", 0.125),
                part("b", "quotation", QUOTE, 0.25, None, "a"),
                part("b", "boilerplate", FOOT, 0.125),
            ],
        ),
        article("c", title="=HYPERLINK(1)", outlet=None, published=None, quoted=0.5, line=3),
        article("d", status="short", title=None, path=None, line=None),
    ]  # fmt: skip


def families() -> list[dict]:
    members = [
        {"article": "a", "role": "origin", "share": 0.625, "origin_share": 1.0, "credited": True},
        {"article": "b", "role": "edited copy", "share": 0.5, "origin_share": 0.625, "credited": False},
    ]
    times = {"kind": "published", "article": "a", "value": "first by 3 h 50 min"}
    return [
        {
            "family": "f1", "size": 2, "origin": "a", "agency": "Reuters", "confidence": 0.75,
            "evidence": [credit(), times], "members": members,
        }
    ]  # fmt: skip


def pair(left: str, right: str, relation: str, tokens: int) -> dict:
    return {
        "left": left, "right": right, "left_containment": 0.625, "right_containment": 0.5,
        "resemblance": 0.375, "matched_tokens": tokens, "relation": relation,
    }  # fmt: skip


def report(**changes) -> Report:
    """The report, or one with other `articles`, `families`, ... (lists of rows), `inputs` or `texts`."""
    rows = {
        "articles": articles(),
        "passages": [
            passage("a", LEAD, "b", CHANGED, "copy", 15),
            passage("a", QUOTE, "b", QUOTE, "quotation", 8),
            passage("a", QUOTE, "c", QUOTE, "quotation", 8),
        ],
        "pairs": [pair("a", "b", "edited copy", 15), pair("a", "c", "quotations only", 0)],
        "families": families(),
    }
    tables = {
        name: pa.Table.from_pylist(changes.pop(name, rows[name]), schema=schema.TABLES[name]) for name in rows
    }
    problems = [
        Problem("failed", "not JSON: unexpected end", "in/news.jsonl", 5),
        Problem("skipped", "an empty text", "in/empty.txt"),
    ]
    given = {
        "inputs": Inputs(4, problems),
        "texts": TEXTS,
        "settings": Settings().answer(),
        "version": "0.1.0",
    }
    return Report(**tables, **(given | changes))


def comparison(**changes) -> SimpleNamespace:
    """What `dedup.compare` says of a and b."""
    sides = [Article(id=id, text=TEXTS[id], title=f"Title of {id}", published=PUBLISHED) for id in "ab"]
    columns = ("left_start", "left_end", "right_start", "right_end", "matched_tokens", "similarity", "kind")
    rows = [
        passage("a", LEAD, "b", CHANGED, "copy", 15),
        passage("a", QUOTE, "b", QUOTE, "quotation", 8),
    ]
    given = {
        "left": sides[0], "right": sides[1], "left_containment": 0.625, "right_containment": 0.5,
        "left_overlap": 0.75, "right_overlap": 0.5, "resemblance": 0.375, "relation": "edited copy",
        "passages": tuple(SimpleNamespace(**{name: row[name] for name in columns}) for row in rows),
    }  # fmt: skip
    return SimpleNamespace(**(given | changes))
