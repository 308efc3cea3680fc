"""Reports are the same on both engines, whatever the partitioning: every superstep, without Spark."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pytest
from pyarrow import parquet

import dedup
from benchmarks.corpus import write
from benchmarks.worst import one_family
from dedup import candidates, schema
from dedup.errors import EngineError, ScratchError
from dedup.report.model import LISTED, Inputs
from dedup.settings import Settings
from dedup.spark import buckets, graph, large, reading
from dedup.spark.job import Job
from dedup.spark.storage import Folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    write(path, 1500, seed=3)
    return path


@pytest.fixture(scope="module")
def expected(corpus):
    return dedup.scan(corpus)


def same(folder, report):
    for name, kind in schema.TABLES.items():
        table = parquet.read_table(folder / f"{name}.parquet").cast(kind)
        assert table.equals(getattr(report, name).combine_chunks()), name
    texts = parquet.read_table(folder / "texts.parquet").to_pylist()
    told = {side for row in report.pairs.to_pylist() for side in (row["left"], row["right"])}
    told |= {row["id"] for row in report.articles.to_pylist() if row["families"]}
    assert [row["id"] for row in texts] == sorted(told)
    assert all(report.texts[row["id"]] == row["text"] for row in texts)


@pytest.mark.parametrize("parts", [1, 2, 16])
def test_same_tables_for_any_partitioning(scan_alone, corpus, expected, tmp_path, parts):
    assert expected.families.num_rows > 50
    folder, inputs = scan_alone([str(corpus)], tmp_path, parts=parts)
    same(folder, expected)
    assert inputs == expected.inputs


def test_tables_say_what_made_them(scan_alone, tmp_path):
    folder, _ = scan_alone([{"id": "a", "text": "one two " * 20}], tmp_path, parts=2)
    for name in schema.TABLES:
        for path in (folder / f"{name}.parquet").iterdir():
            facts = parquet.read_schema(path).metadata
            assert facts[b"dedup.table"] == name.encode()
            assert facts[b"dedup.version"] == dedup.__version__.encode()
            assert json.loads(facts[b"dedup.settings"])["guarantee"] == 12


def test_what_tasks_leave_that_die_while_they_write_is_removed(tmp_path):
    folder = Folder(str(tmp_path))
    folder.inside("pairs.parquet").make()
    folder.inside("pairs.parquet").write("part-0", b"whole")
    (tmp_path / "pairs.parquet" / ".part-1.0123abcd").write_bytes(b"half")
    (tmp_path / ".report.json.0123abcd").write_bytes(b"half")
    folder.tidy()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["part-0"]


def test_what_nobody_made_is_not_written_to(tmp_path):
    """A task may go on when all is removed, and its machine may not have the folder."""
    with pytest.raises(ScratchError, match=r"gone: cannot be written.*one and the same folder"):
        Folder(str(tmp_path / "gone")).write("name", b"whole")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_where_systems_show_what_is_half_written(tmp_path, monkeypatch):
    """A folder of this machine stands for HDFS, which shows it, and moves nothing onto another file."""
    local = pyarrow.fs.LocalFileSystem()

    class Hdfs:
        type_name = "hdfs"

        def __getattr__(self, name):
            return getattr(local, name)

        def move(self, one, other):
            if Path(other).exists():
                raise FileExistsError(other)
            local.move(one, other)

    monkeypatch.setattr(Folder, "_system", lambda self: (Hdfs(), self.address))
    folder = Folder(str(tmp_path))
    folder.write("name", b"whole")
    stream = folder._system()[0].open_output_stream(str(tmp_path / ".name.0123abcd"))  # of a task that died
    stream.write(b"ha")
    stream.close()
    assert bytes(folder.read("name")) == b"whole"
    folder.write("name", b"whole")  # by a task that runs again
    folder.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_what_cannot_be_removed_is_told_and_no_more(tmp_path, monkeypatch, caplog):
    class Busy:
        def get_file_info(self, _):
            raise OSError("it is busy")

    monkeypatch.setattr(Folder, "_system", lambda self: (Busy(), self.address))
    Folder(str(tmp_path)).remove()
    assert f"{tmp_path} cannot be removed (it is busy); remove it by hand" in caplog.text


def test_pieces_are_read_in_their_order(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": "same", "text": f"the text of {name}"}))
    work = Folder(str(tmp_path / "work"))
    work.make()
    found = reading.pieces([str(tmp_path)], reading.Options({}, None), Inputs())
    rows = [{"number": number, **piece._asdict()} for number, piece in enumerate(found)]
    job = Job(work, 0, Settings(), np.zeros(2, np.int64))
    told = list(reading.read_pieces(job, reading.Options({}, None), [pa.RecordBatch.from_pylist(rows[::-1])]))
    name = json.loads(told[0]["data"][0].as_py())["name"]
    [batch] = work.read_batches(name)
    assert batch["text"].to_pylist() == ["the text of a", "the text of b"]


def test_a_file_that_only_the_driver_sees_ends_the_job(tmp_path):
    """Another machine is one of another name here."""
    (tmp_path / "a.txt").write_text("one two three")
    [piece] = reading.pieces([str(tmp_path)], reading.Options({}, None), Inputs())
    job = Job(Folder(str(tmp_path / "work")), 0, Settings(), np.zeros(2, np.int64))
    batch = pa.RecordBatch.from_pylist([{"number": 0, **piece._asdict()}])
    (tmp_path / "a.txt").unlink()
    with pytest.raises(EngineError, match=r"a\.txt is there on driver.*all executors reach it"):
        list(reading.read_pieces(job, reading.Options({}, None, host="driver"), [batch]))


def test_the_driver_is_told_no_more_ids_than_it_can_hold(scan_alone, corpus, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_SAMPLES", 1)
    folder, _ = scan_alone([str(corpus)], tmp_path, parts=4)
    same(folder, expected)


def test_large_graphs_are_joined_step_by_step(scan_alone, corpus, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "SMALL", 0)
    folder, _ = scan_alone([str(corpus)], tmp_path, parts=4)
    same(folder, expected)


@pytest.mark.parametrize("parts", [1, 8])
def test_large_clusters_are_shared_among_partitions(
    scan_alone, corpus, expected, tmp_path, monkeypatch, parts
):
    monkeypatch.setattr(large, "LARGE", 2)
    monkeypatch.setattr(large, "_SHARE", 2)
    folder, _ = scan_alone([str(corpus)], tmp_path, parts=parts)
    same(folder, expected)
    assert len(list((tmp_path / "work").glob("share-*"))) == parts
    assert bool(list((tmp_path / "work").glob("borrowed-*"))) == (parts > 1)


def test_rounds_of_a_large_cluster(scan_alone, tmp_path, monkeypatch):
    path = tmp_path / "family.parquet"
    parquet.write_table(pa.Table.from_batches(list(one_family(300))), path)
    monkeypatch.setattr(large, "LARGE", 50)
    monkeypatch.setattr(large, "_SHARE", 50)
    folder, _ = scan_alone([str(path)], tmp_path, parts=8)
    same(folder, dedup.scan(path))
    work = Folder(str(tmp_path / "work"))
    shares = [work.read_arrays(f"share-{part}") for part in range(8) if work.has(f"share-{part}")]
    assert len(shares) == 6
    rounds = sum((np.bincount(share["round"] + 1, minlength=5) for share in shares), np.zeros(5, np.int64))
    assert (rounds > 0).all()
    found = sum(
        len(work.read_arrays(f"found-{part}-3")["tried"]) for part in range(8) if work.has(f"share-{part}")
    )
    assert found > 0


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_large_buckets_are_split(scan_alone, tmp_path, monkeypatch, parts):
    path = tmp_path / "family.parquet"
    family = pa.Table.from_batches(list(one_family(400)))
    spread = [f"{row * 7919 % 400:03}" for row in range(family.num_rows)]
    parquet.write_table(family.set_column(family.column_names.index("id"), "id", pa.array(spread)), path)
    monkeypatch.setattr(buckets, "LARGEST", 0)
    largest = []
    taken_in = buckets.Holding.of.__func__

    def counted(cls, job, inbox):
        found = taken_in(cls, job, inbox)
        if found is not None:
            once = np.unique(np.stack([found.met.keys, found.met.texts.astype(np.uint64)]), axis=1)
            largest.append(np.unique(once[0], return_counts=True)[1].max(initial=0))
        return found

    monkeypatch.setattr(buckets.Holding, "of", classmethod(counted))
    folder, _ = scan_alone([str(path)], tmp_path, parts=parts)
    same(folder, dedup.scan(path))
    names = {path.name.split("-")[1] for path in (tmp_path / "work").glob("held-*")}
    assert names == {"met", "further"}
    assert max(largest) <= candidates.REACH * parts


def test_helpers_without_pairs(scan_alone, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 2)
    monkeypatch.setattr(large, "_SHARE", 1)
    source = [{"id": f"{number}", "text": f"{words(100, 1)} {words(10, number)}"} for number in range(3)]
    folder, _ = scan_alone(source, tmp_path, parts=8)
    same(folder, dedup.scan(source))
    work = Folder(str(tmp_path / "work"))
    shares = [
        len(work.read_arrays(f"share-{part}")["left"]) for part in range(8) if work.has(f"share-{part}")
    ]
    assert sorted(shares) == [0, 1, 2]


def words(count, seed):
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(count))


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_clusters_that_meet_each_other_and_a_large_one(scan_alone, tmp_path, monkeypatch, parts):
    monkeypatch.setattr(large, "LARGE", 20)
    monkeypatch.setattr(large, "_SHARE", 10)
    own = (words(10, 1000 + number) for number in range(1000))
    story, short = words(200, 1), words(30, 2)
    texts = [f"{next(own)} {story} {next(own)}" for _ in range(40)]
    texts += [f"{next(own)} {short} {next(own)}", texts[3], texts[9], texts[9]]
    texts[7] += f" {next(own)} {short}"  # enough for the short article to meet the large cluster
    for number in range(16):  # a cluster that holds a bit of one of the large one, and meets a third
        one, other, both, bit = (words(size, 10 * number + 3 + size) for size in (60, 61, 30, 20))
        texts[10 + number] += f" {next(own)} {bit}"
        texts += [f"{one} {both} {next(own)} {bit} {next(own)}" for _ in range(4)]
        texts += [f"{other} {both} {next(own)} {next(own)}" for _ in range(4)]
    source = [{"id": f"{number * 37 % 997:03}", "text": text} for number, text in enumerate(texts)]
    report = dedup.scan(source)
    folder, _ = scan_alone(source, tmp_path, parts=parts)
    same(folder, report)
    assert len(list((tmp_path / "work").glob("aside-*"))) == 1
    sizes = [row["size"] for row in report.families.to_pylist()]
    assert sizes[0] == 43
    assert sizes.count(9) > 10


def test_chunks_and_row_groups_do_not_matter(scan_alone, corpus, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_CHUNK", 2**17)
    monkeypatch.setattr(reading, "_GROUPS", 1)
    table = parquet.read_table(corpus)
    order = list(range(table.num_rows))
    random.Random(1).shuffle(order)
    shuffled = tmp_path / "corpus.parquet"
    parquet.write_table(table.take(pa.array(order)), shuffled, row_group_size=100)
    folder, inputs = scan_alone([str(shuffled)], tmp_path, parts=4)
    report = dedup.scan(shuffled)
    same(folder, report)
    assert report.families.equals(expected.families)
    assert inputs.read == table.num_rows


def test_settings_count(scan_alone, corpus, tmp_path):
    settings = {"shingle": 4, "guarantee": 9, "min_tokens": 300, "copy_share": 0.4, "num_perm": 64}
    folder, _ = scan_alone([str(corpus)], tmp_path, settings, parts=4)
    same(folder, dedup.scan(corpus, settings))


def rows(*ids, **columns):
    return [{"id": id, "text": f"{id} " * 20, **columns} for id in ids]


def test_problems_are_told_as_by_the_local_engine(scan_alone, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text(
        '{"id": "x", "text": "one two three", "published": "2024-01-01T10:00"}\n'
        '{"id": "y"}\nno json\n{"id": "x", "text": "again"}\n'
    )
    (folder / "b.jsonl").write_text('{"id": "x", "text": "once more"}\n{"id": "z", "text": "fine"}\n')
    (folder / "c.bin").write_bytes(b"\0\1\2")
    (tmp_path / "empty").mkdir()
    paths = [str(folder), str(tmp_path / "empty")]
    report = dedup.scan(paths)
    out, inputs = scan_alone(paths, tmp_path, parts=2)
    assert inputs == report.inputs
    same(out, report)
    assert len(inputs.problems) >= 6


def test_more_problems_than_a_report_lists(scan_alone, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    article = json.dumps(rows("x")[0]) + "\n"
    (folder / "a.jsonl").write_text("no json\n" * 50 + article * (LISTED // 2))
    (folder / "b.jsonl").write_text(article * (LISTED // 2) + "no json\n" * 100)
    report = dedup.scan(folder)
    out, inputs = scan_alone([str(folder)], tmp_path, parts=2)
    same(out, report)
    assert inputs == report.inputs
    assert (inputs.read, inputs.failed, inputs.unlisted) == (1, LISTED + 149, 149)
    last = inputs.problems[-1]
    assert (Path(last.path).name, last.line) == ("b.jsonl", LISTED // 2 - 49)
    assert "taken by" in last.message


def test_articles_from_python(scan_alone, tmp_path):
    source = [*rows("a", "b", outlet="Post"), *rows("a"), {"id": "c", "text": ""}]
    report = dedup.scan(source)
    out, inputs = scan_alone(source, tmp_path, parts=2)
    same(out, report)
    assert inputs == report.inputs


def test_names_of_fields(scan_alone, tmp_path):
    table = pa.table({"key": ["1", "2"], "body": ["one two " * 20, "one two " * 20]})
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    fields = {"id": "key", "text": "body"}
    out, _ = scan_alone([str(path)], tmp_path, fields=fields)
    same(out, dedup.scan(path, fields=fields))
