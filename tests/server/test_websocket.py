"""The session of a WebSocket, over a fake transport: receiving, its flow, and the end in every order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb.protocol.websocket import Close, Message, Opcode, WebSocketError
from aioweb.server.pings import Heartbeat
from aioweb.server.websocket import WebSocketSession
from aioweb.server.wsevents import CLOSED, CLOSING
from tests.server.websocket_wire import Reader, WebSocketWire, forever, read_all
from tests.wsclient import BINARY, CONTINUATION, PING, PONG, TEXT, close_frame, frame


class Plodder:
    """A handler that receives when it is let."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        self.events: list[Any] = []

    async def __call__(self, session: WebSocketSession) -> None:
        while not self.events or isinstance(self.events[-1], Message):
            await self.turns.acquire()
            self.events.append(await session.receive(None))


def text(data: str) -> Message:
    return Message(Opcode.TEXT, data)


# -- receiving -----------------------------------------------------------------------------------------------------


async def test_messages_come_in_their_order() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open(frame(TEXT, b"with the request"))
    await wire.ask(frame(TEXT, b"one"), frame(BINARY, b"\0") + frame(TEXT, b"two"))
    await wire.ask(close_frame(4000, "bye"))
    assert reader.events == [
        text("with the request"),
        text("one"),
        Message(Opcode.BINARY, b"\0"),
        text("two"),
        Close(4000, "bye"),
    ]
    assert wire.got() == [4000]
    await wire.end_server()


async def test_a_handler_that_does_not_receive_pauses_its_client_and_resumes_it() -> None:
    plodder = Plodder()
    wire = WebSocketWire(plodder)
    await wire.open()
    for _ in range(9):
        if wire.transport.reading:
            await wire.ask(frame(BINARY, bytes(40_000)))
    assert not wire.transport.reading
    assert wire.session.ground.buffered < 2 * 40_000
    plodder.turns.release()
    await wire.settle()
    assert not wire.transport.reading, "one message is not much"
    for _ in range(5):
        plodder.turns.release()
    await wire.settle()
    assert wire.transport.reading
    assert len(plodder.events) == 6
    wire.transport.lose()
    plodder.turns.release()
    for _ in range(9):
        plodder.turns.release()
    await wire.settle()
    assert plodder.events[-1] is CLOSED
    await wire.end_server()


@pytest.mark.parametrize(
    "octets",
    [
        frame(PING) * 40_000,
        frame(PONG) * 40_000,
        frame(TEXT) * 40_000,
        frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 40_000,
    ],
    ids=["pings", "pongs", "empty messages", "empty fragments"],
)
async def test_others_have_their_turns_among_frames_without_number(octets: bytes) -> None:
    loop, turns, read = asyncio.get_running_loop(), 0, [0]

    async def play(session: WebSocketSession) -> None:
        while isinstance(await session.receive(None), Message):
            read[0] += 1

    def count() -> None:
        nonlocal turns, tick
        turns += 1
        tick = loop.call_soon(count)

    wire = WebSocketWire(play)
    await wire.open()
    tick = loop.call_soon(count)
    wire.send(octets)
    assert not wire.transport.reading
    while not wire.transport.reading:
        await asyncio.sleep(0)
    tick.cancel()
    assert turns > 40, "500 frames in each at most"
    await wire.settle()
    assert read[0] in (0, 40_000)
    await wire.ask(close_frame(4000) if octets[0] & 0x80 else frame(CONTINUATION) + close_frame(4000))
    assert wire.got()[-1] == 4000
    await wire.end_server()


async def test_nothing_is_lost_of_what_came_before_the_end() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    wire.send(frame(TEXT, b"x") * 5_000)
    while not wire.transport.reading:
        await asyncio.sleep(0)
    wire.end()
    await wire.settle()
    assert len(reader.events) == 5_000 + 1
    await wire.end_server()


async def test_a_ping_whose_answer_the_socket_refuses_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    wire = WebSocketWire(forever, heartbeat=Heartbeat(1.0))
    await wire.open()
    wire.connection.flow.lost = True  # the transport knows, and the loop has not told yet
    wire.connection.data_received(frame(PING, b"?"))
    await wire.pass_time(3)
    wire.transport.lose()
    await wire.settle()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []
    wire.connection.kill()
    await wire.end_server()


async def test_empty_messages_are_not_for_free() -> None:
    wire = WebSocketWire(forever)
    await wire.open()
    await wire.ask(frame(TEXT) * 3000)
    assert not wire.transport.reading
    wire.transport.lose()
    await wire.end_server()


async def test_what_was_paused_is_not_lost() -> None:
    plodder = Plodder()
    wire = WebSocketWire(plodder)
    await wire.open()
    await wire.ask(b"".join(frame(TEXT, b"%d" % number) for number in range(2000)) + close_frame())
    for _ in range(2001):
        plodder.turns.release()
    await wire.settle(5000)
    assert plodder.events == [*(text(str(number)) for number in range(2000)), Close(1000, "")]
    await wire.end_server()


async def test_a_receiver_that_is_cancelled_loses_nothing() -> None:
    events: list[Any] = []

    receivers: list[asyncio.Future[Any]] = []

    async def play(session: WebSocketSession) -> None:
        receivers.append(asyncio.ensure_future(session.receive(None)))
        await asyncio.wait(receivers)
        events.extend(await read_all(session))

    wire = WebSocketWire(play)
    await wire.open()
    wire.send(frame(TEXT, b"kept"))  # it is awake, and did not run yet
    receivers[0].cancel()
    await wire.ask(close_frame())
    assert receivers[0].cancelled()
    assert events == [text("kept"), Close(1000, "")]
    await wire.end_server()


async def test_a_receiver_may_lose_its_patience_and_receive_later() -> None:
    events: list[Any] = []

    async def play(session: WebSocketSession) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await session.receive(0.001)
        events.append("patient")
        events.extend(await read_all(session))

    wire = WebSocketWire(play)
    await wire.open()
    while not events:
        await asyncio.sleep(0)
    await wire.ask(frame(TEXT, b"late"), close_frame())
    assert events == ["patient", text("late"), Close(1000, "")]
    await wire.end_server()


async def test_only_one_task_receives() -> None:
    refusals: list[str] = []

    async def play(session: WebSocketSession) -> None:
        first = asyncio.ensure_future(read_all(session))
        await asyncio.sleep(0)
        for attempt in (session.receive(None), session.receive(1.0)):
            with pytest.raises(RuntimeError, match="another task receives") as caught:
                await attempt
            refusals.append(str(caught.value))
        await first

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"one"), close_frame())
    assert len(refusals) == 2
    await wire.end_server()


# -- the end -------------------------------------------------------------------------------------------------------


async def test_the_server_closes_first_and_lets_its_octets_arrive() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    await wire.ask(close_frame(1000, "done"))
    assert wire.got() == [1000]
    assert wire.transport.eof_written
    assert not wire.transport.closing, "the client may still be sending"
    session = wire.session
    assert (session.close_code, session.close_reason, session.closed_by) == (1000, "done", "peer")
    wire.end()
    await wire.settle()
    assert wire.transport.closing
    assert wire.ends == 1
    await wire.end_server()


async def test_a_handler_that_returns_closes_and_waits_for_the_answer() -> None:
    async def play(session: WebSocketSession) -> None:
        session.outbox.send(session.ground.send_text, "last words")

    wire = WebSocketWire(play)
    await wire.open()
    assert wire.got() == ["last words", 1000]
    assert wire.connection.busy, "it waits"
    await wire.ask(close_frame(1000))
    assert not wire.connection.busy
    assert (wire.session.close_code, wire.session.closed_by) == (1000, "server")
    await wire.end_server()


@pytest.mark.parametrize("window", [None, 200])
async def test_a_peer_that_does_not_answer_a_close_is_cut_in_time(window: int | None) -> None:
    async def play(session: WebSocketSession) -> None:
        session.outbox.send(session.ground.send_binary, bytes(100_000))

    wire = WebSocketWire(play, timeout=10.0, window=window)
    await wire.open()
    await wire.pass_time(9)
    assert wire.connection.busy
    await wire.pass_time(3)
    assert not wire.connection.busy
    assert wire.transport.aborted
    assert (wire.session.close_code, wire.session.closed_by) == (1006, "timeout")
    await wire.end_server()


async def test_both_ends_may_close_at_once() -> None:
    wire = WebSocketWire(lambda session: session.close(4001, "ours"))  # type: ignore[arg-type,return-value]
    await wire.open(close_frame(4002, "theirs"))
    assert wire.got() == [4002], "theirs was there first"
    await wire.end_server()


async def test_our_close_may_cross_theirs() -> None:
    wire = WebSocketWire(forever)
    await wire.open()
    wire.session.begin_close(4001, "ours")
    await wire.ask(close_frame(4002, "theirs"))
    assert wire.got() == [4001], "one close frame each"
    session = wire.session
    assert (session.close_code, session.close_reason, session.closed_by) == (4002, "theirs", "server")
    assert wire.transport.eof_written
    wire.connection.kill()
    await wire.end_server()


async def test_two_tasks_may_close_and_one_of_them_does() -> None:
    results: list[bool] = []

    async def play(session: WebSocketSession) -> None:
        results.extend(await asyncio.gather(*(session.close(4000 + number, "") for number in range(3))))

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(close_frame(4000))
    assert results == [True, False, False]
    assert wire.got() == [4000]
    await wire.end_server()


async def test_a_task_that_closes_ends_the_receiver() -> None:
    events: list[Any] = []

    async def play(session: WebSocketSession) -> None:
        receiver = asyncio.ensure_future(read_all(session))
        await asyncio.sleep(0)
        await session.close(4000, "")
        events.extend(await receiver)
        events.append(await session.receive(None))

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"on its way"), close_frame(4000))
    assert events == [CLOSING, CLOSED]
    await wire.end_server()


async def test_data_behind_a_close_is_ignored() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    await wire.ask(close_frame() + frame(TEXT, b"late") + b"\xff\xff\xff")
    assert reader.events == [Close(1000, "")]
    await wire.ask(frame(TEXT, b"later"))
    assert wire.got() == [1000]
    await wire.end_server()


async def test_without_autoclose_the_handler_answers() -> None:
    async def play(session: WebSocketSession) -> None:
        assert await session.receive(None) == Close(4000, "bye")
        assert not session.closed
        session.outbox.send(session.ground.send_text, "wait")
        assert await session.close(1000, "")

    wire = WebSocketWire(play, autoclose=False)
    await wire.open()
    await wire.ask(close_frame(4000, "bye"))
    assert wire.got() == ["wait", 1000]
    assert (wire.session.close_code, wire.session.closed_by) == (4000, "peer")
    await wire.end_server()


async def test_without_autoclose_a_handler_that_forgets_is_cut_and_cancelled() -> None:
    wire = WebSocketWire(forever, autoclose=False, timeout=0.02)
    await wire.open()
    await wire.ask(close_frame(4000))
    await wire.pass_time(1)
    assert wire.transport.aborted
    while wire.connection.busy:
        await asyncio.sleep(0)
    await wire.end_server()


async def test_a_lost_connection_is_1006() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    await wire.ask(frame(TEXT, b"last"))
    wire.transport.lose()
    await wire.settle()
    assert reader.events == [text("last"), CLOSED]
    assert (wire.session.close_code, wire.session.closed_by) == (1006, "lost")
    assert wire.ends == 1
    await wire.end_server()


async def test_who_breaks_the_protocol_is_told_the_code() -> None:
    reader = Reader()
    wire = WebSocketWire(reader)
    await wire.open()
    await wire.ask(frame(TEXT, b"good") + frame(TEXT, b"\xff"))
    assert reader.events[0] == text("good")
    assert isinstance(reader.events[1], WebSocketError)
    assert wire.session.error is reader.events[1]
    assert wire.got() == [1007]
    assert (wire.session.close_code, wire.session.closed_by) == (1007, "server")
    assert wire.transport.eof_written
    await wire.end_server()


async def test_what_was_said_before_a_protocol_error_is_answered_first() -> None:
    async def play(session: WebSocketSession) -> None:
        while isinstance(message := await session.receive(None), Message):
            await session.outbox.send(session.ground.send_text, message.data)

    wire = WebSocketWire(play)
    await wire.open()
    await wire.ask(frame(TEXT, b"one") + frame(TEXT, b"two") + frame(3) + frame(TEXT, b"three"))
    assert wire.got() == ["one", "two", 1002]
    await wire.end_server()


@pytest.mark.parametrize("timely", [True, False])
async def test_who_breaks_the_protocol_waits_for_the_handler_but_not_for_ever(timely: bool) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def play(session: WebSocketSession) -> None:
        await gate

    wire = WebSocketWire(play, timeout=10)
    await wire.open()
    await wire.ask(frame(TEXT, b"unread") + frame(3))
    await wire.ask(frame(TEXT, b"dropped"))
    assert wire.got() == []
    if timely:
        gate.set_result(None)
        await wire.settle()
        assert not wire.connection.busy
    else:
        await wire.pass_time(12)
    assert wire.got() == [1002]
    assert wire.session.closed_by == "server"
    wire.connection.kill()
    await wire.end_server()


async def test_a_protocol_error_behind_our_close_ends_it_quietly() -> None:
    wire = WebSocketWire(lambda session: session.close(1000, ""))  # type: ignore[arg-type,return-value]
    await wire.open()
    await wire.ask(frame(3))
    assert wire.got() == [1000]
    assert not wire.connection.busy
    await wire.end_server()
