"""Generated corpora: the same bytes again, truth that fits the articles, worst cases of the right size."""

import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import corpus, worst

COUNT = 3000


@pytest.fixture(scope="module")
def made():
    batches, facts = zip(*corpus.generate(COUNT), strict=True)
    return pa.Table.from_batches(batches).to_pylist(), pa.Table.from_batches(facts).to_pylist()


def shingles(text):
    words = text.split()
    return {tuple(words[n : n + 5]) for n in range(len(words) - 4)}


def test_the_same_seed_makes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        corpus.write(tmp_path / f"{name}.parquet", 400)
    corpus.write(tmp_path / "c.parquet", 400, seed=2)
    for ending in ("parquet", "truth.parquet"):
        first, again, other = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "abc")
        assert first == again != other


def test_both_formats_hold_the_same_articles(tmp_path):
    for ending in ("parquet", "jsonl"):
        corpus.write(tmp_path / f"news.{ending}", 300)
    table = pq.read_table(tmp_path / "news.parquet")
    assert table.schema == corpus.ARTICLES
    lines = (tmp_path / "news.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == table.to_pylist()
    truth = pq.read_table(tmp_path / "news.truth.parquet")
    assert truth.schema == corpus.TRUTH
    assert truth["id"] == table["id"]


def test_ids_are_unique_and_in_no_order(made):
    articles, truth = made
    ids = [article["id"] for article in articles]
    assert len(set(ids)) == COUNT
    assert ids == [fact["id"] for fact in truth]
    assert 0.3 < sum(a < b for a, b in pairwise(ids)) / COUNT < 0.7


def test_truth_is_consistent(made):
    articles, truth = made
    families = {}
    for article, fact in zip(articles, truth, strict=True):
        if fact["family"] is None:
            assert fact["relation"] in ("own", "template")
            assert (fact["share"], fact["origin"], fact["second"]) == (0, False, None)
        else:
            families.setdefault(fact["family"], []).append((article, fact))
            assert 0 < fact["share"] <= 1
            assert (fact["relation"] == "round-up") == (fact["second"] is not None)
    for members in families.values():
        assert 2 <= len(members) <= 0.02 * COUNT
        ((origin, fact),) = [(article, fact) for article, fact in members if fact["origin"]]
        assert (fact["relation"], fact["share"]) == ("origin", 1)
        assert f"({origin['outlet']}) - " in origin["text"]
        assert all(origin["published"] <= article["published"] for article, _ in members)


def test_share_is_the_share_that_stands_in_the_origin(made):
    articles, truth = made
    origins = {
        fact["family"]: shingles(article["text"])
        for article, fact in zip(articles, truth, strict=True)
        if fact["origin"]
    }
    for article, fact in zip(articles, truth, strict=True):
        if fact["relation"] in ("excerpt", "extended", "partial reuse"):
            mine = shingles(article["text"])
            assert len(mine & origins[fact["family"]]) / len(mine) == pytest.approx(fact["share"], abs=0.06)


def test_a_third_carries_copy_in_every_way(made):
    _, truth = made
    relations = Counter(fact["relation"] for fact in truth)
    assert len(relations) == 9
    assert 0.34 < sum(fact["family"] is not None for fact in truth) / COUNT < 0.37
    assert 0.02 < relations["template"] / COUNT < 0.05
    assert all(
        fact["family"] is None for _, facts in corpus.generate(50, copying=0) for fact in facts.to_pylist()
    )


def test_articles_have_the_size_of_news(made):
    articles, _ = made
    words = sum(len(article["text"].split()) for article in articles)
    size = sum(len(article["text"].encode()) for article in articles)
    assert 400 < words / COUNT < 480
    assert 5.5 < size / words < 6
    assert len({article["outlet"] for article in articles}) > 290


def test_agencies_are_those_the_product_knows():
    with Path(corpus.__file__).parents[1].joinpath("dedup/data/agencies.csv").open(encoding="utf-8") as lines:
        known = {alias for row in csv.DictReader(lines) for alias in row["aliases"].split("|")}
    assert set(corpus.AGENCIES) <= known


def test_worst_cases():
    texts = {}
    for case in (worst.identical, worst.one_family, worst.one_paragraph, worst.briefs):
        table = pa.Table.from_batches(case(60), corpus.ARTICLES)
        assert len(set(table["id"].to_pylist())) == 60, case
        texts[case] = table["text"].to_pylist()
    assert len(set(texts[worst.identical])) == 1
    assert len(set(texts[worst.one_family])) > 40
    boxes = {text.split("\n\n")[-1] for text in texts[worst.one_paragraph]}
    assert len(boxes) == 1
    assert {len(text.split()) for text in texts[worst.briefs]} == {20}
    (batch,) = worst.one_long(3_000_001)
    assert len(batch["text"][0].as_py().encode()) == 3_000_001
