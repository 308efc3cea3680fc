"""Telling: rows of tables about pairs, and what their articles share, for the homes of the articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import tables
from dedup.align import Aligned
from dedup.csr import Offsets, offsets_of, sums, taken
from dedup.families import Families
from dedup.kernels.align import COPY, FIRST, KIND, QUOTATION, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.places import Spans
from dedup.provenance import Origins
from dedup.spark.job import Job
from dedup.spark.messages import Message, arrays, divided
from dedup.tokens import Tokens

KINDS = ("pairs", "passages", "shown", "entry", "member")  # of messages
NOWHERE = Origins(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))  # of no families


def family_keys(part: int, families: NDArray[np.int64]) -> NDArray[np.int64]:
    """A key for each family, by the partition that makes it and its number there."""
    return np.int64(part) << 32 | families


def families_of(count: int, families: NDArray[np.int64], members: NDArray[np.int32]) -> Families:
    """So many families by their members, of which nothing else is known."""
    spans = np.zeros((members.size, 2), np.int32)
    return Families.of(np.zeros(count, np.int32), families, members, np.arange(members.size + 1), spans)


@dataclass(frozen=True)
class Places:
    """Where spans of tokens stand (as `places.Places`); repeats have one span, all of their tokens."""

    tokens: Tokens
    starts: NDArray[np.int32]  # (n,) of the first token of each text
    ends: NDArray[np.int32]  # (n,) of its last

    def span(self, spans: Spans) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Where spans start and end, in characters."""
        texts, firsts, stops = spans
        starts, ends = self.starts[texts], self.ends[texts]
        there = np.flatnonzero(self.tokens.lengths[texts] > 0)
        base = self.tokens.offsets[texts[there]]
        starts[there], ends[there] = (
            self.tokens.starts[base + firsts[there]],
            self.tokens.ends[base + stops[there] - 1],
        )
        return starts, ends


@dataclass(frozen=True)
class Pairs:
    """Pairs of some articles, and what has to be known of these."""

    job: Job
    numbers: NDArray[np.int64]  # (n,) of the articles
    places: Places
    found: tables.Found  # its families are those that articles of pairs are in
    families: NDArray[np.int64]  # (families,) keys of them

    def messages(self) -> Iterator[Message]:
        """To each home the pairs of its articles with later ones, and what they share."""
        aligned, homes = self.found.aligned, self.job.homes(self.numbers)
        for home, rows in divided(homes[aligned.pairs[:, 0]], self.job.parts):
            yield from self._rows(home, aligned.taken(rows))
        for home, rows in divided(homes[aligned.pairs[:, 1]], self.job.parts):
            yield Message(home, "shown", arrays(number=np.unique(self.numbers[aligned.pairs[rows, 1]])))
        yield from self._entries(homes)

    def _rows(self, home: int, aligned: Aligned) -> Iterator[Message]:
        """Rows of the tables of pairs and passages."""
        own, count = replace(self.found, aligned=aligned), len(aligned.pairs)
        texts = np.repeat(aligned.pairs, np.diff(aligned.offsets), axis=0)
        passages = aligned.passages
        left = self.places.span((texts[:, 0], passages[:, FIRST], passages[:, STOP]))
        right = self.places.span((texts[:, 1], passages[:, RIGHT_FIRST], passages[:, RIGHT_STOP]))
        for name, table, pairs in (
            ("pairs", tables.pair_rows(own, 0, count), aligned.pairs),
            ("passages", tables.passage_rows(own, texts, [*left, *right], 0, count), texts),
        ):
            if not table.num_rows:
                continue
            one, other = (pa.array(side) for side in self.numbers[pairs].T)
            told = table.append_column("one", one).append_column("other", other)
            yield Message(home, name, told.combine_chunks().to_batches()[0])

    def _entries(self, homes: NDArray[np.int64]) -> Iterator[Message]:
        """What each article shares with each other: spans of copy and quotations, and their family."""
        aligned = self.found.aligned
        kinds = aligned.passages[:, KIND]
        shared = (kinds == COPY) | (kinds == QUOTATION)
        pairs = np.flatnonzero(sums(shared.astype(np.int64), aligned.offsets))
        common = _common(self.found.families, aligned.pairs[pairs], self.numbers.size)
        keys = np.append(self.families, -1)[common]
        numbers, ids = self.numbers[aligned.pairs[pairs]], self.found.ids
        for side, (first, stop) in enumerate(((FIRST, STOP), (RIGHT_FIRST, RIGHT_STOP))):
            own = aligned.pairs[pairs, side]
            for home, rows in divided(homes[own], self.job.parts):
                bounds, passages = taken(aligned.offsets, pairs[rows])
                passages, bounds = passages[shared[passages]], offsets_of(shared[passages])[bounds]
                yield Message(home, "entry", arrays(
                    one=numbers[rows, 0], other=numbers[rows, 1], right=np.full(rows.size, bool(side)),
                    id=ids.take(pa.array(aligned.pairs[pairs[rows], 1 - side])), family=keys[rows],
                    spans=_listed(aligned.passages[passages][:, [first, stop, KIND]], bounds),
                ))  # fmt: skip


def _listed(rows: NDArray[np.int32], bounds: Offsets) -> pa.Array:
    """Rows of three numbers as lists."""
    return pa.ListArray.from_arrays((3 * bounds).astype(np.int32), pa.array(rows.ravel()))


def _common(found: Families, pairs: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The first family that both texts of each pair are in, -1: none, int64 (n,)."""
    order = np.argsort(found.members, kind="stable")
    heads = offsets_of(np.bincount(found.members, minlength=count))
    owners = found.owners[order]
    bounds, rows = taken(heads, pairs[:, 0])
    which = np.repeat(np.arange(len(pairs)), np.diff(bounds))
    there = np.isin(owners[rows] * count + pairs[which, 1], found.owners * count + found.members)
    out = np.full(len(pairs), -1)
    out[which[there][::-1]] = owners[rows[there]][::-1]  # the first stands last
    return out
