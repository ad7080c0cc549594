"""Resources: one path, a family of paths, or an application below a prefix or for a host.

    AbstractResource          (routes.py)
    ├── Resource              has routes
    │   ├── PlainResource     one literal path
    │   └── DynamicResource   a template with parts
    ├── RouteResource         a route class of aiohttp 0.17 that matches by itself
    └── PrefixResource        everything below a prefix
        └── PrefixedSubAppResource   an application below a prefix
            └── MatchedSubAppResource   an application for a host

Which of several resources answers is the router's: here each is asked alone. A sub-application is known only by its
`router`, which has `match`, or at least `resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

from yarl import URL

from aioweb.web.domains import AbstractRuleMatching
from aioweb.web.domains import Domain as Domain
from aioweb.web.domains import MaskDomain as MaskDomain
from aioweb.web.paths import Template, match_form, parse_template, quote_form
from aioweb.web.routerules import read_rules
from aioweb.web.routes import (
    ANY_METHOD,
    AbstractMatchInfo,
    AbstractResource,
    AbstractRoute,
    ExpectHandler,
    MiddlewareLike,
    ResourceRoute,
    UrlMappingMatchInfo,
)
from aioweb.web.views import HandlerLike

FROZEN: Final = (
    "Cannot register a resource into frozen router. "
    "The application has started: add all routes before, or in a sub-application that is added before."
)
"""What is said to who comes too late."""


class Resource(AbstractResource):
    """A template and its routes. `UrlDispatcher.add_resource` makes it.

    Args:
        path: see `parse_template`.
        name: for URLs in reverse.
        middlewares: around the handlers of all its routes, outermost first.
    """

    _route_class: type[ResourceRoute] = ResourceRoute

    def __init__(self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = ()) -> None:
        super().__init__(name=name, middlewares=middlewares)
        self._use(parse_template(path))
        self._routes: list[ResourceRoute] = []
        # By the method of a request: with HEAD where GET answers it.
        self._by_method: dict[str, ResourceRoute] = {}
        self._frozen = False

    def _use(self, template: Template) -> None:
        self._template = template
        self._literal = template.literal
        self._match = template.match
        # The short way for a path without escapes; not if a regex has named groups of its own, which are no parts.
        own_groups = template.pattern.groupindex.keys() - set(template.names)
        self._fullmatch = None if own_groups else template.pattern.fullmatch

    def add_route(
        self,
        method: str,
        handler: HandlerLike,
        *,
        expect_handler: ExpectHandler | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
        allow_head: bool = True,
        **rules: Any,
    ) -> ResourceRoute:
        """Answer a method with a handler; see `UrlDispatcher.add_route` for the arguments and what it raises.

        Raises RuntimeError if the method is taken, or the router frozen.
        """
        route = object.__new__(self._route_class)
        ResourceRoute.__init__(
            route,
            method,
            handler,
            self,
            expect_handler=expect_handler,
            middlewares=middlewares,
            allow_head=allow_head,
        )
        route.rules = read_rules(rules)
        self.register_route(route)
        return route

    def register_route(self, route: ResourceRoute) -> None:
        """Add a route that was made for this resource. Raises as `add_route` does, TypeError for what is no route."""
        if not isinstance(route, ResourceRoute):
            raise TypeError(f"a resource holds instances of ResourceRoute, not {route!r}")
        if self._frozen:
            raise RuntimeError(FROZEN)
        for other in self._routes:
            if other.method in (route.method, ANY_METHOD):
                raise RuntimeError(f"{route!r} will never be reached: method {route.method} is taken by {other!r}")
        self._routes.append(route)
        self._by_method[route.method] = route
        if route.allow_head:
            self._by_method.setdefault("HEAD", route)

    def __iter__(self) -> Iterator[AbstractRoute]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name is not None else ""
        return f"<{type(self).__name__}{name} {self.canonical}>"

    @property
    def canonical(self) -> str:
        """The path as a template, percent-encoded: `/users/{id}`."""
        return self._template.canonical

    @property
    def literal(self) -> str | None:
        return self._literal

    @property
    def lead(self) -> tuple[tuple[str | None, ...], bool]:
        return self._template.segments, self._template.is_open

    def raw_match(self, path: str) -> bool:
        return self._template.source == path

    def add_prefix(self, prefix: str) -> None:
        self._use(parse_template(_check_prefix(prefix) + self._template.source))

    def freeze(self) -> None:
        self._frozen = True

    def match_path(self, path: str) -> dict[str, str] | None:
        return self._match(path)

    def reaches(self, path: str) -> bool:
        return self.match_path(path) is not None

    def methods_for(self, path: str) -> set[str]:
        return set(self._by_method) if self.match_path(path) is not None else set()

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        route = self._by_method.get(method) or self._by_method.get(ANY_METHOD)
        if route is None:
            return None
        if self._fullmatch is None or "%" in path:
            values = self._match(path)
        else:
            found = self._fullmatch(path)
            values = found and found.groupdict()
        return None if values is None else UrlMappingMatchInfo(values, route)


class PlainResource(Resource):
    """One literal path.

    Raises ValueError for a path with parts.
    """

    def __init__(self, path: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = ()) -> None:
        super().__init__(path, name=name, middlewares=middlewares)
        if self._template.names:
            raise ValueError(f"path {path!r} has parts: a DynamicResource is needed")

    def get_info(self) -> dict[str, Any]:
        """The path, as `path`."""
        return {"path": self.canonical}

    def url_for(self, /, **parts: object) -> URL:
        """The URL of the path. TypeError for parts, as it has none."""
        if parts:
            raise TypeError(f"{self.canonical!r} has no parts, given are {sorted(parts)}")
        return URL.build(path=self._template.build({}), encoded=True)

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        route = self._by_method.get(method) or self._by_method.get(ANY_METHOD)
        if route is None or (path != self._literal and self._match(path) is None):
            return None
        return UrlMappingMatchInfo.plain(route)


class DynamicResource(Resource):
    """A template with parts, such as `/users/{id}`."""

    def get_info(self) -> dict[str, Any]:
        """The template with the names of the parts, as `formatter`, and the compiled `pattern`."""
        return {"formatter": self.canonical, "pattern": self._template.pattern}

    def url_for(self, /, **parts: object) -> URL:
        """The URL with these parts: str, int or UUID. KeyError for a missing one, other names are ignored."""
        return URL.build(path=self._template.build(parts), encoded=True)

    def use_pattern(self, pattern: re.Pattern[str]) -> None:
        """Match by this pattern, whose named groups are the parts. For `DynamicRoute`."""
        self._use(self._template.with_pattern(pattern))


class PlainRoute(ResourceRoute):
    """The 0.17 class of a route for a literal path; every route of a PlainResource is one."""

    def __init__(
        self,
        method: str,
        handler: HandlerLike,
        name: str | None,
        path: str,
        *,
        expect_handler: ExpectHandler | None = None,
    ) -> None:
        resource = PlainResource(path, name=name)
        super().__init__(method, handler, resource, expect_handler=expect_handler)
        resource.register_route(self)


class DynamicRoute(ResourceRoute):
    """The 0.17 class of a route with parts; every route of a DynamicResource is one.

    Args:
        pattern: compiled; its named groups are the parts.
        formatter: the path with `{name}` for each part.
        method, handler, name, expect_handler: as for `UrlDispatcher.add_route`.
    """

    def __init__(
        self,
        method: str,
        handler: HandlerLike,
        name: str | None,
        pattern: re.Pattern[str],
        formatter: str,
        *,
        expect_handler: ExpectHandler | None = None,
    ) -> None:
        resource = DynamicResource(formatter, name=name)
        resource.use_pattern(pattern)
        super().__init__(method, handler, resource, expect_handler=expect_handler)
        resource.register_route(self)


PlainResource._route_class = PlainRoute
DynamicResource._route_class = DynamicRoute


class RouteResource(AbstractResource):
    """The resource of one route that matches by itself: an own class of aiohttp 0.17. `register_route` makes it."""

    def __init__(self, route: AbstractRoute) -> None:
        super().__init__(name=route.name)
        self._route = route

    def __iter__(self) -> Iterator[AbstractRoute]:
        yield self._route

    def __len__(self) -> int:
        return 1

    @property
    def canonical(self) -> str:
        """How the route shows itself: it tells no template."""
        return repr(self._route)

    def get_info(self) -> dict[str, Any]:
        """The route, as `route`."""
        return {"route": self._route}

    def url_for(self, /, **parts: object) -> URL:
        """What `url(parts=...)` of the route gives, as a URL."""
        return URL(self.url(parts=parts) if parts else self.url(), encoded=True)

    def url(self, **kwargs: Any) -> str:
        """`url` of the route."""
        return self._route.url(**kwargs)

    def add_prefix(self, prefix: str) -> NoReturn:
        """Raises RuntimeError: only the route knows its path."""
        raise RuntimeError(f"{self._route!r} cannot move below {prefix!r}, for it matches by itself")

    def match_path(self, path: str) -> dict[str, str] | None:
        return self._route.match(path)

    def methods_for(self, path: str) -> set[str]:
        return {self._route.method} if self.match_path(path) is not None else set()

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        values = self._route.match(path) if self._route.method in (method, ANY_METHOD) else None
        return None if values is None else UrlMappingMatchInfo(values, self._route)


def _check_prefix(prefix: str) -> str:
    if not isinstance(prefix, str):
        raise TypeError(f"a prefix must be a str, not {prefix!r}")
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise ValueError(f"prefix {prefix!r} must begin with a slash and not end with one")
    if parse_template(prefix).names:
        raise ValueError(f"prefix {prefix!r} must not have parts")
    return prefix


class PrefixResource(AbstractResource):
    """Everything below a prefix, and the prefix itself.

    Args:
        prefix: a literal such as `/static`; empty for everything.
        name: for URLs in reverse.
        middlewares: around the handlers of all its routes, outermost first.

    Raises ValueError for a prefix that does not begin with a slash, ends with one or has parts.
    """

    def __init__(self, prefix: str, *, name: str | None = None, middlewares: Iterable[MiddlewareLike] = ()) -> None:
        super().__init__(name=name, middlewares=middlewares)
        self._set_prefix(prefix)

    def _set_prefix(self, prefix: str) -> None:
        self._prefix = match_form(_check_prefix(prefix))
        self._inside = f"{self._prefix}/"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.canonical}>"

    @property
    def canonical(self) -> str:
        """The prefix, percent-encoded."""
        return quote_form(self._prefix)

    def add_prefix(self, prefix: str) -> None:
        self._set_prefix(prefix + self._prefix)

    @property
    def lead(self) -> tuple[tuple[str | None, ...], bool]:
        return tuple(self._prefix.split("/")[1:]), True

    def raw_match(self, path: str) -> bool:
        return False

    def rest_of(self, path: str) -> str | None:
        """What follows the prefix in a path in match form: empty, or with its slash in front. None if outside."""
        if path.startswith(self._inside) or path == self._prefix:
            return path[len(self._prefix) :]
        return None


class PrefixedSubAppResource(PrefixResource):
    """An application below a prefix. Whatever is asked for below, it is the application's to answer, also with 404.

    Making it moves all resources of the application below the prefix.

    Args:
        prefix: a literal such as `/admin`.
        app: has a `router`.
        name: in front of the names of its routes: `admin:users`.
    """

    def __init__(self, prefix: str, app: Any, *, name: str | None = None) -> None:
        super().__init__(prefix, name=name)
        self._app = app
        self._move_resources(prefix)

    def _move_resources(self, prefix: str) -> None:
        router = self._app.router
        if hasattr(router, "add_prefix"):
            router.add_prefix(prefix)
        elif hasattr(router, "resources"):
            for resource in router.resources():
                resource.add_prefix(prefix)

    @property
    def app(self) -> Any:
        """The application."""
        return self._app

    def __iter__(self) -> Iterator[AbstractRoute]:
        return iter(getattr(self._app.router, "routes", tuple)())

    def __len__(self) -> int:
        return len(getattr(self._app.router, "routes", tuple)())

    def get_info(self) -> dict[str, Any]:
        """The application, as `app`, and the `prefix`."""
        return {"app": self._app, "prefix": self.canonical}

    def add_prefix(self, prefix: str) -> None:
        super().add_prefix(prefix)
        self._move_resources(prefix)

    def url_for(self, /, **parts: object) -> NoReturn:
        """Raises RuntimeError: its routes have URLs, the application has none."""
        raise RuntimeError(f"there is no URL for {self!r}: ask one of its routes, or url_for('name:route')")

    @property
    def needs_resolve(self) -> bool:
        router = self._app.router
        return not hasattr(router, "match") or bool(getattr(router, "needs_resolve", False))

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        if self.rest_of(path) is None:
            return None
        info: UrlMappingMatchInfo = self._app.router.match(method, path, host)
        info.add_app(self._app)
        return info

    async def resolve(self, request: Any) -> tuple[AbstractMatchInfo | None, set[str]]:
        if self.rest_of(match_form(request.head.path)) is None:
            return None, set()
        info: AbstractMatchInfo = await self._app.router.resolve(request)
        info.add_app(self._app)
        return info, set()


class MatchedSubAppResource(PrefixedSubAppResource):
    """An application for the requests that a rule picks, mostly by host.

    Args:
        rule: picks the requests.
        app: has a `router`.
        name: in front of the names of its routes: `admin:users`.
    """

    def __init__(self, rule: AbstractRuleMatching, app: Any, *, name: str | None = None) -> None:
        if not isinstance(rule, AbstractRuleMatching):
            raise TypeError(f"a rule must be an AbstractRuleMatching such as Domain, not {rule!r}")
        AbstractResource.__init__(self, name=name)
        self._set_prefix("")
        self._app = app
        self._rule = rule

    @property
    def canonical(self) -> str:
        """The rule as text."""
        return self._rule.canonical

    def get_info(self) -> dict[str, Any]:
        """The application, as `app`, and the `rule`."""
        return {"app": self._app, "rule": self._rule}

    @property
    def needs_resolve(self) -> bool:
        return type(self._rule).match_host is AbstractRuleMatching.match_host or super().needs_resolve

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        return super().lookup(method, path, host) if self._rule.match_host(host) else None

    async def resolve(self, request: Any) -> tuple[AbstractMatchInfo | None, set[str]]:
        return await super().resolve(request) if await self._rule.match(request) else (None, set())
