"""The libraries that `dedup` is measured against: how each makes 128-permutation signatures of raw text.

Every sketcher takes a list of texts to signatures of word 5-shingles, (n_texts, 128), by the fastest way
that its library offers. Where the library takes tokens, words are what `str.lower` and `str.split` give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signatures = NDArray[Any]
PERMUTATIONS, SHINGLE = 128, 5


@dataclass(frozen=True)
class Peer:
    """A library: the distribution that must be installed, and what to import before the clock starts."""

    name: str
    package: str
    imports: tuple[str, ...]

    @property
    def version(self) -> str:
        """The installed version; empty: not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""


# What numba and pyarrow import when they are first used, where it is installed.
_WHEN_USED = tuple(name for name in ("numba.np.arraymath", "pandas") if find_spec(name.partition(".")[0]))

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "dedup",
            "newsdedup",
            ("numpy", "pyarrow.parquet", "dedup.minhash", "dedup.pipeline", *_WHEN_USED),
        ),
        Peer("datasketch", "datasketch", ("numpy", "pyarrow.parquet", "datasketch", "xxhash")),
        Peer("rensa", "rensa", ("numpy", "pyarrow.parquet", "rensa")),
        Peer("gaoya", "gaoya", ("numpy", "pyarrow.parquet", "gaoya.minhash")),
        Peer(
            "datatrove",
            "datatrove",
            ("datatrove.executor.local", "datatrove.pipeline.dedup", "datatrove.pipeline.readers"),
        ),
        Peer("text-dedup", "text-dedup", ("text_dedup.minhash",)),
        Peer("scipy", "scipy", ("numpy", "pyarrow.parquet", "scipy.sparse", "benchmarks.oracle")),
    )
}


def shingles(text: str) -> list[str]:
    """Word 5-shingles, joined by spaces; a shorter text is one shingle."""
    words = text.lower().split()
    runs = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
    return list(map(" ".join, runs)) or [" ".join(words)]


def byte_shingles(text: str) -> list[bytes]:
    """The same as UTF-8."""
    words = text.lower().encode("utf-8", "replace").split()
    runs = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
    return list(map(b" ".join, runs)) or [b" ".join(words)]


def ours(texts: Any) -> Signatures:
    """`dedup.sign`; takes an Arrow array."""
    import dedup

    return dedup.sign(texts, PERMUTATIONS, shingle=SHINGLE)


def datasketch(texts: list[str]) -> Signatures:
    """`MinHash.bulk` of datasketch 2.x, with xxHash, which is faster than its own SHA-1."""
    return np.array([sketch.hashvalues for sketch in datasketches(texts)])


def datasketches(texts: list[str]) -> list[Any]:
    """The objects that `MinHashLSH` takes."""
    from datasketch import MinHash
    from xxhash import xxh32_intdigest

    made: list[Any] = MinHash.bulk(map(byte_shingles, texts), num_perm=PERMUTATIONS, hashfunc=xxh32_intdigest)
    return made


def rensa(texts: list[str]) -> Signatures:
    """`RMinHash`, every shingle counted."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_token_sets(map(byte_shingles, texts), PERMUTATIONS, 42)
    return np.array(matrix.to_rows(), np.uint32)


def rensa_rho(texts: list[str]) -> Signatures:
    """`RMinHash` of a sample of the shingles, made for filtering: no MinHash of the whole."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_token_sets_rho(map(byte_shingles, texts), PERMUTATIONS, 42)
    return np.array(matrix.to_rows(), np.uint32)


def gaoya(texts: list[str]) -> Signatures:
    """32-bit MinHash with the word n-grams that gaoya makes in Rust."""
    index = gaoya_index(32, 4, 0.5)
    return np.array(index.minhash_index.bulk_hash_docs(texts))


def gaoya_index(bands: int, rows: int, threshold: float) -> Any:
    """An index that returns what reaches the estimated threshold (0: all candidates)."""
    from gaoya.minhash import MinHashStringIndex

    return MinHashStringIndex(
        32, threshold, bands, rows, None, "word", True, (SHINGLE, SHINGLE), id_container="vec"
    )


SKETCHERS: dict[str, tuple[str, Callable[[Any], Signatures], str]] = {
    "dedup": ("dedup", ours, "dedup.sign, Arrow array in"),
    "datasketch": ("datasketch", datasketch, "MinHash.bulk, affine32, xxh32"),
    "rensa": ("rensa", rensa, "RMinHash.digest_matrix_from_token_sets"),
    "rensa rho": ("rensa", rensa_rho, "the same, rho: samples the shingles"),
    "gaoya": ("gaoya", gaoya, "32-bit, bulk_hash_docs, own word n-grams"),
}
