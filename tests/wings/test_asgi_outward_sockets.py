"""WebSockets and the lifespan of an aioweb application that an ASGI server runs: the specification, row by row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aioweb import asgi, web
from tests.wings.asgi_server import CONNECT, HTTP, REQUEST, WEBSOCKET, Call, Lifespan, call, content_of
from tests.wings.asgi_table import Table

spec = Table("websocket", "lifespan")


# -- WebSockets --------------------------------------------------------------------------------------------------------


async def talk(request: web.Request) -> web.StreamResponse:
    if request.path == "/deny":
        return web.Response(status=418, text="no", headers={"X-Why": "tea"})
    ws = web.WebSocketResponse(protocols=("chat",), max_msg_size=1000)
    ws.headers["X-Name"] = "talk"
    await ws.prepare(request)
    async for message in ws:
        if message.data == "close":
            await ws.close(code=3001, message="bye")
        elif message.data == "ping":
            await ws.send_str(f"{await (await ws.ping()) >= 0}")
        elif message.data == "fail":
            raise ZeroDivisionError("on purpose")
        elif message.type is web.WSMsgType.TEXT:
            await ws.send_str(f"{message.data}, {request.remote}, {request.url}")
        else:
            await ws.send_bytes(message.data)
    request.app["ends"].append((ws.close_code, ws.close_reason, ws.closed_by))
    return ws


@pytest.fixture
async def talking() -> AsyncIterator[tuple[Any, list[Any]]]:
    """An application that talks, and the list of how its WebSockets have ended."""
    app = web.Application()
    ends: list[Any] = []
    app["ends"] = ends
    app.router.add_get("/{path:.*}", talk)
    asgi_app = asgi.to_asgi(app, shutdown_timeout=1)
    async with Lifespan(asgi_app):
        yield asgi_app, ends


def text(content: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": content, "bytes": None}


BYE = {"type": "websocket.disconnect", "code": 1000, "reason": ""}


@spec("websocket", "type", "asgi", "http_version", "scheme", "path", "raw_path", "query_string", "root_path", "headers")
@spec("websocket", "client", "server", "subprotocols", "state", "extensions")
@spec("websocket.connect")
@spec("websocket.accept", "subprotocol", "headers")
@spec("websocket.receive", "text", "bytes")
@spec("websocket.send", "text", "bytes")
@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_messages_go_both_ways(talking: Any, version: str) -> None:
    asgi_app, _ = talking
    of_the_handshake = [
        (b"connection", b"keep-alive, Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", b"AAAAAAAAAAAAAAAAAAAAAA=="),
        (b"sec-websocket-extensions", b"permessage-deflate"),
        (b"sec-websocket-protocol", b"v1, chat"),
    ]
    scope = {
        **WEBSOCKET,
        "http_version": version,
        "scheme": "wss",
        "path": "/root/ä",
        "raw_path": b"/root/%c3%a4",
        "root_path": "/root",
        "query_string": b"q=1",
        "subprotocols": ["v1", "chat"],
        "headers": [*WEBSOCKET["headers"], *(of_the_handshake if version == "1.1" else [])],
    }
    large = bytes(range(200)) * 4
    async with Call(asgi_app, scope, CONNECT, text("hi"), {"type": "websocket.receive", "bytes": large}) as ws:
        await ws.until("websocket.send")
        await ws.until_sent(3)
        ws.give(BYE)
    assert ws.sent == [
        {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-name", b"talk")]},
        {"type": "websocket.send", "text": "hi, 192.0.2.1, https://example.org/root/%c3%a4?q=1"},
        {"type": "websocket.send", "bytes": large},
    ]


@spec("websocket.disconnect", "code", "reason")
@pytest.mark.parametrize(
    ("message", "end"),
    [
        ({"code": 3002, "reason": "leaving"}, (3002, "leaving", "peer")),
        ({"code": 1001}, (1001, "", "peer")),
        ({}, (1005, "", "peer")),
        ({"code": 1005, "reason": None}, (1005, "", "peer")),
        ({"code": 1006}, (1006, "", "lost")),
        ({"code": 1000, "reason": "ä" * 100}, (1000, "ä" * 61, "peer")),
    ],
)
async def test_a_handler_learns_how_its_client_has_left(talking: Any, message: Any, end: Any) -> None:
    asgi_app, ends = talking
    async with Call(asgi_app, WEBSOCKET, CONNECT) as ws:
        await ws.until("websocket.accept")
        ws.give({"type": "websocket.disconnect", **message})
    for _ in range(20):
        await asyncio.sleep(0)
    assert ends == [end]
    assert [sent["type"] for sent in ws.sent] == ["websocket.accept"]


@spec("websocket.close", "code", "reason")
@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (text("close"), 3001, "bye"),
        (text("fail"), 1011, ""),
        (text("x" * 1001), 1009, None),
    ],
)
async def test_a_server_closes_with_code_and_reason(
    talking: Any, message: Any, code: int, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    asgi_app, ends = talking
    async with Call(asgi_app, WEBSOCKET, CONNECT, message) as ws:
        pass
    close = ws.sent[-1]
    assert (close["type"], close["code"]) == ("websocket.close", code)
    assert reason is None or close["reason"] == reason
    assert [record.message.split()[0] for record in caplog.records] == (["Error"] if code == 1011 else [])
    if code == 3001:
        assert ends == [(3001, "", "server")]


async def test_a_ping_is_answered_by_the_bridge(talking: Any) -> None:
    async with Call(talking[0], WEBSOCKET, CONNECT, text("ping")) as ws:
        assert (await ws.until("websocket.send"))["text"] == "True"
        ws.give(BYE)


async def test_a_large_message_passes_whole(served: Any) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
            await ws.send_bytes(b"short")
        return ws

    large = "ä" * 100_000
    async with Call(await served(handler), WEBSOCKET, CONNECT, text(large)) as ws:
        await ws.until_sent(3)
        ws.give(BYE)
    assert ws.sent[1]["text"] == large
    assert ws.sent[2]["bytes"] == b"short"


@spec("websocket.http.response.start", "status", "headers")
@spec("websocket.http.response.body", "body", "more_body")
@pytest.mark.parametrize("can_deny", [True, False])
async def test_a_refused_handshake_is_a_response_or_a_close(talking: Any, can_deny: bool) -> None:
    extensions = {"websocket.http.response": {}} if can_deny else {}
    scope = {**WEBSOCKET, "path": "/deny", "raw_path": b"/deny", "extensions": extensions}
    sent = await call(talking[0], scope, CONNECT)
    if not can_deny:
        assert sent == [{"type": "websocket.close", "code": 1000, "reason": ""}]
        return
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 418
    assert (b"x-why", b"tea") in sent[0]["headers"]
    assert sent[1:] == [{"type": "websocket.http.response.body", "body": b"no", "more_body": False}]


@pytest.mark.parametrize("code", [1006, 1001, None])
async def test_a_client_may_go_before_it_is_accepted(served: Any, code: int | None) -> None:
    begun, gone = asyncio.Event(), []

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        gone.append(await request.disconnected())
        return web.Response()

    async with Call(await served(handler), WEBSOCKET, CONNECT) as ws:
        await begun.wait()
        ws.give({"type": "websocket.disconnect", "code": code})
    assert ws.sent == []
    for _ in range(20):
        await asyncio.sleep(0)
    assert gone == [True]


async def test_a_handler_that_cannot_answer_the_handshake_is_an_exception(served: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query_string:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"begun")
            await response.drain()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    asgi_app = await served(handler)
    for query in (b"", b"begin"):
        scope = {**WEBSOCKET, "query_string": query, "extensions": {"websocket.http.response": {}}}
        with pytest.raises(ConnectionAbortedError):
            await call(asgi_app, scope, CONNECT)


async def test_a_send_that_raises_oserror_is_the_end(talking: Any) -> None:
    async def fail(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            raise BrokenPipeError

    asgi_app, ends = talking
    ws = Call(asgi_app, WEBSOCKET, CONNECT, text("hi"))
    ws.before_send = fail
    async with ws:
        pass
    for _ in range(20):
        await asyncio.sleep(0)
    assert ends == [(1006, "", "lost")]


async def test_open_websockets_are_told_when_the_application_ends(talking: Any) -> None:
    _, ends = talking
    app = web.Application()
    app["ends"] = ends
    app.router.add_get("/", talk)
    other = asgi.to_asgi(app, shutdown_timeout=1)
    lifespan = Lifespan(other)
    await lifespan.__aenter__()
    async with Call(other, WEBSOCKET, CONNECT) as ws:
        await ws.until("websocket.accept")
        await lifespan.__aexit__(None, None, None)
        close = await ws.until("websocket.close")
    assert close["code"] == 1001


# -- the lifespan ------------------------------------------------------------------------------------------------------


def create_app(told: list[str], fails: str = "") -> web.Application:
    async def context(app: web.Application) -> AsyncIterator[None]:
        told.append("first up")
        yield
        told.append("first down")

    async def start(app: web.Application) -> None:
        if fails == "start":
            raise RuntimeError("no database")

    async def end(app: web.Application) -> None:
        told.append("end")
        if fails == "end":
            raise RuntimeError("the database hangs")

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.cleanup_ctx.append(context)
    app.on_startup.append(start)
    app.on_cleanup.append(end)
    app.router.add_get("/", hello)
    return app


@spec("lifespan", "type", "asgi", "state")
@spec("lifespan.startup")
@spec("lifespan.startup.complete")
@spec("lifespan.shutdown")
@spec("lifespan.shutdown.complete")
@pytest.mark.parametrize("kind", ["application", "function", "coroutine function"])
async def test_an_application_starts_and_ends_with_the_server(kind: str) -> None:
    told: list[str] = []

    async def make() -> web.Application:
        return create_app(told)

    app: Any = {
        "application": lambda: create_app(told),
        "function": lambda: lambda: create_app(told),
        "coroutine function": lambda: make,
    }[kind]()
    lifespan = Lifespan(asgi.to_asgi(app))
    async with lifespan:
        assert told == ["first up"]
    assert told == ["first up", "first down", "end"]
    kinds = [message["type"] for message in lifespan.call.sent]
    assert kinds == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@spec("lifespan.startup.failed", "message")
async def test_a_start_that_fails_is_told_and_cleaned_up(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    sent = await call(asgi.to_asgi(create_app(told, "start")), {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert sent == [{"type": "lifespan.startup.failed", "message": "RuntimeError: no database"}]
    assert told == ["first up", "first down", "end"]
    assert [record.message for record in caplog.records] == ["The application does not start"]


@spec("lifespan.shutdown.failed", "message")
async def test_an_end_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await call(asgi.to_asgi(create_app([], "end")), {"type": "lifespan"}, *messages)
    assert sent[-1] == {"type": "lifespan.shutdown.failed", "message": "RuntimeError: the database hangs"}
    assert [record.message for record in caplog.records] == ["The application does not end well"]


async def test_a_server_that_cancels_the_lifespan_ends_the_application() -> None:
    told: list[str] = []
    lifespan = Lifespan(asgi.to_asgi(create_app(told)))
    started = await lifespan.__aenter__()
    started.task.cancel()
    await asyncio.wait([started.task])
    assert told[-1] == "end"


async def test_without_a_lifespan_the_first_request_starts_it(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    app = create_app(told)
    asgi_app = asgi.to_asgi(app)
    both = await asyncio.gather(call(asgi_app, HTTP, REQUEST), call(asgi_app, HTTP, REQUEST))
    assert [content_of(sent) for sent in both] == [b"hello", b"hello"]
    assert told == ["first up"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    await app.cleanup()


async def test_what_nobody_speaks_is_refused(served: Any) -> None:
    with pytest.raises(ValueError, match="'udp'"):
        await call(await served(lambda request: None), {"type": "udp"})
    with pytest.raises(TypeError, match="to_asgi"):
        asgi.to_asgi(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="to_asgi"):
        asgi.to_asgi(asgi.to_asgi(web.Application()))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        asgi.to_asgi(web.Application())({"type": "http"})  # type: ignore[call-arg]  # the two calls of ASGI 2


async def test_context_variables_of_what_is_outside_are_seen(served: Any) -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="inside")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=variable.get())

    asgi_app = await served(handler)

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        variable.set("outside")
        await asgi_app(scope, receive, send)

    assert content_of(await call(middleware, HTTP, REQUEST)) == b"outside"


def test_every_row_of_the_specification_is_tested() -> None:
    assert spec.left == set()
