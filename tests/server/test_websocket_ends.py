"""How handlers of WebSockets end, and what their clients hear of it, over a fake transport."""

from __future__ import annotations

import asyncio
import gc

import pytest

from aioweb.protocol.websocket import Close
from aioweb.server.websocket import WebSocketSession
from aioweb.server.wsevents import CLOSED, CLOSING, WebSocketClosed
from tests.server.websocket_wire import Play, Reader, WebSocketWire, forever, read_all
from tests.wsclient import CLOSE, TEXT, close_frame, frame


async def test_a_handler_that_fails_is_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def play(session: WebSocketSession) -> None:
        await session.receive(None)
        raise ValueError("secret")

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"go"))
    assert wire.next() == Close(1011, "")
    assert b"secret" not in wire.sent
    assert wire.transport.eof_written
    assert (wire.session.close_code, wire.session.closed_by) == (1011, "server")
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
    await wire.end_server()


async def test_a_handler_that_fails_behind_the_goodbye_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def play(session: WebSocketSession) -> None:
        await read_all(session)
        raise ValueError("in the cleaning up")

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(close_frame(1000))
    assert wire.got() == [1000]
    assert not wire.transport.aborted
    assert wire.session.close_code == 1000
    assert "in the cleaning up" in caplog.text
    await wire.end_server()


async def test_a_handler_that_is_cancelled_tells_its_client() -> None:
    async def play(session: WebSocketSession) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.cancel()
        await waiting

    wire = WebSocketWire(play)
    await wire.open()
    assert wire.got() == [1011]
    assert not wire.transport.aborted
    await wire.end_server()


async def test_a_send_to_nobody_that_nobody_catches_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def play(session: WebSocketSession) -> None:
        while True:
            await asyncio.sleep(0)
            await session.outbox.send(session.ground.send_text, "tick")

    wire = WebSocketWire(play)
    await wire.open()
    wire.transport.lose()
    await wire.settle()
    assert not wire.connection.busy
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []
    await wire.end_server()


@pytest.mark.parametrize("end", ["lost", "peer", "server"])
async def test_a_handler_that_does_not_notice_is_cancelled(end: str) -> None:
    wire = WebSocketWire(forever, timeout=0.01)
    await wire.open()
    if end == "lost":
        wire.transport.lose()
    else:
        wire.send(close_frame() if end == "peer" else frame(3))
    await wire.settle()
    assert wire.session.closed_by == end
    assert wire.connection.busy, "it has some time"
    while wire.connection.busy:
        await asyncio.sleep(0)
    await wire.end_server()


async def by_receiving(session: WebSocketSession) -> None:
    while await session.receive(None) is not CLOSED:
        pass


async def by_sending(session: WebSocketSession) -> None:
    with pytest.raises(WebSocketClosed):
        while True:
            await asyncio.sleep(0)
            await session.outbox.send(session.ground.send_text, "x")


async def by_closing(session: WebSocketSession) -> None:
    await asyncio.sleep(0)
    await session.close(1000, "")


@pytest.mark.parametrize("notice", [by_receiving, by_sending, by_closing])
@pytest.mark.parametrize("end", ["lost", "peer", "server"])
async def test_a_handler_that_has_noticed_may_take_its_time(notice: Play, end: str) -> None:
    loop = asyncio.get_running_loop()
    gate, late = loop.create_future(), loop.create_future()

    async def play(session: WebSocketSession) -> None:
        await notice(session)
        await gate

    wire = WebSocketWire(play, timeout=0.001)
    await wire.open()
    if end == "lost":
        wire.transport.lose()
    else:
        wire.send(close_frame() if end == "peer" else frame(3))
    loop.call_later(0.01, late.set_result, None)
    await late
    assert wire.connection.busy
    gate.set_result(None)
    await wire.settle()
    assert not wire.connection.busy
    await wire.end_server()


@pytest.mark.parametrize("close", [True, False])
async def test_what_another_task_is_told_the_handler_does_not_know(close: bool) -> None:
    wire = WebSocketWire(forever, timeout=0.01)
    await wire.open()
    if close:
        closing = asyncio.ensure_future(wire.session.close(4000, ""))
        await wire.settle()
        await wire.ask(close_frame(4000))
        assert await closing
    else:
        await wire.ask(close_frame())
        with pytest.raises(WebSocketClosed):
            wire.session.outbox.send(wire.session.ground.send_text, "from another room")
    while wire.connection.busy:
        await asyncio.sleep(0)
    await wire.end_server()


async def test_what_a_receiver_has_not_fetched_is_dropped_when_we_close() -> None:
    events: list[object] = []

    async def play(session: WebSocketSession) -> None:
        await asyncio.sleep(0)
        session.begin_close(4000, "")
        events.append(await session.receive(None))

    wire = WebSocketWire(play)
    await wire.open(frame(TEXT, b"unread"))
    assert events == [CLOSING]
    await wire.ask(close_frame(4000))
    await wire.end_server()


async def test_who_receives_the_error_has_it_told() -> None:
    async def play(session: WebSocketSession) -> None:
        await read_all(session)
        await forever(session)

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"one") + frame(3))
    assert wire.got() == [1002]
    wire.connection.kill()
    await wire.end_server()


async def test_nothing_waits_for_a_handler_that_has_ended() -> None:
    wire = WebSocketWire(Reader())
    await wire.open()
    await wire.ask(close_frame())
    del wire.session
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is WebSocketSession]
    await wire.end_server()


@pytest.mark.parametrize(("left", "cancelled"), [(True, False), (False, True)])
async def test_handler_cancellation_is_for_those_whose_peer_vanishes(left: bool, cancelled: bool) -> None:
    ends: list[str] = []

    async def play(session: WebSocketSession) -> None:
        try:
            await forever(session)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    wire = WebSocketWire(play, handler_cancellation=True)
    await wire.open()
    if left:
        await wire.ask(close_frame())
    wire.transport.lose()
    await wire.settle()
    assert bool(ends) is cancelled
    wire.connection.kill()
    await wire.end_server()


async def test_a_stop_says_1001_and_waits_for_the_answer() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    stopping = asyncio.ensure_future(wire.server.shutdown(5.0))
    await wire.settle()
    assert wire.next() == Close(1001, "the server stops")
    assert reader.events == [CLOSING]
    assert not stopping.done()
    await wire.ask(frame(CLOSE, (1001).to_bytes(2, "big")))
    wire.end()
    await stopping
    assert wire.server.connections == []


async def test_after_the_end_senders_are_told() -> None:
    session_gone: list[BaseException] = []

    async def play(session: WebSocketSession) -> None:
        await read_all(session)
        for send in (lambda: session.send_ping(b""), lambda: session.send_pong(b"")):
            try:
                send()
            except WebSocketClosed as error:
                session_gone.append(error)

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(close_frame(4000))
    assert [str(error) for error in session_gone] == ["the WebSocket is closed (code 4000)"] * 2
    assert isinstance(session_gone[0], (ConnectionResetError, RuntimeError))
    await wire.end_server()
