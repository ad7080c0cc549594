"""Rows F5 and F13 of FEATURES.md for content that is made while it is sent, and wishes 30 and 36 of WISHES.md."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Serve
from tests.functional.scripts import bound_kernel, connect_deaf, said, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MB = 1_000_000


def serving(body: Callable[[web.Request], Any], **response: Any) -> web.Application:
    """An application that answers with this content."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body(request), **response)

    app = web.Application()
    app.router.add_route("*", "/", handler)
    return app


# -- F13: who does not read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 65536, MB])
async def test_f13_100_mb_for_a_peer_that_does_not_read_are_not_made(serve: Serve, size: int) -> None:
    made, ended = 0, asyncio.Event()
    transports: list[asyncio.Transport] = []

    async def hundred_mb(request: web.Request) -> AsyncIterator[bytes]:
        nonlocal made
        bound_kernel(request)
        assert request.transport is not None
        transports.append(request.transport)
        try:
            while made < 100 * MB:
                made += size
                yield b"x" * size
        finally:
            ended.set()

    address = await serve(serving(hundred_mb))
    with connect_deaf(address) as client:
        await asyncio.get_running_loop().sock_sendall(client, GET)
        await until(lambda: transports and transports[0].get_write_buffer_size() > 65536)
        before = -1
        while made != before:  # until it rests
            before = made
            for _ in range(50):
                await asyncio.sleep(0)
        assert transports[0].get_write_buffer_size() <= 2 * 65536 + 2 * size
        assert made <= 1024 * 1024 + 3 * size
        assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), PATIENCE)
    assert made < 3 * MB


async def test_f13_what_is_read_goes_on(serve: Serve) -> None:
    async def pieces(request: web.Request) -> AsyncIterator[bytes]:
        bound_kernel(request)
        for number in range(30):
            yield b"%02d" % number * 10_000

    answer = await (await serve(serving(pieces))).request("GET", "/")
    assert answer.body == b"".join(b"%02d" % number * 10_000 for number in range(30))


async def test_f5_each_piece_is_one_chunk_however_they_travel(serve: Serve) -> None:
    async def pieces(request: web.Request) -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    address = await serve(serving(pieces))
    octets = await address.raw(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert octets.endswith(b"\r\n\r\n1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n")


async def test_the_connection_persists_after_a_stream(serve: Serve) -> None:
    async def pieces(request: web.Request) -> AsyncIterator[bytes]:
        yield b"a"

    peer = await (await serve(serving(pieces))).connect()
    await peer.send(GET * 3)
    assert [(await peer.response()).body for _ in range(3)] == [b"a"] * 3


# -- how it ends -------------------------------------------------------------------------------------------------------


async def test_a_failure_before_the_first_piece_is_a_500(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def failing(request: web.Request) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        if request.method:
            raise LookupError("secret")
        yield b""

    answer = await (await serve(serving(failing))).request("GET", "/")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert said(caplog, logging.ERROR) == ["Error handling GET /"]


async def test_an_http_exception_before_the_first_piece_is_the_answer(serve: Serve) -> None:
    async def failing(request: web.Request) -> AsyncIterator[bytes]:
        if request.method:
            raise web.HTTPNotFound
        yield b""

    assert (await (await serve(serving(failing))).request("GET", "/")).status == 404


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "100"}])
async def test_a_failure_in_the_middle_is_seen_by_the_client(
    serve: Serve, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    async def failing(request: web.Request) -> AsyncIterator[bytes]:
        yield b"begun"
        await until(lambda: request.writer.gathered_size == 0)
        raise LookupError

    octets = await (await serve(serving(failing, headers=headers))).raw(GET)
    assert b"begun" in octets
    assert not octets.endswith(b"\r\n0\r\n\r\n")
    assert said(caplog, logging.ERROR) == ["Error handling GET /"]


async def endless(notes: list[str], *, first: bool = True) -> AsyncIterator[bytes]:
    """Content whose second piece never comes."""
    try:
        if first:
            yield b"first"
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        notes.append("ended")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cancelling", [True, False])
async def test_what_waits_for_ever_ends_when_the_client_goes(
    serve: Serve, caplog: pytest.LogCaptureFixture, first: bool, cancelling: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    notes: list[str] = []
    begun = asyncio.Event()

    def body(request: web.Request) -> Any:
        begun.set()
        return endless(notes, first=first)

    address = await serve(serving(body), handler_cancellation=cancelling, access_log=None)
    peer = await address.connect()
    await peer.send(GET)
    await asyncio.wait_for(begun.wait(), PATIENCE)
    if first:
        await peer.head()
    peer.abort()
    await until(lambda: notes)
    assert notes == ["ended"]
    await until(lambda: "The client of <Request GET /> is gone" in said(caplog))
    assert said(caplog, logging.INFO) == []


async def test_who_wants_to_end_by_himself_may(serve: Serve) -> None:
    ended, go_on = asyncio.Event(), asyncio.Event()

    async def audit(request: web.Request) -> AsyncIterator[bytes]:
        yield b"first"
        await go_on.wait()
        ended.set()
        yield b"nobody reads it"
        await asyncio.Event().wait()

    def body(request: web.Request) -> Any:
        request.handler_cancellation = False
        return audit(request)

    address = await serve(serving(body))
    peer = await address.connect()
    await peer.send(GET)
    await peer.head()
    peer.abort()
    await until(lambda: address.server.connections == [])
    go_on.set()
    await asyncio.wait_for(ended.wait(), PATIENCE)


# -- wishes 30 and 36 --------------------------------------------------------------------------------------------------


async def test_w30_on_response_prepare_changes_the_headers_of_streams(serve: Serve) -> None:
    async def pieces(request: web.Request) -> AsyncIterator[str]:
        yield "a"

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Seen"] = response.content_type

    async def events(request: web.Request) -> web.StreamResponse:
        return web.EventSourceResponse(pieces(request))

    app = serving(pieces)
    app.router.add_get("/events", events)
    app.on_response_prepare.append(mark)
    address = await serve(app)
    assert (await address.request("GET", "/")).headers["X-Seen"] == "text/plain"
    assert (await address.request("GET", "/events")).headers["X-Seen"] == "text/event-stream"


async def test_w36_trailers_of_content_that_is_made_while_it_is_sent(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"abc", b"def"):
                response.trailers["X-Sum"] = str(int(response.trailers["X-Sum"]) + len(piece))
                yield piece

        response = web.Response(body=pieces())
        response.trailers["X-Sum"] = "0"
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    for _ in range(2):
        await peer.send(GET)
        assert (await peer.head()).headers["Trailer"] == "X-Sum"
        rest = await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert rest == b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n"
    assert b"X-Sum: 6" not in await address.raw(GET.replace(b"1.1", b"1.0"))


async def hinting(request: web.Request) -> web.Response:
    await request.send_early_hints("</a.css>; rel=preload; as=style", "</b.js>; rel=preload", headers={"X-A": "1"})
    request.send_early_hints(headers=[("X-A", "2")])
    return web.Response(text="done")


async def test_w36_early_hints_come_before_the_response(serve: Serve) -> None:
    app = web.Application()
    app.router.add_get("/", hinting)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(GET)
    first, second = await peer.head(), await peer.head()
    assert (first.status, first.reason) == (103, "Early Hints")
    assert first.headers.getall("Link") == ["</a.css>; rel=preload; as=style", "</b.js>; rel=preload"]
    assert (first.headers["X-A"], second.headers["X-A"]) == ("1", "2")
    assert (await peer.response()).body == b"done"
    assert (await address.raw(GET.replace(b"1.1", b"1.0"))).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_w36_no_hints_that_split_or_come_late(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        with pytest.raises(ValueError, match="Link"):
            request.send_early_hints("</a>\r\nX-Evil: 1")
        response = web.StreamResponse()
        await response.prepare(request)
        with pytest.raises(RuntimeError):
            request.send_early_hints("</a>")
        await response.write(b"unharmed")
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert (answer.status, answer.body) == (200, b"unharmed")


# -- under a coding ----------------------------------------------------------------------------------------------------


async def test_large_pieces_are_compressed_off_the_loop_and_small_ones_arrive(serve: Serve) -> None:
    threads: list[int] = []

    async def pieces(request: web.Request) -> AsyncIterator[bytes | str]:
        yield "small"
        await go_on.wait()
        yield b"large" * 100_000
        yield b""

    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=pieces(request))
        response.enable_compression("gzip")
        return response

    class Counting(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            threads.append(1)
            return super().submit(*args, **kwargs)

    with Counting() as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        go_on = asyncio.Event()
        app = web.Application()
        app.router.add_get("/", handler)
        peer = await (await serve(app)).connect()
        await peer.send(GET.replace(b"1.1", b"1.0"))
        head = await peer.head()
        assert (head.headers["Content-Encoding"], head.headers["Content-Type"]) == ("gzip", "text/plain; charset=utf-8")
        decoder = zlib.decompressobj(31)
        first = b""
        while first != b"small":
            first += decoder.decompress(await asyncio.wait_for(peer.reader.read(65536), PATIENCE))
        assert threads == []
        go_on.set()
        assert decoder.decompress(await peer.until_closed()) == b"large" * 100_000
        assert threads == [1]
