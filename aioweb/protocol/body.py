"""Readers of message content: each takes what the receive buffer holds and gives the next event or NEED_DATA.

A reader is made for one message and thrown away after its EndOfMessage. Chunks that arrived together leave together as
one Data event: a peer that sends a megabyte in chunks of one octet costs us one event per read, not a million.
"""

from __future__ import annotations

from typing import Protocol

from aioweb.protocol.errors import BadChunk, ContentTooLarge, ProtocolError
from aioweb.protocol.events import NEED_DATA, Data, EndOfMessage, RawFields, RequestHead, Wait
from aioweb.protocol.grammar import BAD_OCTET, CHUNK_LINE
from aioweb.protocol.head import LineScan, check_lines
from aioweb.protocol.limits import Limits

FORBIDDEN_TRAILERS = frozenset(
    # RFC 9110 section 6.5.1: framing, routing, request modifiers, authentication, content description; and what a
    # bridge or an application would take for a fact about the request if it appeared late.
    b"transfer-encoding content-length host connection keep-alive te trailer upgrade proxy-connection "
    b"cache-control expect max-forwards pragma range if-match if-none-match if-modified-since if-unmodified-since "
    b"if-range authorization proxy-authorization proxy-authenticate www-authenticate cookie set-cookie "
    b"content-encoding content-type content-range content-disposition content-location origin forwarded "
    b"x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-prefix x-real-ip".split()
)
"""Fields that are dropped from a trailer section, in lower case."""


class BodyReader(Protocol):
    """What the connection needs of a reader."""

    def read(self, buffer: bytearray) -> Data | EndOfMessage | Wait:
        """Take octets from the front of `buffer` and return the next event, or NEED_DATA."""


def make_reader(head: RequestHead, limits: Limits) -> BodyReader:
    """The reader for the content of a message whose head has `has_body`."""
    if head.fields.chunked:
        return ChunkedReader(limits)
    return LengthReader(head.fields.content_length or 0)


class LengthReader:
    """Content that Content-Length delimits (RFC 9112 section 6.2)."""

    __slots__ = ("remaining",)

    def __init__(self, length: int) -> None:
        self.remaining = length

    def read(self, buffer: bytearray) -> Data | EndOfMessage | Wait:
        """See BodyReader."""
        if not self.remaining:
            return EndOfMessage()
        if not buffer:
            return NEED_DATA
        data = _take(buffer, self.remaining)
        self.remaining -= len(data)
        return Data(data)


class ChunkedReader:
    """Content in the chunked coding (RFC 9112 section 7.1).

    The size line, the octets of a chunk with the CRLF behind them, and the trailer section are three steps that follow
    each other; `read` runs them until the buffer is used up.
    """

    __slots__ = ("_checked", "_error", "_extensions", "_in_chunk", "_limits", "_remaining", "_trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_chunk = False
        self._remaining = 0
        self._checked = 0
        self._extensions = 0
        self._trailers: LineScan | None = None
        self._error: ProtocolError | None = None

    def read(self, buffer: bytearray) -> Data | EndOfMessage | Wait:
        """See BodyReader. Raises BadChunk, ContentTooLarge or BadField."""
        if self._error is not None:
            raise self._error
        parts: list[bytes] = []
        try:
            while self._trailers is None:
                if not (self._read_chunk(buffer, parts) if self._in_chunk else self._read_size(buffer)):
                    break
        except ProtocolError as error:
            # What came before the error is good content, however it was cut: the error comes with the next call.
            self._error = error
            if not parts:
                raise
        if parts:
            return Data(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._trailers is None:
            return NEED_DATA
        return self._read_trailers(buffer, self._trailers)

    def _read_size(self, buffer: bytearray) -> bool:
        """Take a chunk-size line; False if its end has not arrived."""
        end = buffer.find(b"\r\n", self._checked)
        stop = end if end >= 0 else len(buffer) - buffer.endswith(b"\r")
        limit = self._limits.chunk_line
        bad = BAD_OCTET.search(buffer, self._checked, min(stop, limit))
        if bad is not None:
            raise BadChunk(f"octet 0x{buffer[bad.start()]:02x} in a chunk-size line")
        if stop > limit:
            raise ContentTooLarge(f"a chunk-size line is longer than {limit} bytes")
        if end < 0:
            self._checked = stop
            return False
        line = CHUNK_LINE.fullmatch(buffer, 0, end)
        if line is None:
            raise BadChunk("a chunk-size line is not 1 to 16 hexadecimal digits and chunk extensions")
        self._remaining = int(line[1], 16)
        self._extensions += len(line[2])
        if self._extensions > self._limits.chunk_extensions:
            raise ContentTooLarge(f"more than {self._limits.chunk_extensions} bytes of chunk extensions")
        del buffer[: end + 2]
        self._checked = 0
        if self._remaining:
            self._in_chunk = True
        else:
            self._trailers = LineScan(section_start=0)
        return True

    def _read_chunk(self, buffer: bytearray, parts: list[bytes]) -> bool:
        """Take octets of a chunk and then its CRLF; False if they have not all arrived."""
        if self._remaining:
            if not buffer:
                return False
            data = _take(buffer, self._remaining)
            self._remaining -= len(data)
            parts.append(data)
            if self._remaining:
                return False
        # Any two octets once passed for this CRLF in h11 (CVE-2025-43859).
        if not buffer.startswith(b"\r\n"):
            if buffer and not b"\r\n".startswith(buffer[:2]):
                raise BadChunk("chunk data is not followed by CRLF")
            return False
        del buffer[:2]
        self._in_chunk = False
        return True

    def _read_trailers(self, buffer: bytearray, scan: LineScan) -> EndOfMessage | Wait:
        check_lines(buffer, scan, self._limits, self._limits.trailers)
        if not scan.complete:
            return NEED_DATA
        trailers = _read_fields(bytes(buffer[: scan.line_start]))
        del buffer[: scan.line_start]
        return EndOfMessage(trailers)


def _read_fields(raw: bytes) -> RawFields:
    partitions = [line.partition(b":") for line in raw.split(b"\r\n") if line]
    return tuple((name, value.strip(b" \t")) for name, _, value in partitions if name.lower() not in FORBIDDEN_TRAILERS)


def _take(buffer: bytearray, size: int) -> bytes:
    """Remove up to `size` octets from the front of `buffer` and return them."""
    if len(buffer) <= size:
        data = bytes(buffer)
        buffer.clear()
    else:
        with memoryview(buffer) as view:
            data = bytes(view[:size])
        del buffer[:size]
    return data
