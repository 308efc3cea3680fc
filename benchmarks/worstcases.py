"""Scans of the worst corpora, each against ordinary generated articles of as many bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import worst
from benchmarks.measure import Run, measured
from benchmarks.options import Options, text_bytes
from benchmarks.peers import PEERS
from benchmarks.writeup import Bar, Part

Generator = Callable[[int], Iterator[pa.RecordBatch]]
CASES: dict[str, tuple[str, Generator, int]] = {
    "identical": ("identical articles", worst.identical, 100_000),
    "family": ("edited copies of one story", worst.one_family, 10_000),
    "paragraph": ("articles that share one paragraph of boilerplate", worst.one_paragraph, 200_000),
    "long": ("bytes in one article", worst.one_long, 50_000_000),
    "briefs": ("articles of 20 words", worst.briefs, 1_000_000),
}


def worstcases(options: Options) -> Part:
    """Scan each case and its ordinary counterpart."""
    part = Part(
        "worst",
        f"Worst cases, {options.cores} cores",
        ("`ordinary s` is a scan of ordinary generated articles of as many bytes of text; `×` is the ratio."),
    )
    each = text_bytes(options.corpus(2_000)) / 2_000
    for name, (words, generate, full) in CASES.items():
        size = full // 100 if options.quick else full
        path = written(options.work / f"{name}-{size}.parquet", generate, size)
        megabytes = text_bytes(path) / 1e6
        run = _scan(path, options)
        usual = _scan(options.corpus(max(2, round(megabytes * 1e6 / each))), options)
        part.raw += [{"case": name, **run.plain()}, {"case": f"{name}, ordinary", **usual.plain()}]
        row = {"case": f"{size:,} {words}", "MB": megabytes}
        failed = run.failed or usual.failed
        if failed:
            part.add({**row, "note": failed})
            part.bars.append(Bar(words, None, "≤ 3", "≤ 1.5"))
            continue
        _check(name, size, run)
        ratio = run.seconds / usual.seconds
        rest = {"s": run.seconds, "ordinary s": usual.seconds, "×": ratio}
        sizes = {"peak MB": run.peak / 1e6, "disk MB": run.disk / 1e6}
        part.add({**row, **rest, **sizes, "pairs": run.facts["rows"]["pairs"]})
        part.bars.append(Bar(words, ratio, "≤ 3", "≤ 1.5"))
    return part


def written(path: Path, generate: Generator, size: int) -> Path:
    """A case as a Parquet file; made once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        batches = generate(size)
        first = next(batches)
        with pq.ParquetWriter(unfinished, first.schema, compression="zstd") as out:
            out.write_batch(first)
            for batch in batches:
                out.write_batch(batch)
        unfinished.replace(path)
    return path


def _scan(path: Path, options: Options) -> Run:
    return measured(
        "benchmarks.scan:scan",
        imports=list(PEERS["dedup"].imports),
        cores=options.cores,
        scratch=options.scratch,
        path=str(path),
    )


def _check(name: str, size: int, run: Run) -> None:
    """Every article was read, and copies are copies."""
    rows = run.facts["rows"]
    expected = 1 if name == "long" else size
    if rows["articles"] != expected or run.facts["problems"]:
        raise ValueError(f"{name}: {expected} articles, and the report has {run.facts}")
    if name in {"identical", "family"} and not rows["families"]:
        raise ValueError(f"{name}: no family found")
