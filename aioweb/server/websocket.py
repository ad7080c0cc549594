"""An open WebSocket on its socket: between the sans-I/O connection of the ground and the response on the roof.

    _pump             what has arrived becomes messages; pings are answered and a close is noticed, whatever the handler
                      does, as long as it does not leave more than a measure unread
    receive           the next message, as the handler asks for it
    outbox            messages go out by it (outbox.py)
    close             the closing handshake, from our side, with a deadline
    _end              the end, whoever has caused it; told once

Nothing here has a timer or a task of its own while the WebSocket is open: heartbeats and deadlines are the clock's of
the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aioweb.protocol.events import NEED_DATA, Wait
from aioweb.protocol.websocket import (
    Close,
    CloseCode,
    Message,
    Ping,
    Pong,
    WebSocketConnection,
    WebSocketError,
)
from aioweb.server.channel import Channel
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.outbox import Outbox, Owner
from aioweb.server.pings import Heartbeat, Pings, SentPing
from aioweb.server.writer import StreamWriter
from aioweb.server.wsevents import CLOSED, CLOSING, Received, WebSocketClosed

PING_DATA: Final = b"aioweb"
"""What the pings of a heartbeat carry."""

_READ_LIMIT: Final = 327680
"""Bytes of messages that wait for the handler; above it nothing more is read from the socket.

More than one read brings, 256 KiB: else every full read would pause the next, however fast the handler is.
"""
_MESSAGE_COST: Final = 128
"""Bytes that a message counts for beside its content: empty messages are not for free."""
_EVENTS_AT_ONCE: Final = 500
"""So many frames are looked at before all others have their turn: a flood of pings costs 1 ms of it, not 100."""


class WebSocketSession:
    """One open WebSocket. Made by the roof when it accepts a handshake; lives until the handler has returned.

    Args:
        writer: of the request that is switched.
        ground: the protocol.
        timeout: seconds that the peer gets to answer a close frame, and a handler to notice that its peer is gone.
        autoclose: answer a close frame at once; else the handler does, by `close`.
        autoping: answer pings, and tell nobody of pings and pongs.
        heartbeat: when to ping; None for never.
        on_end: called once, when it is over.
        writer_limit: bytes that wait for the peer before who awaits a send has to wait.
        outbox: makes the outbox; another one for peers that are slow (slowpeers.py).
    """

    __slots__ = (
        "_autoclose",
        "_autoping",
        "_channel",
        "_clock",
        "_close_waiter",
        "_due",
        "_ended_timer",
        "_goes_on",
        "_heard_at",
        "_heartbeat",
        "_held",
        "_incoming",
        "_loop",
        "_noticed",
        "_on_end",
        "_owed_pong",
        "_pinged_at",
        "_pings",
        "_timeout",
        "_waiter",
        "_writer",
        "close_code",
        "close_reason",
        "closed_by",
        "error",
        "ground",
        "latency",
        "outbox",
    )

    def __init__(
        self,
        writer: StreamWriter,
        ground: WebSocketConnection,
        *,
        timeout: float,
        autoclose: bool,
        autoping: bool,
        heartbeat: Heartbeat | None,
        on_end: Callable[[], None],
        writer_limit: int = 65536,
        outbox: Callable[[StreamWriter, WebSocketConnection, Owner, int], Outbox] = Outbox,
    ) -> None:
        assert writer.channel is not None, "a request that is being answered has its connection"
        self._writer = writer
        self._channel: Channel = writer.channel
        self._clock = self._channel.clock
        self._loop = writer.loop
        self.ground = ground
        self.outbox = outbox(writer, ground, self, writer_limit)
        """Where messages are sent."""
        self._timeout = timeout
        self._autoclose = autoclose
        self._autoping = autoping
        self._heartbeat = heartbeat
        self._on_end: Callable[[], None] | None = on_end
        self._incoming: deque[Received] = deque()
        self._held = 0
        self._goes_on = False
        self._waiter: asyncio.Future[None] | None = None
        self._close_waiter: asyncio.Future[None] | None = None
        self._heard_at = self._clock.now
        self._pinged_at: float | None = None  # on the loop's clock: the heartbeat's ping that is on its way
        self._owed_pong: bytes | None = None
        self._pings: Pings | None = None
        self._due = 0.0  # when the next deadline is over
        self._ended_timer: asyncio.TimerHandle | None = None
        self._noticed = False  # the handler knows that it ends
        self.close_code: int | None = None
        """The code of the peer's close frame, else 1006, or the code with which we ended it; None while it lasts."""
        self.close_reason = ""
        """What was said with it."""
        self.closed_by: str | None = None
        """Who ended it: "peer", "server", "timeout" (a deadline passed) or "lost" (the connection was)."""
        self.error: WebSocketError | None = None
        """What the peer did wrong."""
        self.latency: float | None = None
        """Seconds from the last ping of the heartbeat to its pong; None before the first."""

    def open(self, rest: bytes) -> None:
        """Begin, with what the client has sent behind its request."""
        self._look_again(None if self._heartbeat is None else self._heartbeat.interval)
        if rest:
            self.data_received(rest)
        if self._writer.stopping:  # since the handshake was accepted: who stops the server did not see us
            self.stop()

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """It is over."""
        return self.closed_by is not None

    # -- what the connection tells (Tunnel) ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Octets have arrived: a sign of life, whatever they are."""
        self._heard_at = self._clock.now
        self.ground.receive_data(data)
        self._pump()

    def connection_lost(self) -> None:
        """The socket is closed."""
        self.ground.receive_eof()
        self._end(CloseCode.ABNORMAL_CLOSURE, "", "lost")

    def deadline_passed(self, now: float) -> None:
        """A heartbeat, or the end of our patience with a peer that does not answer a close frame or a ping."""
        if self.closed:
            return
        if self._owed_pong is not None and not self._channel.flow.writing_paused:
            self._pay_pong()
        if now < self._due:
            self._writer.look_again(self._due - now)
        elif self.ground.close_sent is not None or self.ground.close_received is not None:
            self._give_up()
        elif self.error is not None:
            self._refuse(self.error)
        elif self._heartbeat is not None:
            self._beat(now, self._heartbeat)

    def _look_again(self, seconds: float | None) -> None:
        self._due = self._clock.after(seconds)
        self._writer.look_again(seconds)

    def _beat(self, now: float, heartbeat: Heartbeat) -> None:
        flow = self._channel.flow
        # What we leave unread may be the answer.
        wait = heartbeat.wait(now, now if flow.reading_paused else self._heard_at, self.outbox.said_at)
        if wait is None:
            self._give_up()
            return
        if not wait:
            if now - self.outbox.said_at >= heartbeat.interval:
                self.ground.forget()
            wait = heartbeat.interval
            if not flow.writing_paused:  # else the ping would not arrive in time, and the middle watches the progress
                wait = heartbeat.pinged(now)
                self._pinged_at = self._loop.time()
                self._put(self.ground.send_ping(PING_DATA))
        self._look_again(wait)

    def stop(self) -> None:
        """The server stops."""
        self.begin_close(CloseCode.GOING_AWAY, "the server stops")

    def failed(self) -> None:
        """The handler has failed: the peer is told so, without details."""
        self.begin_close(CloseCode.INTERNAL_ERROR, "")
        self._leave(CloseCode.INTERNAL_ERROR, "", "server")

    def handler_ended(self) -> None:
        """The handler has ended; if it has not closed, it was cancelled."""
        if not self.closed:
            self.failed()
        if self._ended_timer is not None:
            self._ended_timer.cancel()
            self._ended_timer = None

    # -- receiving -------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Take what the ground has, until the handler has enough to do, or others want their turn of the loop."""
        ground = self.ground
        incoming = self._incoming
        for _ in range(_EVENTS_AT_ONCE):
            if self._held > _READ_LIMIT:
                self._channel.flow.pause_reading()
                break
            try:
                event = ground.next_event()
            except WebSocketError as error:
                self._fail(error)
                return
            if type(event) is Message:
                self._held += len(event.data) + _MESSAGE_COST
            elif event is NEED_DATA:
                if self._channel.flow.reading_paused:
                    self._channel.flow.resume_reading()
                break
            elif isinstance(event, Wait):
                self._go_on_later()
                break
            elif type(event) is Close:
                self._peer_closed(event)
                return
            elif self._answered(event):
                continue
            else:
                self._held += _MESSAGE_COST
            incoming.append(event)
        else:
            self._go_on_later()
        if incoming:
            self._wake()

    def _go_on_later(self) -> None:
        """There is more in the ground, for the next turn of the loop."""
        self._channel.flow.pause_reading()
        if not self._goes_on:
            self._goes_on = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._goes_on = False
        if not self.closed:
            self._pump()

    def _answered(self, event: Any) -> bool:
        """A ping or pong that the handler need not see."""
        if type(event) is Pong:
            return self._pong_received(event.data) or self._autoping
        if self._autoping and self.ground.sendable:
            self._owed_pong = event.data
            # For a peer that sends pings and does not read, one pong is enough, of the latest (section 5.5.3).
            if not self._channel.flow.writing_paused:
                self._pay_pong()
        return self._autoping

    def _pay_pong(self) -> None:
        data, self._owed_pong = self._owed_pong, None
        if data is not None and self.ground.sendable:
            self._put(self.ground.send_pong(data))

    def _pong_received(self, data: bytes) -> bool:
        """Tell whether it answers a ping of the heartbeat."""
        if self._pings is not None:
            self._pings.answered(data)
        if data != PING_DATA or self._pinged_at is None:
            return False
        self.latency = self._loop.time() - self._pinged_at
        self._pinged_at = None
        return True

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def receive_nowait(self) -> Received | None:
        """The next message, if there is one; at the end CLOSED, again and again.

        Raises RuntimeError if another task receives.
        """
        if self._waiter is not None:
            raise RuntimeError("another task receives from this WebSocket; only one can")
        if self._incoming:
            event = self._incoming.popleft()
            if type(event) is Message:
                self._held -= len(event.data) + _MESSAGE_COST
            elif type(event) is Ping or type(event) is Pong:
                self._held -= _MESSAGE_COST
            else:
                if isinstance(event, WebSocketError):
                    self._refuse(event)
                self._noticed = True
            if self._channel.flow.reading_paused and self._held <= _READ_LIMIT // 2:
                self._go_on_later()
            return event
        if self.closed_by is not None:
            self._noticed = True
            return CLOSED
        return None

    async def receive(self, timeout: float | None) -> Received:
        """The next message. A receiver that is cancelled has taken nothing.

        Raises asyncio.TimeoutError after `timeout` seconds without one, RuntimeError if another task receives.
        """
        while (event := self.receive_nowait()) is None:
            waiter = self._waiter = self._loop.create_future()
            timer = None if timeout is None else self._loop.call_later(timeout, _time_out, waiter)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        return event

    # -- pings and pongs -------------------------------------------------------------------------------------------

    def send_pong(self, data: bytes) -> Awaitable[None]:
        """Send a pong. Raises what `send_ping` raises."""
        if not self.ground.sendable:
            raise self.too_late()
        return self.outbox.put(self.ground.send_pong(data))

    def send_ping(self, data: bytes) -> SentPing:
        """Send a ping whose pong may be awaited. Raises WebSocketClosed if it is closing, ValueError over 125 bytes."""
        if not self.ground.sendable:
            raise self.too_late()
        sent = self.outbox.put(self.ground.send_ping(data))
        if self._pings is None:
            self._pings = Pings(self._loop)
        return SentPing(sent, self._pings.add(data))

    # -- the end ---------------------------------------------------------------------------------------------------

    def too_late(self) -> WebSocketClosed:
        """The error of who sends on a WebSocket that is closed or closing."""
        self._note()
        how = "closed" if self.closed else "closing"
        return WebSocketClosed(f"the WebSocket is {how} (code {self.close_code or 'not known yet'})")

    def too_slow(self) -> None:
        """More waits for the peer than may (RFC 6455 has no code for that; the registry has 1013, try again later)."""
        self.begin_close(CloseCode.TRY_AGAIN_LATER, "too slow")

    async def close(self, code: int, reason: str | bytes) -> bool:
        """Close it, and wait until the peer has answered, or `timeout` is over. False if it was closing already.

        Raises ValueError for a code or a reason that no close frame may hold.
        """
        await self.outbox.flush(self._timeout)
        begun = self.begin_close(code, reason)
        while not self.closed:
            if self._close_waiter is None:
                self._close_waiter = self._loop.create_future()
            await asyncio.shield(self._close_waiter)
        self._note()
        return begun

    def begin_close(self, code: int, reason: str | bytes) -> bool:
        """Send a close frame, and wait for nobody; the peer gets `timeout` seconds to answer. False if one was sent."""
        if self.error is not None:
            self._refuse(self.error)
        if self.closed or self.ground.close_sent is not None:
            return False
        answers = self.ground.close_received
        self._put(self.ground.send_close(code, reason))
        if answers is not None:  # autoclose is off, and the handler has answered the peer's close frame now
            self._leave(answers.code, answers.reason, "peer")
            return True
        self._incoming.clear()
        self._held = 0
        self._incoming.append(CLOSING)
        self._look_again(self._timeout)
        self._pump()  # what waits in the ground may hold the peer's close frame
        return True

    def _put(self, octets: bytes) -> None:
        """Send a frame of our own, if the peer is still there."""
        try:
            self.outbox.put(octets)
        except ClientDisconnectedError:
            pass  # connection_lost tells

    def _peer_closed(self, close: Close) -> None:
        ours = self.ground.close_sent
        if ours is None:
            self._incoming.append(close)
            if not self._autoclose:
                self._look_again(self._timeout)
                self._wake()
                return
            self._put(self.ground.send_close(close.code))
        self._leave(close.code, close.reason, "peer" if ours is None else "server")

    def _fail(self, error: WebSocketError) -> None:
        """The peer broke the protocol (RFC 6455 section 7.1.7). What it said before may still be answered."""
        if self.error is None:
            self.error = error
            self._incoming.append(error)
            self._look_again(self._timeout)
            self._wake()
            if self._incoming[0] is error or self.ground.close_sent is not None:
                self._refuse(error)

    def _refuse(self, error: WebSocketError) -> None:
        octets = self.ground.send_close(error.close_code, str(error))
        if octets:
            self._put(octets)
        self._leave(error.close_code, str(error), "server")

    def _give_up(self) -> None:
        """The peer does not answer: nobody is there to be told."""
        self.ground.receive_eof()
        self._end(CloseCode.ABNORMAL_CLOSURE, "", "timeout")
        self._channel.abort()

    def _leave(self, code: int, reason: str, by: str) -> None:
        """Nothing more is said: the server closes first (RFC 6455 section 7.1.1), so that the octets arrive."""
        self._end(code, reason, by)
        try:
            self._writer.drain()
        except ClientDisconnectedError:
            pass  # connection_lost tells
        else:
            self._channel.leave(answered=self.ground.close_received is not None)

    def _end(self, code: int, reason: str, by: str) -> None:
        if self._on_end is None:
            return
        self.close_code, self.close_reason, self.closed_by = int(code), reason, by
        channel = self._channel
        channel.server.logger.debug("%s: WebSocket closed by %s: %d %s", channel.peername, by, code, reason)
        self._wake()
        if self._close_waiter is not None and not self._close_waiter.done():
            self._close_waiter.set_result(None)
        if self._pings is not None:
            self._pings.fail(WebSocketClosed("the WebSocket is closed, and there was no pong"))
        # A handler that neither receives nor sends, but waits for something else, would never know.
        self._ended_timer = self._loop.call_later(self._timeout, self._cancel_unaware)
        on_end, self._on_end = self._on_end, None
        on_end()

    def _note(self) -> None:
        """Somebody hears of the end by sending or closing; it may be the handler of another WebSocket."""
        if asyncio.current_task() is self._channel.task:
            self._noticed = True

    def _cancel_unaware(self) -> None:
        if not self._noticed and self._waiter is None:
            self._channel.cancel()


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(asyncio.TimeoutError())
