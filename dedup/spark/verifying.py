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
from dedup.spark.placing import GUEST, OWN, REPEAT
from dedup.store import Articles, Texts
from dedup.tokens import Tokens, tokenise, utf8
from dedup.verify import Verified, copies_of, missing_of, settled, verified
from dedup.weigh import mark_navigation

_PAIR = ("host", "guest", "buckets", "needed")
_KINDS = (np.int64, np.int64, np.uint16, np.bool_)


@dataclass(frozen=True)
class Group:
    """Articles that are verified together, their credits, and the pairs of them to look at."""

    table: pa.Table  # as `placing.send` sends it, by number
    credits: pa.Table  # of `agencies.CREDITS`, by number
    pairs: dict[str, NDArray[Any]]  # `_PAIR`, by numbers

    @classmethod
    def of(cls, texts: list[pa.RecordBatch], credits: list[pa.RecordBatch], pairs: list[pa.RecordBatch]) -> Group | None:
        """What came; None if nothing did. An article that came twice is a guest the second time."""
        if not texts:
            return None
        table = pa.Table.from_batches(texts).sort_by([("number", "ascending"), ("what", "ascending")]).combine_chunks()
        numbers = column(table, "number")
        once = np.append(True, numbers[1:] != numbers[:-1])
        columns = {
            name: np.concatenate([np.empty(0, kind), *(column(batch, name) for batch in pairs)])
            for name, kind in zip(_PAIR, _KINDS, strict=True)
        }
        own = pa.Table.from_batches([pa.RecordBatch.from_pylist([], CREDITS), *credits], CREDITS).combine_chunks()
        return cls(table.filter(pa.array(once)).combine_chunks(), own.sort_by("article").combine_chunks(), columns)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        return column(self.table, name)

    def tokens(self) -> Tokens:
        """The tokens of all articles but the repeats, with their boilerplate."""
        repeats = pa.array(self.column("what") == REPEAT)
        found = tokenise(pc.if_else(repeats, pa.scalar("", pa.large_string()), self.table["text"]).combine_chunks())
        mark_navigation(found)
        firsts, sizes = (self.table[name].combine_chunks() for name in ("marks", "sizes"))
        counts = pc.list_value_length(firsts).to_numpy(zero_copy_only=False)
        runs = np.stack([np.repeat(np.arange(len(self)), counts), firsts.flatten(), sizes.flatten()], axis=1)
        mark(found, runs[found.lengths[runs[:, 0]] > 0].astype(np.int32))
        return found

    def candidates(self) -> Candidates:
        """The pairs by place among the articles, sorted."""
        numbers = self.column("number")
        both = np.stack([np.searchsorted(numbers, self.pairs[name]) for name in ("host", "guest")], axis=1)
        both = np.sort(both.astype(np.int32), axis=1)
        order = np.lexsort((both[:, 1], both[:, 0]))
        return Candidates(both[order], self.pairs["buckets"][order], self.pairs["needed"][order])

    def sent(self, place: int, rows: NDArray[np.bool_], pairs: NDArray[np.bool_]) -> Iterator[Message]:
        """Some of the articles, and some of the pairs, to another place."""
        table = self.table.filter(pa.array(rows)).combine_chunks()
        yield from (Message(place, "text", batch) for batch in table.to_batches(4096))
        numbers = self.column("number")[rows & (self.column("what") != GUEST)]
        own = self.credits.filter(pc.is_in(self.credits["article"], pa.array(numbers))).combine_chunks()
        yield from (Message(place, "credit", batch) for batch in own.to_batches())
        yield Message(place, "pair", arrays(**{name: values[pairs] for name, values in self.pairs.items()}))


def _write(job: Job, part: int, group: Group) -> None:
    job.folder.write_batches(f"texts-{part}", group.table.schema, group.table.to_batches())
    job.folder.write_batches(f"said-{part}", CREDITS, group.credits.to_batches())
    job.folder.write_arrays(f"pairs-{part}", group.pairs)


def _group(job: Job, part: int) -> Group:
    pairs = job.folder.read_arrays(f"pairs-{part}")
    table = pa.Table.from_batches(job.folder.read_batches(f"texts-{part}")).combine_chunks()
    return Group(table, pa.Table.from_batches(job.folder.read_batches(f"said-{part}"), CREDITS).combine_chunks(), pairs)


def verify(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Verify the clusters and the pairs that came here; tell which clusters share copy."""
    texts, credits, pairs = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit", "pair"))
    group = Group.of(texts, credits, pairs)
    if group is None:
        return
    _write(job, part, group)
    told = verified(group.tokens(), group.candidates(), group.column("number"), job.settings)
    job.folder.write_arrays(f"verified-{part}", _told_to_arrays(told))
    copies = telling(told.between, group.column("lengths"), job.settings.copy_share)
    ends = told.between.pairs[copies]
    roots, at = group.column("root"), group.column("at")
    if ends.size:
        yield Message(0, "copies", arrays(
            one=roots[ends[:, 0]], other=roots[ends[:, 1]], at=at[ends[:, 0]], other_at=at[ends[:, 1]]
        ))  # fmt: skip


def _told_to_arrays(told: Verified) -> dict[str, NDArray[Any]]:
    own = families_to_arrays(told.within, told.families)
    between = families_to_arrays(told.between, told.families)
    return own | {f"between-{name}": values for name, values in between.items() if name.startswith("aligned")} | {"rest": told.rest}


def _told_of_arrays(kept: dict[str, NDArray[Any]]) -> Verified:
    within, known = families_of_arrays(kept)
    between, _ = families_of_arrays(kept | {name.removeprefix("between-"): values for name, values in kept.items() if name.startswith("between-")})
    return Verified(within, between, known, kept["rest"])


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell all clusters that share copy where to meet."""
    found = inbox.table("copies")
    if found is None:
        return
    one, other, at, other_at = (column(found[1], name) for name in ("one", "other", "at", "other_at"))
    places = dict(zip(np.concatenate([one, other]).tolist(), np.concatenate([at, other_at]).tolist(), strict=True))
    stars = joined(np.stack([one, other], axis=1))
    here = np.array([places[root] for root in stars[:, 0].tolist()])
    there = np.array([places[root] for root in stars[:, 1].tolist()], np.int32)
    for place, rows in divided(here, job.parts):
        yield Message(place, "moved", arrays(root=stars[rows, 0], at=there[rows]))


def move(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send the clusters that share copy where they meet."""
    moved: dict[int, int] = {}
    for _, batch in inbox.each("moved"):
        moved |= dict(zip(batch["root"].to_pylist(), batch["at"].to_pylist(), strict=True))
    job.folder.write_arrays(f"moved-{part}", {"roots": np.array(sorted(moved), np.int64)})
    if not moved:
        return
    group = _group(job, part)
    numbers, roots, own = group.column("number"), group.column("root"), group.column("what") != GUEST
    hosts = roots[np.searchsorted(numbers, group.pairs["host"])]
    for place in sorted(set(moved.values())):
        wanted = np.array([root for root, at in moved.items() if at == place])
        pairs = np.isin(hosts, wanted)
        rows = np.isin(roots, wanted) & own
        away = ~rows & np.isin(numbers, group.pairs["guest"][pairs])
        what = np.where(away, GUEST, group.column("what")).astype(np.int8)
        at = group.table.schema.get_field_index("what")
        yield from replace(group, table=group.table.set_column(at, "what", pa.array(what))).sent(place, rows | away, pairs)


def finish(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Make families of all that was verified here, and tell homes what there is to report."""
    texts, credits, pairs = ([batch for _, batch in inbox.each(kind)] for kind in ("text", "credit", "pair"))
    rows: list[pa.Table] = [FAMILIES.empty_table()]
    base = 0
    if (job.folder.has(f"texts-{part}")):
        group, told = _unmoved(job, part)
        made = _Finished.of(job, group, group.tokens(), told)
        rows.append(made.families())
        yield from made.messages(base)
        base = len(made.found.families)
    met = Group.of(texts, credits, pairs)
    if met is not None:
        tokens = met.tokens()
        told = verified(tokens, met.candidates(), met.column("number"), job.settings)
        made = _Finished.of(job, met, tokens, told)
        rows.append(made.families())
        yield from made.messages(base)
    families = pa.concat_tables(rows).combine_chunks()
    job.folder.write_batches(f"families-{part}", FAMILIES, families.to_batches())


def _unmoved(job: Job, part: int) -> tuple[Group, Verified]:
    """What was verified here, without the clusters that went elsewhere: they are guests."""
    group, told = _group(job, part), _told_of_arrays(job.folder.read_arrays(f"verified-{part}"))
    moved = job.folder.read_arrays(f"moved-{part}")["roots"]
    if not moved.size:
        return group, told
    numbers = group.column("number")
    gone = np.isin(group.column("root"), moved)
    hosts = np.searchsorted(numbers, group.pairs["host"])
    pairs = np.stack([hosts, np.searchsorted(numbers, group.pairs["guest"])], axis=1)
    ends = np.sort(pairs[gone[hosts]], axis=1)
    keys = ends[:, 0].astype(np.int64) << 32 | ends[:, 1]
    what = np.where(gone, GUEST, group.column("what")).astype(np.int8)
    at = group.table.schema.get_field_index("what")
    stay = ~gone[told.within.pairs[:, 0]]
    known = told.families
    kept = ~gone[known.representatives]
    members = kept[known.owners]
    bounds, rows = taken(known.span_offsets, np.flatnonzero(members))
    families = Families.of(
        known.representatives[kept], (np.cumsum(kept) - 1)[known.owners[members]], known.members[members], bounds,
        known.spans[rows],
    )  # fmt: skip
    left = Verified(
        told.within.taken(np.flatnonzero(stay)),
        told.between.taken(np.flatnonzero(~np.isin(told.between.keys, keys))),
        families,
        told.rest[~gone[told.rest[:, 0]]],
    )
    return replace(group, table=group.table.set_column(at, "what", pa.array(what))), left


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
        starts[there], ends[there] = self.tokens.starts[base + firsts[there]], self.tokens.ends[base + stops[there] - 1]
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
    def of(cls, job: Job, group: Group, tokens: Tokens, told: Verified) -> _Finished:
        """Settle families, find their origins, and align what is still to be."""
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
            _articles(group, settings), empty, lengths, lengths >= settings.min_tokens, first_of, digests, aligned,
            matched, covered, clusters, traced, sources, None, np.empty((0, 6), np.int32), [], 1,  # type: ignore[arg-type]
            group.table["id"].combine_chunks(),
        )  # fmt: skip
        return cls(job, group, tokens, found, tables.members_of(found), pa.array(tables.family_names(found), pa.string()))

    def families(self) -> pa.Table:
        """The rows of the families' table."""
        return tables.family_rows(self.found, self.names, self.members)(0, len(self.names))

    def messages(self, base: int) -> Iterator[Message]:
        """To each home the pairs of its articles with later ones, what they share, and their families."""
        aligned, numbers = self.found.aligned, self.group.column("number")
        homes = self.job.homes(numbers)
        for home, rows in divided(homes[aligned.pairs[:, 0]], self.job.parts):
            own = replace(
                self.found, aligned=aligned.taken(rows), matched=self.found.matched[rows], covered=self.found.covered[rows]
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
            table = table.append_column("one", pa.array(rows[:, 0])).append_column("other", pa.array(rows[:, 1]))
            if table.num_rows:
                yield Message(home, name, table.combine_chunks().to_batches()[0])

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
