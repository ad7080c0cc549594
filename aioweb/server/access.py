"""The access log, first subscriber of the seam in observe.py: one line for each request, when it is over.

It refuses to know how lines are kept: they go to a `logging.Logger`, by the way of accesslines.py. How a line of text
is made is accessformat.py's. Read of a request: remote, method, raw_path, version, head.fields, match_info; of a
response: status, body_length, headers.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time as clock
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, Final

from aioweb.log import access_logger, server_logger
from aioweb.server.accessformat import LineFormat, iso_time
from aioweb.server.accesslines import Lines
from aioweb.server.observe import Observer

# The status of an exchange that ended before its response began. No client gets one of them; nginx uses them so.
_CLIENT_GONE: Final = 499
_CUT: Final = 444


class AbstractAccessLogger(ABC):
    """Who writes a line for each response. A server makes one from its `access_log_class` and keeps it to its end.

    Args:
        logger: where the lines go.
        log_format: how they look; a subclass with a form of its own may leave it unread.
    """

    __slots__ = ("log_format", "logger")

    def __init__(self, logger: logging.Logger, log_format: str) -> None:
        self.logger = logger
        self.log_format = log_format

    @property
    def enabled(self) -> bool:
        """Anybody reads the lines. Asked once, before the server starts: if False, nothing is measured or made."""
        return True

    @abstractmethod
    def log(self, request: Any, response: Any, time: float) -> Coroutine[Any, Any, None] | None:
        """Write the line of one exchange.

        Args:
            request: what was asked.
            response: what was answered, whole.
            time: seconds from the complete head of the request to the last byte of the response.
        """

    def log_aborted(self, request: Any, response: Any, time: float) -> Coroutine[Any, Any, None] | None:
        """Write the line of an exchange that ended too early; unless overridden, it is one like all others: `log`.

        Args:
            request: what was asked.
            response: what was sent of the answer: `status`, `body_length`, and empty `headers`. If nothing was, the
                status is 499 where the client has gone, and 444 where the server has cut the connection.
            time: seconds from the complete head of the request to the end.
        """
        return self.log(request, response, time)

    def log_refused(self, status: int, reason: str, peername: Any) -> None:  # noqa: B027  (may be left out)
        """Write the line of bytes that never became a request; unless overridden, there is none.

        Args:
            status: the answer.
            reason: one sentence.
            peername: (host, port); for Unix sockets a path, mostly ""; or None.
        """

    def flush(self) -> None:  # noqa: B027  (may be left out)
        """Write what is held back, if anything is. A server calls it when it has stopped."""


class AbstractAsyncAccessLogger(AbstractAccessLogger):
    """An access logger whose `log` is a coroutine function, for lines that go over the network.

    Each line is written by a task of its own, which no client waits for; the order of lines is that of their start.
    """

    __slots__ = ()

    @abstractmethod
    async def log(self, request: Any, response: Any, time: float) -> None:
        """Write the line of one exchange; the arguments are those of `AbstractAccessLogger.log`.

        What it raises is logged by the server's logger, once, and nobody else hears of it.
        """


class LineAccessLogger(AbstractAccessLogger):
    """A line of text for each exchange, given to the logger as the whole message, with level INFO.

    Where INFO reaches plain handlers only (StreamHandler, FileHandler, WatchedFileHandler), without filters and with a
    format that is the same around each message, lines are gathered for 20 ms and 64 KiB at most and written in blocks,
    without a record. Other handlers get a record for each line, at once.

    A subclass says how the lines look. The records bear no attributes of the exchange, as aiohttp's do: a dictionary of
    them costs more than the line.
    """

    __slots__ = ("_lines",)

    def __init__(self, logger: logging.Logger, log_format: str) -> None:
        super().__init__(logger, log_format)
        self._lines = Lines(logger)

    @property
    def enabled(self) -> bool:
        """The logger lets INFO pass."""
        return self.logger.isEnabledFor(logging.INFO)

    @abstractmethod
    def format_line(self, request: Any, response: Any, time: float) -> str:
        """Return the line of one exchange, without an end of line; the arguments are those of `log`."""

    @abstractmethod
    def format_refusal(self, status: int, reason: str, peername: Any) -> str:
        """Return the line of one refusal, without an end of line; the arguments are those of `log_refused`."""

    def log(self, request: Any, response: Any, time: float) -> None:
        """Write the line of one exchange."""
        self._lines.write(self.format_line(request, response, time))

    def log_refused(self, status: int, reason: str, peername: Any) -> None:
        """Write the line of one refusal."""
        self._lines.write(self.format_refusal(status, reason, peername))

    def flush(self) -> None:
        """Write the lines that are held back."""
        self._lines.flush()


class AccessLogger(LineAccessLogger):
    """Lines after a format, `LOG_FORMAT` unless another is given; what is missing is a dash.

    `%a` remote address, `%t` start, `%P` process, `%r` request line, `%s` status, `%b` bytes of content, `%T` seconds,
    `%Tf` the same with six digits, `%D` microseconds; `%{Name}i` request field, `%{Name}o` response field, `%{Name}e`
    environment variable. gunicorn's dialect is `%(X)s`, where X is one of h l u t r m U q H s b B f a T M D L p {Name}i
    {Name}o {Name}e. A refused request has a dash for its request line and zero for its bytes and times.

    Args:
        logger: gets the lines.
        log_format: in either dialect.

    Raises:
        ValueError: the format has an unknown atom.
    """

    __slots__ = ("_format", "_refusal_format")

    LOG_FORMAT: ClassVar[str] = '%a %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"'
    """The combined log format, which the usual analysers read."""

    def __init__(self, logger: logging.Logger, log_format: str = LOG_FORMAT) -> None:
        super().__init__(logger, log_format)
        self._format = LineFormat(log_format)
        self._refusal_format = self._format.for_refusals()

    def format_line(self, request: Any, response: Any, time: float) -> str:
        """Return the line of one exchange."""
        return self._format.fill(request, response, time)

    def format_refusal(self, status: int, reason: str, peername: Any) -> str:
        """Return the line of one refusal; the format has no place for the reason, which the server's logger tells."""
        nobody = _Refused(peername, status)
        return self._refusal_format.fill(nobody, nobody, 0.0)


class _Aborted:
    """Stands for the response that did not come to its end, as far as it came."""

    __slots__ = ("body_length", "status")

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, request: Any) -> None:
        writer = request.writer
        self.status = writer.status or (_CUT if writer.cut else _CLIENT_GONE)
        self.body_length = writer.body_size


class _Refused:
    """Stands for the request that there is none of, its head, and its response."""

    __slots__ = ("remote", "status")

    body_length = 0
    headers: ClassVar[dict[str, str]] = {}
    fields = headers

    @property
    def head(self) -> _Refused:
        return self

    def __init__(self, peername: Any, status: int) -> None:
        self.remote = _host(peername)
        self.status = status


def _host(peername: Any) -> str | None:
    return str(peername[0]) if isinstance(peername, tuple) else peername or None


class JSONAccessLogger(LineAccessLogger):
    """One JSON object a line, for collectors: ASCII, always the same keys in the same order, null for what is missing.

    Keys: time (of the start, ISO 8601 with milliseconds, UTC), remote, method, path (as sent, with the query), route
    (its name, its template if it has none), version, status, bytes (of content), seconds, referer, user_agent, then the
    further fields. A refusal ends with its reason, what was aborted with `"aborted":true`.

    Args:
        logger: gets the lines.
        log_format: not read; it is here because a server makes every access logger alike.
        headers: names of further request fields; the key of `X-Client-Id` is `x_client_id`. Tell a server with
            `access_log_class=functools.partial(JSONAccessLogger, headers=...)`.
        response_headers: the same of the response; of those that the application has set.

    Raises:
        ValueError: two fields would have the same key.
    """

    __slots__ = ("_further", "_of_response")

    def __init__(
        self,
        logger: logging.Logger,
        log_format: str = "",
        *,
        headers: Iterable[str] = (),
        response_headers: Iterable[str] = (),
    ) -> None:
        super().__init__(logger, log_format)
        taken = {*_JSON_KEYS, "reason", "aborted"}
        self._further = _name_keys(headers, taken)
        self._of_response = _name_keys(response_headers, taken)

    def format_line(self, request: Any, response: Any, time: float) -> str:
        """Return the object of one exchange as JSON."""
        field = request.head.fields.get
        major, minor = request.version
        route = _route_label(request)
        further = "".join([key + _encode_or_null(field(name)) for name, key in self._further]) if self._further else ""
        if self._of_response:
            set_field = response.headers.get
            further += "".join([key + _encode_or_null(set_field(name)) for name, key in self._of_response])
        return (
            f'{{"time":"{_iso_milliseconds(clock.time() - time)}","remote":{_encode_or_null(request.remote)}'
            f',"method":{_encode(request.method)},"path":{_encode(request.raw_path)}'
            f',"route":{_encode_or_null(route)},"version":"{major}.{minor}"'
            f',"status":{response.status},"bytes":{response.body_length},"seconds":{time:.6f}'
            f',"referer":{_encode_or_null(field("Referer"))},"user_agent":{_encode_or_null(field("User-Agent"))}'
            f"{further}}}"
        )

    def format_refusal(self, status: int, reason: str, peername: Any) -> str:
        """Return an object that says who was refused, with what status, and why."""
        known = {"time": _iso_milliseconds(clock.time()), "remote": _host(peername), "status": status, "bytes": 0}
        line = json.dumps(dict.fromkeys(_JSON_KEYS) | known | {"seconds": 0.0}, separators=(",", ":"))
        further = "".join([key + "null" for _, key in [*self._further, *self._of_response]])
        return f'{line[:-1]}{further},"reason":{_encode(reason)}}}'

    def log_aborted(self, request: Any, response: Any, time: float) -> None:
        """Write the object of an exchange that ended too early."""
        self._lines.write(f'{self.format_line(request, response, time)[:-1]},"aborted":true}}')


def _name_keys(names: Iterable[str], taken: set[str]) -> list[tuple[str, str]]:
    """Fields with how their key stands in a line; what is in `taken` is refused."""
    keys = []
    for name in names:
        key = name.lower().replace("-", "_")
        if key in taken:
            raise ValueError(f"the field {name!r} would be the second {key!r} in the line")
        taken.add(key)
        keys.append((name, f",{_encode(key)}:"))
    return keys


_JSON_KEYS: Final = (
    *("time", "remote", "method", "path", "route", "version", "status", "bytes", "seconds", "referer", "user_agent"),
)

_encode: Final = json.encoder.encode_basestring_ascii  # what json.dumps comes down to for text, in C where there is any


def _encode_or_null(value: str | None) -> str:
    return _encode(value) if value else "null"


def _route_label(request: Any) -> str | None:
    """What lines are grouped by: the name of the route, its template if it has none; None if no route was found."""
    route = request.match_info.route
    resource = getattr(route, "resource", None)  # whoever brings a router may bring routes of another kind
    return getattr(route, "name", None) or (None if resource is None else resource.canonical)


def _iso_milliseconds(moment: float) -> str:
    second = int(moment)
    return f"{iso_time(second)}.{int((moment - second) * 1000):03d}Z"


class AccessLogObserver(Observer):
    """Hands every exchange, whole or aborted, and every refusal to an access logger.

    Args:
        access_logger: one with a plain `log`.
    """

    __slots__ = ("_log", "access_logger")

    def __init__(self, access_logger: AbstractAccessLogger) -> None:
        self.access_logger = access_logger
        self._log = access_logger.log

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        """Log the exchange."""
        if response is not None:
            self._log(request, response, seconds)
        else:
            self.access_logger.log_aborted(request, _Aborted(request), seconds)

    def request_refused(self, status: int, reason: str, peername: Any) -> None:
        """Log the refusal."""
        self.access_logger.log_refused(status, reason, peername)

    async def finish(self, timeout: float) -> None:
        """See to it that the last lines are written; the server has stopped. `timeout` is in seconds."""
        self.access_logger.flush()


class AsyncAccessLogObserver(AccessLogObserver):
    """The same for a `log` that is a coroutine function: a task for each line, held until it is done.

    Args:
        access_logger: one whose `log` is to be awaited.
    """

    __slots__ = ("tasks",)

    def __init__(self, access_logger: AbstractAccessLogger) -> None:
        super().__init__(access_logger)
        self.tasks: set[asyncio.Task[None]] = set()
        """The lines that are being written."""

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        """Start to log the exchange."""
        if response is not None:
            coroutine = self._log(request, response, seconds)
        else:
            coroutine = self.access_logger.log_aborted(request, _Aborted(request), seconds)
            if coroutine is None:  # overridden by a plain function
                return
        assert coroutine is not None, "access_observer() chose this class by the kind of log"
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)  # the loop holds its tasks weakly
        task.add_done_callback(self._written)

    async def finish(self, timeout: float) -> None:
        """Wait for the lines that are being written."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=timeout)
        await super().finish(timeout)

    def _written(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (exception := task.exception()):
            name = type(self.access_logger).__qualname__
            server_logger.error("Access logger %s has failed", name, exc_info=exception)


def access_observer(
    access_log_class: Callable[[logging.Logger, str], AbstractAccessLogger] = AccessLogger,
    access_log: logging.Logger | None = access_logger,
    access_log_format: str | None = None,
) -> AccessLogObserver | None:
    """Make the observer that the arguments of a server ask for.

    Args:
        access_log_class: makes the access logger from a logger and a format.
        access_log: where the lines go; None for no access log.
        access_log_format: in either dialect; None for `AccessLogger.LOG_FORMAT`.

    Returns:
        The observer; None if there is no logger or nobody reads it, so that being silent costs nothing.

    Raises:
        TypeError: access_log_class makes something else.
        ValueError: the format has an unknown atom.
    """
    if not access_log:
        return None
    format_ = AccessLogger.LOG_FORMAT if access_log_format is None else access_log_format
    made = access_log_class(access_log, format_)
    if not isinstance(made, AbstractAccessLogger):
        raise TypeError(f"access_log_class must make an AbstractAccessLogger, {access_log_class!r} made {made!r}")
    if not made.enabled:
        return None
    return AsyncAccessLogObserver(made) if inspect.iscoroutinefunction(made.log) else AccessLogObserver(made)
