"""FEATURES.md row C23: what finding a route costs, counted in calls."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from aioweb import web


async def show(request: web.Request) -> web.Response:
    return web.Response()


def count_calls(router: web.UrlDispatcher, paths: Iterable[str]) -> int:
    """Calls of functions, in Python and in C, that it takes to route these paths."""
    calls = 0

    def count(frame: Any, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # what others hang into the collector (hypothesis does) would be counted
    sys.setprofile(count)
    try:
        for path in paths:
            router.match("GET", path)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize("template", ["/r{n}/page", "/r{n}/{{x}}", "/r{n}/{{x:[0-9]+}}/edit", "/s/{{y}}/r{n}"])
def test_c23_routing_costs_the_same_among_ten_and_among_five_thousand(template):
    def cost(size: int, number: int) -> int:
        router = web.UrlDispatcher()
        for n in range(size):
            router.add_route("GET", template.format(n=n), show)
        router.freeze()
        sent = template.format(n=number)
        for part in ("{x:[0-9]+}", "{x}", "{y}"):
            sent = sent.replace(part, "7")
        assert router.match("GET", sent).http_exception is None
        return count_calls(router, [sent, f"{sent}/nowhere"])

    assert cost(5000, 0) == cost(5000, 4999) == cost(10, 9)


async def test_c23_the_last_of_five_thousand_answers(serve):
    app = web.Application()
    for n in range(5000):
        app.router.add_get(f"/page/{n}", show)
    address = await serve(app)
    assert (await address.request("GET", "/page/4999")).status == 200
    assert (await address.request("GET", "/page/5000")).status == 404
