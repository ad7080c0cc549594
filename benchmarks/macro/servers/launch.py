"""What all the servers here share: their arguments, their loop, and the line that says that they listen."""

from __future__ import annotations

import argparse
import asyncio
import ssl
from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"
BACKLOG = 2048
"""What uvicorn and granian have by default, for all: thousands of clients come at once."""

Start = Callable[[int, "ssl.SSLContext | None"], Awaitable[object]]


def arguments() -> argparse.Namespace:
    """The command line: `port`, `loop` ("asyncio" or "uvloop"), `tls` (a file of certificate and key, or None)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--tls")
    return parser.parse_args()


def ready() -> None:
    """Tell the driver that the server listens."""
    print("READY", flush=True)


def serve_forever(start: Start) -> None:
    """Run a server until the process is ended. `start(port, tls)` returns once it listens; its result is kept alive."""
    options = arguments()
    loop = _new_loop(options.loop)
    asyncio.set_event_loop(loop)
    tls = None
    if options.tls is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.tls)
    server = loop.run_until_complete(_started(start, options.port, tls))
    ready()
    loop.run_forever()
    del server


async def _started(start: Start, port: int, tls: ssl.SSLContext | None) -> object:
    return await start(port, tls)


def _new_loop(name: str) -> asyncio.AbstractEventLoop:
    if name == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()
