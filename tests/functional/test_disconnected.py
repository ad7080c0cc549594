"""`request.disconnected()` over real sockets: who waits beside other work learns of the leaving, or of the end.

Beside it: when a leaving can be noticed, and when it cannot.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Peer, Serve

DATA = Path(__file__).parents[1] / "data"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Watcher:
    """An application whose handlers wait for their client to leave; `told` is what they learned."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.told: asyncio.Queue[bool] = asyncio.Queue()
        self.app = web.Application()
        self.app.router.add_route("*", "/", self.plain)
        self.app.router.add_get("/stream", self.stream)
        self.app.router.add_get("/ws", self.websocket)

    async def watch(self, request: web.Request) -> None:
        self.begun.set()
        self.told.put_nowait(await request.disconnected())

    async def plain(self, request: web.Request) -> web.Response:
        await self.watch(request)
        return web.Response()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.watch(request)
        return response

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        beside = asyncio.ensure_future(self.watch(request))
        async for _ in ws:
            pass
        await beside
        return ws

    async def answer(self) -> bool:
        """What the next handler learned."""
        return await asyncio.wait_for(self.told.get(), PATIENCE)


@pytest.mark.parametrize("has_error_handler", [False, True])
async def test_a_handler_that_returns_nothing_because_its_client_has_gone_has_not_failed(
    serve: Serve, caplog: pytest.LogCaptureFixture, has_error_handler: bool
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def watch(request: web.Request) -> web.Response:
        begun.set()
        await request.disconnected()
        asyncio.get_running_loop().call_soon(ended.set)
        return None  # type: ignore[return-value]

    async def show(request: web.Request, exception: Exception) -> web.Response:
        raise AssertionError("nothing has failed")

    app = web.Application()
    app.router.add_get("/", watch)
    if has_error_handler:
        app.add_error_handler(Exception, show)
    peer = await (await serve(app)).connect()
    await peer.send(GET)
    await asyncio.wait_for(begun.wait(), PATIENCE)
    peer.abort()
    await asyncio.wait_for(ended.wait(), PATIENCE)
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


def reset(peer: Peer) -> None:
    peer.abort()


def close(peer: Peer) -> None:
    peer.writer.close()


def shut(peer: Peer) -> None:
    peer.writer.write_eof()


@pytest.mark.parametrize("path", ["/", "/stream", "/ws"])
@pytest.mark.parametrize("leave", [reset, close, shut])
async def test_a_leaving_is_noticed(serve: Serve, path: str, leave: Callable[[Peer], None]) -> None:
    watcher = Watcher()
    peer = await (await serve(watcher.app)).connect()
    octets = HANDSHAKE if path == "/ws" else GET
    await peer.send(octets.replace(b" / ", b" %b " % path.encode(), 1))
    await watcher.begun.wait()
    leave(peer)
    assert await watcher.answer() is True


async def test_a_leaving_is_noticed_over_tls(serve: Serve) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(DATA / "localhost.pem")
    client.load_verify_locations(DATA / "localhost.pem")
    watcher = Watcher()
    address = await serve(watcher.app, ssl_context=server)
    peer = await address.connect(ssl=client, server_hostname="localhost")
    await peer.send(GET)
    await watcher.begun.wait()
    peer.abort()
    assert await watcher.answer() is True


async def test_a_websocket_that_is_closed_in_order_has_gone(serve: Serve) -> None:
    watcher = Watcher()
    peer = await (await serve(watcher.app)).connect()
    await peer.send(HANDSHAKE.replace(b" / ", b" /ws ", 1))
    assert (await peer.head()).status == 101
    await peer.send(b"\x88\x82\0\0\0\0" + (1000).to_bytes(2, "big"))
    await peer.until_closed()
    await peer.close()
    assert await watcher.answer() is True


async def test_whoever_outlives_the_request_of_a_client_that_stays_is_told_that_it_is_over(serve: Serve) -> None:
    watcher = Watcher()
    waiting: list[asyncio.Future[bool]] = []
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        waiting.append(asyncio.ensure_future(request.disconnected()))
        await asyncio.sleep(0)
        return web.Response()

    watcher.app.router.add_get("/answered", answer)
    peer = await (await serve(watcher.app)).connect()
    for _ in range(2):
        assert (await peer.request("GET", "/answered")).status == 200
    assert await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE) == [False, False]
    assert await requests[0].disconnected() is False


async def test_a_leaving_is_noticed_by_all_who_wait_and_costs_nothing_to_give_up(serve: Serve) -> None:
    watcher = Watcher()

    async def several(request: web.Request) -> web.Response:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(request.disconnected(), 0.001)
        waiting = [asyncio.ensure_future(request.disconnected()) for _ in range(3)]
        watcher.begun.set()
        for each in waiting:
            watcher.told.put_nowait(await each)
        return web.Response()

    watcher.app.router.add_get("/several", several)
    peer = await (await serve(watcher.app)).connect()
    await peer.send(GET.replace(b" / ", b" /several ", 1))
    await watcher.begun.wait()
    peer.abort()
    assert [await watcher.answer() for _ in range(3)] == [True] * 3


async def test_a_leaving_is_not_noticed_while_much_waits_unread_and_is_when_it_is_read(serve: Serve) -> None:
    limits = web.Limits(read_buffer=1000)
    go_on, missed = asyncio.Event(), asyncio.Event()
    caught: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    watcher = Watcher()

    async def upload(request: web.Request) -> web.Response:
        leaving = asyncio.ensure_future(request.disconnected())
        watcher.begun.set()
        await go_on.wait()
        missed.set() if not leaving.done() else None
        try:
            await request.read()
        except web.BodyInterrupted as error:
            caught.set_result(error)
        watcher.told.put_nowait(await leaving)
        return web.Response()

    watcher.app.router.add_post("/upload", upload)
    address = await serve(watcher.app, limits=limits)
    peer = await address.connect()
    await peer.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
    await watcher.begun.wait()
    (connection,) = address.server.connections
    while not connection.flow.reading_paused:
        await asyncio.sleep(0)
    peer.writer.close()
    await peer.writer.wait_closed()
    go_on.set()
    await asyncio.wait_for(caught, PATIENCE)
    assert missed.is_set()
    assert await watcher.answer() is True
