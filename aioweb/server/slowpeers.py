"""Outboxes for peers that read more slowly than we write, where nobody wants to wait for them.

`Outbox` keeps everything, and who awaits waits. Of these two one lets old messages go and the other the peer, when more
than a measure waits to be taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aioweb.protocol.websocket import PreparedMessage, WebSocketConnection
from aioweb.server.flow import DRAINED, NEXT_TURN, ClientDisconnectedError
from aioweb.server.outbox import Outbox, Owner
from aioweb.server.writer import StreamWriter


class DroppingOutbox(Outbox):
    """For news of which the latest count: while the peer is behind messages wait here, and the oldest give way.

    They are encoded when they leave: what was dropped is in no compressor's window. Senders never wait. The latest
    message is kept, however large it is.

    Args:
        writer, ground, owner, writer_limit: those of every outbox.
        most: bytes that may wait for the peer, here and in the transport.
    """

    __slots__ = ("_held", "_messages", "_most", "_sender", "dropped")

    def __init__(
        self, writer: StreamWriter, ground: WebSocketConnection, owner: Owner, writer_limit: int, *, most: int
    ) -> None:
        super().__init__(writer, ground, owner, min(writer_limit, most))
        self._most = most
        self._messages: deque[tuple[Callable[[], object], int]] = deque()
        self._held = 0
        self._sender: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def buffered(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        return super().buffered + self._held

    def send(self, encode: Callable[..., bytes], data: Any, compress: bool | None = None) -> Awaitable[None]:
        """Send a message, or keep it until the peer has caught up."""
        octets = data.encode() if isinstance(data, str) else data
        return self._take(partial(super().send, encode, octets, compress), len(octets))

    def send_prepared(self, message: PreparedMessage) -> None:
        """Send a message that is framed already, or keep it."""
        self._take(partial(super().send_prepared, message), len(message.payload))

    def offer(self, message: PreparedMessage, limit: int) -> bool:
        """Send or keep a message that goes to many; False for a peer that is over `limit` bytes behind."""
        if not self._behind or not self._ground.sendable:
            return super().offer(message, limit)
        if self.buffered > limit:
            return False
        self.send_prepared(message)
        return True

    async def flush(self, timeout: float) -> None:
        """Wait until all that was sent has been handed over; a peer that is behind gets `timeout` seconds."""
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=timeout)
        await super().flush(timeout)

    @property
    def _behind(self) -> bool:
        return bool(self._messages) or self._encoding is not None or self._channel.flow.writing_paused

    def _take(self, send: Callable[[], object], size: int) -> Awaitable[None]:
        if not self._ground.sendable:
            raise self._owner.too_late()
        if not self._behind:
            send()
            return DRAINED
        self._messages.append((send, size))
        self._held += size
        while self.buffered > self._most and len(self._messages) > 1:
            self._held -= self._messages.popleft()[1]
            self.dropped += 1
        if self._sender is None:
            self._sender = self._loop.create_task(self._send_held())
        return NEXT_TURN

    async def _send_held(self) -> None:
        try:
            while self._messages:
                await super().flush(0)
                await self._channel.flow.wait_drained()
                send, size = self._messages.popleft()
                self._held -= size
                send()
        except ClientDisconnectedError:
            self._messages.clear()  # who sends next is told
            self._held = 0
        finally:
            self._sender = None


class ClosingOutbox(Outbox):
    """For those who must not miss anything: a peer that is too far behind is closed with 1013, and may come again.

    Args:
        writer, ground, owner, writer_limit: those of every outbox.
        most: bytes that may wait for the peer.
    """

    __slots__ = ("_most",)

    closes = True

    def __init__(
        self, writer: StreamWriter, ground: WebSocketConnection, owner: Owner, writer_limit: int, *, most: int
    ) -> None:
        super().__init__(writer, ground, owner, min(writer_limit, most))
        self._most = most

    def send(self, encode: Callable[..., bytes], data: Any, compress: bool | None = None) -> Awaitable[None]:
        """Send a message. Raises WebSocketClosed if the peer is too far behind, and begins to close."""
        if self.buffered > self._most:
            self._owner.too_slow()
            raise self._owner.too_late()
        return super().send(encode, data, compress)

    def offer(self, message: PreparedMessage, limit: int) -> bool:
        """Send a message that goes to many; False for a peer that is too far behind."""
        return super().offer(message, min(limit, self._most))
