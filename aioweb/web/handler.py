"""One request's life on the roof, top to bottom. The file to read first.

    answer               the request is made, answered, and its answer sent: every request passes here
    ├── respond          the application's part: route, invite the content, run the chain
    └── _recover         what becomes of an exception

Below is the middle, which calls `answer(head, body, writer)` in a task of this request's own. Above are the handlers of
the user. Whatever they raise ends here, as an answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

from aioweb.log import access_logger, server_logger
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import HttpVersion10, RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.access import AccessLogger, access_observer
from aioweb.server.contract import Handler as ServerHandler
from aioweb.server.debugpage import Facts
from aioweb.server.failurereport import show
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.observe import Observer, Observers
from aioweb.server.server import Server
from aioweb.server.stream import BodyError, StreamReader
from aioweb.server.writer import StreamWriter
from aioweb.server.wsevents import WebSocketClosed
from aioweb.web.blocking import name_blockers
from aioweb.web.compat import split_options
from aioweb.web.exceptions import HTTPException, HTTPExpectationFailed
from aioweb.web.forwarded import TrustedProxies
from aioweb.web.request import BaseRequest, Request
from aioweb.web.response import Response
from aioweb.web.streamresponse import StreamResponse
from aioweb.web.timelimit import limit_time

_R = TypeVar("_R", bound=BaseRequest)

_DEFAULT_LIMITS: Final = Limits()


def make_handler(
    respond: Callable[[_R], Awaitable[Any]],
    request_class: Callable[[RequestHead, StreamReader, StreamWriter, Limits], _R],
    *,
    limits: Limits,
    observers: Observers,
    logger: logging.Logger,
    debug: bool,
    forwarded: TrustedProxies | None = None,
    guard: Callable[[Any], Any] | None = None,
) -> ServerHandler:
    """Make what a server calls for each request: it answers with what `respond(request)` returns or raises.

    `guard` puts error handlers in front of what is not the application's: the bound on the time of every handler.

    Raises TypeError for `forwarded` that is no TrustedProxies.
    """
    if forwarded is not None and not isinstance(forwarded, TrustedProxies):
        raise TypeError(f"forwarded takes web.TrustedProxies(...), not {forwarded!r}")
    if limits.handler_timeout is not None:
        respond = limit_time(respond, limits.handler_timeout, logger)
        respond = respond if guard is None else guard(respond)
    if debug:
        respond = name_blockers(respond, logger)
    timed = observers.timed
    request_started = observers.request_started
    # Who wants to hear of heads hears it where every head passes, a stream's in the middle of its handler too.
    first_hooks = (_tell_started(observers),) if observers.response_started else ()

    async def answer(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        request = request_class(head, body, writer, limits)
        if forwarded is not None and forwarded.has_peer(writer.peername):
            request.proxies = forwarded
        if first_hooks:
            request.response_prepare_hooks = first_hooks
        for notify in request_started:
            notify(request)
        started = writer.loop.time() if timed else 0.0
        response = sent = None
        try:
            try:
                response = await respond(request)
                if not isinstance(response, StreamResponse):
                    refuse_result(request, response)
            except HTTPException as exception:
                response = exception
            await response.finish(request)
            sent = response
        except asyncio.CancelledError as exception:
            # By handler_cancellation, or because the server's time is up. Whoever counts requests must hear of the end.
            if writer.transport is None:
                _tell_gone(request, observers, logger)
            else:
                for notify in observers.request_failed:
                    notify(request, exception)
            raise
        except Exception as exception:
            recovered = _recover(request, exception, observers, logger, debug)
            if recovered is not None:
                if response is not None:
                    # It was on its way: the hooks of the application may be what has failed.
                    request.response_prepare_hooks = first_hooks
                try:
                    await _send_page(request, recovered, first_hooks, logger)
                    sent = recovered
                except ClientDisconnectedError:
                    _tell_gone(request, observers, logger)
        finally:
            if request.form_files is not None:
                request.form_files.close()
            if timed:
                seconds = asyncio.get_running_loop().time() - started
                if sent is not None:
                    for notify in observers.response_sent:
                        notify(request, sent, seconds)
                for notify in observers.request_ended:
                    notify(request, sent, seconds)

    return answer


def _tell_started(observers: Observers) -> Callable[[BaseRequest, StreamResponse], Awaitable[None]]:
    async def tell(request: BaseRequest, response: StreamResponse) -> None:
        for notify in observers.response_started:
            notify(request, response)

    return tell


def _recover(
    request: BaseRequest, exception: Exception, observers: Observers, logger: logging.Logger, debug: bool
) -> Response | None:
    """Answer for an exception that is no response; None if nothing can be answered, then the connection is cut."""
    writer = request.writer
    if isinstance(exception, WebSocketClosed) or (
        isinstance(exception, ClientDisconnectedError) and writer.transport is None
    ):
        _tell_gone(request, observers, logger)
        return None
    if isinstance(exception, HTTPException) and not writer.started:
        return exception  # raised by a hook, or by content that was to be made while it is sent
    if isinstance(exception, (BodyError, ProtocolError)):
        # The client broke its own content, or let us wait for it.
        logger.debug("%r: %s", request, exception)
        status, page = exception.status, writer.error_page(exception.status, str(exception))
    else:
        tell_failure(request, exception, observers, logger)
        status = 500
        page = writer.error_page(500, "", exception, _facts_of(request)) if debug else writer.error_page(500)
    if writer.started:
        writer.abort()
        return None
    headers = getattr(exception, "headers", None) or {}  # HttpProcessingError has some
    response = Response(status=status, body=page[1], headers={**headers, "Content-Type": page[0]})
    response.force_close()
    return response


def tell_failure(request: BaseRequest, exception: Exception, observers: Observers, logger: logging.Logger) -> None:
    """Tell of an exception that nobody has expected, once."""
    for notify in observers.request_failed:
        notify(request, exception)
    logger.error("Error handling %s %s", request.head.method, request.head.path, exc_info=exception)


async def _send_page(
    request: BaseRequest, page: Response, first_hooks: Sequence[Callable[[Any, Any], Any]], logger: logging.Logger
) -> None:
    """Send an error page, with the hooks of the application if they do not fail as well."""
    try:
        await page.finish(request)
    except Exception as exception:
        if request.writer.started or isinstance(exception, ClientDisconnectedError):
            raise
        logger.error("A hook has failed on the page of an error", exc_info=exception)
        request.response_prepare_hooks = first_hooks
        await page.finish(request)


def _facts_of(request: BaseRequest) -> Facts:
    """What a debug page shows beside the request: where the router has led it."""
    match_info = request.match_info
    route = getattr(match_info, "route", None)
    if route is None:
        return []
    rows = [("Route", show(route)), ("Applications", show(match_info.apps))]
    if isinstance(match_info, Mapping):
        rows.append(("Parts", show(dict(match_info))))
    return [("Route", rows)]


def _tell_gone(request: BaseRequest, observers: Observers, logger: logging.Logger) -> None:
    for notify in observers.client_gone:
        notify(request)
    logger.debug("The client of %r is gone", request)


def refuse_result(request: BaseRequest, result: object) -> NoReturn:
    """Raise for a result that is no response: TypeError, or ClientDisconnectedError if nobody waits for one."""
    if request.writer.transport is None:
        raise ClientDisconnectedError("the client has gone, and the handler has returned nothing")
    handler = getattr(request.match_info, "handler", None)
    said = "nothing: is a return statement missing?" if result is None else f"{result!r:.200}"
    raise TypeError(f"the handler {handler!r}, or a middleware in front of it, must return a response, not {said}")


async def continue_on_read(request: BaseRequest) -> StreamResponse | None:
    """Let the content be invited when it is first read: the expect handler of routes without one of their own.

    The client gets `100 Continue` if it waits for it (RFC 9110 section 10.1.1), at the moment when the handler, or a
    middleware, begins to wait for content of which nothing has arrived. So an answer that needs no content (401, 413,
    415) spares the client sending it. To invite at once, call `request.send_continue()`.

    An expect handler of your own that has no objection returns what this one returns.

    Returns: None.

    Raises HTTPExpectationFailed (417) for an expectation other than 100-continue.
    """
    expect = request.head.fields.expect
    if expect != "100-continue":
        raise HTTPExpectationFailed(text=f"Unknown Expect: {expect}")
    request.writer.continue_on_read = True
    return None


async def meet_expectation(
    request: BaseRequest, expect_handler: Callable[[Any], Awaitable[StreamResponse | None]] | None
) -> StreamResponse | None:
    """Run the expect handler of a route; a response from it refuses the content, and is the answer.

    One that returns None has, as since aiohttp 0.17, written the invitation itself, by whatever way: nothing is added.
    """
    # RFC 9110 section 10.1.1: a server MUST ignore the expectation in an HTTP/1.0 request.
    if request.head.version is HttpVersion10:
        return None
    if expect_handler is None:
        return await continue_on_read(request)
    request.writer.continue_on_read = False
    return await expect_handler(request)


def default_handler_factory(app: Any, router: Any, **options: Any) -> Server:
    """Make the server of an application: what `handler_factory` of `Application` replaces. See `make_handler`."""
    app.freeze()
    limits, rest = split_options(options.pop("limits", app.limits), options)
    access_log = access_observer(
        rest.pop("access_log_class", AccessLogger),
        rest.pop("access_log", access_logger),
        rest.pop("access_log_format", None),
    )
    own = [access_log] if access_log is not None else []
    observers = Observers([*app.observers, *rest.pop("observers", ()), *own])
    app.use_observers(observers)
    logger = rest.pop("logger", app.logger)
    debug = rest.pop("debug", app.debug)
    forwarded = rest.pop("forwarded", None)
    if app.client_gone is not None and "handler_cancellation" not in rest:
        rest.setdefault("client_gone", app.client_gone)
    settings: dict[str, Any] = {"limits": limits, "observers": observers, "logger": logger, "debug": debug}
    handler = make_handler(app.respond, Request, forwarded=forwarded, guard=app.guard, **settings)
    return Server(handler, **settings, **rest)


class WebServer(Server):
    """A server without an application: one coroutine answers every request. Public as `web.Server`.

    Args:
        handler: `async handler(request)`; it returns a response, or raises one.
        request_factory: makes the request from (head, body, writer, limits); by default BaseRequest.
        forwarded: the proxies that may speak for their clients; None for nobody.
        options: those of `aioweb.server.Server`, and single limits by the names that `make_handler` knows.

    Raises TypeError for a handler that is no coroutine function, and for an option that nobody knows.
    """

    def __init__(
        self,
        handler: Callable[[Any], Awaitable[StreamResponse]],
        *,
        request_factory: Callable[[RequestHead, StreamReader, StreamWriter, Limits], Any] = BaseRequest,
        access_log: logging.Logger | None = None,
        access_log_class: Any = AccessLogger,
        access_log_format: str | None = None,
        observers: Iterable[Observer] = (),
        logger: logging.Logger = server_logger,
        debug: bool = False,
        limits: Limits = _DEFAULT_LIMITS,
        forwarded: TrustedProxies | None = None,
        **options: Any,
    ) -> None:
        if not callable(handler):
            raise TypeError(f"the handler must be a coroutine function, not {handler!r}")
        limits, rest = split_options(limits, options)
        log = access_observer(access_log_class, access_log, access_log_format)
        seam = Observers([*observers, *([log] if log is not None else [])])
        settings: dict[str, Any] = {"limits": limits, "observers": seam, "logger": logger, "debug": debug}
        super().__init__(make_handler(handler, request_factory, forwarded=forwarded, **settings), **settings, **rest)
