"""Time, memory and disk of a scan as the corpus grows, and the exponent of time."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import measured
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
        path = options.corpus(size)
        megabytes = text_bytes(path) / 1e6
        run = measured(
            "benchmarks.scan:scan",
            imports=list(PEERS["dedup"].imports),
            cores=options.cores,
            scratch=options.scratch,
            path=str(path),
        )
        part.raw.append({"articles": size, **run.plain()})
        if run.failed:
            part.add({"articles": size, "MB": megabytes, "note": run.failed})
            continue
        if run.facts["rows"]["articles"] != size or run.facts["problems"]:
            raise ValueError(f"{size} articles: the report has {run.facts}")
        part.add(
            {
                "articles": size,
                "MB": megabytes,
                "s": run.seconds,
                "MB/s": megabytes / run.seconds,
                "peak MB": run.peak / 1e6,
                "anonymous MB": run.anonymous / 1e6,
                "disk MB": run.disk / 1e6,
                "pairs": run.facts["rows"]["pairs"],
                "families": run.facts["rows"]["families"],
            }
        )
    good = [row for row in part.rows if "s" in row]
    exponent = fitted([row["articles"] for row in good], [row["s"] for row in good])
    part.bars.append(Bar("exponent of time", exponent, "≤ 1.10"))
    if not options.quick:
        largest = good[-1] if good and good[-1]["articles"] == sizes[-1] else {}
        part.bars.append(Bar("seconds for 1,000,000 articles", largest.get("s"), "≤ 120"))
        part.bars.append(Bar("peak MB for 1,000,000 articles", largest.get("peak MB"), "≤ 4000"))
    return part


def fitted(sizes: list[int], seconds: list[float]) -> float | None:
    """The exponent e of seconds = c · sizes ** e, by least squares of the logarithms."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
