"""`dedup filter`: articles in, a verdict on each, fresh ones out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import Command, existing, field_option, quiet_option, settings_options
from dedup.cli.talk import note, telling_compilation

if TYPE_CHECKING:
    from dedup.online.stream import Stream

_VERDICTS = ("new", "duplicate", "copy", "update", "partial")
_TOLD = 20  # doubts and broken lines told on standard error

index_option = click.option(
    "--index",
    "folder",
    metavar="DIR",
    required=True,
    help="The folder of the index; made if it is not there.",
)


def _verdicts(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """Read `duplicate,copy`."""
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in _VERDICTS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_VERDICTS)}", ctx, parameter)
    return names


def _window(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from dedup.errors import SettingsError
    from dedup.online.filter import span_of

    try:
        if value is not None:
            span_of(value)
    except SettingsError as error:
        raise click.BadParameter(str(error), ctx, parameter) from error
    return value


window_option = click.option(
    "--window",
    metavar="SPAN",
    callback=_window,
    help="Look back so far by published time, e.g. 7d. [without end]",
)


def collect_rarely() -> None:
    """Look for cycles of objects now and then only: what is here by now stays, and few come to be."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@click.command(cls=Command, epilog=exits.HELP)
@click.argument("paths", metavar="[PATH]...", nargs=-1, callback=existing)
@index_option
@click.option(
    "--rejects", metavar="FILE", type=click.Path(dir_okay=False), help="Add what is dropped to FILE."
)
@click.option(
    "--dead-letter",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Add broken lines to FILE, with the reason.",
)
@click.option(
    "--drop",
    default="duplicate,copy",
    show_default=True,
    callback=_verdicts,
    help="Verdicts on what does not come out.",
)
@click.option("--annotate", is_flag=True, help="Drop nothing: every article comes out with its verdict.")
@window_option
@field_option
@quiet_option
@settings_options
@click.pass_context
def filter(
    ctx: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    folder: str,
    rejects: str | None,
    dead_letter: str | None,
    drop: tuple[str, ...],
    annotate: bool,
    window: str | None,
    names: dict[str, str],
    quiet: bool,
    **values: Any,
) -> None:
    """Judge articles, JSON Lines in files or on standard input, against all that came before.

    Fresh articles come out unchanged but for a field `dedup` with the verdict; a verdict comes out only once
    it is safe on disk. The same article again gets the same verdict again.
    """
    settings = given_settings(ctx, values)
    from dedup.io.record import names_of
    from dedup.online.filter import Filter
    from dedup.online.stream import Added, Stream, Streams

    with ExitStack() as stack:
        stack.enter_context(telling_compilation(quiet=quiet))
        judge = stack.enter_context(Filter(folder, window=window, settings=settings))
        collect_rarely()
        streams = Streams(
            sys.stdout.buffer,
            stack.enter_context(closing(Added(rejects))) if rejects else None,
            stack.enter_context(closing(Added(dead_letter))) if dead_letter else None,
        )
        stream = Stream(judge, names_of(names), () if annotate else drop, streams)
        told = _run(stream, paths or ("-",), quiet=quiet)
    counts = stream.counts
    said = ", ".join(f"{counts.verdicts[name]:,} {name}" for name in _VERDICTS if name in counts.verdicts)
    if told > _TOLD:
        note(f"and {told - _TOLD:,} more", quiet=quiet)
    beside = [f"{counts.broken:,} broken lines"] if counts.broken else []
    beside += [f"{counts.skipped:,} lines without a text"] if counts.skipped else []
    note("; ".join([said or "no articles", *beside]), quiet=quiet)
    ctx.exit(exits.code(copy_found=False, input_failed=counts.broken > 0))


def given_settings(ctx: click.Context, values: dict[str, Any]) -> dict[str, Any] | None:
    """The settings that were given, if any were; those of the index count for all others."""
    from dedup.cli.options import settings_of

    defaults = click.core.ParameterSource.DEFAULT
    given = {name: value for name, value in values.items() if ctx.get_parameter_source(name) is not defaults}
    settings_of(given)  # broken rules are wrong usage
    return given or None


def _run(stream: Stream, paths: tuple[str, ...], *, quiet: bool) -> int:
    """Judge what comes until it ends or a signal asks to stop; how many doubts there were."""
    from dedup.cli.stopping import stoppable
    from dedup.errors import InputError
    from dedup.io.encoding import as_utf8
    from dedup.io.files import STDIN
    from dedup.io.lines import grouped
    from dedup.online.stream import numbered

    told = 0
    with stoppable() as stop:
        for path in paths:
            shown = STDIN if path == "-" else path
            blocks = as_utf8(stop.blocks(sys.stdin.fileno()))[1] if path == "-" else _blocks(path, stream)
            try:
                for lines in numbered(grouped(blocks, stream.longest), shown):
                    if stop.cut:
                        note("stopped within a line, which is left out", quiet=quiet)
                        return told
                    stream.take(lines)
                    told += _tell(stream, told, quiet=quiet)
                    if stop.asked and path != "-":
                        return told
            except InputError as error:  # the file is damaged; the next may be sound
                stream.counts.broken += 1
                stream.counts.noted.append(str(error))
                told += _tell(stream, told, quiet=quiet)
            if stop.asked:
                return told
    return told


def _tell(stream: Stream, told: int, *, quiet: bool) -> int:
    """Tell of doubts, unless many were `told` before; how many there are."""
    doubts = [*stream.counts.noted]
    stream.counts.noted.clear()
    for doubt in doubts[: max(0, _TOLD - told)]:
        note(doubt, quiet=quiet)
    return len(doubts)


def _blocks(path: str, stream: Stream) -> Iterator[bytes]:
    """The bytes of a file, expanded. Raises `InputError` for one that is damaged."""
    from dedup.errors import InputError
    from dedup.io.blocks import Limits, blocks
    from dedup.io.encoding import as_utf8
    from dedup.io.file import File
    from dedup.io.formats import format_of
    from dedup.io.place import reason

    settings, file = stream.filter.index.settings, File.at(Path(path), Path(path))
    limits = Limits(settings.max_expanded, settings.max_ratio)
    try:
        _, recoded = as_utf8(blocks(file, format_of(file.name)[1], None, limits))
        yield from recoded
    except OSError as error:
        raise InputError(f"{path}: {reason(error)}; the lines before are judged") from error
