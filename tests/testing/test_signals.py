"""record_signals: everything is taken down by name and in its order, and what does not come is told of."""

from __future__ import annotations

import asyncio

import pytest

from aioweb import web
from aioweb.testing import Emitted, SignalRecord, TestClient, record_signals


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def fail(request: web.Request) -> web.Response:
    raise ZeroDivisionError


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


def create_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/fail", fail)
    app.router.add_get("/echo", echo)
    return app


async def test_the_life_of_an_application_and_of_a_request() -> None:
    app = create_app()
    signals = record_signals(app)
    assert repr(signals) == "<SignalRecord nothing>"
    async with TestClient(app) as client:
        await (await client.get("/")).read()
    expected = [
        "on_startup",
        "connection_opened",
        "request_started",
        "request_routed",
        "on_response_prepare",
        "response_started",
        "response_sent",
        "on_shutdown",
        "on_cleanup",
    ]
    assert [name for name in signals.names if name in expected] == expected
    assert signals["on_startup"] == signals["on_cleanup"] == [(app,)]
    [(request, response)] = signals["on_response_prepare"]
    assert (request.path, response.status) == ("/", 200)
    assert signals.emitted[0] == Emitted("on_startup", (app,))
    assert repr(signals).startswith("<SignalRecord on_startup, connection_opened, ")


async def test_failures_and_websockets_are_events_as_well() -> None:
    app = create_app()
    signals = record_signals(app)
    async with TestClient(app) as client:
        await client.get("/fail")
        request, error = await signals.wait_for("request_failed")
        assert (request.path, type(error)) == ("/fail", ZeroDivisionError)
        signals.clear()
        async with client.ws_connect("/echo") as ws:
            await ws.send_str("hi")
            assert await ws.receive_str() == "hi"
        await signals.wait_for("websocket_closed")
        assert [sent for *_, sent in signals["websocket_message"]] == [False, True]
        assert "request_failed" not in signals.names


async def test_signals_of_your_own_have_the_names_that_they_are_given() -> None:
    app = create_app()
    added = web.Signal[object](app, "note_added")
    signals = record_signals(app, added=added)
    await added.send("milk", count=2)
    assert signals["added"] == [("milk", 2)]


async def test_what_is_still_to_come_is_waited_for() -> None:
    signals = record_signals(create_app())
    take = signals.receiver("on_startup")
    waiting = asyncio.ensure_future(signals.wait_for("on_startup", 2))
    for number in range(2):
        await asyncio.sleep(0)
        assert not waiting.done()
        take(number)
    assert await waiting == (1,)
    assert await signals.wait_for("on_startup") == (0,)


async def test_what_does_not_come_is_told_of() -> None:
    signals = record_signals(create_app())
    signals.receiver("on_shutdown")()
    with pytest.raises(
        AssertionError, match=r"on_startup was emitted 0 times, not 1, within 0.01 s: <SignalRecord on_shutdown>"
    ):
        await signals.wait_for("on_startup", timeout=0.01)


async def test_a_name_that_nothing_has_is_an_error() -> None:
    signals = SignalRecord(("on_startup",))
    with pytest.raises(KeyError, match="there is no signal 'on_startpu', but on_startup"):
        signals["on_startpu"]
    with pytest.raises(KeyError, match="there is no signal"):
        await signals.wait_for("on_startpu")


async def test_it_is_too_late_when_the_application_has_started() -> None:
    app = create_app()
    app.freeze()
    with pytest.raises(RuntimeError, match="the application has started"):
        record_signals(app)
