"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: in a small one all meet, in a crowded one each meets the few that share most with others.
Runs that an article may miss that way are looked for once more, by the whole window around the fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.csr import counts_of, offsets_of
from dedup.kernels import buckets as kernels
from dedup.kernels.shingle import unite
from dedup.kernels.tokenise import PARAGRAPH
from dedup.lsh import Bands, band_hashes
from dedup.minhash import sign_shingles
from dedup.scratch import Parts, Scratch, Spool
from dedup.settings import Settings
from dedup.shingles import Shingles, shingle
from dedup.threads import in_order
from dedup.tokens import Tokens
from dedup.winnow import windows, winnow

_BLOCK = 128  # tokens in the smallest block that is signed for itself
BRIEF = 32  # shingles in a text up to which each of them is a fingerprint: its runs may all be short
REACH = 34  # articles in a bucket up to which all meet
FEW = 8  # of a larger one that each of the others meets
FEW_CLOSER = 16  # the same, in the buckets of windows
_ACCOUNTED = 0.5  # of what a text shares, that it shares with one other, for it not to be scattered
_TOUCHED = 0.1  # share of a text's postings that it must share to be scattered
SHORT = 128  # tokens in a text under which a fingerprint is a good part of it
_BUCKETS = 3  # in which two texts meet, for them to be compared on weak evidence
_PURITIES = 8  # steps in which the share of a text that others have is looked at
_TEXTS_IN_PART, _MOST_BITS = 2048, 8  # texts for each part of the postings, and how many parts there may be
_LOT = 8  # part of the memory in which threads look at postings, and
_EACH = 100  # bytes of it for each posting
_CACHED = 2**15  # postings with what stands around them, which stay in a processor's cache
_LOOKED_UP = 2**14  # postings in the order of their texts, after which memory is given back
_PARTS = 64  # ranges of texts in which pairs are sorted, at most


class Candidates(NamedTuple):
    """Pairs of texts to verify."""

    pairs: NDArray[np.int32]  # (n, 2) lower number first, sorted
    buckets: NDArray[np.uint16]  # (n,) in which they met
    needed: NDArray[np.bool_]  # (n,) needed, so that what they share in some bucket is seen by one pair


class Postings(NamedTuple):
    """Bucket keys uint64, text numbers int32, and where in the texts they stand, int32."""

    keys: NDArray[np.uint64]
    texts: NDArray[np.int32]
    spots: NDArray[np.int32]

    def some(self, rows: NDArray[np.int64] | slice) -> Postings:
        """Some of them."""
        return Postings(self.keys[rows], self.texts[rows], self.spots[rows])


def candidate_pairs(
    tokens: Tokens,
    compared: NDArray[np.bool_],
    batches: Sequence[tuple[int, int]],
    settings: Settings,
    bands: Bands,
    scratch: Scratch,
    *,
    on_disk: bool = False,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """Candidate pairs of the `compared` texts (bool (n,)), not yet verified.

    `on_disk`: tokens are mapped from there, more than memory has room for, and looked up in their order.
    `batches` bound the texts handled in one go. `progress` is called with texts done and texts in all.
    """
    work = _Work(tokens, on_disk, batches, settings, scratch, threads)

    def sketched(batch: tuple[int, int]) -> Postings:
        return postings(tokens.some(*batch, compared[slice(*batch)]), settings, bands)

    def around(batch: tuple[int, int]) -> Postings:
        own = wanted[slice(*np.searchsorted(wanted, np.array(batch, np.uint64) << np.uint64(33)))]
        return closer(tokens.part(*batch), texts_of(own) - np.int32(batch[0]), spots_of(own), settings)

    parts, totals = work.spread(sketched, progress)
    shared = work.shared(parts)
    ranks = ranks_of(shared, purities(shared, totals))
    met, crowd = work.paired(parts, ranks, REACH, FEW)
    met, most = work.counted(met)
    seen = crowd.array()
    wanted = np.sort(seen[missing(seen) | scattered(tokens.lengths, most, shared, totals)[texts_of(seen)]])
    crowd.clear()
    parts, _ = work.spread(around)
    work.shared(parts)
    further, _ = work.paired(parts, ranks, 0, FEW_CLOSER)
    further, _ = work.counted(further)

    def of_part(part: int) -> Candidates:
        return reduced(*met.part(part), *further.part(part))

    found = list(in_order(of_part, range(_PARTS), threads))
    for parts in (met, further):
        parts.clear()
    return Candidates(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def ranks_of(shared: NDArray[np.int32], purity: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each text's place in an order by what share of it others have, then by how much, most first.

    `shared` and `purity` int32 (n,): how many of its postings others have, and `purities`.
    """
    ranks = np.empty(shared.size, np.int32)
    ranks[np.lexsort((-shared, -purity))] = np.arange(ranks.size, dtype=np.int32)
    return ranks


def purities(shared: NDArray[np.int32], totals: NDArray[np.int32]) -> NDArray[np.int32]:
    """What share of each text's postings others have, in `_PURITIES` steps, int32 (n,)."""
    purity: NDArray[np.int32] = _PURITIES * shared // np.maximum(totals, 1)
    return purity


def scattered(
    lengths: NDArray[np.int64], most: NDArray[np.int32], shared: NDArray[np.int32], totals: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Texts of which others hold pieces, and no other holds a good part of them, bool (n,); all short ones.

    `lengths` int64 (n,): their tokens; `most` int32 (n,): in how many buckets a text meets the one that it
    meets most often.
    """
    out: NDArray[np.bool_] = (most < _ACCOUNTED * shared) & (shared > _TOUCHED * totals)
    out |= lengths < SHORT
    return out


# Pairs of texts that meet, and fingerprints in a crowd, packed into uint64 as `kernels.fill_pairs` does.


def lefts_of(pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The lower text of each pair, int64 (n,)."""
    return (pairs >> np.uint64(33)).astype(np.int64)


def rights_of(pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The higher text of each pair, int64 (n,)."""
    return (pairs >> np.uint64(2) & np.uint64(0x7FFFFFFF)).astype(np.int64)


def texts_of(crowd: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The texts that fingerprints in a crowd are of, int32 (n,)."""
    return (crowd >> np.uint64(33)).astype(np.int32)


def spots_of(crowd: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Where in their texts they stand, in tokens, int32 (n,)."""
    return (crowd >> np.uint64(1) & np.uint64(0x7FFFFFFF)).astype(np.int32)


def missing(crowd: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether their texts miss something there, bool (n,)."""
    out: NDArray[np.bool_] = (crowd & np.uint64(1)) != 0
    return out


@dataclass(frozen=True, slots=True)
class _Work:
    """The steps that go over all texts, and what they have in common."""

    tokens: Tokens
    on_disk: bool
    batches: Sequence[tuple[int, int]]
    settings: Settings
    scratch: Scratch
    threads: int

    @property
    def bits(self) -> int:
        """Of the keys of postings, those that tell which part a posting is in."""
        return min(_MOST_BITS, max(2, (len(self.tokens) // _TEXTS_IN_PART).bit_length()))

    def spread(
        self,
        work: Callable[[tuple[int, int]], Postings],
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Parts, NDArray[np.int32]]:
        """The postings that `work` finds in each batch of texts, by the highest bits of their keys.

        And how many each text has, int32 (n,).
        """
        totals = np.zeros(len(self.tokens), np.int32)

        def run(batch: tuple[int, int]) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
            found = work(batch)
            totals[slice(*batch)] = np.bincount(found.texts, minlength=batch[1] - batch[0])
            columns = [np.empty_like(column) for column in found]
            bounds = np.empty((1 << self.bits) + 1, np.int64)
            kernels.scatter(*found, np.int32(batch[0]), self.bits, bounds, *columns)
            return columns, bounds

        parts = self.scratch.parts(1 << self.bits, np.uint64, np.int32, np.int32)
        done = in_order(run, self.batches, self.threads)
        for (_, stop), (columns, bounds) in zip(self.batches, done, strict=True):
            parts.append(columns, bounds)
            self.scratch.let_go()
            if progress:
                progress(stop, len(self.tokens))
        return parts, totals

    def shared(self, parts: Parts) -> NDArray[np.int32]:
        """Keep only the postings that stand in a bucket with another text's, sorted by key.

        How many of each text's do, int32 (n,).
        """
        spare = [np.zeros(len(self.tokens), np.int32) for _ in range(self.threads)]

        def run(part: int) -> None:
            keys, texts, spots = parts.part(part)
            places = texts.astype(np.uint64) << np.uint64(32) | spots.view(np.uint32)
            keys, places = kernels.sort_postings(keys, places, self.bits)
            counts = spare.pop()
            kept = kernels.keep_shared(keys, places, counts, texts, spots)
            spare.append(counts)
            parts.replace(part, [column[:kept] for column in (keys, texts, spots)])

        for _ in in_order(run, range(len(parts)), self.threads):
            self.scratch.let_go()
        counts: NDArray[np.int32] = np.sum(spare, axis=0, dtype=np.int32)
        return counts

    def paired(self, parts: Parts, ranks: NDArray[np.int32], reach: int, few: int) -> tuple[Parts, Spool]:
        """The pairs of texts that meet, by ranges of texts, and the fingerprints in crowds (`meet`).

        `parts` are used up.
        """
        shift = max(0, (len(self.tokens) - 1).bit_length() - (_PARTS - 1).bit_length())
        met, crowd = self.scratch.parts(_PARTS, np.uint64), self.scratch.spool(np.uint64)

        def run(lot: range) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64]]:
            columns = zip(*(parts.part(part) for part in lot), strict=True)
            found = Postings(*(np.concatenate(column) for column in columns))
            pairs, crowded = meet(
                found, self.tokens, ranks, self.settings, reach, few,
                self.scratch.let_go if self.on_disk else None,
            )  # fmt: skip
            bounds, scattered = np.empty(_PARTS + 1, np.int64), np.empty_like(pairs)
            kernels.scatter_pairs(pairs, shift, bounds, scattered)
            return scattered, bounds, crowded

        at_once = 1
        if self.on_disk:
            size = self.scratch.memory // (_LOT * _EACH * self.threads)
            at_once = max(1, len(parts) * size // max(parts.size, 1))
        lots = [range(len(parts))[first : first + at_once] for first in range(0, len(parts), at_once)]
        for pairs, bounds, crowded in in_order(run, lots, self.threads):
            met.append([pairs], bounds)
            crowd.append(crowded)
            self.scratch.let_go()
        parts.clear()
        return met, crowd

    def counted(self, met: Parts) -> tuple[Parts, NDArray[np.int32]]:
        """Each pair once, sorted, and how often it met, uint16; `met` is used up.

        And in how many buckets each text meets the one that it meets most often, int32 (n,).
        """
        spare = [np.zeros(len(self.tokens), np.int32) for _ in range(self.threads)]

        def run(part: int) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
            pairs = kernels.sort_pairs(*met.part(part))
            counts, most = np.empty(pairs.size, np.uint16), spare.pop()
            kept = kernels.count_meetings(pairs, counts, most)
            spare.append(most)
            return pairs[:kept], counts[:kept]

        counted = self.scratch.parts(_PARTS, np.uint64, np.uint16)
        for part, columns in enumerate(in_order(run, range(_PARTS), self.threads)):
            bounds = np.zeros(_PARTS + 1, np.int64)
            bounds[part + 1 :] = columns[0].size
            counted.append(columns, bounds)
            self.scratch.let_go()
        met.clear()
        most: NDArray[np.int32] = np.max(spare, axis=0)
        return counted, most


def reduced(
    met: NDArray[np.uint64],
    counts: NDArray[np.uint16],
    further: NDArray[np.uint64],
    further_counts: NDArray[np.uint16],
) -> Candidates:
    """The candidates among the pairs of texts that met."""
    room = met.size + further.size
    pairs = np.empty((room, 2), np.int32)
    buckets, needed = np.empty(room, np.uint16), np.empty(room, np.bool_)
    kept = kernels.reduce_pairs(met, counts, further, further_counts, _BUCKETS, pairs, buckets, needed)
    return Candidates(pairs[:kept].copy(), buckets[:kept].copy(), needed[:kept].copy())


def meet(
    found: Postings,
    tokens: Tokens,
    ranks: NDArray[np.int32],
    settings: Settings,
    reach: int,
    few: int,
    let_go: Callable[[], None] | None = None,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Pairs of texts that meet, and the fingerprints in crowds, both packed (see `kernels.fill_pairs`).

    `found` are sorted by key, and by text in each bucket; `ranks`: each text's place among those that others
    may be compared with. With `let_go`, tokens are on disk, and looked up in their order;
    it is called now and then.
    """
    found_pairs, crowds = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    at_once = _CACHED if let_go is None else found.keys.size
    for first, stop in _lots(found.keys, at_once):
        lot = found.some(slice(first, stop))
        if let_go is None:
            around = surroundings(lot, tokens, settings)
        else:
            around = _looked_up(lot, tokens, settings, let_go)
        pairs, crowd = filled(lot, *around, ranks, reach, few)
        found_pairs.append(pairs)
        crowds.append(crowd)
    return np.concatenate(found_pairs), np.concatenate(crowds)


def _lots(keys: NDArray[np.uint64], at_once: int) -> Iterator[tuple[int, int]]:
    """Bounds of whole buckets of sorted postings, `at_once` of them or fewer, or of one that is larger."""
    first = 0
    while first < keys.size:
        stop = min(first + at_once, keys.size)
        if stop < keys.size:
            stop = int(np.searchsorted(keys, keys[stop]))
            if stop == first:
                stop = int(np.searchsorted(keys, keys[first], "right"))
        yield first, stop
        first = stop


def surroundings(
    found: Postings, tokens: Tokens, settings: Settings
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.bool_]]:
    """What stands around postings, as `kernels.surroundings` fills it: `around`, `known` and `brief`."""
    count = found.keys.size
    around, known = np.empty((count, 2, settings.beside), np.uint32), np.empty((count, 2), np.uint8)
    brief = np.empty(count, np.bool_)
    kernels.surroundings(
        found.texts, found.spots, tokens.hashes, tokens.offsets, settings.shingle, SHORT, around, known, brief
    )
    return around, known, brief


def _looked_up(
    found: Postings, tokens: Tokens, settings: Settings, let_go: Callable[[], None]
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.bool_]]:
    """The same, with tokens on disk, which are looked up in their order."""
    count = found.keys.size
    around, known = np.empty((count, 2, settings.beside), np.uint32), np.empty((count, 2), np.uint8)
    brief = np.empty(count, np.bool_)
    order = np.argsort(found.texts)
    for first in range(0, count, _LOOKED_UP):
        own = order[first : first + _LOOKED_UP]
        around[own], known[own], brief[own] = surroundings(found.some(own), tokens, settings)
        let_go()
    return around, known, brief


def filled(
    found: Postings,
    around: NDArray[np.uint32],
    known: NDArray[np.uint8],
    brief: NDArray[np.bool_],
    ranks: NDArray[np.int32],
    reach: int,
    few: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The same as `meet`, given what stands around the postings (`surroundings`)."""
    most, crowded = kernels.count_pairs(found.keys, found.texts, reach, few)
    pairs, crowd = np.empty(most, np.uint64), np.empty(crowded, np.uint64)
    n_pairs, n_crowd = kernels.fill_pairs(*found, around, known, brief, ranks, reach, few, pairs, crowd)
    return pairs[:n_pairs], crowd[:n_crowd]


def postings(tokens: Tokens, settings: Settings, bands: Bands) -> Postings:
    """The buckets of a batch of texts; text numbers rise.

    The briefest have no bands: who resembles them enough is brief, too, and meets them in a fingerprint.
    """
    shingles = shingle(tokens, settings.shingle)
    prints = winnow(shingles, settings.window)
    signatures, signed, _ = signatures_of(tokens, shingles, settings, bands)
    rows = np.flatnonzero(banded(shingles, settings)[signed])
    rows = rows[np.argsort(signed[rows], kind="stable")]
    of_bands = band_hashes(signatures[rows], bands)
    room = shingles.hashes.size + of_bands.size
    keys, texts, spots = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32)
    band_offsets = offsets_of(np.bincount(signed[rows], minlength=len(tokens)))
    count = kernels.postings(
        tokens.flags, tokens.offsets, settings.shingle, shingles.hashes, shingles.offsets,
        prints.places, prints.offsets, BRIEF, of_bands, band_offsets, keys, texts, spots,
    )  # fmt: skip
    return Postings(keys[:count], texts[:count], spots[:count])


def banded(shingles: Shingles, settings: Settings) -> NDArray[np.bool_]:
    """Which texts have bands, bool (n,): all but the briefest."""
    mask: NDArray[np.bool_] = counts_of(shingles.offsets) > settings.resemblance * BRIEF
    return mask


def closer(
    tokens: Tokens, texts: NDArray[np.int32], spots: NDArray[np.int32], settings: Settings
) -> Postings:
    """Buckets of texts that share the whole window around a fingerprint: texts and spots int32 (n,)."""
    keys, texts = windows(tokens, settings.shingle, settings.window, texts, spots)
    return Postings(keys * kernels.SPREAD, texts, np.full(keys.size, kernels.OF_WINDOW, np.int32))


def signatures_of(
    tokens: Tokens, shingles: Shingles, settings: Settings, bands: Bands
) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]]:
    """Signatures of every block, then of every text with several; text numbers; first tokens of the blocks.

    An article's signature is the minimum of its blocks'; only the values that `bands` take are worked out.
    """
    bounds = np.empty(tokens.hashes.size + 1, np.int64)
    offsets = np.empty(len(tokens) + 1, np.int64)
    kernels.blocks(tokens.flags, tokens.offsets, PARAGRAPH, _BLOCK, bounds, offsets)
    counts = counts_of(offsets)
    texts = np.arange(len(tokens), dtype=np.int32)
    owners = np.repeat(texts, counts)
    # Shingles, like tokens, stand text after text, but there are k - 1 fewer of them in each text.
    starts = bounds[: offsets[-1]] - tokens.offsets[owners] + shingles.offsets[owners]
    ends = np.append(starts, shingles.offsets[-1])
    used = bands.bands * bands.rows
    of_blocks = sign_shingles(Shingles(shingles.hashes, ends), settings.num_perm, settings.seed, used)
    several = np.flatnonzero(counts > 1)
    if not several.size:
        return of_blocks, owners, bounds[: offsets[-1]]
    whole = np.empty((several.size, used), np.uint32)
    unite(of_blocks, offsets, several, whole)
    signatures = np.concatenate([of_blocks, whole])
    return signatures, np.concatenate([owners, texts[several]]), bounds[: offsets[-1]]
