"""Text to signatures, and Parquet to pairs, beside other libraries: `pytest benchmarks/test_peers.py`.

Unlike `python -m benchmarks` it runs in one process, and on as many threads as each library takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import finders
from benchmarks.corpus import generate, write
from benchmarks.judge import Truth, judged
from benchmarks.peers import PEERS, PERMUTATIONS, SKETCHERS
from benchmarks.sketching import error

_ARTICLES = 1_000
_BANDS = {"bands": 64, "rows": 2, "verify": None}


@pytest.fixture(scope="module")
def news() -> pa.Array:
    """Generated articles."""
    return pa.concat_arrays([batch["text"] for batch, _ in generate(_ARTICLES)])


@pytest.mark.benchmark(group="text to signatures")
@pytest.mark.parametrize("name", SKETCHERS)
def test_sketch(benchmark: Any, news: pa.Array, name: str) -> None:
    """The same text has the same signature, and estimates are near exact similarities."""
    library, sign, _ = SKETCHERS[name]
    peer = PEERS[library]
    if not peer.version:
        pytest.skip(f"{peer.package} is not installed: pip install '.[bench]'")
    texts = news if name == "dedup" else news.to_pylist()
    sign(texts[:2])
    signatures = benchmark(sign, texts)
    assert signatures.shape == (len(news), PERMUTATIONS)
    np.testing.assert_array_equal(sign(texts[5:9]), signatures[5:9])
    off = error(name)
    assert off < 0.06 or name == "rensa rho"
    benchmark.extra_info["MB/s"] = news.nbytes / 1e6 / benchmark.stats.stats.min
    benchmark.extra_info["mean absolute error of the estimated similarity"] = off


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Truth]:
    """A file of generated articles, and its exact pairs."""
    path = tmp_path_factory.mktemp("corpus") / "news.parquet"
    write(path, _ARTICLES, 1)
    exact = finders.exact(str(path))()
    return str(path), Truth.of(str(path), exact["pairs"], exact["containment"])


@pytest.mark.benchmark(group="from Parquet to pairs")
@pytest.mark.parametrize("name", ["dedup", "datasketch", "rensa", "gaoya"])
def test_pairs(benchmark: Any, corpus: tuple[str, Truth], name: str) -> None:
    """The pairs at a containment of one half are found; others look at whole documents, and find fewer."""
    peer = PEERS[name]
    if not peer.version:
        pytest.skip(f"{peer.package} is not installed: pip install '.[bench]'")
    path, truth = corpus
    settings = {} if name == "dedup" else _BANDS
    finish = benchmark.pedantic(getattr(finders, name), [path], settings, rounds=3, warmup_rounds=1)
    found = judged(truth, finish())
    recall = found["recall"]
    assert recall is not None
    assert recall > (0.98 if name == "dedup" else 0.8)
    benchmark.extra_info.update(found)


def test_missing_peers_are_told() -> None:
    """A library that is not installed has no version."""
    from benchmarks.peers import Peer

    assert Peer("none", "no-such-distribution", ()).version == ""
