"""Meetings: articles that share a bucket become candidate pairs (the stages of `dedup.candidates`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import candidates
from dedup.candidates import FEW, FEW_CLOSER, REACH, SHORT, Postings
from dedup.csr import offsets_of
from dedup.kernels import buckets as kernels
from dedup.kernels.rows import dictionary
from dedup.lsh import bands_for
from dedup.spark.graph import joined, keep
from dedup.spark.homes import Home, marks_of
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.tokens import Tokens
from dedup.verify import CLOSE
from dedup.weigh import weights


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
    """Tell those who hold them of the buckets that each text is in."""
    home = Home(job, part)
    marks = marks_of(home, inbox)
    tokens, found = _posted(home, marks)
    totals = np.bincount(found.texts, minlength=len(home)).astype(np.int32)
    home.keep("marks", marks=marks, weights=weights(tokens), totals=totals)
    for holder, rows in divided(job.holders(found.keys), job.parts):
        yield Message(holder, "posting", arrays(key=found.keys[rows], text=found.texts[rows]))


def share(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer which postings stand in a bucket with another text's."""
    found = list(inbox.each("posting"))
    if not found:
        return
    bounds = offsets_of(np.array([len(batch) for _, batch in found], np.int64))
    keys = np.concatenate([column(batch, "key") for _, batch in found])
    texts = np.concatenate([job.bases[home] + column(batch, "text") for home, batch in found])  # rising
    keys, order = kernels.sort_postings(keys, np.arange(keys.size, dtype=np.int32), job.bits)
    shared = np.empty(order.size, np.bool_)
    shared[order] = _shared(keys, texts[order])
    for (home, _), first, stop in zip(found, bounds[:-1], bounds[1:], strict=True):
        yield Message(home, "shared", arrays(bits=np.packbits(shared[first:stop])))


def _shared(keys: NDArray[np.uint64], texts: NDArray[Any]) -> NDArray[np.bool_]:
    """Which postings, sorted by key, then text, stand in a bucket with another text's, bool (n,)."""
    firsts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: keys.size])
    bounds = np.append(firsts, keys.size)
    several = texts[firsts] != texts[bounds[1:] - 1]
    return np.repeat(several, np.diff(bounds))


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the shared postings, with what stands around them."""
    home = Home(job, part)
    kept = home.state("marks")
    tokens, found = _posted(home, kept["marks"])
    answers = {holder: column(batch, "bits") for holder, batch in inbox.each("shared")}
    chosen = {
        holder: rows[np.unpackbits(answers[holder], count=rows.size).astype(np.bool_)]
        for holder, rows in divided(job.holders(found.keys), job.parts)
    }
    shared = np.zeros(len(home), np.int32)
    for rows in chosen.values():
        shared += np.bincount(found.texts[rows], minlength=len(home)).astype(np.int32)
    home.keep("shared", shared=shared)
    purity = candidates.purities(shared, kept["totals"])
    for holder, rows in chosen.items():
        some = Postings(found.keys[rows], found.texts[rows], found.spots[rows])
        texts, places = np.unique(some.texts, return_inverse=True)
        told, codes, words = _around(job, tokens, some)
        yield Message(holder, "rank", arrays(
            row=texts, purity=purity[texts].astype(np.uint8), shared=shared[texts]
        ))  # fmt: skip
        yield Message(
            holder, "met", arrays(key=some.keys, text=places.astype(np.int32), spot=some.spots, **told)
        )
        yield Message(holder, "around", codes)
        yield Message(holder, "words", words)


def _around(
    job: Job, tokens: Tokens, some: Postings
) -> tuple[dict[str, NDArray[Any]], pa.RecordBatch, pa.RecordBatch]:
    """How much is known around postings; the tokens there, by number; and the tokens that have numbers."""
    settings = job.settings
    count, beside = some.keys.size, settings.guarantee - settings.shingle
    around, known = np.empty((count, 2, beside), np.uint32), np.empty((count, 2), np.uint8)
    brief = np.empty(count, np.bool_)
    kernels.surroundings(
        some.texts, some.spots, tokens.hashes, tokens.offsets, settings.shingle, SHORT, around, known, brief
    )
    words = around[np.arange(beside) < known[:, :, None]]
    room = np.full(1 << max(4, int(2 * words.size).bit_length()), -1, np.int32)
    codes, distinct = np.empty(words.size, np.int32), np.empty(words.size, np.uint32)
    distinct = distinct[: dictionary(words, room, codes, distinct)]
    low, middle, high = (codes.view(np.uint8)[place::4] for place in range(3))
    return (
        {"before": known[:, 0], "behind": known[:, 1], "brief": brief},
        arrays(low=low.copy(), middle=middle.copy(), high=high.copy()),
        arrays(word=distinct),
    )


def pair(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Let the texts in each bucket meet; tell their homes which pairs met, and who stands in a crowd."""
    beside = job.settings.guarantee - job.settings.shingle
    ranked, met, around, base = [], [], [], 0
    each = (inbox.each(kind) for kind in ("rank", "met", "around", "words"))
    for (source, rank), (_, batch), (_, codes), (_, words) in zip(*each, strict=True):
        numbers = job.bases[source] + column(rank, "row")
        ranked.append((numbers, column(rank, "purity"), column(rank, "shared")))
        texts = column(batch, "text") + np.int32(base)
        met.append((column(batch, "key"), texts, column(batch, "spot"), column(batch, "brief")))
        known = np.stack([column(batch, "before"), column(batch, "behind")], axis=1)
        low, middle, high = (column(codes, name).astype(np.int32) for name in ("low", "middle", "high"))
        around.append((known, column(words, "word")[low | middle << 8 | high << 16]))
        base += numbers.size
    if not met:
        return
    keys, texts, spots, brief = (np.concatenate(some) for some in zip(*met, strict=True))
    known = np.concatenate([some for some, _ in around])
    spelled = np.zeros((keys.size, 2, beside), np.uint32)
    spelled[np.arange(beside) < known[:, :, None]] = np.concatenate([words for _, words in around])
    numbers, purity, shared = (np.concatenate(some) for some in zip(*ranked, strict=True))
    ranks = candidates.ranks_of(shared, purity.astype(np.int32))
    keys, order = kernels.sort_postings(keys, np.arange(keys.size, dtype=np.int32), job.bits)
    found = Postings(keys, texts[order], spots[order])
    pairs, crowd = candidates.filled(found, spelled[order], known[order], brief[order], ranks, REACH, FEW)
    yield from _to_homes(job, numbers, pairs)
    missing = candidates.missing(crowd)
    owners = numbers[candidates.texts_of(crowd)]
    for home, rows in divided(job.homes(owners), job.parts):
        yield Message(home, "crowd", arrays(
            row=(owners[rows] - job.bases[home]).astype(np.int32), spot=candidates.spots_of(crowd[rows]),
            missing=missing[rows],
        ))  # fmt: skip


def _to_homes(job: Job, texts: NDArray[np.int64], pairs: NDArray[np.uint64]) -> Iterator[Message]:
    """Send packed pairs of texts to the homes of the first of each."""
    pairs = np.sort(pairs)
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
    pairs = np.concatenate(parts)
    pairs.sort()
    last = np.flatnonzero(np.append(np.diff(pairs >> np.uint64(2)) != 0, True)[: pairs.size])
    return pairs[last], np.minimum(np.diff(last, prepend=-1), kernels.MOST).astype(np.uint16)


def count(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Count how often pairs met, and tell the homes of both how often a text met another at most."""
    home = Home(job, part)
    pairs, counts = _gathered(inbox)
    home.keep("met", pairs=pairs, counts=counts)
    crowd = [np.empty((0, 3), np.int32)]
    for _, batch in inbox.each("crowd"):
        columns = [column(batch, name).astype(np.int32) for name in ("row", "spot", "missing")]
        crowd.append(np.stack(columns, axis=1))
    home.keep("crowd", crowd=np.concatenate(crowd))
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
    crowd = home.state("crowd")["crowd"]
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
    for holder, rows in divided(job.holders(every_key), job.parts):
        text = every_text[rows]
        yield Message(holder, "window", arrays(
            key=every_key[rows], text=text, purity=purity[text].astype(np.uint8), shared=shared[text],
            brief=lengths[text] < SHORT,
        ))  # fmt: skip


def pair_closer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Let texts meet that share a whole window."""
    found = inbox.table("window")
    if found is None:
        return
    sources, table = found
    numbers = job.bases[sources] + column(table, "text")  # rising
    first = np.flatnonzero(np.diff(numbers, prepend=-1))
    dense = (np.cumsum(np.diff(numbers, prepend=-1) != 0) - 1).astype(np.int32)
    ranks = candidates.ranks_of(
        column(table, "shared")[first], column(table, "purity")[first].astype(np.int32)
    )
    rows = np.arange(numbers.size, dtype=np.int32)
    keys, order = kernels.sort_postings(column(table, "key"), rows, job.bits)
    some = _shared(keys, dense[order])
    keys, own = keys[some], order[some]
    postings = Postings(keys, dense[own], np.full(keys.size, kernels.OF_WINDOW, np.int32))
    beside = job.settings.guarantee - job.settings.shingle
    around, known = np.zeros((keys.size, 2, beside), np.uint32), np.zeros((keys.size, 2), np.uint8)
    brief = column(table, "brief")[own]
    pairs, _ = candidates.filled(postings, around, known, brief, ranks, 0, FEW_CLOSER)
    yield from _to_homes(job, numbers[first], pairs)


def reduce(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the candidates whose first texts are at home here, and the edges that join close ones."""
    home = Home(job, part)
    met = home.state("met")
    found = candidates.reduced(met["pairs"], met["counts"], *_gathered(inbox))
    pairs = found.pairs.astype(np.int64)
    pairs[:, 0] += home.first
    edges = joined(pairs[found.buckets >= CLOSE])
    edges = edges[edges[:, 0] != edges[:, 1]]
    keep(job, part, 0, edges)
    home.keep("candidates", pairs=pairs, buckets=found.buckets, needed=found.needed)
    yield Message(part, "count", arrays(edges=np.array([len(edges)])))
