"""Serve an ASGI application on uvicorn with httptools, without logs and WebSockets."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from launch import HOST, arguments, ready


class ReadyServer(uvicorn.Server):
    """Says READY once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            ready()


def serve(app: Any) -> None:
    """Serve `app` until the process is ended."""
    options = arguments()
    config = uvicorn.Config(
        app,
        host=HOST,
        port=options.port,
        loop=options.loop,
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        ssl_certfile=options.tls,
    )
    ReadyServer(config).run()
