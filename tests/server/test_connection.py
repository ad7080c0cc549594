"""HTTPConnection over a fake transport: the life of one connection, turn by turn."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.observe import Observer, Observers
from aioweb.server.phase import Phase
from aioweb.server.stream import BodyInterrupted, StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import BAD, CLOSE, GET, PEER, POST, Gate, Wire

HELLO = b"Content-Length: 5\r\n\r\nhello"


# -- one request behind the other --------------------------------------------------------------------------------------


async def test_a_connection_serves_request_after_request() -> None:
    wire = Wire()
    assert (await wire.ask(GET)).endswith(HELLO)
    assert (await wire.ask(GET[:9], GET[9:])).endswith(HELLO)
    assert wire.statuses == [200, 200]
    assert len(wire.transport.writes) == 2, "one write for each response"
    assert wire.connection.phase is Phase.HEAD
    await wire.end_server()
    assert wire.transport.closing
    assert not wire.transport.aborted


async def test_pipelined_requests_are_handled_one_at_a_time_and_in_order() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(*(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3)))
    await wire.settle()
    assert gate.calls == ["/0"]
    gate.open()
    await wire.settle(20)
    assert gate.calls == ["/0", "/1", "/2"]
    assert wire.statuses == [200] * 3
    await wire.end_server()


async def test_pipelined_requests_wait_until_the_client_has_read_the_response_before() -> None:
    calls = []

    async def careless(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        calls.append(head.path)
        writer.send(200, "OK", b"", b"x" * 50000)

    wire = Wire(careless, window=0, limits=Limits(write_buffer=10000))
    wire.send(GET * 20)
    await wire.settle(40)
    assert calls == ["/"]
    assert wire.connection.busy
    wire.transport.take(60000)
    await wire.settle(40)
    assert calls == ["/"] * 2
    wire.transport.take(2000000)
    await wire.settle(100)
    assert calls == ["/"] * 20
    assert wire.statuses == [200] * 20
    await wire.end_server()


async def test_a_client_that_pipelines_and_never_reads_is_cut() -> None:
    async def careless(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        writer.send(200, "OK", b"", b"x" * 50000)

    wire = Wire(careless, window=0, limits=Limits(write_buffer=10000, write_timeout=1.0))
    wire.send(GET * 2)
    await wire.settle()
    for _ in range(3):
        assert wire.connection.deadline < wire.server.clock.now
        wire.pass_deadline()
    await wire.settle()
    assert wire.transport.aborted
    await wire.end_server()


async def test_too_much_behind_a_request_pauses_the_transport() -> None:
    gate = Gate()
    wire = Wire(gate, limits=Limits(read_buffer=1000))
    wire.send(GET, GET * 20)
    assert wire.transport.reading
    wire.send(GET * 30)
    assert not wire.transport.reading
    gate.open()
    await wire.settle(300)
    assert wire.transport.reading
    assert wire.statuses == [200] * 51
    await wire.end_server()


_user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


async def test_n21_a_request_sees_nothing_of_the_context_of_the_one_before() -> None:
    seen = []

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        seen.append(_user.get())
        _user.set(head.path)
        await asyncio.sleep(0)
        await writer.send(200, "OK", b"", _user.get().encode())

    _user.set("the server")
    wire = Wire(handler)
    _user.set("the transport")
    wire.send(*(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3)))
    await wire.settle(20)
    assert seen[1:] == ["the server"] * 2
    assert wire.sent.count(b"\r\n\r\n/") == 3
    await wire.end_server()


# -- refusals ----------------------------------------------------------------------------------------------------------


class Refusals(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def request_refused(self, status: int, reason: str, peername: Any) -> None:
        self.seen.append((status, reason, peername))


async def test_what_is_no_request_is_refused_and_what_is_behind_it_dropped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aioweb.server")
    gate, refusals = Gate(), Refusals()
    wire = Wire(gate, observers=Observers([refusals]))
    answer = await wire.ask(BAD + GET)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=utf-8\r\nDate: ")
    assert b"\r\nConnection: close\r\n" in answer
    assert wire.transport.eof_written
    assert not wire.transport.closing
    await wire.ask(GET)
    assert gate.calls == []
    assert wire.statuses == [400]
    ((status, reason, peername),) = refusals.seen
    assert (status, peername) == (400, PEER)
    assert reason
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    wire.end()
    await wire.settle()
    assert wire.transport.lost
    await wire.end_server()


async def test_a_refusal_waits_for_its_turn() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET + BAD + GET)
    await wire.settle()
    assert wire.statuses == []
    gate.open()
    await wire.settle()
    assert wire.statuses == [200, 400]
    assert gate.calls == ["/"]
    wire.end()
    await wire.end_server()


@pytest.mark.parametrize("refused", [False, True])
async def test_nothing_behind_a_closing_request_is_handled(refused: bool) -> None:
    gate = Gate()
    gate.open()
    wire = Wire(gate)
    await wire.ask(CLOSE + (BAD if refused else GET))
    assert gate.calls == ["/"]
    assert wire.statuses == [200]
    assert wire.transport.eof_written, "the client may be sending still: the answer must not be lost by a reset"
    await wire.ask(GET)
    assert gate.calls == ["/"]
    wire.end()
    await wire.end_server()


async def test_the_client_may_be_gone_when_it_is_refused() -> None:
    gate = Gate()
    wire = Wire(gate)
    wire.send(GET + BAD)
    await wire.settle()
    wire.end()
    gate.open()
    await wire.settle()
    assert wire.sent == b""
    assert gate.calls == ["/"]
    await wire.end_server()


async def test_a_head_that_lags_behind_a_lost_client_harms_nobody() -> None:
    """Half a head, then the end of the client, while the response before it has not left."""
    wire = Wire(window=0)
    await wire.ask(GET)
    wire.send(b"G")
    wire.end()
    await wire.settle()
    assert not wire.transport.lost
    wire.pass_deadline()
    await wire.settle()
    assert wire.transport.aborted
    assert wire.connection.transport is None
    await wire.end_server()


# -- content -----------------------------------------------------------------------------------------------------------


async def test_content_reaches_the_handler_and_pauses_the_transport_above_the_limit() -> None:
    bodies: list[StreamReader] = []
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        bodies.append(body)
        await asyncio.shield(done)
        content = await body.read()
        await writer.send(200, "OK", b"", b"%d" % len(content))

    wire = Wire(handler, limits=Limits(read_buffer=100))
    wire.send(POST % 250)
    await wire.settle()
    wire.send(b"x" * 100)
    assert wire.transport.reading
    wire.send(b"x")
    assert not wire.transport.reading
    done.set_result(b"")
    await wire.settle()
    assert wire.transport.reading, "a reader waits for all"
    wire.send(b"x" * 149 + GET)
    await wire.settle()
    assert wire.sent.count(b"\r\n\r\n250") == 1
    assert bodies[0].total_bytes == 250
    await wire.end_server()


async def test_the_rest_of_content_is_drained_and_the_connection_used_again() -> None:
    wire = Wire(limits=Limits(lingering_bytes=1000))
    await wire.ask(POST % 500 + b"x" * 10)
    assert wire.statuses == [200]
    assert wire.connection.phase is Phase.DRAINING
    await wire.ask(b"x" * 490 + GET)
    assert wire.statuses == [200, 200]
    assert wire.connection.phase is Phase.HEAD
    await wire.end_server()


async def test_a_client_whose_content_will_not_be_drained_is_told_so() -> None:
    for length, told in ((1000, False), (1001, True)):
        wire = Wire(limits=Limits(lingering_bytes=1000))
        await wire.ask(POST % length)
        assert wire.statuses == [200]
        assert (b"Connection: close" in wire.sent) is told
        assert wire.connection.phase is (Phase.LINGERING if told else Phase.DRAINING)
        wire.end()
        await wire.end_server()


@pytest.mark.parametrize(
    "head", [POST % 5000, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n"]
)
async def test_too_long_a_rest_of_content_ends_the_connection_softly(head: bytes) -> None:
    wire = Wire(limits=Limits(lingering_bytes=1000))
    await wire.ask(head)
    await wire.ask(b"x" * 1001)
    assert wire.connection.phase is Phase.LINGERING
    assert wire.transport.eof_written
    assert not wire.transport.closing
    await wire.ask(b"x" * 3999 + GET)
    assert wire.statuses == [200]
    wire.end()
    await wire.end_server()


async def test_a_rest_that_never_ends_or_comes_is_given_up_in_time() -> None:
    wire = Wire(limits=Limits(lingering_time=1.0))
    await wire.ask(POST % 500)
    assert wire.connection.phase is Phase.DRAINING
    wire.pass_deadline()
    await wire.settle()
    assert wire.transport.lost
    assert not wire.transport.aborted
    await wire.end_server()


async def test_a_broken_rest_of_content_ends_the_connection_softly() -> None:
    wire = Wire()
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    await wire.ask(chunked)
    await wire.ask(b"nonsense\r\n\r\n" + GET)
    assert wire.statuses == [200]
    assert wire.connection.phase is Phase.LINGERING
    wire.end()
    await wire.end_server()


async def test_broken_content_is_raised_by_its_reader_and_ends_the_connection() -> None:
    errors: list[BaseException] = []

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        try:
            await body.read()
        except ProtocolError as error:
            errors.append(error)
        await writer.send(400, "Bad Request", b"", b"")

    wire = Wire(handler)
    wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX")
    await wire.settle()
    wire.send(GET)
    await wire.settle()
    assert [error.status for error in errors if isinstance(error, ProtocolError)] == [400]
    assert wire.statuses == [400]
    assert b"Connection: close" in wire.sent
    assert wire.connection.phase is Phase.LINGERING
    wire.end()
    await wire.end_server()


async def test_whoever_reads_content_when_the_exchange_is_over_hears_it() -> None:
    reading: list[asyncio.Task[bytes]] = []

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        reading.append(asyncio.ensure_future(body.read()))
        await asyncio.sleep(0)
        await writer.send(200, "OK", b"", b"")

    wire = Wire(handler)
    await wire.ask(POST % 5 + b"he")
    with pytest.raises(BodyInterrupted, match="the exchange is over"):
        await asyncio.wait_for(reading[0], 1.0)
    assert (await wire.ask(b"llo" + GET)).startswith(b"HTTP/1.1 200 ")
    wire.end()
    await wire.end_server()
