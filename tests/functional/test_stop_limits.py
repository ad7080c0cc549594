"""A stop in the middle of everything that has a bound: a full house, time limits, shielded work, a deaf handler."""

from __future__ import annotations

import asyncio

import pytest

from aioweb import web
from tests.conftest import PATIENCE
from tests.functional.scripts import GET, said, until

pytestmark = pytest.mark.on_every_loop

PATHS = ("/plain", "/stream", "/swallow", "/shield")
QUEUE = 6


class Theatre:
    """An application with a handler for each way to be late."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.release = asyncio.Event()
        self.app = web.Application()
        for name in ("plain", "stream", "swallow", "shield"):
            self.app.router.add_get(f"/{name}", getattr(self, name), timeout=60)
        self.app.router.add_get("/", self.quick)

    async def quick(self, request: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def plain(self, request: web.Request) -> web.Response:
        self.begun.append("plain")
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("plain")
        return web.Response()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.begun.append("stream")
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 100)
                await asyncio.sleep(0.01)
        finally:
            self.ended.append("stream")

    async def swallow(self, request: web.Request) -> web.Response:
        self.begun.append("swallow")
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                pass
        self.ended.append("swallow")
        return web.Response()

    async def shield(self, request: web.Request) -> web.Response:
        self.begun.append("shield")
        try:
            await self.app.shield(self.work())
        finally:
            self.ended.append("shield")
        return web.Response()

    async def work(self) -> None:
        while "plain" not in self.ended:  # until the handlers are cancelled
            await asyncio.sleep(0.001)
        self.ended.append("work")


async def test_a_stop_in_the_middle_of_everything(caplog: pytest.LogCaptureFixture) -> None:
    before = asyncio.all_tasks()
    theatre = Theatre()
    runner = web.AppRunner(theatre.app, shutdown_timeout=1.0, max_connections=len(PATHS), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    writers = []
    for path in PATHS:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(GET.replace(b" / ", b" %b " % path.encode()))
        writers.append(writer)
    await until(lambda: len(theatre.begun) == len(PATHS))
    queue = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(QUEUE)]
    for _, writer in queue:
        writer.write(GET)
        writers.append(writer)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.wait_for(runner.cleanup(), PATIENCE)
    # 90 % for requests, a little for handlers that do not end, and nothing for work that has ended by then.
    assert loop.time() - started < 2.5
    for reader, _ in queue:
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"quick")
    assert sorted(theatre.ended) == ["plain", "shield", "stream", "work"]
    assert [line for line in said(caplog) if "do not end" in line] == [
        "Stopping: 1 handlers do not end when they are cancelled"
    ]
    theatre.release.set()
    await until(lambda: "swallow" in theatre.ended)
    for writer in writers:
        writer.transport.abort()
    await until(lambda: asyncio.all_tasks() == before)
