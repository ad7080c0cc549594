"""The time that a handler gets, of its route or of the server: it is cancelled, and its client is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Peer, Serve

SHORT = 0.03
LONG = 60.0


class Slow:
    """Handlers that take for ever, and what became of them."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.release = asyncio.Event()

    async def sleep(self, request: web.Request) -> web.Response:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return web.Response(text="released")

    async def answer_all_the_same(self, request: web.Request) -> web.Response:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            pass
        return web.Response(text="what was there")

    async def go_on(self, request: web.Request) -> web.Response:
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                pass
        self.ended.append("released")
        return web.Response(text="too late")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.sleep(request)
        return response

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await asyncio.sleep(3 * SHORT)
            await ws.send_str(message.data)
        return ws

    async def quick(self, request: web.Request) -> web.Response:
        return web.Response(text="quick")


@pytest.fixture
def slow() -> Slow:
    return Slow()


def app_of(handler: Any, **rules: Any) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/", handler, **rules)
    return app


@pytest.mark.parametrize(("rules", "status"), [({}, 503), ({"timeout_status": 504}, 504)])
async def test_a_handler_is_cancelled_and_the_connection_lives(
    serve: Serve, slow: Slow, rules: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(slow.sleep, timeout=SHORT, **rules)
    app.router.add_get("/quick", slow.quick, timeout=LONG)
    peer = await (await serve(app)).connect()
    for _ in range(2):
        assert (await peer.request("GET", "/")).status == status
        assert (await peer.request("GET", "/quick")).body == b"quick"
    assert slow.ended == ["cancelled"] * 2
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["GET /: the handler did not end within 0.03 seconds and was cancelled"] * 2


@pytest.mark.parametrize("options", [{"handler_timeout": SHORT}, {"limits": web.Limits(handler_timeout=SHORT)}])
async def test_the_server_has_a_bound_for_all_and_a_route_its_own(
    serve: Serve, slow: Slow, options: dict[str, Any]
) -> None:
    app = app_of(slow.sleep)
    for path, timeout in ("/never", 0), ("/long", LONG), ("/shorter", SHORT / 2):
        app.router.add_get(path, slow.sleep, timeout=timeout)
    address = await serve(app, **options)
    unbound, long = await address.connect(), await address.connect()
    await unbound.send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
    await long.send(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await address.request("GET", "/")).status == 503
    assert (await address.request("GET", "/shorter")).status == 503
    assert slow.ended == ["cancelled"] * 2
    slow.release.set()
    assert (await unbound.response()).body == b"released"
    assert (await long.response()).body == b"released"


@pytest.mark.parametrize("where", ["application", "subapplication", "group", "table", "resource"])
async def test_the_bound_may_be_said_around_a_route(serve: Serve, slow: Slow, where: str) -> None:
    app, path = web.Application(handler_timeout=SHORT if where == "application" else None), "/a/b"
    if where == "application":
        app.router.add_get(path, slow.sleep)
    elif where == "subapplication":
        below = web.Application(handler_timeout=SHORT)
        below.router.add_get("/b", slow.sleep)
        app.add_subapp("/a", below)
    elif where == "group":
        app.router.prefix("/a", timeout=SHORT).add_get("/b", slow.sleep)
    elif where == "table":
        table = web.RouteTableDef(prefix="/a", timeout=SHORT)
        table.get("/b")(slow.sleep)
        app.add_routes(table)
    else:
        app.router.add_resource(path, timeout=SHORT).add_route("GET", slow.sleep)
    assert (await (await serve(app)).request("GET", path)).status == 503
    assert slow.ended == ["cancelled"]


async def test_the_middlewares_of_the_application_see_the_answer_those_of_the_route_are_bound(
    serve: Serve, slow: Slow
) -> None:
    @web.middleware
    async def dress(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPServiceUnavailable as error:
            error.headers["Access-Control-Allow-Origin"] = "*"
            raise

    @web.middleware
    async def dawdle(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        await slow.sleep(request)
        return await handler(request)

    app = web.Application(middlewares=[dress])
    app.router.add_get("/", slow.quick, timeout=SHORT, middlewares=[dawdle])
    answer = await (await serve(app)).request("GET", "/")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (503, "*")


async def test_an_error_handler_may_answer_for_it(serve: Serve, slow: Slow) -> None:
    async def sorry(request: web.Request, error: Exception) -> web.Response:
        return web.Response(status=503, text="sorry", headers={"Retry-After": "5"})

    app = app_of(slow.sleep, timeout=SHORT)
    app.add_error_handler(503, sorry)
    answer = await (await serve(app)).request("GET", "/")
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (503, b"sorry", "5")


async def test_a_response_that_has_begun_is_cut(serve: Serve, slow: Slow, caplog: pytest.LogCaptureFixture) -> None:
    peer = await (await serve(app_of(slow.stream, timeout=SHORT))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    received = await peer.until_closed()
    assert received.endswith(b"5\r\nfirst\r\n")
    assert slow.ended == ["cancelled"]
    assert "did not end within 0.03 seconds" in caplog.text


async def test_half_a_response_is_not_completed_by_a_middleware_that_catches_everything(
    serve: Serve, slow: Slow
) -> None:
    begun: list[web.StreamResponse] = []

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        begun.append(response)
        await response.prepare(request)
        await response.write(b"first")
        await slow.sleep(request)
        return response

    @web.middleware
    async def catch(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception:
            return begun[0]

    app = web.Application(middlewares=[catch])
    app.router.add_get("/", stream, timeout=SHORT)
    peer = await (await serve(app)).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"\r\n0\r\n" not in await peer.until_closed()


async def test_what_makes_the_content_while_it_is_sent_is_not_bound(serve: Serve) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(2):
            await asyncio.sleep(SHORT)
            yield b"piece"

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=slowly())

    assert (await (await serve(app_of(handler, timeout=SHORT))).request("GET", "/")).body == b"piecepiece"


async def test_a_handler_that_answers_when_it_is_cancelled_has_answered(serve: Serve, slow: Slow) -> None:
    peer = await (await serve(app_of(slow.answer_all_the_same, timeout=SHORT))).connect()
    for _ in range(2):
        assert (await peer.request("GET", "/")).body == b"what was there"


async def until(happened: Callable[[], bool]) -> None:
    async def turn() -> None:
        while not happened():
            await asyncio.sleep(0)

    await asyncio.wait_for(turn(), PATIENCE)


async def test_who_goes_on_though_cancelled_is_answered_for_and_in_mid_response_cut(
    serve: Serve, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        return await slow.go_on(request)

    app = app_of(slow.go_on, timeout=SHORT)
    app.router.add_get("/gateway", slow.go_on, timeout=SHORT, timeout_status=504)
    app.router.add_get("/stream", stream, timeout=SHORT)
    address = await serve(app)

    async def ask(path: str) -> bytes:
        return await address.raw(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())

    plain, gateway, begun = await asyncio.gather(*(ask(path) for path in ("/", "/gateway", "/stream")))
    assert plain.startswith(b"HTTP/1.1 503 ")
    assert gateway.startswith(b"HTTP/1.1 504 ")
    assert b"\r\nConnection: close\r\n" in plain
    assert begun.endswith(b"5\r\nfirst\r\n")
    assert slow.ended == []
    slow.release.set()
    await until(lambda: len(slow.ended) == 3)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 3
    assert all(error.endswith("nor when it was cancelled") for error in errors)


async def test_cleaning_up_has_its_time(serve: Serve, slow: Slow) -> None:
    async def handler(request: web.Request) -> web.Response:
        try:
            return await slow.sleep(request)
        finally:
            await asyncio.sleep(2 * SHORT)
            slow.ended.append("cleaned up")

    assert (await (await serve(app_of(handler, timeout=SHORT))).request("GET", "/")).status == 503
    assert slow.ended == ["cancelled", "cleaned up"]


async def test_shielded_work_goes_on(serve: Serve, slow: Slow) -> None:
    async def work() -> str:
        await slow.release.wait()
        slow.ended.append("worked")
        return "late"

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=await request.app.shield(work()))

    app = app_of(handler, timeout=SHORT)
    assert (await (await serve(app)).request("GET", "/")).status == 503
    assert slow.ended == []
    slow.release.set()
    await app.finish_work(PATIENCE)
    assert slow.ended == ["worked"]


async def test_a_client_that_goes_first_gets_no_answer(serve: Serve, slow: Slow) -> None:
    address = await serve(app_of(slow.sleep, timeout=LONG, client_gone="cancel"))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: any(connection.busy for connection in address.server.connections))
    peer.abort()
    await until(lambda: slow.ended == ["cancelled"])


async def test_a_stop_cancels_a_handler_whose_time_is_not_up(serve: Serve, slow: Slow) -> None:
    address = await serve(app_of(slow.sleep, timeout=LONG))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: any(connection.busy for connection in address.server.connections))
    await address.server.shutdown(SHORT)
    assert slow.ended == ["cancelled"]
    assert await peer.is_closed()


async def test_an_open_websocket_has_no_bound(serve: Serve, slow: Slow) -> None:
    peer = await (await serve(app_of(slow.websocket, timeout=SHORT), handler_timeout=SHORT)).connect()
    await peer.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await peer.head()).status == 101
    await peer.send(b"\x81\x82\0\0\0\0hi")
    assert await asyncio.wait_for(peer.reader.readexactly(4), PATIENCE) == b"\x81\x02hi"


async def test_a_body_that_does_not_come_counts(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    peer = await (await serve(app_of(handler, timeout=SHORT))).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    answer = await peer.response()
    assert answer.status == 503


async def test_a_server_without_an_application_has_the_bound_too(serve: Serve, slow: Slow) -> None:
    address = await serve(web.Server(slow.sleep, handler_timeout=SHORT))
    assert (await address.request("GET", "/")).status == 503


async def test_many_at_a_time_each_have_their_own(serve: Serve, slow: Slow) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.query_string == "slow":
            return await slow.sleep(request)
        await asyncio.sleep(SHORT / 3)
        return await slow.quick(request)

    address = await serve(app_of(handler, timeout=0.5))

    async def ask(peer: Peer, number: int) -> int:
        return (await peer.request("GET", "/?slow" if number % 2 else "/")).status

    peers = [await address.connect() for _ in range(20)]
    statuses = await asyncio.gather(*(ask(peer, number) for number, peer in enumerate(peers)))
    assert statuses == [200, 503] * 10
