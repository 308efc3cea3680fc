"""Kept articles are read as they were written, in any order, and damage is told with its file."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dedup
from dedup.errors import InputError
from dedup.io.kept import OPTIONS, Kept, schema
from dedup.report.write import write
from dedup.schema import INPUT, KEPT, SKETCH
from dedup.sketch import version

STORY = "LONDON (Reuters) - One two three “four” five six seven, eight nine ten eleven twelve thirteen."
LONG = "Odd" + " " * 400 + "words."


@pytest.fixture
def folder(tmp_path):
    """Two reports that kept articles: a to j, and k to o."""
    ids = "abcdefghijklmno"
    texts = {id: f"{STORY} {id} {LONG if id in 'cm' else ''}" for id in ids}
    for name, own in (("one", ids[:10]), ("two", ids[10:])):
        report = dedup.scan([{"id": id, "text": texts[id], "title": f"title of {id}"} for id in own])
        write(report, f"{tmp_path / name}/", keep=True)
    return tmp_path


def rewritten(path, kind):
    """The file again, with some columns or other metadata, in row groups of four articles."""
    pq.write_table(pq.read_table(path).select(kind.names).cast(kind), path, row_group_size=4, **OPTIONS)


def test_articles_come_in_order_without_texts(folder):
    files = [str(folder / name / "kept.parquet") for name in ("one", "two")]
    rewritten(files[0], schema())
    found = list(Kept(files).batches(3))
    assert [id for rows in found for id in rows.batch["id"].to_pylist()] == list("abcdefghijklmno")
    assert {text for rows in found for text in rows.batch["text"].to_pylist()} == {""}
    assert found[0].batch["title"].to_pylist() == ["title of a", "title of b", "title of c"]
    assert [rows.first for rows in found][:2] == [1, 4]
    whole = pa.concat_tables([pq.read_table(file) for file in files])
    assert [size for rows in found for size in rows.batch["bytes"].to_pylist()] == [
        len(text.encode()) for text in whole["text"].to_pylist()
    ]
    groups = list(Kept(files).groups(0, 9, groups=range(1, 3)))
    assert [id for rows in groups for id in rows.batch["id"].to_pylist()] == list("efghij")
    assert groups[0].batch["kept"].to_pylist()[0] == 4
    assert groups[0].batch.schema.names == [*INPUT.names, "kept", *SKETCH.names]


def test_some_are_taken_from_anywhere(folder):
    files = [str(folder / name / "kept.parquet") for name in ("one", "two")]
    rewritten(files[0], schema())
    kept = Kept(files)
    whole = pa.concat_tables([pq.read_table(file) for file in files])
    places = np.concatenate([np.arange(10), (1 << 40) + np.arange(5)])
    draw = random.Random(3)
    for count in (0, 1, 7, 15):
        rows = np.array(draw.sample(range(15), count), np.int64)
        found = kept.taken(
            places[rows], whole["id"].combine_chunks().take(pa.array(rows)), ["text", "places"]
        )
        assert found.to_pylist() == whole.take(pa.array(rows)).select(["text", "places"]).to_pylist()


def test_what_is_not_as_it_was_is_told(folder):
    file = str(folder / "one" / "kept.parquet")
    kept = Kept([file])
    with pytest.raises(InputError, match=r"one/kept.parquet: has other articles than it had; scan them anew"):
        kept.taken(np.array([0, 1]), pa.array(["a", "c"]), ["text"])
    with pytest.raises(InputError, match="has fewer articles than it had"):
        kept.taken(np.array([0, 10]), pa.array(["a", "k"]), ["text"])


def test_other_versions_are_refused_with_both(folder):
    file = folder / "one" / "kept.parquet"
    others = {"dedup.kept": "1", "dedup.sketch": "0-abc"}
    rewritten(file, KEPT.with_metadata(others))
    with pytest.raises(InputError, match=rf"sketches of version 0-abc, and .* reads {version()}; scan them"):
        Kept([str(file)]).sizes(0)
    rewritten(file, KEPT.with_metadata(others | {"dedup.kept": "0"}))
    with pytest.raises(InputError, match=r"in layout 0, and this version of dedup reads 1; scan them anew"):
        Kept([str(file)]).sizes(0)
    rewritten(file, INPUT)  # what was kept before there were sketches
    with pytest.raises(
        InputError, match=r"in layout none, and this version of dedup reads 1; .* with --keep"
    ):
        Kept([str(file)]).sizes(0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": lambda ids: [None, *ids[1:]]}, "other columns"),
        ({"hashes": lambda values: [None, *values[1:]]}, "hashes is missing"),
        ({"hashes": lambda values: [values[0][:-4], *values[1:]]}, "do not agree"),
        ({"flags": lambda values: [*values[:-1], values[-1][:-1]]}, "do not agree"),
        ({"characters": lambda values: [*values[:-1], 2**62]}, "more characters"),
        ({"credits": lambda values: [None, *values[1:]]}, "credits is missing"),
    ],
)
def test_damaged_sketches_are_told(folder, columns, message):
    file = folder / "one" / "kept.parquet"
    whole = pq.read_table(file)
    for name, change in columns.items():
        own = pa.array(change(whole[name].to_pylist()), KEPT.field(name).type)
        whole = whole.set_column(whole.schema.get_field_index(name), name, own)
    kind = schema()
    if "id" in columns:  # which may not be null
        kind = kind.set(0, kind.field("id").with_nullable(True))
    pq.write_table(whole.cast(kind), file)
    with pytest.raises(InputError, match=rf"one/kept.parquet: .*({message}).*; scan them anew with --keep"):
        dedup.scan([], against=[folder / "one"])


def chunk_of(path, name):
    """Where the pages of a column's first chunk stand: first byte and stop."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema.startswith(name):
            first = column.dictionary_page_offset or column.data_page_offset
            return first, first + column.total_compressed_size
    raise KeyError(name)


@pytest.mark.parametrize("name", ["id", "hashes", "flags", "places", "credits", "characters", "outlet"])
def test_damaged_pages_are_told(folder, name):
    file = folder / "one" / "kept.parquet"
    _, stop = chunk_of(file, name)
    data = bytearray(file.read_bytes())
    data[stop - 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"one/kept.parquet: cannot be read as kept articles: .*; scan them"):
        dedup.scan([], against=[folder / "one"])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_truncated_files_are_told(folder, share):
    file = folder / "one" / "kept.parquet"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"one/kept.parquet: cannot be read as kept articles: .*; scan them"):
        dedup.scan([], against=[folder / "one"])


def test_huge_lengths_are_told(folder):
    """Lengths within a page that lead out of it, in a file without checksums."""
    file = folder / "one" / "kept.parquet"
    whole = pq.read_table(file)
    pq.write_table(whole.cast(schema()), file, compression="none", use_dictionary=False)
    size = len(whole["hashes"][0].as_py())
    first, stop = chunk_of(file, "hashes")
    data = file.read_bytes()
    at = data.index(size.to_bytes(4, "little"), first, stop)
    for length in (2**31 - 1, 2**32 - 1):
        file.write_bytes(data[:at] + length.to_bytes(4, "little") + data[at + 4 :])
        with pytest.raises(InputError, match="cannot be read as kept articles"):
            dedup.scan([], against=[folder / "one"])


def test_nothing_is_kept_of_nothing(tmp_path):
    write(dedup.scan([]), f"{tmp_path / 'none'}/", keep=True)
    found = dedup.scan([{"id": "a", "text": STORY}], against=[tmp_path / "none"])
    assert found.articles["id"].to_pylist() == ["a"]
