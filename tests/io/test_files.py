from __future__ import annotations

import io
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from dedup.errors import InputError
from dedup.io import blocks

LINE = b'{"id": "one", "text": "an article"}\n'


def ids(articles):
    return [article["id"] for article in articles]


def test_folder_is_walked_in_order_and_ids_are_relative(read, tmp_path):
    for name in ("b.txt", "a/z.TXT", "a/b/c.text", "c.txt", ".hidden.txt", ".git/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a/b/c.text", "a/z.TXT", "b.txt", "c.txt"]
    assert not inputs.problems
    assert read(str(tmp_path))[0] == articles


def test_ids_of_several_paths_begin_with_the_path_given(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one/a.txt", "two/a.txt", "a.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    articles, inputs = read(["two/", Path("one"), "./a.txt"])
    assert ids(articles) == ["two/a.txt", "one/a.txt", "a.txt"]
    assert [article["path"] for article in articles] == ["two/a.txt", "one/a.txt", "a.txt"]
    assert not inputs.problems


def test_paths_from_a_generator(read, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    assert len(read(tmp_path.glob("*.txt"))[0]) == 1


def test_other_files_in_a_folder_are_skipped_one_by_one(read, tmp_path):
    for name in ("a.txt", "b.md", "c", "d.toml", "e.gif"):
        (tmp_path / name).write_text("text")
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a.txt"]
    assert [problem.path for problem in inputs.problems] == [
        str(tmp_path / name) for name in ("b.md", "c", "d.toml", "e.gif")
    ]
    assert inputs.skipped == 4
    assert ".jsonl" in inputs.problems[0].message


@pytest.mark.parametrize("other", [None, "a.md", ".hidden.txt", "sub/"])
def test_folder_without_articles_fails(read, tmp_path, other):
    if other == "sub/":
        (tmp_path / other).mkdir()
    elif other:
        (tmp_path / other).write_text("text")
    articles, inputs = read(tmp_path)
    assert articles == []
    [problem] = [problem for problem in inputs.problems if problem.kind == "failed"]
    assert (problem.path, problem.line) == (str(tmp_path), None)
    assert "no articles" in problem.message
    assert ".txt" in problem.message


def test_folder_with_a_name_like_a_file_is_a_folder(read, tmp_path):
    (tmp_path / "x.txt").mkdir()
    (tmp_path / "x.txt" / "a.txt").write_text("a")
    assert ids(read(tmp_path)[0]) == ["x.txt/a.txt"]


def test_missing_path_is_an_error_before_anything_is_read(read, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    steps = []
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        read([tmp_path / "a.txt", tmp_path / "nowhere.txt"], progress=steps.append)
    with pytest.raises(InputError, match="no file or folder"):
        read(tmp_path / "a.txt" / "b.txt")
    with pytest.raises(InputError, match="null"):
        read("a\0b")
    with pytest.raises(InputError, match="empty path"):
        read("")
    assert steps == []


def test_named_file_is_read_whatever_its_ending(read, tmp_path):
    for name in ("story", "story.md", ".story"):
        (tmp_path / name).write_text("text")
        [article], inputs = read(tmp_path / name)
        assert (article["id"], article["text"]) == (name, "text")
        assert not inputs.problems
    (tmp_path / "lines.log").write_bytes(b"\xef\xbb\xbf\n " + LINE)
    [article], _ = read(tmp_path / "lines.log")
    assert (article["id"], article["line"]) == ("one", 2)


@pytest.mark.parametrize("links", [["loop"], ["loop", "again"], ["a/loop"]])
def test_loop_of_links_ends_and_is_reported(read, tmp_path, links):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.txt").write_text("a")
    for link in links:
        (tmp_path / link).symlink_to(tmp_path, target_is_directory=True)
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a/a.txt"]
    assert sorted(problem.path for problem in inputs.problems) == sorted(str(tmp_path / x) for x in links)
    assert inputs.skipped == len(links)
    assert f"same as {tmp_path}" in inputs.problems[0].message


def test_link_to_itself_and_broken_link_fail(read, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "broken.txt").symlink_to("nowhere")
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a.txt"]
    assert [(problem.kind, Path(problem.path).name) for problem in inputs.problems] == [
        ("failed", "broken.txt"),
        ("failed", "self.txt"),
    ]
    assert "Too many levels" in inputs.problems[1].message
    assert [problem.kind for problem in read(tmp_path / "self.txt")[1].problems] == ["failed"]


def test_many_links_to_the_same_folders_are_read_once(read, tmp_path):
    """Each level doubles the ways to the bottom: 2**40 if links were followed blindly."""
    for level in range(40):
        (tmp_path / f"{level}").mkdir()
        for link in "xy":
            (tmp_path / f"{level}" / link).symlink_to(tmp_path / f"{level + 1}")
    (tmp_path / "40").mkdir()
    (tmp_path / "40" / "a.txt").write_text("a")
    assert len(read(tmp_path)[0]) == 1


def test_same_file_twice_is_read_once(read, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    (tmp_path / "b.txt").symlink_to(path)
    articles, inputs = read([tmp_path, path])
    assert len(articles) == 1
    assert [(problem.kind, problem.path) for problem in inputs.problems] == [
        ("skipped", str(path)),
        ("skipped", str(tmp_path / "b.txt")),
    ]


def test_same_folder_twice_is_read_once(read, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.txt").write_text("a")
    articles, inputs = read([tmp_path, tmp_path / "a", tmp_path])
    assert len(articles) == 1
    assert [(problem.kind, problem.path) for problem in inputs.problems] == [
        ("skipped", str(tmp_path)),
        ("skipped", str(tmp_path / "a")),
    ]


def test_hard_links_are_articles_of_their_own(read, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").hardlink_to(tmp_path / "a.txt")
    assert ids(read(tmp_path)[0]) == ["a.txt", "b.txt"]


def test_pipes_sockets_and_devices_in_folders_are_never_opened(read, tmp_path, monkeypatch):
    (tmp_path / "z.txt").write_text("a")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        articles, inputs = read(tmp_path)
    assert ids(articles) == ["z.txt"]
    assert [(problem.kind, problem.message.split(",")[0]) for problem in inputs.problems] == [
        ("skipped", "is a device"),
        ("skipped", "is a pipe"),
        ("skipped", "is a socket"),
    ]


def test_named_pipe_is_read(read, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(LINE,))
    writer.start()
    articles, inputs = read(pipe)
    writer.join()
    assert ids(articles) == ["one"]
    assert not inputs.problems


@pytest.mark.parametrize("name", ["b.txt", "b.jsonl", "b.jsonl.gz"])
def test_file_that_may_not_be_read_fails_with_the_reason(read, tmp_path, monkeypatch, name):
    for each in ("a.txt", name, "c.txt"):
        (tmp_path / each).write_bytes(LINE)
    opened = Path.open

    def refuse(path, *args, **kwargs):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a.txt", "c.txt"]
    [problem] = inputs.problems
    assert (problem.kind, problem.path) == ("failed", str(tmp_path / name))
    assert problem.message.startswith("Permission denied")


def test_folder_that_may_not_be_read_fails_with_the_reason(read, tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.txt").write_text("a")
    scanned = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scanned(path)

    monkeypatch.setattr(os, "scandir", refuse)
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a.txt"]
    assert str(inputs.problems[0]) == f"{tmp_path / 'closed'}: Permission denied"
    assert [problem.message for problem in read(tmp_path / "closed")[1].problems] == ["Permission denied"]


@pytest.mark.parametrize("name", ["b.txt", "b.jsonl"])
def test_file_that_vanishes_fails(read, tmp_path, monkeypatch, name):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / name).write_bytes(LINE)
    opened = Path.open

    def vanish(path, *args, **kwargs):
        if path.name == name:
            path.unlink()
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", vanish)
    articles, inputs = read(tmp_path)
    assert ids(articles) == ["a.txt"]
    assert [problem.kind for problem in inputs.problems] == ["failed"]
    assert "No such file" in inputs.problems[0].message


@pytest.mark.parametrize(("name", "kept"), [("a.txt", []), ("a.jsonl", ["one"])])
def test_file_that_changes_while_it_is_read_fails(read, tmp_path, name, kept):
    path = tmp_path / name
    path.write_bytes(LINE)
    articles, inputs = read(path, progress=lambda _: path.write_bytes(LINE * 2))
    assert ids(articles)[:1] == kept
    assert inputs.problems[-1].kind == "failed"
    assert "changed while" in inputs.problems[-1].message


def test_name_that_is_no_utf8_makes_a_valid_id(read, tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_text("a")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    [article], _ = read(tmp_path)
    assert article["id"] == "caf\\xe9.txt"
    assert article["path"].endswith("caf\\xe9.txt")
    [article], _ = read(os.fsdecode(path))
    assert article["id"] == "caf\\xe9.txt"
    [article], _ = read([os.fsdecode(path), tmp_path])
    assert article["id"].endswith("caf\\xe9.txt")
    Path(os.fsdecode(path)).rename(os.fsdecode(path[:-4]))
    [article], _ = read(os.fsdecode(path[:-4]))
    assert article["id"] == "caf\\xe9"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LINE, [("one", 1)]),
        (b"\n\n" + LINE, [("one", 3)]),
        (("\ufeff" + LINE.decode()).encode("utf-16-le"), [("one", 1)]),
        (b" " * blocks.BLOCK + LINE, [("<stdin>", None)]),
        (b"plain text", [("<stdin>", None)]),
        (b"[Photo: AP] plain text", [("<stdin>", None)]),
    ],
)
def test_standard_input(read, monkeypatch, data, expected):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    articles, inputs = read("-")
    assert [(article["id"], article["line"]) for article in articles] == expected
    assert {article["path"] for article in articles} == {"<stdin>"}
    assert not inputs.problems


def test_standard_input_may_be_empty_but_not_closed(read, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert [str(problem) for problem in read("-")[1].problems] == ["<stdin>: the file is empty"]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input"):
        read("-")


def test_progress_adds_up_to_the_size_of_the_files(read, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * 1_000_000)
    (tmp_path / "b.jsonl").write_bytes(LINE)
    steps = []
    read(tmp_path, progress=steps.append)
    assert sum(steps) == 1_000_000 + len(LINE)
    assert len(steps) > 2


def test_folders_deeper_than_the_stack(read, tmp_path):
    top = tmp_path / "top"
    folders = [top.joinpath(*["d"] * depth) for depth in range(1200)]
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "a.txt").write_text("a")
    assert len(read(top)[0]) == 1
    (folders[-1] / "a.txt").unlink()
    for folder in reversed(folders):
        folder.rmdir()
