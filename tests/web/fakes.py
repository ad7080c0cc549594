"""What the roof stands on, without a socket: a writer over the real ground, and a request with nothing but it.

The ground frames, so `writer.wire` is what a client would read; the rest is the least that INTERFACES asks of a writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any

from aioweb.protocol.connection import Connection
from aioweb.protocol.events import RequestHead
from aioweb.protocol.framing import Framing

BytesLike = bytes | bytearray | memoryview

DATE = b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
SERVER = b"Server: fake\r\n"


class Done:
    """The awaitable of a write; it notes that somebody waited."""

    def __init__(self) -> None:
        self.awaited = False

    def __await__(self) -> Generator[None, None, None]:
        self.awaited = True
        return
        yield


class FakeWriter:
    """A StreamWriter whose transport is `wire`. `calls` counts what was called, `turns` are the writes as they came."""

    default_fields = DATE + SERVER
    date_field = DATE
    server_field = SERVER
    peername = ("127.0.0.1", 50000)

    def __init__(self, method: str = "GET", path: str = "/", version: str = "1.1", fields: str = "") -> None:
        self._ground = Connection()
        self._ground.receive_data(f"{method} {path} HTTP/{version}\r\nHost: test\r\n{fields}\r\n".encode())
        head = self._ground.next_event()
        assert isinstance(head, RequestHead)
        self.head = head
        self.transport: object | None = object()
        self.handler_cancellation: bool | None = None
        self.producer: Any = None
        self.stopping = False
        self.writing_paused = False
        self.wire = b""
        self.calls: list[str] = []
        self.status = 0
        self.body_size = 0
        self.drains: list[Done] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @property
    def started(self) -> bool:
        return self._ground.response_started

    @property
    def finished(self) -> bool:
        return self._ground.response_complete

    def send(self, status: int, reason: str, fields: bytes, body: bytes, *, close: bool = False) -> Awaitable[None]:
        assert type(body) is bytes
        self._called("send")
        self.status, self.body_size = status, len(body)
        self.wire += self._ground.send_response(status, reason, fields, body, not close)
        return self._drain()

    def send_head(
        self,
        status: int,
        reason: str,
        fields: bytes,
        length: int | None,
        *,
        chunked: bool = False,
        close: bool = False,
    ) -> Framing:
        self._called("send_head")
        self.status = status
        octets, framing = self._ground.send_head(status, reason, fields, length, chunked=chunked, keep_alive=not close)
        self.wire += octets
        return framing

    def write(self, data: BytesLike) -> Awaitable[None]:
        self._called("write")
        self.wire += bytes(self._ground.send_data(data))
        self.body_size += len(bytes(data))
        return self._drain()

    def write_eof(self, data: BytesLike = b"", trailers: Iterable[tuple[str, str]] = ()) -> Awaitable[None]:
        self._called("write_eof")
        if data:
            self.wire += bytes(self._ground.send_data(data))
            self.body_size += len(bytes(data))
        self.wire += self._ground.send_end(trailers)
        return self._drain()

    def drain(self) -> Awaitable[None]:
        self._called("drain")
        return self._drain()

    def leave(self) -> None:
        """The client goes."""
        self.transport = None
        if self.producer is not None:
            self.producer.client_gone()

    def _called(self, name: str) -> None:
        if self.transport is None:
            raise ConnectionResetError("the client is gone")
        self.calls.append(name)

    def _drain(self) -> Done:
        self.drains.append(Done())
        return self.drains[-1]


class FakeRequest:
    """The request that a response sees, and the wire that its client reads.

    Typed as Any where it is used: a FakeWriter is no StreamWriter, it only does the same.
    """

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        version: str = "1.1",
        fields: str = "",
        hooks: Sequence[Callable[[Any, Any], Awaitable[object]]] = (),
    ) -> None:
        self.writer: Any = FakeWriter(method, path, version, fields)
        self.response_prepare_hooks = hooks

    @property
    def head(self) -> RequestHead:
        head: RequestHead = self.writer.head
        return head

    @property
    def keep_alive(self) -> bool:
        return self.head.keep_alive

    @property
    def task(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        return task

    @property
    def wire(self) -> bytes:
        """All octets that were sent."""
        wire: bytes = self.writer.wire
        return wire

    @property
    def calls(self) -> list[str]:
        """The methods of the writer that were called, in order."""
        calls: list[str] = self.writer.calls
        return calls

    @property
    def status_line(self) -> str:
        return self.wire.partition(b"\r\n")[0].decode()

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields on the wire, in order, but Date and Server of the writer."""
        lines = self.wire.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        pairs = [line.decode().partition(": ") for line in lines if line + b"\r\n" not in (DATE, SERVER)]
        return [(name, value) for name, _, value in pairs]

    @property
    def content(self) -> bytes:
        """What follows the head, chunks not undone."""
        return self.wire.partition(b"\r\n\r\n")[2]


async def sent(response: Any, request: FakeRequest | None = None) -> FakeRequest:
    """The request, after a handler returned `response` for it."""
    request = request or FakeRequest()
    await response.finish(request)
    return request


async def prepared(response: Any, **request: Any) -> FakeRequest:
    """A request, after `response` was prepared for it."""
    made = FakeRequest(**request)
    await response.prepare(made)
    return made


class Source:
    """An async iterable that notes what becomes of it. Each piece is given as it is, an exception raised."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.given = 0
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[Any]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            self.given += 1
            yield piece

    async def aclose(self) -> None:
        self.closed += 1
