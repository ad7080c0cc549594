"""Soak: requests and connections by the thousand leave nothing behind. The long run stands in the issue's note.

`Growth` measures what a process holds before and after; the last tests let something leak, to show that it is seen.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest

from aioweb import web
from tests.conftest import Address, Serve
from tests.functional.scripts import GET, until

pytestmark = [
    pytest.mark.on_every_loop,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts file descriptors in /proc"),
]

REQUESTS = 3000
CONNECTIONS = 500
POST = b"POST /p?q=%d HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nContent-Length: 5\r\n\r\nhello"
MISSING = b"GET /missing/%d HTTP/1.1\r\nHost: a\r\n\r\n"


class Growth:
    """What has grown since it was made: tasks, file descriptors, objects of the garbage collector, bytes."""

    def __init__(self) -> None:
        gc.collect()
        self.tasks = len(asyncio.all_tasks())
        self.files = len(os.listdir("/proc/self/fd"))
        self.objects = self._count()
        self.bytes = tracemalloc.get_traced_memory()[0]

    @staticmethod
    def _count() -> Counter[str]:
        return Counter(type(thing).__qualname__ for thing in gc.get_objects())

    def check(self) -> None:
        """Nothing may have grown, beyond noise: far less than one object or 100 bytes for ten requests."""
        gc.collect()
        assert len(asyncio.all_tasks()) <= self.tasks
        assert len(os.listdir("/proc/self/fd")) <= self.files
        assert tracemalloc.get_traced_memory()[0] - self.bytes < 30_000
        grown = self._count() - self.objects
        assert max(grown.values(), default=0) < 100, grown.most_common(5)


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def make_app(leak: Callable[[web.Request], object] = lambda request: None) -> web.Application:
    async def handler(request: web.Request) -> web.Response:
        leak(request)
        assert request.query is not None
        assert request.cookies is not None
        return web.Response(text=await request.text(), headers={"X-A": request.path})

    async def middleware_factory(app: web.Application, handler: Callable[..., Awaitable[web.StreamResponse]]):  # type: ignore[no-untyped-def]
        async def middleware(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        return middleware

    app = web.Application(middlewares=[middleware_factory])
    app.router.add_route("*", "/", handler)
    app.router.add_post("/{name}", handler)
    return app


async def ask(address: Address, times: int) -> None:
    """So many requests of three kinds, on one connection, ten of them at a time."""
    peer = await address.connect()
    for turn in range(times // 30):
        await peer.send(b"".join(GET + POST % n + MISSING % n for n in range(10 * turn, 10 * turn + 10)))
        for _ in range(10):
            assert [(await peer.response()).status for _ in range(3)] == [200, 200, 404]
    await peer.close()
    address.peers.remove(peer)
    await until(lambda: not address.server.connections)


async def connect(address: Address, times: int) -> None:
    """So many connections: one request each, and ends of all kinds."""
    loop, tasks = asyncio.get_running_loop(), len(asyncio.all_tasks())
    endings = [GET, GET[:20], b"BAD\r\n\r\n", POST[:-2] % 1, b""]
    for n in range(times):
        client = socket.socket()
        client.connect((address.host, address.port))
        client.setblocking(False)
        octets = endings[n % len(endings)]
        if octets:
            await loop.sock_sendall(client, octets)
        if octets == GET:
            assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 200 ")
        client.close()
    await until(lambda: not address.server.connections and len(asyncio.all_tasks()) <= tasks)


async def test_requests_leave_nothing_behind(serve: Serve) -> None:
    address = await serve(make_app())
    await ask(address, 900)
    growth = Growth()
    await ask(address, REQUESTS)
    growth.check()


async def test_connections_leave_nothing_behind(serve: Serve) -> None:
    address = await serve(make_app())
    await connect(address, 200)
    growth = Growth()
    await connect(address, CONNECTIONS)
    growth.check()


async def test_a_leak_would_be_seen(serve: Serve) -> None:
    kept: list[object] = []
    for leak in (kept.append, lambda request: kept.append(bytes(100))):
        address = await serve(make_app(leak))
        await ask(address, 300)
        growth = Growth()
        await ask(address, 900)
        with pytest.raises(AssertionError):
            growth.check()
        kept.clear()


async def test_a_task_or_a_file_that_stays_would_be_seen() -> None:
    growth = Growth()
    task = asyncio.ensure_future(asyncio.sleep(60))
    with pytest.raises(AssertionError):
        growth.check()
    task.cancel()
    await asyncio.wait([task])
    growth = Growth()
    with socket.socket(), pytest.raises(AssertionError):
        growth.check()
