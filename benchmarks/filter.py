"""The filter: `python -m benchmarks.filter --articles 100000 --out FILE.md`.

Articles of the generated corpus (`benchmarks.corpus`) go into an index in batches of 256; then single checks,
a story's copies, and datasketch's `MinHashLSH` in memory, one article at a time, on the same articles in the
same run. What is said to repeat an earlier article is compared with a scan of the same articles.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.measure import memory

_BATCH = 256
_SCANNED = 100_000  # articles up to which a scan tells whether the verdicts are right
_SINGLES = 2_000
_PEER = 5_000  # articles that datasketch takes in
_COPIES = 3_000  # of one story
_REDIS, _ON_REDIS = 16_379, 500  # its port, and articles that datasketch takes in there
_CONNECTIONS, _SENT = 32, 6_000  # to the service, and articles that it gets


def rows(path: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Some articles of a corpus."""
    found: list[dict[str, Any]] = []
    at = 0
    for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(1024):
        found += batch.slice(max(0, first - at)).to_pylist()
        at += batch.num_rows
        if len(found) >= count:
            break
    return found[:count]


def filled(own: Any, path: Path, count: int) -> tuple[float, dict[str, int], dict[str, str]]:
    """Check `count` articles in batches; articles a second, the verdicts' numbers, and each."""
    counts: dict[str, int] = {}
    verdicts: dict[str, str] = {}
    seconds, at = 0.0, 0
    for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(_BATCH):
        articles = batch.to_pylist()[: count - at]
        if not articles:
            break
        begun = time.perf_counter()
        for verdict in own.check_many(articles):
            counts[verdict.verdict] = counts.get(verdict.verdict, 0) + 1
            if count <= _SCANNED:
                verdicts[verdict.id] = verdict.verdict
        seconds += time.perf_counter() - begun
        at += len(articles)
    return at / seconds, counts, verdicts


def singles(own: Any, articles: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of one check after another, sorted."""
    out = []
    for article in articles:
        begun = time.perf_counter()
        own.check(article)
        out.append(1e3 * (time.perf_counter() - begun))
    return sorted(out)


def copies(own: Any, article: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds, medians, of a story's 11th to 110th and of its last hundred copies."""
    words = article["text"].split()
    taken = []
    for number in range(_COPIES):
        text = " ".join(word for place, word in enumerate(words) if (place * 7919 + number * 104_729) % 97)
        begun = time.perf_counter()
        own.check({**article, "id": f"copy {number}", "text": f"{text} {number}"})
        taken.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(taken[10:110]), statistics.median(taken[-100:])


def peer(articles: list[dict[str, Any]], storage: dict[str, Any] | None = None) -> float:
    """Articles a second of datasketch: sketch, query, insert, in memory or where `storage` says."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.5, num_perm=128, storage_config=storage)
    begun = time.perf_counter()
    for article in articles:
        words = article["text"].split()
        shingles = {" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))}
        sketch = MinHash(128)
        sketch.update_batch(shingles)
        index.query(sketch)
        index.insert(article["id"], sketch)
    return len(articles) / (time.perf_counter() - begun)


def on_redis(articles: list[dict[str, Any]]) -> float | None:
    """The same on a Redis server, started for it; None where there is none."""
    command = shutil.which("redis-server")
    if command is None:
        return None
    with subprocess.Popen(
        [command, "--port", str(_REDIS), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    ) as process:
        time.sleep(1)
        try:
            return peer(articles, {"type": "redis", "redis": {"host": "127.0.0.1", "port": _REDIS}})
        finally:
            process.terminate()


def service(folder: Path, articles: list[dict[str, Any]]) -> tuple[float, float]:
    """Articles a second over HTTP, and the 99th percentile of milliseconds; clients share the cores."""
    command = [sys.executable, "-m", "dedup", "serve", "--index", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("listening on"))
        port = int(line.rpartition(":")[2])
        waiting, taken = _shared(list(map(_request, articles))), list[float]()

        def client(_: int) -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                for request in waiting:
                    begun = time.perf_counter()
                    connection.sendall(request)
                    _answered(connection)
                    taken.append(1e3 * (time.perf_counter() - begun))

        begun = time.perf_counter()
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(client, range(_CONNECTIONS)))
        seconds = time.perf_counter() - begun
        process.terminate()
    taken.sort()
    return len(taken) / seconds, taken[len(taken) * 99 // 100]


def _request(article: dict[str, Any]) -> bytes:
    """A request made beforehand: the clients share the cores with the service, so they do little else."""
    body = json.dumps(article).encode()
    head = "POST /v1/articles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _answered(connection: socket.socket) -> None:
    """Take in an answer; raises `RuntimeError` if it is not 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(2**16)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"answered with {head[:40]!r}")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(2**16)


def _shared(requests: list[bytes]) -> Iterator[bytes]:
    """The requests, each for one of the threads that ask."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for request in requests:
        waiting.put(request)

    class Shared:
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            try:
                return waiting.get_nowait()
            except queue.Empty:
                raise StopIteration from None

    return Shared()


def agreement(path: Path, count: int, verdicts: dict[str, str]) -> tuple[float, float]:
    """Of the articles that a scan says repeat an earlier one, the share that the filter told; the reverse."""
    import dedup
    from dedup.schema import COPYING

    table = pq.read_table(path).slice(0, count)
    order = {id: place for place, id in enumerate(table.column("id").to_pylist())}
    report = dedup.scan(table)
    later = {
        max(pair["left"], pair["right"], key=order.__getitem__)
        for pair in report.pairs.to_pylist()
        if pair["relation"] in {*COPYING, "duplicate"}
    }
    for family in report.families.column("members").to_pylist():
        ids = sorted((member["article"] for member in family), key=order.__getitem__)
        later.update(ids[1:])
    told = {id for id, verdict in verdicts.items() if verdict != "new"}
    return len(later & told) / max(1, len(later)), len(later & told) / max(1, len(told))


def lines(path: Path, count: int, folder: Path) -> Iterator[tuple[str, str, str]]:
    """What was measured: name, value, bar."""
    import dedup
    from dedup.cli.filter import collect_rarely

    shutil.rmtree(folder, ignore_errors=True)
    own = dedup.Filter(folder)
    own.check_many(rows(path, 0, 16))
    collect_rarely()  # as `dedup filter` and `dedup serve` do
    rate, counts, verdicts = filled(own, path, count)
    yield f"`check_many`, batches of {_BATCH}, {count:,} articles, articles/s", f"{rate:,.0f}", "2,000"
    yield "verdicts", ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())), ""
    rest = rows(path, count, _SINGLES + _PEER + _SENT)
    taken = singles(own, rest[:_SINGLES])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    yield "resident at the most until then, MB, with the interpreter", f"{peak:,.0f}", "1,000"
    yield "resident then, but for pages of files, MB", f"{memory(os.getpid())[1] / 1e6:,.0f}", "1,000"
    yield "single `check`, p50, ms", f"{taken[len(taken) // 2]:.2f}", "2"
    yield "single `check`, p99, ms", f"{taken[len(taken) * 99 // 100]:.2f}", "8"
    single, theirs = _SINGLES / (sum(taken) / 1e3), peer(rest[_SINGLES : _SINGLES + _PEER])
    yield (
        "`check_many` over datasketch in memory, one at a time",
        f"{rate / theirs:.2f} × ({rate:,.0f} to {theirs:,.0f}/s; single `check` {single:,.0f}/s)",
        "0.5 ×",
    )
    redis = on_redis(rest[_SINGLES : _SINGLES + _ON_REDIS])
    told = "no redis-server here" if redis is None else f"{rate / redis:.1f} × ({redis:,.0f}/s)"
    yield "`check_many` over datasketch on Redis, one at a time", told, "15 ×"
    early, late = copies(own, rest[0])
    yield (
        f"a story's {_COPIES:,}th copy over its 100th",
        f"{late / early:.2f} × ({early:.2f}, {late:.2f} ms)",
        "1 ×",
    )
    own.index.rocks.compact()
    own.close()
    size = sum(file.stat().st_size for file in folder.iterdir())
    total = count + _SINGLES + _COPIES + 16
    yield "index on disk, KB an article", f"{size / total / 1e3:.2f}", "4"
    rate, slow = service(folder, rest[-_SENT:])
    yield (
        f"service, {_CONNECTIONS} connections, clients on the same cores, articles/s",
        f"{rate:,.0f}",
        "1,000",
    )
    yield "the same, p99, ms", f"{slow:.0f}", "50"
    if count <= _SCANNED:
        recall, precision = agreement(path, count, verdicts)
        yield "articles that a scan says repeat an earlier one, and the filter too", f"{recall:.4f}", ""
        yield "articles that the filter says do, and the scan too", f"{precision:.4f}", ""


def main() -> None:
    """Measure, print a table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder for the corpus and the index")
    parser.add_argument("--out", type=Path, help="a file for the table")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"filter-{options.articles}.parquet"
    if not path.exists():
        wanted = options.articles + _SINGLES + _PEER + _SENT
        command = [sys.executable, "-m", "benchmarks.corpus", "--articles", str(wanted), "--out", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    told = ["| work | measured | bar |", "|---|---|---|"]
    print(*told, sep="\n")
    for name, value, bar in lines(path, options.articles, options.work / "filter-index"):
        told.append(f"| {name} | {value} | {bar} |")
        print(told[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(told) + "\n", "utf-8")


if __name__ == "__main__":
    main()
