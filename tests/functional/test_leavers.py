"""Clients that leave at an awkward moment, and what may not happen then: noise, endless writing, a stuck connection."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve


@pytest.mark.parametrize("turns", range(5))
async def test_a_client_that_leaves_at_any_turn_is_no_error(
    serve: Serve, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        try:
            await asyncio.sleep(0.05)
            return web.Response(text="late")
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", slow)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    for _ in range(turns):
        await asyncio.sleep(0)
    peer.writer.write_eof()
    await asyncio.wait_for(ended.wait(), 5)
    await peer.until_closed()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_stream_to_nobody_ends_with_its_next_write(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    how_it_ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionResetError as error:
            how_it_ended.set_result(error)
            raise

    app = web.Application()
    app.router.add_get("/", stream)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await peer.reader.readexactly(100_000)
    peer.abort()
    assert isinstance(await asyncio.wait_for(how_it_ended, 5), web.ClientDisconnectedError)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_fast_stream_lets_others_have_their_turn(serve: Serve) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not answered.is_set():
            await response.write(b"x" * 65536)
        return response

    async def ping(request: web.Request) -> web.Response:
        return web.Response(text="pong")

    answered = asyncio.Event()
    app = web.Application()
    app.router.add_get("/", stream)
    app.router.add_get("/ping", ping)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    reading = asyncio.ensure_future(peer.until_closed())
    assert (await address.request("GET", "/ping")).body == b"pong"
    answered.set()
    peer.abort()
    await reading


async def test_a_failure_on_the_way_of_a_failure_ends_the_connection(serve: Serve) -> None:
    class Full(logging.Logger):
        def error(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("the disk is full")

    async def fail(request: web.Request) -> web.Response:
        raise ValueError("bad")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # the task's end is told there, too
    app = web.Application(logger=Full("full"))
    app.router.add_get("/", fail)
    address = await serve(app)
    assert await address.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""


async def test_an_error_page_that_is_none_gives_way_to_the_default(serve: Serve) -> None:
    app = web.Application()
    address = await serve(app, error_page=lambda *_: ("text/html", "no bytes"))
    answer = await address.raw(b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<h1>400 Bad Request</h1>" in answer


async def test_a_lingering_client_delays_a_stop_by_a_second_at_most(serve: Serve) -> None:
    app = web.Application()
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"nonsense\r\n\r\n")
    assert (await peer.response()).status == 400
    started = asyncio.get_running_loop().time()
    await address.server.shutdown(30.0)
    assert asyncio.get_running_loop().time() - started < 5.0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_an_eager_task_factory_changes_nothing(serve: Serve) -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
    for _ in range(5):
        assert (await peer.response()).body == b"hello"


async def test_whoever_is_cancelled_is_reported(serve: Serve) -> None:
    told: list[str] = []
    begun = asyncio.Event()

    class Watch(web.Observer):
        def request_failed(self, request: Any, exception: BaseException) -> None:
            told.append(type(exception).__name__)

        def client_gone(self, request: Any) -> None:
            told.append("gone")

    async def wait(request: web.Request) -> web.Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("nothing ends this but a cancellation")

    app = web.Application()
    app.router.add_get("/", wait)
    address = await serve(app, observers=[Watch()], handler_cancellation=True)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await begun.wait()
    peer.abort()
    while not told:
        await asyncio.sleep(0)
    assert told == ["gone"]
