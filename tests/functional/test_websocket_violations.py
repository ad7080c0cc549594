"""Peers of WebSockets that break the protocol, over real sockets: each gets its code, and nobody else notices."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Close
from tests.conftest import PATIENCE, Address, Serve
from tests.data.websocket_violations import VIOLATIONS
from tests.functional.scripts import said, until
from tests.protocol.websocket.exchange import LIMIT
from tests.wsclient import BINARY, DEFLATE, TEXT, Client, close_frame, frame, open_websocket

pytestmark = pytest.mark.on_every_loop

MORE_VIOLATIONS = {
    "compressed without an agreement": (frame(TEXT, b"x", bits=0x40), 1002),
    "HTTP instead of frames": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1002),
    "noise": (bytes(range(255, 0, -1)), 1002),
}
ALL = VIOLATIONS | MORE_VIOLATIONS


@pytest.fixture
async def address(serve: Serve) -> Address:
    """An echo; its handlers put on record how they have ended."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=LIMIT)
        await ws.prepare(request)
        async for message in ws:
            await (ws.send_str if message.type is web.WSMsgType.TEXT else ws.send_bytes)(message.data)
        request.app["ends"].append((ws.close_code, ws.closed_by))
        return ws

    app = web.Application()
    app["ends"] = ends = []
    app.router.add_get("/", echo)
    address = await serve(app)
    address.ends = ends  # type: ignore[attr-defined]
    return address


def ends_of(address: Address) -> list[Any]:
    return address.ends  # type: ignore[attr-defined,no-any-return]


async def end_of(client: Client) -> tuple[int, str]:
    """The close frame, then the end of the stream; no reset comes before it."""
    event = await asyncio.wait_for(client.next(), PATIENCE)
    assert isinstance(event, Close), event
    assert await asyncio.wait_for(client.peer.reader.read(), PATIENCE) == b""
    return event.code, event.reason


@pytest.mark.parametrize("lines", [(), (DEFLATE,)])
async def test_each_violation_is_answered_with_its_code(
    address: Address, lines: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, (octets, code) in ALL.items():
        if lines and ("bits 1" in name or "compressed" in name):
            continue  # what RSV1 means was agreed on
        caplog.clear()
        client = await open_websocket(address, "/", *lines)
        await client.send(octets)
        got, reason = await end_of(client)
        assert got == code, name
        assert reason, name
        await client.peer.close()
        (told,) = (line for line in said(caplog) if "WebSocket closed" in line)
        assert told.endswith(f"closed by server: {code} {reason}")
        assert said(caplog, logging.INFO)[:-1] == [], "one access line, no more"
    assert [code for code, _ in ends_of(address)] == [
        code for name, (_, code) in ALL.items() if not (lines and ("bits 1" in name or "compressed" in name))
    ]


@pytest.mark.parametrize("name", ["opcode 3", "text, ff", "a frame over the limit", "unmasked text", "close 1005"])
async def test_octet_by_octet_the_answer_is_the_same(address: Address, name: str) -> None:
    octets, code = ALL[name]
    client = await open_websocket(address)
    for position in range(len(octets)):
        try:
            await client.send(octets[position : position + 1])
        except ConnectionError:
            break  # it has heard enough
        await asyncio.sleep(0)
    assert (await end_of(client))[0] == code


@pytest.mark.parametrize("name", ["opcode 3", "text, ff", "a frame over the limit"])
async def test_what_came_before_is_answered_before(address: Address, name: str) -> None:
    octets, code = ALL[name]
    client = await open_websocket(address)
    await client.send(frame(TEXT, b"before"), octets, frame(TEXT, b"behind"))
    assert await client.data() == "before"
    assert (await end_of(client))[0] == code


async def test_the_close_frame_arrives_though_octets_are_on_their_way(address: Address) -> None:
    client = await open_websocket(address)
    await client.send(frame(3), *[frame(BINARY, bytes(LIMIT))] * 2000)
    assert (await end_of(client))[0] == 1002


async def test_a_client_that_sends_for_ever_is_cut_in_the_end(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for _ in ws:
            pass
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app, limits=web.Limits(lingering_time=0.1))
    client = await open_websocket(address)
    await client.send(frame(3))
    with pytest.raises(ConnectionError):
        while True:
            await client.send(frame(BINARY, bytes(10_000)))
            await asyncio.sleep(0)


async def test_a_bomb_is_1009_and_costs_little(address: Address) -> None:
    client = await open_websocket(address, "/", DEFLATE)
    await client.binary(bytes(10_000_000))
    assert (await end_of(client))[0] == 1009


async def test_others_do_not_notice(address: Address) -> None:
    good = await open_websocket(address)
    for octets, _ in list(ALL.values())[::10]:
        bad = await open_websocket(address)
        await bad.send(octets)
        await good.text("still there")
        assert await good.data() == "still there"
        await bad.peer.close()
    assert await good.close(1000) == (1000, "")


async def test_a_handler_that_raises_is_1011_with_one_traceback(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.receive()
        raise ValueError("secret")

    app = web.Application()
    app.router.add_get("/room", handler)
    client = await open_websocket(await serve(app), "/room")
    await client.text("go")
    assert await end_of(client) == (1011, "")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [(record.getMessage(), bool(record.exc_info)) for record in errors] == [("Error handling GET /room", True)]


@pytest.mark.parametrize("result", ["nothing", "another response", "an exception of HTTP"])
async def test_a_handler_that_answers_twice_is_1011(serve: Serve, result: str) -> None:
    async def handler(request: web.Request) -> Any:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if result == "an exception of HTTP":
            raise web.HTTPForbidden
        return None if result == "nothing" else web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await open_websocket(await serve(app))
    assert await end_of(client) == (1011, "")


PHASES = {
    "in the head": b"",
    "after the handshake": b"",
    "in the head of a frame": frame(TEXT, b"hello")[:3],
    "in a frame": frame(TEXT, b"hello")[:-2],
    "between fragments": frame(TEXT, b"hello", final=False),
    "after a message": frame(TEXT, b"hello"),
    "in its close frame": close_frame()[:4],
    "after its close frame": close_frame(),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["reset", "end"])
async def test_a_client_may_vanish_in_every_phase(
    address: Address, phase: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    if phase == "in the head":
        peer = await address.connect()
        await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: web")
    else:
        client = await open_websocket(address)
        peer = client.peer
        await client.send(PHASES[phase])
    if how == "reset":
        peer.abort()
    else:
        await peer.close()
    await until(lambda: not address.server.connections)
    if phase != "in the head":
        await until(lambda: ends_of(address))
        # A reset may overtake the close frame.
        overtaken = phase == "after its close frame" and ends_of(address) == [(1000, "peer")]
        assert overtaken or ends_of(address) == [(1006, "lost")]
    assert said(caplog, logging.WARNING) == []


async def test_a_vanished_client_is_no_error_for_who_only_sends(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        try:
            while True:
                await ws.send_bytes(bytes(1000))
                await asyncio.sleep(0)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await open_websocket(await serve(app))
    client.peer.abort()
    await asyncio.wait_for(ended.wait(), PATIENCE)
    await asyncio.sleep(0)
    assert [line for line in said(caplog, logging.WARNING) if "Error" in line] == []
