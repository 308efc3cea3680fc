"""Articles from Python and from Arrow."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from dedup import io
from dedup.article import Article
from dedup.errors import InputError
from dedup.report.model import Inputs
from dedup.schema import INPUT
from dedup.settings import Settings

GOOD = {"id": "good", "text": "good article"}


def messages(inputs):
    assert all((problem.path, problem.line) == (None, None) for problem in inputs.problems)
    return [(problem.kind, problem.message) for problem in inputs.problems]


def test_articles_and_mappings(read):
    when = datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    articles, inputs = read(
        iter([Article("a", "text", outlet="Bote", published=when), {"id": "b", "text": "more"}])
    )
    assert not inputs.problems
    assert articles[0]["published"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert articles[0]["outlet"] == "Bote"
    assert articles[1]["path"] is None
    assert articles[1]["line"] is None


@pytest.mark.parametrize(
    "published",
    [datetime(2024, 5, 1, tzinfo=UTC), date(2024, 5, 1), "2024-05-01", 1714521600, np.float64(1714521600)],
)
def test_published_of_any_kind(read, published):
    [article], inputs = read([Article("a", "text", published=published)])
    assert article["published"] == datetime(2024, 5, 1, tzinfo=UTC)
    assert not inputs.problems


def test_a_column_of_times_without_a_zone_is_told_once(read):
    times = pa.array([None, datetime(2024, 5, 1), datetime(2024, 5, 2)], pa.timestamp("us"))
    articles, inputs = read(pa.table({"id": ["a", "b", "c"], "text": ["x"] * 3, "published": times}))
    assert articles[1]["published"] == datetime(2024, 5, 1, tzinfo=UTC)
    assert [str(problem) for problem in inputs.problems] == [
        "input: row 2: the published time has no zone; taken as UTC, as 2 of this input are"
    ]


@pytest.mark.parametrize(
    ("item", "kind", "words"),
    [
        ({"id": "x"}, "failed", "missing field 'text'"),
        ({"text": "x"}, "failed", "missing field 'id'"),
        ({}, "failed", "missing field 'id'"),
        ({"id": "x", "text": b"bytes"}, "failed", "'text' is bytes"),
        ({"id": "x", "text": "a\ud800"}, "failed", "\\ud800, at character 1"),
        ({"id": "x", "text": ""}, "skipped", "empty"),
        ({"id": "x", "text": "\n"}, "skipped", "white space"),
        ({"id": "good", "text": "again"}, "failed", "'good' is taken by item 1"),
        ({"id": object(), "text": "a"}, "failed", "of type object"),
        ({"id": 10**5000, "text": "a"}, "failed", "too many digits"),
        ({"id": "x", "text": "a", "published": object()}, "failed", "of type object"),
        ({"id": "x", "text": "a", "title": 1.5}, "failed", "'title' is a number"),
        ({"id": "x", "text": "a" * 101}, "failed", "101 bytes, more than 100"),
        ({"id": "x", "text": "a", "title": "a" * 101}, "failed", "'title' has 101 bytes"),
        (Article("x", None), "failed", "'text' is null"),
        (Article("good", "again"), "failed", "'good'"),
    ],
)
def test_bad_item_is_reported_and_the_others_are_read(read, item, kind, words):
    articles, inputs = read([GOOD, item, {"id": "last", "text": "last"}], max_bytes=100)
    assert [article["id"] for article in articles] == ["good", "last"]
    [(found, message)] = messages(inputs)
    assert found == kind
    assert message.startswith("item 2: ")
    assert words in message


def test_bad_date_is_a_warning(read):
    [article], inputs = read([GOOD | {"published": "soon"}])
    assert article["published"] is None
    assert inputs.warnings == 1


@pytest.mark.parametrize(
    ("key", "expected"),
    [(7, "7"), (np.int64(7), "7"), (1.5, "1.5"), (np.float64(1.5), "1.5"), (Decimal("1.50"), "1.50")],
)
def test_numbers_as_ids(read, key, expected):
    [article], _ = read([{"id": key, "text": "a"}])
    assert article["id"] == expected


def test_nan_is_no_value(read):
    nothing = dict.fromkeys(("title", "outlet", "url", "published", "language"), float("nan"))
    [article], inputs = read([GOOD | nothing])
    assert article["title"] is None
    assert not inputs.problems
    assert read([{"id": "a", "text": float("nan")}])[1].failed == 1


@pytest.mark.parametrize("source", [[GOOD, 5], [None], ["-", GOOD], [GOOD, "path"], 5, b"path", GOOD, None])
def test_what_is_no_article_is_an_error(read, source):
    with pytest.raises(InputError, match=r"item \d is of type|source is"):
        read(source)


def test_nothing_at_all(read):
    assert read([]) == ([], Inputs())


def table(**columns):
    return pa.table({"id": ["a", "b"], "text": ["one", "two"]} | columns)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_strings_of_every_kind(read, kind):
    column = pa.array(["x", "y", "z"], pa.string()).cast(kind)[1:]
    articles, inputs = read(table(id=column, text=column, title=column))
    assert [(article["id"], article["text"], article["title"]) for article in articles] == [
        ("y", "y", "y"),
        ("z", "z", "z"),
    ]
    assert not inputs.problems


WHEN = datetime(2024, 5, 1, 12, 30)


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp(unit, tz) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC", "Europe/Paris")],
)
def test_timestamps_of_every_kind(read, kind):
    seconds = int(WHEN.replace(tzinfo=UTC).timestamp())
    column = pa.array([None, seconds], pa.timestamp("s", kind.tz)).cast(kind)
    articles, _ = read(table(published=column))
    assert [article["published"] for article in articles] == [None, WHEN.replace(tzinfo=UTC)]


def test_dates_and_strings_as_published(read):
    for column in (
        pa.array([date(2024, 5, 1)] * 2, pa.date32()),
        pa.array([date(2024, 5, 1)] * 2, pa.date64()),
        pa.array(["2024-05-01"] * 2),
    ):
        articles, _ = read(table(published=column))
        assert articles[0]["published"] == datetime(2024, 5, 1, tzinfo=UTC)


def test_years_that_python_cannot_show_are_warnings(read):
    for column in (pa.array([2**60, None], pa.timestamp("s")), pa.array([2**30, None], pa.date32())):
        articles, inputs = read(table(published=column))
        assert len(articles) == 2
        assert inputs.warnings == 1


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": [1, 2]}, "'text' is of type int64; text wants a string"),
        ({"id": [1.5, 2.5]}, "'id' is of type double; id wants a string or an integer"),
        ({"text": [b"a", b"b"]}, "'text' is of type binary"),
        ({"title": [[1], [2]]}, "'title'"),
        ({"published": [1, 2]}, "published wants a timestamp, a date or a string"),
        ({"line": ["1", "2"]}, "line wants an integer"),
    ],
)
def test_column_of_a_wrong_type_is_an_error(read, columns, words):
    with pytest.raises(InputError) as caught:
        read(table(**columns))
    assert words in str(caught.value)


def test_missing_and_doubled_columns_are_errors(read):
    with pytest.raises(InputError, match=r"no column 'text'.*id, body"):
        read(pa.table({"id": ["a"], "body": ["b"]}))
    with pytest.raises(InputError, match="2 columns 'id'"):
        read(pa.Table.from_arrays([pa.array(["a"])] * 3, names=["id", "id", "text"]))


def test_columns_are_renamed(read):
    [article], _ = read(pa.table({"nr": [7], "body": ["text"]}), fields={"id": "nr", "text": "body"})
    assert (article["id"], article["text"]) == ("7", "text")


def test_bad_rows_are_reported_and_the_others_are_read(read):
    articles, inputs = read(
        pa.table({"id": ["a", None, "c", "a", "e", "f"], "text": ["x", "x", None, "x", " ", "x"]})
    )
    assert [article["id"] for article in articles] == ["a", "f"]
    assert [(kind, message.split(":")[0]) for kind, message in messages(inputs)] == [
        ("failed", "row 2"),
        ("failed", "row 3"),
        ("failed", "row 4"),
        ("skipped", "row 5"),
    ]
    assert "taken by row 1" in inputs.problems[2].message


def test_string_that_is_not_utf8_fails_its_row(read):
    bad = pa.StringArray.from_buffers(
        2, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"ok\xff\xfe")
    )
    articles, inputs = read(pa.table({"id": ["a", "b"], "text": bad, "path": bad}))
    assert [(article["id"], article["path"]) for article in articles] == [("a", "ok")]
    assert "row 2: field 'text' is bytes" in inputs.problems[0].message


def test_batches_and_readers_and_what_speaks_arrow(read):
    class Frame:
        def __arrow_c_stream__(self, requested_schema=None):
            return table().__arrow_c_stream__(requested_schema)

    batch = table().to_batches()[0]
    expected = read(table())
    for source in (batch, table().to_reader(), Frame()):
        assert read(source) == expected
    assert read(table().slice(0, 0)) == ([], Inputs())


def test_table_read_before_is_read_again_unchanged(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"id": 1, "text": "a"}\n{"id": 2, "text": "b", "published": "2024-01-01"}'
    )
    first = io.read(tmp_path, inputs=Inputs(), settings=Settings())
    assert first.schema == INPUT
    assert io.read(first, inputs=Inputs(), settings=Settings()).equals(first)


def test_batches_stream_and_stay_small():
    drawn = []

    def items():
        for number in range(10):
            drawn.append(number)
            yield {"id": number, "text": "x"}

    inputs = Inputs()
    stream = io.batches(items(), inputs=inputs, settings=Settings(batch_size=3))
    assert next(stream).num_rows == 3
    assert len(drawn) == 4
    assert [batch.num_rows for batch in stream] == [3, 3, 1]
    assert inputs.read == 10


def test_batches_are_bounded_by_bytes():
    items = ({"id": number, "text": "x" * 2**24} for number in range(5))
    stream = io.batches(items, inputs=Inputs(), settings=Settings())
    assert [batch.num_rows for batch in stream] == [1, 1, 1, 1, 1]
