"""Forms that are written as multipart/form-data (RFC 7578): fields as str, files as `FileField`.

The files of one form are held in memory up to `Limits.form_memory` in total, what goes beyond is written to temporary
files, in large blocks and by threads, for the loop must not wait for a disk. All of them belong to the request and are
closed when it is over, however it ends; a temporary file has no name and is gone with that.
"""

from __future__ import annotations

import asyncio
import errno
import io
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final

import attrs
from multidict import CIMultiDictProxy, MultiDict

from aioweb.log import web_logger
from aioweb.protocol import disposition
from aioweb.protocol.limits import Limits
from aioweb.server.stream import StreamReader
from aioweb.web.exceptions import HTTPBadRequest, HTTPInsufficientStorage, HTTPRequestEntityTooLarge
from aioweb.web.parts import BodyPartReader, MultipartReader, SizeLimit
from aioweb.web.text import decode_text

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

_BLOCK: Final = 262144
"""Bytes that a temporary file is given at once: a thread for less costs more than the writing."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@attrs.frozen(eq=False)
class FileField:
    """A file in a form.

    As in aiohttp 0.17 it can be taken apart: `name, filename, file, content_type = field`.
    """

    name: str
    """The name of the field."""
    filename: str
    """What the client calls the file, any path removed. It may be anything else: never open a file by it."""
    file: BinaryIO
    """The content, from its beginning: readable and seekable, closed when the request is over.

    Reading a file above `Limits.form_memory` may wait for a disk: use a thread (`loop.run_in_executor`).
    """
    content_type: str
    """`type/subtype` as the client says, in lower case; text/plain if it says nothing."""
    headers: CIMultiDictProxy[str]
    """All fields of the part."""

    @property
    def safe_filename(self) -> str:
        """The filename, changed so that it names a file on any system: `file` if nothing is left of it.

        Two files may have the same one, and such a file may exist already.
        """
        return disposition.safe_filename(self.filename)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.name, self.filename, self.file, self.content_type))


FormField = str | FileField
"""What a field of a form is."""


class DiskFile:
    """A temporary file without a name, for threads to write.

    Closing waits for the thread that is writing: the number of the file might be another's by then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._is_closed = False

    def append(self, data: bytes | memoryview) -> BinaryIO:
        """Write at the end, and return the file. The first call opens it: nobody can leave it open by not waiting."""
        with self._lock:
            if self._is_closed:
                raise ValueError("the request is over, its files are closed")
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  # close() closes it
            self._file.write(data)
            return self._file

    def complete(self, data: bytes | memoryview) -> BinaryIO:
        """Write the last block, and go back to the beginning."""
        file = self.append(data)
        file.seek(0)
        return file

    def close(self) -> None:
        """Close the file; it is gone with that."""
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                with suppress(OSError):  # closing tries once more to write what a full disk did not take
                    self._file.close()


class FormFiles:
    """The files of the form of one request, those of its clones included; whoever ends the request closes them."""

    def __init__(self) -> None:
        self._held: list[io.BytesIO] = []
        self._written: list[DiskFile] = []

    def hold(self, file: io.BytesIO) -> None:
        """Add a file in memory."""
        self._held.append(file)

    def open(self) -> DiskFile:
        """Add a temporary file."""
        file = DiskFile()
        self._written.append(file)
        return file

    def close(self) -> None:
        """Close all of them; a thread closes those that a disk may keep waiting. To be called in the loop."""
        for file in self._held:
            file.close()
        if self._written:
            asyncio.get_running_loop().run_in_executor(None, _close_all, self._written)
        self._held, self._written = [], []


def _close_all(files: list[DiskFile]) -> None:
    for file in files:
        file.close()


class LimitedContent:
    """The content of a request as far as its form may be large.

    Args:
        content: the whole.
        limit: bytes that are allowed; 0 or less is no limit.
    """

    def __init__(self, content: StreamReader, limit: int) -> None:
        self._content = content
        self._limit = SizeLimit(limit, "a form")

    async def readany(self) -> bytes:
        """The next piece. Raises HTTPRequestEntityTooLarge."""
        return self._limit.take(await self._content.readany())


async def read_form(reader: MultipartReader, files: FormFiles) -> MultiDict[FormField]:
    """Read a form to its end.

    Args:
        reader: of a multipart/form-data.
        files: gets the files, also if the reading fails.

    Raises HTTPRequestEntityTooLarge for what passes `client_max_fields`, `form_field`, `form_file` or a limit of the
    reader, and for parts that become more than `client_max_size` by undoing their codings; HTTPBadRequest for a part
    without a name, for text that is not of its charset, and what the reader raises; HTTPInsufficientStorage when the
    disk is full.
    """
    form = _FormReader(reader.limits, files)
    await form.read(reader, None)
    return form.fields


class _FormReader:
    """One form on its way in."""

    def __init__(self, limits: Limits, files: FormFiles) -> None:
        self.fields: MultiDict[FormField] = MultiDict()
        self._limits = limits
        self._files = files
        # What was sent is bounded already; a part that is packed may become much more on the disk.
        self._total = SizeLimit(limits.client_max_size, "a form")
        self._text = SizeLimit(limits.form_field, "the fields of a form that are no files")
        self._held = 0

    async def read(self, reader: MultipartReader, outer_name: str | None) -> None:
        """Add the fields. Parts of a nested multipart are files of the field around it (RFC 7578 section 4.3)."""
        max_fields = self._limits.client_max_fields
        async for part in reader:
            if 0 < max_fields <= len(self.fields):
                raise HTTPRequestEntityTooLarge(text=f"413: more than {max_fields} form fields")
            name = part.name or outer_name
            if name is None:
                raise HTTPBadRequest(text="400: a part of the form has no name")
            if isinstance(part, MultipartReader):
                await self.read(part, name)
            elif part.filename:
                self.fields.add(name, await self._read_file(part, name, part.filename))
            else:
                self.fields.add(name, await self._read_text(part))

    async def _read_text(self, part: BodyPartReader) -> str:
        data = b"".join([self._text.take(self._total.take(piece)) async for piece in part])
        return decode_text(data, part.get_charset("utf-8"))

    async def _read_file(self, part: BodyPartReader, name: str, filename: str) -> FileField:
        limit = SizeLimit(self._limits.form_file, "a file of a form")
        room = self._limits.form_memory - self._held
        written: DiskFile | None = None
        file = io.BytesIO()
        async for piece in part:
            file.write(limit.take(self._total.take(piece)))
            if limit.size > room and file.tell() >= _BLOCK:
                written = written or self._files.open()
                await _in_thread(written.append, file.getbuffer())
                file = io.BytesIO()
        if limit.size > room:
            written = written or self._files.open()
            content = await _in_thread(written.complete, file.getbuffer())
        else:
            file.seek(0)
            self._files.hold(file)
            self._held += limit.size
            content = file
        return FileField(name, filename, content, part.content_type, part.headers)


async def _in_thread(write: Callable[[memoryview], BinaryIO], data: memoryview) -> BinaryIO:
    try:
        return await asyncio.get_running_loop().run_in_executor(None, write, data)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        web_logger.error("No room for the files of a form in %s: %s", tempfile.gettempdir(), error)
        raise HTTPInsufficientStorage(text="507: there is no room for the files of the form")
