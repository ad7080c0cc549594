"""Serve the raw ASGI application on uvicorn, with one of its implementations of WebSockets, without logs."""

from __future__ import annotations

import socket

import uvicorn

from benchmarks.macro.servers.launch import HOST, arguments, ready
from benchmarks.websocket.servers.raw_asgi import app


class ReadyServer(uvicorn.Server):
    """Says READY once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            ready()


def serve(implementation: str) -> None:
    """Serve until the process is ended."""
    options = arguments()
    config = uvicorn.Config(
        app,
        host=HOST,
        port=options.port,
        loop=options.loop,
        http="httptools",
        ws=implementation,
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_level="error",
    )
    ReadyServer(config).run()
