"""The frame budget of DESIGN.md: what the third keep-alive GET on a connection costs, counted and never timed.

A frame is a function of aioweb that is entered, or a coroutine of it that is resumed; code that attrs has generated for
aioweb counts. A crossing is a frame whose file is not that of the frame entered before it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import Any

from aioweb import web

FRAMES = 40
CROSSINGS = 20
REQUEST = (
    b"GET /hello/world?x=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: theme=dark\r\n\r\n"
)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


@contextmanager
def counting() -> Iterator[list[tuple[str, str]]]:
    """Collect (file, function) of every frame of aioweb that is entered in the block."""
    entered: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and ("/aioweb/" in file or "methods aioweb." in file):
            entered.append((file, frame.f_code.co_name))

    sys.setprofile(note)
    try:
        yield entered
    finally:
        sys.setprofile(None)


def crossings_of(entered: list[tuple[str, str]]) -> int:
    return sum(before[0] != after[0] for before, after in pairwise(entered))


async def spend() -> tuple[list[tuple[str, str]], Wire, int]:
    """The third GET through a pass-through middleware: frames entered, the wire, tasks made."""

    @web.middleware
    async def pass_through(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        return await handler(request)

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"Hello, {request.match_info['name']}")

    app = web.Application(middlewares=[pass_through])
    app.router.add_get("/hello/{name}", hello)
    await app.startup()
    server = app.make_handler(access_log=None)
    connection, wire = server(), Wire()
    connection.connection_made(wire)
    loop = asyncio.get_running_loop()
    for _ in range(2):
        connection.data_received(REQUEST)
        await asyncio.sleep(0)
    wire.written.clear()
    tasks_before = asyncio.all_tasks(loop)
    with counting() as entered:
        connection.data_received(REQUEST)
        made = asyncio.all_tasks(loop) - tasks_before
        await asyncio.sleep(0)
    connection.connection_lost(None)
    await server.shutdown(1)
    await app.cleanup()
    return entered, wire, len(made)


async def test_a_get_keeps_within_the_budget() -> None:
    entered, wire, tasks = await spend()
    assert len(wire.written) == 1
    assert wire.written[0].endswith(b"\r\n\r\nHello, world")
    assert tasks == 1
    listing = "\n".join(f"{file.rpartition('/aioweb/')[2]}: {name}" for file, name in entered)
    assert len(entered) <= FRAMES, listing
    assert crossings_of(entered) <= CROSSINGS, listing


async def test_an_idle_connection_has_no_task() -> None:
    app = web.Application()
    await app.startup()
    server = app.make_handler()
    before = asyncio.all_tasks()
    connection = server()
    connection.connection_made(Wire())
    assert asyncio.all_tasks() == before
    connection.connection_lost(None)
    await server.shutdown(1)
    await app.cleanup()


def test_the_counter_counts() -> None:
    with counting() as entered:
        web.Response(text="a")
    assert entered[0][1] == "__init__"
    assert crossings_of([("a", ""), ("a", ""), ("b", ""), ("a", "")]) == 2
