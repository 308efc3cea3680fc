import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dedup.errors import InputError, OutputError
from dedup.report.model import LISTED, Inputs, Problem


def test_terminal_report_on_stdout_talk_on_stderr(run, scan, news):
    result = run("scan", news)
    assert "likely origin: a" in result.stdout
    assert "in/news.jsonl:5: not JSON: unexpected end" in result.stderr
    assert "likely origin" not in result.stderr
    assert "\x1b" not in result.output


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_json_on_stdout(run, scan, news, format):
    result = run("scan", news, "--format", format)
    first = result.stdout if format == "json" else result.stdout.splitlines()[0]
    assert json.loads(first)["inputs"]["read"] == 4


def test_csv_table_on_stdout(run, scan, news):
    result = run("scan", news, "--format", "csv", "--table", "pairs")
    assert result.stdout.startswith('"left","right",')


def test_parquet_on_a_pipe(run, scan, news):
    result = run("scan", news, "--format", "parquet", "--table", "families")
    assert pq.read_table(io.BytesIO(result.stdout_bytes)).num_rows == 1


def test_parquet_to_a_terminal_is_refused(run, scan, news, monkeypatch):
    monkeypatch.setattr(
        "dedup.cli.scan.sys", type("", (), {"stdout": type("", (), {"isatty": lambda _: True})()})
    )
    result = run("scan", news, "--format", "parquet")
    assert result.exit_code == 2
    assert "-o FILE.parquet" in result.stderr
    assert scan.calls == []


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.csv", "r.parquet", "r.txt", "out/"])
def test_output_file(run, scan, news, tmp_path, name):
    result = run("scan", news, "-o", f"{tmp_path}/{name}")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert f"wrote {tmp_path}/{name}: 4 articles, 1 family" in result.stderr
    assert (tmp_path / name).exists()


def test_settings_and_fields_reach_the_scan(run, scan, news):
    run(
        "scan", news, "-", "--shingle", "4", "--min-tokens", "30", "--field", "text=body", "--field", "id=a=b"
    )
    (source, settings, fields), = scan.calls  # fmt: skip
    assert source == [str(news), "-"]
    assert (settings.shingle, settings.min_tokens, settings.guarantee) == (4, 30, 12)
    assert fields == {"text": "body", "id": "a=b"}


def test_exit_codes(run, scan, news, example):
    assert run("scan", news).exit_code == 3
    assert run("scan", news, "--fail-on-copy").exit_code == 4
    scan.outcome = example.report(inputs=Inputs(4, [Problem("skipped", "empty", "x")]))
    assert run("scan", news).exit_code == 0
    quotations = [example.pair("a", "c", "quotations only", 0)]
    scan.outcome = example.report(inputs=Inputs(4), pairs=quotations)
    assert run("scan", news, "--fail-on-copy").exit_code == 0


@pytest.mark.parametrize("relation", ["duplicate", "update", "partial reuse"])
def test_copying(run, scan, news, example, relation):
    scan.outcome = example.report(pairs=[example.pair("a", "b", relation, 9)])
    assert run("scan", news, "--fail-on-copy").exit_code == 4


@pytest.mark.parametrize("error", [InputError("x.bin: no\x1b[1m"), OutputError("no")])
def test_errors_are_one_line(run, scan, news, error):
    scan.outcome = error
    result = run("scan", news)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "\x1b" not in result.stderr
    assert "Traceback" not in result.stderr


def test_interruption(run, scan, news):
    scan.outcome = KeyboardInterrupt()
    result = run("scan", news)
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument"),
        (["missing.txt"], "does not exist"),
        (["NEWS", "--shingle", "1"], "2<=x<=32"),
        (["NEWS", "--shingle", "x"], "not a valid integer"),
        (["NEWS", "--recall", "nan"], "recall=nan"),
        (["NEWS", "--guarantee", "3"], "use guarantee=5 or more"),
        (["NEWS", "--field", "text"], "e.g. text=body"),
        (["NEWS", "--field", "body=text"], "one of id, text"),
        (["NEWS", "--field", "id=a", "--field", "id=b"], "given twice"),
        (["NEWS", "-o", "r.xml"], "names no format"),
        (["NEWS", "-o", "out/", "--format", "json"], "name a file for json"),
        (["NEWS", "--format", "json", "--table", "pairs"], "goes with csv and parquet"),
        (["NEWS", "--format", "xml"], "not one of"),
    ],
)
def test_wrong_usage(run, scan, news, arguments, says):
    result = run("scan", *(str(news) if value == "NEWS" else value for value in arguments))
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert scan.calls == []


def test_output_is_checked_before_anything_is_read(run, scan, news, tmp_path):
    result = run("scan", news, "-o", tmp_path / "missing" / "r.json")
    assert result.exit_code == 1
    assert "create it first" in result.stderr
    assert scan.calls == []


def test_problems_are_capped_on_stderr_and_complete_in_the_report(run, scan, news, example):
    scan.outcome = example.report(inputs=Inputs(0, [Problem("failed", "bad", "f", n) for n in range(1, 51)]))
    result = run("scan", news, "--format", "json")
    assert result.stderr.count(": bad") == 20
    assert "and 30 more; the report lists them" in result.stderr
    assert len(json.loads(result.stdout)["inputs"]["problems"]) == 50


def test_problems_beyond_those_listed_are_counted(run, scan, news, example):
    problems = [Problem("failed", "bad", "f", n) for n in range(3 * LISTED, 0, -1)]
    scan.outcome = example.report(inputs=Inputs(0, problems))
    result = run("scan", news, "--format", "json")
    assert f"and {3 * LISTED - 20:,} more; the report lists them (the first {LISTED:,})" in result.stderr
    inputs = json.loads(result.stdout)["inputs"]
    assert inputs["failed"] == 3 * LISTED
    assert [problem["line"] for problem in inputs["problems"]] == list(range(1, LISTED + 1))
    result = run("scan", news)
    assert f"… and {3 * LISTED - 20:,} more (a .json report lists the first {LISTED:,})" in result.stdout


def test_quiet(run, scan, news, tmp_path):
    result = run("scan", news, "--quiet", "-o", tmp_path / "r.json")
    assert (result.exit_code, result.output) == (3, "")


def test_color(run, scan, news, monkeypatch):
    assert "\x1b[1;31mleaders" in run("scan", news, "--color", "always").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;31mleaders" in run("scan", news, "--color", "always").stdout
    for choice in ("never", "auto"):
        assert "\x1b" not in run("scan", news, "--color", choice, color=True).stdout


def test_limit(run, scan, news, example):
    families = [example.families()[0] | {"family": f"f{number}"} for number in range(30)]
    scan.outcome = example.report(families=families)
    for options, count in (([], 20), (["--limit", "3"], 3), (["--limit", "0"], 30)):
        assert run("scan", news, *options).stdout.count("Family f") == count


DRIVER = """
import importlib.util, sys
from types import SimpleNamespace
import dedup
dedup.__version__ = "0.1.0"
spec = importlib.util.spec_from_file_location("example", {example!r})
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
report = example.report(articles=[example.article(f"{{n:06}}") for n in range(20000)])
sys.modules["dedup.pipeline"] = SimpleNamespace(scan=lambda *_, **__: report)
from dedup.cli import main
main(["scan", "-", "--quiet", "--format", {format!r}], prog_name="dedup")
"""


def driver(format):
    example = Path(__file__).parents[1] / "report" / "example.py"
    return [sys.executable, "-c", DRIVER.format(example=str(example), format=format)]


def test_reader_of_stdout_goes_away():
    process = subprocess.Popen(driver("jsonl"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("format", ["json", "terminal"])
def test_stdout_is_full(format):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(driver(format), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["Error: standard output: No space left on device"]


def test_narrow_encodings():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(driver("terminal"), capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (3, b"")
    assert b"\\u201c" in done.stdout
