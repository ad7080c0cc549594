"""What a handler gives back: `Response` with its content at hand, `StreamResponse` whose content follows in pieces.

A response is configured (responsehead.py), then prepared: its head is decided and sent; then ended. "Started?" and
"finished?" are questions to the writer.

The usual response is undecorated: no header but Content-Type, no cookie, no hook, no method overridden. `finish` sends
it in one `writer.send`, and neither headers nor cookies nor state nor a coroutine are built.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from aioweb import hdrs
from aioweb.protocol.encode import REASONS
from aioweb.protocol.fields import OCTET_STREAM
from aioweb.server.flow import DRAINED
from aioweb.server.writer import StreamWriter
from aioweb.web.compat import ResponseAliases
from aioweb.web.responsehead import (
    HeadersLike,
    ResponseHead,
    ResponseHeaders,
    SentHeaders,
    encode_content_type,
    join_content_type,
)
from aioweb.web.state import StateMapping

BytesLike = bytes | bytearray | memoryview
"""Content that may be written."""

_TEXT = "text/plain; charset=utf-8"
_NOT_GIVEN: Any = object()


class RequestLike(Protocol):
    """What a response asks of the request that it answers."""

    @property
    def writer(self) -> StreamWriter:
        """Where the response goes; one for each request."""

    @property
    def response_prepare_hooks(self) -> Sequence[Callable[[Any, Any], Awaitable[object]]]:
        """Called with request and response and awaited, before the head is sent."""

    @property
    def task(self) -> asyncio.Task[Any]:
        """The task that runs the handler."""


class StreamResponse(ResponseHead, StateMapping, ResponseAliases):
    """A response whose content the handler writes in pieces; the base of every response.

    Make one, set its headers, `await prepare(request)`, `await write(data)` as often as you like, and return it. It
    answers one request. As a mapping it holds state for middlewares and hooks, keyed by str or `ResponseKey`.

    Args:
        status: 100 to 999.
        reason: the reason phrase; None looks it up by the status.
        headers: the headers to begin with.

    Raises ValueError for an impossible status and for control characters in `reason`.
    """

    _request: RequestLike | None = None  # the one that is being answered
    _writer: StreamWriter | None = None  # where the head was sent last

    @property
    def req(self) -> RequestLike | None:
        """The request that is being answered; None before `prepare`."""
        return self._request

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """The task of the request that is being answered; None before `prepare`."""
        return None if self._request is None else self._request.task

    @property
    def body_length(self) -> int:
        """Bytes of content given to the connection so far."""
        return 0 if self._writer is None else self._writer.body_size

    def __repr__(self) -> str:
        head = None if self._writer is None else self._writer.head
        where = "not started" if head is None else f"{head.method} {head.path}"
        return f"<{type(self).__name__} {self.reason or self._status} {where}>"

    # -- sending -------------------------------------------------------------------------------------------------------

    async def prepare(self, request: RequestLike) -> StreamWriter:
        """Decide the head and send it: after this only content can follow. The hooks of the application run first.

        Doing it again for the same request is harmless. Returns the request's writer. The head leaves with the first
        content, or when the handler lets the loop go on.

        Raises RuntimeError for another request, ValueError for what a head may not hold, ConnectionResetError if the
        client is gone.
        """
        writer = request.writer
        if self._writer is writer or (self._request is not None and self._request.writer is writer):
            return writer
        self._check_free()
        self._request = request
        try:
            for hook in request.response_prepare_hooks:
                await hook(request, self)
            length = self._length(writer)
            fields = self._encode_head(writer, length != 0)
            self._framing = writer.send_head(
                self._status, self.reason, fields, length, chunked=self.chunked, close=self._wants_close()
            )
        except BaseException:
            self._request = None
            raise
        self._writer = writer
        if self._headers is not None:
            self._headers.__class__ = SentHeaders
        return writer

    def write(self, data: BytesLike) -> Awaitable[None]:
        """Write content. It acts at once; await the result to wait for a slow client, or drop it.

        Raises TypeError for anything but bytes, bytearray and memoryview, RuntimeError before `prepare`, after
        `write_eof` and beyond Content-Length, ConnectionResetError if the client is gone.
        """
        writer = self._writer
        if writer is None:
            raise RuntimeError("Cannot call write() before prepare()")
        _check_bytes(data)
        # A writer without transport is cut off; then the client is gone, whoever ended the response.
        if writer.finished and writer.transport is not None:
            raise RuntimeError("Cannot call write() after write_eof()")
        return writer.write(data) if data else DRAINED

    def write_eof(self, data: BytesLike = b"") -> Awaitable[None]:
        """End the content, after `data`. It acts at once, like `write`; a second time is harmless.

        Raises what `write` raises, and RuntimeError if less was written than Content-Length announces.
        """
        writer = self._writer
        if writer is None:
            raise RuntimeError("Cannot call write_eof() before prepare()")
        _check_bytes(data)
        return DRAINED if writer.finished else writer.write_eof(data)

    def drain(self) -> Awaitable[None]:
        """Wait until the client has taken most of what was written. Raises RuntimeError before `prepare`."""
        if self._writer is None:
            raise RuntimeError("Cannot call drain() before prepare()")
        return self._writer.drain()

    def finish(self, request: RequestLike) -> Awaitable[None]:
        """Send to `request` whatever of this response was not sent yet; for those who called the handler.

        It acts at once, unless the head is still to be prepared. Raises what `prepare` and `write_eof` raise.
        """
        if self._framing is not None and self._writer is request.writer:
            return self.write_eof()
        return self._finish(request)

    async def _finish(self, request: RequestLike) -> None:
        await self.prepare(request)
        await self.write_eof()

    def _check_free(self) -> None:
        """Refuse a second request: what is meant for one client must not reach another."""
        if self._request is not None:
            raise RuntimeError(f"{self!r} answers another request; make a response for each request")

    def _length(self, writer: StreamWriter) -> int | None:
        """The length of the content in bytes; None if only its end will tell."""
        declared = None if self._headers is None else self._headers.get(hdrs.CONTENT_LENGTH)
        if declared is None:
            return None
        length = self.content_length
        if length is None:
            raise ValueError(f"field Content-Length: {declared!r} is no number of bytes")
        return length

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle take: the response as it was before anybody was answered with it."""
        state = {name: value for name, value in vars(self).items() if name not in _BOUND}
        if self._headers is not None:
            state["_headers"] = ResponseHeaders(self._headers)
        return state


_BOUND = {"_request", "_framing", "_writer"}


class Response(StreamResponse):
    """A response whose content is at hand. Return it from a handler, that is all.

    When it has been sent completely it is as good as new: the same object may answer further requests, unless it sets
    cookies, which belong to one client.

    Args:
        body: the content as bytes, bytearray or memoryview; a str is taken as `text`.
        status, reason, headers: as for `StreamResponse`.
        text: the content as str, encoded by the charset; its default type is `text/plain; charset=utf-8`.
        content_type: the media type without parameters.
        charset: its charset parameter; utf-8 for text.

    Raises ValueError for body and text together, for content_type or charset beside a Content-Type in headers, and for
    parameters in content_type; TypeError for other kinds of body.
    """

    _body: bytes | None = None
    _sends_plainly = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note whether the class overrides a method that sends; then `finish` takes no short cut around it."""
        super().__init_subclass__(**kwargs)
        own = (cls.prepare, cls.write, cls.write_eof)
        cls._sends_plainly = own == (Response.prepare, Response.write, Response.write_eof)

    def __init__(
        self,
        *,
        body: BytesLike | str | None = None,
        status: int = 200,
        reason: str | None = None,
        text: str | None = None,
        headers: HeadersLike | None = None,
        content_type: str | None = None,
        charset: str | None = None,
    ) -> None:
        if status != 200 or reason is not None:
            self.set_status(status, reason)
        if body is not None:
            if text is not None:
                raise ValueError("body and text both give the content; give one of them")
            if isinstance(body, str):
                body, text = None, body
        if headers is not None:
            self._headers = ResponseHeaders(headers)
        is_typed = self._headers is not None and hdrs.CONTENT_TYPE in self._headers
        if text is not None and charset is None and not is_typed:
            # The usual case, written out.
            value = _TEXT if content_type is None else join_content_type(content_type, "utf-8")
            if self._headers is None:
                self._content_type = value
            else:
                self._headers[hdrs.CONTENT_TYPE] = value
            self._body = _encode_text(text, "utf-8")
            return
        if content_type is not None or charset is not None:
            if is_typed:
                raise ValueError("the type is in headers; content_type and charset must not be given as well")
            if content_type is None:
                content_type = OCTET_STREAM if text is None else "text/plain"
            self._set_type(join_content_type(content_type, charset))
        if text is not None:
            self._set_text(text)
        elif body is not None:
            self._body = _to_bytes(body)

    def _set_text(self, text: str) -> None:
        if self._full_type() is None:
            self._set_type(_TEXT)
        elif self.charset is None:
            self._set_type(f"{self._full_type()}; charset=utf-8")
        self._body = _encode_text(text, self.charset or "utf-8")

    # -- content -------------------------------------------------------------------------------------------------------

    @property
    def body(self) -> bytes | None:
        """The content; None without any. Setting takes what the constructor takes and drops a Content-Length.

        Setting raises TypeError for other kinds, RuntimeError after `prepare`.
        """
        return self._body

    @body.setter
    def body(self, body: BytesLike | str | None) -> None:
        if isinstance(body, str):
            self.text = body
            return
        self._check_changeable("content")
        self._body = None if body is None else _to_bytes(body)
        self._forget_length()

    @property
    def text(self) -> str | None:
        """The content decoded by its charset, or utf-8; None without any. Setting encodes it.

        Setting drops a Content-Length. It raises TypeError for anything but str and None, RuntimeError after `prepare`.
        """
        return None if self._body is None else self._body.decode(self.charset or "utf-8")

    @text.setter
    def text(self, text: str | None) -> None:
        self._check_changeable("content")
        if text is None:
            self._body = None
        else:
            if self._full_type() == OCTET_STREAM:
                self._set_type(None)
            self._set_text(text)
        self._forget_length()

    def _forget_length(self) -> None:
        if self._headers is not None:
            self._headers.popall(hdrs.CONTENT_LENGTH, None)

    @property
    def content_length(self) -> int | None:
        """Content-Length if it was set, else the length of the body in bytes; None with chunked encoding."""
        if self._headers is not None and (hdrs.CONTENT_LENGTH in self._headers or self.chunked):
            return super().content_length
        return 0 if self._body is None else len(self._body)

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        ResponseHead.content_length.fset(self, value)  # type: ignore[attr-defined]

    # -- sending -------------------------------------------------------------------------------------------------------

    def write_eof(self, data: BytesLike = b"") -> Awaitable[None]:
        """Send the body, or `data` in its place, and the end. A second time is harmless.

        Raises RuntimeError before `prepare`, ConnectionResetError if the client is gone.
        """
        return super().write_eof(data or self._body or b"")

    def finish(self, request: RequestLike) -> Awaitable[None]:
        """Send to `request` whatever of this response was not sent yet; for those who called the handler."""
        writer = request.writer
        if self._writer is writer:
            return self._end()
        if self._request is not None or request.response_prepare_hooks or not self._sends_plainly:
            return self._finish(request)
        body = self._body or b""
        if self._headers is None and self._cookies is None:
            fields = writer.default_fields
            if self._content_type is not None:
                fields = encode_content_type(self._content_type) + fields
            elif body:
                fields = self._encode_head(writer, True)
            close = self._close
        else:
            self._check_free()
            if self._length(writer) != len(body):
                return self._finish(request)
            fields = self._encode_head(writer, bool(body))
            close = self._wants_close()
        self._writer = writer
        reason = REASONS.get(self._status, "") if self._reason is None else self._reason
        return writer.send(self._status, reason, fields, body, close=close)

    async def _finish(self, request: RequestLike) -> None:
        await self.prepare(request)
        await self._end()

    def _end(self) -> Awaitable[None]:
        """End the content and let go of the request, ready for the next one."""
        try:
            return self.write_eof()
        finally:
            self._request = self._framing = None
            if self._headers is not None:
                self._headers.__class__ = ResponseHeaders

    def _check_free(self) -> None:
        super()._check_free()
        has_cookies = self._cookies or (self._headers is not None and hdrs.SET_COOKIE in self._headers)
        if has_cookies and self._writer is not None:
            raise RuntimeError(f"{self!r} sets cookies and answered another request; make a response for each request")

    def _length(self, writer: StreamWriter) -> int | None:
        if self._headers is None:
            return 0 if self._body is None else len(self._body)
        if self.chunked:
            return None
        length = 0 if self._body is None else len(self._body)
        declared = super()._length(writer)
        if declared is None or declared == length:
            return length
        # RFC 9110 section 8.6: only HEAD and 304 announce a length that differs from what they carry.
        if writer.head.method != "HEAD" and self._status != 304:
            raise RuntimeError(f"Content-Length says {declared} bytes, but the body has {length}")
        return declared


def json_response(
    data: Any = _NOT_GIVEN,
    *,
    text: str | None = None,
    body: BytesLike | None = None,
    status: int = 200,
    reason: str | None = None,
    headers: HeadersLike | None = None,
    content_type: str = "application/json",
    dumps: Callable[[Any], str] = json.dumps,
) -> Response:
    """A `Response` of `data` as JSON, or of JSON that is at hand as `text` or `body`.

    `dumps` makes the text; the other arguments are those of `Response`. Raises ValueError for data beside text or body,
    and whatever `dumps` raises.
    """
    if data is not _NOT_GIVEN:
        if text is not None or body is not None:
            raise ValueError("data, text and body all give the content; give one of them")
        text = dumps(data)
    return Response(text=text, body=body, status=status, reason=reason, headers=headers, content_type=content_type)


def json_bytes_response(
    data: Any = _NOT_GIVEN,
    *,
    dumps: Callable[[Any], bytes],
    body: BytesLike | None = None,
    status: int = 200,
    reason: str | None = None,
    headers: HeadersLike | None = None,
    content_type: str = "application/json",
) -> Response:
    """`json_response` for a `dumps` that gives bytes, such as that of orjson. Raises ValueError for data and body."""
    if data is not _NOT_GIVEN:
        if body is not None:
            raise ValueError("data and body both give the content; give one of them")
        body = dumps(data)
    return Response(body=body, status=status, reason=reason, headers=headers, content_type=content_type)


def _check_bytes(data: object) -> None:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data must be bytes, bytearray or memoryview, not {type(data).__name__}")


def _to_bytes(body: object) -> bytes:
    """The content as bytes: what is mutable is copied, for its owner may change it before it has left."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"body must be bytes, bytearray, memoryview or str, not {type(body).__name__}")


def _encode_text(text: object, charset: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    return text.encode(charset)
