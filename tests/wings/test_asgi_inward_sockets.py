"""WebSockets and the lifespan of an ASGI application that is mounted in aioweb, row by row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aioweb import asgi, web
from tests.wings.asgi_table import Table
from tests.wsclient import FIELDS, open_websocket

spec = Table("websocket", "lifespan")


@pytest.fixture
def mounted(serve: Any) -> Callable[..., Any]:
    """`await mounted(part, **options)`: where an application that knows no lifespan is served, below /app."""

    async def mount(part: Any, **options: Any) -> Any:
        app = web.Application()
        asgi.mount(app, "/app", part, lifespan=False, **options)
        return await serve(app)

    return mount


# -- WebSockets --------------------------------------------------------------------------------------------------------


@spec("websocket", "type", "asgi", "http_version", "scheme", "path", "raw_path", "query_string", "root_path", "headers")
@spec("websocket", "client", "server", "subprotocols", "state", "extensions")
async def test_the_scope_tells_of_the_handshake(mounted: Any) -> None:
    scopes = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "websocket.accept"})

    address = await mounted(app)
    protocols = ("Sec-WebSocket-Protocol: v1, v2", "Sec-WebSocket-Protocol: v3")
    await open_websocket(address, "/app/a%20b?q=1", *protocols)
    (scope,) = scopes
    assert "method" not in scope
    headers = dict(scope.pop("headers"))
    assert headers[b"upgrade"] == b"websocket"
    assert scope.pop("client")[0] == "127.0.0.1"
    del scope["aioweb.request"]
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/app/a b",
        "raw_path": b"/app/a%20b",
        "query_string": b"q=1",
        "root_path": "/app",
        "server": ("127.0.0.1", address.port),
        "subprotocols": ["v1", "v2", "v3"],
        "extensions": {"websocket.http.response": {}},
    }
    await open_websocket(address, "/app")
    assert scopes[1]["subprotocols"] == []


@spec("websocket.connect")
@spec("websocket.accept", "subprotocol", "headers")
@spec("websocket.receive", "text", "bytes")
@spec("websocket.send", "text", "bytes")
async def test_messages_go_both_ways(mounted: Any) -> None:
    received = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert await receive() == {"type": "websocket.connect"}
        headers = [(b"x-name", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "websocket.accept", "subprotocol": "v2", "headers": headers})
        for _ in range(2):
            received.append(await receive())
        await send({"type": "websocket.send", "text": "ä", "bytes": None})
        await send({"type": "websocket.send", "bytes": b""})

    client = await open_websocket(await mounted(app), "/app", "Sec-WebSocket-Protocol: v1, v2")
    assert client.answer.headers["Sec-WebSocket-Protocol"] == "v2"
    assert client.answer.headers["X-Name"] == "1"
    assert client.answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    await client.text("hi")
    await client.binary(b"\xff")
    assert (await client.data(), await client.data()) == ("ä", b"")
    assert await client.close() == (1000, "")
    assert received == [{"type": "websocket.receive", "text": "hi"}, {"type": "websocket.receive", "bytes": b"\xff"}]


@spec("websocket.disconnect", "code", "reason")
@pytest.mark.parametrize(
    ("how", "code", "reason"), [("close", 3001, "leaving"), ("abort", 1006, ""), ("too large", 1009, None)]
)
async def test_it_is_told_how_its_client_has_left(mounted: Any, how: str, code: int, reason: str | None) -> None:
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        with pytest.raises(OSError, match="clos"):
            await send({"type": "websocket.send", "text": "too late"})
        told.set_result(message)

    client = await open_websocket(await mounted(app, websocket={"max_msg_size": 10}), "/app")
    if how == "close":
        await client.close(3001, "leaving")
    elif how == "abort":
        client.peer.abort()
    else:
        await client.text("x" * 11)
    message = await asyncio.wait_for(told, 10)
    assert (message["type"], message["code"]) == ("websocket.disconnect", code)
    assert reason is None or message["reason"] == reason


async def test_it_is_told_when_the_server_stops(mounted: Any) -> None:
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        told.set_result(await receive())

    address = await mounted(app)
    client = await open_websocket(address, "/app")
    stop = asyncio.ensure_future(address.server.shutdown(5))
    event: Any = await client.next()
    await client.send(client.ground.send_close(event.code))
    await client.peer.close()
    await stop
    assert (event.code, told.result()["type"], told.result()["code"]) == (1001, "websocket.disconnect", 1001)


@spec("websocket.close", "code", "reason")
@pytest.mark.parametrize(
    ("message", "end"),
    [
        ({"code": 3001, "reason": "bye"}, (3001, "bye")),
        ({}, (1000, "")),
        ({"reason": None}, (1000, "")),
    ],
)
async def test_it_closes_with_code_and_reason(mounted: Any, message: Any, end: Any) -> None:
    closed = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", **message})
        closed.append(await receive())

    client = await open_websocket(await mounted(app), "/app")
    event = await client.next()
    assert event is not None
    await client.send(client.ground.send_close(event.code))  # type: ignore[union-attr]
    assert (event.code, event.reason) == end  # type: ignore[union-attr]
    assert await client.peer.is_closed()
    assert [said["type"] for said in closed] == ["websocket.disconnect"]


async def test_a_handshake_that_is_closed_is_a_403(mounted: Any) -> None:
    go_on = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})
        await go_on.wait()

    peer = await (await mounted(app)).connect()
    assert (await peer.request("GET", "/app", *FIELDS)).status == 403
    go_on.set()
    assert (await peer.request("GET", "/app", *FIELDS)).status == 403


@spec("websocket.http.response.start", "status", "headers")
@spec("websocket.http.response.body", "body", "more_body")
async def test_a_handshake_may_be_refused_by_any_response(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert "websocket.http.response" in scope["extensions"]
        headers = [(b"x-why", b"tea")]
        await send({"type": "websocket.http.response.start", "status": 418, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"n", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"o"})

    answer = await (await mounted(app)).request("GET", "/app", *FIELDS)
    assert (answer.status, answer.headers["X-Why"], answer.body) == (418, "tea", b"no")


async def test_what_is_no_handshake_is_refused_by_us(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise AssertionError("it was called")

    address = await mounted(app)
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8")
    assert (await address.request("GET", "/app", *lines)).status == 426


async def test_a_client_may_go_before_it_is_accepted(mounted: Any) -> None:
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        told.set_result(await receive())

    peer = await (await mounted(app)).connect()
    await peer.send(b"GET /app HTTP/1.1\r\nHost: a\r\n" + "".join(f"{line}\r\n" for line in FIELDS).encode() + b"\r\n")
    await begun.wait()
    peer.abort()
    assert (await asyncio.wait_for(told, 10))["code"] == 1006


async def test_who_receives_before_it_accepts_gets_the_first_message(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        first = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await first)["text"]})

    client = await open_websocket(await mounted(app), "/app")
    await client.text("hi")
    assert await client.data() == "hi"
    await client.close()


ACCEPT = {"type": "websocket.accept"}
MISTAKES: list[tuple[list[dict[str, Any]], str]] = [
    ([], "neither accepted nor refused"),
    ([{"type": "websocket.send", "text": "a"}], "before websocket.accept"),
    ([{"type": "http.response.start"}], "before websocket.accept"),
    ([{"type": "websocket.http.response.body"}], "must come before"),
    ([{**ACCEPT, "subprotocol": "v2"}], "not 'v2'"),
    ([ACCEPT, ACCEPT], "cannot be sent on an open WebSocket"),
    ([ACCEPT, {"type": "websocket.send"}], "neither text nor bytes"),
    ([ACCEPT, {"type": "websocket.send", "text": b"a"}], "must be str"),
    ([ACCEPT, {"type": "websocket.close", "code": 1005}], "1005"),
]


@pytest.mark.parametrize(("messages", "said"), MISTAKES)
async def test_a_mistake_is_a_500_or_closes_with_1011_and_is_logged_once(
    mounted: Any, messages: list[dict[str, Any]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    address = await mounted(app)
    if messages[:1] == [ACCEPT]:
        client = await open_websocket(address, "/app")
        assert await client.closed() == (1011, "")
    else:
        assert (await address.request("GET", "/app", *FIELDS, "Sec-WebSocket-Protocol: v1")).status == 500
    (record,) = caplog.records
    assert record.exc_info is not None
    assert said in str(record.exc_info[1])


async def test_what_is_raised_because_the_client_has_left_is_no_failure(
    mounted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send(ACCEPT)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        ended.set()
        raise LookupError("what frameworks raise")

    client = await open_websocket(await mounted(app), "/app")
    await client.close()
    await ended.wait()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- the lifespan ------------------------------------------------------------------------------------------------------


class Living:
    """An application with a lifespan. `fails`: "startup" or "shutdown"; "raises ..." for an exception."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.told: list[str] = []
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] != "lifespan":
            scope["state"]["own"] = len(self.scopes)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["state"]["pool"].encode()})
            return
        scope["state"]["pool"] = "pool"
        for what in ("startup", "shutdown"):
            assert await receive() == {"type": f"lifespan.{what}"}
            self.told.append(what)
            if self.fails == f"raises at {what}":
                raise ZeroDivisionError("on purpose")
            if self.fails == what:
                await send({"type": f"lifespan.{what}.failed", "message": "no database"})
                return
            await send({"type": f"lifespan.{what}.complete"})


def around(app: Any, told: list[str], **options: Any) -> web.Application:
    """An application that mounts another, with a cleanup context on either side."""

    def context(name: str) -> Any:
        async def run(app: web.Application) -> AsyncIterator[None]:
            told.append(f"{name} up")
            yield
            told.append(f"{name} down")

        return run

    outer = web.Application()
    outer.cleanup_ctx.append(context("before"))
    asgi.mount(outer, "/app", app, **options)
    outer.cleanup_ctx.append(context("after"))
    return outer


@spec("lifespan", "type", "asgi", "state")
@spec("lifespan.startup")
@spec("lifespan.startup.complete")
@spec("lifespan.shutdown")
@spec("lifespan.shutdown.complete")
async def test_it_starts_and_ends_as_a_cleanup_context(serve: Any) -> None:
    living = Living()
    app = around(living, living.told)
    address = await serve(app)
    assert living.told == ["before up", "startup", "after up"]
    for _ in range(2):
        assert (await address.request("GET", "/app")).body == b"pool"
    assert [scope["state"] for scope in living.scopes] == [
        {"pool": "pool"},
        {"pool": "pool", "own": 2},
        {"pool": "pool", "own": 3},
    ]
    assert {key: living.scopes[0][key] for key in ("type", "asgi")} == {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
    }
    await app.cleanup()
    assert living.told[3:] == ["after down", "shutdown", "before down"]


@spec("lifespan.startup.failed", "message")
async def test_a_start_that_fails_ends_the_start(served: Any) -> None:
    living = Living("startup")
    app = around(living, living.told)
    with pytest.raises(RuntimeError, match="does not start: no database"):
        await app.startup()
    await app.cleanup()
    assert living.told == ["before up", "startup", "before down"]


@spec("lifespan.shutdown.failed", "message")
@pytest.mark.parametrize(
    ("fails", "error", "said"),
    [
        ("shutdown", RuntimeError, "does not end well: no database"),
        ("raises at shutdown", ZeroDivisionError, "on purpose"),
    ],
)
async def test_an_end_that_fails_is_an_error_of_the_cleanup(fails: str, error: Any, said: str) -> None:
    living = Living(fails)
    app = around(living, living.told)
    await app.startup()
    with pytest.raises(error, match=said):
        await app.cleanup()
    assert living.told[-1] == "before down"


async def speaks_http_only(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    assert "state" not in scope
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def returns_at_once(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await speaks_http_only(scope, receive, send)


@pytest.mark.parametrize(("app", "how"), [(speaks_http_only, "AssertionError"), (returns_at_once, "it returned")])
async def test_an_application_may_do_without_a_lifespan_unless_one_is_wanted(
    serve: Any, caplog: pytest.LogCaptureFixture, app: Any, how: str
) -> None:
    caplog.set_level("INFO", "aioweb.web")
    address = await serve(around(app, []))
    assert f"has no lifespan: {how}" in caplog.text
    assert (await address.request("GET", "/app")).body == b"hello"
    wanting = around(app, [], lifespan=True)
    with pytest.raises(RuntimeError, match="has no lifespan"):
        await wanting.startup()
    await wanting.cleanup()


async def test_a_start_that_is_cancelled_leaves_no_task(serve: Any) -> None:
    begun = asyncio.Event()

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.sleep(3600)

    app = around(hang, [])
    start = asyncio.ensure_future(app.startup())
    await begun.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await app.cleanup()
    # The fixture looks for tasks that are left.
    await serve(web.Application())


async def test_a_lifespan_that_answers_what_nobody_asked_is_told_so() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for kind in ("lifespan.shutdown.complete", "http.response.start"):
            with pytest.raises(RuntimeError, match="not asked for"):
                await send({"type": kind})
        await send({"type": "lifespan.startup.complete"})
        with pytest.raises(RuntimeError, match="not asked for"):
            await send({"type": "lifespan.startup.complete"})
        await receive()
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    outer = around(app, [])
    await outer.startup()
    await outer.cleanup()


async def test_an_application_that_fails_while_it_serves_is_an_error_of_the_cleanup() -> None:
    fail = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await fail.wait()
        await send({"type": "lifespan.shutdown.failed", "message": "as Starlette does"})
        raise ZeroDivisionError("on purpose")

    outer = around(app, [])
    await outer.startup()
    fail.set()
    await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        await outer.cleanup()


def test_every_row_of_the_specification_is_tested() -> None:
    assert spec.left == set()
