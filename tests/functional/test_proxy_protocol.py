"""The PROXY protocol and trusted proxies over real sockets: every kind of site, both loops, all that follows."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Peer, Serve
from tests.wsclient import handshake

pytestmark = pytest.mark.on_every_loop

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"
HEADER = b"PROXY TCP6 2001:db8::9 ::1 4711 80\r\n"
TLS = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xcb\0\x71\x09\xc0\0\x02\x02\x12\x67\0\x50\x20\0\x05\x01\0\0\0\0"
ASK = b"GET / HTTP/1.1\r\nHost: example.org\r\n"


async def tell(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.remote} {request.url}")


def app_of(handler: Callable[[web.Request], Any]) -> web.Application:
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    return app


@asynccontextmanager
async def connected(site: Callable[[web.AppRunner], web.BaseSite], **options: Any) -> AsyncIterator[Peer]:
    runner = web.AppRunner(app_of(tell), shutdown_timeout=1.0, **options)
    await runner.setup()
    try:
        await site(runner).start()
        (address,) = runner.addresses
        opened = (
            asyncio.open_connection(*address) if isinstance(address, tuple) else asyncio.open_unix_connection(address)
        )
        peer = Peer(*await opened)
        yield peer
        await peer.close()
    finally:
        await runner.cleanup()


async def answer(peer: Peer, octets: bytes) -> str:
    await peer.send(octets)
    return (await peer.response()).body.decode()


async def test_a_tcp_site_demands_it() -> None:
    async with connected(lambda runner: web.TCPSite(runner, "127.0.0.1", 0, proxy_protocol=True)) as peer:
        assert await answer(peer, HEADER + ASK + b"\r\n") == "2001:db8::9 http://example.org/"
        assert await answer(peer, ASK + b"\r\n") == "2001:db8::9 http://example.org/"


async def test_a_unix_site_demands_it_of_whom_it_trusts(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with connected(lambda runner: web.UnixSite(runner, path, proxy_protocol=["unix"])) as peer:
        await peer.send(TLS[:20])
        assert await answer(peer, TLS[20:] + ASK + b"\r\n") == "203.0.113.9 https://example.org/"
    async with connected(lambda runner: web.UnixSite(runner, path, proxy_protocol=["127.0.0.1"])) as peer:
        assert await peer.is_closed()


async def test_a_sock_site_demands_it() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    async with connected(lambda runner: web.SockSite(runner, sock, proxy_protocol=["127.0.0.0/8"])) as peer:
        await peer.send(ASK + b"\r\n")
        assert await peer.is_closed()


async def test_the_header_is_awaited_for_the_time_of_a_head() -> None:
    limits = web.Limits(head_timeout=0.05)
    async with connected(lambda r: web.TCPSite(r, "127.0.0.1", 0, proxy_protocol=True), limits=limits) as peer:
        await peer.send(HEADER[:-1])
        assert await peer.is_closed()


async def test_tls_behind_it_is_refused() -> None:
    runner = web.AppRunner(app_of(tell))
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        with pytest.raises(ValueError, match="the proxy has to end TLS"):
            web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, proxy_protocol=["127.0.0.1"])
    finally:
        await runner.cleanup()


async def test_trusted_proxies_are_those_that_the_header_names() -> None:
    said = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    for network, told in (
        ("2001:db8::/32", "192.0.2.1 https://example.org/"),
        ("127.0.0.1", "2001:db8::9 http://example.org/"),
    ):
        proxies = web.TrustedProxies(network)
        async with connected(lambda r: web.TCPSite(r, "127.0.0.1", 0, proxy_protocol=True), forwarded=proxies) as peer:
            assert await answer(peer, HEADER + ASK + said) == told


# -- trusted proxies, without the PROXY protocol -----------------------------------------------------------------------

TOLD = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: example.org")
ALL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")


async def test_a_unix_socket_may_be_trusted(tmp_path: Path) -> None:
    fields = "".join(f"{line}\r\n" for line in TOLD).encode() + b"\r\n"
    for network, told in ("unix", "192.0.2.1 https://example.org/"), ("0.0.0.0/0", "None http://example.org/"):
        proxies = web.TrustedProxies(network)
        async with connected(lambda r: web.UnixSite(r, tmp_path / "s"), forwarded=proxies) as peer:
            assert await answer(peer, ASK + fields) == told


@pytest.mark.parametrize(
    ("network", "remote"), [("127.0.0.1", "192.0.2.1"), ("10.0.0.1", "127.0.0.1"), ("*", "192.0.2.1")]
)
async def test_the_access_log_knows_the_client(
    network: str, remote: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aioweb.access")
    address = await serve(app_of(tell), forwarded=web.TrustedProxies(network), access_log_format="%a")
    await address.request("GET", "/", *TOLD)
    assert caplog.messages == [remote]


async def test_a_server_without_an_application_knows_the_client(serve: Serve) -> None:
    address = await serve(web.Server(tell, forwarded=web.TrustedProxies("127.0.0.1", fields=ALL)))
    assert (await address.request("GET", "/a", *TOLD)).body == b"192.0.2.1 https://example.org/a"


async def test_the_routes_of_a_domain_follow(serve: Serve) -> None:
    async def inside(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    for middlewares in [], [web.normalize_path_middleware()]:
        app = web.Application(middlewares=middlewares)
        app.add_domain("example.org", app_of(inside))
        app.router.add_get("/", tell)
        address = await serve(app, forwarded=web.TrustedProxies("127.0.0.1", fields=ALL))
        assert (await address.request("GET", "/", *TOLD)).body == b"inside"
        assert (await address.request("GET", "/", *TOLD[:2])).body == b"192.0.2.1 https://localhost/"


async def test_the_origin_of_a_websocket_is_compared_with_the_host_that_was_asked(serve: Serve) -> None:
    async def socket(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(allowed_origins=["self"])
        await ws.prepare(request)
        return ws

    address = await serve(app_of(socket), forwarded=web.TrustedProxies("127.0.0.1", fields=ALL))
    for origin, lines, status in (
        ("https://example.org", TOLD, 101),
        ("https://evil.example", TOLD, 403),
        ("http://localhost", TOLD, 403),
        ("http://localhost", (), 101),
    ):
        peer = await address.connect()
        await peer.send(handshake("/", f"Origin: {origin}", *lines))
        assert (await asyncio.wait_for(peer.head(), PATIENCE)).status == status
        peer.abort()


async def test_the_client_is_known_when_it_has_gone(serve: Serve) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()
    said: list[Any] = []

    async def wait(request: web.Request) -> web.Response:
        reached.set()
        await gone.wait()
        said.append((request.remote, request.scheme, request.host))
        return web.Response()

    address = await serve(app_of(wait), forwarded=web.TrustedProxies("127.0.0.1", fields=ALL))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"{line}\r\n" for line in TOLD).encode() + b"\r\n")
    await reached.wait()
    peer.abort()
    (connection,) = address.server.connections
    while connection.transport is not None:
        await asyncio.sleep(0.001)
    gone.set()
    while not said:
        await asyncio.sleep(0.001)
    assert said == [("192.0.2.1", "https", "example.org")]
