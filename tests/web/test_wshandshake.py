"""What a handshake comes to on the roof: an agreement, or the exception that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.connection import Connection
from aioweb.web.wshandshake import negotiate, read_compress
from tests.wsclient import DEFLATE, FIELDS, KEY


class Asked:
    """A request with this head."""

    def __init__(self, *lines: str, method: str = "GET", version: str = "1.1", stopping: bool = False) -> None:
        ground = Connection()
        fields = "".join(f"{line}\r\n" for line in ("Host: a.example", *lines))
        ground.receive_data(f"{method} / HTTP/{version}\r\n{fields}\r\n".encode())
        self.head: Any = ground.next_event()
        self.host = "a.example"
        self.writer = self
        self.stopping = stopping


def without(name: str, *more: str) -> list[str]:
    return [line for line in FIELDS if not line.startswith(name)] + list(more)


def test_a_good_handshake_is_read() -> None:
    asked, protocol, deflate = negotiate(Asked(*FIELDS), (), web.PerMessageDeflate(), None)
    assert (asked.key, protocol, deflate) == (KEY, None, None)


@pytest.mark.parametrize(
    ("lines", "options", "status"),
    [
        ((), {}, 400),
        (without("Upgrade"), {}, 400),
        (without("Connection"), {}, 400),
        (without("Connection", "Connection: notupgrade"), {}, 400),
        (without("Upgrade", "Upgrade: h2c"), {}, 400),
        (without("Sec-WebSocket-Key"), {}, 400),
        (without("Sec-WebSocket-Key", "Sec-WebSocket-Key: short"), {}, 400),
        ((*FIELDS, f"Sec-WebSocket-Key: {KEY}"), {}, 400),
        ((*FIELDS, "Content-Length: 5"), {}, 400),
        (FIELDS, {"version": "1.0"}, 400),
        (FIELDS, {"method": "POST"}, 405),
        (without("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), {}, 426),
        (FIELDS, {"stopping": True}, 503),
    ],
)
def test_each_bad_handshake_has_its_status(lines: Sequence[str], options: dict[str, Any], status: int) -> None:
    with pytest.raises(web.HTTPException) as caught:
        negotiate(Asked(*lines, **options), (), None, None)
    assert caught.value.status == status


def test_405_and_426_tell_what_would_do() -> None:
    with pytest.raises(web.HTTPMethodNotAllowed) as caught:
        negotiate(Asked(*FIELDS, method="POST"), (), None, None)
    assert caught.value.headers["Allow"] == "GET"
    with pytest.raises(web.HTTPUpgradeRequired) as upgrade:
        negotiate(Asked(*without("Sec-WebSocket-Version", "Sec-WebSocket-Version: 7")), (), None, None)
    assert upgrade.value.headers["Sec-WebSocket-Version"] == "13"
    assert upgrade.value.headers["Upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("origin", "allowed", "open_to_it"),
    [
        (None, ["self"], True),
        ("http://a.example", ["self"], True),
        ("https://a.example", ["self"], True),
        ("http://evil.example", ["self"], False),
        ("http://evil.example", None, True),
        ("https://b.example", ["self", "https://b.example"], True),
        ("http://b.example", ["https://b.example"], False),
        ("null", ["self"], False),
        ("http://a.example", [], False),
    ],
)
def test_only_pages_of_allowed_sites_may_open_it(origin: str | None, allowed: Any, open_to_it: bool) -> None:
    request = Asked(*FIELDS, *([f"Origin: {origin}"] if origin else []))
    if open_to_it:
        negotiate(request, (), None, allowed)
    else:
        with pytest.raises(web.HTTPForbidden):
            negotiate(request, (), None, allowed)


def test_the_first_subprotocol_of_the_client_that_the_server_knows_counts() -> None:
    request = Asked(*FIELDS, "Sec-WebSocket-Protocol: soap, chat", "Sec-WebSocket-Protocol: wamp")
    assert negotiate(request, ("wamp", "chat"), None, None)[1] == "chat"
    assert negotiate(request, ("mqtt",), None, None)[1] is None


def test_a_callable_chooses_the_subprotocol_or_refuses() -> None:
    request = Asked(*FIELDS, "Sec-WebSocket-Protocol: v1, v2")
    assert negotiate(request, max, None, None)[1] == "v2"
    assert negotiate(request, lambda offered: None, None, None)[1] is None

    def refuse(offered: Sequence[str]) -> str | None:
        raise web.HTTPBadRequest(text=f"none of {', '.join(offered)}")

    with pytest.raises(web.HTTPBadRequest) as caught:
        negotiate(request, refuse, None, None)
    assert caught.value.text == "none of v1, v2"
    with pytest.raises(ValueError, match="'v3' was chosen"):
        negotiate(request, lambda offered: "v3", None, None)


def test_compression_is_what_both_want() -> None:
    offered = Asked(*FIELDS, DEFLATE)
    agreed = negotiate(offered, (), web.PerMessageDeflate(server_max_window_bits=10), None)[2]
    assert agreed is not None
    assert agreed.server_max_window_bits == 10
    assert negotiate(offered, (), None, None)[2] is None
    unknown = Asked(*FIELDS, "Sec-WebSocket-Extensions: permessage-deflate; more=yes, x-other")
    assert negotiate(unknown, (), web.PerMessageDeflate(), None)[2] is None


def test_what_compress_says() -> None:
    assert read_compress(False) is read_compress(0) is None
    assert read_compress(True) == web.PerMessageDeflate()
    assert read_compress(15) == web.PerMessageDeflate(server_max_window_bits=15)
    settings = web.PerMessageDeflate(level=9, min_size=1000)
    assert read_compress(settings) is settings
    with pytest.raises(ValueError, match="8 to 15"):
        read_compress(16)
    with pytest.raises(TypeError, match="bool, bits of a window or a PerMessageDeflate"):
        read_compress("deflate")  # type: ignore[arg-type]
