"""News-like corpora of any size: `python -m benchmarks.corpus --articles 100000 --out news.parquet`.

Streamed, seeded, with the truth beside it (`news.truth.parquet`). Words and phrases are both drawn from
heavy-tailed frequencies, so that shingles repeat as they do in news: `--plot FILE --data DIR` draws the two
curves. A third of the articles carry copy, in families of heavy-tailed size; members trim, edit, extend and
re-head it, and outlets add their boilerplate.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ARTICLES = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), ("outlet", pa.string()), ("published", pa.string())]
)
TRUTH = pa.schema(
    [("id", pa.string()), ("family", pa.int64()), ("origin", pa.bool_()), ("share", pa.float64())]
)

_COPYING = 0.35  # share of articles that are members of families
_LARGEST = 10_000  # members of a family
_WORDS, _PHRASES, _NAMES, _OUTLETS = 50_000, 400_000, 20_000, 300
_IN_PHRASES = 0.25  # of the pieces of a text
_AT_ONCE = 2_000  # articles in a batch
_BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
_MIX = 0x9E3779B97F4A7C15

Words = NDArray[np.int32]


@dataclass(frozen=True)
class _Language:
    """Words as strings, phrases as word numbers (CSR), and the chances of both."""

    words: NDArray[Any]
    phrases: Words
    bounds: NDArray[np.int64]
    word_chances: NDArray[np.float64]
    phrase_chances: NDArray[np.float64]


def _language(draw: np.random.Generator) -> _Language:
    syllables = np.array(
        [a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", "n", "r", "s", "t")]
    )
    counts = draw.integers(1, 4, 3 * _WORDS)
    made = dict.fromkeys("".join(draw.choice(syllables, count)) for count in counts)
    lower = list(made)[:_WORDS]
    words = np.array([*lower, *(word.capitalize() for word in lower[-_NAMES:])], object)
    ranks = np.arange(1, words.size + 1)
    chances = 1.0 / (ranks + 2.7)  # Mandelbrot 1953
    lengths = draw.integers(2, 9, _PHRASES)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    phrases = draw.choice(words.size, int(bounds[-1]), p=chances / chances.sum()).astype(np.int32)
    phrase_chances = 1.0 / (np.arange(1, _PHRASES + 1) + 2000.0)
    return _Language(
        words,
        phrases,
        bounds,
        np.cumsum(chances / chances.sum()),
        np.cumsum(phrase_chances / phrase_chances.sum()),
    )


class _Newsroom:
    """Writes articles as arrays of word numbers, and turns them into text."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.language = _language(self.draw)
        self.boxes = [self.text(self.prose(40)) for _ in range(_OUTLETS)]

    def prose(self, length: int) -> Words:
        """About `length` words: phrases and single words."""
        language, draw = self.language, self.draw
        pieces = length // 2
        kinds = draw.random(pieces) < _IN_PHRASES
        singles = np.searchsorted(language.word_chances, draw.random(pieces)).astype(np.int32)
        chosen = np.searchsorted(language.phrase_chances, draw.random(pieces))
        starts = np.where(kinds, language.bounds[chosen], 0)
        sizes = np.where(kinds, language.bounds[chosen + 1] - starts, 1)
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        made = language.phrases[np.repeat(starts, sizes) + np.where(np.repeat(kinds, sizes), places, 0)]
        return np.where(np.repeat(kinds, sizes), made, np.repeat(singles, sizes)).astype(np.int32)

    def edited(self, words: Words, share: float) -> Words:
        """Another word in the place of `share` of the words."""
        changed = self.draw.random(words.size) < share
        out = words.copy()
        out[changed] = np.searchsorted(self.language.word_chances, self.draw.random(int(changed.sum())))
        return out

    def text(self, words: Words) -> str:
        """Sentences of 8 to 30 words, paragraphs of 2 to 4 sentences."""
        out = self.language.words[words].tolist()
        cuts = np.cumsum(self.draw.integers(8, 31, words.size // 8 + 1))
        for number, cut in enumerate(cuts[cuts < len(out)].tolist(), 1):
            out[cut - 1] += ".\n\n" if number % 3 == 0 else "."
            out[cut] = out[cut].capitalize()
        return " ".join(out).replace("\n ", "\n") + "."

    def member(self, copy: Words) -> tuple[Words, float]:
        """What an outlet makes of an agency's words, and the share of it that is copy."""
        kind = self.draw.integers(0, 6)
        if kind == 0:
            return copy, 1.0
        if kind == 1:
            return self.edited(copy, 0.02), 1.0
        if kind == 2:
            return self.edited(copy, 0.15), 1.0
        if kind == 3:
            kept = copy[: max(60, int(copy.size * self.draw.uniform(0.3, 0.8)))]
            return kept, 1.0
        own = self.prose(int(self.draw.integers(50, 250)))
        parts = [copy, own] if kind == 4 else [own, copy]
        return np.concatenate(parts), copy.size / (copy.size + own.size)


def _name(number: int) -> str:
    """An id in which neighbours are not neighbours."""
    return f"{(number + 1) * _MIX % 2**64:016x}"


def generate(articles: int, seed: int = 1) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Batches of articles (schema `ARTICLES`) and of the truth about them (`TRUTH`)."""
    room = _Newsroom(seed)
    draw = room.draw
    rows: list[tuple[str, str, str, str]] = []
    truth: list[tuple[str, int | None, bool, float]] = []
    number, family = 0, 0

    def add(words: Words, group: int | None, origin: bool, share: float) -> None:
        outlet = int(draw.integers(0, _OUTLETS))
        text = room.text(words)
        if origin:
            text = f"{room.language.words[words[0]].upper()} (Reuters) - {text}"
        elif draw.random() < 0.5:
            text += "\n\n" + room.boxes[outlet]
        when = _BEGUN + timedelta(minutes=number // 20 + (0 if origin else int(draw.integers(5, 900))))
        rows.append((_name(number), text, "Reuters" if origin else f"outlet{outlet}", when.isoformat()))
        truth.append((_name(number), group, origin, share))

    while number < articles:
        if draw.random() < _COPYING / 4.0:  # families have about four members more than one
            copy = room.prose(int(draw.integers(250, 600)))
            size = min(int(1 + draw.pareto(1.1) * 1.6) + 1, _LARGEST, articles - number)
            for place in range(size):
                words, share = (copy, 1.0) if place == 0 else room.member(copy)
                add(words, family, place == 0, share)
                number += 1
            family += 1
        else:
            add(room.prose(int(draw.integers(300, 600))), None, False, 0.0)
            number += 1
        if len(rows) >= _AT_ONCE or number >= articles:
            yield _batch(rows, ARTICLES), _batch(truth, TRUTH)
            rows, truth = [], []


def _batch(rows: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema
    )


def write(path: Path, articles: int, seed: int = 1) -> None:
    """Write the corpus (Parquet, or JSON Lines by its ending) and the truth beside it."""
    truth_path = path.with_suffix(".truth.parquet")
    with pq.ParquetWriter(truth_path, TRUTH) as truth:
        if path.suffix == ".jsonl":
            import json

            with path.open("w", encoding="utf-8") as stream:
                for batch, facts in generate(articles, seed):
                    stream.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
                    truth.write_batch(facts)
        else:
            with pq.ParquetWriter(path, ARTICLES, compression="zstd") as out:
                for batch, facts in generate(articles, seed):
                    out.write_batch(batch)
                    truth.write_batch(facts)


def frequencies(texts: pa.Array) -> NDArray[np.int64]:
    """In how many texts each 5-word shingle stands, falling."""
    from dedup.shingles import shingle
    from dedup.tokens import tokenise

    found = shingle(tokenise(texts), 5)
    owners = np.repeat(np.arange(len(found), dtype=np.uint64), np.diff(found.offsets))
    order = np.lexsort((owners, found.hashes))
    hashes, owners = found.hashes[order], owners[order]
    new = np.concatenate([[True], (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])])
    counts: NDArray[np.int64] = np.unique(hashes[new], return_counts=True)[1]
    return np.sort(counts)[::-1]


def plot(data: Path, target: Path) -> None:
    """Draw shingle frequency over rank, of a generated corpus and of reuters21578, for as many tokens."""
    from matplotlib.figure import Figure

    real = (
        pq.read_table(data / "reuters21578/articles.parquet")["text"].combine_chunks().cast(pa.large_string())
    )
    made = pa.concat_arrays([batch["text"] for batch, _ in generate(6000)])
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, texts in (("reuters21578", real), ("generated", made)):
        counts = frequencies(texts)
        axes.loglog(np.arange(1, counts.size + 1), counts, label=name)
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
    parser.add_argument("--out", type=Path, help="a .parquet or .jsonl file")
    parser.add_argument("--plot", type=Path, help="draw shingle frequencies to this file; needs --data")
    parser.add_argument("--data", type=Path, help="folder that holds reuters21578/")
    options = parser.parse_args()
    if options.out:
        write(options.out, options.articles, options.seed)
    if options.plot:
        plot(options.data, options.plot)


if __name__ == "__main__":
    main()
