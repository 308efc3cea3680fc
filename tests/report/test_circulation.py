"""Who carries whose copy, how soon, with or without credit."""

from datetime import UTC, datetime, timedelta

from dedup.report.charts import charts
from dedup.report.circulation import Circulation, circulation

PUBLISHED = datetime(2023, 11, 17, 5, 10, tzinfo=UTC)


def test_copy_is_followed(example):
    found = circulation(example.report())
    assert (found.credited, found.uncredited) == (0, 1)
    assert found.outlets == [("a.example", 1), ("b.example", 1)]
    assert found.flows == [("a.example", "b.example", 1)]
    assert found.began == [(datetime(2023, 11, 17, 5, tzinfo=UTC), 1)]
    assert [item for item in found.pickup if item[1]] == [("3 to 12 hours", 1)]


def test_what_is_not_known_is_not_counted(example):
    rows = [
        {**row, "published": None, "outlet": None} if row["id"] == "b" else row for row in example.articles()
    ]
    found = circulation(example.report(articles=rows))
    assert found.outlets == [("a.example", 1)]
    assert (found.flows, found.pickup) == ([], [])
    assert circulation(example.report(families=[])) == Circulation(0, 0, [], [], [], [])


def test_charts_are_the_same_each_time_and_hold_no_outsiders_markup():
    began = [(PUBLISHED + timedelta(days=400 * n), n + 1) for n in range(3)]
    flows = [("<script>alert(1)</script>", "b & c $x$ \u202e", 4), ("two", "three", 1)]
    found = Circulation(1, 1, [], flows, began, [("under 15 minutes", 3)])
    drawn = charts(found)
    assert drawn == charts(found)
    assert set(drawn) == {"began", "flows", "pickup"}
    for widths in drawn.values():
        for svg in widths.values():
            assert svg.count("<svg") == 1
            assert "<script" not in svg
            assert "prefers-color-scheme: dark" in svg
    assert charts(Circulation(0, 0, [], [], [], [])) == {}
