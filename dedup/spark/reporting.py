"""Reporting: homes write the rows of their articles; families are written largest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import tables
from dedup.align import Aligned
from dedup.compose import compose
from dedup.csr import Offsets, offsets_of
from dedup.families import Families
from dedup.io import kept
from dedup.kernels import compose as parts_of
from dedup.kernels.align import FIRST, KIND, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.places import Places, pack, spread
from dedup.provenance import Sources
from dedup.schema import COPYING, FAMILIES, PAIRS, PASSAGES, READ, SKETCH, TABLES, TEXTS
from dedup.scratch import Scratch
from dedup.spark.homes import Home, credits_of
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.spark.storage import Folder
from dedup.spark.telling import NOWHERE, families_of
from dedup.spark.writing import ROWS, kept_rows, shown_texts, write_part, write_table
from dedup.store import DETAILS, Articles
from dedup.tokens import Tokens

BACK = "read"  # the name of what is handed back to the driver
_BACK = pa.schema([field for field in READ if field.name == "bytes" or field.name not in SKETCH.names])


def make_folders(out: Folder, job: Job) -> None:
    """Make the folders that parts of tables are written to."""
    names = [*TABLES, "texts", *(["kept"] if job.keep else []), *([BACK] if job.back else [])]
    for name in names:
        out.inside(f"{name}.parquet").make()


def write_home(out: Folder, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Compose the articles of a home, and write its rows of all tables but the families'."""
    for name in ("early", "told"):
        inbox.take_back(job.folder, f"{name}-{part}")
    home = Home(job, part)
    shown = np.zeros(len(home), np.bool_)
    counts, copies = {}, 0
    for name, kind in (("pairs", PAIRS), ("passages", PASSAGES)):
        found = inbox.table(name)
        table = _in_order(found[1]) if found else kind.empty_table()
        counts[name] = write_table(out, job, name, part, [table.select(kind.names)])
        if found:
            shown[column(table, "one") - home.first] = True
            if name == "pairs":
                copies = pc.sum(pc.is_in(table["relation"], pa.array(sorted(COPYING)))).as_py() or 0
    for _, batch in inbox.each("shown"):
        shown[column(batch, "number") - home.first] = True
    made = _Composed.of(home, _Entries.of(inbox), _Memberships.of(inbox))
    shown[made.members.texts] = True
    write_table(out, job, "articles", part, made.rows())
    if job.keep:
        write_part(out, "kept", part, kept.schema(), kept_rows(home), kept.ROWS)
    if job.back:
        write_part(out, BACK, part, _BACK, [home.table.select(_BACK.names)])
        shown[:] = False  # the driver has all texts
    write_part(out, "texts", part, TEXTS, shown_texts(home, np.flatnonzero(shown)))
    yield Message(part, "written", arrays(pairs=np.array([counts["pairs"]]), copies=np.array([copies])))


def _in_order(table: pa.Table) -> pa.Table:
    """Rows by pair; those of one pair come in their order."""
    return table.take(pa.array(np.lexsort((column(table, "other"), column(table, "one")))))


@dataclass(frozen=True)
class _Entries:
    """What articles of a home share with others, by pair; each is told from the side of one article."""

    pairs: NDArray[np.int64]  # (n, 2) numbers
    right: NDArray[np.bool_]  # (n,) whether the article at home is the second
    ids: pa.Array  # (n,) of the other
    families: NDArray[np.int64]  # (n,) keys of the first family that both are in, -1: none
    spans: NDArray[np.int32]  # (spans, 3): first token, stop, kind
    offsets: Offsets  # (n + 1,)

    @classmethod
    def of(cls, inbox: Inbox) -> _Entries:
        """From messages."""
        found = inbox.table("entry")
        if found is None:
            none = np.empty(0, np.int64)
            return cls(
                none.reshape(0, 2),
                none > 0,
                pa.array([], pa.string()),
                none,
                np.empty((0, 3), np.int32),
                offsets_of(none),
            )
        table = found[1]
        pairs = np.stack([column(table, "one"), column(table, "other")], axis=1)
        order = np.lexsort((column(table, "right"), pairs[:, 1], pairs[:, 0]))
        table = table.take(pa.array(order)).combine_chunks()
        lists = table["spans"].combine_chunks()
        bounds = lists.offsets.to_numpy().astype(np.int64) // 3
        return cls(
            pairs[order], column(table, "right"), table["id"].combine_chunks(),
            column(table, "family"),
            lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, 3), bounds - bounds[0],
        )  # fmt: skip

    @property
    def own(self) -> NDArray[np.int64]:
        """The numbers of the articles at home, int64 (n,)."""
        return self.pairs[np.arange(self.right.size), self.right.astype(np.int64)]

    @property
    def others(self) -> NDArray[np.int64]:
        """The numbers of the others, int64 (n,)."""
        return self.pairs[np.arange(self.right.size), 1 - self.right.astype(np.int64)]


@dataclass(frozen=True)
class _Memberships:
    """The families that articles of a home are in."""

    families: NDArray[np.int64]  # (n,) keys
    numbers: NDArray[np.int64]  # (n,)
    origins: NDArray[np.int64]  # (n,) numbers
    origin_ids: pa.Array
    names: pa.Array
    roles: NDArray[np.object_]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, inbox: Inbox) -> _Memberships:
        """From messages."""
        found = inbox.table("member")
        if found is None:
            none, nobody = np.empty(0, np.int64), pa.array([], pa.string())
            return cls(none, none, none, nobody, nobody, np.empty(0, object), np.empty(0))
        table = found[1]
        return cls(
            column(table, "family"), column(table, "number"), column(table, "origin"),
            table["origin_id"].combine_chunks(), table["name"].combine_chunks(),
            np.array(table["role"].to_pylist(), object), column(table, "share"),
        )  # fmt: skip


@dataclass(frozen=True)
class _Labels:
    """Articles at home by row, then those elsewhere that are named with them."""

    first: int
    count: int
    elsewhere: NDArray[np.int64]  # numbers, rising
    ids: pa.Array  # of all

    @classmethod
    def of(cls, home: Home, named: Sequence[tuple[NDArray[np.int64], pa.Array]]) -> _Labels:
        """Of numbers with their ids."""
        numbers = np.concatenate([numbers for numbers, _ in named])
        ids = pa.concat_arrays([ids.cast(pa.string()) for _, ids in named])
        away = np.flatnonzero((numbers < home.first) | (numbers >= home.first + len(home)))
        elsewhere, rows = np.unique(numbers[away], return_index=True)
        whole = pa.concat_arrays([home.column("id"), ids.take(pa.array(away[rows]))])
        return cls(home.first, len(home), elsewhere, whole)

    def __len__(self) -> int:
        return self.count + self.elsewhere.size

    def __call__(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The labels of articles."""
        rows = numbers - self.first
        there = (rows >= 0) & (rows < self.count)
        return np.where(there, rows, self.count + np.searchsorted(self.elsewhere, numbers))


@dataclass(frozen=True)
class _Composed:
    """The articles of a home with what they are made of."""

    found: tables.Found
    names: pa.Array  # of families
    members: tables.Members
    spans: tuple[NDArray[np.int32], NDArray[np.int32]]  # where parts start and end

    @classmethod
    def of(cls, home: Home, entries: _Entries, member: _Memberships) -> _Composed:
        """Compose articles."""
        facts, firsts = home.state("facts"), home.state("answers")["firsts"]
        leads = pa.ipc.open_stream(home.job.folder.read(f"lead-ids-{home.part}")).read_next_batch()
        named = [
            (entries.others, entries.ids),
            (member.origins, member.origin_ids),
            (firsts[column(leads, "row")], leads["id"]),
        ]
        labels = _Labels.of(home, named)
        keys, which = np.unique(member.families, return_index=True)
        families, origins = _families(labels, keys, entries, member, member.origins[which])
        tokens, places = _tokens(home, len(labels))
        aligned = _aligned(labels, entries)
        parts = compose(tokens, aligned, families, origins, home.batches)
        wanted = parts[:, parts_of.TEXT], parts[:, parts_of.FIRST], parts[:, parts_of.STOP]
        [spans] = places.spans([wanted], home.batches, 1)
        details = {name: home.column(name) for name in ("id", "outlet", "url", "published")}
        sources = Sources.of({**details, "derived_from": pa.nulls(len(home), pa.string())}, credits_of(home))
        found = tables.Found(
            Articles.without_texts(home.table.select(DETAILS.names)), facts["characters"], facts["lengths"],
            facts["lengths"] >= home.job.settings.min_tokens, labels(firsts), facts["digests"], aligned,
            np.empty(0, np.int64), families, NOWHERE, np.empty(0, np.bool_), sources, parts, labels.ids,
        )  # fmt: skip
        rows = (member.numbers - home.first).astype(np.int32)
        empty = np.empty(rows.size)
        members = tables.Members(
            offsets_of(np.empty(0)), np.searchsorted(keys, member.families), rows, member.roles,
            member.shares, empty, empty > 0,
        )  # fmt: skip
        return cls(found, member.names.take(pa.array(which)), members, spans)

    def rows(self) -> Iterator[pa.Table]:
        """The rows of the articles' table."""
        count = len(self.found.articles)
        make = tables.article_rows(self.found, self.names, self.members, *self.spans)
        for first in range(0, count, ROWS):
            yield make(first, min(first + ROWS, count))


def _families(
    labels: _Labels,
    keys: NDArray[np.int64],
    entries: _Entries,
    member: _Memberships,
    origins: NDArray[np.int64],
) -> tuple[Families, NDArray[np.int64]]:
    """The families `keys`, with those of their members that are named here, and their origins' labels."""
    common = entries.families >= 0
    families = np.searchsorted(keys, np.concatenate([member.families, entries.families[common]]))
    members = labels(np.concatenate([member.numbers, entries.others[common]]))
    both = np.unique(families * max(len(labels), 1) + members)
    families, members = both // max(len(labels), 1), both % max(len(labels), 1)
    found = families_of(keys.size, families, members.astype(np.int32))
    return found, labels(origins)


def _aligned(labels: _Labels, entries: _Entries) -> Aligned:
    """The pairs with the spans that are known of them, those of one article or of both."""
    new = np.append(True, (np.diff(entries.pairs, axis=0) != 0).any(axis=1))[: len(entries.pairs)]
    starts = np.flatnonzero(new)
    pairs = labels(entries.pairs[starts].ravel()).reshape(-1, 2).astype(np.int32)
    passages = np.zeros((len(entries.spans), 6), np.int32)
    passages[:, KIND] = entries.spans[:, 2]
    right = np.repeat(entries.right, np.diff(entries.offsets))
    passages[~right, FIRST], passages[~right, STOP] = entries.spans[~right, :2].T
    passages[right, RIGHT_FIRST], passages[right, RIGHT_STOP] = entries.spans[right, :2].T
    bounds = np.append(entries.offsets[starts], entries.offsets[-1])
    none = np.zeros((len(pairs), 2), np.int32)
    return Aligned(pairs, passages, bounds, none, none, np.zeros(len(pairs)))


def _tokens(home: Home, count: int) -> tuple[Tokens, Places]:
    """The flags of all tokens of a home, as of `count` texts, and their places."""
    marks = home.state("marks")["marks"].reshape(-1, 3)
    flags, packed, odd = [np.empty(0, np.uint8)], [np.empty(0, np.uint16)], [np.empty(0, np.bool_)]
    lengths, wide = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for first, stop in home.batches:
        tokens = home.tokens(first, stop, marks)
        own, strange = pack(tokens)
        flags.append(tokens.flags)
        lengths.append(tokens.lengths)
        packed.append(own)
        odd.append(strange)
        wide.append(spread(tokens, strange))
    offsets = offsets_of(np.concatenate(lengths))
    scratch = Scratch(home.job.settings.memory * 10**6)
    of_tokens, of_odd = (scratch.given(np.concatenate(some)) for some in (packed, wide))
    places = Places(of_tokens, offsets, np.concatenate(odd), of_odd)
    nowhere = np.empty(0, np.int32)
    padded = np.append(offsets, np.full(count - len(home), offsets[-1]))
    return Tokens(np.empty(0, np.uint32), nowhere, nowhere, np.concatenate(flags), padded), places


def tell_sizes(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """How many families of each size a partition made."""
    sizes = [column(batch, "size") for batch in job.folder.read_batches(f"families-{part}")]
    values, counts = np.unique(np.concatenate([np.empty(0, np.int64), *sizes]), return_counts=True)
    yield Message(part, "sizes", arrays(size=values, count=counts))


def send_families(
    larger: Mapping[int, tuple[int, int]], job: Job, part: int, inbox: Inbox
) -> Iterator[Message]:
    """Send families where they are written, the largest first and those of one size by name.

    `larger`: for each size how many families are larger, and how many have it.
    """
    total = sum(count for _, count in larger.values())
    for batch in job.folder.read_batches(f"families-{part}"):
        names = np.array([int(name[:12], 16) for name in batch["family"].to_pylist()]) / 16.0**12
        before = np.array([larger[size] for size in batch["size"].to_pylist()], np.float64).reshape(-1, 2)
        places = ((before[:, 0] + names * before[:, 1]) * job.parts / total).astype(np.int64)
        for writer, rows in divided(places, job.parts):
            yield Message(writer, "family", batch.take(pa.array(rows)))


def write_families(out: Folder, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Write a part of the families' table."""
    found = inbox.table("family")
    table = found[1] if found else FAMILIES.empty_table()
    table = table.sort_by([("size", "descending"), ("family", "ascending")])
    count = write_table(out, job, "families", part, [table])
    yield Message(part, "written", arrays(families=np.array([count])))
