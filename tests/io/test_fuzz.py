"""Whatever bytes come in, each reader ends, says what is wrong with its place, and the rest goes on."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import dedup.io
from dedup.report.model import Inputs
from dedup.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))
import test_formats as samples

ARROW = io.BytesIO()
with pa.ipc.new_file(ARROW, samples.table().schema) as writer:
    writer.write_table(samples.table())
PARQUET = io.BytesIO()
parquet.write_table(samples.table(), PARQUET)

GOOD = {
    "a.txt": samples.TEXT.encode(),
    "a.jsonl": b'{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n',
    "a.json": b'[{"id": "1", "text": "one"}, {"id": "2", "text": "two"}]',
    "a.ninjs": json.dumps(samples.NINJS).encode(),
    "a.csv": b'id,text\n1,one\n2,"two\nlines"\n',
    "a.html": samples.PAGE.encode(),
    "a.warc": gzip.decompress(samples.warc(("https://townpost.co.uk/1", samples.PAGE))),
    "a.warc.gz": samples.warc(("https://townpost.co.uk/1", samples.PAGE)),
    "a.rss": samples.RSS.encode(),
    "a.nitf": samples.NITF.encode(),
    "a.xml": samples.NEWSML.encode(),
    "a.parquet": PARQUET.getvalue(),
    "a.arrow": ARROW.getvalue(),
    "a.zip": samples.packed("zip", {"a.txt": b"text", "b.html": samples.PAGE.encode()}),
    "a.tar.gz": samples.packed("tar.gz", {"a.txt": b"text", "b.html": samples.PAGE.encode()}),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_samples_are_read(read, tmp_path, name):
    (tmp_path / name).write_bytes(GOOD[name])
    assert read(tmp_path)[0]


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes(tmp_path, name, data):
    good = GOOD[name]
    first = data.draw(st.integers(0, len(good)))
    length = data.draw(st.sampled_from([0, 1, 4, 64, len(good)]))
    damaged = good[:first] + data.draw(st.binary(max_size=16)) + good[first + length :]
    (tmp_path / name).write_bytes(damaged)
    (tmp_path / "z.txt").write_text("last")
    inputs = Inputs()
    table = dedup.io.read(tmp_path, inputs=inputs, settings=Settings(threads=1))
    assert "last" in table["text"].to_pylist()
    assert all(problem.path for problem in inputs.problems)
    table.validate(full=True)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_names_of_columns_that_are_no_utf8(read, tmp_path, name):
    (tmp_path / name).write_bytes(GOOD[name].replace(b"text", b"\x80ext"))
    (tmp_path / "z.txt").write_text("last")
    rows, inputs = read(tmp_path)
    assert [row["id"] for row in rows] == ["z.txt"]
    assert [problem.path for problem in inputs.problems] == [str(tmp_path / name)]


VALUES = st.one_of(
    st.none(), st.text(max_size=6), st.integers(-5, 5), st.floats(allow_nan=False), st.booleans(),
    st.lists(st.integers(), max_size=2), st.sampled_from(["2024-05-01", "x", "1", "\ud800"]),
    st.sampled_from(["https://a.co.uk/b", "http://[::1", "a//b.org"]),
)  # fmt: skip
RECORDS = st.dictionaries(
    st.sampled_from(["id", "text", "title", "published", "url", "outlet", "other"]), VALUES, max_size=6
)


@given(st.lists(RECORDS, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n"]))
@example([{"id": -0.0, "text": "a"}, {"id": 0, "text": "a"}], "\n")
@settings(deadline=None)
def test_lines_read_together_are_what_they_are_one_by_one(records, end):
    lines = end.join(json.dumps({"id": f"own {n}", **record}) for n, record in enumerate(records))
    told = [_read_lines(lines.encode(), one_by_one=one_by_one) for one_by_one in (False, True)]
    assert told[0] == told[1]


def _read_lines(data: bytes, *, one_by_one: bool):
    """Articles and problems of JSON Lines; a blank line at the end makes each be looked at by itself."""
    from dedup.io.blocks import Limits
    from dedup.io.file import File
    from dedup.io.jsonl import read
    from dedup.io.place import Place, Rows
    from dedup.io.reading import Reading
    from dedup.io.record import names_of

    reading = Reading(names_of(None), 10**6, 100, Limits(10**9, 200))
    source = iter([data + (b"\n\n" if one_by_one else b"")])
    out = []
    for found in read(File("f", Path("f"), io.BytesIO), source, Place("f"), reading):
        if isinstance(found, Rows):
            out += [tuple(row.values()) for row in found.batch.to_pylist()]
        elif hasattr(found, "values"):
            row = pa.array([found.values[5]], pa.timestamp("us", tz="UTC")).to_pylist()
            out.append((*found.values[:5], *row, *found.values[6:]))
        elif found.message not in ("the file is empty", "the file is only white space"):
            out.append(found)
    return sorted(out, key=repr)
