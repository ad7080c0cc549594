"""A handler that blocks the loop is named in debug mode, and runs as if nobody looked."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest
import uvloop

from aioweb import web
from aioweb.web.blocking import name_blockers

SLOW = 0.05


def block() -> None:
    """What takes too long, whatever the machine does meanwhile."""
    end = time.perf_counter() + SLOW
    while time.perf_counter() < end:
        pass


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if "has blocked the loop" in record.getMessage()]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


async def blocking(request: web.BaseRequest) -> web.Response:
    await asyncio.sleep(0)
    block()
    await asyncio.sleep(0)
    return web.Response(text="done")


async def patient(request: web.BaseRequest) -> web.Response:
    await asyncio.sleep(SLOW * 2)
    return web.Response()


class Blocks:
    async def __call__(self, request: web.BaseRequest) -> web.Response:
        return await blocking(request)


async def test_a_handler_that_blocks_is_named_with_its_route(serve, caplog) -> None:
    asyncio.get_running_loop().slow_callback_duration = SLOW
    app = web.Application(debug=True)
    app.router.add_get("/users/{id}", blocking)
    app.router.add_get("/called", Blocks())
    address = await serve(app)
    assert (await address.request("GET", "/users/7?a=b")).body == b"done"
    await address.request("GET", "/called")
    said = "\n".join(warnings(caplog))
    assert f"GET /users/7: the handler {__name__}.blocking of the route /users/{{id}} has blocked the loop for" in said
    assert f"{__name__}.Blocks of the route /called has blocked" in said


async def test_one_that_waits_is_not(serve, caplog) -> None:
    asyncio.get_running_loop().slow_callback_duration = SLOW * 20
    app = web.Application(debug=True)
    app.router.add_get("/", patient)
    await (await serve(app)).request("GET", "/")
    assert warnings(caplog) == []


async def test_without_debug_nobody_looks(serve, caplog) -> None:
    asyncio.get_running_loop().slow_callback_duration = SLOW
    app = web.Application()
    app.router.add_get("/", blocking)
    await (await serve(app)).request("GET", "/")
    assert warnings(caplog) == []


async def test_a_bare_server_names_its_handler(serve, caplog) -> None:
    asyncio.get_running_loop().slow_callback_duration = SLOW
    await (await serve(web.Server(blocking, debug=True))).request("GET", "/")
    assert f"GET /: the handler {__name__}.blocking has blocked" in warnings(caplog)[0]


def test_uvloop_names_it_as_well(caplog) -> None:
    async def main() -> None:
        asyncio.get_running_loop().slow_callback_duration = SLOW
        app = web.Application(debug=True)
        app.router.add_get("/", blocking)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"done")
        writer.close()
        await runner.cleanup()

    loop = uvloop.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert warnings(caplog)


async def test_results_exceptions_and_cancellation_pass(caplog) -> None:
    """As through `await`: what is thrown in arrives at the innermost, and what it makes of that comes out."""

    async def respond(what: Any) -> Any:
        if what == "value":
            await asyncio.sleep(0)
            return 7
        if what == "raise":
            raise LookupError(what)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if what == "survive":
                return 8
            raise

    watched = name_blockers(respond, logging.getLogger("tests"))
    assert await watched("value") == 7
    with pytest.raises(LookupError):
        await watched("raise")
    for what in ("survive", "cancel"):
        task = asyncio.ensure_future(_await(watched(what)))
        await asyncio.sleep(0)
        task.cancel()
        if what == "survive":
            assert await task == 8
        else:
            with pytest.raises(asyncio.CancelledError):
                await task


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def test_one_that_is_dropped_is_closed() -> None:
    closed = []

    async def respond(request: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    steps = _await(name_blockers(respond, logging.getLogger("tests"))(None))
    steps.send(None)
    steps.close()
    assert closed == [True]
