"""granian (hyper and tokio in Rust) with one worker process and a raw ASGI application."""

from __future__ import annotations

import pathlib
from typing import Any

import raw_asgi
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from launch import BACKLOG, HOST, arguments, ready


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The raw application; the worker says READY when it begins its life, with the socket listening already."""
    if scope["type"] == "lifespan":
        ready()
    await raw_asgi.app(scope, receive, send)


if __name__ == "__main__":
    options = arguments()
    Granian(
        "granian_:app",
        address=HOST,
        port=options.port,
        backlog=BACKLOG,
        backpressure=4 * BACKLOG,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.st,  # these two as its author measures it
        workers=1,
        loop=Loops(options.loop),
        websockets=False,
        log_enabled=False,
        ssl_cert=pathlib.Path(options.tls) if options.tls else None,
        ssl_key=pathlib.Path(options.tls) if options.tls else None,
    ).serve()
