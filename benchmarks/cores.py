"""What a second core brings, and whether the answer stays the same to the byte; how soon a command starts."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import measured
from benchmarks.options import Options, text_bytes
from benchmarks.peers import PEERS
from benchmarks.writeup import Bar, Part


def second_core(options: Options) -> Part:
    """One thread against two, in turn, on the same articles."""
    path = options.corpus(4_000 if options.quick else options.articles)
    rounds = 1 if options.quick else 3
    megabytes = text_bytes(path) / 1e6
    part = Part(
        "core2",
        "A second core",
        (
            f"{megabytes:.1f} MB of generated articles; the median of {rounds}. Both are given two cores, "
            "and give the same answer to the byte."
        ),
    )
    runs: dict[int, list[float]] = {1: [], 2: []}
    digests = set()
    for _ in range(rounds):
        for threads, seconds in runs.items():
            run = measured(
                "benchmarks.scan:scan",
                imports=list(PEERS["dedup"].imports),
                cores=2,
                scratch=options.scratch,
                path=str(path),
                threads=threads,
            )
            part.raw.append({"threads": threads, **run.plain()})
            if run.failed:
                part.add({"threads": threads, "note": run.failed})
                return part
            seconds.append(run.seconds)
            digests.add(run.facts["digest"])
    if len(digests) > 1:
        raise ValueError("one thread and two give different answers")
    medians = {threads: statistics.median(seconds) for threads, seconds in runs.items()}
    for threads, median in medians.items():
        part.add({"threads": threads, "s": median, "MB/s": megabytes / median})
    part.bars.append(Bar("one thread over two", medians[1] / medians[2], "≥ 1.7"))
    return part


def start(_: Options) -> Part:
    """Whole processes, from nothing to their end."""
    part = Part("start", "Start", "Median of 10 whole processes, after one that is not counted.")
    command = Path(sys.executable).with_name("dedup")
    cases = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import dedup'": [sys.executable, "-c", "import dedup"],
        "dedup --help": [str(command), "--help"],
    }
    medians = {}
    for name, words in cases.items():
        seconds = []
        for _again in range(11):
            begun = time.perf_counter()
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ)
            seconds.append(time.perf_counter() - begun)
        if "--help" in words and "scan" not in done.stdout:
            raise ValueError(f"{name} printed {done.stdout!r}")
        medians[name] = statistics.median(seconds[1:])
        part.raw.append({"command": name, "seconds": seconds[1:]})
        part.add({"command": name, "s": medians[name]})
    for name in list(cases)[1:]:
        part.bars.append(Bar(f"{name}, s", medians[name], "≤ .25", "≤ .1"))
    return part
