"""A WebSocket client of octets, for tests: frames as they are asked for, broken ones too, and what comes back.

    client = await open_websocket(address)
    await client.send(frame(TEXT, b"hello"))
    assert await client.next() == Message(Opcode.TEXT, "hello")

What the server sends is read by the ground's connection, which tests/protocol/websocket compares with wsproto.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aioweb.protocol.events import BUSY, Wait
from aioweb.protocol.websocket import Close, Message, Opcode, PerMessageDeflate, Ping, Pong, WebSocketConnection
from aioweb.protocol.websocket.frames import FINAL, MASKED
from aioweb.protocol.websocket.mask import mask
from tests.conftest import PATIENCE, Address, Answer, Peer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
FIELDS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = (int(opcode) for opcode in Opcode)


def handshake(target: str = "/", *lines: str) -> bytes:
    """The request that opens a WebSocket, with these field lines more."""
    fields = "".join(f"{line}\r\n" for line in ("Host: localhost", *FIELDS, *lines))
    return f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode()


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, bits: int = 0, masked: bool = True) -> bytes:
    """A client's frame, or something like it."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    else:
        length = b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    head = bytes([opcode | bits | (FINAL if final else 0), length[0] | (MASKED if masked else 0)]) + length[1:]
    if not masked:
        return head + payload
    key = b"\x37\xfa\x21\x3d"
    return head + key + mask(key + payload)


def close_frame(code: int = 1000, reason: str = "") -> bytes:
    """A client's close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


class Client:
    """An open WebSocket, at its client's end. Made by `open_websocket`."""

    def __init__(self, peer: Peer, answer: Answer, ground: WebSocketConnection) -> None:
        self.peer = peer
        self.answer = answer
        self.ground = ground

    async def send(self, *octets: bytes) -> None:
        """Send octets as they are."""
        await self.peer.send(b"".join(octets))

    async def text(self, data: str) -> None:
        """Send a text, compressed if that was agreed on."""
        await self.send(self.ground.send_text(data))

    async def binary(self, data: bytes) -> None:
        """Send octets, compressed if that was agreed on."""
        await self.send(self.ground.send_binary(data))

    async def next(self) -> Message | Ping | Pong | Close | None:
        """What comes next; None for the end of the connection."""
        while True:
            event = self.ground.next_event()
            if not isinstance(event, Wait):
                return event
            if event is BUSY:
                continue
            try:
                data = await asyncio.wait_for(self.peer.reader.read(65536), PATIENCE)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.ground.receive_data(data)

    async def data(self) -> Any:
        """The data of the message that comes next."""
        event = await self.next()
        assert isinstance(event, Message), event
        return event.data

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame that comes next; nothing may follow it but the end."""
        event = await self.next()
        assert isinstance(event, Close), event
        assert await self.peer.is_closed()
        return event.code, event.reason

    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Close it, and return what the server answered."""
        await self.send(close_frame(code, reason))
        return await self.closed()


async def open_websocket(address: Address, target: str = "/", *lines: str, **options: Any) -> Client:
    """Open a WebSocket; the `serve` fixture closes its connection. `options` are those of asyncio.open_connection."""
    peer = await address.connect(**options)
    await peer.send(handshake(target, *lines))
    answer = await peer.head()
    assert answer.status == 101, answer.status
    assert answer.headers["Sec-WebSocket-Accept"] == ACCEPT
    agreed = answer.headers.get("Sec-WebSocket-Extensions")
    ground = WebSocketConnection(client=True, max_msg_size=0, deflate=None if agreed is None else _read_deflate(agreed))
    return Client(peer, answer, ground)


def _read_deflate(agreed: str) -> PerMessageDeflate:
    name, *parameters = (part.strip().partition("=") for part in agreed.split(";"))
    assert name[0] == "permessage-deflate"
    given = {name: int(value) if value else True for name, _, value in parameters}
    given.setdefault("client_max_window_bits", 15)
    return PerMessageDeflate(**given)  # type: ignore[arg-type]
