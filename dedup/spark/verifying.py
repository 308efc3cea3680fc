"""Verifying: clusters in one place each; where copy joins clusters, they meet in one of their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import tables
from dedup.agencies import CREDITS
from dedup.align import Aligned, align
from dedup.candidates import Candidates
from dedup.csr import Offsets, offsets_of, sums, taken
from dedup.families import Families, telling, with_duplicates
from dedup.kernels.align import COPY, FIRST, KIND, QUOTATION, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.places import Spans
from dedup.provenance import Sources, origins
from dedup.resume import families_of_arrays, families_to_arrays
from dedup.schema import FAMILIES, INPUT
from dedup.scratch import Scratch
from dedup.settings import Settings
from dedup.spark.graph import joined
from dedup.spark.homes import mark
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.spark.placing import AT_ONCE, GUEST, OWN, REPEAT
from dedup.spark.storage import packed_arrays, unpacked_arrays
from dedup.store import Articles, Texts
from dedup.tokens import Tokens, tokenise, utf8
from dedup.verify import Verified, copies_of, missing_of, settled, verified
from dedup.weigh import mark_navigation

_PAIR = ("host", "guest", "buckets", "needed")
_KINDS = (np.int64, np.int64, np.uint16, np.bool_)


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
        repeats = pa.array(self.column("what") == REPEAT)
        found = tokenise(
            pc.if_else(repeats, pa.scalar("", pa.large_string()), self.table["text"]).combine_chunks()
        )
        mark_navigation(found)
        firsts, sizes = (self.table[name].combine_chunks() for name in ("marks", "sizes"))
        counts = pc.list_value_length(firsts).to_numpy(zero_copy_only=False)
        runs = np.stack([np.repeat(np.arange(len(self)), counts), firsts.flatten(), sizes.flatten()], axis=1)
        mark(found, runs[found.lengths[runs[:, 0]] > 0].astype(np.int32))
        return found

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
        yield from (Message(place, "text", batch) for batch in self.table.to_batches(AT_ONCE))
        yield from (Message(place, "credit", batch) for batch in self.credits.to_batches())


def verify(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Verify the clusters and the pairs that came here; tell which clusters share copy."""
    texts, credits, pairs = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit", "pair"))
    if not texts:
        return
    group = Group.of(texts, credits)
    job.folder.write_batches(f"texts-{part}", group.table.schema, group.table.to_batches())
    job.folder.write_batches(f"said-{part}", CREDITS, group.credits.to_batches())
    numbers, roots, at = (group.column(name) for name in ("number", "root", "at"))
    found, hosts = _candidates(numbers, pairs)
    told = verified(group.tokens(), found, numbers, job.settings)
    places = np.searchsorted(_keys_of(found.pairs), told.between.keys)
    job.folder.write_arrays(f"verified-{part}", _told_to_arrays(told) | {"hosts": hosts[places]})
    ends = told.between.pairs[telling(told.between, group.column("lengths"), job.settings.copy_share)]
    if ends.size:
        yield Message(0, "copies", arrays(
            one=roots[ends[:, 0]], other=roots[ends[:, 1]], at=at[ends[:, 0]], other_at=at[ends[:, 1]]
        ))  # fmt: skip


def _candidates(
    numbers: NDArray[np.int64], pairs: list[pa.RecordBatch]
) -> tuple[Candidates, NDArray[np.int32]]:
    """Pairs by place among the articles, sorted, and the host of each."""
    host, guest, buckets, needed = (
        np.concatenate([np.empty(0, kind), *(column(batch, name) for batch in pairs)])
        for name, kind in zip(_PAIR, _KINDS, strict=True)
    )
    hosts = np.searchsorted(numbers, host).astype(np.int32)
    both = np.sort(np.stack([hosts, np.searchsorted(numbers, guest).astype(np.int32)], axis=1), axis=1)
    order = np.lexsort((both[:, 1], both[:, 0]))
    return Candidates(both[order], buckets[order], needed[order]), hosts[order]


def _keys_of(pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    return pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1]


def _told_to_arrays(told: Verified) -> dict[str, NDArray[Any]]:
    out = families_to_arrays(told.within, told.families) | {"rest": told.rest}
    between = families_to_arrays(told.between, told.families)
    return out | {f"between-{name}": values for name, values in between.items() if name.startswith("aligned")}


def _told_of_arrays(kept: dict[str, NDArray[Any]]) -> Verified:
    within, known = families_of_arrays(kept)
    renamed = {
        name.removeprefix("between-"): values for name, values in kept.items() if name.startswith("between-")
    }
    between, _ = families_of_arrays(kept | renamed)
    return Verified(within, between, known, kept["rest"])


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell all clusters that share copy where to meet: where most of that copy is."""
    found = inbox.table("copies")
    if found is None:
        return
    one, other, at, other_at = (column(found[1], name) for name in ("one", "other", "at", "other_at"))
    roots, rows, counts = np.unique(np.concatenate([one, other]), return_index=True, return_counts=True)
    places = np.concatenate([at, other_at])[rows]
    stars = joined(np.stack([one, other], axis=1))  # by root
    order = np.lexsort((roots, -counts, stars[:, 1]))
    first = np.flatnonzero(np.diff(stars[order, 1], prepend=-1))
    there = places[order[first]][np.searchsorted(stars[order[first], 1], stars[:, 1])]
    for place, rows in divided(places, job.parts):
        yield Message(place, "moved", arrays(root=roots[rows], at=there[rows]))


def move(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send the clusters that share copy where they meet."""
    found = [
        np.stack([column(batch, "root"), column(batch, "at")], axis=1) for _, batch in inbox.each("moved")
    ]
    moved = np.concatenate([np.empty((0, 2), np.int64), *found])
    moved = moved[np.argsort(moved[:, 0])]
    job.folder.write_arrays(f"moved-{part}", {"moved": moved})
    for place in np.setdiff1d(moved[:, 1], part).tolist():
        group, told = _part_of(job, part, moved[moved[:, 1] == place, 0])
        yield from group.messages(place)
        yield Message(
            place, "told", arrays(data=pa.array([packed_arrays(_numbered(told, group)).to_pybytes()]))
        )


def _part_of(
    job: Job, part: int, roots: NDArray[np.int64], *, without: bool = False
) -> tuple[Group, Verified]:
    """Of what was verified here, some clusters, or all but those; with the pairs that they are hosts of."""
    table = pa.Table.from_batches(job.folder.read_batches(f"texts-{part}")).combine_chunks()
    whole = Group(
        table, pa.Table.from_batches(job.folder.read_batches(f"said-{part}"), CREDITS).combine_chunks()
    )
    kept = job.folder.read_arrays(f"verified-{part}")
    hosts, told = kept.pop("hosts"), _told_of_arrays(kept)
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
    return group, _among(left, whole.column("number"), group.column("number"))


def _among(told: Verified, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> Verified:
    """What was found of the texts `numbers`, by their places among the `others`; both rise."""
    places = np.searchsorted(others, numbers).astype(np.int32)
    return Verified(
        replace(told.within, pairs=places[told.within.pairs]),
        replace(told.between, pairs=places[told.between.pairs]),
        replace(
            told.families,
            representatives=places[told.families.representatives],
            members=places[told.families.members],
        ),
        places[told.rest],
    )


def _numbered(told: Verified, group: Group) -> dict[str, NDArray[Any]]:
    """What was found of a group, and the texts' numbers."""
    return _told_to_arrays(told) | {"numbers": group.column("number")}


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
        yield _part_of(job, part, moved[:, 0], without=True)
    own = moved[moved[:, 1] == part, 0]
    if own.size:
        group, found = _part_of(job, part, own)
        texts += group.table.to_batches()
        credits += group.credits.to_batches()
        told.append(_numbered(found, group))
    if texts:
        met = Group.of(texts, credits)
        numbers = met.column("number")
        yield met, _merged([_among(_told_of_arrays(found), found["numbers"], numbers) for found in told])


def _merged(parts: list[Verified]) -> Verified:
    """What was found in several places."""
    bases = offsets_of(np.array([len(part.families) for part in parts]))
    spans = [part.families.span_offsets for part in parts]
    ends = offsets_of(np.array([bounds[-1] for bounds in spans]))
    return Verified(
        Aligned.merged([part.within for part in parts]),
        Aligned.merged([part.between for part in parts]),
        Families.of(
            np.concatenate([part.families.representatives for part in parts]),
            np.concatenate(
                [part.families.owners + base for part, base in zip(parts, bases[:-1], strict=True)]
            ),
            np.concatenate([part.families.members for part in parts]),
            np.concatenate(
                [*(bounds[:-1] + end for bounds, end in zip(spans, ends[:-1], strict=True)), ends[-1:]]
            ),
            np.concatenate([part.families.spans for part in parts]),
        ),
        np.concatenate([part.rest for part in parts]),
    )


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
        aligned, clusters = settled(tokens, told._replace(between=here), settings)
        first_of = np.arange(len(group))
        repeats = what == REPEAT
        first_of[repeats] = np.searchsorted(numbers, group.column("first")[repeats])
        clusters = with_duplicates(clusters, first_of, lengths)
        sources = _sources(group)
        traced = origins(clusters, sources, lengths)
        missing = missing_of(aligned, clusters, traced.texts, first_of)
        further = align(tokens, missing, settings)
        aligned = Aligned.merged([aligned, further, copies_of(first_of, lengths), apart])
        matched, covered = aligned.shares(group.column("weights"))
        digests = np.stack([group.column("low"), group.column("high")], axis=1).view(np.uint8)
        empty = np.empty(0, np.int64)
        found = tables.Found(
            _articles(group, settings), empty, lengths, lengths >= settings.min_tokens, first_of, digests,
            aligned,
            matched, covered, clusters, traced, sources, np.empty((0, 6), np.int32),
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
            own = replace(
                self.found,
                aligned=aligned.taken(rows),
                matched=self.found.matched[rows],
                covered=self.found.covered[rows],
            )
            yield from self._rows(home, own)
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
    some = credits.set_column(0, "article", pa.array(rows))
    details = {name: group.table[name].combine_chunks() for name in ("id", "outlet", "url", "published")}
    details["derived_from"] = pa.nulls(len(group), pa.string())  # resolved already, among all articles
    derived = group.column("derived")
    places = np.minimum(np.searchsorted(numbers, derived), len(group) - 1)
    return replace(Sources.of(details, some), derived=np.where(numbers[places] == derived, places, -1))


def _articles(group: Group, settings: Settings) -> Articles:
    data, bounds = utf8(group.table["text"].combine_chunks())
    scratch = Scratch(settings.memory * 10**6)
    texts = Texts(scratch.given(data), scratch.let_go, bounds[:-1].copy(), np.diff(bounds))
    kept = [name for name in group.table.column_names if name in INPUT.names and name != "text"]
    return Articles(group.table.select(kept), texts)
