"""What may happen to a WebSocket at the worst moment: floods, stops, cancellations, clients that go in between.

Each of them ends in time with the right code, leaves nothing behind, and harms nobody else; the log has no traceback
but that of a handler that failed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Close, Pong
from tests.conftest import PATIENCE, Address, Serve
from tests.functional.scripts import bound_kernel, said, until
from tests.wsclient import (
    CONTINUATION,
    DEFLATE,
    FIELDS,
    PING,
    PONG,
    TEXT,
    Client,
    close_frame,
    frame,
    handshake,
    open_websocket,
)

pytestmark = pytest.mark.on_every_loop

Play = Callable[[web.WebSocketResponse], Awaitable[object]]
QUICK = web.Limits(keepalive_timeout=0.1, lingering_time=0.2)
LARGE = "large and larger " * 20_000  # over what is compressed in a thread


class Stage:
    """An application whose WebSockets play a part; keeps them, how their handlers have ended, and what those raised."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.held: list[web.WebSocketResponse] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.ends: list[BaseException | None] = []
        self.address: Address

    async def open(self, play: Play, *lines: str, **options: Any) -> Client:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            bound_kernel(request)
            ws = web.WebSocketResponse(**{"timeout": 0.1, **options})
            self.tasks.append(request.task)
            error: BaseException | None = None
            try:
                await ws.prepare(request)
                self.held.append(ws)
                await play(ws)
            except BaseException as caught:
                error = caught
                raise
            finally:
                self.ends.append(error)
            return ws

        app = web.Application()
        app.router.add_get("/", handler)
        app.router.add_get("/quick", quick)
        self.address = await self._serve(app, limits=QUICK)
        return await open_websocket(self.address, "/", *lines)

    async def ended(self) -> BaseException | None:
        await until(lambda: self.ends)
        return self.ends[0]


async def quick(request: web.Request) -> web.Response:
    return web.Response(text="quick")


@pytest.fixture
def stage(serve: Serve) -> Stage:
    return Stage(serve)


async def listen(ws: web.WebSocketResponse) -> None:
    async for _ in ws:
        pass


async def forever(ws: web.WebSocketResponse) -> None:
    await asyncio.get_running_loop().create_future()


async def flood(ws: web.WebSocketResponse) -> None:
    while True:
        await ws.send_bytes(bytes(20_000))


# -- floods --------------------------------------------------------------------------------------------------------


FLOODS = {
    "pings": frame(PING, b"x"),
    "pongs": frame(PONG, b"x"),
    "empty messages": frame(TEXT),
    "messages of an octet": frame(TEXT, b"x"),
    "large pings": frame(PING, bytes(125)),
}


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("play", [listen, forever], ids=["read", "unread"])
async def test_a_flood_starves_nobody_and_is_bounded(stage: Stage, name: str, play: Play) -> None:
    client = await stage.open(play)
    client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    octets = FLOODS[name] * (100_000 // len(FLOODS[name]))

    async def send() -> None:
        for _ in range(100):
            await client.send(octets)

    sending = asyncio.ensure_future(send())
    for _ in range(5):
        assert (await stage.address.request("GET", "/quick")).body == b"quick"
    assert stage.held[0].buffered < 200_000
    sending.cancel()
    await asyncio.wait([sending])
    client.peer.abort()
    stage.tasks[0].cancel()
    await stage.ended()


async def test_a_message_of_fragments_without_number_is_one_message(stage: Stage) -> None:
    async def play(ws: web.WebSocketResponse) -> None:
        await ws.send_str(await ws.receive_str())

    client = await stage.open(play)
    await client.send(frame(TEXT, b"<", final=False), frame(CONTINUATION, b"", final=False) * 50_000)
    await client.send(frame(CONTINUATION, b"x", final=False) * 5_000, frame(CONTINUATION, b">"))
    assert await client.data() == "<" + "x" * 5_000 + ">"
    assert await client.close() == (1000, "")


async def test_bombs_behind_our_goodbye_cost_nothing(stage: Stage) -> None:
    async def play(ws: web.WebSocketResponse) -> None:
        await ws.close(code=1008)

    client = await stage.open(play, DEFLATE, timeout=PATIENCE)
    assert await client.next() == Close(1008, "")
    bombs = client.ground.send_binary(bytes(4_000_000)) * 100
    begun = time.process_time()
    await client.send(bombs, close_frame(1008))
    assert await client.peer.is_closed()
    assert time.process_time() - begun < 0.4, "400 MB are a second"
    assert await stage.ended() is None


# -- the server stops ----------------------------------------------------------------------------------------------


async def answers(ws: web.WebSocketResponse) -> None:
    await ws.receive()
    await ws.close(code=4000)


async def encodes(ws: web.WebSocketResponse) -> None:
    for _ in range(3):
        ws.send_str(LARGE)
    await listen(ws)


async def waits_for_a_pong(ws: web.WebSocketResponse) -> None:
    await (await ws.ping(b"?"))


async def leaves_it_open(ws: web.WebSocketResponse) -> None:
    await ws.receive()
    await forever(ws)


STATES: dict[str, tuple[Play, bytes, dict[str, Any]]] = {
    "it waits for a message": (listen, b"", {}),
    "a message is half there": (listen, frame(TEXT, b"hello", final=False) + frame(CONTINUATION, b"x" * 99)[:9], {}),
    "nobody receives": (forever, frame(TEXT, b"x" * 50_000) * 4, {}),
    "it has closed": (answers, frame(TEXT, b"go"), {"timeout": PATIENCE}),
    "the peer has closed and is not answered": (leaves_it_open, close_frame(4001), {"autoclose": False}),
    "the peer does not read": (flood, b"", {}),
    "it compresses in a thread": (encodes, b"", {}),
    "it waits for a pong": (waits_for_a_pong, b"", {}),
    "the peer has broken the protocol": (forever, frame(3), {}),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("present", [True, False], ids=["answering", "silent"])
async def test_a_stop_ends_it_whatever_it_is_doing(
    stage: Stage, state: str, present: bool, caplog: pytest.LogCaptureFixture
) -> None:
    play, octets, options = STATES[state]
    lines = (DEFLATE,) if state == "it compresses in a thread" else ()
    client = await stage.open(play, *lines, **options)
    await client.send(octets)
    await until(lambda: stage.held)
    if state == "it has closed":
        assert await client.next() == Close(4000, "")
    begun = time.monotonic()
    stopping = asyncio.ensure_future(stage.address.server.shutdown(1.0))
    if present:
        events = [event async for event in _until_close(client)]
        if state not in ("it has closed", "the peer has broken the protocol"):
            assert events[-1] == Close(1001, "the server stops")
        await client.send(close_frame(1001))
        await client.peer.until_closed()
        await client.peer.close()
    await asyncio.wait_for(stopping, PATIENCE)
    assert time.monotonic() - begun < 4, "the stop has a second"
    assert stage.held[0].closed
    assert stage.address.server.connections == []
    await stage.ended()
    assert [line for line in said(caplog, logging.ERROR) if "Error handling" in line] == []


async def _until_close(client: Client) -> Any:
    while (event := await client.next()) is not None:
        yield event
        if isinstance(event, Close):
            return


# -- cancellations -------------------------------------------------------------------------------------------------


async def closes(ws: web.WebSocketResponse) -> None:
    await ws.close(code=4000)


AWAITS: dict[str, tuple[Play, int]] = {
    "receive": (listen, 1011),
    "a send that waits for the peer": (flood, 1011),
    "a pong": (waits_for_a_pong, 1011),
    "something else": (forever, 1011),
    "close": (closes, 4000),
}


@pytest.mark.parametrize("name", AWAITS)
async def test_a_handler_may_be_cancelled_at_each_await(stage: Stage, name: str) -> None:
    play, code = AWAITS[name]
    client = await stage.open(play, timeout=PATIENCE)
    await until(lambda: stage.held)
    if name == "a send that waits for the peer":
        await until(lambda: stage.held[0].buffered > 65536)
    elif name == "close":
        assert await client.next() == Close(4000, "")
    else:
        await client.send(frame(PING, b"are you there"))
        while await client.next() != Pong(b"are you there"):
            pass
    stage.tasks[0].cancel()
    *_, last = [event async for event in _until_close(client)] if name != "close" else [Close(4000, "")]
    assert isinstance(last, Close)
    assert last.code == code
    await client.send(close_frame(code))
    await client.peer.until_closed()
    await client.peer.close()
    assert isinstance(await stage.ended(), asyncio.CancelledError)
    await until(lambda: not stage.address.server.connections)


async def test_who_gives_up_waiting_for_the_end_has_closed_all_the_same(stage: Stage) -> None:
    results: list[Any] = []

    async def play(ws: web.WebSocketResponse) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ws.close(code=4000), 0.01)
        results.append((ws.closed, ws.close_code))
        results.append(await ws.close(code=4001))
        results.append((ws.close_code, ws.closed_by))

    client = await stage.open(play, timeout=PATIENCE)
    assert await client.next() == Close(4000, "")
    await until(lambda: results)
    await client.send(close_frame(4000))
    assert await client.peer.is_closed()
    assert await stage.ended() is None
    assert results == [(True, 4000), False, (4000, "server")]


async def test_a_ping_that_nobody_waits_for_any_more_harms_nobody(stage: Stage) -> None:
    async def play(ws: web.WebSocketResponse) -> None:
        pong = await ws.ping(b"?")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pong, 0.01)
        await ws.send_str("given up")
        await listen(ws)

    client = await stage.open(play)
    await client.next()
    assert await client.data() == "given up"
    await client.send(frame(PONG, b"?"))
    assert await client.close() == (1000, "")
    assert await stage.ended() is None


# -- the handshake -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["the client goes", "the hook fails", "the handler is cancelled", "the server stops"])
async def test_a_handshake_may_fail_in_its_hooks(serve: Serve, how: str, caplog: pytest.LogCaptureFixture) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        tasks.append(request.task)
        ws = web.WebSocketResponse(timeout=0.1)
        await ws.prepare(request)
        await listen(ws)
        return ws

    async def hook(request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            begun.set()
            await go.wait()
            if how == "the hook fails":
                raise ValueError("not today")

    app = web.Application()
    app.router.add_get("/", handler)
    app.on_response_prepare.append(hook)
    address = await serve(app, limits=QUICK)
    peer = await address.connect()
    await peer.send(handshake() + frame(TEXT, b"early"))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    stopping = None
    if how == "the client goes":
        peer.abort()
        await until(lambda: not address.server.connections)
    elif how == "the handler is cancelled":
        tasks[0].cancel()
    elif how == "the server stops":
        stopping = asyncio.ensure_future(address.server.shutdown(1.0))
        await asyncio.sleep(0)
    go.set()
    if how == "the hook fails":
        assert (await peer.response()).status == 500
    elif how == "the server stops":
        assert (await peer.head()).status == 101, "it had begun before the stop"
        assert (await peer.until_closed()).startswith(b"\x88")
        await peer.close()
    await until(lambda: tasks[0].done())
    if stopping is not None:
        await stopping
    assert len(app.websockets) == 0
    errors = [line for line in said(caplog, logging.ERROR) if "Error handling" in line]
    assert len(errors) == (1 if how in ("the hook fails", "the handler is cancelled") else 0)


async def test_a_refused_handshake_leaves_the_connection_in_order(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    app.router.add_get("/quick", quick)
    address = await serve(app)
    peer = await address.connect()
    for _ in range(2):
        assert (await peer.request("GET", "/", *FIELDS, body=b"content that would be frames")).status == 400
        assert (await peer.request("GET", "/quick", *FIELDS)).body == b"quick", "no upgrade where none is made"
    await peer.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n" + handshake() + close_frame(4000))
    assert (await peer.response()).body == b"quick"
    assert (await peer.head()).status == 101
    assert await peer.until_closed() == b"\x88\x02" + (4000).to_bytes(2, "big")
