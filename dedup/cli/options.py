"""Options that commands share; those for settings are made from `dedup.Settings` itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from glob import glob
from pathlib import Path
from typing import Any, TypeVar

import click

from dedup.article import Article
from dedup.errors import SettingsError
from dedup.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

INPUT_FORMATS = (
    "text", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "html", "warc", "feed", "nitf", "newsml",
)  # fmt: skip
FIELDS = tuple(spec.name for spec in fields(Article))


class SettingOption(click.Option):
    """An option that stands for a field of `Settings`."""


class Command(click.Command):
    """A command whose help lists the settings apart."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write two sections."""
        options: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                (settings if isinstance(parameter, SettingOption) else options).append(record)
        for title, records in (("Options", options), ("Settings", settings)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def settings_options(function: F) -> F:
    """Add one option for each setting; the command receives them by name."""
    for spec in reversed(fields(Settings)):
        low, high = spec.metadata["low"], spec.metadata["high"]
        bounds = click.IntRange(low, high) if isinstance(spec.default, int) else click.FloatRange(low, high)
        function = click.option(
            f"--{spec.name.replace('_', '-')}",
            spec.name,
            cls=SettingOption,
            type=bounds,
            default=spec.default,
            show_default=True,
            help=spec.metadata["help"][:1].upper() + spec.metadata["help"][1:] + ".",
        )(function)
    return function


def settings_of(values: dict[str, Any]) -> Settings:
    """Make settings of the options' values; a broken rule is wrong usage."""
    try:
        return Settings(**values)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def existing(ctx: click.Context, parameter: click.Parameter, paths: Any) -> Any:
    """Refuse local paths that do not exist; `-` and addresses (s3://...) are left to the reader."""
    for path in paths if isinstance(paths, tuple) else (paths,):
        if path != "-" and "://" not in path and not Path(path).exists() and not glob(path, recursive=True):  # noqa: PTH207
            raise click.BadParameter(f"{path!r} does not exist.", ctx, parameter)
    return paths


def temporary_folder(ctx: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Refuse a local folder that is not there or cannot be written to."""
    if path is not None and "://" not in path:
        click.Path(exists=True, file_okay=False, writable=True).convert(path, parameter, ctx)
    return path


def saved_folder(ctx: click.Context, parameter: click.Parameter, path: str) -> str:
    """Refuse a local folder that is not there; addresses are left to the reader."""
    if "://" not in path:
        click.Path(exists=True, file_okay=False).convert(path, parameter, ctx)
    return path


def saved_folders(ctx: click.Context, parameter: click.Parameter, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The same for several."""
    return tuple(saved_folder(ctx, parameter, path) for path in paths)


def field_names(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read `text=body`: the article's field is called so in the input."""
    chosen: dict[str, str] = {}
    for value in values:
        ours, sign, theirs = value.partition("=")
        if not sign or not theirs or ours not in FIELDS:
            raise click.BadParameter(
                f"{value!r} is not FIELD=NAME with one of {', '.join(FIELDS)}; e.g. text=body", ctx, parameter
            )
        if ours in chosen:
            raise click.BadParameter(
                f"{ours} is given twice: {chosen[ours]!r} and {theirs!r}", ctx, parameter
            )
        chosen[ours] = theirs
    return chosen


field_option = click.option(
    "--field",
    "names",
    metavar="FIELD=NAME",
    multiple=True,
    callback=field_names,
    help="What a field is called in the input, e.g. text=body. Repeatable.",
)
input_format_option = click.option(
    "--input-format",
    type=click.Choice(INPUT_FORMATS),
    help="What files are read as, whatever they look like; archives are opened all the same.",
)
color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours in the terminal report; auto follows the terminal and NO_COLOR.",
)
quiet_option = click.option(
    "--quiet", is_flag=True, help="Nothing on standard error but the error that ends the run."
)
fail_option = click.option("--fail-on-copy", is_flag=True, help="Exit with 4 where shared copy is found.")
