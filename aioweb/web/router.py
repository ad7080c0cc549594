"""UrlDispatcher: the table of resources, and what answers a request.

The first registered resource that has the path and the method wins; if none has both, 405 lists the methods of all
that have the path, and 404 says that none has. How few of them are asked is the index's (routeindex.py). The index is
built when the first request comes, or at the freeze, and again after a change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence, Sized
from types import MappingProxyType
from typing import Any, TypeVar

from aioweb.web.exceptions import HTTPMethodNotAllowed, HTTPNotFound
from aioweb.web.paths import match_form, parse_template
from aioweb.web.resources import (
    FROZEN,
    DynamicResource,
    PlainResource,
    PrefixedSubAppResource,
    Resource,
    RouteResource,
)
from aioweb.web.routeadder import Place, RouteAdder, check_name
from aioweb.web.routeindex import RouteIndex
from aioweb.web.routerules import RouteRules, read_rules
from aioweb.web.routes import (
    AbstractMatchInfo,
    AbstractResource,
    AbstractRoute,
    MatchInfoError,
    MiddlewareLike,
    UrlMappingMatchInfo,
    check_middlewares,
)

_T = TypeVar("_T")


class AbstractRouter(ABC):
    """What an application asks of its router; an own one overrides `resolve`."""

    _frozen = False

    def post_init(self, app: Any) -> None:  # noqa: B027
        """Called with the application whose router it is. Does nothing, for your own to override."""

    @property
    def frozen(self) -> bool:
        """The routes are final."""
        return self._frozen

    def freeze(self) -> None:
        """Make the routes final. The application does it when it starts."""
        self._frozen = True

    @abstractmethod
    async def resolve(self, request: Any) -> AbstractMatchInfo:
        """The answer to a request. Never raises for what is not found: the handler of the answer does."""

    def find_named(self, name: str) -> AbstractResource:
        """The resource of this name, for URLs in reverse. Raises KeyError; a router without names always does."""
        raise KeyError(name)


class _Listing(Sized, Iterable[_T], Container[_T]):
    """What a router shows of its contents; follows what is added later."""

    def __init__(self, items: Callable[[], Iterable[_T]]) -> None:
        self._items = items

    def __len__(self) -> int:
        return sum(1 for _ in self._items())

    def __iter__(self) -> Iterator[_T]:
        return iter(self._items())

    def __contains__(self, item: object) -> bool:
        return any(item is other for other in self._items())


class ResourcesView(_Listing[AbstractResource]):
    """The resources of a router, in the order of their registration."""


class RoutesView(_Listing[AbstractRoute]):
    """The routes of a router, in the order of their resources."""


class UrlDispatcher(RouteAdder, AbstractRouter, Mapping[str, AbstractResource]):
    """The router of an application. As a mapping it holds the named resources."""

    def __init__(self) -> None:
        self._resources: list[AbstractResource] = []
        self._known: set[AbstractResource] = set()
        self._named: dict[str, AbstractResource] = {}
        self._index: RouteIndex | None = None
        # Where the application is mounted: for the resources to come, too.
        self._prefix = ""

    def __repr__(self) -> str:
        return f"<UrlDispatcher with {len(self._resources)} resources>"

    # -- requests --------------------------------------------------------------------------------------------------

    def match(self, method: str, raw_path: str, host: str | None = None) -> UrlMappingMatchInfo:
        """The answer to a request; 404 and 405 are answers whose handler raises.

        Args:
            method: as it was sent.
            raw_path: as it was sent, without query; any text will do.
            host: with or without port, for sub-applications that are chosen by it.

        Raises RuntimeError if a sub-application has a router that has to be awaited: then use `resolve`.
        """
        index = self._index or self._build_index()
        path = match_form(raw_path) if "%" in raw_path else raw_path
        resources: Sequence[AbstractResource] | None = index.at_literal(path)
        if resources is None:
            resources = index.candidates(path)
        if index.needs_resolve:
            raise RuntimeError("a resource of this router has to be awaited: use resolve()")
        for resource in resources:
            info = resource.lookup(method, path, host)
            if info is not None:
                return info
        return _nothing_found(method, (resource.methods_for(path) for resource in resources))

    @property
    def needs_resolve(self) -> bool:
        """`match` cannot answer, only `resolve`: it is overridden, or a resource or an application must be awaited."""
        is_overridden = type(self).resolve is not UrlDispatcher.resolve
        return is_overridden or (self._index or self._build_index()).needs_resolve

    async def resolve(self, request: Any) -> AbstractMatchInfo:
        """`match` for a request, which also awaits what has to be awaited."""
        index = self._index or self._build_index()
        if not index.needs_resolve:
            return self.match(request.method, request.head.path, request.host)
        path = match_form(request.head.path)
        found = []
        for resource in index.at_literal(path) or index.candidates(path):
            info, methods = await resource.resolve(request)
            if info is not None:
                return info
            found.append(methods)
        return _nothing_found(request.method, found)

    def _build_index(self) -> RouteIndex:
        self._index = RouteIndex(self._resources)
        return self._index

    # -- registration ----------------------------------------------------------------------------------------------

    def add_resource(
        self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = (), **rules: Any
    ) -> Resource:
        middlewares = check_middlewares(middlewares)
        wishes = read_rules(rules)
        last = self._resources[-1] if self._resources else None
        if (
            isinstance(last, Resource)
            and last.raw_match(self._prefix + path)
            and last.name == name
            and last.middlewares == middlewares
            and last.rules == wishes
        ):
            return last
        kind = DynamicResource if parse_template(path).names else PlainResource
        resource = kind(path, name=name, middlewares=middlewares)
        resource.rules = wishes
        self.register_resource(resource)
        return resource

    def _place(self, path: str, name: str | None, middlewares: Iterable[MiddlewareLike], rules: RouteRules) -> Place:
        return Place(self, path, name, check_middlewares(middlewares), rules)

    def register_resource(self, resource: AbstractResource) -> None:
        """Register a resource that was made elsewhere.

        Raises TypeError for what is none, ValueError for a bad or taken name, RuntimeError if the router is frozen or
        the resource registered already.
        """
        if not isinstance(resource, AbstractResource):
            raise TypeError(f"an instance of AbstractResource is needed, not {resource!r}")
        if self._frozen:
            raise RuntimeError(FROZEN)
        if resource in self._known:
            raise RuntimeError(f"{resource!r} is registered already")
        name = resource.name
        if name is not None and check_name(name) in self._named:
            raise ValueError(f"name {name!r} of {resource!r} is taken by {self._named[name]!r}")
        if self._prefix:
            resource.add_prefix(self._prefix)
        if name is not None:
            self._named[name] = resource
        self._known.add(resource)
        self._resources.append(resource)
        self._index = None

    def register_route(self, route: AbstractRoute) -> None:
        """Register a route of aiohttp 0.17: a PlainRoute, a DynamicRoute, or one of your own with `match` and `url`.

        Raises TypeError for what is no route, and for a route that cannot match, ValueError for a taken name,
        RuntimeError if the router is frozen.
        """
        if not isinstance(route, AbstractRoute):
            raise TypeError(f"an instance of Route is needed, not {route!r}")
        if route.resource is not None:
            self.register_resource(route.resource)
        elif type(route).match is AbstractRoute.match:
            raise TypeError(f"{route!r} has neither a resource nor a match() of its own")
        else:
            self.register_resource(RouteResource(route))

    def add_prefix(self, prefix: str) -> None:
        """Move all resources, also those to come, below a prefix; for the router of a sub-application."""
        for resource in self._resources:
            resource.add_prefix(prefix)
        self._prefix = prefix + self._prefix
        self._index = None

    def freeze(self) -> None:
        """Take no more routes."""
        super().freeze()
        for resource in self._resources:
            resource.freeze()
        self._build_index()

    # -- what is there ---------------------------------------------------------------------------------------------

    def resources(self) -> ResourcesView:
        """All resources, in the order of their registration."""
        return ResourcesView(lambda: self._resources)

    def routes(self) -> RoutesView:
        """All routes, in the order of their resources."""
        return RoutesView(lambda: (route for resource in self._resources for route in resource))

    def named_resources(self) -> Mapping[str, AbstractResource]:
        """The resources that have a name, by name; a view."""
        return MappingProxyType(self._named)

    def __getitem__(self, name: str) -> AbstractResource:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def __contains__(self, name: object) -> bool:
        return name in self._named

    # A mapping would be equal to another with the same names, and false without any. A router is itself.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return True

    def find_named(self, name: str) -> AbstractResource:
        """The resource of this name: of this router, else `subapp:name` in a sub-application that has a name.

        Raises KeyError with the name.
        """
        found = self._named.get(name)
        if found is not None:
            return found
        for mount, resource in self._named.items():
            inner = name.removeprefix(f"{mount}:")
            if inner != name and isinstance(resource, PrefixedSubAppResource):
                router = resource.app.router
                try:
                    inside: AbstractResource = router.find_named(inner)
                except KeyError:
                    continue
                return inside
        raise KeyError(name)


def _nothing_found(method: str, methods: Iterable[Collection[str]]) -> MatchInfoError:
    allowed = {name for some in methods for name in some}
    return MatchInfoError(HTTPMethodNotAllowed(method, sorted(allowed)) if allowed else HTTPNotFound())
