"""The beginning of a connection behind a PROXY header, over a fake transport."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.connection import HTTPConnection
from aioweb.server.proxied import ProxiedPeer, ProxiedServer
from aioweb.server.server import Server
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import GET, PEER, FakeTransport

HEADER = b"PROXY TCP4 203.0.113.9 192.0.2.2 4711 80\r\n"
TLS = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xcb\0\x71\x09\xc0\0\x02\x02\x12\x67\0\x50\x20\0\x05\x01\0\0\0\0"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


class Switching(FakeTransport):
    """A transport that goes on to another protocol."""

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def feed(self, data: bytes) -> None:
        """Octets arrive, for whoever is there."""
        self.protocol.data_received(data)


class Proxied:
    """A connection that begins with a header, and the requests that come out of it."""

    def __init__(self, trusted: Any = True, limits: Limits | None = None) -> None:
        self.peers: list[Any] = []
        self.server = Server(self.answer, limits=limits or Limits())
        protocol = ProxiedServer(self.server, trusted)()
        self.transport = Switching(protocol)
        protocol.connection_made(self.transport)

    async def answer(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        self.peers.append(writer.peername)
        await writer.send(200, "OK", b"", b"hello")

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self.transport.lose()
        await self.settle()
        assert self.server.connections == []


@pytest.fixture
async def proxied() -> Any:
    made = Proxied()
    yield made
    await made.end()


async def test_the_header_names_the_client_and_the_rest_is_http(proxied: Proxied) -> None:
    proxied.transport.feed(HEADER + GET)
    await proxied.settle()
    assert proxied.peers == [("203.0.113.9", 4711)]
    assert isinstance(proxied.transport.protocol, HTTPConnection)
    proxied.transport.feed(GET)
    await proxied.settle()
    assert proxied.peers == [("203.0.113.9", 4711)] * 2
    assert proxied.transport.wire.count(b"hello") == 2
    assert proxied.transport.get_extra_info("peername") == PEER


@pytest.mark.parametrize("header", [HEADER, TLS, LOCAL])
async def test_it_may_come_octet_by_octet(header: bytes, proxied: Proxied) -> None:
    for octet in header + GET:
        proxied.transport.feed(bytes([octet]))
    await proxied.settle()
    assert proxied.peers == [PEER if header is LOCAL else ("203.0.113.9", 4711)]


async def test_it_tells_of_tls(proxied: Proxied) -> None:
    proxied.transport.feed(TLS + GET)
    await proxied.settle()
    (peer,) = proxied.peers
    assert isinstance(peer, ProxiedPeer)
    assert peer.secure


@pytest.mark.parametrize("octets", [GET, b"\x16\x03\x01", b"PROXY TCP4 1 2 3 4\r\n" + GET])
async def test_without_it_the_connection_is_cut(
    octets: bytes, proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aioweb.server")
    proxied.transport.feed(octets)
    proxied.transport.feed(HEADER + GET)
    await proxied.settle()
    assert proxied.transport.aborted
    assert (proxied.transport.wire, proxied.peers) == (b"", [])
    assert "Cut a connection of ('192.0.2.1', 4242)" in caplog.text


async def test_only_trusted_proxies_may_send_it() -> None:
    for trusted, served in ([["192.0.2.0/24"], True], [["192.0.3.0/24", "unix"], False]):
        proxied = Proxied(trusted)
        proxied.transport.feed(HEADER + GET)
        await proxied.settle()
        assert (len(proxied.peers) == 1) is served
        assert proxied.transport.aborted is not served
        await proxied.end()


async def test_its_size_is_bounded() -> None:
    for limit, served in (len(TLS), True), (len(TLS) - 1, False):
        proxied = Proxied(limits=Limits(proxy_header=limit))
        proxied.transport.feed(TLS + GET)
        await proxied.settle()
        assert (len(proxied.peers) == 1) is served
        await proxied.end()


async def test_it_has_the_deadline_of_a_head(proxied: Proxied) -> None:
    (connection,) = proxied.server.connections
    assert connection.deadline < float("inf")
    proxied.transport.feed(HEADER[:-1])
    connection.deadline_passed(connection.deadline)
    await proxied.settle()
    assert proxied.transport.lost
    assert proxied.transport.wire == b""


async def test_whoever_leaves_before_its_end_is_let_go(proxied: Proxied) -> None:
    proxied.transport.feed(HEADER[:-1])
    proxied.transport.protocol.eof_received()
    await proxied.settle()
    assert proxied.transport.lost
    assert proxied.server.connections == []


async def test_a_stop_does_not_wait_for_it() -> None:
    proxied = Proxied()
    proxied.server.close_idle()
    (connection,) = proxied.server.connections
    assert connection.deadline - proxied.server.clock.now < 1.5
    await proxied.end()


async def test_what_names_no_peers_is_an_error() -> None:
    server = Server(Proxied().answer)
    for trusted, error in ("10.0.0.0/8", TypeError), ([], ValueError), (1, TypeError):
        with pytest.raises(error):
            ProxiedServer(server, trusted)


async def test_the_pauses_of_its_transport_go_on_to_the_connection(proxied: Proxied) -> None:
    (connection,) = proxied.server.connections
    proxied.transport.protocol.pause_writing()
    assert connection.flow.writing_paused
    proxied.transport.protocol.resume_writing()
    assert not connection.flow.writing_paused
