"""What routes ask for their requests: who says it, who wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.web.routerules import NO_RULES, RouteRules, read_rules
from tests.conftest import Serve


async def show(request: web.Request) -> web.Response:
    return web.json_response([request.client_max_size, request.handler_cancellation])


async def settle(app: web.Application) -> list[RouteRules]:
    """The rules of all routes after the start."""
    await app.startup()
    rules = [route.rules for route in app.router.routes()]
    await app.cleanup()
    return rules


def test_the_nearest_word_counts() -> None:
    around = RouteRules(timeout=5, client_max_size=10, client_gone="cancel")
    assert NO_RULES.over(around) is around
    assert RouteRules(timeout=0, client_gone="finish").over(around) == RouteRules(
        timeout=0, client_max_size=10, client_gone="finish"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": -1},
        {"timeout": "5"},
        {"timeout": True},
        {"timeout": float("nan")},
        {"timeout_status": 500},
        {"client_max_size": -1},
        {"client_max_size": 1.5},
        {"client_max_size": True},
        {"client_gone": "canceled"},
        {"client_gone": True},
    ],
)
def test_what_cannot_be_meant_is_refused_at_registration(wrong: dict[str, Any]) -> None:
    router = web.UrlDispatcher()
    (name,) = wrong
    for register in (
        lambda: router.add_get("/", show, **wrong),
        lambda: router.add_resource("/", **wrong),
        lambda: router.prefix("/a", **wrong),
        lambda: web.RouteTableDef(**wrong),
        lambda: router.add_static("/static", Path(__file__).parent, **wrong),
    ):
        with pytest.raises(ValueError, match=name):
            register()
    assert len(router.resources()) == 0


def test_what_no_route_knows_is_named() -> None:
    router = web.UrlDispatcher()
    for register in (
        lambda: router.add_resource("/").add_route("GET", show, time=5),
        lambda: router.prefix("/a", time=5),
        lambda: web.RouteTableDef(time=5),
    ):
        with pytest.raises(TypeError, match=r"'time'.* timeout, timeout_status, client_max_size, client_gone"):
            register()
    assert read_rules({}) is NO_RULES


async def test_groups_tables_resources_and_routes_say_it() -> None:
    app = web.Application()
    outer = app.router.prefix("/outer", timeout=1, client_gone="cancel")
    inner = outer.prefix("/inner", timeout=2, client_max_size=7)
    inner.add_get("/a", show)
    inner.add_get("/b", show, timeout=3, client_gone="finish")
    inner.add_resource("/c", timeout=4).add_route("GET", show, client_max_size=0)
    inner.add_static("/static", Path(__file__).parent)
    table = web.RouteTableDef(timeout=5)
    table.get("/d")(show)
    table.get("/e", timeout=0)(show)
    table.static("/files", Path(__file__).parent)
    app.add_routes(table)
    app.router.add_get("/f", show)
    assert await settle(app) == [
        RouteRules(timeout=2, client_max_size=7, client_gone="cancel"),
        RouteRules(timeout=3, client_max_size=7, client_gone="finish"),
        RouteRules(timeout=4, client_max_size=0, client_gone="cancel"),
        RouteRules(timeout=2, client_max_size=7, client_gone="cancel"),
        RouteRules(timeout=5),
        RouteRules(timeout=0),
        RouteRules(timeout=5),
        NO_RULES,
    ]


async def test_a_resource_with_other_rules_is_another_one() -> None:
    router = web.UrlDispatcher()
    first = router.add_resource("/", timeout=1)
    assert router.add_resource("/", timeout=1) is first
    assert router.add_resource("/") is not first


async def test_a_subapplication_hands_down_what_it_was_given() -> None:
    app, below, deeper = (
        web.Application(client_max_size=1, handler_timeout=1.0, client_gone="cancel"),
        web.Application(client_max_size=2, client_gone="finish"),
        web.Application(client_max_size=3),
    )
    for each in (app, below, deeper):
        each.router.add_get("/x", show)
    below.add_subapp("/deeper", deeper)
    app.add_subapp("/below", below)
    # What the outermost was given is a matter of the server, where `make_handler` may still change it.
    assert app.limits == web.Limits(client_max_size=1, handler_timeout=1.0)
    assert await settle(app) == [
        NO_RULES,
        RouteRules(client_max_size=2, client_gone="finish"),
        RouteRules(client_max_size=3, client_gone="finish"),
    ]


async def test_requests_are_told_before_any_middleware_runs(serve: Serve) -> None:
    seen: list[Any] = []

    @web.middleware
    async def look(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        seen.append((request.client_max_size, request.handler_cancellation))
        return await handler(request)

    app, below = web.Application(middlewares=[look]), web.Application(client_gone="cancel")
    app.router.add_get("/a", show, client_max_size=5, client_gone="cancel")
    app.router.add_get("/b", show, client_gone="finish")
    app.router.add_get("/c", show)
    below.router.add_get("/d", show, client_max_size=6)
    app.add_subapp("/below", below)
    address = await serve(app)
    for path in ("/a", "/b", "/c", "/below/d", "/missing"):
        await address.request("GET", path)
    plain = web.Limits().client_max_size
    assert seen == [(5, True), (plain, False), (plain, None), (6, True), (plain, None)]


async def test_without_wishes_nothing_is_done_for_a_request() -> None:
    app = web.Application()
    app.router.add_get("/", show, timeout=5)
    assert await settle(app) == [RouteRules(timeout=5)]
    assert not NO_RULES.concern_requests
    assert RouteRules(client_max_size=0).concern_requests
