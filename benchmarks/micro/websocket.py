"""What a WebSocket message costs a server: aioweb's ground next to wsproto and websockets, where installed.

Read: frames of a client, masked, one in each call of receive_data, and the small ones also 64 in one call, as they come
from a socket under load; each becomes a message of str or bytes. Written: the octets of one message. Compressed: 1 KiB
of JSON, a window of 12 bits, contexts taken over.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.timing import best_us

Call = Callable[[], object]
SMALL, MIDDLE, LARGE = "x" * 32, "naïve text of a chat, " * 46 + "end.", os.urandom(65536)
JSON = json.dumps([{"id": n, "name": f"user {n}", "online": n % 3 == 0} for n in range(22)])[:1024]
MESSAGES: dict[str, tuple[Any, int]] = {
    "32 B": (SMALL, 1),
    "32 B, 64 at once": (SMALL, 64),
    "1 KiB text": (MIDDLE, 1),
    "64 KiB binary": (LARGE, 1),
}
"""What is read: a message, and how many of it in one call."""


class Aioweb:
    """aioweb's WebSocketConnection."""

    def __init__(self, compressed: bool = False) -> None:
        self.module = importlib.import_module("aioweb.protocol.websocket")
        self.deflate = self.module.PerMessageDeflate() if compressed else None

    def frames(self, data: Any, count: int) -> bytes:
        """What a client sends: the same octets are fed to all."""
        client = self.module.WebSocketConnection(deflate=self.deflate, client=True)
        return b"".join(
            client.send_text(data) if isinstance(data, str) else client.send_binary(data) for _ in range(count)
        )

    def reader(self, octets: bytes, fresh: bool) -> Call:
        """Reads all messages in the octets; by a new connection each time if it has to be `fresh`."""
        need_data = importlib.import_module("aioweb.protocol.events").NEED_DATA
        make = lambda: self.module.WebSocketConnection(deflate=self.deflate)  # noqa: E731
        connection = make()

        def read() -> list[object]:
            server = make() if fresh else connection
            server.receive_data(octets)
            messages = []
            while (event := server.next_event()) is not need_data:
                messages.append(event.data)
            return messages

        return read

    def writer(self, data: Any) -> Call:
        """Writes one message."""
        connection = self.module.WebSocketConnection(deflate=self.deflate)
        return lambda: (connection.send_text if isinstance(data, str) else connection.send_binary)(data)


class Wsproto:
    """wsproto's Connection, in Python with its Utf8Validator."""

    def __init__(self, compressed: bool = False) -> None:
        self.module = importlib.import_module("wsproto.connection")
        self.events = importlib.import_module("wsproto.events")
        self.compressed = compressed

    def make(self) -> Any:
        """A server's end."""
        extensions = []
        if self.compressed:
            extension = importlib.import_module("wsproto.extensions").PerMessageDeflate(False, 12, False, 12)
            extension._enabled = True
            extensions.append(extension)
        return self.module.Connection(self.module.ConnectionType.SERVER, extensions)

    def reader(self, octets: bytes, fresh: bool) -> Call:
        """As above."""
        connection = self.make()

        def read() -> list[object]:
            server = self.make() if fresh else connection
            server.receive_data(octets)
            messages, parts = [], []
            for event in server.events():
                parts.append(event.data)
                if event.message_finished:
                    messages.append(parts[0] if len(parts) == 1 else type(parts[0])().join(parts))
                    parts.clear()
            return messages

        return read

    def writer(self, data: Any) -> Call:
        """As above."""
        connection = self.make()
        kind = self.events.TextMessage if isinstance(data, str) else self.events.BytesMessage
        return lambda: connection.send(kind(data))


class Websockets:
    """websockets' sans-I/O Protocol, with its masking in C."""

    def __init__(self, compressed: bool = False) -> None:
        self.module = importlib.import_module("websockets.protocol")
        self.compressed = compressed

    def make(self) -> Any:
        """A server's end."""
        server = self.module.Protocol(self.module.SERVER, max_size=4 * 1024**2)
        if self.compressed:
            extension = importlib.import_module("websockets.extensions.permessage_deflate").PerMessageDeflate
            server.extensions = [extension(False, False, 12, 12, {"memLevel": 5})]
        return server

    def reader(self, octets: bytes, fresh: bool) -> Call:
        """As above; its frames become messages where its asyncio side makes them."""
        connection = self.make()
        text = importlib.import_module("websockets.frames").Opcode.TEXT

        def read() -> list[object]:
            server = self.make() if fresh else connection
            server.receive_data(octets)
            return [
                bytes(frame.data).decode() if frame.opcode is text else frame.data for frame in server.events_received()
            ]

        return read

    def writer(self, data: Any) -> Call:
        """As above."""
        connection = self.make()

        def write() -> bytes:
            if isinstance(data, str):
                connection.send_text(data.encode())
            else:
                connection.send_binary(data)
            return b"".join(connection.data_to_send())

        return write


PEERS = {"aioweb": Aioweb, "websockets": Websockets, "wsproto": Wsproto}


def cells(name: str) -> list[str]:
    """The times of one peer, in the order of the table."""
    plain, compressing = PEERS[name](), PEERS[name](compressed=True)
    result = []
    for data, count in MESSAGES.values():
        read = plain.reader(Aioweb().frames(data, count), False)
        assert read() == [data] * count
        result.append(best_us(read) / count)
    read = compressing.reader(Aioweb(compressed=True).frames(JSON, 16), True)
    assert read() == [JSON] * 16
    result.append(best_us(read) / 16)
    result += [best_us(plain.writer(data)) for data in (SMALL, MIDDLE, LARGE)]
    result.append(best_us(compressing.writer(JSON)))
    return [f"{time:.2f}" for time in result]


def main() -> None:
    """Print the table; a peer that is not installed has a row that says so."""
    columns = [f"read {name}" for name in (*MESSAGES, "compressed 1 KiB")]
    columns += [f"write {name}" for name in ("32 B", "1 KiB", "64 KiB", "compressed 1 KiB")]
    print(f"A WebSocket message at a server, us (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| peer | " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for name in PEERS:
        try:
            row = cells(name)
        except ImportError as exc:
            row = [f"not installed: {exc}"] + [""] * (len(columns) - 1)
        print(f"| {name} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
