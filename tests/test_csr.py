from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup import csr

COUNTS = st.lists(st.integers(0, 4), max_size=8)


def ints(values):
    return np.array(values, np.int64)


@given(COUNTS)
def test_offsets_and_owners(counts):
    offsets = csr.offsets_of(ints(counts))
    assert offsets.dtype == np.int64
    assert offsets.tolist() == [sum(counts[:item]) for item in range(len(counts) + 1)]
    assert csr.counts_of(offsets).tolist() == counts
    assert csr.owners(offsets).tolist() == [item for item, count in enumerate(counts) for _ in range(count)]


def test_small_counts_add_up_beyond_their_type():
    assert csr.offsets_of(np.full(3, 200, np.uint8)).tolist() == [0, 200, 400, 600]
    assert csr.offsets_of(np.array([True, False, True])).tolist() == [0, 1, 1, 2]


@given(COUNTS, st.data())
def test_taken(counts, data):
    choice = st.lists(st.integers(0, len(counts) - 1), max_size=9) if counts else st.just([])
    items = data.draw(choice)
    offsets = csr.offsets_of(ints(counts))
    bounds, rows = csr.taken(offsets, ints(items))
    pieces = [list(range(offsets[item], offsets[item + 1])) for item in items]
    assert [rows[a:b].tolist() for a, b in pairwise(bounds)] == pieces
    assert bounds[-1] == rows.size


@given(st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=8))
def test_sums(items):
    whole = ints([value for item in items for value in item])
    assert csr.sums(whole, csr.offsets_of(ints([len(item) for item in items]))).tolist() == list(
        map(sum, items)
    )


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 5), st.integers(1, 20))
def test_batches(sizes, rows, most):
    expected, first = [], 0
    while first < len(sizes):
        stop = first + 1
        while stop < len(sizes) and stop - first < rows and sum(sizes[first : stop + 1]) <= most:
            stop += 1
        expected.append((first, stop))
        first = stop
    assert csr.batches(ints(sizes), rows, most) == expected
