"""Addresses: a real S3 server on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pyarrow.fs
import pytest

import dedup


@pytest.fixture(scope="module")
def bucket():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        options = f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
        yield f"?{options}&allow_bucket_creation=true", f"127.0.0.1:{port}"
        server.terminate()


@pytest.fixture
def address(bucket, monkeypatch):
    options, endpoint = bucket
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    store = pyarrow.fs.S3FileSystem(
        access_key="x", secret_key="y", endpoint_override=endpoint, scheme="http", region="us-east-1",
        allow_bucket_creation=True,
    )  # fmt: skip
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
