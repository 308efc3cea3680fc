"""`dedup report`: saved tables in, a report out, without scanning."""

from __future__ import annotations

import click

from dedup.cli import exits
from dedup.cli.options import Command, color_option, quiet_option, saved_folder
from dedup.cli.scan import chosen_output, limit_option, output_options, write_report
from dedup.cli.talk import note


@click.command(cls=Command, epilog=exits.HELP)
@click.argument("folder", metavar="TABLES_DIR", callback=saved_folder)
@output_options
@limit_option
@color_option
@quiet_option
def report(
    *,
    folder: str,
    output: str,
    format: str | None,
    table: str | None,
    limit: int | None,
    color: str,
    quiet: bool,
) -> None:
    """Render a report again from the tables that `dedup scan … -o TABLES_DIR/` saved.

    The report goes to standard output, or to FILE.
    """
    chosen = chosen_output(output, format, table)
    from dedup.report.saved import load

    found = load(folder)
    write_report(found, output, format=chosen, table=table or "articles", limit=limit, color=color)
    if output != "-":
        note(f"wrote {output}", quiet=quiet)
