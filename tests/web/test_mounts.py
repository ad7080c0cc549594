"""`add_mount`: one handler for a prefix and all below it, and where its paths begin."""

from __future__ import annotations

import pytest

from aioweb import web
from aioweb.testing import TestClient, make_mocked_request


async def show(request: web.Request) -> web.Response:
    return web.json_response([request.method, request.match_info.get("path"), web.mount_depth(request)])


@pytest.mark.parametrize(
    ("prefix", "path", "rest", "depth"),
    [
        ("/shop", "/shop", None, 1),
        ("/shop", "/shop/", "", 1),
        ("/shop/", "/shop/items/1", "items/1", 1),
        ("/a/{b}", "/a/x/y", "y", 2),
        ("", "/", "", 0),
        ("/", "/items/1", "items/1", 0),
    ],
)
async def test_one_handler_answers_at_a_prefix_and_below(prefix: str, path: str, rest: str | None, depth: int) -> None:
    app = web.Application()
    app.router.add_mount(prefix, show)
    async with TestClient(app) as client:
        for method in ("GET", "PUT", "PURGE"):
            assert await (await client.request(method, path)).json() == [method, rest, depth]
        assert (await client.get("/shopping")).status == (200 if depth == 0 else 404)


async def test_a_mount_has_a_name_a_group_and_options() -> None:
    app = web.Application()
    app.router.prefix("/api").add_mount("/shop", show, name="shop", client_max_size=1)
    assert str(app.url_for("shop", path="items/1")) == "/api/shop/items/1"
    async with TestClient(app) as client:
        assert await (await client.get("/api/shop/items/1")).json() == ["GET", "items/1", 2]


def test_a_request_without_a_route_has_no_depth() -> None:
    assert web.mount_depth(make_mocked_request("GET", "/a/b")) == 0
