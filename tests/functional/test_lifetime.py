"""The life of connections over real sockets: how they persist, and how requests and responses end."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from tests.conftest import PATIENCE, Address, Serve
from tests.functional.scripts import GET, Gate, said, until

pytestmark = pytest.mark.on_every_loop

MEGA = 1024 * 1024


async def echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read())


async def ignore(request: web.BaseRequest) -> web.Response:
    return web.Response(text="ignored")


async def test_n21_large_content_does_not_bring_the_context_of_one_request_to_the_next(serve: Serve) -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
    seen = []

    async def remember(request: web.BaseRequest) -> web.Response:
        seen.append(user.get())
        user.set("somebody")
        return web.Response(text=str(len(await request.read())))

    peer = await (await serve(web.Server(remember, client_max_size=4 * MEGA))).connect()
    for _ in range(3):
        assert (await peer.request("POST", "/", body=bytes(3 * MEGA))).body == b"3145728"
    assert seen == ["nobody"] * 3


# -- persistence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("http", "asked", "answered", "persists"),
    [
        ("1.1", None, None, True),
        ("1.1", "keep-alive", None, True),
        ("1.1", "close", "close", False),
        ("1.1", "x, Close", "close", False),
        ("1.0", None, "close", False),
        ("1.0", "keep-alive", "keep-alive", True),
        ("1.0", "keep-alive, close", "close", False),
    ],
)
async def test_a_connection_persists_as_versions_and_options_say(
    serve: Serve, http: str, asked: str | None, answered: str | None, persists: bool
) -> None:
    address = await serve(web.Server(echo))
    peer = await address.connect()
    lines = [f"Connection: {asked}"] if asked else []
    for _ in range(3 if persists else 1):
        answer = await peer.request("POST", "/", *lines, body=b"hello", http=http)
        assert answer.body == b"hello"
        assert answer.headers.get("Connection") == answered
    if not persists:
        assert await peer.is_closed()


async def test_a_response_may_end_the_connection(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        response = web.Response(text="bye")
        response.force_close()
        return response

    peer = await (await serve(web.Server(handler))).connect()
    answer = await peer.request("GET", "/")
    assert answer.headers["Connection"] == "close"
    assert await peer.is_closed()


async def test_pipelined_responses_keep_the_order_of_requests(serve: Serve) -> None:
    begun: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        begun.append(request.path)
        await asyncio.sleep(0.02 if request.path == "/0" else 0)
        return web.Response(text=request.path)

    peer = await (await serve(web.Server(handler))).connect()
    await peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(50)))
    assert [(await peer.response()).body for _ in range(50)] == [b"/%d" % n for n in range(50)]
    assert begun == [f"/{n}" for n in range(50)]


async def test_pipelined_requests_may_have_content(serve: Serve) -> None:
    peer = await (await serve(web.Server(echo))).connect()
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    counted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ncde"
    await peer.send((chunked + counted + GET) * 20)
    assert [(await peer.response()).body for _ in range(60)] == [b"ab", b"cde", b""] * 20


async def test_each_response_has_one_date_and_one_server(serve: Serve) -> None:
    address = await serve(web.Server(echo))
    for octets in (GET, b"BAD\r\n\r\n"):
        peer = await address.connect()
        await peer.send(octets)
        answer = await peer.response()
        assert len(answer.headers.getall("Date")) == 1
        assert answer.headers.getall("Server") == ["aioweb"]


# -- request bodies that nobody reads ----------------------------------------------------------------------------------


async def test_a_small_body_that_was_not_read_is_drained_and_the_connection_used_again(serve: Serve) -> None:
    peer = await (await serve(web.Server(ignore))).connect()
    for _ in range(3):
        assert (await peer.request("POST", "/", body=b"x" * 100000)).body == b"ignored"
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    assert (await peer.response()).body == b"ignored"
    await peer.send(b"world" + GET)
    assert (await peer.response()).body == b"ignored"


@pytest.mark.parametrize("framing", [f"Content-Length: {20 * MEGA}", "Transfer-Encoding: chunked"])
async def test_the_answer_arrives_complete_though_the_client_still_sends_20_mb(serve: Serve, framing: str) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"x" * 300000)

    peer = await (await serve(web.Server(handler))).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing.encode())
    piece = b"10000\r\n" + b"y" * 65536 + b"\r\n" if "chunked" in framing else b"y" * 65536
    for _ in range(20 * MEGA // 65536):
        await peer.send(piece)
    answer = await peer.response()
    assert answer.body == b"x" * 300000
    assert await peer.is_closed()


async def test_l2_a_body_that_nobody_reads_stops_the_client(serve: Serve) -> None:
    class Reading(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            await self.opened.wait()
            size = 0
            async for piece in request.content.iter_any():
                size += len(piece)
            return web.Response(text=str(size))

    gate = Reading()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    sending = asyncio.ensure_future(
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (20 * MEGA) + b"x" * (20 * MEGA))
    )
    request = await gate.begin()
    (connection,) = address.server.connections
    await until(lambda: connection.flow.reading_paused)
    assert request.content.total_bytes <= 65536 + 262144
    assert not sending.done()
    gate.opened.set()
    await asyncio.wait_for(sending, PATIENCE)
    assert (await peer.response()).body == b"%d" % (20 * MEGA)


async def test_broken_content_is_a_400_though_the_handler_runs_already(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Reading(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            return web.Response(body=await request.read())

    gate = Reading()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await gate.begin()
    await peer.send(b"x\r\n" + GET)
    answer = await peer.response()
    assert answer.status == 400
    assert answer.headers["Connection"] == "close"
    assert await peer.is_closed()
    assert len(gate.requests) == 1
    assert said(caplog, logging.INFO) == []


# -- clients that go ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_client_may_go_at_any_octet(serve: Serve, how: str, caplog: pytest.LogCaptureFixture) -> None:
    address = await serve(web.Server(echo))
    octets = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nab\r\n0\r\nX: y\r\n\r\n"
    for end in range(len(octets) + 1):
        peer = await address.connect()
        await peer.send(octets[:end])
        peer.abort() if how == "abort" else await peer.close()
    await until(lambda: not address.server.connections)
    assert said(caplog, logging.INFO) == []


async def test_a_handler_hears_of_its_lost_client_when_it_answers(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gate = Gate()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(GET)
    request = await gate.begin()
    assert request.transport is not None
    peer.abort()
    await until(lambda: request.transport is None)
    assert not gate.ended.done()
    gate.opened.set()
    assert await gate.end() is None
    await until(lambda: said(caplog))
    (line,) = said(caplog)
    assert "gone" in line


async def test_a_stream_ends_when_its_client_goes(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    class Streaming(Gate):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x" * 1000)
                await asyncio.sleep(0)

    gate = Streaming()
    address = await serve(web.Server(gate))
    peer = await address.connect()
    await peer.send(GET)
    await peer.reader.readexactly(5000)
    peer.abort()
    error = await gate.end()
    assert isinstance(error, ConnectionResetError)
    await until(lambda: gate.requests[0].transport is None)
    await until(lambda: said(caplog))
    assert len(said(caplog)) == 1


async def test_a_client_that_goes_when_it_has_its_answer_is_no_news(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = await serve(web.Server(echo))
    for how in ("close", "abort"):
        peer = await address.connect()
        await peer.request("GET", "/")
        peer.abort() if how == "abort" else await peer.close()
    await until(lambda: not address.server.connections)
    assert said(caplog) == []


async def test_n20_a_handler_is_cancelled_with_its_client_if_that_is_wanted(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    address = await serve(web.Server(gate, handler_cancellation=True))
    peer = await address.connect()
    await peer.send(GET)
    await gate.begin()
    peer.abort()
    assert isinstance(await gate.end(), asyncio.CancelledError)
    assert said(caplog, logging.INFO) == []


async def test_one_who_reads_a_body_hears_of_its_lost_client(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    class Reading(Gate):
        async def answer(self, request: web.BaseRequest) -> web.Response:
            return web.Response(body=await request.read())

    gate = Reading()
    peer = await (await serve(web.Server(gate))).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    await gate.begin()
    await peer.close()
    assert isinstance(await gate.end(), ConnectionResetError)
    assert said(caplog, logging.INFO) == []


# -- responses that go wrong -------------------------------------------------------------------------------------------


async def announce(request: web.BaseRequest, length: int) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = length
    await response.prepare(request)
    return response


async def too_short(request: web.BaseRequest) -> web.StreamResponse:
    response = await announce(request, 10)
    await response.write(b"12345")
    return response


async def too_long(request: web.BaseRequest) -> web.StreamResponse:
    response = await announce(request, 10)
    await response.write(b"12345")
    await response.write(b"678901")
    return response


async def breaks_off(request: web.BaseRequest) -> web.StreamResponse:
    response = await announce(request, 10)
    await response.write(b"12345")
    await response.drain()
    raise ZeroDivisionError


async def breaks_off_in_chunks(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"12345")
    await response.drain()
    raise ZeroDivisionError


@pytest.mark.parametrize("handler", [too_short, too_long, breaks_off, breaks_off_in_chunks])
async def test_a_response_that_cannot_be_completed_is_cut(
    serve: Serve, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await (await serve(web.Server(handler))).connect()
    await peer.send(GET + GET)
    got = await peer.until_closed()
    assert got.count(b"HTTP/1.1 ") <= 1
    assert b"500" not in got
    assert not got.endswith(b"0\r\n\r\n")
    assert b"\r\n\r\n1234567890" not in got
    assert len(said(caplog, logging.ERROR)) == 1


async def fails(request: web.BaseRequest) -> web.StreamResponse:
    raise ZeroDivisionError("the <secret>")


async def returns_nothing(request: web.BaseRequest) -> Any:
    return None


async def returns_text(request: web.BaseRequest) -> Any:
    return "the <secret>"


async def awaits_what_is_cancelled(request: web.BaseRequest) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("handler", [fails, returns_nothing, returns_text, awaits_what_is_cancelled])
async def test_a_handler_that_fails_is_a_500_and_logged_once(
    serve: Serve, handler: Any, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await (await serve(web.Server(handler, debug=debug))).connect()
    answer = await peer.request("GET", "/path")
    assert answer.status == 500
    assert answer.headers["Connection"] == "close"
    assert (b"debug mode is on" in answer.body) is debug
    assert debug or b"secret" not in answer.body
    assert b"<secret>" not in answer.body
    assert await peer.is_closed()
    assert said(caplog, logging.INFO) == ["Error handling GET /path"]


# -- framing on the wire -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        ("HEAD", 200, {"Content-Length": "5"}),
        ("GET", 204, {}),
        ("GET", 205, {"Content-Length": "0"}),
        ("GET", 304, {"Content-Length": "5"}),
        ("HEAD", 404, {"Content-Length": "5"}),
    ],
)
async def test_no_content_follows_a_head_that_has_none(
    serve: Serve, method: str, status: int, fields: dict[str, str]
) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=b"hello")

    peer = await (await serve(web.Server(handler))).connect()
    for _ in range(2):
        await peer.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = await peer.head()
        assert answer.status == status
        framing = {name: value for name, value in answer.headers.items() if name in ("Content-Length", "Connection")}
        assert framing == fields
        assert "Transfer-Encoding" not in answer.headers


async def test_a_stream_to_head_writes_nothing(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 1000)
        return response

    peer = await (await serve(web.Server(handler))).connect()
    for _ in range(2):
        answer = await peer.request("HEAD", "/")
        assert answer.headers["Transfer-Encoding"] == "chunked"


async def test_a_tunnel_begins_with_a_bare_head(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    peer = await (await serve(web.Server(ignore))).connect()
    await peer.send(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + GET)
    got = await peer.until_closed()
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in got
    assert b"Transfer-Encoding" not in got
    assert got.count(b"HTTP/1.1") == 1
    assert said(caplog, logging.INFO) == []


async def test_a_tunnel_that_is_refused_is_a_response_like_others(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=405, text="no")

    peer = await (await serve(web.Server(handler))).connect()
    for _ in range(2):
        await peer.send(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
        assert (await peer.response()).body == b"no"


async def test_interim_responses_go_before_the_final_one(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        request.writer.send_informational(103, b"Link: </a>\r\n")
        await asyncio.sleep(0)
        return web.Response(text="final")

    address = await serve(web.Server(handler))
    peer = await address.connect()
    await peer.send(GET)
    early = await peer.head()
    assert (early.status, early.headers["Link"]) == (103, "</a>")
    assert "Content-Length" not in early.headers
    assert (await peer.response()).body == b"final"
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (await peer.response()).body == b"final", "HTTP/1.0 knows no interim responses"


async def test_many_small_writes_travel_together(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(500):
            await response.write(b"x")
        return response

    address: Address = await serve(web.Server(handler))
    peer = await address.connect()
    await peer.send(GET)
    first = await asyncio.wait_for(peer.reader.read(65536), PATIENCE)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"\r\n0\r\n\r\n")
    assert first.count(b"1\r\nx\r\n") == 500


async def test_keep_alive_may_be_off(serve: Serve) -> None:
    address = await serve(web.Server(echo, keep_alive_on=False, limits=Limits()))
    assert (await address.request("GET", "/")).headers["Connection"] == "close"
