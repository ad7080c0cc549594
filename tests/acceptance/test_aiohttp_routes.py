"""The same table of routes in aioweb and in the real aiohttp: what they answer, and the URLs that they build.

Every difference is listed with its reason; an entry that is no difference any more fails, too.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import aiohttp.web
import attrs
import pytest
from yarl import URL

from aioweb import web

ORDER = "first registered wins (O4); aiohttp since 3.10 asks literals and longer prefixes first"
LITERAL = "a literal that needs quoting is reachable (C10; aiohttp #13433)"
DOMAIN = "first registered wins (O4), also before a domain; aiohttp since 3.10 asks domains first"
DOT = "a host may end with the dot of the root: RFC 3986 section 3.2.2"
BRACES = "templates see the path as it was sent, where a brace in a value is escaped (C5, C9)"
SLASH = "a slash in a value is escaped where the part cannot hold one, so that the URL leads back (property of C16)"

TABLE = [
    # method, path, name
    ("GET", "/", "root"),
    ("GET", "/a", "a"),
    ("POST", "/a", "a"),
    ("GET", "/a/", None),
    ("PUT", "/put", None),
    ("*", "/any", "any"),
    ("GET", "/users/{name}", "user"),
    ("DELETE", "/users/{name}", "user"),
    ("GET", "/users/me", None),
    ("POST", "/users/all", None),
    ("GET", r"/items/{id:\d+}", "item"),
    ("GET", r"/items/{id:\d+}/{rest:.*}", "rest"),
    ("GET", "/items/{slug:[a-z-]{2,5}}", "slug"),
    ("GET", "/files/{path:.*}", "file"),
    ("GET", "/files/index", None),
    ("GET", "/{x}-{y}.png", "png"),
    ("GET", "/{lang:en|de}/page", "page"),
    ("GET", "/плоский", "flat"),
    ("GET", "/плоский/{x}", "flat.x"),
    ("GET", "/a b", "space"),
    ("GET", "/a b/{x:.*}", "space.x"),
    ("GET", "/(a+b)*/{x}", "signs"),
    ("GET", "/~{user}", "home"),
    ("GET", "/q/{x}@{y}:{z}", "mail"),
    ("HEAD", "/head", None),
    ("OPTIONS", "/a", "options"),
    ("GET", "/nested/{a}/{b}/{c}", "nested"),
    ("GET", "/end/{x}/", "end"),
]

REQUESTS = [
    *("GET /", "HEAD /", "POST /", "GET /a", "HEAD /a", "POST /a", "PUT /a", "OPTIONS /a", "GET /a/", "GET /a//"),
    *("GET //a", "GET /A", "GET /nowhere", "PUT /put", "GET /put", "HEAD /put", "GET /any", "REPORT /any", "HEAD /any"),
    *("GET /users/anna", "HEAD /users/anna", "DELETE /users/anna", "PATCH /users/anna", "GET /users/me"),
    *("DELETE /users/me", "POST /users/all", "GET /users/all", "PUT /users/all", "GET /users/", "GET /users"),
    *("GET /users/a%20b", "GET /users/a%2Fb", "GET /users/a%2fb", "GET /users/%D0%BF", "GET /users/a+b"),
    *("GET /users/50%25", "GET /users/%252F", "GET /users/%7Bx%7D", "GET /users/a;b=c,d", "GET /users/a:b@c!$&'()*+"),
    *("GET /users/%61nna", "GET /%75sers/anna", "GET /users%2Fanna", "GET /users/a/b", "GET /users/a?x=/b"),
    *("GET /items/1", "GET /items/12345", "GET /items/", "GET /items/abc", "GET /items/a", "GET /items/a-b-c"),
    *(
        "GET /items/abcdef",
        "GET /items/1/",
        "GET /items/1/a/b",
        "GET /items/1/a%2Fb/c",
        "GET /items/1a",
        "POST /items/1",
    ),
    *("GET /files/", "GET /files", "GET /files/a", "GET /files/a/b//c/", "GET /files/index", "GET /files/a%2Fb/c"),
    *("GET /files/../x", "GET /files/./x", "GET /files/%2E%2E/x", "GET /files/a%20b", "GET /files//"),
    *("GET /1-2.png", "GET /a-b-c.png", "GET /-.png", "GET /1-2xpng", "GET /en/page", "GET /fr/page", "GET /de/page/"),
    *("GET /%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9", "GET /%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9/1"),
    *("GET /a%20b", "GET /a%20b/1", "GET /a%20b/1/2", "GET /a+b", "GET /(a+b)*/1", "GET /%28a%2Bb%29*/1", "GET /aab/1"),
    *("GET /~me", "GET /%7Eme", "GET /q/a@b:c", "GET /q/a%40b%3Ac", "GET /q/@:", "HEAD /head", "GET /head"),
    *("GET /nested/1/2/3", "GET /nested/1/2", "GET /nested/1//3", "GET /nested/1/2/3/", "GET /end/1/", "GET /end/1"),
]

DIFFERENT_ANSWERS = {
    "GET /users/%7Bx%7D": BRACES,
    "GET /users/me": ORDER,
    "GET /files/index": ORDER,
    "GET /%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9/1": LITERAL,
    "GET /a%20b/1": LITERAL,
    "GET /a%20b/1/2": LITERAL,
}

URLS = [
    ("root", {}),
    ("a", {}),
    ("user", {"name": "anna"}),
    ("user", {"name": "a b"}),
    ("user", {"name": "ä"}),
    ("user", {"name": "50%"}),
    ("user", {"name": "a?b#c"}),
    ("user", {"name": "a+b:c@d"}),
    ("user", {"name": "a/b"}),
    ("user", {"name": "%2F"}),
    ("item", {"id": "7"}),
    ("item", {"id": 7}),
    ("rest", {"id": "7", "rest": "a/b"}),
    ("file", {"path": "a/b c/d"}),
    ("file", {"path": ""}),
    ("png", {"x": "1", "y": "2"}),
    ("page", {"lang": "en"}),
    ("flat", {}),
    ("flat.x", {"x": "1"}),
    ("space", {}),
    ("space.x", {"x": "a/b"}),
    ("signs", {"x": "1"}),
    ("home", {"user": "me"}),
    ("mail", {"x": "a", "y": "b", "z": "c"}),
    ("nested", {"a": "1", "b": "2", "c": "3"}),
    ("end", {"x": "1"}),
]

DIFFERENT_URLS = {
    "user {'name': 'a+b:c@d'}": "a colon needs no escape after the first slash (RFC 3986 section 3.3)",
    "user {'name': 'a/b'}": SLASH,
    "item {'id': 7}": "ints are values, too (C16)",
    "flat {}": LITERAL,
    "space {}": LITERAL,
}


@attrs.frozen
class Pair:
    """Two servers of the same application."""

    ours: Any
    theirs: Any

    async def request(self, method: str, target: str, *lines: str) -> tuple[Any, Any]:
        """The answers of both."""
        return await self.ours.request(method, target, *lines), await self.theirs.request(method, target, *lines)


def fill(library: Any, app: Any) -> None:
    """Register the table; each handler says which of its rows it is, and what the parts are."""

    def handler(row: int) -> Callable[[Any], Any]:
        async def answer(request: Any) -> Any:
            return library.json_response({"row": row, "parts": dict(request.match_info)})

        return answer

    for row, (method, path, name) in enumerate(TABLE):
        if method == "GET":
            app.router.add_get(path, handler(row), name=name)
        else:
            app.router.add_route(method, path, handler(row), name=name)


@pytest.fixture
async def serve_both(serve) -> AsyncIterator[Callable[..., Any]]:
    """`await serve_both(ours, theirs)` serves an application of each library."""
    runners = []

    async def start(ours: web.Application, theirs: aiohttp.web.Application) -> Pair:
        runner = aiohttp.web.AppRunner(theirs, access_log=None)
        runners.append(runner)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        address = await serve(ours)
        return Pair(address, type(address)(runner, "127.0.0.1", runner.addresses[0][1]))

    yield start
    for runner in runners:
        await runner.cleanup()


def facts(answer: Any) -> tuple[Any, ...]:
    """What has to be equal: status, Allow as a set, the row that answered and its parts."""
    allow = frozenset(answer.headers["Allow"].replace(" ", "").split(",")) if "Allow" in answer.headers else None
    said = json.loads(answer.body) if answer.status == 200 and answer.body else None
    return answer.status, allow, said


def differences(found: Iterator[tuple[str, Any, Any]], expected: dict[str, str]) -> list[str]:
    """Differences that are not expected, and expected ones that are none."""
    wrong = []
    for case, ours, theirs in found:
        if (ours != theirs) != (case in expected):
            reason = expected.get(case, "no reason is known")
            wrong.append(f"{case}: aioweb {ours}, aiohttp {theirs} ({reason})")
    return wrong


async def test_c_requests_are_answered_as_aiohttp_answers_them(serve_both):
    ours, theirs = web.Application(), aiohttp.web.Application()
    fill(web, ours)
    fill(aiohttp.web, theirs)
    pair = await serve_both(ours, theirs)
    found = []
    for line in REQUESTS:
        answers = await pair.request(*line.split())
        found.append((line, *map(facts, answers)))
    assert len({line for line, *_ in found}) == len(REQUESTS)
    assert not (wrong := differences(iter(found), DIFFERENT_ANSWERS)), "\n".join(wrong)
    assert not set(DIFFERENT_ANSWERS) - set(REQUESTS)


def build(app: Any, name: str, parts: dict[str, Any]) -> str:
    """The URL, or the name of the exception."""
    try:
        return str(app.router[name].url_for(**parts))
    except TypeError as error:
        return type(error).__name__


def test_c16_urls_are_built_as_aiohttp_builds_them():
    ours, theirs = web.Application(), aiohttp.web.Application()
    fill(web, ours)
    fill(aiohttp.web, theirs)
    found = []
    for name, parts in URLS:
        found.append((f"{name} {parts}", *(build(app, name, parts) for app in (ours, theirs))))
    assert not (wrong := differences(iter(found), DIFFERENT_URLS)), "\n".join(wrong)


def test_c14_a_router_holds_the_same_names_and_paths():
    ours, theirs = web.Application(), aiohttp.web.Application()
    fill(web, ours)
    fill(aiohttp.web, theirs)
    assert list(ours.router) == list(theirs.router)
    assert len(ours.router.resources()) == len(theirs.router.resources())
    canonical = [[resource.canonical for resource in app.router.resources()] for app in (ours, theirs)]
    different = [(mine, yours) for mine, yours in zip(*canonical, strict=True) if mine != yours]
    # Those of aiohttp are not encoded in literal paths, but are in templates.
    assert different == [(quote("/плоский"), "/плоский"), ("/a%20b", "/a b")]


# -- single templates --------------------------------------------------------------------------------------------------

TEMPLATES = [
    *(
        "/{x}",
        "/{x}/",
        "/a/{x}",
        "/{x}/a",
        "/{x}/{y}",
        "/{x:.*}",
        "/a/{x:.*}",
        "/{x:.+}/a",
        "/{x:[a-z]+}",
        r"/{x:\d{1,2}}",
    ),
    *(
        "/{x}.{y}",
        "/a{x}",
        "/{x}a",
        "/{x:a|b}",
        "/{x:a?}",
        "/{x:[^/]*}/a",
        "/{x}-{y:[0-9]}",
        "/{x:(a|b)/c}",
        "/a",
        "/a/",
    ),
]
SEGMENTS = [
    "",
    "a",
    "b",
    "7",
    "12",
    "123",
    "a.b",
    "a-7",
    "c",
    "%61",
    "%20",
    "%2F",
    "%25",
    "%C3%A4",
    "A",
    "..",
    "aa",
    "+",
    "@:",
]


async def test_c_each_template_matches_what_it_matches_in_aiohttp():
    paths = [f"/{one}" for one in SEGMENTS]
    paths += [f"/{one}/{two}" for one in SEGMENTS for two in SEGMENTS]
    paths += [f"/{one}/{two}/a" for one in ("a", "", "b") for two in ("c", "", "a")]
    wrong = []
    for template in TEMPLATES:
        ours, theirs = web.UrlDispatcher(), aiohttp.web.UrlDispatcher()
        ours.add_get(template, answer_nothing)
        theirs.add_get(template, answer_nothing)
        for path in paths:
            mine = ours.match("GET", path)
            yours = await theirs.resolve(Asked(path))
            results = [None if info.http_exception is not None else dict(info) for info in (mine, yours)]
            if results[0] != results[1]:
                wrong.append(f"{template} {path}: aioweb {results[0]}, aiohttp {results[1]}")
    assert not wrong, "\n".join(wrong)


class Asked:
    """What the router of aiohttp asks of a request; the URL as its parser builds it."""

    method = "GET"

    def __init__(self, path: str) -> None:
        self.rel_url = URL.build(path=path, encoded=True)


async def answer_nothing(request: Any) -> None:
    """A handler that is not called."""


# -- sub-applications --------------------------------------------------------------------------------------------------


def build_nested(library: Any) -> Any:
    """Sub-applications below prefixes and for hosts, with middlewares that say that they ran."""

    def make(name: str) -> Any:
        @library.middleware
        async def watch(request: Any, handler: Any) -> Any:
            try:
                response = await handler(request)
            except library.HTTPException as exception:
                exception.headers.add("X-Seen", name)
                raise
            response.headers.add("X-Seen", name)
            return response

        async def prepare(request: Any, response: Any) -> None:
            response.headers.add("X-Prepared", name)

        async def answer(request: Any) -> Any:
            apps = len(request.match_info.apps)
            return library.json_response([name, dict(request.match_info), apps, request.config_dict[key]])

        app = library.Application(middlewares=[watch])
        app.on_response_prepare.append(prepare)
        app.router.add_get("/", answer)
        app.router.add_get("/items/{id}", answer, name="item")
        return app

    async def early(request: Any) -> Any:
        return library.json_response("early")

    key = library.AppKey("name", str)
    root, one, two, three, host, mask = map(make, ("root", "one", "two", "three", "host", "mask"))
    root[key], two[key] = "root", "two"
    two.add_subapp("/three", three)
    one.add_subapp("/two/", two)
    everything = library.Application()
    everything.router.add_get("/early", early)
    everything.add_domain("api.example.org", host)
    everything.add_domain("*.example.org", mask)
    root.add_subapp("/one", one)
    everything.add_subapp("/root", root)
    everything[key] = "everything"
    return everything


NESTED = [
    *("/", "/root", "/root/", "/root/items/1", "/root/one/", "/root/one/two/", "/root/one/two/three/"),
    *("/root/one/two/three/items/a%2Fb", "/root/one/two/three/nowhere", "/root/one/nowhere", "/root/onetwo/"),
    *("/root/one/two/three", "/rooted/", "/root%2Fone/", "/items/1", "/early"),
]
HOSTS = [
    "localhost",
    "api.example.org",
    "api.example.org:80",
    "x.example.org",
    "a.b.example.org",
    "example.org",
    "API.example.org",
]
DOTTED = "example.org."
DIFFERENT_NESTED = {
    **{f"GET /early {host}": DOMAIN for host in HOSTS if ".example" in host},
    f"GET / x.{DOTTED}": DOT,
}


async def test_n5_sub_applications_answer_as_those_of_aiohttp(serve_both):
    pair = await serve_both(build_nested(web), build_nested(aiohttp.web))
    found = []
    cases = [(method, path, host) for host in HOSTS for path in NESTED for method in ("GET", "POST")]
    for method, path, host in [*cases, ("GET", "/", f"x.{DOTTED}"), ("GET", "/", DOTTED)]:
        answers = await pair.request(method, path, f"Host: {host}")
        told = [
            (facts(answer), answer.headers.getall("X-Seen", []), answer.headers.getall("X-Prepared", []))
            for answer in answers
        ]
        found.append((f"{method} {path} {host}", *told))
    assert not (wrong := differences(iter(found), DIFFERENT_NESTED)), "\n".join(wrong)
