"""The limit: a protocol that looks for the end of the message and writes canned bytes.

With the loop's transports no HTTP server can be much cheaper.

It reads what it needs by `find` and checks nothing. The file goes by the kernel's sendfile, past the transport.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable

from content import CHUNK, CHUNKS, FILE, FILE_SIZE, TEXT
from launch import BACKLOG, HOST, serve_forever

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"%b\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    b"Server: bare\r\n"
    b"\r\n"
)


def answer(body: bytes) -> bytes:
    """A response with this body."""
    return HEAD % (b"Content-Length: %d" % len(body)) + body


HELLO = answer(TEXT.encode())
BYE = HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
ITEM = answer(b"4711 2 newest")
ROUTE = answer(b"4711")
FILE_HEAD = HEAD % (b"Content-Length: %d" % FILE_SIZE)
STREAM = HEAD % b"Transfer-Encoding: chunked" + (b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)) * CHUNKS + b"0\r\n\r\n"


def file_in_form(body: bytes) -> bytes:
    """The size of the file in a form, which is the last part."""
    start = body.find(b"\r\n\r\n", body.find(b"; filename=")) + 4
    delimiter = b"\r\n" + body[: body.find(b"\r\n")]
    return answer(b"%d" % (body.find(delimiter, start) - start))


COLLECTED: dict[bytes, Callable[[bytes], bytes]] = {b"POST /json": answer, b"POST /form": file_in_form}
"""How a request is answered that needs its whole body, by its first ten octets."""


class Bare(asyncio.Protocol):
    """One connection; the state is what has arrived of the next message, how much of an upload is left, and a file."""

    def __init__(self) -> None:
        self.buffer = b""
        self.left = self.size = 0
        self.file: SendingFile | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.left:
            self.left -= len(data)
            if not self.left:
                self.transport.write(answer(b"%d" % self.size))
            return
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n") + 4) > 3:
            if self.buffer.startswith((b"GET / ", b"GET /?")):
                if self.buffer.find(b"Connection: close", 0, end) > 0:
                    self.transport.write(BYE)
                    self.transport.close()
                else:
                    self.transport.write(HELLO)
            elif self.buffer.startswith(b"GET /items/"):
                self.transport.write(ITEM)
            elif self.buffer.startswith(b"GET /r"):
                self.transport.write(ROUTE)
            elif self.buffer.startswith(b"GET /layers"):
                self.transport.write(HELLO)
            elif self.buffer.startswith(b"GET /stream"):
                self.transport.write(STREAM)
            elif self.buffer.startswith(b"GET /file"):
                self.send_file()
            elif not (end := self.take(end)):
                return
            self.buffer = self.buffer[end:]

    def take(self, end: int) -> int:
        """Answer a POST whose head ends there. Returns: where the message ends, 0 if the rest has to come."""
        at = self.buffer.find(b"Content-Length: ", 0, end) + 16
        size = int(self.buffer[at : self.buffer.find(b"\r", at)])
        if self.buffer.startswith(b"POST /upload"):
            self.size, self.left = size, end + size - len(self.buffer)
            return len(self.buffer)
        if len(self.buffer) < end + size:
            return 0
        self.transport.write(COLLECTED[self.buffer[:10]](self.buffer[end : end + size]))
        return end + size

    def send_file(self) -> None:
        if self.file is None:
            self.file = SendingFile(self.transport.get_extra_info("socket").fileno())
        self.file.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.file is not None:
            self.file.close()


class SendingFile:
    """FILE on its way into a socket, of which it has a descriptor of its own: a loop gives a transport's to nobody."""

    def __init__(self, socket: int) -> None:
        self.socket = os.dup(socket)
        self.file = -1
        self.loop = asyncio.get_running_loop()

    def begin(self) -> None:
        os.write(self.socket, FILE_HEAD)
        self.file, self.sent = os.open(FILE, os.O_RDONLY), 0
        self.go_on()

    def go_on(self) -> None:
        try:
            while self.sent < FILE_SIZE:
                self.sent += os.sendfile(self.socket, self.file, self.sent, FILE_SIZE - self.sent)
        except BlockingIOError:
            self.loop.add_writer(self.socket, self.go_on)
        except OSError:
            self.end()  # the client is gone; the transport will say so
        else:
            self.end()

    def end(self) -> None:
        if self.file >= 0:
            self.loop.remove_writer(self.socket)
            os.close(self.file)
            self.file = -1

    def close(self) -> None:
        self.end()
        os.close(self.socket)


async def start(port: int, tls: ssl.SSLContext | None) -> object:
    bytes(2**22)  # as aioweb does it (server/heap.py): reads of asyncio are not mapped and unmapped from then on
    return await asyncio.get_running_loop().create_server(Bare, HOST, port, ssl=tls, backlog=BACKLOG)


if __name__ == "__main__":
    serve_forever(start)
