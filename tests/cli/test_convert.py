"""`dedup convert` and `dedup scan --explain-input`: what will be compared, before it is."""

from __future__ import annotations

import json

import pytest
from pyarrow import parquet

import dedup
from dedup.schema import INPUT

PAGE = "<html lang=en><head><title>T</title></head><body><article><p>" + "Words of news here. " * 9


@pytest.fixture
def folder(tmp_path):
    own = tmp_path / "in"
    own.mkdir()
    (own / "a.txt").write_text("one text")
    (own / "b.jsonl").write_text('{"id": "1", "text": "two"}\n{"id": "2"}\n')
    (own / "c.html").write_text(PAGE)
    return own


def test_convert_to_parquet(run, folder, tmp_path):
    result = run("convert", folder, "-o", tmp_path / "out.parquet")
    assert result.exit_code == 3  # one line is set aside
    assert "wrote" in result.stderr
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.schema.names == INPUT.names
    assert table["id"].to_pylist() == ["a.txt", "1", "c.html"]


def test_what_was_converted_is_read_as_it_was(run, folder, tmp_path):
    whole = dedup.scan(folder).articles
    for name in ("out.parquet", "out.jsonl"):
        dedup.convert(folder, tmp_path / name)
        again = dedup.scan(tmp_path / name).articles
        for column in ("id", "title", "language", "tokens"):
            assert again[column].to_pylist() == whole[column].to_pylist()
    assert dedup.scan(tmp_path / "out.parquet").articles["path"].to_pylist() == whole["path"].to_pylist()


def test_convert_to_standard_output(run, folder):
    lines = run("convert", folder, "-o", "-", "--quiet").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a.txt", "1", "c.html"]


def test_convert_leaves_what_stands_there_until_the_end(run, folder, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    result = run("convert", "https://example.org", "-o", out)
    assert result.exit_code != 0
    assert out.read_text() == "old"


def test_convert_refuses_other_endings(run, folder, tmp_path):
    assert ".parquet" in run("convert", folder, "-o", tmp_path / "out.docx").stderr


def test_explain_input(run, folder):
    told = run("scan", "--explain-input", folder).stdout
    assert "a.txt: read as text" in told
    assert "c.html: read as html" in told
    assert "'two'  <- field 'text'" in told
    assert "title        'T'  <- title" in told
    assert "missing field 'text'" in told


def test_input_format(run, tmp_path):
    (tmp_path / "a.txt").write_text('{"id": "1", "text": "two"}\n')
    told = run("convert", tmp_path, "--input-format", "jsonl", "-o", "-", "--quiet").stdout
    assert json.loads(told)["id"] == "1"


def test_the_formats_are_those_that_are_read():
    from dedup.cli.options import INPUT_FORMATS
    from dedup.io.formats import NAMES

    assert INPUT_FORMATS == NAMES
