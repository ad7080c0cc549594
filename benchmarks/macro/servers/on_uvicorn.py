"""Serve an ASGI application on uvicorn, without logs, WebSockets and what it does for proxies."""

from __future__ import annotations

import socket
from typing import Any, Literal

import uvicorn
from launch import HOST, arguments, ready


class ReadyServer(uvicorn.Server):
    """Says READY once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            ready()


def serve(app: Any, parser: Literal["httptools", "zttp"] = "httptools") -> None:
    """Serve `app` until the process is ended."""
    options = arguments()
    config = uvicorn.Config(
        app,
        host=HOST,
        port=options.port,
        loop=options.loop,
        http=parser,
        proxy_headers=False,
        ws="none",
        access_log=False,
        log_level="warning",
        ssl_certfile=options.tls,
    )
    ReadyServer(config).run()
