"""Do WebSockets leave anything behind? `python -m benchmarks.soak_websockets [--seconds 120] [--connections 1000]`.

An echo is served in a process of its own, with a heartbeat of five seconds. First the memory of an idle connection is
measured: before a message, after some compressed ones, and after heartbeats have given the compressors back. Then as
many clients as there are connections live for the given time, each in turn one of these (`FATES`): it talks and closes,
talks and resets, breaks the protocol, leaves in a frame, falls silent (as a half-open peer does), or is told to go.
At the end all are gone, and the server is asked what it holds.

Exit status: 1 if tasks, descriptors or WebSockets are left, or memory grew by more than 8 MiB in the second half of the
run; else 0.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aioweb import web
from aioweb.protocol.events import Wait
from aioweb.protocol.websocket import Close, Message, PerMessageDeflate, WebSocketConnection

HOST = "127.0.0.1"
GROWTH_ALLOWED = 8 * 2**20
HEARTBEAT = 5.0
_ROOT = pathlib.Path(__file__).resolve().parent.parent
_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
_TEXT = "some text that can be compressed, and some that is like it " * 20


# -- the server, in its own process ------------------------------------------------------------------------------------


async def serve(sock: socket.socket) -> None:
    """Serve /ws and /stats until the process is ended."""
    running = 0
    ends: Counter[str] = Counter()

    async def echo(request: web.Request) -> web.WebSocketResponse:
        nonlocal running
        ws = web.WebSocketResponse(heartbeat=HEARTBEAT, timeout=HEARTBEAT)
        await ws.prepare(request)
        running += 1
        try:
            async for message in ws:
                if message.data == "go":
                    break
                await (ws.send_str if message.type is web.WSMsgType.TEXT else ws.send_bytes)(message.data)
        finally:
            running -= 1
            ends[str(ws.closed_by)] += 1
        return ws

    async def stats(request: web.Request) -> web.Response:
        gc.collect()
        pages = await asyncio.to_thread(pathlib.Path("/proc/self/statm").read_text, "ascii")
        return web.json_response(
            {
                "rss": int(pages.split()[1]) * os.sysconf("SC_PAGE_SIZE"),
                "fds": len(os.listdir("/proc/self/fd")),
                "tasks": len(asyncio.all_tasks()),
                "objects": len(gc.get_objects()),
                "handlers": running,
                "websockets": len(request.app.websockets),
                "ends": ends,
            }
        )

    app = web.Application()
    app.router.add_get("/ws", echo)
    app.router.add_get("/stats", stats)
    await app.startup()
    await asyncio.get_running_loop().create_server(app.make_handler(access_log=None), sock=sock, backlog=1024)
    await asyncio.Event().wait()


async def read_stats(port: int) -> dict[str, Any]:
    """What the server says of itself."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])  # type: ignore[no-any-return]


# -- the clients -------------------------------------------------------------------------------------------------------


class Client:
    """One WebSocket, opened by `connect`."""

    @classmethod
    async def connect(cls, port: int) -> Client:
        """Open it."""
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(HOST, port)
        self.writer.write(_HANDSHAKE)
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        deflate = PerMessageDeflate(server_max_window_bits=12, client_max_window_bits=12)
        self.ground = WebSocketConnection(client=True, deflate=deflate, max_msg_size=0)
        return self

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ground: WebSocketConnection

    async def next(self) -> Message | Close | None:
        """The next message, or the end; pings are answered."""
        while True:
            event = self.ground.next_event()
            if isinstance(event, Message | Close):
                return event
            if isinstance(event, Wait):
                data = await self.reader.read(65536)
                if not data:
                    return None
                self.ground.receive_data(data)
            elif self.ground.sendable:
                self.writer.write(self.ground.send_pong(event.data))

    async def echo(self, text: str) -> None:
        """Send it, and wait for it."""
        self.writer.write(self.ground.send_text(text))
        event = await self.next()
        if not isinstance(event, Message):
            raise ConnectionAbortedError(f"{event}, not an echo")
        assert event.data == text

    async def end(self) -> None:
        """Read to the end, and close."""
        try:
            while await self.next() is not None:
                pass
        except ConnectionError:
            pass
        self.writer.close()


async def talks(client: Client, dice: random.Random) -> None:
    """Messages with pauses, then a closing handshake."""
    for _ in range(dice.randrange(1, 20)):
        await client.echo("x" * dice.choice([1, 30, 1000, 30_000]))
        await asyncio.sleep(dice.random() / 4)
    client.writer.write(client.ground.send_close(1000, "done"))
    await client.end()


async def resets(client: Client, dice: random.Random) -> None:
    """A message, and a reset in the middle of the next."""
    await client.echo("hello")
    client.writer.write(client.ground.send_text("x" * 10_000)[: dice.randrange(20, 40)])
    client.writer.transport.abort()


async def breaks_the_protocol(client: Client, dice: random.Random) -> None:
    """Noise."""
    client.writer.write(dice.randbytes(dice.randrange(2, 200)) + b"\xff" * 9)
    await client.end()


async def leaves_in_a_frame(client: Client, dice: random.Random) -> None:
    """Half a frame, and the end of the stream."""
    client.writer.write(client.ground.send_binary(dice.randbytes(5000))[: dice.randrange(1, 5000)])
    client.writer.close()


async def falls_silent(client: Client, dice: random.Random) -> None:
    """Neither reads nor writes any more, and does not close: the server has to find out."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3 * HEARTBEAT)
    client.writer.transport.abort()


async def is_told_to_go(client: Client, dice: random.Random) -> None:
    """The handler returns."""
    client.writer.write(client.ground.send_text("go"))
    event = await client.next()
    if isinstance(event, Close):
        client.writer.write(client.ground.send_close(event.code))
    await client.end()


FATES: tuple[Callable[[Client, random.Random], Awaitable[None]], ...] = (
    talks, talks, talks, resets, breaks_the_protocol, leaves_in_a_frame, falls_silent, is_told_to_go,
)  # fmt: skip


# -- the run -----------------------------------------------------------------------------------------------------------


async def measure_idle(port: int, number: int) -> None:
    """Print the memory of idle connections."""
    before = (await read_stats(port))["rss"]
    clients = [await Client.connect(port) for _ in range(number)]

    async def report(what: str) -> None:
        kib = ((await read_stats(port))["rss"] - before) / number / 1024
        print(f"RSS per connection, {number} of them, {what:<36} {kib:6.1f} KiB")

    await report("idle")
    for client in clients:
        for _ in range(3):
            await client.echo(_TEXT)
    await report("after 3 compressed messages each way")

    async def keep(client: Client) -> None:
        await client.next()

    keepers = [asyncio.ensure_future(keep(client)) for client in clients]
    await asyncio.sleep(2.5 * HEARTBEAT)
    await report("after two heartbeats")
    for keeper in keepers:
        keeper.cancel()
    await asyncio.wait(keepers)
    for client in clients:
        client.writer.transport.abort()


async def crowd(port: int, number: int, seconds: float) -> int:
    """Let clients live and end for so long; the number of connections that were made."""
    until, made = time.monotonic() + seconds, 0

    async def live(seed: int) -> None:
        nonlocal made
        dice = random.Random(seed)
        await asyncio.sleep(dice.random() * min(5, seconds / 2))
        while time.monotonic() < until:
            made += 1
            client = await Client.connect(port)
            try:
                await dice.choice(FATES)(client, dice)
            except ConnectionError:
                client.writer.close()  # this process was too busy to answer a heartbeat

    await asyncio.gather(*(live(seed) for seed in range(number)))
    return made


async def settle(port: int) -> dict[str, Any]:
    """Wait until the server has seen the last end, or some seconds; what it says then."""
    deadline = time.monotonic() + 15
    while True:
        stats = await read_stats(port)
        if not stats["handlers"] or time.monotonic() > deadline:
            await asyncio.sleep(1.5)
            return await read_stats(port)
        await asyncio.sleep(0.2)


def _print(title: str, stats: dict[str, Any]) -> None:
    counts = "  ".join(f"{name} {stats[name]}" for name in ("objects", "fds", "tasks", "handlers", "websockets"))
    print(f"{title:<28} {stats['rss'] / 2**20:7.1f} MiB  {counts}  {stats['ends']}", flush=True)


async def run(port: int, options: argparse.Namespace) -> int:
    """Both parts. Returns the exit status."""
    await read_stats(port)
    begin = await read_stats(port)
    _print("before", begin)
    await measure_idle(port, options.connections)
    await settle(port)
    made, rounds = 0, list[dict[str, Any]]()
    for _ in range(4):
        made += await crowd(port, options.connections, options.seconds / 4)
        rounds.append(await settle(port))
        _print(f"after {made:,} connections", rounds[-1])
    # The first rounds fill pools and caches, and find the most that is ever needed at once.
    before, after = rounds[1], rounds[3]
    left = [f"{name}: {after[name]}, not {begin[name]}" for name in ("fds", "tasks", "handlers", "websockets")
            if after[name] > begin[name]]  # fmt: skip
    if after["rss"] - before["rss"] > GROWTH_ALLOWED:
        left.append(f"memory grew by {(after['rss'] - before['rss']) / 2**20:.1f} MiB")
    print("\n".join(left) or "nothing is left, nothing grew")
    return 1 if left else 0


def main() -> int:
    """Start the server and the run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_websockets", description="What do they leave?")
    parser.add_argument("--seconds", type=float, default=120, help="of random life (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=1000, help="at a time (default: %(default)s)")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(socket.socket(fileno=options.serve)))
        return 0
    with socket.create_server((HOST, 0), backlog=1024) as sock:
        port = sock.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.soak_websockets", "--serve", str(sock.fileno())]
        server = subprocess.Popen(command, pass_fds=[sock.fileno()], cwd=_ROOT)
    try:
        return asyncio.run(run(port, options))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
