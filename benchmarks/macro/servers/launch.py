"""What all the servers here share: their two arguments, their loop, and the line that says that they listen."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"


def arguments() -> argparse.Namespace:
    """The command line: `port` (int) and `loop` ("asyncio" or "uvloop")."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    return parser.parse_args()


def ready() -> None:
    """Tell the driver that the server listens."""
    print("READY", flush=True)


def serve_forever(start: Callable[[int], Awaitable[object]]) -> None:
    """Run a server until the process is ended. `start(port)` returns once it listens; its result is kept alive."""
    options = arguments()
    loop = _new_loop(options.loop)
    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(_started(start, options.port))
    ready()
    loop.run_forever()
    del server


async def _started(start: Callable[[int], Awaitable[object]], port: int) -> object:
    return await start(port)


def _new_loop(name: str) -> asyncio.AbstractEventLoop:
    if name == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()
