"""What the service offers, as OpenAPI 3.1 has it."""

from __future__ import annotations

from typing import Any

from dedup.io.record import FIELDS
from dedup.online.verdict import VERDICTS
from dedup.schema import PASSAGE_KINDS, RELATIONS


def document(version: str, *, token: bool) -> dict[str, Any]:
    """The document; with a `token`, that it is asked for."""
    paths = {
        "/v1/articles": {"post": _judging("Judge an article, or a stream of them, and keep it", stream=True)},
        "/v1/query": {"post": _judging("Judge an article without keeping it", stream=False)},
        "/v1/articles/{id}": {
            "get": _found("An article as it was kept, and its verdict", "Article", _ID),
            "delete": {
                "summary": "Forget all versions of an article",
                "parameters": [_ID],
                "responses": {"204": {"description": "It is gone"}, **_errors(401, 404, 429, 503)},
            },
        },
        "/v1/families/{id}": {"get": _found("A family and its members", "Family", _ID)},
        "/healthz": {"get": _plain("Whether the process is alive")},
        "/readyz": {"get": {**_plain("Whether it takes articles"), "responses": {**_text(), **_errors(503)}}},
        "/metrics": {"get": _plain("Figures for Prometheus")},
    }
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "dedup",
            "version": version,
            "description": "What an article is to those that came before it, with the evidence.",
        },
        "paths": paths,
        "components": {"schemas": _schemas()},
    }
    if token:
        whole["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, own in paths.items():
            if path.startswith("/v1/") or path == "/metrics":
                for operation in own.values():
                    operation["security"] = [{"token": []}]
    return whole


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}

_SAID = {
    400: "The body is no JSON, or no article",
    401: "The token is missing or wrong",
    404: "There is none",
    408: "Nothing more of the body came for a minute",
    413: "The body, a line or the text is too long",
    415: "The body is neither JSON nor JSON Lines",
    429: "Too much at once; try again after the seconds in Retry-After",
    503: "It is about to stop, or the index cannot be read or written to",
}


def _errors(*codes: int) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(code): {"description": _SAID[code], "content": body} for code in codes}


def _text() -> dict[str, Any]:
    return {"200": {"description": "Yes", "content": {"text/plain": {"schema": {"type": "string"}}}}}


def _plain(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": _text()}


def _found(summary: str, schema: str, parameter: dict[str, Any]) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    answers = {"200": {"description": "There it is", "content": body}, **_errors(401, 404, 429, 503)}
    return {"summary": summary, "parameters": [parameter], "responses": answers}


def _judging(summary: str, *, stream: bool) -> dict[str, Any]:
    one = {"application/json": {"schema": {"$ref": "#/components/schemas/Given"}}}
    told = {"application/json": {"schema": {"$ref": "#/components/schemas/Verdict"}}}
    if stream:
        one["application/x-ndjson"] = {"schema": {"type": "string"}}
        told["application/x-ndjson"] = {"schema": {"type": "string"}}
    answers = {"200": {"description": "The verdict", "content": told}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": one},
        "responses": {**answers, **_errors(400, 401, 408, 413, 415, 429, 503)},
    }


def _schemas() -> dict[str, Any]:
    def record(required: list[str], **fields: Any) -> dict[str, Any]:
        return {"type": "object", "required": required, "properties": fields}

    text, whole = {"type": "string"}, {"type": "integer", "minimum": 0}
    maybe, share = {"type": ["string", "null"]}, {"type": "number", "minimum": 0, "maximum": 1}
    texts = {"type": "array", "items": text}
    given = {name: maybe for name in FIELDS if name not in ("id", "text", "published")}
    places = dict.fromkeys(("start", "end", "their_start", "their_end", "matched_tokens"), whole)
    shared = record([*places, "kind"], **places, kind={"enum": list(PASSAGE_KINDS)})
    match = record(
        ["id", "relation", "containment", "their_containment", "passages"],
        id=text, relation={"enum": list(RELATIONS)}, containment=share, their_containment=share,
        passages={"type": "array", "items": shared},
    )  # fmt: skip
    verdict = record(
        ["id", "verdict", "matches", "families", "origin", "notes"],
        id=text, verdict={"enum": list(VERDICTS)}, matches={"type": "array", "items": match}, families=texts,
        origin=maybe, notes=texts,
    )  # fmt: skip
    identifier = {"type": "string", "minLength": 1}  # of a number, programs make texts of several kinds
    moment = {"type": ["string", "number", "null"]}
    verdict_of = {"$ref": "#/components/schemas/Verdict"}
    return {
        "Given": record(
            ["id", "text"], id=identifier, text={**text, "minLength": 1}, published=moment, **given
        ),
        "Verdict": verdict,
        "Article": record(
            ["id", "text", "verdict"], id=text, text=text, published=moment, verdict=verdict_of, **given
        ),
        "Family": record(
            ["family", "size", "origin", "members"], family=text, size=whole, origin=maybe, members=texts
        ),
        "Error": record(["error"], error=text),
    }
