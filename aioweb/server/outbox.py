"""What goes out over an open WebSocket: in the order in which it was sent, whole or not at all.

Sending acts at once: a message is compressed, framed and handed over in one step without an await, so senders have
nothing to lock, and none that is cancelled can harm the others. Small ones of one turn of the loop leave together
(writer.py). Only a large message is compressed in a thread; what is sent after it waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol

from aioweb.protocol.websocket import PreparedMessage, State, WebSocketConnection
from aioweb.server.channel import Channel
from aioweb.server.flow import DRAINED, ClientDisconnectedError
from aioweb.server.writer import StreamWriter
from aioweb.server.wsevents import WebSocketClosed

_OFF_LOOP: Final = 262144
"""Bytes from which on a message is compressed in a thread: below it the hop costs more than it saves."""
_CLOSED: Final = State.CLOSED


class Owner(Protocol):
    """Whose outbox it is."""

    def too_late(self) -> WebSocketClosed:
        """The error of who sends on a WebSocket that is closed or closing."""

    def too_slow(self) -> None:
        """Too much waits for the peer: end it."""


class Outbox:
    """Where messages are sent. Made by the session of a WebSocket, and lives as long.

    Args:
        writer: of the request that was switched.
        ground: the protocol.
        owner: the session.
        writer_limit: bytes that wait for the peer before who awaits a send has to wait.
    """

    __slots__ = (
        "_channel",
        "_clock",
        "_encoding",
        "_flow",
        "_ground",
        "_loop",
        "_owner",
        "_turn",
        "_writer",
        "_writer_limit",
        "said_at",
    )

    closes = False
    """Who is too far behind is closed, whatever a sender wishes: not here, but in slowpeers.py."""
    dropped = 0
    """Messages that were sent and have given way to later ones: none here; see slowpeers.py."""

    def __init__(self, writer: StreamWriter, ground: WebSocketConnection, owner: Owner, writer_limit: int) -> None:
        assert writer.channel is not None, "a request that is being answered has its connection"
        self._writer = writer
        self._channel: Channel = writer.channel
        self._flow = self._channel.flow
        self._clock = self._channel.clock
        self._loop = writer.loop
        self._ground = ground
        self._owner = owner
        self._encoding: asyncio.Task[None] | None = None  # of the last message, if it has to wait for a thread
        self._turn = -1
        self._writer_limit = writer_limit
        if self._channel.transport is not None:
            self._channel.transport.set_write_buffer_limits(high=writer_limit)
        self.said_at = self._clock.now
        """When something was sent last; time of the server's clock."""

    @property
    def buffered(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        transport = self._channel.transport
        return self._writer.gathered_size + (0 if transport is None else transport.get_write_buffer_size())

    def send(self, encode: Callable[..., bytes], data: Any, compress: bool | None = None) -> Awaitable[None]:
        """Send a message: `encode`, a method of the ground, makes its frame. Await it to wait for a slow peer.

        Raises WebSocketClosed if the WebSocket is closed or closing, and what `encode` raises.
        """
        if self._encoding is None and (len(data) < _OFF_LOOP or compress is False or self._ground.deflate is None):
            try:
                return self.put(encode(data, compress))
            except RuntimeError:
                if self._ground.sendable:
                    raise
        if not self._ground.sendable:
            raise self._owner.too_late()
        task = self._encoding = self._loop.create_task(self._send_later(self._encoding, encode, data, compress))
        task.add_done_callback(self._sent_later)
        return _Sent(self, task)

    def send_prepared(self, message: PreparedMessage) -> None:
        """Send a message that is framed already, without waiting. Raises WebSocketClosed if it is closing."""
        if not self._ground.sendable:
            raise self._owner.too_late()
        if self._encoding is None:
            self.put(self._ground.send_prepared(message))
        else:
            self.send(lambda data, compress: self._ground.send_prepared(message), message.payload)

    def offer(self, message: PreparedMessage, limit: int) -> bool:
        """Send a message that goes to many, without waiting; False for a peer that is over `limit` bytes behind.

        Who is closed, closing or gone is passed by. The first of a turn of the loop leaves at once: to come back to a
        thousand connections at its end costs more than is saved for those that have more to send.
        """
        flow, ground = self._flow, self._ground
        if flow.lost or ground.close_sent is not None or ground.state is _CLOSED:  # not sendable: spares a call
            return True
        # A transport that has not paused us holds no more than its limit: most need not be asked.
        if (flow.writing_paused or limit < self._writer_limit) and self.buffered > limit:
            return False
        turn = self._clock.turn()
        try:
            if turn == self._turn or self._encoding is not None or self._writer.gathered_size:
                self.send_prepared(message)
            else:
                self._turn, self.said_at = turn, self._clock.now
                flow.write(ground.send_prepared(message))
        except ClientDisconnectedError:
            pass  # connection_lost is about to tell
        return True

    def put(self, octets: bytes) -> Awaitable[None]:
        """Send a frame. Raises WebSocketClosed if nobody is there any more."""
        self.said_at = self._clock.now
        try:
            sent = self._writer.put(octets)
        except ClientDisconnectedError:  # the transport knows, and connection_lost is about to tell
            raise self._owner.too_late() from None
        return sent if sent is DRAINED else _Sent(self, None)

    async def _send_later(
        self, before: asyncio.Task[None] | None, encode: Callable[..., bytes], data: Any, compress: bool | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        octets = b""
        try:
            if self._ground.sendable:
                octets = await self._loop.run_in_executor(None, encode, data, compress)
        except RuntimeError:
            if self._ground.sendable:
                raise
        if not self._ground.sendable:  # a close frame may have left meanwhile, and nothing follows that
            raise self._owner.too_late()
        self.put(octets)

    def _sent_later(self, task: asyncio.Task[None]) -> None:
        if self._encoding is task:
            self._encoding = None
        if not task.cancelled():
            task.exception()  # who has dropped the awaitable does not want to know

    async def flush(self, timeout: float) -> None:
        """Wait until every message that was sent so far has been handed over; `timeout` is for peers that are slow."""
        if self._encoding is not None:
            await asyncio.wait([self._encoding])

    async def wait_taken(self) -> None:
        """Wait until the peer has taken enough. Raises WebSocketClosed if it goes."""
        try:
            await self._flow.drain()
        except ClientDisconnectedError:
            raise self._owner.too_late() from None


class _Sent:
    """Waits, if and when it is awaited, for a message that is compressed in a thread, and for a slow peer."""

    __slots__ = ("_encoding", "_outbox")

    def __init__(self, outbox: Outbox, encoding: asyncio.Task[None] | None) -> None:
        self._outbox = outbox
        self._encoding = encoding

    def __await__(self) -> Generator[Any, Any, None]:
        if self._encoding is not None:
            yield from asyncio.shield(self._encoding).__await__()
        yield from self._outbox.wait_taken().__await__()
