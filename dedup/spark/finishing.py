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
from dedup.families import Families, with_duplicates
from dedup.outlets import named
from dedup.provenance import Origins, Sources, credited, origins
from dedup.resume import aligned_of_arrays, aligned_to_arrays, families_of_arrays, families_to_arrays
from dedup.schema import FAMILIES
from dedup.spark import large, telling, turns, verifying
from dedup.spark.asking import Answers, Question
from dedup.spark.groups import (
    NONE,
    Group,
    Shared,
    group_of,
    tokens_of,
)
from dedup.spark.job import OWN, REPEAT, Job
from dedup.spark.messages import Inbox, Message, arrays, divided
from dedup.store import DETAILS, Articles
from dedup.tokens import Tokens
from dedup.verify import Verified, copies_of, missing_of, settled


def trace(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Find families' origins where there are large clusters; ask their helpers what is still to be known.

    Meanwhile some of the other clusters are finished, and the rest verified.
    """
    if not large.there(job):
        inbox.put_aside(job.folder, f"waiting-{part}", turns.MET)
        return
    here = turns.Turns.of(job, part)
    rows, base = [FAMILIES.empty_table()], 0
    for group, told, shared in here.staying(turns.EARLY):
        made = _Finished.of(job, _Settled.of(job, group, told, shared, Question(group, shared)))
        rows.append(made.families())
        yield from made.messages(part, base)
        base += len(made.settled.families)
    early = pa.concat_tables(rows).combine_chunks()
    job.folder.write_batches(f"early-families-{part}", FAMILIES, early.to_batches())
    asking, number = here.asking(inbox), 0
    for group, told, shared in (*here.staying(turns.LARGE), *(here.met(inbox) if asking else ())):
        question = Question(group, shared)
        own = _Settled.of(job, group, told, shared, question)
        own.keep(job, f"{part}-{number}")
        keys = telling.family_keys(part, base + np.arange(len(own.families)))
        yield from question.messages(job, own.families, keys, _sources(group).outlet_names)
        base, number = base + len(own.families), number + 1
    verifying.verify_waiting(job, part, here.moved[:, 0], turns.LATE)
    inbox.put_aside(job.folder, f"waiting-{part}", turns.MET)
    job.folder.write_arrays(f"traced-{part}", {"groups": np.array([number]), "met": np.array([asking])})


def finish(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Make families of all else that was verified here, and tell homes what there is to report."""
    inbox.put_aside(job.folder, f"told-{part}", telling.KINDS)
    rows = [FAMILIES.empty_table()]
    if large.there(job):
        rows.append(pa.Table.from_batches(job.folder.read_batches(f"early-families-{part}"), FAMILIES))
    base = rows[-1].num_rows
    for own in _all_settled(job, part, inbox):
        made = _Finished.of(job, own)
        rows.append(made.families())
        yield from made.messages(part, base)
        base += len(own.families)
    families = pa.concat_tables(rows).combine_chunks()
    job.folder.write_batches(f"families-{part}", FAMILIES, families.to_batches())


def _all_settled(job: Job, part: int, inbox: Inbox) -> Iterator[_Settled]:
    """The families of all groups that are not finished yet, first of those that questions were asked of."""
    here, met = turns.Turns.of(job, part), False
    if large.there(job):
        answers, traced = Answers(inbox), job.folder.read_arrays(f"traced-{part}")
        for number in range(int(traced["groups"][0])):
            yield _Settled.kept(job, f"{part}-{number}").answered(answers)
        met = bool(traced["met"][0])
    inbox.take_back(job.folder, f"waiting-{part}")
    for group, told, shared in (*here.staying(turns.LATE), *(() if met else here.met(inbox))):
        yield _Settled.of(job, group, told, shared, Question(group, shared))


@dataclass(frozen=True)
class _Settled:
    """A group with its families and their origins."""

    group: Group
    tokens: Tokens | None  # of all texts but repeats; None where there are too many
    aligned: Aligned  # pairs that homes are told of from here
    towards: Aligned  # those with origins that helpers tell of, without passages
    families: Families
    origins: Origins
    credited: NDArray[np.bool_]

    @classmethod
    def of(cls, job: Job, group: Group, told: Verified, shared: Shared, question: Question) -> _Settled:
        """Settle families, find their origins, and align what is still to be and not asked for."""
        settings, lengths, what = job.settings, group.column("lengths"), group.column("what")
        tokens = None if group.column("away").any() else group.tokens()
        aligner = group.aligner(settings) if tokens is None else partial(align, tokens, settings=settings)
        together = (what[told.between.pairs] == OWN).all(axis=1)
        here, apart = (told.between.taken(np.flatnonzero(some)) for some in (together, ~together))
        numbers = group.column("number")
        edges = shared.edges.among(numbers)
        others = [edges] if len(edges.pairs) else []
        parts, clusters = settled(
            told._replace(between=here), lengths, settings.copy_share, aligner, others=others
        )
        aligned = Aligned.merged(parts[len(others) :])
        first_of = _first_of(group)
        clusters = with_duplicates(clusters, first_of, lengths)
        sources = _sources(group)
        traced = origins(clusters, sources, lengths)
        told_of = credited(clusters, traced, sources, partial(_named, group, tokens, sources, question))
        missing = missing_of([edges.keys, aligned.keys], clusters, traced.texts, first_of)
        missing = question.aligned(missing, first_of[traced.texts])
        aligned = Aligned.merged([aligned, aligner(missing), copies_of(first_of, lengths), apart])
        leads = np.zeros(len(group), np.bool_)
        leads[first_of[traced.texts]] = True
        towards = _bare(edges, np.flatnonzero(leads[edges.pairs].any(axis=1)))
        return cls(group, tokens, aligned, towards, clusters, traced, told_of)

    def keep(self, job: Job, name: str) -> None:
        """Keep it for a later step; of the texts only those in the pairs."""
        needed = np.zeros(len(self.group), np.bool_)
        needed[self.aligned.pairs] = True
        self.group.with_texts(needed).keep(name)
        towards = {f"towards-{key}": values for key, values in aligned_to_arrays(self.towards).items()}
        traced = {f"origins-{key}": getattr(self.origins, key) for key in Origins.__dataclass_fields__}
        families = families_to_arrays(self.aligned, self.families)
        told = families | towards | traced | {"credited": self.credited}
        job.folder.write_arrays(f"settled-{name}", told)

    @classmethod
    def kept(cls, job: Job, name: str) -> _Settled:
        """The same again."""
        group, kept = group_of(job, name), job.folder.read_arrays(f"settled-{name}")
        aligned, families = families_of_arrays(kept)
        towards, traced = (
            {key.removeprefix(start): values for key, values in kept.items() if key.startswith(start)}
            for start in ("towards-", "origins-")
        )
        return cls(
            group, None, aligned, aligned_of_arrays(towards), families, Origins(**traced), kept["credited"]
        )

    def answered(self, answers: Answers) -> _Settled:
        """With what helpers have answered."""
        numbers = self.group.column("number")

        def named(texts: NDArray[np.int32], outlets: NDArray[np.int64]) -> NDArray[np.bool_]:
            return answers.named(numbers[texts], outlets)

        told_of = credited(self.families, self.origins, _sources(self.group), named)
        towards = Aligned.merged([self.towards, answers.aligned(numbers)])
        return replace(self, towards=towards, credited=self.credited | told_of)


@dataclass(frozen=True)
class _Finished:
    """A settled group, as the tables of a report are made from it."""

    job: Job
    settled: _Settled
    found: tables.Found  # its pairs are also those with origins that helpers tell of
    members: tables.Members
    names: pa.Array

    @classmethod
    def of(cls, job: Job, settled: _Settled) -> _Finished:
        """Tell what members are to their origins."""
        group, lengths, empty = settled.group, settled.group.column("lengths"), np.empty(0, np.int64)
        digests = np.stack([group.column("low"), group.column("high")], axis=1).view(np.uint8)
        aligned = settled.aligned
        if len(settled.towards.pairs):
            aligned = Aligned.merged([aligned, settled.towards])
        found = tables.Found(
            _articles(group), empty, lengths, lengths >= job.settings.min_tokens, _first_of(group), digests,
            aligned, group.column("weights"), settled.families, settled.origins, settled.credited,
            _sources(group), np.empty((0, 6), np.int32), group.table["id"].combine_chunks(),
        )  # fmt: skip
        names = pa.array(tables.family_names(found), pa.string())
        return cls(job, settled, found, tables.members_of(found), names)

    def families(self) -> pa.Table:
        """The rows of the families' table."""
        return tables.family_rows(self.found, self.names, self.members)(0, len(self.names))

    def messages(self, part: int, base: int) -> Iterator[Message]:
        """To each home the pairs of its articles with later ones, what they share, and their families."""
        group = self.settled.group
        keys = telling.family_keys(part, base + np.arange(len(self.settled.families)))
        tokens = self.settled.tokens
        if tokens is None:
            tokens = group.tokens(self.settled.aligned.pairs)
        places = telling.Places(tokens, group.column("starts"), group.column("ends"))
        found = replace(self.found, aligned=self.settled.aligned)
        yield from telling.Pairs(self.job, group.column("number"), places, found, keys).messages()
        yield from self._members(keys)

    def _members(self, keys: NDArray[np.int64]) -> Iterator[Message]:
        """The families of each article, and what it is in them."""
        members, numbers = self.members, self.settled.group.column("number")
        origin = self.found.origins.texts[members.families]
        homes = self.job.homes(numbers[members.texts])
        for home, rows in divided(homes, self.job.parts):
            yield Message(home, "member", arrays(
                number=numbers[members.texts[rows]], family=keys[members.families[rows]],
                name=self.names.take(pa.array(members.families[rows])), origin=numbers[origin[rows]],
                origin_id=self.found.ids.take(pa.array(origin[rows])),
                role=pa.array(members.roles[rows], pa.string()), share=members.shares[rows],
            ))  # fmt: skip


def _first_of(group: Group) -> NDArray[np.int64]:
    """The first article with the same text as each, int64 (n,)."""
    first_of, repeats = np.arange(len(group)), group.column("what") == REPEAT
    first_of[repeats] = np.searchsorted(group.column("number"), group.column("first")[repeats])
    return first_of


def _bare(found: Aligned, rows: NDArray[np.int64]) -> Aligned:
    """Some pairs, without their passages."""
    return replace(found, passages=NONE.passages, offsets=found.offsets * 0).taken(rows)


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
    group: Group, tokens: Tokens | None, sources: Sources, question: Question,
    texts: NDArray[np.int32], outlets: NDArray[np.int64],
) -> NDArray[np.bool_]:  # fmt: skip
    """Which of some texts, each with an outlet, name it; those that helpers are asked for do not.

    Repeats and, without `tokens`, all others are tokenised here.
    """
    out, here = np.zeros(texts.size, np.bool_), question.names(texts, outlets)
    again = here & ((group.column("what")[texts] == REPEAT) | (tokens is None))
    if tokens is not None:
        own = here & ~again
        out[own] = named(tokens, texts[own], sources.outlet_names, outlets[own])
    wanted, which = np.unique(texts[again], return_inverse=True)
    some = tokens_of(group.table.take(pa.array(wanted)))
    out[again] = named(some, which.astype(np.int32), sources.outlet_names, outlets[again])
    return out


def _articles(group: Group) -> Articles:
    """The articles without their texts."""
    details = group.table.select([name for name in DETAILS.names if name in group.table.column_names])
    return Articles.without_texts(details)
