"""Flow: who may write on, and whether the peer is read."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest

from aioweb.server.flow import DRAINED, ClientDisconnectedError, Flow
from tests.server.fake_transport import FakeTransport


def make() -> tuple[Flow, FakeTransport]:
    transport = FakeTransport(asyncio.Protocol())
    return Flow(asyncio.get_running_loop(), transport, contextvars.copy_context()), transport


async def wait(flow: Flow) -> str:
    await flow.drain()
    return "drained"


# -- writing -----------------------------------------------------------------------------------------------------------


async def test_what_is_drained_is_awaited_without_a_turn_of_the_loop_and_never_spent() -> None:
    flow, _ = make()
    assert flow.drain() is DRAINED
    turned = False

    def turn() -> None:
        nonlocal turned
        turned = True

    asyncio.get_running_loop().call_soon(turn)
    for _ in range(3):
        await DRAINED
    assert not turned


async def test_a_writer_waits_until_the_transport_has_drained() -> None:
    flow, _ = make()
    flow.pause_writing()
    waiting = [asyncio.create_task(wait(flow)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    flow.resume_writing()
    assert await asyncio.gather(*waiting) == ["drained"] * 3


async def test_a_writer_that_is_woken_into_the_next_pause_waits_on() -> None:
    flow, _ = make()
    flow.pause_writing()
    task = asyncio.create_task(wait(flow))
    await asyncio.sleep(0)
    flow.resume_writing()
    flow.pause_writing()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    flow.resume_writing()
    assert await task == "drained"


async def test_an_awaitable_looks_at_the_flow_when_it_is_awaited() -> None:
    flow, _ = make()
    flow.pause_writing()
    awaitable = flow.drain()
    flow.resume_writing()
    await awaitable
    await awaitable


async def test_a_dropped_awaitable_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    flow, _ = make()
    flow.pause_writing()
    flow.drain()
    gc.collect()
    assert not recwarn.list


async def test_a_cancelled_writer_does_not_disturb_the_others() -> None:
    flow, _ = make()
    flow.pause_writing()
    first, second = (asyncio.create_task(wait(flow)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    flow.resume_writing()
    assert await second == "drained"
    assert first.cancelled()


async def test_waiting_writers_hear_that_the_client_is_gone() -> None:
    flow, _ = make()
    flow.pause_writing()
    waiting = [asyncio.create_task(wait(flow)) for _ in range(2)]
    await asyncio.sleep(0)
    flow.connection_lost()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ClientDisconnectedError)
        assert isinstance(result, ConnectionResetError)
    with pytest.raises(ClientDisconnectedError):
        await flow.drain()


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_reading_is_paused_and_resumed_once() -> None:
    flow, transport = make()
    flow.resume_reading()
    flow.pause_reading()
    flow.pause_reading()
    assert flow.reading_paused
    flow.resume_reading()
    flow.resume_reading()
    assert not flow.reading_paused
    assert transport.calls == ["pause_reading", "resume_reading"]


@pytest.mark.parametrize("how", ["closing", "lost"])
async def test_a_transport_that_ends_is_left_alone(how: str) -> None:
    flow, transport = make()
    flow.pause_reading()
    if how == "closing":
        transport.close()
    else:
        flow.connection_lost()
    flow.resume_reading()
    flow.pause_reading()
    assert "resume_reading" not in transport.calls
    assert transport.calls.count("pause_reading") == 1


# -- the peer's leaving ------------------------------------------------------------------------------------------------


async def test_who_waits_for_the_peer_to_leave_is_told_each_time() -> None:
    flow, _ = make()
    exchange = asyncio.get_running_loop().create_future()
    waiting = [asyncio.create_task(flow.wait_lost(exchange)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    flow.connection_lost()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await flow.wait_lost(exchange)
    exchange.set_result(None)


async def test_who_waits_for_the_peer_to_leave_does_not_outlast_the_exchange() -> None:
    flow, _ = make()
    exchange = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(flow.wait_lost(exchange))
    await asyncio.sleep(0)
    exchange.set_result(None)
    assert await waiting is False
    flow.connection_lost()
    assert await flow.wait_lost(None)
