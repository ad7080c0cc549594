"""WebSocketResponse and `broadcast` on a real server: names, types, and what is wrong with a call."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Close, Ping, Pong
from tests.conftest import PATIENCE, Address
from tests.wsclient import DEFLATE, FIELDS, PONG, Client, close_frame, frame, open_websocket

Play = Callable[[web.WebSocketResponse], Awaitable[object]]


class Recorder(web.Observer):
    """Keeps what it hears of WebSockets."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def websocket_opened(self, request: Any, ws: Any) -> None:
        self.heard.append(("opened", request.path))

    def websocket_message(self, request: Any, ws: Any, message: Any, sent: bool) -> None:
        self.heard.append(("sent" if sent else "received", message.type.name, message.data))

    def websocket_closed(self, request: Any, ws: Any) -> None:
        self.heard.append(("closed", ws.close_code))


@pytest.fixture
def play(serve: Any) -> Any:
    """`await play(part, **options)`: a server whose WebSockets play this part; returns its Address."""

    async def start(part: Play, server: dict[str, Any] | None = None, **options: Any) -> Address:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(**options)
            await ws.prepare(request)
            await part(ws)
            return ws

        app = web.Application()
        app.router.add_get("/", handler)
        return await serve(app, **(server or {}))  # type: ignore[no-any-return]

    return start


async def echo(ws: web.WebSocketResponse) -> None:
    async for message in ws:
        await (ws.send_str if message.type is web.WSMsgType.TEXT else ws.send_bytes)(message.data)


async def wait_for(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE)


# -- the handshake -------------------------------------------------------------------------------------------------


async def test_before_prepare_nothing_works() -> None:
    ws = web.WebSocketResponse()
    assert (ws.closed, ws.close_code, ws.close_reason, ws.closed_by) == (False, None, "", None)
    assert (ws.ws_protocol, ws.protocol, ws.compress, ws.buffered, ws.latency) == (None, None, None, 0, None)
    assert ws.exception() is None
    assert ws.get_extra_info("peername", "nobody") == "nobody"
    for call in (
        lambda: ws.send_str("x"),
        lambda: ws.send_bytes(b"x"),
        lambda: ws.send_json({}),
        lambda: ws.send_json_bytes({}, dumps=lambda data: b"{}"),
        lambda: ws.send_frame(b"", web.WSMsgType.TEXT),
        ws.ping,
        ws.pong,
    ):
        with pytest.raises(RuntimeError, match="prepare"):
            call()
    for later in (ws.receive, ws.close):
        with pytest.raises(RuntimeError, match="prepare"):
            await later()  # type: ignore[operator]


async def test_headers_that_were_set_before_are_sent(serve: Any) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        ws.headers["X-Room"] = "7"
        ws.set_cookie("seen", "yes")
        await ws.prepare(request)
        with pytest.raises(RuntimeError):
            ws.headers["X-Late"] = "no"
        return ws

    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Hook"] = "ran"

    app = web.Application()
    app.on_response_prepare.append(sign)
    app.router.add_get("/", handler)
    client = await open_websocket(await serve(app))
    headers = client.answer.headers
    assert (headers["X-Room"], headers["X-Hook"]) == ("7", "ran")
    assert headers["Set-Cookie"].startswith("seen=yes")
    assert headers.getall("Upgrade") == ["websocket"]
    assert headers.getall("Connection") == ["upgrade"]
    assert "Content-Length" not in headers
    assert "Content-Type" not in headers
    assert await client.next() == Close(1000, "")
    await client.send(close_frame())


async def test_a_handler_need_not_prepare(serve: Any) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        return web.WebSocketResponse()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await open_websocket(await serve(app))
    assert await client.next() == Close(1000, "")
    await client.send(close_frame())
    assert await client.peer.is_closed()


async def test_write_eof_closes(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        await ws.write_eof()
        assert ws.close_code == 1000

    client = await open_websocket(await play(part))
    assert await client.close() == (1000, "")


async def test_a_hook_that_fails_leaves_a_response_that_can_be_refused(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        try:
            await ws.prepare(request)
        except ValueError:
            assert not ws.prepared
            return web.Response(text="refused")
        return ws

    async def fail(request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            raise ValueError("not today")

    app = web.Application()
    app.on_response_prepare.append(fail)
    app.router.add_get("/", handler)
    assert (await (await serve(app)).request("GET", "/", *FIELDS)).body == b"refused"


async def test_preparing_again_is_harmless_and_another_request_is_refused(serve: Any) -> None:
    held: list[web.WebSocketResponse] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        if held:
            await held[0].prepare(request)
        ws = web.WebSocketResponse()
        assert await ws.prepare(request) is await ws.prepare(request)
        held.append(ws)
        await echo(ws)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    client = await open_websocket(address)
    assert (await address.request("GET", "/", *FIELDS)).status == 500
    await client.close()


async def test_can_prepare_tells_and_sends_nothing(serve: Any) -> None:
    answers: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["chat"])
        ready = ws.can_prepare(request)
        answers.append((tuple(ready), bool(ready), ready.reason))
        if not ready:
            return web.Response(text="a page")
        await ws.prepare(request)
        with pytest.raises(RuntimeError, match="Already started"):
            ws.can_prepare(request)
        await echo(ws)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"a page"
    await (await open_websocket(address, "/", "Sec-WebSocket-Protocol: chat")).close()
    assert answers[0][:2] == ((False, None), False)
    assert "Upgrade: websocket" in answers[0][2]
    assert answers[1] == ((True, "chat"), True, "")


async def test_a_low_level_server_opens_websockets_too(serve: Any) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await echo(ws)
        return ws

    client = await open_websocket(await serve(web.Server(handler)))
    await client.text("low")
    assert await client.data() == "low"
    await client.close()


# -- receiving and sending -----------------------------------------------------------------------------------------


async def test_what_is_sent_must_be_of_its_type(play: Any) -> None:
    checked: list[bool] = []

    async def part(ws: web.WebSocketResponse) -> None:
        for send, data in ((ws.send_str, b"x"), (ws.send_bytes, "x"), (ws.ping, 1), (ws.pong, None)):
            with pytest.raises(TypeError):
                send(data)  # type: ignore[operator]
        with pytest.raises(TypeError):
            ws.send_json(object())
        with pytest.raises(ValueError, match="at most 125 bytes"):
            ws.ping("x" * 126)
        with pytest.raises(ValueError, match="TEXT, BINARY, PING and PONG"):
            ws.send_frame(b"", web.WSMsgType.CLOSE)
        with pytest.raises(ValueError, match="3 is not a valid"):
            ws.send_frame(b"", 3)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="send_str"):
            ws.write(b"x")
        checked.append(True)

    client = await open_websocket(await play(part))
    assert await client.next() == Close(1000, "")
    assert checked


async def test_each_way_to_send_arrives(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.send_str("text")
        ws.send_bytes(b"bytes")
        ws.send_bytes(bytearray(b"array"))
        ws.send_bytes(memoryview(b"view"))
        ws.send_json({"a": [1]})
        ws.send_json([1], dumps=lambda data: json.dumps(data, indent=1))
        ws.send_json_bytes({"b": 2}, dumps=lambda data: b'{"b":2}')
        ws.send_frame("Übung".encode(), web.WSMsgType.TEXT)
        ws.send_frame(b"\0", web.WSMsgType.BINARY)
        ws.send_frame(b"by its number", 1)  # type: ignore[arg-type]
        await ws.drain()

    client = await open_websocket(await play(part))
    wanted = ["text", b"bytes", b"array", b"view", '{"a": [1]}', "[\n 1\n]", '{"b":2}', "Übung", b"\0", "by its number"]
    assert [await client.data() for _ in wanted] == wanted


async def test_pings_and_pongs_go_out(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.ping()
        ws.ping("text")
        ws.pong(b"news")
        ws.send_frame(b"framed", web.WSMsgType.PING)
        ws.send_frame(b"framed", web.WSMsgType.PONG)

    client = await open_websocket(await play(part))
    got = [await client.next() for _ in range(5)]
    assert got == [Ping(b""), Ping(b"text"), Pong(b"news"), Ping(b"framed"), Pong(b"framed")]


async def test_a_ping_may_be_awaited_for_its_pong(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        pong = await ws.ping("now")
        assert await pong >= 0
        await ws.send_str("alive")

    client = await open_websocket(await play(part))
    assert await client.next() == Ping(b"now")
    await client.send(frame(PONG, b"now"))
    assert await client.data() == "alive"


async def test_small_messages_and_those_that_say_so_are_not_compressed(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.send_str("x" * 99)
        ws.send_str("x" * 100)
        ws.send_str("x" * 100, compress=False)
        ws.send_str("x" * 5, compress=True)

    client = await open_websocket(await play(part, compress=web.PerMessageDeflate(min_size=100)), "/", DEFLATE)
    octets = bytearray()
    while octets.count(b"\x88") == 0:
        octets += await wait_for(client.peer.reader.read(65536))
    firsts = []
    while octets:
        firsts.append(octets[0])
        del octets[: 2 + octets[1]]
    assert firsts == [0x81, 0xC1, 0x81, 0xC1, 0x88]


async def test_receivers_of_one_type_refuse_others(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        with pytest.raises(TypeError, match="BINARY:b'bytes' is not TEXT"):
            await ws.receive_str()
        with pytest.raises(TypeError, match="TEXT:'text' is not BINARY"):
            await ws.receive_bytes()
        assert await ws.receive_json(loads=lambda text: text[::-1]) == "cba"
        with pytest.raises(TypeError, match="CLOSE:4000 is not TEXT"):
            await ws.receive_str()
        ws["checked"] = True

    held: list[web.WebSocketResponse] = []

    async def keep(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        await part(ws)

    client = await open_websocket(await play(keep))
    await client.binary(b"bytes")
    await client.text("text")
    await client.text("abc")
    assert (await client.close(4000))[0] == 4000
    assert held[0]["checked"]


async def test_observers_hear_of_the_whole_life(play: Any) -> None:
    recorder = Recorder()
    client = await open_websocket(await play(echo, {"observers": [recorder]}))
    await client.text("hi")
    await client.data()
    await client.close(4001)
    assert recorder.heard == [("opened", "/"), ("received", "TEXT", "hi"), ("sent", "TEXT", "hi"), ("closed", 4001)]


# -- who is connected ----------------------------------------------------------------------------------------------


async def room(serve: Any, number: int, *lines: str, **options: Any) -> tuple[web.Application, list[Client]]:
    """An application with an echo, and this many clients of it."""

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(**options)
        await ws.prepare(request)
        await echo(ws)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    return app, [await open_websocket(address, "/", *lines) for _ in range(number)]


async def test_an_application_knows_its_websockets(serve: Any) -> None:
    app, clients = await room(serve, 3)
    assert len(app.websockets) == 3
    await clients[0].close()
    assert len(app.websockets) == 2
    clients[1].peer.abort()
    while len(app.websockets) != 1:
        await asyncio.sleep(0)


async def test_an_application_above_knows_those_below(serve: Any) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await echo(ws)
        return ws

    below, above = web.Application(), web.Application()
    below.router.add_get("/", handler)
    above.add_subapp("/below", below)
    client = await open_websocket(await serve(above), "/below/")
    assert len(above.websockets) == len(below.websockets) == 1
    await client.close()
    assert len(above.websockets) == len(below.websockets) == 0


async def test_nothing_is_left_of_a_websocket_that_is_over(serve: Any) -> None:
    _, clients = await room(serve, 1)
    await clients[0].close()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is web.WebSocketResponse and thing.prepared]


@pytest.mark.parametrize("lines", [(), (DEFLATE,)])
async def test_broadcast_reaches_everybody(serve: Any, lines: tuple[str, ...]) -> None:
    app, clients = await room(serve, 3, *lines)
    assert web.broadcast(app.websockets, "news " * 50) == []
    assert [await client.data() for client in clients] == ["news " * 50] * 3
    web.broadcast(app.websockets, b"octets")
    assert [await client.data() for client in clients] == [b"octets"] * 3
    for client in clients:
        await client.text("still in step " * 9)
        assert await client.data() == "still in step " * 9
        await client.close()
    assert web.broadcast(app.websockets, "nobody") == []


async def test_broadcast_passes_by_who_is_closed_or_not_open_yet(serve: Any) -> None:
    app, clients = await room(serve, 1)
    held = list(app.websockets)
    await clients[0].close()
    assert web.broadcast([*held, web.WebSocketResponse()], "x") == []


@pytest.mark.parametrize("slow", ["skip", "close"])
async def test_broadcast_does_not_wait_for_the_slow(serve: Any, slow: str) -> None:
    app, clients = await room(serve, 2, compress=False)
    deaf, quick = app.websockets
    if deaf.get_extra_info("peername") != clients[0].peer.writer.get_extra_info("sockname"):
        deaf, quick = quick, deaf
    assert quick.get_extra_info("peername") == clients[1].peer.writer.get_extra_info("sockname")
    clients[0].peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    late: list[web.WebSocketResponse] = []
    sent = 0
    while not late:
        late = web.broadcast(app.websockets, bytes(500_000), max_buffered=1_000_000, slow=slow)
        sent += 1
        assert len(await clients[1].data()) == 500_000
        assert sent < 100
    assert late == [deaf]
    assert deaf.closed is (slow == "close")
    assert deaf.close_code == (1013 if slow == "close" else None)


def test_broadcast_refuses_what_it_cannot_send() -> None:
    with pytest.raises(TypeError):
        web.broadcast([], 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='"skip" or "close"'):
        web.broadcast([], "x", slow="wait")
