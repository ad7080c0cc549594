"""Resources, each asked alone."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from yarl import URL

from aioweb.web.domains import AbstractRuleMatching, Domain
from aioweb.web.exceptions import HTTPMethodNotAllowed, HTTPNotFound
from aioweb.web.paths import match_form
from aioweb.web.resources import (
    DynamicResource,
    DynamicRoute,
    MatchedSubAppResource,
    PlainResource,
    PlainRoute,
    PrefixedSubAppResource,
    PrefixResource,
    Resource,
)
from aioweb.web.router import AbstractRouter, UrlDispatcher
from aioweb.web.routes import (
    AbstractMatchInfo,
    AbstractResource,
    AbstractRoute,
    ResourceRoute,
    SystemRoute,
    UrlMappingMatchInfo,
)


async def handler(request):
    """Answer nothing."""


async def expect(request):
    """Accept everything."""


def middleware(request, handler):
    """Pass nothing on."""


def resource(path: str, **kwargs: Any) -> Resource:
    made = (DynamicResource if "{" in path else PlainResource)(path, **kwargs)
    made.add_route("GET", handler)
    return made


def app_with(*paths: str) -> Any:
    router = UrlDispatcher()
    for path in paths:
        router.add_get(path, handler)
    return SimpleNamespace(router=router)


# -- routes ------------------------------------------------------------------------------------------------------------


def test_a_route_tells_what_it_is():
    made = DynamicResource("/a b/{x:[0-9]+}", name="page")
    route = made.add_route("get", handler, expect_handler=expect, middlewares=[middleware])
    assert (route.method, route.handler, route.call, route.name) == ("GET", handler, handler, "page")
    assert (route.resource, route.expect_handler, route.middlewares) == (made, expect, (middleware,))
    assert route.url_for(x=5) == URL("/a%20b/5")
    assert route.match("/a%20b/5") == {"x": "5"}
    assert route.match("/a b/x") is None
    assert repr(route) == f"<DynamicRoute 'page' [GET] /a%20b/{{x}} -> {handler!r}>"
    assert made.canonical == "/a%20b/{x}"
    assert made.get_info() == route.get_info() == {"formatter": "/a%20b/{x}", "pattern": re.compile(*_pattern(made))}


def _pattern(made: Resource) -> tuple[str, int]:
    pattern = made.get_info()["pattern"]
    return pattern.pattern, re.ASCII | re.DOTALL


def test_a_plain_resource_tells_its_path():
    made = resource("/плоский", name="flat")
    assert made.get_info() == {"path": made.canonical} == {"path": str(URL("/плоский"))}
    assert made.url_for() == URL("/плоский")
    assert repr(made) == f"<PlainResource 'flat' {made.canonical}>"
    with pytest.raises(TypeError, match=r"has no parts, given are \['x'\]"):
        made.url_for(x=1)


def test_a_plain_resource_has_no_parts():
    with pytest.raises(ValueError, match="a DynamicResource is needed"):
        PlainResource("/{x}")


def test_a_part_may_be_called_like_an_argument():
    made = resource("/{self}/{name}")
    assert str(made.url_for(self=1, name="x")) == "/1/x"


@pytest.mark.parametrize("method", ["", "GET ", "A/B", "GÉT", "A\n"])
def test_a_method_must_be_a_token(method):
    with pytest.raises(ValueError, match="is not an HTTP method"):
        PlainResource("/").add_route(method, handler)


@pytest.mark.parametrize(("given", "made"), [("get", "GET"), ("Purge", "PURGE"), ("*", "*"), ("m-search", "M-SEARCH")])
def test_a_method_may_be_any_token_in_any_case(given, made):
    assert PlainResource("/").add_route(given, handler).method == made


def test_a_method_must_be_text():
    with pytest.raises(TypeError, match="must be a str, not None"):
        PlainResource("/").add_route(None, handler)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["GET", "*"])
def test_a_method_is_added_once(first):
    made = PlainResource("/a")
    made.add_route(first, handler)
    with pytest.raises(RuntimeError, match="will never be reached: method GET is taken by"):
        made.add_route("get", handler)
    assert len(made) == 1


def test_all_other_methods_may_follow_one():
    made = resource("/a")
    rest = made.add_route("*", handler)
    assert made.lookup("POST", "/a", None).route is rest
    assert made.lookup("GET", "/a", None).route is not rest
    assert made.lookup("HEAD", "/a", None).route is not rest


def test_a_route_for_head_goes_before_that_for_get():
    for methods in (("GET", "HEAD"), ("HEAD", "GET")):
        made = PlainResource("/a")
        routes = {method: made.add_route(method, handler) for method in methods}
        assert made.lookup("HEAD", "/a", None).route is routes["HEAD"]


def test_get_answers_head_unless_told_otherwise():
    made = resource("/a")
    assert made.lookup("HEAD", "/a", None).route.method == "GET"
    assert made.methods_for("/a") == {"GET", "HEAD"}
    strict = PlainResource("/a")
    strict.add_route("GET", handler, allow_head=False)
    assert strict.lookup("HEAD", "/a", None) is None
    assert strict.methods_for("/a") == {"GET"}
    assert strict.methods_for("/b") == set()


def test_middlewares_of_the_resource_are_around_those_of_the_route():
    def inner(request, handler):
        """Another."""

    made = PlainResource("/", middlewares=[middleware])
    assert made.add_route("GET", handler, middlewares=[inner]).middlewares == (middleware, inner)
    assert made.middlewares == (middleware,)


def test_what_is_no_middleware_is_refused():
    with pytest.raises(TypeError, match="a middleware must be callable, not 'x'"):
        PlainResource("/", middlewares=["x"])


@pytest.mark.parametrize("bad", [{"handler": None}, {"handler": handler, "expect_handler": middleware}])
def test_a_bad_route_is_not_added(bad):
    made = PlainResource("/")
    with pytest.raises(TypeError):
        made.add_route("GET", **bad)
    assert len(made) == 0


def test_only_routes_are_registered():
    with pytest.raises(TypeError, match="instances of ResourceRoute, not 'x'"):
        PlainResource("/").register_route("x")  # type: ignore[arg-type]


def test_a_route_may_be_made_first_and_registered_then():
    made = PlainResource("/")
    route = ResourceRoute("POST", handler, made)
    made.register_route(route)
    assert list(made) == [route]


def test_a_frozen_resource_takes_no_route():
    made = resource("/a")
    made.freeze()
    with pytest.raises(RuntimeError, match="Cannot register a resource into frozen router"):
        made.add_route("POST", handler)


# -- reverse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (None, "/root"),
        ("", "/root"),
        ({}, "/root"),
        ("a=b&c=d", "/root?a=b&c=d"),
        ("?a=b&c=d", "/root?a=b&c=d"),
        ({"a": "b", "c": 1}, "/root?a=b&c=1"),
        ([("a", "1"), ("a", "2 3")], "/root?a=1&a=2+3"),
        (iter([("a", "1")]), "/root?a=1"),
        ({"ж": "&"}, "/root?%D0%B6=%26"),
    ],
)
def test_the_old_url_is_text_and_takes_a_query(query, text):
    url = resource("/root").url(query=query)
    assert (type(url), url) == (str, text)


def test_the_old_url_takes_parts():
    route = next(iter(resource("/{user}/info")))
    assert route.url(parts={"user": "john_doe"}, query="?a=b") == "/john_doe/info?a=b"
    assert route.url(parts={"user": 5}) == "/5/info"
    with pytest.raises(KeyError, match="user"):
        route.url()
    with pytest.raises(KeyError, match="user"):
        route.url(parts={"id": 5})


@pytest.mark.parametrize("path", ["//a", "/{x:.*}"])
def test_no_url_names_a_host(path):
    made = resource(path)
    url = made.url_for(**({"x": "/host/a"} if "{" in path else {}))
    assert url.host is None
    assert made.match(str(url)) is not None


# -- prefixes and sub-applications -------------------------------------------------------------------------------------


def test_a_prefix_moves_a_resource():
    for path in ("/a", "/a/{x}", ""):
        made = resource(path)
        made.add_prefix("/api")
        made.add_prefix("/more")
        assert made.canonical == "/more/api" + path
        assert made.match(path) is None
        assert made.match("/more/api" + path.replace("{x}", "5")) is not None


@pytest.mark.parametrize(
    ("prefix", "error"), [("a", ValueError), ("/a/", ValueError), ("/", ValueError), (1, TypeError)]
)
def test_a_bad_prefix_is_refused(prefix, error):
    with pytest.raises(error, match="prefix"):
        resource("/").add_prefix(prefix)


def test_a_prefix_has_no_parts():
    with pytest.raises(ValueError, match="must not have parts"):
        PrefixedSubAppResource("/{x}", app_with())


@pytest.mark.parametrize(
    ("prefix", "path", "rest"),
    [
        ("/a b", "/a%20b/c", "/c"),
        ("/a%20b", "/a b", ""),
        ("/a", "/a/", "/"),
        ("/a", "/ab", None),
        ("/a", "/", None),
        ("", "/a", "/a"),
    ],
)
def test_a_prefix_knows_what_is_below(prefix, path, rest):
    class Below(PrefixResource):
        __iter__ = __len__ = get_info = url_for = None  # type: ignore[assignment]

    assert Below(prefix).rest_of(match_form(path)) == rest


def test_a_sub_application_answers_for_all_that_is_below():
    app = app_with("/", "/users/{id}")
    mount = PrefixedSubAppResource("/admin", app)
    found = mount.lookup("GET", "/admin/users/5", None)
    assert (found, found.apps, found.current_app) == ({"id": "5"}, (app,), app)
    assert found.route.url_for(id=7) == URL("/admin/users/7")
    assert isinstance(mount.lookup("GET", "/admin/nothing", None).http_exception, HTTPNotFound)
    refused = mount.lookup("POST", "/admin/", None)
    assert isinstance(refused.http_exception, HTTPMethodNotAllowed)
    assert refused.apps == (app,)
    assert mount.lookup("GET", "/administrator", None) is None
    assert mount.get_info() == {"app": app, "prefix": "/admin"}
    assert list(mount) == list(app.router.routes())
    assert len(mount) == 2
    assert not mount.needs_resolve


def test_nested_prefixes_add_up():
    innermost = app_with("/{x}", "")
    middle = app_with()
    middle.router.register_resource(PrefixedSubAppResource("/b", innermost))
    outer = PrefixedSubAppResource("/a", middle)
    found = outer.lookup("GET", "/a/b/c", None)
    assert (found, found.apps) == ({"x": "c"}, (middle, innermost))
    assert str(found.route.url_for(x="d")) == "/a/b/d"
    assert outer.lookup("GET", "/a/b", None).http_exception is None


def test_a_sub_application_has_no_url():
    with pytest.raises(RuntimeError, match="there is no URL"):
        PrefixedSubAppResource("/a", app_with(), name="a").url_for()


class Waiting(AbstractRouter):
    """A router that has to be awaited."""

    async def resolve(self, request):
        return UrlMappingMatchInfo({"waited": "yes"}, AbstractRoute("GET", handler))


async def test_a_router_without_match_is_awaited():
    app = SimpleNamespace(router=Waiting())
    mount = PrefixedSubAppResource("/a", app)
    assert mount.needs_resolve
    assert (len(mount), list(mount)) == (0, [])
    info, methods = await mount.resolve(request_for("GET", "/a/b"))
    assert (info, info.apps, methods) == ({"waited": "yes"}, (app,), set())
    assert await mount.resolve(request_for("GET", "/b")) == (None, set())


def request_for(method: str, path: str, host: str | None = None) -> Any:
    return SimpleNamespace(method=method, host=host, head=SimpleNamespace(path=path))


def test_a_rule_picks_the_requests_of_a_sub_application():
    app = app_with("/{x}")
    rule = Domain("api.example.org")
    mount = MatchedSubAppResource(rule, app)
    found = mount.lookup("GET", "/a", "api.example.org:80")
    assert (found, found.apps) == ({"x": "a"}, (app,))
    assert mount.lookup("GET", "/a", "example.org") is None
    assert str(found.route.url_for(x=1)) == "/1"
    assert (mount.canonical, mount.get_info()) == ("api.example.org", {"app": app, "rule": rule})
    assert isinstance(mount.lookup("GET", "/a/b", "api.example.org").http_exception, HTTPNotFound)
    with pytest.raises(TypeError, match="must be an AbstractRuleMatching"):
        MatchedSubAppResource("api.example.org", app)  # type: ignore[arg-type]


async def test_a_rule_of_your_own_may_look_at_the_whole_request():
    class Posted(AbstractRuleMatching):
        canonical = "posted"

        async def match(self, request):
            return request.method == "POST"

        def get_info(self):
            return {}

    app = app_with("/a")
    mount = MatchedSubAppResource(Posted(), app)
    assert mount.needs_resolve
    assert (await mount.resolve(request_for("GET", "/a")))[0] is None
    info, _ = await mount.resolve(request_for("POST", "/a"))
    assert isinstance(info, AbstractMatchInfo)
    assert info.http_exception.status == 405


# -- aiohttp 0.17 ------------------------------------------------------------------------------------------------------


def test_routes_have_the_old_classes():
    assert type(next(iter(resource("/a")))) is PlainRoute
    assert type(next(iter(resource("/{a}")))) is DynamicRoute
    assert issubclass(PlainRoute, ResourceRoute)
    assert issubclass(SystemRoute, AbstractRoute)


def test_a_plain_route_is_made_the_old_way():
    route = PlainRoute("GET", handler, "name", "/a b", expect_handler=expect)
    assert (route.name, route.method, route.url(query={"a": 1})) == ("name", "GET", "/a%20b?a=1")
    assert (route.match("/a%20b"), route.match("/b"), route.expect_handler) == ({}, None, expect)


def test_a_dynamic_route_is_made_the_old_way():
    route = DynamicRoute("GET", handler, None, re.compile(r"^/a/(?P<x>\d+)(?P<rest>.*)$"), "/a/{x}{rest}")
    assert route.match("/a/12b%2Fc") == {"x": "12", "rest": "b/c"}
    assert route.match("/a/b") is None
    assert route.url(parts={"x": 1, "rest": "-"}) == "/a/1-"


def test_a_route_without_a_resource_says_so():
    with pytest.raises(NotImplementedError, match="must override"):
        AbstractRoute("GET", handler, "name").match("/")


def test_a_resource_of_your_own_has_sensible_defaults():
    class Own(AbstractResource):
        canonical = "own"

        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

        def url_for(self, /, **parts):
            return URL("/")

        def get_info(self):
            return {}

        def add_prefix(self, prefix):
            """Stay."""

    own = Own(name="own")
    assert own.needs_resolve
    assert (own.literal, own.lead, own.raw_match("/"), own.match("/")) == (None, ((), True), False, None)
    with pytest.raises(NotImplementedError, match="resolve"):
        own.lookup("GET", "/", None)


async def test_a_resource_resolves_a_request():
    made = resource("/{x}")
    info, methods = await made.resolve(request_for("GET", "/a%2Fb"))
    assert (info, methods) == ({"x": "a/b"}, set())
    assert await made.resolve(request_for("POST", "/a")) == (None, {"GET", "HEAD"})
