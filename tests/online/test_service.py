"""The service, over real sockets."""

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import quote

import pytest

import dedup

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

WORDS = " ".join(f"word{n}" for n in range(60))


class Client:
    def __init__(self, port):
        self.port = port

    def __call__(self, method, path, body=None, kind="application/json", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if kind:
            headers["Content-Type"] = kind
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        with closing(connection):
            connection.request(method, path, body, headers)
            with connection.getresponse() as answer:
                return answer.status, answer.read(), dict(answer.getheaders())

    def post(self, article, path="/v1/articles"):
        status, data, _ = self("POST", path, article)
        assert status == 200, data
        return json.loads(data)


@pytest.fixture
def serve(tmp_path):
    running = []

    def serve(*options, **environment):
        command = [
            sys.executable,
            "-m",
            "dedup",
            "serve",
            "--index",
            tmp_path / "index",
            "--port",
            "0",
            *options,
        ]
        process = subprocess.Popen(command, stderr=-1, text=True, env={**os.environ, **environment})
        running.append(process)
        for line in process.stderr:
            if line.startswith("listening on"):
                return process, Client(int(line.rpartition(":")[2]))
        raise AssertionError("it does not listen")

    yield serve
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def test_articles_are_judged_kept_shown_and_deleted(serve):
    _, client = serve()
    assert client.post({"id": "a/1 ?", "text": WORDS})["verdict"] == "new"
    asked = client.post({"id": "2", "text": WORDS + " more"}, "/v1/query")
    assert asked["verdict"] == "copy"
    assert client.post({"id": "2", "text": WORDS + " more"}) == asked
    status, data, _ = client("GET", "/v1/articles/a%2F1%20%3F")
    assert (status, json.loads(data)["text"]) == (200, WORDS)
    [name] = asked["families"]
    status, data, _ = client("GET", f"/v1/families/{name}")
    assert json.loads(data) == {"family": name, "size": 2, "origin": "a/1 ?", "members": ["a/1 ?", "2"]}
    assert client("DELETE", "/v1/articles/2")[0] == 204
    assert client("DELETE", "/v1/articles/2")[0] == 404
    assert client("GET", "/v1/articles/2")[0] == 404
    assert client("GET", "/v1/families/none")[0] == 404


def test_a_stream_is_answered_line_by_line(serve):
    _, client = serve()
    lines = [{"id": str(n), "text": " ".join(f"w{n}x{m}" for m in range(30))} for n in range(300)]
    body = "\n".join(json.dumps(line) for line in [*lines[:5], ["no"], *lines[5:], {}, lines[0]])
    status, data, _ = client("POST", "/v1/articles", body.encode(), "application/x-ndjson")
    answers = [json.loads(line) for line in data.splitlines()]
    assert status == 200
    assert len(answers) == 303
    assert answers[5]["line"] == 6
    assert "not an object" in answers[5]["error"]
    assert answers[-1] == answers[0]


def test_what_is_wrong_is_said(serve):
    _, client = serve()
    assert client("POST", "/v1/articles", b"{")[0] == 400
    assert b"missing field 'text'" in client("POST", "/v1/articles", {"id": "1"})[1]
    assert client("POST", "/v1/articles", {"id": "1", "text": "a"}, "text/plain")[0] == 415
    assert client("POST", "/v1/articles", {"id": "1", "text": "a " * 2**20})[0] == 413
    assert client("POST", "/v1/articles", {"id": "1", "text": "a " * 2**21})[0] == 413
    assert client("POST", "/v1/query", b"", "application/x-ndjson")[0] == 415
    status, data, _ = client("PUT", "/v1/articles")
    assert status == 405
    assert "error" in json.loads(data)
    assert client("GET", "/nothing")[0] == 404


def test_the_token(serve):
    _, client = serve("--host", "0.0.0.0", DEDUP_TOKEN="secret")
    assert client("POST", "/v1/query", {"id": "1", "text": WORDS})[0] == 401
    assert client("POST", "/v1/query", {"id": "1", "text": WORDS}, Authorization="Bearer wrong")[0] == 401
    assert client("POST", "/v1/query", {"id": "1", "text": WORDS}, Authorization="Bearer secret")[0] == 200
    assert client("GET", "/metrics", kind=None)[0] == 401
    assert client("GET", "/healthz", kind=None)[0] == 200


def test_other_addresses_need_a_token(tmp_path):
    command = [sys.executable, "-m", "dedup", "serve", "--index", tmp_path / "i", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "set a token" in done.stderr


def test_health_figures_and_documents(serve):
    _, client = serve()
    client.post({"id": "1", "text": WORDS})
    assert client("GET", "/healthz")[1] == b"alive\n"
    assert client("GET", "/readyz")[1] == b"ready\n"
    figures = client("GET", "/metrics")[1].decode()
    assert 'dedup_verdicts_total{verdict="new"} 1.0' in figures
    assert 'dedup_requests_total{method="POST",path="/v1/articles",status="200"} 1.0' in figures
    page = client("GET", "/docs")[1].decode()
    assert "POST /v1/articles" in page
    assert "http" not in page.partition("<body>")[0].replace("http-equiv", "")
    assert "src=" not in page
    assert json.loads(client("GET", "/openapi.json")[1])["openapi"] == "3.1.0"


def test_too_much_at_once_is_turned_away(serve):
    _, client = serve("--max-waiting", "1")
    long = " ".join(f"w{n}" for n in range(20_000))
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda n: client("POST", "/v1/articles", {"id": str(n), "text": f"{n} {long}"}), range(48)
            )
        )
    statuses = {status for status, _, _ in answers}
    assert statuses == {200, 429}
    assert all(headers["retry-after"] == "1" for status, _, headers in answers if status == 429)


def test_the_lines_of_a_stream_wait_for_room(serve):
    _, client = serve("--max-waiting", "1")
    lines = b"".join(json.dumps({"id": str(n), "text": f"{n} {WORDS}"}).encode() + b"\n" for n in range(300))
    status, data, _ = client("POST", "/v1/articles", lines, "application/x-ndjson")
    answers = [json.loads(line) for line in data.splitlines()]
    assert (status, [answer.get("id") for answer in answers]) == (200, [str(n) for n in range(300)])


def test_no_more_requests_are_answered_at_once_than_may_be(serve):
    process, client = serve("--max-requests", "2")
    held = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(2)]
    head = (
        b"POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    for connection in held:
        connection.sendall(head)
    for path in ("/v1/query", "/v1/articles"):
        while (answer := client("POST", path, {"id": "1", "text": WORDS}))[0] == 200:
            pass  # those before are not there yet
        assert (answer[0], answer[2]["retry-after"]) == (429, "1")
    assert client("GET", "/v1/articles/1")[0] == 429
    assert client("GET", "/healthz")[0] == 200
    for connection in held:
        connection.close()  # in the middle of the body, which is no error of the service
    while client("GET", "/v1/families/none")[0] != 404:
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_who_is_still_sending_when_it_stops_is_told(serve):
    process, client = serve()
    head = "POST /v1/articles HTTP/1.1\r\nHost: x\r\nContent-Type: application/{}\r\n{}\r\n\r\n"
    line = json.dumps({"id": "1", "text": WORDS}).encode() + b"\n"
    whole = head.format("json", "Content-Length: 99").encode() + b"{"
    stream = head.format("x-ndjson", "Transfer-Encoding: chunked").encode() + b"%x\r\n%s\r\n" % (
        len(line),
        line,
    )
    place = "127.0.0.1", client.port
    with socket.create_connection(place) as one, socket.create_connection(place) as other:
        one.sendall(whole)
        other.sendall(stream)
        assert b'"verdict":"new"' in other.recv(4096) + other.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert one.recv(4096).startswith(b"HTTP/1.1 503")
        assert b"about to stop" in other.recv(4096)
    assert process.stderr.read() == ""


def test_who_sends_nothing_more_is_not_waited_for(tmp_path, monkeypatch):
    from dedup.online import service

    monkeypatch.setattr(service, "_SLOW", 0.1)
    app, told = service.application(dedup.Filter(tmp_path / "index")), []
    kind = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/articles", "headers": kind, "query_string": b""}

    async def send(message):
        told.append(message)

    async def asked():
        async with app.router.lifespan_context(app):
            await asyncio.wait_for(app(scope, asyncio.Event().wait, send), 20)

    asyncio.run(asked())
    assert told[0]["status"] == 408
    assert b"nothing more came" in told[1]["body"]


def test_a_longer_text_is_taken_where_that_is_asked_for(serve):
    _, client = serve("--max-bytes", "3000000")
    long = {"id": "1", "text": " ".join(f"w{n}" for n in range(350_000))}
    assert len(long["text"]) > 2**21
    assert client.post(long)["verdict"] == "new"


def test_any_id_can_be_asked_for(serve):
    _, client = serve()
    for id in ("a/b", "two\nlines", "ü?#%"):
        client.post({"id": id, "text": WORDS})
        status, data, _ = client("GET", "/v1/articles/" + quote(id, safe=""))
        assert (status, json.loads(data)["id"]) == (200, id)


def test_requests_at_one_time_are_judged_as_one_after_another(serve, tmp_path, example):
    articles = example.stories(120, copies=4)
    process, client = serve()
    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(client.post, articles))
    assert [client.post(article) for article in articles] == verdicts
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    with dedup.Filter(tmp_path / "index") as own:
        assert [verdict.plain() for verdict in own.check_many(articles)] == verdicts


def test_it_finishes_what_it_took_when_asked_to_stop(serve, tmp_path):
    process, client = serve()
    told = []
    draw = random.Random(1)

    def send(first):
        for number in range(first, 4000, 8):
            text = " ".join(f"w{draw.randrange(10**6)}" for _ in range(200))
            try:
                told.append(client.post({"id": str(number), "text": text}))
            except (OSError, http.client.HTTPException):
                return

    threads = [threading.Thread(target=send, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    while len(told) < 50:
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    for thread in threads:
        thread.join()
    with dedup.Filter(tmp_path / "index") as own:
        for verdict in told:
            assert own.get(verdict["id"])[1].plain() == verdict


def test_it_is_what_its_document_says(serve, tmp_path):
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    _, client = serve()
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"http://127.0.0.1:{client.port}/openapi.json",
    ]
    options = ["--max-examples", "25", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 8" in done.stdout
