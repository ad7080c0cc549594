"""One connection as the driver sees it: a blocking socket, frames that a client sends, and those that a server does."""

from __future__ import annotations

import os
import socket
import zlib

from benchmarks.macro.peers import WrongAnswer

HOST = "127.0.0.1"
TIMEOUT = 5.0
WINDOW_BITS = 12
"""The client compresses with so small a window that every server allows it."""

TEXT = 1
BINARY = 2
CLOSE = 8
FINAL = 0x80
COMPRESSED = 0x40
_TAIL = b"\0\0\xff\xff"  # RFC 7692 section 7.2.1: what the end of a message leaves out
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def encode_frame(first: int, payload: bytes) -> bytes:
    """A client's frame with this first octet, masked by a random key."""
    size, key = len(payload), os.urandom(4)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    keys = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")
    return b"%c%b%b%b" % (first, length, key, masked.to_bytes(size, "big"))


def encode_messages(messages: list[str] | list[bytes], compressed: bool) -> list[bytes]:
    """The frames of these messages, each whole; compressed ones refer back to those before them."""
    compressor = zlib.compressobj(wbits=-WINDOW_BITS)
    frames = []
    for message in messages:
        payload = message.encode() if isinstance(message, str) else message
        first = FINAL | (TEXT if isinstance(message, str) else BINARY)
        if compressed:
            first |= COMPRESSED
            payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
        frames.append(encode_frame(first, payload))
    return frames


class Client:
    """An open WebSocket.

    Args:
        port: of the server.
        path: what is asked for.
        compressed: offer compression as a browser does; without it none is offered.

    Raises WrongAnswer if the server refuses, or does not compress, OSError without a server.
    """

    def __init__(self, port: int, path: str, compressed: bool) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=TIMEOUT)
        self._buffer = b""
        self._inflate = zlib.decompressobj(wbits=-15) if compressed else None
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._shake_hands(f"{HOST}:{port}", path)
        except BaseException:
            self.socket.close()
            raise

    def _shake_hands(self, host: str, path: str) -> None:
        fields = [
            f"Host: {host}",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0",
            f"Origin: http://{host}",
            "Connection: Upgrade",  # as Chrome says it; picows refuses the "keep-alive, Upgrade" of Firefox
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {_KEY}",
        ]
        if self._inflate is not None:
            fields.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        self.socket.sendall("\r\n".join([f"GET {path} HTTP/1.1", *fields, "", ""]).encode())
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._read_more()
        head, self._buffer = self._buffer[:end].decode("latin-1"), self._buffer[end + 4 :]
        status, *lines = head.split("\r\n")
        answer = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if status.split()[1] != "101" or answer.get("sec-websocket-accept") != _ACCEPT:
            raise WrongAnswer(f"refused the handshake: {status!r}")
        extensions = answer.get("sec-websocket-extensions", "")
        if ("permessage-deflate" in extensions) is (self._inflate is None):
            raise WrongAnswer(f"agreed to extensions {extensions!r}")
        for parameter in extensions.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name == "client_max_window_bits" and int(value) < WINDOW_BITS:
                raise WrongAnswer(f"wants a window of {value} bits")

    def read_message(self) -> str | bytes:
        """The next message. Raises WrongAnswer for anything else than one unmasked frame, compressed if agreed."""
        first, payload = self._read_frame()
        wanted = FINAL if self._inflate is None else FINAL | COMPRESSED
        if first & ~0x03 != wanted:
            raise WrongAnswer(f"sent a frame that begins with {first:#x}")
        if self._inflate is not None:
            payload = self._inflate.decompress(payload + _TAIL)
        return payload.decode() if first & 0x03 == TEXT else payload

    def _read_frame(self) -> tuple[int, bytes]:
        while True:
            data = self._buffer
            at, length = 2, data[1] if len(data) > 1 else 0
            if length > 125:
                at = 4 if length == 126 else 10
                length = int.from_bytes(data[2:at], "big")
            if len(data) >= at and len(data) >= at + length:
                self._buffer = data[at + length :]
                return data[0], data[at : at + length]
            self._read_more()

    def _read_more(self) -> None:
        data = self.socket.recv(2**18)
        if not data:
            raise WrongAnswer("closed the connection")
        self._buffer += data

    def close(self) -> None:
        """Close it with a handshake, as well as the server can."""
        with self.socket:
            try:
                self.socket.sendall(encode_frame(FINAL | CLOSE, (1000).to_bytes(2, "big")))
                while self.socket.recv(2**16):
                    pass
            except OSError:
                pass
