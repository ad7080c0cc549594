"""The end of a WebSocket on the wire, plain and by TLS: the server closes first, nothing overtakes its close frame."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Close
from tests.conftest import PATIENCE, Address, Serve
from tests.functional.scripts import bound_kernel, connect_deaf, until
from tests.wsclient import BINARY, TEXT, Client, close_frame, frame, handshake, open_websocket

pytestmark = pytest.mark.on_every_loop

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"


class Door:
    """An application with an echo that keeps its WebSockets, and a TLS context or none."""

    def __init__(self, serve: Serve, tls: bool) -> None:
        self._serve = serve
        self._server_context = self._client_context = None
        if tls:
            self._server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._server_context.load_cert_chain(PEM)
            self._client_context = ssl.create_default_context(cafile=str(PEM))
        self.held: list[web.WebSocketResponse] = []
        self.address: Address

    async def open(self, **options: Any) -> Client:
        """Serve, and open a WebSocket."""
        app = web.Application()
        app.router.add_get("/", self.echo)
        self.address = await self._serve(app, ssl_context=self._server_context, **options)
        name = {"server_hostname": "localhost"} if self._client_context else {}
        return await open_websocket(self.address, "/", ssl=self._client_context, **name)

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.held.append(ws)
        async for message in ws:
            if message.data == "raise":
                raise ValueError("as asked")
            if message.data == "return":
                break
            await ws.send_str(message.data)
        return ws


@pytest.fixture(params=["plain", "TLS"])
def door(serve: Serve, request: pytest.FixtureRequest) -> Door:
    return Door(serve, request.param == "TLS")


async def the_end(client: Client) -> int:
    """The code of the close frame that comes next, and the end of the stream behind it, which the server makes."""
    event = await asyncio.wait_for(client.next(), PATIENCE)
    assert isinstance(event, Close), event
    assert await asyncio.wait_for(client.peer.reader.read(), PATIENCE) == b""
    return event.code


async def test_a_goodbye_of_the_client_ends_at_once(door: Door) -> None:
    client = await door.open()
    await client.text("hello")
    assert await client.data() == "hello"
    begun = time.monotonic()
    await client.send(close_frame(4000))
    assert await the_end(client) == 4000
    await client.peer.close()
    await until(lambda: not door.address.server.connections)
    assert time.monotonic() - begun < 0.5, "nothing was waited for"


async def test_a_goodbye_of_the_server_ends_at_once(door: Door) -> None:
    client = await door.open()
    await client.text("return")
    assert await client.next() == Close(1000, "")
    begun = time.monotonic()
    await client.send(close_frame(1000))
    assert await asyncio.wait_for(client.peer.reader.read(), PATIENCE) == b""
    await client.peer.close()
    await until(lambda: not door.address.server.connections)
    assert time.monotonic() - begun < 0.5
    assert door.held[0].close_code == 1000


async def test_a_failure_is_told_before_the_end(door: Door) -> None:
    client = await door.open()
    await client.text("raise")
    assert await the_end(client) == 1011


async def test_a_violation_is_told_though_octets_are_on_their_way(door: Door) -> None:
    client = await door.open()
    client.peer.writer.write(frame(3) + frame(BINARY, bytes(60_000)) * 20)
    assert await the_end(client) == 1002


async def test_a_stop_is_told_and_answered(door: Door) -> None:
    client = await door.open()
    await client.text("hello")
    await client.data()
    stopping = asyncio.ensure_future(door.address.server.shutdown(PATIENCE))
    assert await client.next() == Close(1001, "the server stops")
    await client.send(close_frame(1001))
    await client.peer.until_closed()
    await client.peer.close()
    await asyncio.wait_for(stopping, PATIENCE)
    assert (door.held[0].close_code, door.held[0].closed_by) == (1001, "server")


async def test_what_was_sent_before_the_end_arrives(door: Door) -> None:
    client = await door.open()
    texts = [f"{number} " * 3000 for number in range(50)]
    await client.send(*[frame(TEXT, text.encode()) for text in texts], frame(TEXT, b"return"))
    assert [await client.data() for _ in texts] == texts
    assert await client.next() == Close(1000, "")
    await client.send(close_frame())
    assert await client.peer.is_closed()


async def test_the_fin_is_the_servers(serve: Serve) -> None:
    """RFC 6455 section 7.1.1: so the client need not wait in TIME_WAIT, and no reset can overtake the close frame."""
    door = Door(serve, tls=False)
    client = await door.open()
    await client.send(close_frame())
    assert await the_end(client) == 1000
    assert len(door.address.server.connections) == 1, "the client's half is open still"
    await client.send(b"late octets")
    await asyncio.sleep(0)
    assert len(door.address.server.connections) == 1, "and they are no reason for a reset"


async def test_a_client_that_does_not_close_its_half_is_cut(serve: Serve) -> None:
    door = Door(serve, tls=False)
    client = await door.open(limits=web.Limits(lingering_time=0.05))
    await client.send(close_frame())
    assert await the_end(client) == 1000
    await until(lambda: not door.address.server.connections)


async def test_a_client_that_does_not_read_is_cut_when_the_time_to_close_is_over(serve: Serve) -> None:
    ends: list[Any] = []

    async def flood(request: web.Request) -> web.WebSocketResponse:
        bound_kernel(request)
        ws = web.WebSocketResponse(timeout=0.05)
        await ws.prepare(request)
        for _ in range(50):
            ws.send_bytes(bytes(100_000))
        await ws.close()
        ends.append((ws.close_code, ws.closed_by))
        return ws

    app = web.Application()
    app.router.add_get("/", flood)
    address = await serve(app, limits=web.Limits(keepalive_timeout=0.1))
    with connect_deaf(address) as client:
        client.setblocking(True)
        client.sendall(handshake())
        client.settimeout(0)
        await until(lambda: ends)
        assert ends == [(1006, "timeout")]


async def test_frames_behind_the_handshake_in_one_segment_are_not_lost(door: Door) -> None:
    client = await door.open()
    await client.close()
    options: dict[str, Any] = {}
    if client.peer.writer.get_extra_info("sslcontext") is not None:
        options = {"ssl": client.peer.writer.get_extra_info("sslcontext"), "server_hostname": "localhost"}
    peer = await door.address.connect(**options)
    await peer.send(handshake() + frame(TEXT, b"early"))
    assert (await peer.head()).status == 101
    assert await peer.reader.readexactly(7) == b"\x81\x05early"
