"""`dedup scan`: a corpus in, a report out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dedup.cli import exits
from dedup.cli.options import (
    Command,
    color_option,
    existing,
    fail_option,
    field_option,
    input_format_option,
    quiet_option,
    saved_folders,
    settings_of,
    settings_options,
    temporary_folder,
)
from dedup.cli.stopping import leave_in_order
from dedup.cli.talk import Stages, note, output_console, tell_problems, telling_compilation
from dedup.report.visible import visible

if TYPE_CHECKING:
    from dedup.report.model import Report

_FORMATS = ("terminal", "html", "json", "jsonl", "csv", "parquet")
_TABLES = ("articles", "passages", "pairs", "families")


def output_options(command: Any) -> Any:
    """Where a report goes, and how."""
    options = (
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            default="-",
            help="Write to FILE, or to a folder of tables when it ends in /.",
        ),
        click.option(
            "--format", type=click.Choice(_FORMATS), help="Format; otherwise FILE's ending says, or terminal."
        ),
        click.option(
            "--table",
            type=click.Choice(_TABLES),
            help="The one table a CSV or Parquet file carries [articles].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


limit_option = click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Families and examples in a terminal report, families in HTML; 0 shows all. [20; FILE: all]",
)


@click.command(cls=Command, epilog=exits.HELP_ON_COPY)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, callback=existing)
@output_options
@field_option
@input_format_option
@click.option(
    "--explain-input", is_flag=True, help="Only say what each file is taken for, and where its fields stand."
)
@limit_option
@click.option(
    "--temp-dir",
    metavar="DIR",
    callback=temporary_folder,
    help="Where to put what does not fit into memory; it is gone when the scan ends, however it ends. With "
    "--engine spark a folder or an address that all executors reach.",
)
@click.option(
    "--checkpoint",
    metavar="DIR",
    help="Keep finished stages in DIR, and go on from there if they are of the same input and settings.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Scan in this process, or on Spark when a corpus outgrows one machine.",
)
@click.option(
    "--master",
    metavar="URL",
    help="The Spark cluster, e.g. spark://host:7077 or yarn; otherwise what spark-submit says.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Also keep the articles and their sketches, in the folder of tables, for a later scan --against it.",
)
@click.option(
    "--against",
    metavar="TABLES_DIR",
    multiple=True,
    callback=saved_folders,
    help="Scan together with the articles that an earlier report kept, without their sources, and without "
    "reading texts that are not shown. Repeatable.",
)
@click.option("--profile", is_flag=True, help="Show where the time went, stage by stage.")
@color_option
@fail_option
@quiet_option
@settings_options
@click.pass_context
def scan(
    ctx: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    output: str,
    format: str | None,
    table: str | None,
    names: dict[str, str],
    input_format: str | None,
    explain_input: bool,
    limit: int | None,
    temp_dir: str | None,
    checkpoint: str | None,
    engine: str,
    master: str | None,
    keep: bool,
    against: tuple[str, ...],
    profile: bool,
    color: str,
    fail_on_copy: bool,
    quiet: bool,
    **values: Any,
) -> None:
    """Find shared copy in files, folders or standard input (-) and report it.

    The report goes to standard output, or to FILE; everything else is said on standard error.
    """
    settings = settings_of(values)
    if explain_input:
        from dedup.io.explain import explain

        for path in paths:
            for line in explain(path, settings, fields=names or None, input_format=input_format):
                click.echo(visible(line))
        return
    leave_in_order()
    if engine == "spark" and (profile or checkpoint is not None):
        raise click.UsageError("--engine spark has neither --profile nor --checkpoint; leave them out")
    if keep and not _is_folder(output):
        raise click.UsageError("--keep goes with a folder of tables: -o DIR/")
    if against and checkpoint is not None:
        raise click.UsageError("--checkpoint is of one source; leave out --checkpoint or --against")
    if engine == "local" and master is not None:
        raise click.UsageError("--master goes with --engine spark")
    if engine == "spark":
        _leave_no_session(ctx)
    if engine == "spark" and _is_folder(output):
        if format not in (None, "parquet") or table is not None:
            raise click.UsageError("--engine spark writes a folder of all tables as Parquet, no other")
        _to_folder(
            ctx, list(paths), output, settings, quiet=quiet, fail_on_copy=fail_on_copy, master=master,
            fields=names or None, temp_dir=temp_dir, input_format=input_format, against=against, keep=keep,
        )  # fmt: skip
    chosen = chosen_output(output, format, table)
    from dedup.pipeline import scan as run
    from dedup.profile import Profile

    taken = Profile() if engine == "local" else None
    with telling_compilation(quiet=quiet), Stages(quiet=quiet) as progress:
        report = run(
            list(paths), settings, fields=names or None, temp_dir=temp_dir, checkpoint=checkpoint,
            progress=progress, profile=taken, input_format=input_format, against=against, engine=engine,
            master=master,
        )  # fmt: skip
        progress.close()
        tell_problems(report.inputs, quiet=quiet, complete=_where(chosen, output))
        with (taken or Profile()).stage("write") as stage:
            write_report(
                report, output, format=chosen, table=table or "articles", limit=limit, color=color, keep=keep
            )
            stage.rows_in = stage.rows_out = report.articles.num_rows
    if taken is not None and profile:
        from dedup.report.profile import render_profile

        render_profile(taken, color)
    if output != "-":
        _told(output, report.articles.num_rows, report.families.num_rows, quiet=quiet)
    ctx.exit(exits.code(copy_found=fail_on_copy and _copies(report), input_failed=report.inputs.failed > 0))


def _leave_no_session(ctx: click.Context) -> None:
    """Stop the session in the end, unless somebody else's is active by now."""
    from dedup.spark.session import active, stop

    if active() is None:
        ctx.call_on_close(stop)


def _is_folder(output: str) -> bool:
    """Is it a folder of tables, here or at an address?"""
    from dedup.io.remote import is_remote
    from dedup.report.write import is_folder

    return output != "-" and (is_remote(output) or is_folder(output))


def _to_folder(
    ctx: click.Context,
    paths: list[str],
    output: str,
    settings: Any,
    *,
    quiet: bool,
    fail_on_copy: bool,
    **options: Any,
) -> NoReturn:
    """Scan on Spark and leave the tables where they are written; ends the command."""
    from dedup.spark.scan import scan_to

    with Stages(quiet=quiet) as progress:
        written = scan_to(paths, output, settings, progress=progress, **options)
        progress.close()
    tell_problems(written.inputs, quiet=quiet, complete="the report lists them")
    _told(output, written.articles, written.families, quiet=quiet)
    ctx.exit(
        exits.code(copy_found=fail_on_copy and written.copies > 0, input_failed=written.inputs.failed > 0)
    )


def _told(output: str, articles: int, families: int, *, quiet: bool) -> None:
    """Say what was written."""
    from dedup.report.quotes import count

    note(f"wrote {output}: {count(articles, 'article')}, {count(families, 'family')}", quiet=quiet)


def chosen_output(output: str, format: str | None, table: str | None) -> str:
    """Return the format; refuse what cannot be written before anything is read."""
    chosen = format or "terminal"
    if output != "-":
        from dedup.errors import OutputError
        from dedup.report.write import check, chosen_format

        try:
            chosen = chosen_format(output, format)
        except OutputError as error:
            raise click.UsageError(str(error)) from error
        check(output, format=format)
    elif chosen == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal; write it with -o FILE.parquet, or pipe it on")
    if table is not None and chosen not in {"csv", "parquet"}:
        raise click.UsageError(f"--table goes with csv and parquet; a {chosen} report carries every table")
    return chosen


def _where(format: str, output: str) -> str:
    """Say where problems are listed."""
    if format in {"json", "jsonl"} or (format == "parquet") or (output != "-" and format == "terminal"):
        return "the report lists them"
    return "a .json report lists them"


def write_report(
    report: Report,
    output: str,
    *,
    format: str,
    table: str,
    limit: int | None,
    color: str,
    keep: bool = False,
) -> None:
    """Write the report where it was asked for."""
    from dedup.report.write import dump, write

    if output != "-":
        write(report, output, format=format, table=table, limit=limit or None, keep=keep)
    elif format == "terminal":
        from dedup.report.terminal import render

        render(report, output_console(color), 20 if limit is None else limit or None)
    else:
        dump(report, sys.stdout.buffer, format, table=table, limit=limit or None)


def _copies(report: Report) -> bool:
    """Tell whether any pair is related by copying."""
    from dedup.schema import COPYING

    return not COPYING.isdisjoint(report.pairs.column("relation").unique().to_pylist())
