"""Sign: texts to MinHash signatures, bit-identical to datasketch 2.x `MinHash(scheme="affine32")`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.kernels import shingle as kernels
from dedup.kernels.ready import ready
from dedup.settings import Settings
from dedup.shingles import Shingles
from dedup.shingles import shingle as _shingle
from dedup.tokens import tokenise

_SIGNED_AT_ONCE = 2**20  # bytes of text: tokens, shingles and text stay in the second-level cache


@cache
def permutations(num_perm: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd multipliers and increments, uint32 (num_perm,), drawn in the order in which datasketch draws."""
    draw = np.random.RandomState(seed)
    multipliers = draw.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return multipliers, draw.randint(0, 1 << 32, num_perm, dtype=np.uint32)


def sign_shingles(
    shingles: Shingles,
    num_perm: int,
    seed: int,
    used: int | None = None,
    out: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint32]:
    """Signatures uint32 (n_texts, num_perm) of hashed shingles; row order is input order.

    Of each only the first `used` values, if that is given; written to `out`, if that is given. Broder 1997;
    the permutations of datasketch 2.x "affine32" over the upper 32 bits of each shingle hash.
    """
    multipliers, increments = (drawn[:used] for drawn in permutations(num_perm, seed))
    signatures = np.empty((len(shingles), multipliers.size), np.uint32) if out is None else out
    kernels.minima(shingles.hashes, shingles.offsets, multipliers, increments, signatures)
    return signatures


def sign(
    texts: Iterable[str] | pa.Array, num_perm: int = 128, *, shingle: int = 5, seed: int = 1
) -> NDArray[np.uint32]:
    """Signatures uint32 (n_texts, num_perm) of texts; row order is input order.

    A text without tokens has the signature of the empty set (all 2**32 - 1). Raises `SettingsError`.
    """
    Settings(num_perm=num_perm, shingle=shingle, seed=seed, guarantee=max(shingle, 12))
    ready()
    if not isinstance(texts, pa.Array | pa.ChunkedArray):
        texts = pa.array(list(texts), pa.large_string())
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    signatures = np.empty((len(texts), num_perm), np.uint32)
    done = 0
    for chunk in chunks:
        rows = max(1, len(chunk) * _SIGNED_AT_ONCE // max(1, chunk.nbytes))
        for first in range(0, len(chunk), rows):
            tokens = tokenise(chunk.slice(first, rows))
            sign_shingles(
                _shingle(tokens, shingle), num_perm, seed, out=signatures[done : done + len(tokens)]
            )
            done += len(tokens)
    return signatures
