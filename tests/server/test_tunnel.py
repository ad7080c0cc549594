"""A connection that leaves HTTP: over real sockets, with the smallest protocol there is, an echo."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb.protocol.limits import Limits
from aioweb.server.server import Server
from aioweb.server.writer import StreamWriter

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


class Echo:
    """Sends back what it gets, until it gets `bye` or the server stops; `fill` makes it send more than fits."""

    def __init__(self, writer: StreamWriter) -> None:
        self.writer = writer
        self.over: asyncio.Future[str] = writer.loop.create_future()
        self.looks = 0

    def data_received(self, data: bytes) -> None:
        if data == b"bye":
            self.end("bye")
        elif data == b"look":
            self.writer.look_again(0.01)
        else:
            self.writer.put(data)

    def connection_lost(self) -> None:
        self.end("lost")

    def deadline_passed(self, now: float) -> None:
        self.looks += 1
        self.writer.put(b"looked")

    def failed(self) -> None:
        self.end("failed")

    def handler_ended(self) -> None:
        self.end("ended")

    def stop(self) -> None:
        self.writer.put(b"stopping")
        self.end("stopped")

    def end(self, why: str) -> None:
        if not self.over.done():
            self.over.set_result(why)


@pytest.fixture
async def echo(serve: Any) -> Any:
    ends: list[str] = []

    async def handler(head: Any, body: Any, writer: StreamWriter) -> None:
        tunnel = Echo(writer)
        rest = writer.switch(b"Upgrade: echo\r\n", tunnel)
        if rest:
            tunnel.data_received(rest)
        ends.append(await tunnel.over)

    address = await serve(Server(handler, limits=Limits(keepalive_timeout=0.2)))
    return address, ends


async def opened(address: Any, more: bytes = b"") -> Any:
    peer = await address.connect()
    await peer.send(REQUEST + more)
    answer = await peer.head()
    assert (answer.status, answer.headers["Connection"], answer.headers["Upgrade"]) == (101, "upgrade", "echo")
    assert "Content-Length" not in answer.headers
    assert "Transfer-Encoding" not in answer.headers
    return peer


async def test_octets_go_to_the_tunnel_and_back(echo: Any) -> None:
    address, ends = echo
    peer = await opened(address)
    await peer.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await peer.reader.readexactly(18) == b"GET / HTTP/1.1\r\n\r\n"
    await peer.send(b"bye")
    assert await peer.is_closed()
    assert ends == ["bye"]


async def test_what_came_with_the_request_is_not_lost(echo: Any) -> None:
    address, _ = echo
    peer = await opened(address, b"early")
    assert await peer.reader.readexactly(5) == b"early"


async def test_a_tunnel_hears_that_its_client_is_gone(echo: Any) -> None:
    address, ends = echo
    peer = await opened(address)
    peer.abort()
    while not ends:
        await asyncio.sleep(0)
    assert ends == ["lost"]


async def test_a_tunnel_is_looked_at_when_it_asked_for_it(echo: Any) -> None:
    address, _ = echo
    peer = await opened(address)
    await peer.send(b"look")
    assert await peer.reader.readexactly(6) == b"looked"


async def test_a_tunnel_is_told_of_the_stop(echo: Any) -> None:
    address, ends = echo
    peer = await opened(address)
    await address.server.shutdown(1.0)
    assert await peer.until_closed() == b"stopping"
    assert ends == ["stopped"]


async def test_a_request_with_content_to_come_cannot_switch(serve: Any) -> None:
    failures: list[str] = []

    async def handler(head: Any, body: Any, writer: StreamWriter) -> None:
        try:
            writer.switch(b"Upgrade: echo\r\n", Echo(writer))
        except RuntimeError as error:
            failures.append(str(error))
        writer.send(400, "Bad Request", b"", b"no", close=True)

    address = await serve(Server(handler))
    peer = await address.connect()
    await peer.send(REQUEST[:-2] + b"Content-Length: 5\r\n\r\n")
    assert (await peer.response()).status == 400
    assert "still to come" in failures[0]
