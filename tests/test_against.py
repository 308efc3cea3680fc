"""A new day against what earlier reports kept: the same as all at once, on both engines."""

import shutil

import pyarrow.parquet as pq
import pytest

import dedup
from benchmarks.corpus import write
from dedup import schema
from dedup.cli import main
from dedup.errors import InputError, OutputError, SettingsError
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
    found = scan(str(paths[2]), against=kept[1:])  # the second report is of the first day too
    same(found, expected)
    assert found.inputs.read == 700
    assert not found.inputs.problems
    lines = dict(zip(*(found.articles[name].to_pylist() for name in ("id", "line")), strict=True))
    first = pq.read_table(paths[0], columns=["id"])["id"].to_pylist()
    assert [lines[id] for id in first] == list(range(1, len(first) + 1))  # as they were read
    assert all(found.texts[id] for id in first[:5])


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
