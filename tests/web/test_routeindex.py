"""The index finds what asking every resource in its order finds, and asks few."""

from __future__ import annotations

import sys
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioweb.web.paths import match_form
from aioweb.web.resources import DynamicResource, PlainResource, PrefixedSubAppResource, Resource
from aioweb.web.routeindex import RouteIndex
from aioweb.web.router import UrlDispatcher
from aioweb.web.routes import AbstractRoute


async def handler(request):
    """Answer nothing."""


def app_with(*routes: tuple[str, str]) -> Any:
    router = UrlDispatcher()
    for method, path in routes:
        router.add_route(method, path, handler)
    return SimpleNamespace(router=router)


def resource(path: str) -> Resource:
    return (DynamicResource if "{" in path or "<" in path else PlainResource)(path)


SEGMENTS = ["a", "b", "", "a b", "%2F", "a-b", "1"]
TEMPLATES = [
    *SEGMENTS, "{x}", "{x:[ab]}", "{x:[0-9]+}", "{x:.*}", "{x:[^b]+}", "a{x}", "{x}-{y}", "<x:a|b>",
]  # fmt: skip


def templates() -> st.SearchStrategy[str]:
    def number(segments: list[str]) -> str:
        # Parts of different segments get different names.
        return "/" + "/".join(part.replace("x", f"x{i}").replace("y", f"y{i}") for i, part in enumerate(segments))

    pieces = st.lists(st.sampled_from(TEMPLATES), min_size=1, max_size=4)
    return pieces.map(number)


PATHS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments))
METHODS = st.sampled_from(["GET", "POST", "HEAD", "*"])


def scan(router: UrlDispatcher, method: str, path: str) -> tuple[AbstractRoute | None, set[str]]:
    """Ask every resource in its order, by the rules as they are written."""
    allowed: set[str] = set()
    for resource in router.resources():
        if isinstance(resource, PrefixedSubAppResource):
            prefix = resource.canonical
            form = match_form(path)
            if form == prefix or form.startswith(prefix + "/"):
                return scan(resource.app.router, method, path)
        elif resource.match(path) is not None:
            methods = {route.method: route for route in resource}
            if "GET" in methods:
                methods.setdefault("HEAD", methods["GET"])
            found = methods.get(method) or methods.get("*")
            if found is not None:
                return found, set()
            allowed |= set(methods)
    return None, allowed


@settings(max_examples=300)
@given(st.lists(st.tuples(METHODS, templates(), st.booleans())), st.lists(st.tuples(METHODS, PATHS), min_size=5))
def test_the_index_finds_what_a_scan_of_the_table_finds(table, requests):
    router = UrlDispatcher()
    for method, path, mounted in table:
        if mounted:
            app = app_with(("PURGE", "/b"), (method, path))
            router.register_resource(PrefixedSubAppResource("/a", app))
        else:
            # Not add_route, which refuses a method that the last resource has already.
            made = resource(path)
            made.add_route(method, handler)
            router.register_resource(made)
    for method, path in requests:
        info = router.match(method, path)
        route, allowed = scan(router, method, path)
        if route is not None:
            assert info.route is route
            assert info == route.match(path)
        else:
            assert info.http_exception.status == (405 if allowed else 404)
            assert getattr(info.http_exception, "allowed_methods", set()) == allowed


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/shops/7/page2", ["/shops/{shop}/page2"]),
        ("/shops/7/page9", []),
        ("/shops/7", []),
        ("/files/a/b/c", ["/files/{rest:.*}"]),
        ("/files/one/b", ["/files/{rest:.*}", "/files/one/{x}"]),
        ("/other", []),
        ("/", []),
    ],
)
def test_only_those_are_asked_that_agree_in_all_segments_without_parts(path, asked):
    paths = [f"/shops/{{shop}}/page{number}" for number in range(5)]
    index = RouteIndex(map(resource, [*paths, "/files/{rest:.*}", "/files/one/{x}", "/plain"]))
    assert index.at_literal(path) is None
    assert [found.canonical for found in index.candidates(path)] == [name.replace(":.*", "") for name in asked]


def test_a_literal_path_knows_all_that_match_it_in_their_order():
    resources = [resource(path) for path in ("/{x}", "/a", "/{x:[0-9]}", "/a", "/{y:.*}")]
    index = RouteIndex(resources)
    first, second, _, third, fourth = resources
    assert index.at_literal("/a") == (first, second, third, fourth)
    assert index.at_literal("/b") is None


def calls_of(router: UrlDispatcher, path: str) -> list[str]:
    """Every function, of C too, that is called to find a route; twice, as the first builds the index."""
    called: list[str] = []

    def note(frame: FrameType, event: str, function: Any) -> None:
        if event in ("call", "c_call"):
            called.append(frame.f_code.co_name if event == "call" else function.__name__)

    router.match("GET", path)
    sys.setprofile(note)
    try:
        router.match("GET", path)
    finally:
        sys.setprofile(None)
    return called


def test_among_10_000_routes_one_is_found_by_the_steps_that_find_it_among_10() -> None:
    routers = []
    for count in (10, 10_000):
        router = UrlDispatcher()
        for number in range(count // 2):
            router.add_get(f"/literal/{number}", handler)
            router.add_get(f"/items/{number}/{{id}}/reviews", handler)
        routers.append(router)
    for path in ("/literal/3", "/items/3/4711/reviews", "/items/%33/4711/reviews", "/nothing/3", "/items/3", "/"):
        few, many = (calls_of(router, path) for router in routers)
        assert few == many
        assert len(few) > 4
