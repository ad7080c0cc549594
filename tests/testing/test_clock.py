"""advance_time: what waits for the loop's clock goes on at once, in order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import uvloop

from aioweb import web
from aioweb.testing import TestClient, advance_time
from aioweb.testing.clock import in_real_time
from tests.testing.served import create_app


async def test_who_sleeps_wakes_in_order() -> None:
    woken: list[str] = []

    async def sleep(name: str, *naps: float) -> None:
        for nap in naps:
            await asyncio.sleep(nap)
        woken.append(name)

    tasks = [asyncio.create_task(sleep(*given)) for given in (("c", 10, 10, 10.5), ("a", 5), ("b", 5, 20), ("d", 31))]
    await asyncio.sleep(0)
    await advance_time(26)
    assert woken == ["a", "b"]
    await advance_time(4)
    assert woken == ["a", "b"]
    await advance_time(10)
    assert woken == ["a", "b", "c", "d"]
    await asyncio.gather(*tasks)


async def test_it_is_as_much_as_was_said_and_costs_little() -> None:
    loop = asyncio.get_running_loop()
    before, real = loop.time(), time.monotonic()
    await advance_time(600)
    await advance_time(0.001)
    took = time.monotonic() - real
    assert took < 10
    assert 600.001 <= loop.time() - before <= 600.001 + took + 0.1


async def test_a_timeout_passes() -> None:
    waiting = asyncio.create_task(asyncio.wait_for(asyncio.Event().wait(), 600))
    await asyncio.sleep(0)
    await advance_time(601)
    with pytest.raises(asyncio.TimeoutError):
        await waiting


async def test_the_deadlines_of_a_server_pass() -> None:
    async with TestClient(create_app()) as client:
        silent = client.server.connect()
        kept = client.server.connect()
        await kept.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await kept.read(10000)
        await advance_time(15)
        assert await silent.read() == b""
        assert not kept.readable
        await advance_time(65)
        assert await kept.read() == b""


async def test_heartbeats_are_sent() -> None:
    async def events(request: web.Request) -> web.EventSourceResponse:
        async def none():
            await asyncio.Event().wait()
            yield ""

        return web.EventSourceResponse(none(), heartbeat=15)

    app = web.Application()
    app.router.add_get("/", events)
    async with TestClient(app) as client, client.get("/") as answer:
        stream = answer.events(comments=True)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await advance_time(16)
        assert await waiting == web.ServerSentEvent(comment="")


async def test_a_websocket_waits_in_real_time(aioweb_client: Any) -> None:
    client = await aioweb_client(create_app())
    ws = await client.ws_connect("/echo")
    waiting = asyncio.create_task(ws.receive())
    await advance_time(60)
    await ws.send_str("at last")
    assert (await waiting).data == "at last"


async def test_patience_ends_in_real_time() -> None:
    never = asyncio.Event()
    with pytest.raises(asyncio.TimeoutError):
        await in_real_time(never.wait(), 0.01)
    assert await in_real_time(asyncio.sleep(0, "done"), None) == "done"


async def test_who_waits_in_real_time_can_be_cancelled() -> None:
    said: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("ended")

    waiting = asyncio.create_task(in_real_time(wait(), 60))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert said == ["ended"]


async def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="not even -1 seconds"):
        await advance_time(-1)


def test_the_clock_of_uvloop_cannot_be_put_forward() -> None:
    loop = uvloop.new_event_loop()
    with pytest.raises(RuntimeError, match="use asyncio's"):
        loop.run_until_complete(advance_time(1))
    loop.close()
