"""One call for every test of reading: the articles as dicts, and the inputs' account."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dedup import io
from dedup.report.model import Inputs
from dedup.settings import Settings

Read = Callable[..., tuple[list[dict[str, Any]], Inputs]]


@pytest.fixture(scope="session")
def read() -> Read:
    def reading(source: Any, *, fields: Any = None, progress: Any = None, **settings: Any) -> Any:
        inputs = Inputs()
        table = io.read(
            source, inputs=inputs, settings=Settings(**settings), fields=fields, progress=progress
        )
        assert inputs.read == table.num_rows
        return table.to_pylist(), inputs

    return reading


@pytest.fixture(scope="session")
def line() -> Callable[..., bytes]:
    """One line of JSON."""

    def encoded(**record: Any) -> bytes:
        return json.dumps(record).encode() + b"\n"

    return encoded
