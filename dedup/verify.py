"""Verify: candidate pairs to aligned ones, without aligning all pairs of a large family.

Texts that meet in many buckets form a cluster. Within one, a pair is left out if a hub stands for it, if all
that it shares is known to be copied already, or if its two articles prove to be of one family all the same.
Pairs between clusters are all aligned. What is found of a cluster and of a pair depends on nothing else, so
that clusters may be verified apart from one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned, align
from dedup.candidates import Candidates
from dedup.cover import apart, cover
from dedup.families import Families, components, families, renewed
from dedup.kernels.align import COPY
from dedup.seen import Seen
from dedup.settings import Settings
from dedup.tokens import Tokens

CLOSE = 8  # buckets in which two texts meet, for them to be of one cluster
ROUNDS = 4  # in which needed pairs are looked at

Aligner = Callable[[NDArray[np.int32]], Aligned]  # of pairs of texts


class Verified(NamedTuple):
    """The pairs that share a passage, within clusters and between them, and the families of the former."""

    within: Aligned
    between: Aligned
    families: Families
    rest: NDArray[np.int32]  # (n, 2) pairs that are not aligned, since both texts are of one family


def clusters(found: Candidates, texts: int) -> NDArray[np.int32]:
    """The first text of each one's cluster, int32 (texts,)."""
    return components([found.pairs[found.buckets >= CLOSE]], texts)


def round_of(numbers: NDArray[np.int64], pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    """The round in which each pair of texts, int32 (n, 2), is looked at if it is needed, int64 (n,)."""
    rounds: NDArray[np.int64] = numbers[pairs].sum(axis=1) % ROUNDS
    return rounds


def verified(
    tokens: Tokens,
    found: Candidates,
    numbers: NDArray[np.int64],
    settings: Settings,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Verified:
    """Align the candidates that are worth it.

    `numbers` int64 (n,): the texts' numbers in the whole corpus, rising; `found` must hold all pairs of every
    cluster that it holds a pair of. `progress` is called with pairs done and pairs in all, several times
    over.
    """
    aligned = partial(align, tokens, settings=settings, threads=threads, progress=progress)
    firsts = clusters(found, len(tokens))[found.pairs]
    inside = firsts[:, 0] == firsts[:, 1]
    close = Candidates(*(column[inside] for column in found))
    chosen = cover(close, len(tokens))
    needed = np.flatnonzero(close.needed & ~chosen)
    rounds = round_of(numbers, close.pairs[needed])
    seen = Seen.nothing(tokens, close.pairs[needed])
    parts = [aligned(close.pairs[chosen], seen=seen)]
    for number in range(ROUNDS if needed.size else 0):
        own = needed[rounds == number]
        own = own[seen.news(tokens, close.pairs[own], settings.guarantee, threads)]
        chosen[own] = True
        parts.append(aligned(close.pairs[own], seen=seen))
    parts = [Aligned.merged(parts)]
    known = families(parts[0], tokens.lengths, settings.copy_share, threads=threads)
    rest = close.pairs[~chosen]
    known, rest = rejoined(parts, known, rest, tokens.lengths, settings.copy_share, aligned, threads=threads)
    return Verified(Aligned.merged(parts), aligned(found.pairs[~inside]), known, rest)


def merged(parts: Sequence[Verified]) -> Verified:
    """What was found of several groups of clusters, by the same numbers of texts."""
    return Verified(
        Aligned.merged([part.within for part in parts]),
        Aligned.merged([part.between for part in parts]),
        Families.concatenated([part.families for part in parts]),
        np.concatenate([part.rest for part in parts]),
    )


def numbered(told: Verified, numbers: NDArray[Any]) -> Verified:
    """What was found of some texts, with other numbers for them, (n,), that rise as theirs do."""
    numbers, known = numbers.astype(np.int32), told.families
    return Verified(
        replace(told.within, pairs=numbers[told.within.pairs]),
        replace(told.between, pairs=numbers[told.between.pairs]),
        replace(known, representatives=numbers[known.representatives], members=numbers[known.members]),
        numbers[told.rest],
    )


def settled(
    told: Verified,
    lengths: NDArray[np.int64],
    copy_share: float,
    aligner: Aligner,
    *,
    others: Sequence[Aligned] = (),
    threads: int = 1,
) -> tuple[list[Aligned], Families]:
    """All aligned pairs, in parts, and their families, in which no pair that was left out is apart.

    `others`: pairs besides those within clusters that the families known so far are made of; the first parts.
    """
    parts = [*others, told.within, told.between]
    known = renewed(told.families, parts, lengths, copy_share, threads=threads)
    known, _ = rejoined(parts, known, told.rest, lengths, copy_share, aligner, threads=threads)
    return parts, known


def rejoined(
    parts: list[Aligned],
    known: Families,
    rest: NDArray[np.int32],
    lengths: NDArray[np.int64],
    copy_share: float,
    aligner: Aligner,
    *,
    threads: int = 1,
) -> tuple[Families, NDArray[np.int32]]:
    """Align those of the pairs left out that are not of one family, until there are none.

    `parts` takes in what they say, besides what made the families `known`. Returns the families, and the
    pairs that are left out for good.
    """
    while (further := apart(rest, known, lengths.size)).any():
        parts.append(aligner(rest[further]))
        known = renewed(known, parts, lengths, copy_share, threads=threads)
        rest = rest[~further]
    return known, rest


def missing_of(
    known: Sequence[NDArray[np.int64]],
    found: Families,
    origins: NDArray[np.int64],
    first_of: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Pairs of an origin and a member that have not been aligned yet, int32 (n, 2), sorted.

    `known`: the keys of those that have, int64, each sorted.
    """
    one, other = first_of[origins[found.owners]], first_of[found.members]
    wanted = np.unique(np.minimum(one, other)[one != other] << 32 | np.maximum(one, other)[one != other])
    for keys in known:
        places = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
        wanted = wanted[keys[places] != wanted] if keys.size else wanted
    return np.stack([wanted >> 32, wanted & 0xFFFFFFFF], axis=1).astype(np.int32)


def copies_of(first_of: NDArray[np.int64], lengths: NDArray[np.int64]) -> Aligned:
    """Exact repeats as aligned pairs of one passage, each with the first text of its group."""
    repeats = np.flatnonzero(first_of != np.arange(first_of.size))
    repeats = repeats[np.argsort(first_of[repeats], kind="stable")]
    pairs = np.stack([first_of[repeats], repeats], axis=1).astype(np.int32)
    whole = lengths[pairs[:, 0]].astype(np.int32)
    zeros = np.zeros_like(whole)
    passages = np.stack([zeros, whole, zeros, whole, whole, zeros + np.int32(COPY)], axis=1)
    both = np.stack([whole, whole], axis=1)
    return Aligned(pairs, passages, np.arange(len(pairs) + 1), both, both, np.ones(len(pairs)))
