"""`dedup index`: look into an index, check it, expire days, delete and export articles."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.talk import note

if TYPE_CHECKING:
    from dedup.online.index import Index


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def index() -> None:
    """Look into the index of a filter, check it, expire days, delete and export articles."""


_folder = click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))


@index.command(epilog=exits.HELP)
@_folder
def stats(folder: str) -> None:
    """Say what an index holds, as JSON."""
    from dedup.online.upkeep import stats as told

    with _opened(folder) as own:
        click.echo(json.dumps(told(own), indent=2, ensure_ascii=False))


@index.command(epilog=exits.HELP)
@_folder
def verify(folder: str) -> None:
    """Check that everything an index promises is there; what is not is said, and the exit code is 1."""
    from dedup.errors import IndexStoreError
    from dedup.online.upkeep import verify as wrong

    with _opened(folder) as own:
        count = 0
        for problem in wrong(own):
            count += 1
            note(problem)
    if count:
        raise IndexStoreError(f"{folder}: {count:,} things are not as they should be")
    click.echo(f"{folder}: sound")


@index.command(epilog=exits.HELP)
@_folder
@click.option(
    "--before", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The first day to keep."
)
def expire(folder: str, before: Any) -> None:
    """Drop the partitions that end before a day."""
    from datetime import date, timedelta

    from dedup.online.index import Index

    own = Index(folder)
    try:
        gone = own.expire((before.date() - date(1970, 1, 1)).days)
    finally:
        own.close()
    for first in gone:
        day = date(1970, 1, 1) + timedelta(days=first)
        click.echo(f"dropped {day} to {day + timedelta(days=own.days - 1)}")
    if not gone:
        click.echo("nothing to drop")


@index.command(epilog=exits.HELP)
@_folder
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def delete(folder: str, ids: tuple[str, ...]) -> None:
    """Forget all versions of articles."""
    from dedup.online.filter import Filter

    missing = 0
    with Filter(folder) as own:
        for id in ids:
            there = own.delete(id)
            missing += not there
            note(f"{id}: {'deleted' if there else 'there is no such article'}")
    if missing:
        sys.exit(exits.INPUT_FAILED)


@index.command(epilog=exits.HELP)
@_folder
def export(folder: str) -> None:
    """Write all articles with their verdicts to standard output, as JSON Lines."""
    from dedup.online.upkeep import exported

    with _opened(folder) as own:
        for record in exported(own):
            sys.stdout.buffer.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


class _opened:  # noqa: N801 - used as a function is
    """An index to read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __enter__(self) -> Index:
        from dedup.online.index import Index

        self._index = Index(self._folder, read_only=True)
        return self._index

    def __exit__(self, *_: object) -> None:
        self._index.close()
