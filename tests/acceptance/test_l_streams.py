"""FEATURES L1 and L2: the content of a request as a stream, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve


def reading(handler: Any, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_post("/", handler)
    return app


@pytest.mark.parametrize("chunked", [True, False])
async def test_l1_the_readers_of_request_content(serve: Serve, chunked: bool) -> None:
    async def read(request):
        content = request.content
        read = [await content.read(2), await content.readexactly(3), await content.readline()]
        await content.wait_eof()
        assert content.is_eof()
        assert not content.at_eof()
        read += [content.read_nowait(1), content.read_nowait(), await content.readany(), await content.read()]
        assert content.at_eof()
        assert content.exception() is None
        return web.json_response([piece.decode() for piece in read])

    body = b"abcdefghi\njkl"
    lines = ["Transfer-Encoding: chunked"] if chunked else [f"Content-Length: {len(body)}"]
    framed = b"".join(b"1\r\n%c\r\n" % octet for octet in body) + b"0\r\n\r\n" if chunked else body
    address = await serve(reading(read))
    peer = await address.connect()
    head = "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    await peer.send(head + framed)
    assert (await peer.response()).body == b'["ab", "cde", "fghi\\n", "j", "kl", "", ""]'


async def test_l1_the_mark_of_the_end_is_falsy_bytes(serve: Serve) -> None:
    async def drain(request):
        while piece := await request.content.readany():
            assert isinstance(piece, bytes)
        ends = [await request.content.read(5), await request.content.readline(), request.content.read_nowait()]
        assert ends == [b"", b"", b""]
        with pytest.raises(asyncio.IncompleteReadError):
            await request.content.readexactly(1)
        return web.Response()

    address = await serve(reading(drain))
    assert (await address.request("POST", "/", body=b"abc")).status == 200


async def test_l1_a_request_without_content_is_at_its_end(serve: Serve) -> None:
    async def look(request):
        assert request.content.at_eof()
        return web.Response(text=repr(await request.content.read()))

    address = await serve(reading(look))
    assert (await address.request("POST", "/", "Content-Length: 0")).body == b"b''"


async def test_l1_exception_tells_what_broke_the_content(serve: Serve) -> None:
    async def read(request):
        with pytest.raises(web.BadHttpMessage):
            await request.content.read()
        return web.Response(text=type(request.content.exception()).__name__)

    address = await serve(reading(read))
    answer = await address.raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert answer.endswith(b"BadChunk")


async def test_l2_a_body_that_nobody_reads_pauses_the_transport_at_64_kib(serve: Serve) -> None:
    started, go_on = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def slow(request):
        started.set_result(request.content)
        await go_on.wait()
        held.append(len(request.content.read_nowait()))
        return web.Response(text=str(held[0] + len(await request.content.read())))

    held: list[int] = []
    size = 8 * 2**20
    address = await serve(reading(slow))
    peer = await address.connect()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    sending = asyncio.create_task(peer.send(head + bytes(size)))
    content = await started
    while not content.full:
        await asyncio.sleep(0)
    before = content.total_bytes
    await asyncio.sleep(0.01)
    assert content.total_bytes == before
    assert not sending.done()
    go_on.set()
    assert (await peer.response()).body == str(size).encode()
    await sending
    # 64 KiB, and one read of the transport that passes them: 256 KiB in asyncio.
    assert 65536 < held[0] <= 65536 + 262144


# -- L1: iterators, and what else users of aiohttp know ----------------------------------------------------------------

LINES = b"first\nsecond\n\nlast"


async def by_chunked(content: web.StreamReader) -> list[bytes]:
    return [piece async for piece in content.iter_chunked(7)]


async def by_any(content: web.StreamReader) -> list[bytes]:
    return [piece async for piece in content.iter_any()]


async def by_chunks(content: web.StreamReader) -> list[bytes]:
    return [piece async for piece, _ in content.iter_chunks()]


async def by_lines(content: web.StreamReader) -> list[bytes]:
    lines = [line async for line in content]
    assert lines == [b"first\n", b"second\n", b"\n", b"last"]
    return lines


async def by_readuntil(content: web.StreamReader) -> list[bytes]:
    pieces = [await content.readuntil(b"se"), await content.readuntil(b"\n\n"), await content.readuntil(b"never")]
    assert pieces == [b"first\nse", b"cond\n\n", b"last"]
    return pieces


async def by_readchunk(content: web.StreamReader) -> list[bytes]:
    pieces = []
    while (piece := await content.readchunk()) != (b"", False):
        pieces.append(piece[0])
    return pieces


async def by_reading_twice(content: web.StreamReader) -> list[bytes]:
    first = await content.readexactly(9)
    content.unread_data(first)
    assert content.total_bytes >= 9
    return [await content.readline(), await content.read()]


@pytest.mark.parametrize(
    "readers", [by_chunked, by_any, by_chunks, by_lines, by_readuntil, by_readchunk, by_reading_twice]
)
@pytest.mark.parametrize("size", [1, 3, 19], ids="{} octets at a time".format)
async def test_l1_every_way_to_read_gives_all_of_the_content(
    serve: Serve, readers: Callable[[web.StreamReader], Any], size: int
) -> None:
    async def read(request: web.Request) -> web.Response:
        pieces = await readers(request.content)
        assert request.content.total_bytes == len(LINES)
        assert request.content.at_eof()
        return web.Response(body=b"".join(pieces))

    peer = await (await serve(reading(read))).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(LINES), size):
        piece = LINES[start : start + size]
        await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(0)
    await peer.send(b"0\r\n\r\n")
    assert (await peer.response()).body == LINES


async def test_l1_trailers_come_with_the_end_and_are_no_headers_cve_2025_58068(serve: Serve) -> None:
    read_two = asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        body = await request.content.readexactly(2)
        assert not request.trailers
        read_two.set()
        assert await request.read() == b""
        assert request.trailers.getall("x-sum") == ["1", "2"]
        assert request.trailers["X-Name"] == "M\u00e4rz"
        assert "X-Sum" not in request.headers
        assert "Authorization" not in request.trailers, "RFC 9110 section 6.5.1"
        return web.Response(body=body)

    peer = await (await serve(reading(read))).connect()
    for _ in range(2):
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n")
        await read_two.wait()
        read_two.clear()
        await peer.send(b"X-Sum: 1\r\nx-sum: 2\r\nAuthorization: x\r\nX-Name: M\xc3\xa4rz\r\n\r\n")
        answer = await peer.response()
        assert (answer.status, answer.body) == (200, b"hi"), "nothing of the trailers is left for the next request"


async def test_l1_a_request_without_chunks_has_no_trailers(serve: Serve) -> None:
    async def read(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=str(len(request.trailers)))

    address = await serve(reading(read))
    assert (await address.request("POST", "/", body=b"abc")).body == b"0"
    assert (await address.request("POST", "/", "Content-Length: 0")).body == b"0"


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("reader", ["read", "readany", "readline", "readchunk", "wait_eof", "skip"])
async def test_l1_a_client_that_leaves_in_the_middle_is_an_error_of_the_reader(
    serve: Serve, framing: bytes, reader: str
) -> None:
    caught = asyncio.get_running_loop().create_future()

    async def read(request: web.Request) -> web.Response:
        try:
            while True:
                await getattr(request.content, reader)()
        except Exception as error:
            caught.set_result(error)
            raise

    peer = await (await serve(reading(read))).connect()
    content = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + content)
    await peer.close()
    error = await asyncio.wait_for(caught, 5)
    assert isinstance(error, web.BodyInterrupted)
    assert isinstance(error, web.ClientDisconnectedError)
    assert isinstance(error, ConnectionResetError)
    assert str(error) == "the client went away in the middle of its request"
