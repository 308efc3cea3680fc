"""Whatever stands in a file: reading never raises, loses nothing, and delivers valid articles only."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dedup.io.lines import lines

FRAGMENTS = st.sampled_from(
    [
        *(b'{"id":"a","text":"b"}', b'{"id":1,"text":"c"}', b'{"id": 2, "text": "\\ud800"}', b'{"id": null}'),
        *(
            b"\n",
            b"\r\n",
            b"\x00",
            b"\xff\xfe",
            b"\xfe\xff",
            b"\xef\xbb\xbf",
            b"\xe9",
            b"caf\xe9 ",
            b"[",
            b" ",
        ),
        *(
            "é".encode(),
            "text".encode("utf-16-le"),
            "市长".encode("utf-16-be"),
            b"\x1f\x8b\x08",
            b"(\xb5/\xfd",
        ),
    ]
)
DATA = st.one_of(st.binary(max_size=200), st.lists(FRAGMENTS, max_size=12).map(b"".join))


def check(articles, inputs):
    assert len({article["id"] for article in articles}) == len(articles) == inputs.read
    for article in articles:
        assert article["id"]
        assert article["text"].strip()
        article["text"].encode()
    for problem in inputs.problems:
        problem.message.encode()
        assert "\n" not in problem.message


@given(DATA, st.sampled_from(["a.txt", "a.jsonl", "a.txt.gz", "a.jsonl.zst", "a"]))
def test_any_bytes_under_any_name(read, data, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        articles, inputs = read(path, max_bytes=50)
    check(articles, inputs)
    assert articles or inputs.problems


@given(DATA)
def test_a_text_file_is_one_article_or_one_problem(read, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        path.write_bytes(data)
        _, inputs = read(path)
    assert inputs.read + inputs.skipped + inputs.failed == 1


@given(st.lists(DATA, max_size=5).map(b"\n".join))
def test_every_line_is_an_article_or_a_problem(read, data):
    data = b"{}\n" + data  # no mark and no other kind of file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_bytes(data)
        articles, inputs = read(path)
    check(articles, inputs)
    expected = [number for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    found = [article["line"] for article in articles]
    found += [problem.line for problem in inputs.problems if problem.kind != "warning"]
    assert sorted(found) == expected


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.sampled_from('ab1-:é市🙂\u0301\ud800 \n\0"'), max_size=5)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXT, st.datetimes().map(str)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, max_size=2)),
    max_leaves=4,
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"id": VALUES, "text": VALUES},
        optional=dict.fromkeys(("title", "outlet", "url", "published", "language"), VALUES),
    ),
    max_size=6,
)


@given(RECORDS)
def test_every_record_from_python_is_an_article_or_a_problem(read, records):
    articles, inputs = read(records)
    check(articles, inputs)
    assert inputs.read + inputs.skipped + inputs.failed == len(records)


@given(RECORDS)
def test_lines_and_python_agree(read, records):
    """Except on NaN and infinity, which JSON lacks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_text("\n".join(json.dumps(record) for record in records))
        from_file, _ = read(path)
    from_python, _ = read(records)
    nowhere = {"path": None, "line": None}
    assert [article | nowhere for article in from_file] == from_python


@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(0, 20))
def test_lines_agree_with_split(blocks, limit):
    expected = b"".join(blocks).split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert list(lines(blocks, limit)) == [line if len(line) <= limit else None for line in expected]
