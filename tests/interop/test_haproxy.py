"""What only haproxy does: Forwarded, and the PROXY protocol in both versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Peer
from tests.interop.proxies import Proxy, block, haproxy, listening
from tests.interop.test_proxies import PEM, SPOOFED, TLS, Site

FORWARDED = "frontend web\n    bind :80\n    http-request set-header Forwarded"
PROXY = "backend app\n    server app 127.0.0.1:8080 send-proxy-v2"


@asynccontextmanager
async def behind(
    folder: Path,
    *,
    socket: str = "",
    frontend: str = "",
    backend: str = "",
    certificate: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Proxy]:
    """haproxy in front of a site, at a TCP address unless a socket is named."""
    async with (
        listening(Site().app, socket, **settings) as (_, upstream),
        haproxy(folder, upstream, frontend=frontend, backend=backend, certificate=certificate) as proxy,
    ):
        yield proxy


async def facts(peer: Peer | Proxy, *lines: str) -> tuple[str, str]:
    remote, url, _ = (await peer.request("GET", "/facts", "Host: example.org", *lines)).body.decode().split("\n")
    return remote, url


async def test_forwarded_is_understood(tmp_path: Path) -> None:
    proxies = web.TrustedProxies("127.0.0.1", fields=["Forwarded"])
    async with behind(tmp_path, frontend=block(FORWARDED), forwarded=proxies) as proxy:
        for lines in (), SPOOFED:
            assert await facts(proxy, *lines) == ("127.0.0.1", "http://example.org/facts")
        for host in "a,for=6.6.6.6", 'a", for="6.6.6.6':
            answer = await proxy.request("GET", "/facts", f"Host: {host}")
            assert b"6.6.6.6" not in answer.body.partition(b"\n")[0]


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
@pytest.mark.parametrize("trusted", ["unix", "127.0.0.1"])
async def test_the_proxy_protocol_tells_the_client(option: str, trusted: str, tmp_path: Path) -> None:
    socket = str(tmp_path / "s") if trusted == "unix" else ""
    backend = block(PROXY).replace("send-proxy-v2", option)
    async with behind(tmp_path, socket=socket, backend=backend, proxy_protocol=[trusted]) as proxy:
        peer = await proxy.connect()
        for lines in (), SPOOFED:
            assert await facts(peer, *lines) == ("127.0.0.1", "http://example.org/facts")


async def test_the_proxy_protocol_tells_of_tls(tmp_path: Path) -> None:
    for option, scheme in ("send-proxy-v2", "http"), ("send-proxy-v2-ssl", "https"):
        backend = block(PROXY).replace("send-proxy-v2", option)
        async with behind(tmp_path, backend=backend, certificate=PEM, proxy_protocol=True) as proxy:
            peer = await proxy.connect(ssl=TLS)
            assert await facts(peer) == ("127.0.0.1", f"{scheme}://example.org/facts")


async def test_the_proxy_protocol_of_others_is_not_taken(tmp_path: Path) -> None:
    async with behind(tmp_path, backend=block(PROXY), proxy_protocol=["192.0.2.1"]) as proxy:
        assert (await proxy.request("GET", "/facts")).status in (502, 503)
    async with behind(tmp_path, proxy_protocol=["127.0.0.1"]) as proxy:
        assert (await proxy.request("GET", "/facts")).status in (502, 503)


async def test_fields_are_believed_of_the_client_that_the_header_names(tmp_path: Path) -> None:
    settings = {"proxy_protocol": True, "forwarded": web.TrustedProxies("192.0.2.0/24")}
    async with behind(tmp_path, backend=block(PROXY), **settings) as proxy:
        assert await facts(proxy, *SPOOFED) == ("127.0.0.1", "http://example.org/facts")
