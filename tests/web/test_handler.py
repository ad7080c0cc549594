"""What becomes of a handler's answer, and of its exceptions, over real connections to a bare server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aioweb import web
from aioweb.web.handler import WebServer

SECRET = "hunter2"


class Told(web.Observer):
    """Notes how each request ended."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def response_sent(self, request: Any, response: Any, seconds: float) -> None:
        assert 0 <= seconds < 5
        self.notes.append(f"sent {response.status}")

    def request_failed(self, request: Any, exception: BaseException) -> None:
        self.notes.append(f"failed {type(exception).__name__}")

    def client_gone(self, request: Any) -> None:
        self.notes.append("gone")


@pytest.mark.parametrize("raised", [True, False])
async def test_an_http_exception_is_an_answer_raised_or_returned(serve, caplog, raised: bool) -> None:
    async def teapot(request):
        answer = web.HTTPForbidden(text="no", headers={"X-Why": "because"})
        if raised:
            raise answer
        return answer

    told = Told()
    address = await serve(WebServer(teapot, observers=[told]))
    peer = await address.connect()
    for _ in range(2):
        answer = await peer.request("GET", "/")
        assert (answer.status, answer.body, answer.headers["X-Why"]) == (403, b"no", "because")
    assert told.notes == ["sent 403", "sent 403"]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * 5000 + b"\r\n", 413),
        (b"Content-Length: 5\r\n\r\nab", 408),
    ],
)
async def test_broken_content_is_the_fault_of_the_client(serve, caplog, body: bytes, status: int) -> None:
    async def read(request):
        return web.Response(body=await request.read())

    told = Told()
    address = await serve(WebServer(read, observers=[told], limits=web.Limits(body_timeout=0.1)))
    answer = await address.raw(b"POST / HTTP/1.1\r\nHost: a\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert told.notes == [f"sent {status}"]
    assert caplog.records == []


async def test_a_failure_within_a_response_cuts_it(serve, caplog) -> None:
    async def half(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("the other half is missing")

    told = Told()
    address = await serve(WebServer(half, observers=[told]))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not (await peer.until_closed()).endswith(b"0\r\n\r\n")
    assert told.notes == ["failed RuntimeError"]
    assert caplog.text.count("RuntimeError: the other half is missing") == 1


async def test_a_failure_is_logged_with_method_and_path(serve, caplog) -> None:
    async def fail(request):
        raise LookupError("it")

    address = await serve(WebServer(fail, logger=logging.getLogger("mine")))
    assert (await address.request("PATCH", "/a%0Ab?secret=1")).status == 500
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("mine", "Error handling PATCH /a%0Ab")
    assert record.exc_info[0] is LookupError


async def test_a_client_that_leaves_is_told_to_observers_and_not_logged(serve, caplog) -> None:
    started, left = asyncio.Event(), asyncio.Event()

    async def slow(request):
        started.set()
        await left.wait()
        return web.Response(text="to nobody")

    told = Told()
    address = await serve(WebServer(slow, observers=[told]))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await started.wait()
    peer.abort()
    while address.server.connections:
        await asyncio.sleep(0.001)
    left.set()
    while not told.notes:
        await asyncio.sleep(0)
    assert told.notes == ["gone"]
    assert caplog.records == []


async def test_a_connection_error_of_the_handler_itself_is_a_failure(serve, caplog) -> None:
    """The client is still there: it was the connection to something else that was reset."""

    async def fetch(request):
        raise web.ClientDisconnectedError("of another server")

    told = Told()
    address = await serve(WebServer(fetch, observers=[told]))
    assert (await address.request("GET", "/")).status == 500
    assert told.notes == ["failed ClientDisconnectedError", "sent 500"]


async def test_a_result_that_is_no_response_is_explained(serve, caplog) -> None:
    async def careless(request):
        return "text"

    address = await serve(WebServer(careless))
    assert (await address.request("GET", "/")).status == 500
    assert "must return a response, not 'text'" in caplog.text


async def test_a_bare_server_takes_the_options_of_a_server_and_names_unknown_ones(serve, caplog) -> None:
    async def hello(request):
        return web.Response()

    caplog.set_level(logging.INFO, logger="mine")
    server = WebServer(hello, max_line_size=50, server_header="", access_log=logging.getLogger("mine"))
    address = await serve(server)
    assert "Server" not in (await address.request("GET", "/")).headers
    assert (await address.request("GET", "/" + "a" * 50)).status == 414
    assert len(caplog.records) == 2
    with pytest.raises(TypeError, match="surprise"):
        WebServer(hello, surprise=1)


async def test_a_request_factory_of_your_own_makes_the_request(serve) -> None:
    class Mine(web.BaseRequest):
        __slots__ = ()

        @property
        def shout(self) -> str:
            return self.path.upper()

    async def shout(request):
        return web.Response(text=request.shout)

    address = await serve(WebServer(shout, request_factory=Mine))
    assert (await address.request("GET", "/abc")).body == b"/ABC"


class Ends(web.Observer):
    """Notes the end of each request: what was sent, whole or not."""

    def __init__(self) -> None:
        self.started = 0
        self.ends: list[tuple[int, bool]] = []

    def request_started(self, request: Any) -> None:
        self.started += 1

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        assert 0 <= seconds < 5
        assert response is None or response.status == request.writer.status
        self.ends.append((request.writer.status, response is not None))


async def test_every_request_that_started_is_told_to_have_ended_once(serve, caplog) -> None:
    async def answer(request):
        what = request.path
        if what == "/raise":
            raise LookupError("it")
        if what == "/forbid":
            raise web.HTTPForbidden
        response = web.StreamResponse()
        if what == "/half":
            await response.prepare(request)
            await response.write(b"half")
            raise LookupError("the other half")
        if what == "/cancel":
            raise asyncio.CancelledError
        return response

    ends = Ends()
    address = await serve(WebServer(answer, observers=[ends]))
    for path in ("/", "/raise", "/forbid", "/half", "/cancel"):
        await address.raw(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
    assert ends.started == 5
    assert ends.ends == [(200, True), (500, True), (403, True), (200, False), (0, False)]


async def test_the_end_of_a_websocket_is_told_however_it_ends(serve) -> None:
    handshake = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )

    async def lose(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        opened.set()
        while True:
            await ws.send_str("more")
            await asyncio.sleep(0)

    async def close(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.close()
        return ws

    opened, ends = asyncio.Event(), Ends()
    for handler in (lose, close):
        address = await serve(WebServer(handler, observers=[ends]))
        peer = await address.connect()
        await peer.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *handshake, "", ""]).encode())
        await peer.head()
        peer.abort()
        while address.server.connections:
            await asyncio.sleep(0.001)
    while len(ends.ends) < 2:
        await asyncio.sleep(0.001)
    assert ends.ends == [(101, False), (101, True)]


@pytest.mark.parametrize(
    ("accept", "shown"),
    [
        ("text/html", "&lt;WebServer&gt;"),
        ("*/*", "| answer = '<WebServer>'"),
        ("application/json", '"answer": "\'<WebServer>\'"'),
    ],
)
async def test_debug_mode_shows_the_failure_in_the_form_that_the_client_likes(serve, caplog, accept, shown) -> None:
    async def fail(request):
        answer = "<WebServer>"
        password = "hunter2"
        raise LookupError(f"{len(answer + password)} it")

    for debug in (True, False):
        address = await serve(WebServer(fail, debug=debug))
        failed = await address.request("GET", f"/a?token={SECRET}", f"Accept: {accept}", f"Cookie: sid={SECRET}")
        assert failed.headers["Content-Type"].startswith(accept.replace("*/*", "text/plain"))
        page = failed.body.decode()
        assert (shown in page, "LookupError" in page, "/a?token=***" in page) == (debug,) * 3
        assert SECRET not in page


async def test_the_page_of_a_failure_passes_the_hooks_of_the_application(serve, caplog) -> None:
    async def fail(request):
        raise LookupError("it")

    async def mark(request, response):
        response.headers["X-Marked"] = "yes"

    app = web.Application()
    app.router.add_get("/", fail)
    app.on_response_prepare.append(mark)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert (answer.status, answer.headers["X-Marked"]) == (500, "yes")
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_a_hook_that_fails_on_the_page_of_a_failure_is_logged_and_the_page_is_sent(serve, caplog) -> None:
    async def fail(request):
        raise LookupError("first")

    async def hook(request, response):
        raise ValueError("second")

    app = web.Application()
    app.router.add_get("/", fail)
    app.router.add_get("/hook", lambda request: web.Response())
    app.on_response_prepare.append(hook)
    address = await serve(app, access_log=None)
    assert (await address.request("GET", "/")).status == 500
    assert [record.exc_info[0] for record in caplog.records] == [LookupError, ValueError]
    caplog.clear()
    assert (await address.request("GET", "/hook")).status == 500
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]
