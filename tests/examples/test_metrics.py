"""examples/metrics.py with the real client of Prometheus: what it counts, and what it must not."""

from __future__ import annotations

import asyncio
from typing import Any

from aioweb import web
from examples import metrics

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello")


async def fail(request: web.Request) -> web.Response:
    raise LookupError("it")


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise LookupError("the other half")


async def chat(request: web.Request) -> web.StreamResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str("hello")
    await ws.receive()
    return ws


def create_app() -> web.Application:
    app = web.Application()
    metrics.setup(app)
    sub = web.Application()
    sub.router.add_get("/chat/{room}", chat)
    app.add_routes([web.get("/users/{id}", hello), web.get("/fail", fail), web.get("/half", half)])
    app.add_subapp("/sub", sub)
    return app


def value(app: web.Application, name: str, **labels: str) -> float:
    return app[metrics.METRICS].registry.get_sample_value(name, labels) or 0.0


def count(app: web.Application, method: str, route: str, status: str) -> float:
    return value(app, "http_request_duration_seconds_count", method=method, route=route, status=status)


async def test_requests_are_counted_by_the_template_of_their_route(serve: Any, caplog: Any) -> None:
    app = create_app()
    address = await serve(app)
    for target in ("/users/1", "/users/2?a=b", "/nowhere", "/fail", "/elsewhere"):
        await address.request("GET", target)
    await address.request("BREW", "/users/1")
    await address.raw(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
    await address.raw(b"nonsense\r\n\r\n")
    assert count(app, "GET", "/users/{id}", "200") == 2
    assert count(app, "GET", "", "404") == 2
    assert count(app, "GET", "/fail", "500") == 1
    assert count(app, "other", "", "405") == 1
    assert count(app, "GET", "/half", "000") == 1
    assert value(app, "http_requests_failed_total", method="GET", route="/fail") == 1
    assert value(app, "http_requests_refused_total", status="400") == 1
    assert value(app, "http_requests_in_flight") == 0


async def test_the_page_is_in_the_format_of_prometheus(serve: Any) -> None:
    address = await serve(create_app())
    await address.request("GET", "/users/1")
    page = await address.request("GET", "/metrics")
    assert page.headers["Content-Type"].startswith("text/plain; version=")
    text = page.body.decode()
    assert 'http_request_duration_seconds_count{method="GET",route="/users/{id}",status="200"} 1.0' in text
    assert "http_requests_in_flight 1.0" in text
    assert "/users/1" not in text
    open_metrics = await address.request("GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0")
    assert open_metrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert open_metrics.body.endswith(b"# EOF\n")


async def test_websockets_are_counted_while_they_are_open(serve: Any) -> None:
    app = create_app()
    address = await serve(app)
    peer = await address.connect()
    await peer.send("\r\n".join(["GET /sub/chat/7 HTTP/1.1", "Host: a", *HANDSHAKE, "", ""]).encode())
    await peer.head()
    assert await peer.reader.readexactly(7) == b"\x81\x05hello"
    assert value(app, "websockets", route="/sub/chat/{room}") == 1
    assert value(app, "http_connections") == 1
    peer.abort()
    while value(app, "http_requests_in_flight"):
        await asyncio.sleep(0.001)
    assert value(app, "websockets", route="/sub/chat/{room}") == 0
    assert value(app, "websocket_messages_total", route="/sub/chat/{room}", direction="sent") == 1
    assert value(app, "http_connections") == 0
    assert count(app, "GET", "/sub/chat/{room}", "101") == 0
