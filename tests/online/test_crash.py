"""No verdict that was emitted is lost, whenever the filter is killed."""

import json
import subprocess
import sys
from pathlib import Path

import dedup
from dedup.online.index import Index
from dedup.online.upkeep import verify

KILLS = 100


def test_a_filter_killed_at_any_moment_keeps_what_it_said(tmp_path, example):
    articles = example.stories(60, copies=3)
    source = tmp_path / "articles.jsonl"
    source.write_text("".join(json.dumps(article) + "\n" for article in articles), "utf-8")
    folder, emitted = tmp_path / "index", tmp_path / "emitted.jsonl"
    script = Path(__file__).with_name("crash.py")
    subprocess.run([sys.executable, script, folder, source, emitted, str(KILLS)], check=True, timeout=300)
    told = [json.loads(line) for line in emitted.read_text("utf-8").splitlines()]
    assert len(told) > KILLS
    by_id = {}
    for verdict in told:
        assert by_id.setdefault(verdict["id"], verdict) == verdict  # never two verdicts on one article
    with dedup.Filter(folder) as own:
        again = {
            verdict.id: verdict.plain()
            for verdict in own.check_many([a for a in articles if a["id"] in by_id])
        }
    assert again == by_id
    index = Index(folder, read_only=True)
    assert list(verify(index)) == []
    assert any(index.rocks.last(f"p{day}", b"s") for day in index.partitions)  # there are segments
    index.close()
