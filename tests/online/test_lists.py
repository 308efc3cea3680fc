"""Lists of postings, in memory and in segments, beside a dictionary."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from threading import Event

import numpy as np
import pytest

from dedup.errors import IndexStoreError
from dedup.online import lists as lists_of
from dedup.online.lists import Lists
from dedup.online.rocks import Rocks
from dedup.online.segments import Postings, Store


def postings(rows):
    keys, numbers, contexts = zip(*rows, strict=True) if rows else ((), (), ())
    return Postings(np.array(keys, np.uint64), np.array(numbers, np.uint32), np.array(contexts, np.uint32))


class Opened:
    """Lists in a folder, that may be closed and opened again."""

    def __init__(self, folder):
        self.folder, self.there = folder, defaultdict(list)
        self.open()

    def open(self):
        self.rocks, self.worker = Rocks(self.folder, read_only=False), ThreadPoolExecutor(1)
        if "p0" not in self.rocks.families:
            self.rocks.create("p0")
        self.lists = Lists(self.rocks, "p0", self.worker, read_only=False)

    def close(self):
        self.lists.close()
        self.worker.shutdown()
        self.rocks.close()

    def add(self, rows):
        self.lists.settle()
        own = postings(rows)
        self.rocks.write(self.lists.log(own))
        self.lists.added(own)
        for key, *posting in rows:
            self.there[key].append(tuple(posting))

    def found(self, keys):
        bounds, numbers, contexts = self.lists.find(np.array(keys, np.uint64))
        rows = list(zip(numbers.tolist(), contexts.tolist(), strict=True))
        return {key: rows[first:stop] for key, (first, stop) in zip(keys, pairwise(bounds), strict=True)}

    def fill(self, keys):
        for key in keys:
            self.add([(key, 1, 7)])
            if self.lists._work is not None:
                wait([self.lists._work])


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setattr(lists_of, "MOST", 50)
    own = Opened(tmp_path / "index")
    yield own
    own.close()


@pytest.mark.parametrize("seed", range(6))
def test_lists_are_what_was_added_whatever_becomes_of_it(opened, seed):
    draw = random.Random(seed)
    keys = sorted(draw.sample(range(2**40), 300))
    for number in range(200):
        opened.add([(draw.choice(keys), number, draw.randrange(2**28)) for _ in range(draw.randrange(12))])
        if draw.random() < 0.05:
            opened.close()  # with whatever is being written just now
            opened.open()
        some = sorted(draw.sample(keys, 20) + draw.sample(range(2**40), 5))
        assert opened.found(some) == {key: opened.there[key] for key in some}
    assert list(opened.lists.problems(200)) == []
    assert len(opened.lists._segments) in range(1, 10)
    assert sum(segment.count for segment in opened.lists._segments) > 500


def test_what_was_half_written_is_dropped(opened):
    opened.add([(5, 1, 1)])
    store, stop = Store(opened.rocks, "p0"), Event()
    store.segment([], opened.lists._recent, 0, stop)  # which nobody says is there
    assert opened.rocks.last("p0", b"b") is not None
    opened.close()
    opened.open()
    assert [opened.rocks.last("p0", kind) for kind in (b"b", b"f", b"u")] == [None] * 3
    assert opened.found([5]) == {5: [(1, 1)]}


def test_a_segment_that_cannot_be_written_is_said_and_written_another_time(opened, monkeypatch):
    def full(*_):
        raise IndexStoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write", full)
        with pytest.raises(IndexStoreError, match="the disk is full"):
            opened.fill(range(0, 2**20, 2**10))
    opened.fill(range(2**21, 2**22, 2**13))
    keys = sorted(opened.there)
    assert opened.found(keys) == opened.there
    assert opened.lists._segments


def test_damage_is_told(opened):
    opened.fill(range(0, 2**39, 2**32))
    assert opened.lists._segments
    assert list(opened.lists.problems(2)) == []
    assert any("segment" in line for line in opened.lists.problems(1))
    block = opened.rocks.last("p0", b"b")
    opened.rocks.write([("p0", block, None), ("p0", b"l\xff\0\0\0", b"123"), ("p0", b"x", b"")])
    wrong = list(opened.lists.problems(2))
    assert sum("segment" in line for line in wrong) == 1
    assert sum("is damaged" in line for line in wrong) == 3
