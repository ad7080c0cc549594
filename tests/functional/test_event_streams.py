"""Server-sent events over real sockets: they end with their client, and do not delay a stop (wishes 3 and 33)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Address, Peer, Serve
from tests.functional.scripts import bound_kernel, connect_deaf, said, until

pytestmark = pytest.mark.on_every_loop

MANY = 20


class Ticker:
    """Two ways to the same events: `tick 0`, `tick 1` ... when the test says so."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.open = 0
        self.returned = 0
        self.app = web.Application()
        self.app.router.add_get("/generator", self.by_generator)
        self.app.router.add_get("/block", self.by_block)

    async def ticks(self) -> AsyncIterator[web.ServerSentEvent]:
        self.open += 1
        try:
            number = 0
            while True:
                yield web.ServerSentEvent(f"tick {number}", id=str(number))
                number += 1
                await self.event.wait()
        finally:
            await asyncio.sleep(0)
            self.open -= 1

    async def by_generator(self, request: web.Request) -> web.StreamResponse:
        return web.EventSourceResponse(self.ticks())

    async def by_block(self, request: web.Request) -> web.StreamResponse:
        async with web.EventSourceResponse(request=request) as source:
            async for event in self.ticks():
                await source.send(event)
        self.returned += 1
        return source


WAYS = pytest.mark.parametrize("way", ["/generator", "/block"])
FIRST = b"id: 0\ndata: tick 0\n\n"


async def listen(address: Address, way: str) -> Peer:
    """A client that has got its first event."""
    peer = await address.connect()
    await peer.send(f"GET {way} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n".encode())
    assert (await peer.head()).headers["Content-Type"] == "text/event-stream"
    size = b"%x\r\n" % len(FIRST)
    assert await asyncio.wait_for(peer.reader.readexactly(len(size + FIRST) + 2), PATIENCE) == size + FIRST + b"\r\n"
    return peer


@WAYS
@pytest.mark.parametrize("manner", ["close", "abort"])
async def test_it_ends_when_its_client_goes(
    serve: Serve, way: str, manner: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ticker = Ticker()
    address = await serve(ticker.app)
    peers = [await listen(address, way) for _ in range(MANY)]
    assert ticker.open == MANY
    for peer in peers:
        if manner == "abort":
            peer.abort()
        await peer.close()
    await until(lambda: not ticker.open)
    await until(lambda: said(caplog).count(f"The client of <Request GET {way}> is gone") == MANY)
    assert said(caplog, logging.WARNING) == []
    assert ticker.returned == 0


@WAYS
async def test_a_stop_tells_all_streams_and_waits_for_none(
    serve: Serve, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    ticker = Ticker()
    address = await serve(ticker.app)
    peers = [await listen(address, way) for _ in range(MANY)]
    begin = time.perf_counter()
    await address.server.shutdown(60.0)
    assert time.perf_counter() - begin < PATIENCE
    assert ticker.open == 0
    assert ticker.returned == (MANY if way == "/block" else 0)
    for peer in peers:
        assert await peer.until_closed() == b"0\r\n\r\n"  # complete: the client comes back, to another server
    assert said(caplog, logging.WARNING) == []


@WAYS
async def test_a_runner_tells_them_before_the_application_shuts_down(way: str) -> None:
    ticker = Ticker()
    steps: list[int] = []

    async def on_shutdown(app: web.Application) -> None:
        await until(lambda: not ticker.open)
        steps.append(ticker.open)

    ticker.app.on_shutdown.append(on_shutdown)
    runner = web.AppRunner(ticker.app, shutdown_timeout=60.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    peer = await listen(Address(runner.server, host, port), way)
    await asyncio.wait_for(runner.cleanup(), PATIENCE)
    assert steps == [0]
    assert await peer.until_closed() == b"0\r\n\r\n"
    await peer.close()


@WAYS
async def test_one_that_begins_while_the_server_stops_ends_at_once(serve: Serve, way: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @web.middleware
    async def wait(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        begun.set()
        await go_on.wait()
        return await handler(request)

    ticker = Ticker()
    ticker.app.middlewares.append(wait)
    address = await serve(ticker.app)
    peer = await address.connect()
    await peer.send(f"GET {way} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    await asyncio.wait_for(begun.wait(), PATIENCE)
    stopping = asyncio.ensure_future(address.server.shutdown(60.0))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait_for(stopping, PATIENCE)
    assert (await peer.until_closed()).endswith(b"0\r\n\r\n")


@WAYS
async def test_the_connection_persists_after_head_and_204(serve: Serve, way: str) -> None:
    address = await serve(Ticker().app)
    peer = await address.connect()
    for _ in range(3):
        answer = await peer.request("HEAD", way)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")


async def test_a_client_that_does_not_read_is_waited_for_and_lost(serve: Serve) -> None:
    ended = asyncio.Event()
    made = 0

    async def flood(request: web.Request) -> AsyncIterator[str]:
        nonlocal made
        bound_kernel(request)
        try:
            while True:
                made += 1
                yield "x" * 10_000
        finally:
            ended.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.EventSourceResponse(flood(request))

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app, limits=web.Limits(write_timeout=0.2))
    with connect_deaf(address) as client:
        await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(ended.wait(), PATIENCE)  # by the write timeout
        assert made < 1000


async def test_a_failure_cuts_the_connection(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "a"
        raise LookupError

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.EventSourceResponse(failing())

    app = web.Application()
    app.router.add_get("/", handler)
    octets = await (await serve(app)).raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not octets.endswith(b"0\r\n\r\n")
    assert said(caplog, logging.ERROR) == ["Error handling GET /"]


async def test_heartbeats_need_no_task(serve: Serve) -> None:
    async def nothing() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.EventSourceResponse(nothing(), heartbeat=0.02)

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    before = len(asyncio.all_tasks())
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.0\r\n\r\n")
    await peer.head()
    assert await asyncio.wait_for(peer.reader.readexactly(9), PATIENCE) == b":\n\n" * 3
    assert len(asyncio.all_tasks()) == before + 1  # the task of its request
