"""What a WebSocket connection tells and takes: its events, its states, and messages that go to many at once."""

from __future__ import annotations

from codecs import utf_8_decode
from enum import Enum

import attrs

from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import (
    COMPRESSED,
    FINAL,
    CloseCode,
    Opcode,
    WebSocketError,
    encode_frame,
    is_close_code,
)


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

    __slots__ = ("_frames", "opcode", "payload", "plain")

    def __init__(self, opcode: Opcode, payload: bytes) -> None:
        self.opcode = opcode
        """Opcode.TEXT or Opcode.BINARY."""
        self.payload = payload
        """The octets of the message."""
        self.plain = encode_frame(FINAL | opcode, payload)
        """The frame for clients that do not compress."""
        self._frames: dict[object, bytes] = {}

    def compressed(self, deflate: PerMessageDeflate) -> bytes:
        """The frame for clients with this agreement. It is compressed by itself, without what a client got before."""
        key = (deflate.server_max_window_bits, deflate.level, deflate.memory_level)
        frame = self._frames.get(key)
        if frame is None:
            payload = deflate.deflater().deflate(self.payload)
            frame = self._frames[key] = encode_frame(FINAL | COMPRESSED | self.opcode, payload)
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


def not_text(error: UnicodeDecodeError) -> WebSocketError:
    """What becomes of text that is no UTF-8 (RFC 6455 section 8.1)."""
    octet = error.object[error.start]
    return WebSocketError(CloseCode.INVALID_TEXT, f"text is not UTF-8: {error.reason} at 0x{octet:02x}")


def count_characters(octets: bytes | bytearray) -> int:
    """How many of these octets of a text are whole characters; behind them one may have begun.

    Raises WebSocketError at the first octet that no text can have here, though the rest of it has not arrived.
    """
    try:
        size = utf_8_decode(octets, "strict", False)[1]
    except UnicodeDecodeError as error:
        raise not_text(error) from None
    # Python waits for a third octet before it refuses a surrogate.
    if octets[size : size + 1] == b"\xed" and octets[size + 1 : size + 2] >= b"\xa0":
        raise WebSocketError(CloseCode.INVALID_TEXT, "text is not UTF-8: a surrogate")
    return size


def read_close(payload: bytes) -> Close:
    """What the payload of a close frame says (RFC 6455 section 5.5.1). Raises WebSocketError: 1002, or 1007."""
    if not payload:
        return Close(int(CloseCode.NO_STATUS), "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not is_close_code(code):
        what = "of one octet" if len(payload) == 1 else f"with code {code}"
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"a close frame {what} (RFC 6455 section 7.4)")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError as error:
        raise not_text(error) from None


def write_close(code: int, reason: str | bytes) -> tuple[Close, bytes]:
    """A close frame, and its payload (RFC 6455 section 5.5.1): none for the code 1005, which is never sent.

    Raises ValueError for another code that is never sent, a reason over 123 bytes or not UTF-8, or one without a code.
    """
    octets = reason.encode() if isinstance(reason, str) else bytes(reason)
    if code != CloseCode.NO_STATUS and not is_close_code(code):
        raise ValueError(f"no close frame has the code {code!r} (RFC 6455 section 7.4)")
    if len(octets) > 123 or (octets and code == CloseCode.NO_STATUS):
        raise ValueError(f"the reason of a close frame has a code and at most 123 bytes, not {code} and {octets!r}")
    close = Close(code, octets.decode())
    return close, b"" if code == CloseCode.NO_STATUS else code.to_bytes(2, "big") + octets
