"""Families of copying articles: connected components, and greedy clusters within them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room

_NODE = np.int64(0xFFFFFFFF)  # lower half of a heap's key


@inner
def _root(parents: Any, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def components(lefts: Any, rights: Any, parents: Any) -> None:
    """Fill `parents` int32 (nodes,), given as 0, 1, 2, …, with the first node of each one's component.

    Given as filled before, with other edges, it takes in the edges of both. `lefts`, `rights` int32: the
    nodes that edges join.
    """
    for edge in range(lefts.size):
        one, other = _root(parents, lefts[edge]), _root(parents, rights[edge])
        parents[max(one, other)] = min(one, other)
    for node in range(parents.size):
        parents[node] = _root(parents, node)


@inner
def _push(heap: Any, size: int, key: int) -> int:
    """Put a key into a heap, the greatest on top; the new size."""
    place = size
    while place > 0 and heap[(place - 1) // 2] < key:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = key
    return size + 1


@inner
def _pop(heap: Any, size: int) -> int:
    """Take the greatest key out of a heap; the new size. The key stands at `heap[size - 1]`."""
    top, key = heap[0], heap[size - 1]
    place = 0
    while 2 * place + 1 < size - 1:
        child = 2 * place + 1
        if child + 1 < size - 1 and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    heap[size - 1] = top
    return size - 1


@inner
def _rising(spans: Any, first: int, stop: int, side: int) -> bool:
    """Does each of the spans `first` to `stop` of one side begin where the one before it stops, or later?"""
    rising = True
    for row in range(first + 1, stop):
        rising &= spans[row, 2 * side] >= spans[row - 1, 2 * side + 1]
    return rising


@inner
def tokens_of_spans(spans: Any, first: int, stop: int, side: int, seen: Any, found: Any) -> int:
    """Write each token of the spans `first` to `stop` of one side to `found`, once; how many.

    `seen` uint8 is scratch, zero before and after.
    """
    count = 0
    if _rising(spans, first, stop, side):
        for row in range(first, stop):
            for token in range(spans[row, 2 * side], spans[row, 2 * side + 1]):
                found[count] = token
                count += 1
        return count
    for row in range(first, stop):
        for token in range(spans[row, 2 * side], spans[row, 2 * side + 1]):
            if seen[token] == 0:
                seen[token] = 1
                found[count] = token
                count += 1
    for place in range(count):
        seen[found[place]] = 0
    return count


@kernel
def sizes(spans: Any, bounds: Any, out: Any) -> None:
    """Fill `out` int32 (edges, 2) with the tokens of each edge's spans, left and right, each counted once.

    `spans`, `bounds` as for `cluster`.
    """
    longest = 0
    for row in range(spans.shape[0]):
        longest = max(longest, spans[row, 1], spans[row, 3])
    seen, found = np.zeros(longest, np.uint8), np.empty(longest, np.int32)
    for edge in range(out.shape[0]):
        first, stop = bounds[edge], bounds[edge + 1]
        for side in range(2):
            if _rising(spans, first, stop, side):
                out[edge, side] = 0
                for row in range(first, stop):
                    out[edge, side] += spans[row, 2 * side + 1] - spans[row, 2 * side]
            else:
                out[edge, side] = tokens_of_spans(spans, first, stop, side, seen, found)


@inner
def _fresh(spans: Any, first: int, stop: int, side: int, known: Any, seen: Any, found: Any) -> int:
    """Tokens of the spans of one side that are not `known` yet."""
    fresh = 0
    if _rising(spans, first, stop, side):
        for row in range(first, stop):
            for token in range(spans[row, 2 * side], spans[row, 2 * side + 1]):
                fresh += 1 - known[token]
        return fresh
    for place in range(tokens_of_spans(spans, first, stop, side, seen, found)):
        fresh += 1 - known[found[place]]
    return fresh


@inner
def _open(
    node: int, heads: Any, ends: Any, edges: Any, sides: Any, spans: Any, bounds: Any, whole: Any,
    starts: Any, known: Any, placed: Any, closed: Any, share: float, seen: Any, found: Any, opened: Any,
    news: Any,
) -> tuple[int, int]:  # fmt: skip
    """Write the entries of `node` that are still open to `opened`, what is new in their neighbours to `news`.

    Returns how many, and the sum of `news`. Of a node that is not `placed`, uint8, nothing is known yet.
    """
    count, weight = 0, 0
    own = known[starts[node] : starts[node + 1]]
    for entry in range(heads[node], heads[node + 1]):
        if closed[entry]:
            continue
        edge, side, other = edges[entry], sides[entry], ends[entry]
        first, stop = bounds[edge], bounds[edge + 1]
        here, there = whole[edge, side], whole[edge, 1 - side]
        theirs = known[starts[other] : starts[other + 1]]
        if placed[other]:
            there = _fresh(spans, first, stop, 1 - side, theirs, seen, found)
        if there < share * theirs.size and placed[node]:
            here = _fresh(spans, first, stop, side, own, seen, found)
        if there >= share * theirs.size or here >= share * own.size:
            opened[count] = entry
            news[count] = there
            weight += there
            count += 1
    return count, weight


@inner
def _core(
    length: int, opened: Any, edges: Any, sides: Any, spans: Any, bounds: Any, known: Any, seen: Any,
    found: Any, depth: Any, core: Any,
) -> None:  # fmt: skip
    """Set `core` uint8 (length,) for the part that half of those hold that hold the most copied token.

    `depth` int32 (length,) is scratch.
    """
    depth[:] = 0
    for entry in opened:
        edge = edges[entry]
        for place in range(tokens_of_spans(spans, bounds[edge], bounds[edge + 1], sides[entry], seen, found)):
            depth[found[place]] += 1 - known[found[place]]
    most = 0
    for token in range(length):
        if depth[token] > depth[most]:
            most = token
    core[:] = 0
    if depth[most] == 0:
        return
    depth[:] = 0
    holders = 0
    for entry in opened:
        edge = edges[entry]
        holds = False
        for row in range(bounds[edge], bounds[edge + 1]):
            holds |= spans[row, 2 * sides[entry]] <= most < spans[row, 2 * sides[entry] + 1]
        if holds:
            holders += 1
            for place in range(
                tokens_of_spans(spans, bounds[edge], bounds[edge + 1], sides[entry], seen, found)
            ):
                depth[found[place]] += 1
    for token in range(length):
        core[token] = depth[token] > 0 and 2 * depth[token] >= holders


@kernel
def cluster(
    parts: Any, heads: Any, ends: Any, edges: Any, sides: Any, spans: Any, bounds: Any, whole: Any,
    lengths: Any, share: float,
) -> Any:  # fmt: skip
    """Families of the components c, whose nodes are `parts[c]` to `parts[c + 1]`, int64.

    Node n, of `lengths` int64 tokens, has the entries `heads[n]:heads[n + 1]`: a neighbour (`ends` int32),
    the edge to it (`edges` int32), and on which side of the edge n stands (`sides` uint8). Edge e has rows
    `bounds[e]:bounds[e + 1]` of `spans` int32 (n, 4): left first and stop, right first and stop, in tokens;
    `whole` int32 (edges, 2) are the tokens of these (`sizes`).

    Greedy: the node whose copy stands most in its neighbours, as far as no family explains it, represents a
    family. Members are the neighbours at least half of whose copy lies in its core (`_core`), or the one
    neighbour that holds most of it. An entry is open as long as its two nodes have no family in common and
    what is not explained is at least `share` of either. Returns members int32 (n, 3): the family's number,
    the node, and how many spans it has, the representative first; and all spans int32 (m, 2).
    """
    members, copies = np.empty((1024, 3), np.int32), np.empty((1024, 2), np.int32)
    count, filled, family = 0, 0, 0
    nodes = parts[parts.size - 1]
    starts = np.zeros(nodes + 1, np.int64)
    longest, most = np.int64(1), np.int64(1)
    for node in range(parts[0], nodes):
        starts[node + 1] = starts[node] + lengths[node]
        longest = max(longest, lengths[node])
        most = max(most, heads[node + 1] - heads[node])
    known = np.zeros(starts[nodes], np.uint8)  # tokens that families explain
    closed = np.zeros(heads[nodes], np.uint8)
    seen, core, own = np.zeros((3, longest), np.uint8)
    found, depth = np.zeros((2, longest), np.int32)
    opened, news = np.zeros((2, most), np.int64)
    joined = np.zeros(nodes, np.uint8)  # members of the family at hand
    placed = np.zeros(nodes, np.uint8)  # members of any
    for part in range(parts.size - 1):
        heap = np.empty(parts[part + 1] - parts[part], np.int64)
        size = np.int64(0)
        for node in range(parts[part], parts[part + 1]):
            _, weight = _open(
                node, heads, ends, edges, sides, spans, bounds, whole, starts,
                known, placed, closed, share, seen, found, opened, news,
            )  # fmt: skip
            size = _push(heap, size, weight << 32 | (_NODE - node))
        while size > 0:
            size = _pop(heap, size)
            before, node = heap[size] >> 32, _NODE - (heap[size] & _NODE)
            n_open, weight = _open(
                node, heads, ends, edges, sides, spans, bounds, whole, starts,
                known, placed, closed, share, seen, found, opened, news,
            )  # fmt: skip
            if weight == 0:
                continue
            if weight < before:  # what it shared is explained in the meantime
                size = _push(heap, size, weight << 32 | (_NODE - node))
                continue
            length = lengths[node]
            mine = known[starts[node] : starts[node + 1]]
            _core(
                length, opened[:n_open], edges, sides, spans, bounds, mine, seen, found, depth, core[:length]
            )
            own[:length] = 0
            first_member = count
            best = 0
            members = with_room(members, count + n_open + 1)
            count += 1  # the representative's row is filled when its spans are known
            for place in range(n_open):
                entry = opened[place]
                edge, side = edges[entry], sides[entry]
                shared = tokens_of_spans(spans, bounds[edge], bounds[edge + 1], side, seen, found)
                inside = 0
                for token in found[:shared]:
                    inside += core[token]
                if news[place] > news[best] or (
                    news[place] == news[best] and ends[entry] < ends[opened[best]]
                ):
                    best = place
                if 2 * inside >= shared:
                    for token in found[:shared]:
                        own[token] = 1
                    members[count, 0], members[count, 1], members[count, 2] = family, entry, 0
                    count += 1
            if count == first_member + 1:
                entry = opened[best]
                edge, side = edges[entry], sides[entry]
                for token in found[
                    : tokens_of_spans(spans, bounds[edge], bounds[edge + 1], side, seen, found)
                ]:
                    own[token] = 1
                members[count, 0], members[count, 1], members[count, 2] = family, entry, 0
                count += 1
            copies = with_room(copies, filled + length)
            begun = filled
            for token in range(length):
                if own[token]:
                    if token == 0 or own[token - 1] == 0:
                        copies[filled, 0] = token
                        filled += 1
                    copies[filled - 1, 1] = token + 1
                    mine[token] = 1
            members[first_member, 0], members[first_member, 1] = family, node
            members[first_member, 2] = filled - begun
            joined[node] = 1
            for row in range(first_member + 1, count):
                entry = members[row, 1]
                edge, side, other = edges[entry], 1 - sides[entry], ends[entry]
                copies = with_room(copies, filled + bounds[edge + 1] - bounds[edge])
                for span in range(bounds[edge], bounds[edge + 1]):
                    copies[filled, 0], copies[filled, 1] = spans[span, 2 * side], spans[span, 2 * side + 1]
                    filled += 1
                    known[starts[other] + copies[filled - 1, 0] : starts[other] + copies[filled - 1, 1]] = 1
                members[row, 1], members[row, 2] = other, bounds[edge + 1] - bounds[edge]
                joined[other] = 1
            for row in range(first_member, count):
                for entry in range(heads[members[row, 1]], heads[members[row, 1] + 1]):
                    closed[entry] |= joined[ends[entry]]
            for row in range(first_member, count):
                joined[members[row, 1]] = 0
                placed[members[row, 1]] = 1
            family += 1
            size = _push(heap, size, (weight - 1) << 32 | (_NODE - node))  # it may hold a second story
    return members[:count], copies[:filled]
