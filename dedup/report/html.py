"""The report as one page: everything in one file, nothing from the network.

What the page shows is embedded as JSON, deflated, in base64: an index of families and articles, and blocks
of texts and passages that the page unpacks when they are looked at. Article text, titles and names come from
strangers: templates escape them, the page only ever sets them as text, and its content security policy runs
no script and loads no address but its own.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dedup.report.charts import charts
from dedup.report.circulation import circulation
from dedup.report.encode import head, rows
from dedup.report.figures import overview
from dedup.report.model import Report
from dedup.report.texts import SortedTexts
from dedup.report.visible import visible
from dedup.schema import PASSAGE_KINDS, ROLES

FAMILIES = 5_000  # in a page
ARTICLES = 120_000  # in the families of a page, from which on no further family is taken in
TEXTS = 40_000_000  # bytes, as embedded, of texts and passages
_BLOCK = 400_000  # characters of texts in a block
_AT_ONCE = 30_000_000  # characters of texts that are looked up in one go
_TITLE, _LEAD, _NAME = 300, 240, 120  # characters that are shown
_PARTS = ("own", "boilerplate", "copy", "quotation")
_SCRIPTS = ("data.js", "words.js", "families.js", "sides.js", "page.js")


def to_html(report: Report, stream: BinaryIO, limit: int | None = None) -> None:
    """Write the page; `limit` caps its families (None: as many as a browser opens at once)."""
    shown = _Shown.of(report, FAMILIES if limit is None else limit)
    blocks = list(shown.blocks())
    index = _packed(shown.index())
    figures, travel, header = overview(report), circulation(report), head(report)
    style, script = _file("page.css"), "\n".join(_file(name) for name in _SCRIPTS)
    page = _template().render(
        version=report.version,
        schema_version=header["schema_version"],
        settings=header["settings"],
        inputs=header["inputs"],
        figures=figures,
        travel=travel,
        charts={
            name: {width: base64.b64encode(svg.encode()).decode() for width, svg in drawn.items()}
            for name, drawn in charts(travel).items()
        },
        shown=shown,
        index=index,
        blocks=blocks,
        style=style,
        script=script,
        policy=_policy(style, script),
    )
    stream.write(page.encode("utf-8", "backslashreplace"))


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": "{:,}".format, "percent": _percent, "seen": visible}
    return environment.from_string(_file("page.html"))


@cache
def _file(name: str) -> str:
    return files("dedup").joinpath(f"report/page/{name}").read_text("utf-8")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.0995 or share == 0 else f"{100 * share:.1f}%"


def _policy(style: str, script: str) -> str:
    """A content security policy under which the page's own style and script run, and nothing else."""
    own = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{own[0]}'; script-src 'sha256-{own[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _packed(value: Any) -> str:
    """JSON, deflated, in base64."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8", "backslashreplace"), 6)).decode()


def _clipped(text: str | None, length: int) -> str | None:
    """One line that is safe to show, cut where it is long."""
    if text is None:
        return None
    shown = visible(text[: 2 * length])
    return shown if len(text) <= length and len(shown) <= length else f"{shown[: length - 1]}…"


@dataclass(slots=True)
class _Shown:
    """The families that a page holds, and their articles by number."""

    report: Report
    families: list[dict[str, Any]]
    articles: dict[str, dict[str, Any]]
    numbers: dict[str, int]
    block_of: list[int]  # of each article, -1: its text is not in the page
    texts: SortedTexts

    @classmethod
    def of(cls, report: Report, limit: int) -> _Shown:
        """Take in the largest families."""
        table = report.families.sort_by([("size", "descending"), ("family", "ascending")]).slice(0, limit)
        families, seen = [], dict[str, None]()
        for family in rows(table):
            families.append(family)
            seen.update(dict.fromkeys(member["article"] for member in family["members"]))
            if len(seen) >= ARTICLES:
                break
        wanted = pc.is_in(report.articles.column("id"), pa.array(list(seen), pa.string()))
        articles = {row["id"]: row for row in rows(report.articles.filter(wanted))}
        numbers = {id: number for number, id in enumerate(seen)}
        return cls(report, families, articles, numbers, [-1] * len(numbers), SortedTexts.of(report.texts))

    @property
    def families_left_out(self) -> int:
        """Families that are in the tables only."""
        return int(self.report.families.num_rows) - len(self.families)

    @property
    def texts_left_out(self) -> int:
        """Articles of the page's families whose text is not in it."""
        return self.block_of.count(-1)

    def index(self) -> dict[str, Any]:
        """Everything that the list of families shows."""
        articles = [self.articles[id] for id in self.numbers]
        outlets = _Numbers()
        places = {family["family"]: number for number, family in enumerate(self.families)}
        origins = pa.array(
            sorted({family["origin"] for family in self.families if family["origin"]}), pa.string()
        )
        leads = {id: text[: 4 * _LEAD] for id, text in self._texts(origins)}
        return {
            "roles": ROLES,
            "parts": _PARTS,
            "kinds": PASSAGE_KINDS,
            "outlets": outlets.names,
            "id": [visible(row["id"]) for row in articles],
            "title": [_clipped(row["title"], _TITLE) for row in articles],
            "outlet": [outlets.of(_clipped(row["outlet"], _NAME)) for row in articles],
            "url": [_address(row["url"]) for row in articles],
            "published": [row["published"] for row in articles],
            "language": [_clipped(row["language"], 20) for row in articles],
            "copied": [round(row["copied"], 4) for row in articles],
            "credits": [[_clipped(name, _NAME) for name in row["agencies"] or ()] for row in articles],
            "composition": [[self._part(part, places) for part in row["composition"]] for row in articles],
            "block": self.block_of,
            "families": [self._family(family, leads) for family in self.families],
        }

    def _part(self, part: Mapping[str, Any], places: Mapping[str, int]) -> list[Any]:
        family, source = places.get(part["family"] or "", -1), self.numbers.get(part["source"] or "", -1)
        return [
            _PARTS.index(part["kind"]), part["start"], part["end"], round(part["share"], 4), family, source,
        ]  # fmt: skip

    def _family(self, family: Mapping[str, Any], leads: Mapping[str, str]) -> dict[str, Any]:
        origin = self.numbers.get(family["origin"] or "", -1)
        lead = leads.get(family["origin"] or "", "")
        return {
            "name": visible(family["family"]),
            "origin": origin,
            "agency": _clipped(family["agency"], _NAME),
            "confidence": None if family["confidence"] is None else round(family["confidence"], 3),
            "lead": _clipped(" ".join(lead.split()), _LEAD),
            "evidence": [self._evidence(piece) for piece in (family["evidence"] or [])[:12]],
            "members": [
                [
                    self.numbers[member["article"]], ROLES.index(member["role"]), round(member["share"], 4),
                    round(member["origin_share"], 4), member["credited"],
                ]
                for member in family["members"]
            ],
        }  # fmt: skip

    def _evidence(self, piece: Mapping[str, Any]) -> list[Any]:
        article = self.numbers.get(piece["article"] or "", -1)
        shown = [_clipped(piece[name], _TITLE) for name in ("kind", "value", "text")]
        return [*shown, article, piece["start"], piece["end"]]

    def blocks(self) -> Iterator[str]:
        """Texts and passages, family after family, as long as there is room."""
        passages = self._passages()
        left, number = TEXTS, 0
        texts: dict[int, str] = {}
        found: list[list[int]] = []
        size = known = 0
        for place, family in enumerate(self.families):
            if place == known:
                known, told = self._ahead(place)
            for member in family["members"]:
                own = self.numbers[member["article"]]
                text = told.get(member["article"])
                if text is not None and self.block_of[own] < 0:
                    self.block_of[own] = number
                    texts[own] = text
                    size += len(text)
            found += passages.pop(place, [])
            if size >= _BLOCK or place == len(self.families) - 1:
                block = _packed({"texts": texts, "passages": found})
                left -= len(block)
                if left < 0:
                    for own in texts:
                        self.block_of[own] = -1
                    return
                yield block
                number, texts, found, size = number + 1, {}, [], 0

    def _ahead(self, first: int) -> tuple[int, dict[str, str]]:
        """The first family whose texts are not looked up, and the texts of those from `first` to there."""
        ids, size, stop = dict[str, None](), 0, first
        while stop < len(self.families) and size < _AT_ONCE:
            new = [member["article"] for member in self.families[stop]["members"]]
            ids.update(dict.fromkeys(new))
            size += sum(self.articles[id]["characters"] for id in new)
            stop += 1
        return stop, dict(self._texts(pa.array(list(ids), pa.string())))

    def _texts(self, ids: pa.Array) -> Iterator[tuple[str, str]]:
        """Those of some texts that the report has, by id; many at once, as they stand together."""
        for table in self.texts.some(ids):
            yield from zip(*(table[name].to_pylist() for name in ("id", "text")), strict=True)

    def _passages(self) -> dict[int, list[list[int]]]:
        """Passages between members, by the first family that both are in."""
        homes: dict[str, set[int]] = {}
        for place, family in enumerate(self.families):
            for member in family["members"]:
                homes.setdefault(member["article"], set()).add(place)
        table, ids = self.report.passages, pa.array(list(self.numbers), pa.string())
        inside = pc.and_(pc.is_in(table.column("left"), ids), pc.is_in(table.column("right"), ids))
        found: dict[int, list[list[int]]] = {}
        for row in rows(table.filter(inside)):
            common = homes[row["left"]] & homes[row["right"]]
            if common:
                found.setdefault(min(common), []).append(
                    [
                        self.numbers[row["left"]], self.numbers[row["right"]], row["left_start"],
                        row["left_end"], row["right_start"], row["right_end"],
                        PASSAGE_KINDS.index(row["kind"]),
                    ]
                )  # fmt: skip
        return found


class _Numbers:
    """Names by the number each gets when it first comes up."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._places: dict[str, int] = {}

    def of(self, name: str | None) -> int:
        """The number of a name, -1 for none."""
        if name is None:
            return -1
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        return self._places[name]


def _address(url: str | None) -> str | None:
    """An address that may be followed: of the web, and of a length that addresses have."""
    if url is None or len(url) > 2000 or not url.lower().startswith(("http://", "https://")):
        return None
    return url if url.isprintable() else None
