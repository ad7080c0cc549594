"""What tests share: real servers on loopback, and a peer that speaks in octets.

    async def test_hello(serve):
        address = await serve(app)                 # an Application, or a Server
        peer = await address.connect()
        await peer.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        answer = await peer.response()
        assert answer.status == 200

After each test no task, connection or listener may be left: `serve` stops everything in order and looks.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from multidict import CIMultiDict

pytest_plugins = ["aioweb.testing.plugin", "pytester"]

# Property tests count examples, not milliseconds: a machine that is busy with something else fails nothing. In CI the
# same commit draws the same examples, so that it fails always or never; at a desk each run looks somewhere else.
settings.register_profile(
    "aioweb",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("aioweb")

PATIENCE = 5.0
"""Seconds after which a test that waits for a peer has failed."""


@attrs.define
class Answer:
    """One response as it came over the wire."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes
    raw_head: bytes


class Peer:
    """A client that sends octets as they are and reads responses one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._is_closed = False

    async def send(self, data: bytes) -> None:
        """Send octets and wait until they have left."""
        self.writer.write(data)
        await self.writer.drain()

    async def request(self, method: str, target: str, *lines: str, body: bytes = b"", http: str = "1.1") -> Answer:
        """Send a request with these field lines, Host and Content-Length added, and read its response."""
        fields = "".join(f"{line}\r\n" for line in lines)
        host = "" if any(line.lower().startswith("host:") for line in lines) else "Host: localhost\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/{http}\r\n{host}{length}{fields}\r\n"
        await self.send(head.encode("utf-8", "surrogateescape") + body)
        return await self.response(method)

    async def head(self) -> Answer:
        """Read the head of a response, interim ones too."""
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        line, *fields = raw[:-4].decode("utf-8", "surrogateescape").split("\r\n")
        version, status, reason = line.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = [field.split(": ", 1) for field in fields]
        return Answer(int(status), reason, CIMultiDict((name, value) for name, value in pairs), b"", raw)

    async def response(self, method: str = "GET") -> Answer:
        """Read a whole response to `method`."""
        answer = await self.head()
        if method != "HEAD" and answer.status >= 200 and answer.status not in (204, 304):
            answer.body = await asyncio.wait_for(self._content(answer.headers), PATIENCE)
        return answer

    async def _content(self, headers: CIMultiDict[str]) -> bytes:
        if "chunked" in headers.get("Transfer-Encoding", ""):
            return await self._chunks()
        if "Content-Length" in headers:
            return await self.reader.readexactly(int(headers["Content-Length"]))
        return await self.reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body

    async def until_closed(self) -> bytes:
        """Read until the server closes; a reset counts as closing."""
        data = bytearray()

        async def collect() -> None:
            while piece := await self.reader.read(65536):
                data.extend(piece)

        try:
            await asyncio.wait_for(collect(), PATIENCE)
        except ConnectionResetError:
            pass
        return bytes(data)

    async def is_closed(self) -> bool:
        """The server closes without another octet."""
        return await self.until_closed() == b""

    def abort(self) -> None:
        """Vanish with a reset. Nothing happens if it has closed already."""
        if not self._is_closed:  # asyncio cannot abort a transport that was closed while it had something to send
            self.writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass
        self._is_closed = True


class Address:
    """Where a server of a test listens."""

    def __init__(self, server: Any, host: str, port: int) -> None:
        self.server = server
        self.host = host
        self.port = port
        self.peers: list[Peer] = []

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.host}:{self.port}"

    async def connect(self, **options: Any) -> Peer:
        """Open a connection; the fixture closes it."""
        peer = Peer(*await asyncio.open_connection(self.host, self.port, **options))
        self.peers.append(peer)
        return peer

    async def request(self, method: str, target: str, *lines: str, body: bytes = b"", http: str = "1.1") -> Answer:
        """One request on a connection of its own."""
        peer = await self.connect()
        answer = await peer.request(method, target, *lines, body=body, http=http)
        await peer.close()
        return answer

    async def raw(self, data: bytes) -> bytes:
        """Send octets on a connection of their own, and read until the server closes."""
        peer = await self.connect()
        await peer.send(data)
        answer = await peer.until_closed()
        await peer.close()
        return answer


Serve = Callable[..., Awaitable[Address]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(app, **options)` starts an Application, or a Server, and gives its Address."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    running: list[tuple[Any, Any, asyncio.Server, Address]] = []

    async def start(app: Any, *, ssl_context: ssl.SSLContext | None = None, **options: Any) -> Address:
        served = app
        if hasattr(app, "make_handler"):
            await app.startup()
            served = app.make_handler(**options)
        listener = await loop.create_server(served, "127.0.0.1", 0, ssl=ssl_context)
        address = Address(served, "127.0.0.1", listener.sockets[0].getsockname()[1])
        running.append((app, served, listener, address))
        return address

    yield start
    for app, served, listener, address in running:
        for peer in address.peers:
            peer.abort()  # what it still has to send may be what a failed test left unread
            await peer.close()
        listener.close()
        await served.shutdown(2.0)
        if app is not served:
            await app.shutdown()
            await app.cleanup()
        assert served.connections == []
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks are left: {left}"
