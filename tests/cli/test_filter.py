"""`dedup filter` and `dedup index`, in processes of their own."""

import gzip
import json
import signal
import subprocess
import sys
import time

import pytest

import dedup

DEDUP = (sys.executable, "-m", "dedup")


@pytest.fixture
def run(tmp_path):
    def run(*arguments, lines=b"", code=0):
        done = subprocess.run(
            [*DEDUP, *map(str, arguments)],
            input=lines,
            capture_output=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode()
        return done

    return run


WORDS = " ".join(f"word{n}" for n in range(60))
OTHERS = " ".join(f"other{n}" for n in range(60))


def line(id, text=WORDS, **facts):
    return json.dumps({"id": id, "text": text, **facts}).encode() + b"\n"


def verdicts(output):
    return [(record["id"], record["dedup"]["verdict"]) for record in map(json.loads, output.splitlines())]


def test_fresh_articles_come_out_unchanged_but_for_the_verdict(run, tmp_path):
    odd = b'{"id": 1.50,  "text": "' + WORDS.encode() + b'" ,"extra": {"a": [1e400, 0.10]} }  \r\n'
    lines = odd + line("2") + line("3", OTHERS)
    done = run("filter", "--index", "i", "--rejects", "rejects.jsonl", lines=lines)
    first, second = done.stdout.splitlines()
    assert first.startswith(odd.rstrip()[:-1].rstrip() + b',"dedup":{"id":"1.50","verdict":"new"')
    assert verdicts(second) == [("3", "new")]
    assert verdicts((tmp_path / "rejects.jsonl").read_bytes()) == [("2", "duplicate")]
    assert done.stderr.decode().splitlines()[-1] == "2 new, 1 duplicate"


def test_a_verdict_that_was_there_is_replaced(run):
    done = run("filter", "--index", "i", lines=line("1", dedup="old", note="dedup"))
    record = json.loads(done.stdout)
    assert (record["dedup"]["verdict"], record["note"]) == ("new", "dedup")
    assert done.stdout.count(b'"dedup":') == 1


def test_annotate_and_drop(run):
    lines = line("1") + line("2") + line("3", WORDS + " more", outlet="A")
    assert verdicts(run("filter", "--index", "a", "--annotate", lines=lines).stdout) == [
        ("1", "new"), ("2", "duplicate"), ("3", "copy"),
    ]  # fmt: skip
    assert verdicts(run("filter", "--index", "b", "--drop", "new,copy", lines=lines).stdout) == [
        ("2", "duplicate")
    ]
    wrong = run("filter", "--index", "b", "--drop", "newer", code=2)
    assert b"'newer' is none of new, duplicate" in wrong.stderr


def test_broken_lines_are_set_aside_with_the_reason(run, tmp_path):
    lines = b'{"id": "1", "text": "cut\n' + b"[1]\n\n" + line("2") + b'\xff\xfe{"id"\n' + b'{"id": "3"}'
    done = run("filter", "--index", "i", "--dead-letter", "dead.jsonl", lines=lines, code=3)
    assert verdicts(done.stdout) == [("2", "new")]
    dead = [json.loads(row) for row in (tmp_path / "dead.jsonl").read_text("utf-8").splitlines()]
    assert [row["line"] for row in dead] == [1, 2, 5, 6]
    assert "not valid JSON" in dead[0]["reason"]
    assert dead[0]["text"] == '{"id": "1", "text": "cut'
    assert "missing field 'text'" in dead[3]["reason"]


def test_files_and_names_of_fields(run, tmp_path):
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as out:
        out.write(json.dumps({"key": "1", "body": WORDS}).encode())
    done = run(
        "filter", "--index", "i", "--field", "id=key", "--field", "text=body", "a.jsonl.gz", "a.jsonl.gz"
    )
    assert verdicts(b"\n".join(done.stdout.splitlines()).replace(b'"key"', b'"id"')) == [("1", "new")] * 2


def test_a_window_is_taken_and_a_wrong_one_refused(run):
    lines = line("1", published="2024-05-01") + line("2", published="2024-05-20")
    assert verdicts(run("filter", "--index", "i", "--window", "7d", lines=lines).stdout) == [
        ("1", "new"),
        ("2", "new"),
    ]
    assert b"no span of time" in run("filter", "--index", "i", "--window", "soon", code=2).stderr


def test_what_is_older_than_the_window_is_judged_with_a_note(run):
    lines = line("1", published="2024-05-20") + line("2", OTHERS, published="2024-03-01")
    done = run("filter", "--index", "i", "--window", "7d", lines=lines + line("3", published="2024-05-18"))
    noted = [json.loads(row)["dedup"]["notes"] for row in done.stdout.splitlines()]
    said = "published 2024-03-01T00:00:00+00:00 is before the window; what it repeats may be forgotten"
    assert noted == [[], [said]]  # and the third is a duplicate
    assert f"2: {said}" in done.stderr.decode()


def started(tmp_path, *arguments):
    return subprocess.Popen(
        [*DEDUP, "filter", "--index", "i", *arguments], stdin=-1, stdout=-1, stderr=-1, cwd=tmp_path
    )


def test_each_line_is_answered_while_the_reader_waits(tmp_path):
    with started(tmp_path) as process:
        for number in range(3):
            process.stdin.write(line(str(number), " ".join(f"w{number}x{n}" for n in range(30))))
            process.stdin.flush()
            assert verdicts(process.stdout.readline()) == [(str(number), "new")]
        process.stdin.write(line("last")[:-1])  # no end of line
        rest, _ = process.communicate(timeout=60)
    assert verdicts(rest) == [("last", "new")]
    assert process.returncode == 0


def test_it_finishes_what_it_accepted_when_asked_to_stop(tmp_path):
    with started(tmp_path) as process:
        process.stdin.write(line("1"))
        process.stdin.flush()
        assert verdicts(process.stdout.readline()) == [("1", "new")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stderr.read().decode().splitlines()[-1] == "1 new"
    with dedup.Filter(tmp_path / "i") as own:
        assert own.query({"id": "2", "text": WORDS}).verdict == "duplicate"


def test_half_a_line_is_left_alone_when_asked_to_stop(tmp_path):
    with started(tmp_path, "--dead-letter", tmp_path / "dead.jsonl") as process:
        process.stdin.write(line("1") + b'{"id": "2", "te')
        process.stdin.flush()
        assert verdicts(process.stdout.readline()) == [("1", "new")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert b"stopped within a line, which is left out" in process.stderr.read()
    assert (tmp_path / "dead.jsonl").read_bytes() == b""


def test_a_byte_order_mark_is_no_part_of_the_first_line(run):
    for number, encoding in enumerate(("utf-8-sig", "utf-16")):
        lines = line(str(number)).decode().encode(encoding)
        assert verdicts(run("filter", "--index", str(number), lines=lines).stdout) == [(str(number), "new")]


def test_a_file_that_cannot_be_written_is_named(run):
    full = run("filter", "--index", "i", "--rejects", "/dev/full", lines=line("1") + line("2"), code=1)
    assert b"/dev/full: cannot be written: No space left on device" in full.stderr
    lost = run("filter", "--index", "i", "--dead-letter", "nowhere/x", lines=line("1"), code=1)
    assert b"nowhere/x" in lost.stderr


def test_lines_are_added_behind_one_that_was_cut_short(run, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    rejects.write_bytes(b'{"id": "0", "te')  # by a process that was killed
    run("filter", "--index", "i", "--rejects", rejects, lines=line("1") + line("2"))
    cut, whole = rejects.read_bytes().splitlines()
    assert cut == b'{"id": "0", "te'
    assert json.loads(whole)["id"] == "2"


def test_a_damaged_file_is_told_and_the_next_is_judged(run, tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line("1") + b" " * 9999 + b"\n" + line("0"))[:-12])
    (tmp_path / "b.jsonl").write_bytes(line("2", OTHERS) + line("3", ""))
    done = run("filter", "--index", "i", "a.jsonl.gz", "b.jsonl", code=3)
    assert ("2", "new") in verdicts(done.stdout)
    told = done.stderr.decode()
    assert "a.jsonl.gz: the gzip data are damaged or cut short (they end too early); the lines before" in told
    assert told.splitlines()[-1].endswith("1 broken lines; 1 lines without a text")
    assert run("filter", "--index", "i", "b.jsonl").returncode == 0


def test_a_broken_pipe_ends_it_quietly(tmp_path):
    with started(tmp_path) as process:
        process.stdout.close()
        process.stdin.write(line("1"))
        process.stdin.close()
        assert process.wait(60) == 141
        assert b"Traceback" not in process.stderr.read()


def test_killed_it_keeps_what_it_said(tmp_path):
    lines = [line(str(n), " ".join(f"w{n}x{m}" for m in range(30))) for n in range(2000)]
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines))
    with (tmp_path / "out.jsonl").open("wb") as out:
        process = subprocess.Popen([*DEDUP, "filter", "--index", "i", "in.jsonl"], stdout=out, cwd=tmp_path)
        while not (tmp_path / "out.jsonl").stat().st_size:
            time.sleep(0.01)
        process.kill()
        process.wait(60)
    said = (tmp_path / "out.jsonl").read_bytes().split(b"\n")[:-1]
    assert said
    with dedup.Filter(tmp_path / "i") as own:
        for record in map(json.loads, said):
            assert own.query({"id": record["id"], "text": record["text"]}).plain() == record["dedup"]


def test_a_second_writer_is_told_of_the_first(run, tmp_path):
    with started(tmp_path) as process:
        process.stdin.write(line("1"))
        process.stdin.flush()
        process.stdout.readline()
        refused = run("filter", "--index", "i", lines=line("2"), code=1)
        assert f"another process writes to this index: process {process.pid}".encode() in refused.stderr
        assert json.loads(run("index", "stats", "i").stdout)["articles"] == 1
        process.communicate(timeout=60)


def test_the_index_is_looked_into_and_kept(run):
    lines = line("1", published="2022-05-01") + line("2", OTHERS, published="2024-09-01", outlet="A")
    run("filter", "--index", "i", lines=lines)
    told = json.loads(run("index", "stats", "i").stdout)
    assert (told["articles"], told["verdicts"]["new"], len(told["partitions"])) == (2, 2, 2)
    assert run("index", "verify", "i").stdout == b"i: sound\n"
    records = [json.loads(row) for row in run("index", "export", "i").stdout.splitlines()]
    assert [(row["id"], row["published"]) for row in records] == [
        ("1", "2022-05-01T00:00:00+00:00"), ("2", "2024-09-01T00:00:00+00:00"),
    ]  # fmt: skip
    again = run(
        "filter",
        "--index",
        "copy",
        "--annotate",
        lines=b"\n".join(json.dumps(r).encode() for r in records),
    )
    assert verdicts(again.stdout) == [("1", "new"), ("2", "new")]
    assert b"dropped" in run("index", "expire", "i", "--before", "2023-08-01").stdout
    assert b"no such article" in run("index", "delete", "i", "1", code=3).stderr
    assert b"deleted" in run("index", "delete", "i", "2").stderr
    assert json.loads(run("index", "stats", "i").stdout)["articles"] == 0


def test_verify_fails_where_something_is_gone(run, tmp_path):
    run("filter", "--index", "i", lines=line("1"))
    with dedup.Filter(tmp_path / "i") as own:
        [day] = own.index.partitions
        own.index.rocks.write([(f"a{day}", b"v\0\0\0\0", None)])
    assert b"1 things are not as they should be" in run("index", "verify", "i", code=1).stderr
