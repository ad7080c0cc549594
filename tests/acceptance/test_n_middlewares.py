"""Rows N15 and N16 of FEATURES.md, modern middlewares, over real sockets. (N18 is in test_g_exceptions.py.)"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from aioweb import web
from tests.conftest import Serve


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=request.path_qs)


def serving(*middlewares: Any, paths: tuple[str, ...] = ("/",), method: str = "GET") -> web.Application:
    """An application with these middlewares and one handler at these paths."""
    app = web.Application(middlewares=middlewares)
    for path in paths:
        app.router.add_route(method, path, echo)
    return app


async def mark(name: str, request: web.Request, handler: Any) -> web.StreamResponse:
    """Add the name to the field Via-Middleware on the way out."""
    response: web.StreamResponse = await handler(request)
    response.headers.add("Via", name)
    return response


# -- N15: every way to write one ---------------------------------------------------------------------------------------


@web.middleware
async def decorated(one: web.Request, two: Any) -> web.StreamResponse:
    return await mark("decorated", one, two)


async def undecorated(request: web.Request, handler: Any) -> web.StreamResponse:
    return await mark("undecorated", request, handler)


@web.middleware
async def positional(request: web.Request, handler: Any, /) -> web.StreamResponse:
    return await mark("positional", request, handler)


@web.middleware
async def by_keyword(request: web.Request, *, handler: Any) -> web.StreamResponse:
    return await mark("by keyword", request, handler)


@web.middleware
async def anything(*args: Any, **kwargs: Any) -> web.StreamResponse:
    return await mark("anything", *args, **kwargs)


@web.middleware
@functools.wraps(undecorated)
async def wrapping(first: web.Request, following: Any) -> web.StreamResponse:
    return await mark("wrapping", first, following)


class Class:
    """Middlewares that are methods, and one that is an object."""

    @web.middleware
    async def method(self, request: web.Request, handler: Any) -> web.StreamResponse:
        return await mark("method", request, handler)

    async def marked_later(self, one: web.Request, two: Any) -> web.StreamResponse:
        return await mark("marked later", one, two)

    async def __call__(self, request: web.Request, handler: Any) -> web.StreamResponse:
        return await mark("object", request, handler)


WAYS = {
    "decorated": decorated,
    "undecorated": undecorated,
    "positional": positional,
    "by keyword": by_keyword,
    "anything": anything,
    "wrapping": wrapping,
    "method": Class().method,
    "marked later": web.middleware(Class().marked_later),
    "object": Class(),
    "marked object": web.middleware(Class()),
    "partial": functools.partial(mark, "partial"),
    "marked partial": web.middleware(functools.partial(mark, "marked partial")),
}


@pytest.mark.parametrize("way", WAYS)
async def test_n15_every_way_to_write_one(serve: Serve, way: str) -> None:
    answer = await (await serve(serving(WAYS[way]))).request("GET", "/")
    assert (answer.status, answer.headers.getall("Via")) == (200, [way.replace("marked object", "object")])


async def test_n15_both_generations_mix_in_their_order(serve: Serve) -> None:
    async def factory(app: web.Application, handler: Any) -> Any:
        return functools.partial(mark, "factory", handler=handler)

    app = serving(decorated, factory, undecorated, Class().method)
    answer = await (await serve(app)).request("GET", "/")
    assert answer.headers.getall("Via") == ["method", "undecorated", "factory", "decorated"]


async def test_n15_they_see_404_and_405(serve: Serve) -> None:
    @web.middleware
    async def pages(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as exception:
            return web.Response(text=f"page of {exception.status}", status=exception.status)
        return response

    address = await serve(serving(pages))
    assert (await address.request("GET", "/nowhere")).body == b"page of 404"
    assert (await address.request("PUT", "/")).body == b"page of 405"


async def test_n15_routes_have_middlewares_of_their_own_within_those_of_the_application(serve: Serve) -> None:
    app = web.Application(middlewares=[decorated])
    app.router.add_get("/", echo, middlewares=[undecorated, Class().method])
    app.router.add_get("/other", echo)
    address = await serve(app)
    assert (await address.request("GET", "/")).headers.getall("Via") == ["method", "undecorated", "decorated"]
    assert (await address.request("GET", "/other")).headers.getall("Via") == ["decorated"]


@pytest.mark.parametrize("wrong", [lambda request, handler: None, "name", None, web.Application])
def test_n15_the_decorator_refuses_what_is_no_coroutine_function(wrong: Any) -> None:
    with pytest.raises(TypeError, match="async def"):
        web.middleware(wrong)


# -- N16: normalize_path_middleware ------------------------------------------------------------------------------------

PATHS = ("/", "/plain", "/slash/", "/deep/plain", "/deep/slash/", "/{name}/by/", "/file.txt", "/при вет/")
REMOVE = {"append_slash": False, "remove_slash": True}
KEEP_RUNS = {"merge_slashes": False}
TABLE: list[tuple[dict[str, Any], str, str | None]] = [
    # Known paths stay.
    ({}, "/plain", None),
    ({}, "/slash/", None),
    ({}, "/", None),
    (REMOVE, "/slash/", None),
    # A slash is appended ...
    ({}, "/slash", "/slash/"),
    ({}, "/deep/slash", "/deep/slash/"),
    ({}, "/slash?a=b&c=%20d", "/slash/?a=b&c=%20d"),
    ({}, "/slash?next=//evil.org/", "/slash/?next=//evil.org/"),
    ({}, "/x%2Fy/by", "/x%2Fy/by/"),
    ({}, "/%D0%BF%D1%80%D0%B8%20%D0%B2%D0%B5%D1%82", "/%D0%BF%D1%80%D0%B8%20%D0%B2%D0%B5%D1%82/"),
    # ... but not to what has none, and none is removed.
    ({}, "/plain/", "404"),
    ({}, "/nowhere", "404"),
    ({"append_slash": False}, "/slash", "404"),
    # A slash is removed.
    (REMOVE, "/plain/", "/plain"),
    (REMOVE, "/deep/plain/?q", "/deep/plain?q"),
    (REMOVE, "/slash", "404"),
    (REMOVE, "/plain//", "/plain"),
    # Runs of slashes become one.
    ({}, "/deep//plain", "/deep/plain"),
    ({}, "/deep///slash//", "/deep/slash/"),
    ({}, "//", "/"),
    ({}, "/deep//slash", "/deep/slash/"),
    (REMOVE, "/deep//plain//", "/deep/plain"),
    (KEEP_RUNS, "/deep//plain", "404"),
    (KEEP_RUNS, "/slash", "/slash/"),
    # Another host is never the target.
    ({}, "//plain", "/plain"),
    ({}, "//slash", "/slash/"),
    ({}, "//evil.org/by", "/evil.org/by/"),
    ({}, "///evil.org/by", "/evil.org/by/"),
    (KEEP_RUNS, "//evil.org/by", "/evil.org/by/"),
    (REMOVE, "//plain/", "/plain"),
    ({}, "/%2Fevil.org/by", "/%2Fevil.org/by/"),
    ({}, "/%5Cevil.org/by", "/%5Cevil.org/by/"),
]


@pytest.mark.parametrize(("options", "target", "location"), TABLE)
async def test_n16_the_table(serve: Serve, options: dict[str, Any], target: str, location: str | None) -> None:
    app = serving(web.normalize_path_middleware(**options), paths=PATHS)
    answer = await (await serve(app)).request("GET", target)
    if location is None:
        assert answer.status == 200
    elif location == "404":
        assert (answer.status, answer.headers.get("Location")) == (404, None)
    else:
        assert (answer.status, answer.headers["Location"]) == (308, location)


EVIL = [
    "//evil.org",
    "///evil.org",
    "//evil.org/",
    "//evil.org//",
    "//evil.org/%2e%2e",
    "/%09/evil.org",
    "/%5Cevil.org",
]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("options", [{}, REMOVE, KEEP_RUNS, {**REMOVE, **KEEP_RUNS}, {"append_slash": False}])
@pytest.mark.parametrize("route", ["/{rest:.*}/", "/{rest:[^/]+(?:/[^/]+)*}", "/{name}", "/{name}/"])
async def test_n16_no_open_redirect(serve: Serve, route: str, options: dict[str, Any], evil: str) -> None:
    app = serving(web.normalize_path_middleware(**options), paths=(route,))
    answer = await (await serve(app)).request("GET", evil)
    location = answer.headers.get("Location", "/")
    assert urlsplit(urljoin("http://good.org/", location)).netloc == "good.org"
    assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize("target", ["http://evil.org/slash", "http://evil.org//slash"])
async def test_n16_an_absolute_target_redirects_to_a_path(serve: Serve, target: str) -> None:
    app = serving(web.normalize_path_middleware(), paths=PATHS)
    answer = await (await serve(app)).request("GET", target)
    assert (answer.status, answer.headers["Location"]) == (308, "/slash/")


async def test_n16_the_redirect_class_is_chosen(serve: Serve) -> None:
    app = serving(web.normalize_path_middleware(redirect_class=web.HTTPFound), paths=PATHS)
    answer = await (await serve(app)).request("GET", "/slash")
    assert (answer.status, answer.headers["Location"]) == (302, "/slash/")


def test_n16_append_and_remove_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        web.normalize_path_middleware(append_slash=True, remove_slash=True)


async def test_n16_a_post_is_sent_on_with_its_content_whoever_has_read_it(serve: Serve) -> None:
    @web.middleware
    async def reading(request: web.Request, handler: Any) -> web.StreamResponse:
        assert await request.post()
        return await mark("reading", request, handler)

    app = serving(reading, web.normalize_path_middleware(), paths=PATHS, method="POST")
    form = "Content-Type: application/x-www-form-urlencoded"
    address = await serve(app)
    answer = await address.request("POST", "/slash", form, body=b"a=b")
    assert (answer.status, answer.headers["Location"]) == (308, "/slash/")
    assert (await address.request("POST", "/slash/", form, body=b"a=b")).status == 200


async def test_n16_a_404_that_a_handler_has_raised_is_left_alone(serve: Serve) -> None:
    async def missing(request: web.Request) -> web.Response:
        raise web.HTTPNotFound(text="no such thing")

    app = serving(web.normalize_path_middleware(), paths=PATHS)
    app.router.add_get("/thing", missing)
    app.router.add_get("/thing/", echo)
    answer = await (await serve(app)).request("GET", "/thing")
    assert (answer.status, answer.body) == (404, b"no such thing")


async def test_n16_it_looks_into_sub_applications(serve: Serve) -> None:
    app = serving(web.normalize_path_middleware(), paths=PATHS)
    app.add_subapp("/sub", serving(paths=("/slash/",)))
    answer = await (await serve(app)).request("GET", "/sub//slash")
    assert (answer.status, answer.headers["Location"]) == (308, "/sub/slash/")


async def test_n16_it_works_within_a_sub_application(serve: Serve) -> None:
    app = serving(paths=PATHS)
    app.add_subapp("/sub", serving(web.normalize_path_middleware(), paths=("/slash/",)))
    address = await serve(app)
    answer = await address.request("GET", "/sub/slash")
    assert (answer.status, answer.headers["Location"]) == (308, "/sub/slash/")
    assert (await address.request("GET", "/slash")).status == 404


async def test_n16_it_asks_a_router_that_has_to_be_awaited(serve: Serve) -> None:
    class Router(web.UrlDispatcher):
        async def resolve(self, request: web.Request) -> Any:
            seen.append((request.method, request.path))
            return await super().resolve(request)

    seen: list[tuple[str, str]] = []
    app = web.Application(router=Router(), middlewares=[web.normalize_path_middleware()])
    app.router.add_get("/slash/", echo)
    answer = await (await serve(app)).request("GET", "/slash?q")
    assert (answer.status, answer.headers["Location"]) == (308, "/slash/?q")
    assert seen == [("GET", "/slash"), ("GET", "/slash/")]
