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
from dedup.spark.homes import Home, marks_of
from dedup.spark.job import Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.tokens import Tokens
from dedup.verify import clusters
from dedup.weigh import weights


def _posted(
    home: Home, marks: NDArray[np.int32]
) -> Iterator[tuple[int, Tokens, Postings, list[tuple[int, NDArray[np.int64]]]]]:
    """Batch after batch its first row, its tokens, its postings, and which of them go to each partition."""
    job = home.job
    settings = job.settings
    bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
    compared = _compared(home)
    for first, stop in home.batches:
        tokens = home.tokens(first, stop, marks)
        found = candidates.postings(tokens.some(0, len(tokens), compared[first:stop]), settings, bands)
        yield first, tokens, found, list(divided(job.holders(found.keys), job.parts))


def _compared(home: Home) -> NDArray[np.bool_]:
    """Which texts are compared: long enough, and no repeats."""
    own = home.state("answers")["firsts"] == np.arange(home.first, home.first + len(home))
    compared: NDArray[np.bool_] = own & (home.state("facts")["lengths"] >= home.job.settings.min_tokens)
    return compared


def post(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the buckets that each text is in."""
    home = Home.of(job, part)
    marks = marks_of(home, inbox)
    weighed, totals = [np.empty(0, np.int64)], np.zeros(len(home), np.int32)
    for first, tokens, found, shares in _posted(home, marks):
        weighed.append(weights(tokens))
        totals[first : first + len(tokens)] = np.bincount(found.texts, minlength=len(tokens))
        for holder, rows in shares:
            yield Message(holder, "posting", arrays(key=found.keys[rows], text=found.texts[rows]))
    home.keep("marks", marks=marks, weights=np.concatenate(weighed), totals=totals)


def share(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer which postings stand in a bucket with another text's."""
    found = list(inbox.each("posting"))
    if not found:
        return
    bounds = offsets_of(np.array([len(batch) for _, batch in found], np.int64))
    keys = np.concatenate([column(batch, "key") for _, batch in found])
    texts = _numbered(found)
    keys, order = kernels.sort_postings(keys, np.arange(keys.size, dtype=np.int32), job.bits)
    shared = np.zeros(order.size, np.bool_)
    shared[_kept(keys, order, texts)] = True
    for (home, _), first, stop in zip(found, bounds[:-1], bounds[1:], strict=True):
        yield Message(home, "shared", arrays(bits=np.packbits(shared[first:stop])))


def _numbered(found: list[tuple[int, pa.RecordBatch]]) -> NDArray[np.int32]:
    """A number for the text of each posting, rising from batch to batch."""
    base, parts = 0, []
    for _, batch in found:
        texts = column(batch, "text")
        parts.append(texts + np.int32(base))
        base += int(texts.max(initial=0)) + 1
    return np.concatenate(parts)


def _kept(keys: NDArray[np.uint64], order: NDArray[np.int32], texts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Which postings stand in a bucket with another text's; `keys` are sorted, and used up."""
    counts = np.zeros(int(texts.max(initial=0)) + 1, np.int32)
    out_texts, out = np.empty_like(order), np.empty_like(order)
    numbers = np.arange(order.size, dtype=np.int32)
    return out[: kernels.keep_shared(keys, order, texts, numbers, counts, out_texts, out)]


def meet(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the shared postings, with what stands around them."""
    home = Home.of(job, part)
    kept = home.state("marks")
    answers: dict[int, list[NDArray[np.uint8]]] = {}
    for holder, batch in inbox.each("shared"):
        answers.setdefault(holder, []).append(column(batch, "bits"))
    shared = np.zeros(len(home), np.int32)
    told = []
    for first, tokens, found, shares in _posted(home, kept["marks"]):
        for holder, rows in shares:
            bits = answers[holder].pop(0)
            rows = rows[np.unpackbits(bits, count=rows.size).astype(np.bool_)]
            if rows.size:
                some = Postings(*(values[rows] for values in found))
                shared[first : first + len(tokens)] += np.bincount(some.texts, minlength=len(tokens)).astype(np.int32)
                told.append((holder, first, some, _around(job, tokens, some)))
    home.keep("shared", shared=shared)
    purity = candidates.purities(shared, kept["totals"])
    for holder, first, some, around in told:
        texts, places = np.unique(some.texts, return_inverse=True)
        yield Message(holder, "rank", arrays(
            row=texts + np.int32(first), purity=purity[texts + first].astype(np.uint8), shared=shared[texts + first]
        ))  # fmt: skip
        yield Message(holder, "met", arrays(
            key=some.keys, text=places.astype(np.uint16 if texts.size < 2**16 else np.int32), spot=some.spots, **around[0]
        ))  # fmt: skip
        yield Message(holder, "around", around[1])
        yield Message(holder, "words", around[2])


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
    met, around = [], []
    each = (inbox.each(kind) for kind in ("rank", "met", "around", "words"))
    ranked = []
    for (source, rank), (_, batch), (_, codes), (_, words) in zip(*each, strict=True):
        numbers = job.bases[source] + column(rank, "row").astype(np.int64)
        ranked.append((numbers, column(rank, "purity"), column(rank, "shared")))
        met.append((column(batch, "key"), numbers[column(batch, "text")], column(batch, "spot"), column(batch, "brief")))
        known = np.stack([column(batch, "before"), column(batch, "behind")], axis=1)
        low, middle, high = (column(codes, name).astype(np.int32) for name in ("low", "middle", "high"))
        around.append((known, column(words, "word")[low | middle << 8 | high << 16]))
    if not met:
        return
    keys, numbers, spots, brief = (np.concatenate(some) for some in zip(*met, strict=True))
    known = np.concatenate([some for some, _ in around])
    spelled = np.zeros((keys.size, 2, beside), np.uint32)
    spelled[np.arange(beside) < known[:, :, None]] = np.concatenate([words for _, words in around])
    texts, dense, ranks = _ranked(ranked, numbers)
    keys, order = _sorted(keys, dense, job.bits)
    found = Postings(keys, dense[order], spots[order])
    pairs, crowd = candidates.filled(found, spelled[order], known[order], brief[order], ranks, REACH, FEW)
    yield from _to_homes(job, texts, pairs)
    missing = candidates.missing(crowd)
    owners = texts[candidates.texts_of(crowd)]
    homes = job.homes(owners)
    for home, rows in divided(homes, job.parts):
        yield Message(home, "crowd", arrays(
            row=(owners[rows] - job.bases[home]).astype(np.int32),
            spot=candidates.spots_of(crowd[rows]), missing=missing[rows],
        ))  # fmt: skip


def _ranked(
    ranked: list[tuple[NDArray[Any], ...]], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """The texts' numbers, rising; the place among them of each of `numbers`; and their ranks."""
    whole, purity, shared = (np.concatenate(some) for some in zip(*ranked, strict=True))
    texts, firsts = np.unique(whole, return_index=True)
    ranks = candidates.ranks_of(shared[firsts], purity[firsts].astype(np.int32))
    return texts, np.searchsorted(texts, numbers).astype(np.int32), ranks


def _sorted(
    keys: NDArray[np.uint64], dense: NDArray[np.int32], bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Postings by key, then text, then the order in which they came."""
    order = np.argsort(dense, kind="stable").astype(np.int32)
    found: tuple[NDArray[np.uint64], NDArray[np.int32]] = kernels.sort_postings(keys[order], order, bits)
    return found


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


def _gathered(
    home: Home, inbox: Inbox
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint16], NDArray[np.int32]]:
    """The texts of the pairs that met; each pair once, packed; how often it met, and each text at most."""
    parts = [(column(batch, "left"), column(batch, "right"), column(batch, "evidence")) for _, batch in inbox.each("pair")]
    parts.append((np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint8)))
    lefts, rights, evidence = (np.concatenate(some) for some in zip(*parts, strict=True))
    numbers = home.first + lefts.astype(np.int64)
    texts = np.unique(np.concatenate([numbers, rights.astype(np.int64)]))
    pairs = np.searchsorted(texts, numbers).astype(np.uint64) << np.uint64(33)
    pairs |= np.searchsorted(texts, rights).astype(np.uint64) << np.uint64(2) | evidence
    pairs.sort()
    counts, most = np.empty(pairs.size, np.uint16), np.zeros(texts.size, np.int32)
    kept = kernels.count_meetings(pairs, counts, most)
    return texts, pairs[:kept], counts[:kept], most


def count(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Count how often pairs met, and tell the homes of both how often a text met another at most."""
    home = Home.of(job, part)
    texts, pairs, counts, most = _gathered(home, inbox)
    home.keep("met", texts=texts, pairs=pairs, counts=counts)
    crowd = [np.empty((0, 3), np.int32)]
    for _, batch in inbox.each("crowd"):
        crowd.append(np.stack([column(batch, name).astype(np.int32) for name in ("row", "spot", "missing")], axis=1))
    home.keep("crowd", crowd=np.concatenate(crowd))
    for other, rows in divided(job.homes(texts), job.parts):
        yield Message(other, "most", arrays(row=(texts[rows] - job.bases[other]).astype(np.int32), most=most[rows]))


def look_closer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tell those who hold them of the windows around what texts may have missed in a crowd."""
    home = Home.of(job, part)
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
    for first, stop in home.batches:
        own = crowd[slice(*np.searchsorted(crowd[:, 0], (first, stop)))]
        if not own.size:
            continue
        tokens = home.tokens(first, stop, kept["marks"])
        found = candidates.closer(tokens, own[:, 0] - np.int32(first), own[:, 1].copy(), job.settings)
        for holder, rows in divided(job.holders(found.keys), job.parts):
            texts = found.texts[rows] + np.int32(first)
            yield Message(holder, "window", arrays(
                key=found.keys[rows], text=texts, purity=purity[texts].astype(np.uint8), shared=shared[texts],
                brief=lengths[texts] < SHORT,
            ))  # fmt: skip


def pair_closer(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Let texts meet that share a whole window."""
    found = inbox.table("window")
    if found is None:
        return
    sources, table = found
    numbers = job.bases[sources] + column(table, "text")
    ranked = [(numbers, column(table, "purity"), column(table, "shared"))]
    texts, dense, ranks = _ranked(ranked, numbers)
    keys, order = _sorted(column(table, "key"), dense, job.bits)
    rows = np.empty_like(order)
    rows[order] = np.arange(order.size, dtype=np.int32)
    some = np.sort(rows[_kept(keys.copy(), order, dense)])
    keys, own = keys[some], order[some]
    postings = Postings(keys, dense[own], np.full(keys.size, kernels.OF_WINDOW, np.int32))
    beside = job.settings.guarantee - job.settings.shingle
    around, known = np.zeros((keys.size, 2, beside), np.uint32), np.zeros((keys.size, 2), np.uint8)
    brief = column(table, "brief")[own]
    pairs, _ = candidates.filled(postings, around, known, brief, ranks, 0, FEW_CLOSER)
    yield from _to_homes(job, texts, pairs)


def reduce(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the candidates whose first texts are at home here, and the edges that join close ones."""
    home = Home.of(job, part)
    met = home.state("met")
    further, pairs, counts, _ = _gathered(home, inbox)
    texts = np.union1d(met["texts"], further)
    found = candidates.reduced(
        _renumbered(met["pairs"], met["texts"], texts), met["counts"], _renumbered(pairs, further, texts), counts
    )
    firsts = clusters(found, texts.size)
    joined = np.flatnonzero(firsts != np.arange(texts.size))
    home.keep("edges", edges=np.stack([texts[joined], texts[firsts[joined]]], axis=1))
    home.keep("candidates", pairs=texts[found.pairs], buckets=found.buckets, needed=found.needed)
    yield Message(part, "count", arrays(edges=np.array([joined.size])))


def _renumbered(
    pairs: NDArray[np.uint64], texts: NDArray[np.int64], among: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Packed pairs of `texts` as pairs of those that they are `among`; both rise."""
    places = np.searchsorted(among, texts).astype(np.uint64)
    lefts, rights = places[pairs >> np.uint64(33)], places[pairs >> np.uint64(2) & np.uint64(0x7FFFFFFF)]
    return lefts << np.uint64(33) | rights << np.uint64(2) | pairs & np.uint64(3)
