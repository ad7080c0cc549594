"""One socket of a server: asyncio's protocol on one side, the ground's connection on the other, a handler above.

The life of a connection is told by these, from top to bottom:

    _next_request    a head has arrived: one task for its exchange; or it has not: a deadline for it
    _run_exchange    that task: the handler, and what becomes of its failure
    _end_exchange    go on to the next request, drain what the handler left unread, linger, or close

Octets go up by `receive_data` and `next_event`, and down by `write`. While an exchange runs, its content goes to the
body stream; everything behind it stays in the ground, unparsed, and above a measure the transport pauses. What may be
asked of the ground (started? complete?) is asked there; what only this floor knows is what it waits for: phase.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import Any, Final

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import NEED_DATA, Data, RequestHead
from aioweb.server.clock import NEVER, Clock
from aioweb.server.contract import ServerView
from aioweb.server.decoding import undo_codings
from aioweb.server.failures import HeadTimeout, answer_failure, refuse_request
from aioweb.server.flow import ClientDisconnectedError, Flow
from aioweb.server.intake import pass_content
from aioweb.server.phase import Phase
from aioweb.server.progress import Progress
from aioweb.server.stream import EMPTY_BODY, BodyInterrupted, BodyTimeout, StreamReader
from aioweb.server.tunnel import Tunnel
from aioweb.server.writer import StreamWriter

_LAST_REQUEST: Final = 0.4  # the ticks of the clock make it a second at most
_LAST_LINGERING: Final = 1.0
# The two of every request by a name of their own: reading a member off its enum costs as much as a call on Python 3.11.
_HEAD: Final = Phase.HEAD
_EXCHANGE: Final = Phase.EXCHANGE
_TASKS_CAN_BE_EAGER: Final = sys.version_info >= (3, 12)
_EAGERLY: Final[dict[str, Any]] = {"eager_start": True}


def _raise(error: BaseException) -> None:
    raise error


class HTTPConnection(asyncio.Protocol):
    """The protocol of one connection. Made by `Server` for each socket; lives until the socket is closed."""

    __slots__ = (
        "__weakref__",
        "_body",
        "_context",
        "_head_begun",
        "_progress",
        "_requests",
        "_tunnel",
        "_unread",
        "_writer",
        "clock",
        "deadline",
        "flow",
        "ground",
        "loop",
        "peername",
        "persistent",
        "phase",
        "server",
        "task",
        "transport",
    )

    transport: asyncio.Transport | None
    flow: Flow
    clock: Clock

    def __init__(self, server: ServerView) -> None:
        self.server = server
        self.loop = server.loop
        self.ground = Connection(server.limits)
        self.phase = _HEAD
        self.persistent = False
        self.deadline = NEVER
        self.transport = None
        self.peername: Any = None
        self._context = contextvars.copy_context()
        self.task: asyncio.Task[None] | None = None
        self._body: StreamReader | None = None
        self._writer: StreamWriter | None = None
        self._tunnel: Tunnel | None = None
        self._unread = 0
        self._requests = 0
        self._head_begun = False
        self._progress: Progress | None = None

    # -- what the transport calls ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # Not an isinstance: the transports of uvloop are no subclasses of asyncio's. Nor a cast, which is a call.
        stream: asyncio.Transport = transport  # type: ignore[assignment]
        server = self.server
        self.transport = stream
        self.flow = Flow(self.loop, stream, self._context)
        self.peername = stream.get_extra_info("peername")
        stream.set_write_buffer_limits(high=server.limits.write_buffer)
        self.clock = server.clock
        server.connection_opened(self)

    def admit(self) -> None:
        """The server has a place for this client: begin."""
        self.phase = _HEAD
        self.deadline = self.clock.after(self.server.limits.head_timeout)
        self._head_begun = True
        self.flow.resume_reading()
        if self.server.closing:
            self.stop()
        if self.ground.buffer:
            self._context.copy().run(self._next_request, b"", eagerly=False)

    def hold(self) -> None:
        """The server has no place for this client yet."""
        self.phase = Phase.WAITING
        # Not at once: uvloop begins to read after it has told of the connection, whatever it was told.
        self.loop.call_soon(self._read_nothing)

    def _read_nothing(self) -> None:
        if self.phase is Phase.WAITING:
            self.flow.pause_reading()

    @property
    def _head_timeout(self) -> float | None:
        limits = self.server.limits
        return limits.head_timeout if self._head_begun else limits.keepalive_timeout

    @property
    def quiet(self) -> bool:
        """It waits for a request, and has for a while. Without a deadline for that it may for ever."""
        waited = self.deadline != NEVER and self.deadline <= self.clock.after(self._head_timeout) - self.clock.tick
        return self.phase is _HEAD and not self.ground.buffer and waited

    def data_received(self, data: bytes) -> None:
        """Octets have arrived."""
        phase = self.phase
        if phase is _HEAD:
            self._next_request(data, eagerly=_TASKS_CAN_BE_EAGER)
        elif phase is _EXCHANGE:
            self.ground.receive_data(data)
            if self._body is not None:
                if not pass_content(self.ground, self._body, self.flow):
                    self._body = None
            elif len(self.ground.buffer) > self.server.limits.read_buffer:
                self.flow.pause_reading()
        elif phase is Phase.TUNNEL and self._tunnel is not None:
            self._tunnel.data_received(data)
        elif phase is Phase.DRAINING:
            self._drain(data)
        elif phase is Phase.WAITING:
            self.ground.receive_data(data)

    def eof_received(self) -> None:
        """The client sends nothing more. As nginx does, that is taken for its leaving: the transport closes."""
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        # A tunnel that has left knows of its end, and so does its handler.
        unexpected, self.phase = self.phase is not Phase.LINGERING, Phase.CLOSED
        self.deadline = NEVER
        self.transport = None
        self.flow.connection_lost()
        self.server.connection_closed(self)
        if self._body is not None:
            self._body.set_exception(BodyInterrupted("the client went away in the middle of its request"))
        if self._tunnel is not None:
            self._tunnel.connection_lost()
        if unexpected and self._writer is not None and self._writer.client_gone(self.server.handler_cancellation):
            self.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: from now on its progress is watched."""
        self.flow.pause_writing()
        if self.phase is _EXCHANGE or self.phase is _HEAD or self.phase is Phase.TUNNEL:
            self._progress = None
            self.deadline = 0.0

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.flow.resume_writing()
        if self.phase is _HEAD:  # with answers that were held until then
            self.deadline = self.clock.after(self._head_timeout)

    # -- the life of a connection ----------------------------------------------------------------------------------

    def _next_request(self, data: bytes, *, eagerly: bool) -> None:
        """Begin the next exchange if `data` completes its head, else see to it that it comes in time.

        `eagerly`: in this turn of the loop. That is for octets as they arrive; nobody else is to wait for a handler.
        """
        self.ground.receive_data(data)
        try:
            event = self.ground.next_event()
        except ProtocolError as error:
            self.refuse(error)
            return
        if event is NEED_DATA:
            # The first octets of a head start its deadline; later ones do not extend it (slowloris).
            if not self._head_begun and self.ground.buffer and not self.server.closing:
                self._head_begun = True
                self.deadline = self.clock.after(self.server.limits.head_timeout)
            self.flow.release()
            return
        assert isinstance(event, RequestHead), "a connection that awaits a head gives a head or NEED_DATA"
        server = self.server
        self.phase = _EXCHANGE
        self.deadline = 0.0 if self.flow.writing_paused else NEVER
        self.persistent = server.keep_alive_on
        if server.limits.requests:
            self._requests += 1
            self.persistent = server.keep_alive_on and self._requests < server.limits.requests
        writer = self._writer = StreamWriter(self, event)
        body: StreamReader = EMPTY_BODY
        if event.has_body:
            body = self._body = StreamReader(server.limits.read_buffer, self.flow.resume_reading, loop=self.loop)
            self._progress = None
            self.deadline = 0.0
            if self.ground.awaits_continue:
                body.on_first_wait = writer.content_wanted
            if server.auto_decompress:
                body = undo_codings(body, event.fields, server.limits)
            if not pass_content(self.ground, self._body, self.flow):
                self._body = None
        exchange = self._run_exchange(event, body, writer)
        # The context here is that of the server's start: each task gets a copy of its own. A task factory of the loop
        # is passed by: it may not know of exchanges that are over at once. The name saves making up a number.
        if eagerly:
            try:
                asyncio.Task(exchange, loop=self.loop, name="aioweb exchange", **_EAGERLY)
            except (KeyboardInterrupt, SystemExit) as stop:
                # Out of a protocol, uvloop takes it for a failure of the transport; out of a callback it ends the loop.
                self.loop.call_soon(_raise, stop)
        else:
            self.task = asyncio.Task(exchange, loop=self.loop, name="aioweb exchange")

    async def _run_exchange(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        """Run the handler, and answer for it where it did not answer."""
        if self.task is None:
            self.task = asyncio.current_task(self.loop)
        try:
            await self.server.handler(head, body, writer)
            if self.flow.writing_paused:
                # A handler may drop the awaitables of its writes, but not pile up response upon response.
                await self.flow.wait_drained()
        except asyncio.CancelledError as error:
            # If the client is gone, or the server's time is up, nobody reads a late answer. Else it is a failure: the
            # handler waited for something that was cancelled.
            if self.phase is _EXCHANGE:
                answer_failure(self.server, head, writer, error)
            raise
        except ClientDisconnectedError:
            self.server.logger.debug("%s %s: the client is gone", head.method, head.target)
        except Exception as error:
            answer_failure(self.server, head, writer, error)
        finally:
            try:
                self._end_exchange(writer)
            except Exception:
                # A logger or an error page that fails must not leave a connection that nothing can end.
                writer.channel = None
                self.task = self._writer = self._body = None
                self.abort()
                self.server.exchange_ended(self)
                raise

    def _end_exchange(self, writer: StreamWriter) -> None:
        """Go on to the next request; `_end_connection` if there will be none, or not yet."""
        if self.phase is not _EXCHANGE or not self.ground.start_next_cycle():
            self._end_connection(writer)
            return
        # Whoever still holds the writer of this response cannot write into the next one.
        writer.channel = None
        self.task = self._writer = self._body = self._progress = None
        self._await_head()

    def _await_head(self) -> None:
        """The exchange is over and the connection persists; a pipelined request may be here already."""
        self.phase = _HEAD
        self._head_begun = False
        self.deadline = self.clock.idle_deadline
        if self.server.closing:
            self.stop()  # the response had begun before that: the client does not know that it was the last but one
        if self.flow.reading_paused:
            self.flow.resume_reading()
        if self.ground.buffer:
            # What the last handler set in its context is not for the next one, which may serve somebody else. Nor does
            # the next one begin in this turn of the loop, which the other connections share.
            self._context.copy().run(self._next_request, b"", eagerly=False)

    def _end_connection(self, writer: StreamWriter) -> None:
        """There is no next request, or not yet. The client is to be able to read its response in any case."""
        ground = self.ground
        if not ground.response_complete and not self.flow.lost:
            error = RuntimeError("the handler returned without a complete response")
            answer_failure(self.server, writer.head, writer, error)
        if self._tunnel is not None:
            self._tunnel.handler_ended()
        writer.cut_off()
        if self._body is not None:
            self._body.set_exception(BodyInterrupted("the exchange is over"))
        self.task = self._writer = self._body = self._tunnel = self._progress = None
        if self.phase is Phase.CLOSED:
            self.server.exchange_ended(self)
        elif not ground.response_complete:
            self.abort()
        elif self.phase is Phase.LINGERING:
            pass  # the tunnel has left
        elif ground.request_complete and not ground.buffer:
            self.close()
        elif ground.persists:
            self.phase = Phase.DRAINING
            self.deadline = self.clock.after(self._lingering_time)
            self._unread = 0
            self.flow.resume_reading()
            self._drain(b"")
        else:
            self._linger()

    def _drain(self, data: bytes) -> None:
        """Drop what the handler left unread, if it is not much, so that the connection can be used again."""
        self._unread += len(data)
        self.ground.receive_data(data)
        try:
            while isinstance(self.ground.next_event(), Data):
                pass
        except ProtocolError:
            self._linger()
            return
        if self.ground.start_next_cycle():
            self._await_head()
        elif self._unread > self.server.limits.lingering_bytes:
            self._linger()

    def _linger(self) -> None:
        """The last answer is out, and the client may still be sending.

        If the socket were closed now, the kernel would answer its next octets with a reset, which may overtake the
        answer (RFC 9112 section 9.6). So our half is closed, and what comes is dropped until the client closes too.
        """
        transport = self.transport
        if transport is None or transport.is_closing():
            self.close()
            return
        self.flow.release()
        self.phase = Phase.LINGERING
        self.deadline = self.clock.after(self._lingering_time)
        self.flow.resume_reading()
        try:
            if transport.can_write_eof():
                transport.write_eof()
        except OSError:
            # The client has reset the connection, and the transport does not know yet.
            self.abort()

    def refuse(self, error: ProtocolError) -> None:
        """Answer octets that never became a request, and end the connection."""
        try:
            self.flow.write(refuse_request(self.server, self.ground, self.peername, error))
        except ClientDisconnectedError:
            return
        self._linger()

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection when everything that was written has left."""
        self.phase = Phase.CLOSED
        self.deadline = self.clock.after(self.server.limits.write_timeout)
        if self.transport is not None:
            self.flow.close()

    def abort(self) -> None:
        """Close the connection at once: what was begun cannot be completed, and the client must see that."""
        self.phase = Phase.CLOSED
        if self.transport is not None:
            self.flow.abort()

    def fail(self) -> None:
        """The handler has failed in mid-response: close the connection so that the client sees it."""
        if self._tunnel is not None:
            self._tunnel.failed()
        else:
            self.abort()

    def leave(self, *, answered: bool) -> None:
        """The tunnel has said its last: our half closes, and the client may close the other; see Channel."""
        if self.phase is not Phase.TUNNEL or self.transport is None:
            return
        if self.transport.can_write_eof():
            self._linger()
        elif answered:
            self.close()  # TLS has no half to close, and nothing is on its way that could be answered with a reset
        else:
            self._linger()
            self.deadline = self.clock.after(_LAST_LINGERING)

    @property
    def _lingering_time(self) -> float | None:
        # When all ends, a second is enough for a client that wants its answer, and none delays the end for longer.
        return _LAST_LINGERING if self.server.closing else self.server.limits.lingering_time

    def stop(self) -> None:
        """The server stops: this response, or the next one, is the last. Without one the connection closes soon."""
        self.persistent = False
        if self.phase is _HEAD:
            # The client may be sending at this moment, and would lose its request if we closed now.
            self.deadline = min(self.deadline, self.clock.after(_LAST_REQUEST))
        elif self._tunnel is not None:
            self._tunnel.stop()
        elif self._writer is not None and self._writer.producer is not None:
            self._writer.producer.server_stops()
        elif self.phase is Phase.LINGERING or self.phase is Phase.DRAINING:
            self.deadline = min(self.deadline, self.clock.after(self._lingering_time))

    @property
    def busy(self) -> bool:
        """A handler runs."""
        return self.task is not None

    def kill(self) -> None:
        """The server's time is up: cancel the handler and cut the connection."""
        self.cancel()
        self.abort()

    def cancel(self) -> None:
        """Cancel the handler, a turn later: a task that is cancelled before its first step could end no exchange."""
        if self.task is not None:
            self.loop.call_soon(self.task.cancel)

    # -- deadlines -------------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> None:
        """The clock has reached `deadline`."""
        if self.phase is Phase.CLOSED:
            self.abort()
        elif self.phase is Phase.LINGERING or self.phase is Phase.DRAINING:
            self.close()
        elif self._tunnel is not None:
            if self.flow.writing_paused:
                self._watch(now, self.server.limits.write_timeout)
            else:
                self.deadline = NEVER
            self._tunnel.deadline_passed(now)
        elif self.flow.writing_paused:
            self._watch(now, self.server.limits.write_timeout)
        elif self.phase is _EXCHANGE:
            if self._body is None:
                self.deadline = NEVER
            else:
                self._watch(now, self.server.limits.body_timeout)
        elif self.ground.buffer.strip(b"\r\n"):
            self.refuse(HeadTimeout("the head did not arrive in time"))
        else:
            self.close()
            if self.transport is not None and not self.transport.get_write_buffer_size():
                # Nothing is on its way but the farewell of TLS. Pools of clients do not read what is idle, so most of
                # them never answer it: that is not worth a descriptor, nor the time of a stop.
                self.deadline = self.clock.after(self._lingering_time)

    def _watch(self, now: float, timeout: float | None) -> None:
        """Cut what the client does not read, and give up the content that it does not send."""
        body, progress = self._body, self._progress
        if progress is None:
            progress = self._progress = Progress()
        deadline = self.clock.after(timeout)
        if self.flow.writing_paused and self.transport is not None:
            # A handler that drops the awaitables of its writes makes the buffer grow; only less of it is progress.
            if progress.stalled("writing", -self.transport.get_write_buffer_size(), now, deadline):
                self.server.logger.debug("%s does not read its response: cut", self.peername)
                self.abort()
        elif body is not None:
            watched = "reading" if body.waiting else None
            if progress.stalled(watched, body.total_bytes, now, deadline):
                self._body = None
                body.set_exception(BodyTimeout("the content did not arrive in time"))

    # -- what the writer asks (Channel) ----------------------------------------------------------------------------

    def switch(self, tunnel: Tunnel) -> bytes:
        """Give what arrives from now on to `tunnel`; returns what is here already."""
        self._tunnel = tunnel
        self.phase = Phase.TUNNEL
        self.deadline = NEVER
        self.flow.resume_reading()
        return self.ground.take_rest()
