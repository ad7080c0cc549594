"""Content codings of responses: whether one is applied, which, and how a stream goes through it.

    Compression    what `enable_compression` asks for; chooses the coding of one response by its head and the client
    CodedWriter    the writer of a response whose content is encoded on its way

A coding changes what the head may say: Content-Length is that of the encoded content or none, a strong entity tag
becomes a weak one, and caches are told by Vary that there are several representations. What is encoded already, or is
a part of something, or must arrive as it is, stays as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from enum import Enum
from typing import Final

import attrs
from multidict import CIMultiDict

from aioweb import hdrs
from aioweb.protocol.coding import IDENTITY, ContentEncoder, available_codings, make_encoder, negotiate
from aioweb.protocol.events import RequestHead
from aioweb.protocol.fields import OCTET_STREAM, read_content_type
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.writer import StreamWriter
from aioweb.web.responsehead import WITHOUT_CONTENT

MINIMUM_SIZE: Final = 500
"""Bytes of content below which compressing gains nothing: it fits into one packet either way. starlette 500, Express
1,024, Django 200."""

EXECUTOR_SIZE: Final = 65536
"""Bytes of content above which it is compressed in a thread: so much takes half a millisecond."""

# What would have to be computed again, from content that is not at hand.
_UNTOUCHED = (hdrs.CONTENT_ENCODING, hdrs.CONTENT_RANGE, hdrs.CONTENT_MD5, hdrs.DIGEST, "Content-Digest", "Repr-Digest")

# Kinds of content that are compressed already, and the few of them that are not.
_PACKED_KINDS = ("image/", "video/", "audio/", "multipart/", "font/woff")
_PACKED_TYPES = frozenset({
    "application/font-woff",
    "application/gzip",
    "application/java-archive",
    "application/pdf",
    "application/vnd.android.package-archive",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-bzip",
    "application/x-bzip2",
    "application/x-gzip",
    "application/x-rar-compressed",
    "application/x-xz",
    "application/zip",
    "application/zstd",
})  # fmt: skip
_PACKED_FAMILIES = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.")
_PLAIN_IMAGES = frozenset({"image/bmp", "image/svg+xml", "image/vnd.microsoft.icon", "image/x-icon"})


class ContentCoding(Enum):
    """The codings that a response may have. `br` and `zstd` need the packages of the extra `speedups`."""

    zstd = "zstd"
    br = "br"
    gzip = "gzip"
    deflate = "deflate"
    identity = "identity"


def _read_force(force: ContentCoding | bool | str | None) -> str | None:
    if isinstance(force, bool):
        return ContentCoding.deflate.value if force else None
    return None if force is None else _check_coding(force)


def _read_codings(codings: Iterable[ContentCoding | str] | None) -> tuple[str, ...] | None:
    return None if codings is None else tuple(_check_coding(coding) for coding in codings)


def _check_coding(coding: ContentCoding | str) -> str:
    try:
        name: str = ContentCoding(coding).value
    except ValueError:
        known = ", ".join(known.value for known in ContentCoding)
        raise ValueError(f"a coding must be one of {known}, not {coding!r}") from None
    if name != IDENTITY and name not in available_codings():
        raise ValueError(f"the coding {name} needs a package: install aioweb[speedups]")
    return name


@attrs.frozen(kw_only=True)
class Compression:
    """What is asked for, by `enable_compression` or a middleware. Made once, it serves any number of responses.

    Args:
        force: this coding, whatever the client accepts and the content is; identity leaves the response as it is. None
            lets the client choose. True is deflate and False is None, as before aiohttp 0.17.
        strategy: of zlib (`zlib.Z_FILTERED` ...), for gzip and deflate.
        minimum_size: bytes; smaller content stays as it is.
        codings: what the client may choose from, best first; None is all that is available.

    Raises ValueError for a coding that is unknown or not available.
    """

    force: str | None = attrs.field(default=None, converter=_read_force)
    strategy: int | None = None
    minimum_size: int = MINIMUM_SIZE
    codings: tuple[str, ...] | None = attrs.field(default=None, converter=_read_codings)

    def choose(self, head: RequestHead, status: int, headers: CIMultiDict[str], size: int | None) -> str | None:
        """The coding of a response; None leaves it as it is. If others would get another one, Vary says so.

        Args:
            head: of the request.
            status, headers: of the response.
            size: of its content in bytes; None if that is not known yet.
        """
        if size == 0 or not _may_be_encoded(status, headers):
            return None
        if self.force is not None:
            return None if self.force == IDENTITY else self.force
        if (size is not None and size < self.minimum_size) or _is_packed(headers.get(hdrs.CONTENT_TYPE, OCTET_STREAM)):
            return None
        _add_vary(headers)
        accepted = head.fields.headers.getall(hdrs.ACCEPT_ENCODING, None)
        offered = available_codings() if self.codings is None else self.codings
        coding = negotiate(None if accepted is None else ",".join(accepted), offered)
        # RFC 9110 section 12.4.1: a client that accepts nothing of what there is gets the content plain.
        return None if coding == IDENTITY else coding

    def make_encoder(self, coding: str, *, stream: bool = False) -> ContentEncoder:
        """What applies the coding, to content at hand or to a stream."""
        return make_encoder(coding, stream=stream, strategy=self.strategy)

    def encode(self, coding: str, content: bytes) -> bytes:
        """Content that is at hand, under the coding. It takes a while and may be called in a thread."""
        return self.make_encoder(coding).finish(content)


def _may_be_encoded(status: int, headers: CIMultiDict[str]) -> bool:
    # A part (206) is one of the plain content; its strong entity tag says so.
    if status in WITHOUT_CONTENT or status == 206 or any(name in headers for name in _UNTOUCHED):
        return False
    # RFC 9111 section 5.2.2.6.
    return "no-transform" not in ",".join(headers.getall(hdrs.CACHE_CONTROL, ())).lower()


def _is_packed(content_type: str) -> bool:
    name = read_content_type(content_type).media_type
    if name.startswith(_PACKED_KINDS):
        return name not in _PLAIN_IMAGES
    return name in _PACKED_TYPES or name.startswith(_PACKED_FAMILIES) or name.endswith("+zip")


def _add_vary(headers: CIMultiDict[str]) -> None:
    """Say that the response depends on Accept-Encoding (RFC 9110 section 12.5.5), unless it says so already."""
    names = {name.strip().lower() for value in headers.getall(hdrs.VARY, ()) for name in value.split(",")}
    if not names & {"*", "accept-encoding"}:
        headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)


def mark_encoded(headers: CIMultiDict[str], coding: str) -> None:
    """Let the headers of a response tell of its coding, and of nothing that is true of the plain content only."""
    headers[hdrs.CONTENT_ENCODING] = coding
    headers.popall(hdrs.CONTENT_LENGTH, None)
    headers.popall(hdrs.ACCEPT_RANGES, None)
    # RFC 9110 section 8.8.3.3: two codings of one content must not share a strong entity tag.
    tag = headers.get(hdrs.ETAG, "")
    if tag.startswith('"'):
        headers[hdrs.ETAG] = f"W/{tag}"


class CodedWriter:
    """Writes the content of one response under a coding.

    What is written can be decoded by the client at the end of that turn of the loop: so events arrive at once, and
    pieces that are written without waiting in between are compressed as one.
    """

    __slots__ = ("_encoder", "_unflushed", "_writer")

    def __init__(self, encoder: ContentEncoder, writer: StreamWriter) -> None:
        self._encoder = encoder
        self._writer = writer
        self._unflushed = False  # something is, and a flush is on its way

    def write(self, data: bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send some content; see `StreamWriter.write`."""
        return self._put(self._encoder.encode(data))

    async def write_large(self, data: bytes | bytearray | memoryview) -> None:
        """Send some content that is compressed in a thread, if it is large. Nothing else may be written meanwhile."""
        if len(data) <= EXECUTOR_SIZE:
            await self.write(data)
            return
        self._unflushed = False  # nobody flushes the encoder in the middle
        await self._put(await self._writer.loop.run_in_executor(None, self._encoder.encode, data))

    def drain(self) -> Awaitable[None]:
        """Send everything that was written; the awaitable waits until the client has taken enough."""
        self._flush()
        return self._writer.drain()

    def write_eof(self, data: bytes | bytearray | memoryview, trailers: Iterable[tuple[str, str]]) -> Awaitable[None]:
        """Send the last content, if any, and the end."""
        self._unflushed = False
        return self._writer.write_eof(self._encoder.finish(data), trailers)

    def _put(self, octets: bytes) -> Awaitable[None]:
        if not self._unflushed:
            self._unflushed = True
            self._writer.loop.call_soon(self._flush_turn)
        return self._writer.write(octets)

    def _flush_turn(self) -> None:
        try:
            self._flush()
        except ClientDisconnectedError:
            pass  # the next write tells its caller

    def _flush(self) -> None:
        if self._unflushed and not self._writer.finished:
            self._unflushed = False
            self._writer.write(self._encoder.flush())
