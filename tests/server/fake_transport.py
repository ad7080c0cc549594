"""A transport without a socket, and a connection of a real server upon it.

The fake keeps asyncio's bargain: `close` lets what is buffered leave first, `abort` drops it, and the protocol hears of
its loss one turn of the loop later. `window` is what the client still takes; beyond it octets are buffered and the
protocol is paused, as by a client that does not read. `fail_at` lets the n-th call of the connection fail.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.connection import HTTPConnection
from aioweb.server.server import Server
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BAD = b"BAD\r\n\r\n"
PEER = ("192.0.2.1", 4242)

Handler = Callable[[RequestHead, StreamReader, StreamWriter], Awaitable[None]]


class FakeSocket:
    """Takes options."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options.append((level, name, value))


class FakeTransport(asyncio.Transport):
    """See the module."""

    def __init__(self, protocol: asyncio.Protocol, *, window: int | None = None, fail_at: int = 0) -> None:
        self.socket = FakeSocket()
        super().__init__({"peername": PEER, "socket": self.socket})
        self.protocol = protocol
        self.window = window
        self.fail_at = fail_at
        self.calls: list[str] = []
        self.writes: list[bytes] = []
        self.wire = b""
        self.buffer = b""
        self.high = 65536
        self.paused = False
        self.reading = True
        self.closing = False
        self.aborted = False
        self.eof_written = False
        self.lost = False

    # -- what the connection calls -----------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        self._called("write")
        assert not self.eof_written, "write() after write_eof()"
        if self.closing:
            return
        self.writes.append(bytes(data))
        self.buffer += data
        self._deliver()
        if len(self.buffer) > self.high and not self.paused:
            self.paused = True
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self._called("write_eof")
        self.eof_written = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.calls.append("close")
        if not self.closing:
            self.closing = True
            if not self.buffer:
                self._lose()

    def abort(self) -> None:
        self.calls.append("abort")
        self.aborted = self.closing = True
        self.buffer = b""
        self._lose()

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self._called("pause_reading")
        self.reading = False

    def resume_reading(self) -> None:
        self._called("resume_reading")
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self.high = high

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    # -- what the client does ----------------------------------------------------------------------------------------

    def take(self, size: int) -> None:
        """The client reads `size` bytes more."""
        assert self.window is not None
        self.window += size
        self._deliver()
        if self.paused and len(self.buffer) <= self.high // 4:
            self.paused = False
            self.protocol.resume_writing()
        if self.closing and not self.buffer:
            self._lose()

    def lose(self, exc: Exception | None = None) -> None:
        """The connection breaks."""
        self.closing = True
        self.buffer = b""
        self._lose(exc)

    def _deliver(self) -> None:
        size = len(self.buffer) if self.window is None else min(self.window, len(self.buffer))
        self.wire += self.buffer[:size]
        self.buffer = self.buffer[size:]
        if self.window is not None:
            self.window -= size

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) == self.fail_at:
            raise OSError(f"{name} has failed")

    def _lose(self, exc: Exception | None = None) -> None:
        if not self.lost:
            self.lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, exc)


class Wire:
    """A client of a real server, over a fake transport."""

    def __init__(
        self,
        handler: Handler | None = None,
        *,
        server: Server | None = None,
        limits: Limits | None = None,
        window: int | None = None,
        fail_at: int = 0,
        **options: Any,
    ) -> None:
        if server is None:
            server = Server(handler or hello, limits=limits or Limits(), **options)
        self.server = server
        self.connection: HTTPConnection = server()
        self.transport = FakeTransport(self.connection, window=window, fail_at=fail_at)
        self.connection.connection_made(self.transport)

    @property
    def sent(self) -> bytes:
        """What the client has read."""
        return self.transport.wire

    @property
    def statuses(self) -> list[int]:
        """The statuses of the responses that the client has read (of content that looks like no head)."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", self.sent)]

    def send(self, *pieces: bytes) -> None:
        """Send octets, in these pieces; an open transport has to read them."""
        for piece in pieces:
            if not self.transport.closing:
                assert self.transport.reading, "the transport is paused"
                self.connection.data_received(piece)

    async def ask(self, *pieces: bytes) -> bytes:
        """Send octets, let the server work, and return what it answered to them."""
        before = len(self.sent)
        self.send(*pieces)
        await self.settle()
        return self.sent[before:]

    def end(self) -> None:
        """The client sends nothing more."""
        if not self.connection.eof_received():
            self.transport.close()

    def pass_deadline(self) -> None:
        """The clock looks at the connection when its deadline is over."""
        self.connection.deadline_passed(max(self.connection.deadline, self.server.clock.now) + 3600)

    async def settle(self, turns: int = 12) -> None:
        """Let the loop turn until everything that can happen has happened."""
        for _ in range(turns):
            await asyncio.sleep(0)

    async def end_server(self) -> None:
        """Stop the server; nothing may be left of it."""
        await self.server.shutdown(0.05)
        assert self.server.connections == []
        assert not self.connection.busy


async def hello(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    """Answer with five bytes."""
    await writer.send(200, "OK", b"", b"hello")


class Gate:
    """A handler that notes its calls, and answers when it is let."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: BaseException | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def open(self) -> None:
        """Let it answer, now and later."""
        if not self.opened.done():
            self.opened.set_result(None)

    async def __call__(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        self.calls.append(head.path)
        try:
            await asyncio.shield(self.opened)
            await writer.send(200, "OK", b"", b"hello")
        except BaseException as error:
            self.error = error
            raise
