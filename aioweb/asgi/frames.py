"""WebSocket frames between an ASGI server and ours, without I/O (RFC 6455 section 5).

The server has its own frames with the client, and takes and gives whole messages. Here they become frames for aioweb's
own WebSocket, and its frames become messages: unmasked, uncompressed, and well-formed for sure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)  # the peer of a server masks its frames (section 5.3); zeros leave the content as it is


class Frame(NamedTuple):
    """A whole message, or a control frame."""

    opcode: int
    payload: bytes


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    if size < 126:
        head = bytes((_FINAL | opcode, _MASKED | size))
    elif size < 1 << 16:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, _MASKED | 127)) + size.to_bytes(8, "big")
    return head + _NO_MASK + payload


def encode_close(code: int, reason: str) -> bytes:
    """A close frame as a client sends it; without a code for 1005, which is the word for that."""
    said = reason.encode()[:123].decode(errors="ignore").encode()  # section 5.5: 125 bytes, whole characters
    return encode_frame(CLOSE, b"" if code == 1005 else code.to_bytes(2, "big") + said)


class FrameReader:
    """Reads the frames of a server. Give it octets; it gives whole messages and control frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._opcode = 0  # of the message whose fragments are being collected
        self._fragments = bytearray()

    def receive(self, octets: bytes) -> list[Frame]:
        """Take octets; returns what they complete."""
        self._buffer += octets
        frames = []
        while (size := self._whole_size()) is not None:
            start, end = size
            first, payload = self._buffer[0], bytes(self._buffer[start:end])
            del self._buffer[:end]
            frame = self._collect(bool(first & _FINAL), first & 0x0F, payload)
            if frame is not None:
                frames.append(frame)
        return frames

    def _whole_size(self) -> tuple[int, int] | None:
        """Where the payload of the first frame begins and ends; None as long as it is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big") if len(buffer) >= start else 0
        return (start, start + size) if len(buffer) >= start + size else None

    def _collect(self, final: bool, opcode: int, payload: bytes) -> Frame | None:
        if opcode >= CLOSE:
            return Frame(opcode, payload)
        if opcode:
            self._opcode = opcode
            if final:
                return Frame(opcode, payload)
        self._fragments += payload
        if not final:
            return None
        payload, self._fragments = bytes(self._fragments), bytearray()
        return Frame(self._opcode, payload)
