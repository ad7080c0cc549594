"""Compressed content both ways between aioweb and clients that others have written."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.coding import make_encoder
from tests.conftest import Address, Serve
from tests.interop.clients import Aiohttp, Client, Curl, Httpx, Reply

TEXT = b"".join(b"line %d of something that repeats itself\n" % number for number in range(10_000))
CODINGS = ("gzip", "deflate", "br", "zstd")


class CompressedCurl(Curl):
    """curl --compressed."""

    async def fetch(self, url: str, *options: str | Path) -> tuple[Reply, list[bytes]]:
        return await super().fetch(url, "--compressed", *options)


# What each of them gets by default. (httpx knows zstd with another package only.)
CLIENTS = {"httpx": (Httpx, "br"), "aiohttp": (Aiohttp, "zstd"), "curl": (CompressedCurl, "zstd")}
PAIRS = [(name, coding) for name in CLIENTS for coding in CODINGS if (name, coding) != ("httpx", "zstd")]

routes = web.RouteTableDef()


@routes.get("/whole")
async def whole(_: web.Request) -> web.Response:
    return web.Response(body=TEXT, content_type="text/plain")


@routes.get("/small")
async def small(_: web.Request) -> web.Response:
    return web.Response(body=TEXT[:100], content_type="text/plain")


@routes.get("/stream")
async def stream(request: web.Request) -> web.StreamResponse:
    """In pieces that are flushed one by one."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    for start in range(0, len(TEXT), 7000):
        await response.write(TEXT[start : start + 7000])
        await response.drain()
    return response


@routes.get("/made")
async def made(_: web.Request) -> web.Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield TEXT[:300_000]  # compressed in a thread
        yield TEXT[300_000:]

    return web.Response(body=pieces(), content_type="text/plain")


@routes.get("/forced/{coding}")
async def forced(request: web.Request) -> web.Response:
    response = web.Response(body=TEXT)
    response.enable_compression(web.ContentCoding(request.match_info["coding"]))
    return response


@routes.post("/upload")
async def upload(request: web.Request) -> web.Response:
    content = await request.read()
    return web.json_response([request.headers.get("Content-Encoding"), len(content), zlib.crc32(content)])


@pytest.fixture
async def address(serve: Serve) -> Address:
    app = web.Application(middlewares=[web.compress_middleware()])
    app.router.add_routes(routes)
    return await serve(app)


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Client, str]]:
    kind, coding = CLIENTS[request.param]
    async with kind(tmp_path) as client:
        yield client, coding


@pytest.mark.parametrize("kind", ["whole", "stream", "made"])
async def test_a_client_gets_its_best_coding_and_reads_it(
    address: Address, client: tuple[Client, str], kind: str
) -> None:
    peer, coding = client
    reply = await peer.request("GET", f"{address.url}/{kind}")
    assert reply.headers["Content-Encoding"] == coding
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert reply.body == TEXT


@pytest.mark.parametrize(("client", "coding"), PAIRS, indirect=["client"])
@pytest.mark.parametrize("kind", ["whole", "stream"])
async def test_a_client_reads_every_coding_that_it_asks_for(
    address: Address, client: tuple[Client, str], coding: str, kind: str
) -> None:
    reply = await client[0].request("GET", f"{address.url}/{kind}", headers={"Accept-Encoding": coding})
    assert reply.headers["Content-Encoding"] == coding
    assert reply.body == TEXT


async def test_small_content_comes_plain(address: Address, client: tuple[Client, str]) -> None:
    reply = await client[0].request("GET", f"{address.url}/small")
    assert "Content-Encoding" not in reply.headers
    assert reply.body == TEXT[:100]


async def test_a_connection_goes_on_after_compressed_content(address: Address, client: tuple[Client, str]) -> None:
    for _ in range(3):
        for kind in ("whole", "stream", "small"):
            assert TEXT.startswith((await client[0].request("GET", f"{address.url}/{kind}")).body)


async def test_a_head_of_compressed_content_ends_with_itself(address: Address, client: tuple[Client, str]) -> None:
    peer, coding = client
    for kind in ("whole", "stream"):
        reply = await peer.request("HEAD", f"{address.url}/{kind}")
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["Content-Encoding"] == coding


async def test_a_forced_coding_is_read(address: Address, client: tuple[Client, str]) -> None:
    for coding in CODINGS[:3]:
        reply = await client[0].request("GET", f"{address.url}/forced/{coding}")
        assert (reply.headers["Content-Encoding"], reply.body) == (coding, TEXT)


@pytest.mark.parametrize("client", ["httpx", "curl"], indirect=True)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("chunked", [True, False])
async def test_compressed_content_of_a_client_is_read(
    address: Address, client: tuple[Client, str], coding: str, chunked: bool
) -> None:
    encoder = make_encoder(coding)
    content = encoder.encode(TEXT) + encoder.finish()
    options: dict[str, Any] = {"pieces": [content[:99], content[99:]]} if chunked else {"content": content}
    headers = {"Content-Encoding": coding, "Content-Type": "text/plain"}
    reply = await client[0].request("POST", f"{address.url}/upload", headers=headers, **options)
    assert (reply.status, reply.body) == (200, received(coding))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_aiohttp_compressed_is_read(address: Address, tmp_path: Path, coding: str) -> None:
    async with Aiohttp(tmp_path) as client:
        assert isinstance(client, Aiohttp)
        reply = await client.send("POST", f"{address.url}/upload", data=TEXT, compress=coding)
    assert (reply.status, reply.body) == (200, received(coding))


def received(coding: str) -> bytes:
    return b'["%s", %d, %d]' % (coding.encode(), len(TEXT), zlib.crc32(TEXT))
