"""Connections behind a proxy that speaks the PROXY protocol: its header is read, then they are like all others.

A connection is made and known to its server at once, so it has its deadline, is counted and is ended as all are; only
what arrives comes here first. The header gives it another `peername`, and the transport goes on to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from aioweb.protocol.proxyprotocol import BadProxyHeader, parse_proxy_header
from aioweb.server.connection import HTTPConnection
from aioweb.server.networks import Networks
from aioweb.server.server import Server

ProxyProtocol = bool | Iterable[Any]
"""Whether a listener demands the PROXY protocol: True of whoever connects, else of these peers, see `Networks`."""


class ProxiedPeer(tuple[Any, ...]):
    """(host, port) of a client, as a PROXY header tells it."""

    secure: bool = False
    """The client speaks TLS with the proxy."""


class ProxiedServer:
    """What a listener calls for a connection that begins with a PROXY header.

    Args:
        server: whose connections they become.
        trusted: who may connect; True for everybody. Others are cut: without the header nobody knows who they are.

    Raises TypeError and ValueError for what names no peers.
    """

    def __init__(self, server: Server, trusted: ProxyProtocol) -> None:
        self.server = server
        self.trusted = None if trusted is True else Networks(cast(Iterable[Any], trusted))

    def __call__(self) -> ProxiedConnection:
        """The protocol of a new connection."""
        return ProxiedConnection(self)


class ProxiedConnection(asyncio.Protocol):
    """The beginning of a connection: until the PROXY header is complete, what arrives is kept here."""

    def __init__(self, listener: ProxiedServer) -> None:
        self._listener = listener
        self._connection: HTTPConnection = listener.server.accept()
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A proxy has connected, or somebody who is none."""
        self._connection.connection_made(transport)
        trusted = self._listener.trusted
        if trusted is not None and not trusted.has_peer(transport.get_extra_info("peername")):
            self._refuse("it is no trusted proxy")

    def data_received(self, data: bytes) -> None:
        """Octets have arrived; those behind the header are the client's."""
        connection = self._connection
        transport = connection.transport
        if transport is None or transport.is_closing():
            return
        self._buffer += data
        try:
            header = parse_proxy_header(self._buffer, self._listener.server.limits.proxy_header)
        except BadProxyHeader as error:
            self._refuse(str(error))
            return
        if header is None:
            return
        if header.source is not None:
            connection.peername = ProxiedPeer(header.source)
            connection.peername.secure = header.secure
        transport.set_protocol(connection)
        if len(self._buffer) > header.size:
            connection.data_received(bytes(self._buffer[header.size :]))

    def eof_received(self) -> None:
        """It has left before its header was complete."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """The server has refused it, and it does not read that."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._connection.resume_writing()

    def _refuse(self, reason: str) -> None:
        self._listener.server.logger.debug("Cut a connection of %s: %s", self._connection.peername, reason)
        self._connection.abort()
