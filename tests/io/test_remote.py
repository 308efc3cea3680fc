"""Addresses: a real S3 server on loopback."""

from __future__ import annotations

import pyarrow.fs
import pytest

import dedup


@pytest.fixture
def address(s3_server, s3_store):
    options = f"?endpoint_override={s3_server}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    store = s3_store
    store.create_dir("news")
    for name, data in (
        ("2024/a.jsonl", b'{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n'),
        ("2024/b.txt", b"three"),
        ("2025/c.txt", b"four"),
    ):
        with store.open_output_stream(f"news/{name}") as stream:
            stream.write(data)
    return lambda path: f"s3://news/{path}{options}"


def test_folder_file_and_pattern(read, address):
    assert [one["id"] for one in read(address("2024"))[0]] == ["1", "2", "b.txt"]
    assert [one["text"] for one in read(address("2025/c.txt"))[0]] == ["four"]
    assert [one["text"] for one in read(address("*/*.txt"))[0]] == ["three", "four"]


def test_parquet(read, address, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"id": ["p"], "text": ["five"]}), tmp_path / "p.parquet")
    system, root = pyarrow.fs.FileSystem.from_uri(address("2026/p.parquet"))
    with system.open_output_stream(root) as stream:
        stream.write((tmp_path / "p.parquet").read_bytes())
    assert [one["id"] for one in read(address("2026"))[0]] == ["p"]


def test_nothing_there(read, address):
    with pytest.raises(dedup.InputError, match="nothing at"):
        read(address("2030"))
