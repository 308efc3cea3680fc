"""The server that the service runs on: uvicorn, which says where it listens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

_GRACE = 30  # seconds for requests to end once it is asked to stop


class Server(uvicorn.Server):
    """Serves an application until SIGTERM or SIGINT, then finishes what it has taken.

    `told` is called with where it listens, `stopping` as soon as it is asked to stop.
    """

    def __init__(
        self, app: Any, host: str, port: int, told: Callable[[str], None], stopping: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app, host, port, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE
            )
        )
        self._told, self._stopping = told, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for server in self.servers:
            for own in server.sockets:
                host, port = own.getsockname()[:2]
                self._told(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was taken, and end."""
        self._stopping()
        await super().shutdown(sockets)
