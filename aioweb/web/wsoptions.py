"""What a handler wishes of its WebSocket: the arguments of WebSocketResponse, checked, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import attrs

from aioweb.protocol.websocket import Handshake, PerMessageDeflate, WebSocketConnection
from aioweb.server.outbox import Outbox
from aioweb.server.pings import Heartbeat
from aioweb.server.slowpeers import ClosingOutbox, DroppingOutbox
from aioweb.server.websocket import WebSocketSession
from aioweb.server.writer import StreamWriter
from aioweb.web.wshandshake import Protocols, negotiate, read_compress


def read_origins(origins: Iterable[str] | None) -> tuple[str, ...] | None:
    """A list of sites whose pages may open a WebSocket; None if nothing is said.

    Raises TypeError for a str in the place of the list, ValueError for what is no origin: it would never match.
    """
    if origins is None:
        return None
    if isinstance(origins, str):
        raise TypeError(f"origins are a list, such as [{origins!r}], not a str")
    origins = tuple(origins)
    for origin in origins:
        scheme, mark, host = origin.partition("://")
        if origin not in ("self", "*", "null") and not (scheme and mark and host and "/" not in host):
            raise ValueError(f'an origin is "https://example.org", without a path, or "self" or "*", not {origin!r}')
    return origins


def _read_protocols(protocols: Iterable[str] | Callable[[Sequence[str]], str | None]) -> Protocols:
    if isinstance(protocols, str):
        raise TypeError(f"protocols is a list of names, not the str {protocols!r}")
    return protocols if callable(protocols) else tuple(protocols)


def _check_seconds(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} must be a number of seconds above 0, not {value!r}")


def _check_size(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must be a number of bytes, 0 for no limit, not {value!r}")


_OUTBOXES: dict[str, type[DroppingOutbox | ClosingOutbox]] = {"drop_oldest": DroppingOutbox, "close": ClosingOutbox}


@attrs.frozen(kw_only=True)
class WebSocketOptions:
    """The arguments of `WebSocketResponse`, which tells what they mean."""

    timeout: float = attrs.field(validator=_check_seconds)
    receive_timeout: float | None = attrs.field(validator=_check_seconds)
    autoclose: bool
    autoping: bool
    heartbeat: float | None = attrs.field(validator=_check_seconds)
    ping_timeout: float | None = attrs.field(validator=_check_seconds)
    protocols: Protocols = attrs.field(converter=_read_protocols)
    compress: PerMessageDeflate | None = attrs.field(converter=read_compress)
    max_msg_size: int = attrs.field(validator=_check_size)
    writer_limit: int
    max_buffered: int | None
    slow: str
    decode_text: bool
    allowed_origins: tuple[str, ...] | None = attrs.field(converter=read_origins)

    def __attrs_post_init__(self) -> None:
        if self.slow != "wait" and self.slow not in _OUTBOXES:
            raise ValueError(f'slow must be "wait", "drop_oldest" or "close", not {self.slow!r}')
        if (self.max_buffered is None) is (self.slow in _OUTBOXES):
            raise ValueError(
                f'max_buffered is for slow="drop_oldest" and slow="close", and they need it; not '
                f"{self.max_buffered!r} and {self.slow!r} (writer_limit is for who waits)"
            )
        if self.max_buffered is not None and self.max_buffered <= 0:
            raise ValueError(f"max_buffered must be a number of bytes above 0, not {self.max_buffered!r}")

    def negotiate(self, request: Any) -> tuple[Handshake, str | None, PerMessageDeflate | None]:
        """See `wshandshake.negotiate`; the origins are ours, else those of the application nearest to the handler."""
        origins = self.allowed_origins
        for app in reversed(request.match_info.apps):
            if origins is not None:
                break
            origins = app.websocket_origins
        return negotiate(request, self.protocols, self.compress, None if origins and "*" in origins else origins)

    def open(
        self, writer: StreamWriter, deflate: PerMessageDeflate | None, on_end: Callable[[], None]
    ) -> WebSocketSession:
        """The session that comes of an accepted handshake."""
        ground = WebSocketConnection(
            max_msg_size=self.max_msg_size,
            deflate=deflate,
            decode_text=self.decode_text,
        )
        return WebSocketSession(
            writer,
            ground,
            timeout=self.timeout,
            autoclose=self.autoclose,
            autoping=self.autoping,
            heartbeat=None if self.heartbeat is None else Heartbeat(self.heartbeat, self.ping_timeout),
            on_end=on_end,
            writer_limit=self.writer_limit,
            outbox=Outbox if self.max_buffered is None else partial(_OUTBOXES[self.slow], most=self.max_buffered),
        )
