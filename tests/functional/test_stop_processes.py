"""SIGTERM in the middle of two hundred requests: each ends whole, nobody new gets in, the exit code is 0.

The clients are connected when the signal comes, and that is all: some have been answered already, some wait in a
handler, some lie unread in the kernel or are not even accepted.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.load import GET
from tests.functional.processes import DEADLINE, Program, running, wait_until

PEM = str(Path(__file__).parents[1] / "data" / "localhost.pem")
SERVERS = {
    "run_app": ["tests/functional/stopping.py"],
    "command line": ["-m", "aioweb", "-P", "0", "--no-access-log", "tests.functional.stopping:app"],
    "two workers": ["-m", "aioweb", "-P", "0", "-w", "2", "--no-access-log", "tests.functional.stopping:create_app"],
    "uvloop": ["-m", "aioweb", "-P", "0", "--loop", "uvloop", "--no-access-log", "tests.functional.stopping:app"],
    "TLS": ["-m", "aioweb", "-P", "0", "--tls-cert", PEM, "--no-access-log", "tests.functional.stopping:app"],
    "TLS on asyncio": [
        *("-m", "aioweb", "-P", "0", "--tls-cert", PEM, "--loop", "asyncio", "--no-access-log"),
        "tests.functional.stopping:app",
    ],
    "gunicorn": [
        *("-m", "gunicorn", "-k", "aioweb.worker.GunicornWebWorker", "-w", "2", "-b", "127.0.0.1:0"),
        *("--no-control-socket", "tests.functional.stopping:app"),
    ],
}


def ask(port: int) -> bytes:
    """Who answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        with client.makefile("rb") as answer:
            return answer.read().partition(b"\r\nPid: ")[2].partition(b"\r\n")[0]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Program, int, dict[str, Any]]]:
    """The program, its port, and how to connect."""
    with running(*SERVERS[request.param]) as program:
        (port,) = program.wait_for(r"https?://127\.0\.0\.1:(\d+)")
        if request.param == "gunicorn":
            program.wait_for("Booting worker", 2)
        if request.param == "two workers":
            answered: set[bytes] = set()
            wait_until(lambda: answered.add(ask(int(port))) or len(answered) == 2)
        is_tls = request.param.startswith("TLS")
        tls = {"ssl": ssl.create_default_context(cafile=PEM), "server_hostname": "localhost"} if is_tls else {}
        yield program, int(port), tls


class Client:
    """One client; each kind asks for something else, and knows whether it has got it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, go_on: asyncio.Event) -> None:
        self.reader = reader
        self.writer = writer
        self.go_on = go_on

    def ask(self) -> None:
        """Send what is sent before the signal."""
        raise NotImplementedError

    async def finish(self) -> None:
        """Read the answer to its end, behind which the connection is closed."""
        answer = await self.reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
        self.check(answer.partition(b"\r\n\r\n")[2])

    def check(self, content: bytes) -> None:
        """Look at the content."""
        raise NotImplementedError


class Plain(Client):
    def ask(self) -> None:
        self.writer.write(GET.replace(b"/ ", b"/plain "))

    def check(self, content: bytes) -> None:
        assert content == b"p" * 1000


class Stream(Client):
    def ask(self) -> None:
        self.writer.write(GET.replace(b"/ ", b"/stream "))

    async def finish(self) -> None:
        content = b""
        await self.reader.readuntil(b"\r\n\r\n")
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            content += (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readexactly(2) == b"\r\n"
        assert content == b"s" * 1000


class Upload(Client):
    def ask(self) -> None:
        head = GET.replace(b"GET / ", b"POST /upload ").replace(b"\r\n\r\n", b"\r\nContent-Length: 2000\r\n\r\n")
        self.writer.write(head + b"u" * 1000)

    async def finish(self) -> None:
        await self.go_on.wait()
        self.writer.write(b"u" * 1000)
        await super().finish()

    def check(self, content: bytes) -> None:
        assert content == b"u" * 2000


class WebSocket(Client):
    def ask(self) -> None:
        fields = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        self.writer.write(GET.replace(b"/ ", b"/socket ")[:-2] + fields + key + b"\r\n")

    async def finish(self) -> None:
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        opcode, length = await self.reader.readexactly(2)
        assert opcode == 0x88, "a close frame"
        assert int.from_bytes((await self.reader.readexactly(length))[:2], "big") == 1001
        self.writer.write(b"\x88\x82\0\0\0\0\x03\xe9")
        assert await self.reader.read() == b""


class Loop(Client):
    """Asks again and again, until it is told that it was the last time."""

    def ask(self) -> None:
        self.writer.write(GET)

    async def finish(self) -> None:
        while True:
            head = await self.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
            assert await self.reader.readexactly(5) == b"hello"
            if b"\r\nConnection: close\r\n" in head:
                assert await self.reader.read() == b""
                return
            await asyncio.sleep(0)
            if self.reader.at_eof():
                return  # it was slow, and closed while it had asked for nothing
            self.ask()


async def is_refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # the listener was closed in this very moment: the next one is refused
    writer.close()
    return False


async def test_200_requests_in_flight_end_whole(server: tuple[Program, int, dict[str, Any]]) -> None:
    program, port, tls = server
    go_on = asyncio.Event()
    kinds = [Plain] * 50 + [Stream] * 50 + [Upload] * 50 + [WebSocket] * 25 + [Loop] * 25
    clients = [kind(*await asyncio.open_connection("127.0.0.1", port, **tls), go_on) for kind in kinds]
    for client in clients:
        client.ask()
    await asyncio.sleep(0)  # a turn: what is written has left this process
    program.tell(signal.SIGTERM)
    finishing = asyncio.gather(*(client.finish() for client in clients), return_exceptions=True)
    end = asyncio.get_running_loop().time() + DEADLINE
    while not await is_refused(port):
        assert asyncio.get_running_loop().time() < end, "new connections are accepted"
    go_on.set()
    outcomes = await asyncio.wait_for(finishing, DEADLINE)
    for client in clients:
        client.writer.close()
    failed = [(type(client).__name__, outcome) for client, outcome in zip(clients, outcomes, strict=True) if outcome]
    assert failed == []
    assert program.end(None) == 0
    assert len(re.findall("cleaned up", program.output)) >= 1
    assert "Traceback" not in program.output
