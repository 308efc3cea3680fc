"""Joining: what helpers have found of large clusters becomes families.

The place of a cluster makes families of the pairs. Pairs that were left out, but whose articles are not of
one family, are aligned after all (`dedup.verify.rejoined`), by helpers that hold both texts, or one of them
and borrow the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.align import Aligned, keys_of
from dedup.cover import apart
from dedup.csr import owners, taken
from dedup.families import families, renewed
from dedup.resume import aligned_of_arrays, families_of_arrays, families_to_arrays
from dedup.spark.groups import NONE, Shared, among, group_of, told_to_arrays
from dedup.spark.job import Job
from dedup.spark.large import Share, borrow
from dedup.spark.messages import Inbox, Message, arrays, column, divided
from dedup.spark.storage import unpacked_arrays
from dedup.verify import ROUNDS, Verified, rejoined


def join(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Make families of what helpers have found; tell them which of the other pairs are apart."""
    if not job.folder.has(f"large-{part}"):
        return
    kept = job.folder.read_arrays(f"large-{part}")
    numbers, pairs = kept["numbers"], kept["pairs"]  # by their second text, then the first
    told = _told(inbox)
    lengths = np.zeros(numbers.size, np.int64)
    for each in told:
        lengths[np.searchsorted(numbers, each["texts"])] = each["lengths"]
    edges = _edges(told, numbers)
    known = families(edges, lengths, job.settings.copy_share)
    left_out = np.ones(len(pairs), np.bool_)
    tried = np.searchsorted(numbers, np.concatenate([each["tried"] for each in told])).astype(np.int32)
    left_out[np.searchsorted(keys_of(pairs[:, ::-1]), keys_of(tried[:, ::-1]))] = False
    rest = np.concatenate([kept["others"], pairs[left_out]])
    further = apart(rest, known, numbers.size)
    again = rest[further]
    helpers, lenders = holders(kept["helpers"], np.searchsorted(numbers, kept["held"]), again).T
    left, right = numbers[again].T
    lent = helpers != lenders
    job.folder.write_arrays(f"joined-{part}", families_to_arrays(edges, known) | {
        "numbers": numbers, "rest": rest[~further], "held": np.concatenate([kept["held"], right[lent]]),
        "helpers": np.concatenate([kept["helpers"], helpers[lent]]),
    })  # fmt: skip
    for helper, rows in divided(helpers, job.parts):
        yield Message(helper, "again", arrays(left=left[rows], right=right[rows], lender=lenders[rows]))


def _told(inbox: Inbox) -> list[dict[str, NDArray[Any]]]:
    """What helpers say that they have found."""
    return [unpacked_arrays(batch["data"][0].as_buffer()) for _, batch in inbox.each("found")]


def _edges(told: list[dict[str, NDArray[Any]]], numbers: NDArray[np.int64]) -> Aligned:
    """The pairs that helpers tell of, by place among the articles `numbers`."""
    return Aligned.merged([NONE, *(aligned_of_arrays(each) for each in told)]).among(numbers)


def turns(helpers: NDArray[np.int32], held: NDArray[np.int64]) -> NDArray[np.int64]:
    """In which order helpers are taken for texts that several hold, so that it is not always the same."""
    order: NDArray[np.int64] = (helpers - held) % (int(helpers.max(initial=0)) + 1)
    return order


def holders(
    helpers: NDArray[np.int32], held: NDArray[np.int64], pairs: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Helpers that hold the left and the right text of each pair, the same one if it holds both, (n, 2).

    `helpers` hold the texts `held`, (m,) each, which rise; all texts of `pairs` are among these.
    """
    order = np.lexsort((turns(helpers, held), held))
    helpers, held = helpers[order], held[order]
    most = int(held.max(initial=0))
    heads = np.searchsorted(held, np.arange(most + 2))
    out: NDArray[np.int32] = helpers[heads[pairs]]
    bounds, rows = taken(heads, pairs[:, 0])
    which = owners(bounds)
    both = np.isin(_keys(helpers[rows], pairs[which, 1]), _keys(helpers, held))
    out[which[both]] = helpers[rows[both], None]
    return out


def _keys(helpers: NDArray[np.int32], texts: NDArray[Any]) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = helpers.astype(np.int64) << 32 | texts
    return keys


def rejoin(job: Job, part: int, inbox: Inbox) -> Iterator[Message]:
    """Align the pairs that are apart."""
    found = inbox.table("again")
    if found is None:
        return
    left, right, lenders = (column(found[1], name) for name in ("left", "right", "lender"))
    borrow(job, part, right, lenders)
    share = Share(job, part)
    pairs = share.among(left, right)
    share.places[pairs] = found[0][:, None]
    share.align(pairs, ROUNDS)
    yield from share.found([ROUNDS])


def conclude(job: Job, part: int, inbox: Inbox) -> None:
    """Make families of all pairs in the end; align here what is still apart then."""
    if not job.folder.has(f"large-{part}"):
        return
    kept = job.folder.read_arrays(f"joined-{part}")
    numbers, share = kept["numbers"], job.settings.copy_share
    edges, known = families_of_arrays(kept)
    again, group = _edges(_told(inbox), numbers), group_of(job, part)
    places, own = np.searchsorted(group.column("number"), numbers), group.aligner(job.settings)
    lengths = group.column("lengths")[places]

    def aligner(pairs: NDArray[np.int32]) -> Aligned:
        return own(places[pairs].astype(np.int32)).among(places)

    parts = [edges, again]
    if len(again.pairs):
        known = renewed(known, parts, lengths, share)
    known, rest = rejoined(parts, known, kept["rest"], lengths, share, aligner)
    local = Aligned.merged([NONE, *parts[2:]])
    told = among(Verified(local, NONE, known, rest), numbers, group.column("number"))
    job.folder.write_arrays(f"concluded-{part}", told_to_arrays(told))
    edges = Aligned.merged([edges, again])
    edges = replace(edges, pairs=numbers[edges.pairs].astype(np.int32))
    order = np.argsort(kept["held"], kind="stable")
    shared = Shared(edges, kept["helpers"][order], kept["held"][order])
    job.folder.write_arrays(f"edges-{part}", shared.arrays())
