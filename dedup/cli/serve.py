"""`dedup serve`: the filter over HTTP."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import click

from dedup.cli import exits
from dedup.cli.filter import index_option, window_option
from dedup.cli.options import Command, quiet_option, settings_options
from dedup.cli.talk import note, telling_compilation

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command(cls=Command, epilog=exits.HELP)
@index_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any that is free."
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Turn away who sends no `Authorization: Bearer` with the word in FILE; DEDUP_TOKEN does the same.",
)
@click.option(
    "--max-waiting", type=click.IntRange(1), default=4096, show_default=True, help="Articles that may wait."
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Requests that are answered at once.",
)
@window_option
@quiet_option
@settings_options
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    *,
    folder: str,
    host: str,
    port: int,
    token_file: str | None,
    max_waiting: int,
    max_requests: int,
    window: str | None,
    quiet: bool,
    **values: Any,
) -> None:
    """Judge articles that come over HTTP, as `dedup filter` does; /docs says how.

    On any other address than a loopback one a token has to be set.
    """
    token = Path(token_file).read_text("utf-8").strip() if token_file else os.environ.get("DEDUP_TOKEN")
    if host not in _LOOPBACK and not token:
        raise click.UsageError(
            f"--host {host} is open to others: set a token with --token-file or DEDUP_TOKEN"
        )
    try:
        from dedup.online.server import Server
        from dedup.online.service import Limits, application
    except ImportError as error:
        raise click.UsageError(f"{error.name} is not installed; pip install 'newsdedup[serve]'") from error
    from dedup.cli.filter import collect_rarely, given_settings
    from dedup.kernels.ready import loaded
    from dedup.online.filter import Filter

    settings = given_settings(ctx, values)
    with telling_compilation(quiet=quiet):
        own = Filter(folder, window=window, settings=settings)
        loaded()
        collect_rarely()
    most = own.index.settings.max_bytes
    if settings is None or "max_bytes" not in settings:  # it is more than a service should take unasked
        most = min(most, Limits().text)
    limits = Limits(text=most, waiting=max_waiting, requests=max_requests)
    app = application(own, token=token or None, limits=limits)
    signal.signal(signal.SIGTERM, lambda *_: None)  # the server sends it on when it has stopped in order
    Server(app, host, port, told=lambda said: note(said, quiet=quiet), stopping=app.state.stop).run()
