"""Store: articles as read, sorted by id, with texts where they fit: in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.csr import Offsets, offsets_of
from dedup.report.texts import SortedTexts
from dedup.schema import INPUT
from dedup.scratch import Scratch, Spool
from dedup.threads import ahead
from dedup.tokens import Tokens, utf8

_DETAILS = pa.schema([field for field in INPUT if field.name != "text"])


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts in one array of UTF-8 bytes."""

    data: Spool  # uint8
    let_go: Callable[[], None]  # of memory, `Scratch.let_go`
    starts: NDArray[np.int64]  # (n,) bytes
    sizes: NDArray[np.int64]  # (n,) bytes

    @classmethod
    def of(cls, texts: pa.Array, memory: int) -> Texts:
        """The texts of a string array, where they are; `memory` bytes bound what is done with them."""
        data, bounds = utf8(texts)
        scratch = Scratch(memory)
        return cls(scratch.given(data), scratch.let_go, bounds[:-1].copy(), np.diff(bounds))

    def __len__(self) -> int:
        return self.starts.size

    def __getitem__(self, number: int) -> str:
        out = np.empty(self.sizes[number], np.uint8)
        self.data.read(int(self.starts[number]), out)
        return out.tobytes().decode()

    def taken(self, numbers: NDArray[Any]) -> pa.Array:
        """Some texts, as a large string array of their own."""
        bounds = offsets_of(self.sizes[numbers])
        out = np.empty(max(int(bounds[-1]), 1), np.uint8)
        self.data.gather(self.starts[numbers], bounds, out)
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(out)]
        return pa.Array.from_buffers(pa.large_string(), numbers.size, buffers)

    def batch(self, first: int, stop: int) -> pa.Array:
        """The texts `first` to `stop`."""
        return self.taken(np.arange(first, stop))


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The tokens of n texts, without their places; those of text i are `offsets[i]:offsets[i + 1]`."""

    hashes: Spool  # uint32, as in `Tokens`
    flags: Spool  # uint8
    offsets: Offsets  # (n + 1,)

    @property
    def held(self) -> bool:
        """Are they in memory?"""
        return self.hashes.file is None and self.flags.file is None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 (n,)."""
        return np.diff(self.offsets)

    def whole(self) -> Tokens:
        """Those of all texts; from disk they are mapped."""
        none = np.empty(0, np.int32)
        return Tokens(self.hashes.array(), none, none, self.flags.array(), self.offsets)

    def some(self, texts: NDArray[Any]) -> Tokens:
        """Those of some texts, in memory."""
        bounds, none = offsets_of(self.lengths[texts]), np.empty(0, np.int32)
        hashes, flags = np.empty(bounds[-1], np.uint32), np.empty(bounds[-1], np.uint8)
        for spool, out in ((self.hashes, hashes), (self.flags, flags)):
            spool.gather(self.offsets[texts], bounds, out)
        return Tokens(hashes, none, none, flags, bounds)


@dataclass(frozen=True, slots=True)
class Articles:
    """Articles by id; an article's number is its place."""

    details: pa.Table  # columns of `schema.INPUT` but the text, one chunk each, sorted by id
    texts: Texts

    def __len__(self) -> int:
        return int(self.details.num_rows)

    @classmethod
    def stored(cls, batches: Iterable[pa.RecordBatch], scratch: Scratch, threads: int = 1) -> Articles:
        """Take in batches of `schema.INPUT` in any order; ids must be unique."""
        data = scratch.spool(np.uint8)
        details, sizes = [], [np.empty(0, np.int64)]
        for batch in ahead(batches) if threads > 1 else batches:
            raw, bounds = utf8(batch["text"])
            data.append(raw[bounds[0] : bounds[-1]])
            sizes.append(np.diff(bounds))
            details.append(batch.select(_DETAILS.names))
            scratch.let_go()
        table = pa.Table.from_batches(details, _DETAILS)
        order = pc.sort_indices(table["id"])
        numbers = order.to_numpy()
        all_sizes = np.concatenate(sizes)
        starts = offsets_of(all_sizes)[:-1]
        texts = Texts(data, scratch.let_go, starts[numbers], all_sizes[numbers])
        return cls(table.combine_chunks().take(order).combine_chunks(), texts)

    def column(self, name: str) -> pa.Array:
        """One column of the details."""
        chunked = self.details[name]
        return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)

    def texts_by_id(self) -> SortedTexts:
        """The original texts by article id, read when they are asked for."""
        return SortedTexts(self.column("id"), self.texts.taken)
