"""Hostile requests through the real nginx and haproxy: whatever both make of them, they make the same of it.

The proxy seals each request that it passes on (X-Request-ID, which it sets itself). A request that the application
answers without a seal, or with that of another one, was no request to the proxy: somebody has misread something. And
whoever asks honestly at the same time, over the same connections to the application, gets the answer to their question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest

from aioweb import web
from tests.conftest import Peer
from tests.data.hostile import HOSTILE
from tests.data.hostile_bodies import HOSTILE_BODIES
from tests.data.smuggling import SMUGGLED, SMUGGLING
from tests.data.unusual import UNUSUAL
from tests.interop.proxies import NAMES, Proxy, haproxy, listening, nginx

BEHIND = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n"
ATTACKS = [
    *SMUGGLING,
    *(SMUGGLED + attack for attack in SMUGGLING[::5]),
    *(attack + BEHIND for attack in SMUGGLING[::3]),
    *(case.octets + BEHIND for case in HOSTILE if len(case.octets) < 4096),
    *(case.octets for case in HOSTILE_BODIES if not case.flood and len(case.octets) < 4096),
    *(case.octets + BEHIND for case in UNUSUAL),
]
AT_ONCE = 32
SILENCE = 0.15
"""Seconds without an octet after which an attacker has heard all that comes. Too few weaken an attack, no more."""


@attrs.frozen
class Seen:
    """A request as the application saw it."""

    target: str
    seals: tuple[str, ...]


class Witness:
    """An application that answers everything, and remembers."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(Seen(request.raw_path, tuple(request.headers.getall("X-Request-ID", ()))))
        await request.read()
        if request.headers.get("Upgrade") == "websocket":
            await web.WebSocketResponse().prepare(request)  # 426: the version is not ours, and no tunnel opens
        return web.Response(text=f"to {request.raw_path}")

    def unsealed(self) -> list[Seen]:
        """Requests that the proxy does not know."""
        known: set[str] = set()
        found = []
        for one in self.seen:
            if len(one.seals) != 1 or len(one.seals[0]) < 32 or one.seals[0] in known:
                found.append(one)
            known.update(one.seals)
        return found


async def attack(proxy: Proxy, octets: bytes) -> None:
    """Send octets, listen for a while, and vanish."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(octets)
    try:
        while await asyncio.wait_for(reader.read(65536), SILENCE):
            pass
    except (asyncio.TimeoutError, ConnectionError):
        pass
    writer.transport.abort()


async def attack_all(proxy: Proxy, attacks: Iterable[bytes]) -> None:
    rest = iter(attacks)

    async def attack_on() -> None:
        for octets in rest:
            await attack(proxy, octets)

    await asyncio.gather(*(attack_on() for _ in range(AT_ONCE)))


async def ask_on(proxy: Proxy, attacking: asyncio.Task[None]) -> int:
    """Ask honestly, as long as attackers are at work; returns how often."""
    number = 0
    try:
        while not attacking.done():
            answer = await proxy.request("GET", f"/honest/{number}")
            assert (answer.status, answer.body) == (200, f"to /honest/{number}".encode())
            number += 1
        await attacking
    finally:
        attacking.cancel()
    return number


@pytest.mark.parametrize("name", NAMES)
async def test_no_request_comes_out_that_did_not_go_in(name: str, tmp_path: Path) -> None:
    witness = Witness()
    start = nginx if name == "nginx" else haproxy
    async with AsyncExitStack() as stack:
        _, upstream = await stack.enter_async_context(listening(witness.app, str(tmp_path / "s")))
        proxy = await stack.enter_async_context(start(tmp_path, upstream))
        attacking = asyncio.create_task(attack_all(proxy, ATTACKS))
        asked = await ask_on(proxy, attacking)
    assert witness.unsealed() == []
    targets = [one.target for one in witness.seen]
    assert targets.count("/behind") > 10, "some of them are good requests, and what stands behind them is answered"
    assert sum(target.startswith("/honest/") for target in targets) >= asked > 0


async def test_a_request_that_comes_around_the_proxy_is_seen(tmp_path: Path) -> None:
    witness = Witness()
    async with listening(witness.app, str(tmp_path / "s")):
        peer = Peer(*await asyncio.open_unix_connection(tmp_path / "s"))
        await peer.request("GET", "/sealed", f"X-Request-ID: {'a' * 32}")
        await peer.request("GET", "/smuggled")
        await peer.request("GET", "/copied", f"X-Request-ID: {'a' * 32}")
        await peer.close()
    assert [one.target for one in witness.unsealed()] == ["/smuggled", "/copied"]


def test_there_are_as_many_attacks_as_promised() -> None:
    assert len(set(ATTACKS)) >= 500
    assert all(SMUGGLED in octets for octets in SMUGGLING)
