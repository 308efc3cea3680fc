import json
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def articles(tmp_path, monkeypatch, example):
    """Two files, and a double of `dedup.compare` that keeps the articles it is given."""
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path, id in zip(paths, "ab", strict=True):
        path.write_text(example.TEXTS[id], encoding="utf-8")
    given = []

    def compare(left, right, settings=None):
        given.append((left, right, settings))
        return example.comparison()

    monkeypatch.setitem(sys.modules, "dedup.comparison", SimpleNamespace(compare=compare))
    monkeypatch.setattr("dedup.__version__", "0.1.0", raising=False)
    return SimpleNamespace(paths=paths, given=given)


def test_terminal(run, articles, example):
    result = run("compare", *articles.paths, "--shingle", "4")
    assert result.exit_code == 0
    assert "[-leaders-]" in result.stdout
    (left, right, settings), = articles.given  # fmt: skip
    assert (left.text, right.text, settings.shingle) == (example.TEXTS["a"], example.TEXTS["b"], 4)


def test_json(run, articles):
    found = json.loads(run("compare", *articles.paths, "--format", "json").stdout)
    assert found["relation"] == "edited copy"
    assert found["left"]["published"] == "2023-11-17T05:10:00Z"
    assert found["passages"][0] == {
        "left_start": 0, "left_end": 91, "right_start": 0, "right_end": 97,
        "matched_tokens": 15, "similarity": 0.9375, "kind": "copy",
    }  # fmt: skip


def test_fail_on_copy(run, articles):
    assert run("compare", *articles.paths, "--fail-on-copy").exit_code == 4


def test_json_lines_with_one_article(run, articles, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"id": "x", "body": "Some words.", "title": "T"}) + "\n")
    assert run("compare", articles.paths[0], path, "--field", "text=body").exit_code == 0
    assert (articles.given[0][1].text, articles.given[0][1].title) == ("Some words.", "T")


@pytest.mark.parametrize("lines", [0, 2])
def test_files_hold_one_article_each(run, articles, tmp_path, lines):
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps({"id": f"x{n}", "text": "Some words."}) + "\n" for n in range(lines)))
    result = run("compare", articles.paths[0], path)
    assert result.exit_code == 1
    assert f"holds {lines} articles" in result.stderr
    assert articles.given == []


def test_a_broken_line_beside_the_article_is_told_by_the_code(run, articles, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "text": "the one article"}\n{"id": \n')
    assert run("compare", path, articles.paths[1]).exit_code == 3


def test_standard_input_cannot_be_both(run, articles):
    assert run("compare", "-", "-").exit_code == 2


def test_missing_file(run, articles):
    assert run("compare", articles.paths[0], "missing.txt").exit_code == 2
