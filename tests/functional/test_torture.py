"""Torture, after curl's habit: one exchange by script, and at its n-th step something goes wrong, for every n.

The n-th call of the transport fails; or at the n-th turn of the loop the handler is cancelled, the client vanishes or
ends, the server stops or cuts. Whatever the n: what the client has read is whole responses, or one that is cut and
nothing behind it; the connection ends; no task and no object is left; no error escapes but the one that was injected.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import h11
import pytest

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.connection import HTTPConnection
from aioweb.server.flow import Flow
from aioweb.server.server import Server
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import FakeTransport, Wire

LIMITS = Limits(read_buffer=20, write_buffer=100)
METHODS = ["POST", "GET", "HEAD", "GET", "GET"]
SCRIPT = [
    b"POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"5\r\nhello\r\n",
    b"20\r\n" + b"x" * 0x20 + b"\r\n",
    b"0\r\nX: y\r\n\r\nGET /whole HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
    b"llo",
    b"BAD\r\n\r\n",
    b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n",
]


class Heard(logging.Handler):
    """Notes what the server logs, but keeps no exception and so no frame."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


HEARD = Heard()
LOGGER = logging.Logger("torture")
LOGGER.addHandler(HEARD)
KINDS = (HTTPConnection, StreamReader, StreamWriter, Flow, FakeTransport, Server, asyncio.Task)


async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    """Read, wait, and write in all ways that there are."""
    assert head.path != "/behind"
    if head.path != "/stream":
        await writer.send(200, "OK", b"", b"whole")
        return
    writer.send_informational(103)
    content = await body.readexactly(5) if head.has_body else b""
    for _ in range(6 if head.has_body else 0):  # the rest piles up, and the transport is paused
        await asyncio.sleep(0)
    content += await body.read()
    writer.send_head(200, "OK", b"", None)
    await writer.write(content)
    await asyncio.sleep(0)
    await writer.write(b"z" * 150)
    await writer.drain()
    await writer.write_eof(b"end", [("X-Trailer", "a")])


class Scene:
    """One run of the script. `act`, if any, is called at the turn `at`."""

    def __init__(self, fail_at: int = 0, act: Callable[[Scene], None] | None = None, at: int = 0) -> None:
        self.escaped: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.escaped.append(context))
        self.wire = Wire(handler, limits=LIMITS, window=60, fail_at=fail_at, logger=LOGGER)
        self.stopping: asyncio.Task[None] | None = None
        self.turns = 0
        self.act = act
        self.at = at

    async def turn(self) -> None:
        self.turns += 1
        if self.act is not None and self.turns == self.at:
            self.act(self)
        await asyncio.sleep(0)

    def send(self, octets: bytes) -> None:
        transport = self.wire.transport
        if transport.closing:
            return
        try:
            self.wire.connection.data_received(octets)
        except OSError as error:
            transport.lose(error)  # as a transport of asyncio does with what its protocol raises

    async def play(self) -> None:
        transport = self.wire.transport
        for octets in SCRIPT:
            for _ in range(30):
                if transport.reading or transport.closing:
                    break
                await self.turn()
                transport.take(100)
            if not transport.reading:
                break  # something failed, and the deadlines have to end it
            self.send(octets)
            for _ in range(4):
                await self.turn()
            transport.take(100)
        for _ in range(20):
            await self.turn()
            transport.take(100)
        if not transport.closing:
            self.wire.end()
        await self.wire.settle()

    async def check(self) -> None:
        """Nothing may be left, and the client was not deceived."""
        wire = self.wire
        assert wire.transport.lost
        if self.stopping is not None:
            await self.stopping
        await asyncio.wait_for(wire.server.shutdown(1.0), 0.9)
        assert not wire.connection.busy
        assert wire.server.connections == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for context in self.escaped:
            assert "has failed" in str(context.get("exception")), context
        complete = read_responses(wire.sent)
        whole = not wire.transport.aborted and self.act is None and not wire.transport.fail_at
        assert not whole or complete == len(METHODS)


def read_responses(octets: bytes) -> int:
    """How many whole responses a foreign client reads; h11 refuses octets that belong to none."""
    for number, method in enumerate(METHODS):
        if not octets:
            return number
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(octets)
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                return number
            if isinstance(event, h11.Response):
                closes = (b"connection", b"close") in event.headers
            if isinstance(event, h11.EndOfMessage):
                break
        octets = client.trailing_data[0]
        assert not (closes and octets)
    assert octets == b""
    return len(METHODS)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Objects of these kinds must not stay, whoever refers to them. Lazy objects of Django do not like isinstance."""
    gc.collect()
    before = Counter(type(thing).__name__ for thing in gc.get_objects() if issubclass(type(thing), KINDS))
    HEARD.lines.clear()
    yield
    gc.collect()
    after = Counter(type(thing).__name__ for thing in gc.get_objects() if issubclass(type(thing), KINDS))
    # The task and the scene of the last run may live as long as the test.
    assert sum((after - before).values()) <= 10, after - before


async def test_the_script_is_played_to_its_end() -> None:
    scene = Scene()
    await scene.play()
    assert scene.wire.statuses == [103, 200, 200, 103, 200, 200, 400]
    assert {"write", "write_eof", "pause_reading", "resume_reading"} <= set(scene.wire.transport.calls)
    await scene.check()
    assert scene.escaped == []


async def test_whichever_call_of_the_transport_fails_the_connection_ends() -> None:
    for n in count(1):
        scene = Scene(fail_at=n)
        await scene.play()
        await scene.check()
        if len(scene.wire.transport.calls) < n:
            break
    assert n > 12


def cancel(scene: Scene) -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        # A turn later: nobody but the end of asyncio.run() cancels a task of ours that has not begun.
        asyncio.get_running_loop().call_soon(task.cancel)


def vanish(scene: Scene) -> None:
    if not scene.wire.transport.closing:
        scene.wire.transport.lose(ConnectionResetError())


def end(scene: Scene) -> None:
    if not scene.wire.transport.closing:
        scene.wire.end()


def cut(scene: Scene) -> None:
    scene.wire.connection.kill()


def close_idle(scene: Scene) -> None:
    scene.wire.server.close_idle()


def shut_down(scene: Scene) -> None:
    scene.stopping = asyncio.ensure_future(scene.wire.server.shutdown(1.0))


def look_at_the_clock(scene: Scene) -> None:
    for _ in range(4):
        scene.wire.pass_deadline()


@pytest.mark.parametrize("act", [cancel, vanish, end, cut, close_idle, shut_down, look_at_the_clock])
async def test_whenever_it_happens_the_connection_ends(act: Callable[[Scene], None]) -> None:
    for n in count(1):
        scene = Scene(act=act, at=n)
        await scene.play()
        await scene.check()
        assert scene.escaped == []
        if scene.turns < n:
            break
    assert n > 40
    # Only a handler that is cancelled for no reason is an error.
    assert bool(HEARD.lines) is (act is cancel)
