"""The runner of WebSocket cases: frames written by hand, and what a server sees of them however they arrive.

`observe` delivers its octets whole, byte by byte, cut once at every position, and in random pieces, and insists that
all of these tell one story.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from aioweb.protocol.events import BUSY, NEED_DATA
from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.frames import WebSocketError
from aioweb.protocol.websocket.messages import Close, Event, State
from tests.protocol.wire import fragmentations

KEY = b"\x37\xfa\x21\x3d"
LIMIT = 1000
"""max_msg_size of the cases."""


def xor(payload: bytes, key: bytes) -> bytes:
    """Masking as RFC 6455 section 5.3 has it, octet by octet."""
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))


def frame(first: int, payload: bytes | str = b"", *, key: bytes | None = KEY, length: int | None = None) -> bytes:
    """A frame, legal or not: the first octet as it stands, no mask without a key, a length that may be a lie."""
    octets = payload.encode() if isinstance(payload, str) else payload
    length = len(octets) if length is None else length
    bit = 0x80 if key is not None else 0
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 65536:
        head = bytes((first, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + length.to_bytes(8, "big")
    return head + (octets if key is None else key + xor(octets, key))


def text(payload: str | bytes, final: bool = True) -> bytes:
    """A frame that begins a text message."""
    return frame(0x81 if final else 0x01, payload)


def binary(payload: bytes, final: bool = True) -> bytes:
    """A frame that begins a binary message."""
    return frame(0x82 if final else 0x02, payload)


def more(payload: str | bytes, final: bool = False) -> bytes:
    """A frame that continues a message."""
    return frame(0x80 if final else 0x00, payload)


def ping(payload: str | bytes = b"") -> bytes:
    """A ping."""
    return frame(0x89, payload)


def pong(payload: str | bytes = b"") -> bytes:
    """A pong."""
    return frame(0x8A, payload)


def close(code: int | None = 1000, reason: str | bytes = b"") -> bytes:
    """A close frame."""
    octets = reason.encode() if isinstance(reason, str) else reason
    return frame(0x88, b"" if code is None else code.to_bytes(2, "big") + octets)


@attrs.define
class Outcome:
    """What came of some octets: events, maybe the code that the connection fails with, and where it stands then."""

    events: list[Event] = attrs.Factory(list)
    failed: int | None = None
    reason: str = attrs.field(default="", eq=False)
    state: State = State.OPEN

    @property
    def data(self) -> list[Any]:
        """What the messages, pings and pongs hold."""
        return [event.data for event in self.events if not isinstance(event, Close)]


def take(connection: WebSocketConnection, outcome: Outcome) -> None:
    """Take events until the connection waits or fails; the first error must stay."""
    failure = None
    try:
        while (event := connection.next_event()) is not NEED_DATA:
            if event is not BUSY:
                outcome.events.append(event)
    except WebSocketError as error:
        failure = error
    if failure is not None:
        assert outcome.failed in (None, failure.close_code), "the first error stays"
        assert len(str(failure).encode()) <= 123, "the reason fits into a close frame"
        outcome.failed, outcome.reason = int(failure.close_code), str(failure)


def deliver(pieces: Iterable[bytes], **options: Any) -> Outcome:
    """Deliver octets in these pieces."""
    connection = WebSocketConnection(**{"max_msg_size": LIMIT, **options})
    outcome = Outcome()
    for piece in pieces:
        connection.receive_data(piece)
        take(connection, outcome)
        assert connection.buffered <= 14 + 125, "of a data frame only its head waits, of a control frame all of it"
    outcome.state = connection.state
    return outcome


def observe(octets: bytes, **options: Any) -> Outcome:
    """Deliver octets in every way; the one outcome that all of them have."""
    whole = deliver([octets], **options)
    for pieces in fragmentations(octets):
        assert deliver(pieces, **options) == whole, f"cut as {pieces!r}"
    return whole
