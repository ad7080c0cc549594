"""A response that knows its content: what handlers usually return.

Usually the content is at hand, and the response undecorated: no header but Content-Type, no cookie, no hook, no method
overridden. `finish` sends it in one `writer.send`, and neither headers nor cookies nor state nor a coroutine are built.
Content that is made while it is sent (bodies.py) takes the long way, piece by piece.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from copy import copy
from typing import Any

from aioweb import hdrs
from aioweb.protocol.encode import REASONS
from aioweb.protocol.fields import OCTET_STREAM
from aioweb.protocol.framing import BodyKind
from aioweb.server.writer import StreamWriter
from aioweb.web.bodies import BodySource, Interruption, StreamBody, as_stream_body
from aioweb.web.compression import EXECUTOR_SIZE, Compression
from aioweb.web.responsehead import (
    WITHOUT_CONTENT,
    HeadersLike,
    ResponseHeaders,
    encode_content_type,
    join_content_type,
)
from aioweb.web.streamresponse import BytesLike, RequestLike, StreamResponse

_TEXT = "text/plain; charset=utf-8"
_NOT_GIVEN: Any = object()


class Response(StreamResponse):
    """A response that knows its content. Return it from a handler, that is all.

    The same object may be returned for further requests, also while it still answers another one, unless it sets
    cookies, which belong to one client, was prepared for that one, or its content is made while it is sent.

    Such content is made as fast as the client takes it. It has a Content-Length if its size is known, else it goes out
    in chunks, to HTTP/1.0 until the connection closes. If it fails before its first piece, the answer is a 500; if it
    fails later, the connection is cut, so that nobody takes a part for the whole. When the client goes it is ended, by
    a cancellation where it waits. It is closed in any case.

    Args:
        body: the content as bytes, bytearray or memoryview, or what is left of an io.BytesIO; a str is taken as `text`,
            and so is an io.StringIO. Or what makes the content, of which `as_stream_body` has the list: an async
            generator of bytes or of str, a binary file.
        status, reason, headers: as for `StreamResponse`.
        text: the content as str, encoded by the charset; its default type is `text/plain; charset=utf-8`.
        content_type: the media type without parameters.
        charset: its charset parameter; utf-8 for text.
        zlib_executor_size: bytes of content above which `enable_compression` compresses it in a thread.
        zlib_executor: the executor that has the thread; None is that of the loop.

    Raises ValueError for body and text together, for content_type or charset beside a Content-Type in headers, and for
    parameters in content_type; TypeError for other kinds of body.
    """

    _body: bytes | None = None
    _stream: StreamBody | None = None  # in place of _body
    _encoded: bytes | None = None  # the body under its coding, as long as it is sent
    _executor_size = EXECUTOR_SIZE
    _executor: Executor | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note whether the class overrides a method that sends; then `finish` takes no short cut around it."""
        super().__init_subclass__(**kwargs)
        own = (cls.prepare, cls.write, cls.write_eof)
        cls._sends_plainly = own == (Response.prepare, Response.write, Response.write_eof)

    def __init__(
        self,
        *,
        body: BytesLike | str | BodySource | None = None,
        status: int = 200,
        reason: str | None = None,
        text: str | None = None,
        headers: HeadersLike | None = None,
        content_type: str | None = None,
        charset: str | None = None,
        zlib_executor_size: int | None = None,
        zlib_executor: Executor | None = None,
    ) -> None:
        if zlib_executor_size is not None:
            self._executor_size = zlib_executor_size
        if zlib_executor is not None:
            self._executor = zlib_executor
        if status != 200 or reason is not None:
            self.set_status(status, reason)
        if body is not None:
            if text is not None:
                raise ValueError("body and text both give the content; give one of them")
            if isinstance(body, str):
                body, text = None, body
            elif isinstance(body, io.StringIO):
                text, body = body.read(), None
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
            self._body = text.encode() if type(text) is str else _encode_text(text, "utf-8")
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
            self._set_body(body)

    def _set_body(self, body: object) -> None:
        self._body, self._stream = _to_bytes(body), None
        if self._body is None:
            self._stream = as_stream_body(body)
            self._sends_plainly = False
            for name, value in self._stream.headers.items():
                self.headers.setdefault(name, value)

    def _set_text(self, text: str) -> None:
        self._set_text_type()
        self._body, self._stream = _encode_text(text, self.charset or "utf-8"), None

    def _set_text_type(self) -> None:
        if self._full_type() is None:
            self._set_type(_TEXT)
        elif self.charset is None:
            self._set_type(f"{self._full_type()}; charset=utf-8")

    # -- content -------------------------------------------------------------------------------------------------------

    @property
    def body(self) -> bytes | StreamBody | None:
        """The content: bytes, or the StreamBody that makes them; None without any.

        Setting takes what the constructor takes, and drops a Content-Length. It raises TypeError for other kinds,
        RuntimeError after `prepare`.
        """
        return self._body if self._stream is None else self._stream

    @body.setter
    def body(self, body: BytesLike | str | BodySource | None) -> None:
        if isinstance(body, str | io.StringIO):
            self.text = body if isinstance(body, str) else body.read()
            return
        self._check_changeable("content")
        if body is None:
            self._body = self._stream = None
        else:
            self._set_body(body)
        self._forget_length()

    @property
    def text(self) -> str | None:
        """The content decoded by its charset, or utf-8; None without any, or if it is made later. Setting encodes it.

        Setting drops a Content-Length. It raises TypeError for anything but str and None, RuntimeError after `prepare`.
        """
        return None if self._body is None else self._body.decode(self.charset or "utf-8")

    @text.setter
    def text(self, text: str | None) -> None:
        self._check_changeable("content")
        if text is None:
            self._body = self._stream = None
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
        """Content-Length if it was set, else the length of the body in bytes; None if it is not known or chunked."""
        if self._headers is not None and (hdrs.CONTENT_LENGTH in self._headers or self.chunked):
            return super().content_length
        return self._size()

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        StreamResponse.content_length.fset(self, value)  # type: ignore[attr-defined]

    def _size(self) -> int | None:
        if self._stream is not None:
            return self._stream.size if self._coding is None else None
        body = self._body if self._encoded is None else self._encoded
        return 0 if body is None else len(body)

    # -- sending -------------------------------------------------------------------------------------------------------

    async def _begin_coding(self, compression: Compression, writer: StreamWriter) -> None:
        """Compress content that is at hand as a whole, so that its length can be told."""
        body, self._encoded = self._body, None
        if body is None:
            return await super()._begin_coding(compression, writer)
        coding = self._choose_coding(compression, writer, len(body))
        if coding is None:
            return
        if len(body) > self._executor_size:
            encoded = await writer.loop.run_in_executor(self._executor, compression.encode, coding, body)
        else:
            encoded = compression.encode(coding, body)
        if len(encoded) < len(body) or compression.force is not None:
            self._encoded = encoded
            self._set_coding(coding)

    def write_eof(self, data: BytesLike = b"") -> Awaitable[None]:
        """Send the body, or `data` in its place, and the end. A second time is harmless.

        It acts at once, unless the content is made while it is sent: then it must be awaited, and raises what the
        content raises. Raises RuntimeError before `prepare`, ConnectionResetError if the client is gone.
        """
        if self._stream is None or self._writer is None or self._writer.finished:
            return super().write_eof(data or (self._body if self._encoded is None else self._encoded) or b"")
        return self._send_stream(self._stream, self._writer, None)

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
        else:
            if self._says_framing():
                return self._finish(request)
            if self._writer is not None:
                self._check_for_all()
            fields = self._encode_head(writer, bool(body), says_framing=False)
        self._writer = writer
        reason = REASONS.get(self._status, "") if self._reason is None else self._reason
        return writer.send(self._status, reason, fields, body, close=self._close)

    async def _finish(self, request: RequestLike) -> None:
        if self._stream is not None:
            self._check_free()
            await self._send_stream(self._stream, request.writer, request)
            return
        response = self
        if self._request is not None and not self.prepared:  # hooks or compression for another client take a while
            self._check_for_all()
            response = copy(self)
        await response.prepare(request)
        await response._end()

    async def _send_stream(self, stream: StreamBody, writer: StreamWriter, request: RequestLike | None) -> None:
        """Send content while it is made; before it the head, if that was not sent: then `request` is given."""
        try:
            with Interruption(writer):
                is_wanted = writer.head.method != "HEAD" and self._status not in WITHOUT_CONTENT
                pieces = aiter(stream) if is_wanted else _nothing()
                # As long as there is no head a failure can be answered; and text is seen in time for its type.
                piece = await anext(pieces, b"")
                if request is not None:
                    if isinstance(piece, str):
                        self._set_text_type()
                    await self.prepare(request)
                await self._write_pieces(piece, pieces)
        finally:
            await stream.aclose()
        await super().write_eof()

    async def _write_pieces(self, first: bytes | str, rest: AsyncIterator[bytes | str]) -> None:
        if self._framing is None or self._framing.kind is BodyKind.NONE:
            return  # a hook may have made it a response without content
        charset = self.charset or "utf-8"
        # A block of a file is too much to compress on the loop.
        write = self.write if self._coder is None else self._coder.write_large
        await write(first.encode(charset) if isinstance(first, str) else first)
        async for piece in rest:
            await write(piece.encode(charset) if isinstance(piece, str) else piece)

    def _end(self) -> Awaitable[None]:
        """End the content and let go of the request, ready for the next one."""
        if self._stream is not None:
            return self.write_eof()
        try:
            return self.write_eof()
        finally:
            self._request = self._framing = self._encoded = None
            if self._headers is not None:
                self._headers.__class__ = ResponseHeaders

    def _check_free(self) -> None:
        super()._check_free()
        if self._writer is not None:
            self._check_for_all()

    def _check_for_all(self) -> None:
        """Refuse cookies: they were meant for the client that was answered before."""
        if self._cookies or (self._headers is not None and hdrs.SET_COOKIE in self._headers):
            raise RuntimeError(f"{self!r} sets cookies and answered another request; make a response for each request")

    def _length(self, writer: StreamWriter) -> int | None:
        length = self._size()
        if self._headers is None:
            return length
        if self.chunked:
            return None
        declared = super()._length(writer)
        if declared is None or declared == length:
            return length
        if length is None:
            return declared
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


def _to_bytes(body: object) -> bytes | None:
    """Content that is at hand, else None. What is mutable is copied: its owner may change it before it has left."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    return body.read() if isinstance(body, io.BytesIO) else None


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


def _encode_text(text: object, charset: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    return text.encode(charset)
