"""Match infos, and the routes that the system makes. (Other routes: test_resources.py.)"""

from __future__ import annotations

import pytest

from aioweb.web.exceptions import HTTPNotFound
from aioweb.web.resources import DynamicResource
from aioweb.web.routes import MatchInfoError, SystemRoute, UrlMappingMatchInfo


async def handler(request):
    """Answer nothing."""


async def expect(request):
    """Accept everything."""


def resource(path: str) -> DynamicResource:
    made = DynamicResource(path)
    made.add_route("GET", handler)
    return made


def test_a_match_info_is_a_dict_with_a_route():
    route = resource("/{x}").add_route("POST", handler, expect_handler=expect)
    for info in (UrlMappingMatchInfo({"x": "1"}, route), resource("/{x}").lookup("GET", "/1", None)):
        assert isinstance(info, dict)
        assert (info["x"], info.get("y", "default")) == ("1", "default")
        assert (info.handler, info.call, info.http_exception) == (handler, handler, None)
        assert info.get_info()["formatter"] == "/{x}"
        assert "'x': '1'" in repr(info)
    assert UrlMappingMatchInfo({}, route).expect_handler is expect
    assert UrlMappingMatchInfo.plain(route) == {}


@pytest.mark.parametrize("make", [UrlMappingMatchInfo.plain, lambda route: UrlMappingMatchInfo({}, route)])
def test_a_match_info_knows_the_applications_outermost_first(make):
    info = make(next(iter(resource("/"))))
    with pytest.raises(RuntimeError, match="belongs to no application"):
        _ = info.current_app
    info.add_app("inner")
    info.add_app("outer")
    assert (info.apps, info.current_app) == (("outer", "inner"), "outer")
    info.current_app = "inner"
    with info.set_current_app("outer"):
        assert info.current_app == "outer"
    assert info.current_app == "inner"
    with pytest.raises(ValueError, match="does not lead to this route"):
        info.current_app = "other"
    info.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        info.add_app("late")


async def test_nothing_found_is_a_match_info_whose_handler_raises():
    error = HTTPNotFound()
    info = MatchInfoError(error)
    assert (info, info.http_exception, info.expect_handler) == ({}, error, None)
    assert isinstance(info.route, SystemRoute)
    for call in (info.handler, info.call, info.route.handler, info.route.call):
        with pytest.raises(HTTPNotFound) as caught:
            await call("request")
        # A copy, lest the traceback make a cycle of the request and its match info.
        assert (type(caught.value), caught.value is error) == (HTTPNotFound, False)
    assert (info.route.status, info.route.reason, info.route.http_exception) == (404, "Not Found", error)
    assert (info.route.name, info.route.resource, info.route.middlewares) == (None, None, ())
    assert info.get_info() == {"http_exception": error}
    assert repr(info) == "<MatchInfoError 404: Not Found>"
    assert repr(info.route) == "<SystemRoute 404: Not Found>"
    assert info.route.match("/") is None
    for build in (info.route.url, info.route.url_for):
        with pytest.raises(RuntimeError, match="there is no URL"):
            build()
