"""A report saved as a folder of tables says the same when it is read again."""

import io
import json
import shutil

import pytest

import dedup
from dedup.errors import InputError
from dedup.report.html import to_html
from dedup.report.saved import load
from dedup.report.terminal import plain_text
from dedup.report.write import write


@pytest.fixture
def saved(example, tmp_path):
    write(example.report(), f"{tmp_path}/tables/")
    return tmp_path / "tables"


def test_every_format_is_the_same_again(example, saved, tmp_path):
    report, again = example.report(), load(saved)
    assert plain_text(again) == plain_text(report)
    for name in ("a.json", "a.jsonl", "a.csv", "a.parquet"):
        write(report, tmp_path / name)
        write(again, tmp_path / f"again-{name}")
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    pages = [io.BytesIO(), io.BytesIO()]
    to_html(report, pages[0])
    to_html(again, pages[1])
    assert pages[0].getvalue() == pages[1].getvalue()


def test_texts_that_nothing_is_told_of_are_not_saved(example, saved):
    texts = load(saved).texts
    assert dict(texts) == {id: example.TEXTS[id] for id in "abc"}
    assert "d" not in texts
    assert len(texts) == 3


def test_a_scan_saved_and_read_again(tmp_path):
    report = dedup.scan("seeds/")
    write(report, f"{tmp_path}/tables/")
    assert plain_text(load(tmp_path / "tables")) == plain_text(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "report.json").unlink(), "is no saved report"),
        (lambda folder: (folder / "report.json").write_text("{"), "is no saved report"),
        (lambda folder: (folder / "report.json").write_text("[]"), "is no saved report"),
        (lambda folder: (folder / "report.json").write_text('{"schema_version": 1}'), "is damaged"),
        (lambda folder: (folder / "pairs.parquet").unlink(), "pairs.parquet: cannot be read"),
        (
            lambda folder: (folder / "texts.parquet").write_bytes(b"PAR1 no PAR1"),
            "texts.parquet: cannot be read",
        ),
        (
            lambda folder: shutil.copy(folder / "pairs.parquet", folder / "articles.parquet"),
            "articles.parquet",
        ),
    ],
)
def test_a_damaged_folder_is_told(saved, change, said):
    change(saved)
    with pytest.raises(InputError, match=said):
        load(saved)


def test_another_schema_is_told(saved):
    header = json.loads((saved / "report.json").read_bytes())
    (saved / "report.json").write_text(json.dumps({**header, "schema_version": 99}))
    with pytest.raises(InputError, match="has schema version 99, not 1"):
        load(saved)


def test_csv_tables_cannot_be_read_again(example, tmp_path):
    write(example.report(), f"{tmp_path}/tables/", format="csv")
    with pytest.raises(InputError, match="holds CSV tables"):
        load(tmp_path / "tables")
