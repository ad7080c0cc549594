"""HTTPConnection over a fake transport: the life of one connection, turn by turn."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.connection import HTTPConnection, Phase
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.observe import Observer, Observers
from aioweb.server.stream import BodyInterrupted, BodyTimeout, StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import GET, PEER, Wire, hello

HELLO = b"Content-Length: 5\r\n\r\nhello"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BAD = b"BAD\r\n\r\n"


class Gate:
    """A handler that counts its calls, and answers when it is let."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.cancelled = 0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: BaseException | None = None

    def open(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)

    async def __call__(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        self.calls.append(head.path)
        try:
            await asyncio.shield(self.opened)
            await writer.send(200, "OK", b"", b"hello")
        except BaseException as error:
            self.error = error
            raise


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


async def test_too_long_a_rest_of_content_ends_the_connection_softly() -> None:
    wire = Wire(limits=Limits(lingering_bytes=1000))
    await wire.ask(POST % 5000)
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
    assert b"Traceback" in answer or not debug or handler is answer_nothing
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


async def test_a_connection_that_opens_while_the_server_stops_closes_at_once() -> None:
    wire = Wire()
    wire.server.close_idle()
    late = Wire(server=wire.server)
    await late.settle()
    assert late.transport.lost
    assert late.sent == b""
    await wire.end_server()


async def test_a_drained_connection_of_a_stopping_server_lingers() -> None:
    wire = Wire()
    await wire.ask(POST % 500)
    wire.server.close_idle()
    await wire.settle()
    assert wire.connection.phase is Phase.LINGERING
    assert not wire.transport.closing
    assert wire.transport.eof_written
    wire.end()
    await wire.end_server()


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
