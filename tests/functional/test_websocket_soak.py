"""A crowd of WebSockets with random traffic, kills and peers that fall silent: every handler ends, nothing is left.

`python -m benchmarks.soak_websockets` does the same for minutes, with the server in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
from collections import Counter
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.websocket import Message
from tests.conftest import Serve
from tests.functional.scripts import until
from tests.wsclient import DEFLATE, PING, Client, close_frame, frame, open_websocket

pytestmark = [
    pytest.mark.on_every_loop,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts file descriptors in /proc"),
]

CROWD = 600
"""Both ends of each are in this process."""


class Hall:
    """An application with an echo that counts how its WebSockets end."""

    def __init__(self) -> None:
        self.open = 0
        self.ends: Counter[str | None] = Counter()
        self.app = web.Application()
        self.app.router.add_get("/", self.echo)

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(heartbeat=0.2, ping_timeout=0.2, timeout=0.2)
        await ws.prepare(request)
        self.open += 1
        try:
            async for message in ws:
                if message.data == "raise":
                    raise web.HTTPException
                await (ws.send_str if message.type is web.WSMsgType.TEXT else ws.send_bytes)(message.data)
        finally:
            self.open -= 1
            self.ends[ws.closed_by] += 1
        return ws


async def talks(client: Client, dice: random.Random) -> None:
    for _ in range(dice.randrange(1, 8)):
        text = "x" * dice.choice([1, 30, 1000, 20_000])
        await client.text(text)
        while not isinstance(event := await client.next(), Message):
            pass  # a ping
        assert event.data == text
    await client.send(close_frame(1000))
    await client.peer.until_closed()
    await client.peer.close()


async def resets(client: Client, dice: random.Random) -> None:
    await client.send(frame(1, b"x" * dice.randrange(2000)), frame(PING, b"p"))
    client.peer.abort()


async def breaks_the_protocol(client: Client, dice: random.Random) -> None:
    await client.send(dice.randbytes(dice.randrange(2, 100)), b"\xff" * 9)
    await client.peer.until_closed()
    await client.peer.close()


async def falls_silent(client: Client, dice: random.Random) -> None:
    client.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(frame(1, b"the last one"))


async def leaves_in_a_frame(client: Client, dice: random.Random) -> None:
    await client.send(frame(2, bytes(5000))[: dice.randrange(1, 5000)])
    await client.peer.close()


FATES = (talks, talks, resets, breaks_the_protocol, falls_silent, leaves_in_a_frame)


async def test_nothing_is_left_of_a_crowd(serve: Serve) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CROWD)), hard))
    dice = random.Random(7)
    hall = Hall()
    address = await serve(hall.app, limits=web.Limits(keepalive_timeout=0.2, lingering_time=0.2))
    await (await open_websocket(address)).close()

    def held() -> tuple[int, int]:
        return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))

    await until(lambda: not address.server.connections)
    for peer in address.peers:
        await peer.close()
    before = held()
    before_objects = websocket_objects()

    async def live(number: int) -> None:
        client = await open_websocket(address, "/", *([DEFLATE] if number % 2 else []))
        await FATES[number % len(FATES)](client, random.Random(number))

    for start in range(0, CROWD, 200):
        order = list(range(start, start + 200))
        dice.shuffle(order)
        await asyncio.gather(*(live(number) for number in order))
    await until(lambda: not address.server.connections and not hall.open)
    assert sum(hall.ends.values()) == CROWD + 1
    assert hall.ends["peer"] > CROWD / 4
    assert hall.ends["timeout"] >= CROWD / 8
    assert None not in hall.ends
    assert len(hall.app.websockets) == 0
    for peer in address.peers:
        await peer.close()
    address.peers.clear()
    await asyncio.sleep(0)
    assert held() == before
    assert websocket_objects() <= before_objects


def websocket_objects() -> int:
    """Objects of the classes that a WebSocket is made of."""
    gc.collect()
    names = {"WebSocketResponse", "WebSocketSession", "WebSocketConnection", "HTTPConnection", "Outbox", "Deflater"}
    things: list[Any] = gc.get_objects()
    return sum(type(thing).__name__ in names for thing in things)
