"""granian with an application of its own interface, RSGI, which has no broadcast either."""

from __future__ import annotations

import asyncio
from typing import Any

from granian.constants import Interfaces

from benchmarks.macro.servers.launch import ready
from benchmarks.websocket.servers.granian_ import serve

GROUP: set[Any] = set()
CLOSED = 0
OCTETS = 1


class App:
    """The application; the worker says READY when it begins its life, with the socket listening already."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        ready()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        transport = await protocol.accept()
        together = scope.path == "/broadcast"
        if together:
            GROUP.add(transport)
        try:
            while (message := await transport.receive()).kind != CLOSED:
                for each in GROUP if together else [transport]:
                    if message.kind == OCTETS:
                        await each.send_bytes(message.data)
                    else:
                        await each.send_str(message.data)
        finally:
            GROUP.discard(transport)
        protocol.close(None)


app = App()

if __name__ == "__main__":
    serve("benchmarks.websocket.servers.granian_rsgi:app", Interfaces.RSGI)
