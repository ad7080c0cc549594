"""Deadlines over real sockets: nobody holds a connection for longer than the limits say."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from tests.conftest import PATIENCE, Address, Peer, Serve
from tests.functional.scripts import GET, Gate, bound_kernel, connect_deaf, said, until

pytestmark = pytest.mark.on_every_loop

SHORT = 0.1
LONG = 60.0
TIMES = ("head_timeout", "body_timeout", "keepalive_timeout", "write_timeout", "lingering_time")
AT_MOST = 2.0
"""Seconds after which a deadline of SHORT must have passed, on a machine that does something else as well."""


def limits(**changes: Any) -> Limits:
    """Limits of which only those named are short."""
    times = dict.fromkeys(
        ("head_timeout", "body_timeout", "keepalive_timeout", "write_timeout", "lingering_time"), LONG
    )
    return Limits(**{**times, **changes})


async def echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read())


async def ends_in_time(peer: Peer) -> bytes:
    """What the server says before it closes; that must take about SHORT."""
    begin = time.perf_counter()
    said_last = await peer.until_closed()
    assert SHORT * 0.5 <= time.perf_counter() - begin <= AT_MOST
    return said_last


async def trickle(peer: Peer, octets: bytes) -> None:
    """Send octet by octet, slowly, until the server has had enough."""
    try:
        for position in range(len(octets)):
            await peer.send(octets[position : position + 1])
            await asyncio.sleep(SHORT / 5)
    except ConnectionError:
        pass


# -- heads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_a_client_that_says_nothing_is_left_without_a_word(serve: Serve, octets: bytes) -> None:
    address = await serve(web.Server(echo, limits=limits(head_timeout=SHORT)))
    peer = await address.connect()
    await peer.send(octets)
    assert await ends_in_time(peer) == b""


@pytest.mark.parametrize("octets", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\nG"])
async def test_half_a_head_is_a_408(serve: Serve, octets: bytes, caplog: pytest.LogCaptureFixture) -> None:
    address = await serve(web.Server(echo, limits=limits(head_timeout=SHORT)))
    peer = await address.connect()
    await peer.send(octets)
    answer = await ends_in_time(peer)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert said(caplog, logging.INFO) == []


async def test_octets_that_trickle_do_not_extend_the_deadline_of_a_head(serve: Serve) -> None:
    gate = Gate()
    address = await serve(web.Server(gate, limits=limits(head_timeout=SHORT)))
    peer = await address.connect()
    sending = asyncio.ensure_future(trickle(peer, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1000))
    assert (await ends_in_time(peer)).startswith(b"HTTP/1.1 408 ")
    sending.cancel()
    assert gate.requests == []


async def test_a_second_head_has_its_own_deadline(serve: Serve) -> None:
    address = await serve(web.Server(echo, limits=limits(head_timeout=SHORT)))
    peer = await address.connect()
    await peer.request("GET", "/")
    await asyncio.sleep(2 * SHORT)
    await peer.request("GET", "/")
    await peer.send(b"GET")
    assert (await ends_in_time(peer)).startswith(b"HTTP/1.1 408 ")


async def test_silence_between_requests_ends_the_connection(serve: Serve) -> None:
    address = await serve(web.Server(echo, limits=limits(keepalive_timeout=SHORT)))
    peer = await address.connect()
    for _ in range(3):
        await peer.request("GET", "/")
        await asyncio.sleep(SHORT / 4)
    assert await ends_in_time(peer) == b""


async def test_a_handler_may_take_its_time(serve: Serve) -> None:
    async def slow(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(3 * SHORT)
        return web.Response(body=await request.read())

    address = await serve(web.Server(slow, limits=limits(**dict.fromkeys(TIMES, SHORT))))
    peer = await address.connect()
    assert (await peer.request("POST", "/", body=b"hello")).body == b"hello"


async def test_a_handler_that_computes_costs_others_no_time(serve: Serve) -> None:
    async def compute(request: web.BaseRequest) -> web.Response:
        time.sleep(3 * SHORT)  # noqa: ASYNC251  (that is the point)
        return web.Response(text="computed")

    address = await serve(web.Server(compute, limits=limits(head_timeout=SHORT, keepalive_timeout=SHORT)))
    other = await address.connect()
    await other.send(GET[:-1])
    peer = await address.connect()
    assert (await peer.request("GET", "/")).body == b"computed"
    await other.send(GET[-1:])
    assert (await other.response()).status == 200
    assert await ends_in_time(other) == b""


# -- content -----------------------------------------------------------------------------------------------------------


async def test_content_that_stops_is_a_408(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    address = await serve(web.Server(echo, limits=limits(body_timeout=SHORT)))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    begin = time.perf_counter()
    assert (await peer.response()).status == 408
    assert SHORT * 0.5 <= time.perf_counter() - begin <= AT_MOST
    assert await peer.is_closed()
    assert said(caplog, logging.INFO) == []


async def test_content_that_trickles_is_content(serve: Serve) -> None:
    address = await serve(web.Server(echo, limits=limits(body_timeout=SHORT)))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n")
    await trickle(peer, b"hello, world, !")
    assert (await peer.response()).body == b"hello, world, !"


async def test_the_deadline_of_content_runs_only_while_the_handler_waits(serve: Serve) -> None:
    class Slow(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            await asyncio.sleep(3 * SHORT)
            return web.Response(body=await request.read())

    gate = Slow()
    address = await serve(web.Server(gate, limits=limits(body_timeout=SHORT)))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    await asyncio.sleep(3 * SHORT)
    await peer.send(b"llo")
    assert (await peer.response()).body == b"hello"


@pytest.mark.parametrize("trickling", [False, True])
async def test_the_rest_of_content_that_nobody_wants_is_not_waited_for_long(serve: Serve, trickling: bool) -> None:
    async def ignore(request: web.BaseRequest) -> web.Response:
        return web.Response(text="ignored")

    address = await serve(web.Server(ignore, limits=limits(lingering_time=SHORT)))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\nhello")
    assert (await peer.response()).body == b"ignored"
    sending = asyncio.ensure_future(trickle(peer, b"x" * 1000 if trickling else b""))
    assert await ends_in_time(peer) == b""
    sending.cancel()


async def test_a_refused_client_that_stays_is_left(serve: Serve) -> None:
    address = await serve(web.Server(echo, limits=limits(lingering_time=SHORT)))
    peer = await address.connect()
    await peer.send(b"BAD\r\n\r\n")
    assert (await peer.until_closed()).startswith(b"HTTP/1.1 400 "), "our half is closed at once"
    sending = asyncio.ensure_future(trickle(peer, b"x" * 1000))
    await until(lambda: not address.server.connections)
    sending.cancel()


# -- clients that do not read ------------------------------------------------------------------------------------------


class Streaming(Gate):
    """Writes without an end, and counts."""

    written = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        bound_kernel(request)
        response = web.StreamResponse()
        await response.prepare(request)
        while self.written < 50_000_000:
            await response.write(b"x" * 10000)
            self.written += 10000
        return response


async def ask_deaf(address: Address) -> Any:
    client = connect_deaf(address)
    await asyncio.get_running_loop().sock_sendall(client, GET)
    return client


async def test_a_writer_waits_for_a_client_that_does_not_read(serve: Serve) -> None:
    gate = Streaming()
    address = await serve(web.Server(gate, limits=limits()))
    with await ask_deaf(address) as client:
        await gate.begin()
        (connection,) = address.server.connections
        await until(lambda: connection.flow.writing_paused)
        stopped = gate.written
        assert stopped < 2_000_000
        assert connection.transport.get_write_buffer_size() < 200_000
        for _ in range(20):
            await asyncio.sleep(0)
        assert gate.written == stopped
        read = 0
        while read < 2_000_000:
            read += len(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), PATIENCE))
        assert gate.written > stopped
    assert isinstance(await gate.end(), ConnectionResetError)


async def test_a_client_that_does_not_read_its_response_is_cut(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    gate = Streaming()
    address = await serve(web.Server(gate, limits=limits(write_timeout=SHORT)))
    with await ask_deaf(address):
        begin = time.perf_counter()
        assert isinstance(await gate.end(), ConnectionResetError)
        assert SHORT * 0.5 <= time.perf_counter() - begin <= AT_MOST
        await until(lambda: not address.server.connections)
    assert said(caplog, logging.INFO) == []


async def test_a_client_that_reads_slowly_is_served(serve: Serve) -> None:
    class Some(Streaming):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            bound_kernel(request)
            return web.Response(body=b"x" * 400_000)

    gate = Some()
    address = await serve(web.Server(gate, limits=limits(write_timeout=SHORT)))
    with await ask_deaf(address) as client:
        read = b""
        while not read.endswith(b"x" * 400_000):
            piece = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 16384), PATIENCE)
            assert piece, "it was cut"
            read += piece
            await asyncio.sleep(SHORT / 8)
    assert len(read) > 400_000


async def test_a_client_that_pipelines_and_does_not_read_is_cut(serve: Serve) -> None:
    class Careless(Gate):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            bound_kernel(request)
            response = web.StreamResponse()
            await response.prepare(request)
            response.write_eof(b"x" * 500_000)  # as in old code: nobody waits
            return response

    gate = Careless()
    address = await serve(web.Server(gate, limits=limits(write_timeout=SHORT)))
    client = connect_deaf(address)
    with client:
        await asyncio.get_running_loop().sock_sendall(client, GET * 200)
        await gate.begin()
        await until(lambda: not address.server.connections)
    assert len(gate.requests) < 10


# -- all at once -------------------------------------------------------------------------------------------------------


async def test_many_silent_clients_are_left_together(serve: Serve) -> None:
    address = await serve(web.Server(echo, limits=limits(head_timeout=SHORT, keepalive_timeout=SHORT)))
    peers = []
    for number in range(50):
        peers.append(await address.connect())
        if number < 25:  # at once: its time runs
            await peers[-1].request("GET", "/")
    for peer in peers:
        assert await peer.is_closed()
    await until(lambda: not address.server.connections)
