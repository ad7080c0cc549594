"""HTTPConnection over a fake transport: what goes wrong, who goes, and what does not come in time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.server.connection import HTTPConnection
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.observe import Observer, Observers
from aioweb.server.stream import BodyInterrupted, BodyTimeout, StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import BAD, CLOSE, GET, PEER, POST, Gate, Wire, hello

HELLO = b"Content-Length: 5\r\n\r\nhello"


# -- failures of the handler -------------------------------------------------------------------------------------------


async def fail(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    raise ZeroDivisionError("the <secret>")


async def fail_late(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    writer.send_head(200, "OK", b"", 10)
    await writer.write(b"12345")
    await asyncio.sleep(0)
    raise ZeroDivisionError("the <secret>")


async def answer_nothing(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    pass


async def answer_half(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    writer.send_head(200, "OK", b"", 10)
    await writer.write(b"12345")


async def answer_short(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    writer.send_head(200, "OK", b"", 10)
    await writer.write_eof(b"12345")


async def answer_long(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    writer.send_head(200, "OK", b"", 3)
    await writer.write(b"12345")


async def answer_twice(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    await hello(head, body, writer)
    await hello(head, body, writer)


async def await_what_is_cancelled(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("handler", [fail, answer_nothing, await_what_is_cancelled])
@pytest.mark.parametrize("debug", [False, True])
async def test_a_handler_that_fails_before_its_response_is_a_500(
    handler: Callable[..., Awaitable[None]], debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    wire = Wire(handler, debug=debug)
    answer = await wire.ask(GET + GET)
    assert wire.statuses == [500]
    assert b"\r\nConnection: close\r\n" in answer
    assert b"test_connection_ends.py" in answer or not debug or handler is answer_nothing
    assert debug or b"secret" not in answer
    assert [record.getMessage() for record in caplog.records] == ["Error handling GET /"]
    assert caplog.records[0].exc_info is not None
    wire.end()
    await wire.end_server()


@pytest.mark.parametrize("handler", [fail_late, answer_half, answer_short, answer_long])
async def test_a_handler_that_fails_in_its_response_cuts_it(
    handler: Callable[..., Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    wire = Wire(handler)
    await wire.ask(GET + GET)
    assert wire.transport.aborted
    assert b"500" not in wire.sent
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.ERROR
    await wire.end_server()


async def test_a_handler_that_answers_twice_is_told_and_the_first_answer_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = Wire(answer_twice)
    await wire.ask(GET)
    assert wire.statuses == [200]
    assert len(caplog.records) == 1
    await wire.end_server()


# -- tunnels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 200), (GET, 101)],
)
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_tunnel_ends_with_its_handler(
    request_octets: bytes, status: int, in_pieces: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if in_pieces:
            writer.send_head(status, "Fine", b"", None)
            await writer.write_eof()
        else:
            await writer.send(status, "Fine", b"", b"dropped")

    wire = Wire(handler)
    answer = await wire.ask(request_octets)
    assert answer.startswith(b"HTTP/1.1 %d Fine\r\n" % status)
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in answer
    assert b"Transfer-Encoding" not in answer
    assert wire.transport.lost
    assert not wire.transport.aborted
    assert caplog.records == []
    await wire.end_server()


# -- clients that go ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_a_handler_whose_client_goes_hears_it_when_it_writes(how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aioweb.server")
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET)
    await wire.settle()
    if how == "end":
        wire.end()
    else:
        wire.transport.lose(ConnectionResetError())
    await wire.settle()
    assert wire.server.connections == []
    assert wire.connection.busy
    gate.open()
    await wire.settle()
    assert isinstance(gate.error, ClientDisconnectedError)
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    assert wire.sent == b""
    await wire.end_server()


async def test_n20_with_handler_cancellation_it_is_cancelled() -> None:
    gate = Gate()
    wire = Wire(gate, handler_cancellation=True)
    wire.send(GET)
    await wire.settle()
    wire.transport.lose()
    await wire.settle()
    assert isinstance(gate.error, asyncio.CancelledError)
    assert not wire.connection.busy
    await wire.end_server()


@pytest.mark.parametrize("how", ["lose", "kill"])
async def test_a_handler_that_is_cancelled_before_it_could_begin_ends_too(how: str) -> None:
    gate = Gate()
    wire = Wire(gate, handler_cancellation=True)
    wire.send(GET)
    if how == "lose":
        wire.connection.connection_lost(None)
    else:
        wire.connection.kill()
    await wire.settle()
    assert not wire.connection.busy
    assert isinstance(gate.error, asyncio.CancelledError)
    await wire.server.shutdown(0.05)
    assert wire.server.connections == []


async def test_a_reader_whose_client_goes_hears_it() -> None:
    errors: list[BaseException] = []

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        try:
            await body.read()
        except BaseException as error:
            errors.append(error)
            assert writer.transport is None
            raise

    wire = Wire(handler)
    await wire.ask(POST % 5 + b"he")
    wire.end()
    await wire.settle()
    assert [type(error) for error in errors] == [BodyInterrupted]
    assert isinstance(errors[0], ConnectionResetError)
    await wire.end_server()


async def test_requests_behind_the_end_of_the_client_are_dropped() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET + GET)
    await wire.settle()
    gate.open()
    wire.end()
    await wire.settle()
    assert gate.calls == ["/"]
    await wire.end_server()


async def test_the_kernel_may_know_of_a_reset_before_the_transport_does() -> None:
    wire = Wire(fail_at=2)  # write is the first call, write_eof the second
    await wire.ask(BAD)
    assert wire.transport.calls[:2] == ["write", "write_eof"]
    assert wire.transport.aborted
    await wire.end_server()


async def test_a_refusal_that_cannot_be_written_ends_the_connection() -> None:
    wire = Wire(fail_at=1)
    await wire.ask(BAD)
    assert wire.transport.aborted
    await wire.end_server()


# -- deadlines ---------------------------------------------------------------------------------------------------------


async def test_silence_ends_a_connection_without_a_word() -> None:
    for octets in (b"", GET):
        wire = Wire()
        before = len(await wire.ask(octets)) if octets else 0
        wire.pass_deadline()
        await wire.settle()
        assert wire.transport.lost
        assert len(wire.sent) == before
        await wire.end_server()


async def test_half_a_head_is_a_408() -> None:
    wire = Wire()
    await wire.ask(GET)
    keep_alive = wire.connection.deadline
    wire.send(GET[:-1])
    begun = wire.connection.deadline
    assert begun < keep_alive
    wire.pass_deadline()
    assert wire.statuses == [200, 408]
    await wire.settle()
    wire.end()
    await wire.end_server()


async def test_further_octets_do_not_extend_the_deadline_of_a_head() -> None:
    wire = Wire()
    wire.send(GET[:1])
    begun = wire.connection.deadline
    wire.server.clock.now += 5.0
    for position in range(1, len(GET) - 1):
        wire.send(GET[position : position + 1])
    assert wire.connection.deadline == begun
    wire.send(GET[-1:])
    await wire.settle()
    assert wire.statuses == [200]
    await wire.end_server()


async def test_a_slow_handler_is_no_slow_client() -> None:
    gate = Gate()
    wire = Wire(gate)
    for octets in (GET, POST % 5):
        wire.send(octets)
        await wire.settle()
        for _ in range(5):
            wire.pass_deadline()
        gate.open()
        await wire.settle()
    assert wire.statuses == [200, 200]
    wire.end()
    await wire.end_server()


async def test_content_that_does_not_come_is_a_timeout_for_its_reader_only() -> None:
    errors: list[BaseException] = []

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        try:
            await body.read()
        except BodyTimeout as error:
            errors.append(error)
        await writer.send(408, "Request Timeout", b"", b"", close=True)

    wire = Wire(handler)
    await wire.ask(POST % 5 + b"he")
    wire.pass_deadline()
    await wire.ask(b"l")
    wire.pass_deadline()
    assert errors == []
    for _ in range(2):
        wire.pass_deadline()
        await wire.settle()
    assert len(errors) == 1
    assert wire.statuses == [408]
    wire.end()
    await wire.end_server()


async def test_a_buffer_that_only_grows_is_no_progress() -> None:
    go = asyncio.Event()

    async def heartbeat(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", None)
        while True:
            writer.write(b"x" * 70000)
            go.clear()
            await go.wait()

    wire = Wire(heartbeat, window=0)
    await wire.ask(GET)
    for _ in range(3):
        wire.pass_deadline()
        go.set()
        await wire.settle()
    assert wire.transport.aborted
    await wire.end_server()


async def test_each_pause_of_a_client_has_its_own_deadline() -> None:
    go = asyncio.Event()

    async def twice(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", None)
        for size in (70000, 200000):
            await writer.write(b"x" * size)
            await go.wait()
        await writer.write_eof()

    wire = Wire(twice, window=0)
    await wire.ask(GET)
    wire.pass_deadline()
    wire.transport.take(100000)
    await wire.settle()
    go.set()
    wire.transport.window = 0
    await wire.settle()
    assert wire.transport.paused
    wire.pass_deadline()
    await wire.settle()
    assert not wire.transport.aborted
    wire.transport.take(500000)
    await wire.settle()
    assert wire.sent.endswith(b"\r\n0\r\n\r\n")
    await wire.end_server()


async def test_a_client_that_reads_slowly_is_served() -> None:
    async def big(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", b"x" * 200000)

    wire = Wire(big, window=0)
    await wire.ask(GET)
    for _ in range(20):
        wire.transport.take(10100)
        wire.pass_deadline()
        await wire.settle()
    assert not wire.transport.aborted
    assert wire.sent.endswith(b"x" * 200000)
    await wire.end_server()


async def test_a_client_that_does_not_take_its_last_answer_is_cut() -> None:
    wire = Wire(window=0)
    await wire.ask(CLOSE)
    assert wire.transport.closing
    assert not wire.transport.lost
    wire.pass_deadline()
    await wire.settle()
    assert wire.transport.aborted
    await wire.end_server()


# -- the server --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [True, False])
async def test_n24_the_kernel_probes_silent_peers(on: bool) -> None:
    wire = Wire(tcp_keepalive=on)
    option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert (option in wire.transport.socket.options) is on
    await wire.end_server()


async def test_observers_hear_of_connections() -> None:
    heard: list[tuple[str, Any]] = []

    class Connections(Observer):
        def connection_opened(self, peername: Any) -> None:
            heard.append(("opened", peername))

        def connection_closed(self, peername: Any) -> None:
            heard.append(("closed", peername))

    wire = Wire(observers=Observers([Connections()]))
    await wire.ask(GET)
    assert heard == [("opened", PEER)]
    wire.end()
    await wire.settle()
    assert heard == [("opened", PEER), ("closed", PEER)]
    await wire.end_server()


async def test_octets_behind_the_end_are_nobodys() -> None:
    wire = Wire()
    connection: HTTPConnection = wire.connection
    await wire.ask(CLOSE)
    connection.data_received(GET)
    await wire.settle()
    assert wire.statuses == [200]
    await wire.end_server()
