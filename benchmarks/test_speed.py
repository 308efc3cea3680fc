"""How fast the core is; run with `pytest benchmarks/`. Answers are checked, compile time is kept apart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dedup
from benchmarks.corpus import write
from benchmarks.worstcases import CASES, written

SEEDS = Path(__file__).parents[1] / "seeds"
_ARTICLES, _WORDS = 10_000, 500

# The command as a plain install has it: without scipy, which the tests install and numba would import.
_COMMAND = "import sys; sys.modules['scipy'] = None; from dedup.cli import main; main()"


@pytest.fixture(scope="module")
def news() -> pa.Array:
    """About 30 MB of English-like text: Zipf vocabulary, sentences, paragraphs, quotations."""
    draw = np.random.default_rng(1)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    lengths = np.clip(draw.poisson(5, 30_000), 1, 14)
    vocabulary = ["".join(draw.choice(letters, length)) for length in lengths]
    texts = []
    for _ in range(_ARTICLES):
        ranks = np.minimum(draw.zipf(1.2, _WORDS) - 1, len(vocabulary) - 1)
        words = [vocabulary[rank] for rank in ranks]
        for at in range(0, _WORDS, 18):
            words[at] = words[at].capitalize()
            words[at - 1] += ".\n\n" if at % 90 == 0 else "."
        words[40], words[52] = f'"{words[40]}', f'{words[52]},"'
        texts.append(" ".join(words))
    return pa.array(texts, pa.large_string())


def test_sign(benchmark: Any, news: pa.Array, tmp_path: Path) -> None:
    """Text to signatures on one core, beside `wc -w` on the same bytes; bar: 150 MB/s."""
    import datasketch

    from dedup.shingles import shingle
    from dedup.tokens import tokenise

    dedup.sign(news.slice(0, 1))
    signatures = benchmark(dedup.sign, news)
    shingles = shingle(tokenise(news.slice(0, 1)), 5)
    sketch = datasketch.MinHash(128, hashfunc=int)
    sketch.update_batch((shingles.hashes >> np.uint64(32)).tolist())
    assert signatures[0].tolist() == sketch.hashvalues.tolist()

    path = tmp_path / "news.txt"
    path.write_text("\n".join(news.to_pylist()), "utf-8")
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(["wc", "-w", path], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    megabytes = path.stat().st_size / 1e6
    benchmark.extra_info["MB/s"] = megabytes / benchmark.stats.stats.min
    benchmark.extra_info["wc -w MB/s"] = megabytes / min(seconds)
    benchmark.extra_info["bar MB/s"] = 150


def test_compare(benchmark: Any, news: pa.Array) -> None:
    """Two articles of 1,000 words, every twentieth changed; bar: 3 ms."""
    words = (news[0].as_py() + " " + news[1].as_py()).split()
    edited = ["changed" if place % 20 == 7 else word for place, word in enumerate(words)]
    left, right = " ".join(words), " ".join(edited)
    found = benchmark(dedup.compare, left, right)
    assert found.relation in {"verbatim copy", "edited copy"}
    assert found.left_containment > 0.8
    benchmark.extra_info["bar ms"] = 3


def _scan(folder: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(folder)} if folder else {})}
    command = [sys.executable, "-c", _COMMAND, "scan", str(SEEDS)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


def test_scan_of_the_samples(benchmark: Any) -> None:
    """The whole command, kernels compiled before; bar: 1 s."""
    _scan(None)
    done = benchmark(_scan, None)
    assert "Reuters" in done.stdout
    benchmark.extra_info["bar s"] = 1.0


def test_first_run_compiles(benchmark: Any, tmp_path: Path) -> None:
    """The whole command with nothing compiled; bar: 10 s, and it says so."""
    done = benchmark.pedantic(_scan, args=(tmp_path,), rounds=1)
    assert "compiling the kernels" in done.stderr
    benchmark.extra_info["bar s"] = 10.0


@pytest.mark.benchmark(group="growth")
@pytest.mark.parametrize("articles", [500, 1_000, 2_000])
def test_growth(benchmark: Any, tmp_path: Path, articles: int) -> None:
    """Read to report; `python -m benchmarks --only growth` has the sizes that the bars are for."""
    path = tmp_path / "news.parquet"
    write(path, articles, 1)
    report = benchmark.pedantic(dedup.scan, [path], rounds=3, warmup_rounds=1)
    assert report.articles.num_rows == articles
    assert report.families.num_rows > articles // 50
    benchmark.extra_info["articles/s"] = articles / benchmark.stats.stats.min


@pytest.mark.benchmark(group="worst cases")
@pytest.mark.parametrize("name", CASES)
def test_worst_cases(benchmark: Any, tmp_path: Path, name: str) -> None:
    """The same for corpora that are hard; `python -m benchmarks --only worst` has the sizes of the bars."""
    words, generate, full = CASES[name]
    size = full // 500
    path = written(tmp_path / "news.parquet", generate, size)
    report = benchmark.pedantic(dedup.scan, [path], rounds=3, warmup_rounds=1)
    assert report.articles.num_rows == (1 if name == "long" else size)
    assert bool(report.families.num_rows) >= (name in {"identical", "family"})
    benchmark.extra_info["case"] = f"{size:,} {words}"
