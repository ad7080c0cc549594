"""Multipart content that is written, part by part: the body of a response, or octets for whoever wants them.

    with web.MultipartWriter("mixed") as writer:
        writer.append("text")
        writer.append(open("picture.png", "rb"))
    return web.Response(body=writer)

The codings that the head of a part names are applied when it is written. What may block, a file or a compression, is
done by threads. The one function that writes fields refuses what would end them (CVE-2026-50269, CVE-2026-34514): when
a part is appended, and again when it is written, for its `headers` may have changed.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from multidict import CIMultiDict

from aioweb import hdrs
from aioweb.protocol.disposition import FORM_DATA, format_disposition, read_disposition
from aioweb.protocol.fields import OCTET_STREAM, format_content_type
from aioweb.protocol.multipart import (
    PART_END,
    check_boundary,
    encode_last_boundary,
    encode_part_head,
    make_boundary,
)
from aioweb.web.fieldview import FieldView
from aioweb.web.filetypes import guess_type
from aioweb.web.partcodings import is_coded, make_part_encoder
from aioweb.web.responsehead import HeadersLike

_Self = TypeVar("_Self", bound="MultipartWriter")

_BLOCK: Final = 262144
"""Bytes that are read from a file at once: a thread for less costs more than the reading."""
_TEXT: Final = "text/plain; charset=utf-8"


class BodyPartWriter(FieldView):
    """One part that is written. `MultipartWriter.append` makes it; its `headers` may be changed until it is written.

    Args:
        obj: str, bytes-like, a file (open for octets or text), a `MultipartWriter`, or an async iterable of bytes.
        headers: the fields of the part. By default Content-Type follows from `obj`, Content-Disposition from the name
            of a file; Content-Length is set wherever the length is known. str is written in the charset of the type.

    Raises TypeError for another `obj`, ValueError for codings that a part cannot have.
    """

    def __init__(self, obj: Any, headers: HeadersLike | None = None) -> None:
        self.obj = obj
        """What was given."""
        self._headers = CIMultiDict(headers or ())
        self._data: bytes | None = None
        self._file: _File | None = None
        if isinstance(obj, str):
            self._headers.setdefault(hdrs.CONTENT_TYPE, _TEXT)
            self._data = obj.encode(self.charset or "utf-8")
        elif isinstance(obj, bytes | bytearray | memoryview):
            self._headers.setdefault(hdrs.CONTENT_TYPE, OCTET_STREAM)
            self._data = bytes(obj)
        elif isinstance(obj, MultipartWriter):
            given, self._headers = self._headers, CIMultiDict(obj.headers)
            self._headers.update(given)
        elif isinstance(obj, AsyncIterable):
            self._headers.setdefault(hdrs.CONTENT_TYPE, OCTET_STREAM)
        elif callable(getattr(obj, "read", None)):
            self._file = self._describe_file(obj)
        else:
            raise TypeError(f"a part is str, bytes, a file, a MultipartWriter or an async iterable, not {obj!r:.80}")
        if self.size is not None and not isinstance(obj, MultipartWriter):  # which may still get parts
            self._headers[hdrs.CONTENT_LENGTH] = str(self.size)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.content_type} of {type(self.obj).__name__}>"

    def _describe_file(self, file: Any) -> _File:
        name = getattr(file, "name", None)
        filename = os.path.basename(name) if isinstance(name, str) and not name.startswith("<") else None
        is_text = isinstance(file, io.TextIOBase)
        guessed = _TEXT if is_text else OCTET_STREAM
        if filename:
            guessed = guess_type(filename, unpack=False)[0]
            if hdrs.CONTENT_DISPOSITION not in self._headers:
                self.set_content_disposition("attachment", filename=filename)
        self._headers.setdefault(hdrs.CONTENT_TYPE, guessed)
        return _File(file, (self.charset or "utf-8") if is_text else None)

    # -- the head --------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> CIMultiDict[str]:
        """The fields of the part."""
        return self._headers

    @property
    def filename(self) -> str | None:
        """The filename in Content-Disposition; None without one."""
        disposition = read_disposition(self._headers.get(hdrs.CONTENT_DISPOSITION, ""))
        return None if disposition is None else disposition.filename

    def set_content_disposition(self, disptype: str, **params: str) -> None:
        """Say what the part is for: `set_content_disposition("form-data", name="picture", filename="я.png")`.

        Raises ValueError for a type or a name that is no token, and for controls in a value.
        """
        self._headers[hdrs.CONTENT_DISPOSITION] = format_disposition(disptype, **params)

    # -- the content -----------------------------------------------------------------------------------------------

    @property
    def size(self) -> int | None:
        """Bytes of the content as it is written; None if nobody knows before it is."""
        if is_coded(self._headers):
            return None
        if self._data is not None:
            return len(self._data)
        if self._file is not None:
            return self._file.size
        return self.obj.size if isinstance(self.obj, MultipartWriter) else None

    def encode_head(self, boundary: str) -> bytes:
        """The delimiter and the head of the part. Raises ValueError for fields that cannot be written."""
        if is_coded(self._headers) and isinstance(self.obj, MultipartWriter):
            raise ValueError("a part that is multipart has no codings (RFC 2045 section 6.4); its parts may have")
        if self.size is None and hdrs.CONTENT_LENGTH in self._headers:
            pairs = [(name, value) for name, value in self._headers.items() if name.lower() != "content-length"]
            return encode_part_head(boundary, pairs)
        return encode_part_head(boundary, self._headers.items())

    def serialize(self) -> Iterator[bytes]:
        """The content, its codings applied, in pieces. Files are read as they come: in a handler use `async for`.

        Raises TypeError for an async iterable, RuntimeError for a file that has become shorter.
        """
        encoder = make_part_encoder(self._headers)
        for block in self._blocks():
            piece = block if encoder is None else encoder.encode(block)
            if piece:
                yield piece
        if encoder is not None and (piece := encoder.finish()):
            yield piece

    def _blocks(self) -> Iterator[bytes]:
        if self._data is not None:
            return iter((self._data,))
        if self._file is not None:
            return self._file.read()
        if isinstance(self.obj, MultipartWriter):
            return self.obj.serialize()
        raise TypeError(f"{self!r} is asynchronous: it can be written with `async for` only")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same, without waiting for a file or a compression in the loop."""
        if self._data is None and self._file is None:
            async for piece in self._encode_stream():
                yield piece
        elif self.size is not None and (self._file is None or self._file.is_in_memory):
            for piece in self.serialize():
                yield piece
        else:
            loop = asyncio.get_running_loop()
            pieces = self.serialize()
            while piece := await loop.run_in_executor(None, next, pieces, b""):
                yield piece

    async def _encode_stream(self) -> AsyncIterator[bytes]:
        encoder = make_part_encoder(self._headers)
        async for block in self.obj:
            piece = block if encoder is None else encoder.encode(block)
            if piece:
                yield piece
        if encoder is not None:
            yield encoder.finish()

    async def aclose(self) -> None:
        """Close the file, or whatever else `obj` can close."""
        if callable(close := getattr(self.obj, "aclose", None)):
            await close()
        elif self._file is not None and callable(close := getattr(self.obj, "close", None)):
            await asyncio.get_running_loop().run_in_executor(None, close)  # a read may be under way


class MultipartWriter(FieldView):
    """Multipart content, made of the parts that are appended: `Response(body=writer)` sends it.

    It is a context manager for the looks of it, `len` and iteration are those of its parts.

    Args:
        subtype: `mixed`, `related`, `form-data` ...
        boundary: what separates the parts, and occurs in none of them; by default one that nobody can foresee.

    Raises ValueError for a subtype or a boundary that cannot be written.
    """

    part_writer_cls: type[BodyPartWriter] = BodyPartWriter
    """What becomes of an object that is appended."""

    def __init__(self, subtype: str = "mixed", boundary: str | None = None) -> None:
        self._boundary = make_boundary() if boundary is None else check_boundary(boundary)
        content_type = format_content_type(f"multipart/{subtype}", {"boundary": self._boundary})
        self._headers = CIMultiDict({hdrs.CONTENT_TYPE: content_type})
        self._parts: list[BodyPartWriter] = []

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.content_type}, {len(self._parts)} parts>"

    def __iter__(self) -> Iterator[BodyPartWriter]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __bool__(self) -> bool:
        return True

    @property
    def headers(self) -> CIMultiDict[str]:
        """The fields of the content: Content-Type with its boundary, and what you add."""
        return self._headers

    @property
    def boundary(self) -> str:
        """What separates the parts."""
        return self._boundary

    # -- parts -----------------------------------------------------------------------------------------------------

    def append(self, obj: Any, headers: HeadersLike | None = None) -> BodyPartWriter:
        """Add a part and return it.

        Args:
            obj: what `BodyPartWriter` takes, or one of these.
            headers: fields of the part.

        A part of a form without Content-Disposition is called `section-0` and so on, and has no Content-Length (RFC
        7578 section 4.8). Raises what `BodyPartWriter` raises, and ValueError for fields that cannot be written.
        """
        if isinstance(obj, BodyPartWriter):
            part = obj
            part.headers.update(headers or ())
        else:
            part = self.part_writer_cls(obj, headers)
        if self.content_type == f"multipart/{FORM_DATA}":
            self._make_field(part)
        part.encode_head(self._boundary)
        make_part_encoder(part.headers)
        self._parts.append(part)
        return part

    def _make_field(self, part: BodyPartWriter) -> None:
        part.headers.popall(hdrs.CONTENT_LENGTH, None)
        disposition = read_disposition(part.headers.get(hdrs.CONTENT_DISPOSITION, ""))
        if disposition is None or disposition.kind != FORM_DATA:
            filename = {} if disposition is None or disposition.filename is None else {"filename": disposition.filename}
            part.set_content_disposition(FORM_DATA, name=f"section-{len(self._parts)}", **filename)

    def append_json(
        self, obj: Any, headers: HeadersLike | None = None, *, dumps: Callable[[Any], str] = json.dumps
    ) -> BodyPartWriter:
        """Add `obj` as JSON, made by `dumps`; application/json by default."""
        return self.append(dumps(obj), _with_type(headers, "application/json"))

    def append_form(
        self, obj: Mapping[str, Any] | Iterable[tuple[str, Any]], headers: HeadersLike | None = None
    ) -> BodyPartWriter:
        """Add the pairs of `obj` as an urlencoded form; application/x-www-form-urlencoded by default."""
        pairs = list(obj.items() if isinstance(obj, Mapping) else obj)
        return self.append(urlencode(pairs, doseq=True), _with_type(headers, "application/x-www-form-urlencoded"))

    # -- the content -----------------------------------------------------------------------------------------------

    @property
    def size(self) -> int | None:
        """Bytes of all that is written; None if the size of a part is unknown."""
        total = len(encode_last_boundary(self._boundary))
        for part in self._parts:
            size = part.size
            if size is None:
                return None
            total += len(part.encode_head(self._boundary)) + size + len(PART_END)
        return total

    def serialize(self) -> Iterator[bytes]:
        """The content in pieces. Files are read as they come: in a handler use `async for piece in writer`.

        Raises ValueError for fields that cannot be written, and what `BodyPartWriter.serialize` raises.
        """
        for part in self._parts:
            yield part.encode_head(self._boundary)
            yield from part.serialize()
            yield PART_END
        yield encode_last_boundary(self._boundary)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same, without waiting for files in the loop."""
        for part in self._parts:
            yield part.encode_head(self._boundary)
            async for piece in part:
                yield piece
            yield PART_END
        yield encode_last_boundary(self._boundary)

    async def aclose(self) -> None:
        """Close the files of all parts. Whoever sends the content does it."""
        for part in self._parts:
            await part.aclose()


class _File:
    """A file of a part, from where it stands when it is given; again and again, if it can go back."""

    def __init__(self, file: Any, charset: str | None) -> None:
        self._file = file
        self._charset = charset
        self._start: int | None = None
        self.size: int | None = None
        self.is_in_memory = isinstance(file, io.BytesIO | io.StringIO)
        if getattr(file, "seekable", bool)():
            self._start = file.tell()
            if charset is None:
                self.size = file.seek(0, os.SEEK_END) - self._start
                file.seek(self._start)

    def read(self) -> Iterator[bytes]:
        if self._start is not None:
            self._file.seek(self._start)
        left = self.size
        while left != 0:
            block = self._file.read(_BLOCK if left is None else min(_BLOCK, left))
            if not block:
                break
            if left is not None:
                left -= len(block)
            yield block if self._charset is None else block.encode(self._charset)
        if left:
            raise RuntimeError(f"{self._file!r} has become {left} bytes shorter while it was sent")


def _with_type(headers: HeadersLike | None, content_type: str) -> CIMultiDict[str]:
    fields = CIMultiDict(headers or ())
    fields.setdefault(hdrs.CONTENT_TYPE, content_type)
    return fields
