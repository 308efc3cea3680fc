"""`dedup compare`: two articles side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import (
    FIELDS,
    Command,
    color_option,
    existing,
    fail_option,
    field_option,
    quiet_option,
    settings_of,
    settings_options,
)
from dedup.cli.talk import note, output_console, tell_problems, telling_compilation

if TYPE_CHECKING:
    from dedup.article import Article
    from dedup.settings import Settings


@click.command(cls=Command, epilog=exits.HELP_ON_COPY)
@click.argument("left", metavar="A", callback=existing)
@click.argument("right", metavar="B", callback=existing)
@click.option("--format", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("--explain", is_flag=True, help="Show what each stage found, kept and dropped, and why.")
@field_option
@color_option
@fail_option
@quiet_option
@settings_options
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    *,
    left: str,
    right: str,
    format: str,
    explain: bool,
    names: dict[str, str],
    color: str,
    fail_on_copy: bool,
    quiet: bool,
    **values: Any,
) -> None:
    """Show what two files, each holding one article, have in common."""
    settings = settings_of(values)
    if left == right == "-":
        raise click.UsageError("standard input can be one of the two articles, not both")
    from dedup.comparison import compare as run
    from dedup.schema import COPYING

    with telling_compilation(quiet=quiet):
        read = [_article(path, settings, names, quiet=quiet) for path in (left, right)]
        (one, other), failed = zip(*read, strict=True)
        comparison = run(one, other, settings)
        for path, article in ((left, one), (right, other)):
            _note_short(path, article, settings.min_tokens, quiet=quiet)
        steps = None
        if explain:
            from dedup.explanation import explain as steps_of

            steps = steps_of(comparison, settings)
        if format == "json":
            from dedup import __version__
            from dedup.report.comparison import comparison_object
            from dedup.report.encode import compact

            click.echo(compact(comparison_object(comparison, settings, __version__, steps)))
        else:
            from dedup.report.comparison import render_comparison, render_explanation

            console = output_console(color)
            render_comparison(comparison, console)
            if steps is not None:
                render_explanation(comparison, steps, console)
    found = fail_on_copy and comparison.relation in COPYING
    ctx.exit(exits.code(copy_found=found, input_failed=any(failed)))


def _note_short(path: str, article: Article, least: int, *, quiet: bool) -> None:
    """Say that a scan would not judge an article of so few tokens."""
    from dedup.tokens import tokens_of

    count = tokens_of(article.text)[0].size
    if count < least:
        note(
            f"{path} has {count:,} tokens; a scan judges those with {least:,} or more (--min-tokens)",
            quiet=quiet,
        )


def _article(path: str, settings: Settings, names: dict[str, str], *, quiet: bool) -> tuple[Article, bool]:
    """The one article in `path`, and whether something beside it could not be read."""
    from dedup.article import Article
    from dedup.errors import InputError
    from dedup.io import read
    from dedup.report.model import Inputs

    inputs = Inputs()
    table = read([path], inputs=inputs, settings=settings, fields=names or None)
    tell_problems(inputs, quiet=quiet, complete=f"{path} holds too much that cannot be read")
    if table.num_rows != 1:
        raise InputError(
            f"{path}: holds {table.num_rows:,} articles, and compare takes one of each file; "
            f"put each article into a file of its own, or use dedup scan"
        )
    row = table.to_pylist()[0]
    return Article(**{name: row[name] for name in FIELDS}), inputs.counts.get("failed", 0) > 0
