"""The real command on every sort of bad input: each has its message, none stops the rest."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = (
    "Delegates from forty countries agreed late on Friday to cut methane leaks from oil wells by a third "
    "before the decade ends, a pledge that campaigners called overdue and producers called costly. "
    "The text obliges signatories to publish yearly figures, checked by satellite, from next spring."
)


def dedup(*arguments, stdin=b"", **environment):
    return subprocess.run(
        [sys.executable, "-m", "dedup", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "good.txt").write_text(STORY)
    (folder / "again.txt").write_text(f"{STORY} The talks go on in Nairobi.")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "blank.txt").write_text(" \n\t\n")
    (folder / "word.txt").write_text("Methane")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (folder / "latin.txt").write_bytes(f"Café society. {STORY}".encode("latin-1"))
    (folder / "marked.txt").write_bytes(f"Ça va. {STORY}".encode("utf-16"))
    (folder / "unmarked.txt").write_bytes(f"Ça alors. {STORY}".encode("utf-16-le"))
    (folder / "invalid.txt").write_bytes(b"Broken \xff\xfe\xfa here. \xe2\x28\xa1 " + STORY.encode())
    (folder / "nul.txt").write_bytes(b"NUL\0s in \0here. " + STORY.encode())
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.txt").symlink_to(folder / "missing")
    (folder / "long.txt").write_text("word " * 400_000)
    lines = [
        json.dumps({"id": "json", "text": f"{STORY} From JSON."}),
        '{"id": "cut", "text": "no end',
        '{"id": "no-text"}',
        '{"id": "json", "text": "the same id again, with some other text to read here"}',
        '{"id": "lone", "text": "a lone \\ud800 surrogate among words that are otherwise good to read here"}',
        json.dumps({"id": "number", "text": 5}),
        "[1, 2]",
        "",
        json.dumps({"id": "huge", "text": "word " * 400_000}),
        json.dumps({"id": "last", "text": f"{STORY} The last line."}),
    ]
    (folder / "lines.jsonl").write_text("\n".join(lines))
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(json.dumps({"id": "z", "text": STORY}).encode())[:-9])
    return folder


def test_each_is_named_counted_and_the_rest_is_compared(bad):
    done = dedup("scan", bad, "--format", "json", "--max-bytes", 1_000_000)
    report = json.loads(done.stdout)
    said = done.stderr.decode()
    assert done.returncode == 3
    assert "Traceback" not in said
    problems = {
        (Path(p["path"]).name if p["path"] else None, p["line"]): p for p in report["inputs"]["problems"]
    }
    for name in ("empty.txt", "blank.txt", "binary.txt", "invalid.txt", "loop", "nowhere.txt", "long.txt"):
        assert (name, None) in problems, name
        assert name in said
    for line in (2, 3, 4, 6, 7, 9):
        assert ("lines.jsonl", line) in problems, line
        assert f"lines.jsonl:{line}: " in said
    assert any(name == "cut.jsonl.gz" for name, _ in problems)
    failed = sum(p["kind"] == "failed" for p in problems.values())
    skipped = sum(p["kind"] == "skipped" for p in problems.values())
    assert (report["inputs"]["failed"], report["inputs"]["skipped"]) == (failed, skipped)
    rows = {row["id"]: row for row in report["articles"]}
    assert report["inputs"]["read"] == len(rows)
    assert rows["word.txt"]["status"] == "short"
    members = {member["article"] for family in report["families"] for member in family["members"]}
    assert {"good.txt", "again.txt", "latin.txt", "marked.txt", "unmarked.txt", "json", "last"} <= members
    assert "word.txt" not in members


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (["scan", "good.txt", "again.txt"], b"", 0, ""),
        (["scan", "FOLDER"], b"", 3, "no articles"),
        (["scan", "missing"], b"", 2, "missing"),
        (["scan", "good.txt", "--shingle", "99"], b"", 2, "99"),
        (["scan", "-"], b'{"id": "a", "text": "', 3, ":1: "),
        (["scan", "good.txt", "again.txt", "--fail-on-copy"], b"", 4, ""),
        (["scan", "good.txt", "--fail-on-copy"], b"", 0, ""),
        (["scan", "good.txt", "-o", "/dev/full/report.json"], b"", 1, "/dev/full"),
        (["compare", "good.txt", "binary.txt"], b"", 1, "binary.txt"),
        (["compare", "good.txt", "again.txt"], b"", 0, ""),
    ],
)
def test_exit_codes(bad, tmp_path, monkeypatch, arguments, stdin, code, says):
    monkeypatch.chdir(bad)
    places = [str(tmp_path) if argument == "FOLDER" else argument for argument in arguments]
    done = dedup(*places, stdin=stdin)
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert says in said
    assert "Traceback" not in said


def test_an_old_report_stays_whole_when_a_new_one_cannot_be_written(bad, tmp_path):
    report = tmp_path / "report.json"
    assert dedup("scan", bad / "good.txt", "-o", report).returncode == 0
    before = report.read_bytes()
    limited = "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); sys.argv[0] = 'dedup';"
    limited += "runpy.run_module('dedup', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", limited, "scan", bad / "again.txt", "-o", report],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"report.json" in done.stderr
    assert report.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
