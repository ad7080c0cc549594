"""Definitions of routes, and tables of them."""

from __future__ import annotations

import pytest

from aioweb.web import routedef
from aioweb.web.resources import DynamicResource
from aioweb.web.routedef import AbstractRouteDef, RouteDef, RouteTableDef
from aioweb.web.router import UrlDispatcher


async def handler(request):
    """Answer nothing."""


def middleware(request, handler):
    """Pass nothing on."""


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_definition_becomes_a_route(method):
    router = UrlDispatcher()
    definition = getattr(routedef, method)("/{x}", handler, name="page", middlewares=[middleware])
    assert (definition.method, definition.path, definition.handler) == (method.upper(), "/{x}", handler)
    [route] = router.add_routes([definition])
    assert (route.method, route.handler, route.name) == (method.upper(), handler, "page")
    assert route.middlewares == (middleware,)
    assert isinstance(router["page"], DynamicResource)


def test_a_view_is_for_all_methods_and_route_for_any():
    assert routedef.view("/", handler).method == "*"
    assert routedef.route("purge", "/", handler).register(UrlDispatcher())[0].method == "PURGE"


def test_a_definition_for_get_may_refuse_head():
    router = UrlDispatcher()
    router.add_routes([routedef.get("/", handler, allow_head=False)])
    assert router.match("HEAD", "/").http_exception.status == 405


def test_a_definition_shows_itself_and_is_compared_by_value():
    definition = routedef.post("/a", handler, name="a")
    assert repr(definition) == "<RouteDef POST /a -> handler, name='a'>"
    assert definition == RouteDef("POST", "/a", handler, {"name": "a"})
    assert definition != RouteDef("PUT", "/a", handler, {"name": "a"})


def test_a_table_is_filled_by_decorators_and_is_a_sequence():
    table = RouteTableDef()
    for method in ("get", "post", "put", "patch", "delete", "head", "options", "view"):
        assert getattr(table, method)(f"/{method}")(handler) is handler
    assert table.route("PURGE", "/purge")(handler) is handler
    assert len(table) == 9
    assert table[0] in table
    assert [item.path for item in table[:2]] == ["/get", "/post"]
    assert repr(table) == "<RouteTableDef  count=9>"
    router = UrlDispatcher()
    routes = router.add_routes(table)
    assert [route.method for route in routes] == [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*", "PURGE",
    ]  # fmt: skip
    assert router.match("PURGE", "/purge").http_exception is None


def test_a_table_may_have_prefix_name_and_middlewares():
    def inner(request, handler):
        """Another."""

    table = RouteTableDef(prefix="/api", name="api", middlewares=[middleware])
    table.get("/users", name="users", middlewares=[inner])(handler)
    table.get("/others")(handler)
    router = UrlDispatcher()
    named, unnamed = router.add_routes(table)
    assert str(router["api.users"].url_for()) == "/api/users"
    assert named.middlewares == (middleware, inner)
    assert (unnamed.name, unnamed.middlewares) == (None, (middleware,))


def test_a_decorator_may_be_used_twice():
    table = RouteTableDef(middlewares=[middleware])
    decorate = table.get("/a")
    decorate(handler)
    decorate(handler)
    assert len(table) == 2


def test_a_definition_of_your_own_is_registered():
    class Both(AbstractRouteDef):
        def register(self, router):
            return [router.add_get("/a", handler), router.add_post("/a", handler)]

    router = UrlDispatcher()
    assert [route.method for route in router.add_routes([Both()])] == ["GET", "POST"]
    assert len(router.resources()) == 1


def test_what_is_no_definition_is_refused():
    with pytest.raises(TypeError, match=r"web\.get\('/', handler\), not \('GET', '/'\)"):
        UrlDispatcher().add_routes([("GET", "/")])  # type: ignore[list-item]
