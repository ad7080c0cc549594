"""Pipelined requests: one after the other, each in its turn of the loop, and answers that leave together."""

from __future__ import annotations

import asyncio

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.phase import Phase
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import BAD, CLOSE, GET, Gate, Wire

HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_answers_to_pipelined_requests_leave_in_one_write_and_in_order() -> None:
    async def name(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", head.path.encode())

    wire = Wire(name)
    wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(16)))
    await wire.settle(40)
    assert [answer.partition(b"\r\n\r\n")[2].partition(b"HTTP")[0] for answer in wire.sent.split(b"/1.1 ")[1:]] == [
        b"/%d" % n for n in range(16)
    ]
    assert len(wire.transport.writes) == 1
    await wire.end_server()


async def test_the_last_answer_before_half_a_request_waits_for_nothing() -> None:
    wire = Wire()
    wire.send(GET * 3 + GET[:7])
    await wire.settle()
    assert wire.statuses == [200] * 3
    assert len(wire.transport.writes) == 1
    wire.send(GET[7:])
    await wire.settle()
    assert wire.statuses == [200] * 4
    await wire.end_server()


async def test_an_answer_does_not_wait_for_a_handler_that_waits() -> None:
    gate = Gate()

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.method == "HEAD":
            await gate(head, body, writer)
        else:
            await writer.send(200, "OK", b"", b"hello")

    wire = Wire(handler)
    wire.send(GET + GET + HEAD + GET)
    await wire.settle()
    assert wire.statuses == [200] * 2
    assert gate.calls == ["/"]
    gate.open()
    await wire.settle()
    assert wire.statuses == [200] * 4
    await wire.end_server()


async def test_an_answer_does_not_wait_for_the_end_of_its_own_handler() -> None:
    gate = asyncio.Event()

    async def busy(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", b"hello")
        await gate.wait()

    wire = Wire(busy)
    wire.send(GET + GET)
    await wire.settle()
    assert wire.statuses == [200]
    gate.set()
    await wire.settle()
    assert wire.statuses == [200] * 2
    await wire.end_server()


@pytest.mark.parametrize("last", [CLOSE, BAD, GET + GET[:3]])
async def test_whatever_ends_the_pipeline_the_answers_before_come_first(last: bytes) -> None:
    wire = Wire()
    wire.send(GET * 2 + last)
    await wire.settle(20)
    assert wire.statuses[:2] == [200] * 2
    assert wire.statuses[2:] == {CLOSE: [200], BAD: [400]}.get(last, [200])
    await wire.end_server()


async def test_answers_come_before_the_cut_of_the_one_behind_them() -> None:
    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.method == "HEAD":
            writer.abort()
        else:
            await writer.send(200, "OK", b"", b"hello")

    wire = Wire(handler)
    wire.send(GET + GET + HEAD)
    await wire.settle()
    assert wire.statuses == [200] * 2
    assert wire.transport.aborted
    await wire.end_server()


async def test_who_writes_into_the_transport_writes_behind_the_answers_before() -> None:
    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.method == "HEAD":
            assert writer.transport is not None
            writer.transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.send(200, "OK", b"", b"hello")

    wire = Wire(handler)
    wire.send(GET + HEAD)
    await wire.settle()
    assert wire.statuses == [200, 102, 200]
    await wire.end_server()


async def test_who_asks_what_the_transport_knows_lets_no_answer_go() -> None:
    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        assert writer.get_extra_info("sslcontext") is None
        await writer.send(200, "OK", b"", str(writer.get_extra_info("peername")).encode())

    wire = Wire(handler)
    wire.send(GET * 3)
    await wire.settle()
    assert wire.statuses == [200] * 3
    assert len(wire.transport.writes) == 1
    await wire.end_server()


async def test_what_is_held_is_bounded() -> None:
    async def large(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", bytes(6000))

    wire = Wire(large)
    wire.send(GET * 9)
    await wire.settle(30)
    assert wire.statuses == [200] * 9
    assert max(map(len, wire.transport.writes)) < 3 * 6000 + 1000
    await wire.end_server()


async def test_a_transport_that_fails_under_held_answers_ends_the_connection() -> None:
    wire = Wire(fail_at=1)
    wire.send(GET * 3 + GET[:3])
    await wire.settle(20)
    assert wire.transport.aborted
    assert wire.connection.phase is Phase.CLOSED
    await wire.end_server()


async def test_a_client_that_goes_before_its_answers_leave_harms_nobody() -> None:
    gate = Gate()

    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.method == "HEAD":
            await gate(head, body, writer)
        else:
            await writer.send(200, "OK", b"", b"hello")
            wire.transport.lose()

    wire = Wire(handler)
    wire.send(GET + HEAD)
    await wire.settle()
    assert wire.statuses == []
    gate.open()
    await wire.end_server()


async def test_a_stream_behind_held_answers_comes_behind_them() -> None:
    async def handler(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.method == "HEAD":
            await writer.send(204, "No Content", b"", b"")
            return
        writer.send_head(200, "OK", b"", None)
        await writer.write(b"first")
        await writer.write_eof(b"last")

    wire = Wire(handler)
    wire.send(HEAD + HEAD + GET + HEAD)
    await wire.settle(20)
    assert wire.statuses == [204, 204, 200, 204]
    assert b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\nHTTP/1.1 204" in wire.sent
    await wire.end_server()


async def test_one_connection_does_not_hold_the_loop_with_what_it_pipelines() -> None:
    wire, other = Wire(), Wire()
    wire.send(GET * 50)
    await wire.settle(4)
    other.send(GET)
    await wire.settle(4)
    assert other.statuses == [200]
    assert len(wire.statuses) < 50
    await wire.settle(100)
    assert wire.statuses == [200] * 50
    await wire.end_server()
    await other.end_server()


# -- who reads slowly --------------------------------------------------------------------------------------------------


async def answer_at_length(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
    await writer.send(200, "OK", b"", bytes(5000))


def slow_reader() -> Wire:
    """Its answer leaves when half of the next request has arrived; it reads nothing, and is waited for for 5 s."""
    limits = Limits(write_buffer=1000, write_timeout=5, head_timeout=60, keepalive_timeout=None)
    wire = Wire(answer_at_length, window=0, limits=limits)
    wire.send(GET + GET[:7])
    return wire


async def wait(wire: Wire, seconds: int) -> None:
    """The clock ticks for so long."""
    clock = wire.server.clock
    for _ in range(2 * seconds):
        clock.now += 0.5
        if wire.connection.deadline <= clock.now:
            wire.connection.deadline_passed(clock.now)
        await wire.settle(4)


@pytest.mark.parametrize("more", [b"", GET[7:], GET[7:] + GET[:7], GET[7:] + GET])
async def test_who_does_not_read_a_held_answer_is_cut_in_time(more: bytes) -> None:
    wire = slow_reader()
    await wire.settle()
    assert wire.transport.paused
    wire.send(more)
    await wire.settle()
    await wait(wire, 4)
    assert not wire.transport.aborted
    await wait(wire, 6)
    assert wire.transport.aborted
    await wire.end_server()


async def test_who_reads_a_held_answer_late_gets_the_time_for_the_next_head() -> None:
    wire = slow_reader()
    await wire.settle()
    await wait(wire, 3)
    wire.transport.take(10_000)
    await wait(wire, 30)
    assert not wire.transport.closing
    wire.send(GET[7:])
    await wire.settle()
    wire.transport.take(10_000)
    await wire.settle()
    assert wire.statuses == [200, 200]
    await wire.end_server()


async def test_a_client_that_was_let_in_late_is_served_in_turns() -> None:
    wire = Wire()
    wire.connection.hold()
    wire.send(GET + GET)
    wire.connection.admit()
    assert wire.statuses == []
    await wire.settle()
    assert wire.statuses == [200, 200]
    await wire.end_server()
