"""Lists of postings: the kernels beside slow ones."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.kernels import lists as kernels
from dedup.online.postings import Postings
from dedup.online.segments import key_bits_of, lines_of

FEW_KEYS = st.integers(0, 7).map(lambda number: number * 2**40 // 8 + 5)
SOME = st.lists(st.tuples(FEW_KEYS, st.integers(0, 2**32 - 1), st.integers(0, 2**28 - 1)), max_size=40)
KEYS = st.lists(st.integers(0, 2**40 - 1), max_size=60)


def postings(rows):
    keys, numbers, contexts = zip(*rows, strict=True) if rows else ((), (), ())
    return Postings(np.array(keys, np.uint64), np.array(numbers, np.uint32), np.array(contexts, np.uint64))


def by_key(rows):
    out = defaultdict(list)
    for key, *posting in rows:
        out[key].append(tuple(posting))
    return out


def lists(wanted, bounds, numbers, contexts):
    both = list(zip(numbers.tolist(), contexts.tolist(), strict=True))
    return {key: both[first:stop] for key, (first, stop) in zip(wanted, pairwise(bounds), strict=True)}


@settings(deadline=None)
@given(SOME, st.sets(FEW_KEYS), st.integers(1, 16))
def test_chains(rows, wanted, ranges):
    own, wanted = postings(rows), np.array(sorted(wanted), np.uint64)
    nexts, heads = np.empty(len(rows), np.int32), np.full(ranges, -1, np.int32)
    kernels.chain(own.keys, 0, len(rows) // 2, nexts, heads)
    kernels.chain(own.keys, len(rows) // 2, len(rows), nexts, heads)
    counts = np.zeros(wanted.size, np.int64)
    kernels.count_chained(wanted, own.keys, nexts, heads, counts)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    ends, numbers, contexts = (
        bounds[1:].copy(),
        np.empty(bounds[-1], np.uint32),
        np.empty(bounds[-1], np.uint64),
    )
    kernels.take_chained(wanted, *own, nexts, heads, ends, numbers, contexts)
    there = by_key(rows)
    assert lists(wanted.tolist(), bounds, numbers, contexts) == {key: there[key] for key in wanted.tolist()}
    assert ends.tolist() == bounds[:-1].tolist()


@settings(deadline=None)
@given(KEYS, KEYS, st.integers(1, 5))
def test_a_filter_knows_all_that_it_was_told(told, others, size):
    lines = kernels.room(size)
    kernels.remember(np.array(told, np.uint64), lines)
    rows, firsts, stops = recalled(told + others, lines, np.arange(0, 40, 10))
    assert rows[: len(told)] == list(range(len(told)))
    blocks = [(told + others)[row] * 3 >> 40 for row in rows]
    assert firsts == [10 * block for block in blocks]
    assert stops == [10 * block + 10 for block in blocks]
    bits = {(key * size >> 40, probe(key, n)) for key in told for n in range(6)}
    assert {
        (line, bit) for line in range(size) for bit in range(512) if lines[line, bit >> 6] >> (bit & 63) & 1
    } == bits
    assert rows == [
        row
        for row, key in enumerate(told + others)
        if all((key * size >> 40, probe(key, n)) in bits for n in range(6))
    ]


def recalled(keys, lines, bounds):
    """Rows of the keys that a filter seems to know, and the bounds of their blocks."""
    out = np.empty((3, len(keys)), np.int64)
    count = kernels.recall(np.array(keys, np.uint64), lines, bounds, *out)
    return out[:, :count].tolist()


@given(st.integers(1, 50))
def test_lines_are_the_processors(lines):
    room = kernels.room(lines)
    assert room.shape == (lines, kernels.LINE)
    assert not room.any()
    assert room.ctypes.data % (8 * kernels.LINE) == 0


def probe(key, number):
    return ((key ^ key >> 21) * 0x9E3779B97F4A7C15 & 2**64 - 1) >> 10 + 9 * number & 511


def test_a_filter_takes_few_others_for_what_it_knows():
    draw = np.random.default_rng(1)
    known, others = draw.integers(0, 2**40, (2, 100_000)).astype(np.uint64)
    lines = kernels.room(lines_of(known.size))
    kernels.remember(known, lines)
    rows, *_ = recalled(others, lines, np.array([0, 1]))
    assert len(rows) < 0.01 * others.size


@settings(deadline=None)
@given(SOME.map(sorted), st.integers(256, 400), st.integers(0, 7), st.integers(32, 57))
def test_blocks(rows, blocks, start, number_bits):
    own, key_bits = postings(rows), key_bits_of(blocks)
    cells = [[row for row in rows if row[0] * blocks >> 40 == block] for block in range(blocks)]
    bounds, step = np.cumsum([0, *map(len, cells)]), key_bits + number_bits + kernels.CONTEXT_BITS
    data = np.zeros((start + len(rows) * step + 7) // 8 + 8, np.uint8)
    kernels.pack(*own, key_bits, number_bits, start, data)
    whole = sum(
        (key % 2**key_bits | number << key_bits | context << key_bits + number_bits) << start + place * step
        for place, (key, number, context) in enumerate(rows)
    )
    assert int.from_bytes(data, "little") == whole
    lows = np.array([-(-(block << 40) // blocks) for block in range(blocks)], np.uint64)
    again = Postings.room(len(rows))
    kernels.unpack(data, start, key_bits, number_bits, bounds, lows, *again)
    assert [column.tolist() for column in again] == [column.tolist() for column in own]
    wanted = np.unique(own.keys)
    asked = (wanted * np.uint64(blocks) >> np.uint64(40)).astype(np.int64)
    kept = (
        np.arange(wanted.size), np.zeros_like(asked), np.array([[key_bits, number_bits]]),
        start + bounds[asked] * step, bounds[asked + 1] - bounds[asked], data,
    )  # fmt: skip
    counts = np.zeros(wanted.size, np.int64)
    kernels.count_kept(wanted, *kept, counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    numbers, contexts = np.empty(len(rows), np.uint32), np.empty(len(rows), np.uint64)
    kernels.take_kept(wanted, *kept, offsets[1:].copy(), numbers, contexts)
    assert lists(wanted.tolist(), offsets, numbers, contexts) == by_key(rows)


def test_the_lowest_bits_of_a_key_tell_it_from_others_in_its_block():
    for blocks in (256, 257, 511, 512, 1000, 2**17 - 1, 2**17):
        assert -(-(2**40) // blocks) <= 2 ** key_bits_of(blocks)
