"""Behind the real nginx and haproxy: what an application sees of its clients, and clients of it."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets.asyncio.client

from aioweb import web
from tests.conftest import PATIENCE, Answer
from tests.interop.proxies import NAMES, Proxy, haproxy, listening, nginx

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"
TLS = ssl.create_default_context(cafile=str(PEM))
TLS.check_hostname = False
LARGE = bytes(range(256)) * 8000
SPOOFED = (
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6;proto=https;host=evil.example",
    "X-Forwarded-Host: evil.example",
)


class Counting(web.Observer):
    """Counts connections."""

    def __init__(self) -> None:
        self.opened = 0

    def connection_opened(self, peername: Any) -> None:
        self.opened += 1


class Site:
    """What is served behind a proxy."""

    def __init__(self) -> None:
        self.connections = Counting()
        self.read = asyncio.Queue[int]()
        self.go_on = asyncio.Event()
        self.started = asyncio.Event()
        self.outcome: asyncio.Queue[str] = asyncio.Queue()
        self.app = web.Application()
        self.app.observers.append(self.connections)
        for handler in (self.facts, self.socket, self.upload, self.stream, self.hang, self.file, self.events):
            self.app.router.add_route("*", f"/{handler.__name__}", handler)

    async def facts(self, request: web.Request) -> web.Response:
        lines = [str(request.remote), str(request.url), request.headers.get("X-Request-ID", "")]
        return web.Response(text="\n".join(lines))

    async def socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(allowed_origins=["self"])
        await ws.prepare(request)
        await ws.send_str(f"{request.remote} {request.url}")
        async for message in ws:
            await ws.send_bytes(message.data)
        return ws

    async def upload(self, request: web.Request) -> web.Response:
        digest = hashlib.sha256()
        async for piece in request.content.iter_any():
            digest.update(piece)
            self.read.put_nowait(len(piece))
        return web.Response(text=digest.hexdigest())

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.go_on.wait()
        await response.write(b"second")
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        async def events() -> AsyncIterator[str]:
            yield "one"
            await self.go_on.wait()

        return web.EventSourceResponse(events())

    async def hang(self, request: web.Request) -> web.Response:
        self.started.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.outcome.put_nowait("cancelled")
            raise
        self.outcome.put_nowait("nobody told it")
        return web.Response()

    async def file(self, request: web.Request) -> web.Response:
        return web.accel_redirect(request.query["path"], filename=request.query.get("name"), headers={"X-Own": "1"})


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(params=NAMES)
async def proxy(request: Any, site: Site, tmp_path: Path) -> AsyncIterator[Proxy]:
    start = nginx if request.param == "nginx" else haproxy
    options = {"forwarded": web.TrustedProxies("unix"), "handler_cancellation": True}
    async with (
        listening(site.app, str(tmp_path / "s"), **options) as (_, upstream),
        start(tmp_path, upstream) as proxy,
    ):
        yield proxy


def host(proxy: Proxy) -> str:
    """What the application takes for its host: the page's nginx, for port 80, passes it on without a port."""
    return "127.0.0.1" if proxy.name == "nginx" else f"127.0.0.1:{proxy.port}"


async def test_the_client_is_known_and_nobody_else_is_believed(proxy: Proxy) -> None:
    for lines in (), SPOOFED:
        answer = await proxy.request("GET", "/facts", "Host: example.org", *lines, "X-Request-ID: 1")
        remote, url, request_id = answer.body.decode().split("\n")
        assert (remote, url) == ("127.0.0.1", "http://example.org/facts")
        assert len(request_id) >= 32


@pytest.mark.parametrize("start", [nginx, haproxy])
async def test_the_scheme_is_that_of_the_client(start: Any, site: Site, tmp_path: Path) -> None:
    async with (
        listening(site.app, str(tmp_path / "s"), forwarded=web.TrustedProxies("unix")) as (_, upstream),
        start(tmp_path, upstream, certificate=PEM) as proxy,
    ):
        peer = await proxy.connect(ssl=TLS)
        answer = await peer.request("GET", "/facts", "Host: example.org", "X-Forwarded-Proto: http")
        assert answer.body.splitlines()[1] == b"https://example.org/facts"


async def test_connections_to_the_application_are_kept(site: Site, proxy: Proxy) -> None:
    before = site.connections.opened
    peer = await proxy.connect()
    for _ in range(20):
        assert (await peer.request("GET", "/facts")).status == 200
    assert site.connections.opened - before <= 2
    for _ in range(20):
        assert (await proxy.request("GET", "/facts")).status == 200
    # haproxy does not give a connection of one client to another for its first request: that is its safety.
    assert site.connections.opened - before <= (4 if proxy.name == "nginx" else 22)


async def test_a_websocket_goes_through(proxy: Proxy) -> None:
    url = f"ws://127.0.0.1:{proxy.port}/socket"
    async with websockets.asyncio.client.connect(url, origin=None, max_size=None) as client:
        assert await client.recv() == f"127.0.0.1 http://{host(proxy)}/socket"
        for message in b"", b"x" * 100, LARGE:
            await client.send(message)
            assert await client.recv() == message
        await (await client.ping())
    async with websockets.asyncio.client.connect(url, origin=websockets.Origin(f"http://{host(proxy)}")) as client:
        await client.recv()
    with pytest.raises(websockets.InvalidStatus, match="403"):
        await websockets.asyncio.client.connect(url, origin=websockets.Origin("http://evil.example"))


async def test_an_upload_arrives_as_it_is_sent(site: Site, proxy: Proxy) -> None:
    peer = await proxy.connect()
    head = b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    await peer.send(head + b"5\r\nhello\r\n")
    assert await asyncio.wait_for(site.read.get(), PATIENCE) == 5
    await peer.send(b"6\r\n world\r\n0\r\n\r\n")
    answer = await peer.response()
    assert answer.body.decode() == hashlib.sha256(b"hello world").hexdigest()


async def test_a_large_upload_arrives_whole(proxy: Proxy) -> None:
    answer = await proxy.request("POST", "/upload", body=LARGE)
    assert answer.body.decode() == hashlib.sha256(LARGE).hexdigest()


async def test_a_stream_arrives_as_it_is_written(site: Site, proxy: Proxy) -> None:
    peer = await proxy.connect()
    await peer.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    await peer.head()
    assert await asyncio.wait_for(peer.reader.readuntil(b"first\r\n"), PATIENCE) == b"5\r\nfirst\r\n"
    site.go_on.set()
    assert await asyncio.wait_for(peer.reader.readuntil(b"0\r\n\r\n"), PATIENCE) == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_events_arrive_as_they_are_sent(site: Site, proxy: Proxy) -> None:
    peer = await proxy.connect()
    await peer.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await peer.head()).headers["Content-Type"].startswith("text/event-stream")
    assert b"data: one" in await asyncio.wait_for(peer.reader.readuntil(b"\n\n"), PATIENCE)
    site.go_on.set()


async def test_the_application_hears_that_the_client_has_gone(site: Site, proxy: Proxy) -> None:
    peer = await proxy.connect()
    await peer.send(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(site.started.wait(), PATIENCE)
    peer.abort()
    assert await asyncio.wait_for(site.outcome.get(), PATIENCE) == "cancelled"


async def test_many_clients_get_their_own_answers(proxy: Proxy) -> None:
    async def ask(number: int) -> Answer:
        return await proxy.request("GET", f"/facts?{number}", "Host: example.org")

    answers = await asyncio.gather(*(ask(number) for number in range(100)))
    assert Counter(answer.body.split(b"\n")[1] for answer in answers) == Counter(
        f"http://example.org/facts?{number}".encode() for number in range(100)
    )
