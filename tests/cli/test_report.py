import json

import pytest

from dedup.report.write import write


@pytest.fixture
def saved(example, tmp_path):
    write(example.report(), f"{tmp_path}/tables/")
    return tmp_path / "tables"


def test_saved_tables_on_a_terminal(run, saved):
    result = run("report", saved)
    assert result.exit_code == 0
    assert "likely origin: a" in result.stdout


@pytest.mark.parametrize("name", ["again.html", "again.json", "again/"])
def test_saved_tables_in_another_format(run, saved, tmp_path, name):
    result = run("report", saved, "-o", f"{tmp_path}/{name}")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"wrote {tmp_path}/{name}" in result.stderr
    assert (tmp_path / name).exists()
    if name == "again.json":
        assert json.loads((tmp_path / name).read_bytes())["inputs"]["read"] == 4


def test_a_folder_that_holds_no_report(run, tmp_path):
    result = run("report", tmp_path)
    assert result.exit_code == 1
    assert "is no saved report" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [["missing"], ["--format", "html", "--table", "pairs"]])
def test_wrong_usage(run, saved, arguments):
    assert run("report", *([saved] if arguments[0] != "missing" else []), *arguments).exit_code == 2


def test_a_page_on_stdout(run, saved):
    result = run("report", saved, "--format", "html", "--limit", 1)
    assert result.stdout.startswith("<!DOCTYPE html>")
