"""HTTPConnection over a fake transport, while its server stops: no request that may be under way is lost."""

from __future__ import annotations

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.server.phase import Phase
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.server.fake_transport import GET, POST, Gate, Wire


async def test_a_connection_that_opens_while_the_server_stops_gets_one_answer() -> None:
    wire = Wire()
    wire.server.close_idle()
    late, silent = Wire(server=wire.server), Wire(server=wire.server)
    assert b"\r\nConnection: close\r\n" in await late.ask(GET)
    assert late.transport.lost
    assert not silent.transport.closing
    silent.pass_deadline()
    await silent.settle()
    assert (silent.transport.lost, silent.sent) == (True, b"")
    await wire.end_server()


@pytest.mark.parametrize("octets", [GET, b"\r\n" + GET, GET + GET])
async def test_a_request_that_was_under_way_when_the_server_stops_is_answered(octets: bytes) -> None:
    wire = Wire()
    await wire.ask(GET)
    wire.server.close_idle()
    assert wire.connection.deadline <= wire.server.clock.after(0.5)
    await wire.ask(*[octets[at : at + 1] for at in range(len(octets))])
    assert wire.statuses == [200, 200]
    assert wire.sent.count(b"\r\nConnection: close\r\n") == 1
    wire.end()
    await wire.end_server()


async def test_half_a_head_does_not_make_a_stopping_server_wait_longer() -> None:
    wire = Wire()
    await wire.ask(GET)
    wire.server.close_idle()
    deadline = wire.connection.deadline
    await wire.ask(GET[:5])
    assert wire.connection.deadline == deadline
    wire.pass_deadline()
    assert wire.connection.deadline <= wire.server.clock.after(1.0)
    await wire.settle()
    assert wire.statuses == [200, 408]
    wire.end()
    await wire.end_server()


async def test_what_is_pipelined_behind_a_response_that_promised_to_go_on_is_answered() -> None:
    gate = Gate()

    async def stream(head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        if head.path == "/next":
            await writer.send(200, "OK", b"", b"hello")
            return
        writer.send_head(200, "OK", b"", 5)
        await gate.opened
        await writer.write_eof(b"hello")

    wire = Wire(stream)
    await wire.ask(GET + GET.replace(b"/ ", b"/next "))
    wire.server.close_idle()
    gate.open()
    await wire.settle()
    assert wire.statuses == [200, 200]
    assert wire.sent.count(b"\r\nConnection: close\r\n") == 1
    wire.end()
    await wire.end_server()


async def test_a_connection_that_is_drained_while_the_server_stops_lives_to_its_next_request() -> None:
    wire = Wire()
    await wire.ask(POST % 500)
    wire.server.close_idle()
    await wire.settle()
    assert wire.connection.phase is Phase.DRAINING
    assert wire.connection.deadline <= wire.server.clock.after(1.0)
    assert b"\r\nConnection: close\r\n" in await wire.ask(b"x" * 500 + GET)
    assert wire.transport.lost
    await wire.end_server()
