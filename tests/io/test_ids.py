"""Ids that are taken, against a dictionary."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.io import ids
from dedup.io.ids import Ids
from dedup.io.place import Place

BATCHES = st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), max_size=4)


def place(batch, row):
    return Place(f"file {batch}", row + 1)


def taken(batches):
    """What is kept of each batch, and for the rest who has the id."""
    known, out = Ids(), []
    for number, batch in enumerate(batches):
        kept, others = known.take(pa.array(batch, pa.string()), partial(place, number))
        out.append((list(range(len(batch))) if kept is None else kept.to_pylist(), others))
    return out


def expected(batches):
    known, out = {}, []
    for number, batch in enumerate(batches):
        firsts = [known.setdefault(id, place(number, row)) for row, id in enumerate(batch)]
        own = [place(number, row) for row in range(len(batch))]
        others = [(row, first) for row, first in enumerate(firsts) if first != own[row]]
        out.append(([row for row, first in enumerate(firsts) if first == own[row]], others))
    return out


@given(BATCHES)
@settings(deadline=None)
def test_the_first_of_each_id_stays(batches):
    assert taken(batches) == expected(batches)


def test_many():
    draw = np.random.default_rng(3)
    batches = [[str(id) for id in draw.integers(0, 30_000, 5_000)] for _ in range(6)]
    assert taken(batches) == expected(batches)


@pytest.mark.parametrize("hashes", [1, 3])
def test_ids_of_one_hash_are_told_apart(monkeypatch, hashes):
    heads = {}

    def claim(data, bounds, _seed, first, _hashes, _rows, holders):
        for row in range(len(bounds) - 1):
            own = sum(data[bounds[row] : bounds[row + 1]].tolist()) % hashes
            holders[row] = heads.get(own, -1)
            heads.setdefault(own, first + row)
        return 0

    monkeypatch.setattr(ids.kernels, "claim", claim)
    batches = [["a", "b", "c", "a", "d"], ["b", "e", "a", "c", "c"], ["f", "e"]]
    assert taken(batches) == expected(batches)


def test_ids_of_a_part_of_a_column():
    column = pa.array(["x", "a", "b", "a"]).slice(1)
    kept, others = Ids().take(column, partial(place, 0))
    assert (kept.to_pylist(), others) == ([0, 1], [(2, place(0, 0))])
