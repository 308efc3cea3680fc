"""Groups: articles that are verified in one place, and what was found of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import sketch
from dedup.agencies import CREDITS
from dedup.align import Aligned, align
from dedup.csr import taken
from dedup.families import Families
from dedup.resume import aligned_of_arrays, aligned_to_arrays, families_of_arrays, families_to_arrays
from dedup.schema import SKETCH
from dedup.settings import Settings
from dedup.spark.homes import mark
from dedup.spark.job import GUEST, REPEAT, Job
from dedup.spark.messages import Message, column, divided, texts_in
from dedup.spark.storage import Folder
from dedup.tokens import Tokens
from dedup.verify import Aligner, Verified, merged, numbered

TEXT = ["text", *SKETCH.names]  # columns of texts, or of what stands for them
_NOBODY = np.empty((0, 2), np.int32)
NONE = Aligned(
    _NOBODY, np.empty((0, 6), np.int32), np.zeros(1, np.int64), _NOBODY, _NOBODY, np.empty(0)
)  # no pairs


@dataclass(frozen=True)
class Group:
    """Articles that are verified together, and their credits.

    The texts of large clusters are kept aside, as few of them are looked at: in the `folder`, by where they
    are verified.
    """

    folder: Folder
    table: pa.Table  # as `placing.send` sends it, by number
    credits: pa.Table  # of `agencies.CREDITS`, by number

    @classmethod
    def of(cls, folder: Folder, texts: list[pa.RecordBatch], credits: list[pa.RecordBatch]) -> Group:
        """What came, at least one article. One that came twice is a guest the second time."""
        table = pa.Table.from_batches(texts)
        numbers = column(table, "number")
        order = np.lexsort((column(table, "what"), numbers))
        once = order[np.diff(numbers[order], prepend=-1) != 0]
        own = pa.Table.from_batches(
            [pa.RecordBatch.from_pylist([], CREDITS), *credits], CREDITS
        ).combine_chunks()
        return cls(
            folder, table.take(pa.array(once)).combine_chunks(), own.sort_by("article").combine_chunks()
        )

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        return column(self.table, name)

    def tokens(self, wanted: NDArray[Any] | None = None) -> Tokens:
        """The tokens of the articles but the repeats, or of those `wanted` by row, with their boilerplate."""
        repeats = self.column("what") == REPEAT
        if wanted is None:
            return tokens_of(self.table, repeats)
        rows = np.zeros(len(self), np.bool_)
        rows[wanted] = True
        return tokens_of(self.with_texts(rows & ~repeats).table)

    def aligner(self, settings: Settings) -> Aligner:
        """What aligns pairs of the articles, int32 (n, 2); only those are tokenised."""

        def aligned(pairs: NDArray[np.int32]) -> Aligned:
            rows, places = np.unique(pairs, return_inverse=True)
            found = align(tokens_of(self.described(rows)), places.reshape(-1, 2).astype(np.int32), settings)
            return replace(found, pairs=rows[found.pairs])

        return aligned

    def described(self, rows: NDArray[Any]) -> pa.Table:
        """Some of the articles, with their texts."""
        some = Group(self.folder, self.table.take(pa.array(rows)), self.credits)
        return some.with_texts(np.ones(rows.size, np.bool_)).table

    def some(self, rows: NDArray[np.bool_], guests: NDArray[np.bool_]) -> Group:
        """Some of the articles, and others that are guests now."""
        what = np.where(guests, GUEST, self.column("what")).astype(np.int8)
        at = self.table.schema.get_field_index("what")
        table = (
            self.table.set_column(at, "what", pa.array(what)).filter(pa.array(rows | guests)).combine_chunks()
        )
        numbers = self.column("number")[rows & ~guests & (what != GUEST)]
        credits = self.credits.filter(pc.is_in(self.credits["article"], pa.array(numbers)))
        return Group(self.folder, table, credits.combine_chunks())

    def with_texts(self, rows: NDArray[np.bool_]) -> Group:
        """The same articles, of which only some have their texts."""
        numbers, at = self.column("number"), self.column("at")
        places, base = np.arange(len(self)), len(self)
        parts, away = [self.table.select(TEXT)], rows & self.column("away")
        for place in np.unique(at[away]).tolist():
            aside = self.folder.read_batches(f"aside-{place}")
            own = np.flatnonzero(away & (at == place))
            firsts = [batch["number"][0].as_py() for batch in aside]
            which = np.searchsorted(firsts, numbers[own], side="right") - 1
            for batch, rows_in in divided(which, len(aside)):
                lines = np.searchsorted(column(aside[batch], "number"), numbers[own[rows_in]])
                parts.append(pa.Table.from_batches([aside[batch].select(TEXT).take(pa.array(lines))]))
            places[own] = base + np.arange(own.size)
            base += own.size
        texts = pa.concat_tables(parts).take(pa.array(places, mask=~rows))
        return Group(self.folder, with_texts(self.table, texts).combine_chunks(), self.credits)

    def keep(self, name: int | str) -> None:
        """Keep it for later steps."""
        self.folder.write_batches(f"texts-{name}", self.table.schema, self.table.to_batches())
        self.folder.write_batches(f"said-{name}", CREDITS, self.credits.to_batches())

    def messages(self, place: int) -> Iterator[Message]:
        """All of it, to another place."""
        yield from (Message(place, "text", batch) for batch in texts_in(self.table))
        yield from (Message(place, "credit", batch) for batch in self.credits.to_batches())


def with_texts(table: pa.Table, texts: pa.Table) -> pa.Table:
    """The same rows with other columns of texts."""
    for name in TEXT:
        table = table.set_column(table.schema.get_field_index(name), name, texts[name])
    return table


def tokens_of(table: pa.Table, without: NDArray[np.bool_] | None = None) -> Tokens:
    """The tokens of the texts of a table, with their boilerplate; those `without` have none."""
    columns = [table[name].combine_chunks() for name in TEXT]
    if without is not None and without.any():
        rows = pa.array(np.arange(table.num_rows), mask=without)
        columns = [column.take(rows) for column in columns]
    texts = columns[0].fill_null("")
    found = sketch.tokens_of(texts, pa.record_batch(columns[1:], SKETCH))
    firsts, sizes = (table[name].combine_chunks() for name in ("marks", "sizes"))
    counts = pc.list_value_length(firsts).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(table.num_rows), counts)
    runs = np.stack([rows, firsts.flatten(), sizes.flatten()], axis=1)
    mark(found, runs[found.lengths[runs[:, 0]] > 0].astype(np.int32))
    return found


@dataclass(frozen=True)
class Shared:
    """What helpers found of large clusters, and the texts that they hold; articles by their numbers."""

    edges: Aligned  # all pairs that they report; as passages the copies in those that make families
    helpers: NDArray[np.int32]  # (n,) partitions
    held: NDArray[np.int64]  # (n,) articles, each as often as it has helpers; rising

    @classmethod
    def merged(cls, parts: Sequence[Shared]) -> Shared:
        """What was found of other clusters each."""
        parts = [part for part in parts if part.held.size]
        if len(parts) == 1:
            return parts[0]
        held = np.concatenate([np.empty(0, np.int64), *(part.held for part in parts)])
        helpers = np.concatenate([np.empty(0, np.int32), *(part.helpers for part in parts)])
        order = np.argsort(held, kind="stable")
        return cls(Aligned.merged([NONE, *(part.edges for part in parts)]), helpers[order], held[order])

    @classmethod
    def of_arrays(cls, kept: dict[str, NDArray[Any]]) -> Shared:
        """From what was written."""
        return cls(aligned_of_arrays(kept), kept["helpers"], kept["held"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays that can be written."""
        return aligned_to_arrays(self.edges) | {"helpers": self.helpers, "held": self.held}

    def some(self, numbers: NDArray[np.int64]) -> Shared:
        """Of some clusters, that of the articles `numbers`."""
        pairs, held = np.isin(self.edges.pairs[:, 0], numbers), np.isin(self.held, numbers)
        if held.all():
            return self
        return Shared(self.edges.taken(np.flatnonzero(pairs)), self.helpers[held], self.held[held])


def told_to_arrays(told: Verified) -> dict[str, NDArray[Any]]:
    """What was found, as arrays that can be written."""
    out = families_to_arrays(told.within, told.families) | {"rest": told.rest}
    between = families_to_arrays(told.between, told.families)
    return out | {f"between-{name}": values for name, values in between.items() if name.startswith("aligned")}


def told_of_arrays(kept: dict[str, NDArray[Any]]) -> Verified:
    """The same again."""
    within, known = families_of_arrays(kept)
    renamed = {
        name.removeprefix("between-"): values for name, values in kept.items() if name.startswith("between-")
    }
    between, _ = families_of_arrays(kept | renamed)
    return Verified(within, between, known, kept["rest"])


def group_of(job: Job, name: int | str) -> Group:
    """The articles that were verified in a partition, or another group that was kept."""
    table = pa.Table.from_batches(job.folder.read_batches(f"texts-{name}"))
    credits = pa.Table.from_batches(job.folder.read_batches(f"said-{name}"), CREDITS)
    return Group(job.folder, table.combine_chunks(), credits.combine_chunks())


class Part(NamedTuple):
    """A group and what was found of it."""

    group: Group
    told: Verified
    shared: Shared
    hosts: NDArray[np.int32]  # of the pairs between clusters, by row

    @property
    def large(self) -> NDArray[np.int64]:
        """The roots of the large clusters."""
        return np.unique(self.group.column("root")[self.group.column("away")])


def whole_of(job: Job, part: int) -> Part:
    """All that was verified in a partition, without what was found of large clusters."""
    kept = job.folder.read_arrays(f"verified-{part}")
    hosts, told = kept.pop("hosts"), told_of_arrays(kept)
    waited = [name for name in (f"waited-{part}-{turn}" for turn in range(3)) if job.folder.has(name)]
    if waited:
        told = merged([told, *(told_of_arrays(job.folder.read_arrays(name)) for name in waited)])
    return Part(group_of(job, part), told, Shared.merged([]), hosts)


def with_large(job: Job, part: int, whole: Part, roots: NDArray[np.int64]) -> Part:
    """All that was verified in a partition, with what was found of large clusters if `roots` name one."""
    if not np.isin(whole.large, roots).any():
        return whole
    found = told_of_arrays(job.folder.read_arrays(f"concluded-{part}"))
    shared = Shared.of_arrays(job.folder.read_arrays(f"edges-{part}"))
    return whole._replace(told=merged([whole.told, found]), shared=shared)


def part_of(
    everything: Part, roots: NDArray[np.int64], *, without: bool = False
) -> tuple[Group, Verified, Shared]:
    """Of what was verified, some clusters, or all but those; with the pairs that they are hosts of."""
    whole, told, shared, hosts = everything
    if without and not roots.size:
        return whole, told, shared
    wanted = np.isin(whole.column("root"), roots) != without
    own = wanted & (whole.column("what") != GUEST)
    between = told.between.taken(np.flatnonzero(wanted[hosts]))
    guests = np.zeros(len(whole), np.bool_)
    guests[between.pairs] = True
    guests &= ~own
    known = told.families
    stay = wanted[known.representatives]
    members = stay[known.owners]
    bounds, rows = taken(known.span_offsets, np.flatnonzero(members))
    families = Families.of(
        known.representatives[stay],
        (np.cumsum(stay) - 1)[known.owners[members]],
        known.members[members],
        bounds,
        known.spans[rows],
    )
    within = told.within.taken(np.flatnonzero(wanted[told.within.pairs[:, 0]]))
    left = Verified(within, between, families, told.rest[wanted[told.rest[:, 0]]])
    group, numbers = whole.some(own, guests), whole.column("number")
    return group, among(left, numbers, group.column("number")), shared.some(numbers[own])


def among(told: Verified, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> Verified:
    """What was found of the texts `numbers`, by their places among the `others`; both rise."""
    return numbered(told, np.searchsorted(others, numbers))


def with_numbers(told: Verified, group: Group) -> dict[str, NDArray[Any]]:
    """What was found of a group, and the texts' numbers."""
    return told_to_arrays(told) | {"numbers": group.column("number")}
