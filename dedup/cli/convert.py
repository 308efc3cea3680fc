"""`dedup convert`: only the input layer, so that one can look at what will be compared."""

from __future__ import annotations

import sys
from typing import Any

import click

from dedup.cli import exits
from dedup.cli.options import (
    Command,
    existing,
    field_option,
    input_format_option,
    quiet_option,
    settings_of,
    settings_options,
)
from dedup.cli.talk import Stages, note, tell_problems


@click.command(cls=Command, epilog=exits.HELP)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, callback=existing)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="A .parquet or .jsonl file; - is JSON Lines on standard output.",
)
@field_option
@input_format_option
@quiet_option
@settings_options
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    output: str,
    names: dict[str, str],
    input_format: str | None,
    quiet: bool,
    **values: Any,
) -> None:
    """Read files, folders, archives or addresses, and write their articles as one table."""
    settings = settings_of(values)
    from dedup import conversion
    from dedup.io import batches, size_of
    from dedup.report.model import Inputs

    total, done = size_of(list(paths)), 0
    with Stages(quiet=quiet) as progress:

        def step(size: int) -> None:
            nonlocal done
            done += size
            progress("read", done, total)

        if output == "-":
            inputs = Inputs()
            stream = batches(
                list(paths), inputs=inputs, settings=settings, fields=names or None, progress=step,
                input_format=input_format,
            )  # fmt: skip
            conversion.lines(stream, sys.stdout.buffer)
        else:
            inputs = conversion.convert(
                list(paths), output, settings, fields=names or None, input_format=input_format, progress=step
            )
    tell_problems(inputs, quiet=quiet, complete="give fewer files at a time to see them all")
    note(f"wrote {output}: {inputs.read:,} article{'s' if inputs.read != 1 else ''}", quiet=quiet)
    ctx.exit(exits.code(copy_found=False, input_failed=inputs.failed > 0))
