"""Raw text to 128-permutation MinHash signatures of word 5-shingles, on one core, beside `wc -w`."""

from __future__ import annotations

import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import Answer, Finish
from benchmarks.measure import Run, measured
from benchmarks.options import Options, text_bytes
from benchmarks.peers import PEERS, SHINGLE, SKETCHERS
from benchmarks.writeup import Bar, Part

_REPEATS = 5
_ERROR = 0.06  # mean absolute error of 128 permutations is about .03
_AGAIN = 50  # texts signed again, alone
Pair = tuple[str, str, float]


def sketching(options: Options) -> Part:
    """All sketchers on the same texts, one after another, in rounds."""
    path = options.corpus(2_000 if options.quick else options.articles)
    megabytes = text_bytes(path) / 1e6
    part = Part(
        "sketching",
        "Text to signatures, one core",
        (
            f"{megabytes:.1f} MB of generated articles, in memory, to 128-permutation MinHash signatures of "
            "word 5-shingles. Each library in a process on one core (affinity and thread pools), after one "
            f"warm-up; the best of {_REPEATS} repeats in each of the rounds. `error` is the mean absolute "
            "difference between estimated and exact Jaccard of 200 pairs of known edits; the first "
            f"{_AGAIN} texts, signed again by themselves, had the same signatures."
        ),
    )
    runs: dict[str, list[Run]] = {name: [] for name in SKETCHERS}
    counted = []
    for _ in range(1 if options.quick else 3):
        for name, (peer, _, _) in SKETCHERS.items():
            if PEERS[peer].version:
                runs[name].append(_run(name, path, options))
        counted.append(_words(path, options.work))
    speeds = {}
    for name, own in runs.items():
        good = [run for run in own if not run.failed]
        if good:
            speeds[name] = megabytes / min(run.seconds for run in good)
    speeds["wc -w"] = megabytes / min(counted)
    for name, (peer, _, setting) in SKETCHERS.items():
        part.add(_row(name, peer, setting, runs[name], speeds))
        part.raw += [{"name": name, **run.plain()} for run in runs[name]]
    yard = {"library": "wc -w", "version": "", "setting": "the same bytes, LC_ALL=C.UTF-8"}
    part.add({**yard, "MB/s": speeds["wc -w"], "dedup is": _times(speeds, "wc -w")})
    for name, bar in (("datasketch", "≥ 15"), ("rensa", "≥ 8"), ("gaoya", "≥ 4")):
        part.bars.append(Bar(f"dedup over {name}", _times(speeds, name), bar))
    part.bars.append(Bar("dedup over wc -w", _times(speeds, "wc -w"), "", "≥ 1"))
    return part


def sketch(name: str, path: str) -> Finish:
    """Sign all texts several times; check the answer."""
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=["text"])["text"].combine_chunks()
    texts: Any = column if name == "dedup" else column.to_pylist()
    _, sign, _ = SKETCHERS[name]
    sign(texts[:2])
    seconds = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        signatures = sign(texts)
        seconds.append(time.perf_counter() - begun)
    return partial(_checked, name, texts, signatures, min(seconds))


def _checked(name: str, texts: Any, signatures: Any, seconds: float) -> Answer:
    again = _signed(name, [str(text) for text in texts[:_AGAIN]])
    if not np.array_equal(again, signatures[:_AGAIN]) or signatures.shape != (len(texts), 128):
        raise ValueError(f"{name}: the same text has another signature")
    found = error(name)
    if found > _ERROR and name != "rensa rho":
        raise ValueError(f"{name}: estimates are off by {found:.3f} on average; {_ERROR} is allowed")
    return {"seconds": seconds, "error": found}


def error(name: str) -> float:
    """Mean absolute error of the estimated Jaccard similarity of known pairs."""
    pairs = known_pairs()
    left, right = (_signed(name, own) for own in ([p[0] for p in pairs], [p[1] for p in pairs]))
    estimated = (left == right).mean(axis=1)
    return float(np.abs(estimated - np.array([exact for _, _, exact in pairs])).mean())


def known_pairs(count: int = 200) -> list[Pair]:
    """Pairs of texts of plain words, and the exact Jaccard similarity of their 5-shingles."""
    draw = random.Random(1)
    words = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in "bdfglmnprst"]
    pairs = []
    for number in range(count):
        text = draw.choices(words, k=300)
        share = 0.2 * number / count
        other = [draw.choice(words) if draw.random() < share else word for word in text]
        one, two = (
            {tuple(own[at : at + SHINGLE]) for at in range(len(own) - SHINGLE + 1)} for own in (text, other)
        )
        pairs.append((" ".join(text), " ".join(other), len(one & two) / len(one | two)))
    return pairs


def _signed(name: str, texts: list[str]) -> Any:
    import pyarrow as pa

    _, sign, _ = SKETCHERS[name]
    return sign(pa.array(texts, pa.large_string()) if name == "dedup" else texts)


def _run(name: str, path: Path, options: Options) -> Run:
    imports = list(PEERS[SKETCHERS[name][0]].imports)
    return measured(
        "benchmarks.sketching:sketch",
        imports=imports,
        cores=1,
        scratch=options.scratch,
        name=name,
        path=str(path),
    )


def _words(path: Path, work: Path) -> float:
    """Seconds that `wc -w` takes on the bytes of the texts."""
    import pyarrow.parquet as pq

    text = work / f"{path.stem}.txt"
    if not text.exists():
        text.write_text("\n".join(pq.read_table(path, columns=["text"])["text"].to_pylist()), "utf-8")
    seconds = []
    for _ in range(_REPEATS + 1):  # the first brings the file into memory
        begun = time.perf_counter()
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        subprocess.run(["wc", "-w", text], check=True, capture_output=True, env=environment)
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def _times(speeds: dict[str, float], name: str) -> float | None:
    return speeds["dedup"] / speeds[name] if "dedup" in speeds and name in speeds else None


def _row(name: str, peer: str, setting: str, runs: list[Run], speeds: dict[str, float]) -> dict[str, Any]:
    version = PEERS[peer].version
    row = {"library": name, "version": version or "not installed", "setting": setting}
    good = [run for run in runs if not run.failed]
    if not good:
        return {**row, "note": runs[-1].failed if runs else ""}
    return {
        **row,
        "MB/s": speeds[name],
        "dedup is": _times(speeds, name),
        "error": good[0].facts["error"],
        "start s": min(run.started for run in good),
        "peak MB": max(run.peak for run in good) / 1e6,
    }
