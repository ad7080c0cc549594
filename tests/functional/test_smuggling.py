"""Hostile and unusual requests through real sockets, to an application that counts its calls (SECURITY.md section 1).

A refused request is answered with its status and a closed connection; the application never sees it, nor anything
that stands behind it. An unusual one is served, and the application sees what it says.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Peer, Serve
from tests.data.hostile import HOSTILE, Hostile
from tests.data.unusual import UNUSUAL, Unusual

BEHIND = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.1 [0-9]{3} ")
CLOSING = b"GET /closing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Counting:
    """An application of one handler for everything; it notes what it sees."""

    def __init__(self) -> None:
        self.seen: list[web.BaseRequest] = []
        self.contents: list[bytes] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request)
        self.contents.append(await request.read())
        return web.Response(text="served")


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def address(counting: Counting, serve: Serve) -> Address:
    return await serve(web.Server(counting))


async def send(peer: Peer, *pieces: bytes) -> bytes:
    """Send pieces that arrive as such, and read until the server closes."""
    first, *rest = pieces
    await peer.send(first)
    for piece in rest:
        await asyncio.sleep(0.002)
        await peer.send(piece)
    answer = await peer.until_closed()
    await peer.close()
    return answer


def test_the_tables_are_as_large_as_promised() -> None:
    assert len(HOSTILE) >= 60
    assert len(UNUSUAL) >= 40
    assert len({case.name for case in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("case", HOSTILE, ids=str)
async def test_a_hostile_request_is_refused(case: Hostile, counting: Counting, address: Address) -> None:
    for cut in (None, len(case.octets) // 2, len(case.octets) - 1):
        pieces = [case.octets + BEHIND] if cut is None else [case.octets[:cut], case.octets[cut:] + BEHIND]
        answer = await send(await address.connect(), *pieces)
        assert answer.startswith(b"HTTP/1.1 %d " % case.status), cut
        assert len(STATUS_LINE.findall(answer)) == 1
        assert b"\r\nConnection: close\r\n" in answer
        assert b"served" not in answer
    assert counting.contents == [], "nobody has seen content that was broken, nor a request behind it"
    if case.in_content:
        assert {request.path for request in counting.seen} == {"/p"}
    else:
        assert counting.seen == []


@pytest.mark.parametrize("case", [case for case in HOSTILE if not case.in_content], ids=str)
async def test_a_hostile_request_behind_another_is_refused_in_its_turn(
    case: Hostile, counting: Counting, address: Address
) -> None:
    answer = await send(await address.connect(), BEHIND + case.octets + BEHIND)
    first, _, second = answer.partition(b"served")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 %d " % case.status)
    assert len(counting.seen) == 1


@pytest.mark.parametrize("case", HOSTILE, ids=str)
async def test_a_hostile_request_behind_a_closing_one_is_never_looked_at(
    case: Hostile, counting: Counting, address: Address
) -> None:
    answer = await send(await address.connect(), CLOSING + case.octets)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"served")
    assert [request.path for request in counting.seen] == ["/closing"]


def tell(request: web.BaseRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.head.path,
        "query": request.head.query,
        "authority": request.head.authority,
        "headers": tuple(request.headers.items()),
        "keep_alive": request.keep_alive,
        "trailers": request.content.trailers,
    }


@pytest.mark.parametrize("case", UNUSUAL, ids=str)
async def test_an_unusual_request_is_served(case: Unusual, counting: Counting, address: Address) -> None:
    expected = {
        "method": case.method,
        "path": case.path,
        "query": case.query,
        "authority": case.authority,
        "headers": case.headers,
        "keep_alive": case.keep_alive,
        "trailers": case.trailers,
    }
    for cut in (None, len(case.octets) // 2, len(case.octets) - 1):
        pieces = [case.octets + CLOSING] if cut is None else [case.octets[:cut], case.octets[cut:] + CLOSING]
        answer = await send(await address.connect(), *pieces)
        assert answer.startswith(b"HTTP/1.1 200 ")
        request = counting.seen[0]
        assert tell(request) == expected
        assert counting.contents[0] == case.content
        persists = case.keep_alive and case.method != "CONNECT"
        behind = ["/closing"] if persists else []
        assert [request.path for request in counting.seen[1:]] == behind
        assert answer.count(b"HTTP/1.1 200 ") == 1 + len(behind)
        counting.seen.clear()
        counting.contents.clear()
