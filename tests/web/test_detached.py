"""detached_request: a real request without a server, and what a handler can do with it."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from aioweb import web

HEAD = b"POST /a%20b?c=d HTTP/1.1\r\nHost: example.org\r\n"


class Wire(asyncio.Transport):
    """Takes what is sent, and says where it comes from."""

    def __init__(self, **extra: Any) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000), **extra})
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 65536

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def made(octets: bytes, wire: Wire | None = None, **options: Any) -> web.Request:
    request = web.detached_request(octets, wire or Wire(), **options)
    assert type(request) is web.Request
    return request


def test_no_loop_is_needed_to_ask_for_the_head() -> None:
    request = made(HEAD + b"Cookie: k=v\r\n\r\n")
    assert (request.method, request.path, dict(request.query)) == ("POST", "/a b", {"c": "d"})
    assert (request.remote, request.scheme, str(request.url)) == ("192.0.2.1", "http", "http://example.org/a%20b?c=d")
    assert request.cookies == {"k": "v"}
    assert not request.body_exists


async def test_content_is_read() -> None:
    assert await made(HEAD + b"Content-Length: 3\r\n\r\nabc").text() == "abc"


async def test_chunks_are_undone_and_trailers_known() -> None:
    request = made(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
    assert await request.read() == b"abc"
    assert request.trailers["X-Sum"] == "6"


@pytest.mark.parametrize("decompress", [True, False])
async def test_a_content_coding_is_undone(decompress: bool) -> None:
    coded = gzip.compress(b"abc")
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(coded)
    request = made(head + coded, auto_decompress=decompress)
    assert await request.read() == (b"abc" if decompress else coded)


async def test_content_may_come_while_it_is_read() -> None:
    content = web.StreamReader(100, None, asyncio.get_running_loop())
    request = made(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", content=content)
    reading = asyncio.ensure_future(request.read())
    content.feed_data(b"late")
    content.feed_eof()
    assert await reading == b"late"


def test_its_loop_is_the_one_that_runs_when_it_is_asked() -> None:
    request = made(HEAD + b"\r\n")
    with pytest.raises(RuntimeError, match="no running event loop"):
        request.loop.time()

    async def ask() -> None:
        assert request.loop.get_debug is not None
        request.loop.call_soon(done.set)
        await done.wait()

    done = asyncio.Event()
    asyncio.run(ask())


async def test_a_response_goes_to_the_transport() -> None:
    wire = Wire()
    request = made(HEAD + b"\r\n", wire)
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"abc")
    await response.write_eof()
    assert wire.sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.sent.endswith(b"3\r\nabc\r\n0\r\n\r\n")


async def test_a_websocket_opens() -> None:
    wire = Wire()
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    request = made(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + key, wire)
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str("hello")
    await request.writer.drain()
    head, _, frames = wire.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert frames == b"\x81\x05hello"


async def test_after_an_abort_nothing_is_written() -> None:
    wire = Wire()
    request = made(HEAD + b"\r\n", wire)
    response = web.StreamResponse()
    await response.prepare(request)
    request.writer.abort()
    assert wire.aborted
    assert request.transport is None
    with pytest.raises(web.ClientDisconnectedError):
        await response.write(b"x" * 100_000)


async def test_a_response_that_was_cut_before_it_began_is_not_sent() -> None:
    wire = Wire()
    request = made(HEAD + b"\r\n", wire)
    request.writer.abort()
    with pytest.raises(web.ClientDisconnectedError):
        await web.Response(text="late").finish(request)
    assert wire.sent == b""


def test_tls_and_a_proxy_are_believed() -> None:
    assert made(HEAD + b"\r\n", Wire(sslcontext=object())).secure
    proxied = made(HEAD + b"X-Scheme: https\r\n\r\n", secure_proxy_ssl_header=("X-Scheme", "https"))
    assert proxied.scheme == "https"


def test_the_limits_are_those_that_were_given() -> None:
    assert made(HEAD + b"\r\n", limits=web.Limits(client_max_size=5)).client_max_size == 5


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (HEAD, "in the middle of the head"),
        (HEAD + b"Content-Length: 3\r\n\r\nab", "in the middle of the content"),
        (HEAD + b"Content-Length: 1\r\n\r\nabc", "2 octets follow"),
        (HEAD + b"\r\nx", "1 octets follow"),
    ],
)
def test_what_is_not_one_whole_request_is_refused(octets: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(octets)


def test_the_parser_refuses_what_it_refuses_a_client() -> None:
    with pytest.raises(web.ProtocolError):
        made(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx")
