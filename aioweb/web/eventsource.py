"""Server-sent events: a response that goes on for as long as its client listens (WHATWG HTML, section 9.2).

return web.EventSourceResponse(events())            an async generator makes the events

async with web.EventSourceResponse(request=request) as source:
    await source.send("hello")                      or the handler sends them
return source

Either way whoever makes the events is ended, by a cancellation where it waits, when the client goes and when the server
stops; after a stop the response is complete, and the client comes back to another server with its last event's id. A
comment goes out when there was no event for a while, so that proxies keep the connection, and a lost client is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable
from types import TracebackType
from typing import Final

import attrs

from aioweb import hdrs
from aioweb.protocol.framing import BodyKind
from aioweb.server.writer import StreamWriter
from aioweb.web.bodies import Interruption, close_source
from aioweb.web.responsehead import HeadersLike
from aioweb.web.streamresponse import BytesLike, RequestLike, StreamResponse

_FIELDS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-cache",
    "X-Accel-Buffering": "no",  # nginx would hold events back until its buffer is full
}
_HEARTBEAT: Final = b":\n\n"


@attrs.frozen
class ServerSentEvent:
    """One event of an event stream. Without `data` the client dispatches nothing, but takes note of `id` and `retry`.

    Args:
        data: any text; its lines may end with CR, LF or CRLF, the client gets LF.
        event: the type, for which the client listens; without one it is "message".
        id: what the client sends as Last-Event-ID when it comes back; "" makes it forget.
        retry: milliseconds after which the client comes back.
        comment: text that the client ignores.

    Raises ValueError for a line break in `event`, `id` or `retry`, NUL in `id`, and an event of nothing; TypeError for
    other types.
    """

    data: str | None = None
    event: str | None = attrs.field(default=None, kw_only=True)
    id: str | None = attrs.field(default=None, kw_only=True)
    retry: int | None = attrs.field(default=None, kw_only=True)
    comment: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for name in ("data", "event", "id", "comment"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {value!r:.100}")
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and ("\n" in value or "\r" in value):
                raise ValueError(f"{name} must not hold a line break, as {value!r:.100} does")
        if self.id is not None and "\0" in self.id:
            raise ValueError(f"id must not hold NUL, as {self.id!r:.100} does: clients ignore it then")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(f"retry must be a number of milliseconds, 0 or more, not {self.retry!r:.100}")
        if all(value is None for value in (self.data, self.event, self.id, self.retry, self.comment)):
            raise ValueError("an event needs data, or one of event, id, retry and comment")

    def encode(self) -> bytes:
        """The octets of the event. Raises UnicodeEncodeError, a ValueError, for lone surrogates."""
        lines = [f": {line}" for line in _split(self.comment)]
        for name, value in (("event", self.event), ("id", self.id), ("retry", self.retry)):
            if value is not None:
                lines.append(f"{name}: {value}")
        lines += [f"data: {line}" for line in _split(self.data)]
        return ("\n".join(lines) + "\n\n").encode()


def _split(text: str | None) -> list[str]:
    """The lines of a text, as clients tell them apart: by CR, LF and CRLF only."""
    if text is None:
        return []
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


_Events = AsyncIterable[ServerSentEvent] | AsyncIterable[str] | AsyncIterable[ServerSentEvent | str]


class EventSourceResponse(StreamResponse):
    """A stream of events. Return it with `events`, or enter it as a context manager and send them.

    Its head leaves at once, and answers one request. A client whose connection ends comes back, so a stream that is
    over for good ends with an event that lets the client close it, or is answered with 204 the next time.

    Args:
        events: an async iterable, such as an async generator, of `ServerSentEvent`, or of str, which are data. It is
            closed in any case. If it fails, the connection is cut.
        request: the request to answer, for `async with`.
        heartbeat: seconds without an event after which a comment is sent; None for never.
        status, reason, headers: as for `StreamResponse`; Cache-Control is no-cache if the headers do not say otherwise.

    Raises TypeError for events that are no async iterable, ValueError for a heartbeat that is not positive.
    """

    def __init__(
        self,
        events: _Events | None = None,
        *,
        request: RequestLike | None = None,
        heartbeat: float | None = 15.0,
        status: int = 200,
        reason: str | None = None,
        headers: HeadersLike | None = None,
    ) -> None:
        super().__init__(status=status, reason=reason, headers=headers)
        if events is not None and not isinstance(events, AsyncIterable):
            raise TypeError(f"events must be an async iterable, such as an async generator, not {events!r:.100}")
        if heartbeat is not None and heartbeat <= 0:
            raise ValueError(f"heartbeat must be a number of seconds above 0, or None, not {heartbeat!r}")
        for name, value in _FIELDS.items():
            self.headers.setdefault(name, value)
        self._events = events
        self._to_answer = request
        self._heartbeat = heartbeat
        self._timer: asyncio.TimerHandle | None = None
        self._written_at = 0.0
        self._interruption: Interruption | None = None

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client has seen, if it comes back: Last-Event-ID; None before `prepare`."""
        request = self._request or self._to_answer
        return None if request is None else request.writer.head.fields.headers.get(hdrs.LAST_EVENT_ID)

    # -- sending -------------------------------------------------------------------------------------------------------

    def send(
        self,
        data: str | ServerSentEvent | None = None,
        *,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
    ) -> Awaitable[None]:
        """Send an event: one that was made, or one of these parts. It acts at once, and may be awaited, like `write`.

        Raises what `ServerSentEvent` and `write` raise.
        """
        if not isinstance(data, ServerSentEvent):
            data = ServerSentEvent(data, event=event, id=id, retry=retry)
        elif not (event is None and id is None and retry is None):
            raise TypeError("event, id and retry belong into the ServerSentEvent that is given")
        return self.write(data.encode())

    async def prepare(self, request: RequestLike) -> StreamWriter:
        """Send the head, and begin with heartbeats. See `StreamResponse.prepare`."""
        writer = await super().prepare(request)
        if self.prepared and self._timer is None and self._heartbeat is not None:
            self._written_at = writer.loop.time()
            self._timer = writer.loop.call_later(self._heartbeat, self._beat, self._heartbeat)
        return writer

    def write(self, data: BytesLike) -> Awaitable[None]:
        """Send octets of the stream as they are. See `StreamResponse.write`."""
        waiting = super().write(data)
        if self._writer is not None:
            self._written_at = self._writer.loop.time()
        return waiting

    def write_eof(self, data: BytesLike = b"") -> Awaitable[None]:
        """End the stream, after `data`. See `StreamResponse.write_eof`."""
        self._end_heartbeat()
        return super().write_eof(data)

    def finish(self, request: RequestLike) -> Awaitable[None]:
        """Send to `request` whatever of this response was not sent yet; for those who called the handler."""
        return super().finish(request) if self._events is None else self._send_events(self._events, request)

    async def _send_events(self, events: _Events, request: RequestLike) -> None:
        if self._writer is not request.writer:
            self._check_free()
        try:
            await self.prepare(request)
            if self._has_content():
                with Interruption(request.writer, stops=True):
                    async for event in events:
                        await self.send(event)
        finally:
            self._end_heartbeat()
            await close_source(events)
        await self.write_eof()

    def _has_content(self) -> bool:
        return self._framing is not None and self._framing.kind is not BodyKind.NONE

    # -- by the handler ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> EventSourceResponse:
        """Prepare, and from now on end the block when the client goes or the server stops.

        Raises RuntimeError without a request, ConnectionResetError if the client is gone.
        """
        request = self._to_answer or self._request
        if request is None or self._events is not None:
            raise RuntimeError("`async with` takes EventSourceResponse(request=request), without events")
        writer = await self.prepare(request)
        self._interruption = Interruption(writer, stops=True)
        self._interruption.__enter__()
        if not self._has_content():
            writer.loop.call_soon(self._interruption.stop)  # HEAD: nobody will read an event
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End the stream, also after a stop of the server. A client that is gone is a ConnectionResetError."""
        self._end_heartbeat()
        assert self._interruption is not None, "__aenter__ has made it"
        is_stopped = self._interruption.__exit__(kind, error, traceback)
        if kind is None or is_stopped:
            await self.write_eof()
        return is_stopped

    # -- heartbeat -----------------------------------------------------------------------------------------------------

    def _beat(self, interval: float) -> None:
        """Send a comment if nothing was sent for `interval` seconds and the client takes what it gets; look again."""
        writer = self._writer
        if writer is None or writer.finished or writer.transport is None:
            return
        due = self._written_at + interval
        now = writer.loop.time()
        if now >= due:
            due = now + interval
            if not writer.writing_paused:
                with contextlib.suppress(ConnectionResetError):
                    self.write(_HEARTBEAT)
        self._timer = writer.loop.call_at(due, self._beat, interval)

    def _end_heartbeat(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
