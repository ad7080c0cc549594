"""The limit: a protocol that finds the end of the head and writes canned bytes. No HTTP server can be cheaper."""

from __future__ import annotations

import asyncio

from launch import HOST, serve_forever

ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Length: 13\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    b"Server: bare\r\n"
    b"\r\n"
    b"Hello, World!"
)


class Bare(asyncio.Protocol):
    """One connection; the only state is what has arrived of the next head."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            self.buffer = self.buffer[end + 4 :]
            self.write(ANSWER)


async def start(port: int) -> object:
    return await asyncio.get_running_loop().create_server(Bare, HOST, port)


if __name__ == "__main__":
    serve_forever(start)
