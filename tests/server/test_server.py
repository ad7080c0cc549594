"""Server: the factory of connections, which knows all of them and ends them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.access import AbstractAsyncAccessLogger, AccessLogger, AccessLogObserver, AsyncAccessLogObserver
from aioweb.server.clock import NEVER
from aioweb.server.observe import Observers
from aioweb.server.server import Server
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import GET, FakeSocket, FakeTransport, Wire, hello


class Gate:
    """A handler that answers when it is let; `stubborn` ones do not end when they are cancelled."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.opened = asyncio.Event()
        self.stubborn = stubborn
        self.cancelled = 0

    async def __call__(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        while not self.opened.is_set():
            try:
                await self.opened.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if not self.stubborn:
                    raise
        await writer.send(200, "OK", b"", b"hello")


async def test_a_server_makes_and_knows_its_connections() -> None:
    server = Server(hello)
    assert repr(server) == "<Server 0 connections>"
    wires = [Wire(server=server) for _ in range(3)]
    assert set(server.connections) == {wire.connection for wire in wires}
    assert repr(server) == "<Server 3 connections>"
    wires[0].end()
    await wires[0].settle()
    assert len(server.connections) == 2
    await server.shutdown(1.0)
    assert repr(server) == "<Server 0 connections closing>"
    assert all(wire.transport.lost and not wire.transport.aborted for wire in wires)


async def test_a_server_without_connections_ends_at_once() -> None:
    server = Server(hello)
    await server.shutdown(60.0)
    await server.shutdown(0)
    await server.finish_connections(60.0)


async def test_a_loop_may_be_given_or_is_looked_up() -> None:
    loop = asyncio.get_running_loop()
    assert Server(hello).loop is loop
    assert Server(hello, loop=loop).loop is loop
    assert Server(hello, limits=Limits(head_timeout=0.4)).clock.tick == pytest.approx(0.1)


async def test_n4_idle_connections_end_soon_and_busy_ones_after_their_response() -> None:
    gate = Gate()
    server = Server(gate)
    idle, half, busy, piped = (Wire(server=server) for _ in range(4))
    half.send(GET[:5])
    busy.send(GET)
    piped.send(GET + GET)
    await busy.settle()
    stopping = asyncio.create_task(server.finish_connections(5.0))
    await busy.settle()
    assert not idle.transport.closing
    for wire in (idle, half):
        wire.pass_deadline()
        await wire.settle()
        wire.end()
    assert idle.transport.lost
    assert half.statuses == [408]
    await busy.settle()
    assert not busy.transport.closing
    assert len(server.connections) == 2
    assert not stopping.done()
    gate.opened.set()
    await busy.settle()
    for wire in (busy, piped):
        assert wire.statuses == [200]
        assert b"\r\nConnection: close\r\n" in wire.sent
    piped.end()
    await asyncio.wait_for(stopping, 1.0)
    assert server.connections == []


async def test_when_the_time_is_up_the_rest_is_cancelled_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    await wire.server.shutdown(0.05)
    assert gate.cancelled == 1
    assert wire.transport.aborted
    assert wire.server.connections == []
    assert [record.getMessage() for record in caplog.records] == [
        "Stopping: 1 connections are cut, 1 handlers cancelled"
    ]


async def test_a_handler_whose_client_is_gone_is_waited_for() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    wire.transport.lose()
    await wire.settle()
    assert wire.server.connections == []
    stopping = asyncio.create_task(wire.server.shutdown(5.0))
    await wire.settle()
    assert not stopping.done()
    gate.opened.set()
    await asyncio.wait_for(stopping, 1.0)
    assert gate.cancelled == 0


async def test_a_handler_that_does_not_end_is_told_and_left(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(stubborn=True)
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    await asyncio.wait_for(wire.server.shutdown(0.01), 1.0)
    assert gate.cancelled == 1
    assert "1 handlers do not end" in caplog.records[-1].getMessage()
    gate.opened.set()
    await wire.settle()
    assert not wire.connection.busy


async def test_two_may_wait_for_the_same_end() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    waiting = [asyncio.create_task(wire.server.shutdown(30.0)) for _ in range(2)]
    await wire.settle()
    gate.opened.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 1.0)


async def test_whoever_waits_for_the_end_may_be_cancelled() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    waiting = asyncio.create_task(wire.server.shutdown(30.0))
    await wire.settle()
    waiting.cancel()
    await wire.settle()
    assert waiting.cancelled()
    gate.opened.set()
    await wire.server.shutdown(1.0)
    assert wire.statuses == [200]


async def test_n24_without_keep_alive_every_response_closes() -> None:
    wire = Wire(keep_alive_on=False)
    answer = await wire.ask(GET)
    assert b"\r\nConnection: close\r\n" in answer
    assert wire.transport.lost
    assert wire.transport.socket.options == []
    await wire.end_server()


async def test_deadlines_may_be_off() -> None:
    limits = Limits(head_timeout=None, keepalive_timeout=None, body_timeout=None, write_timeout=None)
    wire = Wire(limits=limits)
    assert wire.connection.deadline == NEVER
    await wire.ask(GET)
    assert wire.connection.deadline == NEVER
    wire.send(GET[:5])
    assert wire.connection.deadline == NEVER
    await wire.end_server()


async def test_l5_the_page_of_errors_may_be_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    def page(status: int, detail: str, exception: BaseException | None, accept: str | None) -> tuple[str, bytes]:
        if status == 431:
            raise ZeroDivisionError
        return "text/plain", b"%d, sorry" % status

    wire = Wire(error_page=page)
    assert (await wire.ask(b"BAD\r\n\r\n")).endswith(b"\r\n\r\n400, sorry")
    wire.end()
    wire = Wire(server=wire.server)
    caplog.set_level(logging.ERROR)
    answer = await wire.ask(b"GET / HTTP/1.1\r\nX:" + b"a" * 9000)
    assert b"<h1>431 Request Header Fields Too Large</h1>" in answer
    assert [record.getMessage() for record in caplog.records] == ["The error page for status 431 has failed"]
    wire.end()
    await wire.end_server()


@pytest.mark.parametrize("value", ["a\r\nb", "\x00"])
async def test_a_server_header_is_checked_when_it_is_set(value: Any) -> None:
    with pytest.raises(ValueError, match="Server"):
        Server(hello, server_header=value)


async def test_n22_the_lines_of_an_asynchronous_access_log_are_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    lines, written = [], asyncio.Event()

    class Slow(AbstractAsyncAccessLogger):
        async def log(self, request: Any, response: Any, time: float) -> None:
            await written.wait()
            lines.append((request, response))

    log = AsyncAccessLogObserver(Slow(logging.getLogger(), ""))
    server = Server(hello, observers=Observers([log]))
    log.request_ended("request", "response", 0.1)
    asyncio.get_running_loop().call_later(0.01, written.set)
    await server.shutdown(60.0)
    assert lines == [("request", "response")]
    written.clear()
    log.request_ended("one", "that hangs", 0.1)
    await asyncio.wait_for(server.shutdown(0.1), 5.0)
    (task,) = log.tasks
    task.cancel()


async def test_access_logs_finish_side_by_side_within_one_timeout() -> None:
    finishing, all_finish = [], asyncio.Event()

    class Sociable(AccessLogObserver):
        async def finish(self, timeout: float) -> None:
            finishing.append(self)
            if len(finishing) == 3:
                all_finish.set()
            await all_finish.wait()

    logger = AccessLogger(logging.getLogger("unused"))
    server = Server(hello, observers=Observers([Sociable(logger) for _ in range(3)]))
    await asyncio.wait_for(server.shutdown(0.1), 5.0)


async def test_a_client_that_has_gone_before_its_socket_gets_an_option_hurts_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*option: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(FakeSocket, "setsockopt", refuse)
    wire = Wire(tcp_keepalive=True)
    assert b"200 OK" in await wire.ask(GET)
    wire.end()
    await wire.end_server()


async def test_a_tls_handshake_is_waited_for_but_not_for_ever() -> None:
    server = Server(hello)
    connection = server()
    stopping = asyncio.create_task(server.shutdown(60.0))
    await asyncio.sleep(0)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(GET)
    await asyncio.wait_for(stopping, 5.0)
    assert b"200 OK" in transport.wire
    silent = server()
    await asyncio.wait_for(server.shutdown(60.0), 5.0)
    del silent
