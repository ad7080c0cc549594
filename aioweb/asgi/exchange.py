"""One scope of an ASGI server, answered by aioweb's own server over a connection in memory.

    open_connection     the connection, which knows what the scope knows of the client
    HTTPExchange        a request and its response, streamed both ways
    WebSocketExchange   a WebSocket, message by message, or the response that refuses it
    run                 runs one of the two

Parser, limits, deadlines, flow control, and what becomes of a handler whose client is gone, are those of any
connection. Context variables that are set outside are seen by the handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import quote

from aioweb import web
from aioweb.asgi.contract import Message, Receive, Scope, Send
from aioweb.asgi.frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, FrameReader, encode_close, encode_frame
from aioweb.asgi.wire import (
    Content,
    ResponseReader,
    content_of,
    encode_chunk,
    encode_handshake,
    encode_request,
    split_root,
)

_PIECE: Final = 65536
_NEVER_SENT: Final = frozenset({1004, 1006, 1015})
"""Close codes that no frame has (RFC 6455 section 7.4.1): the connection was lost."""


class ConnectionCut(ConnectionAbortedError):
    """The handler has failed when its response was under way. Of what, is in the log."""


def open_connection(server: Callable[[], asyncio.BaseProtocol], scope: Scope) -> web.MemoryClient:
    """Connect to our server as the client of the scope."""
    extra: dict[str, Any] = {"asgi.scope": scope, "root_path": quote(split_root(scope)[0])}
    for ours, theirs in (("peername", "client"), ("sockname", "server")):
        # A Unix socket has a path and no port; some servers give the port as text.
        host, port = scope.get(theirs) or ("", None)
        extra[ours] = host if port is None else (host, int(port))
    if scope.get("scheme") in ("https", "wss"):
        extra["sslcontext"] = "of the ASGI server"
    return web.MemoryClient(server, extra=extra)


class Exchange(Protocol):
    """Two sides, each in a task of its own: what the client says, and what our server answers."""

    client: web.MemoryClient

    async def feed(self) -> None:
        """Pass on what the client says, until it goes. ConnectionResetError: our server hears nothing more."""

    async def answer(self, feeding: asyncio.Future[None]) -> None:
        """Pass on what our server says, until it has closed."""


async def run(exchange: Exchange) -> None:
    """Run an exchange to its end. Raises ConnectionCut, and what the server's own `receive` and `send` raise."""

    async def feed() -> None:
        try:
            await exchange.feed()
        except ConnectionResetError:
            pass
        except Exception:
            exchange.client.close()
            raise

    feeding = asyncio.ensure_future(feed())
    try:
        await exchange.answer(feeding)
    finally:
        feeding.cancel()
        exchange.client.close()
        await asyncio.wait([feeding])
    if not feeding.cancelled():
        feeding.result()


class HTTPExchange:
    """A request and its response."""

    def __init__(self, server: Callable[[], asyncio.BaseProtocol], scope: Scope, receive: Receive, send: Send) -> None:
        self._content = content_of(scope)
        self._head = encode_request(scope, self._content)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._reader = ResponseReader(scope["method"], trailers=supports(scope, "http.response.trailers"))
        self._invited = asyncio.Event()
        self._is_left = False
        self.client = open_connection(server, scope)
        """The connection to our server."""

    async def feed(self) -> None:
        """Pass on the head, the content, and that the client is gone."""
        client, content = self.client, self._content
        await client.write(self._head)
        if any(name == b"expect" for name, _ in self._scope["headers"]):
            # A server that is asked for content invites it (RFC 9110 section 10.1.1): only when the handler wants it.
            await self._invited.wait()
        more = content is not Content.NONE
        while (message := await self._receive())["type"] != "http.disconnect":
            if more:
                piece, more = message.get("body", b""), message.get("more_body", False)
                await client.write(encode_chunk(piece, last=not more) if content is Content.CHUNKED else piece)
        self._leave()

    async def answer(self, feeding: asyncio.Future[None]) -> None:
        """Pass on the response; then wait until the handler has ended."""
        reader = self._reader
        while octets := await self.client.read(_PIECE):
            messages = reader.receive(octets)
            if reader.invited or reader.status:
                self._invited.set()
            await self._tell(messages, feeding)
        await self._tell(reader.end(), feeding)
        if not reader.complete and not self._is_left:
            raise ConnectionCut("the handler has failed in the middle of its response")

    async def _tell(self, messages: list[Message], feeding: asyncio.Future[None]) -> None:
        if self._reader.complete:
            feeding.cancel()  # what a server calls a disconnect from now on is the end that everybody expects
        try:
            for message in messages:
                await self._send(message)
        except OSError:
            self._leave()

    def _leave(self) -> None:
        self._is_left = True
        self.client.close()


class WebSocketExchange:
    """A WebSocket."""

    def __init__(self, server: Callable[[], asyncio.BaseProtocol], scope: Scope, receive: Receive, send: Send) -> None:
        self._head = encode_handshake(scope)
        self._receive = receive
        self._send = send
        self._can_deny = supports(scope, "websocket.http.response")
        self._is_open = False
        self._is_over = False  # one side has closed it, and the other need not be told
        self._replies: set[asyncio.Future[None]] = set()
        self.client = open_connection(server, scope)
        """The connection to our server."""

    async def feed(self) -> None:
        """Pass on the handshake, the messages, and the end."""
        message = await self._receive()
        if message["type"] == "websocket.connect":
            await self.client.write(self._head)
            while (message := await self._receive())["type"] != "websocket.disconnect":
                text = message.get("text")
                frame = encode_frame(BINARY, message["bytes"]) if text is None else encode_frame(TEXT, text.encode())
                await self.client.write(frame)
        code = message.get("code") or 1005
        self._is_over = True
        if self._is_open and code not in _NEVER_SENT:
            await self.client.write(encode_close(code, message.get("reason") or ""))
        else:
            self.client.close()

    async def answer(self, feeding: asyncio.Future[None]) -> None:
        """Pass on how the handshake is answered, then messages."""
        reader = ResponseReader("GET", prefix="websocket.http.response")
        while reader.status != 101:
            octets = await self.client.read(_PIECE)
            messages = reader.receive(octets) if octets else reader.end()
            if reader.status != 101 and self._can_deny:
                for message in messages:
                    await self._tell(message)
            if not octets:
                await self._refused(reader)
                return
        self._is_open = True
        await self._accept(reader)
        frames, octets = FrameReader(), reader.rest
        try:
            while True:
                for frame in frames.receive(octets):
                    if frame.opcode == CLOSE:
                        feeding.cancel()  # granian closes nothing as long as somebody receives
                    await self._pass_on(frame)
                if not (octets := await self.client.read(_PIECE)):
                    break
        finally:
            for reply in self._replies:
                reply.cancel()
        if not self._is_over:
            await self._tell({"type": "websocket.close", "code": 1011, "reason": ""})

    async def _refused(self, reader: ResponseReader) -> None:
        if not reader.complete and not self._is_over:
            raise ConnectionCut("the handler has failed before it had answered the handshake")
        if not self._can_deny:
            await self._tell({"type": "websocket.close", "code": 1000, "reason": ""})

    async def _accept(self, reader: ResponseReader) -> None:
        protocols = [value.decode() for name, value in reader.headers if name == b"sec-websocket-protocol"]
        await self._tell(
            {
                "type": "websocket.accept",
                "subprotocol": protocols[0] if protocols else None,
                "headers": [pair for pair in reader.headers if not pair[0].startswith(b"sec-websocket-")],
            }
        )

    async def _pass_on(self, frame: Frame) -> None:
        if frame.opcode == TEXT:
            await self._tell({"type": "websocket.send", "text": frame.payload.decode()})
        elif frame.opcode == BINARY:
            await self._tell({"type": "websocket.send", "bytes": frame.payload})
        elif frame.opcode == PING:
            # The server looks after the client, and we are here: that is all that a ping of ours can learn.
            self._reply(encode_frame(PONG, frame.payload))
        elif frame.opcode == CLOSE:
            code = int.from_bytes(frame.payload[:2], "big") if frame.payload else 1000
            await self._tell({"type": "websocket.close", "code": code, "reason": frame.payload[2:].decode()})
            self._is_over = True
            self._reply(encode_frame(CLOSE, frame.payload[:2]))

    async def _tell(self, message: Message) -> None:
        if self._is_over:
            return
        try:
            await self._send(message)
        except OSError:
            self._is_over = True
            self.client.close()

    def _reply(self, octets: bytes) -> None:
        # Beside the reading: our server may take nothing as long as nobody reads what it has to say.
        reply = asyncio.ensure_future(self._write(octets))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)

    async def _write(self, octets: bytes) -> None:
        try:
            await self.client.write(octets)
        except ConnectionResetError:
            pass


def supports(scope: Scope, extension: str) -> bool:
    """The other side of this scope knows an extension of the specification."""
    return extension in (scope.get("extensions") or {})
