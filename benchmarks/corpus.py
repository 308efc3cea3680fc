"""News-like corpora of any size: `python -m benchmarks.corpus --articles 100000 --out news.parquet`.

Streamed, seeded, with the truth beside it (`news.truth.parquet`). Words and phrases are both drawn from
heavy-tailed frequencies (`benchmarks.prose`), so that shingles repeat as they do in news: `--plot FILE --data
DIR` draws the curves. A third of the articles carry copy, in families of heavy-tailed size; members trim,
edit, extend and re-head it, and outlets add their boilerplate. A few per cent are forms with other figures.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.prose import NONE, SKIP, Matter, language

ARTICLES = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), ("outlet", pa.string()), ("published", pa.string())]
)
TRUTH = pa.schema(
    [
        ("id", pa.string()),
        ("family", pa.int64()),  # of the story that is most of the copy; null: carries none
        ("origin", pa.bool_()),  # the family's first
        ("share", pa.float64()),  # of the words, those in paragraphs taken over, edited or not
        ("relation", pa.string()),  # to the origin; or "own" or "template"
        ("second", pa.int64()),  # the other family of a round-up
    ]
)

AGENCIES = ("Reuters", "AP", "AFP", "dpa", "Xinhua", "EFE", "ANSA", "PTI", "Kyodo", "TASS")
_PLACES = (
    "London Paris Berlin Madrid Rome Moscow Delhi Tokyo Beijing Cairo"
    " Lagos Nairobi Ankara Vienna Geneva Brussels Washington Chicago Ottawa Sydney"
)
_CITIES = _PLACES.split()
_PAPERS = "Post Star Echo Times Herald Courier Gazette Mail Tribune Observer Chronicle Argus Mercury Sun News"
OUTLETS = tuple(f"{city} {paper}" for city in _CITIES for paper in _PAPERS.split())
_DATELINES = [f"{city.upper()} ({agency}) - " for agency in AGENCIES for city in _CITIES]
_CREDITS = [f"({agency})" for agency in AGENCIES]

_LARGEST = 10_000  # members of a family
_LARGEST_SHARE = 0.02  # of the corpus that one family may be
_FAMILY_POWER = 1.5  # Pareto's: a story is taken n times or more with a chance of n ** -1.5
_TEMPLATES, _AGENCY_OWN = 0.05, 0.1  # of the articles that carry no copy: forms, agency stories nobody took
_FORMS, _FORM_SHIFT = 200, 3.0  # the form of rank n is taken with a chance of 1 / (n + 3)
_A_DAY = 20_000  # articles of all outlets
LENGTH = (8, 14)  # paragraphs of a story, of 38 words each
BATCH = 8_000  # articles planned together, in any order; more where a family is larger
_SLICE = 2_000  # articles that become text together
_BEGUN = 1_704_067_200  # 2024-01-01, seconds since 1970
_TWO_DAYS = 2 * 86_400
_MIX = 0x9E3779B97F4A7C15

Facts = tuple[pa.RecordBatch, pa.RecordBatch]


class Row(NamedTuple):
    """An article before its words are drawn: the numbers of its paragraphs, what is done to them, facts."""

    paragraphs: list[int]
    outlet: str
    published: int  # seconds since 1970
    relation: str = "own"
    family: int | None = None
    second: int | None = None
    changed: float = 0.0  # share of the words of its copy
    translated: bool = False


class Newsroom:
    """A language, and the paragraphs that stand ready: boilerplate of outlets, forms, datelines, credits."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.choose = random.Random(seed)
        self.language, added = language((*_DATELINES, *_CREDITS))
        boxes = self.language.paragraphs(self.draw, np.arange(len(OUTLETS)))
        forms = [self.language.form(self.draw, int(lines)) for lines in self.draw.integers(25, 41, _FORMS)]
        heads = len(_DATELINES) + len(_CREDITS)
        sizes = [*np.diff(boxes.bounds), *(words.size for words, _ in forms), *[1] * heads]
        self.standing = Matter(
            np.concatenate([boxes.words, *(words for words, _ in forms), np.arange(added, added + heads)]),
            np.concatenate(
                [boxes.ends, *(ends for _, ends in forms), [NONE] * len(_DATELINES), [SKIP] * len(_CREDITS)]
            ).astype(np.int8),
            np.concatenate([[0], np.cumsum(sizes)]),
        )
        self.forms = len(OUTLETS)  # numbers of paragraphs; box `n` is outlet `n`'s
        self.datelines = self.forms + _FORMS
        self.credits = self.datelines + len(_DATELINES)
        self.first = self.credits + len(_CREDITS)

    def matter(self, desk: Desk) -> Matter:
        """The paragraphs that stand ready, and those that the desk asked for."""
        if not desk.asked:
            return self.standing
        stories = np.repeat(np.arange(len(desk.asked)), desk.asked)
        fresh = self.language.paragraphs(self.draw, stories)
        old = self.standing
        return Matter(
            np.concatenate([old.words, fresh.words]),
            np.concatenate([old.ends, fresh.ends]),
            np.concatenate([old.bounds[:-1], fresh.bounds + old.words.size]),
        )

    def keep(self, desk: Desk) -> None:
        """Let what the desk asked for stand ready from now on."""
        self.standing = self.matter(desk)
        self.first = self.standing.bounds.size - 1

    def batches(self, desk: Desk, number: int) -> Iterator[Facts]:
        """The desk's articles in a shuffled order, the first of them the corpus's article `number`."""
        self.choose.shuffle(desk.rows)
        matter = self.matter(desk)
        shared = np.zeros(matter.bounds.size - 1, np.bool_)
        shared[self.datelines : self.credits + len(_CREDITS)] = True
        for story in desk.shared:
            shared[story.start : story.stop] = True
        for at in range(0, len(desk.rows), _SLICE):
            yield self.slice(desk.rows[at : at + _SLICE], matter, shared, number + at)

    def slice(self, rows: list[Row], matter: Matter, shared: NDArray[np.bool_], number: int) -> Facts:
        """The articles of some rows, and the truth about them."""
        counts = np.array([len(row.paragraphs) for row in rows])
        chosen = np.array([paragraph for row in rows for paragraph in row.paragraphs])
        firsts = np.concatenate([[0], np.cumsum(counts)])
        copied = shared[chosen] & np.repeat([row.family is not None for row in rows], counts)
        changed = np.repeat(np.array([row.changed for row in rows], np.float32), counts)
        made = self.language.edited(self.draw, matter.chosen(chosen), changed * copied)
        self.language.translated(made, copied & np.repeat([row.translated for row in rows], counts))
        sizes = np.diff(made.bounds)
        shares = np.add.reduceat(sizes * copied, firsts[:-1]) / np.add.reduceat(sizes, firsts[:-1])
        ids = [f"{n * _MIX % 2**64:016x}" for n in range(number + 1, number + 1 + len(rows))]
        text = self.language.texts(made, made.bounds[firsts])
        times = pa.array([row.published for row in rows], pa.timestamp("s"))
        published = pc.strftime(times, "%Y-%m-%dT%H:%M:%S+00:00")
        facts = [
            ids,
            [row.family for row in rows],
            [row.relation == "origin" for row in rows],
            shares,
            [row.relation for row in rows],
            [row.second for row in rows],
        ]
        return (
            pa.record_batch(
                [pa.array(ids), text, pa.array([row.outlet for row in rows]), published], ARTICLES
            ),
            pa.record_batch([pa.array(c, f.type) for c, f in zip(facts, TRUTH, strict=True)], TRUTH),
        )


class Desk:
    """Plans a batch: which paragraphs each article has. Their words are drawn later, all at once."""

    def __init__(
        self, room: Newsroom, number: int, boilerplate: float = 0.5, length: tuple[int, int] = LENGTH
    ) -> None:
        self.room, self.choose, self.length = room, room.choose, length
        self.begun = _BEGUN + number * 86_400 // _A_DAY  # `number` articles came before
        self.boilerplate = boilerplate
        self.rows: list[Row] = []
        self.asked: list[int] = []  # paragraphs of each story
        self.shared: list[range] = []  # stories that others may take
        self.next = room.first
        self.latest: tuple[int, range] | None = None  # family and story before this one

    def story(self, paragraphs: int) -> range:
        """The numbers of new paragraphs."""
        self.asked.append(paragraphs)
        self.next += paragraphs
        return range(self.next - paragraphs, self.next)

    def when(self) -> int:
        """Some second of the batch's time."""
        return self.begun + int(self.choose.random() * BATCH * 86_400 / _A_DAY)

    def article(self) -> None:
        """Add an article that carries no copy: an outlet's, an agency's, or a form with other figures."""
        chance = self.choose.random()
        if chance < _TEMPLATES:
            form = int(_FORM_SHIFT * ((_FORMS / _FORM_SHIFT + 1) ** self.choose.random() - 1))
            agency = form % len(AGENCIES)
            paragraphs = [self.dateline(agency), *self.story(1), self.room.forms + form, *self.story(2)]
            self.rows.append(Row(paragraphs, AGENCIES[agency], self.when(), "template"))
        elif chance < _TEMPLATES + _AGENCY_OWN:
            agency = self.agency()
            paragraphs = [self.dateline(agency), *self.story(self.choose.randint(*self.length))]
            self.rows.append(Row(paragraphs, AGENCIES[agency], self.when()))
        else:
            outlet, box = self.outlet()
            self.rows.append(Row([*self.story(self.choose.randint(*self.length)), *box], outlet, self.when()))

    def family(self, number: int, size: int) -> None:
        """Add an agency's story and the articles of outlets that take it."""
        agency, story, when = self.agency(), self.story(self.choose.randint(*self.length)), self.when()
        head = self.dateline(agency)
        self.rows.append(Row([head, *story], AGENCIES[agency], when, "origin", number))
        self.copies(number, story, head, when, size - 1)
        self.latest = (number, story)

    def copies(self, number: int, story: range, head: int, when: int, count: int) -> None:
        """Add articles of outlets that take a story, within two days, with or without its dateline."""
        self.shared.append(story)
        credit = self.room.credits + (head - self.room.datelines) // len(_CITIES)
        for make, changed, relation in self.choose.choices(_WAYS, cum_weights=_CHANCES, k=count):
            paragraphs, second = make(self, story), None
            if make is _rounded_up and self.latest:
                second, other = self.latest
                paragraphs += other[: len(other) // 3 + 1]
            chance = self.choose.random()
            if chance < 0.35 and paragraphs[0] == story[0]:
                paragraphs.insert(0, head)
            elif chance > 0.75:
                paragraphs.append(credit)
            outlet, box = self.outlet()
            later = when + 180 + int(min(self.choose.expovariate(1 / 18_000), _TWO_DAYS - 180))
            facts = (relation if second is not None or make is not _rounded_up else "partial reuse", number)
            self.rows.append(
                Row([*paragraphs, *box], outlet, later, *facts, second, changed, make is _translated)
            )

    def agency(self) -> int:
        """An agency, the first ones more often."""
        return int(len(AGENCIES) * self.choose.random() ** 2)

    def outlet(self) -> tuple[str, list[int]]:
        """An outlet, the first ones more often, and its boilerplate or none."""
        number = int(len(OUTLETS) * self.choose.random() ** 1.2)
        return OUTLETS[number], [number] if self.choose.random() < self.boilerplate else []

    def dateline(self, agency: int) -> int:
        """The paragraph that says where the agency writes."""
        return self.room.datelines + agency * len(_CITIES) + self.choose.randrange(len(_CITIES))


def _whole(_desk: Desk, story: range) -> list[int]:
    return list(story)


def _translated(_desk: Desk, story: range) -> list[int]:
    return list(story)


def _trimmed(desk: Desk, story: range) -> list[int]:
    return list(story[: desk.choose.randint(max(1, len(story) // 4), len(story) * 3 // 4)])


def _extended(desk: Desk, story: range) -> list[int]:
    own = desk.story(desk.choose.randint(3, 7))
    return [*story, *own] if desk.choose.random() < 0.6 else [*own, *story]


def _reordered(desk: Desk, story: range) -> list[int]:
    return [story[0], *desk.choose.sample(story[1:], len(story) - 1)]


def _reheaded(desk: Desk, story: range) -> list[int]:
    return [*desk.story(1), *story[1:]]


def _merged(desk: Desk, story: range) -> list[int]:
    half = story[: len(story) // 2]
    return [*half, *desk.story(len(half) + 2)]


def _rounded_up(desk: Desk, story: range) -> list[int]:
    return [*story[: len(story) // 2], *desk.story(2)]


_WAYS: tuple[tuple[Callable[[Desk, range], list[int]], float, str], ...] = (  # as in benchmarks.synthetic
    (_whole, 0.0, "verbatim copy"),
    (_whole, 0.02, "verbatim copy"),
    (_whole, 0.12, "edited copy"),
    (_whole, 0.2, "edited copy"),
    (_reordered, 0.08, "edited copy"),
    (_translated, 0.12, "edited copy"),
    (_reheaded, 0.0, "edited copy"),
    (_trimmed, 0.0, "excerpt"),
    (_extended, 0.0, "extended"),
    (_merged, 0.0, "partial reuse"),
    (_rounded_up, 0.0, "round-up"),
)
_CHANCES = [2, 3, 5, 7, 9, 11, 13, 17, 19, 21, 22]


def generate(
    articles: int,
    seed: int = 1,
    *,
    copying: float = 0.35,
    boilerplate: float = 0.5,
    length: tuple[int, int] = LENGTH,
) -> Iterator[Facts]:
    """Batches of articles (schema `ARTICLES`) and of the truth about them (`TRUTH`).

    `copying` is the share of articles that are members of families, origins included; `boilerplate` the
    share of an outlet's articles that end in its paragraph; `length` is the least and the most paragraphs
    of a story.
    """
    room = Newsroom(seed)
    largest = max(2, min(_LARGEST, int(articles * _LARGEST_SHARE)))
    least = largest**-_FAMILY_POWER
    number = families = carrying = 0
    while number < articles:
        desk = Desk(room, number, boilerplate, length)
        while (made := number + len(desk.rows)) < articles and len(desk.rows) < BATCH:
            if carrying < copying * made and articles - made > 1:
                copies = int(room.choose.uniform(least, 1) ** (-1 / _FAMILY_POWER))
                size = min(1 + copies, largest, articles - made)
                desk.family(families, size)
                families, carrying = families + 1, carrying + size
            else:
                desk.article()
        yield from room.batches(desk, number)
        number += len(desk.rows)


def write(path: Path, articles: int, seed: int = 1, length: tuple[int, int] = LENGTH) -> None:
    """Write the corpus (Parquet, or JSON Lines by its ending) and the truth beside it."""
    with pq.ParquetWriter(path.with_suffix(".truth.parquet"), TRUTH) as truth:
        if path.suffix == ".jsonl":
            with path.open("w", encoding="utf-8") as stream:
                for batch, facts in generate(articles, seed, length=length):
                    stream.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
                    truth.write_batch(facts)
        else:
            with pq.ParquetWriter(path, ARTICLES, compression="zstd", use_dictionary=["outlet"]) as out:
                for batch, facts in generate(articles, seed, length=length):
                    out.write_batch(batch)
                    truth.write_batch(facts)


def frequencies(texts: pa.Array, tokens: int | None = None) -> NDArray[np.int64]:
    """In how many texts each 5-word shingle stands, falling; of the first texts that have `tokens` tokens."""
    from dedup.shingles import shingle
    from dedup.tokens import tokenise

    read = tokenise(texts)
    if tokens is not None:
        read = tokenise(texts[: int(np.searchsorted(read.offsets, tokens))])
    found = shingle(read, 5)
    owners = np.repeat(np.arange(len(found), dtype=np.uint64), np.diff(found.offsets))
    order = np.lexsort((owners, found.hashes))
    hashes, owners = found.hashes[order], owners[order]
    new = np.concatenate([[True], (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])])
    counts: NDArray[np.int64] = np.unique(hashes[new], return_counts=True)[1]
    return np.sort(counts)[::-1]


def curves(data: Path) -> dict[str, NDArray[np.int64]]:
    """Shingle frequencies of reuters21578 and of generated corpora, for as many tokens."""
    from dedup.tokens import tokenise

    table = pq.read_table(data / "reuters21578/articles.parquet")
    real = table["text"].combine_chunks().cast(pa.large_string())
    tokens = int(tokenise(real).offsets[-1])
    found = {"reuters21578": frequencies(real)}
    for name, copying in (("generated", 0.35), ("generated, without copies", 0.0)):
        made = pa.concat_arrays([batch["text"] for batch, _ in generate(7000, copying=copying)])
        found[name] = frequencies(made, tokens)
    return found


def plot(data: Path, target: Path) -> None:
    """Draw shingle frequency over rank, and write some of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, counts in curves(data).items():
        axes.loglog(np.arange(1, counts.size + 1), counts, label=name)
        print(f"{name:26}", *(int(counts[10**n - 1]) for n in range(7)))
    axes.set(xlabel="rank of a 5-word shingle", ylabel="articles it stands in")
    axes.legend()
    figure.savefig(target)


def main() -> None:
    """Write a corpus, or draw its curve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--length", type=int, nargs=2, default=LENGTH, help="least (2 or more) and most paragraphs of a story"
    )
    parser.add_argument("--out", type=Path, help="a .parquet or .jsonl file")
    parser.add_argument("--plot", type=Path, help="draw shingle frequencies to this file; needs --data")
    parser.add_argument("--data", type=Path, help="folder that holds reuters21578/")
    options = parser.parse_args()
    if options.out:
        if options.out.suffix not in (".parquet", ".jsonl"):
            parser.error(f"--out {options.out} ends in neither .parquet nor .jsonl")
        write(options.out, options.articles, options.seed, tuple(options.length))
    if options.plot:
        plot(options.data, options.plot)


if __name__ == "__main__":
    main()
