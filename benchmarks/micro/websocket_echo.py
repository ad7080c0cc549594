"""Where the time of an echo goes: 32 B of text through the whole of aioweb, over a transport that drops octets.

A stage is timed with all that it calls, and what was timed alone is taken off:

    parse     a frame becomes a message, its mask undone (the ground)
    queue     the connection hands octets to the session, which keeps messages until the handler asks
    receive   `async for` with a message that is here: a WSMessage is made
    wake      the loop's callback, the task's step and the future between them: what is left of the whole echo
    frame     text becomes a frame (the ground)
    write     frames are gathered, a callback at the end of the turn gives them to the transport in one write
    send      `send_str` and the question for the type of the message

asyncio's loop runs turn by turn, and what an empty turn costs is taken off. Neither selecting nor system calls are in
it. One WebSocket is alone: on a busy server the loop's share is spread over all that have something to do.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from aioweb import web
from aioweb.protocol.encode import encode_fields
from aioweb.protocol.websocket import WebSocketConnection, read_handshake, response_fields
from aioweb.server.websocket import WebSocketSession
from benchmarks.timing import best_us
from benchmarks.websocket.client import encode_messages

TEXT = "x" * 32
ANSWER_SIZE = 34
STAGES = ("parse", "queue", "receive", "wake", "frame", "write", "send", "whole")
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ROUNDS = 8
Call = Callable[[], object]
Handler = Callable[[web.Request], Any]


class Sink(asyncio.Transport):
    """Counts what is written, and takes it at once."""

    written = 0

    def write(self, data: Any) -> None:
        """Count."""
        self.written += len(data)

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def can_write_eof(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """The handler has ended."""

    abort = close


class Bench:
    """A loop that runs turn by turn, and servers on it that are fed by hand, `number` frames at once."""

    def __init__(self, number: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.number = number
        self.octets = b"".join(encode_messages([TEXT] * number, False))
        self.sink = Sink()

    def turn(self) -> None:
        """What is ready runs."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def connect(self, handler: Handler) -> Any:
        """The protocol of a connection whose client has asked for a WebSocket."""
        app = web.Application()
        app.router.add_get("/", handler)
        make = app.make_handler(access_log=None)

        async def open_connection() -> Any:
            await app.startup()
            connection = make()
            connection.connection_made(self.sink)
            connection.data_received(REQUEST)
            while not self.sink.written:
                await asyncio.sleep(0)
            return connection

        self.sink.written = 0
        return self.loop.run_until_complete(open_connection())

    def close(self) -> None:
        """End the handlers, which wait for ever."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.close()

    def measure(self) -> list[float]:
        """The time of each stage, for one message."""
        calls: dict[str, Call] = {"turn": self.turn, **self.ground(), **self.session(), **self.roof(), **self.echo()}
        # In rounds, so that a disturbance of the machine meets all alike.
        rounds = [[best_us(call, repeats=6) for call in calls.values()] for _ in range(ROUNDS)]
        least = dict(zip(calls, map(min, zip(*rounds, strict=True)), strict=True))
        self.close()
        received, sent = least["roof reads"], least["roof writes"] - least["turn"]
        written = least["session writes"] - least["turn"]
        whole = least["echo"] - 2 * least["turn"]
        times = {
            "parse": least["ground reads"],
            "queue": least["session reads"] - least["ground reads"],
            "receive": received - least["session reads"],
            "wake": whole - received - sent,
            "frame": least["ground writes"],
            "write": written - least["ground writes"],
            "send": sent - written,
            "whole": whole,
        }
        return [times[name] / self.number for name in STAGES]

    def ground(self) -> dict[str, Call]:
        """Reading messages, and writing them."""
        connection, octets, numbers = WebSocketConnection(), self.octets, range(self.number)

        def read() -> None:
            connection.receive_data(octets)
            for _ in numbers:
                connection.next_event()
            connection.next_event()

        def write() -> None:
            for _ in numbers:
                connection.send_text(TEXT)

        return {"ground reads": read, "ground writes": write}

    def session(self) -> dict[str, Call]:
        """The same through a session; what is written leaves at the end of the turn."""
        sessions: list[WebSocketSession] = []

        async def handler(request: web.Request) -> None:
            writer, ground = request.writer, WebSocketConnection()
            session = WebSocketSession(
                writer, ground, timeout=10, autoclose=True, autoping=True, heartbeat=None, on_end=lambda: None
            )
            sessions.append(session)
            session.open(
                writer.switch(encode_fields(response_fields(read_handshake(writer.head), None, None)), session)
            )
            await asyncio.Event().wait()

        data_received = self.connect(handler).data_received
        octets, numbers, session = self.octets, range(self.number), sessions[0]
        receive, send, encode = session.receive_nowait, session.outbox.send, session.ground.send_text

        def read() -> None:
            data_received(octets)
            for _ in numbers:
                assert receive() is not None

        def write() -> None:
            for _ in numbers:
                send(encode, TEXT)
            self.turn()

        return {"session reads": read, "session writes": write}

    def roof(self) -> dict[str, Call]:
        """The same through WebSocketResponse."""
        sockets: list[web.WebSocketResponse] = []

        async def handler(request: web.Request) -> None:
            ws = web.WebSocketResponse(heartbeat=None)
            await ws.prepare(request)
            sockets.append(ws)
            await asyncio.Event().wait()

        data_received = self.connect(handler).data_received
        octets, numbers, ws = self.octets, range(self.number), sockets[0]
        following = ws.__anext__

        def read() -> None:
            data_received(octets)
            for _ in numbers:
                try:
                    following().send(None)
                except StopIteration:
                    pass

        def write() -> None:
            for _ in numbers:
                ws.send_str(TEXT)
            self.turn()

        return {"roof reads": read, "roof writes": write}

    def echo(self) -> dict[str, Call]:
        """All of it, by a handler that waits for messages."""

        async def handler(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(heartbeat=None)
            await ws.prepare(request)
            async for msg in ws:
                if msg.type is web.WSMsgType.TEXT:
                    await ws.send_str(msg.data)
            return ws

        data_received = self.connect(handler).data_received

        def echo() -> None:
            data_received(self.octets)
            self.turn()
            self.turn()

        before = self.sink.written
        echo()
        assert self.sink.written - before == ANSWER_SIZE * self.number, "the second turn writes"
        return {"echo": echo}


def main() -> None:
    """Print the table."""
    print(f"An echo of 32 B of text, us a message (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| frames at once | " + " | ".join(STAGES) + " |")
    print("| ---: |" + " ---: |" * len(STAGES))
    for number in (1, 4, 16):
        print(f"| {number} | " + " | ".join(f"{time:.2f}" for time in Bench(number).measure()) + " |")


if __name__ == "__main__":
    main()
