"""The frames of RFC 6455 section 5: their heads, their masking, and what is wrong with one by itself.

Nothing here remembers anything. What a frame means among others (fragments, close handshake, compression) is decided in
connection.py; this file reads the head of one and writes whole ones.

Masking, which every octet of a client's frame goes through, is in mask.py. Writing a frame has a twin in C: half a
microsecond for a head of four octets and a copy, and another for a KiB of text that is not all ASCII, become a tenth.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.twins import TWINS_WANTED
from aioweb.protocol.websocket.mask import mask


class Opcode(IntEnum):
    """What a frame carries (RFC 6455 section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Why a WebSocket was closed (RFC 6455 section 7.4.1 and the registry of IANA)."""

    OK = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    """Never sent: the close frame had no code."""
    ABNORMAL_CLOSURE = 1006
    """Never sent: there was no close frame."""
    INVALID_TEXT = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014


class WebSocketError(ProtocolError):
    """The peer broke the WebSocket protocol, or sent more than it may.

    `close_code` is the code of the close frame that answers it; `str(error)` fits into that frame as its reason.
    """

    def __init__(self, close_code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code

    @property
    def code(self) -> CloseCode:
        """The same as `close_code`."""
        return self.close_code


FINAL: Final = 0x80
"""The bit of the first octet that ends a message."""
COMPRESSED: Final = 0x40
"""The bit of the first octet, RSV1, that permessage-deflate sets (RFC 7692 section 6)."""
MASKED: Final = 0x80
"""The bit of the second octet that says that a masking key follows."""

_LONGEST_CONTROL = 125


def is_close_code(code: int) -> bool:
    """Tell whether a close frame may carry this code (RFC 6455 section 7.4): one with a meaning, or from 3000 to 4999.

    1004 has no meaning, 1005, 1006 and 1015 are for what happens without a close frame.
    """
    return 3000 <= code <= 4999 or 1000 <= code <= 1003 or 1007 <= code <= 1014


# -- heads ---------------------------------------------------------------------------------------------------------


def read_frame_head(buffer: bytes, start: int, masked: bool) -> tuple[int, int, int] | None:
    """Read the head of the frame that begins at `buffer[start]`, without its masking key.

    Args:
        buffer: What was received.
        start: Where the frame begins.
        masked: Its sender has to mask it, being a client; a server must not (RFC 6455 section 5.1).

    Returns:
        (first octet, length of the payload, where the head ends: the key or the payload begins there), or None if the
        head is not complete.

    Raises:
        WebSocketError: 1002 for whatever is wrong with a frame by itself, as soon as the octets are there that show it.
    """
    here = len(buffer) - start
    if not here:
        return None
    first = buffer[start]
    if first & 0x30 or first & 0x0F not in _OPCODES:
        what = "reserved bits are set" if first & 0x30 else f"opcode {first & 0x0F} means nothing"
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"{what} (RFC 6455 section 5.2)")
    control = first & 0x08
    if control and first & (FINAL | COMPRESSED) != FINAL:
        what = "compressed" if first & COMPRESSED else "fragmented"
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"a control frame is {what} (RFC 6455 section 5.5)")
    if here < 2:
        return None
    second = buffer[start + 1]
    if (second >= MASKED) is not masked:
        what = "a client's frame is not masked" if masked else "a server's frame is masked"
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"{what} (RFC 6455 section 5.1)")
    length = second & 0x7F
    if length <= _LONGEST_CONTROL:
        return first, length, start + 2
    if control:
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, "a control frame is over 125 octets (RFC 6455 section 5.5)")
    size, least = (2, 126) if length == 126 else (8, 65536)
    if here < 2 + size:
        return None
    length = int.from_bytes(buffer[start + 2 : start + 2 + size], "big")
    if length < least or length >> 63:
        what = "is not the shortest form" if length < least else "is over 63 bits"
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"the length of a frame {what} (RFC 6455 section 5.2)")
    return first, length, start + 2 + size


_OPCODES = frozenset(int(opcode) for opcode in Opcode)

# The two octets of a short frame, by its first octet and its length.
_SHORT_HEADS = {
    first: [bytes((first, length)) for length in range(126)]
    for opcode in _OPCODES
    for first in (opcode, opcode | FINAL, opcode | COMPRESSED, opcode | FINAL | COMPRESSED)
}


def encode_frame_in_python(first: int, payload: bytes | str, key: bytes = b"", /) -> bytes:
    """A frame as octets.

    Args:
        first: The first octet: an opcode, with FINAL and COMPRESSED where they apply.
        payload: What it carries, not masked; text becomes UTF-8.
        key: The masking key, four octets, if a client sends it (RFC 6455 section 5.3); none if a server does.

    Raises UnicodeEncodeError for lone surrogates.
    """
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload)
    if length < 126:
        head = _SHORT_HEADS[first][length]
    elif length < 65536:
        head = b"%c\x7e%b" % (first, length.to_bytes(2, "big"))
    else:
        head = b"%c\x7f%b" % (first, length.to_bytes(8, "big"))
    if not key:
        return head + payload
    return b"%b%c%b%b%b" % (head[:1], head[1] | MASKED, head[2:], key, mask(key + payload))


encode_frame = encode_frame_in_python
"""What everybody calls: the twin if there is one, else `encode_frame_in_python`."""
if TWINS_WANTED:
    try:
        from aioweb.protocol.websocket._frames import encode_frame  # noqa: F401  (it takes the name's place)
    except ImportError:  # not built
        pass
