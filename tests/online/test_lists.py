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
from dedup.online.postings import Postings
from dedup.online.rocks import Rocks
from dedup.online.segments import SUFFIX, Store, files


def postings(rows):
    keys, numbers, contexts = zip(*rows, strict=True) if rows else ((), (), ())
    return Postings(np.array(keys, np.uint64), np.array(numbers, np.uint32), np.array(contexts, np.uint64))


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

    @property
    def path(self):
        """The file of the first segment."""
        first = self.lists._segments[0]
        return self.folder / f"p0-{first.first}-{first.last}{SUFFIX}"

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
        if draw.random() < 0.2 and opened.lists._work is not None:
            wait([opened.lists._work])
        if draw.random() < 0.05:
            opened.close()  # with whatever is being written just now
            opened.open()
        some = sorted(draw.sample(keys, 20) + draw.sample(range(2**40), 5))
        assert opened.found(some) == {key: opened.there[key] for key in some}
    assert list(opened.lists.problems(200)) == []
    assert len(opened.lists._segments) in range(1, 10)
    assert sum(segment.count for segment in opened.lists._segments) > 500


def test_what_nobody_says_is_there_is_dropped(opened):
    opened.add([(5, 1, 1)])
    store, stop = Store(opened.rocks, "p0"), Event()
    store.segment([], opened.lists._recent, 0, stop)
    assert len(files(opened.folder)["p0"]) == 1
    opened.close()
    opened.open()
    assert files(opened.folder) == {}
    assert opened.found([5]) == {5: [(1, 1)]}


def test_what_is_finished_when_it_is_closed_is_not_written_again(opened):
    opened.add([(key, 1, 1) for key in range(60)])
    opened.lists.settle()
    wait([opened.lists._work])
    opened.close()
    opened.open()
    assert [segment.count for segment in opened.lists._segments] == [60]
    assert len(files(opened.folder)["p0"]) == 1
    assert opened.found([5]) == {5: [(1, 1)]}


def test_a_segment_that_is_gone_is_named(opened):
    opened.fill(range(60))
    opened.close()
    [path] = files(opened.folder)["p0"]
    path.unlink()
    with pytest.raises(IndexStoreError, match=rf"{path.name}: No such file, .* bring it back from a copy"):
        opened.open()
    opened.rocks.close()


def test_whoever_is_told_to_stop_leaves_nothing_behind(opened):
    opened.add([(5, 1, 1)])
    stop = Event()
    stop.set()
    with pytest.raises(InterruptedError):
        Store(opened.rocks, "p0").segment([], opened.lists._recent, 0, stop)
    assert files(opened.folder) == {}


def test_a_segment_that_cannot_be_written_is_said_and_written_another_time(opened, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_fill", full)
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
    opened.rocks.write([("p0", b"l\xff\0\0\0", b"123"), ("p0", b"x", b"")])
    path = opened.path
    whole = bytearray(path.read_bytes())
    whole[100] ^= 1
    path.write_bytes(whole)
    wrong = list(opened.lists.problems(2))
    assert sum("segment" in line for line in wrong) == 1
    assert sum("is damaged" in line for line in wrong) == 3
    opened.rocks.write([("p0", b"l\xff\0\0\0", None)])


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"short"), lambda path: path.unlink()])
def test_a_segment_that_is_gone_is_said(opened, damage):
    opened.fill(range(0, 2**39, 2**32))
    path = opened.path
    damage(path)
    with pytest.raises(IndexStoreError, match=str(path)):
        Store(opened.rocks, "p0").segments()
