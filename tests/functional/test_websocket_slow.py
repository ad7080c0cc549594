"""Clients that do not read, over real sockets: the oldest messages give way, or the client does."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Message, WebSocketConnection
from tests.conftest import Serve
from tests.functional.scripts import bound_kernel, connect_deaf, until
from tests.wsclient import handshake

pytestmark = pytest.mark.on_every_loop

MOST = 200_000


class Ticker:
    """An application that opens WebSockets and leaves them to the test; `deaf` is the client of the first."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.held: list[web.WebSocketResponse] = []
        self.ends: list[tuple[int | None, str | None]] = []
        self.app = web.Application()
        self.app.router.add_get("/", self.listen)

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        bound_kernel(request)
        ws = web.WebSocketResponse(compress=False, max_buffered=MOST, **self.options)
        await ws.prepare(request)
        self.held.append(ws)
        async for _ in ws:
            pass
        self.ends.append((ws.close_code, ws.closed_by))
        return ws


async def read_all(client: socket.socket, last: str) -> list[str]:
    """What the client has to read, up to this message."""
    loop = asyncio.get_running_loop()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await asyncio.wait_for(loop.sock_recv(client, 1), 5)
    ground, texts = WebSocketConnection(client=True), list[str]()
    while not texts or texts[-1] != last:
        ground.receive_data(await asyncio.wait_for(loop.sock_recv(client, 65536), 5))
        while isinstance(event := ground.next_event(), Message):
            texts.append(str(event.data).strip())
    return texts


@pytest.mark.parametrize("broadcast", [False, True])
async def test_the_latest_news_arrive_and_the_oldest_do_not(serve: Serve, broadcast: bool) -> None:
    ticker = Ticker(slow="drop_oldest")
    with connect_deaf(await serve(ticker.app)) as client:
        await asyncio.get_running_loop().sock_sendall(client, handshake())
        await until(lambda: ticker.held)
        ws = ticker.held[0]
        for number in range(200):
            text = f"{number} ".ljust(10_000)
            if broadcast:
                assert web.broadcast(ticker.held, text) == []
            else:
                await asyncio.wait_for(_wait(ws.send_str(text)), 1)
            assert ws.buffered <= MOST
        assert ws.dropped > 100
        got = [int(text) for text in await read_all(client, "199")]
        assert len(got) + ws.dropped == 200
        assert got == sorted(got)
        assert got[-5:] == [195, 196, 197, 198, 199], "what the transport does not hold is a queue of the latest"


async def _wait(awaitable: Any) -> None:
    await awaitable


@pytest.mark.parametrize("broadcast", [False, True])
async def test_a_client_that_is_too_far_behind_is_closed_and_gone(serve: Serve, broadcast: bool) -> None:
    ticker = Ticker(slow="close", timeout=0.05)
    address = await serve(ticker.app, limits=web.Limits(keepalive_timeout=0.1))
    with connect_deaf(address) as client:
        await asyncio.get_running_loop().sock_sendall(client, handshake())
        await until(lambda: ticker.held)
        if broadcast:
            while not (late := web.broadcast(ticker.app.websockets, "x" * 10_000)):
                pass
            assert late == ticker.held
        else:
            with pytest.raises(web.WebSocketClosed):
                while True:
                    ticker.held[0].send_str("x" * 10_000)
        assert ticker.held[0].closed
        await until(lambda: ticker.ends)
        assert ticker.ends == [(1013, "server")]
        await until(lambda: not address.server.connections)
