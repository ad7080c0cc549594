"""StreamWriter over a real connection on a fake transport: what is gathered, what waits, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.flow import DRAINED, ClientDisconnectedError
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import GET, PEER, Wire

Step = Callable[[StreamWriter], Awaitable[None]]
HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"


def doing(step: Step, errors: list[BaseException] | None = None) -> Any:
    """A handler that does this with its writer."""

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        try:
            await step(writer)
        except BaseException as error:
            if errors is None:
                raise
            errors.append(error)

    return handler


async def do(step: Step, octets: bytes = GET, **options: Any) -> Wire:
    """Serve one request by this step."""
    wire = Wire(doing(step), **options)
    await wire.ask(octets)
    return wire


# -- what a writer knows -----------------------------------------------------------------------------------------------


async def test_a_writer_knows_its_request_and_how_far_it_is() -> None:
    kept: list[StreamWriter] = []

    async def step(writer: StreamWriter) -> None:
        kept.append(writer)
        assert writer.head.method == "GET"
        assert writer.peername == PEER
        assert writer.transport is not None
        assert writer.loop is asyncio.get_running_loop()
        assert writer.default_fields == writer.date_field + writer.server_field
        assert writer.server_field == b"Server: me\r\n"
        assert writer.secure_proxy_ssl_header == ("X-Proto", "https")
        assert (writer.started, writer.finished, writer.status, writer.body_size) == (False, False, 0, 0)
        writer.send_informational(103, encode_fields([("Link", "</a>")]))
        assert not writer.started
        writer.send_head(201, "Created", b"", None)
        assert (writer.started, writer.finished, writer.status, writer.body_size) == (True, False, 201, 0)
        await writer.write(b"one")
        await writer.write(memoryview(b"three"))
        assert writer.body_size == 8
        await writer.write_eof(bytearray(b"end"))
        assert (writer.started, writer.finished, writer.status, writer.body_size) == (True, True, 201, 11)

    wire = await do(step, server_header="me", secure_proxy_ssl_header=("X-Proto", "https"))
    assert wire.statuses == [103, 201]
    (writer,) = kept
    assert writer.transport is None
    assert writer.started
    assert writer.finished
    assert writer.default_fields == b""
    assert writer.secure_proxy_ssl_header is None
    await wire.end_server()


async def test_an_empty_server_header_is_none() -> None:
    async def step(writer: StreamWriter) -> None:
        assert writer.server_field == b""
        await writer.send(200, "OK", writer.default_fields, b"")

    wire = await do(step, server_header="")
    assert b"Server" not in wire.sent
    await wire.end_server()


# -- how octets leave --------------------------------------------------------------------------------------------------


async def test_a_whole_response_is_one_write() -> None:
    async def step(writer: StreamWriter) -> None:
        assert writer.send(200, "OK", b"X-A: b\r\n", b"hello") is DRAINED

    wire = await do(step)
    assert wire.transport.writes == [b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"]
    await wire.end_server()


async def test_a_large_response_is_not_copied_to_its_head() -> None:
    body = b"x" * 200000

    async def step(writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", body)
        assert writer.body_size == len(body)

    wire = await do(step)
    assert wire.transport.writes == [b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n", body]
    await wire.end_server()


async def test_many_small_writes_leave_together_when_the_turn_ends() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 3000)
        for _ in range(1000):
            await writer.write(b"abc")
        await asyncio.sleep(0)
        assert writer.finished is False
        await writer.write_eof()

    wire = await do(step)
    assert len(wire.transport.writes) == 1
    assert wire.sent.endswith(b"\r\n\r\n" + b"abc" * 1000)
    await wire.end_server()


async def test_what_was_gathered_does_not_wait_for_the_handler() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 6)
        await writer.write(b"abc")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert writes[-1].endswith(b"\r\n\r\nabc"), "a head never travels alone"
        await writer.write_eof(b"def")

    wire = Wire(doing(step))
    writes = wire.transport.writes
    await wire.ask(GET)
    assert len(writes) == 2
    await wire.end_server()


async def test_at_64_kib_what_was_gathered_leaves_at_once() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 10 * 2**14)
        for _ in range(10):
            await writer.write(b"x" * 2**14)
        await writer.write_eof()

    wire = await do(step)
    assert 2 <= len(wire.transport.writes) <= 4
    assert wire.sent.endswith(b"\r\n\r\n" + b"x" * 10 * 2**14)
    await wire.end_server()


async def test_drain_hands_over_what_was_gathered() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 0)
        await writer.drain()
        assert len(writes) == 1
        await writer.write_eof()
        await writer.write_eof()
        await writer.drain()

    wire = Wire(doing(step))
    writes = wire.transport.writes
    await wire.ask(GET)
    assert len(writes) == 1
    assert wire.statuses == [200]
    await wire.end_server()


async def test_o15_a_buffer_that_changes_after_write_is_sent_as_it_was() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 16)
        buffer = bytearray(b"01234567")
        writer.write(buffer)
        writer.write(memoryview(buffer)[:4])
        buffer[:] = b"xxxxxxxx"
        await writer.write_eof(memoryview(bytearray(b"abcd")))

    wire = await do(step)
    assert wire.sent.endswith(b"\r\n\r\n012345670123abcd")
    await wire.end_server()


# -- framing on the wire -----------------------------------------------------------------------------------------------


async def stream(writer: StreamWriter) -> None:
    framing = writer.send_head(200, "OK", b"", None)
    assert framing.chunked == (writer.head.version.minor == 1 and writer.head.method != "HEAD")
    await writer.write(b"hello")
    await writer.write(b"")
    await writer.write_eof(b"!")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
        (HEAD, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (OLD, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello!"),
    ],
)
async def test_content_of_unknown_length_is_framed_by_the_version(octets: bytes, expected: bytes) -> None:
    wire = await do(stream, octets)
    assert wire.sent == expected
    assert wire.transport.closing is (octets is OLD)
    await wire.end_server()


async def test_trailers_go_behind_chunks() -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 5, chunked=True)
        await writer.write_eof(b"hello", [("X-A", "b")])

    wire = await do(step)
    assert wire.sent.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n")
    await wire.end_server()


@pytest.mark.parametrize("size", [5, 100000])
@pytest.mark.parametrize(("octets", "status"), [(HEAD, 200), (GET, 204), (GET, 304), (GET, 205)])
async def test_no_content_is_sent_where_none_may_be(octets: bytes, status: int, size: int) -> None:
    sizes = []

    async def step(writer: StreamWriter) -> None:
        await writer.send(status, "Fine", b"", b"x" * size)
        sizes.append(writer.body_size)

    wire = Wire(doing(step))
    answer = await wire.ask(octets)
    assert answer.startswith(b"HTTP/1.1 %d Fine\r\n" % status)
    assert answer.endswith(b"\r\n\r\n")
    announced = {200: b"%d" % size, 304: b"%d" % size, 205: b"0"}.get(status)
    assert (b"Content-Length: %b\r\n" % announced in answer) if announced else (b"Content-Length" not in answer)
    assert wire.connection.deadline > 0
    await wire.ask(octets)
    assert wire.statuses == [status, status], "the connection is in step"
    assert sizes == [0, 0]
    await wire.end_server()


# -- what is refused ---------------------------------------------------------------------------------------------------


async def test_moves_out_of_order_are_runtime_errors_and_send_nothing() -> None:
    async def step(writer: StreamWriter) -> None:
        with pytest.raises(RuntimeError):
            writer.write(b"x")
        with pytest.raises(RuntimeError):
            writer.write_eof()
        assert not writer.started
        writer.send_head(200, "OK", b"", 5)
        for bad in (
            lambda: writer.send_head(200, "OK", b"", 5),
            lambda: writer.send(200, "OK", b"", b"hello"),
            lambda: writer.send_informational(103),
            lambda: writer.write(b"hello!"),
        ):
            with pytest.raises(RuntimeError):
                bad()
        await writer.write(b"hell")
        with pytest.raises(RuntimeError, match="1 bytes less"):
            writer.write_eof()
        await writer.write_eof(b"o")
        with pytest.raises(RuntimeError):
            writer.write(b"x")

    wire = await do(step)
    assert wire.sent == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    await wire.end_server()


async def test_what_cannot_be_written_is_refused_before_anything_was() -> None:
    async def step(writer: StreamWriter) -> None:
        with pytest.raises(ValueError):
            writer.send(200, "O\r\nK", b"", b"")
        with pytest.raises(ValueError):
            writer.send_informational(200)
        assert not writer.started
        await writer.send(200, "OK", b"", b"")

    wire = await do(step)
    assert wire.statuses == [200]
    await wire.end_server()


ACTS: list[Callable[[StreamWriter], object]] = [
    lambda writer: writer.send(200, "OK", b"", b"hello"),
    lambda writer: writer.send(200, "OK", b"", b"x" * 100000),
    lambda writer: writer.send_head(200, "OK", b"", None),
    lambda writer: writer.send_informational(100),
    lambda writer: writer.drain(),
]
LATER_ACTS: list[Callable[[StreamWriter], object]] = [
    lambda writer: writer.write(b"x"),
    lambda writer: writer.write(b""),
    lambda writer: writer.write_eof(),
    lambda writer: writer.drain(),
]


@pytest.mark.parametrize("octets", [GET, HEAD])
@pytest.mark.parametrize("act", range(len(ACTS) + len(LATER_ACTS)))
@pytest.mark.parametrize("how", ["end", "reset", "cut"])
async def test_every_act_tells_that_the_client_is_gone(act: int, octets: bytes, how: str) -> None:
    errors: list[BaseException] = []
    go = asyncio.Event()

    async def step(writer: StreamWriter) -> None:
        later = act >= len(ACTS)
        if later:
            writer.send_head(200, "OK", b"", 5, chunked=True)
        await go.wait()
        if how == "cut":
            writer.abort()
        (LATER_ACTS[act - len(ACTS)] if later else ACTS[act])(writer)

    wire = Wire(doing(step, errors))
    await wire.ask(octets)
    if how == "end":
        wire.end()
    elif how == "reset":
        wire.transport.lose(ConnectionResetError())
    go.set()
    await wire.settle()
    assert [type(error) for error in errors] == [ClientDisconnectedError]
    await wire.end_server()


async def test_a_writer_that_is_cut_off_reaches_no_other_response() -> None:
    kept: list[StreamWriter] = []

    async def step(writer: StreamWriter) -> None:
        kept.append(writer)
        await writer.send(200, "OK", b"", b"hello")

    wire = await do(step)
    (writer,) = kept
    for act in (*ACTS, *LATER_ACTS):
        if act is not LATER_ACTS[2]:
            with pytest.raises(ClientDisconnectedError):
                act(writer)
    await writer.write_eof()
    writer.abort()
    writer.cut_off()
    assert not wire.transport.closing
    with pytest.raises(ClientDisconnectedError):
        assert writer.loop
    await wire.end_server()


async def test_a_transport_that_breaks_counts_as_a_client_that_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[BaseException] = []

    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", None)
        for _ in range(5):
            await writer.write(b"x")
            await asyncio.sleep(0)

    wire = Wire(doing(step, errors), fail_at=1)
    await wire.ask(GET)
    assert [type(error) for error in errors] == [ClientDisconnectedError]
    assert wire.transport.aborted
    assert caplog.records == []
    await wire.end_server()


# -- back-pressure -----------------------------------------------------------------------------------------------------


async def test_a_writer_waits_for_a_client_that_does_not_read() -> None:
    written = 0

    async def step(writer: StreamWriter) -> None:
        nonlocal written
        writer.send_head(200, "OK", b"", None)
        for _ in range(100):
            await writer.write(b"x" * 10000)
            written += 10000
        await writer.write_eof()

    wire = Wire(doing(step), window=0, limits=Limits(write_buffer=50000))
    await wire.ask(GET)
    stopped = written
    assert stopped <= 150000
    await wire.settle(50)
    assert written == stopped
    assert len(wire.transport.buffer) <= 150000
    wire.transport.take(70000)
    await wire.settle()
    assert stopped < written <= stopped + 150000
    wire.transport.take(10**7)
    await wire.settle(100)
    assert written == 10**6
    assert wire.sent.endswith(b"\r\n0\r\n\r\n")
    await wire.end_server()


# -- who makes the response --------------------------------------------------------------------------------------------


class Notes:
    """A producer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def client_gone(self) -> None:
        self.told.append("client gone")

    def server_stops(self) -> None:
        self.told.append("server stops")


@pytest.mark.parametrize("cancelling", [True, False])
async def test_the_producer_is_told_in_place_of_a_cancellation(cancelling: bool) -> None:
    notes, go_on, errors = Notes(), asyncio.Event(), []

    async def step(writer: StreamWriter) -> None:
        writer.producer = notes
        try:
            await go_on.wait()
        except asyncio.CancelledError as error:
            errors.append(error)

    wire = await do(step, handler_cancellation=cancelling)
    wire.server.close_idle()
    wire.transport.lose()
    await wire.settle()
    assert notes.told == ["server stops", "client gone"]
    go_on.set()
    await wire.end_server()
    assert errors == []


async def test_whoever_is_no_producer_any_more_is_told_nothing() -> None:
    notes = Notes()

    async def step(writer: StreamWriter) -> None:
        writer.producer = notes
        await writer.send(200, "OK", b"", b"")
        writer.producer = None
        assert writer.client_gone(True)
        assert not writer.client_gone(False)
        writer.handler_cancellation = False
        assert not writer.client_gone(True)

    wire = await do(step)
    wire.transport.lose()
    await wire.settle()
    await wire.end_server()
    assert notes.told == []
