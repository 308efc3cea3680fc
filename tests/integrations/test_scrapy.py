"""A real crawl of pages served on loopback."""

import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("scrapy", reason="scrapy is not installed")

STORY = [f"word{n}" for n in range(80)]
PAGES = [
    "<p>{}</p>".format(" ".join(STORY)),
    "<p>{}</p>".format(" ".join(STORY).upper()),  # the same words
    "<p>{}</p>".format(" ".join(f"other{n}" for n in range(80))),
    "<p></p>",
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    for number, page in enumerate(PAGES):
        (folder / f"{number}.html").write_text(f"<html><body>{page}</body></html>", "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def crawl(tmp_path, site, name, **settings):
    out = tmp_path / f"{name}.jsonl"
    script = Path(__file__).with_name("spider.py")
    command = [sys.executable, script, tmp_path / "index", site, out, json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    items = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return [(item["url"][-6], item.get("dedup", {}).get("verdict")) for item in items], json.loads(
        done.stdout
    )


def test_a_crawl_drops_what_came_before(tmp_path, site):
    items, counts = crawl(tmp_path, site, "first")
    assert items == [("0", "new"), ("2", "new"), ("3", None)]
    assert counts == {"dedup/new": 2, "dedup/duplicate": 1, "dedup/no article": 1}


def test_a_crawl_notes_what_it_is_told_to_keep(tmp_path, site):
    items, _ = crawl(tmp_path, site, "first", DEDUP_DROP=[], DEDUP_WINDOW="7d")
    assert items == [("0", "new"), ("1", "duplicate"), ("2", "new"), ("3", None)]
    again, _ = crawl(tmp_path, site, "again", DEDUP_DROP=[])
    assert again == items  # the same articles again: the same verdicts
