"""Hostile content through real sockets: each has its answer, in bounded time and memory, and is no request ever."""

from __future__ import annotations

import asyncio
import logging
import re
import tracemalloc
from collections.abc import Iterator

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from tests.conftest import Peer, Serve
from tests.data.hostile_bodies import CLOSING, ENDLESS, HOSTILE_BODIES, LIMITS, HostileBody
from tests.functional.scripts import said, until

pytestmark = pytest.mark.on_every_loop

AT_MOST = 1 << 21
"""Octets that a connection may cost at its worst: one read of the socket, content in pieces and joined, and the peer of
the test, which lives in the same process."""

STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


async def collect(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def pass_through(request: web.Request) -> web.Response:
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
    return web.Response(text=str(size))


async def ignore(request: web.Request) -> web.Response:
    return web.Response(text="ignored")


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=403)


class Application(web.Application):
    """What hostile_bodies.py describes; it notes the paths that were asked for."""

    def __init__(self) -> None:
        super().__init__(limits=LIMITS, middlewares=[self.note])
        self.seen: list[str] = []
        self.router.add_route("*", "/read", collect)
        self.router.add_route("*", "/stream", pass_through)
        self.router.add_route("*", "/ignore", ignore)
        self.router.add_route("*", "/refuse", collect, expect_handler=refuse)
        self.router.add_route("*", "/closing", ignore)
        self.router.add_route("*", "/smuggled", ignore)

    async def note(self, request: web.Request, handler: web.Handler) -> web.StreamResponse:
        self.seen.append(request.path)
        return await handler(request)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def converse(peer: Peer, case: HostileBody) -> tuple[bytes, int]:
    """Send a case until the server closes. Returns what it said, and how much of the flood it has let pass."""
    await peer.send(case.octets)
    answer = asyncio.ensure_future(peer.until_closed())
    passed = 0
    try:
        while case.flood and not answer.done() and passed < ENDLESS:
            await peer.send(case.flood)
            passed += len(case.flood)
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    return await answer, passed


@pytest.mark.parametrize("case", HOSTILE_BODIES, ids=str)
async def test_hostile_content_has_its_answer_in_bounded_time_and_memory(
    case: HostileBody, serve: Serve, traced: None, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application()
    address = await serve(app)
    peer = await address.connect()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    octets, passed = await asyncio.wait_for(converse(peer, case), 20)
    _, peak = tracemalloc.get_traced_memory()
    assert tuple(int(status) for status in STATUS.findall(octets)) == case.answers
    assert passed < ENDLESS, "the server has had enough at some time"
    assert peak - before < AT_MOST
    assert "/smuggled" not in app.seen
    await until(lambda: not address.server.connections or not address.server.connections[0].busy)
    assert said(caplog, logging.INFO) == []


# -- content that ends too early ---------------------------------------------------------------------------------------

CUT = (
    b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-Y: z\r\n\r\n",
    b"POST /read HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
)


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("octets", CUT)
async def test_content_may_end_at_any_octet(
    octets: bytes, how: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application()
    address = await serve(app)
    for end in range(octets.index(b"\r\n\r\n") + 4, len(octets)):
        peer = await address.connect()
        await peer.send(octets[:end])
        if how == "reset":
            peer.abort()
        await peer.close()
    await until(lambda: not address.server.connections)
    assert said(caplog, logging.INFO) == []


# -- content that comes too slowly -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"1"),
        (b"1;a=", b"b"),
        (b"1\r\na\r\n0\r\nX: ", b"y"),
    ],
    ids=["digits of a size", "an extension", "a trailer"],
)
async def test_what_trickles_and_is_no_content_does_not_extend_the_deadline(
    begin: bytes, drop: bytes, serve: Serve
) -> None:
    address = await serve(web.Server(collect, limits=Limits(body_timeout=0.1)))
    peer = await address.connect()
    await peer.send(b"POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + begin)
    answer = asyncio.ensure_future(peer.until_closed())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if answer.done():
            break
        await peer.send(drop)
    assert (await answer).startswith(b"HTTP/1.1 408 ")


# -- many at once ------------------------------------------------------------------------------------------------------


async def test_many_floods_leave_others_their_turn(serve: Serve) -> None:
    address = await serve(Application())
    floods = [case for case in HOSTILE_BODIES if case.flood]

    async def flood(case: HostileBody) -> None:
        await converse(await address.connect(), case)

    async def visit() -> None:
        for _ in range(20):
            assert (await address.request("POST", "/read", body=b"hello")).body == b"5"

    await asyncio.wait_for(asyncio.gather(visit(), *(flood(floods[i % len(floods)]) for i in range(40))), 30)
    assert (await address.raw(CLOSING)).startswith(b"HTTP/1.1 200 ")
