"""Content that is not at hand: what `Response(body=...)` takes beside bytes and text.

    StreamBody        what a response asks of it: its size, fields that go with it, its pieces, its end
    as_stream_body    makes one of an async iterable, a file or a stream
    Interruption      ends whoever makes the pieces, when nobody reads them any more

A source is read once, as fast as the client takes it, and closed in any case: when it has ended or failed, when the
client has gone, and where its content is not wanted (HEAD, 304). Files are read off the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import stat
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final, Protocol, cast, runtime_checkable

from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter

_BLOCK: Final = 1 << 18  # octets of a file that are read at a time
_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})


@runtime_checkable
class StreamBody(Protocol):
    """Content that is made while it is sent. Implement it, and `Response(body=...)` takes it."""

    @property
    def size(self) -> int | None:
        """The length in bytes; None if only the end will tell."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Fields for a response that does not set them itself, such as Content-Type."""

    def __aiter__(self) -> AsyncIterator[bytes | str]:
        """The pieces; asked for once, at most."""

    async def aclose(self) -> None:
        """Let go of everything. Called once, also if the pieces were not asked for or not all of them."""


class BinaryFile(Protocol):
    """A file that was opened for reading bytes."""

    def read(self, size: int, /) -> bytes | None:
        """Read up to so many bytes; none at the end."""


BodySource = StreamBody | AsyncIterable[bytes] | AsyncIterable[str] | BinaryFile
"""What `as_stream_body` takes."""


def as_stream_body(source: object) -> StreamBody:
    """What a response sends for `source`, as it stands now.

    Args:
        source: a `StreamBody`; an async iterable, such as an async generator, of bytes or of str, which is sent in the
            charset of the response; the content of a request, the output of a process (`asyncio.StreamReader`); a file
            that was opened for reading bytes: from where it stands to its end.

    Raises TypeError for anything else, and says what to give instead.
    """
    if isinstance(source, StreamBody):
        return source
    if isinstance(source, StreamReader):
        return _Pieces(source.iter_any())
    if isinstance(source, asyncio.StreamReader):
        return _Pieces(_blocks_of(source))
    if isinstance(source, AsyncIterable):
        return _Pieces(source)
    if callable(getattr(source, "read", None)):
        return _FileBody(cast(BinaryFile, source))
    hint = "bytes, bytearray, memoryview, str, an async iterable, a binary file or a StreamBody"
    if isinstance(source, os.PathLike):
        hint = "content: use FileResponse to send the file at a path"
    elif inspect.isgenerator(source):
        hint = "an async generator: a plain one would hold up all other requests"
    elif inspect.isasyncgenfunction(source):
        hint = f"what {source.__name__}() returns: call it"
    raise TypeError(f"body must be {hint}; not {type(source).__name__}")


class _Source:
    """The part of a StreamBody that is the same for all sources: it is read once, and closed."""

    size: int | None = None
    headers = _NO_FIELDS

    def __init__(self, source: Any) -> None:
        self._source = source
        self._is_spent = False

    def _take(self) -> Any:
        if self._is_spent:
            raise RuntimeError(f"{self._source!r} was sent already; make a body for each response")
        self._is_spent = True
        return self._source

    async def aclose(self) -> None:
        """Close the source, if it can be closed."""
        await close_source(self._source)


class _Pieces(_Source):
    """An async iterable."""

    def __aiter__(self) -> AsyncIterator[bytes | str]:
        """Its pieces."""
        return aiter(self._take())


class _FileBody(_Source):
    """A file, from where it stands to its end."""

    def __init__(self, file: BinaryFile) -> None:
        if isinstance(file.read(0), str):
            raise TypeError(f"body must be a binary file: open it with mode 'rb', not {file!r}")
        super().__init__(file)
        self.size = _size_left(file)

    async def __aiter__(self) -> AsyncIterator[bytes | str]:
        """Blocks of it. What was appended meanwhile is not read: the head has told the size."""
        file, left = self._take(), self.size
        loop = asyncio.get_running_loop()
        while left is None or left > 0:
            block = await loop.run_in_executor(None, file.read, _BLOCK if left is None else min(left, _BLOCK))
            if not block:
                return
            left = None if left is None else left - len(block)
            yield block

    async def aclose(self) -> None:
        """Close the file, off the loop: it may have something to write, or wait for a read that is under way."""
        if hasattr(self._source, "close"):
            await asyncio.get_running_loop().run_in_executor(None, self._source.close)


def _size_left(file: Any) -> int | None:
    """Bytes from where a file stands to its end; None if that cannot be told without reading (pipes, GzipFile)."""
    inner = getattr(file, "file", file)  # that of a NamedTemporaryFile
    raw = inner.raw if isinstance(inner, io.BufferedReader | io.BufferedRandom) else inner
    is_regular = isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    if not is_regular and not isinstance(file, tempfile.SpooledTemporaryFile):
        return None
    # Seeking, not fstat: what was written may still be in the file's buffer.
    start = file.tell()
    file.seek(0, io.SEEK_END)
    end = file.tell()
    file.seek(start)
    return max(0, int(end - start))


async def _blocks_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while block := await reader.read(_BLOCK):
        yield block


async def close_source(source: object) -> None:
    """Close an async iterable, by `aclose` or `close`, if it has one of them."""
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    result = close() if callable(close) else None
    if inspect.isawaitable(result):
        await result


class Interruption:
    """While it is entered, the running task is cancelled when its client goes, and when the server stops if asked to.

    with Interruption(writer, stops=True):
        ...                         is left with ClientDisconnectedError when the client goes
    ...                             runs on after a stop

    Who waits for the next piece of an endless stream must not wait for it when nobody reads it any more. The task is
    cancelled once, and not while it cleans up afterwards; a cancellation by others passes through. A request whose
    `handler_cancellation` is False is left to end by itself when its client goes.

    Args:
        writer: of the request that the running task answers.
        stops: end the block when the server stops; at once, if it stops already.
    """

    __slots__ = ("_is_lost", "_is_stopped", "_stops", "_task", "_writer")

    def __init__(self, writer: StreamWriter, *, stops: bool = False) -> None:
        self._writer = writer
        self._stops = stops
        self._task: asyncio.Task[Any] | None = None
        self._is_lost = self._is_stopped = False

    def __enter__(self) -> Interruption:
        writer = self._writer
        if writer.transport is None:
            raise ClientDisconnectedError("the client is gone")
        self._task = asyncio.current_task()
        writer.producer = self
        if self._stops and writer.stopping:
            writer.loop.call_soon(self.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        self._writer.producer = None
        if task is None or not (self._is_lost or self._is_stopped):
            return False
        # Python 3.10 does not count cancellations.
        others = task.uncancel() if hasattr(task, "uncancel") else 0
        if others or kind is None or not issubclass(kind, asyncio.CancelledError):
            return False
        if self._is_lost:
            raise ClientDisconnectedError("the client is gone") from None
        return True

    def client_gone(self) -> None:
        """The connection tells it: end the block."""
        if self._writer.handler_cancellation is not False and self._cancel():
            self._is_lost = True

    def server_stops(self) -> None:
        """The connection tells it: end the block, if that was asked for."""
        if self._stops:
            self.stop()

    def stop(self) -> None:
        """End the block where its task waits; behind the block nothing happens."""
        if self._cancel():
            self._is_stopped = True

    def _cancel(self) -> bool:
        """Cancel the task, once; tell whether."""
        if self._task is None or self._is_lost or self._is_stopped:
            return False
        self._task.cancel()
        return True
