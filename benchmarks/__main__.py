"""Every benchmark of speed, beside other libraries: `python -m benchmarks --data DIR`.

Writes speed.md, speed-runs.json and plots to benchmarks/results/<date>-<machine>/. `--quick` is small sizes
and takes about three minutes. What others need: `pip install '.[bench]'`; what is missing is a row that
says so.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cores import second_core, start
from benchmarks.endtoend import endtoend
from benchmarks.growth import growth, ten_million
from benchmarks.measure import measured
from benchmarks.options import Options
from benchmarks.peers import PEERS
from benchmarks.sketching import sketching
from benchmarks.worstcases import worstcases
from benchmarks.writeup import Part, label, write

PARTS: dict[str, Callable[[Options], Part | list[Part]]] = {
    "start": start,
    "sketching": sketching,
    "endtoend": endtoend,
    "core2": second_core,
    "growth": growth,
    "ten_million": ten_million,
    "worst": worstcases,
}


def main() -> None:
    """Run the parts asked for, and write what came out after each."""
    options, only, out = _options()
    begun, load = time.perf_counter(), [os.getloadavg()[0]] * 2
    date = datetime.now(UTC).date().isoformat()
    folder = out or Path(__file__).parent / "results" / f"{date}-{label()}"
    parts: list[Part] = []
    compiled = _compiled(options)
    for name in only:
        made = PARTS[name](options)
        parts += made if isinstance(made, list) else [made]
        seconds = time.perf_counter() - begun
        load[1] = os.getloadavg()[0]
        facts = {
            "date": date,
            "seconds": seconds,
            "load": load,
            "first_scan": compiled,
            "quick": options.quick,
        }
        write(folder, parts, facts)
    print(f"{folder}: {time.perf_counter() - begun:.0f} s")


def _options() -> tuple[Options, list[str], Path | None]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder that holds reuters21578/articles.parquet")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="only these")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument(
        "--articles", type=int, default=20_000, help="generated articles; 200000 is the full run"
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[], help="only these, end to end")
    parser.add_argument("--work", type=Path, help="folder for generated corpora, kept for the next run")
    parser.add_argument("--out", type=Path, help="folder for the results instead")
    given = parser.parse_args()
    work = given.work or Path(tempfile.gettempdir()) / "dedup-benchmarks"
    cores = min(2, os.cpu_count() or 1)
    data, peers = given.data and given.data.resolve(), tuple(given.peers)
    options = Options(work.resolve(), data, given.articles, given.quick, cores, peers)
    return options, given.only, given.out


def _compiled(options: Options) -> float:
    """Seconds of one small scan, which compiles the kernels if they are not compiled yet."""
    run = measured(
        "benchmarks.scan:scan",
        imports=list(PEERS["dedup"].imports),
        cores=options.cores,
        scratch=options.scratch,
        path=str(options.corpus(100)),
    )
    if run.failed:
        raise SystemExit(f"a scan of 100 articles fails: {run.failed}")
    return run.seconds


if __name__ == "__main__":
    main()
