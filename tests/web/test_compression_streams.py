"""Compressed streams, files, and the middleware: what is written arrives, and who is left alone."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.coding import make_decoder
from tests.web.coded import ALL, CODINGS, TEXT, app_of, compressed, plain, read_coded

# -- streams -----------------------------------------------------------------------------------------------------------


async def stream(request: web.Request, *pieces: bytes, **headers: str) -> web.StreamResponse:
    response = compressed(web.StreamResponse(headers={"Content-Type": "text/plain", **headers}))
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_stream_is_compressed_in_chunks(serve, coding: str) -> None:
    address = await serve(app_of(lambda request: stream(request, *[TEXT.encode()] * 10)))
    answer = await address.request("GET", "/", f"Accept-Encoding: {coding}")
    assert answer.headers["Content-Encoding"] == coding
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert len(answer.body) < len(TEXT)
    assert plain(answer) == TEXT.encode() * 10
    make_decoder(coding).finish()


async def test_a_stream_loses_its_length(serve) -> None:
    length = str(len(TEXT))
    address = await serve(app_of(lambda request: stream(request, TEXT.encode(), **{"Content-Length": length})))
    answer = await address.request("GET", "/", ALL)
    assert "Content-Length" not in answer.headers
    assert plain(answer) == TEXT.encode()
    assert (await address.request("GET", "/")).headers["Content-Length"] == length


async def test_a_stream_that_says_it_is_small_stays_plain(serve) -> None:
    address = await serve(app_of(lambda request: stream(request, b"abc", **{"Content-Length": "3"})))
    answer = await address.request("GET", "/", ALL)
    assert (answer.body, "Content-Encoding" in answer.headers) == (b"abc", False)


async def test_a_stream_to_http_1_0_is_compressed_until_its_end(serve) -> None:
    address = await serve(app_of(lambda request: stream(request, TEXT.encode())))
    answer = await address.request("GET", "/", ALL, http="1.0")
    assert "Transfer-Encoding" not in answer.headers
    assert plain(answer) == TEXT.encode()


async def test_head_of_a_stream_says_what_get_says(serve) -> None:
    address = await serve(app_of(lambda request: stream(request, TEXT.encode())))
    peer = await address.connect()
    get = await peer.request("GET", "/", ALL)
    head = await peer.request("HEAD", "/", ALL)
    assert head.headers["Content-Encoding"] == get.headers["Content-Encoding"] == "zstd"
    assert (await peer.request("GET", "/", ALL)).status == 200


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("wait", ["awaited", "drained", "dropped"])
async def test_what_is_written_arrives_while_the_stream_goes_on(serve, coding: str, wait: str) -> None:
    go_on = asyncio.Event()

    async def make(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        for number in range(3):
            written = response.write(b"data: %d\n\n" % number)
            if wait == "awaited":
                await written
            elif wait == "drained":
                await response.drain()
            go_on.clear()
            await go_on.wait()
        return response

    peer = await (await serve(app_of(make))).connect()
    await peer.send(f"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
    await peer.head()
    decoder = make_decoder(coding)
    assert decoder is not None
    for number in range(3):
        event = b""
        while not event.endswith(b"\n\n"):
            size = int(await asyncio.wait_for(peer.reader.readuntil(b"\r\n"), 5), 16)
            event += read_coded(decoder, (await peer.reader.readexactly(size + 2))[:-2])
        assert event == b"data: %d\n\n" % number
        go_on.set()


async def test_writes_without_waiting_in_between_are_compressed_as_one(serve) -> None:
    async def make(request: web.Request) -> web.StreamResponse:
        return await stream(request, *[b"%d," % number for number in range(1000)])

    answer = await (await serve(app_of(make))).request("GET", "/", "Accept-Encoding: gzip")
    whole = zlib.compress(b"".join(b"%d," % number for number in range(1000)))
    assert len(answer.body) < len(whole) * 1.1


async def test_events_are_compressed_and_arrive(serve) -> None:
    go_on = asyncio.Event()

    async def events() -> AsyncIterator[str]:
        yield "first"
        await go_on.wait()
        yield "last"

    address = await serve(app_of(lambda _: compressed(web.EventSourceResponse(events()))))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    head = await peer.head()
    assert head.headers["Content-Encoding"] == "gzip"
    decoder = make_decoder("gzip")
    assert decoder is not None
    seen = b""
    while b"first" not in seen:
        size = int(await asyncio.wait_for(peer.reader.readuntil(b"\r\n"), 5), 16)
        seen += read_coded(decoder, (await peer.reader.readexactly(size + 2))[:-2])
    go_on.set()
    while size:
        size = int(await asyncio.wait_for(peer.reader.readuntil(b"\r\n"), 5), 16)
        seen += read_coded(decoder, (await peer.reader.readexactly(size + 2))[:-2])
    assert seen == b"data: first\n\ndata: last\n\n"
    decoder.finish()


async def test_content_that_is_made_while_it_is_sent_is_compressed(serve) -> None:
    async def pieces() -> AsyncIterator[str]:
        for _ in range(10):
            yield TEXT
        yield TEXT * 100  # large enough for a thread

    address = await serve(app_of(lambda _: compressed(web.Response(body=pieces()))))
    answer = await address.request("GET", "/", "Accept-Encoding: br")
    assert answer.headers["Content-Encoding"] == "br"
    assert plain(answer) == TEXT.encode() * 110


async def test_a_file_as_body_is_compressed_without_its_length(serve, tmp_path) -> None:
    (tmp_path / "a").write_text(TEXT * 200)

    def make(_: web.Request) -> web.Response:
        return compressed(web.Response(body=(tmp_path / "a").open("rb")))

    address = await serve(app_of(make))
    answer = await address.request("GET", "/", ALL)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert plain(answer) == TEXT.encode() * 200
    assert (await address.request("GET", "/")).headers["Content-Length"] == str(len(TEXT) * 200)


async def test_trailers_follow_compressed_content(serve) -> None:
    async def make(request: web.Request) -> web.StreamResponse:
        response = compressed(web.StreamResponse())
        response.trailers["X-Sum"] = "7"
        await response.prepare(request)
        await response.write(TEXT.encode())
        return response

    peer = await (await serve(app_of(make))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n")
    assert (await peer.until_closed()).endswith(b"\r\n0\r\nX-Sum: 7\r\n\r\n")


async def test_a_client_that_goes_ends_a_compressed_stream(serve, caplog) -> None:
    ended = asyncio.Event()

    async def make(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        try:
            while True:
                await response.write(b"a" * 100)
                await asyncio.sleep(0)
        finally:
            ended.set()

    peer = await (await serve(app_of(make))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    await peer.head()
    peer.abort()
    await asyncio.wait_for(ended.wait(), 5)
    assert "Traceback" not in caplog.text


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [10, 200], ids=["small", "large"])
async def test_a_file_is_compressed_if_it_is_asked_for(serve, tmp_path, times: int) -> None:
    (tmp_path / "a.txt").write_text(TEXT * times)
    address = await serve(app_of(lambda _: compressed(web.FileResponse(tmp_path / "a.txt"))))
    answer = await address.request("GET", "/", ALL)
    assert answer.headers["Content-Encoding"] == "zstd"
    assert "Accept-Ranges" not in answer.headers
    assert answer.headers["ETag"].startswith("W/")
    assert plain(answer) == TEXT.encode() * times
    again = await address.request("GET", "/", ALL, f"If-None-Match: {answer.headers['ETag']}")
    assert again.status == 304
    part = await address.request("GET", "/", ALL, "Range: bytes=0-9")
    assert (part.status, part.body) == (206, TEXT.encode()[:10])
    head = await address.request("HEAD", "/", ALL)
    assert head.headers["Content-Encoding"] == "zstd"
    missing = await address.request("GET", "/", "Accept-Encoding: quux")
    assert missing.body == TEXT.encode() * times


async def test_a_packed_sibling_is_sent_as_it_is(serve, tmp_path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    address = await serve(app_of(lambda _: compressed(web.FileResponse(tmp_path / "a.txt"))))
    answer = await address.request("GET", "/", "Accept-Encoding: gzip")
    assert answer.body == (tmp_path / "a.txt.gz").read_bytes()
    assert answer.headers.getall("Vary") == ["Accept-Encoding"]


# -- the middleware ----------------------------------------------------------------------------------------------------


async def test_the_middleware_compresses_content_streams_and_exceptions(serve) -> None:
    async def make(request: web.Request) -> Any:
        kind = request.match_info["path"]
        if kind == "stream":
            response = web.StreamResponse(headers={"Content-Type": "text/plain"})
            await response.prepare(request)
            await response.write(TEXT.encode())
            return response
        if kind == "raised":
            raise web.HTTPNotFound(text=TEXT)
        return web.Response(text=TEXT)

    address = await serve(app_of(make, middlewares=[web.compress_middleware()]))
    for kind, status in (("whole", 200), ("stream", 200), ("raised", 404)):
        answer = await address.request("GET", f"/{kind}", ALL)
        assert (answer.status, answer.headers["Content-Encoding"]) == (status, "zstd")
        assert plain(answer) == TEXT.encode()
        assert "Content-Encoding" not in (await address.request("GET", f"/{kind}")).headers


async def test_the_middleware_takes_its_settings(serve) -> None:
    middleware = web.compress_middleware(minimum_size=10, codings=["gzip"])
    address = await serve(app_of(lambda request: web.Response(text=request.query_string), middlewares=[middleware]))
    assert (await address.request("GET", f"/?{'a' * 60}", ALL)).headers["Content-Encoding"] == "gzip"
    assert "Vary" not in (await address.request("GET", "/?aaaaaaaaa", ALL)).headers
    with pytest.raises(ValueError, match="a coding must be one of"):
        web.compress_middleware(codings=["lzw"])


async def test_the_middleware_leaves_alone_what_decided_itself_and_files(serve, tmp_path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)

    def make(request: web.Request) -> Any:
        if request.match_info["path"] == "file":
            return web.FileResponse(tmp_path / "a.txt")
        return compressed(web.Response(text=TEXT), web.ContentCoding(request.match_info["path"]))

    address = await serve(app_of(make, middlewares=[web.compress_middleware()]))
    for path, coding in (("file", None), ("identity", None), ("deflate", "deflate")):
        assert (await address.request("GET", f"/{path}", ALL)).headers.get("Content-Encoding") == coding


async def test_the_middleware_of_a_route_compresses_that_route_only(serve) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=TEXT)

    app = web.Application()
    app.router.add_get("/a", handler, middlewares=[web.compress_middleware()])
    app.router.add_get("/b", handler)
    address = await serve(app)
    assert "Content-Encoding" in (await address.request("GET", "/a", ALL)).headers
    assert "Content-Encoding" not in (await address.request("GET", "/b", ALL)).headers


async def test_hooks_of_the_application_are_heard_before(serve) -> None:
    async def hook(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Cache-Control"] = "no-transform"

    app = app_of(lambda _: web.Response(text=TEXT), middlewares=[web.compress_middleware()])
    app.on_response_prepare.append(hook)
    assert "Content-Encoding" not in (await (await serve(app)).request("GET", "/", ALL)).headers


async def test_a_websocket_goes_through_the_middleware(serve) -> None:
    async def make(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        return ws

    address = await serve(app_of(make, middlewares=[web.compress_middleware()]))
    peer = await address.connect()
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    await peer.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
        + fields
        + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = await peer.head()
    assert head.status == 101
    assert "Content-Encoding" not in head.headers
