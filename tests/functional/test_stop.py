"""How a server ends over real sockets: idle connections at once, busy ones after their response, the rest in time."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from tests.conftest import PATIENCE, Serve
from tests.functional.scripts import GET, Gate, bound_kernel, connect_deaf, said, until

pytestmark = pytest.mark.on_every_loop


@pytest.fixture(params=[False, True], ids=["plain", "debug"], autouse=True)
async def loop_debug(request: pytest.FixtureRequest) -> None:
    asyncio.get_running_loop().set_debug(request.param)


async def test_n4_idle_connections_end_soon(serve: Serve) -> None:
    gate = Gate()
    gate.opened.set()
    address = await serve(web.Server(gate))
    silent, half, used = [await address.connect() for _ in range(3)]
    await half.send(GET[:10])
    await used.request("GET", "/")
    await until(lambda: len(address.server.connections) == 3)
    begin = time.perf_counter()
    await address.server.finish_connections(30.0)
    assert time.perf_counter() - begin < PATIENCE
    assert address.server.connections == []
    for peer in (silent, used):
        assert await peer.is_closed()
    assert (await half.head()).status == 408


async def test_n4_busy_connections_end_after_their_response(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    address = await serve(web.Server(gate))
    busy, piped = await address.connect(), await address.connect()
    await busy.send(GET)
    await piped.send(GET * 3)
    await until(lambda: len(gate.requests) == 2)
    stopping = asyncio.ensure_future(address.server.shutdown(30.0))
    await asyncio.sleep(0)
    gate.opened.set()
    for peer in (busy, piped):
        answer = await peer.response()
        assert answer.body == b"/"
        assert answer.headers["Connection"] == "close"
        assert await peer.is_closed()
        await peer.close()
    await asyncio.wait_for(stopping, PATIENCE)
    assert len(gate.requests) == 2
    assert said(caplog, logging.INFO) == []


async def test_a_body_that_is_under_way_is_waited_for(serve: Serve) -> None:
    class Reading(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            return web.Response(body=await request.read())

    gate = Reading()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    await gate.begin()
    stopping = asyncio.ensure_future(address.server.shutdown(30.0))
    await asyncio.sleep(0)
    await peer.send(b"world")
    assert (await peer.response()).body == b"helloworld"
    await asyncio.wait_for(stopping, PATIENCE)


async def test_a_response_that_is_under_way_is_waited_for(serve: Serve) -> None:
    class Some(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            bound_kernel(request)
            return web.Response(body=b"x" * 400_000)

    gate = Some()
    address = await serve(web.Server(gate))
    with connect_deaf(address) as client:
        await asyncio.get_running_loop().sock_sendall(client, GET)
        await gate.begin()
        stopping = asyncio.ensure_future(address.server.shutdown(30.0))
        read = b""
        while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), PATIENCE):
            read += piece
        assert read.endswith(b"\r\n\r\n" + b"x" * 400_000)
        await asyncio.wait_for(stopping, PATIENCE)


async def test_when_the_time_is_up_the_rest_is_cancelled_and_cut(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    address = await serve(web.Server(gate))
    waiting, reading = await address.connect(), await address.connect()
    await waiting.send(GET)
    await reading.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    await until(lambda: len(gate.requests) == 2)
    begin = time.perf_counter()
    await address.server.shutdown(0.1)
    assert 0.08 <= time.perf_counter() - begin <= 2.0
    assert address.server.connections == []
    assert isinstance(await gate.end(), asyncio.CancelledError)
    for peer in (waiting, reading):
        assert await peer.is_closed()
    assert said(caplog, logging.INFO) == ["Stopping: 2 connections are cut, 2 handlers cancelled"]


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(serve: Serve) -> None:
    class Some(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            bound_kernel(request)
            return web.Response(body=b"x" * 400_000)

    gate = Some()
    address = await serve(web.Server(gate))
    with connect_deaf(address) as client:
        await asyncio.get_running_loop().sock_sendall(client, GET)
        await gate.begin()
        (connection,) = address.server.connections
        await until(lambda: connection.flow.writing_paused)
        await asyncio.wait_for(address.server.shutdown(0.1), PATIENCE)
        assert address.server.connections == []


async def test_a_client_that_stays_after_its_refusal_does_not_hold_up_the_end(serve: Serve) -> None:
    address = await serve(web.Server(Gate(), limits=Limits()))
    peer = await address.connect()
    await peer.send(b"BAD\r\n\r\n")
    assert (await peer.head()).status == 400
    await asyncio.wait_for(address.server.shutdown(0.1), PATIENCE)
    assert address.server.connections == []


async def test_a_handler_whose_client_is_gone_is_waited_for(serve: Serve) -> None:
    gate = Gate()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(GET)
    await gate.begin()
    peer.abort()
    await until(lambda: not address.server.connections)
    stopping = asyncio.ensure_future(address.server.shutdown(30.0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not stopping.done()
    gate.opened.set()
    await asyncio.wait_for(stopping, PATIENCE)
    assert gate.ended.done()


async def test_a_handler_whose_client_is_gone_is_cancelled_when_the_time_is_up(serve: Serve) -> None:
    gate = Gate()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(GET)
    await gate.begin()
    peer.abort()
    await until(lambda: not address.server.connections)
    await address.server.shutdown(0.05)
    assert isinstance(await gate.end(), asyncio.CancelledError)


async def test_clients_that_come_and_go_while_the_server_stops(serve: Serve) -> None:
    gate = Gate()
    gate.opened.set()
    address = await serve(web.Server(gate))
    peers = [await address.connect() for _ in range(20)]
    asking = [asyncio.ensure_future(peer.send(GET * 5)) for peer in peers]
    stopping = asyncio.ensure_future(address.server.shutdown(30.0))
    late = [await address.connect() for _ in range(5)]
    await asyncio.gather(*asking)
    for peer in (*peers, *late):
        answers = await peer.until_closed()
        assert answers.count(b"HTTP/1.1 200 OK") <= 5
        await peer.close()
    await asyncio.wait_for(stopping, PATIENCE)
    assert address.server.connections == []
