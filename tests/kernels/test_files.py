"""Pieces of files: what the kernels read and write, beside what is in the files."""

import os
from contextlib import contextmanager

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.kernels import files as kernels

LARGE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 9)), max_size=20)


@contextmanager
def opened(path, content):
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def laid(pieces):
    """Places and bounds as the kernels take them."""
    places = np.array([place for place, _ in pieces], np.int64)
    return places, np.cumsum([0, *(size for _, size in pieces)])


@given(PIECES, st.lists(st.booleans(), min_size=20, max_size=20))
@settings(deadline=None)
def test_each_piece_is_copied_from_its_own_place(pieces, which):
    whole = [np.arange(99, dtype=np.uint8), np.arange(100, 199, dtype=np.uint8)]
    places, bounds = laid(pieces)
    files = np.array([whole[own].ctypes.data for own in which[: len(pieces)]], np.int64)
    out = np.empty(bounds[-1], np.uint8)
    kernels.copy(files + places, bounds, out)
    for own, (place, size), first in zip(which, pieces, bounds, strict=False):
        assert out[first : first + size].tolist() == whole[own][place : place + size].tolist()


@LARGE
@given(PIECES, st.booleans(), st.integers(-1, 30), st.integers(0, 40), st.booleans())
def test_pieces_near_to_one_another_are_gathered(tmp_path, pieces, in_order, gap, room, is_short):
    pieces = sorted(pieces) if in_order else pieces
    pieces += [(95, 5)] if is_short else []
    whole = bytes(range(99))
    with opened(tmp_path / "one", whole) as file:
        places, bounds = laid(pieces)
        out = np.full(bounds[-1], 255, np.uint8)
        done = kernels.gather(file, places, bounds, gap, np.empty(room, np.uint8), out)
        assert (done == len(pieces)) == (not is_short)
        for (place, size), first in list(zip(pieces, bounds, strict=False))[:done]:
            assert out[first : first + size].tobytes() == whole[place : place + size]


@LARGE
@given(PIECES)
def test_pieces_are_written_one_after_the_other(tmp_path, pieces):
    places, bounds = laid(pieces)
    data, expected = np.arange(bounds[-1], dtype=np.uint8), bytearray(99)
    for (place, size), first in zip(pieces, bounds, strict=False):
        expected[place : place + size] = data[first : first + size].tobytes()
    with opened(tmp_path / "one", bytes(99)) as file:
        assert kernels.write(file, places, bounds, data) == len(pieces)
        assert (tmp_path / "one").read_bytes() == expected


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "one").write_bytes(bytes(9))
    with (tmp_path / "one").open("rb") as file:
        data, bounds = np.ones(8, np.uint8), np.array([0, 4, 8])
        assert kernels.write(file.fileno(), np.arange(2), bounds, data) == 0
    assert (tmp_path / "one").read_bytes() == bytes(9)
