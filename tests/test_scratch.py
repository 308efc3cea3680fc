import errno
import os
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError, ScratchError
from dedup.scratch import _ALONE, _HELD, _IN_ORDER, Scratch

CHUNKS = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 255), max_size=30)), max_size=12)
DTYPES = (np.uint8, np.int32, np.uint64)


@given(CHUNKS, st.sampled_from([0, 1, 50, 300, 10**6]), st.booleans())
@settings(deadline=None)
def test_disk_gives_the_same_values_as_memory(chunks, memory, looked_at):
    with Scratch(memory) as scratch:
        spools = [scratch.spool(dtype) for dtype in DTYPES]
        expected = [[], [], []]
        for number, values in chunks:
            spools[number].append(np.array(values, np.int64))
            expected[number] += values
            assert sum(spool.held for spool in spools) <= _IN_ORDER * memory
            assert max(spool.held for spool in spools) <= _ALONE * memory
            if looked_at:
                assert spools[number].array().tolist() == expected[number]
                scratch.let_go()
        for spool, values, dtype in zip(spools, expected, DTYPES, strict=True):
            assert spool.array().dtype == dtype
            assert spool.array().tolist() == values
            assert spool.size == len(values)
            assert (spool.file is not None) >= (spool.array().nbytes > _ALONE * memory)
        assert scratch.spilled == sum(spool.array().nbytes for spool in spools if spool.file is not None)


@pytest.mark.parametrize("memory", [0, 10**6])
def test_values_may_be_written_to(memory):
    with Scratch(memory) as scratch:
        spool = scratch.spool(np.int32)
        values = np.arange(5000, dtype=np.int32)
        spool.append(values)
        values[:] = 0  # what was put in is a copy
        spool.array()[7] = -1
        scratch.let_go()
        spool.append(values[:3])
        assert spool.array().tolist() == [*range(7), -1, *range(8, 5000), 0, 0, 0]
        if not memory:
            spool.array()[8] = -2
            scratch.let_go()
            assert spool.array()[8] == -2
        spool.clear()
        assert spool.size == 0
        assert spool.array().tolist() == []
        spool.append(values[:2])
        assert spool.array().tolist() == [0, 0]


@given(
    st.lists(st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=3, max_size=3), max_size=5),
    st.sampled_from([0, 60, 10**6]),
)
@settings(deadline=None)
def test_parts(pieces, memory):
    """Each piece holds values for three parts."""
    with Scratch(memory) as scratch:
        parts = scratch.parts(3, np.int32, np.uint64)
        for piece in pieces:
            values = np.array([value for own in piece for value in own], np.int32)
            parts.append([values, values.astype(np.uint64) * 2**40], np.cumsum([0, *map(len, piece)]))
        assert len(parts) == 3
        assert parts.size == sum(len(own) for piece in pieces for own in piece)
        for part in range(3):
            small, large = parts.part(part)
            assert small.tolist() == [value for piece in pieces for value in piece[part]]
            assert large.tolist() == [value * 2**40 for value in small.tolist()]
            assert (small.dtype, large.dtype) == (np.int32, np.uint64)
            small[:] = -1  # a copy
            assert parts.part(part)[0].tolist() == [value for piece in pieces for value in piece[part]]
        first = parts.part(0)
        for part in (1, 2):
            fewer = [column[1:] for column in parts.part(part)]
            parts.replace(part, fewer)
            assert [column.tolist() for column in parts.part(part)] == [column.tolist() for column in fewer]
        assert [column.tolist() for column in parts.part(0)] == [column.tolist() for column in first]
        assert parts.size == sum(parts.part(part)[0].size for part in range(3))
        parts.clear()


def test_what_is_being_moved_to_disk_can_be_read(tmp_path, monkeypatch):
    values, seen, write = np.arange(200, dtype=np.uint8), [], os.pwrite

    def look(*given):
        whole, piece = np.empty(200, np.uint8), np.empty(3, np.uint8)
        spool.read(0, whole)
        spool.gather(np.array([7]), np.array([0, 3]), piece)
        seen.append((whole, piece))
        return write(*given)

    with Scratch(10**6, tmp_path) as scratch:
        before = scratch.spool(np.uint8)
        before.append(np.full(1000, 255, np.uint8))
        before.spill()
        before.clear()  # its file is used again, with all that stands in it
        spool = scratch.spool(np.uint8)
        spool.append(values)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", look)
            spool.spill()
        assert seen
        for whole, piece in seen:
            assert whole.tolist() == values.tolist()
            assert piece.tolist() == [7, 8, 9]
        assert spool.array().tolist() == values.tolist()


def test_the_largest_goes_to_disk_first():
    with Scratch(int(1000 / _IN_ORDER)) as scratch:
        spools = [scratch.spool(np.uint8) for _ in range(3)]
        for spool, size in zip(spools, (300, 390, 290), strict=True):
            spool.append(np.zeros(size, np.uint8))
        assert [spool.held for spool in spools] == [300, 390, 290]
        spools[2].append(np.zeros(30, np.uint8))
        assert [spool.held for spool in spools] == [300, 0, 320]
        assert spools[1].file is not None
        assert scratch.spilled == 390


def test_what_outgrows_its_part_goes_to_disk():
    with Scratch(int(1000 / _ALONE)) as scratch:
        spool = scratch.spool(np.uint8)
        spool.append(np.zeros(999, np.uint8))
        assert spool.file is None
        spool.append(np.zeros(9, np.uint8))
        assert spool.file is not None


def test_what_is_looked_at_at_random_goes_to_disk_last():
    with Scratch(int(1000 / _HELD)) as scratch:
        in_order, at_random = scratch.spool(np.uint8), scratch.spool(np.uint8, at_random=True)
        at_random.append(np.ones(900, np.uint8))
        in_order.append(np.ones(150, np.uint8))
        assert (in_order.held, at_random.held) == (0, 900)
        assert in_order.file is not None
        at_random.append(np.ones(200, np.uint8))
        assert at_random.file is not None
        assert (in_order.array().sum(), at_random.array().sum()) == (150, 1100)


@pytest.mark.parametrize("promised", [True, False])
@pytest.mark.parametrize("looked_at", [True, False])
def test_what_is_held_grows_whatever_the_system_promises(promised, looked_at):
    with Scratch(10**8) as scratch:
        spool = scratch.spool(np.uint32, at_random=True)
        with patch.object(scratch, "room", scratch.room if promised else lambda size: None):
            for first in range(0, 5 * 10**6, 10**6):
                spool.append(np.arange(first, first + 10**6, dtype=np.uint32))
                if looked_at:
                    assert spool.array()[-1] == first + 10**6 - 1
        assert spool.file is None
        assert np.array_equal(spool.array(), np.arange(5 * 10**6))


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=9), st.sampled_from([0, 10**6]),
    st.booleans(), st.sampled_from([{"_GAP": 2**14}, {"_GAP": 3}, {"_NEAR": 16}, {"_COLD": 0}]),
)  # fmt: skip
@settings(deadline=None)
def test_pieces_are_gathered(pieces, memory, looked_at, limits):
    with patch.multiple("dedup.scratch", **limits), Scratch(memory) as scratch:
        spool = scratch.spool(np.uint8)
        spool.append(np.arange(90, dtype=np.uint8))
        if looked_at:
            spool.array()
        starts = np.array([start for start, _ in pieces], np.int64)
        bounds = np.cumsum([0, *(size for _, size in pieces)])
        out = np.full(bounds[-1] + 1, 255, np.uint8)
        spool.gather(starts, bounds, out)
        assert out.tolist() == [*(at + n for at, size in pieces for n in range(size)), 255]


def test_nothing_is_left_in_the_folder(tmp_path):
    with Scratch(0, tmp_path) as scratch:
        spool = scratch.spool(np.uint8)
        spool.append(np.ones(10**6, np.uint8))
        assert scratch.spilled == 10**6
        assert list(tmp_path.iterdir()) == []  # nor while it is in use: files have no name
        file = spool.file
    assert file.closed
    assert list(tmp_path.iterdir()) == []

    def fail():
        with Scratch(0, tmp_path) as broken:
            broken.spool(np.uint8).append(np.ones(10, np.uint8))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_used_again_unless_somebody_may_look_at_it(tmp_path):
    with Scratch(0, tmp_path) as scratch:
        first, second, third = (scratch.spool(np.uint8) for _ in range(3))
        first.append(np.ones(3 * 2**12, np.uint8))
        file = first.file
        first.clear()
        second.append(np.full(10, 2, np.uint8))
        assert second.file is file
        mapped = second.array()
        assert mapped.tolist() == [2] * 10
        second.clear()
        third.append(np.full(20, 3, np.uint8))
        assert third.file is not file
        assert mapped.tolist() == [2] * 10


@pytest.fixture
def disk(monkeypatch):
    """Let a disk have so much room, take a little at once, and then fail with a code."""
    write = os.pwrite

    def limit(room, code=errno.ENOSPC):
        def limited(file, data, place):
            nonlocal room
            taken = min(len(data), room, 100)
            if not taken:
                raise OSError(code, "message of the system")
            room -= taken
            return write(file, data[:taken], place)

        monkeypatch.setattr(os, "pwrite", limited)

    return limit


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_its_remedy(tmp_path, disk, code):
    disk(1000, code)
    scratch = Scratch(0, tmp_path)
    spool = scratch.spool(np.uint8)
    spool.append(np.arange(200, dtype=np.uint8))
    with pytest.raises(ScratchError, match=r"is full .*--temp-dir") as caught:
        spool.append(np.ones(900, np.uint8))
    assert str(tmp_path) in str(caught.value)
    assert isinstance(caught.value, DedupError)
    assert isinstance(caught.value, OSError)
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_disk_is_told(tmp_path, disk):
    disk(0, errno.EIO)
    with Scratch(0, tmp_path) as scratch:
        spool = scratch.spool(np.uint8)
        with pytest.raises(ScratchError, match=r"message of the system; .*--temp-dir"):
            spool.append(np.ones(1, np.uint8))


def test_a_disk_that_takes_little_at_once_takes_all(tmp_path, disk):
    disk(10**6)
    with Scratch(0, tmp_path) as scratch:
        spool = scratch.spool(np.int32)
        spool.append(np.arange(1000))
        assert spool.array().tolist() == list(range(1000))


def test_a_folder_that_is_not_there(tmp_path):
    with Scratch(0, tmp_path / "none") as scratch:
        spool = scratch.spool(np.uint8)
        with pytest.raises(ScratchError, match=r"none: No such file or directory; .*--temp-dir"):
            spool.append(np.ones(1, np.uint8))


def pieces(counts):
    kind = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    return kind, (pa.table({"n": list(range(count))}, kind) for count in counts)


@pytest.mark.parametrize("spilled", [0, 1])
@pytest.mark.parametrize("counts", [(), (3,), (2, 0, 5)])
def test_a_table_is_the_same_in_memory_and_on_disk(tmp_path, spilled, counts):
    with Scratch(10**6, tmp_path) as scratch:
        scratch.spilled = spilled
        kind, made = pieces(counts)
        table = scratch.table(kind, made)
        assert (scratch.spilled > 1) == bool(spilled)
    assert table.schema == kind
    assert table["n"].to_pylist() == [n for count in counts for n in range(count)]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_of_tables_is_told(tmp_path, disk):
    disk(1000)
    with Scratch(10**6, tmp_path) as scratch:
        scratch.spilled = 1
        with pytest.raises(ScratchError, match="is full"):
            scratch.table(*pieces((10_000, 10_000)))
    assert list(tmp_path.iterdir()) == []
