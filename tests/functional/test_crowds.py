"""More clients than places, over real sockets: who waits, who is refused, who makes room, and what it costs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE
from tests.functional.scripts import GET, until

pytestmark = pytest.mark.on_every_loop

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hall:
    """A runner with few places, on TCP, TLS and a Unix socket, whose handlers wait at /gate."""

    def __init__(self, folder: Path) -> None:
        self.gate = asyncio.Event()
        self.inside = self.most_inside = 0
        self.folder = folder
        self.writers: list[asyncio.StreamWriter] = []
        self.client_tls = ssl.create_default_context(cafile=str(PEM))
        self.runner: web.AppRunner
        self.sites: dict[str, Any] = {}

    async def open(self, places: int, **options: Any) -> Hall:
        app = web.Application()
        app.router.add_get("/", self.hello)
        app.router.add_get("/gate", self.wait)
        self.runner = web.AppRunner(app, max_connections=places, access_log=None, **options)
        await self.runner.setup()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(PEM)
        self.sites = {
            "tcp": web.TCPSite(self.runner, "127.0.0.1", 0),
            "tls": web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=tls),
            "unix": web.UnixSite(self.runner, self.folder / "socket"),
        }
        for site in self.sites.values():
            await site.start()
        return self

    async def close(self) -> None:
        self.gate.set()
        for writer in self.writers:
            writer.transport.abort()
        await self.runner.cleanup()

    @property
    def server(self) -> Any:
        return self.runner.server

    async def hello(self, request: web.Request) -> web.Response:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        return web.Response(text="hello")

    async def wait(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        return web.Response(text="waited")

    async def connect(self, kind: str = "tcp") -> Streams:
        if kind == "unix":
            streams = await asyncio.open_unix_connection(str(self.folder / "socket"))
        elif kind == "tls":
            port, tls = self.sites["tls"].port, self.client_tls
            streams = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
        else:
            streams = await asyncio.open_connection("127.0.0.1", self.sites["tcp"].port)
        self.writers.append(streams[1])
        return streams

    async def ask(self, path: str = "/", kind: str = "tcp") -> Streams:
        """Connect and send a request; whoever wants its answer reads it."""
        streams = await self.connect(kind)
        streams[1].write(GET.replace(b" / ", b" %b " % path.encode()))
        return streams

    async def fill(self, places: int, kind: str = "tcp") -> list[Streams]:
        """Take places by requests that do not end."""
        taken = [await self.ask("/gate", kind) for _ in range(places)]
        await until(lambda: sum(connection.busy for connection in self.server.connections) >= places)
        return taken


async def answer(streams: Streams) -> bytes:
    """The status line of an answer, its head and content read."""
    head = await asyncio.wait_for(streams[0].readuntil(b"\r\n\r\n"), PATIENCE)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    await streams[0].readexactly(length)
    return head


async def answer_and_close(streams: Streams) -> bytes:
    head = await answer(streams)
    streams[1].close()
    return head


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Hall]]]:
    made = Hall(tmp_path)
    yield made.open
    await made.close()


OpenHall = Callable[..., Awaitable[Hall]]


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_n_are_served_and_the_next_one_waits_for_a_place(hall: OpenHall, kind: str) -> None:
    house = await hall(2)
    taken = await house.fill(2, kind)
    late = await house.ask("/", kind)
    for _ in range(50):
        await asyncio.sleep(0)
    assert sum(connection.busy for connection in house.server.connections) == 2
    assert not late[0].at_eof()
    taken[0][1].transport.abort()
    assert b" 200 " in await answer(late)


async def test_all_listeners_wait_and_all_who_wait_come_in(hall: OpenHall) -> None:
    house = await hall(1)
    await house.fill(1)
    late = [await house.ask("/", kind) for kind in ("tcp", "unix") for _ in range(5)]
    await until(lambda: len(house.server.connections) >= 2)
    house.gate.set()
    assert all(b" 200 " in head for head in await asyncio.gather(*map(answer_and_close, late)))


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_n_are_served_and_the_next_one_is_refused(hall: OpenHall, kind: str) -> None:
    house = await hall(2, when_full="refuse")
    taken = await house.fill(2, kind)
    refused = await house.connect(kind)
    head = await answer(refused)
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert b"\r\nConnection: close\r\n" in head
    refused[1].transport.abort()
    taken[0][1].transport.abort()
    await until(lambda: len(house.server.connections) == 1)
    assert b" 200 " in await answer(await house.ask("/", kind))


async def test_who_has_sent_a_request_reads_his_refusal(hall: OpenHall) -> None:
    house = await hall(1, when_full="refuse")
    await house.fill(1)
    for _ in range(20):
        streams = await house.ask()
        assert b" 503 " in await answer(streams)
        streams[1].close()


@pytest.mark.parametrize("when_full", ["wait", "refuse"])
async def test_idle_connections_make_room_and_busy_ones_do_not(hall: OpenHall, when_full: str) -> None:
    # A short deadline makes the clock tick often; it is what says how long idle is.
    house = await hall(3, when_full=when_full, limits=web.Limits(lingering_time=0.1))
    (busy,) = await house.fill(1)
    idle = await house.ask()
    assert b" 200 " in await answer(idle)
    sending = await house.connect()
    sending[1].write(GET[:20])
    await until(lambda: len(house.server.connections) == 3)
    await until(lambda: any(connection.quiet for connection in house.server.connections))
    late = await house.ask()
    assert b" 200 " in await answer(late)
    assert await asyncio.wait_for(idle[0].read(), PATIENCE) == b""
    sending[1].write(GET[20:])
    assert b" 200 " in await answer(sending)
    house.gate.set()
    assert b" 200 " in await answer(busy)


async def test_silent_connections_do_not_keep_others_out(hall: OpenHall) -> None:
    house = await hall(5, limits=web.Limits(lingering_time=0.1))
    for _ in range(5):
        await house.connect()
    assert b" 200 " in await answer(await house.ask())


async def test_silent_handshakes_do_not_keep_others_out_for_long(hall: OpenHall) -> None:
    house = await hall(2, limits=web.Limits(tls_handshake_timeout=0.3))
    silent = [await asyncio.open_connection("127.0.0.1", house.sites["tls"].port) for _ in range(5)]
    assert b" 200 " in await answer(await house.ask("/", "tls"))
    for _, writer in silent:
        writer.close()


async def test_a_flood_is_served_few_at_a_time(hall: OpenHall) -> None:
    house = await hall(4)

    async def visit() -> bytes:
        return await answer_and_close(await house.ask())

    heads = await asyncio.wait_for(asyncio.gather(*(visit() for _ in range(200))), 4 * PATIENCE)
    assert all(b" 200 " in head for head in heads)
    assert house.most_inside <= 4


async def test_ten_thousand_are_refused_cheaply_and_leave_nothing_behind(
    hall: OpenHall, caplog: pytest.LogCaptureFixture
) -> None:
    house = await hall(1, when_full="refuse")
    await house.fill(1)
    address = ("127.0.0.1", house.sites["tcp"].port)
    descriptors = len(os.listdir("/proc/self/fd"))
    most = 0

    def flood(count: int) -> int:
        """Connect and go on to the next at once; some read their answer."""
        refused = 0
        for number in range(count):
            with socket.create_connection(address, timeout=PATIENCE) as sock:
                if not number % 100:
                    refused += sock.recv(100).startswith(b"HTTP/1.1 503 ")
        return refused

    loop = asyncio.get_running_loop()
    count = 10_000 if isinstance(loop, asyncio.SelectorEventLoop) else 1_000
    flooding = loop.run_in_executor(None, flood, count)
    while not flooding.done():
        await asyncio.sleep(0.01)
        most = max(most, len(os.listdir("/proc/self/fd")) - descriptors)
    assert await flooding == count // 100
    # Those in the backlog, those that the loop accepts in a burst, and those that read their answer.
    assert most < 600
    await until(lambda: len(house.server.connections) == 1)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["1 connections are in use, as many as may be: others are refused"]


async def test_a_stop_serves_those_who_wait(hall: OpenHall) -> None:
    house = await hall(1)
    (busy,) = await house.fill(1)
    late = [await house.ask() for _ in range(10)]
    await until(lambda: len(house.server.connections) >= 2)
    asyncio.get_running_loop().call_later(0.1, house.gate.set)
    await asyncio.wait_for(house.runner.cleanup(), PATIENCE)
    for streams in (busy, *late):
        head = await answer(streams)
        assert b" 200 " in head
        assert b"\r\nConnection: close\r\n" in head


async def test_a_server_can_start_and_stop_while_it_is_full(hall: OpenHall) -> None:
    house = await hall(1)
    await house.fill(1)
    late = await house.ask()
    await until(lambda: len(house.server.connections) == 2)
    for site in house.sites.values():
        await site.stop()
    house.gate.set()
    assert b" 200 " in await answer(late)


@pytest.mark.parametrize("requests", [1, 3])
async def test_a_connection_has_so_many_requests(hall: OpenHall, requests: int) -> None:
    house = await hall(0, max_requests_per_connection=requests)
    streams = await house.connect()
    for number in range(requests):
        streams[1].write(GET)
        assert (b"\r\nConnection: close\r\n" in await answer(streams)) == (number == requests - 1)
    assert await asyncio.wait_for(streams[0].read(), PATIENCE) == b""
    piped = await house.connect()
    piped[1].write(GET * (requests + 1))
    received = await asyncio.wait_for(piped[0].read(), PATIENCE)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == requests
    assert received.count(b"\r\nConnection: close\r\n") == 1
