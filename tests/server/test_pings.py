"""Pings of a WebSocket: answered whatever the handler does, sent to who is silent, and awaited by who wants to know."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from aioweb.protocol.websocket import PerMessageDeflate
from aioweb.server.pings import Heartbeat, Pings
from aioweb.server.websocket import PING_DATA, WebSocketSession
from aioweb.server.wsevents import CLOSED, WebSocketClosed
from tests.server.websocket_wire import Reader, WebSocketWire, forever
from tests.wsclient import BINARY, PING, PONG, TEXT, close_frame, frame

HEARTBEAT = 30.0


# -- the peer's ----------------------------------------------------------------------------------------------------


async def test_pings_are_answered_though_nobody_receives() -> None:
    wire = WebSocketWire(forever)
    await wire.open(frame(PING, b"first"))
    assert wire.got() == [b"first"]
    await wire.ask(frame(PING, b"a") + frame(PONG, b"ignored") + frame(PING, b"b"))
    assert wire.got() == [b"a", b"b"]
    wire.transport.lose()
    await wire.end_server()


async def test_without_autoping_the_handler_sees_pings_and_pongs_of_others() -> None:
    events: list[Any] = []

    async def play(session: WebSocketSession) -> None:
        while len(events) < 2:
            events.append(await session.receive(None))

    wire = WebSocketWire(play, autoping=False)
    await wire.open()
    await wire.ask(frame(PING, b"a"), frame(PONG, b"b"))
    assert [event.data for event in events] == [b"a", b"b"]
    assert wire.got() == [1000], "no pong"
    await wire.ask(close_frame())
    await wire.end_server()


async def test_a_peer_that_pings_and_does_not_read_gets_one_pong_for_all() -> None:
    wire = WebSocketWire(forever, window=200)
    await wire.open()
    flood = frame(PING, bytes(125)) * 500
    for _ in range(20):
        await wire.ask(flood)
    await wire.ask(frame(PING, b"latest"))
    assert wire.transport.get_write_buffer_size() < 3 * 65536
    wire.transport.take(10**7)
    await wire.pass_time(1)
    pongs = wire.got()
    assert len(pongs) < 2000
    assert pongs[-1] == b"latest"
    wire.transport.lose()
    await wire.end_server()


# -- the heartbeat's -----------------------------------------------------------------------------------------------


async def test_a_silent_peer_is_pinged_and_then_given_up() -> None:
    reader = Reader()
    wire = WebSocketWire(reader, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    await wire.pass_time(HEARTBEAT - 1)
    assert wire.got() == []
    await wire.pass_time(2)
    assert wire.got() == [PING_DATA]
    await wire.pass_time(HEARTBEAT + 2)
    assert wire.transport.aborted
    assert reader.events == [CLOSED]
    session = wire.session
    assert (session.close_code, session.closed_by) == (1006, "timeout")
    await wire.end_server()


@pytest.mark.parametrize("sign", [frame(PONG, PING_DATA), frame(PONG), frame(TEXT, b"x")[:3], frame(PING)])
async def test_any_octet_is_a_sign_of_life(sign: bytes) -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    await wire.pass_time(HEARTBEAT + 1)
    assert wire.got() == [PING_DATA]
    await wire.ask(sign)
    await wire.pass_time(HEARTBEAT - 2)
    assert not wire.transport.aborted
    assert not wire.session.closed
    wire.transport.lose()
    await wire.end_server()


async def test_no_ping_goes_out_while_both_sides_speak() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    for _ in range(5):
        await wire.pass_time(HEARTBEAT * 0.8)
        await wire.ask(frame(PONG))
        wire.session.outbox.put(wire.session.ground.send_pong(b"said"))
    await wire.settle()
    assert wire.got() == [b"said"] * 5
    wire.transport.lose()
    await wire.end_server()


async def test_the_silence_of_our_side_is_a_reason_to_ping() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    for _ in range(4):
        await wire.pass_time(HEARTBEAT / 3)
        await wire.ask(frame(PONG))
    assert wire.got() == [PING_DATA]
    wire.transport.lose()
    await wire.end_server()


async def test_a_pong_tells_the_latency() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    assert wire.session.latency is None
    await wire.pass_time(HEARTBEAT + 1)
    await wire.ask(frame(PONG, PING_DATA))
    assert wire.session.latency is not None
    assert 0 <= wire.session.latency < 5
    wire.transport.lose()
    await wire.end_server()


async def test_who_is_not_read_is_not_given_up_for_its_silence() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT))
    await wire.open()
    await wire.ask(frame(BINARY, bytes(340_000)))
    assert not wire.transport.reading
    await wire.pass_time(HEARTBEAT * 5)
    assert not wire.transport.aborted
    wire.transport.lose()
    await wire.end_server()


async def test_a_slow_reader_is_not_pinged_behind_what_it_has_to_read() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT), window=1000)
    await wire.open()
    wire.session.outbox.send(wire.session.ground.send_binary, bytes(200_000))
    for _ in range(6):
        await wire.pass_time(HEARTBEAT / 2)
        wire.transport.take(10)
    assert not wire.transport.aborted
    assert PING_DATA not in wire.transport.buffer
    wire.transport.lose()
    await wire.end_server()


@pytest.mark.parametrize(("interval", "timeout", "given_up"), [(30.0, 5.0, 37), (10.0, 40.0, 52)])
async def test_the_answer_to_a_ping_has_a_time_of_its_own(interval: float, timeout: float, given_up: int) -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(interval, timeout))
    await wire.open()
    await wire.pass_time(interval + timeout - 1)
    assert not wire.session.closed
    assert wire.got() == [PING_DATA], "one ping, until it is answered"
    await wire.pass_time(4)
    assert wire.session.closed_by == "timeout"
    wire.connection.kill()
    await wire.end_server()


async def test_with_a_long_timeout_pings_still_go_out_at_each_interval() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(10.0, 60.0))
    await wire.open()
    for _ in range(5):
        await wire.pass_time(11)
        assert wire.got() == [PING_DATA]
        await wire.ask(frame(PONG, PING_DATA))
    wire.transport.lose()
    await wire.end_server()


async def test_without_autoping_the_heartbeat_stays_private() -> None:
    reader = Reader()
    wire = WebSocketWire(reader, heartbeat=Heartbeat(HEARTBEAT), autoping=False)
    await wire.open()
    await wire.pass_time(HEARTBEAT + 1)
    assert wire.got() == [PING_DATA]
    await wire.ask(frame(PONG, PING_DATA))
    assert wire.session.latency is not None
    await wire.ask(close_frame())
    assert len(reader.events) == 1, "no pong"
    await wire.end_server()


async def test_a_client_that_was_slow_for_a_while_is_pinged_later() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT), window=1000)
    await wire.open()
    wire.session.outbox.send(wire.session.ground.send_binary, bytes(100_000))
    await wire.pass_time(2)
    wire.transport.take(10**6)
    await wire.pass_time(HEARTBEAT - 5)
    assert [len(data) for data in wire.got()] == [100_000]
    await wire.pass_time(6)
    assert wire.got() == [PING_DATA]
    wire.transport.lose()
    await wire.end_server()


async def test_who_sends_keeps_its_compressor_though_its_peer_is_silent() -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT), deflate=PerMessageDeflate())
    await wire.open()
    outbox, ground = wire.session.outbox, wire.session.ground
    sizes = []
    for number in range(3):
        before = len(wire.sent)
        outbox.send(ground.send_text, "the same text again and again" * 10)
        await wire.settle()
        sizes.append(len(wire.sent) - before)
        await wire.pass_time(HEARTBEAT * 0.6)
        if number == 1:
            await wire.ask(frame(PONG, PING_DATA))
    assert PING_DATA in wire.got()
    assert sizes[1] < sizes[0]
    assert sizes[2] < sizes[0]
    wire.transport.lose()
    await wire.end_server()


async def test_an_idle_connection_gives_its_compressor_back() -> None:
    deflate = PerMessageDeflate()
    wire = WebSocketWire(forever, heartbeat=Heartbeat(HEARTBEAT), deflate=deflate)
    await wire.open()
    outbox, ground = wire.session.outbox, wire.session.ground
    sizes = []
    for _ in range(3):
        before = len(wire.sent)
        outbox.send(ground.send_text, "the same text again and again" * 10)
        await wire.settle()
        sizes.append(len(wire.sent) - before)
    assert sizes[2] < sizes[0], "it remembers"
    wire.got()
    await wire.pass_time(HEARTBEAT + 1)
    assert wire.got() == [PING_DATA]
    before = len(wire.sent)
    outbox.send(ground.send_text, "the same text again and again" * 10)
    await wire.settle()
    assert len(wire.sent) - before == sizes[0], "it has forgotten"
    assert wire.got() == ["the same text again and again" * 10]
    wire.transport.lose()
    await wire.end_server()


# -- the handler's -------------------------------------------------------------------------------------------------


async def test_a_ping_may_be_awaited_for_its_pong() -> None:
    seconds: list[float] = []

    async def play(session: WebSocketSession) -> None:
        pong = await session.send_ping(b"one")
        seconds.append(await pong)

    wire = WebSocketWire(play)
    await wire.open()
    assert wire.got() == [b"one"]
    await wire.ask(frame(PONG, b"another"))
    assert seconds == []
    await wire.ask(frame(PONG, b"one"))
    assert len(seconds) == 1
    assert seconds[0] >= 0
    await wire.ask(close_frame())
    await wire.end_server()


async def test_who_waits_for_a_pong_is_told_of_the_end() -> None:
    ends: list[Exception] = []

    async def play(session: WebSocketSession) -> None:
        pong = await session.send_ping(b"one")
        try:
            await pong
        except WebSocketClosed as error:
            ends.append(error)

    wire = WebSocketWire(play)
    await wire.open()
    wire.transport.lose()
    await wire.settle()
    assert len(ends) == 1
    await wire.end_server()


async def test_pongs_that_nobody_waits_for_are_forgotten() -> None:
    pings = Pings(asyncio.get_running_loop())
    kept = [pings.add(b"x") for _ in range(3)]
    for _ in range(1000):
        pings.add(b"x")
    gc.collect()
    pings.answered(b"x")
    assert all(pong.done() for pong in kept)
    dropped: Any = pings.add(b"y")
    pings.fail(WebSocketClosed("over"))
    assert isinstance(dropped.exception(), WebSocketClosed)
