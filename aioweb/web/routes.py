"""Routes and what a router answers with: the vocabulary of routing, without a way to find anything.

A resource is a path (or a family of them) and holds routes; a route is one method of it, with its handler. A router
answers each request with a match info: the parts of the path, the route, and the applications that lead there. Not to
find anything is an answer, too: a match info whose handler raises 404 or 405.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from copy import copy
from typing import Any, NoReturn, TypeAlias

from yarl import URL

from aioweb.protocol.grammar import TOKEN
from aioweb.web.exceptions import HTTPException
from aioweb.web.paths import match_form
from aioweb.web.routerules import NO_RULES, RouteRules
from aioweb.web.views import HandlerLike, PreparedHandler, check_expect_handler, prepare_handler

MiddlewareLike: TypeAlias = Callable[..., Any]
"""A middleware of any generation; who composes them knows which."""

ExpectHandler: TypeAlias = Callable[[Any], Awaitable[Any]]
"""A coroutine function that is called with a request that expects something, before the middlewares."""

Query: TypeAlias = "Mapping[str, Any] | Iterable[tuple[str, Any]] | str | None"
"""The query of a URL: a mapping, pairs, or text with or without its question mark."""

ANY_METHOD = "*"
"""The method of a route for all methods."""


def check_method(method: str) -> str:
    """A method in upper case. Raises TypeError for what is no str, ValueError for what is no token."""
    if not isinstance(method, str):
        raise TypeError(f"a method must be a str, not {method!r}")
    if not TOKEN.fullmatch(method):
        raise ValueError(f"{method!r} is not an HTTP method: a token is expected, or '*' for all methods")
    return method.upper()


def check_middlewares(middlewares: Iterable[MiddlewareLike]) -> tuple[MiddlewareLike, ...]:
    """The middlewares as a tuple. Raises TypeError for one that cannot be called."""
    checked = tuple(middlewares)
    for middleware in checked:
        if not callable(middleware):
            raise TypeError(f"a middleware must be callable, not {middleware!r}")
    return checked


class AbstractResource(ABC, Sized, Iterable["AbstractRoute"]):
    """What a router holds: one path, a family of paths, or an application below a prefix. Iterates over its routes.

    A subclass overrides `lookup` (and `methods_for`), or, if it has to wait for something, only `resolve`.

    Args:
        name: for URLs in reverse; None for a resource that needs none.
        middlewares: around the handlers of all its routes, outermost first, within those of the application.
    """

    rules: RouteRules = NO_RULES
    """What all its routes ask for their requests."""

    def __init__(self, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = ()) -> None:
        self._name = name
        self._middlewares = check_middlewares(middlewares)

    @property
    def name(self) -> str | None:
        """The name, None without one."""
        return self._name

    @property
    def middlewares(self) -> tuple[MiddlewareLike, ...]:
        """The middlewares of all its routes, outermost first."""
        return self._middlewares

    @property
    @abstractmethod
    def canonical(self) -> str:
        """The path as a template, percent-encoded: `/users/{id}`. What metrics group by."""

    @abstractmethod
    def url_for(self, /, **parts: object) -> URL:
        """The URL of the path with these parts: str, int or UUID. KeyError for a missing one."""

    def url(self, *, parts: Mapping[str, object] | None = None, query: Query = None) -> str:
        """`url_for` in the spelling of aiohttp 0.17: text, with a query as mapping, pairs, `"a=b"` or `"?a=b"`."""
        if isinstance(query, str):
            query = query.removeprefix("?")
        elif query is not None and not isinstance(query, Mapping):
            query = list(query)
        return str(self.url_for(**(parts or {})).with_query(query))

    @abstractmethod
    def get_info(self) -> dict[str, Any]:
        """What kind of resource it is, for introspection."""

    @abstractmethod
    def add_prefix(self, prefix: str) -> None:
        """Move it below a prefix such as `/api`. For routers; who holds it in an index has to build that anew."""

    def freeze(self) -> None:
        """Take no more routes."""

    def raw_match(self, path: str) -> bool:
        """It was made for this very template."""
        return False

    def match(self, path: str) -> dict[str, str] | None:
        """The decoded parts of a request path, None if it does not match."""
        return self.match_path(match_form(path))

    # -- for routers; paths are in match form (see paths.py) -------------------------------------------------------

    @property
    def literal(self) -> str | None:
        """The one path that can match, None if there may be several."""
        return None

    @property
    def lead(self) -> tuple[tuple[str | None, ...], bool]:
        """The leading segments of all paths that can match (None: any segment), and whether more may follow."""
        return (), True

    @property
    def needs_resolve(self) -> bool:
        """Only `resolve` can answer, for it has to wait for something."""
        return type(self).lookup is AbstractResource.lookup

    def match_path(self, path: str) -> dict[str, str] | None:
        """The decoded parts of a path in match form, None if it does not match."""
        return None

    def reaches(self, path: str) -> bool:
        """It may have an answer for this path; False is for sure."""
        return True

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        """The answer to a request, None if path or method do not match. Never a 404 or 405 of its own level."""
        raise NotImplementedError(f"{self!r} has to be awaited: use resolve()")

    def methods_for(self, path: str) -> set[str]:
        """The methods that this path has here."""
        return set()

    async def resolve(self, request: Any) -> tuple[AbstractMatchInfo | None, set[str]]:
        """`lookup` for a request, and the methods that the path has if there is no answer."""
        path = match_form(request.head.path)
        info = self.lookup(request.method, path, request.host)
        return info, self.methods_for(path) if info is None else set()


class AbstractRoute:
    """One method of a resource and the handler that answers it. Also the base of all route classes of aiohttp 0.17.

    Args:
        method: in any case, `*` for all.
        handler: see `prepare_handler`.
        name: of a route without a resource; else the resource has it.
        expect_handler: called when the client expects something; None for the default, which sends 100 Continue.
        resource: which it belongs to; a route of aiohttp 0.17 may have none, it then overrides `match` and `url`.
        middlewares: around the handler, within those of the resource, outermost first.

    Raises TypeError for a handler, expect handler or middleware that is none, ValueError for a bad method.
    """

    rules: RouteRules = NO_RULES
    """What it asks for its requests; with what is around it, once the application has started."""

    def __init__(
        self,
        method: str,
        handler: HandlerLike,
        name: str | None = None,
        *,
        expect_handler: ExpectHandler | None = None,
        resource: AbstractResource | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
    ) -> None:
        self._method = check_method(method)
        check_expect_handler(expect_handler)
        self._handler = handler
        self.call: PreparedHandler = prepare_handler(handler)
        """The handler, made to be called with the request and awaited. The application puts `middlewares` around it."""
        self._name = name
        self._expect_handler = expect_handler
        self._resource = resource
        own = check_middlewares(middlewares)
        self._middlewares = (*resource.middlewares, *own) if resource is not None else own

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else ""
        where = f" {self._resource.canonical}" if self._resource is not None else ""
        return f"<{type(self).__name__}{name} [{self._method}]{where} -> {self._handler!r}>"

    @property
    def method(self) -> str:
        """The method in upper case, or `*`."""
        return self._method

    @property
    def handler(self) -> Any:
        """The handler as it was given."""
        return self._handler

    @property
    def expect_handler(self) -> ExpectHandler | None:
        """What answers an expectation; None for the default."""
        return self._expect_handler

    @property
    def middlewares(self) -> tuple[MiddlewareLike, ...]:
        """All middlewares between the application and the handler, those of the resource included; outermost first."""
        return self._middlewares

    @property
    def name(self) -> str | None:
        """The name of its resource, or its own if it has none."""
        return self._resource.name if self._resource is not None else self._name

    @property
    def resource(self) -> AbstractResource | None:
        """The resource that it belongs to."""
        return self._resource

    def _required_resource(self) -> AbstractResource:
        if self._resource is None:
            raise NotImplementedError(f"{type(self).__name__} has no resource, so it must override this method")
        return self._resource

    def get_info(self) -> dict[str, Any]:
        """`get_info` of its resource."""
        return self._required_resource().get_info()

    def url_for(self, /, **parts: object) -> URL:
        """The URL of its resource with these parts: str, int or UUID. KeyError for a missing one."""
        return self._required_resource().url_for(**parts)

    def url(self, **kwargs: Any) -> str:
        """The URL as text, the spelling of aiohttp 0.17: `url(parts={"id": 5}, query="?a=b")`."""
        return self._required_resource().url(**kwargs)

    def match(self, path: str) -> dict[str, str] | None:
        """The decoded parts of a request path, None if it does not match (whatever the method)."""
        return self._required_resource().match(path)


class ResourceRoute(AbstractRoute):
    """A route of a resource; `Resource.add_route` makes it.

    Args:
        allow_head: a route for GET answers HEAD, too, where the resource has no route for that.
        method, handler, resource, expect_handler, middlewares: as for `AbstractRoute`.
    """

    def __init__(
        self,
        method: str,
        handler: HandlerLike,
        resource: AbstractResource,
        *,
        expect_handler: ExpectHandler | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
        allow_head: bool = True,
    ) -> None:
        super().__init__(method, handler, expect_handler=expect_handler, resource=resource, middlewares=middlewares)
        self.allow_head = allow_head and self._method == "GET"
        """The handler of GET answers HEAD, too."""


class SystemRoute(AbstractRoute):
    """The route of a request that no route was found for: its handler raises. Made per request."""

    # Instead of the constructor of the base: nothing here needs to be checked, and scanners ask for many.
    _method = ANY_METHOD
    _name = _resource = _expect_handler = None
    _middlewares = ()

    def __init__(self, http_exception: HTTPException) -> None:
        self._exception = http_exception

    async def call(self, request: Any) -> NoReturn:
        """Raises the exception."""
        # A copy: a traceback holds the request, which holds this route; a middleware that answers in place of the
        # exception would leave that cycle behind, for every request that finds nothing.
        raise copy(self._exception)

    @property
    def handler(self) -> PreparedHandler:
        """`call`, which raises the exception."""
        # Bound anew: to keep it would make a cycle of garbage for every request that finds nothing.
        return self.call

    def __repr__(self) -> str:
        return f"<SystemRoute {self.status}: {self.reason}>"

    @property
    def http_exception(self) -> HTTPException:
        """What the handler raises."""
        return self._exception

    @property
    def status(self) -> int:
        """The status that it leads to."""
        return self._exception.status

    @property
    def reason(self) -> str:
        """The reason phrase of that status."""
        return str(self._exception.reason)

    def get_info(self) -> dict[str, Any]:
        """The exception, as `http_exception`."""
        return {"http_exception": self._exception}

    def match(self, path: str) -> None:
        """None: it has no path."""

    def url_for(self, /, **parts: object) -> NoReturn:
        """Raises RuntimeError: it has no URL."""
        raise RuntimeError(f"there is no URL for {self!r}: no route was found for this request")

    def url(self, **kwargs: Any) -> NoReturn:
        """Raises RuntimeError: it has no URL."""
        self.url_for()


class AbstractMatchInfo(ABC):
    """What a router answers for a request. A class of your own overrides `handler`, and what else it wants."""

    __slots__ = ()

    @property
    @abstractmethod
    def handler(self) -> Any:
        """The handler of the route."""

    @property
    def expect_handler(self) -> ExpectHandler | None:
        """What answers an expectation; None for the default."""
        return None

    @property
    def http_exception(self) -> HTTPException | None:
        """What the handler raises if nothing was found, else None."""
        return None

    def get_info(self) -> dict[str, Any]:
        """What was found, for introspection."""
        return {}

    @property
    def apps(self) -> tuple[Any, ...]:
        """The applications that lead to the route, outermost first."""
        apps: tuple[Any, ...] = vars(self).get("apps", ())
        return apps

    def add_app(self, app: Any) -> None:
        """Put an application around those that are there."""
        vars(self)["apps"] = (app, *self.apps)

    @property
    def current_app(self) -> Any:
        """The application whose middleware or handler runs, the outermost at first."""
        return vars(self).get("current_app", self.apps[0])

    @current_app.setter
    def current_app(self, app: Any) -> None:
        vars(self)["current_app"] = app

    def freeze(self) -> None:  # noqa: B027
        """Take no more applications."""


class UrlMappingMatchInfo(dict[str, str], AbstractMatchInfo):
    """The decoded parts of the path, as a dict, with the route that was found and the applications that lead to it.

    Args:
        match_dict: the parts.
        route: which was found.
    """

    __slots__ = ("_apps", "_current_app", "_frozen", "route")

    route: AbstractRoute
    """The route that was found."""

    def __init__(self, match_dict: Mapping[str, str], route: AbstractRoute) -> None:
        self.update(match_dict)
        self.route = route
        self._apps: tuple[Any, ...] = ()
        self._current_app: Any = None
        self._frozen = False

    @classmethod
    def plain(cls, route: AbstractRoute) -> UrlMappingMatchInfo:
        """One without parts. Half the price of the constructor, and made for each request to a literal path."""
        self = _new(UrlMappingMatchInfo)
        self.route = route
        self._apps = ()
        self._current_app = None
        self._frozen = False
        return self

    def __repr__(self) -> str:
        return f"<MatchInfo {dict.__repr__(self)}: {self.route!r}>"

    @property
    def handler(self) -> Any:
        """The handler of the route, as it was given; for 404 and 405 it raises the exception."""
        return self.route.handler

    @property
    def call(self) -> PreparedHandler:
        """The handler, made to be called with the request and awaited."""
        return self.route.call

    @property
    def expect_handler(self) -> ExpectHandler | None:
        """What answers an expectation; None for the default."""
        return self.route.expect_handler

    @property
    def http_exception(self) -> HTTPException | None:
        """None: something was found."""
        return None

    def get_info(self) -> dict[str, Any]:
        """`get_info` of the route."""
        return self.route.get_info()

    @property
    def apps(self) -> tuple[Any, ...]:
        """The applications that lead to the route, outermost first."""
        return self._apps

    def add_app(self, app: Any) -> None:
        """Put an application around those that are there; it is then the current one. RuntimeError when frozen."""
        if self._frozen:
            raise RuntimeError("this match info is frozen: its applications cannot be changed any more")
        self._current_app = app
        self._apps = (app, *self._apps)

    @property
    def current_app(self) -> Any:
        """The application whose middleware or handler runs, the outermost at first. RuntimeError without any."""
        if self._current_app is None:
            raise RuntimeError("this match info belongs to no application yet")
        return self._current_app

    @current_app.setter
    def current_app(self, app: Any) -> None:
        if app not in self._apps:
            raise ValueError(f"{app!r} does not lead to this route, only {self._apps!r} do")
        self._current_app = app

    @contextmanager
    def set_current_app(self, app: Any) -> Iterator[None]:
        """Within the block, `current_app` is this one."""
        before, self.current_app = self._current_app, app
        try:
            yield
        finally:
            self._current_app = before

    def freeze(self) -> None:
        """Take no more applications."""
        self._frozen = True


_new: Callable[[type[UrlMappingMatchInfo]], UrlMappingMatchInfo] = dict.__new__


class MatchInfoError(UrlMappingMatchInfo):
    """Nothing was found: the handler raises 404 or 405. Made with a fresh exception per request."""

    __slots__ = ("_exception",)

    def __init__(self, http_exception: HTTPException) -> None:
        self.route = SystemRoute(http_exception)
        self._apps = ()
        self._current_app = None
        self._frozen = False
        self._exception = http_exception

    def __repr__(self) -> str:
        return f"<MatchInfoError {self._exception.status}: {self._exception.reason}>"

    @property
    def http_exception(self) -> HTTPException:
        """What the handler raises."""
        return self._exception
