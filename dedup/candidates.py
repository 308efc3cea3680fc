"""Pair: articles that share a bucket, from two complementary sketches.

Winnowed shingles guarantee that no long verbatim run is missed; banded signatures of passages (blocks of
paragraphs) and of whole articles find edited copy with a stated recall. A bucket of n articles gives O(n)
candidate pairs: in a small one all meet, in a crowded one each meets the few that share most with others.
Runs that an article may miss that way are looked for once more, by the whole window around the fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.csr import offsets_of
from dedup.kernels import buckets as kernels
from dedup.kernels.tokenise import PARAGRAPH
from dedup.lsh import Bands, band_hashes
from dedup.minhash import sign_shingles
from dedup.scratch import Parts, Scratch
from dedup.settings import Settings
from dedup.shingles import Shingles, shingle
from dedup.threads import in_order
from dedup.tokens import Tokens
from dedup.winnow import among, windows, winnow

_BLOCK = 128  # tokens in the smallest block that is signed for itself
_BRIEF = 32  # shingles in a text under which each of them is a fingerprint: its runs may all be short
_REACH = 34  # articles in a bucket up to which all meet
_FEW = 8  # of a larger one that each of the others meets
_FEW_CLOSER = 16  # the same, in the buckets of windows
_ACCOUNTED = 0.5  # of what a text shares, that it shares with one other, for it not to be scattered
_TOUCHED = 0.1  # share of a text's postings that it must share to be scattered
_SHORT = 128  # tokens in a text under which a fingerprint is a good part of it
_BUCKETS = 3  # in which two texts meet, for them to be compared on weak evidence
_PURITIES = 8  # steps in which the share of a text that others have is looked at
_MOST = 65535  # buckets that are counted
_PARTS = 64  # ranges of texts in which pairs are sorted


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


def candidate_pairs(
    tokens: Tokens,
    compared: NDArray[np.bool_],
    batches: Sequence[tuple[int, int]],
    settings: Settings,
    bands: Bands,
    scratch: Scratch,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """Candidate pairs of the `compared` texts (bool (n,)), not yet verified.

    `batches` bound the texts handled in one go. `progress` is called with texts done and texts in all.
    """
    missing = np.zeros(len(tokens), np.bool_)
    work = _Work(tokens, compared, batches, settings, scratch, threads, progress, missing)
    parts = work.spread(lambda part, _: postings(part, settings, bands))
    shared, alone, ranks = work.ranked(parts)
    met = scratch.parts(_PARTS, np.uint64)
    missed, crowded = work.paired(parts, ranks, _REACH, _FEW, met)
    if missed.size:
        scattered = (work.strongest(met) < _ACCOUNTED * shared) & (shared > _TOUCHED * (shared + alone))
        scattered |= tokens.lengths < _SHORT
        work = replace(work, compared=compared & (work.missing | scattered))
        closer = work.spread(lambda part, first: _closer(part, first, settings, missed, crowded, scattered))
        work.paired(closer, ranks, 0, _FEW_CLOSER, met)
    found = list(in_order(lambda part: _reduced(met.part(part)[0]), range(_PARTS), threads))
    met.clear()
    return Candidates(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


@dataclass(frozen=True, slots=True)
class _Work:
    """The steps that go over all texts, and what they have in common."""

    tokens: Tokens
    compared: NDArray[np.bool_]
    batches: Sequence[tuple[int, int]]
    settings: Settings
    scratch: Scratch
    threads: int
    progress: Callable[[int, int], None] | None
    missing: NDArray[np.bool_]  # (n,) set for texts that may miss something

    def spread(self, work: Callable[[Tokens, int], Postings]) -> Parts:
        """Postings of the compared texts by the first byte of their keys.

        `work` is given texts, those that are not compared empty, and the number of the first.
        """

        def run(batch: tuple[int, int]) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
            found = work(self.tokens.some(*batch, self.compared[slice(*batch)]), batch[0])
            columns = [np.empty_like(column) for column in found]
            bounds = np.empty(257, np.int64)
            kernels.scatter(*found, np.int32(batch[0]), bounds, *columns)
            return columns, bounds

        parts = self.scratch.parts(256, np.uint64, np.int32, np.int32)
        batches = [batch for batch in self.batches if self.compared[slice(*batch)].any()]
        for (_, stop), (columns, bounds) in zip(batches, in_order(run, batches, self.threads), strict=True):
            parts.append(columns, bounds)
            self.scratch.let_go()
            if self.progress:
                self.progress(stop, len(self.tokens))
        return parts

    def ranked(self, parts: Parts) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """How many postings each text shares with others, and not, and its place in an order of all texts.

        The order is by what share of a text others have, then by how much, most first.
        """

        def run(share: range) -> NDArray[np.int32]:
            weights = np.zeros((2, len(self.tokens)), np.int32)
            for part in share:
                kernels.count_shared(*_sorted(Postings(*parts.part(part))), weights)
            return weights

        shares = [range(first, 256, self.threads) for first in range(self.threads)]
        shared, alone = np.sum(list(in_order(run, shares, self.threads)), axis=0)
        self.scratch.let_go()
        purity = _PURITIES * shared // np.maximum(shared + alone, 1)
        ranks = np.empty(len(self.tokens), np.int32)
        ranks[np.lexsort((-shared, -purity))] = np.arange(ranks.size, dtype=np.int32)
        return shared, alone, ranks

    def strongest(self, met: Parts) -> NDArray[np.int32]:
        """In how many buckets each text meets the one that it meets most often, int32 (n,)."""

        def run(part: int) -> NDArray[np.int32]:
            (pairs,) = met.part(part)
            pairs.sort()
            most = np.zeros(len(self.tokens), np.int32)
            kernels.strongest(pairs, most)
            return most

        strongest = np.zeros(len(self.tokens), np.int32)
        for most in in_order(run, range(_PARTS), self.threads):
            np.maximum(strongest, most, out=strongest)
            self.scratch.let_go()
        return strongest

    def paired(
        self, parts: Parts, ranks: NDArray[np.int32], reach: int, few: int, met: Parts
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Let texts meet part by part, and put the pairs into `met`.

        Returns the keys of what texts may miss, and those of crowded buckets (see `meet`), both sorted.
        """
        per_part = max(1, -(-len(self.tokens) // _PARTS))
        bounds = np.arange(_PARTS + 1, dtype=np.uint64) * np.uint64(per_part) << np.uint64(33)
        missed, crowded = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]

        def run(part: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
            met_here = Postings(*parts.part(part))
            return meet(met_here, self.tokens, ranks, self.settings, reach, few, self.missing)

        for pairs, keys, busy in in_order(run, range(256), self.threads):
            met.append([pairs], np.searchsorted(pairs, bounds))
            missed.append(keys)
            crowded.append(busy)
            self.scratch.let_go()
        parts.clear()
        return np.sort(np.concatenate(missed)), np.sort(np.concatenate(crowded))


def _reduced(pairs: NDArray[np.uint64]) -> Candidates:
    """The candidates among the pairs that texts met in."""
    pairs.sort()
    buckets, needed = np.empty(pairs.size, np.uint16), np.empty(pairs.size, np.bool_)
    kept = kernels.reduce_pairs(pairs, _BUCKETS, _MOST, buckets, needed)
    pairs = pairs[:kept]
    both = np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int32)
    return Candidates(both, buckets[:kept].copy(), needed[:kept].copy())


def _sorted(found: Postings) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]]:
    """Sorted keys, the posting of each, and the postings' texts."""
    keys, order = kernels.sort_postings(found.keys, np.arange(found.keys.size, dtype=np.int32))
    return keys, order, found.texts


def meet(
    found: Postings,
    tokens: Tokens,
    ranks: NDArray[np.int32],
    settings: Settings,
    reach: int,
    few: int,
    missing: NDArray[np.bool_],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Pairs of texts that meet, sorted, the keys of what they may miss, and those of crowded buckets.

    `missing` bool (n,) is set for texts that may miss something; a bucket is crowded where not all of its
    texts meet (see `kernels.fill_pairs`). `ranks`: each text's place among those that others may be compared
    with. Keys, which are scratch, must have the highest 8 bits in common; text numbers must rise from posting
    to posting.
    """
    keys, order, texts = _sorted(found)
    most, crowded = kernels.count_pairs(keys, order, texts, reach, few)
    pairs, missed, busy = (
        np.empty(most, np.uint64),
        np.empty(crowded, np.uint64),
        np.empty(crowded, np.uint64),
    )
    beside = settings.guarantee - settings.shingle  # fewer than the bits of a word, as `kernels` want it
    filled, n_missed, n_busy = kernels.fill_pairs(
        keys, order, texts, found.spots, tokens.hashes, tokens.offsets, ranks, settings.shingle,
        beside, _SHORT, reach, few, pairs, missed, busy, missing,
    )  # fmt: skip
    pairs = pairs[:filled].copy()
    pairs.sort()
    return pairs, missed[:n_missed].copy(), busy[:n_busy].copy()


def postings(tokens: Tokens, settings: Settings, bands: Bands) -> Postings:
    """The buckets of a batch of texts; text numbers rise."""
    shingles = shingle(tokens, settings.shingle)
    prints = winnow(shingles, settings.window)
    signatures, signed, _ = signatures_of(tokens, shingles, settings, bands)
    order = np.argsort(signed, kind="stable")
    of_bands = band_hashes(signatures[order], bands)
    room = shingles.hashes.size + of_bands.size
    keys, texts, spots = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32)
    band_offsets = offsets_of(np.bincount(signed, minlength=len(tokens)))
    count = kernels.postings(
        tokens.flags, tokens.offsets, settings.shingle, shingles.hashes, shingles.offsets,
        prints.places, prints.offsets, _BRIEF, of_bands, band_offsets, keys, texts, spots,
    )  # fmt: skip
    return Postings(keys[:count], texts[:count], spots[:count])


def _closer(
    tokens: Tokens,
    first: int,
    settings: Settings,
    missed: NDArray[np.uint64],
    crowded: NDArray[np.uint64],
    scattered: NDArray[np.bool_],
) -> Postings:
    """Buckets of the texts, `first` and on, that share the whole window around a fingerprint, where needed.

    That is where what a text shares may be `missed`, and in all crowded buckets if it is scattered.
    """
    shingles = shingle(tokens, settings.shingle)
    keys = np.empty(shingles.hashes.size, np.uint64)
    kernels.own_keys(shingles.hashes, shingles.offsets, first, keys)
    wanted = among(keys, missed)
    own = np.repeat(scattered[first : first + len(tokens)], np.diff(shingles.offsets))
    wanted |= own & among(shingles.hashes * kernels.SPREAD, crowded)
    kernels.leave_out_idle(tokens.flags, tokens.offsets, shingles.offsets, settings.shingle, wanted)
    keys, texts = windows(shingles, settings.shingle, settings.window, wanted)
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
    counts = np.diff(offsets)
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
    pieces = np.stack([offsets[several], offsets[several + 1]], axis=1).ravel()
    padded = np.concatenate([of_blocks, of_blocks[-1:]])
    whole = np.minimum.reduceat(padded, pieces, axis=0)[::2]
    signatures = np.concatenate([of_blocks, whole])
    return signatures, np.concatenate([owners, texts[several]]), bounds[: offsets[-1]]
