"""The environ of a WSGI application: places and paths, fields, addresses."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from aioweb import HttpVersion10, web, wsgi
from aioweb.testing import make_mocked_request
from aioweb.wsgi.environ import Environ, disguise, make_environ, reveal, split_path


def environ_of(path: str = "/", headers: Any = (), *, method: str = "GET", **options: Any) -> Environ:
    request = make_mocked_request(method, path, headers, **options)
    return make_environ(request, depth=0, script_name="", content=io.BytesIO(), length=None)


def show(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()]


# -- the place ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "depth", "place", "rest"),
    [
        ("/", 0, "", "/"),
        ("/a/b", 0, "", "/a/b"),
        ("/a", 1, "/a", ""),
        ("/a/", 1, "/a", "/"),
        ("/a/b/c", 2, "/a/b", "/c"),
        ("/a//b", 1, "/a", "//b"),
        ("/a%2Fb/c", 1, "/a/b", "/c"),
        ("/%61/%C3%BC%FF", 1, "/a", "/\xc3\xbc\xff"),
        ("/a/%2525", 1, "/a", "/%25"),
        ("//a", 0, "", "//a"),
    ],
)
def test_a_path_is_split_where_the_application_stands(path: str, depth: int, place: str, rest: str) -> None:
    assert split_path(path, depth) == (place, rest)


PLACES = [
    ("/", "/x/y?q=%20&q=2", "", "/x/y"),
    ("", "/", "", "/"),
    ("/shop", "/shop", "/shop", ""),
    ("/shop/", "/shop/items/1", "/shop", "/items/1"),
    ("/shop", "/%73hop/a%2Fb", "/shop", "/a/b"),
    ("/a b/ü", "/a%20b/%C3%BC/c", "/a b/\xc3\xbc", "/c"),
]


@pytest.mark.parametrize(("prefix", "target", "place", "rest"), PLACES)
async def test_the_prefix_is_the_script_name(serve, prefix: str, target: str, place: str, rest: str) -> None:
    app = web.Application()
    wsgi.mount(app, prefix, show)
    environ = json.loads((await (await serve(app)).request("GET", target)).body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (place, rest)
    assert environ["QUERY_STRING"] == target.partition("?")[2]
    assert (environ["REQUEST_URI"], environ["RAW_URI"]) == (target, target)


async def test_prefixes_of_outer_applications_come_first(serve) -> None:
    outer, inner = web.Application(), web.Application()
    handler = wsgi.mount(inner, "/shop", show, name="shop", script_name="/proxied")
    outer.add_subapp("/inner", inner, name="inner")
    address = await serve(outer)
    environ = json.loads((await address.request("GET", "/inner/shop/items")).body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/proxied/inner/shop", "/items")
    assert str(outer.url_for("inner:shop", path="items/a b")) == "/inner/shop/items/a%20b"
    assert (await address.request("GET", "/inner/shopping")).status == 404
    assert repr(handler).startswith("<WSGIHandler <function show")


async def test_what_a_trusted_proxy_tells_is_believed(serve) -> None:
    app = web.Application()
    wsgi.mount(app, "/shop", show)
    told = {"Prefix": "/caf%C3%A9", "Proto": "https", "Host": "example.org", "For": "203.0.113.9"}
    fields = [f"X-Forwarded-{name}: {value}" for name, value in told.items()]
    proxies = web.TrustedProxies("127.0.0.1", fields=[f"X-Forwarded-{name}" for name in told])
    for trusted, expected in (
        (proxies, ("/caf\xc3\xa9/shop", "https", "example.org", "203.0.113.9")),
        (None, ("/shop", "http", "localhost", "127.0.0.1")),
    ):
        address = await serve(app, forwarded=trusted)
        environ = json.loads((await address.request("GET", "/shop/a", *fields)).body)
        names = ("SCRIPT_NAME", "wsgi.url_scheme", "HTTP_HOST", "REMOTE_ADDR")
        assert tuple(environ[name] for name in names) == expected
        assert environ["PATH_INFO"] == "/a"


async def test_it_is_a_handler_of_a_route_or_a_server_as_well(serve) -> None:
    app = web.Application()
    app.router.add_get("/one", wsgi.WSGIHandler(show))
    environ = json.loads((await (await serve(app)).request("GET", "/one")).body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/one", "")

    handler = wsgi.WSGIHandler(show)
    environ = json.loads((await (await serve(web.Server(handler))).request("GET", "/one/two")).body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/one/two")
    handler.close()


async def test_routes_that_were_added_before_come_first(serve) -> None:
    async def health(request: web.Request) -> web.Response:
        return web.Response(text="fine")

    app = web.Application()
    app.router.add_get("/health", health)
    wsgi.mount(app, "/", show)
    address = await serve(app)
    assert (await address.request("GET", "/health")).body == b"fine"
    assert (await address.request("POST", "/health")).status == 200


# -- fields ------------------------------------------------------------------------------------------------------------


def test_fields_become_variables() -> None:
    headers = [
        ("Host", "example.org:8000"),
        ("X-Name", "Grüße"),
        ("x-name", "again"),
        ("Accept", "text/html"),
        ("Accept", "text/plain"),
        ("Cookie", "a=1"),
        ("cookie", "b=2"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "2"),
    ]
    request = make_mocked_request("POST", "/", _multi(headers), payload=b"hi")
    content = io.BytesIO(b"hi")
    environ = make_environ(request, depth=0, script_name="", content=content, length=2)
    assert environ["HTTP_X_NAME"] == "Grüße".encode().decode("latin-1") + ", again"
    assert environ["HTTP_ACCEPT"] == "text/html, text/plain"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_HOST"] == "example.org:8000"
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/plain; charset=utf-8", "2")
    assert not environ.keys() & {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}
    assert environ["wsgi.input"] is content
    assert (environ["wsgi.version"], environ["wsgi.input_terminated"], environ["wsgi.run_once"]) == (
        (1, 0),
        True,
        False,
    )
    assert environ["aioweb.request"] is request


def _multi(headers: list[tuple[str, str]]) -> Any:
    from multidict import CIMultiDict

    return CIMultiDict(headers)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("X_Forwarded_User", "HTTP_X_FORWARDED_USER"), ("Proxy", "HTTP_PROXY"), ("proxy", "HTTP_PROXY")],
)
def test_a_field_that_could_be_taken_for_something_else_is_left_out(name: str, variable: str) -> None:
    assert variable not in environ_of(headers={name: "evil"})
    assert environ_of(headers={name: "evil", "X-Forwarded-User": "ann"})["HTTP_X_FORWARDED_USER"] == "ann"


def test_the_transfer_coding_is_undone_and_so_is_not_told() -> None:
    environ = environ_of(headers={"Transfer-Encoding": "chunked"}, method="POST", payload=b"2\r\nhi\r\n0\r\n\r\n")
    assert not environ.keys() & {"HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "CONTENT_TYPE"}


@pytest.mark.parametrize("octets", [b"plain", "Grüße".encode(), b"\xff\xfe", bytes(range(32, 127))])
def test_octets_survive_both_ways(octets: bytes) -> None:
    assert disguise(octets.decode("utf-8", "surrogateescape")) == octets.decode("latin-1")
    assert reveal(octets.decode("latin-1")) == octets.decode("utf-8", "surrogateescape")


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_the_line_and_the_addresses() -> None:
    environ = environ_of("/", {"Host": "example.org"}, remote="10.1.2.3", version=HttpVersion10)
    assert (environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.0")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "80")
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("10.1.2.3", "http")
    assert environ_of("/", sslcontext=ssl.create_default_context())["wsgi.url_scheme"] == "https"


def test_the_authority_of_the_target_wins_over_host() -> None:
    environ = environ_of("http://example.org/a?b", {"Host": "other"})
    assert (environ["HTTP_HOST"], environ["PATH_INFO"]) == ("example.org", "/a")


async def test_an_old_client_names_nobody(serve) -> None:
    app = web.Application()
    wsgi.mount(app, "/", show)
    address = await serve(app)
    environ = json.loads((await address.raw(b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")[2])
    assert "HTTP_HOST" not in environ
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", str(address.port))


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("example.org", "example.org", "80"), ("example.org:81", "example.org", "81"), ("[::1]", "[::1]", "80")],
)
async def test_on_a_unix_socket_the_client_names_the_server(tmp_path, host: str, name: str, port: str) -> None:
    import asyncio

    app = web.Application()
    wsgi.mount(app, "/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "socket")).start()
    try:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        environ = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        await writer.wait_closed()
    finally:
        await runner.cleanup()
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == (name, port, "")
