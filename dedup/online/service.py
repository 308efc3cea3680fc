"""The filter as a service: JSON over HTTP, on Starlette."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dedup.errors import IndexStoreError
from dedup.io.dates import EPOCH, MICROSECOND
from dedup.io.jsonl import ESCAPED, OTHERS, parsed
from dedup.io.place import NO_ZONE, Place, Row, SetAside
from dedup.io.record import FIELDS, Number, check
from dedup.online.batcher import Batcher, Full
from dedup.online.filter import Filter, facts_of
from dedup.online.openapi import document
from dedup.online.texts import Facts

_OURS = {name: name for name in FIELDS}
_OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json")  # without a token
T = TypeVar("T")

_SLOW, _ENDING = 60, 2  # seconds that are waited for more of a body; for its end when it is time to stop
_AHEAD = 256  # lines of one stream that are judged at once


class _Any(StringConvertor):
    """Whatever stands in an address, line ends too."""

    regex = r"(?s:.+)"


register_url_convertor("any", _Any())


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes."""

    text: int = 2**20  # bytes of UTF-8
    waiting: int = 4096  # articles without a verdict yet, of all requests
    requests: int = 256  # that are answered at once
    lines: int = 100_000  # in one stream

    @property
    def body(self) -> int:
        """Bytes in the longest line, and in the longest body that is no stream."""
        return self.text * ESCAPED + OTHERS


def application(own: Filter, *, token: str | None = None, limits: Limits | None = None) -> Starlette:
    """The service for a filter, which it closes when it stops; a `token` has to be sent if there is one."""
    service = _Service(own, token, limits or Limits())
    routes = [
        Route("/v1/articles", service.judge, methods=["POST"]),
        Route("/v1/query", service.query, methods=["POST"]),
        Route("/v1/articles/{id:any}", service.article, methods=["GET", "DELETE"]),
        Route("/v1/families/{id:any}", service.family, methods=["GET"]),
        Route("/healthz", service.alive),
        Route("/readyz", service.ready),
        Route("/metrics", service.metrics),
        Route("/openapi.json", service.openapi),
        Route("/docs", service.docs),
    ]
    app = Starlette(routes=routes, lifespan=service.lifespan, exception_handlers={HTTPException: _told})
    app.add_middleware(_Door, service=service)
    app.state.stop = service.stop
    return app


class _Service:
    """What answers requests."""

    def __init__(self, own: Filter, token: str | None, limits: Limits) -> None:
        from dedup import __version__

        self.filter, self.token, self.limits = own, token, limits
        self.batcher = Batcher(own.judge, limits.waiting)
        self.stopping, self.active = False, 0
        self.end = math.inf  # of the time to send in, once it is stopping
        self.reading: dict[asyncio.Task[Any], float] = {}  # who waits for more of a body, and since when
        self.document = document(__version__, token=token is not None)
        self.registry = CollectorRegistry()
        self.verdicts = Counter("dedup_verdicts", "Verdicts given", ["verdict"], registry=self.registry)
        self.requests = Counter(
            "dedup_requests", "Requests answered", ["method", "path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "dedup_request_seconds", "Time to answer", ["path"], registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )  # fmt: skip
        pending = Gauge("dedup_pending_articles", "Articles without a verdict yet", registry=self.registry)
        pending.set_function(lambda: self.batcher.pending)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Work from start to stop; what was taken is finished first."""
        self.batcher.start()
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self.stopping = True
            watch.cancel()
            await self.batcher.stop()
            self.filter.close()

    def stop(self) -> None:
        """Take no more; who is still sending has a moment to end."""
        self.stopping, self.end = True, time.monotonic() + _ENDING

    async def _watch(self) -> None:
        """Wait no longer for those who send nothing, nor for any in the end: a timeout for each is dear."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for task, since in self.reading.items():
                if now > min(since + _SLOW, self.end):
                    task.cancel()

    async def _blocks(self, request: Request) -> AsyncIterator[bytes]:
        """What a client sends, unless it takes too long, or goes on when it is time to stop."""
        stream, task = request.stream(), asyncio.current_task()
        assert task is not None
        while True:
            since = self.reading[task] = time.monotonic()
            try:
                block = await anext(stream)
            except StopAsyncIteration:
                return
            except ClientDisconnect:
                raise HTTPException(400, "the body has no end") from None  # which nobody reads
            except asyncio.CancelledError:
                if self.stopping:
                    said = "about to stop; the rest is not read"
                    raise HTTPException(503, said, {"Retry-After": "1"}) from None
                if time.monotonic() - since > _SLOW:
                    raise HTTPException(408, f"nothing more came for {_SLOW} seconds") from None
                raise
            finally:
                del self.reading[task]
            yield block

    async def judge(self, request: Request) -> Response:
        """An article, or a stream of them."""
        kind = _kind(request)
        if kind == "application/x-ndjson":
            return _Lines(self._stream(request))
        verdict = await self._verdict(self._facts(await self._body(request)))
        return JSONResponse(verdict)

    async def query(self, request: Request) -> Response:
        """An article that is not kept."""
        if _kind(request) != "application/json":
            raise HTTPException(415, "send one article as application/json")
        facts = self._facts(await self._body(request))
        return JSONResponse(await _aside(self._asked, facts))

    def _asked(self, facts: Facts) -> dict[str, Any]:
        return self.filter.judge([facts], add=False)[0].plain()

    async def article(self, request: Request) -> Response:
        """An article as it was kept, its latest version; or an end to all of them."""
        if request.method == "DELETE":
            return await self._deleted(request)
        found = await _aside(self.filter.get, request.path_params["id"])
        if found is None:
            raise HTTPException(404, "there is no article with this id")
        facts, verdict = found
        record = {name: facts[name] for name in FIELDS}
        if record["published"] is not None:
            record["published"] = (EPOCH + record["published"] * MICROSECOND).isoformat()
        return JSONResponse({**record, "verdict": verdict.plain()})

    async def _deleted(self, request: Request) -> Response:
        if not await _aside(self.filter.delete, request.path_params["id"]):
            raise HTTPException(404, "there is no article with this id")
        return Response(status_code=204)

    async def family(self, request: Request) -> Response:
        """A family and who is in it."""
        found = await _aside(self.filter.family, request.path_params["id"])
        if found is None:
            raise HTTPException(404, "there is no family of this name")
        return JSONResponse(found)

    async def alive(self, _: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("alive\n")

    async def ready(self, _: Request) -> Response:
        """It takes articles."""
        if self.stopping:
            raise HTTPException(503, "about to stop")
        return PlainTextResponse("ready\n")

    async def metrics(self, _: Request) -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(self.registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """The document that programs read."""
        return JSONResponse(self.document)

    async def docs(self, _: Request) -> Response:
        """The same for people."""
        pages = Environment(loader=PackageLoader("dedup.online", ""), autoescape=True)
        return HTMLResponse(pages.get_template("docs.html").render(document=self.document))

    async def _verdict(self, facts: Facts, *, patient: bool = False) -> dict[str, Any]:
        try:
            with _telling():
                verdict = await self.batcher.take(facts, patient=patient)
        except Full:
            raise HTTPException(429, "too many articles are waiting", {"Retry-After": "1"}) from None
        self.verdicts.labels(verdict.verdict).inc()
        return verdict.plain()

    async def _body(self, request: Request) -> bytes:
        whole = bytearray()
        async for block in self._blocks(request):
            whole += block
            if len(whole) > self.limits.body:
                raise HTTPException(413, f"the body is longer than {self.limits.body:,} bytes")
        return bytes(whole)

    def _facts(self, body: bytes) -> Facts:
        """The article in a body; raises what says that there is none."""
        doubts: list[str] = []
        try:
            record = parsed(body)
            _check_id(record.get("id"))
            for found in check(record, _OURS, Place(), self.limits.text):
                if isinstance(found, Row):
                    return facts_of(found.values, [*doubts, NO_ZONE] if found.zoneless else doubts)
                message = getattr(found, "message", "no article")
                if getattr(found, "kind", "failed") != "warning":
                    raise SetAside(message)
                doubts.append(message)
            raise SetAside("no article")
        except SetAside as reason:
            said = str(reason)
            too_long = said.endswith("raise --max-bytes")
            raise HTTPException(413 if too_long else 400, said.removesuffix("; raise --max-bytes")) from None

    async def _stream(self, request: Request) -> AsyncIterator[bytes]:
        """A verdict, or an error, for each line, in order."""
        number, held = 0, bytearray()
        try:
            async for block in self._blocks(request):
                held += block
                *lines, rest = held.split(b"\n")
                held = bytearray(rest)
                for first in range(0, len(lines), _AHEAD):
                    for answer in await self._answers(lines[first : first + _AHEAD], number + first):
                        yield answer
                number += len(lines)
                if len(held) > self.limits.body or number > self.limits.lines:
                    yield _line(
                        {
                            "error": "the line or the stream is too long; the rest is not read",
                            "line": number + 1,
                        }
                    )
                    return
        except HTTPException as error:
            yield _line({"error": error.detail, "line": number + 1})
            return
        if held.strip():
            for answer in await self._answers([held], number):
                yield answer

    async def _answers(self, lines: list[bytearray], before: int) -> list[bytes]:
        async def answer(line: bytearray, number: int) -> bytes:
            try:
                return _line(await self._verdict(self._facts(bytes(line)), patient=True))
            except HTTPException as error:
                return _line({"error": error.detail, "line": number})

        work = [answer(line, number) for number, line in enumerate(lines, before + 1) if line.strip()]
        return list(await asyncio.gather(*work))


async def _aside(work: Callable[..., T], *given: Any) -> T:
    """What work that waits for the index gives, done in another thread."""
    with _telling():
        return await run_in_threadpool(work, *given)


@contextmanager
def _telling() -> Iterator[None]:
    """Tell the client of an index that cannot be read or written to."""
    try:
        yield
    except IndexStoreError as error:
        raise HTTPException(503, str(error), {"Retry-After": "30"}) from None


class _Lines(Response):
    """Lines that are sent while the request is still read; Starlette's own would read it away from them."""

    media_type = "application/x-ndjson"

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for line in self._lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _Door:
    """Lets in who may come, and counts the answers."""

    def __init__(self, app: Any, service: _Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, path = time.perf_counter(), _family_of(scope["path"])
        status = 500

        async def counted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.service.active += 1
        try:
            await (self._refusal(scope) or self.app)(scope, receive, counted)
        finally:
            self.service.active -= 1
            self.service.requests.labels(scope["method"], path, str(status)).inc()
            self.service.seconds.labels(path).observe(time.perf_counter() - begun)

    def _refusal(self, scope: Any) -> Response | None:
        """What to answer to who may not come in, or not now."""
        if not self._may(scope):
            said = {"error": "the token is missing or wrong"}
            return JSONResponse(said, 401, {"WWW-Authenticate": "Bearer"})
        busy = self.service.active > self.service.limits.requests
        if busy and scope["path"].startswith("/v1/"):
            return JSONResponse({"error": "too many requests at once"}, 429, {"Retry-After": "1"})
        return None

    def _may(self, scope: Any) -> bool:
        token = self.service.token
        if token is None or scope["path"] in _OPEN:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + token.encode())


def _family_of(path: str) -> str:
    """A path without what differs from article to article."""
    for start in ("/v1/articles/", "/v1/families/"):
        if path.startswith(start):
            return f"{start}{{id}}"
    known = ("/v1/articles", "/v1/query", "/metrics", *_OPEN)
    return path if path in known else "other"


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-ndjson"):
        raise HTTPException(415, "send application/json, or application/x-ndjson for a stream")
    return kind


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _check_id(value: object) -> None:
    """Refuse a number: as a text, which is asked for later, it may be another. Raises `SetAside`."""
    if isinstance(value, Number):
        raise SetAside("field 'id' is a number; give it as a string")


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
