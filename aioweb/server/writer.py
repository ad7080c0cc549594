"""The way out of one response: what the roof writes with. One for each request, over the connection that carries it.

Small writes are gathered and leave together: at a high-water mark, at the end, or when the turn of the loop ends, so
that a stream of many small pieces costs few system calls on every loop, and a head waits for its first content. How the
content is framed is the ground's business; flow control is flow.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

from aioweb.protocol.events import RequestHead
from aioweb.protocol.framing import BodyKind, Framing
from aioweb.server.channel import Channel, Producer
from aioweb.server.debugpage import Facts
from aioweb.server.flow import DRAINED, NEXT_TURN, ClientDisconnectedError
from aioweb.server.observe import Observers
from aioweb.server.sendfile import KernelCopy, SeekableFile, read_block, read_in_thread
from aioweb.server.tunnel import Tunnel

_GATHER = 65536
"""Bytes that are gathered before they are handed to the transport; larger pieces are not copied together."""

_LENGTH = BodyKind.LENGTH


class StreamWriter:
    """Writes one response. Made by the connection for each request; when the exchange is over it is cut off.

    Every method that writes acts at once and returns an awaitable that waits until the client has taken enough; it may
    be dropped. All of them raise ClientDisconnectedError, a ConnectionResetError, when the client is gone.
    """

    __slots__ = (
        "_flushing",
        "_gathered",
        "_gathered_size",
        "body_size",
        "channel",
        "continue_on_read",
        "handler_cancellation",
        "head",
        "peername",
        "producer",
        "status",
    )

    def __init__(self, channel: Channel, head: RequestHead) -> None:
        self.channel: Channel | None = channel
        """Who carries the response; the connection takes it away when the exchange is over."""
        self.head = head
        self.peername = channel.peername
        self.status = 0
        self.body_size = 0
        self.handler_cancellation: bool | None = None
        """Cancel the handler when the client goes; None leaves it to the server."""
        self.continue_on_read = True
        """Invite the content when its reader first waits; if False, it is left to others (see `send_continue`)."""
        self.producer: Producer | None = None
        """Told when the client goes or the server stops, as long as it makes the response."""
        self._gathered: list[bytes] | None = None
        self._gathered_size = 0
        self._flushing = False

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport of the connection; None when the client is gone or the exchange is over."""
        channel = self.channel
        if channel is None or channel.flow.lost:
            return None
        channel.flow.release()  # who writes into it by himself does that behind the answers before
        return channel.transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows, such as "peername"; the default when the client is gone or the exchange is over."""
        channel = self.channel
        if channel is None or channel.flow.lost or channel.transport is None:
            return default
        return channel.transport.get_extra_info(name, default)

    @property
    def cut(self) -> bool:
        """This side has cut the connection; False when the exchange is over."""
        return self.channel is not None and self.channel.flow.cut

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that serves this connection."""
        return self._over().loop

    @property
    def default_fields(self) -> bytes:
        """The Date and Server field lines."""
        channel = self.channel
        return channel.clock.default_fields if channel is not None else b""

    @property
    def date_field(self) -> bytes:
        """The Date field line."""
        return self._over().clock.date_field

    @property
    def server_field(self) -> bytes:
        """The Server field line; b"" if the server does not tell its name."""
        return self._over().server.server_field

    @property
    def secure_proxy_ssl_header(self) -> tuple[str, str] | None:
        """Name and value of the field by which a trusted proxy says that the client used TLS; None without one."""
        return self.channel.server.secure_proxy_ssl_header if self.channel is not None else None

    @property
    def started(self) -> bool:
        """The head of the final response was sent."""
        return self.channel is None or self.channel.ground.response_started

    @property
    def finished(self) -> bool:
        """The whole response was sent."""
        return self.channel is None or self.channel.ground.response_complete

    @property
    def awaits_continue(self) -> bool:
        """The client has announced content, nothing of it has come, and it may wait for `100 Continue`."""
        return self.channel is not None and self.channel.ground.awaits_continue

    # -- writing ---------------------------------------------------------------------------------------------------

    def send(self, status: int, reason: str, fields: bytes, body: bytes, *, close: bool = False) -> Awaitable[None]:
        """Send a whole response in one write.

        Args:
            status, reason: the status line.
            fields: field lines as `encode_fields` makes them, without those of framing.
            body: the content; left out where none may be sent (HEAD, 204, 205, 304).
            close: the connection is not to persist.
        """
        channel = self.channel
        if channel is None:
            raise ClientDisconnectedError("the exchange is over")
        if len(body) > _GATHER:
            self.send_head(status, reason, fields, len(body), close=close or channel.ground.leaves_much)
            return self.write_eof(body)
        ground, flow = channel.ground, channel.flow
        octets = ground.send_response(status, reason, fields, body, channel.persistent and not close)
        self.status = status
        framing = ground.framing
        self.body_size = len(body) if framing is not None and framing.kind is _LENGTH else 0
        if ground.buffer and ground.request_complete and ground.persists:
            flow.hold(octets)  # a further request is here already
        else:
            flow.write(octets)
        return flow.drain() if flow.writing_paused else DRAINED

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
        """Send the head of a response; it leaves with the first content, or when the turn of the loop ends.

        `length` is that of the content in bytes, None if it is not known (then it goes out in chunks, to HTTP/1.0
        until the connection closes); `chunked` asks for chunks though the length may be known. Returns the framing.
        """
        channel = self._open()
        octets, framing = channel.ground.send_head(
            status, reason, fields, length, chunked=chunked, keep_alive=channel.persistent and not close
        )
        self.status = status
        self._put(channel, octets)
        return framing

    def send_informational(self, status: int, fields: bytes = b"") -> None:
        """Send an interim response (100, 103) at once. Raises RuntimeError after the final one has started."""
        channel = self._open()
        octets = channel.ground.send_informational(status, fields)
        if octets:
            channel.flow.write(octets)

    def send_continue(self) -> None:
        """Invite the content with `100 Continue`, if the client waits for that (RFC 9110 section 10.1.1)."""
        self._open()
        if self.awaits_continue:
            self.send_informational(100)

    def content_wanted(self) -> None:
        """A reader waits for the first octets of the content. The connection has the stream call this."""
        if self.continue_on_read:
            self.send_continue()

    def write(self, data: bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send some content.

        Raises RuntimeError before the head, after the end, and for content beyond the announced length.
        """
        channel = self.channel
        if channel is None or channel.flow.lost:
            channel = self._open()
        octets = channel.ground.send_data(data)
        if octets:
            self.body_size += data.nbytes if isinstance(data, memoryview) else len(data)
            gathered = self._gathered
            if gathered is None or type(octets) is not bytes:
                self._put(channel, octets)
            else:
                gathered.append(octets)
                self._gathered_size += len(octets)
                if self._gathered_size >= _GATHER:
                    self._flush()
            if self._gathered is None and not channel.flow.writing_paused:
                # Much has just left, and nobody has to wait: still, a fast writer lets the others have their turn.
                return NEXT_TURN
        return channel.flow.drain() if channel.flow.writing_paused else DRAINED

    def write_eof(
        self, data: bytes | bytearray | memoryview = b"", trailers: Iterable[tuple[str, str]] = ()
    ) -> Awaitable[None]:
        """Send the last content, if any, and the end. A second call is harmless."""
        if self.finished:
            return self.channel.flow.drain() if self.channel is not None else DRAINED
        channel = self._open()
        if data:
            self.write(data)
        octets = channel.ground.send_end(trailers)
        if octets:
            self._put(channel, octets)
        self._flush()
        return channel.flow.drain()

    async def send_file(self, file: SeekableFile, offset: int, count: int) -> None:
        """Send `count` bytes of a file, from `offset` on, and wait until the connection has taken them.

        What is a file of the system goes by the kernel, if the connection is plain and the content not chunked; all
        else is read in blocks, off the loop. Where no content may be sent (HEAD, 304) nothing is.

        From the first byte on the rest is owed: whatever keeps it from being sent cuts the connection. Raises
        RuntimeError before the head, after the end, and for more than the announced length, of which nothing is sent;
        EOFError if the file ends too early, OSError if it cannot be read.
        """
        channel = self._open()
        framing = channel.ground.framing
        if framing is not None and framing.kind is BodyKind.NONE:
            return
        copy = None
        if channel.transport is not None and (framing is None or not framing.chunked):
            copy = KernelCopy.join(channel.transport, channel.flow, file)
            channel.ground.count_data(0 if copy is None else count)
        try:
            if copy is not None:
                self._flush()
                await copy.send(offset, count, channel.flow.write)
            else:
                await self._send_blocks(file, offset, count)
        except BaseException:
            channel.abort()
            raise
        finally:
            self.body_size += copy.sent if copy is not None else 0

    async def _send_blocks(self, file: SeekableFile, offset: int, count: int) -> None:
        read = partial(read_block, file)
        while count:
            block = await read_in_thread(read, offset, count)
            await self.write(block)
            offset, count = offset + len(block), count - len(block)

    def drain(self) -> Awaitable[None]:
        """Hand over what was gathered; the awaitable waits until the client has taken enough."""
        channel = self._open()
        self._flush()
        return channel.flow.drain()

    # -- another protocol ------------------------------------------------------------------------------------------

    def switch(self, fields: bytes, tunnel: Tunnel) -> bytes:
        """Answer 101 and leave HTTP: what arrives from now on goes to `tunnel`, what is sent goes through `put`.

        `fields` holds Upgrade; Connection is written for it. Returns what the client has sent already, behind its
        request. Raises RuntimeError if a response has started, or content of the request is still to come.
        """
        channel = self._open()
        if not channel.ground.request_complete:
            raise RuntimeError(
                "content of the request is still to come: a connection cannot switch in the middle of it"
            )
        octets, _ = channel.ground.send_head(101, "Switching Protocols", fields, None)
        self.status = 101
        self._put(channel, octets)
        return channel.switch(tunnel)

    def put(self, octets: bytes) -> Awaitable[None]:
        """Send octets of the other protocol; small ones are gathered until the turn of the loop ends."""
        channel = self.channel
        if channel is None or channel.flow.lost:
            channel = self._open()
        if self._gathered is None or self._gathered_size + len(octets) >= _GATHER:
            self._put(channel, octets)
        else:
            self._gathered.append(octets)
            self._gathered_size += len(octets)
        return channel.flow.drain() if channel.flow.writing_paused else DRAINED

    @property
    def gathered_size(self) -> int:
        """Bytes that were not handed to the transport yet."""
        return self._gathered_size

    @property
    def writing_paused(self) -> bool:
        """The client reads more slowly than we write: what is written now waits in the transport's buffer."""
        return self.channel is not None and self.channel.flow.writing_paused

    @property
    def stopping(self) -> bool:
        """The server stops: nothing long should begin."""
        return self.channel is None or self.channel.server.closing

    @property
    def observers(self) -> Observers:
        """Who is told of events."""
        return self._over().server.observers

    def look_again(self, seconds: float | None) -> None:
        """Call `deadline_passed` of the tunnel in so many seconds; None for never. The last word counts."""
        channel = self.channel
        if channel is not None and not channel.flow.writing_paused:
            channel.deadline = channel.clock.after(seconds)

    # -- failures --------------------------------------------------------------------------------------------------

    @property
    def debug(self) -> bool:
        """Error pages show what has failed."""
        return self.channel is not None and self.channel.server.debug

    def error_page(
        self, status: int, detail: str = "", exception: BaseException | None = None, facts: Facts = ()
    ) -> tuple[str, bytes]:
        """Content type and content of the page for an error, in the kind of text that the client accepts.

        `facts` are shown beside an exception, and what the request was is added to them.
        """
        head, headers = self.head, self.head.fields.headers
        if exception is not None:
            line = f"{head.method} {head.target} HTTP/{head.version[0]}.{head.version[1]}"
            client = [("Line", line), ("Client", str(self.peername))]
            facts = [*facts, ("Request", client), ("Fields", list(headers.items()))]
        return self._over().server.error_page(status, detail, exception, headers.get("Accept"), facts)

    def abort(self) -> None:
        """Cut the connection: the response has begun and cannot be completed, and the client must see that."""
        if self.channel is not None:
            self.channel.fail()

    def client_gone(self, cancels: bool) -> bool:
        """The connection tells it: who makes the response is told; else returns whether to cancel the handler.

        `cancels` is what the server wants where the request has no wish of its own.
        """
        if self.producer is not None:
            self.producer.client_gone()
            return False
        return cancels if self.handler_cancellation is None else self.handler_cancellation

    def close(self) -> None:
        """Close the connection behind what was written: the exchange is over, whatever the handler still does."""
        if self.channel is not None:
            self.channel.close()

    async def disconnected(self) -> bool:
        """Wait until the client is gone: True; False when the exchange ends, or has ended, while it is still there."""
        channel = self.channel
        return channel is not None and await channel.flow.wait_lost(channel.task)

    def cut_off(self) -> None:
        """The exchange is over: whoever still holds this writer cannot write into the next response."""
        if self._gathered is not None:
            self._flush()
        self.channel = None

    def _over(self) -> Channel:
        if self.channel is None:
            raise ClientDisconnectedError("the exchange is over")
        return self.channel

    def _open(self) -> Channel:
        channel = self._over()
        if channel.flow.lost:
            raise ClientDisconnectedError("the client is gone")
        return channel

    def _put(self, channel: Channel, octets: bytes | bytearray | memoryview) -> None:
        """Gather octets. What is not bytes is copied: its owner may change it before it leaves."""
        if not isinstance(octets, bytes):
            octets = bytes(octets)
        if self._gathered is None:
            self._gathered = [octets]
        else:
            self._gathered.append(octets)
        self._gathered_size += len(octets)
        if self._gathered_size >= _GATHER:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            channel.loop.call_soon(self._flush_turn)

    def _flush_turn(self) -> None:
        self._flushing = False
        try:
            self._flush()
        except ClientDisconnectedError:
            pass  # the next write tells its caller

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, None
        if not gathered:
            return
        size, self._gathered_size = self._gathered_size, 0
        channel = self.channel
        if channel is None or channel.flow.lost:
            return
        if channel.transport is not None and channel.transport.is_closing():
            # The last send has failed, and the loop has not come to tell yet.
            channel.flow.lost = True
            raise ClientDisconnectedError("the client is gone")
        if len(gathered) == 1:
            channel.flow.write(gathered[0])
        elif size < 2 * _GATHER:
            channel.flow.write(b"".join(gathered))
        else:
            # The last piece is the large one that filled the measure: it is not worth a copy.
            channel.flow.write(b"".join(gathered[:-1]))
            channel.flow.write(gathered[-1])
