"""Profile: where the time of a scan goes, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dedup.scratch import Scratch


@dataclass(slots=True)
class Stage:
    """What one stage took. Rows are articles, pairs or families, as `unit_in` and `unit_out` say."""

    name: str
    seconds: float = 0.0
    busy: float = 0.0  # seconds of all cores together
    rows_in: int = 0
    unit_in: str = "articles"
    rows_out: int = 0
    unit_out: str = "articles"
    spilled: int = 0  # bytes written to temporary files


@dataclass(slots=True)
class Profile:
    """The stages of a scan, in order; `text_bytes` is the size of all texts, UTF-8."""

    stages: list[Stage] = field(default_factory=list)
    text_bytes: int = 0

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(stage.seconds for stage in self.stages)

    @contextmanager
    def stage(self, name: str, scratch: Scratch | None = None) -> Iterator[Stage]:
        """Time a stage, and count what it writes to `scratch`; whoever runs it fills in the rest."""
        stage = Stage(name)
        self.stages.append(stage)
        begun, spilled = time.perf_counter(), scratch.spilled if scratch else 0
        busy = time.process_time()
        try:
            yield stage
        finally:
            stage.seconds = time.perf_counter() - begun
            stage.busy = time.process_time() - busy
            stage.spilled = scratch.spilled - spilled if scratch else 0
