"""The command `dedup` itself: its subcommands, its version, and how errors end it.

Nothing here or at the top of the command files imports numba, numpy, pyarrow or rich: help and usage
errors are there at once, and a command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from dedup.cli.compare import compare
from dedup.cli.convert import convert
from dedup.cli.evaluate import evaluate
from dedup.cli.exits import BROKEN_PIPE, FAILED, INTERRUPTED
from dedup.cli.filter import filter
from dedup.cli.index import index
from dedup.cli.info import info
from dedup.cli.report import report
from dedup.cli.scan import scan
from dedup.cli.serve import serve
from dedup.errors import DedupError, SettingsError
from dedup.report.visible import visible


class _Group(click.Group):
    """A group that turns errors on purpose into one line and an exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            _detach(sys.stdout.fileno())
            ctx.exit(BROKEN_PIPE)
        except SettingsError as error:  # a rule that takes several settings, or the input, to break
            raise click.UsageError(visible(str(error)), ctx) from error
        except DedupError as error:
            _fail(ctx, str(error))
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except MemoryError:
            _fail(ctx, "out of memory; use a smaller --batch-size, or scan fewer articles at once")
        except OSError as error:
            _fail(ctx, f"{error.filename or 'standard output'}: {error.strerror or error}")


def _fail(ctx: click.Context, message: str) -> None:
    """Say why the run failed, on one line, and end it."""
    click.echo(f"Error: {visible(message)}", err=True)
    _discard_output()
    ctx.exit(FAILED)


def _discard_output() -> None:
    """Drop what standard output still holds where it cannot be written, so that Python's exit is quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        _detach(sys.stdout.fileno())


def _detach(descriptor: int) -> None:
    """Point a descriptor at nothing."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from dedup import __version__

    click.echo(f"dedup {__version__}")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
def main() -> None:
    """Find which news articles carry the same copy, where it came from, and what was changed."""


main.add_command(scan)
main.add_command(filter)
main.add_command(index)
main.add_command(serve)
main.add_command(report)
main.add_command(convert)
main.add_command(compare)
main.add_command(evaluate)
main.add_command(info)
