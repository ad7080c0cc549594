"""WebSocketResponse: the server's end of a WebSocket, as a handler uses it.

A request that asks for it is answered with this response; from then on the handler receives and sends messages, and
returns the response when it is done:

    async def chat(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for msg in ws:
            if msg.type is web.WSMsgType.TEXT:
                await ws.send_str(msg.data)
        return ws

The protocol is the ground's, its life on the socket the middle's (server/websocket.py). Here are names, types and
what is wrong with a call.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NoReturn

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.websocket import (
    MAX_MSG_SIZE,
    Close,
    CloseCode,
    Message,
    Opcode,
    PerMessageDeflate,
    Ping,
    Pong,
    WebSocketError,
    prepare_message,
    response_fields,
)
from aioweb.server.flow import DRAINED
from aioweb.server.observe import NO_OBSERVERS, Observers
from aioweb.server.pings import SentPing
from aioweb.server.websocket import WebSocketSession
from aioweb.server.writer import StreamWriter
from aioweb.server.wsevents import CLOSING, Received
from aioweb.web.compat import WebSocketAliases
from aioweb.web.exceptions import HTTPException
from aioweb.web.responsehead import SentHeaders
from aioweb.web.streamresponse import StreamResponse
from aioweb.web.wshandshake import Compression, WebSocketReady
from aioweb.web.wsmessage import CLOSED_MESSAGE, CLOSING_MESSAGE, END, WSMessage, WSMsgType, as_octets, read_json
from aioweb.web.wsoptions import WebSocketOptions

_CLOSED_RECEIVES: Final = 4
"""So often a receiver is told that it is over; then it is an endless loop."""
_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY
# Reading a member off its enum costs as much as a call on Python 3.11; so does making a named tuple by its own name.
_OPCODE_TEXT: Final = Opcode.TEXT
_new_message: Final = tuple.__new__


class WebSocketResponse(WebSocketAliases, StreamResponse):
    """The answer that opens a WebSocket, and the WebSocket. It answers one request.

    Whatever sends acts at once and returns an awaitable: await it to wait for a slow peer, or drop it. Many tasks may
    send, one may receive. What is sent after the end raises `WebSocketClosed`, a ConnectionResetError, which a handler
    need not catch.

    Args:
        timeout: seconds that the peer gets to answer a close frame; then the connection is cut, with code 1006.
        receive_timeout: seconds that `receive` waits by default; None for ever.
        autoclose: answer the peer's close frame at once; without it the handler does, by `close()`.
        autoping: answer pings at once, and show neither pings nor pongs; without it both are messages.
        heartbeat: after so many seconds of silence, of either side, a ping goes out. None for no heartbeat.
        ping_timeout: seconds that the peer gets to answer it, by whatever octet; then it is cut, with code 1006. None
            for as long as `heartbeat`.
        protocols: the subprotocols that the server speaks; the first of the client's list that is among them counts.
            Or a callable that gets the client's list and returns one of it, or None, or raises an HTTPException to
            refuse.
        compress: permessage-deflate (RFC 7692) if the client offers it: False for no, 9 to 15 for the bits of the
            window of this side, or a `PerMessageDeflate` for all parameters.
        max_msg_size: bytes that a message may have, after decompression; then it is closed with 1009. 0 for no limit.
        writer_limit: bytes that wait for the peer before who awaits a send has to wait.
        max_buffered: bytes that may wait for the peer where `slow` says what happens beyond.
        slow: what becomes of a peer that reads too slowly: "wait" keeps everything, and who awaits a send waits;
            "drop_oldest" lets the oldest messages go that wait for it, for news of which the latest count, and nobody
            waits; "close" closes it with 1013, and the send that was too much raises WebSocketClosed.
        decode_text: give text as str; False gives its bytes, checked to be UTF-8.
        allowed_origins: sites whose pages may open it, such as `https://example.org`, or `self` for the host that was
            asked, `*` for every site; None leaves it to the application. Browsers send their cookies along whatever
            page asks (RFC 6455 section 10.2).

    Raises ValueError and TypeError for what is none of that.
    """

    _session: WebSocketSession | None = None
    _opened: Any = None  # the request
    _observers: Observers = NO_OBSERVERS

    def __init__(
        self,
        *,
        timeout: float = 10.0,
        receive_timeout: float | None = None,
        autoclose: bool = True,
        autoping: bool = True,
        heartbeat: float | None = 30.0,
        ping_timeout: float | None = None,
        protocols: Iterable[str] | Callable[[Sequence[str]], str | None] = (),
        compress: Compression = True,
        max_msg_size: int = MAX_MSG_SIZE,
        writer_limit: int = 65536,
        max_buffered: int | None = None,
        slow: str = "wait",
        decode_text: bool = True,
        allowed_origins: Iterable[str] | None = None,
    ) -> None:
        super().__init__(status=101)
        self._options = WebSocketOptions(
            timeout=timeout,
            receive_timeout=receive_timeout,
            autoclose=autoclose,
            autoping=autoping,
            heartbeat=heartbeat,
            ping_timeout=ping_timeout,
            protocols=protocols,
            compress=compress,
            max_msg_size=max_msg_size,
            writer_limit=writer_limit,
            max_buffered=max_buffered,
            slow=slow,
            decode_text=decode_text,
            allowed_origins=allowed_origins,
        )
        self._receive_timeout = receive_timeout
        self._protocol: str | None = None
        self._closed_receives = 0

    # -- the handshake -------------------------------------------------------------------------------------------------

    def can_prepare(self, request: Any) -> WebSocketReady:
        """Whether `prepare` would open it for this request, with which subprotocol, or why not; it sends nothing.

        Raises RuntimeError after `prepare`.
        """
        if self._session is not None:
            raise RuntimeError("Already started")
        try:
            protocol = self._options.negotiate(request)[1]
        except HTTPException as refusal:
            ready = WebSocketReady(False, None)
            ready.reason = refusal.text or ""
            return ready
        return WebSocketReady(True, protocol)

    async def prepare(self, request: Any) -> StreamWriter:
        """Open it: answer the handshake with 101 and the headers of this response.

        Doing it again for the same request is harmless. Raises HTTPBadRequest, HTTPMethodNotAllowed,
        HTTPUpgradeRequired or HTTPForbidden for a request that opens no WebSocket here, HTTPServiceUnavailable while
        the server stops, RuntimeError for another request.
        """
        writer: StreamWriter = request.writer
        if self._request is not None and self._request.writer is writer:
            return writer
        self._check_free()
        asked, protocol, deflate = self._options.negotiate(request)
        self._request = self._opened = request
        try:
            for hook in request.response_prepare_hooks:
                await hook(request, self)
            fields = encode_fields(response_fields(asked, protocol, deflate)) + self._encode_head(writer, False)
            session = self._options.open(writer, deflate, self._ended)
            rest = writer.switch(fields, session)
        except BaseException:
            self._request = self._opened = None
            raise
        self._session, self._protocol, self._writer = session, protocol, writer
        channel = writer.channel
        assert channel is not None, "switch() needs the connection"
        self._framing = channel.ground.framing
        if self._headers is not None:
            self._headers.__class__ = SentHeaders
        for app in request.match_info.apps:
            app.websockets.add(self)
        self._observers = writer.observers
        for notify in self._observers.websocket_opened:
            notify(request, self)
        session.open(rest)
        return writer

    def _ended(self) -> None:
        request = self._opened
        for app in request.match_info.apps:
            app.websockets.discard(self)
        for notify in self._observers.websocket_closed:
            notify(request, self)

    def _live(self, what: str) -> WebSocketSession:
        if self._session is None:
            raise RuntimeError(f"Call .prepare() first: {what} needs an open WebSocket")
        return self._session

    # -- questions -----------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """It is over, or this side has begun to close it."""
        session = self._session
        return session is not None and (session.closed or session.ground.close_sent is not None)

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame, 1005 if it had none, 1006 if there was none; None while it is open.

        While the peer's is awaited, and if the peer broke the protocol, the code that it was told.
        """
        session = self._session
        if session is None or session.close_code is not None:
            return None if session is None else session.close_code
        close = session.ground.close_sent or session.ground.close_received
        return None if close is None else close.code

    @property
    def close_reason(self) -> str:
        """What was said with `close_code`."""
        return "" if self._session is None else self._session.close_reason

    @property
    def closed_by(self) -> str | None:
        """Who ended it: "peer", "server", "timeout", or "lost" if the connection was; None while it is open."""
        session = self._session
        if session is None or session.closed_by is not None:
            return None if session is None else session.closed_by
        return None if session.ground.close_sent is None else "server"

    @property
    def ws_protocol(self) -> str | None:
        """The subprotocol that was agreed on; None without one."""
        return self._protocol

    @property
    def protocol(self) -> str | None:
        """`ws_protocol`, as aiohttp 0.17 calls it."""
        return self._protocol

    @property
    def compress(self) -> PerMessageDeflate | None:
        """What was agreed on about compression; None if nothing is compressed."""
        return None if self._session is None else self._session.ground.deflate

    @property
    def buffered(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet: how far the peer is behind."""
        return 0 if self._session is None else self._session.outbox.buffered

    @property
    def dropped(self) -> int:
        """Messages that were sent and have given way to later ones, by `slow="drop_oldest"`."""
        return 0 if self._session is None else self._session.outbox.dropped

    @property
    def latency(self) -> float | None:
        """Seconds from the last ping of the heartbeat to its pong; None before the first."""
        return None if self._session is None else self._session.latency

    def exception(self) -> BaseException | None:
        """What the peer did wrong; None if it did nothing wrong."""
        return None if self._session is None else self._session.error

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows, such as `peername`; the default when it is gone."""
        return default if self._writer is None else self._writer.get_extra_info(name, default)

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def receive(self, timeout: float | None = None) -> WSMessage:
        """The next message. After the last one: CLOSE, CLOSING, CLOSED or ERROR, then CLOSED some times.

        A receiver that is cancelled has lost nothing. Raises asyncio.TimeoutError after `timeout` seconds without a
        message, RuntimeError before `prepare`, if another task receives, and for the fifth time after the end.
        """
        session = self._session or self._live("receive()")
        event = session.receive_nowait()
        if event is None:
            event = await session.receive(self._receive_timeout if timeout is None else timeout)
        if type(event) is Message:
            message = _new_message(WSMessage, (_TEXT if event.opcode is _OPCODE_TEXT else _BINARY, event.data, None))
            for notify in self._observers.websocket_message:
                notify(self._opened, self, message, False)
            return message
        return self._tell(event)

    def _tell(self, event: Received) -> WSMessage:
        if isinstance(event, Ping | Pong):
            return WSMessage(WSMsgType.PING if isinstance(event, Ping) else WSMsgType.PONG, event.data)
        if isinstance(event, Close):
            return WSMessage(WSMsgType.CLOSE, event.code, event.reason)
        if isinstance(event, WebSocketError):
            return WSMessage(WSMsgType.ERROR, event)
        if event is CLOSING:
            return CLOSING_MESSAGE
        self._closed_receives += 1
        if self._closed_receives > _CLOSED_RECEIVES:
            raise RuntimeError("the WebSocket is closed; stop receiving at a message of type CLOSE, CLOSING or CLOSED")
        return CLOSED_MESSAGE

    async def receive_str(self, *, timeout: float | None = None) -> str:
        """The next message, which must be text; bytes with `decode_text=False`. TypeError if it is anything else."""
        message = await self.receive(timeout)
        if message.type is not _TEXT:
            raise TypeError(f"Received message {message.type.name}:{message.data!r:.80} is not TEXT")
        return message.data  # type: ignore[no-any-return]

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """The next message, which must be binary. TypeError if it is anything else."""
        message = await self.receive(timeout)
        if message.type is not _BINARY:
            raise TypeError(f"Received message {message.type.name}:{message.data!r:.80} is not BINARY")
        return message.data  # type: ignore[no-any-return]

    async def receive_json(self, *, loads: Callable[[Any], Any] = json.loads, timeout: float | None = None) -> Any:
        """The next message, which must be text, read as JSON by `loads`. Raises what both do."""
        return read_json(await self.receive_str(timeout=timeout), loads)

    def __aiter__(self) -> WebSocketResponse:
        return self

    async def __anext__(self) -> WSMessage:
        message = await self.receive()
        kind = message.type
        # Most are one of these. To look one up in a set costs a call: members of an enum are hashed in Python.
        if kind is _TEXT or kind is _BINARY or kind not in END:
            return message
        raise StopAsyncIteration

    # -- sending -------------------------------------------------------------------------------------------------------

    def send_str(self, data: str, compress: bool | None = None) -> Awaitable[None]:
        """Send text. `compress` False leaves this one message alone.

        Raises TypeError for anything but str, RuntimeError before `prepare`, WebSocketClosed after the end.
        """
        session = self._session or self._live("send_str()")
        if not isinstance(data, str):
            raise TypeError(f"data argument must be str ({type(data)!r})")
        sent = session.outbox.send(session.ground.send_text, data, compress)
        return self._tell_sent(sent, _TEXT, data) if self._observers.websocket_message else sent

    def send_bytes(self, data: bytes | bytearray | memoryview, compress: bool | None = None) -> Awaitable[None]:
        """Send a binary message; like `send_str`. TypeError for anything but bytes, bytearray and memoryview."""
        session = self._session or self._live("send_bytes()")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be byte-ish ({type(data)!r})")
        sent = session.outbox.send(session.ground.send_binary, bytes(data), compress)
        return self._tell_sent(sent, _BINARY, data) if self._observers.websocket_message else sent

    def send_json(
        self, data: Any, compress: bool | None = None, *, dumps: Callable[[Any], str] = json.dumps
    ) -> Awaitable[None]:
        """Send data as JSON text, made by `dumps`. Raises what `dumps` and `send_str` raise."""
        return self.send_str(dumps(data), compress)

    def send_json_bytes(
        self, data: Any, compress: bool | None = None, *, dumps: Callable[[Any], bytes]
    ) -> Awaitable[None]:
        """`send_json` for a `dumps` that gives bytes of UTF-8, such as that of orjson."""
        session = self._live("send_json_bytes()")
        text = dumps(data)
        return self._tell_sent(session.outbox.send(session.ground.send_text, text, compress), _TEXT, text)

    def send_frame(self, message: bytes, opcode: WSMsgType, compress: bool | None = None) -> Awaitable[Any]:
        """Send a whole message of this type: TEXT (bytes of UTF-8), BINARY, PING or PONG.

        Raises ValueError for another type; else like `send_str`.
        """
        opcode = WSMsgType(opcode)
        if opcode is WSMsgType.PING:
            return self.ping(message)
        if opcode is WSMsgType.PONG:
            return self.pong(message)
        if opcode not in (_TEXT, _BINARY):
            raise ValueError(f"send_frame() sends TEXT, BINARY, PING and PONG, not {opcode!r}")
        session = self._live("send_frame()")
        send = session.ground.send_text if opcode is _TEXT else session.ground.send_binary
        return self._tell_sent(session.outbox.send(send, message, compress), opcode, message)

    def ping(self, message: str | bytes = b"") -> SentPing:
        """Send a ping of at most 125 bytes. What awaiting it gives may be awaited for the pong, and gives the seconds.

        Raises ValueError for a longer message; else like `send_str`.
        """
        return self._live("ping()").send_ping(as_octets(message))

    def pong(self, message: str | bytes = b"") -> Awaitable[None]:
        """Send a pong nobody asked for, of at most 125 bytes; raises what `ping` raises."""
        return self._live("pong()").send_pong(as_octets(message))

    def _tell_sent(self, sent: Awaitable[None], kind: WSMsgType, data: Any) -> Awaitable[None]:
        for notify in self._observers.websocket_message:
            notify(self._opened, self, WSMessage(kind, data), True)
        return sent

    def write(self, data: Any) -> NoReturn:
        """Raises RuntimeError: a WebSocket sends messages."""
        raise RuntimeError("Cannot call .write() for websocket; use send_str(), send_bytes() or send_json()")

    def drain(self) -> Awaitable[None]:
        """Wait until the peer has taken most of what was sent."""
        return super().drain() if not self.closed else DRAINED

    # -- the end -------------------------------------------------------------------------------------------------------

    async def close(self, *, code: int = CloseCode.OK, message: str | bytes = b"", drain: bool = True) -> bool:
        """Close it: send a close frame, and wait until the peer has answered, or `timeout` is over.

        Messages that arrive meanwhile are dropped. A handler that returns closes by itself, with 1000. Returns False
        if it was closed or closing already, and waits for the end as well.

        Args:
            code: 1000 to 1014 without those that are never sent, or 3000 to 4999.
            message: the reason, at most 123 bytes.
            drain: accepted for users of aiohttp; what was sent before always goes first.

        Raises RuntimeError before `prepare`, ValueError for another code or a longer message.
        """
        session = self._live("close()")
        if code == CloseCode.NO_STATUS:
            raise ValueError("no close frame has the code 1005 (RFC 6455 section 7.4)")
        return await session.close(code, message)

    def write_eof(self, data: Any = b"") -> Awaitable[None]:
        """Close it with 1000, as returning from the handler does."""
        return self._finish(self._opened)

    def finish(self, request: Any) -> Awaitable[None]:
        """Close it, if the handler has not; for those who called the handler."""
        return self._finish(request)

    async def _finish(self, request: Any) -> None:
        if self._session is None or request is not self._opened:
            await self.prepare(request)
        await self._live("finish()").close(CloseCode.OK, "")


def broadcast(
    connections: Iterable[WebSocketResponse],
    message: str | bytes | bytearray | memoryview,
    *,
    max_buffered: int = 1024**2,
    slow: str = "skip",
) -> list[WebSocketResponse]:
    """Send one message to many, without waiting for anybody; it is framed, and compressed, once.

    Args:
        connections: open WebSockets; those that are closed or closing are passed by.
        message: text or octets.
        max_buffered: bytes; who is further behind is slow, and does not get it.
        slow: what becomes of the slow: "skip" lets them miss the message, "close" closes them with code 1013. What a
            WebSocket says of itself by its own `slow` and `max_buffered` holds as well.

    Returns: the slow ones.

    Raises TypeError for a message of another type, ValueError for another policy.
    """
    if slow not in ("skip", "close"):
        raise ValueError(f'slow must be "skip" or "close", not {slow!r}')
    prepared = prepare_message(message)
    late: list[WebSocketResponse] = []
    for ws in connections:
        session = ws._session
        if session is not None and not session.outbox.offer(prepared, max_buffered):
            late.append(ws)
    for ws in late:  # what ends may leave the set that was being iterated
        session = ws._session
        if session is not None and (slow == "close" or session.outbox.closes):
            session.too_slow()
    return late
