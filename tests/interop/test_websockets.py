"""WebSockets with clients that others have written: websockets by asyncio and by threads, aiohttp, wsproto by hand."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client
import websockets.sync.client
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from aioweb import web
from tests.conftest import Address, Serve

MESSAGES: list[str | bytes] = [
    "",
    b"",
    "x",
    "größer " * 1000,
    bytes(range(256)) * 1000,
    random.Random(4).randbytes(200_000),
    "the same again and again " * 20_000,
    "short",
]
COMPRESSIONS = ["deflate", None]


@pytest.fixture
async def address(serve: Serve) -> Address:
    """`/` echoes, `/news` is told what is broadcast."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=["echo"])
        await ws.prepare(request)
        async for message in ws:
            if message.type is web.WSMsgType.TEXT:
                await ws.send_str(message.data)
            else:
                await ws.send_bytes(message.data)
        ends.append((ws.close_code, ws.close_reason))
        return ws

    ends: list[Any] = []
    app = web.Application()
    app.router.add_get("/", echo)
    address = await serve(app)
    address.ends = ends  # type: ignore[attr-defined]
    address.app = app  # type: ignore[attr-defined]
    return address


def url(address: Address) -> str:
    return address.url.replace("http", "ws")


async def in_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call)


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_websockets_by_asyncio(address: Address, compression: Any) -> None:
    async with websockets.asyncio.client.connect(
        url(address), compression=compression, max_size=None, subprotocols=["echo"]
    ) as client:
        assert client.subprotocol == "echo"
        for message in MESSAGES:
            await client.send(message)
            assert await client.recv() == message
        await client.send(["in ", "frag", "ments ", "of much text " * 1000])
        assert await client.recv() == "in fragments " + "of much text " * 1000
        assert await (await client.ping()) >= 0
        for message in MESSAGES:
            await client.send(message)
        assert [await client.recv() for _ in MESSAGES] == MESSAGES
        await client.close(4000, "enough")
    assert address.ends == [(4000, "enough")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_websockets_by_threads(address: Address, compression: Any) -> None:
    def visit() -> list[Any]:
        with websockets.sync.client.connect(url(address), compression=compression, max_size=None) as client:
            got = []
            for message in MESSAGES:
                client.send(message)
                got.append(client.recv(timeout=5))
            assert client.ping().wait(5)
            client.close(4001, "bye")
        return got

    assert await in_thread(visit) == MESSAGES
    assert address.ends == [(4001, "bye")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("compress", [15, 9, 0])
async def test_aiohttp(address: Address, compress: int) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            url(address), compress=compress, protocols=["echo"], heartbeat=5.0, max_msg_size=0
        ) as client,
    ):
        assert client.protocol == "echo"
        for message in MESSAGES:
            if isinstance(message, str):
                await client.send_str(message)
                assert await client.receive_str() == message
            else:
                await client.send_bytes(message)
                assert await client.receive_bytes() == message
        await client.ping(b"there?")
        await client.close(code=4002, message=b"done")
        assert client.close_code == 4002
    assert address.ends == [(4002, "done")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("window", [9, 15])
async def test_wsproto_by_hand(address: Address, compression: str | None, window: int) -> None:
    def visit() -> list[Any]:
        extensions = [PerMessageDeflate(client_max_window_bits=window, server_max_window_bits=window)]
        ws = WSConnection(ConnectionType.CLIENT)
        got: list[Any] = []
        with socket.create_connection((address.host, address.port), timeout=5) as sock:
            sock.sendall(ws.send(Request("localhost", "/", extensions=extensions if compression else [])))
            whole: Any = ""
            while True:
                data = sock.recv(4096)
                ws.receive_data(data or None)
                for event in ws.events():
                    if isinstance(event, AcceptConnection):
                        assert bool(event.extensions) is bool(compression)
                        for message in MESSAGES:
                            kind = TextMessage if isinstance(message, str) else BytesMessage
                            sock.sendall(ws.send(kind(message)))  # type: ignore[arg-type]
                        sock.sendall(ws.send(Ping(b"p")))
                    elif isinstance(event, Pong):
                        assert event.payload == b"p"
                    elif isinstance(event, TextMessage | BytesMessage):
                        whole = event.data if not whole else whole + event.data
                        if event.message_finished:
                            got.append(whole if isinstance(event, TextMessage) else bytes(whole))
                            whole = ""
                            if len(got) == len(MESSAGES):
                                sock.sendall(ws.send(CloseConnection(4003, "over")))
                    elif isinstance(event, CloseConnection):
                        assert event.code == 4003
                        assert sock.recv(1) == b"", "the server closes first"
                        return got

    assert await in_thread(visit) == MESSAGES
    assert address.ends == [(4003, "over")]  # type: ignore[attr-defined]


async def test_a_broadcast_reaches_clients_of_every_kind(address: Address) -> None:
    async with (
        websockets.asyncio.client.connect(url(address)) as compressed,
        websockets.asyncio.client.connect(url(address), compression=None) as plain,
        aiohttp.ClientSession() as session,
        session.ws_connect(url(address), compress=15) as other,
    ):
        sockets = address.app.websockets  # type: ignore[attr-defined]
        for news in ("short", "long " * 1000):
            await compressed.send("between " * 20)
            assert await compressed.recv() == "between " * 20
            assert web.broadcast(sockets, news) == []
            assert [await compressed.recv(), await plain.recv(), await other.receive_str()] == [news] * 3
