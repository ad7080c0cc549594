"""What goes out over a WebSocket: in order, together, off the loop if it is large, and bounded by a slow peer."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from aioweb.protocol.websocket import PerMessageDeflate, prepare_message
from aioweb.server.websocket import WebSocketSession
from aioweb.server.wsevents import WebSocketClosed
from tests.server.websocket_wire import Reader, WebSocketWire, forever, read_all
from tests.wsclient import TEXT, close_frame, frame

LARGE = "large and larger " * 20_000  # over what is compressed in a thread


def send(session: WebSocketSession, data: str) -> Any:
    return session.outbox.send(session.ground.send_text, data)


async def test_the_answers_to_one_segment_leave_in_one_write() -> None:
    async def play(session: WebSocketSession) -> None:
        for _ in range(10):
            message: Any = await session.receive(None)
            await send(session, message.data)
        await read_all(session)

    wire = WebSocketWire(play)
    await wire.open()
    before = len(wire.transport.writes)
    await wire.ask(b"".join(frame(TEXT, b"%d" % number) for number in range(10)))
    assert wire.got() == [str(number) for number in range(10)]
    assert len(wire.transport.writes) == before + 1
    await wire.ask(close_frame())
    await wire.end_server()


async def test_what_goes_to_many_leaves_at_once_and_what_follows_in_this_turn_together() -> None:
    wire = WebSocketWire(forever)
    await wire.open()
    for text in ("first", "again"):
        before = len(wire.transport.writes)
        for number in range(5):
            assert wire.session.outbox.offer(prepare_message(f"{text} {number}"), 10_000)
            assert len(wire.transport.writes) == before + 1
        await wire.settle()
        assert wire.got() == [f"{text} {number}" for number in range(5)]
        assert len(wire.transport.writes) == before + 2
    wire.connection.kill()
    await wire.end_server()


async def test_what_goes_to_many_keeps_its_place_behind_what_was_sent() -> None:
    wire = WebSocketWire(forever, deflate=PerMessageDeflate())
    await wire.open()
    send(wire.session, "sent")
    wire.session.outbox.offer(prepare_message("to many"), 10_000)
    send(wire.session, LARGE)
    wire.session.outbox.offer(prepare_message("behind the large one"), 10_000)
    await wire.session.outbox.flush(1)
    await wire.settle()
    assert wire.got() == ["sent", "to many", LARGE, "behind the large one"]
    wire.connection.kill()
    await wire.end_server()


async def test_what_goes_to_many_passes_by_who_is_slow_closed_or_gone() -> None:
    message = prepare_message("x" * 100)
    wire = WebSocketWire(forever, window=1000)
    await wire.open()
    outbox = wire.session.outbox
    while outbox.buffered <= 500:
        assert outbox.offer(message, 500)
    assert not outbox.offer(message, outbox.buffered - 1)
    assert outbox.offer(message, outbox.buffered)
    wire.transport.take(10_000)
    await wire.settle()
    wire.transport.fail_at = len(wire.transport.calls) + 1  # the socket is broken, and nobody has told us yet
    assert outbox.offer(message, 500)
    assert outbox.offer(message, 500)
    wire.transport.lose()
    await wire.settle()
    assert outbox.offer(message, 500)
    assert wire.session.closed
    wire.connection.kill()
    await wire.end_server()


async def test_a_slow_peer_lets_its_senders_wait_and_nobody_else() -> None:
    sent: list[str] = []

    async def play(session: WebSocketSession) -> None:
        for _ in range(10):
            await send(session, "x" * 50_000)
            sent.append("message")

    wire = WebSocketWire(play, window=1000)
    await wire.open()
    other = WebSocketWire(Reader(), server=wire.server)
    assert len(sent) < 4
    held = len(sent)
    await wire.settle()
    assert len(sent) == held
    assert wire.session.outbox.buffered > 65536
    await other.settle()
    wire.transport.take(10**6)
    await wire.settle(30)
    assert len(sent) == 10
    await wire.ask(close_frame())
    await wire.end_server()


async def test_a_waiting_sender_is_told_when_its_peer_vanishes() -> None:
    ends: list[BaseException] = []

    async def play(session: WebSocketSession) -> None:
        try:
            while True:
                await send(session, "x" * 50_000)
        except WebSocketClosed as error:
            ends.append(error)

    wire = WebSocketWire(play, window=1000)
    await wire.open()
    assert ends == []
    wire.transport.lose()
    await wire.settle()
    assert len(ends) == 1
    await wire.end_server()


async def test_large_messages_are_compressed_in_a_thread_and_stay_in_order() -> None:
    threads: list[str] = []

    async def play(session: WebSocketSession) -> None:
        encode = session.ground.send_text

        def noting(data: str, compress: bool | None) -> bytes:
            threads.append(threading.current_thread().name)
            return encode(data, compress)

        session.outbox.send(noting, LARGE + "1")
        session.outbox.send(noting, "small")
        session.outbox.send_prepared(prepare_message("prepared"))
        await session.outbox.send(noting, LARGE + "2")
        await session.outbox.send(noting, "at once")

    wire = WebSocketWire(play, deflate=PerMessageDeflate())
    await wire.open()
    while wire.connection.busy and wire.session.ground.close_sent is None:
        await asyncio.sleep(0)
    await wire.ask(close_frame())
    assert wire.got() == [LARGE + "1", "small", "prepared", LARGE + "2", "at once", 1000]
    main = threading.current_thread().name
    assert [name == main for name in threads] == [False, False, False, True]
    await wire.end_server()


async def test_a_large_message_is_whole_though_its_sender_is_cancelled() -> None:
    async def play(session: WebSocketSession) -> None:
        sender = asyncio.ensure_future(_wait(send(session, LARGE)))
        await asyncio.sleep(0)
        sender.cancel()
        await asyncio.wait([sender])
        assert sender.cancelled()
        await send(session, "behind")

    wire = WebSocketWire(play, deflate=PerMessageDeflate())
    await wire.open()
    while wire.session.ground.close_sent is None:
        await asyncio.sleep(0)
    await wire.ask(close_frame())
    assert wire.got() == [LARGE, "behind", 1000]
    await wire.end_server()


async def _wait(awaitable: Any) -> None:
    await awaitable


async def test_nothing_follows_a_close_frame() -> None:
    loop = asyncio.get_running_loop()
    begun, go = asyncio.Event(), threading.Event()
    ends: list[BaseException] = []

    async def play(session: WebSocketSession) -> None:
        def slow(data: str, compress: bool | None) -> bytes:
            loop.call_soon_threadsafe(begun.set)
            assert go.wait(5)
            return session.ground.send_text(data, compress)

        sent = session.outbox.send(slow, LARGE)
        session.outbox.send(session.ground.send_text, "dropped, and behind it")
        try:
            await sent
        except WebSocketClosed as error:
            ends.append(error)

    wire = WebSocketWire(play, deflate=PerMessageDeflate())
    await wire.open()
    await begun.wait()
    await wire.ask(close_frame(4000))
    go.set()
    while wire.connection.busy:
        await asyncio.sleep(0)
    assert wire.got() == [4000]
    assert len(ends) == 1
    await wire.end_server()


async def test_who_drops_the_awaitable_of_a_failing_send_hears_nothing(caplog: pytest.LogCaptureFixture) -> None:
    wire = WebSocketWire(forever, deflate=PerMessageDeflate())
    await wire.open()
    send(wire.session, LARGE)
    wire.transport.lose()
    while wire.session.outbox.buffered or not wire.session.closed:
        await asyncio.sleep(0)
    await wire.session.outbox.flush(1)
    wire.connection.kill()
    await wire.end_server()
    gc.collect()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_what_a_socket_refuses_is_the_documented_error() -> None:
    ends: list[BaseException] = []

    async def play(session: WebSocketSession) -> None:
        await session.receive(None)
        wire.transport.closing = True  # the loop knows that the socket is broken, and has not told yet
        wire.connection.flow.lost = True
        try:
            await send(session, "x")
        except WebSocketClosed as error:
            ends.append(error)

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"go"))
    assert len(ends) == 1
    wire.transport.lose()
    await wire.end_server()


async def test_what_cannot_be_encoded_is_told_to_who_awaits_and_harms_nobody() -> None:
    errors: list[type[BaseException]] = []

    async def play(session: WebSocketSession) -> None:
        for size in (1, 300_000):
            try:
                await send(session, "\ud800" * size)
            except UnicodeEncodeError as error:
                errors.append(type(error))
        await send(session, "behind")

    wire = WebSocketWire(play, deflate=PerMessageDeflate())
    await wire.open()
    while wire.session.ground.close_sent is None:
        await asyncio.sleep(0)
    await wire.ask(close_frame())
    assert errors == [UnicodeEncodeError] * 2
    assert wire.got() == ["behind", 1000]
    await wire.end_server()


async def test_who_sends_after_the_end_is_told_whatever_it_sends() -> None:
    wire = WebSocketWire(forever)
    await wire.open()
    await wire.ask(close_frame())
    outbox, ground = wire.session.outbox, wire.session.ground
    for late in (
        lambda: outbox.send(ground.send_text, "x"),
        lambda: outbox.send(ground.send_text, LARGE),
        lambda: outbox.send_prepared(prepare_message("x")),
    ):
        with pytest.raises(WebSocketClosed):
            late()  # type: ignore[no-untyped-call]
    wire.connection.kill()
    await wire.end_server()
