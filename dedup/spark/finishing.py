"""Finishing: families and their origins, as rows of tables, for the homes of their articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import tables
from dedup.agencies import renumbered
from dedup.align import Aligned, align
from dedup.csr import Offsets, offsets_of, sums, taken
from dedup.families import Families, with_duplicates
from dedup.kernels.align import COPY, FIRST, KIND, QUOTATION, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.outlets import named
from dedup.places import Spans
from dedup.provenance import Sources, credited, origins
from dedup.schema import FAMILIES
from dedup.spark.groups import Group, among, part_of, tokens_of, told_of_arrays, with_numbers
from dedup.spark.job import OWN, REPEAT, Job
from dedup.spark.messages import Inbox, Message, arrays, divided
from dedup.spark.storage import unpacked_arrays
from dedup.store import DETAILS, Articles
from dedup.tokens import Tokens
from dedup.verify import Verified, copies_of, merged, missing_of, settled


def finish(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Make families of all that was verified here, and tell homes what there is to report."""
    rows, base = [FAMILIES.empty_table()], 0
    for group, told in _groups(job, part, inbox):
        made = _Finished.of(job, group, told)
        rows.append(made.families())
        yield from made.messages(base)
        base += len(made.found.families)
    families = pa.concat_tables(rows).combine_chunks()
    job.folder.write_batches(f"families-{part}", FAMILIES, families.to_batches())


def _groups(job: Job, part: int, inbox: Inbox) -> Iterator[tuple[Group, Verified]]:
    """What stays as it was verified here, and the clusters that meet here."""
    texts, credits = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit"))
    told = [unpacked_arrays(batch["data"][0].as_buffer()) for _, batch in inbox.each("told")]
    here = job.folder.has(f"texts-{part}")
    moved = job.folder.read_arrays(f"moved-{part}")["moved"]
    if here:
        yield part_of(job, part, moved[:, 0], without=True)
    own = moved[moved[:, 1] == part, 0]
    if own.size:
        group, found = part_of(job, part, own)
        texts += group.table.to_batches()
        credits += group.credits.to_batches()
        told.append(with_numbers(found, group))
    if texts:
        met = Group.of(texts, credits)
        numbers = met.column("number")
        yield met, merged([among(told_of_arrays(found), found["numbers"], numbers) for found in told])


@dataclass(frozen=True)
class _Places:
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
class _Finished:
    """A group with its families, as the tables of a report are made from it."""

    job: Job
    group: Group
    tokens: Tokens
    found: tables.Found
    members: tables.Members
    names: pa.Array

    @classmethod
    def of(cls, job: Job, group: Group, told: Verified) -> _Finished:
        """Settle families, find their origins, and align what is still to be."""
        tokens = group.tokens()
        settings, numbers, lengths = job.settings, group.column("number"), group.column("lengths")
        what = group.column("what")
        together = (what[told.between.pairs] == OWN).all(axis=1)
        here, apart = (told.between.taken(np.flatnonzero(some)) for some in (together, ~together))
        aligner = partial(align, tokens, settings=settings)
        parts, clusters = settled(told._replace(between=here), tokens.lengths, settings.copy_share, aligner)
        aligned = Aligned.merged(parts)
        first_of = np.arange(len(group))
        repeats = what == REPEAT
        first_of[repeats] = np.searchsorted(numbers, group.column("first")[repeats])
        clusters = with_duplicates(clusters, first_of, lengths)
        sources = _sources(group)
        traced = origins(clusters, sources, lengths)
        told_of = credited(clusters, traced, sources, partial(_named, group, tokens, sources))
        missing = missing_of(aligned, clusters, traced.texts, first_of)
        aligned = Aligned.merged([aligned, aligner(missing), copies_of(first_of, lengths), apart])
        digests = np.stack([group.column("low"), group.column("high")], axis=1).view(np.uint8)
        empty = np.empty(0, np.int64)
        found = tables.Found(
            _articles(group), empty, lengths, lengths >= settings.min_tokens, first_of, digests,
            aligned, group.column("weights"), clusters, traced, told_of, sources, np.empty((0, 6), np.int32),
            group.table["id"].combine_chunks(),
        )  # fmt: skip
        return cls(
            job,
            group,
            tokens,
            found,
            tables.members_of(found),
            pa.array(tables.family_names(found), pa.string()),
        )

    def families(self) -> pa.Table:
        """The rows of the families' table."""
        return tables.family_rows(self.found, self.names, self.members)(0, len(self.names))

    def messages(self, base: int) -> Iterator[Message]:
        """To each home the pairs of its articles with later ones, what they share, and their families."""
        aligned, numbers = self.found.aligned, self.group.column("number")
        homes = self.job.homes(numbers)
        for home, rows in divided(homes[aligned.pairs[:, 0]], self.job.parts):
            yield from self._rows(home, replace(self.found, aligned=aligned.taken(rows)))
        for home, rows in divided(homes[aligned.pairs[:, 1]], self.job.parts):
            yield Message(home, "shown", arrays(number=np.unique(numbers[aligned.pairs[rows, 1]])))
        yield from self._entries(base, homes)
        yield from self._members(base, homes)

    def _rows(self, home: int, own: tables.Found) -> Iterator[Message]:
        """Rows of the tables of pairs and passages."""
        count = len(own.aligned.pairs)
        texts = np.repeat(own.aligned.pairs, np.diff(own.aligned.offsets), axis=0)
        passages = own.aligned.passages
        places = _Places(self.tokens, self.group.column("starts"), self.group.column("ends"))
        left = places.span((texts[:, 0], passages[:, FIRST], passages[:, STOP]))
        right = places.span((texts[:, 1], passages[:, RIGHT_FIRST], passages[:, RIGHT_STOP]))
        numbers = self.group.column("number")[own.aligned.pairs]
        for name, table in (
            ("pairs", tables.pair_rows(own, 0, count)),
            ("passages", tables.passage_rows(own, texts, [*left, *right], 0, count)),
        ):
            rows = numbers if name == "pairs" else np.repeat(numbers, np.diff(own.aligned.offsets), axis=0)
            if not table.num_rows:
                continue
            told = table.append_column("one", pa.array(rows[:, 0])).append_column(
                "other", pa.array(rows[:, 1])
            )
            yield Message(home, name, told.combine_chunks().to_batches()[0])

    def _entries(self, base: int, homes: NDArray[np.int64]) -> Iterator[Message]:
        """What each article shares with each other: spans of copy and quotations, and their family."""
        aligned, group = self.found.aligned, self.group
        kinds = aligned.passages[:, KIND]
        shared = (kinds == COPY) | (kinds == QUOTATION)
        pairs = np.flatnonzero(sums(shared.astype(np.int64), aligned.offsets))
        common = _common(self.found.families, aligned.pairs[pairs], len(group))
        numbers, ids = group.column("number")[aligned.pairs[pairs]], self.found.ids
        for side, (first, stop) in enumerate(((FIRST, STOP), (RIGHT_FIRST, RIGHT_STOP))):
            own = aligned.pairs[pairs, side]
            for home, rows in divided(homes[own], self.job.parts):
                bounds, passages = taken(aligned.offsets, pairs[rows])
                passages, bounds = passages[shared[passages]], offsets_of(shared[passages])[bounds]
                told = common[rows]
                yield Message(home, "entry", arrays(
                    one=numbers[rows, 0], other=numbers[rows, 1], right=np.full(rows.size, bool(side)),
                    id=ids.take(pa.array(aligned.pairs[pairs[rows], 1 - side])),
                    family=np.where(told >= 0, told + base, -1),
                    spans=_listed(aligned.passages[passages][:, [first, stop, KIND]], bounds),
                ))  # fmt: skip

    def _members(self, base: int, homes: NDArray[np.int64]) -> Iterator[Message]:
        """The families of each article, and what it is in them."""
        members, numbers = self.members, self.group.column("number")
        origin = self.found.origins.texts[members.families]
        for home, rows in divided(homes[members.texts], self.job.parts):
            yield Message(home, "member", arrays(
                number=numbers[members.texts[rows]], family=members.families[rows] + base,
                name=self.names.take(pa.array(members.families[rows])), origin=numbers[origin[rows]],
                origin_id=self.found.ids.take(pa.array(origin[rows])),
                role=pa.array(members.roles[rows], pa.string()), share=members.shares[rows],
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


def _sources(group: Group) -> Sources:
    """What is known of the articles besides their texts."""
    numbers, credits = group.column("number"), group.credits
    rows = np.searchsorted(numbers, credits["article"].to_numpy())
    some = renumbered(credits, rows)
    details = {name: group.table[name].combine_chunks() for name in ("id", "outlet", "url", "published")}
    details["derived_from"] = pa.nulls(len(group), pa.string())  # resolved already, among all articles
    derived = group.column("derived")
    places = np.minimum(np.searchsorted(numbers, derived), len(group) - 1)
    return replace(Sources.of(details, some), derived=np.where(numbers[places] == derived, places, -1))


def _named(
    group: Group, tokens: Tokens, sources: Sources, texts: NDArray[np.int32], outlets: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of some texts, each with an outlet, name it; repeats, which have no `tokens`, by their own."""
    again = group.column("what")[texts] == REPEAT
    wanted, which = np.unique(texts[again], return_inverse=True)
    of_repeats = tokens_of(group.table.take(pa.array(wanted)))
    out = np.empty(texts.size, np.bool_)
    out[~again] = named(tokens, texts[~again], sources.outlet_names, outlets[~again])
    out[again] = named(of_repeats, which.astype(np.int32), sources.outlet_names, outlets[again])
    return out


def _articles(group: Group) -> Articles:
    """The articles without their texts."""
    details = group.table.select([name for name in DETAILS.names if name in group.table.column_names])
    return Articles.without_texts(details)
