"""The input layer: `python -m benchmarks.inputs --data DIR --work DIR --out FILE.md`.

Speed, each beside the library that reads the same file, in one run on the same cores: JSON Lines and Parquet
into the article table against pyarrow, WARC against fastwarc and trafilatura alone. Accuracy on pages whose
true bodies are known (`--data`, folder that holds html-fundus/): words found, and that two pages of an outlet
on different subjects do not come out as copies.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

import dedup
from dedup.io import batches
from dedup.report.model import Inputs
from dedup.settings import Settings

_ARTICLES = 100_000
_ROUNDS = 3
_PAGES = 400


class Timed(NamedTuple):
    """Seconds of one reader, and what it read."""

    seconds: float
    found: int


def best(run: Callable[[], int]) -> Timed:
    """The best of several runs, all of which must find the same number."""
    found, counts = [], set()
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        counts.add(run())
        found.append(time.perf_counter() - begun)
    if len(counts) != 1:
        raise RuntimeError(f"one reader found {counts}")
    return Timed(min(found), counts.pop())


def ours(path: Path | list[Path], **settings: Any) -> int:
    """Articles that the input layer reads, batch after batch."""
    stream = batches(path, inputs=Inputs(), settings=Settings(**settings))
    return sum(batch.num_rows for batch in stream)


def corpus(work: Path) -> tuple[Path, Path]:
    """Generated articles as Parquet and as JSON Lines."""
    table, lines = work / f"inputs-{_ARTICLES}.parquet", work / f"inputs-{_ARTICLES}.jsonl"
    if not table.exists():
        command = [
            sys.executable,
            "-m",
            "benchmarks.corpus",
            "--articles",
            str(_ARTICLES),
            "--out",
            str(table),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if not lines.exists():
        dedup.convert(table, lines)
    return table, lines


def pages(data: Path) -> list[Path]:
    """Pages whose true bodies are known."""
    return sorted((data / "html-fundus").glob("*/*.html.gz"))


def crawl(data: Path, work: Path) -> Path:
    """Those pages as a crawler would have written them, over and over."""
    path = work / "inputs.warc.gz"
    own = pages(data)
    with path.open("wb") as out:
        for number in range(_PAGES):
            page = gzip.decompress(own[number % len(own)].read_bytes())
            http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
            head = (
                "WARC/1.0\r\nWARC-Type: response\r\n"
                f"WARC-Target-URI: https://site{number % len(own)}.example/{number}\r\n"
                f"WARC-Date: 2024-05-02T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
            )
            out.write(gzip.compress(head.encode() + http + b"\r\n\r\n", 1))
    return path


def extracted(page: bytes) -> bool:
    """Does trafilatura find a text in a page?"""
    import trafilatura

    tree = trafilatura.load_html(page)
    if tree is None:
        return False
    found = trafilatura.bare_extraction(
        tree, with_metadata=True, include_comments=False, include_tables=False
    )
    return found is not None


def alone(path: Path) -> int:
    """Pages of a WARC by fastwarc, made sense of by trafilatura in two processes."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with path.open("rb") as stream, ProcessPoolExecutor(2) as pool:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response)
        return sum(pool.map(extracted, (record.reader.read() for record in records), chunksize=4))


def extracted_file(path: Path) -> bool:
    """The same of a page in a file."""
    return extracted(gzip.decompress(path.read_bytes()))


def files_alone(many: list[Path]) -> int:
    """Pages in files, made sense of by trafilatura in two processes."""
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(extracted_file, many, chunksize=4))


def speeds(data: Path | None, work: Path) -> Iterator[tuple[str, str, str]]:
    """What was measured: name, value, bar."""
    table, lines = corpus(work)
    text = pq.read_table(table, columns=["text"])["text"].nbytes / 1e6
    for name, path, plain, bar in (
        ("JSON Lines", lines, lambda: pa.json.read_json(lines).num_rows, 250),
        ("Parquet", table, lambda: pq.read_table(table).num_rows, 400),
    ):
        own, theirs = best(lambda path=path: ours(path)), best(plain)  # type: ignore[misc]
        if own.found != theirs.found:
            raise RuntimeError(f"{own.found} articles, not {theirs.found}")
        value = f"{text / own.seconds:,.0f} MB/s, {own.seconds / theirs.seconds:.2f} × pyarrow's time"
        yield f"{name}, {text:,.0f} MB of text", value, f"{bar} MB/s, or 1.3 ×"
    if data is not None:
        path = crawl(data, work)
        own, theirs = best(lambda: ours(path)), best(lambda: alone(path))
        value = f"{own.seconds / theirs.seconds:.2f} × ({own.found} and {theirs.found} articles)"
        yield f"WARC of {_PAGES} pages over fastwarc and trafilatura alone, both on two cores", value, "1.2 ×"
        many = pages(data)
        own, theirs = best(lambda: ours(many)), best(lambda: files_alone(many))
        value = f"{own.seconds / theirs.seconds:.2f} × ({own.found} and {theirs.found} articles)"
        yield f"HTML, {len(many)} files, over trafilatura alone, both on two cores", value, "1 ×"


class Truth(NamedTuple):
    """A page, and the words of its true body."""

    path: Path
    outlet: str
    words: list[str]


def truths(data: Path) -> list[Truth]:
    """The pages with their true bodies: an outlet's pages and its descriptions follow one another in time."""
    out = []
    for described in sorted((data / "html-fundus").glob("*/*.json")):
        versions = json.loads(described.read_text("utf-8"))
        own = [path for path in pages(data) if path.name.split("_")[0] == described.stem]
        own = [path for path in own if path.parent == described.parent]
        names = sorted(versions, key=lambda name: [int(part) for part in name[1:].split("_")])
        for path, name in zip(own, names, strict=True):
            if body := versions[name].get("body"):
                out.append(Truth(path, f"{path.parent.name}/{described.stem}", list(_words(body))))
    return out


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.lower().split()
    elif isinstance(value, dict):
        for one in value.values():
            yield from _words(one)
    elif isinstance(value, list):
        for one in value:
            yield from _words(one)


def accuracy(data: Path) -> Iterator[tuple[str, str, str]]:
    """How much of the true bodies is found, how much else, and whether pages of one outlet are copies."""
    known = truths(data)
    report = dedup.scan([truth.path for truth in known])
    found = {Path(row["path"]): row["id"] for row in report.articles.select(["path", "id"]).to_pylist()}
    recalls, precisions = [], []
    for truth in known:
        if truth.path not in found:
            recalls.append(0.0)
            continue
        own, true = Counter(report.texts[found[truth.path]].lower().split()), Counter(truth.words)
        common = sum((own & true).values())
        recalls.append(common / max(1, sum(true.values())))
        precisions.append(common / max(1, sum(own.values())))
    yield "pages with a known body, and articles found", f"{len(known)}, {len(found)}", ""
    yield "words of the true bodies that are found: mean, median", _middle(recalls), ""
    yield "words found that are of the true bodies: mean, median", _middle(precisions), ""
    by_id = {found[truth.path]: truth for truth in known if truth.path in found}
    related = {
        (pair["left"], pair["right"]) for pair in report.pairs.to_pylist() if pair["relation"] in _copying()
    }
    others = [
        (one, two)
        for one, two in combinations(sorted(by_id), 2)
        if by_id[one].outlet == by_id[two].outlet and not _one_story(by_id[one], by_id[two])
    ]
    told = sum(pair in related for pair in others)
    name = "pairs of pages of one outlet on different subjects, and those told to share copy"
    yield name, f"{len(others)}, {told}", "0"


def _one_story(one: Truth, two: Truth) -> bool:
    """Do two true bodies share a fifth of their runs of five words?"""
    own, theirs = (
        {tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (one.words, two.words)
    )
    return len(own & theirs) >= 0.2 * max(1, min(len(own), len(theirs)))


def _copying() -> frozenset[str]:
    """The relations that say that there is shared copy."""
    from dedup.schema import COPYING

    return frozenset({*COPYING, "duplicate"})


def _middle(values: list[float]) -> str:
    return f"{np.mean(values):.3f}, {np.median(values):.3f}"


def main() -> None:
    """Measure, print a table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder that holds html-fundus/")
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder for corpora")
    parser.add_argument("--out", type=Path, help="a file for the table")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    told = ["| what | measured | bar |", "|---|---|---|"]
    print(*told, sep="\n")
    rows = [accuracy(options.data)] if options.data else []
    for row in (row for part in (*rows, speeds(options.data, options.work)) for row in part):
        told.append("| " + " | ".join(row) + " |")
        print(told[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(told) + "\n", "utf-8")


if __name__ == "__main__":
    main()
