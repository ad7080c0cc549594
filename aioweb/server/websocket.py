"""An open WebSocket on its socket: between the sans-I/O connection of the ground and the response on the roof.

    _pump             what has arrived becomes messages; pings are answered and a close is noticed, whatever the handler
                      does, as long as it does not leave more than a measure unread
    receive           the next message, as the handler asks for it
    send              act at once, wait for a slow peer if awaited
    close             the closing handshake, from our side, with a deadline
    _end              the end, whoever has caused it; told once

Nothing here has a timer or a task of its own: heartbeats and deadlines are the clock's of the server, and messages are
compressed and written in one step, so that senders have nothing to lock. Only a large message is compressed in a
thread; what is sent after it waits for it, in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aioweb.protocol.events import Wait
from aioweb.protocol.websocket import (
    Close,
    CloseCode,
    Message,
    Ping,
    Pong,
    PreparedMessage,
    WebSocketConnection,
    WebSocketError,
)
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.writer import Channel, StreamWriter

PING_DATA: Final = b"aioweb"
"""What the pings of a heartbeat carry."""

_READ_LIMIT: Final = 65536
"""Bytes of messages that wait for the handler; above it nothing more is read from the socket."""
_MESSAGE_COST: Final = 128
"""Bytes that a message counts for beside its content: empty messages are not for free."""
_OFF_LOOP: Final = 262144
"""Bytes from which on a message is compressed in a thread: below it the hop costs more than it saves."""


class WebSocketClosed(ClientDisconnectedError, RuntimeError):
    """The WebSocket is closed, or closing: what is sent can reach nobody. A handler need not catch it."""


class Closing:
    """An event for the receiver: this side has begun to close, and no message will follow."""


class Closed:
    """An event for the receiver: it is over."""


Received = Message | Ping | Pong | Close | Closing | Closed | WebSocketError

CLOSING: Final = Closing()
CLOSED: Final = Closed()


class WebSocketSession:
    """One open WebSocket. Made by the roof when it accepts a handshake; lives until the handler has returned.

    Args:
        writer: of the request that is switched.
        ground: the protocol.
        timeout: seconds that the peer gets to answer a close frame, and a handler to notice that its peer is gone.
        autoclose: answer a close frame at once; else the handler does, by `close`.
        autoping: answer pings, and tell nobody of pings and pongs.
        heartbeat: seconds of silence, of either side, after which a ping goes out; None for never.
        on_end: called once, when it is over.
    """

    __slots__ = (
        "_autoclose",
        "_autoping",
        "_channel",
        "_close_waiter",
        "_due",
        "_heard",
        "_heartbeat",
        "_held",
        "_incoming",
        "_last",
        "_loop",
        "_on_end",
        "_pinged_at",
        "_said",
        "_task",
        "_timeout",
        "_waiter",
        "_writer",
        "close_code",
        "close_reason",
        "closed_by",
        "error",
        "ground",
        "latency",
        "unread",
    )

    def __init__(
        self,
        writer: StreamWriter,
        ground: WebSocketConnection,
        *,
        timeout: float,
        autoclose: bool,
        autoping: bool,
        heartbeat: float | None,
        on_end: Callable[[], None],
    ) -> None:
        assert writer.channel is not None, "a request that is being answered has its connection"
        self._writer = writer
        self._channel: Channel = writer.channel
        self._loop = writer.loop
        self._task = asyncio.current_task()
        self.ground = ground
        self._timeout = timeout
        self._autoclose = autoclose
        self._autoping = autoping
        self._heartbeat = heartbeat
        self._on_end = on_end
        self._incoming: deque[Received] = deque()
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._close_waiter: asyncio.Future[None] | None = None
        self._last: asyncio.Task[None] | None = None
        self._heard = self._said = False
        self._pinged_at: float | None = None
        self._due = 0.0  # of the deadline that was asked for last
        self.unread = False
        """The end was not noticed yet: neither a receiver nor a sender has been told."""
        self.close_code: int | None = None
        """The code of the peer's close frame, else 1006, or the code with which we ended it; None while it lasts."""
        self.close_reason = ""
        """What was said with it."""
        self.closed_by: str | None = None
        """Who ended it: "peer", "server", "timeout" (a deadline passed) or "lost" (the connection was)."""
        self.error: BaseException | None = None
        """What the peer did wrong, or what the handler failed with."""
        self.latency: float | None = None
        """Seconds from the last ping of the heartbeat to its pong; None before the first."""

    def open(self, rest: bytes) -> None:
        """Begin, with what the client has sent behind its request."""
        self._look_again(self._heartbeat)
        if rest:
            self.data_received(rest)

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """It is over."""
        return self.closed_by is not None

    @property
    def buffered(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        transport = self._channel.transport
        return self._writer.gathered_size + (0 if transport is None else transport.get_write_buffer_size())

    # -- what the connection tells (Tunnel) ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Octets have arrived: a sign of life, whatever they are."""
        self._heard = True
        self.ground.receive_data(data)
        self._pump()

    def connection_lost(self) -> None:
        """The socket is closed."""
        self.ground.receive_eof()
        self._end(CloseCode.ABNORMAL_CLOSURE, "", "lost")

    def deadline_passed(self, now: float) -> None:
        """A heartbeat, or the end of our patience with a peer that does not answer a close frame."""
        if self.closed:
            return
        if now < self._due:
            self._look_again(self._due - now)
        elif (
            self.ground.close_sent is not None
            or self.ground.close_received is not None
            or (self._pinged_at is not None and not self._heard and not self._channel.flow.reading_paused)
        ):
            self._give_up("timeout")
        elif self._heartbeat is not None:
            self._beat(self._heartbeat)

    def _look_again(self, seconds: float | None) -> None:
        self._due = self._channel.clock.after(seconds)
        self._writer.look_again(seconds)

    def _beat(self, heartbeat: float) -> None:
        self._pinged_at = None
        if not (self._heard and self._said) and self.ground.sendable and not self._channel.flow.reading_paused:
            # Proxies count the silence of each direction, so either is a reason.
            self._pinged_at = self._loop.time()
            self._writer.put(self.ground.send_ping(PING_DATA))
        self._heard = self._said = False
        self._look_again(heartbeat)

    def stop(self) -> None:
        """The server stops."""
        self.begin_close(CloseCode.GOING_AWAY, "the server stops")

    def failed(self) -> None:
        """The handler has failed: the peer is told so, without details."""
        self.begin_close(CloseCode.INTERNAL_ERROR, "")
        self._leave(CloseCode.INTERNAL_ERROR, "", "server")

    # -- receiving -------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Take what the ground has, until the handler has enough to do."""
        ground = self.ground
        incoming = self._incoming
        while self._held <= _READ_LIMIT:
            try:
                event = ground.next_event()
            except WebSocketError as error:
                self._fail(error)
                return
            if isinstance(event, Wait):
                if self._channel.flow.reading_paused:
                    self._channel.flow.resume_reading()
                break
            if type(event) is Message:
                if ground.close_sent is not None:
                    continue  # it was on its way when we closed
                self._held += len(event.data) + _MESSAGE_COST
            elif type(event) is Close:
                self._peer_closed(event)
                return
            elif self._answered(event):
                continue
            else:
                self._held += _MESSAGE_COST
            incoming.append(event)
        else:
            self._channel.flow.pause_reading()
        if incoming and self._waiter is not None:
            self._wake()

    def _answered(self, event: Any) -> bool:
        """A ping or pong that the handler need not see."""
        if type(event) is Pong and self._pinged_at is not None and event.data == PING_DATA:
            self.latency = self._loop.time() - self._pinged_at
        if not self._autoping:
            return type(event) is Pong and event.data == PING_DATA
        if type(event) is Ping and self.ground.sendable:
            self._said = True
            self._writer.put(self.ground.send_pong(event.data))
        return True

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def receive_nowait(self) -> Received | None:
        """The next message, if there is one; at the end CLOSED, again and again."""
        if self._incoming:
            event = self._incoming.popleft()
            if type(event) is Message:
                self._held -= len(event.data) + _MESSAGE_COST
            elif type(event) is Ping or type(event) is Pong:
                self._held -= _MESSAGE_COST
            else:
                self.unread = False
            if self._held <= _READ_LIMIT // 2 and self._channel.flow.reading_paused:
                self._pump()
            return event
        if self.closed:
            self.unread = False
            return CLOSED
        return None

    async def receive(self, timeout: float | None) -> Received:
        """The next message. A receiver that is cancelled has taken nothing.

        Raises asyncio.TimeoutError after `timeout` seconds without one, RuntimeError if another task receives.
        """
        if self._waiter is not None:
            raise RuntimeError("another task receives from this WebSocket; only one can")
        while True:
            event = self.receive_nowait()
            if event is not None:
                return event
            waiter = self._waiter = self._loop.create_future()
            timer = None if timeout is None else self._loop.call_later(timeout, _time_out, waiter)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()

    # -- sending ---------------------------------------------------------------------------------------------------

    def send(self, encode: Callable[..., bytes], data: Any, compress: bool | None = None) -> Awaitable[None]:
        """Send a message: `encode`, a method of the ground, makes its frame. Await it to wait for a slow peer.

        Raises WebSocketClosed if it is closing, and what `encode` raises.
        """
        if not self.ground.sendable or self.closed:
            raise self.too_late()
        if self._last is None and (self.ground.deflate is None or compress is False or len(data) < _OFF_LOOP):
            self._said = True
            return self._writer.put(encode(data, compress=compress))
        self._last = self._loop.create_task(self._send_later(self._last, encode, data, compress))
        self._last.add_done_callback(self._sent_later)
        return asyncio.shield(self._last)

    async def _send_later(
        self, before: asyncio.Task[None] | None, encode: Callable[..., bytes], data: Any, compress: bool | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        if not self.ground.sendable or self.closed:
            raise self.too_late()
        octets = await self._loop.run_in_executor(None, lambda: encode(data, compress=compress))
        self._said = True
        await self._writer.put(octets)

    def _sent_later(self, task: asyncio.Task[None]) -> None:
        if self._last is task:
            self._last = None
        if not task.cancelled():
            task.exception()  # who has dropped the awaitable does not want to know

    def send_prepared(self, message: PreparedMessage) -> None:
        """Send a message that is framed already, without waiting. Raises WebSocketClosed if it is closing."""
        if not self.ground.sendable or self.closed:
            raise self.too_late()
        if self._last is not None:
            self.send(lambda data, compress: self.ground.send_prepared(message), message.payload)
            return
        self._said = True
        self._writer.put(self.ground.send_prepared(message))

    def send_control(self, octets: bytes) -> Awaitable[None]:
        """Send a ping or pong."""
        self._said = True
        return self._writer.put(octets)

    def too_late(self) -> WebSocketClosed:
        """The error of who sends on a WebSocket that is closed or closing."""
        self.unread = False
        how = "closed" if self.closed else "closing"
        return WebSocketClosed(f"the WebSocket is {how} (code {self.close_code or 'not known yet'})")

    # -- the end ---------------------------------------------------------------------------------------------------

    async def close(self, code: int, reason: str | bytes) -> bool:
        """Close it, and wait until the peer has answered, or `timeout` is over. False if it was closing already.

        Raises ValueError for a code or a reason that no close frame may hold.
        """
        if self.closed or self.ground.close_sent is not None:
            await self._wait_closed()
            return False
        if self._last is not None:
            await asyncio.wait([self._last])
        self.begin_close(code, reason)
        await self._wait_closed()
        return True

    async def _wait_closed(self) -> None:
        while not self.closed:
            if self._close_waiter is None:
                self._close_waiter = self._loop.create_future()
            await asyncio.shield(self._close_waiter)
        self.unread = False

    def begin_close(self, code: int, reason: str | bytes) -> None:
        """Send a close frame, and wait for nobody; the peer gets `timeout` seconds to answer."""
        if self.closed or self.ground.close_sent is not None:
            return
        answers = self.ground.close_received
        octets = self.ground.send_close(code, reason)
        if octets:
            self._put_last(octets)
        if answers is not None:  # autoclose is off, and the handler has answered the peer's close frame now
            self._leave(answers.code, answers.reason, "peer")
            return
        self._incoming.clear()
        self._held = 0
        self._incoming.append(CLOSING)
        self._wake()
        self._look_again(self._timeout)
        self._pump()  # what waits in the ground may hold the peer's close frame

    def _put_last(self, octets: bytes) -> None:
        try:
            self._writer.put(octets)
        except ClientDisconnectedError:
            pass  # connection_lost tells

    def _peer_closed(self, close: Close) -> None:
        ours = self.ground.close_sent
        if ours is None:
            self._incoming.append(close)
            if not self._autoclose:
                self.unread = True
                self._look_again(self._timeout)
                self._wake()
                return
            self._put_last(self.ground.send_close(close.code))
        self._leave(close.code, close.reason, "peer" if ours is None else "server")

    def _fail(self, error: WebSocketError) -> None:
        """The peer broke the protocol (RFC 6455 section 7.1.7)."""
        self.error = error
        self._incoming.append(error)
        octets = self.ground.send_close(error.close_code, str(error)[:120])
        if octets:
            self._put_last(octets)
        self._leave(error.close_code, str(error), "server")

    def _give_up(self, why: str) -> None:
        """The peer does not answer: nobody is there to be told."""
        self.ground.receive_eof()
        self._end(CloseCode.ABNORMAL_CLOSURE, "", why)
        self._channel.abort()

    def _leave(self, code: int, reason: str, by: str) -> None:
        """Nothing more is said: the server closes first (RFC 6455 section 7.1.1), so that the octets arrive."""
        self._end(code, reason, by)
        try:
            self._writer.drain()
        except ClientDisconnectedError:
            pass  # connection_lost tells
        else:
            self._channel.leave()

    def _end(self, code: int, reason: str, by: str) -> None:
        if self.closed:
            return
        self.close_code, self.close_reason, self.closed_by = int(code), reason, by
        self.unread = True
        self._wake()
        if self._close_waiter is not None and not self._close_waiter.done():
            self._close_waiter.set_result(None)
        if by != "server" and self._task is not None and not self._task.done():
            # A handler that neither receives nor sends, but waits for something else, would never know.
            self._loop.call_later(self._timeout, self._cancel_unaware, self._task)
        self._on_end()

    def _cancel_unaware(self, task: asyncio.Task[Any]) -> None:
        if self.unread and self._waiter is None and not task.done():
            task.cancel()


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(asyncio.TimeoutError())
