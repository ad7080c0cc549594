"""Outboxes for peers that read too slowly: the oldest messages give way, or the peer does; nobody waits."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from aioweb.protocol.websocket import Close, PerMessageDeflate, prepare_message
from aioweb.server.slowpeers import ClosingOutbox, DroppingOutbox
from aioweb.server.websocket import WebSocketSession
from aioweb.server.wsevents import WebSocketClosed
from tests.server.websocket_wire import Reader, WebSocketWire, forever
from tests.wsclient import close_frame

MOST = 100_000
LARGE = "large and larger " * 20_000  # over what is compressed in a thread


def send(session: WebSocketSession, data: str) -> Any:
    return session.outbox.send(session.ground.send_text, data)


def dropping(play: Any = forever, *, most: int = MOST, **options: Any) -> WebSocketWire:
    return WebSocketWire(play, outbox=partial(DroppingOutbox, most=most), **options)


def closing(play: Any = forever, **options: Any) -> WebSocketWire:
    return WebSocketWire(play, outbox=partial(ClosingOutbox, most=MOST), **options)


async def end(wire: WebSocketWire) -> None:
    if wire.transport.window is not None:
        wire.transport.take(10**8)
    await wire.settle()
    wire.connection.kill()
    await wire.end_server()


# -- the oldest give way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deflate", [None, PerMessageDeflate()])
async def test_the_oldest_messages_give_way_and_the_latest_arrives(deflate: PerMessageDeflate | None) -> None:
    wire = dropping(window=1000, deflate=deflate)
    await wire.open()
    texts = [f"{number} ".ljust(10_000, "x") for number in range(300)]
    for text in texts:
        await asyncio.wait_for(_wait(wire.session.outbox.send(wire.session.ground.send_text, text, False)), 1)
        assert wire.session.outbox.buffered <= MOST
    await wire.settle()
    outbox = wire.session.outbox
    assert outbox.dropped > 250
    send(wire.session, "compressed, if that was agreed on " * 10)
    wire.transport.take(10**8)
    await wire.settle()
    got = wire.got()
    assert got[-1] == "compressed, if that was agreed on " * 10
    early = len([text for text, other in zip(got, texts, strict=False) if text == other])
    assert got[:early] == texts[:early]
    assert got[early:-1] == texts[early + outbox.dropped :]
    assert outbox.buffered == 0
    await end(wire)


async def _wait(awaitable: Any) -> None:
    await awaitable


async def test_a_peer_that_keeps_up_misses_nothing() -> None:
    wire = dropping()
    await wire.open()
    for number in range(100):
        send(wire.session, f"{number} ".ljust(10_000))
    await wire.settle()
    assert [text.strip() for text in wire.got()] == [str(number) for number in range(100)]
    assert wire.session.outbox.dropped == 0
    await end(wire)


async def test_one_message_is_kept_though_it_is_more_than_may_wait() -> None:
    wire = dropping(window=1000, most=70_000)
    await wire.open()
    for number in range(5):
        send(wire.session, f"{number} ".ljust(90_000))
    assert wire.session.outbox.dropped == 3
    wire.transport.take(10**8)
    await wire.settle()
    assert [text.strip() for text in wire.got()] == ["0", "4"]
    await end(wire)


async def test_many_at_once_share_the_measure_with_each_alone() -> None:
    wire = dropping(window=1000)
    await wire.open()
    outbox, news = wire.session.outbox, prepare_message("news " * 2000)
    while outbox.offer(news, 80_000):
        await asyncio.sleep(0)
    assert outbox.buffered > 80_000
    assert outbox.dropped == 0
    for _ in range(20):
        assert outbox.offer(news, 10**9)
    assert outbox.dropped > 0
    wire.transport.take(10**8)
    await wire.settle()
    assert outbox.offer(prepare_message("again"), 0)
    await wire.settle()
    assert set(wire.got()) == {"news " * 2000, "again"}
    await end(wire)


async def test_messages_that_are_compressed_in_a_thread_do_not_pile_up() -> None:
    wire = dropping(deflate=PerMessageDeflate(), most=2 * len(LARGE) + 100)
    await wire.open()
    outbox = wire.session.outbox
    for number in range(10):
        send(wire.session, f"{number}{LARGE}")
    assert outbox.dropped == 7
    await outbox.flush(5)
    await wire.settle()
    assert [text[0] for text in wire.got()] == ["0", "8", "9"]
    await end(wire)


async def test_a_close_gives_the_peer_its_time_to_take_what_was_sent() -> None:
    async def play(session: WebSocketSession) -> None:
        for number in range(8):
            send(session, f"{number} ".ljust(10_000))

    wire = dropping(play, window=1000, most=70_000)
    await wire.open()
    assert wire.session.ground.close_sent is None
    wire.transport.take(10**8)
    await wire.settle()
    await wire.ask(close_frame())
    *texts, code = wire.got()
    assert [text.strip() for text in texts] == [str(number) for number in range(8)]
    assert code == 1000
    await wire.end_server()


async def test_a_close_does_not_wait_for_ever() -> None:
    async def play(session: WebSocketSession) -> None:
        for _ in range(20):
            send(session, "x" * 10_000)

    wire = dropping(play, window=1000, timeout=0.01)
    await wire.open()
    while wire.session.ground.close_sent is None:
        await asyncio.sleep(0)
    await wire.pass_time(1)
    assert (wire.session.close_code, wire.session.closed_by) == (1006, "timeout")
    await wire.end_server()


@pytest.mark.parametrize("how", ["lost", "closed", "stopped"])
async def test_what_waits_is_let_go_at_the_end(how: str) -> None:
    reader = Reader()
    wire = dropping(reader, window=1000)
    await wire.open()
    outbox = wire.session.outbox
    for _ in range(20):
        send(wire.session, "x" * 10_000)
    if how == "lost":
        wire.transport.lose()
    elif how == "closed":
        await wire.ask(close_frame())
    else:
        wire.session.stop()
    await wire.settle()
    for late in (lambda: send(wire.session, "late"), lambda: outbox.send_prepared(prepare_message("late"))):
        with pytest.raises(WebSocketClosed):
            late()
    assert outbox.offer(prepare_message("late"), 10**9)
    wire.transport.lose()
    await wire.settle()
    assert outbox.buffered == 0
    await wire.end_server()


async def test_what_is_no_text_is_told_at_once() -> None:
    wire = dropping()
    await wire.open()
    with pytest.raises(UnicodeEncodeError):
        send(wire.session, "\ud800")
    await end(wire)


# -- the peer gives way --------------------------------------------------------------------------------------------


async def test_a_peer_that_is_too_far_behind_is_closed() -> None:
    wire = closing(window=1000)
    await wire.open()
    sent = 0
    with pytest.raises(WebSocketClosed, match="closing"):
        while sent < 1000:
            send(wire.session, "x" * 9_000)
            sent += 1
    assert MOST < sent * 9_000 < MOST + 20_000
    assert wire.session.ground.close_sent == Close(1013, "too slow")
    wire.transport.take(10**8)
    await wire.settle()
    assert wire.got()[sent:] == [1013]
    await wire.ask(close_frame(1013))
    assert (wire.session.close_code, wire.session.closed_by) == (1013, "server")
    wire.connection.kill()
    await wire.end_server()


async def test_a_broadcast_is_told_who_is_too_far_behind() -> None:
    wire = closing(window=1000)
    await wire.open()
    outbox, news = wire.session.outbox, prepare_message("news " * 2000)
    while outbox.offer(news, 10**9):
        await asyncio.sleep(0)
    assert outbox.buffered > MOST
    assert outbox.closes
    assert wire.session.ground.sendable, "who sends to many closes, when it has sent to all"
    await end(wire)


async def test_who_awaits_waits_as_ever() -> None:
    sent: list[int] = []

    async def play(session: WebSocketSession) -> None:
        for number in range(100):
            await send(session, "x" * 10_000)
            sent.append(number)

    wire = closing(play, window=1000)
    await wire.open()
    assert len(sent) < 10
    assert wire.session.ground.sendable
    wire.transport.take(10**8)
    await wire.settle(200)
    assert len(sent) == 100
    await wire.ask(close_frame())
    await wire.end_server()
