"""A scan gives the same bytes however it is run, and says what it is meant to say of made-up corpora."""

import random

import pytest

import dedup
from dedup import schema

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("", "n", "r", "st", "lo")]


def prose(seed, sentences):
    draw = random.Random(seed)
    return " ".join(
        " ".join(draw.choices(WORDS, k=draw.randint(8, 16))).capitalize() + "." for _ in range(sentences)
    )


def corpus():
    story, other = prose(1, 20), prose(2, 20)
    texts = {
        "wire": story,
        "paper": story.replace("ba", "da", 3),
        "again": story,
        "excerpt": story[: len(story) // 2],
        "round-up": f"{story}\n\n{other}",
        "second": other,
        "alone": prose(3, 20),
        "short": "Too short to judge.",
        "empty": "...",
        "dots": "!?",
    }
    return [{"id": id, "text": text} for id, text in texts.items()]


def written(tmp_path, scan, source, **settings):
    path = tmp_path / "report.json"
    scan(source, settings).write(path)
    return path.read_bytes()


@pytest.mark.parametrize("settings", [{"threads": 1}, {"threads": 2}, {"batch_size": 1}, {"batch_size": 3}])
def test_same_bytes_for_any_engine_threads_batches_and_order(scan, tmp_path, settings):
    articles = corpus()
    expected = written(tmp_path, dedup.scan, articles)
    random.Random(4).shuffle(articles)
    assert written(tmp_path, scan, articles, **settings) == expected


def test_families_repeats_and_short_texts(scan):
    report = scan(corpus())
    rows = {row["id"]: row for row in report.articles.to_pylist()}
    assert rows["wire"]["duplicate_of"] == "again"
    assert {rows[id]["status"] for id in ("short", "empty", "dots")} == {"short"}
    assert {rows[id]["status"] for id in ("wire", "alone")} == {"ok"}
    families = [{member["article"] for member in row["members"]} for row in report.families.to_pylist()]
    assert {"wire", "again", "paper", "excerpt", "round-up"} in families
    assert {"second", "round-up"} in families
    assert len(families) == 2
    assert rows["alone"]["copied"] == 0
    relations = {(row["left"], row["right"]): row["relation"] for row in report.pairs.to_pylist()}
    assert relations["again", "wire"] == "duplicate"


def test_tables_keep_their_schemas_and_invariants(scan):
    report = scan(corpus())
    for name, table in schema.TABLES.items():
        assert getattr(report, name).schema == table
    pairs = [(row["left"], row["right"]) for row in report.pairs.to_pylist()]
    assert pairs == sorted(set(pairs))
    assert all(left < right for left, right in pairs)
    assert {(row["left"], row["right"]) for row in report.passages.to_pylist()} == set(pairs)


def test_templates_are_no_copies(scan):
    form = (
        "{} corp 4th qtr net shr {} cts vs {} cts net {} mln vs {} mln revs {} mln vs {} mln year shr {} dlrs"
    )
    draw = random.Random(5)
    texts = [form.format("abcd"[n] * 4, *(draw.randint(10, 999) for _ in range(7))) for n in range(4)]
    report = scan([{"id": str(number), "text": text} for number, text in enumerate(texts)])
    assert report.families.num_rows == 0
    assert set(report.pairs["relation"].to_pylist()) <= {"template", "stock phrases"}


def test_a_paragraph_an_outlet_repeats_is_boilerplate_and_a_popular_story_is_not(scan):
    box = "Get our morning letter with the best stories of the day sent to your inbox for nothing at all."
    story = prose(9, 12)
    articles = [
        {
            "id": f"own{n}",
            "outlet": "Post",
            "published": f"2024-01-0{n + 1}",
            "text": f"{prose(20 + n, 12)}\n\n{box}",
        }
        for n in range(4)
    ]
    articles += [
        {
            "id": f"wire{n:02}",
            "outlet": f"Paper {n}",
            "published": "2024-01-01",
            "text": story + f" Local {n}.",
        }
        for n in range(40)
    ]
    report = scan(articles)
    rows = {row["id"]: row for row in report.articles.to_pylist()}
    assert all(rows[f"own{n}"]["boilerplate"] > 0.05 and rows[f"own{n}"]["copied"] == 0 for n in range(4))
    assert all(rows[f"wire{n:02}"]["copied"] > 0.9 for n in range(40))
    assert report.families["size"].to_pylist() == [40]


@pytest.mark.parametrize("articles", [[], [{"id": "one", "text": prose(1, 9)}]])
def test_nothing_to_compare(scan, articles):
    report = scan(articles)
    assert report.articles.num_rows == len(articles)
    assert report.pairs.num_rows == report.passages.num_rows == report.families.num_rows == 0


def test_public_names():
    assert set(dedup.__all__) <= set(dir(dedup)) | set(dedup._HOMES)
    found = dedup.compare(prose(1, 9), prose(1, 9).replace("ba", "da", 1))
    assert found.relation == "verbatim copy"
    assert found.left_containment > 0.9
    assert 0 < found.resemblance < 1
    with pytest.raises(AttributeError):
        dedup.nothing  # noqa: B018


STORY = " ".join(f"word{number} and then" for number in range(60))


def test_declared_provenance_outranks_guesses(scan):
    articles = [
        {"id": "a", "text": STORY, "outlet": "Post", "published": "2024-05-01", "url": "https://post.org/1"},
        {"id": "b", "text": f"PARIS (AFP) - {STORY}", "outlet": "Echo", "published": "2024-05-02"},
        {
            "id": "c", "text": STORY + " more", "outlet": "Wire", "published": "2024-05-03",
            "url": "http://www.wire.org/9/", "provider": "Reuters",
        },
        {"id": "d", "text": STORY + " other", "outlet": "Star", "derived_from": "https://wire.org/9"},
    ]  # fmt: skip
    report = scan(articles)
    [family] = report.families.to_pylist()
    assert family["origin"] == "c"
    assert {(piece["kind"], piece["article"], piece["value"]) for piece in family["evidence"]} >= {
        ("derived from", "d", "https://wire.org/9")
    }
    rows = {row["id"]: row for row in report.articles.to_pylist()}
    [declared] = rows["c"]["credits"]
    assert (declared["kind"], declared["value"], declared["text"]) == (
        "declared",
        "Reuters",
        "provider: Reuters",
    )
    assert declared["start"] is None
    credited = {member["article"]: member["credited"] for member in family["members"]}
    assert credited["d"]
    assert not credited["a"]
    [other] = scan([{**row, "derived_from": None} for row in articles]).families.to_pylist()
    assert not any(piece["kind"] == "derived from" for piece in other["evidence"])
