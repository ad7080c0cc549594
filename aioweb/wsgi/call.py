"""One call of a WSGI application: in its thread, and on the loop that works for it.

    answer     on the loop: does what the thread asks for, until the thread has ended
    run        in the thread: calls the application, and sends what it returns

In between is `_ask`: the thread hands over a coroutine function and waits for its result. So all reading and writing is
done by the task of the request, one step at a time: the thread waits while the client is slow, the deadlines for
content and for writing free it, and nothing is buffered but what the connection buffers anyway.

When the client goes, the next step raises in the thread. When the request is given up (its task was cancelled, for the
server's time is up, say), every later step raises; no thread can be stopped in the middle of its work.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import io
import logging
import os
import stat
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar
from wsgiref.util import is_hop_by_hop

import attrs

from aioweb import web
from aioweb.wsgi.environ import Environ, FileWrapper, reveal

WSGIApplication = Callable[[Environ, Callable[..., Any]], Any]
"""What PEP 3333 calls an application: `app(environ, start_response)` returns an iterable of bytes."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
"""What `sys.exc_info()` returns in an except clause."""

_T = TypeVar("_T")

_READ_SIZE: Final = 65536
_GONE: Final = "the request is over: its client is gone, or the server has given it up"
_WITHOUT_CONTENT: Final = frozenset({204, 205, 304})


@attrs.frozen
class _Head:
    status: int
    reason: str
    headers: list[tuple[str, str]]


class _Wish:
    """A step that a thread waits for."""

    def __init__(self, step: Callable[[], Awaitable[Any]]) -> None:
        self._step = step
        self.result: Future[Any] = Future()

    async def grant(self) -> None:
        """Do it. Whatever it raises is the thread's to hear; only a cancellation is this task's as well."""
        try:
            self.result.set_result(await self._step())
        except asyncio.CancelledError:
            self.refuse()
            raise
        except Exception as error:
            self.result.set_exception(error)

    def refuse(self) -> None:
        """It will not be done."""
        self.result.set_exception(web.ClientDisconnectedError(_GONE))


class Call:
    """One call of an application. Made on the loop for each request.

    Args:
        wsgi_app: the application.
        request: what it answers.
        logger: where its late failures go.
    """

    def __init__(self, wsgi_app: WSGIApplication, request: web.BaseRequest, logger: logging.Logger) -> None:
        self._wsgi_app = wsgi_app
        self._request = request
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._context = contextvars.copy_context()
        self._environ: Environ = {}
        self._wishes: asyncio.Queue[_Wish | None] = asyncio.Queue()
        self._given_up = False
        self._error: Exception | None = None
        self._head: _Head | None = None
        self._response: web.StreamResponse | None = None
        self._is_complete = False
        self.ended = asyncio.Event()
        """The application is not, or no longer, at work for this request."""

    # -- on the loop ---------------------------------------------------------------------------------------------------

    async def answer(self, environ: Environ, submit: Callable[[Callable[[], None]], None]) -> web.StreamResponse:
        """Let `submit` run the call in a thread, and work for it until it has ended; returns the finished response.

        Raises what the application raises, and what `submit` does.
        """
        self._environ = environ
        try:
            submit(self.run)
        except BaseException:
            self.ended.set()
            raise
        try:
            while (wish := await self._wishes.get()) is not None:
                await wish.grant()
        finally:
            self._given_up = True
            while not self._wishes.empty():
                left = self._wishes.get_nowait()
                if left is not None:
                    left.refuse()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback holds this frame
        assert self._response is not None, "a call without an error has sent its response"
        return self._response

    def _take(self, wish: _Wish | None) -> None:
        """A wish has come from the thread; None is its end."""
        if wish is None:
            self.ended.set()
            if self._given_up and self._error is not None and not isinstance(self._error, ConnectionError):
                self._logger.error("%r has failed after it was given up", self._request, exc_info=self._error)
        if not self._given_up:
            self._wishes.put_nowait(wish)
        elif wish is not None:
            wish.refuse()

    async def _begin(self, length: int | None) -> web.StreamResponse:
        """Send the head, if that is still to be done; `length` is that of the content, if it is known."""
        if self._response is None:
            if self._head is None:
                raise RuntimeError("the WSGI application has returned without calling start_response()")
            response = web.StreamResponse(
                status=self._head.status, reason=self._head.reason, headers=self._head.headers
            )
            if length is not None and self._has_content and "Content-Length" not in response.headers:
                response.content_length = length
            await response.prepare(self._request)
            self._response = response
        return self._response

    async def _send(self, data: bytes, length: int | None) -> None:
        response = await self._begin(length)
        await response.write(data)
        if response.body_length == response.content_length:
            await self._end()  # a step of its own would make the client wait for nothing

    async def _send_file(self, file: io.FileIO | io.BufferedReader, start: int, size: int) -> None:
        """Send the rest of a file, as the kernel can."""
        response = await self._begin(size)
        writer = await response.prepare(self._request)
        count = response.content_length if response.content_length is not None else size
        if response.compression:  # a hook has asked for it
            while block := await asyncio.to_thread(file.read, _READ_SIZE):
                await response.write(block)
        elif self._has_content:
            await writer.send_file(file, start, count)

    async def _end(self) -> None:
        response = await self._begin(0)
        await response.write_eof()
        self._is_complete = True

    @property
    def _has_content(self) -> bool:
        """Content may be sent (RFC 9110 section 6.4.1)."""
        return self._request.head.method != "HEAD" and (self._head is None or self._head.status not in _WITHOUT_CONTENT)

    # -- in the thread -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Call the application and send what it returns. Raises nothing."""
        try:
            if not self._given_up:
                self._context.run(self._call)
        except Exception as error:
            self._error = error
        except BaseException as error:  # SystemExit would end the server
            self._error = RuntimeError(f"the WSGI application has raised {error!r}")
            self._error.__cause__ = error
        self._environ = {}  # it holds the content, which holds this
        try:
            self._loop.call_soon_threadsafe(self._take, None)
        except RuntimeError:
            pass  # the loop has ended, and nobody waits

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the content, as soon as there are some; b"" at its end."""
        return self._ask(partial(self._request.content.read, size))

    def _ask(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Let the loop do a step, and wait for its result."""
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError(
                "wsgi.input and write() would block the event loop: a coroutine reads environ['aioweb.request'].content"
            )
        wish = _Wish(step)
        try:
            self._loop.call_soon_threadsafe(self._take, wish)
        except RuntimeError:  # the loop has ended
            raise web.ClientDisconnectedError(_GONE) from None
        try:
            result: _T = wish.result.result()
            return result
        finally:
            del wish  # the traceback of what it raises holds this frame

    def _call(self) -> None:
        result = self._wsgi_app(self._environ, self._start_response)
        if inspect.isawaitable(result):
            awaitable = result

            async def wait() -> Any:
                return await awaitable

            result = self._ask(wait)
        try:
            self._send_all(result)
        finally:
            self._close(result)

    def _send_all(self, result: Iterable[bytes]) -> None:
        file = _whole_file(result)
        if file is not None and self._response is None:
            self._ask(partial(self._send_file, *file))
        else:
            length = sum(map(len, result)) if isinstance(result, list | tuple) else None
            for data in result:
                self._write(data, length)
                if self._response is not None and not self._has_content:
                    break
        if not self._is_complete:
            self._ask(self._end)

    def _close(self, result: Any) -> None:
        """Close what the application returned: it always hears of the end. Its failure there spoils no answer."""
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                self._logger.exception("%r: close() of what the WSGI application returned has failed", self._request)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """What the application calls with its head."""
        if exc_info is not None:
            try:
                if self._response is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._head is not None:
            raise RuntimeError("start_response() was called twice; only with exc_info may it replace a head")
        self._head = _read_head(status, headers)
        return self._write

    def _write(self, data: bytes, length: int | None = None) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"a WSGI application sends bytes, not {data!r:.100}")
        if self._head is None:
            raise RuntimeError("start_response() must be called before content is sent")
        if data:  # the head waits for content, so that an error can still replace it
            self._ask(partial(self._send, data, length))


class ContentStream(io.RawIOBase):
    """The content of a request as a file that blocks; `io.BufferedReader` adds lines, iteration and the rest.

    Args:
        read: `read(size)` returns some bytes, b"" at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read: Callable[[int], bytes] | None = read

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as many bytes as there are."""
        data = b"" if self._read is None else self._read(len(buffer))
        if not data:
            self._read = None
        buffer[: len(data)] = data
        return len(data)


def _read_head(status: object, headers: object) -> _Head:
    """The head that `start_response` was given. Raises TypeError and ValueError for what PEP 3333 does not allow."""
    if not isinstance(status, str) or not isinstance(headers, list):
        raise TypeError(f"start_response() takes a str and a list, not {status!r:.100} and {headers!r:.100}")
    code, _, reason = status.partition(" ")
    if len(code) != 3 or not code.isascii() or not code.isdecimal() or code < "200":
        raise ValueError(f"a status is a number from 200 to 999 and a reason, such as '200 OK', not {status!r:.100}")
    fields = []
    for header in headers:
        if not isinstance(header, tuple) or len(header) != 2 or not all(isinstance(part, str) for part in header):
            raise TypeError(f"a header is a tuple of two str, not {header!r:.100}")
        name, value = header
        if is_hop_by_hop(name):
            raise ValueError(f"the header {name!r} is the server's business (PEP 3333, hop-by-hop)")
        if any(control in value for control in "\r\n\0"):
            raise ValueError(f"the header {name!r} has a line break or a NUL in {value!r:.100}")
        fields.append((name, reveal(value)))
    return _Head(int(code), reveal(reason), fields)


def _whole_file(result: object) -> tuple[io.FileIO | io.BufferedReader, int, int] | None:
    """The file behind what an application returned, where it stands, and how much is left; None if it is none."""
    file = result.file if isinstance(result, FileWrapper) else None
    if not isinstance(file, io.FileIO | io.BufferedReader):
        return None
    try:
        status = os.fstat(file.fileno())
        start = file.tell()
    except OSError:
        return None
    return (file, start, max(0, status.st_size - start)) if stat.S_ISREG(status.st_mode) else None
