from __future__ import annotations

import codecs
import gzip
import json
import tracemalloc
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from dedup.errors import InputError

HEAD = b'{"id": "first", "text": "first article"}\n'
TAIL = b'{"id": "last", "text": "last article"}\n'


def compressed(codec, data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


BAD = {
    "broken": (b'{"id": 1, "text": }', "failed", ["column 19"]),
    "cut short": (b'{"id": 1, "text": "abc', "failed", ["column 19", "Unterminated"]),
    "two objects": (b'{"id": 1} {"id": 2}', "failed", ["column 11", "Extra data"]),
    "a list": (b"[1, 2]", "failed", ["a list", "not an object"]),
    "a number": (b"17", "failed", ["a number", "not an object"]),
    "null": (b"null", "failed", ["null", "not an object"]),
    "not JSON": (b"hello", "failed", ["column 1"]),
    "NaN": (b'{"id": 1, "text": NaN}', "failed", ["NaN", "null"]),
    "infinity": (b'{"id": 1, "text": "a", "x": -Infinity}', "failed", ["-Infinity"]),
    "deep": (b'{"id": ' + b"[" * 200_000, "failed", ["nested too deeply"]),
    "huge number": (b'{"id": 1, "text": ' + b"9" * 10_000 + b"}", "failed", ["'text' is a number"]),
    "bad UTF-8": (b'{"id": 1, "text": "caf\xe9"}', "failed", ["UTF-8", "byte 22", "0xe9"]),
    "surrogate": (b'{"id": 1, "text": "ab\\ud800c"}', "failed", ["'text'", "\\ud800", "character 2"]),
    "surrogate id": (b'{"id": "\\udfff", "text": "a"}', "failed", ["'id'", "\\udfff", "character 0"]),
    "surrogate title": (b'{"id": 1, "text": "a", "title": "\\ud800"}', "failed", ["'title'", "\\ud800"]),
    "surrogate url": (b'{"id": 1, "text": "a", "url": "\\ud800"}', "failed", ["'url'"]),
    "no id": (b'{"text": "a"}', "failed", ["missing field 'id'"]),
    "null id": (b'{"id": null, "text": "a"}', "failed", ["missing field 'id'"]),
    "empty id": (b'{"id": "", "text": "a"}', "failed", ["'id' is empty"]),
    "id true": (b'{"id": true, "text": "a"}', "failed", ["'id' is true or false"]),
    "id list": (b'{"id": [1], "text": "a"}', "failed", ["'id' is a list"]),
    "no text": (b'{"id": 1}', "failed", ["missing field 'text'"]),
    "null text": (b'{"id": 1, "text": null}', "failed", ["'text' is null"]),
    "text list": (b'{"id": 1, "text": ["a"]}', "failed", ["'text' is a list, not a string"]),
    "text number": (b'{"id": 1, "text": 5}', "failed", ["'text' is a number, not a string"]),
    "title object": (b'{"id": 1, "text": "a", "title": {}}', "failed", ["'title' is an object"]),
    "outlet number": (b'{"id": 1, "text": "a", "outlet": 1}', "failed", ["'outlet' is a number"]),
    "language list": (b'{"id": 1, "text": "a", "language": []}', "failed", ["'language' is a list"]),
    "published list": (b'{"id": 1, "text": "a", "published": []}', "failed", ["'published' is a list"]),
    "published true": (b'{"id": 1, "text": "a", "published": true}', "failed", ["'published' is true"]),
    "empty text": (b'{"id": 1, "text": ""}', "skipped", ["empty"]),
    "blank text": (b'{"id": 1, "text": " \\n"}', "skipped", ["only white space"]),
    "same id": (b'{"id": "first", "text": "a"}', "failed", ["'first'", "a.jsonl:1"]),
    "NUL": (b'{"id": 1,\x00 "text": "a"}', "failed", ["column 10"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_line_is_reported_and_the_others_are_read(read, tmp_path, case):
    data, kind, words = BAD[case]
    path = tmp_path / "a.jsonl"
    path.write_bytes(HEAD + b"\n" + data + b"\n \r\n" + TAIL)
    articles, inputs = read(path)
    assert [(article["id"], article["line"]) for article in articles] == [("first", 1), ("last", 5)]
    [problem] = inputs.problems
    assert (problem.kind, problem.path, problem.line) == (kind, str(path), 3)
    for word in words:
        assert word in problem.message


def test_every_field_is_read(read, tmp_path):
    record = {
        "id": "x",
        "text": "Das ist ein \u0000 Text 🙂",
        "title": "Titel",
        "outlet": "Bote",
        "url": "https://example.org/1",
        "published": "2024-05-01T12:30:00+02:00",
        "language": "de",
        "slug": "titel",
        "byline": "Von A. B.",
        "dateline": "WIEN",
        "credit": "dpa",
        "provider": "dpa-infocom",
        "source": "APA",
        "copyright": "© dpa",
        "version": "2",
        "derived_from": "urn:dpa:1",
        "other": [1, {"a": None}],
    }
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps(record))
    [article], inputs = read(path)
    assert not inputs.problems
    published = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)
    del record["other"]
    assert article == record | {"published": published, "path": str(path), "line": 1}


@pytest.mark.parametrize("number", ["7", "-7", "1.50", "1e400", "9007199254740993", "9" * 5000])
def test_number_as_id_keeps_its_digits(read, tmp_path, number):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"id": {number}, "text": "a"}}')
    [article], _ = read(path)
    assert article["id"] == number


def test_number_and_string_of_the_same_digits_are_the_same_id(read, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 7, "text": "a"}\n{"id": "7", "text": "b"}')
    articles, inputs = read(path)
    assert [article["text"] for article in articles] == ["a"]
    assert inputs.problems[0].line == 2


def test_fields_are_renamed(read, tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(nr=1, body="text", text=5) + line(nr=2))
    [article], inputs = read(path, fields={"id": "nr", "text": "body"})
    assert (article["id"], article["text"]) == ("1", "text")
    assert "'body'" in inputs.problems[0].message


def test_unknown_field_is_an_error_that_lists_the_known(read, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(HEAD)
    with pytest.raises(InputError, match=r"'body'.*id, text, title, outlet, url, published, language"):
        read(tmp_path, fields={"body": "text"})
    with pytest.raises(InputError, match="''"):
        read(tmp_path, fields={"text": ""})


DATES = {
    '"2024-05-01"': datetime(2024, 5, 1, tzinfo=UTC),
    '"20240501"': datetime(2024, 5, 1, tzinfo=UTC),
    '"2024-05-01T12:30"': datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    '"2024-05-01 12:30:01.123456Z"': datetime(2024, 5, 1, 12, 30, 1, 123456, tzinfo=UTC),
    '"2024-05-01 12:30:00 UTC"': datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    '"2024-05-01 12:30:00 -0530"': datetime(2024, 5, 1, 18, 0, tzinfo=UTC),
    '"01-MAY-1987 12:30:01.79"': datetime(1987, 5, 1, 12, 30, 1, 790000, tzinfo=UTC),
    '"1 May 2024 12:30 GMT"': datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    '"31 august 2024"': datetime(2024, 8, 31, tzinfo=UTC),
    '"Wed, 01 May 2024 12:30:00 +0200"': datetime(2024, 5, 1, 10, 30, tzinfo=UTC),
    '"May 1, 2024 3:05 PM"': datetime(2024, 5, 1, 15, 5, tzinfo=UTC),
    '"May 1, 2024 12:05 a.m."': datetime(2024, 5, 1, 0, 5, tzinfo=UTC),
    '"1714566600"': datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    "1714566600": datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    "1714566600.25": datetime(2024, 5, 1, 12, 30, 0, 250000, tzinfo=UTC),
    "-1": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    "null": None,
    '" "': None,
}
ZONELESS = (
    '"May 1, 2024 3:05 PM"',
    '"May 1, 2024 12:05 a.m."',
    '"2024-05-01T12:30"',
    '"01-MAY-1987 12:30:01.79"',
)


@pytest.mark.parametrize("written", DATES)
def test_published_is_utc(read, tmp_path, written):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"id": 1, "text": "a", "published": {written}}}')
    [article], inputs = read(path)
    assert article["published"] == DATES[written]
    zoneless = [problem.message for problem in inputs.problems]
    assert zoneless == ["the published time has no zone; taken as UTC"] * (written in ZONELESS)


def test_times_without_a_zone_are_told_once_for_a_file(read, tmp_path):
    times = ["2024-05-01T10:00Z", "2024-05-01T10:00", "2024-05-02", "2024-05-01 11:00"]
    lines = [f'{{"id": "{n}", "text": "a", "published": "{time}"}}' for n, time in enumerate(times)]
    for name in ("mixed.jsonl", "plain.jsonl"):
        (tmp_path / name).write_text(
            "\n".join(lines if name == "mixed.jsonl" else lines[1:]).replace('"id": "', f'"id": "{name}')
        )
    _, inputs = read(tmp_path)
    assert [(problem.kind, problem.path, problem.line) for problem in inputs.problems] == [
        ("warning", str(tmp_path / "mixed.jsonl"), 2),
        ("warning", str(tmp_path / "plain.jsonl"), 1),
    ]
    assert all("as 2 of this input are" in problem.message for problem in inputs.problems)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ('"yesterday"', "'yesterday'"),
        ('"2024-13-01"', "no date"),
        ('"0001-01-01T00:00:00+14:00"', "years 1 to 9999"),
        (f'"2024-05-01{" " * 20_000}x"', "longer than 100"),
        ('"20240501123000"', "YYYYMMDD"),
        ("1714566600000", "milliseconds"),
        ("1e999999999", "1e999999999"),
        ("9" * 5000, "number of seconds"),
        ('"\\ud800"', "no date"),
    ],
)
def test_unknown_date_is_a_warning_and_the_article_stays(read, tmp_path, written, word):
    path = tmp_path / "a.jsonl"
    path.write_bytes(HEAD + f'{{"id": 1, "text": "a", "published": {written}}}'.encode())
    articles, inputs = read(path)
    assert [article["published"] for article in articles] == [None, None]
    [problem] = inputs.problems
    assert (problem.kind, problem.path, problem.line) == ("warning", str(path), 2)
    assert word in problem.message
    assert "'published'" in problem.message


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)
def test_marked_encodings_are_read(read, tmp_path, encoding, mark):
    path = tmp_path / "a.jsonl"
    path.write_bytes(mark + (HEAD.decode() + '{"id": "Ċ", "text": "市长 🙂"}\r\n').encode(encoding))
    articles, inputs = read(path)
    assert [(article["id"], article["text"]) for article in articles] == [
        ("first", "first article"),
        ("Ċ", "市长 🙂"),
    ]
    assert not inputs.problems


def test_bad_utf16_fails_its_line_only(read, tmp_path):
    path = tmp_path / "a.jsonl"
    bad = '{"id": 1, "text": "'.encode("utf-16-le") + b"\x00\xd8" + '"}\n'.encode("utf-16-le")
    path.write_bytes(
        codecs.BOM_UTF16_LE
        + HEAD.decode().encode("utf-16-le")
        + bad
        + TAIL.decode().encode("utf-16-le")
        + b"!"
    )
    articles, inputs = read(path)
    assert [article["id"] for article in articles] == ["first", "last"]
    assert [(problem.kind, problem.line) for problem in inputs.problems] == [("failed", 2), ("failed", 4)]
    assert "UTF-16-LE after character 19" in inputs.problems[0].message


@pytest.mark.parametrize(
    ("data", "kind", "word"),
    [
        (b"", "skipped", "empty"),
        (b"\n \n", "skipped", "white space"),
        (b"\x89PNG\r\n\x1a\n\x00\n\n\n", "skipped", "PNG"),
        (gzip.compress(HEAD, mtime=0), "failed", ".gz"),
    ],
)
def test_file_without_lines_is_one_problem(read, tmp_path, data, kind, word):
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "b.jsonl").write_bytes(TAIL)
    articles, inputs = read(tmp_path)
    assert [article["id"] for article in articles] == ["last"]
    [problem] = inputs.problems
    assert (problem.kind, problem.path, problem.line) == (kind, str(tmp_path / "a.jsonl"), None)
    assert word in problem.message


@pytest.mark.parametrize(("codec", "ending"), [("gzip", ".gz"), ("zstd", ".zst")])
class TestCompressed:
    DATA = b"".join(b'{"id": %d, "text": "article %d"}\n' % (n, n * n) for n in range(3000))

    def test_is_read_whole(self, read, tmp_path, codec, ending):
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(compressed(codec, self.DATA) + compressed(codec, TAIL))
        articles, inputs = read(path)
        assert len(articles) == 3001
        assert not inputs.problems

    def test_cut_short_keeps_what_was_read(self, read, tmp_path, codec, ending):
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(compressed(codec, self.DATA) + compressed(codec, HEAD)[:-5])
        articles, inputs = read([path])
        assert [article["id"] for article in articles[:3000]] == [str(n) for n in range(3000)]
        [problem] = inputs.problems
        assert (problem.kind, problem.path, problem.line) == ("failed", str(path), len(articles) + 1)
        assert codec in problem.message
        assert "cut short" in problem.message

    def test_followed_by_rubbish_keeps_what_was_read(self, read, tmp_path, codec, ending):
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(compressed(codec, self.DATA) + b"rubbish, and more of it")
        articles, inputs = read(path)
        assert len(articles) == 3000
        assert (inputs.problems[0].kind, inputs.problems[0].line) == ("failed", 3001)

    def test_not_compressed_at_all(self, read, tmp_path, codec, ending):
        (tmp_path / f"a.jsonl{ending}").write_bytes(HEAD)
        (tmp_path / "b.jsonl").write_bytes(TAIL)
        articles, inputs = read(tmp_path)
        assert [article["id"] for article in articles] == ["last"]
        assert (inputs.problems[0].kind, inputs.problems[0].line) == ("failed", 1)

    def test_empty(self, read, tmp_path, codec, ending):
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(b"")
        assert read(path)[1].problems[0].kind == "skipped"

    def test_progress_counts_the_bytes_of_the_file(self, read, tmp_path, codec, ending):
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(compressed(codec, self.DATA))
        steps = []
        read(path, progress=steps.append)
        assert sum(steps) == path.stat().st_size


def test_truncated_gzip_keeps_every_line_before_the_break(read, tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(TestCompressed.DATA)[:-12])
    articles, inputs = read(path)
    assert len(articles) > 2900
    assert inputs.problems[0].line == len(articles) + 1


def test_line_over_the_limit_is_passed_over_in_bounded_memory(read, tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(HEAD + b'{"id": 1, "text": "')
        for _ in range(64):
            file.write(b"x" * 2**20)
        file.write(b'"}\n' + TAIL)
    tracemalloc.start()
    articles, inputs = read(path, max_bytes=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [article["id"] for article in articles] == ["first", "last"]
    [problem] = inputs.problems
    assert (problem.kind, problem.path, problem.line) == ("failed", str(path), 2)
    assert "longer than 67,536 bytes" in problem.message
    assert "--max-bytes" in problem.message
    assert peak < 4 * 2**20


def test_text_over_the_limit_fails_with_both_figures(read, tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(id=1, text="x" * 101) + line(id=2, text="é" * 50) + line(id=3, text="é" * 51))
    articles, inputs = read(path, max_bytes=100)
    assert [article["id"] for article in articles] == ["2"]
    assert [problem.line for problem in inputs.problems] == [1, 3]
    for problem, size in zip(inputs.problems, ("101", "102"), strict=True):
        assert size in problem.message
        assert "100" in problem.message
        assert "--max-bytes" in problem.message


def test_pretty_printed_list_names_the_remedy(read, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('[{"id": 1, "text": "a"}]')
    assert "belongs into a .json file" in read(path)[1].problems[0].message
