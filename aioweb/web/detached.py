"""A request that no connection carries: for a handler that is called directly, as a unit test does.

The real parser reads it, and what the handler sends leaves by the real writer, into a transport that the caller brings.
Only the life of a connection is left out: deadlines, keep-alive, the next request. No loop is needed before something
has to wait.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, Final, cast

from aioweb.protocol.connection import Connection
from aioweb.protocol.events import Data, EndOfMessage, RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.clock import NEVER, Clock
from aioweb.server.contract import Handler
from aioweb.server.decoding import undo_codings
from aioweb.server.flow import Flow
from aioweb.server.server import Server
from aioweb.server.stream import EMPTY_BODY, StreamReader
from aioweb.server.tunnel import Tunnel
from aioweb.server.writer import StreamWriter
from aioweb.web.forwarded import TrustedProxies
from aioweb.web.request import Request

_DEFAULT_LIMITS: Final = Limits()


class _RunningLoop:
    """The loop that runs when something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)


_NO_HANDLER: Final = cast(Handler, None)  # the server is asked for its settings, and serves nothing
_RUNNING_LOOP: Final = cast(asyncio.AbstractEventLoop, _RunningLoop())


class _Detached:
    """The Channel of a detached request."""

    def __init__(self, ground: Connection, transport: asyncio.Transport, server: Server) -> None:
        self.ground = ground
        self.server = server
        self.loop = _RUNNING_LOOP
        self.flow = Flow(self.loop, transport, contextvars.copy_context())
        self.clock = Clock(self.loop, (), ())
        self.transport: asyncio.Transport | None = transport
        self.peername = transport.get_extra_info("peername")
        self.task: asyncio.Task[None] | None = None  # whoever calls the handler has it
        self.persistent = False
        self.deadline = NEVER

    def abort(self) -> None:
        self.flow.abort()

    def close(self) -> None:
        self.flow.close()

    def fail(self) -> None:
        self.abort()

    def cancel(self) -> None:
        """Whoever called the handler holds its task."""

    def leave(self, *, answered: bool) -> None:
        """Nobody is left, and there is nothing to close."""

    def switch(self, tunnel: Tunnel) -> bytes:
        return self.ground.take_rest()


def detached_request(
    octets: bytes,
    transport: asyncio.Transport,
    *,
    content: StreamReader | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    **options: Any,
) -> Request:
    """Read a request that no server has received, to hand it to a handler.

    Nobody closes what is opened for it: files of a form end with the request.

    Args:
        octets: the whole request, as a client sends it.
        transport: what is asked for "peername" and other extra information; takes what the handler sends.
        content: is read instead of what `octets` hold of content; they end with the head then.
        limits: sizes.
        options: for `Server`, such as `secure_proxy_ssl_header`, and `forwarded`.

    Raises ProtocolError for what the parser refuses, ValueError for octets that are no whole request or more than one.
    """
    ground = Connection(limits)
    ground.receive_data(octets)
    head = ground.next_event()
    if not isinstance(head, RequestHead):
        raise ValueError("the octets end in the middle of the head of a request")
    body = content if content is not None else _read_content(ground, head, limits)
    if ground.buffer:
        raise ValueError(f"{len(ground.buffer)} octets follow the request")
    forwarded: TrustedProxies | None = options.pop("forwarded", None)
    server = Server(_NO_HANDLER, limits=limits, **options)
    if server.auto_decompress and body is not EMPTY_BODY:
        body = undo_codings(body, head.fields, limits)
    request = Request(head, body, StreamWriter(_Detached(ground, transport, server), head), limits)
    if forwarded is not None and forwarded.has_peer(request.writer.peername):
        request.proxies = forwarded
    return request


def _read_content(ground: Connection, head: RequestHead, limits: Limits) -> StreamReader:
    if not head.has_body:
        return EMPTY_BODY
    body = StreamReader(limits.read_buffer, None, _RUNNING_LOOP)
    while not isinstance(event := ground.next_event(), EndOfMessage):
        if not isinstance(event, Data):
            raise ValueError("the octets end in the middle of the content of a request")
        body.feed_data(event.data)
    body.feed_eof(event.trailers)
    return body
