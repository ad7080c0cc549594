"""An ASGI server for tests, message by message: what it gives is written down, what it gets is collected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]

HTTP: Message = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"example.org")],
    "client": ("192.0.2.1", 4321),
    "server": ("192.0.2.2", 80),
}
WEBSOCKET: Message = {**HTTP, "type": "websocket", "scheme": "ws", "subprotocols": []}


class Call:
    """One call of an ASGI application.

    Args:
        app: the application.
        scope: what it is called with.
        messages: what `receive` gives; then it waits for `give`.
    """

    def __init__(self, app: Any, scope: Message, *messages: Message) -> None:
        self._app = app
        self._scope = scope
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        for message in messages:
            self._incoming.put_nowait(message)
        self.sent: list[Message] = []
        """What the application has sent."""
        self.asked = 0
        """How often it has asked for a message."""
        self._more = asyncio.Event()
        self.before_send: Callable[[Message], Awaitable[None]] | None = None
        """Called with each message that is sent, and awaited."""

    async def __aenter__(self) -> Call:
        self.task = asyncio.ensure_future(self._app(self._scope, self._receive, self._send))
        return self

    async def __aexit__(self, *error: object) -> None:
        if error[0] is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        else:
            await asyncio.wait_for(self.task, 10)

    def give(self, message: Message) -> None:
        """Let `receive` give another message."""
        self._incoming.put_nowait(message)

    async def until(self, kind: str) -> Message:
        """Wait for a message of a type, and return the last of them."""
        await self._wait(lambda: kind in [message["type"] for message in self.sent])
        return [message for message in self.sent if message["type"] == kind][-1]

    async def until_sent(self, count: int) -> None:
        """Wait until so many messages were sent."""
        await self._wait(lambda: len(self.sent) >= count)

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not condition():
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(wait(), 10)

    async def _receive(self) -> Message:
        self.asked += 1
        return await self._incoming.get()

    async def _send(self, message: Message) -> None:
        if self.before_send is not None:
            await self.before_send(message)
        self.sent.append(message)
        self._more.set()


async def call(app: Any, scope: Message, *messages: Message) -> list[Message]:
    """Call an application, and return what it sends."""
    async with Call(app, scope, *messages) as made:
        pass
    return made.sent


def content_of(messages: list[Message]) -> bytes:
    """The content of a response."""
    return b"".join(message["body"] for message in messages if message["type"].endswith(".body"))


REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}
CONNECT: Message = {"type": "websocket.connect"}


class Lifespan:
    """Runs the lifespan of an application around a block: `async with Lifespan(app):`."""

    def __init__(self, app: Any) -> None:
        self.call = Call(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}})

    async def __aenter__(self) -> Call:
        await self.call.__aenter__()
        self.call.give({"type": "lifespan.startup"})
        await self.call.until("lifespan.startup.complete")
        return self.call

    async def __aexit__(self, *error: object) -> None:
        self.call.give({"type": "lifespan.shutdown"})
        await self.call.__aexit__(*error)
