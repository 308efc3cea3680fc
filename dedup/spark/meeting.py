"""Meetings: articles that share a bucket become candidate pairs (the stages of `dedup.candidates`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup import candidates
from dedup.candidates import FEW, FEW_CLOSER, REACH, Postings
from dedup.csr import offsets_of
from dedup.kernels import buckets as kernels
from dedup.lsh import bands_for
from dedup.spark import buckets
from dedup.spark.buckets import Met
from dedup.spark.graph import joined, keep
from dedup.spark.homes import Home, marks_of
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.tokens import Tokens
from dedup.verify import CLOSE
from dedup.weigh import weights

_CROWD = ("row", "spot", "missing")


def _posted(home: Home, marks: NDArray[np.int32]) -> tuple[Tokens, Postings]:
    """The tokens of a home, without places, and its postings."""
    settings = home.job.settings
    bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
    compared, none = _compared(home), np.empty(0, np.int32)
    parts, found = [], [Postings(np.empty(0, np.uint64), none, none)]
    for first, stop in home.batches:
        tokens = home.tokens(first, stop, marks)
        own = candidates.postings(tokens.some(0, len(tokens), compared[first:stop]), settings, bands)
        found.append(own._replace(texts=own.texts + np.int32(first)))
        parts.append(Tokens(tokens.hashes, none, none, tokens.flags, tokens.offsets))
    return Tokens.concatenated(parts), Postings(*(np.concatenate(some) for some in zip(*found, strict=True)))


def _compared(home: Home) -> NDArray[np.bool_]:
    """Which texts are compared: long enough, and no repeats."""
    own = home.state("answers")["firsts"] == np.arange(home.first, home.first + len(home))
    compared: NDArray[np.bool_] = own & (home.state("facts")["lengths"] >= home.job.settings.min_tokens)
    return compared


def post(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the buckets that texts are in, and in which there are several of them."""
    home = Home(job, part)
    marks = marks_of(home, inbox)
    tokens, found = _posted(home, marks)
    totals = np.bincount(found.texts, minlength=len(home)).astype(np.int32)
    home.keep("marks", marks=marks, weights=weights(tokens), totals=totals)
    keys, _, several = buckets.distinct(found)
    for holder, rows in divided(job.holders(keys), job.parts):
        yield Message(holder, "bucket", arrays(key=keys[rows], several=several[rows]))


def share(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer which buckets have several texts."""
    found = list(inbox.each("bucket"))
    if not found:
        return
    bounds = offsets_of(np.array([len(batch) for _, batch in found], np.int64))
    keys = np.concatenate([column(batch, "key") for _, batch in found])
    several = np.concatenate([column(batch, "several") for _, batch in found])
    keys, order = kernels.sort_postings(keys, np.arange(keys.size, dtype=np.int32), job.bits)
    again = ~buckets.changes(keys)  # of another home
    places = np.cumsum(~again) - 1
    shared = np.empty(order.size, np.bool_)
    shared[order] = (np.bincount(places, again | several[order]) > 0)[places]
    for (home, _), first, stop in zip(found, bounds[:-1], bounds[1:], strict=True):
        yield Message(home, "shared", arrays(bits=np.packbits(shared[first:stop])))


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the shared postings, with what stands around them."""
    home = Home(job, part)
    kept = home.state("marks")
    tokens, found = _posted(home, kept["marks"])
    answers = {holder: column(batch, "bits") for holder, batch in inbox.each("shared")}
    keys, places, _ = buckets.distinct(found)
    shared_keys = np.zeros(keys.size, np.bool_)
    for holder, rows in divided(job.holders(keys), job.parts):
        shared_keys[rows] = np.unpackbits(answers[holder], count=rows.size)
    rows = np.flatnonzero(shared_keys[places])
    shared = np.bincount(found.texts[rows], minlength=len(home)).astype(np.int32)
    home.keep("shared", shared=shared)
    purity = candidates.purities(shared, kept["totals"])
    about = home.numbers, purity, shared
    ranks = candidates.ranks_of(shared, purity)
    held, split = buckets.held_back(job, places[rows], found.texts[rows], ranks, REACH, FEW)

    def met(own: NDArray[np.int64]) -> Met:
        some = rows[own]
        return Met.of(job, tokens, Postings(found.keys[some], found.texts[some], found.spots[some]), *about)

    if held.any():
        home.keep("held-met", **met(np.flatnonzero(held)).arrays())
    sent = np.flatnonzero(~held)
    for holder, some in divided(job.holders(found.keys[rows[sent]]), job.parts):
        own = sent[some]
        yield from met(own).messages(holder, split[own])


def pair(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Let the texts in each bucket meet; tell homes which pairs met, who stands in a crowd, and of hubs."""
    yield from _met(job, inbox, REACH, FEW)


def _met(job: Job, inbox: Inbox, reach: int, few: int) -> Iterator[Message]:
    holding = buckets.Holding.of(job, inbox)
    if holding is None:
        return
    numbers = holding.met.numbers
    yield from holding.hubs(few)
    for pairs, crowd in holding.pairs(reach, few):
        yield from _to_homes(job, numbers, pairs)
        owners = numbers[candidates.texts_of(crowd)]
        for home, rows in divided(job.homes(owners), job.parts):
            standing = _standing(owners[rows] - job.bases[home], crowd[rows])
            yield Message(home, "crowd", arrays(**dict(zip(_CROWD, standing.T.copy(), strict=True))))


def _standing(rows: NDArray[np.int64], crowd: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Who stands in a crowd, by row, where, and whether it misses something there, int32 (n, 3)."""
    return np.stack([rows, candidates.spots_of(crowd), candidates.missing(crowd)], axis=1).astype(np.int32)


def meet_hubs(name: str, few: int, job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep by `name` what has met so far, and who stands in a crowd; let those held back meet their hubs."""
    home = Home(job, part)
    pairs, counts = _gathered(inbox)
    crowd = [np.empty((0, 3), np.int32)]
    for _, batch in inbox.each("crowd"):
        crowd.append(np.stack([column(batch, name).astype(np.int32) for name in _CROWD], axis=1))
    hubs = buckets.received(job, inbox)
    if hubs is not None:
        held = Met.of_arrays(job, home.state(f"held-{name}"))
        numbers, further, standing = buckets.meet_hubs(held, hubs[-1], few)
        yield from _to_homes(job, numbers, further)
        crowd.append(_standing(numbers[candidates.texts_of(standing)] - home.first, standing))
    home.keep(name, pairs=pairs, counts=counts, crowd=np.concatenate(crowd))


def _to_homes(job: Job, texts: NDArray[np.int64], pairs: NDArray[np.uint64]) -> Iterator[Message]:
    """Send packed pairs of texts to the homes of the first of each."""
    pairs = kernels.sort_pairs(pairs)
    lefts = texts[pairs >> np.uint64(33)]
    rights = texts[pairs >> np.uint64(2) & np.uint64(0x7FFFFFFF)]
    evidence = (pairs & np.uint64(3)).astype(np.uint8)
    for home, rows in divided(job.homes(lefts), job.parts):
        yield Message(home, "pair", arrays(
            left=(lefts[rows] - job.bases[home]).astype(np.uint32),
            right=rights[rows].astype(np.uint32), evidence=evidence[rows],
        ))  # fmt: skip


def _gathered(inbox: Inbox) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Each pair that met, once, as row << 33 | number << 2 | evidence, sorted; and how often it met."""
    parts = [np.empty(0, np.uint64)]
    for _, batch in inbox.each("pair"):
        left, right = column(batch, "left").astype(np.uint64), column(batch, "right").astype(np.uint64)
        parts.append(left << np.uint64(33) | right << np.uint64(2) | column(batch, "evidence"))
    pairs = kernels.sort_pairs(np.concatenate(parts))
    last = _lasts(pairs)
    return pairs[last], np.minimum(np.diff(last, prepend=-1), kernels.MOST).astype(np.uint16)


def _lasts(pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The last of each pair, which has the best evidence, among sorted ones."""
    return np.flatnonzero(np.append(np.diff(pairs >> np.uint64(2)) != 0, True)[: pairs.size])


def _all_met(kept: dict[str, NDArray[Any]], inbox: Inbox) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Pairs as `_gathered` has them: those that were kept, and those that have met since."""
    if not inbox.has("pair"):
        return kept["pairs"], kept["counts"]
    further, times = _gathered(inbox)
    pairs, counts = np.concatenate([kept["pairs"], further]), np.concatenate([kept["counts"], times])
    order = np.argsort(pairs, kind="stable")
    last = _lasts(pairs[order])
    totals = np.diff(np.cumsum(counts[order], dtype=np.int64)[last], prepend=0)
    return pairs[order[last]], np.minimum(totals, kernels.MOST).astype(np.uint16)


def count(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Count how often pairs met, and tell the homes of both how often a text met another at most."""
    home = Home(job, part)
    pairs, counts = _all_met(home.state("met"), inbox)
    home.keep("counted", pairs=pairs, counts=counts)
    lefts = (pairs >> np.uint64(33)).astype(np.int64) + home.first
    rights = (pairs >> np.uint64(2) & np.uint64(0x7FFFFFFF)).astype(np.int64)
    ends, often = np.concatenate([lefts, rights]), np.concatenate([counts, counts])
    order = np.lexsort((often, ends))
    last = order[np.flatnonzero(np.append(np.diff(ends[order]) != 0, True)[: ends.size])]
    for other, rows in divided(job.homes(ends[last]), job.parts):
        own = last[rows]
        row = (ends[own] - job.bases[other]).astype(np.int32)
        yield Message(other, "most", arrays(row=row, most=often[own].astype(np.int32)))


def look_closer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the windows around what texts may have missed in a crowd."""
    home = Home(job, part)
    kept, shared = home.state("marks"), home.state("shared")["shared"]
    most = np.zeros(len(home), np.int32)
    for _, batch in inbox.each("most"):
        np.maximum.at(most, column(batch, "row"), column(batch, "most"))
    lengths = home.state("facts")["lengths"]
    scattered = candidates.scattered(lengths, most, shared, kept["totals"])
    crowd = home.state("met")["crowd"]
    crowd = crowd[(crowd[:, 2] != 0) | scattered[crowd[:, 0]]]
    crowd = crowd[np.lexsort((crowd[:, 2], crowd[:, 1], crowd[:, 0]))]
    purity = candidates.purities(shared, kept["totals"])
    keys, texts = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
    for first, stop in home.batches:
        own = crowd[slice(*np.searchsorted(crowd[:, 0], (first, stop)))]
        if own.size:
            tokens = home.tokens(first, stop, kept["marks"])
            found = candidates.closer(tokens, own[:, 0] - np.int32(first), own[:, 1].copy(), job.settings)
            keys.append(found.keys)
            texts.append(found.texts + np.int32(first))
    every_key, every_text = np.concatenate(keys), np.concatenate(texts)
    about = lengths, home.numbers, purity, shared
    _, places, _ = buckets.distinct(Postings(every_key, every_text, every_text))
    ranks = candidates.ranks_of(shared, purity)
    held, split = buckets.held_back(job, places, every_text, ranks, 0, FEW_CLOSER)
    if held.any():
        home.keep("held-further", **Met.of_windows(job, every_key[held], every_text[held], *about).arrays())
    sent = np.flatnonzero(~held)
    for holder, some in divided(job.holders(every_key[sent]), job.parts):
        rows = sent[some]
        yield from Met.of_windows(job, every_key[rows], every_text[rows], *about).messages(
            holder, split[rows]
        )


def pair_closer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Let texts meet that share a whole window."""
    yield from _met(job, inbox, 0, FEW_CLOSER)


def reduce(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the candidates whose first texts are at home here, and the edges that join close ones."""
    home = Home(job, part)
    met = home.state("counted")
    found = candidates.reduced(met["pairs"], met["counts"], *_all_met(home.state("further"), inbox))
    pairs = found.pairs.astype(np.int64)
    pairs[:, 0] += home.first
    edges = joined(pairs[found.buckets >= CLOSE], int(job.bases[-1]))
    edges = edges[edges[:, 0] != edges[:, 1]]
    keep(job, part, 0, edges)
    home.keep("candidates", pairs=pairs, buckets=found.buckets, needed=found.needed)
    yield Message(part, "count", arrays(edges=np.array([len(edges)])))
