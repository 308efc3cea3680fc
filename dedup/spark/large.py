"""Large clusters: what `dedup.verify.verified` does in one go, shared among several partitions.

The place of a cluster chooses its pairs, for which no texts are needed. Helpers hold the texts, each of them
one or more, and align their share of the pairs: first those that are chosen at once, and before each round of
the needed ones they are told which words the copies that others have found account for. The place makes
families of all that is found (`dedup.spark.joining`); what the pairs hold stays with the helpers, which tell
homes of it in the end (`dedup.spark.asking`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.align import Aligned, align
from dedup.candidates import Candidates
from dedup.cover import cover
from dedup.csr import offsets_of, taken
from dedup.families import telling
from dedup.kernels.align import COPY, KIND
from dedup.resume import aligned_of_arrays, aligned_to_arrays
from dedup.seen import Seen
from dedup.spark.groups import TEXT, tokens_of
from dedup.spark.homes import Home
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided, texts_in
from dedup.spark.storage import packed_arrays
from dedup.verify import ROUNDS, round_of

LARGE = 4096  # texts in a cluster from which on its work is shared
_SHARE = 2048  # of them for each helper, about
_POOLS = 64  # partitions that put together what is seen of a cluster's texts
_AT_ONCE = -1  # in place of a round
LENT = ["number", "id", "outlet", "weights", "marks", "sizes", *TEXT]  # columns of texts that helpers hold


def told(job: Job, home: Home, pairs: dict[str, NDArray[Any]]) -> Iterator[Message]:
    """Pairs within large clusters, to the clusters' places: each text at home, and those before it."""
    order = np.lexsort((pairs["other"], pairs["row"]))
    rows, roots = pairs["row"][order], pairs["root"][order]
    for place, own in divided(job.spread(roots.astype(np.int64)), job.parts):
        firsts = np.flatnonzero(np.diff(rows[own], prepend=-1))
        yield Message(place, "texts", arrays(
            right=rows[own[firsts]] + home.first, root=roots[own[firsts]].astype(np.int64),
            count=np.diff(firsts, append=own.size),
        ))  # fmt: skip
        lines = order[own]
        yield Message(place, "lefts", arrays(
            left=pairs["other"][lines], buckets=pairs["buckets"][lines], needed=pairs["needed"][lines]
        ))  # fmt: skip


class _Close(NamedTuple):
    """The pairs within large clusters that were told, by their second text, then the first."""

    numbers: NDArray[np.int64]  # of the articles, rising
    roots: NDArray[np.int64]  # of their clusters
    found: Candidates  # by place among the numbers

    @classmethod
    def of(cls, inbox: Inbox) -> _Close | None:
        """Those that came; None if none did."""
        texts, lefts = inbox.table("texts"), inbox.table("lefts")
        if texts is None or lefts is None:
            return None
        rights, roots, counts = (column(texts[1], name) for name in ("right", "root", "count"))
        left, buckets, needed = (column(lefts[1], name) for name in ("left", "buckets", "needed"))
        which = np.repeat(np.arange(rights.size, dtype=np.int32), counts)
        lefts_at = np.minimum(np.searchsorted(rights.astype(np.uint32), left), rights.size - 1)
        new = np.flatnonzero(rights[lefts_at] != left)  # before all others of their clusters
        firsts, some = np.unique(left[new], return_index=True)
        numbers = np.concatenate([rights, firsts.astype(np.int64)])
        order = np.argsort(numbers)
        ranks = np.empty(order.size, np.int32)
        ranks[order] = np.arange(order.size, dtype=np.int32)
        pairs = np.stack([ranks[lefts_at], ranks[which]], axis=1)
        numbers = numbers[order]
        pairs[new, 0] = np.searchsorted(numbers, left[new])
        roots = np.concatenate([roots, roots[which[new[some]]]])[order]
        return cls(numbers, roots, Candidates(pairs, buckets, needed))


def choose(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Share the pairs of the clusters whose place this is among helpers; ask for their texts."""
    close = _Close.of(inbox)
    if close is None:
        return
    numbers, roots, found = close
    chosen = cover(found, numbers.size)
    looked_at = chosen | found.needed
    some = np.flatnonzero(looked_at)
    pairs = found.pairs[some]
    rounds = np.where(chosen[some], _AT_ONCE, round_of(numbers, pairs)).astype(np.int8)
    by_text = _helpers(job, numbers, roots)
    degrees = np.bincount(pairs.ravel(), minlength=numbers.size)[pairs]
    helpers = by_text[np.where(degrees[:, 0] > degrees[:, 1], pairs[:, 1], pairs[:, 0])]
    left, right = numbers[pairs].T
    shares = dict(divided(helpers, job.parts))
    for helper in np.unique(by_text).tolist():
        rows = shares.get(helper, some[:0])
        yield Message(helper, "share", arrays(
            left=left[rows], right=right[rows], root=roots[pairs[rows, 0]], round=rounds[rows]
        ))  # fmt: skip
    texts, holders = np.concatenate([left, right, numbers]), np.concatenate([helpers, helpers, by_text])
    asked = np.unique(texts * job.parts + holders)
    held, helpers = asked // job.parts, (asked % job.parts).astype(np.int32)
    job.folder.write("large", b"")
    job.folder.write_arrays(f"large-{part}", {
        "numbers": numbers, "pairs": pairs, "others": found.pairs[~looked_at], "held": held,
        "helpers": helpers,
    })  # fmt: skip
    for home, rows in divided(job.homes(held), job.parts):
        own_rows = (held[rows] - job.bases[home]).astype(np.int32)
        yield Message(home, "lend", arrays(row=own_rows, helper=helpers[rows]))


def there(job: Job) -> bool:
    """Is there a large cluster anywhere? Known once pairs are chosen."""
    return job.folder.has("large")


def _helpers(job: Job, numbers: NDArray[np.int64], roots: NDArray[np.int64]) -> NDArray[np.int64]:
    """The partition that most pairs of each text go to; those of all texts of a cluster are a few."""
    clusters, which, sizes = np.unique(roots, return_inverse=True, return_counts=True)
    counts = np.minimum(job.parts, -(-sizes // _SHARE))[which]
    helpers: NDArray[np.int64] = (job.spread(clusters)[which] + numbers % counts) % job.parts
    return helpers


def note(job: Job, part: int, inbox: Inbox) -> None:
    """Keep one's share of the pairs."""
    found = inbox.table("share")
    if found is not None:
        names = ("left", "right", "root", "round")
        job.folder.write_arrays(f"share-{part}", {name: column(found[1], name) for name in names})


def lend(job: Job, table: pa.Table, inbox: Inbox) -> Iterator[Message]:
    """Send helpers the texts of a home that they ask for; `table`: all of them, columns of `LENT`."""
    found = inbox.table("lend")
    if found is None:
        return
    rows = column(found[1], "row")
    for helper, own in divided(column(found[1], "helper"), job.parts):
        some = table.take(pa.array(np.sort(rows[own])))
        yield from (Message(helper, "lent", batch) for batch in texts_in(some))


def borrow(job: Job, part: int, numbers: NDArray[np.int64], lenders: NDArray[np.int32]) -> None:
    """Take over texts that other helpers were lent; of one's own there are none to take."""
    found = [
        table.filter(pc.is_in(table["number"], pa.array(numbers[rows])))
        for lender, rows in divided(lenders, job.parts)
        if lender != part
        for table in [pa.Table.from_batches(job.folder.read_batches(f"lent-{lender}"))]
    ]
    if found:
        table = pa.concat_tables(found).combine_chunks()
        job.folder.write_batches(f"borrowed-{part}", table.schema, table.to_batches())


def texts_of(job: Job, part: int) -> pa.Table:
    """The texts that a helper was lent and has borrowed, by number."""
    batches = job.folder.read_batches(f"lent-{part}")
    if not job.folder.has(f"borrowed-{part}"):
        return pa.Table.from_batches(batches).combine_chunks()
    batches += job.folder.read_batches(f"borrowed-{part}")
    return pa.Table.from_batches(batches).sort_by("number").combine_chunks()


class Share:
    """The pairs that a helper looks at, by place among the texts that it holds."""

    def __init__(self, job: Job, part: int) -> None:
        self.job, self.part = job, part
        table = texts_of(job, part)
        kept = job.folder.read_arrays(f"share-{part}")
        self.numbers = column(table, "number")
        self.rounds = kept["round"]
        self.pairs = self.among(kept["left"], kept["right"])
        self.places = np.full(self.numbers.size, -1)  # of the clusters of the texts in pairs
        self.places[self.pairs] = job.spread(kept["root"])[:, None]
        self.pools = (self.places + self.numbers % _POOLS) % job.parts  # that put their texts' marks together
        self.tokens = tokens_of(table)
        self.seen = Seen.nothing(self.tokens, self.pairs)

    def among(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int32]:
        """Pairs of articles by place, int32 (n, 2)."""
        return np.searchsorted(self.numbers, np.stack([left, right], axis=1)).astype(np.int32)

    def align(self, pairs: NDArray[np.int32], number: int) -> None:
        """Align some pairs; keep what is found, by the articles' numbers."""
        found = align(self.tokens, pairs, self.job.settings, seen=self.seen)
        told = aligned_to_arrays(replace(found, pairs=self.numbers[found.pairs].astype(np.int32)))
        told["tried"] = self.numbers[pairs].astype(np.int32)
        self.job.folder.write_arrays(f"found-{self.part}-{number}", told)

    def see(self, marks: NDArray[np.uint8]) -> None:
        """Take over what is seen."""
        self.seen.marks[:] = marks

    @property
    def texts(self) -> NDArray[np.int64]:
        """The texts that have marks, by place."""
        return np.flatnonzero(self.seen.starts >= 0)

    def messages(self) -> Iterator[Message]:
        """What is seen, to where it is put together."""
        texts = self.texts
        bits, bounds = _packed(self.seen.marks, self.tokens.lengths[texts])
        for at, rows in divided(self.pools[texts], self.job.parts):
            own, lines = taken(bounds, rows)
            lists = pa.ListArray.from_arrays(own.astype(np.int32), pa.array(bits[lines]))
            yield Message(at, "marks", arrays(number=self.numbers[texts[rows]], bits=lists))

    def found(self, rounds: Sequence[int]) -> Iterator[Message]:
        """What was found in some rounds that makes families, to the places of the clusters."""
        found = found_in(self.job, self.part, rounds, self.numbers)
        tried = np.concatenate(
            [self.job.folder.read_arrays(f"found-{self.part}-{each}")["tried"] for each in rounds]
        )
        lengths, share = self.tokens.lengths, self.job.settings.copy_share
        edges, places = _edges(found, lengths, share), self.places[found.pairs[:, 0]]
        tried_at = self.places[np.searchsorted(self.numbers, tried[:, 0])]
        for place in np.unique(tried_at).tolist():
            some, texts = edges.taken(np.flatnonzero(places == place)), np.flatnonzero(self.places == place)
            some = replace(some, pairs=self.numbers[some.pairs].astype(np.int32))
            told = aligned_to_arrays(some) | {"tried": tried[tried_at == place]}
            told |= {"texts": self.numbers[texts], "lengths": lengths[texts]}
            data = pa.array([packed_arrays(told).to_pybytes()], pa.binary())
            yield Message(place, "found", arrays(data=data))


def found_in(job: Job, part: int, rounds: Sequence[int], numbers: NDArray[np.int64]) -> Aligned:
    """What a helper found in some rounds, by place among the articles `numbers`."""
    names = [f"found-{part}-{number}" for number in rounds]
    kept = [job.folder.read_arrays(name) for name in names if job.folder.has(name)]
    return Aligned.merged([aligned_of_arrays(each) for each in kept]).among(numbers)


def _edges(found: Aligned, lengths: NDArray[np.int64], copy_share: float) -> Aligned:
    """All pairs, with those of their passages alone that make families."""
    kept = np.repeat(telling(found, lengths, copy_share), np.diff(found.offsets))
    kept &= found.passages[:, KIND] == COPY
    return replace(found, passages=found.passages[kept], offsets=offsets_of(kept)[found.offsets])


def _padded(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where texts' bytes begin and end, if each text has its own, and the places of their bits."""
    bounds = offsets_of(-(-lengths // 8))
    offsets = offsets_of(lengths)
    places = np.arange(offsets[-1]) + np.repeat(8 * bounds[:-1] - offsets[:-1], lengths)
    return bounds, places


def _packed(
    marks: NDArray[np.uint8], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Marks of texts, one after another, as bits; and the bounds of each text's bytes."""
    bounds, places = _padded(lengths)
    flat = np.zeros(8 * int(bounds[-1]), np.uint8)
    flat[places] = marks
    return np.packbits(flat), bounds


def begin(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Align the pairs of one's share that are chosen at once; tell what is seen."""
    lent = [batch for _, batch in inbox.each("lent")]
    if not lent:
        return
    table = pa.Table.from_batches(lent).sort_by("number").combine_chunks()
    job.folder.write_batches(f"lent-{part}", table.schema, table.to_batches())
    share = Share(job, part)
    share.align(share.pairs[share.rounds == _AT_ONCE], _AT_ONCE)
    yield from share.messages()


def pool(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Put together what helpers have seen, and tell them."""
    told = list(inbox.each("marks"))
    if not told:
        return
    numbers = [column(batch, "number") for _, batch in told]
    lists = [batch["bits"] for _, batch in told]
    counts = [np.diff(each.offsets.to_numpy()).astype(np.int64) for each in lists]
    texts, places = np.unique(np.concatenate(numbers), return_inverse=True)
    sizes = np.zeros(texts.size, np.int64)
    sizes[places] = np.concatenate(counts)
    bounds = offsets_of(sizes)
    _, lines = taken(bounds, places)
    whole = np.zeros(int(bounds[-1]), np.uint8)
    np.bitwise_or.at(whole, lines, np.concatenate([each.flatten().to_numpy() for each in lists]))
    first = 0
    for (helper, _), count in zip(told, counts, strict=True):
        own, rows = taken(bounds, places[first : first + count.size])
        first += count.size
        answer = pa.ListArray.from_arrays(own.astype(np.int32), pa.array(whole[rows]))
        yield Message(helper, "seen", arrays(bits=answer))


def look(number: int, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Align those needed pairs of a round that tell something new; tell what is seen, or in the end found."""
    told = list(inbox.each("seen"))
    if not told:
        return
    share = Share(job, part)
    texts = share.texts
    lengths = share.tokens.lengths[texts]
    bounds, places = _padded(lengths)
    bits = np.empty(int(bounds[-1]), np.uint8)
    answers = dict(told)
    for at, rows in divided(share.pools[texts], job.parts):
        _, lines = taken(bounds, rows)
        bits[lines] = answers[at]["bits"].flatten().to_numpy()
    share.see(np.unpackbits(bits)[places])
    own = share.pairs[share.rounds == number]
    own = own[share.seen.news(share.tokens, own, job.settings.guarantee, 1)]
    share.align(own, number)
    if number < ROUNDS - 1:
        yield from share.messages()
        return
    yield from share.found(range(_AT_ONCE, ROUNDS))
