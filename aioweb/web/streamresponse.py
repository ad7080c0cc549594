"""A response whose content follows its head in pieces; the base of every response.

A response is configured (responsehead.py), then prepared: its head is decided and sent; then ended. "Started?" and
"finished?" are questions to the writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from multidict import CIMultiDict

from aioweb import hdrs
from aioweb.protocol.encode import encode_last_chunk
from aioweb.protocol.events import HttpVersion10
from aioweb.protocol.framing import BodyKind
from aioweb.server.flow import DRAINED
from aioweb.server.writer import StreamWriter
from aioweb.web.compat import ResponseAliases
from aioweb.web.compression import MINIMUM_SIZE, CodedWriter, Compression, ContentCoding, mark_encoded
from aioweb.web.responsehead import ResponseHead, ResponseHeaders, SentHeaders
from aioweb.web.state import StateMapping

BytesLike = bytes | bytearray | memoryview
"""Content that may be written."""


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
    _trailers: CIMultiDict[str] | None = None
    _sends_plainly = True  # nothing forbids a response with its content at hand to leave in one step
    _compression: Compression | None = None  # what is asked for
    _coding: str | None = None  # what came of it when the head was sent last
    _coder: CodedWriter | None = None  # in place of _writer for content that is written

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

    # -- compression ---------------------------------------------------------------------------------------------------

    @property
    def compression(self) -> bool:
        """`enable_compression` was called."""
        return self._compression is not None

    def enable_compression(
        self,
        force: ContentCoding | bool | str | None = None,
        strategy: int | None = None,
        *,
        minimum_size: int = MINIMUM_SIZE,
        codings: Iterable[ContentCoding | str] | None = None,
    ) -> None:
        """Let the content be compressed on its way, by a coding that the client accepts (RFC 9110 section 12.5.3).

        Nothing happens to content that is small or compressed already by its type, to responses with a
        Content-Encoding, a Content-Range or a digest, to 204, 206 and 304, and under `Cache-Control: no-transform`.
        Else Vary tells of the choice, and for a coding Content-Length is that of the encoded content (a stream has
        none), and a strong ETag becomes a weak one. What is written to a stream arrives when it is written.

        Args:
            force: this coding, whatever the client accepts and the content is; `ContentCoding.identity` leaves the
                response as it is, also where a middleware would compress it. True is deflate, as before aiohttp 0.17.
            strategy: of zlib, for gzip and deflate.
            minimum_size: bytes; smaller content stays as it is.
            codings: what the client may choose from, best first; by default zstd, br, gzip, deflate, as far as their
                packages are there.

        Raises ValueError for a coding that is unknown or not available, RuntimeError after `prepare`.
        """
        self._check_changeable("coding")
        self._compression = Compression(force=force, strategy=strategy, minimum_size=minimum_size, codings=codings)
        self._sends_plainly = False

    async def _begin_coding(self, compression: Compression, writer: StreamWriter) -> None:
        """Choose the coding of a stream, and say so in the head."""
        coding = self._choose_coding(compression, writer, self._length(writer))
        if coding is not None:
            self._set_coding(coding)
            if writer.head.method != "HEAD":
                self._coder = CodedWriter(compression.make_encoder(coding, stream=True), writer)

    def _choose_coding(self, compression: Compression, writer: StreamWriter, size: int | None) -> str | None:
        if self._coding is not None:  # that of another client, whom this response answered before
            self.headers.popall(hdrs.CONTENT_ENCODING, None)
            self._coding = self._coder = None
        return compression.choose(writer.head, self._status, self.headers, size)

    def _set_coding(self, coding: str) -> None:
        self._coding = coding
        mark_encoded(self.headers, coding)

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
            if self._compression is not None:
                await self._begin_coding(self._compression, writer)
            if self._trailers and writer.head.version is not HttpVersion10:
                self._announce_trailers(self._trailers)
            length = self._length(writer)
            fields = self._encode_head(writer, length != 0)
            chunked = self.chunked or bool(self._trailers)
            self._framing = writer.send_head(
                self._status, self.reason, fields, length, chunked=chunked, close=self._wants_close()
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
        if type(data) is not bytes:
            _check_bytes(data)
        if not data and not writer.finished:
            return DRAINED
        if self._coder is not None:
            return self._coder.write(data)
        try:
            return writer.write(data)
        except RuntimeError:
            # A writer without transport is cut off; then the client is gone, whoever ended the response.
            if writer.finished and writer.transport is not None:
                raise RuntimeError("Cannot call write() after write_eof()") from None
            raise

    def writelines(self, pieces: Iterable[BytesLike]) -> Awaitable[None]:
        """Write several pieces of content, each as `write` does."""
        waiting = self.write(b"")
        for piece in pieces:
            waiting = self.write(piece)
        return waiting

    def write_eof(self, data: BytesLike = b"") -> Awaitable[None]:
        """End the content, after `data`, with the trailers. It acts at once, like `write`; a second time is harmless.

        Raises what `write` raises, RuntimeError if less was written than Content-Length announces, and ValueError for
        what no trailer may be.
        """
        writer = self._writer
        if writer is None:
            raise RuntimeError("Cannot call write_eof() before prepare()")
        _check_bytes(data)
        if writer.finished:
            return DRAINED
        if self._coder is not None:
            return self._coder.write_eof(data, self._trailers.items() if self._trailers else ())
        return writer.write_eof(data, self._trailers.items()) if self._trailers else writer.write_eof(data)

    @property
    def trailers(self) -> CIMultiDict[str]:
        """Fields that are sent behind the content (RFC 9110 section 6.5), to set until its end.

        Only chunked content has trailers, so a response that has some before `prepare` is chunked, and announces their
        names; a `Trailer` among the headers announces those that are set later. Nothing is sent to HTTP/1.0, and where
        there is no content. What concerns framing, routing, authentication or the kind of the content is refused when
        it would be sent (RFC 9110 section 6.5.1).

        Raises RuntimeError if the head of this response has announced a length instead.
        """
        if self._trailers is None:
            framing, writer = self._framing, self._writer
            has_length = framing is not None and framing.kind is BodyKind.LENGTH
            if has_length and writer is not None and writer.head.version is not HttpVersion10:
                raise RuntimeError("a length was announced: set trailers before prepare(), or enable chunked encoding")
            self._trailers = CIMultiDict()
            self._sends_plainly = False
        return self._trailers

    def _announce_trailers(self, trailers: CIMultiDict[str]) -> None:
        """Check them, as long as an error can be answered, and name them in the head (RFC 9110 section 6.6.2)."""
        encode_last_chunk(trailers.items())
        if hdrs.CONTENT_LENGTH in self.headers:
            raise RuntimeError("Content-Length is set: it and trailers exclude each other")
        self.headers.setdefault(hdrs.TRAILER, ", ".join(dict.fromkeys(trailers)))

    def drain(self) -> Awaitable[None]:
        """Wait until the client has taken most of what was written. Raises RuntimeError before `prepare`."""
        if self._writer is None:
            raise RuntimeError("Cannot call drain() before prepare()")
        return self._writer.drain() if self._coder is None else self._coder.drain()

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


_BOUND = {"_request", "_framing", "_writer", "_coder", "_encoded"}


def _check_bytes(data: object) -> None:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data must be bytes, bytearray or memoryview, not {type(data).__name__}")
