"""FEATURES.md section C, rows 14 to 20: names, reverse URLs, and the route classes of aiohttp 0.17."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

import pytest
from multidict import MultiDict

from aioweb import web


async def show(request: web.Request) -> web.Response:
    """A handler that answers with the parts of the path and the query."""
    return web.json_response({**request.match_info, "?": list(request.query.items())})


# -- C14: names --------------------------------------------------------------------------------------------------------


def test_c14_a_router_is_a_mapping_of_names():
    router = web.UrlDispatcher()
    assert len(router) == 0
    assert router, "an empty router is still a router"
    router.add_route("GET", "/", show)
    first = router.add_route("GET", "/a", show, name="a")
    second = router.add_route("GET", "/b/{x}", show, name="b.item")
    assert list(router) == ["a", "b.item"]
    assert len(router) == 2
    assert "a" in router
    assert "c" not in router
    assert router["a"].url() == first.url() == "/a"
    assert router["b.item"].url(parts={"x": "1"}) == second.url(parts={"x": "1"}) == "/b/1"
    with pytest.raises(KeyError, match="c"):
        router["c"]


def test_c14_a_name_is_unique():
    router = web.UrlDispatcher()
    router.add_route("GET", "/a", show, name="same")
    with pytest.raises(ValueError, match="same"):
        router.add_route("GET", "/b", show, name="same")
    assert router["same"].url() == "/a"
    assert [resource.canonical for resource in router.resources()] == ["/a"]


async def test_c14_u5_two_methods_of_one_path_share_its_name(serve):
    app = web.Application()
    app.router.add_route("GET", "/projects", show, name="projects")
    app.router.add_route("POST", "/projects", show, name="projects")
    address = await serve(app)
    assert (await address.request("GET", "/projects")).status == 200
    assert (await address.request("POST", "/projects")).status == 200


@pytest.mark.parametrize("name", ["a", "a.b", "a:b", "a-b", "api.v1.user-list", "имя"])
def test_c14_names_are_identifiers_joined(name):
    router = web.UrlDispatcher()
    router.add_route("GET", "/", show, name=name)
    assert name in router


@pytest.mark.parametrize("name", ["", "a b", "1a", "a..b", "class", "a.import", "a/b"])
def test_c14_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError) as caught:
        web.UrlDispatcher().add_route("GET", "/", show, name=name)
    assert repr(name) in str(caught.value)


# -- C15, C16: reverse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {"a": "b", "c": "d"},
        [("a", "b"), ("c", "d")],
        (("a", "b"), ("c", "d")),
        iter([("a", "b"), ("c", "d")]),
        MultiDict([("a", "b"), ("c", "d")]),
        "a=b&c=d",
        "?a=b&c=d",
    ],
)
async def test_c15_o1_a_query_may_be_a_mapping_pairs_or_text(query, serve):
    app = web.Application()
    route = app.router.add_route("GET", "/root", show, name="root")
    url = route.url(query=query)
    assert type(url) is str
    assert url == "/root?a=b&c=d"
    address = await serve(app)
    answer = await address.request("GET", url)
    assert json.loads(answer.body)["?"] == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("query", [None, {}, [], "", "?"])
def test_c15_no_query_is_no_question_mark(query):
    assert web.UrlDispatcher().add_route("GET", "/root", show).url(query=query) == "/root"


@pytest.mark.parametrize("value", ["a b", "a&b=c", "ü", "50%", "+", "#", "/?"])
async def test_c15_values_of_a_query_are_quoted(value, serve):
    app = web.Application()
    route = app.router.add_route("GET", "/", show)
    address = await serve(app)
    answer = await address.request("GET", route.url(query={"q": value}))
    assert json.loads(answer.body)["?"] == [["q", value]]


def test_c15_a_literal_path_takes_no_parts():
    route = web.UrlDispatcher().add_route("GET", "/root", show)
    with pytest.raises(TypeError, match="x"):
        route.url(parts={"x": "1"})


def test_c16_u4_the_parts_fill_the_template():
    router = web.UrlDispatcher()
    router.add_route("GET", "/{user}/info", show, name="handler")
    assert router["handler"].url(parts={"user": "john_doe"}, query="?a=b") == "/john_doe/info?a=b"
    router.add_route("GET", r"/projects/{id:\d+}", show, name="project")
    assert router["project"].url(parts={"id": 5}) == "/projects/5"
    assert router["project"].url(parts={"id": "5"}) == "/projects/5"
    router.add_route("GET", "/u/{uuid}", show, name="uuid")
    assert router["uuid"].url(parts={"uuid": UUID(int=1)}) == "/u/00000000-0000-0000-0000-000000000001"


def test_c16_a_missing_part_is_a_key_error_that_names_it():
    route = web.UrlDispatcher().add_route("GET", "/{a}/{b}", show)
    with pytest.raises(KeyError, match="'b'"):
        route.url(parts={"a": "1"})
    with pytest.raises(KeyError, match="'a'"):
        route.url()


@pytest.mark.parametrize("value", [None, 1.5, b"x", ["a"], True, object()])
def test_c16_a_part_that_is_no_text_is_refused(value):
    route = web.UrlDispatcher().add_route("GET", "/{a}", show)
    with pytest.raises(TypeError, match="'a'"):
        route.url(parts={"a": value})


@pytest.mark.parametrize("value", ["a b", "a/b", "ü", "50%", "%2F", "?", "#", "a+b", "{x}", "<x>", ".", "\n", "🐘"])
@pytest.mark.parametrize("template", ["/x/{v}/y", "/x/{v:.*}", "/x/<v>", "/ä ö/{v}"])
async def test_c16_values_are_quoted_so_that_the_route_finds_them_again(template, value, serve):
    app = web.Application()
    route = app.router.add_route("GET", template, show)
    url = route.url(parts={"v": value})
    assert url.isascii()
    address = await serve(app)
    answer = await address.request("GET", url)
    assert (answer.status, json.loads(answer.body)["v"]) == (200, value)


# -- C18, C19, C20: routes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/a", 405)])
async def test_c18_the_route_of_what_was_not_found_has_no_url(method, path, status, serve):
    seen: list[Any] = []

    @web.middleware
    async def watch(request, handler):
        seen.append(request.match_info.route)
        return await handler(request)

    app = web.Application(middlewares=[watch])
    app.router.add_route("GET", "/a", show)
    address = await serve(app)
    assert (await address.request(method, path)).status == status
    (route,) = seen
    assert isinstance(route, web.SystemRoute)
    assert (route.status, route.name, route.http_exception.status) == (status, None, status)
    assert str(status) in repr(route)
    with pytest.raises(RuntimeError):
        route.url()
    with pytest.raises(RuntimeError):
        route.url_for()


def test_c19_what_a_route_tells():
    router = web.UrlDispatcher()
    route = router.add_route("get", "/a/{x}", show, name="item")
    assert (route.method, route.handler, route.name) == ("GET", show, "item")
    assert route.match("/a/b%2Fc") == {"x": "b/c"}
    assert route.match("/a/b/c") is None
    plain = router.add_route("GET", "/b c", show)
    assert plain.match("/b%20c") == {}
    assert plain.match("/b") is None
    for told in ("'item'", "GET", "/a/{x}", repr(show)):
        assert told in repr(route)


def test_c20_the_classes_of_routes():
    router = web.UrlDispatcher()
    plain = router.add_route("GET", "/a", show)
    dynamic = router.add_route("GET", "/a/{x}", show)
    assert isinstance(plain, web.PlainRoute)
    assert isinstance(dynamic, web.DynamicRoute)
    assert not isinstance(plain, web.DynamicRoute)
    for kind in (web.PlainRoute, web.DynamicRoute, web.SystemRoute):
        assert issubclass(kind, web.Route)


async def test_c20_routes_that_were_made_by_hand_are_registered(serve):
    class Suffix(web.Route):
        """A route class of a user of aiohttp 0.17."""

        def __init__(self, method, handler, name, suffix):
            super().__init__(method, handler, name)
            self.suffix = suffix

        def match(self, path):
            return {"stem": path[1 : -len(self.suffix)]} if path.endswith(self.suffix) else None

        def url(self, *, parts, query=None):
            return f"/{parts['stem']}{self.suffix}"

    app = web.Application()
    app.router.register_route(web.PlainRoute("GET", show, "plain", "/plain"))
    pattern = re.compile(r"/(?P<year>\d{4})")
    app.router.register_route(web.DynamicRoute("GET", show, "year", pattern, "/{year}"))
    app.router.register_route(Suffix("GET", show, "page", ".html"))
    assert app.router["plain"].url() == "/plain"
    assert app.router["year"].url(parts={"year": 1999}) == "/1999"
    assert app.router["page"].url(parts={"stem": "a"}) == "/a.html"
    address = await serve(app)
    for path, parts in [("/plain", {}), ("/1999", {"year": "1999"}), ("/x/y.html", {"stem": "x/y"})]:
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, {**parts, "?": []}), path
    assert (await address.request("GET", "/199")).status == 404
    assert (await address.request("POST", "/x.html")).status == 405


@pytest.mark.parametrize("route", [None, show, "/a", object()])
def test_c20_what_is_no_route_is_refused(route):
    with pytest.raises(TypeError) as caught:
        web.UrlDispatcher().register_route(route)
    assert repr(route) in str(caught.value)
