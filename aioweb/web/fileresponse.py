"""FileResponse: a file as the answer, with all that HTTP has for files.

    open       in a thread, one call: open, look, choose a packed sibling, read what is small (openfile.py)
    decide     304, 412, 416, the whole or ranges of it, by pure functions of the ground (conditional.py)
    send       head and small content in one write; else the kernel sends (writer.send_file)

That a file is missing or must not be read is an answer here (404, 403), too: it is found when the handler is over.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from aioweb import hdrs
from aioweb.protocol.conditional import (
    ByteRange,
    Verdict,
    evaluate_preconditions,
    format_unsatisfied,
    frame_byteranges,
    select_ranges,
)
from aioweb.protocol.disposition import format_disposition
from aioweb.protocol.fields import format_http_date
from aioweb.server.sendfile import read_in_thread
from aioweb.server.writer import StreamWriter
from aioweb.web.compression import CodedWriter
from aioweb.web.filetypes import guess_type
from aioweb.web.openfile import Source, open_source
from aioweb.web.request import BaseRequest
from aioweb.web.responsehead import HeadersLike
from aioweb.web.streamresponse import StreamResponse

CHUNK_SIZE: Final = 256 * 1024
"""The default of `chunk_size`, bytes."""

# What opening says if there is no such file; and if there is something, but no file that may be read.
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMLINK, errno.EINVAL})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO, errno.ENODEV})

# What is said about the content of a file, and would be wrong about the page of an error.
_ABOUT_CONTENT: Final = (
    hdrs.CONTENT_TYPE,
    hdrs.CONTENT_ENCODING,
    hdrs.CONTENT_DISPOSITION,
    hdrs.CONTENT_LANGUAGE,
    hdrs.CONTENT_LOCATION,
    hdrs.CACHE_CONTROL,
    hdrs.EXPIRES,
    hdrs.ETAG,
    hdrs.LAST_MODIFIED,
)

Piece = bytes | ByteRange
"""A piece of an answer: octets, or a run of octets of the file."""


class FileResponse(StreamResponse):
    """A file as the answer. Return it from a handler, that is all; it answers one request.

    It tells Content-Type, Last-Modified and a strong ETag, and honours If-Match, If-None-Match, If-Modified-Since,
    If-Unmodified-Since, Range (several ranges, too) and If-Range. `app.js` is sent as `app.js.zst`, `app.js.br` or
    `app.js.gz` to a client that accepts that, where such a file is beside it and not older. A status other than 200
    sends the whole file, whatever the request says. What `headers` or the attributes of the response say before it is
    sent counts more than what the file says. `enable_compression` compresses a file that has no such sibling, each time
    that all of it is sent; siblings are cheaper.

    The answer is 404 if there is no such file, 403 if it may not be read or is a directory, a FIFO or a device. What a
    client sent is no path: serve folders by `add_static`, which lets nobody out.

    Args:
        path: of the file; or a file that was opened for reading bytes, such as a temporary one, or `io.BytesIO`: all of
            it is sent, and it is closed.
        chunk_size: accepted for old code.
        status, reason, headers: as for `StreamResponse`.
        filename: the name under which a browser saves it, by Content-Disposition; it also tells the type.
        disposition: "attachment" (the default with `filename`), to be saved, or "inline", to be shown.

    Raises TypeError for what is no path and no such file, ValueError for what Content-Disposition cannot say.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Any,
        chunk_size: int = CHUNK_SIZE,
        status: int = 200,
        reason: str | None = None,
        headers: HeadersLike | None = None,
        *,
        filename: str | None = None,
        disposition: str | None = None,
    ) -> None:
        super().__init__(status=status, reason=reason, headers=headers)
        self._source: Source | None = path if isinstance(path, Source) else None
        self._path = self._file = None
        if isinstance(path, str | os.PathLike):
            self._path = os.fsdecode(path)
        elif self._source is None:
            self._file = _check_file(path)
        known = self._path or getattr(path, "name", "")  # that of a file without a path is a number
        name = self._filename = filename or (os.path.basename(known) if isinstance(known, str) else "")
        if filename is not None or disposition is not None:
            disposition = disposition or "attachment"
            self.headers[hdrs.CONTENT_DISPOSITION] = content_disposition(disposition, filename=name or None)
        self._is_download = disposition == "attachment"

    # -- opening -------------------------------------------------------------------------------------------------------

    async def _find(self, request: BaseRequest) -> Source | int:
        """What is to be sent, or the status that says why not."""
        if self._source is not None:
            return self._source
        try:
            return await request.loop.run_in_executor(None, self._open, request.headers, wants_content(request))
        except (OSError, ValueError) as error:
            status = explain(error) if self._path is not None else None
            if status is None:
                raise
            return status

    def _open(self, headers: Mapping[str, str], load: bool) -> Source:
        """Open what is to be sent. It blocks."""
        unpack = not self._is_download and hdrs.CONTENT_ENCODING not in self.headers
        if self._path is not None:
            return open_source(self._path, self._filename, headers, unpack=unpack, load=load)
        file: Any = self._file
        file.seek(0, os.SEEK_END)  # this flushes, too, what was written to a temporary file
        size = file.tell()
        file.seek(0)
        return Source(file, size, _modified_ns(file), *guess_type(self._filename, unpack=unpack))

    # -- deciding ------------------------------------------------------------------------------------------------------

    def decide(self, request: BaseRequest, source: Source) -> list[Piece]:
        """Set status and headers, and return what is to be sent, in pieces. For those who send it by other means."""
        headers = self.headers
        headers.setdefault(hdrs.CONTENT_TYPE, source.content_type)
        if source.coding is not None:
            headers.setdefault(hdrs.CONTENT_ENCODING, source.coding)
        if source.varies:
            headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
        headers.popall(hdrs.TRANSFER_ENCODING, None)
        verdict = Verdict.WHOLE
        # Section 13.2.1: preconditions are for what would be a success without them.
        if self._status == 200 and request.method in ("GET", "HEAD"):
            headers.setdefault(hdrs.ACCEPT_RANGES, "bytes")
            verdict = self._evaluate(request, source)
        if verdict is Verdict.NOT_MODIFIED:
            self.set_status(304)
            for name in (hdrs.CONTENT_TYPE, hdrs.CONTENT_ENCODING, hdrs.CONTENT_DISPOSITION, hdrs.CONTENT_LENGTH):
                headers.popall(name, None)
            return []
        if verdict is Verdict.FAILED:
            return self._refuse(412, request.writer)
        ranges = select_ranges(request.headers[hdrs.RANGE], source.size) if verdict is Verdict.RANGES else None
        if ranges is None:
            self.content_length = source.size
            return [ByteRange(0, source.size)] if source.size else []
        if not ranges:
            headers[hdrs.CONTENT_RANGE] = format_unsatisfied(source.size)
            return self._refuse(416, request.writer)
        return self._take(ranges, source)

    def _evaluate(self, request: BaseRequest, source: Source) -> Verdict:
        headers = self.headers
        if hdrs.ETAG in headers:
            etag = self.etag
        elif (etag := source.etag) is not None:
            headers[hdrs.ETAG] = f'"{etag.value}"'
        if hdrs.LAST_MODIFIED in headers:
            date = self.last_modified
            changed = None if date is None else int(date.timestamp())
        elif source.modified_ns is None:
            changed = None
        else:
            # RFC 9110 section 8.8.2.1: it MUST NOT be later than the time of the response.
            changed = max(0, min(source.modified_ns // 10**9, int(time.time())))
            headers[hdrs.LAST_MODIFIED] = _format_date(changed)
        return evaluate_preconditions(request.method, request.headers, etag, changed)

    def _take(self, ranges: tuple[ByteRange, ...], source: Source) -> list[Piece]:
        """Answer with parts of the file."""
        self.set_status(206)
        headers = self.headers
        if len(ranges) == 1:
            headers[hdrs.CONTENT_RANGE] = ranges[0].format(source.size)
            self.content_length = ranges[0].size
            return list(ranges)
        # A boundary that nobody can foresee is none that a file could hold.
        framing = frame_byteranges(ranges, source.size, headers[hdrs.CONTENT_TYPE], secrets.token_hex(16))
        headers[hdrs.CONTENT_TYPE] = framing.content_type
        self.content_length = framing.size
        pieces: list[Piece] = []
        for head, part in zip(framing.heads, ranges, strict=True):
            pieces += head, part
        return [*pieces, framing.end]

    def _refuse(self, status: int, writer: StreamWriter) -> list[Piece]:
        """Answer with the page of an error; headers that are not about the file stay."""
        for name in _ABOUT_CONTENT:
            self.headers.popall(name, None)
        self.set_status(status)
        content_type, page = writer.error_page(status)
        self.headers[hdrs.CONTENT_TYPE] = content_type
        self.content_length = len(page)
        return [page]

    # -- sending -------------------------------------------------------------------------------------------------------

    async def prepare(self, request: Any) -> StreamWriter:
        """Send the response, all of it: when this returns, the file may be removed.

        Doing it again for the same request is harmless. Raises what `StreamResponse.prepare` raises, EOFError if the
        file has become shorter meanwhile (then the connection is cut), OSError if it cannot be read.
        """
        writer = self._writer
        if writer is not None and writer is request.writer:
            return writer
        self._check_free()
        found = await self._find(request)
        source = None if isinstance(found, int) else found
        try:
            pieces = self._refuse(found, request.writer) if isinstance(found, int) else self.decide(request, found)
            writer = await super().prepare(request)
            for piece in pieces:
                if isinstance(piece, bytes):
                    await self.write(piece)
                elif source is not None and self._coder is not None:
                    await _send_coded(self._coder, source, piece)
                elif source is not None:
                    await _send_range(writer, source, piece)
            await self.write_eof()
            return writer
        finally:
            if source is not None:
                source.close()


async def _send_range(writer: StreamWriter, source: Source, part: ByteRange) -> None:
    if source.content is not None:
        await writer.write(source.read(part.offset, part.size))
    else:
        # A temporary file may be wrapped: the kernel can send what is inside.
        inner = getattr(source.file, "file", None)
        file = inner if isinstance(inner, io.IOBase) else source.file
        await writer.send_file(file, part.offset, part.size)


async def _send_coded(coder: CodedWriter, source: Source, part: ByteRange) -> None:
    """What is compressed on its way passes through this process: it is read and compressed off the loop."""
    offset, left = part.offset, part.size
    while left:
        block = await read_in_thread(source.read, offset, left)
        await coder.write_large(block)
        offset, left = offset + len(block), left - len(block)


def content_disposition(kind: str, *, filename: str | None = None) -> str:
    """The value of Content-Disposition (RFC 6266): how a browser is to take a response.

    Args:
        kind: "attachment", to be saved, or "inline", to be shown.
        filename: the name to save it under, in any script, without a path.

    Raises ValueError for a kind that is no token.
    """
    return format_disposition(kind, filename=filename)


def wants_content(request: BaseRequest) -> bool:
    """The content is likely to be sent: neither HEAD, nor asked for by somebody who seems to have it."""
    headers = request.headers
    return request.method != "HEAD" and hdrs.IF_NONE_MATCH not in headers and hdrs.IF_MODIFIED_SINCE not in headers


@lru_cache(maxsize=256)
def _format_date(seconds: int) -> str:
    return format_http_date(seconds)


def explain(error: OSError | ValueError) -> int | None:
    """The status that answers for a file that cannot be opened; None if it is the server that is to blame."""
    if not isinstance(error, OSError):
        return 404  # NUL, or a surrogate that stands for no octet: no file can have that name
    return 404 if error.errno in _MISSING else 403 if error.errno in _FORBIDDEN else None


def _check_file(file: Any) -> Any:
    if isinstance(file, io.TextIOBase) or not (hasattr(file, "read") and hasattr(file, "seek")):
        raise TypeError(f"a path is expected, or a file that was opened for reading bytes, not {file!r}")
    return file


def _modified_ns(file: Any) -> int | None:
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return None  # it lives in memory
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else None
