"""The names of aiohttp 0.17, each a thin alias of the modern one. Mixins: the modern classes inherit them.

Nothing of the project uses these names itself.
"""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import attrs
from multidict import MultiDictProxy

from aioweb.protocol.coding import BadCoding
from aioweb.protocol.errors import BadChunk, BadField, BadRequestLine, FieldsTooLarge, ProtocolError
from aioweb.protocol.limits import Limits
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import StreamReader


class _Request(Protocol):
    @property
    def content(self) -> StreamReader: ...

    @property
    def form(self) -> MultiDictProxy[Any] | None: ...

    @property
    def query(self) -> MultiDictProxy[str]: ...


class RequestAliases:
    """0.17 names of a request. (`json(loader=)` is an argument of the modern method.)"""

    __slots__ = ()

    @property
    def GET(self: _Request) -> MultiDictProxy[str]:
        """`query`."""
        return self.query

    @property
    def POST(self: _Request) -> MultiDictProxy[Any]:
        """What `post()` returned. RuntimeError before it was awaited."""
        if self.form is None:
            raise RuntimeError("request.POST is there after `await request.post()`")
        return self.form

    @property
    def payload(self: _Request) -> StreamReader:
        """`content`."""
        return self.content


_Writer = TypeVar("_Writer", covariant=True)


class _Response(Protocol[_Writer]):
    @property
    def prepared(self) -> bool: ...

    def prepare(self, request: Any) -> Awaitable[_Writer]: ...


class ResponseAliases:
    """0.17 names of a response. (`write` and `write_eof` serve both generations, they act at once.)"""

    @property
    def started(self: _Response[object]) -> bool:
        """`prepared`."""
        return self.prepared

    def start(self: _Response[_Writer], request: Any) -> _Writer:
        """`prepare` as a plain call: it acts at once.

        RuntimeError if an `on_response_prepare` hook has to wait for something, which only `await prepare()` can do.
        """
        steps = self.prepare(request).__await__()
        try:
            next(steps)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        steps.close()
        raise RuntimeError("an on_response_prepare hook has to wait: write `await response.prepare(request)`")


class _WebSocket(Protocol):
    def can_prepare(self, request: Any) -> Any: ...

    async def receive(self, timeout: float | None = None) -> Any: ...

    async def close(self) -> bool: ...


class WebSocketAliases:
    """0.17 names of a WebSocket, and names that were deprecated then. (`start` is that of every response.)"""

    def can_start(self: _WebSocket, request: Any) -> Any:
        """`can_prepare`."""
        return self.can_prepare(request)

    async def receive_msg(self: _WebSocket) -> Any:
        """`receive`, under a name that was deprecated in 0.17 already."""
        warnings.warn("receive_msg() is deprecated, use receive()", DeprecationWarning, stacklevel=2)
        return await self.receive()

    async def wait_closed(self: _WebSocket) -> bool:
        """`close`, under a name that was deprecated in 0.17 already."""
        warnings.warn("wait_closed() is deprecated, use close()", DeprecationWarning, stacklevel=2)
        return await self.close()


class _Application(Protocol):
    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    async def cleanup(self) -> None: ...


class ApplicationAliases:
    """0.17 names of an application."""

    _finishers: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]

    def register_on_finish(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call `func(app, *args, **kwargs)` when the application ends; await it if it can be awaited.

        The last one registered is called first. Today: `on_cleanup` or `cleanup_ctx`.
        """
        if not callable(func):
            raise TypeError(f"register_on_finish takes a callable, not {func!r}")
        self._finishers.insert(0, (func, args, kwargs))

    async def finish(self: _Application) -> None:
        """`cleanup`."""
        await self.cleanup()

    async def run_finishers(self) -> None:
        """Call what `register_on_finish` took, each once. Errors go to the loop's exception handler."""
        while self._finishers:
            func, args, kwargs = self._finishers.pop(0)
            try:
                result = func(self, *args, **kwargs)
                if inspect.isawaitable(result):
                    await result
            except Exception as exception:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "Error in finish callback", "exception": exception, "application": self}
                )


class HttpProcessingError(ProtocolError):
    """A request that cannot be processed, raised by a handler: the page of this error is sent, and the connection ends.

    Today: raise one of the HTTP exceptions.

    Args:
        code: the status; by default that of the class.
        message: one sentence for the page.
        headers: further fields of the response.
    """

    code = 500

    def __init__(self, *, code: int | None = None, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else type(self).code
        """The status."""
        self.message = message
        """The sentence for the page."""
        self.headers = headers
        """Further fields of the response."""

    @property
    def status(self) -> int:  # type: ignore[override]
        """`code`."""
        return self.code


class HttpBadRequest(HttpProcessingError):
    """400, raised by a handler. Today: `HTTPBadRequest`."""

    code = 400

    def __init__(self, message: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message=message, headers=headers)


class HttpMethodNotAllowed(HttpProcessingError):
    """405, raised by a handler. Today: `HTTPMethodNotAllowed`."""

    code = 405


# What the parser raises keeps its modern classes: `except BadHttpMessage` catches all of them.
BadHttpMessage = ProtocolError
BadStatusLine = BadRequestLine
InvalidHeader = BadField
LineTooLong = FieldsTooLarge  # a request line that is too long never reaches a handler, a trailer may
TransferEncodingError = BadChunk
ContentEncodingError = BadCoding
WSClientDisconnectedError = ClientDisconnectedError


_LIMIT_OF = {
    "keep_alive": "keepalive_timeout",
    "keepalive_timeout": "keepalive_timeout",
    "handler_timeout": "handler_timeout",
    "max_connections": "connections",
    "max_requests_per_connection": "requests",
    "timeout": "head_timeout",
    "lingering_time": "lingering_time",
    "max_line_size": "line",
    "max_field_size": "field",
    "max_headers": "fields",
    "read_bufsize": "read_buffer",
    "client_max_size": "client_max_size",
    "client_max_fields": "client_max_fields",
}
_WITHOUT_EFFECT = {
    "host",  # informational in 0.17
    "port",
    "timeout_ceil_threshold",  # deadlines are coarse here anyway
}


def split_options(limits: Limits, options: dict[str, Any]) -> tuple[Limits, dict[str, Any]]:
    """Sort the keyword arguments of `make_handler`, in the spelling of either generation.

    Returns the limits with what `options` says of them, and the other options under their modern names. A time of 0
    means no deadline, as it did in 0.17. `max_headers` is a number of fields, as it is in aiohttp 3: the bytes that it
    meant in 0.17 are `Limits.head`.

    Raises TypeError for limits that are none.
    """
    if not isinstance(limits, Limits):
        raise TypeError(f"limits must be a Limits, not {limits!r}")
    changes: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in options.items():
        if name in _LIMIT_OF:
            limit = _LIMIT_OF[name]
            is_time = limit.endswith(("_timeout", "_time"))
            changes[limit] = (value or None) if is_time else value
        elif name == "log":
            rest.setdefault("logger", value)
        elif name not in _WITHOUT_EFFECT:
            rest[name] = value
    return attrs.evolve(limits, **changes), rest
