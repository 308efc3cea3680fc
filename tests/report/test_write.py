import csv
import io
import json
import os
import stat
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dedup.errors import OutputError
from dedup.report.model import Inputs, Problem
from dedup.report.write import dump, write
from dedup.schema import TABLES

RECORDS = {"article": "articles", "passage": "passages", "pair": "pairs", "family": "families"}


def figures(report):
    """Every table as lists of objects, times as the JSON formats write them."""
    tables = {name: getattr(report, name).to_pylist() for name in TABLES}
    for row in tables["articles"]:
        if row["published"] is not None:
            row["published"] = row["published"].isoformat().replace("+00:00", "Z")
    return tables


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".dedup"))


def test_json(tmp_path, example):
    write(example.report(), tmp_path / "r.json")
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert {name: document[name] for name in TABLES} == figures(example.report())
    assert document["schema_version"] == 1
    assert document["settings"]["shingle"] == 5
    assert document["inputs"]["read"] == 4
    assert [problem["line"] for problem in document["inputs"]["problems"]] == [None, 5]


def test_jsonl(tmp_path, example):
    write(example.report(), tmp_path / "r.JSONL")
    head, *records = [json.loads(line) for line in (tmp_path / "r.JSONL").read_text("utf-8").splitlines()]
    assert (head["record"], head["schema_version"], head["inputs"]["failed"]) == ("report", 1, 1)
    found = {name: [] for name in TABLES}
    for record in records:
        found[RECORDS[record.pop("record")]].append(record)
    assert found == figures(example.report())


@pytest.mark.parametrize("table", TABLES)
def test_csv(tmp_path, example, table):
    write(example.report(), tmp_path / "r.csv", table=table)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_bytes().decode(), newline="")))
    expected = figures(example.report())[table]
    assert len(rows) == len(expected)
    for row, original in zip(rows, expected, strict=True):
        for name, value in original.items():
            if isinstance(value, list):
                assert json.loads(row[name]) == value
            elif isinstance(value, float | int):
                assert float(row[name]) == value
            else:
                assert row[name].removeprefix("'") == (value or "")


def test_csv_tells_null_from_empty(tmp_path, example):
    rows = example.articles()
    rows[0]["title"] = ""
    write(example.report(articles=rows), tmp_path / "r.csv")
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    titles = pyarrow.csv.read_csv(tmp_path / "r.csv", convert_options=options).column("title").to_pylist()
    assert (titles[0], titles[3]) == ("", None)


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "'quoted", "＝1"])
def test_csv_holds_no_formula(tmp_path, example, title):
    rows = example.articles()
    rows[0]["title"] = title
    write(example.report(articles=rows), tmp_path / "r.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_bytes().decode(), newline="")))
    assert row["title"] == "'" + title


@pytest.mark.parametrize("table", TABLES)
def test_parquet(tmp_path, example, table):
    write(example.report(), tmp_path / "r.parquet", table=table)
    content = pq.read_table(tmp_path / "r.parquet")
    assert content.schema.equals(TABLES[table])
    assert content.to_pylist() == getattr(example.report(), table).to_pylist()
    metadata = content.schema.metadata
    assert metadata[b"dedup.schema_version"] == b"1"
    assert metadata[b"dedup.table"] == table.encode()
    assert json.loads(metadata[b"dedup.settings"])["guarantee"] == 12


def test_text(tmp_path, example):
    write(example.report(), tmp_path / "r.txt")
    text = (tmp_path / "r.txt").read_text("utf-8")
    assert "likely origin: a" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "parquet", "terminal"])
def test_same_report_same_bytes(example, format):
    one, other = io.BytesIO(), io.BytesIO()
    dump(example.report(), one, format)
    dump(example.report(), other, format)
    assert one.getvalue() == other.getvalue()


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "parquet", "terminal"])
def test_an_empty_report(example, format):
    empty = example.report(articles=[], passages=[], pairs=[], families=[], inputs=Inputs(), texts={})
    stream = io.BytesIO()
    dump(empty, stream, format)
    assert stream.getvalue()


def test_undecodable_paths(tmp_path, example):
    inputs = Inputs(0, [Problem("failed", "no", "caf\udce9.txt")])
    for name in ("r.json", "r.jsonl", "r.txt", "r.parquet", "r/"):
        write(example.report(inputs=inputs), f"{tmp_path}/{name}")
    assert "caf\\\\udce9.txt" in (tmp_path / "r.json").read_text("utf-8")


@pytest.mark.parametrize(("format", "given"), [("parquet", None), ("csv", "csv")])
def test_folder(tmp_path, example, format, given):
    write(example.report(), f"{tmp_path}/out/", format=given)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    texts = ["texts.parquet"] if format == "parquet" else []
    assert names == sorted([*(f"{table}.{format}" for table in TABLES), "report.json", *texts])
    assert json.loads((tmp_path / "out/report.json").read_text("utf-8"))["inputs"]["read"] == 4


def test_folder_replaces_an_earlier_report(tmp_path, example):
    write(example.report(), f"{tmp_path}/out/", format="csv")
    write(example.report(), tmp_path / "out")
    assert not (tmp_path / "out/articles.csv").exists()
    assert pq.read_table(tmp_path / "out/articles.parquet").num_rows == 4
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["notes.txt", "articles.csv"])
def test_folder_of_somebody_else_is_kept(tmp_path, example, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(OutputError, match="name a new folder"):
        write(example.report(), tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_folder_with_a_report_and_something_else_is_kept(tmp_path, example):
    write(example.report(), f"{tmp_path}/out/")
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write(example.report(), tmp_path / "out")
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("fault", ["replace", "fsync", "write"])
def test_failure_keeps_the_old_file(tmp_path, example, monkeypatch, fault):
    path = tmp_path / "r.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    if fault == "write":
        monkeypatch.setattr("dedup.report.encode.to_json", full)
    else:
        monkeypatch.setattr(os, fault, full)
    with pytest.raises(OutputError, match="free some space"):
        write(example.report(), path)
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("fault", ["fsync", "rename"])
def test_failure_keeps_the_old_folder(tmp_path, example, monkeypatch, fault):
    write(example.report(), f"{tmp_path}/out/")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    if fault == "fsync":
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    else:
        rename = Path.rename

        def second_fails(self, target):
            if self.name.endswith(".tmp"):
                raise OSError(16, "Device or resource busy")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OutputError):
        write(example.report(), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert leftovers(tmp_path) == []


def test_interruption_leaves_nothing(tmp_path, example, monkeypatch):
    monkeypatch.setattr("dedup.report.encode.to_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(example.report(), tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_links_and_modes_are_kept(tmp_path, example):
    path, link = tmp_path / "r.json", tmp_path / "link.json"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write(example.report(), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert json.loads(path.read_text("utf-8"))["record"] == "report"


def test_devices_are_written_to(example):
    write(example.report(), os.devnull, format="json")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("r.xml", {}, r"'\.xml' names no format; use \.txt, \.json, \.jsonl, \.csv, \.parquet"),
        ("r", {}, "names no format"),
        ("r.json", {"format": "yaml"}, "format='yaml'"),
        ("r.csv", {"table": "people"}, "articles, passages, pairs, families"),
        ("missing/r.json", {}, "create it first"),
        ("out/", {"format": "json"}, "name a file"),
    ],
)
def test_refusals(tmp_path, example, path, options, says):
    with pytest.raises(OutputError, match=says):
        write(example.report(), f"{tmp_path}/{path}", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_a_folder(tmp_path, example):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write(example.report(), f"{tmp_path}/out/")


def test_long_names(tmp_path, example):
    write(example.report(), tmp_path / ("x" * 250 + ".json"))
