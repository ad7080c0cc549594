"""A WebSocket of the test client: wsproto's protocol on a connection in memory, or on a socket."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

import httpx
from multidict import CIMultiDict, CIMultiDictProxy
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import RemoteProtocolError

from aioweb import web
from aioweb.testing.clock import in_real_time
from aioweb.testing.server import BaseTestServer

_T = TypeVar("_T")

_ABNORMAL: Final = 1006  # RFC 6455 section 7.4.1: the connection ended without a close frame
# What wsproto writes itself.
_HANDSHAKE_FIELDS: Final = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}


class _Octets(Protocol):
    async def read(self, size: int, /) -> bytes: ...

    async def write(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


class _Socket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, size: int) -> bytes:
        return await self._reader.read(size)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class WebSocketRefused(ConnectionError):
    """The server has answered the handshake with something else than a WebSocket.

    Args:
        status, headers, content: its answer.
    """

    def __init__(self, status: int, headers: CIMultiDictProxy[str], content: bytes) -> None:
        super().__init__(f"the server opens no WebSocket here: {status} {content[:200]!r}")
        self.status = status
        self.headers = headers
        self.content = content


class TestWebSocket:
    """The client's end of a WebSocket. `TestClient.ws_connect` makes it.

    One task may receive while others send. Sending waits while the server does not read, and raises
    ConnectionResetError when it is over.
    """

    __test__ = False

    def __init__(self, octets: _Octets, *, autoping: bool = True, timeout: float | None = 10.0) -> None:
        self._octets = octets
        self._autoping = autoping
        self._timeout = timeout
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Any] = deque()
        self._parts: list[Any] = []
        self._receiving = asyncio.Lock()
        self.headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
        """The fields of the server's answer to the handshake."""
        self.protocol: str | None = None
        """The subprotocol that was agreed on."""
        self.compress = False
        """Messages are compressed."""
        self.close_code: int | None = None
        """The code of the server's close frame; 1006 if the connection ended without one, None before the end."""
        self.close_reason = ""
        """What was said with it."""

    def __repr__(self) -> str:
        return f"<TestWebSocket {f'closed {self.close_code}' if self.closed else 'open'}>"

    @property
    def closed(self) -> bool:
        """It is over."""
        return self.close_code is not None

    # -- the handshake ---------------------------------------------------------------------------------------------

    async def open(self, request: Request) -> None:
        """Shake hands. Raises WebSocketRefused, or ConnectionError if the server just closes."""
        try:
            await self._in_time(self._open(request))
        except BaseException:
            self._octets.close()
            raise

    async def _open(self, request: Request) -> None:
        await self._octets.write(self._protocol.send(request))
        try:
            answer = await self._next_event()
            if isinstance(answer, RejectConnection):
                raise WebSocketRefused(answer.status_code, _headers(answer.headers), await self._refusal(answer))
        except RemoteProtocolError as error:
            raise ConnectionError(f"the server has broken off the handshake: {error}") from error
        assert isinstance(answer, AcceptConnection), answer
        self.headers = _headers(answer.extra_headers)
        self.protocol = answer.subprotocol
        self.compress = bool(answer.extensions)

    async def _refusal(self, answer: RejectConnection) -> bytes:
        content = b""
        finished = not answer.has_body
        while not finished:
            event = await self._next_event()
            assert isinstance(event, RejectData), event
            content += event.data
            finished = event.body_finished
        return content

    # -- receiving -------------------------------------------------------------------------------------------------

    async def receive(self, timeout: float | None = None) -> web.WSMessage:
        """The next message. CLOSE with its code when the server closes, CLOSED when it is over.

        Raises asyncio.TimeoutError after `timeout` seconds; None is the timeout of `ws_connect`.
        """
        return await self._in_time(self._receive(), timeout)

    async def receive_str(self, *, timeout: float | None = None) -> str:
        """The next message, which must be text. TypeError if it is anything else."""
        return await self._receive_as(web.WSMsgType.TEXT, timeout)  # type: ignore[no-any-return]

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """The next message, which must be binary. TypeError if it is anything else."""
        return await self._receive_as(web.WSMsgType.BINARY, timeout)  # type: ignore[no-any-return]

    async def receive_json(self, *, loads: Callable[[str], Any] = json.loads, timeout: float | None = None) -> Any:
        """The next message, which must be text, read as JSON."""
        return loads(await self.receive_str(timeout=timeout))

    async def _receive_as(self, kind: web.WSMsgType, timeout: float | None) -> Any:
        message = await self.receive(timeout)
        if message.type is not kind:
            raise TypeError(f"received {message}, not {kind.name}")
        return message.data

    async def _receive(self) -> web.WSMessage:
        async with self._receiving:
            while not self.closed:
                message = await self._take(await self._next_event())
                if message is not None:
                    return message
            return web.WSMessage(web.WSMsgType.CLOSED, None)

    async def _take(self, event: Any) -> web.WSMessage | None:
        """The message that an event completes; None if there is none."""
        if isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data)
            if not event.message_finished:
                return None
            parts, self._parts = self._parts, []
            if isinstance(event, TextMessage):
                return web.WSMessage(web.WSMsgType.TEXT, "".join(parts))
            return web.WSMessage(web.WSMsgType.BINARY, b"".join(parts))
        if isinstance(event, CloseConnection):
            return await self._take_close(event)
        if not self._autoping:
            kind = web.WSMsgType.PING if isinstance(event, Ping) else web.WSMsgType.PONG
            return web.WSMessage(kind, bytes(event.payload))
        if isinstance(event, Ping):
            await self._octets.write(self._protocol.send(event.response()))
        return None

    async def _take_close(self, event: CloseConnection) -> web.WSMessage | None:
        if event.code == _ABNORMAL:  # never on the wire: wsproto says so at the end of the connection
            self._end(_ABNORMAL)
            return None
        if self._protocol.state is ConnectionState.REMOTE_CLOSING:
            try:
                await self._octets.write(self._protocol.send(event.response()))
            except ConnectionError:
                pass  # it has not waited for an answer
        self._end(int(event.code), event.reason or "")
        return web.WSMessage(web.WSMsgType.CLOSE, self.close_code, self.close_reason)

    async def _next_event(self) -> Any:
        while not self._events:
            try:
                data = await self._octets.read(65536)
            except ConnectionError:
                data = b""
            self._protocol.receive_data(data or None)
            self._events.extend(self._protocol.events())
        return self._events.popleft()

    def __aiter__(self) -> TestWebSocket:
        return self

    async def __anext__(self) -> web.WSMessage:
        message = await self.receive()
        if message.type in (web.WSMsgType.CLOSE, web.WSMsgType.CLOSED):
            raise StopAsyncIteration
        return message

    # -- sending ---------------------------------------------------------------------------------------------------

    async def send_str(self, data: str) -> None:
        """Send text."""
        await self._send(TextMessage(data))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self._send(BytesMessage(data))

    async def send_json(self, data: Any, *, dumps: Callable[[Any], str] = json.dumps) -> None:
        """Send data as JSON text."""
        await self._send(TextMessage(dumps(data)))

    async def ping(self, message: bytes = b"") -> None:
        """Send a ping."""
        await self._send(Ping(message))

    async def pong(self, message: bytes = b"") -> None:
        """Send a pong."""
        await self._send(Pong(message))

    async def _send(self, event: TextMessage | BytesMessage | Ping | Pong) -> None:
        if self._protocol.state is not ConnectionState.OPEN:
            raise ConnectionResetError("the WebSocket is closed")
        await self._in_time(self._octets.write(self._protocol.send(event)))

    # -- the end ---------------------------------------------------------------------------------------------------

    async def close(self, *, code: int = 1000, message: str | bytes = "", timeout: float | None = None) -> bool:
        """Close it, and wait for the server's answer; messages that come before it are dropped.

        `timeout` is in seconds; None is that of `ws_connect`. When it is over, the connection is cut. Returns False if
        it was closed already.
        """
        if self.closed:
            return False
        try:
            await self._in_time(self._close(code, message), timeout)
        except (asyncio.TimeoutError, ConnectionError):
            self._end(_ABNORMAL)
        return True

    async def _close(self, code: int, message: str | bytes) -> None:
        reason = message.decode() if isinstance(message, bytes) else message
        if self._protocol.state is ConnectionState.OPEN:
            await self._octets.write(self._protocol.send(CloseConnection(code, reason or None)))
        while not self.closed:
            await self._receive()

    def drop(self) -> None:
        """Vanish without a word, as a client does that loses its network."""
        if not self.closed:
            self._end(_ABNORMAL)

    def _end(self, code: int, reason: str = "") -> None:
        self.close_code, self.close_reason = code, reason
        self._octets.close()

    async def _in_time(self, coro: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
        return await in_real_time(coro, self._timeout if timeout is None else timeout)

    async def __aenter__(self) -> TestWebSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _headers(pairs: Any) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs))


async def open_websocket(
    server: BaseTestServer,
    request: httpx.Request,
    *,
    protocols: list[str],
    compress: bool,
    autoping: bool,
    timeout: float | None,
    verify: Any,
) -> TestWebSocket:
    """Open a WebSocket to a test server; `request` has its target and fields. For the rest see `ws_connect`."""
    octets: _Octets
    if server.in_memory:
        octets = server.connect()
    else:
        context = None
        if server.scheme == "https":
            context = verify if isinstance(verify, ssl.SSLContext) else ssl.create_default_context()
        octets = _Socket(*await asyncio.open_connection(server.host, server.port, ssl=context))
    websocket = TestWebSocket(octets, autoping=autoping, timeout=timeout)
    await websocket.open(
        Request(
            host=request.headers["Host"],
            target=request.url.raw_path.decode("ascii"),
            subprotocols=protocols,
            extra_headers=[pair for pair in request.headers.raw if pair[0].decode().lower() not in _HANDSHAKE_FIELDS],
            extensions=[PerMessageDeflate()] if compress else [],
        )
    )
    return websocket
