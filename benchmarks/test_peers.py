"""Text to signatures beside other libraries, in one group: `pytest benchmarks/test_peers.py`.

Unlike `python -m benchmarks` it runs in one process, and on as many threads as each library takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.corpus import generate
from benchmarks.peers import PEERS, PERMUTATIONS, SKETCHERS
from benchmarks.sketching import error

_ARTICLES = 1_000


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


def test_missing_peers_are_told() -> None:
    """A library that is not installed has no version."""
    from benchmarks.peers import Peer

    assert Peer("none", "no-such-distribution", ()).version == ""
