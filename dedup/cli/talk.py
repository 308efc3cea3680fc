"""Talk on standard error: notes, problems with inputs, progress. Data goes to standard output only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from dedup.report.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from dedup.report.model import Inputs

SHOWN = 20  # problems told on standard error
PATIENCE = 1.0  # seconds before progress is shown


def note(message: str, *, quiet: bool = False) -> None:
    """Say one line."""
    if not quiet:
        click.echo(visible(message), err=True)


def tell_problems(inputs: Inputs, *, quiet: bool, complete: str) -> None:
    """Say one line for each of the first problems; `complete` says where there are more of them."""
    for problem in inputs.problems[:SHOWN]:
        note(str(problem), quiet=quiet)
    total = inputs.counts.total()
    if total > SHOWN:
        first = f" (the first {total - inputs.unlisted:,})" if inputs.unlisted else ""
        note(f"and {total - SHOWN:,} more; {complete}{first}", quiet=quiet)


@contextmanager
def telling_compilation(*, quiet: bool) -> Iterator[None]:
    """Say that the kernels are being compiled, if they have to be within the block."""
    import logging

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(record.getMessage(), quiet=quiet)

    log, notes = logging.getLogger("dedup"), Notes()
    log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)


class Stages:
    """Progress as the scan reports it; shown when it takes longer than `PATIENCE` on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._begun = time.monotonic()
        self._lock = Lock()
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note that `done` of `total` (None: unknown) units of `stage` are done."""
        if not self._shown:
            return
        with self._lock:
            if self._bar is None:
                if time.monotonic() - self._begun < PATIENCE:
                    return
                self._bar = _bar()
                self._bar.start()
            if stage not in self._tasks:
                self._tasks[stage] = self._bar.add_task(visible(stage), total=total)
            self._bar.update(self._tasks[stage], completed=done, total=total)

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the screen; nothing is shown after that."""
        self._shown = False
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)


def output_console(color: str) -> Console:
    """Return the console for standard output; without colours it prints no escape codes at all."""
    import os

    from rich.console import Console

    class _Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a narrow encoding must not end the run
    if color == "always":
        return _Output(file=sys.stdout, force_terminal=True, color_system="standard", no_color=False)
    if color == "never" or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return _Output(file=sys.stdout, color_system=None, no_color=True)
    return _Output(file=sys.stdout)
