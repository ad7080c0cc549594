"""Section F of FEATURES.md, responses, over real sockets.

F6, compression, is in test_f_compression.py. Bodies of other kinds than bytes and text are row N12.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from http.cookies import SimpleCookie
from typing import Any

import pytest
from multidict import CIMultiDict

from aioweb import web
from tests.conftest import Serve

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(handler: Handler) -> web.Application:
    """An application that gives every request to one handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def told(text: str = "ok") -> web.Response:
    """What a handler returns whose assertions held; one that failed is a 500."""
    return web.Response(text=text)


async def check(serve: Serve, inside: Callable[[web.Request], Any]) -> None:
    """Run assertions within a handler."""

    async def handler(request: web.Request) -> web.Response:
        await inside(request)
        return told()

    answer = await (await serve(answering(handler), debug=True)).request("GET", "/", "Accept: text/plain")
    assert (answer.status, answer.body) == (200, b"ok"), answer.body.decode()


# -- F1 to F4: the states ----------------------------------------------------------------------------------------------


async def test_f1_a_stream_response_is_configured_then_started_then_ended(serve: Serve) -> None:
    states = []

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201, reason="Made", headers={"X-A": "1"})
        states.append(response.prepared)
        await response.prepare(request)
        states.append(response.prepared)
        await response.write(b"abc")
        await response.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            await response.write(b"more")
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert states == [False, True]
    assert (answer.status, answer.reason, answer.headers["X-A"], answer.body) == (201, "Made", "1", b"abc")


async def test_f1_the_defaults_are_200_and_no_header_of_its_own(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.StreamResponse()

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"")
    assert sorted(answer.headers) == ["Content-Type", "Date", "Server", "Transfer-Encoding"]


async def test_f1_what_is_configured_after_the_start_is_refused(serve: Serve) -> None:
    async def inside(request: web.Request) -> None:
        response = web.StreamResponse()
        await response.prepare(request)
        for change in (
            lambda: response.set_status(404),
            lambda: response.headers.add("X-A", "1"),
            lambda: response.set_cookie("a", "1"),
            lambda: setattr(response, "content_type", "text/html"),
        ):
            with pytest.raises(RuntimeError, match="was sent"):
                change()

    async def handler(request: web.Request) -> web.StreamResponse:
        await inside(request)
        seen.append(True)
        return web.Response()

    seen: list[bool] = []
    await (await serve(answering(handler))).raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert seen == [True]


async def test_f2_start_is_a_plain_call_and_harmless_when_repeated(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        assert response.start(request) is response.start(request)
        response.write(b"old")
        response.write_eof()
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.status, answer.body) == (200, b"old")


async def test_f2_start_for_another_request_is_an_error(serve: Serve) -> None:
    response = web.StreamResponse()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/second":
            with pytest.raises(RuntimeError, match="another request"):
                response.start(request)
            return told()
        response.start(request)
        return response

    peer = await (await serve(answering(handler))).connect()
    assert (await peer.request("GET", "/first")).body == b""
    assert (await peer.request("GET", "/second")).body == b"ok"


async def test_f3_started_status_and_reason(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        assert (response.started, response.status, response.reason) == (False, 200, "OK")
        response.set_status(404)
        assert (response.status, response.reason) == (404, "Not Found")
        response.set_status(404, "Gone Fishing")
        response.start(request)
        assert response.started
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.status, answer.reason) == (404, "Gone Fishing")


@pytest.mark.parametrize("status", [299, 418, 599, 999])
async def test_f3_a_status_without_a_reason_is_sent(serve: Serve, status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text="x")

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.status, answer.body) == (status, b"x")


async def test_f4_keep_alive_is_open_until_the_start_decides(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        seen.append(response.keep_alive)
        response.start(request)
        seen.append(response.keep_alive)
        return response

    seen: list[bool | None] = []
    address = await serve(answering(handler))
    await address.request("GET", "/")
    await address.request("GET", "/", "Connection: close")
    await address.request("GET", "/", http="1.0")
    assert seen == [None, True, None, False, None, False]


async def test_f4_force_close_closes_and_has_no_way_back(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = told()
        response.force_close()
        assert response.keep_alive is False
        with pytest.raises(AttributeError):
            response.keep_alive = True
        return response

    peer = await (await serve(answering(handler))).connect()
    answer = await peer.request("GET", "/")
    assert (answer.body, answer.headers["Connection"]) == (b"ok", "close")
    assert await peer.is_closed()


# -- F5: chunks --------------------------------------------------------------------------------------------------------


async def test_f5_each_write_is_one_chunk(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        assert not response.chunked
        response.enable_chunked_encoding(chunk_size=2)
        assert response.chunked
        response.start(request)
        await response.write(b"abc")
        await response.write(b"")
        await response.write(b"defghijklmnop")
        await response.write_eof(b"!")
        return response

    address = await serve(answering(handler))
    octets = await address.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, content = octets.partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert content == b"3\r\nabc\r\nd\r\ndefghijklmnop\r\n1\r\n!\r\n0\r\n\r\n"


async def test_f5_no_chunks_to_http_1_0(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        assert not response.chunked
        await response.write(b"abc")
        return response

    octets = await (await serve(answering(handler))).raw(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, _, content = octets.partition(b"\r\n\r\n")
    assert content == b"abc"
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head
    assert b"Connection: close" in head


async def test_f5_a_response_with_its_body_can_be_chunked_too(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(text="at hand")
        response.enable_chunked_encoding()
        with pytest.raises(RuntimeError, match="exclude each other"):
            response.content_length = 7
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.headers["Transfer-Encoding"], answer.body) == ("chunked", b"at hand")
    assert "Content-Length" not in answer.headers


# -- F7 to F10: headers and cookies ------------------------------------------------------------------------------------


async def test_f7_headers_are_a_multidict_without_case(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(headers=[("X-Many", "1"), ("x-many", "2")])
        assert isinstance(response.headers, CIMultiDict)
        assert response.headers.getall("X-MANY") == ["1", "2"]
        response.headers["x-one"] = "é"
        assert response.cookies == {}
        response.cookies["a"] = "b"
        assert response.cookies["a"].value == "b"
        response.cookies["a"]["path"] = "/p"
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert answer.headers.getall("X-Many") == ["1", "2"]
    assert answer.headers["X-One"] == "é"
    assert answer.headers.getall("Set-Cookie") == ["a=b; Path=/p"]


async def cookies_of(serve: Serve, configure: Callable[[web.Response], None]) -> SimpleCookie:
    """The cookies that a response sets, as the standard library reads them."""

    async def handler(request: web.Request) -> web.Response:
        response = web.Response()
        configure(response)
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    jar: SimpleCookie = SimpleCookie()
    for line in answer.headers.getall("Set-Cookie", ()):
        jar.load(line)
    return jar


async def test_f8_every_attribute_of_a_cookie_is_sent(serve: Serve) -> None:
    def configure(response: web.Response) -> None:
        response.set_cookie(
            "name",
            "value",
            path="/p",
            expires="Wed, 09 Jun 2032 10:18:14 GMT",
            domain="example.org",
            max_age=10,
            secure=True,
            httponly=True,
            version="1",
        )

    cookie = (await cookies_of(serve, configure))["name"]
    assert cookie.value == "value"
    assert {key: value for key, value in cookie.items() if value} == {
        "path": "/p",
        "expires": "Wed, 09 Jun 2032 10:18:14 GMT",
        "domain": "example.org",
        "max-age": "10",
        "secure": True,
        "httponly": True,
        "version": "1",
    }


async def test_f8_setting_again_changes_only_what_is_given(serve: Serve) -> None:
    def configure(response: web.Response) -> None:
        response.set_cookie("a", "1", max_age=10, httponly=True)
        response.set_cookie("b", "keep")
        response.set_cookie("a", "2", domain="example.org")

    jar = await cookies_of(serve, configure)
    assert {name: cookie.value for name, cookie in jar.items()} == {"a": "2", "b": "keep"}
    assert (jar["a"]["max-age"], jar["a"]["httponly"], jar["a"]["domain"]) == ("10", True, "example.org")
    assert jar["b"]["path"] == "/"


async def test_f9_a_deleted_cookie_is_empty_and_expired(serve: Serve) -> None:
    def configure(response: web.Response) -> None:
        response.del_cookie("a", path="/p", domain="example.org")

    cookie = (await cookies_of(serve, configure))["a"]
    assert (cookie.value, cookie["max-age"], cookie["path"], cookie["domain"]) == ("", "0", "/p", "example.org")
    assert cookie["expires"].startswith("Thu, 01 Jan 1970")


async def test_f9_a_later_set_cookie_revives_it(serve: Serve) -> None:
    def configure(response: web.Response) -> None:
        response.del_cookie("a")
        response.set_cookie("a", "again")

    cookie = (await cookies_of(serve, configure))["a"]
    assert (cookie.value, cookie["max-age"], cookie["expires"]) == ("again", "", "")


async def test_f10_setters_write_headers_and_none_removes_them(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 2
        response.content_type = "text/html"
        response.charset = "koi8-r"
        response.last_modified = datetime(1990, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        if request.path == "/removed":
            response.content_length = response.content_type = response.last_modified = None
        await response.prepare(request)
        await response.write(b"ab")
        return response

    address = await serve(answering(handler))
    answer = await address.request("GET", "/")
    assert answer.headers["Content-Length"] == "2"
    assert answer.headers["Content-Type"] == "text/html; charset=koi8-r"
    assert answer.headers["Last-Modified"] == "Tue, 02 Jan 1990 03:04:05 GMT"
    removed = await address.request("GET", "/removed")
    assert "Last-Modified" not in removed.headers
    assert "Content-Length" not in removed.headers
    assert removed.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("value", ["Thu, 01 Jan 1970 00:00:11 GMT", datetime(1970, 1, 1, 0, 0, 11), 11, 10.2])
async def test_f10_last_modified_takes_every_kind_of_time(serve: Serve, value: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response()
        response.last_modified = value
        assert response.last_modified == datetime(1970, 1, 1, 0, 0, 11, tzinfo=timezone.utc)
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert answer.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:11 GMT"


async def test_f10_a_charset_on_octets_is_an_error(serve: Serve) -> None:
    async def inside(request: web.Request) -> None:
        with pytest.raises(RuntimeError, match="octet-stream"):
            web.StreamResponse().charset = "utf-8"
        with pytest.raises(TypeError):
            web.StreamResponse().last_modified = object()

    await check(serve, inside)


# -- F11 to F13: writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [None, 12])
async def test_f11_bytes_bytearrays_and_memoryviews_are_written(serve: Serve, length: int | None) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = length
        await response.prepare(request)
        mutable = bytearray(b"de")
        response.write(b"abc")
        response.write(mutable)
        mutable[:] = b"XY"
        response.write(memoryview(b"fgh"))
        response.write(memoryview(b"i-j-")[::2])
        response.write(b"")
        response.write(memoryview(b"kl").cast("H"))
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert answer.body == b"abcdefghijkl"


async def test_f11_other_data_is_a_type_error_and_the_wrong_time_a_runtime_error(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        for misuse in (lambda: response.write(b"x"), response.write_eof, response.drain):
            with pytest.raises(RuntimeError, match="before prepare"):
                misuse()
        await response.prepare(request)
        for data in ("text", 123, None, [1], object()):
            with pytest.raises(TypeError, match="bytes"):
                response.write(data)  # type: ignore[arg-type]
        await response.write_eof(b"fine")
        with pytest.raises(RuntimeError, match="after write_eof"):
            response.write(b"x")
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert answer.body == b"fine"


async def test_f11_more_than_content_length_is_never_on_the_wire(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "3"})
        await response.prepare(request)
        await response.write(b"abc")
        with pytest.raises(RuntimeError, match="1 bytes more"):
            await response.write(b"d")
        return response

    peer = await (await serve(answering(handler))).connect()
    assert (await peer.request("GET", "/")).body == b"abc"
    assert (await peer.request("GET", "/")).body == b"abc"


async def test_f11_less_than_content_length_cuts_the_connection(serve: Serve, caplog: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "3"})
        await response.prepare(request)
        await response.write(b"ab")
        return response

    octets = await (await serve(answering(handler))).raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert octets.partition(b"\r\n\r\n")[2] in (b"", b"ab")
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


async def test_f12_drain_and_a_second_write_eof_are_harmless(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        response.write(b"abc")
        await response.drain()
        await response.write_eof(b"d")
        await response.write_eof(b"not sent")
        await response.write_eof()
        return response

    peer = await (await serve(answering(handler))).connect()
    assert (await peer.request("GET", "/")).body == b"abcd"
    assert (await peer.request("GET", "/")).body == b"abcd"


async def test_f13_a_slow_reader_costs_no_memory_when_the_handler_drains(serve: Serve) -> None:
    piece, count, most = bytes(100_000), 100, 0
    blocked = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal most
        response = web.StreamResponse()
        response.content_length = count * len(piece)
        await response.prepare(request)
        transport = request.transport
        assert transport is not None
        for _ in range(count):
            written = response.write(piece)
            most = max(most, transport.get_write_buffer_size())
            if transport.get_write_buffer_size() > 65536:
                blocked.set()
            await written
            assert transport.get_write_buffer_size() <= 65536
        return response

    peer = await (await serve(answering(handler))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await asyncio.wait_for(blocked.wait(), 5)
    answer = await peer.response()
    assert len(answer.body) == count * len(piece)
    assert most < 65536 + 2 * len(piece)
