"""Tokenise: articles' texts to normalised words, each with its place in the original text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.csr import counts_of, offsets_of, taken
from dedup.kernels.tokenise import tokenise as _fill
from dedup.kernels.unicode import table

BATCH_BYTES = 2**22  # of text handled in one go: what is made of it stays in the second-level cache


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of n texts, concatenated; those of text i are `offsets[i]:offsets[i + 1]`."""

    hashes: NDArray[np.uint32]  # (tokens,) of the folded token
    starts: NDArray[np.int32]  # (tokens,) characters within the text
    ends: NDArray[np.int32]  # (tokens,) characters within the text, half-open
    flags: NDArray[np.uint8]  # (tokens,) bits of `dedup.kernels.tokenise`
    offsets: NDArray[np.int64]  # (n + 1,)

    def __len__(self) -> int:
        return self.offsets.size - 1

    @classmethod
    def concatenated(cls, parts: Sequence[Tokens]) -> Tokens:
        """The texts of all `parts`, in order."""
        if len(parts) == 1:
            return parts[0]
        empty = np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8)
        columns = [
            np.concatenate([none, *(getattr(part, name) for part in parts)])
            for name, none in zip(("hashes", "starts", "ends", "flags"), empty, strict=True)
        ]
        lengths = np.concatenate([np.zeros(1, np.int64), *(part.lengths for part in parts)])
        hashes, starts, ends, flags = columns
        return cls(hashes, starts, ends, flags, np.cumsum(lengths))

    def part(self, first: int, stop: int) -> Tokens:
        """The texts `first` to `stop`, without copying them."""
        own = slice(self.offsets[first], self.offsets[stop])
        offsets = self.offsets[first : stop + 1] - self.offsets[first]
        return Tokens(self.hashes[own], self.starts[own], self.ends[own], self.flags[own], offsets)

    def taken(self, texts: NDArray[np.int64]) -> Tokens:
        """Some texts, copied, in an order of their own."""
        offsets, rows = taken(self.offsets, texts)
        return Tokens(self.hashes[rows], self.starts[rows], self.ends[rows], self.flags[rows], offsets)

    def some(self, first: int, stop: int, wanted: NDArray[np.bool_]) -> Tokens:
        """The texts `first` to `stop`, without places, and without tokens where they are not `wanted`."""
        part = self.part(first, stop)
        if wanted.all():
            return part
        lengths = np.where(wanted, part.lengths, 0)
        kept = np.repeat(wanted, part.lengths)
        none = np.empty(0, np.int32)
        return Tokens(part.hashes[kept], none, none, part.flags[kept], offsets_of(lengths))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 (n,)."""
        return counts_of(self.offsets)


def utf8(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of a string array and its n + 1 bounds in them, without copying the text.

    Nulls count as empty texts.
    """
    if not pa.types.is_large_string(texts.type):
        texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = texts.fill_null("")
    _, bounds, data = texts.buffers()
    if bounds is None:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    places = np.frombuffer(bounds, np.int64, len(texts) + 1, texts.offset * 8)
    whole = np.frombuffer(data or b"", np.uint8)
    places.flags.writeable = whole.flags.writeable = (
        False  # one type for the kernels, wherever they come from
    )
    return whole, places


def tokenise(texts: pa.Array) -> Tokens:
    """Tokenise a (large) string array; row order is input order."""
    data, bounds = utf8(texts)
    room = int(bounds[-1] - bounds[0] + bounds.size) // 2 + 1
    hashes, starts, ends = np.empty(room, np.uint32), np.empty(room, np.int32), np.empty(room, np.int32)
    flags, offsets = np.empty(room, np.uint8), np.empty(bounds.size, np.int64)
    _fill(data, bounds, *table(), hashes, starts, ends, flags, offsets)
    count = int(offsets[-1])
    return Tokens(hashes[:count], starts[:count], ends[:count], flags[:count], offsets)


def tokens_of(text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Hash, start and end (characters) of every token of one text."""
    tokens = tokenise(pa.array([text], pa.large_string()))
    return tokens.hashes, tokens.starts.astype(np.int64), tokens.ends.astype(np.int64)
