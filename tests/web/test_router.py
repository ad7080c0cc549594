"""UrlDispatcher: what it finds, registration, names, groups."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioweb.web.domains import Domain
from aioweb.web.exceptions import HTTPMethodNotAllowed, HTTPNotFound
from aioweb.web.resources import (
    DynamicRoute,
    MatchedSubAppResource,
    PlainResource,
    PlainRoute,
    PrefixedSubAppResource,
)
from aioweb.web.router import AbstractRouter, UrlDispatcher
from aioweb.web.routes import AbstractRoute, UrlMappingMatchInfo
from aioweb.web.views import View


async def handler(request):
    """Answer nothing."""


async def other(request):
    """Answer nothing else."""


def middleware(request, handler):
    """Pass nothing on."""


def router_with(*routes: tuple[str, str]) -> UrlDispatcher:
    router = UrlDispatcher()
    for method, path in routes:
        router.add_route(method, path, handler)
    return router


def app_with(*routes: tuple[str, str]) -> Any:
    return SimpleNamespace(router=router_with(*routes))


def request_for(method: str, path: str, host: str | None = None) -> Any:
    return SimpleNamespace(method=method, host=host, head=SimpleNamespace(path=path))


# -- finding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        ("/a", "/{x}", "/a"),
        ("/{x}", "/a", "/a"),
        ("/{x:.*}", "/a/b", "/a/b"),
        ("/a/{x}", "/{y}/b", "/a/b"),
        ("/{y}/b", "/a/{x}", "/a/b"),
        ("/a/{x:.*}", "/{y}/b", "/a/b"),
        ("/a b", "/a%20b", "/a%20b"),
    ],
)
def test_the_first_registered_wins(first, second, path):
    router = router_with(("GET", first), ("GET", second))
    winner = router.match("GET", path).route
    assert winner is next(iter(router.routes()))


def test_a_later_resource_answers_the_methods_that_an_earlier_one_has_not():
    router = router_with(("GET", "/{x}"), ("POST", "/a"), ("*", "/{y}"))
    assert router.match("POST", "/a") == {}
    assert router.match("PUT", "/a") == {"y": "a"}
    assert router.match("HEAD", "/a") == {"x": "a"}


def test_a_path_that_nobody_has_is_404():
    router = router_with(("GET", "/a"))
    for path in ("/b", "//a", "/a/", "*", "", "host:80", "/%", "/%ff"):
        info = router.match("GET", path)
        assert isinstance(info.http_exception, HTTPNotFound)
        assert info == {}
    assert router.match("GET", "/b").http_exception is not router.match("GET", "/b").http_exception


def test_a_method_that_the_path_has_not_is_405_with_those_that_it_has():
    router = router_with(("GET", "/{x}"), ("POST", "/a"), ("PUT", "/{y:.*}"), ("DELETE", "/b"))
    info = router.match("PATCH", "/a")
    assert isinstance(info.http_exception, HTTPMethodNotAllowed)
    assert info.http_exception.headers["Allow"] == "GET, HEAD, POST, PUT"
    assert info.http_exception.method == "PATCH"
    assert router.match("get", "/a").http_exception.status == 405


def test_head_is_405_where_get_refuses_it():
    router = UrlDispatcher()
    router.add_get("/a", handler, allow_head=False)
    info = router.match("HEAD", "/a")
    assert info.http_exception.headers["Allow"] == "GET"


def test_a_table_may_grow_between_requests():
    router = router_with(("GET", "/a"))
    assert router.match("GET", "/b").http_exception.status == 404
    resource = router.add_resource("/b")
    assert router.match("GET", "/b").http_exception.status == 404
    resource.add_route("GET", handler)
    assert router.match("GET", "/b").http_exception is None


@pytest.mark.parametrize("path", ["/" * 8000, "/a" * 4000, "/%2F" * 2000, "/" + "%" * 8000])
def test_a_hostile_path_is_only_not_found(path):
    router = router_with(("GET", "/a/{x}/b"), ("GET", "/{x}/{y}"))
    assert router.match("GET", path).http_exception.status == 404


async def test_resolve_finds_what_match_finds():
    router = router_with(("GET", "/{x}"))
    assert await router.resolve(request_for("GET", "/a%20b")) == {"x": "a b"}
    info = await router.resolve(request_for("POST", "/a"))
    assert info.http_exception.headers["Allow"] == "GET, HEAD"


VALUES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)


@given(VALUES, VALUES, st.integers(min_value=0))
def test_what_url_for_builds_match_finds_with_the_same_values(text, rest, number):
    router = router_with(("GET", "/ж /{text}/{number:[0-9]+}/x{rest:.+}"), ("GET", "/{text}"), ("GET", "/{rest:.+}"))
    first, second, third = router.resources()
    url = first.url_for(text=text, number=number, rest=rest)
    assert router.match("GET", url.raw_path) == {"text": text, "number": str(number), "rest": rest}
    assert router.match("GET", second.url_for(text=text).raw_path) == {"text": text}
    url = third.url_for(rest=rest)
    assert url.host is None
    assert URL(str(url), encoded=True).host is None
    assert set(router.match("GET", str(url)).values()) == {rest}


# -- registration ------------------------------------------------------------------------------------------------------


def test_every_adder_adds_its_method():
    router = UrlDispatcher()
    for method in ("get", "post", "put", "patch", "delete", "head", "options"):
        route = getattr(router, f"add_{method}")(f"/{method}", handler, name=method, middlewares=[middleware])
        assert (route.method, route.name, route.middlewares) == (method.upper(), method, (middleware,))
    assert router.add_view("/view", type("Page", (View,), {})).method == "*"
    assert len(router.routes()) == len(router.resources()) == 8


def test_the_last_resource_is_used_again_for_the_same_path_and_name():
    router = UrlDispatcher()
    first = router.add_get("/a", handler, name="a")
    second = router.add_post("/a", handler, name="a")
    assert first.resource is second.resource
    assert router.add_put("/a", handler).resource is not first.resource
    assert len(router) == 1


def test_other_middlewares_make_another_resource():
    router = UrlDispatcher()
    first = router.add_resource("/a")
    assert router.add_resource("/a", middlewares=[middleware]) is not first
    assert router.add_resource("/a", middlewares=[middleware]) is not first
    assert len(router.resources()) == 2


def test_a_method_is_taken_once():
    router = router_with(("GET", "/a"))
    with pytest.raises(RuntimeError, match="method GET is taken"):
        router.add_get("/a", handler)


def test_a_name_is_taken_once():
    router = UrlDispatcher()
    router.add_get("/a", handler, name="a")
    with pytest.raises(ValueError, match="name 'a' of <PlainResource 'a' /b> is taken by <PlainResource 'a' /a>"):
        router.add_get("/b", handler, name="a")
    assert len(router.resources()) == 1


@pytest.mark.parametrize("name", ["a", "api.users", "admin:user", "a-b", "ж", "a.b:c-d", "_"])
def test_a_name_is_identifiers(name):
    router = UrlDispatcher()
    router.add_get("/", handler, name=name)
    assert name in router


@pytest.mark.parametrize("name", ["", "1a", "a b", "a..b", ".a", "a/b", "for", "api.class"])
def test_another_name_is_refused(name):
    with pytest.raises(ValueError, match="must be identifiers joined by"):
        UrlDispatcher().add_get("/", handler, name=name)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("GET", "a", handler), ValueError),
        (("G T", "/", handler), ValueError),
        (("GET", "/{x", handler), ValueError),
        (("GET", "/", None), TypeError),
        (("GET", "/", handler, 5), TypeError),
    ],
)
def test_a_bad_route_leaves_nothing_behind(arguments, error):
    router = UrlDispatcher()
    method, path, given, *name = arguments
    with pytest.raises(error):
        router.add_route(method, path, given, name=name[0] if name else None)
    assert (len(router.resources()), len(router)) == (0, 0)


def test_a_plain_expect_handler_is_refused():
    with pytest.raises(TypeError, match="expect handler"):
        UrlDispatcher().add_get("/", handler, expect_handler=middleware)


def test_an_expect_handler_is_in_the_match_info():
    router = UrlDispatcher()
    router.add_get("/", handler, expect_handler=other)
    router.add_post("/", handler)
    assert router.match("GET", "/").expect_handler is other
    assert router.match("POST", "/").expect_handler is None


def test_a_frozen_router_takes_nothing_and_says_what_to_do():
    router = router_with(("GET", "/a"))
    resource = router.add_resource("/b")
    assert not router.frozen
    router.freeze()
    assert router.frozen
    for register in (
        lambda: router.add_get("/c", handler),
        lambda: router.add_resource("/c"),
        lambda: router.register_resource(PlainResource("/c")),
        lambda: router.register_route(PlainRoute("GET", handler, None, "/c")),
        lambda: router.prefix("/c").add_get("/d", handler),
        lambda: resource.add_route("GET", handler),
        lambda: router.add_get("/b", handler),
    ):
        with pytest.raises(
            RuntimeError, match=r"^Cannot register a resource into frozen router\. .*add all routes before"
        ):
            register()
    assert router.match("GET", "/a").http_exception is None


def test_a_resource_is_registered_once():
    router = UrlDispatcher()
    resource = router.add_resource("/a", name="a")
    with pytest.raises(RuntimeError, match="registered already"):
        router.register_resource(resource)
    with pytest.raises(TypeError, match="an instance of AbstractResource is needed, not 'x'"):
        router.register_resource("x")  # type: ignore[arg-type]


# -- what is there -----------------------------------------------------------------------------------------------------


def test_a_router_is_a_mapping_of_named_resources():
    router = UrlDispatcher()
    unnamed = router.add_get("/", handler)
    named = router.add_get("/a", handler, name="a")
    assert router["a"] is named.resource
    assert (list(router), len(router), "a" in router, "b" in router) == (["a"], 1, True, False)
    assert router.get("b") is None
    with pytest.raises(KeyError):
        router["b"]
    assert dict(router.named_resources()) == {"a": named.resource}
    assert list(router.resources()) == [unnamed.resource, named.resource]
    assert list(router.routes()) == [unnamed, named]
    assert named in router.routes()
    assert named.resource in router.resources()
    assert "a" not in router.routes()


def test_a_router_is_true_and_equal_to_itself_only():
    assert UrlDispatcher()
    assert UrlDispatcher() != UrlDispatcher()
    assert len({UrlDispatcher(), UrlDispatcher()}) == 2


def test_views_follow_the_router():
    router = UrlDispatcher()
    routes, resources, named = router.routes(), router.resources(), router.named_resources()
    router.add_get("/a", handler, name="a")
    assert (len(routes), len(resources), len(named)) == (1, 1, 1)


# -- sub-applications --------------------------------------------------------------------------------------------------


def test_a_mount_takes_part_in_the_order():
    router = router_with(("GET", "/admin/first"))
    app = app_with(("GET", "/second"))
    router.register_resource(PrefixedSubAppResource("/admin", app))
    router.add_get("/admin/third", handler)
    router.add_get("/admin/{x}", handler)
    assert router.match("GET", "/admin/first").apps == ()
    assert router.match("GET", "/admin/second").apps == (app,)
    for path in ("/admin/third", "/admin", "/admin/"):
        info = router.match("GET", path)
        assert (info.http_exception.status, info.apps) == (404, (app,))
    assert router.match("POST", "/admin/second").http_exception.headers["Allow"] == "GET, HEAD"


def test_a_domain_takes_part_in_the_order():
    router = router_with(("GET", "/a"))
    app = app_with(("GET", "/a"), ("GET", "/b"))
    router.register_resource(MatchedSubAppResource(Domain("api.example.org"), app))
    router.add_get("/b", handler)
    assert router.match("GET", "/a", "api.example.org").apps == ()
    assert router.match("GET", "/b", "api.example.org").apps == (app,)
    assert router.match("GET", "/b", "example.org").apps == ()
    assert router.match("GET", "/b").apps == ()


async def test_the_host_of_the_request_is_looked_at():
    router = UrlDispatcher()
    app = app_with(("GET", "/a"))
    router.register_resource(MatchedSubAppResource(Domain("example.org"), app))
    assert (await router.resolve(request_for("GET", "/a", "example.org:80"))).apps == (app,)


class Waiting(AbstractRouter):
    async def resolve(self, request):
        return UrlMappingMatchInfo({"waited": "yes"}, AbstractRoute("GET", handler))


async def test_a_router_that_waits_makes_resolve_necessary():
    inner, outer = app_with(), UrlDispatcher()
    waiting = SimpleNamespace(router=Waiting())
    inner.router.register_resource(PrefixedSubAppResource("/wait", waiting))
    outer.register_resource(PrefixedSubAppResource("/a", inner))
    outer.add_post("/b", handler)
    assert outer.needs_resolve
    with pytest.raises(RuntimeError, match=r"use resolve\(\)"):
        outer.match("GET", "/b")
    info = await outer.resolve(request_for("GET", "/a/wait/x"))
    assert (info, info.apps) == ({"waited": "yes"}, (inner, waiting))
    assert (await outer.resolve(request_for("POST", "/b"))).http_exception is None
    assert (await outer.resolve(request_for("GET", "/b"))).http_exception.status == 405
    assert (await outer.resolve(request_for("GET", "/c"))).http_exception.status == 404
    assert (await outer.resolve(request_for("GET", "/a/c"))).http_exception.status == 404


def test_names_lead_through_sub_applications():
    user = SimpleNamespace(router=UrlDispatcher())
    user.router.add_get("/{id}", handler, name="user")
    admin = SimpleNamespace(router=UrlDispatcher())
    admin.router.register_resource(PrefixedSubAppResource("/users", user, name="users"))
    admin.router.add_get("/", handler, name="index")
    root = UrlDispatcher()
    root.register_resource(PrefixedSubAppResource("/admin", admin, name="admin"))
    assert str(root.find_named("admin:index").url_for()) == "/admin/"
    assert str(root.find_named("admin:users:user").url_for(id=7)) == "/admin/users/7"
    assert str(admin.router.find_named("users:user").url_for(id=7)) == "/admin/users/7"
    root.add_get("/own", handler, name="admin:index")
    assert str(root.find_named("admin:index").url_for()) == "/own"
    for name in ("index", "admin:", "admin:nothing", "other:index", "admin:index:x"):
        with pytest.raises(KeyError) as caught:
            root.find_named(name)
        assert caught.value.args == (name,)


# -- groups ------------------------------------------------------------------------------------------------------------


def test_a_group_has_prefix_name_and_middlewares():
    def inner(request, handler):
        """Another."""

    router = UrlDispatcher()
    with router.prefix("/api", name="api", middlewares=[middleware]) as api:
        route = api.add_get("/users", handler, name="users", middlewares=[inner])
        api.add_post("/users", handler, name="users")
        with api.prefix("/v{version}", name="versions") as versions:
            versions.add_resource("/{id:[0-9]+}", name="one", middlewares=[inner]).add_route("GET", handler)
        api.add_get("", handler)
    assert route.middlewares == (middleware, inner)
    assert str(router["api.users"].url_for()) == "/api/users"
    assert len(router["api.users"]) == 2
    assert str(router["api.versions.one"].url_for(version=2, id=5)) == "/api/v2/5"
    info = router.match("GET", "/api/v2/5")
    assert (info, info.route.middlewares) == ({"version": "2", "id": "5"}, (middleware, inner))
    assert router.match("GET", "/api").http_exception is None
    assert router.match("GET", "/api/").http_exception.status == 404


def test_a_group_without_a_name_adds_none():
    router = UrlDispatcher()
    group = router.prefix("/a")
    assert group.add_get("/b", handler, name="b").name == "b"
    assert group.add_get("/c", handler).name is None
    assert repr(group) == "<RouteGroup /a of <UrlDispatcher with 2 resources>>"


@pytest.mark.parametrize("prefix", ["", "/", "a", "/a/", "/{x"])
def test_a_bad_group_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match=r"prefix|path"):
        UrlDispatcher().prefix(prefix)


def test_a_path_in_a_group_begins_with_a_slash_too():
    with pytest.raises(ValueError, match="'users' must begin with a slash"):
        UrlDispatcher().prefix("/api").add_get("users", handler)


def test_a_bad_group_name_is_refused():
    with pytest.raises(ValueError, match="identifiers"):
        UrlDispatcher().prefix("/a", name="a b")


# -- aiohttp 0.17 ------------------------------------------------------------------------------------------------------


def test_routes_of_the_old_classes_are_registered():
    router = UrlDispatcher()
    router.register_route(PlainRoute("GET", handler, "plain", "/plain"))
    router.register_route(DynamicRoute("GET", handler, "dynamic", re.compile(r"/d/(?P<x>.+)"), "/d/{x}"))
    assert router.match("GET", "/plain").route.name == "plain"
    assert router.match("GET", "/d/a%2Fb") == {"x": "a/b"}
    assert router["dynamic"].url(parts={"x": 1}) == "/d/1"


def test_a_route_of_your_own_matches_by_itself():
    class Suffix(AbstractRoute):
        def match(self, path):
            return {"stem": path[1:-5]} if path.endswith(".html") else None

        def url(self, parts):
            return f"/{parts['stem']}.html"

    router = UrlDispatcher()
    router.add_get("/a.html", other)
    router.register_route(Suffix("GET", handler, "page"))
    assert router.match("GET", "/a.html").handler is other
    info = router.match("GET", "/b.html")
    assert (info, info.handler) == ({"stem": "b"}, handler)
    assert router.match("POST", "/b.html").http_exception.headers["Allow"] == "GET"
    assert router.match("GET", "/b").http_exception.status == 404
    assert router["page"].url(parts={"stem": "c"}) == "/c.html"
    assert router["page"].url_for(stem="c") == URL("/c.html")
    assert "Suffix" in router["page"].canonical
    assert router["page"].get_info() == {"route": next(iter(router["page"]))}
    with pytest.raises(RuntimeError, match="cannot move below"):
        router.add_prefix("/x")


@pytest.mark.parametrize("route", ["x", AbstractRoute("GET", handler)])
def test_what_is_no_route_or_cannot_match_is_refused(route):
    with pytest.raises(TypeError, match=r"Route is needed|neither a resource nor a match"):
        UrlDispatcher().register_route(route)
