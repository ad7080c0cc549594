"""Application: routes, middlewares, signals and state, and what a server calls for it.

An application is filled, then frozen when it starts; from then on routes, middlewares and signals stay as they are,
and the chain of middlewares is composed, once. State stays open: it belongs to the user.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Any, Final, TypeVar
from weakref import WeakSet

from yarl import URL

from aioweb.log import web_logger
from aioweb.protocol.limits import Limits
from aioweb.server.contract import ClientGone
from aioweb.server.observe import Observer, Observers
from aioweb.web.compat import ApplicationAliases, split_options
from aioweb.web.contexts import CleanupContexts, CleanupError
from aioweb.web.domains import Domain, MaskDomain
from aioweb.web.errorhandlers import ErrorHandler, ErrorHandlers
from aioweb.web.handler import default_handler_factory, meet_expectation, tell_failure
from aioweb.web.middlewares import Handler, Middleware, Middlewares, compose
from aioweb.web.request import Request
from aioweb.web.resources import MatchedSubAppResource, PrefixedSubAppResource
from aioweb.web.routedef import AbstractRouteDef
from aioweb.web.router import AbstractRouter, UrlDispatcher
from aioweb.web.routerules import NO_RULES, RouteRules, apply_rules
from aioweb.web.routes import AbstractResource, AbstractRoute, UrlMappingMatchInfo
from aioweb.web.signals import FreezableList, Signal
from aioweb.web.state import StateKey, StateMapping
from aioweb.web.streamresponse import StreamResponse
from aioweb.web.tasks import ApplicationTasks
from aioweb.web.timelimit import limit_time
from aioweb.web.views import prepare_handler
from aioweb.web.wsoptions import read_origins

_T = TypeVar("_T")

_DEFAULT_LIMITS: Final = Limits()


class AppKey(StateKey[_T]):
    """A typed key of the state of an application: `DB = AppKey("db", Engine)`, then `app[DB]`."""


class Application(ApplicationAliases, StateMapping):
    """A web application: a mapping of state, a router, middlewares and signals.

    Args:
        loop: accepted for old code; an application needs none.
        router: where requests are routed; by default a new UrlDispatcher.
        logger: where failures of handlers are told.
        middlewares: outermost first; `app.middlewares` is the same list and open until the start.
        handler_factory: `factory(app, router, **options)` makes what `make_handler` returns.
        handler_args: options for `make_handler` that a runner passes on.
        client_max_size: content that `request.read()` and its kin collect, bytes; 0 is no limit; None leaves it to
            `limits`.
        client_max_fields: fields of a form; 0 is no limit; None leaves it to `limits`.
        handler_timeout: seconds that a handler gets, see `UrlDispatcher.add_route`; 0 is no limit; None leaves it to
            `limits`.
        client_gone: what becomes of a handler whose client goes: "cancel" or "finish"; None leaves it to the server.
        limits: sizes and deadlines of requests to this application. Those of a sub-application do not count; what it
            was given by the names above holds for its routes.
        debug: show tracebacks in error pages; None asks the loop, when the application starts.
        websocket_origins: sites whose pages may open WebSockets of this application, where `WebSocketResponse` says
            nothing; see its `allowed_origins`. None leaves it to the application above, which allows every site.

    Raises TypeError for a middleware that is none, and for a router that is no AbstractRouter.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        router: AbstractRouter | None = None,
        logger: logging.Logger = web_logger,
        middlewares: Iterable[Middleware] = (),
        handler_factory: Callable[..., Any] | None = None,
        handler_args: dict[str, Any] | None = None,
        client_max_size: int | None = None,
        client_max_fields: int | None = None,
        handler_timeout: float | None = None,
        client_gone: ClientGone | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        debug: bool | None = None,
        websocket_origins: Iterable[str] | None = None,
    ) -> None:
        if router is not None and not isinstance(router, AbstractRouter):
            raise TypeError(f"router must be an AbstractRouter, not {router!r}")
        if not isinstance(limits, Limits):
            raise TypeError(f"limits must be a Limits, not {limits!r}")
        self._loop = loop
        self._router = router if router is not None else UrlDispatcher()
        self.logger = logger
        """Where failures of handlers are told."""
        self._middlewares = Middlewares(middlewares)
        self._error_handlers = ErrorHandlers()
        self._handler_factory = handler_factory or default_handler_factory
        self.handler_args: dict[str, Any] = dict(handler_args or {})
        """Options for `make_handler` that a runner passes on."""
        self._own_rules = RouteRules(timeout=handler_timeout, client_max_size=client_max_size, client_gone=client_gone)
        self._rules = NO_RULES  # what holds for all routes here; those of the outermost are matters of the server
        given: dict[str, Any] = {
            "client_max_size": client_max_size,
            "client_max_fields": client_max_fields,
            "handler_timeout": handler_timeout,
        }
        self.limits, _ = split_options(limits, {name: limit for name, limit in given.items() if limit is not None})
        """Sizes and deadlines; `make_handler` may change them for its server."""
        self._debug = debug
        self.observers: FreezableList[Observer] = FreezableList(what="list of observers")
        """Who is told of every request's life; open until the start."""
        self.on_startup: Signal[Any] = Signal(self, "on_startup")
        """Called with the application when it starts."""
        self.on_shutdown: Signal[Any] = Signal(self, "on_shutdown")
        """Called with the application when it stops, before the requests in flight have ended."""
        self.on_cleanup: Signal[Any] = Signal(self, "on_cleanup")
        """Called with the application when everything has ended."""
        self.on_response_prepare: Signal[Any] = Signal(self, "on_response_prepare")
        """Called with request and response before the head of each response is sent."""
        self.websockets: WeakSet[Any] = WeakSet()
        """The open WebSockets of this application and of those below it."""
        self.websocket_origins = read_origins(websocket_origins)
        """Sites whose pages may open them; None if this application has none of its own."""
        self.cleanup_ctx = CleanupContexts()
        """Asynchronous generators with one yield, or context managers: what comes up with the application, and ends
        in reverse order."""
        self._subapps: list[Application] = []
        self._tasks = ApplicationTasks(self._task_failed, self._tasks_stay)
        self._finishers = []
        self._frozen = False
        self._is_subapp = False
        self._is_plain = False
        self._match: Callable[..., Any] | None = None
        self._at_routing: tuple[Callable[..., None], ...] = ()
        self._request_routed: tuple[Callable[..., None], ...] = ()
        self._chain: Handler | None = None
        self._expecting: Handler = self._expect
        self._hooks: tuple[Callable[..., Awaitable[Any]], ...] = ()
        self._composing: asyncio.Task[None] | None = None
        self._seam = Observers(())

    def __call__(self) -> Application:
        """The application itself: what gunicorn calls."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} 0x{id(self):x}>"

    # -- what it is made of ----------------------------------------------------------------------------------------

    @property
    def router(self) -> UrlDispatcher:
        """The router. Typed as the default one; it may be another AbstractRouter that was given."""
        return self._router  # type: ignore[return-value]

    @property
    def middlewares(self) -> Middlewares:
        """The list of middlewares, outermost first; open until the start."""
        return self._middlewares

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that was given, else the running one. RuntimeError without either."""
        return self._loop if self._loop is not None else asyncio.get_running_loop()

    @property
    def debug(self) -> bool:
        """Error pages show tracebacks."""
        if self._debug is None:
            try:
                return self.loop.get_debug()
            except RuntimeError:
                return False
        return self._debug

    @property
    def client_gone(self) -> ClientGone | None:
        """What becomes of a handler whose client goes, as it was given; None leaves it to the server."""
        return self._own_rules.client_gone

    @property
    def frozen(self) -> bool:
        """Routes and middlewares are final."""
        return self._frozen

    def add_routes(self, routes: Iterable[AbstractRouteDef]) -> list[Any]:
        """Register a table of routes; returns the routes. See `UrlDispatcher.add_routes`."""
        return self.router.add_routes(routes)

    def add_subapp(self, prefix: str, subapp: Application, *, name: str | None = None) -> PrefixedSubAppResource:
        """Serve an application under a path prefix.

        With `name`, its routes are found as "name:route" by `url_for`. Raises ValueError for a prefix that is none,
        RuntimeError if either application has started, or `subapp` is below another application already.
        """
        if not isinstance(prefix, str):
            raise TypeError(f"the prefix must be a str, not {prefix!r}")
        prefix = prefix.rstrip("/")
        if not prefix.startswith("/"):
            raise ValueError(f"the prefix must begin with a slash and name a path, not {prefix!r}")
        self._check_adoption(subapp)
        resource = PrefixedSubAppResource(prefix, subapp, name=name)
        self._adopt(subapp, resource)
        return resource

    def add_domain(self, domain: str, subapp: Application, *, name: str | None = None) -> MatchedSubAppResource:
        """Serve an application for a host, such as "api.example.org" or "*.example.org"."""
        if not isinstance(domain, str):
            raise TypeError(f"the domain must be a str, not {domain!r}")
        self._check_adoption(subapp)
        rule = MaskDomain(domain) if "*" in domain else Domain(domain)
        resource = MatchedSubAppResource(rule, subapp, name=name)
        self._adopt(subapp, resource)
        return resource

    def _check_adoption(self, subapp: Application) -> None:
        if self._frozen:
            raise RuntimeError("an application that has started takes no sub-application")
        if not isinstance(subapp, Application):
            raise TypeError(f"a sub-application must be an Application, not {subapp!r}")
        if subapp.frozen or subapp._is_subapp:
            raise RuntimeError(f"{subapp!r} has started, or is a sub-application already")
        if subapp._holds(self):
            raise RuntimeError(f"{subapp!r} cannot be below itself")

    def _holds(self, app: Application) -> bool:
        return app is self or any(subapp._holds(app) for subapp in self._subapps)

    def _adopt(self, subapp: Application, resource: AbstractResource) -> None:
        self.router.register_resource(resource)
        subapp._is_subapp = True
        self._subapps.append(subapp)
        self.on_startup.append(lambda _: subapp.startup())
        self.on_shutdown.append(lambda _: subapp.shutdown())
        self.on_cleanup.append(lambda _: subapp.cleanup())

    def url_for(self, name: str, /, **parts: object) -> URL:
        """The URL of a named route: "name", or "subapp:name" across sub-applications.

        Raises KeyError for an unknown name, or a part that is missing.
        """
        return self.router.find_named(name).url_for(**parts)

    def add_error_handler(self, error: int | range | type[Exception], handler: ErrorHandler) -> None:
        """Answer errors: `async handler(request, exception)` is called with what was raised, and returns a response.

        Args:
            error: a status (404), a range of statuses (`range(500, 600)`), or a class of exceptions.
            handler: gets the exception: an HTTPException (those of the router too), or for 500 whatever else was
                raised, after it was logged once; in debug mode the page with its traceback stands in for that.

        Of several that fit, the most specific class wins, then the status, its range, and families such as
        `HTTPClientError`. What a sub-application raises is offered to its own error handlers first. A response that is
        returned is never offered. See the guide "Show your own error pages".

        Raises TypeError for another error or handler, ValueError for a status that is no error and for an error that
        has a handler, RuntimeError after the start.
        """
        if self._frozen:
            raise RuntimeError("an application that has started takes no error handler")
        self._error_handlers.add(error, handler)

    # -- life ------------------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Make routes, middlewares, signals and observers final. The start does it."""
        if self._frozen:
            return
        self._frozen = True
        self._router.freeze()
        self._middlewares.freeze()
        self.observers.freeze()
        self.cleanup_ctx.freeze()
        for signal in (self.on_startup, self.on_shutdown, self.on_cleanup, self.on_response_prepare):
            signal.freeze()
        for subapp in self._subapps:
            subapp.freeze()

    async def startup(self) -> None:
        """Start: freeze, compose the middlewares, open the cleanup contexts, send `on_startup`."""
        self.freeze()
        await self.compose()
        await self.cleanup_ctx.enter(self)
        await self.on_startup.send(self)

    async def shutdown(self) -> None:
        """Say that the application stops: send `on_shutdown`. Requests in flight are still being answered."""
        await self.on_shutdown.send(self)

    async def cleanup(self) -> None:
        """End: wait for spawned tasks, close the contexts in reverse, send `on_cleanup`, run finish callbacks.

        Everything is tried; one error is raised as it is, several as a CleanupError.
        """
        await self._tasks.end(self.limits.lingering_time)
        errors = await self.cleanup_ctx.leave()
        errors += await self.on_cleanup.send_to_all(self)
        await self.run_finishers()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise CleanupError("Several errors while cleaning up", errors)

    def spawn(self, coro: Coroutine[Any, Any, _T], *, name: str | None = None) -> asyncio.Task[_T]:
        """Run a coroutine in the background as a task of this application.

        The application holds it, logs its failure once, survives the client that caused it, and waits for it when it
        stops (then cancels it, after `limits.lingering_time` seconds).
        """
        return self._tasks.spawn(coro, name)

    async def shield(self, coro: Coroutine[Any, Any, _T], *, name: str | None = None) -> _T:
        """Await work that must end, once begun: `await request.app.shield(pay(order))`.

        Nothing that cancels the caller cancels the work: not the client's leaving, nor the handler's timeout, nor the
        server's stop, which waits for it until `shutdown_timeout` is over, and cancels it then. Without a runner,
        `cleanup` waits for it as it does for spawned tasks. If the caller is cancelled, a failure of the work is logged
        once and told to observers, as that of a spawned task.

        Returns: what the coroutine returns. Raises what it raises.
        """
        return await self._tasks.shield(coro, name)

    async def finish_work(self, timeout: float | None) -> None:
        """Wait for what `shield` protects, here and in sub-applications; cancel it after `timeout` seconds.

        A runner does it between the last request and `cleanup`.
        """
        await asyncio.gather(*(app.finish_work(timeout) for app in self._subapps), self._tasks.finish_work(timeout))

    def _task_failed(self, task: asyncio.Task[Any], error: BaseException) -> None:
        self.logger.error("Background task %s has failed", task.get_name(), exc_info=error)
        for notify in self._seam.task_failed:
            notify(task, error)

    def _tasks_stay(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        self.logger.error("Background tasks do not end when they are cancelled: %s", tasks)

    # -- requests --------------------------------------------------------------------------------------------------

    def make_handler(self, **options: Any) -> Any:
        """Make what `loop.create_server()` calls, and freeze the application.

        Args:
            options: all optional: those of `Server`, and

                - limits: a `Limits`; single limits may be given by the names of aiohttp: keepalive_timeout (or
                  keep_alive), timeout (of the head), lingering_time, max_line_size, max_field_size, max_headers,
                  read_bufsize, client_max_size.
                - access_log: the logger of the access log, None for none.
                - access_log_class: a subclass of AbstractAccessLogger, or what makes one.
                - access_log_format: its format.
                - observers: further observers.
                - forwarded: the proxies that may speak for their clients, a `TrustedProxies`; None for nobody.
                - log: the name of `logger` in aiohttp 0.17.
                - host, port, timeout_ceil_threshold: accepted for old code, without effect.

        Raises TypeError for an option that nobody knows, ValueError for an impossible limit.
        """
        return self._handler_factory(self, self._router, **options)

    async def compose(self) -> None:
        """Compose the chain of middlewares, once. The start does it; a server without a start, at its first request."""
        if self._composing is None:
            self._composing = asyncio.get_running_loop().create_task(self._compose())
        await asyncio.shield(self._composing)

    async def _compose(self) -> None:
        self.freeze()
        for subapp in self._subapps:
            subapp._rules = subapp._own_rules.over(self._rules)
            await subapp.compose()
        router = self._router
        if isinstance(router, UrlDispatcher):
            for resource in router.resources():
                # The routes of a sub-application belong to it: they were composed with it.
                for route in () if isinstance(resource, PrefixedSubAppResource) else resource:
                    await self._complete(route, resource.rules)
            if type(router).resolve is UrlDispatcher.resolve and not router.needs_resolve:
                self._match = router.match
        if self.on_response_prepare:
            self._hooks = (self.on_response_prepare.send,)
        self._at_routing = (apply_rules,) if self._has_rules() else ()
        self.use_observers(self._seam)
        ours = isinstance(router, UrlDispatcher)
        self._is_plain = ours and not self._middlewares and not self._error_handlers
        innermost = self._call if ours and not self._subapps else self._dispatch
        self._chain = await compose(self, self._middlewares, innermost, self.guard)
        self._expecting = self.guard(self._expect)

    def guard(self, handler: Handler) -> Handler:
        """Put the error handlers of this application in front of a handler, if there are any."""
        if not self._error_handlers:
            return handler

        def tell(request: Request, exception: Exception) -> None:
            tell_failure(request, exception, self._seam, self.logger)

        return self._error_handlers.guard(handler, tell, self.logger)

    def _has_rules(self) -> bool:
        """Some request here has to be told something when it is routed; of a router that is not ours nobody knows."""
        router = self._router
        return not isinstance(router, UrlDispatcher) or any(route.rules.concern_requests for route in router.routes())

    async def _complete(self, route: AbstractRoute, around: RouteRules) -> None:
        if route.middlewares:
            route.call = await compose(self, route.middlewares, route.call)
        rules = route.rules = route.rules.over(around).over(self._rules)
        if rules.timeout is not None:
            route.call = limit_time(route.call, rules.timeout, self.logger, status=rules.timeout_status or 503)

    def use_observers(self, observers: Observers) -> None:
        """Tell these observers, from now on, what the application has to tell. `make_handler` calls it."""
        self._seam = observers
        self._request_routed = (*self._at_routing, *observers.request_routed)
        for subapp in self._subapps:
            subapp.use_observers(observers)

    def respond(self, request: Request, match_info: Any = None) -> Awaitable[StreamResponse]:
        """Answer a request: route it, meet its expectation, and run the chain that leads to its handler.

        `match_info` is what the router found, if it was asked already. Returns the awaitable of the chain itself: no
        coroutine of ours stands between a request's task and its first middleware.
        """
        head = request.head
        if match_info is None:
            if self._match is None:
                return self._resolve(request)
            host = head.authority if request.proxies is None else request.host
            match_info = self._match(head.method, head.path, host)
        match_info.add_app(self)
        request.match_info = match_info
        for notify in self._request_routed:
            notify(request)
        if self._hooks:
            request.response_prepare_hooks = (*self._hooks, *request.response_prepare_hooks)
        if head.fields.expect is not None and match_info.http_exception is None:
            return self._expecting(request)
        if self._is_plain and (not self._subapps or match_info.apps == (self,)):
            response: Awaitable[StreamResponse] = match_info.route.call(request)
            return response
        assert self._chain is not None, "compose() makes the chain before anything is routed"
        return self._chain(request)

    async def _resolve(self, request: Request) -> StreamResponse:
        """The way of a router that must be awaited, and of the first request if nobody has started the application."""
        if self._chain is None:
            await self.compose()
        if self._match is not None:
            return await self.respond(request)
        return await self.respond(request, await self._router.resolve(request))

    async def _expect(self, request: Request) -> StreamResponse:
        """The way of a request whose content waits for an invitation."""
        refusal = await meet_expectation(request, request.match_info.expect_handler)
        if refusal is not None:
            return refusal
        assert self._chain is not None, "compose() makes the chain before anything is routed"
        return await self._chain(request)

    @staticmethod
    def _call(request: Request) -> Awaitable[StreamResponse]:
        """The innermost of the chain of an application without sub-applications."""
        response: Awaitable[StreamResponse] = request.match_info.route.call(request)
        return response

    def _dispatch(self, request: Request) -> Awaitable[StreamResponse]:
        """The innermost of this application's chain: into the sub-application that was routed to, or to the handler."""
        match_info: Any = request.match_info
        apps = match_info.apps
        if apps[-1] is self:
            response: Awaitable[StreamResponse] = _call_of(match_info)(request)
            return response
        return self._enter(apps[apps.index(self) + 1], request, match_info)

    async def _enter(self, subapp: Application, request: Request, match_info: Any) -> StreamResponse:
        match_info.current_app = subapp
        if subapp._hooks:
            request.response_prepare_hooks = (*request.response_prepare_hooks, *subapp._hooks)
        try:
            assert subapp._chain is not None, "the chains of sub-applications are composed with that of their parent"
            return await subapp._chain(request)
        finally:
            match_info.current_app = self


def _call_of(match_info: Any) -> Handler:
    """The handler, made to be awaited: ours are prepared at registration, those of another router here."""
    if isinstance(match_info, UrlMappingMatchInfo):
        return match_info.route.call
    return prepare_handler(match_info.handler)
