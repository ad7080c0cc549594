"""FEATURES.md rows N7 to N9: ways to register routes, resources, class-based views. N5 is test_n_subapps.py."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from yarl import URL

from aioweb import web


async def show(request: web.Request) -> web.Response:
    """A handler that answers with its method and the parts of the path."""
    return web.json_response({"method": request.method, **request.match_info})


class Item(web.View):
    """A view with two methods."""

    async def get(self) -> web.Response:
        return web.json_response({"method": "GET", **self.request.match_info})

    async def put(self) -> web.Response:
        return web.json_response({"method": "PUT", "sent": await self.request.text()})


METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


# -- N7: routes --------------------------------------------------------------------------------------------------------


def by_router(app: web.Application) -> None:
    router = app.router
    for method in METHODS:
        getattr(router, f"add_{method}")(f"/{method}/{{x}}", show, name=method)
    router.add_view("/view/{x}", Item, name="view")
    router.add_route("REPORT", "/report/{x}", show, name="report")


def by_functions(app: web.Application) -> None:
    definitions = [getattr(web, method)(f"/{method}/{{x}}", show, name=method) for method in METHODS]
    definitions += [web.view("/view/{x}", Item, name="view"), web.route("REPORT", "/report/{x}", show, name="report")]
    added = app.add_routes(definitions)
    assert [route.name for route in added] == [*METHODS, "view", "report"]


def by_decorators(app: web.Application) -> None:
    routes = web.RouteTableDef()
    for method in METHODS:
        decorated = getattr(routes, method)(f"/{method}/{{x}}", name=method)(show)
        assert decorated is show
    assert routes.view("/view/{x}", name="view")(Item) is Item
    assert routes.route("REPORT", "/report/{x}", name="report")(show) is show
    assert len(routes) == len(list(routes)) == 9
    assert routes[0] in routes
    app.router.add_routes(routes)


@pytest.mark.parametrize("register", [by_router, by_functions, by_decorators])
async def test_n7_every_way_to_register_gives_the_same_routes(register, serve):
    app = web.Application()
    register(app)
    address = await serve(app)
    for method in METHODS:
        answer = await address.request(method.upper(), f"/{method}/1")
        assert answer.status == 200, method
        if method != "head":
            assert json.loads(answer.body) == {"method": method.upper(), "x": "1"}
        assert (await address.request("TRACE", f"/{method}/1")).status == 405
        assert app.router[method].url_for(x="1") == URL(f"/{method}/1")
    assert (await address.request("PUT", "/view/1", body=b"abc")).body == b'{"method": "PUT", "sent": "abc"}'
    assert (await address.request("REPORT", "/report/1")).status == 200


@pytest.mark.parametrize(
    "add", [web.UrlDispatcher.add_get, lambda router, *a, **k: router.add_routes([web.get(*a, **k)])]
)
async def test_n7_get_answers_head_too_unless_told_otherwise(add, serve):
    app = web.Application()
    add(app.router, "/both", show)
    add(app.router, "/get", show, allow_head=False)
    address = await serve(app)
    answer = await address.request("HEAD", "/both")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(b'{"method": "HEAD"}')))
    answer = await address.request("HEAD", "/get")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_n7_a_handler_for_head_of_its_own_wins_in_any_order(serve):
    def head(request):
        return web.Response(headers={"X-Own": "1"})

    app = web.Application()
    app.router.add_get("/a", show)
    app.router.add_head("/a", head)
    app.router.add_head("/b", head)
    app.router.add_get("/b", show)
    address = await serve(app)
    for path in ("/a", "/b"):
        assert (await address.request("HEAD", path)).headers.get("X-Own") == "1"
        assert (await address.request("GET", path)).headers.get("X-Own") is None


def test_n7_what_is_no_definition_is_refused():
    for definitions in ([show], [("GET", "/", show)], ["/"]):
        with pytest.raises(TypeError, match=r"web\.get"):
            web.Application().add_routes(definitions)


def test_n7_a_bad_definition_is_refused_when_it_is_registered():
    for bad in (web.get("no-slash", show), web.get("/{", show), web.route("G T", "/", show)):
        with pytest.raises(ValueError):
            web.Application().add_routes([bad])


def test_n7_views_of_resources_routes_and_names():
    router = web.UrlDispatcher()
    resources, routes, named = router.resources(), router.routes(), router.named_resources()
    assert (len(resources), len(routes), len(named)) == (0, 0, 0)
    get = router.add_get("/a", show, name="a")
    post = router.add_post("/a", show, name="a")
    other = router.add_get("/b/{x}", show)
    assert list(resources) == [get.resource, other.resource]
    assert list(routes) == [get, post, other]
    assert dict(named) == {"a": get.resource}
    assert get in routes
    assert get.resource in resources
    assert show not in routes
    assert (len(resources), len(routes), len(named)) == (2, 3, 1)
    with pytest.raises(TypeError):
        named["b"] = other.resource
    assert repr(web.get("/a", show, name="a")).startswith("<RouteDef GET /a -> ")


async def test_n7_a_started_application_takes_no_more_routes(serve):
    app, below = web.Application(), web.Application()
    resource = app.router.add_resource("/a")
    resource.add_route("GET", show)
    app.add_subapp("/below", below)
    await serve(app)
    for add in (
        lambda: app.router.add_get("/b", show),
        lambda: app.add_routes([web.get("/b", show)]),
        lambda: app.router.add_resource("/b"),
        lambda: resource.add_route("POST", show),
        lambda: below.router.add_get("/b", show),
        lambda: app.router.register_route(web.PlainRoute("GET", show, None, "/b")),
        lambda: app.middlewares.append(web.normalize_path_middleware()),
    ):
        with pytest.raises(RuntimeError, match="started"):
            add()


# -- N8: resources -----------------------------------------------------------------------------------------------------


async def test_n8_the_page_of_the_new_router(serve):
    """What aiohttp's page on the router of 0.21 promises."""
    app = web.Application()
    resource = app.router.add_resource("/path/{to}", name="name")
    route = resource.add_route("GET", show)
    everything = resource.add_route("*", show)
    assert list(resource) == [route, everything]
    assert len(resource) == 2
    assert route.resource is resource
    assert app.router["name"] is resource
    assert resource.url(parts={"to": "b"}, query={"arg": "param"}) == "/path/b?arg=param"
    shortcut = app.router.add_route("GET", "/short", show, name="short")
    assert shortcut.resource is app.router["short"]
    assert shortcut.resource.url() == "/short"
    address = await serve(app)
    assert (await address.request("GET", "/path/x")).status == 200
    assert (await address.request("BREW", "/path/x")).status == 200


@pytest.mark.parametrize(
    ("path", "kind", "canonical"),
    [
        ("/a", web.PlainResource, "/a"),
        ("/a b", web.PlainResource, "/a%20b"),
        ("/a/{x}", web.DynamicResource, "/a/{x}"),
        (r"/a/{x:\d+}-{y}", web.DynamicResource, "/a/{x}-{y}"),
        ("/ä/<x>", web.DynamicResource, "/%C3%A4/{x}"),
    ],
)
def test_n8_canonical_and_info(path, kind, canonical):
    resource = web.UrlDispatcher().add_resource(path)
    assert type(resource) is kind
    assert resource.canonical == canonical
    info = resource.get_info()
    if kind is web.PlainResource:
        assert info == {"path": canonical}
    else:
        assert info["formatter"] == canonical
        assert isinstance(info["pattern"], re.Pattern)
    assert resource.add_route("GET", show).get_info() == info


def test_n8_url_for_is_a_url_of_yarl():
    router = web.UrlDispatcher()
    router.add_resource("/a b", name="plain")
    router.add_resource("/{x}/{y:.*}", name="dynamic")
    assert router["plain"].url_for() == URL("/a%20b", encoded=True)
    url = router["dynamic"].url_for(x="a/b", y="c/d")
    assert isinstance(url, URL)
    assert str(url) == "/a%2Fb/c/d"
    assert str(url.with_query(q="ä")) == "/a%2Fb/c/d?q=%C3%A4"


def test_n8_a_resource_is_used_again_only_right_after_it_was_added():
    router = web.UrlDispatcher()
    first = router.add_resource("/a", name="a")
    assert router.add_resource("/a", name="a") is first
    assert router.add_resource("/a") is not first
    router.add_resource("/b")
    assert router.add_resource("/a") is not first
    with pytest.raises(ValueError, match="'a'"):
        router.add_resource("/a", name="a")


def test_n8_a_method_that_would_never_be_reached_is_refused():
    resource = web.UrlDispatcher().add_resource("/a")
    resource.add_route("GET", show)
    with pytest.raises(RuntimeError, match="GET"):
        resource.add_route("get", show)
    resource.add_route("*", show)
    with pytest.raises(RuntimeError, match="POST"):
        resource.add_route("POST", show)


async def test_n8_a_resource_of_a_users_own_class(serve):
    class Numbers(web.PlainResource):
        """Answers GET for every number, without a template."""

        literal = None
        lead = ((), True)

        def match_path(self, path: str) -> dict[str, str] | None:
            return {"number": path[1:]} if path[1:].isdigit() else None

        def lookup(self, method: str, path: str, host: str | None) -> Any:
            values = self.match_path(path)
            return web.UrlMappingMatchInfo(values, next(iter(self))) if values is not None and method == "GET" else None

    app = web.Application()
    numbers = Numbers("/", name="numbers")
    numbers.add_route("GET", show)
    app.router.register_resource(numbers)
    with pytest.raises(RuntimeError, match="registered"):
        app.router.register_resource(numbers)
    with pytest.raises(TypeError):
        app.router.register_resource(show)
    address = await serve(app)
    assert json.loads((await address.request("GET", "/12")).body) == {"method": "GET", "number": "12"}
    assert (await address.request("POST", "/12")).status == 405
    assert (await address.request("GET", "/x")).status == 404


async def test_n8_the_route_and_the_resource_of_a_request(serve):
    seen = []

    async def handler(request):
        seen.append((request.match_info.route, request.match_info.route.resource, request.match_info.get_info()))
        return web.Response()

    app = web.Application()
    route = app.router.add_get("/u/{x}", handler)
    address = await serve(app)
    await address.request("GET", "/u/1")
    assert seen == [(route, route.resource, route.get_info())]


# -- N9: View ----------------------------------------------------------------------------------------------------------


async def test_n9_a_view_serves_its_methods_and_405_lists_them(serve):
    app = web.Application()
    app.router.add_view("/{x}", Item)
    address = await serve(app)
    assert json.loads((await address.request("GET", "/1")).body) == {"method": "GET", "x": "1"}
    answer = await address.request("HEAD", "/1")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len('{"method": "GET", "x": "1"}')))
    for method in ("POST", "DELETE", "OPTIONS", "BREW", "REQUEST"):
        answer = await address.request(method, "/1")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT"), method


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "CONNECT"])
async def test_n9_every_method_has_its_name(method, serve):
    async def answer(self):
        return web.Response(headers={"X-Method": self.request.method})

    kind = type("Only", (web.View,), {method.lower(): answer})
    app = web.Application()
    if method == "CONNECT":
        # RFC 9112 section 3.2.3: its target is no path, so no template has it. A middleware may call a view.
        @web.middleware
        async def tunnel(request, handler):
            return await kind(request)

        app.middlewares.append(tunnel)
    else:
        app.router.add_route("*", "/", kind)
    address = await serve(app)
    target = "example.org:443" if method == "CONNECT" else "/"
    peer = await address.connect()
    await peer.send(f"{method} {target} HTTP/1.1\r\nHost: example.org:443\r\n\r\n".encode())
    head = await peer.head()
    assert (head.status, head.headers["X-Method"]) == (200, method)


async def test_n9_a_view_may_be_registered_for_one_method_and_raise(serve):
    class Failing(web.View):
        def get(self):
            raise web.HTTPForbidden(text="no")

        def post(self):
            return web.Response(text="plain method")

    app = web.Application()
    app.router.add_get("/", Failing)
    app.router.add_post("/", Failing)
    address = await serve(app)
    assert (await address.request("GET", "/")).status == 403
    assert (await address.request("POST", "/")).body == b"plain method"
    assert (await address.request("PUT", "/")).status == 405
