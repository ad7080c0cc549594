"""Arguments of a WebSocketResponse: what is refused at once, and whose origins count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.web.wsoptions import read_origins
from tests.conftest import Address
from tests.wsclient import FIELDS


@pytest.mark.parametrize("name", ["timeout", "receive_timeout", "heartbeat", "ping_timeout"])
def test_times_are_above_0(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number of seconds above 0, not 0"):
        web.WebSocketResponse(**{name: 0})


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"protocols": "chat"}, TypeError, "protocols is a list of names, not the str 'chat'"),
        ({"allowed_origins": "self"}, TypeError, "origins are a list"),
        ({"max_msg_size": -1}, ValueError, "max_msg_size must be a number of bytes"),
        ({"compress": 7}, ValueError, "whole number from 8 to 15"),
        ({"compress": "yes"}, TypeError, "compress must be a bool"),
        ({"slow": "skip"}, ValueError, '"wait", "drop_oldest" or "close", not \'skip\''),
        ({"slow": "close"}, ValueError, "and they need it; not None and 'close'"),
        ({"max_buffered": 5}, ValueError, "not 5 and 'wait'"),
        ({"max_buffered": 0, "slow": "drop_oldest"}, ValueError, "bytes above 0, not 0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        web.WebSocketResponse(**options)


@pytest.mark.parametrize(
    "origin", ["example.org", "https://example.org/", "https://", "://a", "https://a/b", "", "all"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    for make in (read_origins, lambda origins: web.Application(websocket_origins=origins)):
        with pytest.raises(ValueError, match="an origin is"):
            make(["self", origin])  # type: ignore[operator]


def test_origins_are_a_list_or_nothing() -> None:
    assert read_origins(None) is None
    assert read_origins(["self", "https://a.example:8443", "null", "*"]) == (
        "self",
        "https://a.example:8443",
        "null",
        "*",
    )
    assert read_origins(()) == ()
    with pytest.raises(TypeError, match=r"such as \['self'\]"):
        read_origins("self")


@pytest.fixture
def ask(serve: Any) -> Callable[..., Any]:
    """`await ask(origin, outer, inner, own)`: the status of a handshake from a page of `origin`, with these lists."""

    async def status(origin: str, outer: Any = None, inner: Any = None, own: Any = None) -> int:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(allowed_origins=own)
            assert bool(ws.can_prepare(request)) is (request.headers["X-Wanted"] == "101")
            await ws.prepare(request)
            await ws.receive()
            return ws

        below, above = web.Application(websocket_origins=inner), web.Application(websocket_origins=outer)
        below.router.add_get("/", handler)
        above.add_subapp("/below", below)
        address: Address = await serve(above)
        lines = [*FIELDS, f"Origin: {origin}", f"X-Wanted: {wanted}"]
        peer = await address.connect()
        await peer.send(("GET /below/ HTTP/1.1\r\nHost: a.example\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
        return (await peer.head()).status

    wanted = 0

    async def check(answer: int, *lists: Any) -> int:
        nonlocal wanted
        wanted = answer
        return await status(*lists)

    return check


HOME, EVIL = "http://a.example", "http://evil.example"


@pytest.mark.parametrize(
    ("answer", "origin", "outer", "inner", "own"),
    [
        (101, EVIL, None, None, None),
        (101, HOME, ["self"], None, None),
        (403, EVIL, ["self"], None, None),
        (403, EVIL, [], None, None),
        (101, EVIL, ["self"], [EVIL], None),
        (403, EVIL, [EVIL], ["self"], None),
        (101, EVIL, ["self"], ["self"], [EVIL]),
        (101, EVIL, ["self"], None, ["*"]),
        (101, EVIL, ["self"], ["*"], None),
        (403, HOME, ["self"], ["*"], []),
        (403, EVIL, None, None, ["self"]),
    ],
)
async def test_the_nearest_list_of_origins_counts(
    ask: Any, answer: int, origin: str, outer: Any, inner: Any, own: Any
) -> None:
    assert await ask(answer, origin, outer, inner, own) == answer
