"""What an application does about errors, by status and by class of exception: `app.add_error_handler`.

Error handlers stand right behind every middleware of their application, and in front of its handlers. So whatever is
raised becomes an answer where it is raised, and every middleware in front of that place sees the answer, as it sees
that of any handler. What no error handler wants goes on outward, to the application around, and ends in handler.py.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aioweb import hdrs
from aioweb.protocol.errors import ProtocolError
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import BodyError
from aioweb.server.wsevents import WebSocketClosed
from aioweb.web.exceptions import HTTPException
from aioweb.web.handler import refuse_result
from aioweb.web.middlewares import Handler
from aioweb.web.request import Request
from aioweb.web.response import Response
from aioweb.web.streamresponse import StreamResponse

ErrorHandler = Callable[[Any, Any], Awaitable[StreamResponse]]
"""What answers in place of what has failed: it is called with the request and the exception."""

_ERRORS: Final = range(400, 600)
_WITH_STATUS: Final = (HTTPException, BodyError, ProtocolError)


async def show_error_page(request: Request, exception: Exception) -> Response:
    """An error handler in the box: the page of aioweb, as HTML, problem details (RFC 9457) or text, as Accept says.

    `app.add_error_handler(range(400, 600), web.show_error_page)` shows it for HTTP exceptions, too, which have one line
    of text otherwise. Their text, headers and cookies are kept.
    """
    status = _status_of(exception)
    response = Response(status=status, headers={"Vary": "Accept"})
    detail = ""
    if isinstance(exception, HTTPException):
        said = (exception.text or "").removeprefix(f"{status}: ")
        detail = "" if said == exception.reason else said
        response.set_status(status, exception.reason)
        response.headers.extend(exception.headers)
        response.cookies.update(exception.cookies)
    elif isinstance(exception, (BodyError, ProtocolError)):
        detail = str(exception)
    content_type, response.body = request.writer.error_page(status, detail)
    response.headers[hdrs.CONTENT_TYPE] = content_type
    return response


class ErrorHandlerFailed(RuntimeError):
    """An error handler has raised, or returned no response. The client gets the default page, as if it were not there.

    `__cause__` is what it raised, whose context is the exception that it was to answer; both are logged.
    """


class ErrorHandlers:
    """The error handlers of one application. Filled until it starts."""

    def __init__(self) -> None:
        self._handlers: dict[int | range | type[Exception], ErrorHandler] = {}

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def add(self, error: int | range | type[Exception], handler: ErrorHandler) -> None:
        """See `Application.add_error_handler`."""
        _check_error(error)
        _check_handler(handler)
        if error in self._handlers:
            raise ValueError(f"{error!r} has an error handler already")
        if isinstance(error, range):
            for other in self._ranges():
                if max(error[0], other[0]) <= min(error[-1], other[-1]):
                    raise ValueError(f"some of {error!r} have an error handler already: that of {other!r}")
        self._handlers[error] = handler

    def _ranges(self) -> list[range]:
        return [error for error in self._handlers if isinstance(error, range)]

    def guard(
        self, handler: Handler, tell_failure: Callable[[Any, Exception], None], logger: logging.Logger
    ) -> Handler:
        """Put the error handlers in front of a handler; `tell_failure` is called with what nobody has expected."""

        async def guarded(request: Request) -> StreamResponse:
            try:
                response = await handler(request)
                if not isinstance(response, StreamResponse):
                    refuse_result(request, response)
                return response
            except Exception as exception:
                if _answers_nothing(request, exception):
                    raise
                found, is_expected = self._find(exception)
                if found is None or (not is_expected and request.writer.debug):
                    raise
                if not is_expected:
                    tell_failure(request, exception)
                response = await _call(found, request, exception)
                if isinstance(exception, (BodyError, ProtocolError)):
                    logger.debug("%r: %s", request, exception)
                    response.force_close()  # where its content ends, nobody knows
                return response

        return guarded

    def _find(self, exception: Exception) -> tuple[ErrorHandler | None, bool]:
        """The handler of an exception, and whether somebody who wrote the application has expected that."""
        has_status, status = isinstance(exception, _WITH_STATUS), _status_of(exception)
        for cls in type(exception).__mro__:
            # A family such as HTTPClientError says less than a status, a class of one status more.
            if getattr(cls, "status_code", None) == -1 and (found := self._by_status(status)):
                return found, True
            if cls in self._handlers:
                return self._handlers[cls], has_status or cls is not Exception
            if cls is HTTPException:  # it is an Exception, but a response is not what that means
                return None, True
        return self._by_status(status), has_status

    def _by_status(self, status: int) -> ErrorHandler | None:
        if status in self._handlers:
            return self._handlers[status]
        return next((self._handlers[statuses] for statuses in self._ranges() if status in statuses), None)


def _status_of(exception: Exception) -> int:
    return exception.status if isinstance(exception, _WITH_STATUS) else 500


def _check_error(error: Any) -> None:
    if isinstance(error, type) and issubclass(error, Exception):
        if issubclass(error, HTTPException) and error.status_code in range(400):
            raise ValueError(f"{error!r} is no error: a status of errors is 400 to 599")
    elif isinstance(error, range):
        if not error or error.step != 1 or error[0] not in _ERRORS or error[-1] not in _ERRORS:
            raise ValueError(f"a range of statuses of errors lies within 400 to 599, step 1, not {error!r}")
    elif not isinstance(error, int) or isinstance(error, bool):
        raise TypeError(f"an error is a status, a range of them, or a subclass of Exception, not {error!r}")
    elif error not in _ERRORS:
        raise ValueError(f"a status of errors is 400 to 599, not {error!r}")


def _check_handler(handler: Any) -> None:
    if not inspect.iscoroutinefunction(handler) and not inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        raise TypeError(f"an error handler must be a coroutine function (async def), not {handler!r}")
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError as error:
        raise TypeError(f"an error handler takes (request, exception), which {handler!r} does not: {error}") from None


def _answers_nothing(request: Request, exception: Exception) -> bool:
    """There is nobody to answer, an answer has begun, it is no error, or an error handler has had it already."""
    return (
        request.writer.started
        or (isinstance(exception, HTTPException) and exception.status < 400)
        or isinstance(exception, (WebSocketClosed, ErrorHandlerFailed))
        or (isinstance(exception, ClientDisconnectedError) and request.writer.transport is None)
    )


async def _call(handler: ErrorHandler, request: Request, exception: Exception) -> StreamResponse:
    try:
        response = await handler(request, exception)
        if not isinstance(response, StreamResponse):
            raise TypeError(f"an error handler must return a response, not {response!r:.200}")
    except HTTPException as raised:
        return raised
    except Exception as failure:
        if _answers_nothing(request, failure):
            raise  # the client has gone meanwhile, or a part of the answer is out
        raise ErrorHandlerFailed(f"the error handler {handler!r} has failed") from failure
    return response
