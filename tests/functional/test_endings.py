"""Starts and stops in which something goes wrong: one failure must not keep the rest from being ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve


async def test_the_first_octet_does_not_extend_the_deadline_of_the_first_head(serve: Serve) -> None:
    address = await serve(web.Application())
    peer = await address.connect()
    while not address.server.connections:
        await asyncio.sleep(0)
    connection = address.server.connections[0]
    deadline = connection.deadline
    await peer.send(b"G")
    while not connection.ground.buffer:
        await asyncio.sleep(0)
    assert connection.deadline == deadline


async def test_a_clean_up_that_fails_keeps_no_other_from_running() -> None:
    ended: list[str] = []

    def end(name: str, fails: bool = False) -> Any:
        async def receiver(app: web.Application) -> None:
            ended.append(name)
            if fails:
                raise ValueError(name)

        return receiver

    app, sub = web.Application(), web.Application()
    app.on_cleanup.append(end("first", fails=True))
    app.add_subapp("/sub", sub)
    sub.on_cleanup.append(end("sub-application", fails=True))
    app.on_cleanup.append(end("last"))
    await app.startup()
    with pytest.raises(web.CleanupError) as caught:
        await app.cleanup()
    assert ended == ["first", "sub-application", "last"]
    assert [str(error) for error in caught.value.exceptions] == ["first", "sub-application"]


async def test_a_shutdown_receiver_that_fails_leaves_no_connection_open() -> None:
    async def fail(app: web.Application) -> None:
        raise ValueError("no")

    app = web.Application()
    app.on_shutdown.append(fail)
    runner = web.AppRunner(app)
    await runner.setup()
    server = runner.server
    assert server is not None
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    while not server.connections:
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await runner.cleanup()
    assert server.connections == []
    assert await reader.read() == b""
    writer.close()


async def test_a_runner_is_set_up_once() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    with pytest.raises(RuntimeError, match="set up already"):
        await runner.setup()
    await runner.cleanup()


async def test_a_background_task_that_ignores_its_cancellation_does_not_hold_up_the_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    app = web.Application(limits=web.Limits(lingering_time=0.01))
    await app.startup()
    task = app.spawn(stubborn())
    await asyncio.wait_for(app.cleanup(), 4)
    assert "do not end when they are cancelled" in caplog.text
    release.set()
    await task


async def test_a_field_that_is_no_text_is_named(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def wrong(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Count": 5})  # type: ignore[dict-item]

    app = web.Application()
    app.router.add_get("/", wrong)
    address = await serve(app)
    assert (await address.request("GET", "/")).status == 500
    assert "field X-Count" in caplog.text


@pytest.mark.parametrize("size", [10, 100_000])
async def test_an_answer_to_content_that_nobody_reads_says_that_the_connection_closes(serve: Serve, size: int) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403, body=bytes(size))

    app = web.Application()
    app.router.add_post("/", refuse)
    peer = await (await serve(app)).connect()
    for length, told in ((100, None), (2**20, "close")):
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
        answer = await peer.response()
        assert (answer.status, len(answer.body), answer.headers.get("Connection")) == (403, size, told)
        await peer.send(bytes(100))
