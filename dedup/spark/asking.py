"""Asking: what the place of families asks of the helpers that hold the texts of large clusters.

Helpers align origins with members that were not compared with them, look for names of outlets, and tell homes
of all pairs that they have found, once they know the families of their texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import tables
from dedup.agencies import CREDITS
from dedup.align import Aligned, align, keys_of
from dedup.csr import offsets_of, taken
from dedup.families import Families
from dedup.outlets import named
from dedup.provenance import Sources
from dedup.spark import telling
from dedup.spark.groups import NONE, Group, Shared, tokens_of
from dedup.spark.job import Job
from dedup.spark.joining import turns
from dedup.spark.large import LENT, found_in, texts_of
from dedup.spark.messages import Inbox, Message, arrays, column, divided, texts_in
from dedup.store import Articles
from dedup.tokens import Tokens
from dedup.verify import ROUNDS

_SHARES = ("left_matched", "right_matched", "left_covered", "right_covered")


class Question:
    """What helpers are asked of a group; texts are rows of it."""

    def __init__(self, group: Group, shared: Shared) -> None:
        self.group, self.helpers = group, shared.helpers
        self.held = np.searchsorted(group.column("number"), shared.held)
        self.holders = np.full(len(group), -1)  # of each text one of those that hold it, -1: none
        order = np.argsort(turns(shared.helpers, shared.held), kind="stable")
        self.holders[self.held[order]] = shared.helpers[order]
        self.pairs, self.asked = np.empty((0, 2), np.int32), np.empty(0, np.int64)
        self.guests = np.empty((0, 2), np.int64)  # helpers, and texts that they need besides
        self.texts, self.outlets = np.empty(0, np.int32), np.empty(0, np.int64)

    def aligned(self, pairs: NDArray[np.int32], origins: NDArray[np.int64]) -> NDArray[np.int32]:
        """Ask for pairs of an origin and a member each; those that no helper holds the member of."""
        first = np.zeros(len(self.group), np.bool_)
        first[origins] = True
        side = first[pairs[:, 0]].astype(np.int64)  # of the member
        every = np.arange(len(pairs))
        holders = self.holders[pairs[every, side]]
        away = holders >= 0
        self.pairs, self.asked = pairs[away], holders[away]
        self.guests = _once(holders[away], pairs[every, 1 - side][away])
        return pairs[~away]

    def names(self, texts: NDArray[np.int32], outlets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Ask whether each text names an outlet; bool (n,), which of the texts no helper holds."""
        away = self.holders[texts] >= 0
        self.texts, self.outlets = texts[away], outlets[away]
        return ~away

    def messages(
        self, job: Job, found: Families, keys: NDArray[np.int64], names: list[str]
    ) -> Iterator[Message]:
        """The questions, and the families, with their `keys`, that the helpers' texts are in."""
        numbers = self.group.column("number")
        order = np.argsort(found.members, kind="stable")
        heads = offsets_of(np.bincount(found.members, minlength=len(self.group)))
        there = np.stack([self.helpers, self.held], axis=1)
        helpers, texts = _once(*np.concatenate([there, self.guests]).T).T
        for helper, rows in divided(helpers, job.parts):
            bounds, lines = taken(heads, texts[rows])
            yield Message(helper, "kin", arrays(
                number=np.repeat(numbers[texts[rows]], np.diff(bounds)),
                family=keys[found.owners[order[lines]]],
            ))  # fmt: skip
        for helper, rows in divided(self.asked, job.parts):
            left, right = numbers[self.pairs[rows]].T
            yield Message(helper, "ask", arrays(left=left.copy(), right=right.copy()))
        guests, places = np.unique(self.guests[:, 1], return_inverse=True)
        described = self.group.described(guests).select(LENT)
        for helper, rows in divided(self.guests[:, 0], job.parts):
            table = described.take(pa.array(places[rows]))
            yield from (Message(helper, "guest", batch) for batch in texts_in(table))
        for helper, rows in divided(self.holders[self.texts], job.parts):
            outlets = self.outlets[rows]
            called = pa.array(names, pa.string()).take(pa.array(outlets))
            own = numbers[self.texts[rows]]
            yield Message(helper, "name", arrays(number=own, outlet=outlets, name=called))


def _once(helpers: NDArray[Any], texts: NDArray[Any]) -> NDArray[np.int64]:
    """Helpers and texts, each pair of them once, sorted, int64 (n, 2)."""
    keys = np.unique(keys_of(np.stack([helpers, texts], axis=1)))
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


def answer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer the questions, and tell homes of all pairs that were found here."""
    inbox.put_aside(job.folder, f"early-{part}", telling.KINDS)
    if not job.folder.has(f"share-{part}"):
        return
    guests = [batch for _, batch in inbox.each("guest")]
    table = pa.Table.from_batches([*texts_of(job, part).to_batches(), *guests]).sort_by("number")
    once = np.diff(column(table, "number"), prepend=-1) != 0
    table = table.filter(pa.array(once)).combine_chunks()
    numbers, tokens = column(table, "number"), tokens_of(table)
    sources, pairs = _asked(inbox, numbers)
    asked = align(tokens, pairs, job.settings)
    at = sources[np.searchsorted(keys_of(pairs), asked.keys)]
    for place, rows in divided(at, job.parts):
        left, right = numbers[asked.pairs[rows]].T
        shares = np.concatenate([asked.matched[rows], asked.covered[rows]], axis=1)
        told = dict(zip(_SHARES, shares.T.copy(), strict=True))
        yield Message(place, "answer", arrays(left=left.copy(), right=right.copy(), **told))
    yield from _named(inbox, numbers, tokens)
    aligned = Aligned.merged([found_in(job, part, range(-1, ROUNDS + 1), numbers), asked])
    families, keys = _kin(inbox, numbers)
    nowhere = np.zeros(numbers.size, np.int32)  # no text is without tokens
    places = telling.Places(tokens, nowhere, nowhere)
    found = _found(table, aligned, families)
    yield from telling.Pairs(job, numbers, places, found, keys).messages()


def _asked(inbox: Inbox, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Who asks for pairs, and the pairs, sorted, by place among the articles `numbers`."""
    found = inbox.table("ask")
    if found is None:
        return np.empty(0, np.int32), NONE.pairs
    both = np.stack([column(found[1], name) for name in ("left", "right")], axis=1)
    pairs = np.searchsorted(numbers, both).astype(np.int32)
    order = np.argsort(keys_of(pairs))
    return found[0][order], pairs[order]


def _named(inbox: Inbox, numbers: NDArray[np.int64], tokens: Tokens) -> Iterator[Message]:
    """Which texts name the outlets that they were asked for."""
    for place, batch in inbox.each("name"):
        asked, codes = column(batch, "number"), column(batch, "outlet")
        called = batch["name"].dictionary_encode()
        texts = np.searchsorted(numbers, asked).astype(np.int32)
        which = called.indices.to_numpy().astype(np.int64)
        true = named(tokens, texts, called.dictionary.to_pylist(), which)
        yield Message(place, "named", arrays(number=asked[true], outlet=codes[true]))


def _kin(inbox: Inbox, numbers: NDArray[np.int64]) -> tuple[Families, NDArray[np.int64]]:
    """The families that texts are in, without spans, and their keys."""
    told = [batch for _, batch in inbox.each("kin")]
    members, families = (
        np.concatenate([np.empty(0, np.int64), *(column(batch, name) for batch in told)])
        for name in ("number", "family")
    )
    keys, which = np.unique(families, return_inverse=True)
    texts = np.searchsorted(numbers, members).astype(np.int32)
    return telling.families_of(keys.size, which, texts), keys


def _found(table: pa.Table, aligned: Aligned, families: Families) -> tables.Found:
    """What rows of pairs are made from; no article repeats another."""
    count, empty = table.num_rows, np.empty(0, np.int64)
    details = {name: table[name].combine_chunks() for name in ("id", "outlet")}
    details |= {name: pa.nulls(count, pa.string()) for name in ("url", "derived_from")}
    details["published"] = pa.nulls(count, pa.timestamp("us", "UTC"))
    sources = Sources.of(details, pa.Table.from_batches([], CREDITS).combine_chunks())
    return tables.Found(
        Articles.without_texts(table.select(["id"])), empty, empty, empty > 0, np.arange(count),
        np.empty((0, 16), np.uint8), aligned, column(table, "weights"), families, telling.NOWHERE, empty > 0,
        sources, np.empty((0, 6), np.int32), details["id"],
    )  # fmt: skip


class Answers:
    """What helpers have answered the place of families."""

    def __init__(self, inbox: Inbox) -> None:
        found, names = ([batch for _, batch in inbox.each(kind)] for kind in ("answer", "named"))
        none = np.empty(0, np.int64)
        sides = [
            np.concatenate([none, *(column(batch, side) for batch in found)]) for side in ("left", "right")
        ]
        self.pairs = np.stack(sides, axis=1)  # of articles
        empty = np.empty(0, np.int32)
        shares = [np.concatenate([empty, *(column(batch, name) for batch in found)]) for name in _SHARES]
        self.matched, self.covered = np.stack(shares[:2], axis=1), np.stack(shares[2:], axis=1)
        self.texts, self.outlets = (
            np.concatenate([none, *(column(batch, name) for batch in names)]) for name in ("number", "outlet")
        )

    def aligned(self, numbers: NDArray[np.int64]) -> Aligned:
        """The pairs of the articles `numbers` by place among them, without their passages."""
        rows = np.isin(self.pairs, numbers).all(axis=1)
        pairs = np.searchsorted(numbers, self.pairs[rows]).astype(np.int32)
        nothing = NONE.passages, np.zeros(len(pairs) + 1, np.int64)
        return Aligned(pairs, *nothing, self.matched[rows], self.covered[rows], np.zeros(len(pairs)))

    def named(self, articles: NDArray[np.int64], outlets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which articles were found to name the outlet that they were asked for, bool (n,)."""
        true: NDArray[np.bool_] = np.isin(articles << 32 | outlets, self.texts << 32 | self.outlets)
        return true
