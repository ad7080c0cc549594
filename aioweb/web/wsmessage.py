"""What a handler gets from a WebSocket: a message, its type, and what may be read out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from aioweb.protocol.websocket import CloseCode

WSCloseCode = CloseCode
"""The codes of close frames (RFC 6455 section 7.4.1)."""


class WSMsgType(IntEnum):
    """The type of a message: an opcode of RFC 6455 section 5.2, or an event of this side."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    """The peer's close frame: `data` is its code, `extra` its reason."""
    PING = 9
    PONG = 10
    CLOSED = 20
    """It is over; nothing will follow."""
    ERROR = 21
    """The peer broke the protocol: `data` is the exception."""
    CLOSING = 22
    """This side has begun to close; nothing will follow."""

    continuation = CONTINUATION
    text = TEXT
    binary = BINARY
    close = CLOSE
    ping = PING
    pong = PONG
    closed = CLOSED
    error = ERROR
    closing = CLOSING


class WSMessage(NamedTuple):
    """One message of a WebSocket."""

    type: WSMsgType
    """What it is."""
    data: Any
    """str for TEXT (bytes, if the text is not decoded), bytes for BINARY, PING and PONG; else see `WSMsgType`."""
    extra: str | None = None
    """The reason of a CLOSE."""

    @property
    def tp(self) -> WSMsgType:
        """`type`, as aiohttp 0.17 calls it."""
        return self.type

    def json(self, *, loads: Callable[[Any], Any] = json.loads) -> Any:
        """The data read as JSON by `loads`. Raises what `read_json` raises: ValueError for what is no JSON."""
        return read_json(self.data, loads)


END = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
"""The types after which nothing follows."""
CLOSED_MESSAGE = WSMessage(WSMsgType.CLOSED, None)
CLOSING_MESSAGE = WSMessage(WSMsgType.CLOSING, None)


def read_json(data: Any, loads: Callable[[Any], Any]) -> Any:
    """Data read as JSON by `loads`.

    Raises what `loads` raises: ValueError for what is no JSON; and json.JSONDecodeError, a ValueError, for what is
    nested so deeply that `loads` gives up with a RecursionError: it is the peer's doing, not a loop of ours.
    """
    try:
        return loads(data)
    except RecursionError:
        raise json.JSONDecodeError("Nested too deeply", "", 0) from None


def as_octets(message: str | bytes | bytearray | memoryview) -> bytes:
    """What a ping or pong is to carry, as bytes. Raises TypeError for what is neither text nor octets."""
    if isinstance(message, str):
        return message.encode()
    if not isinstance(message, (bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or byte-ish ({type(message)!r})")
    return bytes(message)
