"""TestWebSocket; each test in memory and on a socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.testing import RawTestServer, TestClient, TestWebSocket, WebSocketRefused
from tests.testing.served import Room


async def test_messages_go_both_ways(client: TestClient) -> None:
    async with client.ws_connect("/echo") as ws:
        assert isinstance(ws, TestWebSocket)
        await ws.send_str("text")
        assert await ws.receive() == web.WSMessage(web.WSMsgType.TEXT, "text")
        await ws.send_bytes(b"octets")
        assert await ws.receive_bytes() == b"octets"
        await ws.send_json({"a": 1})
        assert await ws.receive_json() == {"a": 1}
        assert repr(ws) == "<TestWebSocket open>"
    assert ws.closed
    assert ws.close_code == 1000
    assert repr(ws) == "<TestWebSocket closed 1000>"


@pytest.mark.parametrize("compress", [True, False])
async def test_a_large_message_arrives_whole(compress: bool, client: TestClient) -> None:
    async with client.ws_connect("/echo", compress=compress) as ws:
        assert ws.compress == compress
        await ws.send_str("x" * 10**6)
        assert await ws.receive_str() == "x" * 10**6


async def test_the_handshake_carries_what_is_given(client: TestClient) -> None:
    await client.get("/login")
    async with client.ws_connect("/echo", protocols=["a", "b"], origin="http://a", headers={"Cookie": "x=1"}) as ws:
        assert ws.protocol == "a"
        assert ws.headers["Server"] == "aioweb"
        await ws.send_str("cookies")
        assert await ws.receive_json() == {"x": "1", "origin": "http://a"}
    async with await client.ws_connect("/echo") as ws:
        assert ws.protocol is None
        await ws.send_str("cookies")
        assert await ws.receive_json() == {"user": "ann", "origin": None}


async def test_a_refusal_tells_the_answer(client: TestClient) -> None:
    with pytest.raises(WebSocketRefused, match=r"opens no WebSocket here: 200 b'\{") as refused:
        await client.ws_connect("/hello")
    assert refused.value.status == 200
    assert refused.value.headers["Content-Type"].startswith("application/json")
    assert refused.value.content.startswith(b"{")


async def test_a_refusal_may_come_in_pieces(client: TestClient) -> None:
    with pytest.raises(WebSocketRefused) as refused:
        await client.ws_connect("/flood")
    assert refused.value.content == bytes(2**24)


async def test_a_refusal_may_be_empty(client: TestClient) -> None:
    with pytest.raises(WebSocketRefused, match="302"):
        await client.ws_connect("/login")


async def test_a_handshake_may_be_cut_off(client: TestClient, room: Room) -> None:
    asked = asyncio.ensure_future(client.ws_connect("/slow"))
    await room.entered.wait()
    client.server.server.connections[0].abort()
    with pytest.raises(ConnectionError, match="broken off the handshake"):
        await asked


async def test_a_handshake_that_takes_too_long_runs_into_the_timeout(client: TestClient) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await client.ws_connect("/slow", timeout=0.05)


async def test_pings_are_answered_by_themselves(client: TestClient) -> None:
    async with client.ws_connect("/echo") as ws:
        await ws.send_str("ping")
        assert await ws.receive_str() == "pinged"
        await ws.ping(b"a")
        await ws.pong(b"b")
        await ws.send_str("and on")
        assert await ws.receive_str() == "and on"


async def test_pings_may_be_looked_at(client: TestClient) -> None:
    async with client.ws_connect("/echo", autoping=False) as ws:
        await ws.send_str("ping")
        assert await ws.receive() == web.WSMessage(web.WSMsgType.PING, b"there?")
        assert await ws.receive_str() == "pinged"
        await ws.ping(b"mine")
        assert await ws.receive() == web.WSMessage(web.WSMsgType.PONG, b"mine")


async def test_a_message_of_another_kind_is_refused(client: TestClient) -> None:
    async with client.ws_connect("/echo") as ws:
        await ws.send_str("x")
        with pytest.raises(TypeError, match="not BINARY"):
            await ws.receive_bytes()


async def test_the_servers_close_is_heard(client: TestClient, room: Room) -> None:
    ws = await client.ws_connect("/echo")
    await ws.send_str("close")
    assert await ws.receive() == web.WSMessage(web.WSMsgType.CLOSE, 4000, "as you say")
    assert (ws.close_code, ws.close_reason) == (4000, "as you say")
    assert await ws.receive() == web.WSMessage(web.WSMsgType.CLOSED, None)
    assert not await ws.close()
    for send in (ws.send_str("x"), ws.send_bytes(b"x"), ws.ping()):
        with pytest.raises(ConnectionResetError):
            await send


async def test_iteration_ends_with_the_close(client: TestClient) -> None:
    ws = await client.ws_connect("/echo")
    for word in ("a", "b", "close"):
        await ws.send_str(word)
    assert [message.data async for message in ws] == ["a", "b"]
    assert [message async for message in ws] == []


async def test_a_cut_is_no_close(client: TestClient) -> None:
    ws = await client.ws_connect("/echo")
    await ws.send_str("cut")
    assert (await ws.receive()).type is web.WSMsgType.CLOSED
    assert ws.close_code == 1006


async def test_ones_own_close_says_why(client: TestClient, room: Room) -> None:
    ws = await client.ws_connect("/echo")
    assert await ws.close(code=4001, message=b"bye")
    assert ws.close_code == 4001
    while not room.said:
        await asyncio.sleep(0.01)
    assert room.said == ["closed 4001"]


async def test_another_task_may_wait_for_a_message_when_it_is_closed(client: TestClient) -> None:
    ws = await client.ws_connect("/echo")
    waiting = asyncio.create_task(ws.receive())
    await asyncio.sleep(0)
    assert await ws.close()
    assert (await waiting).type is web.WSMsgType.CLOSE


async def test_a_server_that_does_not_listen_is_not_waited_for(client: TestClient) -> None:
    ws = await client.ws_connect("/deaf", timeout=0.05)
    with pytest.raises(asyncio.TimeoutError):
        await ws.receive()
    assert await ws.close()
    assert ws.close_code == 1006


async def test_a_client_may_vanish(client: TestClient, room: Room) -> None:
    ws = await client.ws_connect("/echo")
    ws.drop()
    ws.drop()
    assert ws.close_code == 1006
    while not room.said:
        await asyncio.sleep(0.01)
    assert room.said == ["closed 1006"]


async def test_a_stop_of_the_server_is_told(client: TestClient) -> None:
    ws = await client.ws_connect("/echo")
    closing = asyncio.create_task(client.server.close(check_tasks=False))
    assert await ws.receive() == web.WSMessage(web.WSMsgType.CLOSE, 1001, ws.close_reason)
    await closing


async def test_it_may_be_closed_from_several_sides(client: TestClient) -> None:
    ws = await client.ws_connect("/echo")
    assert await asyncio.gather(ws.close(), ws.close()) == [True, True]
    assert ws.close_code == 1000


async def after_the_handshake(aioweb_client: Any, in_memory: bool, act: Callable[[Any], None]) -> TestWebSocket:
    async def handler(request: web.BaseRequest) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.drain()
        act(request.transport)
        return ws

    client = await aioweb_client(RawTestServer(handler, in_memory=in_memory))
    return await client.ws_connect("/")


async def test_a_server_need_not_wait_for_the_answer_to_its_close(aioweb_client: Any) -> None:
    def close_and_go(transport: Any) -> None:
        transport.write(b"\x88\x02\x03\xe9")
        transport.abort()

    ws = await after_the_handshake(aioweb_client, True, close_and_go)
    assert await ws.receive() == web.WSMessage(web.WSMsgType.CLOSE, 1001, "")


async def test_a_reset_is_no_close(aioweb_client: Any) -> None:
    def reset(transport: Any) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    ws = await after_the_handshake(aioweb_client, False, reset)
    assert (await ws.receive()).type is web.WSMsgType.CLOSED
    assert ws.close_code == 1006


async def test_close_of_the_client_closes_what_is_open(client: TestClient, room: Room) -> None:
    opened = [await client.ws_connect(path) for path in ("/echo", "/deaf", "/echo")]
    room.gate.set()
    await client.close()
    assert [ws.closed for ws in opened] == [True] * 3


async def test_what_is_no_http_breaks_the_handshake_off(aioweb_client: Any) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        request.transport.write(b"nonsense\r\n\r\n")  # type: ignore[union-attr]
        request.writer.abort()
        raise ConnectionResetError

    client = await aioweb_client(RawTestServer(handler))
    with pytest.raises(ConnectionError, match="broken off"):
        await client.ws_connect("/")
