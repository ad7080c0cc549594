"""Streams, trailers, early hints and server-sent events, read by clients that others have written."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import h11
import httpx
import pytest

from aioweb import web
from tests.conftest import Address, Serve
from tests.interop.clients import PATIENCE, Aiohttp, Client, Curl, Httpx, find_program

CLIENTS = {"httpx": Httpx, "aiohttp": Aiohttp, "curl": Curl}
LARGE = bytes(range(256)) * 20_000


class Site:
    """What is served, and how far its endless stream has come."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "file"
        self.file.write_bytes(LARGE)
        self.read = asyncio.Semaphore(0)
        self.ended = asyncio.Event()
        self.app = web.Application()
        for handler in (self.file_, self.pieces, self.broken, self.trailers, self.hints, self.events, self.whole):
            self.app.router.add_get(f"/{handler.__name__}", handler)

    async def file_(self, request: web.Request) -> web.Response:
        return web.Response(body=self.file.open("rb"))

    async def pieces(self, request: web.Request) -> web.Response:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(LARGE), 50_001):
                yield LARGE[start : start + 50_001]

        return web.Response(body=pieces())

    async def broken(self, request: web.Request) -> web.Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.sleep(0)
            raise LookupError

        return web.Response(body=pieces())

    async def trailers(self, request: web.Request) -> web.Response:
        response = web.Response(text="content")
        response.trailers["X-Sum"] = hashlib.sha256(b"content").hexdigest()
        return response

    async def hints(self, request: web.Request) -> web.Response:
        await request.send_early_hints("</style.css>; rel=preload; as=style")
        return web.Response(text="page")

    async def whole(self, request: web.Request) -> web.StreamResponse:
        """Some events, and the end."""

        async def events() -> AsyncIterator[web.ServerSentEvent]:
            yield web.ServerSentEvent("one\ntwo", event="add", id="1", retry=10)
            yield web.ServerSentEvent("é")

        return web.EventSourceResponse(events())

    async def events(self, request: web.Request) -> web.StreamResponse:
        """An event when the client has shown the one before."""
        try:
            async with web.EventSourceResponse(request=request) as source:
                number = 0
                while True:
                    await source.send(f"event {number}")
                    await self.read.acquire()
                    number += 1
        finally:
            self.ended.set()
        return source


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
async def address(serve: Serve, site: Site) -> Address:
    return await serve(site.app)


@pytest.fixture(params=CLIENTS)
async def client(request: Any, tmp_path: Path) -> AsyncIterator[Client]:
    """Each of the clients."""
    async with CLIENTS[request.param](tmp_path) as client:
        yield client


@pytest.mark.parametrize("path", ["/file_", "/pieces"])
async def test_a_large_stream(address: Address, client: Client, path: str) -> None:
    for _ in range(2):
        reply = await client.request("GET", address.url + path)
        assert hashlib.sha256(reply.body).digest() == hashlib.sha256(LARGE).digest()
        assert ("Content-Length" in reply.headers) == (path == "/file_")


async def test_a_part_is_not_taken_for_the_whole(address: Address, client: Client) -> None:
    with pytest.raises((aiohttp.ClientPayloadError, httpx.RemoteProtocolError, AssertionError, OSError)):
        await client.request("GET", f"{address.url}/broken")


async def test_trailers_disturb_nobody(address: Address, client: Client) -> None:
    for _ in range(2):
        reply = await client.request("GET", f"{address.url}/trailers")
        assert (reply.status, reply.body) == (200, b"content")


async def test_h11_reads_trailers(address: Address) -> None:
    peer = await address.connect()
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target="/trailers", headers=[("Host", "a"), ("TE", "trailers")])
    await peer.send(connection.send(request) or b"")
    await peer.send(connection.send(h11.EndOfMessage()) or b"")
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(await asyncio.wait_for(peer.reader.read(65536), PATIENCE))
    assert event.headers == [(b"x-sum", hashlib.sha256(b"content").hexdigest().encode())]


async def test_curl_shows_trailers_and_early_hints(address: Address, tmp_path: Path) -> None:
    async with Curl(tmp_path) as curl:
        assert isinstance(curl, Curl)
        await curl.fetch(f"{address.url}/trailers")
        assert b"X-Sum: " + hashlib.sha256(b"content").hexdigest().encode() in (tmp_path / "heads").read_bytes()
        reply, heads = await curl.fetch(f"{address.url}/hints")
        assert (reply.status, reply.body) == (200, b"page")
        assert heads[0] == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style"


async def test_early_hints_disturb_nobody(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/hints")
    assert (reply.status, reply.body) == (200, b"page")


async def test_trailers_do_not_disturb_the_standard_library(address: Address) -> None:
    def ask() -> list[bytes]:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE)
        contents = []
        # No /hints: http.client takes a 103 for the response (RFC 8297 section 3 warns of such clients).
        for path in ("/trailers", "/whole", "/trailers"):
            connection.request("GET", path)
            contents.append(connection.getresponse().read())
        connection.close()
        return contents

    first, events, last = await asyncio.to_thread(ask)
    assert (first, last) == (b"content", b"content")
    assert events.startswith(b"event: add\n")


# -- server-sent events ------------------------------------------------------------------------------------------------


async def test_events_as_a_whole(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/whole")
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.body.decode() == "event: add\nid: 1\nretry: 10\ndata: one\ndata: two\n\ndata: é\n\n"


async def lines_of_aiohttp(url: str) -> AsyncIterator[str]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        async for line in answer.content:
            yield line.decode().rstrip("\n")


async def lines_of_httpx(url: str) -> AsyncIterator[str]:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client, client.stream("GET", url) as answer:
        async for line in answer.aiter_lines():
            yield line


async def lines_of_curl(url: str) -> AsyncIterator[str]:
    command = [find_program("curl"), "-q", "-sSN", "--noproxy", "*", "--max-time", str(PATIENCE), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield line.decode().rstrip("\n")
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("lines_of", [lines_of_aiohttp, lines_of_httpx, lines_of_curl])
async def test_each_event_is_there_when_it_is_sent_and_leaving_ends_them(
    address: Address, site: Site, lines_of: Any
) -> None:
    lines = lines_of(f"{address.url}/events")
    seen = []
    async for line in lines:
        if line:
            seen.append(line)
            site.read.release()
        if len(seen) == 5:
            break
    assert seen == [f"data: event {number}" for number in range(5)]
    await lines.aclose()
    await asyncio.wait_for(site.ended.wait(), PATIENCE)
