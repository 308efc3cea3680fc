"""How the scan scales on Spark, from its event log: `python -m benchmarks.spark_scale`.

Scans generated corpora of rising size, fits the cost of an article, and projects a year of world news and an
archive. Writes spark.md and spark-runs.json to benchmarks/results/<date>-<machine>/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import worst
from benchmarks.event_log import Stage, stages
from benchmarks.options import Options
from benchmarks.oracle import overlaps
from benchmarks.writeup import Bar, Part, label, machine
from dedup.spark.engine import bits_for
from dedup.tokens import tokenise

SIZES = (50_000, 100_000, 200_000, 400_000)
FAMILY = 50_000  # copies of one story among the largest corpus
SMALL = 20_000  # articles for MLlib's join
CONTAINMENT = 0.5
_PATIENCE = 1800  # seconds
_TELLING = 0.02  # share of all task time from which on a stage's longest task is looked at by itself
_BRIEF = 0.5  # seconds; where no task takes as long, the median is what a task takes that has nothing to do
_PROJECTED = ((10**8, "a year of world news"), (10**9, "an archive"))


def main() -> None:
    """Run everything, and write what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark_scale", description=__doc__)
    parser.add_argument("--work", type=Path, help="folder for generated corpora, kept for the next run")
    parser.add_argument("--out", type=Path, help="folder for the results instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="articles")
    given = parser.parse_args()
    work = (given.work or Path(tempfile.gettempdir()) / "dedup-benchmarks").resolve()
    options = Options(work, None, max(given.sizes), False, min(2, os.cpu_count() or 1))
    date = datetime.now(UTC).date().isoformat()
    folder = given.out or Path(__file__).parent / "results" / f"{date}-{label()}"
    parts = [growth(options, given.sizes), skew(options, max(given.sizes)), peer(options)]
    about = machine()
    text = [
        "# On Spark",
        "",
        (
            f"`python -m benchmarks.spark_scale`, {date}, on {about['processor']}, {options.cores} cores, "
            f"{about['memory_gb']} GB; `local[{options.cores}]`. Times are of one run each."
        ),
        "",
        *(part.markdown() for part in parts),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark.md").write_text("\n".join(text), "utf-8")
    raw = {"machine": about, "parts": [{"name": part.name, "raw": part.raw} for part in parts]}
    (folder / "spark-runs.json").write_text(json.dumps(raw, indent=1) + "\n", "utf-8")


def growth(options: Options, sizes: list[int]) -> Part:
    """Scans of rising size, beside the local engine, and what they say of much larger ones."""
    part = Part(
        "growth",
        "Growth",
        "`task s` is the run time of all tasks, `staged` what stages hand on by files, at most; both and the "
        "shuffle are of the whole scan, reading and report included. `local s` is the local engine on as "
        "many cores, reading to a folder of tables; neither time has the start of Java or Python in it.",
    )
    costs = []
    for size in sizes:
        run, found = _scanned(options.corpus(size), options)
        seconds = sum(stage.seconds for stage in found)
        shuffled = sum(stage.shuffled for stage in found) / size
        longest = max(max(stage.tasks) for stage in found)
        costs.append((size, seconds, shuffled, run["staged"] / size, longest))
        local = _local(options.corpus(size), options)
        part.add(
            {
                "articles": size,
                "s": run["seconds"],
                "local s": local,
                "×": run["seconds"] / local,
                "task s": seconds,
                "shuffle B/article": shuffled,
                "staged B/article": run["staged"] / size,
                "spilled MB": sum(stage.spilled for stage in found) / 1e6,
                "largest task s": longest,
            }
        )
        part.raw.append({**run, "articles": size, "local": local, "stages": [s.plain() for s in found]})
    last = part.rows[-1]
    exponent = float("nan")
    if len(costs) > 1:
        xs, ys = np.log([cost[0] for cost in costs]), np.log([cost[1] for cost in costs])
        exponent = float(np.polyfit(xs, ys, 1)[0])
    part.bars += [
        Bar(f"{last['articles']:,} articles against the local engine", last["×"], "≤ 4"),
        Bar("shuffle, KB an article, at most", max(cost[2] for cost in costs) / 1e3, "≤ 6"),
        Bar("exponent of task time", exponent, "≤ 1.1"),
    ]
    part.notes += "\n\n" + _projected(costs, exponent)
    return part


def _projected(costs: list[tuple[int, float, float, float, float]], exponent: float) -> str:
    """What much larger corpora would take, in words and a table."""
    size, seconds, _, _, longest = costs[-1]
    doublings = np.log2([cost[0] for cost in costs])
    shuffled, staged = (np.polyfit(doublings, [cost[at] for cost in costs], 1) for at in (2, 3))
    lines = [
        (
            "Projected: task time from the largest run, with the measured exponent (1 if that is less); "
            "shuffle and staged bytes of an article by a line through all runs over the logarithm of their "
            "size, as messages become smaller and are compressed less well. Assumed: cores as fast as this "
            "one's, and corpora in which stories are copied as often. Nothing of this size has been run."
        ),
        "",
        "| articles | | core hours | shuffle TB | staged TB | tasks a stage | largest task s |",
        "|---|---|---|---|---|---|---|",
    ]
    for count, words in _PROJECTED:
        hours = seconds * (count / size) ** max(exponent, 1.0) / 3600
        tasks = 1 << bits_for(count)
        sizes = [np.polyval(line, np.log2(count)) * count / 1e12 for line in (shuffled, staged)]
        task = longest * (count / tasks) / (size / (1 << bits_for(size)))
        row = f"{count:,}", words, f"{hours:,.0f}", *(f"{each:.1f}" for each in sizes), f"{tasks:,}"
        lines.append(f"| {' | '.join(row)} | {task:.0f} |")
    return "\n".join(lines)


def skew(options: Options, size: int) -> Part:
    """A family of many copies among other articles: does one task take all the time?"""
    part = Part(
        "skew",
        f"A family of {FAMILY:,} edited copies among {size:,} articles",
        "The longest task against the median one of its stage, and the share of all task time.",
    )
    path = options.work / f"spark-family-{size}.parquet"
    if not path.exists():
        ordinary = pq.read_table(options.corpus(size)).slice(0, size - FAMILY)
        family = pa.Table.from_batches(list(worst.one_family(FAMILY)))
        spread = pa.array(
            [f"{row * 2654435761 % 2**32:08x}-{id}" for row, id in enumerate(family["id"].to_pylist())]
        )
        family = family.set_column(family.column_names.index("id"), "id", spread)
        whole = pa.concat_tables([ordinary, family], promote_options="permissive")
        pq.write_table(whole, path, compression="zstd", row_group_size=2000)
    run, found = _scanned(path, options)
    total = sum(stage.seconds for stage in found)
    several = sorted((stage for stage in found if len(stage.tasks) > 2), key=lambda stage: -stage.skew)
    brief = [stage for stage in several if max(stage.tasks) < _BRIEF]
    part.notes += (
        f" The measure leaves out {len(brief)} of {len(several)} stages, in which no task takes {_BRIEF} s "
        f"(at most {max((stage.skew for stage in brief), default=1.0):.1f} × there)."
    )
    for stage in several[:12]:
        plain = stage.plain()
        row = {name: plain[name] for name in ("name", "tasks", "seconds", "longest", "skew")}
        part.add({**row, "share": stage.seconds / total})
    part.raw.append({**run, "stages": [stage.plain() for stage in found]})
    longest = max((stage.skew for stage in several if stage not in brief), default=1.0)
    telling = max(stage.skew for stage in several if stage.seconds >= _TELLING * total)
    part.bars += [
        Bar(f"longest task against the median, stages with one of {_BRIEF} s or more", longest, "≤ 5"),
        Bar(f"the same, stages with {_TELLING:.0%} or more of the task time", telling, "≤ 5"),
    ]
    return part


def peer(options: Options) -> Part:
    """MLlib's self-join on a small corpus, beside ours, with the recall of both."""
    part = Part(
        "mllib",
        f"Spark MLlib's MinHashLSH self-join, {SMALL:,} articles",
        "Recall of the pairs at an exact containment of .5 or more (5-word shingles); ours tells of a pair "
        "as such, or as members of one family. MLlib joins whole articles by Jaccard distance (5 tables, "
        "distance up to .7); ours verifies passages and writes a report besides.",
    )
    path = options.corpus(SMALL)
    table = pq.read_table(path, columns=["id", "text"]).sort_by("id")
    ids = table["id"].to_pylist()
    exact = overlaps(tokenise(table["text"].combine_chunks().cast(pa.large_string())), 5, 10)
    close = exact.pairs[exact.containment >= CONTAINMENT]
    wanted = {(ids[left], ids[right]) for left, right in close.tolist()}
    with tempfile.TemporaryDirectory(dir=_folder(options)) as folder:
        ours = _child("scan", path, folder, options)
        found = _told(Path(folder) / "report", wanted)
    with tempfile.TemporaryDirectory(dir=_folder(options)) as folder:
        theirs = _child("mllib", path, folder, options)
        said = Path(folder, "pairs.json")
        known = {tuple(pair) for pair in json.loads(said.read_text("utf-8"))} if said.exists() else set()
    for name, run, pairs_of in (("dedup", ours, found), ("MLlib", theirs, known)):
        part.add(
            {
                "engine": name,
                "s": run["seconds"],
                "recall": len(wanted & pairs_of) / max(len(wanted), 1),
                "note": run.get("note", ""),
            }
        )
        part.raw.append(run)
    part.bars.append(Bar("MLlib's time against ours", theirs["seconds"] / ours["seconds"], "≥ 1"))
    return part


def _told(report: Path, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which pairs a report tells of: as pairs, or as members of one family."""
    pairs = pq.read_table(report / "pairs.parquet", columns=["left", "right"])
    told = set(zip(pairs["left"].to_pylist(), pairs["right"].to_pylist(), strict=True)) & wanted
    articles = pq.read_table(report / "articles.parquet", columns=["id", "families"])
    families = {
        id: set(own)
        for id, own in zip(*(articles[name].to_pylist() for name in ("id", "families")), strict=True)
    }
    return told | {pair for pair in wanted if families[pair[0]] & families[pair[1]]}


def _folder(options: Options) -> Path:
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options.scratch


def _scanned(path: Path, options: Options) -> tuple[dict[str, Any], list[Stage]]:
    """One scan, and its stages."""
    with tempfile.TemporaryDirectory(dir=_folder(options)) as folder:
        run = _child("scan", path, folder, options)
        [log] = (Path(folder) / "events").iterdir()
        return run, stages(log)


def _child(work: str, path: Path, folder: str, options: Options) -> dict[str, Any]:
    """Run work in a process of its own; `staged` is what temporary files took at most, in bytes."""
    command = [sys.executable, "-m", "benchmarks.spark_child", work, str(path), folder, str(options.cores)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    staged = [0]
    watch = threading.Thread(target=_watched, args=(Path(folder), process, staged), daemon=True)
    watch.start()
    try:
        said, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return {
            "seconds": time.perf_counter() - begun,
            "staged": staged[0],
            "note": f"not done in {_PATIENCE} s",
        }
    if process.returncode:
        return {
            "seconds": time.perf_counter() - begun,
            "staged": staged[0],
            "note": f"failed ({process.returncode})",
        }
    return {**json.loads(said.splitlines()[-1]), "staged": staged[0]}


def _watched(folder: Path, process: subprocess.Popen[str], staged: list[int]) -> None:
    while process.poll() is None:
        size = 0
        for path in folder.glob("_dedup-*/**/*"):
            try:
                size += path.stat().st_size if path.is_file() else 0
            except OSError:
                continue
        staged[0] = max(staged[0], size)
        time.sleep(0.5)


def _local(path: Path, options: Options) -> float:
    """Seconds of the local engine, reading to a folder of tables, without the start of Python."""
    with tempfile.TemporaryDirectory(dir=_folder(options)) as folder:
        code = (
            "import sys, time, dedup; from dedup.report.write import write; begun = time.perf_counter(); "
            "write(dedup.scan(sys.argv[1], {'threads': int(sys.argv[3])}), sys.argv[2]); "
            "print(time.perf_counter() - begun)"
        )
        command = [sys.executable, "-c", code, str(path), f"{folder}/report/", str(options.cores)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
