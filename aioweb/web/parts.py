"""Parts of multipart content, as a handler reads them: in their order, one at a time, in bounded memory.

    async for part in await request.multipart():
        async for piece in part:
            ...

The octets are taken apart by `protocol.multipart`; here they are waited for. A reader pulls from a stream, and a part
pulls from its reader, so a part is a stream itself: a nested multipart is a reader over a part. Nothing is read ahead:
whoever reads slowly slows the client down.

What collects (`read`, `text`, `json`, `form`, `readline`, `decode`) is bounded by `Limits.client_max_size`, what
streams is not. What a client gets wrong is an HTTPException of the 400s.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from multidict import CIMultiDictProxy

from aioweb import hdrs
from aioweb.protocol import disposition
from aioweb.protocol.events import Data, Wait
from aioweb.protocol.fields import read_content_type
from aioweb.protocol.limits import Limits
from aioweb.protocol.multipart import (
    MultipartDecoder,
    MultipartError,
    MultipartEvent,
    PartBegin,
    read_boundary,
)
from aioweb.server.stream import StreamIterator
from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge
from aioweb.web.fieldview import FieldView
from aioweb.web.partcodings import PartDecoder, make_part_decoder, refuse
from aioweb.web.text import decode_text, find_codec, parse_form

_Self = TypeVar("_Self", bound="MultipartReader")

_DEFAULT_LIMITS: Final = Limits()
_PULLED: Final = 65536


class BodyPartReader(FieldView):
    """One part: its head, and its content as a stream. Made by a `MultipartReader`; lives until the next part is asked.

    `async for piece in part` gives the content as it comes, at any size, with its Content-Transfer-Encoding (base64,
    quoted-printable) and Content-Encoding (gzip ...) undone. `read`, `read_chunk` and `readline` give it as it was
    sent. After the next part was asked for this one is gone, and reading it is a RuntimeError.

    Args:
        headers: the fields of the part.
        reader: where its content comes from.
    """

    chunk_size = 8192
    """Bytes that `read_chunk` gives at most by default."""

    __slots__ = ("_at_end", "_chunk", "_decoder", "_disposition", "_headers", "_left", "_offset", "_reader")

    def __init__(self, headers: CIMultiDictProxy[str], reader: MultipartReader) -> None:
        self._headers = headers
        self._reader = reader
        value = headers.get(hdrs.CONTENT_DISPOSITION)
        self._disposition = None if value is None else disposition.read_disposition(value)
        self._chunk = b""
        self._offset = 0  # what of the chunk was read
        self._at_end = False
        self._left = False  # the reader went on
        self._decoder: PartDecoder | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r:.80}>"

    # -- the head --------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields of the part, read-only, by name in any case."""
        return self._headers

    @property
    def content_type(self) -> str:
        """`type/subtype` of Content-Type in lower case; text/plain without one (RFC 2046 section 5.1)."""
        value = self._headers.get(hdrs.CONTENT_TYPE)
        return "text/plain" if value is None else read_content_type(value).media_type

    @property
    def name(self) -> str | None:
        """The name of the field in a form; None without one."""
        return None if self._disposition is None else self._disposition.name

    @property
    def filename(self) -> str | None:
        """What the client calls the file, any path removed; None if it is no file. Never open a file by it."""
        return None if self._disposition is None else self._disposition.filename

    @property
    def safe_filename(self) -> str | None:
        """The filename, changed so that it names a file on any system; None if it is no file."""
        filename = self.filename
        return None if filename is None else disposition.safe_filename(filename)

    def get_charset(self, default: str) -> str:
        """The charset of the part: its own, else that of the form (`_charset_`), else the default."""
        return self.charset or self._reader.charset or default

    # -- the content as it was sent --------------------------------------------------------------------------------

    def at_eof(self) -> bool:
        """Everything was read. The last reading does not know yet that nothing follows; the one after it is empty."""
        return self._at_end and self._offset >= len(self._chunk)

    async def readany(self) -> bytes:
        """What has arrived of the content, as soon as there is something; `b""` at the end."""
        if self._offset >= len(self._chunk):
            return await self._pull()
        return self._take(len(self._chunk))

    async def read_chunk(self, size: int = chunk_size) -> bytes:
        """At most `size` bytes of the content, as soon as there are some; `b""` at the end."""
        if size < 1:
            raise ValueError(f"read_chunk() takes a number of bytes above 0, not {size}")
        return self._take(self._offset + size) if await self._fill() else b""

    async def readline(self) -> bytes:
        """A line with its newline; without one at the end of the part. Raises HTTPRequestEntityTooLarge."""
        pieces: list[bytes] = []
        limit = SizeLimit(self._reader.limits.client_max_size, "a part")
        while await self._fill():
            newline = self._chunk.find(b"\n", self._offset)
            pieces.append(limit.take(self._take(newline + 1 if newline >= 0 else len(self._chunk))))
            if newline >= 0:
                break
        return b"".join(pieces)

    async def read(self, *, decode: bool = False) -> bytes:
        """The rest of the content; with `decode`, its codings undone.

        Raises HTTPRequestEntityTooLarge for more than `client_max_size` bytes, before they are undone or after,
        HTTPBadRequest for what is not of its coding, HTTPUnsupportedMediaType for an unknown one.
        """
        limit = SizeLimit(self._reader.limits.client_max_size, "a part")
        if decode:
            return b"".join([limit.take(piece) async for piece in self])
        pieces: list[bytes] = []
        while piece := await self.readany():
            pieces.append(limit.take(piece))
        return b"".join(pieces)

    async def release(self) -> None:
        """Read the rest of the content, and drop it."""
        while await self.readany():
            pass

    # -- the content as it was meant -------------------------------------------------------------------------------

    def decode(self, data: bytes) -> bytes:
        """Undo the codings of `data`, the first piece of the content or the one after that of the last call.

        For content that was read with `read_chunk` or `read`. Raises what `read` raises.
        """
        if self._decoder is None:
            self._decoder = make_part_decoder(self._headers, self._reader.limits)
            if self._decoder is None:
                return data
        limit = SizeLimit(self._reader.limits.client_max_size, "a part")
        return b"".join([limit.take(piece) for piece in self._decoder.decode(data)])

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the rest of the content as it comes, its codings undone."""
        decoder = make_part_decoder(self._headers, self._reader.limits)
        return StreamIterator(self.readany, b"") if decoder is None else self._decoded(decoder)

    async def _decoded(self, decoder: PartDecoder) -> AsyncIterator[bytes]:
        while data := await self.readany():
            for piece in decoder.decode(data):
                yield piece
        decoder.finish()

    async def text(self, *, encoding: str | None = None) -> str:
        """The content as text, in `encoding` or in the charset of the part, UTF-8 if it names none.

        Raises what `read` raises, and HTTPBadRequest for what is not of the charset.
        """
        data = await self.read(decode=True)
        if encoding is None:
            return decode_text(data, self.get_charset("utf-8"))
        try:
            return data.decode(encoding)
        except UnicodeError:
            raise HTTPBadRequest(text=f"400: the part is not valid {encoding}")

    async def json(self, *, encoding: str | None = None, loads: Callable[[str], Any] = json.loads) -> Any:
        """The content read as JSON by `loads`; None if there is none.

        Raises what `text` raises, and HTTPBadRequest for what `loads` refuses with a ValueError.
        """
        text = await self.text(encoding=encoding)
        if not text:
            return None
        try:
            return loads(text)
        except (ValueError, RecursionError):
            raise HTTPBadRequest(text="400: the part is not valid JSON")

    async def form(self, *, encoding: str | None = None) -> list[tuple[str, str]]:
        """The content read as an urlencoded form: names and values in their order.

        Raises what `text` raises, and HTTPRequestEntityTooLarge for more than `client_max_fields` of them.
        """
        data = await self.read(decode=True)
        charset = encoding or self.get_charset("utf-8")
        return list(parse_form(data, charset, self._reader.limits.client_max_fields).items())

    # -- reading ---------------------------------------------------------------------------------------------------

    def _take(self, end: int) -> bytes:
        """The chunk from where it was read to `end`, or to its own end."""
        chunk, start = self._chunk, self._offset
        if end < len(chunk):
            self._offset = end
            return chunk[start:end]
        self._chunk, self._offset = b"", 0
        return chunk[start:]

    async def _fill(self) -> bool:
        """Wait until something is there to be taken; False at the end."""
        if self._offset >= len(self._chunk):
            self._chunk, self._offset = await self._pull(), 0
        return self._chunk != b""

    async def _pull(self) -> bytes:
        self._check_here()
        if self._at_end:
            return b""
        event = await self._reader._next_event()
        if type(event) is Data:
            return event.data
        self._at_end = True
        return b""

    async def _leave(self) -> None:
        if not self._at_end:
            await self.release()
        self._chunk, self._left = b"", True

    def _check_here(self) -> None:
        if self._left:
            raise RuntimeError(f"{self!r} is gone: its reader went on to the next part, and dropped the rest of it")


class MultipartReader:
    """Reads multipart content part by part. `request.multipart()` makes one; so may whoever has headers and a stream.

    A part that is multipart itself comes as a reader too. What was left unread of a part is skipped when the next one
    is asked for. Subclasses may override `next` to give something else for each part.

    Args:
        headers: of the message, or of the part around this one; Content-Type names the boundary.
        content: a stream with `readany()`, or with `read(n)`; both give `b""` at its end.
        limits: `parts`, `part_fields` and `part_head` bound the heads, `client_max_size` what is collected of one part.

    Raises HTTPBadRequest for a Content-Type without a usable boundary, HTTPRequestEntityTooLarge for a multipart that
    is nested too deeply.
    """

    multipart_reader_cls: type[MultipartReader] | None = None
    """What reads a nested multipart, called with headers and content; None is the class of this reader."""

    part_reader_cls: type[BodyPartReader] = BodyPartReader
    """What reads a part that is not multipart."""

    def __init__(self, headers: Mapping[str, str], content: Any, *, limits: Limits = _DEFAULT_LIMITS) -> None:
        self.headers = headers
        """The fields of what is read."""
        self.charset: str | None = None
        """What the field `_charset_` of a form said, for the text of the parts behind it; the field is no part."""
        value = headers.get(hdrs.CONTENT_TYPE, "")
        self._around = content if isinstance(content, BodyPartReader) else None
        try:
            boundary = read_boundary(value)
            if self._around is not None:
                outer: MultipartReader = self._around._reader
                limits, decoder = outer.limits, outer._decoder.nested(boundary)
            else:
                decoder = MultipartDecoder(boundary, limits)
        except MultipartError as error:
            raise refuse(error)
        self.limits: Limits = limits
        """The limits that hold for it."""
        self._decoder: MultipartDecoder = decoder
        self._is_form = read_content_type(value).media_type == "multipart/form-data"
        self._pull: Callable[[], Awaitable[bytes]]
        self._pull = content.readany if hasattr(content, "readany") else lambda: content.read(_PULLED)
        self._part: BodyPartReader | None = None
        self._at_end = False

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Any:
        part = await self.next()
        if part is None:
            raise StopAsyncIteration
        return part

    @property
    def name(self) -> str | None:
        """The name of the field in a form that a nested multipart is the content of; None without one."""
        return None if self._around is None else self._around.name

    def at_eof(self) -> bool:
        """The closing boundary was read: there are no more parts."""
        return self._at_end

    async def next(self) -> Any:
        """The next part, a `BodyPartReader`, or a `MultipartReader` if it is multipart; None after the last.

        Raises HTTPBadRequest for what is no multipart, or ended before its closing boundary, HTTPRequestEntityTooLarge
        for too many parts and for too large heads.
        """
        return await self.fetch_next_part()

    async def fetch_next_part(self) -> MultipartReader | BodyPartReader | None:
        """What `next` gives as long as nobody overrides it."""
        if self._part is not None:
            await self._part._leave()
            self._part = None
        while type(event := await self._next_event()) is PartBegin:
            part = self._part = self.part_reader_cls(event.headers, self)
            if part.content_type.startswith("multipart/"):
                return (self.multipart_reader_cls or type(self))(part.headers, part)
            if not (self._is_form and part.name == "_charset_" and part.filename is None):
                return part
            # RFC 7578 section 4.6: not what somebody filled in, but what the fields are written in.
            self.charset = _read_charset(await part.read())
        self._at_end = True
        return None

    async def release(self) -> None:
        """Read all parts that are left, and drop them."""
        while await self.fetch_next_part() is not None:
            pass

    async def _next_event(self) -> MultipartEvent:
        if self._around is not None:
            self._around._check_here()  # what was pulled of a part is gone with it
        decoder = self._decoder
        try:
            while isinstance(event := decoder.next_event(), Wait):
                data = await self._pull()
                if data:
                    decoder.receive_data(data)
                else:
                    decoder.receive_eof()
        except MultipartError as error:
            raise refuse(error)
        return event


class SizeLimit:
    """Counts what is collected of something that a client sends.

    Args:
        limit: bytes; 0 or less is no limit.
        what: begins the sentence of the refusal.
    """

    __slots__ = ("limit", "size", "what")

    def __init__(self, limit: int, what: str) -> None:
        self.limit = limit
        """Bytes that are allowed."""
        self.size = 0
        """Bytes that were taken."""
        self.what = what
        """Who is limited."""

    def take(self, data: bytes) -> bytes:
        """Count `data` and return it. Raises HTTPRequestEntityTooLarge as soon as it is too much."""
        self.size += len(data)
        if 0 < self.limit < self.size:
            raise HTTPRequestEntityTooLarge(
                self.limit, self.size, text=f"413: {self.what} may have at most {self.limit} bytes"
            )
        return data


def _read_charset(data: bytes) -> str:
    charset = data.decode("ascii", "replace").strip()
    find_codec(charset)
    return charset
