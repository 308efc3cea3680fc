"""Placing: which partition verifies which articles, so that few texts have to travel.

A cluster is verified in one place. Articles outside clusters share stock phrases with a few that many meet;
each is placed where the one with the most neighbours is, and a pair is verified where the article with fewer
neighbours is: the other is a guest there. The place of a large cluster has enough to do: articles outside are
placed by the member that they meet, and its members are guests wherever else their pairs are verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.agencies import renumbered
from dedup.csr import offsets_of, taken
from dedup.spark import large
from dedup.spark.groups import TEXT, with_texts
from dedup.spark.homes import Home, credits_of
from dedup.spark.job import GUEST, OWN, REPEAT, Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided, texts_in

_TIE = ("row", "other", "root", "alone", "large", "buckets", "needed")  # columns; the other's


def root(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the clusters of one's articles; tell the homes of the others of each pair."""
    home = Home(job, part)
    roots, sizes = np.arange(home.first, home.first + len(home)), np.ones(len(home), np.int32)
    for _, batch in inbox.each("root"):
        rows = column(batch, "row")
        roots[rows], sizes[rows] = column(batch, "root"), column(batch, "size")
    alone, of_large = sizes == 1, sizes > large.LARGE
    home.keep("roots", roots=roots, alone=alone, large=of_large)
    found = home.state("candidates")
    lefts, rights = found["pairs"].reshape(-1, 2).T
    rows = lefts - home.first
    for other, some in divided(job.homes(rights), job.parts):
        yield Message(other, "pair", arrays(
            row=(rights[some] - job.bases[other]).astype(np.int32), other=lefts[some].astype(np.uint32),
            root=roots[rows[some]].astype(np.uint32), alone=alone[rows[some]], large=of_large[rows[some]],
            buckets=found["buckets"][some], needed=found["needed"][some],
        ))  # fmt: skip


def classify(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the pairs within clusters; tell the homes of the first of all others."""
    home = Home(job, part)
    kept = home.state("roots")
    roots, alone, of_large = kept["roots"], kept["alone"], kept["large"]
    columns = _columns(inbox, "pair", _TIE)
    rows, others = columns["row"], columns["other"].astype(np.int64)
    inside = roots[rows] == columns["root"]
    shared = inside & of_large[rows]
    home.keep("close", **{name: values[shared] for name, values in columns.items()})
    between = {name: values[~inside] for name, values in columns.items()}
    inside &= ~shared
    home.keep(
        "inside", pairs=np.stack([others[inside], rows[inside] + home.first], axis=1),
        root=roots[rows[inside]], buckets=columns["buckets"][inside], needed=columns["needed"][inside],
    )  # fmt: skip
    home.keep("later", **between)
    rows, others = between["row"], between["other"].astype(np.int64)
    for other, some in divided(job.homes(others), job.parts):
        yield Message(other, "between", arrays(
            row=(others[some] - job.bases[other]).astype(np.int32),
            other=(rows[some] + home.first).astype(np.uint32),
            root=roots[rows[some]].astype(np.uint32), alone=alone[rows[some]], large=of_large[rows[some]],
            buckets=between["buckets"][some], needed=between["needed"][some],
        ))  # fmt: skip


def _columns(inbox: Inbox, kind: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Columns of all messages of a kind."""
    kinds = {"row": np.int32, "buckets": np.uint16} | dict.fromkeys(("alone", "large", "needed"), np.bool_)
    parts = [[column(batch, name) for name in names] for _, batch in inbox.each(kind)]
    return {
        name: np.concatenate([np.empty(0, kinds.get(name, np.uint32)), *(part[place] for part in parts)])
        for place, name in enumerate(names)
    }


def degrees(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the pairs between clusters, from each side; tell the others how many one has."""
    home = Home(job, part)
    earlier = _columns(inbox, "between", _TIE)
    later = home.state("later")
    ties = {name: np.concatenate([earlier[name], later[name]]) for name in earlier}
    ties["first"] = np.arange(ties["row"].size) < earlier["row"].size  # one's own comes first in the pair
    order = np.lexsort((ties["other"], ties["row"]))
    ties = {name: values[order] for name, values in ties.items()}
    home.keep("ties", **ties)
    counts = np.bincount(ties["row"], minlength=len(home))
    others = ties["other"].astype(np.int64)
    for other, some in divided(job.homes(others), job.parts):
        yield Message(other, "degree", arrays(
            row=(others[some] - job.bases[other]).astype(np.int32),
            other=(ties["row"][some] + home.first).astype(np.uint32),
            degree=counts[ties["row"][some]].astype(np.uint32),
        ))  # fmt: skip


def place(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Choose where each article is verified, and which pairs there; ask for guests, and for repeats."""
    home = Home(job, part)
    yield from large.told(job, home, home.state("close"))
    kept, ties, again = home.state("roots"), home.state("ties"), home.state("again")["again"]
    found = _columns(inbox, "degree", ("row", "other", "degree"))
    order = np.lexsort((found["other"], found["row"]))  # as the ties
    theirs = found["degree"][order].astype(np.int64)
    rows, others = ties["row"], ties["other"].astype(np.int64)
    own = np.bincount(rows, minlength=len(home))[rows]
    at = job.spread(kept["roots"])
    best = np.lexsort((-theirs, rows))
    best = best[np.flatnonzero(np.diff(rows[best], prepend=-1))]
    best = best[kept["alone"][rows[best]]]
    met = np.where(ties["large"], others, ties["root"])
    at[rows[best]] = job.spread(met[best])
    needed = ~kept["alone"]
    needed[rows] = True
    needed[again[:, 0] - home.first] = True
    home.keep("place", at=np.where(needed, at, -1))
    of_large = kept["large"][rows]
    fewer = (own < theirs) | ((own == theirs) & ties["first"])
    hosted = np.flatnonzero(np.where(of_large == ties["large"], fewer, ties["large"]))
    home.keep(
        "hosted", host=rows[hosted] + home.first, guest=others[hosted], at=at[rows[hosted]],
        buckets=ties["buckets"][hosted], needed=ties["needed"][hosted],
    )  # fmt: skip
    asked = np.unique(others[hosted] * job.parts + at[rows[hosted]])
    yield from _asked(job, "guest", asked // job.parts, at=(asked % job.parts).astype(np.int32))
    firsts = again[:, 0] - home.first
    ids = home.column("id").take(pa.array(firsts))
    yield from _asked(
        job, "again", again[:, 1], at=at[firsts].astype(np.int32), root=kept["roots"][firsts], id=ids
    )


def _asked(job: Job, kind: str, numbers: NDArray[np.int64], **columns: Any) -> Iterator[Message]:
    """Something about articles, to their homes."""
    for home, rows in divided(job.homes(numbers), job.parts):
        own = {
            name: values.take(pa.array(rows)) if isinstance(values, pa.Array) else values[rows]
            for name, values in columns.items()
        }
        yield Message(home, kind, arrays(row=(numbers[rows] - job.bases[home]).astype(np.int32), **own))


def send(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send articles and pairs where they are verified; choose the pairs of large clusters."""
    yield from large.choose(job, part, inbox)
    home = Home(job, part)
    at = home.state("place")["at"]
    rows, places, what = [np.flatnonzero(at >= 0)], [at[at >= 0]], [np.full(int((at >= 0).sum()), OWN)]
    for _, batch in inbox.each("guest"):
        row, wanted = column(batch, "row"), column(batch, "at")
        some = wanted != at[row]
        rows, places = [*rows, row[some]], [*places, wanted[some]]
        what.append(np.full(int(some.sum()), GUEST))
    leads: dict[int, str] = {}
    kept = home.state("roots")
    roots, away = kept["roots"], kept["large"]
    for _, batch in inbox.each("again"):
        roots[column(batch, "row")] = column(batch, "root")
        rows, places = [*rows, column(batch, "row")], [*places, column(batch, "at")]
        what.append(np.full(len(batch), REPEAT))
        leads |= dict(zip(batch["row"].to_pylist(), batch["id"].to_pylist(), strict=True))
    job.folder.write(f"lead-ids-{part}", _named(leads))
    numbers, holders, roles = (np.concatenate(some) for some in (rows, places, what))
    whole, credited = _described(home, at, roots), credits_of(home)
    bare = with_texts(whole, pa.table([pa.nulls(len(home), whole[name].type) for name in TEXT], TEXT))
    bounds = np.searchsorted(credited["article"].to_numpy(), np.arange(len(home) + 1))
    for holder, some in divided(holders, job.parts):
        order = some[np.argsort(numbers[some], kind="stable")]
        aside = away[numbers[order]] & (roles[order] == OWN)
        for table, own, there in ((whole, order[~aside], False), (bare, order[aside], True)):
            told = table.take(pa.array(numbers[own]))
            told = told.append_column("what", pa.array(roles[own].astype(np.int8)))
            told = told.append_column("away", pa.array(np.full(own.size, there)))
            yield from (Message(holder, "text", batch) for batch in texts_in(told))
        texts = whole.select(["number", *TEXT]).take(pa.array(numbers[order[aside]]))
        yield from (Message(holder, "aside", batch) for batch in texts_in(texts))
        _, lines = taken(bounds, numbers[order[roles[order] != GUEST]])
        if lines.size:
            yield Message(holder, "credit", _lines(credited, lines, home.first))
    yield from _pairs(job, home)


def _named(leads: dict[int, str]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(
        [pa.array(list(leads), pa.int32()), pa.array(list(leads.values()), pa.string())], ["row", "id"]
    )
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _lines(credited: pa.Table, lines: NDArray[np.int64], first: int) -> pa.RecordBatch:
    """Some credits, by the articles' numbers."""
    some = credited.take(pa.array(lines))
    return renumbered(some, some["article"].to_numpy() + first).combine_chunks().to_batches()[0]


def _texts(home: Home) -> dict[str, pa.Array]:
    """All that whoever aligns a text has to know, by the columns of `large.LENT`."""
    kept = home.state("marks")
    marks = kept["marks"].reshape(-1, 3)
    bounds = offsets_of(np.bincount(marks[:, 0], minlength=len(home))).astype(np.int32)
    made = {name: home.column(name) for name in ("id", "outlet", *TEXT)}
    made |= {"number": pa.array(home.numbers), "weights": pa.array(kept["weights"])}
    for place, name in ((1, "marks"), (2, "sizes")):
        made[name] = pa.ListArray.from_arrays(bounds, pa.array(marks[:, place].copy()))
    return made


def lend(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Send helpers of large clusters the texts that they ask for."""
    if inbox.has("lend"):
        yield from large.lend(job, pa.table(_texts(Home(job, part))).select(large.LENT), inbox)


def _described(home: Home, at: NDArray[np.int64], roots: NDArray[np.int64]) -> pa.Table:
    """All that travels with a text; repeats belong to the clusters, `roots`, of what they repeat."""
    facts, answers = home.state("facts"), home.state("answers")
    low, high = np.ascontiguousarray(facts["digests"]).view(np.uint64).reshape(-1, 2).T
    columns = {
        "first": answers["firsts"],
        "derived": answers["derived"],
        "root": roots,
        "at": at.astype(np.int32),
        "lengths": facts["lengths"],
        "starts": facts["starts"],
        "ends": facts["ends"],
        "low": low.copy(),
        "high": high.copy(),
    }
    made = {name: pa.array(values) for name, values in columns.items()}
    given = {name: home.column(name) for name in ("url", "published", "derived_from")}
    return pa.table(_texts(home) | made | given)


def _pairs(job: Job, home: Home) -> Iterator[Message]:
    """Pairs within clusters and between them."""
    inside, hosted = home.state("inside"), home.state("hosted")
    pairs = inside["pairs"].reshape(-1, 2)
    for holder, some in divided(job.spread(inside["root"]), job.parts):
        yield Message(holder, "pair", arrays(
            host=pairs[some, 0], guest=pairs[some, 1], buckets=inside["buckets"][some],
            needed=inside["needed"][some],
        ))  # fmt: skip
    for holder, some in divided(hosted["at"], job.parts):
        yield Message(holder, "pair", arrays(
            host=hosted["host"][some], guest=hosted["guest"][some], buckets=hosted["buckets"][some],
            needed=hosted["needed"][some],
        ))  # fmt: skip
