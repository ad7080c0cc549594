"""FEATURES N22: access loggers of your own, plain and asynchronous, and what has a line: all that clients asked for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import socket
from typing import Any

import pytest

from aioweb import web

PATIENCE = 5.0
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


def app_of(handler: Any) -> web.Application:
    app = web.Application()
    app.router.add_get("/", handler)
    return app


async def until(lines: list[Any], count: int) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while len(lines) < count:
        assert asyncio.get_running_loop().time() < end, lines
        await asyncio.sleep(0.001)


class Lines(web.AbstractAccessLogger):
    """Keeps its lines in a list named like its format."""

    kept: list[tuple[Any, ...]] = []

    def log(self, request: Any, response: Any, time: float) -> None:
        assert time >= 0
        self.kept.append((self.log_format, request.path, response.status))


class AsyncLines(web.AbstractAsyncAccessLogger):
    kept: list[tuple[Any, ...]] = []

    async def log(self, request: Any, response: Any, time: float) -> None:
        await asyncio.sleep(0)
        self.kept.append((self.log_format, request.path, response.status))


class Silent(Lines):
    enabled = False


@pytest.mark.parametrize("kind", [Lines, AsyncLines])
async def test_n22_an_access_logger_of_your_own_has_one_line_per_request(serve, kind: Any) -> None:
    kind.kept = []
    address = await serve(app_of(hello), access_log_class=kind, access_log_format="mine")
    await address.request("GET", "/")
    await address.request("GET", "/missing")
    assert kind.kept == [("mine", "/", 200), ("mine", "/missing", 404)]


async def test_n22_one_that_is_not_enabled_is_not_called(serve) -> None:
    Lines.kept = []
    address = await serve(app_of(hello), access_log_class=Silent)
    assert not address.server.observers.timed
    await address.request("GET", "/")
    assert Lines.kept == []


async def test_n22_what_makes_no_access_logger_is_refused() -> None:
    with pytest.raises(TypeError, match="AbstractAccessLogger"):
        app_of(hello).make_handler(access_log_class=logging.LoggerAdapter)


@pytest.mark.parametrize(
    ("said_to_app", "said_to_run_app", "used"),
    [
        ({}, {}, "aioweb.access"),
        ({"access_log": logging.getLogger("app")}, {}, "app"),
        ({"access_log": logging.getLogger("app")}, {"access_log": logging.getLogger("run_app")}, "run_app"),
        ({"access_log": None}, {}, None),
        ({"access_log": None}, {"access_log": logging.getLogger("run_app")}, "run_app"),
        ({"access_log": logging.getLogger("app")}, {"access_log": None}, None),
    ],
)
def test_n22_the_access_log_is_that_of_run_app_else_that_of_handler_args(
    said_to_app: Any, said_to_run_app: Any, used: str | None
) -> None:
    class Log(web.AbstractAccessLogger):
        def log(self, request: Any, response: Any, time: float) -> None:
            names.append(self.logger.name)

    async def stop(request: web.Request) -> web.Response:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        return web.Response()

    names: list[str] = []
    app = web.Application(handler_args={"access_log_class": Log, **said_to_app})
    app.router.add_get("/", stop)
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        web.run_app(app, sock=sock, print=None, **said_to_run_app)
    assert names == ([] if used is None else [used])


async def test_n22_when_a_server_has_stopped_all_lines_are_written(serve) -> None:
    stream = io.StringIO()
    logger = logging.Logger("stopped", logging.INFO)
    logger.addHandler(logging.StreamHandler(stream))
    address = await serve(app_of(hello), access_log=logger, access_log_format="%r %s")
    for _ in range(20):
        await address.request("GET", "/")
    await address.server.shutdown()
    assert stream.getvalue() == "GET / HTTP/1.1 200\n" * 20


# -- N22: what is no plain exchange has a line as well -----------------------------------------------------------------


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    await response.drain()
    raise LookupError("the other half")


async def talk(request: web.Request) -> web.StreamResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str("hello")
    await ws.receive()
    return ws


class Waits:
    """A handler that waits for nothing."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.Response:
        self.waiting.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("it was cancelled")


@pytest.mark.parametrize("kind", [Lines, AsyncLines])
async def test_n22_an_aborted_response_has_a_line_with_what_was_sent(serve, caplog, kind: Any) -> None:
    kind.kept = []
    waits = Waits()
    app = app_of(half)
    app.router.add_get("/waits", waits)
    address = await serve(app, access_log_class=kind, access_log_format="mine", handler_cancellation=True)
    await address.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peer = await address.connect()
    await peer.send(b"GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
    await waits.waiting.wait()
    peer.abort()
    await until(kind.kept, 2)
    assert kind.kept == [("mine", "/", 200), ("mine", "/waits", 499)]


async def test_n22_what_the_stop_has_cut_is_no_client_that_has_gone(serve, caplog) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")
    waits = Waits()
    address = await serve(app_of(waits), access_log_format="%s")
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await waits.waiting.wait()
    await address.server.shutdown(0.0)
    assert [record.getMessage() for record in caplog.records if record.name == "aioweb.access"] == ["444"]


@pytest.mark.parametrize("leave", ["close", "abort"])
async def test_n22_a_websocket_has_one_line_when_it_is_over(serve, caplog, leave: str) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")
    address = await serve(app_of(talk), access_log_format='"%r" %s')
    peer = await address.connect()
    await peer.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *HANDSHAKE, "", ""]).encode())
    assert (await peer.head()).status == 101
    assert await peer.reader.readexactly(7) == b"\x81\x05hello"
    assert caplog.messages == []
    if leave == "close":
        await peer.send(b"\x88\x82\0\0\0\0\x03\xe8")
        await peer.until_closed()
    else:
        peer.abort()
    await until(caplog.records, 1)
    assert caplog.messages == ['"GET / HTTP/1.1" 101']


async def test_n22_lines_of_json_tell_exchanges_apart(serve, caplog) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")
    address = await serve(app_of(half), access_log_class=web.JSONAccessLogger)
    await address.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await address.request("GET", "/missing")
    await address.raw(b"nonsense\r\n\r\n")
    facts = [json.loads(record.getMessage()) for record in caplog.records if record.name == "aioweb.access"]
    assert [(fact["path"], fact["route"], fact["status"], fact.get("aborted"), "reason" in fact) for fact in facts] == [
        ("/", "/", 200, True, False),
        ("/missing", None, 404, None, False),
        (None, None, 400, None, True),
    ]
    assert facts[0]["bytes"] == 4


async def test_n22_a_line_of_json_has_the_name_of_the_route_or_its_template(serve, caplog) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")
    app = app_of(hello)
    app.router.add_get("/users/{id}", hello)
    inner = web.Application()
    inner.router.add_get("/items/{id}", hello, name="item")
    inner.router.add_get("/lists/{id}", hello)
    app.add_subapp("/inner", inner)
    address = await serve(app, access_log_class=web.JSONAccessLogger)
    for path in ("/users/7", "/inner/items/7", "/inner/lists/7", "/users"):
        await address.request("GET", path)
    low = await serve(
        web.Server(hello, access_log=logging.getLogger("aioweb.access"), access_log_class=web.JSONAccessLogger)
    )
    await low.request("GET", "/users/7")
    facts = [json.loads(record.getMessage()) for record in caplog.records if record.name == "aioweb.access"]
    assert [fact["route"] for fact in facts] == ["/users/{id}", "item", "/inner/lists/{id}", None, None]
