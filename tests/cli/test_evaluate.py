"""`dedup eval` on made-up pairs, through the command with the real stages."""

import csv
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import InputError
from dedup.evaluation import auc, best_threshold, read_labels

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("", "n", "r", "st")]


def prose(seed):
    draw = random.Random(seed)
    return " ".join(" ".join(draw.choices(WORDS, k=12)).capitalize() + "." for _ in range(12))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(4):
        (folder / f"a{number}.txt").write_text(prose(number))
        (folder / f"b{number}.txt").write_text(prose(number).replace("ba", "da", 2))
    return folder


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    rows = [(f"a{n}.txt", f"b{n}.txt", "yes") for n in range(3)]
    rows += [("a0.txt", "b1.txt", "no"), ("a1.txt", "b2.txt", "0"), ("a3.txt", "b3.txt", "false")]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("left", "right", "label"), *rows])
    return path


def test_figures_and_wrong_pairs(run, corpus, labels):
    result = run("eval", labels, corpus, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["pairs"], found["copies"], found["missing"]) == (6, 3, 0)
    assert found["relation"] == {"precision": 0.75, "recall": 1.0, "f1": pytest.approx(6 / 7)}
    assert found["measures"]["containment"]["recall"] == 1.0
    assert [(pair["left"], pair["right"]) for pair in found["wrong"]] == [("a3.txt", "b3.txt")]


def test_table(run, corpus, labels):
    result = run("eval", labels, corpus)
    assert "6 labelled pairs, 3 of them copies" in result.stdout
    assert "a3.txt and b3.txt: labelled no copy, found verbatim copy" in result.stdout
    given = run("eval", labels, corpus, "--measure", "resemblance", "--threshold", "0.99")
    assert "Judged by resemblance from 0.990 on, 2 pairs would be wrong." in given.stdout
    assert "a0.txt and b0.txt: labelled a copy, found verbatim copy" in given.stdout


def test_plot(run, corpus, labels, tmp_path):
    for name, start in (("p.png", b"\x89PNG"), ("p.svg", b"<?xml")):
        result = run("eval", labels, corpus, "--plot", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / name).read_bytes().startswith(start)
    assert run("eval", labels, corpus, "--plot", "p.pdf").exit_code == 2


def test_unknown_articles_are_told_and_the_rest_is_measured(run, corpus, labels):
    with labels.open("a") as stream:
        stream.write("nobody,a1.txt,1\n")
    result = run("eval", labels, corpus, "--format", "json")
    assert result.exit_code == 3
    assert "'nobody'" in result.stderr
    assert json.loads(result.stdout)["missing"] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("left,right\na,b\n", "no column label"),
        ("left,right,label\n", "no labelled pair"),
        ("left,right,label\na,b,\n", "a label that is true or false"),
        ("left,right,label\na,b,perhaps\n", ":2: "),
        ("left,right,label\na,b\n", "cannot be read"),
        ("\x00", "labels.csv"),
    ],
)
def test_bad_labels(run, corpus, tmp_path, content, says):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    result = run("eval", path, corpus)
    assert result.exit_code == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_parquet_and_numbers(tmp_path):
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"left": ["a", "b", "c"], "right": ["x"] * 3, "label": [0, 1, 3]}), path)
    assert [label.positive for label in read_labels(path)] == [False, True, True]
    pq.write_table(pa.table({"left": ["a"], "right": ["x"], "label": [float("nan")]}), path)
    with pytest.raises(InputError, match=r"labels\.parquet:2"):
        read_labels(path)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auc_and_threshold_are_those_of_all_pairs_and_cuts(rows):
    scores, labels = [score for score, _ in rows], [label for _, label in rows]
    yes, no = [s for s, y in rows if y], [s for s, y in rows if not y]
    if yes and no:
        wins = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
        assert auc(scores, labels) == pytest.approx(wins / (len(yes) * len(no)))
    else:
        assert np.isnan(auc(scores, labels))

    def f1(threshold):
        return 2 * sum(s >= threshold for s in yes) / (sum(s >= threshold for s in scores) + len(yes))

    assert f1(best_threshold(scores, labels)) == pytest.approx(max(f1(step) for step in scores))
