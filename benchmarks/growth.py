"""Time, memory and disk of a scan as the corpus grows, and the exponent of time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Run, measured
from benchmarks.options import Options, text_bytes
from benchmarks.peers import PEERS
from benchmarks.writeup import Bar, Part

_SIZES = (125_000, 250_000, 500_000, 1_000_000)
_QUICK = (2_000, 4_000, 8_000, 16_000)


def growth(options: Options) -> Part:
    """Scan corpora of doubling sizes; fit log time over log articles by least squares."""
    part = Part(
        "growth",
        f"How a scan grows, {options.cores} cores",
        (
            "Generated articles, default settings. `anonymous` leaves out of the peak RSS the pages of "
            "files, which the system can drop. Disk is the most that stood in temporary files at one time, "
            "of samples twice a second."
        ),
    )
    sizes = _QUICK if options.quick else _SIZES
    for size in sizes:
        _scan(part, options, size, options.corpus(size), "scan")
    good = [row for row in part.rows if "s" in row]
    exponent = fitted([row["articles"] for row in good], [row["s"] for row in good])
    part.bars.append(Bar("exponent of time", exponent, "≤ 1.10"))
    if not options.quick:
        largest = good[-1] if good and good[-1]["articles"] == sizes[-1] else {}
        part.bars.append(Bar("seconds for 1,000,000 articles", largest.get("s"), "≤ 120"))
        part.bars.append(Bar("peak MB for 1,000,000 articles", largest.get("peak MB"), "≤ 4000"))
    return part


def ten_million(options: Options) -> Part:
    """Scan ten million articles within 8 GB, and write the report."""
    count, memory = (20_000, 4_000) if options.quick else (10_000_000, 8_000)
    part = Part(
        "ten_million",
        f"Ten million articles, {options.cores} cores",
        (
            "Generated articles, a third as long as those above, so that they and temporary files fit a "
            f"disk of 60 GB; `--memory {memory}`; from Parquet to a folder of tables. What stands in memory "
            "is for the most part of so many bytes an article, and texts and tokens are on disk, so that "
            "longer ones take more time and disk."
        ),
    )
    path = options.corpus(count, length=(2, 4))
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        out = f"{folder}/report"
        run = _scan(part, options, count, path, "scan_to", timeout=7200, folder=out, memory=memory)
    if not options.quick:
        peak = None if run.failed else run.peak / 1e6
        part.bars.append(Bar("peak MB for 10,000,000 articles", peak, "≤ 8000"))
    return part


def _scan(part: Part, options: Options, count: int, path: Path, function: str, **arguments: Any) -> Run:
    """Measure a scan of so many articles by a function of `benchmarks.scan`, and add it to `part`."""
    megabytes = text_bytes(path) / 1e6
    run = measured(
        f"benchmarks.scan:{function}",
        imports=list(PEERS["dedup"].imports),
        cores=options.cores,
        scratch=options.scratch,
        path=str(path),
        **arguments,
    )
    part.raw.append({"articles": count, **run.plain()})
    if run.failed:
        part.add({"articles": count, "MB": megabytes, "note": run.failed})
        return run
    rows = run.facts["rows"]
    if rows["articles"] != count or run.facts["problems"]:
        raise ValueError(f"{count} articles: the report has {run.facts}")
    part.add(
        {
            "articles": count,
            "MB": megabytes,
            "s": run.seconds,
            "MB/s": megabytes / run.seconds,
            "peak MB": run.peak / 1e6,
            "anonymous MB": run.anonymous / 1e6,
            "disk MB": run.disk / 1e6,
            "pairs": rows["pairs"],
            "families": rows["families"],
        }
    )
    return run


def fitted(sizes: list[int], seconds: list[float]) -> float | None:
    """The exponent e of seconds = c · sizes ** e, by least squares of the logarithms."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
