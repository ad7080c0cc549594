"""A session of a WebSocket over a fake transport: its handler is a part that the test gives, its client the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.events import RequestHead, Wait
from aioweb.protocol.websocket import (
    Close,
    Message,
    PerMessageDeflate,
    WebSocketConnection,
    read_handshake,
    response_fields,
)
from aioweb.server.outbox import Outbox
from aioweb.server.pings import Heartbeat
from aioweb.server.stream import StreamReader
from aioweb.server.websocket import WebSocketSession
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import Wire
from tests.wsclient import handshake

Play = Callable[[WebSocketSession], Awaitable[None]]


async def read_all(session: WebSocketSession) -> list[Any]:
    """Receive until the end, and return everything."""
    events: list[Any] = []
    while not events or isinstance(events[-1], Message):
        events.append(await session.receive(None))
    return events


async def forever(session: WebSocketSession) -> None:
    """A handler that does not look at its WebSocket."""
    await asyncio.get_running_loop().create_future()


class Reader:
    """A handler that receives until the end, and keeps everything."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def __call__(self, session: WebSocketSession) -> None:
        self.events += await read_all(session)


class WebSocketWire(Wire):
    """One open WebSocket; `session` is its server's end, `next` reads what the client got.

    Args:
        play: what the handler does with the session; it closes with 1000 behind it, as the roof does.
        deflate: the parameters of compression, if there is to be any.
        options: of the session, and those of Wire that it names.
    """

    session: WebSocketSession

    def __init__(
        self,
        play: Play,
        *,
        deflate: PerMessageDeflate | None = None,
        max_msg_size: int = 4 * 1024**2,
        heartbeat: Heartbeat | None = None,
        timeout: float = 10.0,
        autoclose: bool = True,
        autoping: bool = True,
        window: int | None = None,
        fail_at: int = 0,
        outbox: Any = Outbox,
        **server_options: Any,
    ) -> None:
        self.ends = 0
        self.client = WebSocketConnection(client=True, deflate=deflate, max_msg_size=0)
        self._read = 0

        async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
            session = self.session = WebSocketSession(
                writer,
                WebSocketConnection(deflate=deflate, max_msg_size=max_msg_size),
                timeout=timeout,
                autoclose=autoclose,
                autoping=autoping,
                heartbeat=heartbeat,
                on_end=self._count,
                outbox=outbox,
            )
            fields = encode_fields(response_fields(read_handshake(head), None, deflate))
            session.open(writer.switch(fields, session))
            await play(session)
            await session.close(1000, "")

        super().__init__(handler, window=window, fail_at=fail_at, **server_options)

    def _count(self) -> None:
        self.ends += 1

    async def open(self, more: bytes = b"") -> None:
        """Shake hands."""
        await self.ask(handshake() + more)
        assert self.sent.startswith(b"HTTP/1.1 101 "), self.sent
        self._read = self.sent.index(b"\r\n\r\n") + 4

    def next(self) -> Any:
        """What the client reads next; None if nothing has come."""
        self.client.receive_data(self.sent[self._read :])
        self._read = len(self.sent)
        event = self.client.next_event()
        return None if isinstance(event, Wait) else event

    def got(self) -> list[Any]:
        """The data of the messages that the client has read; codes for close frames."""
        events = []
        while (event := self.next()) is not None:
            events.append(event.code if isinstance(event, Close) else event.data)
        return events

    async def pass_time(self, seconds: float) -> None:
        """Let the server's clock go on, in ticks, and look at the connection when its time has come."""
        clock, end = self.server.clock, self.server.clock.now + seconds
        while clock.now < end:
            clock.now = min(end, clock.now + clock.tick)
            if self.connection.deadline <= clock.now:
                self.connection.deadline_passed(clock.now)
        await self.settle()
