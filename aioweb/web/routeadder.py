"""How routes are registered: the `add_` methods of a router, and of a group of its routes with a common prefix.

A group keeps nothing: whatever is added goes, with its prefix, name and middlewares in front, to the router.
"""

from __future__ import annotations

import keyword
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol

import attrs

from aioweb.server.contract import ClientGone
from aioweb.web.fileresponse import CHUNK_SIZE
from aioweb.web.paths import parse_template
from aioweb.web.resources import Resource
from aioweb.web.routedef import AbstractRouteDef
from aioweb.web.routerules import RouteRules, read_rules
from aioweb.web.routes import (
    ANY_METHOD,
    AbstractResource,
    AbstractRoute,
    ExpectHandler,
    MiddlewareLike,
    ResourceRoute,
    check_middlewares,
)
from aioweb.web.static import CacheLike, FileHandler, ResponseFactory, StaticResource
from aioweb.web.views import HandlerLike

_BELOW: Final = "/{path:.*}"


def mount_depth(request: Any) -> int:
    """How many segments of the path lead to the handler of a request, without those that its part `/{path:.*}` holds.

    All of them where the route ends without such a part, 0 for a request without a route.
    """
    resource = getattr(request.match_info.route, "resource", None)
    if resource is None:
        return 0
    path: str = resource.canonical
    return path.removesuffix("/{path}").count("/")


class ResourceTable(Protocol):
    """Where resources end: the router."""

    def add_resource(
        self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> Resource:
        """Register a resource without routes."""

    def register_resource(self, resource: AbstractResource) -> None:
        """Register a resource that was made elsewhere."""


class Place(NamedTuple):
    """Where a resource ends that was added to a group: at the router, with what the groups put around it."""

    router: ResourceTable
    path: str
    name: str | None
    middlewares: tuple[MiddlewareLike, ...]
    rules: RouteRules


class RouteAdder(ABC):
    """The `add_` methods of a router, and of a group of it."""

    @abstractmethod
    def add_resource(
        self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> Resource:
        """Register a resource without routes. The last one is used again if all arguments are the same.

        Args:
            path: a template, see `parse_template`.
            name: identifiers, joined by `.`, `:` or `-`; unique in the router.
            middlewares: around the handlers of all its routes, outermost first.
            rules: timeout, timeout_status, client_max_size and client_gone of all its routes, see `add_route`.

        Raises ValueError for a bad or taken name or a bad path, RuntimeError if the router is frozen.
        """

    def add_route(
        self,
        method: str,
        path: str,
        handler: HandlerLike,
        *,
        name: str | None = None,
        expect_handler: ExpectHandler | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
        allow_head: bool = True,
        timeout: float | None = None,
        timeout_status: int | None = None,
        client_max_size: int | None = None,
        client_gone: ClientGone | None = None,
    ) -> ResourceRoute:
        """Register a route.

        Args:
            method: a token in any case; `*` is every method.
            path: a template such as `/users/{id:[0-9]+}`, see `parse_template`.
            handler: a function (of whatever kind), a method, a callable object, or a class derived from `View`.
            name: for URLs in reverse: identifiers, joined by `.`, `:` or `-`; unique in the router.
            expect_handler: a coroutine function that meets an Expect field; by default 100 Continue is sent.
            middlewares: around this handler only, outermost first, within those of the application.
            allow_head: a handler for GET answers HEAD, too.
            timeout: seconds that the handler and its middlewares get, until they return a response; then they are
                cancelled. 0 for no limit, None for that of the application. A WebSocket has none once it is open.
            timeout_status: the answer then: 503, or 504 where the handler waits for another server. A response that has
                begun is cut.
            client_max_size: content that `request.read()` and its kin collect, bytes, forms and what decompression
                makes included; 0 for no limit, None for that of the application.
            client_gone: what becomes of the handler when its client goes: "cancel" or "finish"; None for what the
                application says.

        Raises TypeError for a handler that is none, ValueError for a bad method, path, name or limit, RuntimeError if
        the method is taken or the router frozen.
        """
        # What can be wrong with the route is to be found before there is a resource without one.
        probe = AbstractRoute(method, handler, expect_handler=expect_handler, middlewares=middlewares)
        rules = RouteRules(
            timeout=timeout, timeout_status=timeout_status, client_max_size=client_max_size, client_gone=client_gone
        )
        return self.add_resource(path, name=name).add_route(
            method,
            handler,
            expect_handler=expect_handler,
            middlewares=probe.middlewares,
            allow_head=allow_head,
            **attrs.asdict(rules),
        )

    def add_head(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for HEAD."""
        return self.add_route("HEAD", path, handler, **kwargs)

    def add_options(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for OPTIONS."""
        return self.add_route("OPTIONS", path, handler, **kwargs)

    def add_get(
        self, path: str, handler: HandlerLike, *, name: str | None = None, allow_head: bool = True, **kwargs: Any
    ) -> ResourceRoute:
        """`add_route` for GET. Without `allow_head`, HEAD is not answered."""
        return self.add_route("GET", path, handler, name=name, allow_head=allow_head, **kwargs)

    def add_post(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for POST."""
        return self.add_route("POST", path, handler, **kwargs)

    def add_put(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for PUT."""
        return self.add_route("PUT", path, handler, **kwargs)

    def add_patch(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for PATCH."""
        return self.add_route("PATCH", path, handler, **kwargs)

    def add_delete(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for DELETE."""
        return self.add_route("DELETE", path, handler, **kwargs)

    def add_view(self, path: str, handler: HandlerLike, **kwargs: Any) -> ResourceRoute:
        """`add_route` for all methods, which a `View` tells apart."""
        return self.add_route(ANY_METHOD, path, handler, **kwargs)

    def add_static(
        self,
        prefix: str,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        expect_handler: ExpectHandler | None = None,
        chunk_size: int = CHUNK_SIZE,
        show_index: bool = False,
        follow_symlinks: bool = False,
        append_version: bool = False,
        index: str | None = None,
        fallback: str | None = None,
        cache: CacheLike | None = None,
        hidden: bool = False,
        response_factory: ResponseFactory | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
        **rules: Any,
    ) -> StaticResource:
        """Serve the files of a folder below a prefix, to GET and HEAD. See FileResponse for what clients may ask.

        Nothing outside of the folder is ever served, and what is not served is a 404 that does not tell why. Names that
        begin with a dot are not served, `.well-known` is. Routes that were registered before win.

        Args:
            prefix: begins with a slash; may end with one.
            path: of the folder.
            name: for URLs in reverse: `router["static"].url(filename="css/a.css")`.
            show_index: a folder is answered with a list of its files.
            follow_symlinks: links below the folder are followed, if they end below it. Else there are none.
            append_version: `url_for` adds a hash of the content, so that clients may keep it for ever.
            index: the file that answers for its folder, such as `index.html`.
            fallback: the file, such as `index.html`, that answers in place of a 404 when a browser asks for a page: for
                applications that route in the browser.
            cache: tells Cache-Control by path: a callable, or a table such as `{"*.html": "no-cache", "*": 3600}`.
            hidden: serve names that begin with a dot, too.
            response_factory: makes the response in place of FileResponse; it gets the content in pieces of chunk_size.
            chunk_size: bytes, for response_factory only.
            expect_handler, middlewares, rules: as for `add_route`.

        Raises ValueError for a prefix that is none or has parts, for a folder that is not there, for a bad name, index,
        fallback or cache; RuntimeError if the router is frozen.
        """
        place = self._place(prefix, name, middlewares, read_rules(rules))
        resource = StaticResource(
            place.path,
            path,
            name=place.name,
            expect_handler=expect_handler,
            chunk_size=chunk_size,
            show_index=show_index,
            follow_symlinks=follow_symlinks,
            append_version=append_version,
            index=index,
            fallback=fallback,
            cache=cache,
            hidden=hidden,
            response_factory=response_factory,
            middlewares=place.middlewares,
        )
        resource.rules = place.rules
        place.router.register_resource(resource)
        return resource

    def add_file(
        self, path: str, file: str | os.PathLike[str], *, cache: str | int | None = None, **kwargs: Any
    ) -> ResourceRoute:
        """Serve one file at one path: `add_file("/favicon.ico", "assets/favicon.ico", cache=3600)`.

        Args:
            path: as for `add_route`.
            file: its path.
            cache: the value of Cache-Control, or a max-age in seconds.
            kwargs: as for `add_get`.

        Raises ValueError for a file that is not there and for a bad cache, and what `add_route` raises.
        """
        return self.add_get(path, FileHandler(file, cache), **kwargs)

    def add_mount(self, prefix: str, handler: HandlerLike, *, name: str | None = None, **kwargs: Any) -> ResourceRoute:
        """Let one handler answer every method at a prefix and at every path below it: an application of another kind.

        `mount_depth(request)` tells it where its paths begin.

        Args:
            prefix: such as "/shop"; "/" or "" for all paths.
            handler: as for `add_route`.
            name: `url_for(name, path="items/1")` is a URL below the prefix.
            kwargs: as for `add_route`.

        Returns: the route of the paths below.

        Raises what `add_route` raises.
        """
        place = prefix.rstrip("/")
        if place:
            self.add_route("*", place, handler, **kwargs)
        return self.add_route("*", place + _BELOW, handler, name=name, **kwargs)

    @abstractmethod
    def _place(self, path: str, name: str | None, middlewares: Iterable[MiddlewareLike], rules: RouteRules) -> Place:
        """The router where everything ends, and what a path, a name, middlewares and rules are there."""

    def add_routes(self, routes: Iterable[AbstractRouteDef]) -> list[AbstractRoute]:
        """Register a list or a table of definitions, and return the routes that they became."""
        added: list[AbstractRoute] = []
        for definition in routes:
            if not isinstance(definition, AbstractRouteDef):
                raise TypeError(f"add_routes takes definitions such as web.get('/', handler), not {definition!r}")
            added.extend(definition.register(self))
        return added

    def prefix(
        self, prefix: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> RouteGroup:
        """A group of routes with a common prefix, in this very router: `with router.prefix("/api", name="api") as api`.

        Args:
            prefix: begins with a slash and does not end with one; may have parts.
            name: in front of the names, with a dot: `users` becomes `api.users`.
            middlewares: around the handlers of the group, outermost first.
            rules: timeout, timeout_status, client_max_size and client_gone of its routes, see `add_route`; what a route
                says itself counts more.
        """
        return RouteGroup(self, prefix, name=name, middlewares=middlewares, **rules)


class RouteGroup(RouteAdder):
    """Routes with a common prefix, made by `prefix()` of a router or of another group. The `with` is for the eye."""

    def __init__(
        self,
        parent: RouteAdder,
        prefix: str,
        *,
        name: str | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
        **rules: Any,
    ) -> None:
        if not parse_template(prefix).source or prefix.endswith("/"):
            raise ValueError(f"prefix {prefix!r} must begin with a slash and not end with one")
        if name is not None:
            check_name(name)
        self._parent = parent
        self._prefix = prefix
        self._name = name
        self._middlewares = check_middlewares(middlewares)
        self._rules = read_rules(rules)

    def __enter__(self) -> RouteGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        pass

    def __repr__(self) -> str:
        return f"<RouteGroup {self._prefix} of {self._parent!r}>"

    def add_resource(
        self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> Resource:
        parse_template(path)
        place = self._place(path, name, middlewares, read_rules(rules))
        wishes = attrs.asdict(place.rules)
        return place.router.add_resource(place.path, name=place.name, middlewares=place.middlewares, **wishes)

    def _place(self, path: str, name: str | None, middlewares: Iterable[MiddlewareLike], rules: RouteRules) -> Place:
        if name is not None and self._name is not None:
            name = f"{self._name}.{name}"
        around = (*self._middlewares, *check_middlewares(middlewares))
        return self._parent._place(self._prefix + path, name, around, rules.over(self._rules))


def check_name(name: str) -> str:
    """The name of a resource. Raises TypeError for what is no str, ValueError for what is no name."""
    if not isinstance(name, str):
        raise TypeError(f"a name must be a str, not {name!r}")
    for word in re.split("[.:-]", name):
        if not word.isidentifier() or keyword.iskeyword(word):
            raise ValueError(f"name {name!r} must be identifiers joined by '.', ':' or '-', and {word!r} is none")
    return name
