"""Postings to candidate pairs, without work that is quadratic in a bucket."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel


@kernel
def sort_postings(keys: Any, items: Any, spare_keys: Any, spare_items: Any) -> None:
    """Sort `keys` uint64 in place, `items` int32 along with them, keeping the order of equal keys.

    Radix sort, least significant digit first, eight passes of 8 bits each; the spares are scratch of the
    same shapes.
    """
    counts = np.zeros((8, 256), np.int64)
    for p in range(keys.size):
        for digit in range(8):
            counts[digit, (keys[p] >> np.uint64(8 * digit)) & np.uint64(255)] += 1
    for digit in range(8):
        total = 0
        for value in range(256):
            count = counts[digit, value]
            counts[digit, value] = total
            total += count
        shift = np.uint64(8 * digit)
        for p in range(keys.size):
            value = (keys[p] >> shift) & np.uint64(255)
            place = counts[digit, value]
            counts[digit, value] += 1
            spare_keys[place] = keys[p]
            spare_items[place] = items[p]
        keys, spare_keys = spare_keys, keys
        items, spare_items = spare_items, items


@kernel
def count_pairs(keys: Any, order: Any, items: Any, reach: int, few: int) -> int:
    """How many pairs `fill_pairs` will write."""
    total = 0
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            distinct = 1
            for q in range(first + 1, p):
                distinct += items[order[q]] != items[order[q - 1]]
            near = reach if distinct <= reach + 2 else few
            if distinct <= near + 1:
                total += distinct * (distinct - 1) // 2
            else:
                total += near * (near + 1) // 2 + (distinct - near - 1) * (near + 1)
            first = p
    return total


@inner
def _run(
    hashes: Any, left: int, right: int, first: int, second: int, stop: int, end: int, enough: int
) -> bool:
    """Does a run of at least `enough` equal tokens hold the tokens `left` and `right`?

    `first` and `stop` bound the left text, `second` and `end` the right one.
    """
    back = 0
    while (
        back < enough
        and left - back > first
        and right - back > second
        and hashes[left - back - 1] == hashes[right - back - 1]
    ):
        back += 1
    length = 0
    while (
        back + length < enough
        and left + length < stop
        and right + length < end
        and hashes[left + length] == hashes[right + length]
    ):
        length += 1
    return bool(back + length >= enough)


@kernel
def fill_pairs(
    keys: Any, order: Any, items: Any, places: Any, hashes: Any, offsets: Any,
    rare: int, short: int, enough: int, reach: int, few: int, members: Any, repeats: Any, pairs: Any,
) -> None:  # fmt: skip
    """Fill `pairs` uint64 with lower item << 33 | higher item << 1 | strong for the items of each bucket.

    `keys` uint64 sorted; `order` int32 the posting of each key, of which `items` int32 holds the text, rising
    within a bucket, repeats allowed, and `places` int64 the token, or -1 where the bucket itself is strong
    evidence. A pair is strong if it is, if not more than `rare` texts stand in the bucket, if one of the two
    stands there twice or has fewer than `short` tokens, or if a run of at least `enough` tokens (of `hashes`,
    with the texts' `offsets`) stands in both at the bucket's place. In a bucket of up to `reach` + 2 items
    all meet; in a larger one each meets the `few` before it and the bucket's first, so that n items give at
    most n * (few + 1) pairs. `members` int32 and `repeats` uint8 are scratch, one for each key.
    """
    filled = 0
    first = 0
    for p in range(1, keys.size + 1):
        if p == keys.size or keys[p] != keys[first]:
            distinct = 0
            for q in range(first, p):
                if distinct == 0 or items[members[distinct - 1]] != items[order[q]]:
                    members[distinct] = order[q]
                    repeats[distinct] = 0
                    distinct += 1
                else:
                    repeats[distinct - 1] = 1
            near = reach if distinct <= reach + 2 else few
            for one in range(1, distinct):
                right = items[members[one]]
                begin = max(0, one - near)
                for step in range(begin if begin == 0 else begin - 1, one):
                    other = 0 if step == begin - 1 else step  # the bucket's first stands for one too far back
                    left = items[members[other]]
                    a, b = places[members[other]], places[members[one]]
                    strong = (
                        distinct <= rare
                        or a < 0
                        or repeats[one] + repeats[other] > 0
                        or min(offsets[left + 1] - offsets[left], offsets[right + 1] - offsets[right]) < short
                        or _run(
                            hashes, a, b, offsets[left], offsets[right],
                            offsets[left + 1], offsets[right + 1], enough,
                        )
                    )  # fmt: skip
                    pairs[filled] = (
                        np.uint64(left) << np.uint64(33)
                        | np.uint64(right) << np.uint64(1)
                        | np.uint64(strong)
                    )
                    filled += 1
            first = p


@kernel
def blocks(flags: Any, offsets: Any, paragraph: int, least: int, bounds: Any, block_offsets: Any) -> None:
    """Cut texts into blocks of whole paragraphs of at least `least` tokens; what is left joins the last.

    Fills `bounds` int64 with the first token of each block (room for one a token, and one more), closed by
    the number of tokens, and `block_offsets` int64 (texts + 1).
    """
    count = 0
    block_offsets[0] = 0
    for text in range(offsets.size - 1):
        start, stop = offsets[text], offsets[text + 1]
        if stop > start:
            bounds[count] = start
            count += 1
        for token in range(start + 1, stop):
            if flags[token] & paragraph and token - bounds[count - 1] >= least and stop - token >= least:
                bounds[count] = token
                count += 1
        block_offsets[text + 1] = count
    bounds[count] = offsets[offsets.size - 1]
