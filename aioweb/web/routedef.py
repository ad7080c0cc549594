"""Routes that are written down before there is an application: `web.get("/", index)` and tables of them.

A definition is only data; errors in it are found when it is registered, with `app.add_routes(...)`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload

import attrs

from aioweb.web.routerules import read_rules
from aioweb.web.routes import ANY_METHOD, AbstractRoute, MiddlewareLike, check_middlewares
from aioweb.web.views import HandlerLike

_H = TypeVar("_H", bound=HandlerLike)


class Registrar(Protocol):
    """Where a definition is registered: a router, or a group of it."""

    def add_route(self, method: str, path: str, handler: HandlerLike, **kwargs: Any) -> AbstractRoute:
        """Register a route."""


class AbstractRouteDef(ABC):
    """Something that can be registered later."""

    @abstractmethod
    def register(self, router: Any) -> list[AbstractRoute]:
        """Register it, and return the routes that it became."""


@attrs.frozen(repr=False)
class RouteDef(AbstractRouteDef):
    """A route to be: `router.add_route(method, path, handler, **kwargs)`."""

    method: str
    """In any case, `*` for all."""
    path: str
    """The template; see `parse_template`."""
    handler: HandlerLike
    """What answers."""
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    """Other arguments of `add_route`: name, expect_handler, middlewares, allow_head, timeout and so on."""

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in sorted(self.kwargs.items()))
        handler = getattr(self.handler, "__qualname__", repr(self.handler))
        return f"<RouteDef {self.method} {self.path} -> {handler}{options}>"

    def register(self, router: Registrar) -> list[AbstractRoute]:
        """Register it, and return its one route."""
        return [router.add_route(self.method, self.path, self.handler, **self.kwargs)]


@attrs.frozen(repr=False)
class StaticDef(AbstractRouteDef):
    """A folder of files to be: `router.add_static(prefix, path, **kwargs)`."""

    prefix: str
    """Begins with a slash."""
    path: str | os.PathLike[str]
    """Of the folder."""
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    """Other arguments of `add_static`."""

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in sorted(self.kwargs.items()))
        return f"<StaticDef {self.prefix} -> {os.fspath(self.path)}{options}>"

    def register(self, router: Any) -> list[AbstractRoute]:
        """Register it, and return its routes."""
        return list(router.add_static(self.prefix, self.path, **self.kwargs))


def static(prefix: str, path: str | os.PathLike[str], **kwargs: Any) -> StaticDef:
    """Define a folder of files; `kwargs` as for `UrlDispatcher.add_static`."""
    return StaticDef(prefix, path, kwargs)


def route(method: str, path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for any method; `kwargs` as for `UrlDispatcher.add_route`."""
    return RouteDef(method, path, handler, kwargs)


def head(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for HEAD."""
    return route("HEAD", path, handler, **kwargs)


def options(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for OPTIONS."""
    return route("OPTIONS", path, handler, **kwargs)


def get(
    path: str, handler: HandlerLike, *, name: str | None = None, allow_head: bool = True, **kwargs: Any
) -> RouteDef:
    """Define a route for GET, which answers HEAD, too, unless told otherwise."""
    return route("GET", path, handler, name=name, allow_head=allow_head, **kwargs)


def post(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for POST."""
    return route("POST", path, handler, **kwargs)


def put(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for PUT."""
    return route("PUT", path, handler, **kwargs)


def patch(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for PATCH."""
    return route("PATCH", path, handler, **kwargs)


def delete(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for DELETE."""
    return route("DELETE", path, handler, **kwargs)


def view(path: str, handler: HandlerLike, **kwargs: Any) -> RouteDef:
    """Define a route for all methods, which a `View` tells apart."""
    return route(ANY_METHOD, path, handler, **kwargs)


class RouteTableDef(Sequence[AbstractRouteDef]):
    """A table of definitions that decorators fill: `@routes.get("/")`.

    Args:
        prefix: in front of the paths, such as `/api`.
        name: in front of the names, with a dot: `api` makes `users` to `api.users`.
        middlewares: around the handlers, outermost first; those of a single route are within.
        rules: timeout, timeout_status, client_max_size and client_gone of the routes, see `UrlDispatcher.add_route`;
            what a route says itself counts more.
    """

    def __init__(
        self, *, prefix: str = "", name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> None:
        self._prefix = prefix
        self._name = name
        self._middlewares = check_middlewares(middlewares)
        self._rules = read_rules(rules)
        self._items: list[AbstractRouteDef] = []

    def __repr__(self) -> str:
        return f"<RouteTableDef {self._prefix} count={len(self._items)}>"

    @overload
    def __getitem__(self, index: int) -> AbstractRouteDef: ...

    @overload
    def __getitem__(self, index: slice) -> list[AbstractRouteDef]: ...

    def __getitem__(self, index: int | slice) -> AbstractRouteDef | list[AbstractRouteDef]:
        return self._items[index]

    def __iter__(self) -> Iterator[AbstractRouteDef]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def route(self, method: str, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of a method; `kwargs` as for `UrlDispatcher.add_route`."""
        if not isinstance(path, str):
            raise TypeError(f"path must be a str, not {path!r}: write the decorator as @routes.get('/path')")
        self._complete(kwargs)

        def decorate(handler: _H) -> _H:
            self._items.append(RouteDef(method, self._prefix + path, handler, kwargs))
            return handler

        return decorate

    def _complete(self, kwargs: dict[str, Any]) -> None:
        """Put name and middlewares of the table in front of those of a definition, and its rules around them."""
        name = kwargs.get("name")
        if name is not None and self._name is not None:
            kwargs["name"] = f"{self._name}.{name}"
        if self._middlewares:
            kwargs["middlewares"] = (*self._middlewares, *kwargs.get("middlewares", ()))
        for rule, wish in attrs.asdict(self._rules).items():
            if wish is not None and kwargs.get(rule) is None:
                kwargs[rule] = wish

    def static(self, prefix: str, path: str | os.PathLike[str], **kwargs: Any) -> None:
        """Add a folder of files; `kwargs` as for `UrlDispatcher.add_static`."""
        self._complete(kwargs)
        self._items.append(StaticDef(self._prefix + prefix, path, kwargs))

    def head(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of HEAD."""
        return self.route("HEAD", path, **kwargs)

    def get(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of GET, and of HEAD unless `allow_head=False`."""
        return self.route("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of POST."""
        return self.route("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of PUT."""
        return self.route("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of PATCH."""
        return self.route("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of DELETE."""
        return self.route("DELETE", path, **kwargs)

    def options(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate the handler of OPTIONS."""
        return self.route("OPTIONS", path, **kwargs)

    def view(self, path: str, **kwargs: Any) -> Callable[[_H], _H]:
        """Decorate a `View`."""
        return self.route(ANY_METHOD, path, **kwargs)
