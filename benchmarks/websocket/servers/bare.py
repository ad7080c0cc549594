"""The limit: a protocol that undoes masks in C and writes what came.

With the loop's transports no server can be much cheaper.

It checks nothing, neither lengths nor UTF-8. All connections read into one buffer; what one piece of input brings
leaves in one write, unless it is large.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib

from websockets.speedups import apply_mask

from benchmarks.macro.servers.launch import HOST, serve_forever

ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n"
    b"%b\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LARGE = 2**16
"""Octets that are not worth a copy."""
BUFFER = bytearray(6 * LARGE)
VIEW = memoryview(BUFFER)
TAIL = b"\0\0\xff\xff"
GROUP: set[asyncio.Transport] = set()
"""Who gets what is broadcast."""


def deflater() -> zlib._Compress:
    return zlib.compressobj(wbits=-12, memLevel=5)


class Bare(asyncio.BufferedProtocol):
    """One connection. The state is what has arrived of the next frame, and what compression remembers."""

    def __init__(self) -> None:
        self.rest = b""
        self.shaken = self.together = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        GROUP.discard(self.transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        rest = len(self.rest)
        BUFFER[:rest] = self.rest
        return VIEW[rest:]

    def buffer_updated(self, nbytes: int) -> None:
        data, at, size = BUFFER, 0, len(self.rest) + nbytes
        if not self.shaken:
            at = self.shake_hands(bytes(data[:size]))
        answers: list[bytes] = []
        while size - at > 5:
            length, start = data[at + 1] & 0x7F, at + 6
            if length > 125:
                start = at + 8 if length == 126 else at + 14
                length = int.from_bytes(data[at + 2 : start - 4], "big")
            end = start + length
            if end > size:
                break
            payload = apply_mask(VIEW[start:end], VIEW[start - 4 : start])
            if data[at] == 0x88:
                self.transport.close()
                return
            if data[at] & 0x40:
                answers.append(self.compress(data[at], payload))
            else:
                answers.append(b"%c%c%b%b" % (data[at], data[at + 1] & 0x7F, data[at + 2 : start - 4], payload))
            at = end
        self.rest = bytes(data[at:size])
        if self.together:
            octets = b"".join(answers)
            for transport in GROUP:
                transport.write(octets)
        elif size > LARGE:
            for octets in answers:
                self.transport.write(octets)
        elif answers:
            self.transport.write(b"".join(answers))

    def compress(self, first: int, payload: bytes) -> bytes:
        """The answer to a compressed message: undone, and done again; once for all who get it."""
        message = self.inflater.decompress(payload + TAIL)
        compressor = deflater() if self.together else self.deflater
        payload = (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        return b"%c%b%b" % (first, length, payload)

    def shake_hands(self, data: bytes) -> int:
        """Answer the request, if it is whole. Returns: how much was taken."""
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            return 0
        at = data.find(b"Sec-WebSocket-Key: ") + 19
        accept = base64.b64encode(hashlib.sha1(data[at : at + 24] + GUID).digest())
        extensions = b""
        if data.find(b"permessage-deflate", 0, end) >= 0:
            extensions = DEFLATE
            self.inflater, self.deflater = zlib.decompressobj(wbits=-12), deflater()
        self.transport.write(ACCEPT % (accept, extensions))
        self.shaken = True
        if data.startswith(b"GET /broadcast"):
            self.together = True
            GROUP.add(self.transport)
        return end


async def start(port: int, tls: object) -> object:
    # glibc gives large blocks back to the kernel as soon as they are free, and gets them again page by page, until it
    # has seen a larger one go: then it keeps all up to that size. 16 page faults less for a message of 64 KiB.
    bytes(2**22)
    return await asyncio.get_running_loop().create_server(Bare, HOST, port, backlog=1000)


if __name__ == "__main__":
    serve_forever(start)
