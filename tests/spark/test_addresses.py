"""Articles from a bucket, and a report into it: a real S3 server on loopback."""

import json
from contextlib import nullcontext

import pyarrow.fs
import pytest

import dedup
from dedup import schema
from dedup.errors import OutputError
from dedup.report.saved import load
from dedup.spark import scan as spark_scan

STORY = " ".join(f"word{number} and then" for number in range(40))
ROWS = [{"id": f"{number}", "text": f"{STORY} {number}", "outlet": f"o{number}"} for number in range(6)]


@pytest.fixture
def store(s3_store):
    s3_store.create_dir("desk")
    return s3_store


@pytest.fixture
def scan_to(alone, monkeypatch):
    """`scan_to`, with tasks in this process."""
    monkeypatch.setattr(spark_scan, "session", lambda master: None)
    monkeypatch.setattr(spark_scan, "check_executors", lambda *_: None)
    monkeypatch.setattr(spark_scan, "lent", lambda spark: nullcontext())
    monkeypatch.setattr(spark_scan, "Cluster", lambda spark: alone.Alone())
    return spark_scan.scan_to


def names(store, folder):
    found = store.get_file_info(pyarrow.fs.FileSelector(folder, recursive=True))
    return sorted(info.path for info in found if info.type == pyarrow.fs.FileType.File)


def test_from_a_bucket_into_it(store, s3_server, scan_to, tmp_path):
    options = f"?endpoint_override={s3_server}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    for number, rows in enumerate((ROWS[:3], ROWS[3:])):
        with store.open_output_stream(f"desk/news/{number}.jsonl") as stream:
            stream.write("\n".join(map(json.dumps, rows)).encode())
    source, report = f"s3://desk/news{options}", f"s3://desk/report{options}"
    expected = dedup.scan(source)
    assert expected.families.num_rows == 1
    for again in range(3):  # the second replaces the first, and the third what was made elsewhere
        if again == 2:
            store.delete_dir("desk/report/pairs.parquet")
            with store.open_output_stream("desk/report/pairs.parquet") as stream:
                stream.write(b"a table in one file")
        written = scan_to(source, report, temp_dir=tmp_path, parts=2)
        assert written.families == 1
        found = load(report)
        for name in schema.TABLES:
            assert getattr(found, name).equals(getattr(expected, name)), name
        files = names(store, "desk/report")
        assert "desk/report/report.json" in files
        assert len(files) == 11
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="holds more than a report"):
        scan_to(source, f"s3://desk{options}", temp_dir=tmp_path)


def test_articles_kept_in_a_bucket_are_compared(store, s3_server, scan_to, tmp_path):
    options = f"?endpoint_override={s3_server}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    kept = f"s3://desk/kept{options}"
    scan_to(ROWS[:4], kept, temp_dir=tmp_path, parts=2, keep=True)
    expected = dedup.scan(ROWS)
    here = dedup.scan(ROWS[4:], against=[kept])
    scan_to(ROWS[4:], f"s3://desk/both{options}", temp_dir=tmp_path, parts=2, against=[kept], keep=True)
    again = dedup.scan([], against=[f"s3://desk/both{options}"])
    for found in (here, load(f"s3://desk/both{options}"), again):
        for name in schema.TABLES:
            assert getattr(found, name).equals(getattr(expected, name)), name
    assert dict(here.texts) == dict(again.texts) == dict(expected.texts)


def test_a_report_comes_back_by_the_bucket(store, s3_server, scan_to):
    options = f"?endpoint_override={s3_server}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    expected = dedup.scan(ROWS)
    found = spark_scan.scan(ROWS, temp_dir=f"s3://desk/scratch{options}", parts=2)
    for name in schema.TABLES:
        assert getattr(found, name).equals(getattr(expected, name)), name
    assert dict(found.texts) == dict(expected.texts)
    assert names(store, "desk/scratch") == []


def test_stages_hand_on_by_the_bucket(store, s3_server, scan_to):
    options = f"?endpoint_override={s3_server}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    scan_to(ROWS, f"s3://desk/other{options}", temp_dir=f"s3://desk/scratch{options}", parts=2)
    assert names(store, "desk/scratch") == []
    assert load(f"s3://desk/other{options}").families.num_rows == 1
