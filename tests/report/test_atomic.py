"""What a process that was killed has left beside a report goes when the next one is written."""

import fcntl
import os
import sys

import pytest

from dedup.report import atomic
from dedup.report.atomic import replace_file, replace_folder


def left(folder, name, age):
    """A file and a folder as writers leave them, so many seconds old."""
    file, whole = folder / f".dedup-{name}.tmp", folder / f".dedup-{name}-folder.tmp"
    file.write_text("half")
    whole.mkdir()
    (whole / "articles.parquet").write_text("half")
    for path in (file, whole):
        time = path.stat().st_mtime - age
        os.utime(path, (time, time))
    return {file, whole}


@pytest.fixture(params=["file", "folder"])
def written(request, tmp_path):
    """Write a report, a file or a folder, into a folder."""
    if request.param == "file":
        return lambda: replace_file(tmp_path / "report.json", lambda stream: stream.write(b"{}"))
    return lambda: replace_folder(
        tmp_path / "report", lambda folder: (folder / "report.json").write_text("{}")
    )


def test_what_was_left_goes(tmp_path, written):
    old, young = left(tmp_path, "old", 3600), left(tmp_path, "young", 0)
    written()
    there = set(tmp_path.iterdir())
    assert not old & there
    assert young <= there


def test_what_another_still_writes_stays(tmp_path, written):
    old = left(tmp_path, "old", 3600)
    claims = [os.open(path, os.O_RDONLY) for path in old]
    for claim in claims:
        fcntl.flock(claim, fcntl.LOCK_EX)
    written()
    assert old <= set(tmp_path.iterdir())
    for claim in claims:
        os.close(claim)
    written()
    assert not old & set(tmp_path.iterdir())


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, exchanged):
    if not exchanged:
        monkeypatch.setattr(atomic, "_exchanged", lambda *_: False)
    for text in ("first", "second"):
        replace_folder(tmp_path / "report", (lambda folder, text=text: (folder / text).write_text(text)))
    assert [path.name for path in tmp_path.rglob("*")] == ["report", "second"]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system exchanges folders")
def test_one_of_two_folders_is_there_at_every_moment(tmp_path, monkeypatch):
    replace_folder(tmp_path / "report", lambda folder: (folder / "first").write_text("1"))
    plain = os.rename

    def seen(*given):
        assert (tmp_path / "report").is_dir()
        return plain(*given)

    monkeypatch.setattr(os, "rename", seen)
    replace_folder(tmp_path / "report", lambda folder: (folder / "second").write_text("2"))
    assert [path.name for path in tmp_path.rglob("*")] == ["report", "second"]


def test_what_is_being_written_is_claimed(tmp_path):
    def fill(stream):
        stream.write(b"half")
        [own] = tmp_path.glob(".dedup-*.tmp")
        with own.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    replace_file(tmp_path / "report.json", fill)
    assert (tmp_path / "report.json").read_text() == "half"
