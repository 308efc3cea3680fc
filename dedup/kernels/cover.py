"""Which candidate pairs of a large family say nothing that its hub does not say."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel

_HUBS = 8  # that are kept for each text


@inner
def _implied(
    one: int, other: int, buckets: int, share: float, hubs: Any, strengths: Any, counts: Any
) -> bool:
    """Have two texts a hub in common with which each shares about as much as with the other?"""
    for h in range(counts[one]):
        if strengths[one, h] < share * buckets:
            continue
        for g in range(counts[other]):
            if hubs[other, g] == hubs[one, h] and strengths[other, g] >= share * buckets:
                return True
    return False


@kernel
def uncovered(
    lefts: Any, rights: Any, buckets: Any, ranks: Any, order: Any, few: int, share: float, chosen: Any
) -> None:
    """Set `chosen` bool (pairs,), given as false, for all pairs that no hub stands for.

    `lefts`, `rights` int32 texts of each pair, `buckets` uint16 in which they met; `order` int32 (texts,) the
    texts from the best hub on, `ranks` its inverse. A hub is a text with more than `few` neighbours; it
    stands for a pair if both of its pairs with them are chosen, with at least `share` of the pair's buckets
    each.
    """
    texts = ranks.size
    heads = np.zeros(texts + 1, np.int64)  # pairs by their better hub
    degrees = np.zeros(texts, np.int32)
    for p in range(lefts.size):
        heads[min(ranks[lefts[p]], ranks[rights[p]]) + 1] += 1
        degrees[lefts[p]] += 1
        degrees[rights[p]] += 1
    for t in range(texts):
        heads[t + 1] += heads[t]
    own = np.empty(lefts.size, np.int64)
    fill = heads[:-1].copy()
    for p in range(lefts.size):
        rank = min(ranks[lefts[p]], ranks[rights[p]])
        own[fill[rank]] = p
        fill[rank] += 1
    hubs = np.empty((texts, _HUBS), np.int32)
    strengths = np.empty((texts, _HUBS), np.int32)
    counts = np.zeros(texts, np.int32)
    for rank in range(texts):
        hub = order[rank]
        for at in range(heads[rank], heads[rank + 1]):
            p = own[at]
            other = rights[p] if lefts[p] == hub else lefts[p]
            chosen[p] = not _implied(hub, other, buckets[p], share, hubs, strengths, counts)
            if chosen[p] and degrees[hub] > few and counts[other] < _HUBS:
                hubs[other, counts[other]] = hub
                strengths[other, counts[other]] = buckets[p]
                counts[other] += 1


@kernel
def apart(lefts: Any, rights: Any, heads: Any, families: Any, out: Any) -> None:
    """Set `out` bool (pairs,), given as true, to false for pairs of texts that are in one family.

    Those of text t are `families[heads[t]:heads[t + 1]]`, int32 and int64.
    """
    for p in range(lefts.size):
        for a in range(heads[lefts[p]], heads[lefts[p] + 1]):
            for b in range(heads[rights[p]], heads[rights[p] + 1]):
                if families[a] == families[b]:
                    out[p] = False
