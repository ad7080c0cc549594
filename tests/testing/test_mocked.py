"""make_mocked_request: handlers called without a server."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from aioweb import HttpVersion10, web
from aioweb.testing import make_mocked_request
from aioweb.web import MemoryTransport


def test_it_is_a_real_request() -> None:
    request = make_mocked_request("POST", "/a%20b?c=1", {"X-A": "1", "Cookie": "k=v"}, payload="é")
    assert type(request) is web.Request
    assert (request.method, request.path, dict(request.query)) == ("POST", "/a b", {"c": "1"})
    assert request.headers["x-a"] == "1"
    assert request.cookies == {"k": "v"}
    assert (request.host, request.remote, request.scheme) == ("localhost", "127.0.0.1", "http")
    assert asyncio.run(request.text()) == "é"


def test_it_has_no_content_unless_some_is_given() -> None:
    request = make_mocked_request("GET", "/")
    assert not request.body_exists
    assert "Content-Length" not in request.headers


def test_a_host_of_ones_own_counts() -> None:
    assert str(make_mocked_request("GET", "/", {"host": "example.org:81"}).url) == "http://example.org:81/"


def test_the_client_and_its_wishes_are_told() -> None:
    request = make_mocked_request("GET", "/", version=HttpVersion10, closing=True, remote="192.0.2.1")
    assert request.version == HttpVersion10
    assert not request.keep_alive
    assert request.remote == "192.0.2.1"
    assert make_mocked_request("GET", "/").keep_alive
    assert make_mocked_request("GET", "/", sslcontext=ssl.create_default_context()).secure


def test_a_form_is_read() -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = make_mocked_request("POST", "/", kind, payload=b"a=1&b=2")
    assert dict(asyncio.run(request.post())) == {"a": "1", "b": "2"}


def test_chunks_may_be_given() -> None:
    request = make_mocked_request("POST", "/", {"Transfer-Encoding": "chunked"}, payload=b"1\r\nx\r\n0\r\n\r\n")
    assert asyncio.run(request.read()) == b"x"


async def test_content_may_come_while_it_is_read() -> None:
    stream = web.StreamReader(100, None, asyncio.get_running_loop())
    request = make_mocked_request("POST", "/", payload=stream)
    reading = asyncio.create_task(request.read())
    await asyncio.sleep(0)
    stream.feed_data(b"late")
    stream.feed_eof()
    assert await reading == b"late"


async def test_content_is_limited() -> None:
    request = make_mocked_request("POST", "/", payload=b"12345", client_max_size=4)
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        await request.read()


@pytest.mark.parametrize("app", [None, web.Application()])
def test_the_parts_of_the_path_may_be_given(app: web.Application | None) -> None:
    request = make_mocked_request("GET", "/", match_info={"name": "ann"}, app=app)
    assert request.match_info["name"] == "ann"
    assert request.match_info.apps == (() if app is None else (app,))


def test_the_application_finds_the_parts() -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.match_info['name']} {request.app['greeting']}")

    app = web.Application()
    app["greeting"] = "hi"
    app.router.add_get("/{name}", hello, name="hello")
    request = make_mocked_request("GET", "/ann", app=app)
    assert request.app is app
    assert request.match_info.handler is hello
    assert asyncio.run(hello(request)).text == "ann hi"
    assert str(request.url_for("hello", name="bob")) == "/bob"
    assert make_mocked_request("GET", "/ann", app=app, match_info={"name": "x"}).match_info.handler is hello
    assert dict(make_mocked_request("GET", "/a/b", app=app).match_info) == {}


def test_without_an_application_there_is_none() -> None:
    with pytest.raises(RuntimeError):
        _ = make_mocked_request("GET", "/").app


def test_a_router_that_must_be_awaited_is_not_asked() -> None:
    class Router(web.AbstractRouter):
        async def resolve(self, request: Any) -> Any:
            raise AssertionError

    app = web.Application(router=Router())
    request = make_mocked_request("GET", "/", app=app)
    assert (request.app, dict(request.match_info)) == (app, {})


async def test_what_a_handler_sends_waits_in_its_transport() -> None:
    request = make_mocked_request("GET", "/")
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10):
        await response.write(bytes(65536))
    await response.write_eof()
    assert isinstance(request.transport, MemoryTransport)
    assert (await request.transport.take(100)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert request.transport.get_write_buffer_size() > 655360
    request.writer.abort()
    await asyncio.sleep(0)


def test_another_transport_may_be_given() -> None:
    transport = asyncio.Transport({"peername": None, "peercert": "cert"})
    request = make_mocked_request("GET", "/", transport=transport)
    assert request.remote is None
    assert request.get_extra_info("peercert") == "cert"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET /\r\n", "/", {}), ("GET", "/\n", {}), ("GET", "/", {"A": "1\r\nB: 2"}), ("GET", "/", {"A\r\n": "1"})],
)
def test_a_line_break_is_refused(method: str, path: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        make_mocked_request(method, path, headers)


@pytest.mark.parametrize("path", ["a b", "/a b", ""])
def test_what_no_server_takes_is_refused(path: str) -> None:
    with pytest.raises(web.ProtocolError):
        make_mocked_request("GET", path)
