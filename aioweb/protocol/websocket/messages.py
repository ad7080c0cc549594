"""What a WebSocket connection tells and takes: its events, its states, and messages that go to many at once."""

from __future__ import annotations

from enum import Enum

import attrs

from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import COMPRESSED, FINAL, Opcode, encode_frame


class State(Enum):
    """Where a connection is (RFC 6455 sections 4.1 and 7.1)."""

    OPEN = "no end has sent a close frame"
    CLOSING = "one end has, or the peer broke the protocol and is to be told"
    CLOSED = "both have, or nothing more will come: the socket may be closed"


@attrs.define
class Message:
    """A whole message: str in `data` if it is text and is decoded, bytes otherwise."""

    opcode: Opcode
    """Opcode.TEXT or Opcode.BINARY."""
    data: str | bytes


@attrs.define
class Ping:
    """The peer asks for a pong with the same data (RFC 6455 section 5.5.2)."""

    data: bytes


@attrs.define
class Pong:
    """The peer answers a ping, or shows that it lives (RFC 6455 section 5.5.3)."""

    data: bytes


@attrs.define
class Close:
    """The peer's close frame (RFC 6455 section 5.5.1): nothing of it will follow. `code` is 1005 if it had none."""

    code: int
    reason: str


Event = Message | Ping | Pong | Close


class PreparedMessage:
    """A message that is framed, and compressed, once for all connections that it goes to.

    Made by `prepare_message`. Keeps one frame for each window that clients agreed on, eight at most for one setting.
    """

    __slots__ = ("_frames", "opcode", "payload")

    def __init__(self, opcode: Opcode, payload: bytes) -> None:
        self.opcode = opcode
        """Opcode.TEXT or Opcode.BINARY."""
        self.payload = payload
        """The octets of the message."""
        self._frames: dict[object, bytes] = {}

    def frame(self, deflate: PerMessageDeflate | None) -> bytes:
        """The frame for clients with this agreement; None: not compressed.

        The message is compressed by itself, without what a client got before.
        """
        key = deflate and (deflate.server_max_window_bits, deflate.level, deflate.memory_level)
        frame = self._frames.get(key)
        if frame is None:
            first, payload = FINAL | self.opcode, self.payload
            if deflate is not None:
                first, payload = first | COMPRESSED, deflate.deflater().deflate(payload)
            frame = self._frames[key] = encode_frame(first, payload)
        return frame


def prepare_message(data: str | bytes | bytearray | memoryview) -> PreparedMessage:
    """Prepare a message for many connections: text for a str, binary for octets. Raises TypeError for anything else."""
    if isinstance(data, str):
        return PreparedMessage(Opcode.TEXT, data.encode())
    return PreparedMessage(Opcode.BINARY, as_octets(data))


def as_octets(data: bytes | bytearray | memoryview) -> bytes:
    """The same as bytes. Raises TypeError for what is no octets."""
    if type(data) is bytes:
        return data
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected bytes, bytearray or memoryview, not {type(data).__name__}")
    return bytes(data)
