"""Store: articles as read, sorted by id, with texts where they fit: in memory or on disk.

Texts of articles that an earlier report kept stay there, and are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.csr import Offsets, counts_of, offsets_of
from dedup.io.kept import Kept
from dedup.report.texts import SortedTexts
from dedup.schema import INPUT, SKETCH
from dedup.scratch import Scratch, Spool
from dedup.sketch import Sketches, packed, sketches_of
from dedup.threads import ahead, in_order
from dedup.tokens import Tokens, utf8

_AT_RANDOM = 0.5  # part of the memory that mapped tokens may take while they are looked up at random
DETAILS = pa.schema([field for field in INPUT if field.name != "text"])


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Which of n articles an earlier report kept, and where."""

    kept: Kept
    places: NDArray[np.int64]  # (n,) as `io.kept` tells them; -1: the text is here
    ids: pa.Array  # (n,)

    def there(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of some articles it is that were kept."""
        there: NDArray[np.bool_] = self.places[numbers] >= 0
        return there

    def columns(self, numbers: NDArray[Any], names: list[str]) -> pa.RecordBatch:
        """Columns of `schema.KEPT` of some articles that were kept."""
        return self.kept.taken(self.places[numbers], self.ids.take(pa.array(numbers)), names)


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts in one array of UTF-8 bytes, but for those that are kept elsewhere."""

    data: Spool  # uint8
    let_go: Callable[[], None]  # of memory, `Scratch.let_go`
    starts: NDArray[np.int64]  # (n,) bytes
    sizes: NDArray[np.int64]  # (n,) bytes, 0 of texts elsewhere
    elsewhere: Elsewhere | None = None

    @classmethod
    def of(cls, texts: pa.Array, memory: int, elsewhere: Elsewhere | None = None) -> Texts:
        """The texts of a string array, where they are; `memory` bytes bound what is done with them."""
        data, bounds = utf8(texts)
        scratch = Scratch(memory)
        return cls(scratch.given(data), scratch.let_go, bounds[:-1].copy(), np.diff(bounds), elsewhere)

    def __len__(self) -> int:
        return self.starts.size

    def __getitem__(self, number: int) -> str:
        return str(self.taken(np.array([number]))[0])

    def here(self, numbers: NDArray[Any]) -> pa.Array:
        """Some texts, as a large string array of their own; those that are elsewhere are empty."""
        bounds = offsets_of(self.sizes[numbers])
        out = np.empty(max(int(bounds[-1]), 1), np.uint8)
        self.data.gather(self.starts[numbers], bounds, out)
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(out)]
        return pa.Array.from_buffers(pa.large_string(), numbers.size, buffers)

    def taken(self, numbers: NDArray[Any]) -> pa.Array:
        """Some texts, wherever they are, as a large string array of their own."""
        there = np.zeros(numbers.size, np.bool_) if self.elsewhere is None else self.elsewhere.there(numbers)
        if self.elsewhere is None or not there.any():
            return self.here(numbers)
        theirs = self.elsewhere.columns(numbers[there], ["text"])["text"]
        both = pa.concat_arrays([self.here(numbers[~there]), theirs])
        return both.take(pa.array(np.argsort(np.argsort(there, kind="stable"))))

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
        return not self.hashes.on_disk and not self.flags.on_disk

    def outgrow(self, memory: int) -> bool:
        """Are they on disk, and too many to be looked up at random with so many bytes of memory?"""
        return not self.held and self.hashes.size * self.hashes.dtype.itemsize > _AT_RANDOM * memory

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 (n,)."""
        return np.diff(self.offsets)

    def whole(self) -> Tokens:
        """Those of all texts; from disk they are mapped."""
        none = np.empty(0, np.int32)
        return Tokens(self.hashes.array(), none, none, self.flags.array(), self.offsets)

    def taken(self, texts: NDArray[Any]) -> Tokens:
        """Those of some texts, in memory."""
        starts, none = self.offsets[texts], np.empty(0, np.int32)
        bounds = offsets_of(self.offsets[texts + 1] - starts)
        hashes, flags = np.empty(bounds[-1], np.uint32), np.empty(bounds[-1], np.uint8)
        for spool, out in ((self.hashes, hashes), (self.flags, flags)):
            spool.gather(starts, bounds, out)
        return Tokens(hashes, none, none, flags, bounds)


@dataclass(frozen=True, slots=True)
class Articles:
    """Articles by id; an article's number is its place."""

    details: pa.Table  # columns of `schema.INPUT` but the text, one chunk each, sorted by id
    texts: Texts
    sizes: NDArray[np.int64]  # (n,) bytes of texts, wherever they are

    def __len__(self) -> int:
        return int(self.details.num_rows)

    @classmethod
    def stored(
        cls,
        batches: Iterable[pa.RecordBatch],
        scratch: Scratch,
        threads: int = 1,
        kept: Kept | None = None,
    ) -> Articles:
        """Take in batches of `schema.INPUT` (`READ` if some are `kept`) in any order; ids must be unique."""
        data = scratch.spool(np.uint8)
        columns: dict[str, list[pa.Array]] = {name: [] for name in DETAILS.names}
        held, places, sizes = ([np.empty(0, np.int64)] for _ in range(3))
        for batch, own in _texts_to(data, batches, threads):
            held.append(own)
            for name, column in columns.items():
                column.append(batch[name])
            if kept is not None:
                places.append(_numbers(batch, "kept", -1))
                sizes.append(np.where(places[-1] >= 0, _numbers(batch, "bytes", 0), own))
            scratch.let_go()
        order = pc.sort_indices(pa.chunked_array(columns["id"], DETAILS.field("id").type))
        numbers = order.to_numpy()
        details = _ordered(columns, order, threads)
        here = np.concatenate(held)
        starts = offsets_of(here)[:-1]
        elsewhere = None
        if kept is not None and len(details):
            elsewhere = Elsewhere(kept, np.concatenate(places)[numbers], details["id"].chunk(0))
        texts = Texts(data, scratch.let_go, starts[numbers], here[numbers], elsewhere)
        return cls(details, texts, np.concatenate(sizes)[numbers] if elsewhere else texts.sizes)

    @classmethod
    def without_texts(cls, details: pa.Table) -> Articles:
        """Articles of which nobody asks for the texts."""
        none = Texts.of(pa.array([], pa.large_string()), 0)
        return cls(details, none, none.sizes)

    def column(self, name: str) -> pa.Array:
        """One column of the details."""
        chunked = self.details[name]
        return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)

    def sketches(self, first: int, stop: int) -> Sketches:
        """The sketches of the articles `first` to `stop`; the texts of those that were kept are not read."""
        numbers, elsewhere = np.arange(first, stop), self.texts.elsewhere
        if elsewhere is None:
            return sketches_of(self.texts.here(numbers))
        there = elsewhere.there(numbers)
        kept = elsewhere.columns(numbers[there], SKETCH.names)
        rows = pa.array(np.cumsum(there) - 1, mask=~there)
        return sketches_of(self.texts.here(numbers), kept.take(rows))

    def packed_sketches(self, first: int, stop: int) -> pa.RecordBatch:
        """The same as they are kept, `schema.SKETCH`."""
        return packed(self.sketches(first, stop), self.sizes[first:stop])

    def texts_by_id(self) -> SortedTexts:
        """The original texts by article id, read when they are asked for."""
        return SortedTexts(self.column("id"), self.texts.taken)


def _texts_to(
    data: Spool, batches: Iterable[pa.RecordBatch], threads: int
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    """The batches, and the sizes of their texts, which are put at the end of `data`.

    To read them, to keep their texts and to use them are done side by side if there are `threads`.
    """

    def kept(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
        raw, bounds = utf8(batch["text"])
        data.append(raw[bounds[0] : bounds[-1]])
        return batch, counts_of(bounds)

    if threads > 1:
        yield from ahead(map(kept, ahead(batches)))
    else:
        yield from map(kept, batches)


def _ordered(columns: dict[str, list[pa.Array]], order: pa.Array, threads: int) -> pa.Table:
    """A table of details, in one piece, from the pieces of its columns, which are used up."""

    def taken(field: pa.Field) -> pa.Array:
        whole = pa.chunked_array(columns.pop(field.name), field.type)
        if whole.null_count == len(whole):
            return pa.nulls(len(whole), field.type)
        return pa.concat_arrays(whole.chunks).take(order)

    return pa.table(list(in_order(taken, DETAILS, threads)), DETAILS)


def _numbers(batch: pa.RecordBatch, name: str, missing: int) -> NDArray[np.int64]:
    """A column of numbers; `missing` where there are none."""
    if name not in batch.schema.names:
        return np.full(len(batch), missing)
    numbers: NDArray[np.int64] = batch[name].fill_null(missing).to_numpy()
    return numbers
