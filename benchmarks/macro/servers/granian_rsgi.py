"""granian (hyper and tokio in Rust) with one worker process and an application of its own interface, RSGI.

RSGI leaves to Rust what ASGI does in messages: the whole body, the file. It has no form parser either.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

from content import CHUNK, CHUNKS, FILE, TEXT
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from launch import BACKLOG, HOST, arguments, ready

PLAIN = [("content-type", "text/plain; charset=utf-8")]
JSON = [("content-type", "application/json")]
OCTETS = [("content-type", "application/octet-stream")]


class App:
    """The application; the worker says READY when it begins its life, with the socket listening already."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        ready()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        path = scope.path
        if path == "/":
            protocol.response_str(200, PLAIN, TEXT)
        elif path == "/json":
            protocol.response_str(200, JSON, json.dumps(json.loads(await protocol())))
        elif path == "/upload":
            size = 0
            async for data in protocol:
                size += len(data)
            protocol.response_str(200, PLAIN, str(size))
        elif path == "/file":
            protocol.response_file(200, OCTETS, str(FILE))
        elif path == "/stream":
            transport = protocol.response_stream(200, PLAIN)
            for _ in range(CHUNKS):
                await transport.send_bytes(CHUNK)


app = App()


if __name__ == "__main__":
    options = arguments()
    Granian(
        "granian_rsgi:app",
        address=HOST,
        port=options.port,
        backlog=BACKLOG,
        backpressure=4 * BACKLOG,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.mt,  # these two as its author measures it
        workers=1,
        loop=Loops(options.loop),
        websockets=False,
        log_enabled=False,
        ssl_cert=pathlib.Path(options.tls) if options.tls else None,
        ssl_key=pathlib.Path(options.tls) if options.tls else None,
    ).serve()
