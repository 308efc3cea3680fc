"""Groups: articles that are verified in one place, and what was found of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import sketch
from dedup.agencies import CREDITS
from dedup.csr import taken
from dedup.families import Families
from dedup.resume import families_of_arrays, families_to_arrays
from dedup.schema import SKETCH
from dedup.spark.homes import mark
from dedup.spark.job import GUEST, REPEAT, Job
from dedup.spark.messages import Message, column, texts_in
from dedup.tokens import Tokens
from dedup.verify import Verified, numbered

TEXT = ("text", *SKETCH.names)  # columns of texts, or of what stands for them


@dataclass(frozen=True)
class Group:
    """Articles that are verified together, and their credits."""

    table: pa.Table  # as `placing.send` sends it, by number
    credits: pa.Table  # of `agencies.CREDITS`, by number

    @classmethod
    def of(cls, texts: list[pa.RecordBatch], credits: list[pa.RecordBatch]) -> Group:
        """What came, at least one article. One that came twice is a guest the second time."""
        table = (
            pa.Table.from_batches(texts)
            .sort_by([("number", "ascending"), ("what", "ascending")])
            .combine_chunks()
        )
        numbers = column(table, "number")
        once = np.append(True, numbers[1:] != numbers[:-1])
        own = pa.Table.from_batches(
            [pa.RecordBatch.from_pylist([], CREDITS), *credits], CREDITS
        ).combine_chunks()
        return cls(table.filter(pa.array(once)).combine_chunks(), own.sort_by("article").combine_chunks())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        return column(self.table, name)

    def tokens(self) -> Tokens:
        """The tokens of all articles but the repeats, with their boilerplate."""
        return tokens_of(self.table, self.column("what") == REPEAT)

    def some(self, rows: NDArray[np.bool_], guests: NDArray[np.bool_]) -> Group:
        """Some of the articles, and others that are guests now."""
        what = np.where(guests, GUEST, self.column("what")).astype(np.int8)
        at = self.table.schema.get_field_index("what")
        table = (
            self.table.set_column(at, "what", pa.array(what)).filter(pa.array(rows | guests)).combine_chunks()
        )
        numbers = self.column("number")[rows & ~guests & (what != GUEST)]
        credits = self.credits.filter(pc.is_in(self.credits["article"], pa.array(numbers)))
        return Group(table, credits.combine_chunks())

    def messages(self, place: int) -> Iterator[Message]:
        """All of it, to another place."""
        yield from (Message(place, "text", batch) for batch in texts_in(self.table))
        yield from (Message(place, "credit", batch) for batch in self.credits.to_batches())


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


def group_of(job: Job, part: int) -> Group:
    """The articles that were verified in a partition."""
    table = pa.Table.from_batches(job.folder.read_batches(f"texts-{part}"))
    credits = pa.Table.from_batches(job.folder.read_batches(f"said-{part}"), CREDITS)
    return Group(table.combine_chunks(), credits.combine_chunks())


def part_of(
    job: Job, part: int, roots: NDArray[np.int64], *, without: bool = False
) -> tuple[Group, Verified]:
    """Of what was verified here, some clusters, or all but those; with the pairs that they are hosts of."""
    whole = group_of(job, part)
    whole_of = f"verified-all-{part}"  # with large clusters
    kept = job.folder.read_arrays(whole_of if job.folder.has(whole_of) else f"verified-{part}")
    hosts, told = kept.pop("hosts"), told_of_arrays(kept)
    if without and not roots.size:
        return whole, told
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
    group = whole.some(own, guests)
    return group, among(left, whole.column("number"), group.column("number"))


def among(told: Verified, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> Verified:
    """What was found of the texts `numbers`, by their places among the `others`; both rise."""
    return numbered(told, np.searchsorted(others, numbers))


def with_numbers(told: Verified, group: Group) -> dict[str, NDArray[Any]]:
    """What was found of a group, and the texts' numbers."""
    return told_to_arrays(told) | {"numbers": group.column("number")}
