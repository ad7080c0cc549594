"""FEATURES section B: serving, keep-alive and stopping."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.log import server_logger

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"
"""A key and its self-signed certificate for localhost, for ever and for nothing but tests."""


def app_of(handler: Any, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_route("*", "/{tail:.*}", handler)
    return app


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


class Busy:
    """A handler that is busy until it is told to go on."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.outcome = ""

    async def __call__(self, request: web.Request) -> web.Response:
        self.started.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.outcome = "cancelled"
            raise
        self.outcome = "done"
        return web.Response(text="done")


async def until(condition: Callable[[], object]) -> None:
    async def turns() -> None:
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(turns(), 5)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_b1_each_connection_has_a_protocol_of_its_own(serve) -> None:
    both = asyncio.Event()
    here: list[Any] = []

    async def meet(request):
        here.append(request.transport)
        if len(here) == 2:
            both.set()
        await both.wait()
        return web.Response(text="met")

    address = await serve(app_of(meet))
    assert isinstance(address.server(), asyncio.Protocol)
    assert address.server() is not address.server()
    answers = await asyncio.gather(*(address.request("GET", "/") for _ in range(2)))
    assert [answer.body for answer in answers] == [b"met", b"met"]
    assert here[0] is not here[1]


async def test_b2_connections_lists_those_that_are_open(serve) -> None:
    address = await serve(app_of(hello))
    assert address.server.connections == []
    peer = await address.connect()
    await peer.request("GET", "/")
    assert len(address.server.connections) == 1
    await peer.close()
    await until(lambda: not address.server.connections)


async def test_b3_idle_connections_close_at_once_and_busy_ones_after_their_response(serve) -> None:
    handler = Busy()
    address = await serve(app_of(handler))
    idle, busy = await address.connect(), await address.connect()
    handler.go_on.set()
    await idle.request("GET", "/")
    handler.go_on.clear()
    handler.started.clear()
    await busy.send(GET)
    await handler.started.wait()
    ending = asyncio.create_task(address.server.finish_connections(5))
    assert await idle.is_closed()
    assert not ending.done()
    handler.go_on.set()
    answer = await busy.response()
    assert (answer.body, answer.headers["Connection"]) == (b"done", "close")
    assert await busy.is_closed()
    await ending


async def test_b3_who_is_busy_for_too_long_is_cut_and_counted_in_the_log(serve, caplog) -> None:
    handler = Busy()
    address = await serve(app_of(handler))
    peer = await address.connect()
    await peer.send(GET)
    await handler.started.wait()
    before = time.monotonic()
    await address.server.finish_connections(timeout=0.1)
    assert 0.09 <= time.monotonic() - before < 2
    assert handler.outcome == "cancelled"
    assert await peer.is_closed()
    assert "1 connections are cut, 1 handlers cancelled" in caplog.text


ORDER_OF_STOPPING = """
import asyncio
from aioweb import web

async def hello(request):
    return web.Response(text="Hello, world")

async def talk(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    assert (await reader.readuntil(b"world")).startswith(b"HTTP/1.1 200 OK")
    return reader, writer

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
app = web.Application(loop=loop)
app.router.add_route("GET", "/", hello)
handler = app.make_handler(loop=loop)
server = loop.run_until_complete(loop.create_server(handler, "127.0.0.1", 0))
reader, writer = loop.run_until_complete(talk(server.sockets[0].getsockname()[1]))
loop.run_until_complete(handler.finish_connections(1.0))
server.close()
loop.run_until_complete(server.wait_closed())
loop.run_until_complete(app.finish())
assert loop.run_until_complete(reader.read()) == b""
writer.close()
loop.run_until_complete(writer.wait_closed())
assert not asyncio.all_tasks(loop)
loop.close()
"""


def test_b4_stopping_in_the_order_of_the_reference_leaves_nothing_behind() -> None:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", ORDER_OF_STOPPING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_b5_an_idle_connection_lives_for_keep_alive_seconds(serve) -> None:
    address = await serve(app_of(hello), keep_alive=0.1)
    peer = await address.connect()
    assert (await peer.request("GET", "/")).status == 200
    before = time.monotonic()
    assert (await peer.request("GET", "/")).status == 200
    assert await peer.is_closed()
    assert 0.1 <= time.monotonic() - before < 2


@pytest.mark.parametrize("keep_alive", [0, None])
async def test_b5_without_a_time_connections_persist_all_the_same(serve, keep_alive: float | None) -> None:
    address = await serve(app_of(hello), keep_alive=keep_alive)
    peer = await address.connect()
    for _ in range(2):
        answer = await peer.request("GET", "/")
        assert "Connection" not in answer.headers
    assert address.server.connections[0].deadline == float("inf")


async def test_b5_the_default_is_75_seconds() -> None:
    assert web.Application().make_handler().limits.keepalive_timeout == 75


@pytest.mark.parametrize("on", [True, False])
async def test_b6_keep_alive_on_decides_of_persistence_and_of_probes(serve, on: bool) -> None:
    seen = []

    async def options(request):
        sock = request.transport.get_extra_info("socket")
        seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        return web.Response()

    address = await serve(app_of(options), keep_alive_on=on)
    peer = await address.connect()
    answer = await peer.request("GET", "/", "Connection: keep-alive")
    assert bool(seen[0]) is on
    assert answer.headers.get("Connection") == (None if on else "close")
    if not on:
        assert await peer.is_closed()


async def test_b7_a_client_that_trickles_its_head_is_closed_in_time(serve) -> None:
    address = await serve(app_of(hello), timeout=0.15)
    peer = await address.connect()

    async def trickle() -> None:
        for octet in b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 1000:
            await peer.send(bytes([octet]))
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    before = time.monotonic()
    answer = await peer.response()
    assert answer.status == 408
    assert await peer.is_closed()
    assert 0.15 <= time.monotonic() - before < 2
    trickling.cancel()
    await asyncio.wait([trickling])


async def test_b7_the_default_is_safe_and_0_is_off() -> None:
    assert web.Application().make_handler().limits.head_timeout == 10
    assert web.Application().make_handler(timeout=0).limits.head_timeout is None


@pytest.mark.parametrize("name", ["logger", "log"])
async def test_b8_failing_handlers_are_logged_where_the_server_is_told_to(serve, name: str, caplog) -> None:
    async def fail(request):
        raise RuntimeError("broken")

    address = await serve(app_of(fail), **{name: logging.getLogger("mine")})
    assert (await address.request("GET", "/path")).status == 500
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.name == "mine"
    assert record.getMessage() == "Error handling GET /path"
    assert "RuntimeError: broken" in caplog.text


@pytest.mark.parametrize(
    ("log_format", "line"), [("%(h)s %(s)s %(b)s", "127.0.0.1 200 12"), ("%a %s %b", "127.0.0.1 200 12")]
)
async def test_b9_the_access_log_has_one_line_per_request(serve, caplog, log_format: str, line: str) -> None:
    logger = logging.getLogger("test.access")
    caplog.set_level(logging.INFO, logger="test.access")
    address = await serve(app_of(hello), access_log=logger, access_log_format=log_format)
    await address.request("GET", "/")
    await address.request("GET", "/")
    assert [record.getMessage() for record in caplog.records if record.name == "test.access"] == [line, line]


async def test_b9_no_access_log_is_no_line(serve, caplog) -> None:
    caplog.set_level(logging.INFO)
    address = await serve(app_of(hello), access_log=None)
    await address.request("GET", "/")
    assert caplog.records == []


@pytest.mark.parametrize("debug", [True, False])
async def test_b10_debug_puts_an_escaped_traceback_into_the_page(serve, debug: bool) -> None:
    async def fail(request):
        raise RuntimeError("<script>secret</script>")

    address = await serve(app_of(fail), debug=debug)
    answer = await address.request("GET", "/")
    assert answer.status == 500
    assert (b"RuntimeError: &lt;script&gt;secret" in answer.body) is debug
    assert b"<script>" not in answer.body


async def test_b11_host_and_port_are_accepted(serve) -> None:
    address = await serve(app_of(hello), host="example.org", port=80)
    assert (await address.request("GET", "/")).status == 200


async def test_b12_a_trusted_proxy_tells_the_scheme(serve) -> None:
    async def scheme(request):
        return web.Response(text=request.scheme)

    address = await serve(app_of(scheme), secure_proxy_ssl_header=("X-Forwarded-Proto", "https"))
    assert (await address.request("GET", "/", "X-Forwarded-Proto: https")).body == b"https"
    assert (await address.request("GET", "/", "X-Forwarded-Proto: http")).body == b"http"
    assert (await address.request("GET", "/")).body == b"http"


@pytest.mark.parametrize(
    ("limit", "n", "make", "status"),
    [
        ("max_line_size", 8190, lambda n: b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * (n - 14)), 414),
        ("max_field_size", 8190, lambda n: b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"a" * (n - 3)), 431),
        ("max_headers", 128, lambda n: b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % (b"X: a\r\n" * (n - 1)), 431),
    ],
)
@pytest.mark.parametrize("given", [True, False])
async def test_b13_n_passes_and_one_more_is_refused(
    serve, limit: str, n: int, make: Callable[[int], bytes], status: int, given: bool
) -> None:
    n = n // 2 if given else n
    address = await serve(app_of(hello), **({limit: n} if given else {}))
    peer = await address.connect()
    await peer.send(make(n))
    assert (await peer.response()).status == 200
    await peer.send(make(n + 1))
    assert (await peer.response()).status == status
    assert await peer.is_closed()


@pytest.mark.parametrize(
    ("version", "connection", "said", "persists"),
    [
        ("1.0", None, "close", False),
        ("1.0", "keep-alive", "keep-alive", True),
        ("1.0", "close", "close", False),
        ("1.1", None, None, True),
        ("1.1", "keep-alive", None, True),
        ("1.1", "close", "close", False),
    ],
)
async def test_b14_persistence_follows_version_and_connection(
    serve, version: str, connection: str | None, said: str | None, persists: bool
) -> None:
    address = await serve(app_of(hello))
    peer = await address.connect()
    lines = [f"Connection: {connection}"] if connection else []
    answer = await peer.request("GET", "/", *lines, http=version)
    assert answer.body == b"Hello, world"
    assert answer.headers.get("Connection") == said
    if persists:
        assert (await peer.request("GET", "/", *lines, http=version)).status == 200
    else:
        assert await peer.is_closed()


@pytest.mark.parametrize("line", [b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n"])
async def test_b15_http_0_9_is_refused_and_closed(serve, line: bytes) -> None:
    address = await serve(app_of(hello))
    answer = await address.raw(line)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))


async def test_b16_pipelined_requests_are_answered_in_order(serve) -> None:
    async def path(request):
        await asyncio.sleep(0.02 if request.path == "/0" else 0)
        return web.Response(text=request.path)

    address = await serve(app_of(path))
    peer = await address.connect()
    await peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5)))
    assert [(await peer.response()).body for _ in range(5)] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


@pytest.mark.parametrize("size", [10, 200_000, 2_000_000])
async def test_b17_a_body_that_nobody_reads_never_spoils_the_next_request(serve, size: int) -> None:
    address = await serve(app_of(hello))
    peer = await address.connect()
    body = (b"GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n" * (size // 30 + 1))[:size]
    sending = asyncio.create_task(peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body))
    assert (await peer.response()).body == b"Hello, world"
    if size <= 262144:
        await sending
        assert (await peer.request("GET", "/next")).body == b"Hello, world"
    else:
        assert await peer.is_closed()
        sending.cancel()
        await asyncio.wait([sending])


async def test_b18_garbage_gets_a_400_page_and_the_handler_nothing(serve) -> None:
    calls = []

    async def count(request):
        calls.append(request)
        return web.Response()

    address = await serve(app_of(count))
    answer = await address.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    head, _, page = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close" in head
    assert b"\r\nContent-Type: text/html; charset=utf-8" in head
    assert b"<h1>400 Bad Request</h1>" in page
    assert calls == []


async def test_b19_an_unhandled_exception_is_a_500_whose_traceback_only_the_log_has(serve, caplog) -> None:
    async def fail(request):
        raise RuntimeError("secret")

    address = await serve(app_of(fail))
    peer = await address.connect()
    answer = await peer.request("GET", "/")
    assert answer.status == 500
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Connection"] == "close"
    assert b"500 Internal Server Error" in answer.body
    assert b"secret" not in answer.body
    assert await peer.is_closed()
    assert caplog.text.count("RuntimeError: secret") == 1


@pytest.mark.parametrize("result", [None, "text", {"a": 1}, web.Response])
async def test_b20_what_is_no_response_is_a_500_and_the_log_says_who_returned_what(serve, result: Any, caplog) -> None:
    async def forgetful(request):
        return result

    address = await serve(app_of(forgetful))
    assert (await address.request("GET", "/")).status == 500
    assert "forgetful" in caplog.text
    assert ("nothing: is a return statement missing?" if result is None else repr(result)) in caplog.text


@pytest.mark.parametrize("cancel", [True, False])
async def test_b21_a_client_that_leaves_is_no_error_and_cancels_if_wanted(serve, cancel: bool, caplog) -> None:
    # FEATURES O16: 0.17 cancelled always; here it is a flag, off by default.
    handler = Busy()
    address = await serve(app_of(handler), **({"handler_cancellation": True} if cancel else {}))
    peer = await address.connect()
    await peer.send(GET)
    await handler.started.wait()
    await peer.close()
    await until(lambda: not address.server.connections)
    if not cancel:
        handler.go_on.set()
    await until(lambda: handler.outcome)
    assert handler.outcome == ("cancelled" if cancel else "done")
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []


async def test_b22_tls_serves_and_is_known_as_https(serve) -> None:
    async def scheme(request):
        return web.Response(text=f"{request.scheme} {request.url}")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    address = await serve(app_of(scheme), ssl_context=context)
    trusting = ssl.create_default_context(cafile=str(PEM))
    peer = await address.connect(ssl=trusting, server_hostname="localhost")
    answer = await peer.request("GET", "/a?b=c")
    assert answer.body == b"https https://localhost/a?b=c"


async def test_b23_date_and_server_are_added_and_those_of_the_user_win(serve) -> None:
    async def own(request):
        return web.Response(headers={"Date": "yesterday", "Server": "mine"})

    address = await serve(app_of(hello))
    added = (await address.request("GET", "/")).headers
    assert len(added.getall("Date")) == len(added.getall("Server")) == 1
    assert added["Date"].endswith(" GMT")
    assert added["Server"] == "aioweb"
    address = await serve(app_of(own))
    won = (await address.request("GET", "/")).headers
    assert (won.getall("Date"), won.getall("Server")) == (["yesterday"], ["mine"])


def test_server_errors_have_a_logger_of_their_own() -> None:
    assert server_logger is logging.getLogger("aioweb.server")
