"""An interrupted scan goes on from its last finished stage, and never from another scan's."""

import json
import random

import pyarrow as pa
import pytest
from pyarrow import parquet

import dedup
from dedup import pipeline
from dedup.checkpoint import _FORMAT
from dedup.errors import CheckpointError, InputError

WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "nrst"]


@pytest.fixture
def news(tmp_path):
    draw = random.Random(1)
    story = " ".join(draw.choices(WORDS, k=200))
    texts = [f"{story} {' '.join(draw.choices(WORDS, k=30))} (Reuters)" for _ in range(5)]
    path = tmp_path / "news.jsonl"
    lines = [json.dumps({"id": str(n), "text": text, "outlet": f"o{n}"}) for n, text in enumerate(texts)]
    path.write_text("\n".join([*lines, "broken"]) + "\n")
    return path


def written(path, target, **options):
    dedup.scan(path, **options).write(target)
    return target.read_bytes()


STAGES = ["tokenise", "pair", "align", "build"]


def noting(done, name, call):
    """A function that notes that it is called."""

    def noted(*arguments, **options):
        done.append(name)
        return call(*arguments, **options)

    return noted


@pytest.mark.parametrize("stage", STAGES)
def test_a_scan_goes_on_where_it_was_interrupted(tmp_path, monkeypatch, news, stage):
    expected = written(news, tmp_path / "whole.json")
    kept = tmp_path / "kept"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline._Run, stage, interrupted)
        with pytest.raises(KeyboardInterrupt):
            dedup.scan(news, checkpoint=kept)
    done = []
    with monkeypatch.context() as patch:
        for name in ("_tokenised", "candidate_pairs", "settled"):
            home = pipeline._Run if name == "_tokenised" else pipeline
            patch.setattr(home, name, noting(done, name, getattr(home, name)))
        assert written(news, tmp_path / "resumed.json", checkpoint=kept) == expected
    assert ("_tokenised" in done) == (stage == "tokenise")
    assert ("candidate_pairs" in done) == (stage in ("tokenise", "pair"))
    assert ("settled" in done) == (stage != "build")


def test_another_scan_is_refused_by_name(tmp_path, news):
    kept = tmp_path / "kept"
    dedup.scan(news, checkpoint=kept)
    with pytest.raises(CheckpointError, match="made with shingle=5, and this scan has shingle=4"):
        dedup.scan(news, {"shingle": 4}, checkpoint=kept)
    news.write_text(news.read_text() + "\n")
    with pytest.raises(CheckpointError, match=r"files of .*news\.jsonl"):
        dedup.scan(news, checkpoint=kept)


def test_settings_that_change_no_answer_may_differ(tmp_path, news):
    kept = tmp_path / "kept"
    expected = written(news, tmp_path / "one.json", checkpoint=kept)
    assert (
        written(news, tmp_path / "two.json", settings={"threads": 1, "batch_size": 2}, checkpoint=kept)
        == expected
    )


def test_damage_is_told(tmp_path, news):
    kept = tmp_path / "kept"
    dedup.scan(news, checkpoint=kept)
    (kept / "tokens.hashes.array").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"tokens\.hashes\.array: is missing or damaged"):
        dedup.scan(news, checkpoint=kept)
    own = f'{{"format": {_FORMAT}'
    for header in ("{", "[]", "null", f"{own}}}", f'{own}, "facts": {{}}, "stages": []}}'):
        (kept / "checkpoint.json").write_text(header)
        with pytest.raises(CheckpointError, match="is damaged"):
            dedup.scan(news, checkpoint=kept)


def test_all_that_differs_is_told(tmp_path, news):
    kept = tmp_path / "kept"
    dedup.scan(news, checkpoint=kept)
    with pytest.raises(CheckpointError) as refused:
        dedup.scan(news, {"shingle": 4, "num_perm": 64}, checkpoint=kept)
    was, _, now = str(refused.value).partition("and this scan has")
    assert "num_perm=128" in was
    assert "shingle=5" in was
    assert "num_perm=64, shingle=4" in now


def test_the_files_that_differ_are_named(tmp_path):
    folder, kept = tmp_path / "in", tmp_path / "kept"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text("one two three")
    dedup.scan(folder, checkpoint=kept)
    (folder / "b.txt").write_text("one two three four")
    (folder / "d.txt").write_text("new")
    with pytest.raises(CheckpointError) as refused:
        dedup.scan(folder, checkpoint=kept)
    was, _, now = str(refused.value).partition("and this scan has")
    assert '"b.txt": "13 bytes of 2' in was
    assert '"b.txt": "18 bytes of 2' in now
    assert '"d.txt": "3 bytes of 2' in now
    assert "d.txt" not in was
    assert not any(name in str(refused.value) for name in ("a.txt", "c.txt"))


def test_the_files_of_a_pattern_are_known(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"the text of {name}")
    pattern, kept = str(tmp_path / "*.txt"), tmp_path / "kept"
    dedup.scan(pattern, checkpoint=kept)
    assert dedup.scan(pattern, checkpoint=kept).articles.num_rows == 2
    (tmp_path / "c.txt").write_text("the text of c")
    with pytest.raises(CheckpointError, match=r"files of .*c\.txt"):
        dedup.scan(pattern, checkpoint=kept)


@pytest.mark.parametrize("stage", STAGES)
def test_it_goes_on_within_little_memory(tmp_path, monkeypatch, news, stage):
    """Memory is given back all the time."""
    expected = written(news, tmp_path / "whole.json")
    monkeypatch.setattr("dedup.scratch._OFTEN", 0)
    monkeypatch.setattr("dedup.scratch._resident", lambda: float("inf"))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline._Run, stage, interrupted)
        with pytest.raises(KeyboardInterrupt):
            dedup.scan(news, checkpoint=tmp_path / "kept")
    options = {"checkpoint": tmp_path / "kept", "settings": {"memory": 64}}
    assert written(news, tmp_path / "again.json", **options) == expected


def test_what_is_no_checkpoint_is_left_alone(tmp_path, news):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(CheckpointError, match=r"^\S*mine: holds letter\.txt .*name an empty folder$"):
        dedup.scan(news, checkpoint=tmp_path / "mine")
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


def test_a_checkpoint_is_of_files(tmp_path):
    with pytest.raises(InputError, match="files and folders"):
        dedup.scan([{"id": "1", "text": "a"}], checkpoint=tmp_path / "kept")
    with pytest.raises(InputError, match="standard input"):
        dedup.scan("-", checkpoint=tmp_path / "kept")


def test_parquet_gives_the_same_as_json_lines(tmp_path, news):
    rows = [json.loads(line) for line in news.read_text().splitlines()[:-1]]
    path = tmp_path / "news.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    one, other = dedup.scan(news), dedup.scan(path)
    assert one.pairs == other.pairs
    assert one.families == other.families
    assert other.articles["line"].to_pylist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        ([{"id": "a", "body": "text"}], "failed", "no column 'text'"),
        ([{"id": "a", "text": "one"}, {"id": "a", "text": "two"}], "failed", "is taken by"),
        ([{"id": "a", "text": None}, {"id": "b", "text": "two"}], "failed", "field 'text' is null"),
        ([{"id": "a", "text": " "}, {"id": "b", "text": "two"}], "skipped", "only white space"),
        ([{"id": "a", "text": "one", "published": "soon"}], "warning", "published"),
    ],
)
def test_bad_rows_of_parquet_are_told_with_their_place(tmp_path, rows, kind, words):
    path = tmp_path / "news.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    (problem,) = dedup.scan(path).inputs.problems
    assert (problem.kind, problem.path) == (kind, str(path))
    assert words in problem.message


def test_a_file_that_is_no_parquet_is_a_problem(tmp_path):
    path = tmp_path / "news.parquet"
    path.write_bytes(b"PAR1 but not really")
    (problem,) = dedup.scan(path).inputs.problems
    assert problem.kind == "failed"
    assert "cannot be read as Parquet" in problem.message
