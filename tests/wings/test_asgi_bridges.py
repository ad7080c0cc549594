"""Bridges to ASGI in places that are not the usual ones: below applications, on each other, without a router."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aioweb import asgi, web
from tests.wings.asgi_server import HTTP, REQUEST, Call, call, content_of


async def body(send: Any, content: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


async def test_below_other_applications_the_prefixes_add_up(serve: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await body(send, f"{scope['root_path']} {scope['path']}".encode())

    inner, outer = web.Application(), web.Application()
    asgi.mount(inner, "/app", app, lifespan=False, name="app")
    outer.add_subapp("/in", inner, name="inner")
    assert str(outer.url_for("inner:app", path="x/y")) == "/in/app/x/y"
    address = await serve(outer)
    assert (await address.request("GET", "/in/app/x")).body == b"/in/app /in/app/x"
    assert (await address.request("GET", "/in/apple")).status == 404


async def test_a_bridge_may_stand_on_a_bridge(served: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await body(send, f"{scope['root_path']} {scope['path']} {scope['client']} {scope['server']}".encode())

    asgi_app = await served(asgi.ASGIHandler(app, lifespan=False))
    scope = {**HTTP, "root_path": "/root", "path": "/root/x", "raw_path": b"/root/x"}
    assert content_of(await call(asgi_app, scope, REQUEST)) == b"/root /root/x ('192.0.2.1', 4321) ('192.0.2.2', 80)"
    on_unix = {**scope, "client": None, "server": ("/run/sock", None)}
    assert content_of(await call(asgi_app, on_unix, REQUEST)) == b"/root /root/x None ('/run/sock', None)"


async def test_a_handler_without_a_router_has_no_root_path(serve: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await body(send, f"{scope['root_path']!r} {scope['path']}".encode())

    address = await serve(web.Server(asgi.ASGIHandler(app)))
    assert (await address.request("GET", "/x/y")).body == b"'' /x/y"


async def test_a_client_that_goes_on_sending_gets_its_answer(served: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=413)

    headers = [*HTTP["headers"], (b"transfer-encoding", b"chunked")]
    piece = {"type": "http.request", "body": bytes(10_000), "more_body": True}

    async def go_on(message: dict[str, Any]) -> None:
        for _ in range(50):
            post.give(piece)
            await asyncio.sleep(0)

    post = Call(await served(handler), {**HTTP, "method": "POST", "headers": headers}, *[piece] * 50)
    post.before_send = go_on
    async with post:
        pass
    assert post.sent[0]["status"] == 413
    assert post.sent[-1]["more_body"] is False


async def test_a_file_and_a_range_of_it(served: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(bytes(range(256)) * 4000)

    async def handler(request: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    asgi_app = await served(handler)
    assert content_of(await call(asgi_app, HTTP, REQUEST)) == path.read_bytes()
    headers = [*HTTP["headers"], (b"range", b"bytes=1-3")]
    sent = await call(asgi_app, {**HTTP, "headers": headers}, REQUEST)
    assert (sent[0]["status"], content_of(sent)) == (206, b"\1\2\3")
