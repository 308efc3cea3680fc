"""`dedup eval`: agreement with labelled pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import (
    Command,
    color_option,
    existing,
    field_option,
    quiet_option,
    settings_of,
    settings_options,
)
from dedup.cli.talk import note, output_console, tell_problems, telling_compilation

if TYPE_CHECKING:
    from dedup.article import Article
    from dedup.evaluation import Label
    from dedup.io import Source
    from dedup.report.model import Inputs
    from dedup.settings import Settings


def _picture(ctx: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    if path is not None and not path.lower().endswith((".png", ".svg")):
        raise click.BadParameter(f"{path!r} names no picture; end it in .png or .svg", ctx, parameter)
    return path


@click.command("eval", cls=Command, epilog=exits.HELP)
@click.argument("labels", metavar="LABELS", callback=existing)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, callback=existing)
@click.option(
    "--threshold", type=float, help="Score to call a copy from; otherwise the best one is suggested."
)
@click.option(
    "--measure",
    type=click.Choice(["containment", "resemblance", "overlap"]),
    help="The measure to judge by; otherwise the one that agrees best.",
)
@click.option("--plot", metavar="FILE", callback=_picture, help="Draw the curves as a .png or .svg picture.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Wrong pairs shown; 0: all."
)
@click.option("--format", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@field_option
@color_option
@quiet_option
@settings_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    *,
    labels: str,
    paths: tuple[str, ...],
    threshold: float | None,
    measure: str | None,
    plot: str | None,
    limit: int,
    format: str,
    names: dict[str, str],
    color: str,
    quiet: bool,
    **values: Any,
) -> None:
    """Measure how well the answers agree with LABELS, pairs that you have labelled yourself.

    LABELS is a CSV, TSV or Parquet file with the columns left, right (ids of articles in PATH...) and label.
    """
    settings = settings_of(values)
    from dedup.evaluation import evaluate as run
    from dedup.evaluation import read_labels
    from dedup.report.evaluation import draw, evaluation_object, render_evaluation
    from dedup.report.model import Inputs

    wanted = read_labels(labels)
    inputs = Inputs()
    articles = _articles(list(paths), wanted, inputs, settings, names)
    tell_problems(inputs, quiet=quiet, complete="dedup scan lists them")
    with telling_compilation(quiet=quiet):
        found = run(articles, wanted, settings)
    for label in found.missing[:5]:
        note(f"{labels}: no article for {label.left!r} and {label.right!r}", quiet=quiet)
    if len(found.missing) > 5:
        note(f"{labels}: {len(found.missing):,} pairs have an article that was not found", quiet=quiet)
    chosen = measure or found.best_measure()
    least = found.threshold(chosen) if threshold is None else threshold
    if format == "json":
        from dedup.report.encode import compact

        click.echo(compact(evaluation_object(found, chosen, least)))
    else:
        render_evaluation(found, chosen, least, output_console(color), limit or None)
    if plot:
        draw(found, plot)
        note(f"wrote {plot}", quiet=quiet)
    ctx.exit(exits.code(copy_found=False, input_failed=bool(found.missing) or inputs.failed > 0))


def _articles(
    source: Source, labels: list[Label], inputs: Inputs, settings: Settings, names: dict[str, str]
) -> dict[str, Article]:
    """The labelled articles by id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from dedup.article import Article
    from dedup.cli.options import FIELDS
    from dedup.io import batches

    ids = {id for label in labels for id in (label.left, label.right)}
    found: dict[str, Article] = {}
    for batch in batches(source, inputs=inputs, settings=settings, fields=names or None):
        rows = batch.filter(pc.is_in(batch["id"], pa.array(sorted(ids), pa.string()))).to_pylist()
        found |= {row["id"]: Article(**{name: row[name] for name in FIELDS}) for row in rows}
    return found
