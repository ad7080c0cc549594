"""An aioweb application under the real uvicorn, hypercorn and granian."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import httpx
import pytest

from aioweb.testing import unused_port
from tests.conftest import Address
from tests.functional.processes import Program, running, wait_until
from tests.wsclient import FIELDS, open_websocket

PATIENCE = 20


@attrs.frozen
class Kind:
    """One of the servers."""

    name: str
    command: tuple[str, ...]
    root: tuple[str, ...]
    """How it is told a root path."""
    ready: str
    """What it says when it listens."""

    def start(self, app: str, port: int) -> Any:
        command = [part.format(port=port) for part in self.command]
        return running("-m", *command, *self.root, f"tests.wings.asgi_served:{app}")


HYPERCORN = Kind("hypercorn", ("hypercorn", "-b", "127.0.0.1:{port}"), ("--root-path", "/root"), "Running on http")
KINDS = [
    Kind("uvicorn", ("uvicorn", "--port", "{port}"), ("--root-path", "/root"), "Uvicorn running on"),
    HYPERCORN,
    Kind("granian", ("granian", "--interface", "asgi", "--port", "{port}"), (), "Started worker-1"),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Kind, Program, int]]:
    kind = request.param
    pytest.importorskip(kind.name)
    port = unused_port()
    with kind.start("app", port) as program:
        program.wait_for(kind.ready)
        wait_until(lambda: is_open(port))  # granian says so a little too early
        yield kind, program, port
        program.end()
        assert program.output.count("context up") == program.output.count("context down") == 1, program.output


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def address(server: tuple[Kind, Program, int]) -> AsyncIterator[Address]:
    address = Address(None, "127.0.0.1", server[2])
    yield address
    for peer in address.peers:
        peer.abort()
        await peer.close()


async def test_requests_and_responses(server: Any, address: Address) -> None:
    root = "/root" if server[0].root else ""
    answer = await address.request("GET", "/show?a=%20", "X-Name: 1", "X-Name: 2", "Cookie: c=3")
    assert json.loads(answer.body) == {
        "url": f"http://localhost{root}/show?a=%20",
        "own": f"{root}/show",
        "remote": "127.0.0.1",
        "headers": ["1", "2"],
        "cookies": {"c": "3"},
    }
    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert len(answer.headers.getall("Date")) == len(answer.headers.getall("Content-Length")) == 1
    head = await address.request("HEAD", "/show")
    assert (head.status, head.body) == (200, b"")
    assert (await address.request("GET", "/nothing")).status == 404
    assert (await address.request("GET", "/fail")).status == 500


async def test_content_streams_both_ways(address: Address) -> None:
    peer = await address.connect()
    await peer.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    answer = await peer.head()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert await asyncio.wait_for(peer.reader.readuntil(b"abc\r\n"), PATIENCE) == b"3\r\nabc\r\n"
    await peer.send(b"3\r\ndef\r\n0\r\n\r\n")
    assert await asyncio.wait_for(peer.reader.readuntil(b"0\r\n\r\n"), PATIENCE) == b"3\r\ndef\r\n0\r\n\r\n"
    large = bytes(range(256)) * 4000
    assert (await address.request("PUT", "/echo", body=large)).body == large


async def test_an_invitation_goes_out_when_the_handler_reads(server: Any, address: Address) -> None:
    head = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    reading = await address.connect()
    await reading.send(head % b"collect")
    assert (await reading.head()).status == 100
    await reading.send(b"ok")
    assert (await reading.response()).body == b"ok"
    refusing = await address.connect()
    await refusing.send(head % b"refuse")
    if server[0].name == "hypercorn":  # which invites before it asks anybody
        assert (await refusing.head()).status == 100
    assert (await refusing.head()).status == 413


async def test_a_handler_learns_that_its_client_is_gone(server: Any, address: Address) -> None:
    _, program, _ = server
    peer = await address.connect()
    await peer.send(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.to_thread(program.wait_for, "hanging")
    await peer.close()
    await asyncio.to_thread(program.wait_for, "gone: True")


async def test_a_handler_that_fails_in_mid_response_cuts_the_connection(address: Address) -> None:
    answer = await address.raw(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == b"5\r\nbegun\r\n"


async def test_a_slow_client_makes_the_handler_wait(address: Address) -> None:
    peer = await address.connect(limit=1000)
    await peer.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
    counts = []
    for _ in range(100):
        counts.append(int((await address.request("GET", "/count")).body))
        if counts[-3:] == counts[-1:] * 3 and counts[-1]:
            break
        await asyncio.sleep(0.02)
    assert counts[-1] < 50_000_000


async def test_websockets(server: Any, address: Address) -> None:
    kind, program, _ = server
    client = await open_websocket(address, "/ws?q=1", "Sec-WebSocket-Protocol: v1, chat")
    assert client.answer.headers["Sec-WebSocket-Protocol"] == "chat"
    if kind.name != "granian":  # which drops them
        assert client.answer.headers["X-Name"] == "talk"
    await client.text("hi")
    assert await client.data() == f"hi http://localhost{'/root' if kind.root else ''}/ws?q=1"
    large = bytes(range(256)) * 400
    await client.binary(large)
    assert await client.data() == large
    await client.text("close")
    event: Any = await client.next()
    assert (event.code, event.reason) == (3001, "bye")
    await client.send(client.ground.send_close(3001))
    assert await client.peer.is_closed()
    await asyncio.to_thread(program.wait_for, r"closed: 3001")
    leaving = await open_websocket(address, "/ws")
    await leaving.close(3002, "leaving")
    # hypercorn tells that it was closed, and never how.
    await asyncio.to_thread(program.wait_for, r"closed: 1006" if kind.name == "hypercorn" else r"closed: 3002")


@pytest.mark.parametrize("server", [HYPERCORN], indirect=True, ids=["hypercorn"], scope="module")
async def test_http2(address: Address) -> None:
    """The others speak it with TLS only."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    async with httpx.AsyncClient(http1=False, http2=True, base_url=address.url, timeout=PATIENCE) as client:
        answer = await client.get("/show?a=1")
        assert (answer.http_version, answer.json()["url"]) == ("HTTP/2", f"{address.url}/root/show?a=1")
        assert (await client.post("/echo", content=pieces())).content == b"abcdef"
        assert (await client.post("/collect", content=b"abc")).content == b"abc"
        with pytest.raises(httpx.HTTPError):
            await client.get("/cut", timeout=0.5)  # hypercorn leaves the stream open, and closes what is idle


async def test_a_handshake_may_be_refused(server: Any, address: Address) -> None:
    answer = await address.request("GET", "/deny", *FIELDS)
    assert (answer.status, answer.body) == (418, b"no")
    assert (await address.request("GET", "/nothing", *FIELDS)).status == 404


@contextmanager
def failing(kind: Kind) -> Iterator[Program]:
    with kind.start("broken", unused_port()) as program:
        yield program


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_application_that_does_not_start_ends_the_server(kind: Kind) -> None:
    pytest.importorskip(kind.name)
    with failing(kind) as program:
        program.wait_for("RuntimeError: no database")
        if kind.name == "granian":  # it starts a worker again and again
            program.end()
        else:
            program.end(None)
    assert "context down" in program.output
