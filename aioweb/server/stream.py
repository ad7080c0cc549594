"""StreamReader: the content of a request, as a handler reads it.

The connection feeds (`feed_data`, `feed_eof`, `set_exception`), one task reads. The reader knows no transport: it says
that it is `full`, the connection then pauses, and `resume` is called when half of the limit has been read.

A reader waits for what it needs *in the buffer* and takes it in one step, so a reader that is cancelled has taken
nothing and no byte is lost. While somebody waits for more than the limit (`readexactly`, `read()`, a long line) the
buffer may grow up to what was asked for.

Each byte is copied a bounded number of times, whatever the pieces are: pieces wait in a deque, small ones are gathered
(two octets a piece would cost thirty times their size, GHSA-g84x-mcqj-x9qq), and a search goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from aioweb.protocol.events import RawFields
from aioweb.server.flow import ClientDisconnectedError

_T = TypeVar("_T")

MAX_LINE: Final = 65536
"""Bytes that `readline` and `readuntil` look through by default. asyncio 64 KiB."""

_SMALL = 1024
_GATHERED = 4096
_LARGE = 65536
_ALL: Final = float("inf")


class BodyError(Exception):
    """The content of a request cannot be had. `status` (an int) is the answer that fits."""

    status = 400


class BodyInterrupted(BodyError, ClientDisconnectedError):
    """The client went away before its content was complete; nobody is left to answer."""


class BodyTimeout(BodyError, TimeoutError):
    """The client did not send the rest of its content in time."""

    status = 408


class BodyTooLarge(BodyError):
    """There is more content than the caller of `StreamReader.collect` takes."""

    status = 413

    def __init__(self, max_size: int, actual_size: int) -> None:
        super().__init__(f"the content is larger than {max_size} bytes")
        self.max_size = max_size
        """Bytes that were allowed."""
        self.actual_size = actual_size
        """Bytes that had arrived when the limit was passed."""


class StreamReader:
    """The content of one request, made by the connection and read by its handler, once and in order.

    Readers return `b""` at the end. An exception of the stream (a `BodyError`, or a `ProtocolError` for broken framing)
    is raised by every reader and wins over data that was buffered before, as in asyncio: half a message is no message.
    One task reads at a time; a second one that would have to wait gets RuntimeError.

    Args:
        limit: buffered bytes above which the stream is `full`.
        resume: called, without arguments, when a full stream has room again.
        loop: the running loop.
    """

    __slots__ = (
        "__weakref__",
        "_chunks",
        "_eof",
        "_eof_waiter",
        "_exception",
        "_limit",
        "_loop",
        "_need",
        "_offset",
        "_resume",
        "_size",
        "_waiter",
        "full",
        "on_first_wait",
        "total_bytes",
        "trailers",
    )

    def __init__(self, limit: int, resume: Callable[[], None] | None, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._resume = resume
        self._loop = loop
        self._chunks: deque[bytes | bytearray] = deque()
        self._offset = 0  # what of the first chunk is taken
        self._size = 0  # what of all chunks is not
        self._need: float = 0
        self._waiter: asyncio.Future[None] | None = None
        self._eof_waiter: asyncio.Future[None] | None = None
        self._exception: BaseException | None = None
        self._eof = False
        self.full = False
        """More is buffered than the limit, and nobody is about to take it: the connection pauses until `resume`."""
        self.on_first_wait: Callable[[], None] | None = None
        """Called once, without arguments, when somebody first has to wait; the client may wait for that."""
        self.total_bytes = 0
        """Bytes of content that have arrived so far."""
        self.trailers: RawFields = ()
        """The trailer fields, names and values as received; known at the end of a chunked body."""

    def __repr__(self) -> str:
        state = "ended" if self._eof else "broken" if self._exception else "open"
        return f"<{type(self).__name__} {state}, {self._size} of {self.total_bytes} bytes buffered>"

    # -- the connection's side -----------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Somebody waits for the client. A deadline for content runs only then: a slow handler is no slow client."""
        return self._waiter is not None or (self._eof_waiter is not None and not self.full)

    def feed_data(self, data: bytes) -> bool:
        """Append content and wake the reader if that is enough for it.

        Returns `full`: if True, pause the transport until `resume` is called. Data after an exception is dropped; data
        after the end is a RuntimeError.
        """
        if self._eof:
            raise RuntimeError("feed_data() after feed_eof()")
        if self._exception is not None or not data:
            return self.full
        self._append(data)
        self.total_bytes += len(data)
        self._size += len(data)
        waiter = self._waiter
        if waiter is not None:
            if self._size < self._need:
                return False
            if not waiter.done():
                # It takes this before the loop asks the socket again: to pause and resume for it would cost two system
                # calls an arrival. If it leaves much of it, the next arrival finds the stream full.
                waiter.set_result(None)
                return False
        if self._size > self._limit:
            self.full = True
        return self.full

    def feed_eof(self, trailers: RawFields = ()) -> None:
        """Say that the content is complete. From now on nothing that happens to the connection can spoil it."""
        if self._eof or self._exception is not None:
            return
        self._eof = True
        self.trailers = trailers
        self._wake()

    def set_exception(self, exception: BaseException) -> None:
        """Let every reader raise `exception`. What is buffered is dropped. The first one counts; none after the end."""
        if self._eof or self._exception is not None:
            return
        self._exception = exception
        self._chunks.clear()
        self._size = self._offset = 0
        self.full = False  # a connection that goes on reading, to drop what comes, is not held up
        self._wake()

    def _append(self, data: bytes) -> None:
        chunks = self._chunks
        if not chunks or len(data) >= _SMALL:
            chunks.append(data)
        elif type(last := chunks[-1]) is bytearray and len(last) < _GATHERED:
            last += data
        else:
            chunks.append(bytearray(data))

    def _wake(self) -> None:
        for waiter in (self._waiter, self._eof_waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    # -- the reader's side: questions ----------------------------------------------------------------------------

    def exception(self) -> BaseException | None:
        """The exception that readers raise, or None."""
        return self._exception

    def is_eof(self) -> bool:
        """The last byte has arrived; some may still wait to be read."""
        return self._eof

    def at_eof(self) -> bool:
        """Everything has arrived and was read."""
        return self._eof and not self._size

    async def wait_eof(self) -> None:
        """Wait until the last byte has arrived. Takes nothing: somebody has to read a body that is over the limit."""
        while not self._eof and self._exception is None:
            if self._eof_waiter is not None:
                raise RuntimeError("another task waits for the end of this body")
            self._tell_wait()
            self._eof_waiter = self._loop.create_future()
            try:
                await self._eof_waiter
            finally:
                self._eof_waiter = None
        if self._exception is not None:
            raise self._exception

    # -- the reader's side: data ---------------------------------------------------------------------------------

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, at least one unless the body has ended; all of the rest, when it has ended, for -1."""
        if n == 0:
            return b""
        await self._fill(_ALL if n < 0 else 1)
        return self._take(self._size if n < 0 else min(n, self._size))

    async def readany(self) -> bytes:
        """What is buffered, as soon as there is something: all of it, unless that would copy a large piece."""
        if not self._size:
            await self._fill(1)
            if not self._size:
                return b""
        first = len(self._chunks[0]) - self._offset
        return self._take(first if first >= _LARGE else self._size)

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes.

        Raises asyncio.IncompleteReadError, whose `partial` is the rest of the body, if it ends before.
        """
        if n < 0:
            raise ValueError(f"readexactly() takes a number of bytes, not {n}")
        await self._fill(n)
        if self._size < n:
            raise asyncio.IncompleteReadError(self._take(self._size), n)
        return self._take(n)

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """A line with its newline; without one at the end of the body. See `readuntil` for the limit."""
        return await self.readuntil(b"\n", max_size=max_line_length)

    async def readuntil(self, separator: bytes = b"\n", *, max_size: int | None = None) -> bytes:
        """Everything up to and with `separator`, or the rest if the body ends before.

        Raises ValueError if the separator does not end within `max_size` bytes (default `MAX_LINE`). What was looked
        through stays in the stream.
        """
        if not separator:
            raise ValueError("readuntil() needs a separator of one byte at least")
        limit = MAX_LINE if max_size is None else max_size
        need, searched = 1, 0
        while True:
            await self._fill(need)
            end = self._find_end(separator, searched)
            if end > limit or (end < 0 and self._size > limit):
                raise ValueError(f"Chunk too big: no {separator!r} within {limit} bytes")
            if end >= 0 or self._eof:
                return self._take(end if end >= 0 else self._size)
            need, searched = self._size + 1, max(0, self._size - len(separator) + 1)

    async def readchunk(self) -> tuple[bytes, bool]:
        """A piece of the body as it is buffered, nothing copied, and False.

        The flag is that of aiohttp, "the end of an HTTP chunk". Where a client cut its chunks means nothing (RFC 9112
        section 7.1), the parser does not keep it, and the flag is never True. At the end the piece is `b""`.
        """
        await self._fill(1)
        return self._take(len(self._chunks[0]) - self._offset if self._size else 0), False

    def read_nowait(self, n: int = -1) -> bytes:
        """Up to `n` bytes of what is buffered, everything for -1; `b""` if there is nothing.

        Raises RuntimeError while another task waits for data.
        """
        if self._exception is not None:
            raise self._exception
        if self._waiter is not None:
            raise RuntimeError("another task waits for data of this body")
        return self._take(self._size if n < 0 else min(n, self._size))

    def unread_data(self, data: bytes) -> None:
        """Put back what was read last, to be read again; nobody who waits is woken.

        Raises ValueError for more than was read.
        """
        if len(data) > self.total_bytes - self._size:
            raise ValueError(f"unread_data() of {len(data)} bytes, and {self.total_bytes - self._size} were read")
        if data and self._exception is None:
            if self._offset:
                self._chunks[0] = self._chunks[0][self._offset :]
                self._offset = 0
            self._chunks.appendleft(data)
            self._size += len(data)

    async def collect(self, max_size: int = 0) -> bytes:
        """The rest of the body, if that is no more than `max_size` bytes; 0 or less is no limit.

        Raises BodyTooLarge as soon as more has arrived, and leaves all of it in the stream.
        """
        if max_size <= 0:
            return await self.read()
        if not self._eof:
            await self._fill(max_size + 1)
        if self._size > max_size:
            raise BodyTooLarge(max_size, self._size)
        return self._take(self._size)

    async def skip(self) -> None:
        """Read the body to its end and drop it."""
        while await self.readany():
            pass

    def iter_chunked(self, n: int) -> StreamIterator[bytes]:
        """Iterate over pieces of at most `n` bytes."""
        if n < 1:
            raise ValueError(f"iter_chunked() takes a number of bytes above 0, not {n}")
        return StreamIterator(lambda: self.read(n), b"")

    def iter_any(self) -> StreamIterator[bytes]:
        """Iterate over what `readany` returns."""
        return StreamIterator(self.readany, b"")

    def iter_chunks(self) -> StreamIterator[tuple[bytes, bool]]:
        """Iterate over what `readchunk` returns."""
        return StreamIterator(self.readchunk, (b"", False))

    def __aiter__(self) -> StreamIterator[bytes]:
        """Iterate over the lines."""
        return StreamIterator(self.readline, b"")

    async def _fill(self, need: float) -> None:
        """Wait until `need` bytes are buffered or the body has ended."""
        while self._size < need and not self._eof and self._exception is None:
            if self._waiter is not None:
                raise RuntimeError("another task waits for data of this body")
            self._tell_wait()
            self._need = need
            waiter = self._waiter = self._loop.create_future()
            if self.full:  # it is, for somebody who needs less than this reader
                self._make_room()
            try:
                await waiter
            finally:
                self._waiter = None
        if self._exception is not None:
            raise self._exception

    def _tell_wait(self) -> None:
        tell, self.on_first_wait = self.on_first_wait, None
        if tell is not None:
            tell()

    def _take(self, n: int) -> bytes:
        """Remove the first `n` bytes, which must be there."""
        data = self._take_all() if n == self._size else self._take_some(n)
        if self.full and self._size <= self._limit // 2:
            self._make_room()
        return data

    def _take_all(self) -> bytes:
        chunks, self._size = self._chunks, 0
        if not chunks:
            return b""
        if self._offset:
            chunks[0] = chunks[0][self._offset :]
            self._offset = 0
        # bytes() of bytes is the same object: a piece that is read whole is never copied
        data = bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return data

    def _take_some(self, n: int) -> bytes:
        self._size -= n
        parts = []
        while n:
            chunk = self._chunks[0]
            end = self._offset + n
            if end < len(chunk):
                parts.append(chunk[self._offset : end])
                self._offset, n = end, 0
            else:
                parts.append(chunk[self._offset :] if self._offset else chunk)
                self._chunks.popleft()
                self._offset, n = 0, end - len(chunk)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _make_room(self) -> None:
        self.full = False
        if self._resume is not None:
            self._resume()

    def _find_end(self, separator: bytes, start: int) -> int:
        """Where the first separator that begins at `start` or later ends, counted from the first byte; or -1."""
        chunks = self._chunks
        if not chunks:
            return -1
        at = chunks[0].find(separator, self._offset + start)
        if at < 0 and len(chunks) > 1:
            self._merge()
            at = chunks[0].find(separator, start)
        return at - self._offset + len(separator) if at >= 0 else -1

    def _merge(self) -> None:
        """Make one chunk of all. It is a bytearray and grows in place, so each byte is merged once only."""
        first = self._chunks.popleft()
        merged = first if isinstance(first, bytearray) else bytearray(first)
        del merged[: self._offset]
        self._offset = 0
        for chunk in self._chunks:
            merged += chunk
        self._chunks.clear()
        self._chunks.append(merged)


class StreamIterator(Generic[_T]):
    """What the `iter_...` methods of a stream return: an asynchronous iterator that may be left at any time."""

    __slots__ = ("_end", "_read")

    def __init__(self, read: Callable[[], Awaitable[_T]], end: _T) -> None:
        self._read = read
        self._end = end

    def __aiter__(self) -> StreamIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        piece = await self._read()
        if piece == self._end:
            raise StopAsyncIteration
        return piece


class EmptyStreamReader(StreamReader):
    """The content of a request without content: at its end from the beginning, and shared, as nothing can change it."""

    __slots__ = ()

    def __init__(self) -> None:
        no_loop: Any = None  # who never waits needs none
        super().__init__(0, None, no_loop)
        self.feed_eof()

    def __repr__(self) -> str:
        return "<EmptyStreamReader>"


EMPTY_BODY: Final = EmptyStreamReader()
"""The content of every request without content."""
