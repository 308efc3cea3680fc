"""Homes: articles sorted by id, each partition a range of them, and what is made of their texts there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dedup.agencies import CREDITS, declared_rows, renumbered
from dedup.csr import batches, offsets_of
from dedup.io.hosts import plain
from dedup.io.kept import Kept
from dedup.kernels import weigh as kernels
from dedup.repeats import digests
from dedup.schema import INPUT, READ, SKETCH
from dedup.sketch import Sketches, sketches_of, tokens_of
from dedup.spark.job import MIX, Job
from dedup.spark.messages import Inbox, Message, arrays, column, divided, sizes_of
from dedup.store import Elsewhere, Texts
from dedup.tokens import BATCH_BYTES, Tokens
from dedup.weigh import LARGEST, RELATED, STORIES, Paragraphs, days

# Nothing, in the columns of what is made of a batch of texts: paragraphs, and what is known of each text.
_PARAGRAPHS = (np.empty(0, np.uint64), *np.empty((3, 0), np.int32))
_FACTS = (*np.empty((2, 0), np.int64), np.empty((0, 16), np.uint8), *np.empty((2, 0), np.int32))


@dataclass(frozen=True)
class Home:
    """The articles of one partition; row r is number `first + r` of all."""

    job: Job
    part: int

    def __len__(self) -> int:
        first, stop = self.job.home(self.part)
        return stop - first

    @property
    def first(self) -> int:
        """The number of its first article."""
        return self.job.home(self.part)[0]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of its articles."""
        return np.arange(*self.job.home(self.part))

    @cached_property
    def table(self) -> pa.Table:
        """The articles, of `schema.READ`, sorted by id, as `reading.settle` wrote them; one chunk."""
        found = self.job.folder.read_batches(f"home-{self.part}")
        return pa.Table.from_batches(found, READ).combine_chunks()

    def column(self, name: str) -> pa.Array:
        """One column of `schema.READ`."""
        chunked = self.table[name]
        return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)

    @cached_property
    def batches(self) -> list[tuple[int, int]]:
        """Bounds of the texts that are handled in one go."""
        return batches(sizes_of(self.table), self.job.settings.batch_size, BATCH_BYTES)

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """What an earlier step kept here."""
        return self.job.folder.read_arrays(f"{name}-{self.part}")

    def keep(self, name: str, **made: NDArray[Any]) -> None:
        """Keep something for later steps."""
        self.job.folder.write_arrays(f"{name}-{self.part}", made)

    def tokens(self, first: int, stop: int, marks: NDArray[np.int32] | None = None) -> Tokens:
        """The tokens of some texts; `marks` int32 (n, 3): rows, first tokens and lengths of boilerplate."""
        found = tokens_of(*self._some(first, stop))
        if marks is not None:
            own = slice(*np.searchsorted(marks[:, 0], (first, stop)))
            mark(found, marks[own] - np.array([first, 0, 0], np.int32))
        return found

    def sketches(self, first: int, stop: int) -> Sketches:
        """The sketches of some texts."""
        return sketches_of(*self._some(first, stop))

    def _some(self, first: int, stop: int) -> tuple[pa.Array, pa.RecordBatch]:
        """Some texts, and the sketches of those that were kept."""
        columns = [self.column(name).slice(first, stop - first) for name in SKETCH.names]
        return self.column("text").slice(first, stop - first), pa.record_batch(columns, SKETCH)

    @property
    def texts(self) -> Texts:
        """The texts; those that an earlier report kept are read from there."""
        places = self.column("kept").fill_null(-1).to_numpy()
        elsewhere = Elsewhere(Kept(self.job.earlier), places, self.column("id"))
        return Texts.of(self.column("text"), self.job.settings.memory * 10**6, elsewhere)


def mark(tokens: Tokens, marks: NDArray[np.int32]) -> None:
    """Set the BOILERPLATE flag of runs of tokens: texts, first tokens in them, lengths, int32 (n, 3)."""
    texts, firsts, sizes = marks.T
    kernels.mark(tokens.flags, tokens.offsets[texts] + firsts, sizes.copy())


def look(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Tokenise; tell those who hold their hashes of texts and of paragraphs, of those that are alike once."""
    home = Home(job, part)
    parts: list[tuple[NDArray[Any], ...]] = []
    facts, said = [], [pa.record_batch([pa.array([], field.type) for field in CREDITS], CREDITS)]
    for first, stop in home.batches:
        tokens, characters, credits = home.sketches(first, stop)
        found = Paragraphs.of(tokens)
        places = (found.firsts - tokens.offsets[found.texts]).astype(np.int32)
        parts.append((found.keys, found.texts + np.int32(first), places, found.lengths))
        said.append(renumbered(credits, credits["article"].to_numpy() + first))
        there = tokens.lengths > 0
        starts, ends = np.zeros((2, len(tokens)), np.int32)
        starts[there] = tokens.starts[tokens.offsets[:-1][there]]
        ends[there] = tokens.ends[tokens.offsets[1:][there] - 1]
        facts.append((tokens.lengths, characters, digests(tokens), starts, ends))
    keys, texts, firsts, sizes = _joined(parts, _PARAGRAPHS)
    lengths, characters, keys_of, starts, ends = _joined(facts, _FACTS)
    home.keep("paragraphs", keys=keys, texts=texts, firsts=firsts, lengths=sizes)
    home.keep("facts", lengths=lengths, characters=characters, digests=keys_of, starts=starts, ends=ends)
    _keep_credits(home, said)
    judged = np.flatnonzero(lengths >= job.settings.min_tokens)
    low, high = np.ascontiguousarray(keys_of).view(np.uint64).reshape(-1, 2)[judged].T
    alike = _first_alike(low, high)
    leads = np.arange(len(home))
    leads[judged] = judged[alike]
    home.keep("leads", leads=leads)
    once = np.unique(alike)
    for holder, rows in divided(job.holders(low[once]), job.parts):
        own = once[rows]
        yield Message(
            holder, "digest", arrays(low=low[own], high=high[own], row=judged[own].astype(np.int32))
        )
    mixed, known = _mixed(home, keys, texts)
    groups, times = np.unique(mixed[known], return_counts=True)
    for holder, rows in divided(job.holders(groups), job.parts):
        yield Message(holder, "paragraph", arrays(group=groups[rows], times=times[rows].astype(np.int32)))
    if job.derives:
        yield from _names(home)


def _first_alike(low: NDArray[np.uint64], high: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The first row with the same digest as each, int64 (n,)."""
    order = np.lexsort((low, high))
    new = np.ones(order.size, np.bool_)
    new[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    first = np.empty(order.size, np.int64)
    first[order] = order[np.flatnonzero(new)[np.cumsum(new) - 1]]
    return first


def _joined(
    batches: Sequence[tuple[NDArray[Any], ...]], none: tuple[NDArray[Any], ...]
) -> list[NDArray[Any]]:
    """The columns of all batches, one after another; `none` is a batch of nothing."""
    return [np.concatenate(some) for some in zip(none, *batches, strict=True)]


def _keep_credits(home: Home, said: list[pa.RecordBatch]) -> None:
    """Keep the credits of texts and those that are declared, sorted by article."""
    details = {name: home.column(name) for name in INPUT.names}
    whole = pa.Table.from_batches([*said, declared_rows(details)], CREDITS).sort_by("article")
    home.job.folder.write_batches(f"credits-{home.part}", CREDITS, whole.combine_chunks().to_batches())


def credits_of(home: Home) -> pa.Table:
    """Those credits again; `article` is the row."""
    return pa.Table.from_batches(
        home.job.folder.read_batches(f"credits-{home.part}"), CREDITS
    ).combine_chunks()


def _mixed(
    home: Home, keys: NDArray[np.uint64], texts: NDArray[np.int32]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """A hash of each paragraph and its outlet, and the paragraphs whose outlets are known."""
    whole = home.column("outlet").dictionary_encode()
    called = [xxhash.xxh3_64_intdigest((name or "").encode()) for name in whole.dictionary.to_pylist()]
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    own = codes[texts]
    outlets = np.array([*called, 0], np.uint64)[own]
    mixed: NDArray[np.uint64] = (keys + outlets) * MIX
    return mixed ^ mixed >> np.uint64(32), np.flatnonzero(own >= 0)


def _names(home: Home) -> Iterator[Message]:
    """The names that articles may be called by: ids first, then addresses; and whom articles derive from."""
    urls = [plain(url) if url else None for url in home.column("url").to_pylist()]
    said = home.column("derived_from").to_pylist()
    asked = [
        (row, which, name)
        for row, whole in enumerate(said)
        if whole is not None
        for which, name in enumerate((whole, plain(whole)))
    ]
    given = [(row, 0, name) for row, name in enumerate(home.column("id").to_pylist())]
    given += [(row, 1, name) for row, name in enumerate(urls) if name]
    for kind, rows in (("called", given), ("asked", asked)):
        hashes = np.array([xxhash.xxh3_64_intdigest(name.encode()) for _, _, name in rows], np.uint64)
        for holder, own in divided(home.job.holders(hashes), home.job.parts):
            some = [rows[place] for place in own.tolist()]
            yield Message(holder, kind, arrays(
                row=np.array([row for row, _, _ in some], np.int32),
                which=np.array([which for _, which, _ in some], np.int8),
                name=pa.array([name for _, _, name in some], pa.string()),
            ))  # fmt: skip


def compare(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer which texts repeat which, which paragraphs an outlet repeats, and who is called by a name."""
    found = inbox.table("digest")
    if found is not None:
        sources, table = found
        low, high, rows = (column(table, name) for name in ("low", "high", "row"))
        numbers = job.bases[sources] + rows  # rising
        first_of = _first_alike(low, high)
        again = np.flatnonzero(first_of != np.arange(first_of.size))
        for home, some in divided(sources[again], job.parts):
            own = again[some]
            yield Message(home, "repeats", arrays(row=rows[own], first=numbers[first_of[own]]))
    several = list(inbox.each("paragraph"))
    groups = np.concatenate([np.empty(0, np.uint64), *(column(batch, "group") for _, batch in several)])
    times = np.concatenate([np.empty(0, np.int32), *(column(batch, "times") for _, batch in several)])
    _, which = np.unique(groups, return_inverse=True)
    often = np.bincount(which, times)[which] >= np.array(STORIES)[:, None]
    bounds = offsets_of(np.array([len(batch) for _, batch in several], np.int64))
    for (home, _), start, stop in zip(several, bounds[:-1], bounds[1:], strict=True):
        yield Message(home, "often", arrays(bits=np.packbits(often[:, start:stop])))
    yield from _called(job, inbox)


def _called(job: Job, inbox: Inbox) -> Iterator[Message]:
    asked = inbox.table("asked")
    if asked is None:
        return
    wanted = set(asked[1]["name"].to_pylist())
    known: dict[str, tuple[int, int]] = {}
    for source, batch in inbox.each("called"):
        for row, which, name in zip(
            *(batch[name].to_pylist() for name in ("row", "which", "name")), strict=True
        ):
            if name in wanted:
                own = which, int(job.bases[source]) + row
                known[name] = min(known.get(name, own), own)
    numbers = np.array([known[name][1] if name in known else -1 for name in asked[1]["name"].to_pylist()])
    rows, lookups = column(asked[1], "row"), column(asked[1], "which")
    for home, some in divided(asked[0], job.parts):
        yield Message(home, "derived", arrays(row=rows[some], which=lookups[some], number=numbers[some]))


def relate(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Keep the answers; tell of the texts whose paragraphs are repeated, so that they can be compared."""
    home = Home(job, part)
    firsts = np.arange(home.first, home.first + len(home))
    for _, batch in inbox.each("repeats"):
        firsts[column(batch, "row")] = column(batch, "first")
    firsts = firsts[home.state("leads")["leads"]]
    derived = np.full((len(home), 2), -1)
    for _, batch in inbox.each("derived"):
        derived[column(batch, "row"), column(batch, "which")] = column(batch, "number")
    derived = np.where(derived[:, 0] >= 0, derived[:, 0], derived[:, 1])
    derived[derived == np.arange(home.first, home.first + len(home))] = -1
    home.keep("answers", firsts=firsts, derived=derived)
    again = np.flatnonzero(firsts != np.arange(home.first, home.first + len(home)))
    for other, rows in divided(job.homes(firsts[again]), job.parts):
        own = again[rows]
        yield Message(other, "repeat", arrays(first=firsts[own], repeat=home.first + own))
    found, lengths = home.state("paragraphs"), home.state("facts")["lengths"]
    keys, texts = found["keys"], found["texts"]
    mixed, known = _mixed(home, keys, texts)
    known = known[_often(job, inbox, mixed[known], keys[known])]
    days_of = days(home.column("published"))
    bounds = np.searchsorted(texts, np.arange(len(home) + 1))
    occurring = np.zeros(keys.size, np.bool_)
    for holder, rows in divided(job.holders(mixed[known]), job.parts):
        occurring[known[rows]] = True
        yield from _occurrences(holder, known[rows], mixed, found, days_of, lengths, bounds)
    home.keep("occurring", rows=np.flatnonzero(occurring))


def _often(job: Job, inbox: Inbox, mixed: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which paragraphs are in enough texts to be looked at, bool (n,)."""
    groups, which = np.unique(mixed, return_inverse=True)
    often = np.zeros((len(STORIES), groups.size), np.bool_)
    answers = {holder: column(batch, "bits") for holder, batch in inbox.each("often")}
    for holder, rows in divided(job.holders(groups), job.parts):
        bits = np.unpackbits(answers[holder], count=len(STORIES) * rows.size)
        often[:, rows] = bits.reshape(len(STORIES), -1)
    out: NDArray[np.bool_] = often[(keys & np.uint64(1)).astype(np.int64), which]
    return out


def _occurrences(
    holder: int, own: NDArray[np.int64], mixed: NDArray[np.uint64], found: dict[str, NDArray[Any]],
    days_of: NDArray[np.int64], lengths: NDArray[np.int64], bounds: NDArray[np.int64],
) -> Iterator[Message]:  # fmt: skip
    """Paragraphs, and all paragraphs of the texts that they stand in."""
    texts, places = np.unique(found["texts"][own], return_inverse=True)
    yield Message(holder, "occurrence", arrays(
        group=mixed[own], key=found["keys"][own], text=places.astype(np.int32), size=found["lengths"][own]
    ))  # fmt: skip
    counts = np.diff(bounds)[texts]
    rows = np.repeat(bounds[texts] - offsets_of(counts)[:-1], counts) + np.arange(counts.sum())
    lists = offsets_of(counts).astype(np.int32)
    yield Message(holder, "text", arrays(
        row=texts, day=days_of[texts], length=lengths[texts],
        keys=pa.ListArray.from_arrays(lists, pa.array(found["keys"][rows])),
        sizes=pa.ListArray.from_arrays(lists, pa.array(found["lengths"][rows])),
    ))  # fmt: skip


def tell_boilerplate(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Answer which of the paragraphs are boilerplate; keep which texts are repeats of one's own."""
    again = [
        np.stack([column(batch, "first"), column(batch, "repeat")], axis=1)
        for _, batch in inbox.each("repeat")
    ]
    whole_again = np.concatenate([np.empty((0, 2), np.int64), *again])
    job.folder.write_arrays(f"again-{part}", {"again": whole_again[np.lexsort(whole_again.T[::-1])]})
    occurrences, texts = list(inbox.each("occurrence")), list(inbox.each("text"))
    if not occurrences:
        return
    base = offsets_of(np.array([len(batch) for _, batch in texts], np.int64))
    numbers = np.concatenate([job.bases[home] + column(batch, "row") for home, batch in texts])
    order = np.argsort(numbers)  # texts in the order of their numbers
    places = np.empty(order.size, np.int32)
    places[order] = np.arange(order.size, dtype=np.int32)
    whole = pa.Table.from_batches([batch for _, batch in texts]).take(pa.array(order)).combine_chunks()
    all_keys = whole["keys"].combine_chunks()
    own = np.concatenate([base[n] + column(batch, "text") for n, (_, batch) in enumerate(occurrences)])
    text = places[own]
    groups, keys, sizes = (
        np.concatenate([column(batch, name) for _, batch in occurrences]) for name in ("group", "key", "size")
    )
    days_of = column(whole, "day")
    rank = np.lexsort((text, days_of[text], groups))
    repeated, marked = np.empty((2, rank.size), np.bool_)
    kernels.repeated(
        groups[rank], keys[rank], text[rank], sizes[rank], days_of,
        offsets_of(column(whole, "length")), column_of(all_keys.flatten()),
        all_keys.offsets.to_numpy().astype(np.int64), column_of(whole["sizes"].combine_chunks().flatten()),
        np.array(STORIES), RELATED, LARGEST, repeated,
    )  # fmt: skip
    marked[rank] = repeated
    bounds = offsets_of(np.array([len(batch) for _, batch in occurrences], np.int64))
    for (home, _), first, stop in zip(occurrences, bounds[:-1], bounds[1:], strict=True):
        yield Message(home, "marked", arrays(bits=np.packbits(marked[first:stop])))


def column_of(values: pa.Array) -> NDArray[Any]:
    """Numbers as an array of their own."""
    return np.array(values.to_numpy(zero_copy_only=False))


def marks_of(home: Home, inbox: Inbox) -> NDArray[np.int32]:
    """The boilerplate of a home, as `Home.tokens` takes it."""
    job, found = home.job, home.state("paragraphs")
    occurring = np.zeros(found["keys"].size, np.bool_)
    occurring[home.state("occurring")["rows"]] = True
    mixed, known = _mixed(home, found["keys"], found["texts"])
    marked = {holder: column(batch, "bits") for holder, batch in inbox.each("marked")}
    chosen = []
    for holder, rows in divided(job.holders(mixed[known]), job.parts):
        own = known[rows]
        own = own[occurring[own]]
        if own.size:
            chosen.append(own[np.unpackbits(marked[holder], count=own.size).astype(np.bool_)])
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
    return np.stack([found[name][rows] for name in ("texts", "firsts", "lengths")], axis=1)
