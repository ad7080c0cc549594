"""FEATURES.md, section J: WebSockets as aiohttp 0.17 has them, one test or more for each row.

Handlers are written as in 2015 where a row is about that: plain calls of `start`, `send_str` and their kin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aioweb
from aioweb import web
from aioweb.protocol.websocket import Close, Ping, Pong, WebSocketError
from tests.conftest import PATIENCE, Address
from tests.functional.scripts import until
from tests.wsclient import (
    CLOSE,
    CONTINUATION,
    FIELDS,
    PING,
    PONG,
    TEXT,
    Client,
    close_frame,
    frame,
    open_websocket,
)

Play = Callable[[web.WebSocketResponse], Awaitable[object]]


@pytest.fixture
def play(serve: Any) -> Any:
    """`await play(part, **options)`: the address of a server whose handler starts a WebSocket and plays the part."""

    async def start(part: Play, **options: Any) -> Address:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(**options)
            ws.start(request)
            await part(ws)
            return ws

        app = web.Application()
        app.router.add_route("GET", "/", handler)
        return await serve(app)  # type: ignore[no-any-return]

    return start


async def receive_all(ws: web.WebSocketResponse) -> list[web.WSMessage]:
    messages: list[web.WSMessage] = []
    while not messages or messages[-1].tp in (web.MsgType.text, web.MsgType.binary):
        messages.append(await ws.receive())
    return messages


# -- J1 to J3: to open it ----------------------------------------------------------------------------------------------


async def test_j1_it_is_made_with_the_arguments_of_2015(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        assert (await ws.receive()).tp is web.MsgType.close

    address = await play(part, timeout=10.0, autoclose=True, autoping=True, protocols=("chat",))
    client = await open_websocket(address, "/", "Sec-WebSocket-Protocol: chat")
    assert client.answer.headers["Sec-WebSocket-Protocol"] == "chat"
    await client.close()
    with pytest.raises(TypeError):
        web.WebSocketResponse(10.0)  # type: ignore[misc]


async def test_j2_start_is_a_plain_call(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        assert ws.started
        ws.send_str("started")

    client = await open_websocket(await play(part))
    assert await client.data() == "started"


@pytest.mark.parametrize(
    ("changes", "method", "status", "fields"),
    [
        ({"Upgrade": None}, "GET", 400, {}),
        ({"Connection": None}, "GET", 400, {}),
        ({"Sec-WebSocket-Key": None}, "GET", 400, {}),
        ({"Sec-WebSocket-Key": "bad"}, "GET", 400, {}),
        ({}, "POST", 405, {"Allow": "GET"}),
        ({"Sec-WebSocket-Version": "1"}, "GET", 426, {"Sec-WebSocket-Version": "13"}),
        ({"Sec-WebSocket-Version": None}, "GET", 426, {"Sec-WebSocket-Version": "13"}),
    ],
)
async def test_j2_a_bad_handshake_is_refused_and_the_connection_goes_on(
    serve: Any, changes: dict[str, str | None], method: str, status: int, fields: dict[str, str]
) -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        ws.start(request)
        raise AssertionError("it has started")

    app = web.Application()
    app.router.add_route("*", "/", handler)
    given = dict(line.split(": ", 1) for line in FIELDS) | changes
    peer = await (await serve(app)).connect()
    for _ in range(2):
        lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
        answer = await peer.request(method, "/", *lines)
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in fields} == fields


async def test_j3_can_start_tells_whether_and_which_protocol(serve: Any) -> None:
    told: list[tuple[bool, str | None]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["chat"])
        ok, protocol = ws.can_start(request)
        told.append((ok, protocol))
        if not ok:
            return web.Response(text="no")
        ws.start(request)
        with pytest.raises(RuntimeError):
            ws.can_start(request)
        return ws

    app = web.Application()
    app.router.add_route("GET", "/", handler)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"no"
    client = await open_websocket(address, "/", "Sec-WebSocket-Protocol: chat")
    await client.close()
    assert told == [(False, None), (True, "chat")]


# -- J4 to J7: to receive and to send ----------------------------------------------------------------------------------


async def test_j4_it_tells_its_state(play: Any) -> None:
    held: list[web.WebSocketResponse] = []

    async def part(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        assert (ws.closed, ws.close_code, ws.protocol, ws.exception()) == (False, None, "chat", None)
        await receive_all(ws)

    client = await open_websocket(await play(part, protocols=["chat"]), "/", "Sec-WebSocket-Protocol: chat")
    await client.close(4001)
    assert (held[0].closed, held[0].close_code, held[0].exception()) == (True, 4001, None)


async def test_j5_sends_are_plain_calls(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.send_str("text")
        ws.send_bytes(b"bytes")
        ws.ping()
        ws.ping(b"ping")
        ws.pong()
        ws.pong(b"pong")

    client = await open_websocket(await play(part))
    assert [await client.data(), await client.data()] == ["text", b"bytes"]
    assert [await client.next() for _ in range(4)] == [Ping(b""), Ping(b"ping"), Pong(b""), Pong(b"pong")]


async def test_j5_wrong_types_and_wrong_times_are_refused(play: Any) -> None:
    before = web.WebSocketResponse()
    for send in (lambda: before.send_str("x"), lambda: before.send_bytes(b"x"), before.ping, before.pong):
        with pytest.raises(RuntimeError):
            send()
    refused: list[type[BaseException]] = []

    async def part(ws: web.WebSocketResponse) -> None:
        for wrong in (lambda: ws.send_str(b"x"), lambda: ws.send_bytes("x")):  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                wrong()
        await receive_all(ws)
        for late in (lambda: ws.send_str("x"), lambda: ws.send_bytes(b"x"), ws.ping, ws.pong):
            with pytest.raises(RuntimeError) as caught:
                late()  # type: ignore[operator]
            refused.append(caught.type)

    client = await open_websocket(await play(part))
    await client.close()
    await until(lambda: len(refused) == 4)
    assert set(refused) == {web.WebSocketClosed}


async def test_j6_pings_are_answered_and_pongs_swallowed(play: Any) -> None:
    received: list[web.WSMessage] = []

    async def part(ws: web.WebSocketResponse) -> None:
        received.extend(await receive_all(ws))

    client = await open_websocket(await play(part))
    await client.send(frame(PING, b"are you there"), frame(PONG, b"yes"), frame(TEXT, b"hello"))
    assert await client.next() == Pong(b"are you there")
    await client.close(1000, "bye")
    assert received == [(web.MsgType.text, "hello", None), (web.MsgType.close, 1000, "bye")]


async def test_j6_after_the_end_it_says_closed_and_then_raises(play: Any) -> None:
    told: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        await receive_all(ws)
        for _ in range(5):
            try:
                told.append((await ws.receive()).tp)
            except RuntimeError:
                told.append(RuntimeError)

    client = await open_websocket(await play(part))
    await client.close()
    await until(lambda: len(told) == 5)
    assert told == [web.MsgType.closed] * 4 + [RuntimeError]


async def test_j7_receivers_of_one_type_refuse_the_other(play: Any) -> None:
    received: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        received.append(await ws.receive_str())
        received.append(await ws.receive_bytes())
        for receive in (ws.receive_bytes, ws.receive_str):
            try:
                await receive()
            except TypeError as error:
                received.append(type(error))

    client = await open_websocket(await play(part))
    for data in ("text", b"bytes", "text", b"bytes"):
        await (client.text if isinstance(data, str) else client.binary)(data)  # type: ignore[arg-type]
    assert await client.next() == Close(1000, "")
    assert received == ["text", b"bytes", TypeError, TypeError]


# -- J8 to J14: to end it ----------------------------------------------------------------------------------------------


async def test_j8_close_is_true_once(play: Any) -> None:
    results: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        results.append(await ws.close(code=4000, message=b"enough"))
        results.append(await ws.close(code=4001))
        results.append(ws.close_code)

    client = await open_websocket(await play(part))
    assert await client.next() == Close(4000, "enough")
    await client.send(close_frame(4000))
    assert await client.peer.is_closed()
    assert results == [True, False, 4000]


async def test_j8_a_peer_that_does_not_answer_is_1006_after_the_timeout(play: Any) -> None:
    results: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        results.append(await ws.close(code=4000))
        results.append(ws.close_code)

    client = await open_websocket(await play(part, timeout=0.01))
    assert await client.next() == Close(4000, "")
    await until(lambda: results)
    assert results == [True, 1006]


def test_j9_types_have_their_numbers_at_both_places() -> None:
    names = {"text": 1, "binary": 2, "ping": 9, "pong": 10, "close": 8, "closed": 20, "error": 21}
    for place in (aioweb, web):
        assert {name: int(getattr(place.MsgType, name)) for name in names} == names


async def test_j10_a_close_of_the_peer_carries_code_and_text(play: Any) -> None:
    received: list[web.WSMessage] = []
    held: list[web.WebSocketResponse] = []

    async def part(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        received.extend(await receive_all(ws))

    client = await open_websocket(await play(part))
    await client.close(4444, "so long")
    assert received == [(web.MsgType.close, 4444, "so long")]
    assert (held[0].close_code, held[0].close_reason, held[0].closed_by) == (4444, "so long", "peer")


async def test_j10_a_peer_that_vanishes_is_1006(play: Any) -> None:
    ends: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        ends.append((await receive_all(ws))[-1].tp)
        ends.append(ws.close_code)

    client = await open_websocket(await play(part))
    client.peer.abort()
    await until(lambda: len(ends) == 2)
    assert ends == [web.MsgType.closed, 1006]


async def test_j11_two_tasks_cannot_receive(play: Any) -> None:
    refused: list[str] = []

    async def part(ws: web.WebSocketResponse) -> None:
        first = asyncio.ensure_future(receive_all(ws))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError) as caught:
            await ws.receive()
        refused.append(str(caught.value))
        await first

    client = await open_websocket(await play(part))
    await client.close()
    assert refused == ["another task receives from this WebSocket; only one can"]


async def test_j12_write_is_no_way_to_send(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        with pytest.raises(RuntimeError, match=r"Cannot call \.write\(\) for websocket"):
            ws.write(b"data")
        ws.send_str("refused")

    client = await open_websocket(await play(part))
    assert await client.data() == "refused"


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [("a, b, c", ["c", "b"], "b"), ("a", ["b"], None), (None, ["b"], None), ("a", [], None)],
)
async def test_j13_the_first_protocol_of_the_client_that_is_known(
    play: Any, offered: str | None, known: list[str], chosen: str | None
) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.send_str(str(ws.protocol))

    lines = [] if offered is None else [f"Sec-WebSocket-Protocol: {offered}"]
    client = await open_websocket(await play(part, protocols=known), "/", *lines)
    assert client.answer.headers.get("Sec-WebSocket-Protocol") == chosen
    assert await client.data() == str(chosen)


async def test_j14_the_server_closes_when_the_handler_returns(play: Any) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        ws.send_str("all of it")

    client = await open_websocket(await play(part))
    assert await client.data() == "all of it"
    assert await client.next() == Close(1000, "")
    await client.send(close_frame())
    assert await client.peer.is_closed()


# -- J15 to J18 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "status"), [("13", 101), ("8", 426), ("7", 426)])
async def test_j15_version_13_is_spoken(play: Any, version: str, status: int) -> None:
    async def part(ws: web.WebSocketResponse) -> None:
        pass

    lines = [line.replace(": 13", f": {version}") for line in FIELDS]
    peer = await (await play(part)).connect()
    await peer.send(("GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode())
    assert (await peer.head()).status == status


async def test_j16_deprecated_names_work_and_warn(play: Any) -> None:
    results: list[Any] = []

    async def part(ws: web.WebSocketResponse) -> None:
        with pytest.warns(DeprecationWarning, match="receive_msg"):
            results.append((await ws.receive_msg()).data)
        with pytest.warns(DeprecationWarning, match="wait_closed"):
            results.append(await ws.wait_closed())

    client = await open_websocket(await play(part))
    await client.text("old")
    assert await client.next() == Close(1000, "")
    await client.send(close_frame())
    await until(lambda: len(results) == 2)
    assert results == ["old", True]


async def test_j17_a_chat_of_three(serve: Any) -> None:
    async def chat(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        ws.start(request)
        for other in request.app["sockets"]:
            other.send_str("Someone joined")
        request.app["sockets"].append(ws)
        while True:
            message = await ws.receive()
            if message.tp != web.MsgType.text:
                break
            for other in request.app["sockets"]:
                if other is not ws:
                    other.send_str(message.data)
        request.app["sockets"].remove(ws)
        for other in request.app["sockets"]:
            other.send_str("Someone disconnected.")
        return ws

    app = web.Application()
    app["sockets"] = []
    app.router.add_route("GET", "/", chat)
    address = await serve(app)
    ann = await open_websocket(address)
    ben = await open_websocket(address)
    assert await ann.data() == "Someone joined"
    cleo = await open_websocket(address)
    assert [await ann.data(), await ben.data()] == ["Someone joined"] * 2
    await cleo.text("hello, both")
    assert [await ann.data(), await ben.data()] == ["hello, both"] * 2
    await ben.close()
    assert [await ann.data(), await cleo.data()] == ["Someone disconnected."] * 2


VIOLATIONS = {
    "a bad opcode": (frame(3), 1002),
    "a reserved bit": (frame(TEXT, bits=0x20), 1002),
    "no mask": (frame(TEXT, b"x", masked=False), 1002),
    "bad UTF-8": (frame(TEXT, b"\xc3\x28"), 1007),
    "a bad close code": (close_frame(1005), 1002),
    "a close frame of one octet": (frame(CLOSE, b"\x03"), 1002),
    "a fragmented control frame": (frame(PING, final=False), 1002),
    "a control frame that is too long": (frame(PING, bytes(126)), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "a message within a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    "too large a message": (frame(TEXT, bytes(1001)), 1009),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
async def test_j18_a_protocol_error_has_its_code_and_its_message(play: Any, violation: str) -> None:
    received: list[web.WSMessage] = []
    held: list[web.WebSocketResponse] = []

    async def part(ws: web.WebSocketResponse) -> None:
        held.append(ws)
        received.extend(await receive_all(ws))

    octets, code = VIOLATIONS[violation]
    client: Client = await open_websocket(await play(part, max_msg_size=1000))
    await client.send(octets)
    event = await asyncio.wait_for(client.next(), PATIENCE)
    assert isinstance(event, Close)
    assert event.code == code
    assert await client.peer.is_closed()
    await until(lambda: received)
    assert received[-1].tp is web.MsgType.error
    assert isinstance(received[-1].data, WebSocketError)
    assert held[0].exception() is received[-1].data
    assert held[0].close_code == code
