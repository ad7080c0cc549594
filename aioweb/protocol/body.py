"""Readers of message content: each takes what the receive buffer holds and gives the next event or NEED_DATA.

A reader is made for one message and thrown away after its EndOfMessage. Chunks that arrived together leave together as
one Data event: a peer that sends a megabyte in chunks of one octet costs us one event per read, not a million.
"""

from __future__ import annotations

from typing import Final, Protocol

from aioweb.protocol.errors import BadChunk, ContentTooLarge, ProtocolError
from aioweb.protocol.events import NEED_DATA, Data, EndOfMessage, RawFields, RequestHead, Wait
from aioweb.protocol.grammar import BAD_OCTET, CHUNK_LINE, NEXT_CHUNK
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

_END: Final = EndOfMessage()


class BodyReader(Protocol):
    """What the connection needs of a reader."""

    remaining: int
    """Octets of content that are known to follow what was read: of chunked content those of the chunk."""

    def read(self, buffer: bytes | bytearray) -> tuple[Data | EndOfMessage | Wait, int]:
        """The next event, or NEED_DATA, and how many octets at the front of `buffer` it has taken."""


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

    def read(self, buffer: bytes | bytearray) -> tuple[Data | EndOfMessage | Wait, int]:
        """See BodyReader. Bytes that are content from end to end are passed on, not copied."""
        if not self.remaining:
            return _END, 0
        if not buffer:
            return NEED_DATA, 0
        size = min(len(buffer), self.remaining)
        self.remaining -= size
        return Data(bytes(buffer if size == len(buffer) else buffer[:size])), size


class ChunkedReader:
    """Content in the chunked coding (RFC 9112 section 7.1).

    The size line, the octets of a chunk with the CRLF behind them, and the trailer section are three steps that follow
    each other; `read` runs them until one of them takes nothing.
    """

    __slots__ = ("_checked", "_error", "_extensions", "_in_chunk", "_limits", "_trailers", "remaining")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_chunk = False
        self.remaining = 0
        self._checked = 0
        self._extensions = 0
        self._trailers: LineScan | None = None
        self._error: ProtocolError | None = None

    def read(self, buffer: bytes | bytearray) -> tuple[Data | EndOfMessage | Wait, int]:
        """See BodyReader. Raises BadChunk, ContentTooLarge or BadField."""
        if self._error is not None:
            raise self._error
        parts: list[bytes] = []
        at, taken = 0, -1
        try:
            while at > taken and self._trailers is None:
                taken, at = at, self._read_chunk(buffer, at, parts) if self._in_chunk else self._read_size(buffer, at)
        except ProtocolError as error:
            # What came before the error is good content, however it was cut: the error comes with the next call.
            self._error = error
            if not parts:
                raise
        if parts:
            return Data(parts[0] if len(parts) == 1 else b"".join(parts)), at
        if self._trailers is None:
            return NEED_DATA, at
        return self._read_trailers(buffer, at, self._trailers)

    def _read_size(self, buffer: bytes | bytearray, at: int) -> int:
        """Take a chunk-size line; returns where the next step begins: at `at` if the end of the line is not here."""
        limit = self._limits.chunk_line
        end = buffer.find(b"\r\n", at + self._checked)
        line = CHUNK_LINE.fullmatch(buffer, at, end) if 0 <= end <= at + limit else None
        if line is None:
            self._check_size(buffer, at, end)
            return at
        size, extensions = line.groups()
        self._extensions += len(extensions)
        if self._extensions > self._limits.chunk_extensions:
            raise ContentTooLarge(f"more than {self._limits.chunk_extensions} bytes of chunk extensions")
        self.remaining = int(size, 16)
        self._checked = 0
        if self.remaining:
            self._in_chunk = True
        else:
            self._trailers = LineScan(section_start=0)
        return end + 2

    def _check_size(self, buffer: bytes | bytearray, at: int, end: int) -> None:
        """Raise the error of a chunk-size line that is none, or cannot become one; `end` is -1 if it is not here."""
        # A CR that came last may be the first half of the end of the line.
        stop = end if end >= 0 else max(at, len(buffer) - buffer.endswith(b"\r"))
        limit = self._limits.chunk_line
        bad = BAD_OCTET.search(buffer, at + self._checked, min(stop, at + limit))
        if bad is not None:
            raise BadChunk(f"octet 0x{buffer[bad.start()]:02x} in a chunk-size line")
        if stop - at > limit:
            raise ContentTooLarge(f"a chunk-size line is longer than {limit} bytes")
        if end >= 0:
            raise BadChunk("a chunk-size line is not 1 to 16 hexadecimal digits and chunk extensions")
        self._checked = stop - at

    def _read_chunk(self, buffer: bytes | bytearray, at: int, parts: list[bytes]) -> int:
        """Take octets of a chunk and then its CRLF; returns where the next step begins, `at` if they are not here."""
        if self.remaining:
            end = min(len(buffer), at + self.remaining)
            if end > at:
                parts.append(bytes(buffer[at:end]))
            self.remaining -= end - at
            return end
        if self._limits.chunk_line >= 16:
            at = _read_more_chunks(buffer, at, parts)
        # Any two octets once passed for this CRLF in h11 (CVE-2025-43859).
        if buffer.startswith(b"\r\n", at):
            self._in_chunk = False
            return at + 2
        if not b"\r\n".startswith(buffer[at : at + 2]):
            raise BadChunk("chunk data is not followed by CRLF")
        return at

    def _read_trailers(self, buffer: bytes | bytearray, at: int, scan: LineScan) -> tuple[EndOfMessage | Wait, int]:
        if not scan.checked and buffer.startswith(b"\r\n", at):
            return _END, at + 2
        # A scan counts from the begin of its section, which is at the front of the buffer from the next call on.
        section = buffer[at:] if at else buffer
        check_lines(section, scan, self._limits, self._limits.trailers)
        if not scan.complete:
            return NEED_DATA, at
        trailers = _read_fields(bytes(section[: scan.line_start]))
        return EndOfMessage(trailers) if trailers else _END, at + scan.line_start


def _read_more_chunks(buffer: bytes | bytearray, at: int, parts: list[bytes]) -> int:
    """Take the chunks that are here as a whole, each with the CRLF in front of it; returns where the next CRLF is.

    It does by one match what the steps of a ChunkedReader do by many calls: a peer that sends a chunk for each octet
    (CVE-2025-69229) is to cost little more than others. Everything unusual is left to the steps: extensions, the last
    chunk, what has not arrived, and what is wrong.
    """
    while True:
        begin = at
        if bytes(buffer[at : at + 5]) in _SMALL_SIZES:
            at += _read_small_chunks(bytes(buffer[at : at + _WINDOW]), parts)
        if at == begin:
            line = NEXT_CHUNK.match(buffer, at)
            if line is None:
                return at
            start = line.end()
            end = start + int(line[1], 16)
            if not start < end <= len(buffer):
                return at
            parts.append(bytes(buffer[start:end]))
            at = end


_SMALL_SIZES: Final = {f"\r\n{size:{form}}\r\n".encode(): size for size in range(1, 16) for form in "xX"}
"""What stands in front of a chunk of 1 to 15 octets, behind another chunk, and that number."""

_WINDOW: Final = 4096


def _read_small_chunks(window: bytes, parts: list[bytes]) -> int:
    """The same for chunks of one digit, by one look-up each; returns the octets taken."""
    at = 0
    while size := _SMALL_SIZES.get(window[at : at + 5]):
        end = at + 5 + size
        if end > len(window):
            break
        parts.append(window[at + 5 : end])
        at = end
    return at


def _read_fields(raw: bytes) -> RawFields:
    partitions = [line.partition(b":") for line in raw.split(b"\r\n") if line]
    return tuple((name, value.strip(b" \t")) for name, _, value in partitions if name.lower() not in FORBIDDEN_TRAILERS)
