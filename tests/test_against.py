"""A new day against what earlier reports kept: the same as all at once, on both engines."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dedup
from benchmarks.corpus import write
from dedup import schema
from dedup.cli import main
from dedup.errors import EngineError, InputError, OutputError, SettingsError
from dedup.report.saved import load
from dedup.report.write import write as write_report


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Three days of one corpus, and all of it."""
    folder = tmp_path_factory.mktemp("days")
    write(folder / "all.parquet", 700, seed=9)
    whole = pq.read_table(folder / "all.parquet")
    paths = []
    for day in range(3):
        paths.append(folder / f"day{day}.parquet")
        pq.write_table(whole.take(list(range(day, whole.num_rows, 3))), paths[-1])
    return folder, paths


def same(found, expected):
    """All but where the articles were read from."""
    for name in schema.TABLES:
        one, other = getattr(found, name), getattr(expected, name)
        if name == "articles":
            one, other = one.drop_columns(["path", "line"]), other.drop_columns(["path", "line"])
        assert one.equals(other), name


def test_day_after_day_is_as_all_at_once(scan, days, tmp_path):
    folder, paths = days
    expected = dedup.scan(folder / "all.parquet")
    assert expected.families.num_rows > 20
    kept = []
    for day, path in enumerate(paths[:2]):
        moved = tmp_path / path.name
        shutil.copy(path, moved)
        kept.append(tmp_path / f"report{day}")
        write_report(scan(str(moved), against=kept[:day]), f"{kept[-1]}/", keep=True)
        moved.unlink()  # nobody reads it again
    shutil.rmtree(kept[0])  # the second report is of the first day too
    found = scan(str(paths[2]), against=kept[1:])
    same(found, expected)
    assert found.inputs.read == 700
    assert not found.inputs.problems
    lines = dict(zip(*(found.articles[name].to_pylist() for name in ("id", "line")), strict=True))
    first = pq.read_table(paths[0], columns=["id"])["id"].to_pylist()
    assert [lines[id] for id in first] == list(range(1, len(first) + 1))  # as they were read
    assert all(found.texts[id] for id in first[:5])


def without_texts(report):
    """Damage all texts that a report keeps, and nothing else."""
    found = sorted((report / "kept.parquet").glob("*")) if (report / "kept.parquet").is_dir() else []
    for path in found or [report / "kept.parquet"]:
        data, metadata = bytearray(path.read_bytes()), pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            column = metadata.row_group(group).column(schema.KEPT.names.index("text"))
            assert column.path_in_schema == "text"
            first = column.dictionary_page_offset or column.data_page_offset
            data[first : first + column.total_compressed_size] = bytes(column.total_compressed_size)
        path.write_bytes(data)


def test_no_text_is_read_to_compare_it(scan, days, tmp_path):
    _, paths = days
    report = tmp_path / "report"
    write_report(dedup.scan(str(paths[0])), f"{report}/", keep=True)
    expected = dedup.scan([str(path) for path in paths[:2]])
    shown = scan(str(paths[1]), against=[report])
    same(shown, expected)
    assert dict(shown.texts) == dict(expected.texts)
    without_texts(report)
    found = scan(str(paths[1]), against=[report])
    same(found, expected)
    old, new = (pq.read_table(path)["id"][0].as_py() for path in paths[:2])
    assert found.texts[new] == expected.texts[new]
    with pytest.raises(
        InputError, match=r"kept.parquet: cannot be read as kept articles: .*; scan them anew"
    ):
        found.texts[old]
    with pytest.raises(InputError, match="cannot be read as kept articles"):
        write_report(found, f"{tmp_path / 'again'}/")
    assert not (tmp_path / "again").exists()


def test_texts_that_are_shown_are_missed_on_spark_too(spark, days, tmp_path):
    from dedup.spark.scan import scan_to

    _, paths = days
    report = tmp_path / "report"
    scan_to(str(paths[0]), report, keep=True)
    expected = dedup.scan([str(path) for path in paths[:2]])
    scan_to(str(paths[1]), tmp_path / "second", against=[report], keep=True)
    same(load(tmp_path / "second"), expected)
    both = dedup.scan([], against=[tmp_path / "second"])
    same(both, expected)
    assert dict(both.texts) == dict(expected.texts)
    without_texts(report)
    with pytest.raises(EngineError, match="cannot be read as kept articles"):
        scan_to(str(paths[1]), tmp_path / "third", against=[report])
    assert not (tmp_path / "third").exists()


def test_boilerplate_is_what_an_outlet_repeats_on_old_and_new_days(scan, tmp_path):
    """Three stories make a paragraph boilerplate, whichever of them are new."""
    letter = "The weather will be fair in most places, with a little rain in the west towards the night."
    rows = [
        {
            "id": f"{day}",
            "outlet": "Post",
            "published": f"2024-05-0{day + 1}T12:00:00Z",
            "text": " ".join(
                f"{word}{day}{number}" for number in range(9) for word in ("one", "two", "three")
            )
            + f".\n\n{letter}",
        }
        for day in range(3)
    ]
    kept = []
    for row in rows[:2]:
        kept.append(tmp_path / row["id"])
        report = scan([row], against=kept[:-1][-1:])
        assert report.articles["boilerplate"].to_pylist() == [0.0] * len(kept)
        write_report(report, f"{kept[-1]}/", keep=True)
    found = scan(rows[2:], against=kept[-1:])
    assert min(found.articles["boilerplate"].to_pylist()) > 0.2
    same(found, dedup.scan(rows))


ODD = (
    "London" + " " * 300 + "calling one two three four five six seven eight nine ten eleven twelve thirteen."
)


def test_texts_that_are_told_apart(scan, tmp_path):
    """Far apart tokens, repeats in other letters, credits, outlets that are named, no tokens at all."""
    story = (
        "The council said on Tuesday that it would rebuild the bridge over the river before the winter comes."
    )
    old = [
        {"id": "b", "text": f"LONDON (Reuters) - {story}", "outlet": "Post"},
        {"id": "d", "text": f"{story} The Daily Echo’s reporter was there.", "outlet": "Star"},
        {"id": "f", "text": ODD},
        {"id": "h", "text": "* * *"},
        {"id": "j", "text": story.upper(), "outlet": "Sun"},
    ]
    new = [
        {"id": "a", "text": story, "outlet": "Daily Echo", "published": "2024-05-01T12:00:00Z"},
        {"id": "c", "text": f"PARIS (AFP) - {story}", "derived_from": "b"},
        {"id": "e", "text": f"Heading.\n\n{ODD}"},
        {"id": "g", "text": story},
        {"id": "i", "text": f"{story} As the Daily Echo said.", "outlet": "Star"},
    ]
    report = tmp_path / "report"
    write_report(scan(old), f"{report}/", keep=True)
    without_texts(report)
    expected = dedup.scan(old + new)
    assert len(expected.families) > 1
    assert any(member["credited"] for row in expected.families.to_pylist() for member in row["members"])
    same(scan(new, against=[report]), expected)


def test_kept_articles_may_stand_in_many_reports_in_any_order(days, tmp_path):
    folder, _ = days
    whole = pq.read_table(folder / "all.parquet")
    reports = []
    for part in range(5):
        reports.append(tmp_path / f"{part}")
        rows = whole.take(list(range(part, whole.num_rows, 6)))
        write_report(dedup.scan(rows), f"{reports[-1]}/", keep=True)
    file = reports[2] / "kept.parquet"
    kept = pq.ParquetFile(file)
    table = kept.read().take(pa.array(list(range(kept.metadata.num_rows))[::-1]))
    pq.write_table(table, file, row_group_size=10)  # as somebody else may have sorted it
    found = dedup.scan(
        whole.take(list(range(5, whole.num_rows, 6))),
        {"threads": 2, "batch_size": 50},
        against=reports[::-1],
    )
    same(found, dedup.scan(folder / "all.parquet"))


def test_an_id_that_was_there_before_stays_as_it_was(scan, tmp_path):
    story = "one two three four five six seven eight nine ten eleven twelve thirteen. " * 3
    report = tmp_path / "report"
    write_report(dedup.scan([{"id": "a", "text": story, "outlet": "Post"}]), f"{report}/", keep=True)
    found = scan([{"id": "a", "text": "other words"}, {"id": "b", "text": story}], against=[report])
    assert found.articles["outlet"].to_pylist() == ["Post", None]
    assert found.families["size"].to_pylist() == [2]
    [problem] = found.inputs.problems
    assert "id 'a' is taken by" in problem.message
    assert "that article stays" in problem.message


def test_what_cannot_be(tmp_path):
    report = dedup.scan([{"id": "a", "text": "one two three"}])
    write_report(report, f"{tmp_path / 'tables'}/")
    with pytest.raises(InputError, match="kept no articles; scan them with --keep"):
        dedup.scan([], against=[tmp_path / "tables"])
    with pytest.raises(InputError, match="is no saved report"):
        dedup.scan([], against=[tmp_path])
    with pytest.raises(OutputError, match="as they were read"):
        write_report(load(tmp_path / "tables"), f"{tmp_path / 'again'}/", keep=True)
    assert not (tmp_path / "again").exists()
    write_report(report, f"{tmp_path / 'kept'}/", keep=True)
    with pytest.raises(SettingsError, match="leave out checkpoint or against"):
        dedup.scan(str(tmp_path), against=[tmp_path / "kept"], checkpoint=tmp_path / "point")
    (tmp_path / "kept" / "kept.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="cannot be read as kept articles"):
        dedup.scan([{"id": "b", "text": "one"}], against=[tmp_path / "kept"])


def test_the_command(days, tmp_path, capsys):
    _, paths = days
    for arguments in (
        ["scan", str(paths[0]), "-o", f"{tmp_path}/first/", "--keep"],
        ["scan", str(paths[1]), "-o", f"{tmp_path}/second/", "--against", f"{tmp_path}/first/"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    same(load(tmp_path / "second"), dedup.scan([str(path) for path in paths[:2]]))
    for wrong, word in (
        (["scan", str(paths[0]), "--keep"], "-o DIR/"),
        (["scan", str(paths[0]), "--against", str(tmp_path / "none")], "does not exist"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
        assert word in capsys.readouterr().err
