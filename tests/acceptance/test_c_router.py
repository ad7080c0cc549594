"""FEATURES.md section C: router, routes, reverse URLs. Over real sockets where it shows."""

from __future__ import annotations

import functools
import json
import types
from typing import Any
from urllib.parse import quote

import pytest

from aioweb import web

TODAYS_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


def answering(text: str) -> Any:
    """A handler that answers with this text."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text)

    return handler


async def show(request: web.Request) -> web.Response:
    """A handler that answers with the parts of the path."""
    return web.json_response(dict(request.match_info))


def table(*paths: str, handler: Any = show) -> web.Application:
    """An application with a GET route for each path."""
    app = web.Application()
    for path in paths:
        app.router.add_route("GET", path, handler)
    return app


# -- C1, C2: add_route and methods -------------------------------------------------------------------------------------


async def test_c1_add_route_returns_the_route_that_answers(serve):
    async def expect(request):
        return None

    app = web.Application()
    route = app.router.add_route("GET", "/a", show, name="a", expect_handler=expect)
    assert isinstance(route, web.Route)
    assert (route.method, route.handler, route.name, route.expect_handler) == ("GET", show, "a", expect)
    address = await serve(app)
    assert (await address.request("GET", "/a")).status == 200


def test_c1_options_of_a_route_are_keyword_only():
    with pytest.raises(TypeError):
        web.UrlDispatcher().add_route("GET", "/a", show, "name")


@pytest.mark.parametrize("method", [*TODAYS_METHODS, "get", "Patch", "PROPFIND", "x-own"])
async def test_c2_a_method_is_a_token_in_any_case(method, serve):
    app = web.Application()
    route = app.router.add_route(method, "/", answering("x"))
    assert route.method == method.upper()
    address = await serve(app)
    assert (await address.request(method.upper(), "/")).status == 200
    assert (await address.request("OTHER", "/")).status == 405


@pytest.mark.parametrize("method", [*TODAYS_METHODS, "BREW"])
async def test_c2_an_asterisk_is_every_method(method, serve):
    app = web.Application()
    app.router.add_route("*", "/", show)
    address = await serve(app)
    assert (await address.request(method, "/")).status == 200


@pytest.mark.parametrize("method", ["", "G ET", "GET,POST", "GE\nT", "GÉT"])
def test_c2_a_method_that_is_no_token_is_refused(method):
    with pytest.raises(ValueError) as caught:
        web.UrlDispatcher().add_route(method, "/", show)
    assert repr(method) in str(caught.value)


def test_c2_a_method_that_is_no_text_is_refused():
    with pytest.raises(TypeError):
        web.UrlDispatcher().add_route(None, "/", show)


# -- C3, C4: paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("a", "'a'"),
        ("a/{b}", "'a/{b}'"),
        ("/{", "{"),
        ("/a}", "}"),
        ("/{a", "{"),
        ("/{a}}", "}"),
        ("/{}", "{}"),
        ("/{1a}", "{1a}"),
        ("/{a b}", "{a b}"),
        ("/{a:[}", "{a:[}"),
        ("/{a:(}", "{a:(}"),
        ("/{a:*}", "{a:*}"),
        ("/<a", "<"),
        ("/{a}/{a}", "a"),
    ],
)
def test_c3_a_bad_path_is_refused_and_shown(path, part):
    router = web.UrlDispatcher()
    with pytest.raises(ValueError) as caught:
        router.add_route("GET", path, show)
    assert repr(path) in str(caught.value)
    assert part in str(caught.value)
    assert len(router.resources()) == 0, "nothing is registered"


async def test_c4_a_literal_path_is_matched_exactly(serve):
    app = web.Application()
    app.router.add_route("GET", "/a", answering("bare"))
    app.router.add_route("GET", "/a/", answering("slash"))
    app.router.add_route("GET", "/only/", answering("only"))
    address = await serve(app)
    assert (await address.request("GET", "/a")).body == b"bare"
    assert (await address.request("GET", "/a/")).body == b"slash"
    for path in ("/A", "/a/b", "/", "/only", "/a.", "/ab"):
        assert (await address.request("GET", path)).status == 404, path


# -- C5 to C8: templates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["/u/{name}/x", "/u/<name>/x"])
async def test_c5_c7_a_part_is_one_segment(template, serve):
    address = await serve(table(template))
    for value in ("a", "1", "a.b-c_d~e", "a:b@c", "a,b;c=d", "(x)!'*$&+"):
        answer = await address.request("GET", f"/u/{value}/x")
        assert (answer.status, json.loads(answer.body)) == (200, {"name": value})
    for path in ("/u//x", "/u/a/b/x", "/u/a", "/u/a/x/"):
        assert (await address.request("GET", path)).status == 404, path


@pytest.mark.parametrize("name", ["a", "A", "aB_9", "z_"])
async def test_c5_names_of_parts(name, serve):
    address = await serve(table(f"/{{{name}}}"))
    assert json.loads((await address.request("GET", "/v")).body) == {name: "v"}


@pytest.mark.parametrize("brackets", ["{}", "<>"])
@pytest.mark.parametrize(
    ("regex", "found", "missed"),
    [
        (r"\d+", ["/1", "/0123"], ["/", "/a", "/1a", "/1/", "/1\u0661"]),
        ("[a-z]{2,3}", ["/ab", "/abc"], ["/a", "/abcd", "/AB"]),
        (".*", ["/", "/a", "/a/b/", "/a//b"], []),
        (".+/.+", ["/a/b", "/a/b/c"], ["/a", "/a/", "//"]),
        ("en|de", ["/en", "/de"], ["/", "/e", "/ende", "/en/"]),
        ("(?:a|b)c", ["/ac", "/bc"], ["/a", "/b", "/c"]),
        ("(a|b)c", ["/ac"], ["/a"]),
        ("[^/]{1,}", ["/a"], ["/a/b", "/"]),
    ],
)
async def test_c6_c7_a_regex_is_anchored_and_may_hold_braces_and_slashes(brackets, regex, found, missed, serve):
    address = await serve(table(f"/{brackets[0]}x:{regex}{brackets[1]}"))
    for path in found:
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, {"x": path[1:]}), path
    for path in missed:
        assert (await address.request("GET", quote(path))).status == 404, path


async def test_c7_both_brackets_in_one_template(serve):
    address = await serve(table(r"/<a>/{b:\d+}/<c:[a-z]{2}>"))
    answer = await address.request("GET", "/x/12/ab")
    assert json.loads(answer.body) == {"a": "x", "b": "12", "c": "ab"}
    assert (await address.request("GET", "/x/12/abc")).status == 404


async def test_c8_parts_and_literals_in_one_segment(serve):
    app = table("/{x}-{y}.png", "/v{major:[0-9]+}.{minor:[0-9]+}", "/(a+b)*/{z}", "/[q]/$^|")
    address = await serve(app)
    for path, parts in [
        ("/12-7.png", {"x": "12", "y": "7"}),
        ("/a-b-c.png", {"x": "a-b", "y": "c"}),
        ("/v1.20", {"major": "1", "minor": "20"}),
        ("/(a+b)*/c", {"z": "c"}),
        ("/%5Bq%5D/$%5E%7C", {}),
    ]:
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, parts), path
    for path in ("/12-7xpng", "/12.png", "/v1x20", "/aab/c"):
        assert (await address.request("GET", path)).status == 404, path


# -- C9, C10: percent-encoding -----------------------------------------------------------------------------------------


async def test_c9_an_escaped_slash_is_no_separator(serve):
    address = await serve(table("/one/{x}", "/all/{x:.*}", "/two/{x}/{y}"))
    for path, parts in [
        ("/one/a%2Fb", {"x": "a/b"}),
        ("/one/a%2fb", {"x": "a/b"}),
        ("/one/%2F", {"x": "/"}),
        ("/all/a/b%2Fc", {"x": "a/b/c"}),
        ("/two/a%2Fb/c", {"x": "a/b", "y": "c"}),
    ]:
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, parts), path
    for path in ("/one%2Fa", "/one/a/b", "/two/a%2Fb"):
        assert (await address.request("GET", path)).status == 404, path


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("%20", " "),
        ("a+b", "a+b"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("%D0%BF%D0%BB", "пл"),
        ("%7Bx%7D", "{x}"),
        ("%3Cx%3E", "<x>"),
        ("%41", "A"),
        ("%F0%9F%90%98", "🐘"),
        ("%0A", "\n"),
        ("%3F%23", "?#"),
        ("%zz", "%zz"),
        ("%ff", "%ff"),
    ],
)
async def test_c9_parts_are_unquoted_once_after_matching(sent, value, serve):
    address = await serve(table("/{x}"))
    answer = await address.request("GET", f"/{sent}")
    assert (answer.status, json.loads(answer.body)) == (200, {"x": value})


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ("/плоский/{x}", "/%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9/1"),
        ("/%D0%BF%D0%BB/{x}", "/%d0%bf%d0%bb/1"),
        ("/a b/{x:.*}", "/a%20b/1"),
        ("/a%20b/{x}", "/a%20b/1"),
        ("/100%/{x}", "/100%25/1"),
        ("/ä{x}ö", "/%C3%A41%C3%B6"),
        ("/q?{x}", "/q%3F1"),
        ("/~me/{x}", "/%7Eme/1"),
    ],
)
async def test_c10_literal_parts_that_need_quoting(template, sent, serve):
    app = table(template)
    resource = next(iter(app.router.resources()))
    address = await serve(app)
    for path in (sent, str(resource.url_for(x="1"))):
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, {"x": "1"}), path


@pytest.mark.parametrize("path", ["/плоский", "/a b", "/%20", "/100%", '/"', "/a%2Fb", "/\u20ac/"])
async def test_c10_literal_paths_that_need_quoting(path, serve):
    app = web.Application()
    route = app.router.add_route("GET", path, show)
    assert route.url().isascii()
    address = await serve(app)
    assert (await address.request("GET", route.url())).status == 200


# -- C11, C12: order, 404 and 405 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [
        ("/{x}", "/a"),
        ("/a", "/{x}"),
        ("/{x:.*}", "/a"),
        ("/{x}", "/{y}"),
        ("/{x:a}", "/{x}", "/a"),
        ("/a", "/a"),
    ],
)
async def test_c11_first_registered_wins(paths, serve):
    app = web.Application()
    for number, path in enumerate(paths):
        # A resource in between keeps the router from using the one before again.
        app.router.add_route("GET", f"/between{number}", show)
        if paths == ("/a", "/a"):
            app.router.add_route("GET", path, answering(str(number)), name=f"n{number}")
        else:
            app.router.add_route("GET", path, answering(str(number)))
    address = await serve(app)
    assert (await address.request("GET", "/a")).body == b"0"


async def test_c11_the_first_that_has_the_method_wins(serve):
    app = web.Application()
    app.router.add_route("POST", "/{x}", answering("post"))
    app.router.add_route("GET", "/a", answering("literal"))
    app.router.add_route("*", "/{y}", answering("any"))
    address = await serve(app)
    assert (await address.request("GET", "/a")).body == b"literal"
    assert (await address.request("POST", "/a")).body == b"post"
    assert (await address.request("PUT", "/a")).body == b"any"


async def test_c12_405_allows_every_method_of_all_matching_routes(serve):
    app = web.Application()
    app.router.add_route("GET", "/a", show)
    app.router.add_route("PUT", "/{x}", show)
    app.router.add_route("DELETE", "/{x:.*}", show)
    app.router.add_route("PATCH", "/b", show)
    address = await serve(app)
    answer = await address.request("POST", "/a")
    assert answer.status == 405
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, PUT"
    answer = await address.request("GET", "/b")
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, PATCH, PUT")


async def test_c12_middlewares_see_404_and_405_as_exceptions(serve):
    seen: list[web.HTTPException] = []
    known: list[type] = []

    @web.middleware
    async def watch(request, handler):
        try:
            return await handler(request)
        except web.HTTPException as exception:
            seen.append(exception)
            known.append(type(request.match_info.http_exception))
            return web.Response(status=exception.status, text=f"caught {exception.status}")

    app = web.Application(middlewares=[watch])
    app.router.add_route("GET", "/a", show)
    address = await serve(app)
    assert (await address.request("GET", "/b")).body == b"caught 404"
    assert (await address.request("POST", "/a")).body == b"caught 405"
    assert known == [type(exception) for exception in seen] == [web.HTTPNotFound, web.HTTPMethodNotAllowed]
    assert seen[1].allowed_methods == {"GET", "HEAD"}
    assert seen[1].method == "POST"


# -- C13: kinds of handlers --------------------------------------------------------------------------------------------


class Methods:
    def plain(self, request):
        return web.Response(text="bound")

    async def coroutine(self, request):
        return web.Response(text="bound")


class Plain:
    def __call__(self, request):
        return web.Response(text="object")


class Asynchronous:
    async def __call__(self, request):
        return web.Response(text="object")


async def pause():
    return "generator"


def plain(request):
    return web.Response(text="plain")


def gives_awaitable(request):
    return answering("awaitable")(request)


@types.coroutine
def marked(request):
    return web.Response(text=(yield from pause().__await__()))


@types.coroutine
def marked_over_coroutines(request):
    return web.Response(text=(yield from pause()))


def unmarked(request):
    return web.Response(text=(yield from pause()))


def with_greeting(greeting, request):
    return web.Response(text=greeting)


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (answering("coroutine"), "coroutine"),
        (plain, "plain"),
        (lambda request: web.Response(text="lambda"), "lambda"),
        (gives_awaitable, "awaitable"),
        (marked, "generator"),
        (marked_over_coroutines, "generator"),
        (unmarked, "generator"),
        (Methods().plain, "bound"),
        (Methods().coroutine, "bound"),
        (Plain(), "object"),
        (Asynchronous(), "object"),
        (functools.partial(with_greeting, "partial"), "partial"),
        (functools.partial(answering("partial")), "partial"),
    ],
)
async def test_c13_a_handler_of_every_kind_answers(handler, text, serve):
    app = web.Application()
    route = app.router.add_route("GET", "/", handler)
    assert route.handler == handler
    address = await serve(app)
    assert (await address.request("GET", "/")).body == text.encode()


@pytest.mark.parametrize("handler", [None, "show", 5, web.Response()])
def test_c13_what_cannot_be_called_is_refused_at_registration(handler):
    with pytest.raises(TypeError) as caught:
        web.UrlDispatcher().add_route("GET", "/", handler)
    assert repr(handler) in str(caught.value)


# -- C21, C22, C23: match info, slashes, many routes -------------------------------------------------------------------


async def test_c21_match_info_is_a_dict_with_the_handler_and_the_route(serve):
    async def handler(request):
        info = request.match_info
        assert isinstance(info, dict)
        assert info == {"name": "a/b", "rest": ""}
        assert (info["name"], info.get("name"), info.get("other", "x"), info.get("other")) == ("a/b", "a/b", "x", None)
        assert info.handler is handler
        assert info.route is route
        return web.Response()

    app = web.Application()
    route = app.router.add_route("GET", "/{name}/{rest:.*}", handler)
    address = await serve(app)
    assert (await address.request("GET", "/a%2Fb/")).status == 200


async def test_c22_doubled_slashes_are_a_path_of_their_own(serve):
    address = await serve(table("/a", "/a/b", "/{x}/c"))
    for path in ("//a", "/a/", "/a//", "//", "/a//b", "//a/b", "//c", "///"):
        assert (await address.request("GET", path)).status == 404, path


async def test_c22_a_path_that_looks_like_a_host_is_a_path(serve):
    address = await serve(table("/{x:.*}"))
    answer = await address.request("GET", "//evil.example/a")
    assert json.loads(answer.body) == {"x": "/evil.example/a"}
