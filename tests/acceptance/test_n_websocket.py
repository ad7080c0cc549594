"""FEATURES.md, row N17: the WebSocket of aiohttp 3.14, one test or more per argument, for the `websockets` client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aioweb import web
from tests.conftest import Address
from tests.functional.scripts import until

Play = Callable[[web.WebSocketResponse], Awaitable[object]]
QUICK = web.Limits(keepalive_timeout=0.1)  # for the sake of the clock, which ticks as often as its deadlines need


@pytest.fixture
def play(serve: Any) -> Any:
    """`await play(part, **options)`: the address of a server whose handler opens a WebSocket and plays the part."""

    async def start(part: Play, **options: Any) -> Address:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(**options)
            await ws.prepare(request)
            await part(ws)
            return ws

        app = web.Application()
        app.router.add_get("/", handler)
        return await serve(app, limits=QUICK)  # type: ignore[no-any-return]

    return start


def visit(address: Address, **options: Any) -> connect:
    """Open it from outside."""
    return connect(address.url.replace("http", "ws"), **options)


async def close_code(client: ClientConnection) -> int:
    """Wait until the server has closed; the code that it gave."""
    with pytest.raises(ConnectionClosed):
        while True:
            await client.recv()
    assert client.close_code is not None
    return client.close_code


async def vanish(client: ClientConnection) -> None:
    """End the client without a word."""
    client.transport.abort()
    await client.wait_closed()


async def echo(ws: web.WebSocketResponse) -> None:
    async for message in ws:
        if message.type is web.WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)


async def test_n17_prepare_and_async_iteration(play: Any) -> None:
    async with visit(await play(echo)) as client:
        for data in ("text", b"bytes", "", "ünï" * 30_000):
            await client.send(data)
            assert await client.recv() == data
    assert client.close_code == 1000


async def test_n17_can_prepare(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["chat"])
        ready = ws.can_prepare(request)
        if not (ready and ready.ok and ready.protocol):
            return web.Response(status=403, text=ready.reason or "speak chat")
        await ws.prepare(request)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    with pytest.raises(InvalidStatus) as caught:
        await visit(address)
    assert (caught.value.response.status_code, caught.value.response.body) == (403, b"speak chat")
    async with visit(address, subprotocols=["chat"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "chat"


async def test_n17_timeout(play: Any) -> None:
    ends: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        await ws.receive()
        await ws.close()
        ends.append((ws.close_code, ws.closed_by))

    client = await visit(await play(part, timeout=0.05))
    client.transport.pause_reading()
    await client.send("go")
    await until(lambda: ends)
    assert ends == [(1006, "timeout")]
    await vanish(client)


async def test_n17_receive_timeout(play: Any) -> None:
    waited: list[str] = []

    async def part(ws: web.WebSocketResponse) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await ws.receive()
        waited.append("default")
        with pytest.raises(asyncio.TimeoutError):
            await ws.receive(timeout=0.01)
        waited.append("given")
        await ws.send_str("where are you?")
        assert await ws.receive_str(timeout=5) == "here"

    async with visit(await play(part, receive_timeout=0.01)) as client:
        assert await client.recv() == "where are you?"
        await client.send("here")
        assert await close_code(client) == 1000
    assert waited == ["default", "given"]


@pytest.mark.parametrize(("autoclose", "closed"), [(True, True), (False, False)])
async def test_n17_autoclose(play: Any, autoclose: bool, closed: bool) -> None:
    states: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        message = await ws.receive()
        states.append((message.type, message.data, message.extra, ws.closed, ws.close_code))
        await ws.close()

    async with visit(await play(part, autoclose=autoclose)) as client:
        await client.close(4000, "bye")
    assert states == [(web.WSMsgType.CLOSE, 4000, "bye", closed, 4000)]


async def test_n17_autoping_answers_by_itself(play: Any) -> None:
    async with visit(await play(echo)) as client:
        pong = await client.ping(b"data")
        assert await pong >= 0


async def test_n17_without_autoping_pings_are_messages(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        async for message in ws:
            assert message.type is web.WSMsgType.PING
            await ws.pong(message.data)
            await ws.send_str(f"ponged {message.data!r}")

    async with visit(await play(part, autoping=False), ping_interval=None) as client:
        pong = await client.ping(b"data")
        assert await client.recv() == "ponged b'data'"
        await pong


async def test_n17_heartbeat_keeps_a_living_peer(play: Any) -> None:
    held: list[web.WebSocketResponse] = []

    async def part(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        await echo(ws)

    async with visit(await play(part, heartbeat=0.02), ping_interval=None):
        await until(lambda: held and held[0].latency is not None)
        assert not held[0].closed


async def test_n17_heartbeat_ends_a_dead_peer(play: Any) -> None:
    ends: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        await echo(ws)
        ends.append((ws.close_code, ws.closed_by))

    client = await visit(await play(part, heartbeat=0.02, ping_timeout=0.02), ping_interval=None)
    client.transport.pause_reading()
    await until(lambda: ends)
    assert ends == [(1006, "timeout")]
    await vanish(client)


async def test_n17_protocols(play: Any) -> None:
    async with visit(await play(echo, protocols=("v1", "v2")), subprotocols=["v3", "v2", "v1"]) as client:
        assert client.subprotocol == "v2"


@pytest.mark.parametrize(
    ("compress", "offered", "agreed"),
    [
        (True, "deflate", "server_max_window_bits=12"),
        (10, "deflate", "server_max_window_bits=10"),
        (web.PerMessageDeflate(server_no_context_takeover=True), "deflate", "server_no_context_takeover"),
        (False, "deflate", None),
        (True, None, None),
    ],
)
async def test_n17_compress(play: Any, compress: Any, offered: Any, agreed: str | None) -> None:
    states: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        states.append(ws.compress)
        await echo(ws)

    async with visit(await play(part, compress=compress), compression=offered) as client:
        assert client.response is not None
        extensions = client.response.headers.get("Sec-WebSocket-Extensions")
        assert extensions is None if agreed is None else agreed in str(extensions)
        for _ in range(3):
            await client.send("much of the same " * 500)
            assert await client.recv() == "much of the same " * 500
    assert (states[0] is None) is (agreed is None)


@pytest.mark.parametrize(("options", "limit"), [({}, 4 * 1024**2), ({"max_msg_size": 1000}, 1000)])
@pytest.mark.parametrize("compression", ["deflate", None])
async def test_n17_max_msg_size(play: Any, options: Any, limit: int, compression: Any) -> None:
    address = await play(echo, **options)
    async with visit(address, compression=compression, max_size=None) as client:
        await client.send(bytes(limit))
        assert len(await client.recv()) == limit
        await client.send(bytes(limit + 1))
        assert await close_code(client) == 1009


async def test_n17_max_msg_size_0_is_no_limit(play: Any) -> None:
    async with visit(await play(echo, max_msg_size=0), max_size=None) as client:
        await client.send(bytes(5 * 1024**2))
        assert len(await client.recv()) == 5 * 1024**2


async def test_n17_writer_limit(play: Any) -> None:
    sent: list[int] = []

    async def part(ws: web.WebSocketResponse) -> None:
        ws.get_extra_info("socket").setsockopt(1, 7, 4096)  # SOL_SOCKET, SO_SNDBUF
        while ws.buffered <= 200_000:
            waiting = ws.send_bytes(bytes(10_000))
            if ws.buffered <= 100_000:
                await asyncio.wait_for(waiting, 1)  # below the limit nobody waits
        try:
            await asyncio.wait_for(_wait(ws.send_bytes(b"x")), 0.02)
        except asyncio.TimeoutError:
            sent.append(ws.buffered)

    client = await visit(await play(part, writer_limit=150_000), compression=None)
    client.transport.pause_reading()
    await until(lambda: sent)
    await vanish(client)
    assert sent[0] > 150_000 // 4, "it waits down to the low-water mark"


async def _wait(awaitable: Awaitable[None]) -> None:
    await awaitable


async def test_n17_decode_text(play: Any) -> None:
    received: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        message = await ws.receive()
        received.append((message.type, message.data, message.json()))
        await ws.receive()

    async with visit(await play(part, decode_text=False)) as client:
        await client.send('{"ü": 1}')
        await client.send(b"\xff", text=True)
        assert await close_code(client) == 1007
    assert received == [(web.WSMsgType.TEXT, '{"ü": 1}'.encode(), {"ü": 1})]


async def test_n17_json_both_ways(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        data = await ws.receive_json()
        await ws.send_json({"got": data})
        data = await ws.receive_json(loads=lambda text: {"read": text})
        await ws.send_json_bytes(data, dumps=lambda data: json.dumps(data).encode())
        async for message in ws:
            await ws.send_json(message.json(), dumps=lambda data: f"<{data}>")

    async with visit(await play(part)) as client:
        await client.send("[1, 2]")
        assert json.loads(await client.recv()) == {"got": [1, 2]}
        await client.send("raw")
        assert json.loads(await client.recv()) == {"read": "raw"}
        await client.send('"x"')
        assert await client.recv() == "<x>"


async def test_n17_send_frame(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        await ws.send_frame("größer".encode(), web.WSMsgType.TEXT)
        await ws.send_frame(b"\0\1", web.WSMsgType.BINARY, compress=False)

    async with visit(await play(part)) as client:
        assert [await client.recv(), await client.recv()] == ["größer", b"\0\1"]


async def test_n17_get_extra_info(play: Any) -> None:
    held: list[web.WebSocketResponse] = []

    async def part(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        await ws.send_json(ws.get_extra_info("peername"))
        assert ws.get_extra_info("no such thing", 5) == 5

    async with visit(await play(part)) as client:
        assert json.loads(await client.recv()) == list(client.local_address)
        await client.wait_closed()
    await until(lambda: held[0].get_extra_info("peername", "gone") == "gone")


async def test_n17_close_codes_and_reasons(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        for wrong in (999, 1005, 1006, 1015, 2999, 5000):
            with pytest.raises(ValueError, match="close frame"):
                await ws.close(code=wrong)
        with pytest.raises(ValueError, match="123 bytes"):
            await ws.close(message="x" * 124)
        assert await ws.close(code=web.WSCloseCode.SERVICE_RESTART, message="in a minute")
        assert ws.closed_by == "server"

    async with visit(await play(part)) as client:
        assert await close_code(client) == 1012
        assert client.close_reason == "in a minute"


async def test_n17_what_was_sent_before_a_close_arrives(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        for number in range(100):
            ws.send_bytes(bytes(10_000) + b"%d" % number)
        await ws.close(drain=True)

    async with visit(await play(part), compression=None) as client:
        for number in range(100):
            assert (await client.recv())[10_000:] == b"%d" % number
        assert await close_code(client) == 1000


async def test_n17_origins(play: Any) -> None:
    address = await play(echo, allowed_origins=["self", "https://friend.example"])
    for origin in (None, address.url, "https://friend.example"):
        async with visit(address, origin=origin) as client:
            await client.send("welcome")
            assert await client.recv() == "welcome"
    with pytest.raises(InvalidStatus) as caught:
        await visit(address, origin="https://evil.example")
    assert caught.value.response.status_code == 403


async def test_n17_a_stop_says_1001(play: Any) -> None:
    ends: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        await echo(ws)
        ends.append((ws.close_code, ws.closed_by))

    address = await play(part)
    async with visit(address) as client:
        stopping = asyncio.ensure_future(address.server.shutdown(5))
        assert await close_code(client) == 1001
        await stopping
    assert ends == [(1001, "server")]


async def test_n17_while_the_server_stops_new_ones_are_503(serve: Any) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        stopping = asyncio.ensure_future(address.server.shutdown(5))
        await asyncio.sleep(0)
        request.app["stopping"].append(stopping)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        return ws

    app = web.Application()
    app["stopping"] = []
    app.router.add_get("/", handler)
    address = await serve(app)
    with pytest.raises(InvalidStatus) as caught:
        await visit(address)
    assert caught.value.response.status_code == 503
    await app["stopping"][0]
