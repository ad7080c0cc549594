"""Does a server grow? `python -m benchmarks.soak [--requests 100000] [--connections 10000] [--web aioweb.web]`.

An application is served in a process of its own. After a warm-up, which fills caches and the allocator's pools, come
(a) many requests over a few keep-alive connections and (b) many connections that are opened and ended in each of the
ways that a client knows (`ENDINGS`). Resident memory, open file descriptors and asyncio tasks of the server, read from
its own /stats, are printed before and after each part. Collectable objects are collected before they are counted.

Exit status: 1 if tasks or descriptors grew, or memory by more than 8 MiB, or an answer was wrong; else 0.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import itertools
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

HOST = "127.0.0.1"
CONCURRENCY = 64
GROWTH_ALLOWED = 8 * 2**20
START_TIMEOUT = 15.0
SETTLE_TIMEOUT = 5.0
CLIENT_TIMEOUT = 10.0
_ROOT = pathlib.Path(__file__).resolve().parent.parent
_BODY = b"Hello, World!"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Stats = dict[str, int]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class WrongAnswer(Exception):
    """The server answered something else, or not at all."""


# -- the server, in its own process ------------------------------------------------------------------------------------


def serve(web: Any, sock: socket.socket) -> None:
    """Serve / and /stats with a module like aiohttp.web on a listening socket, until the process is ended."""
    asyncio.run(_serve(web, sock))


async def _serve(web: Any, sock: socket.socket) -> None:
    async def hello(request: Any) -> Any:
        return web.Response(text=_BODY.decode())

    async def stats(request: Any) -> Any:
        return web.json_response(_own_stats())

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/stats", stats)
    handler = app.make_handler(access_log=None)
    await app.startup()
    await asyncio.get_running_loop().create_server(handler, sock=sock, backlog=1024)
    await asyncio.Event().wait()


def _own_stats() -> Stats:
    gc.collect()
    pages = pathlib.Path("/proc/self/statm").read_text("ascii").split()[1]
    return {
        "rss": int(pages) * os.sysconf("SC_PAGE_SIZE"),
        "fds": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
    }


# -- the client --------------------------------------------------------------------------------------------------------


def _request(path: str = "/", *, close: bool = False) -> bytes:
    option = "close" if close else "keep-alive"
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: {option}\r\n\r\n".encode()


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer with Content-Length. Raises WrongAnswer unless it is a 200. Returns its content."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CLIENT_TIMEOUT)
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        body = await asyncio.wait_for(reader.readexactly(length), CLIENT_TIMEOUT)
    except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError, ValueError) as exc:
        raise WrongAnswer(f"no complete answer: {exc!r}") from None
    if not head.startswith(b"HTTP/1.1 200 "):
        raise WrongAnswer(head.partition(b"\r\n")[0].decode("latin-1"))
    return body


async def _exchange(stream: Stream, *, close: bool = False) -> None:
    reader, writer = stream
    writer.write(_request(close=close))
    if await _read_answer(reader) != _BODY:
        raise WrongAnswer("the content of / is wrong")


async def _close(stream: Stream) -> None:
    stream[1].close()
    try:
        await stream[1].wait_closed()
    except ConnectionError:
        pass


async def client_closes(stream: Stream) -> None:
    """One exchange; the client closes the persistent connection."""
    await _exchange(stream)
    await _close(stream)


async def server_closes(stream: Stream) -> None:
    """One exchange with `Connection: close`; the server closes."""
    await _exchange(stream, close=True)
    if await asyncio.wait_for(stream[0].read(), CLIENT_TIMEOUT):
        raise WrongAnswer("content after the end of the answer")
    await _close(stream)


async def says_nothing(stream: Stream) -> None:
    """The client closes without a word."""
    await _close(stream)


async def resets_in_head(stream: Stream) -> None:
    """Half a request head, then a TCP reset."""
    writer = stream[1]
    writer.write(_request()[:30])
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    await _close(stream)


ENDINGS = (client_closes, server_closes, says_nothing, resets_in_head)


async def keep_alive_requests(port: int, number: int) -> None:
    """`number` requests over CONCURRENCY persistent connections, one after another on each."""
    pending = iter(range(number))

    async def work() -> None:
        stream = await asyncio.open_connection(HOST, port)
        for _ in pending:
            await _exchange(stream)
        await _close(stream)

    await _crowd(work)


async def connections(port: int, number: int) -> None:
    """`number` connections, CONCURRENCY at a time, ended in turn in every way of ENDINGS."""
    pending: Iterator[Callable[[Stream], Awaitable[None]]] = itertools.islice(itertools.cycle(ENDINGS), number)

    async def work() -> None:
        for end in pending:
            await end(await asyncio.open_connection(HOST, port))

    await _crowd(work)


async def _crowd(work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def read_stats(port: int, *, settled_at: Stats | None = None) -> Stats:
    """What the server says of itself on a new connection.

    Args:
        settled_at: wait up to SETTLE_TIMEOUT until tasks and descriptors are down to these again: the server learns of
            a closed connection a moment after the client.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        stream = await asyncio.open_connection(HOST, port)
        stream[1].write(_request("/stats", close=True))
        stats: Stats = json.loads(await _read_answer(stream[0]))
        await _close(stream)
        if settled_at is None or not _grown(settled_at, stats) or time.monotonic() > deadline:
            return stats
        await asyncio.sleep(0.05)


def _grown(before: Stats, after: Stats) -> list[str]:
    """What grew beyond what is allowed, as text; empty if nothing did."""
    counted = [(name, before[name], after[name]) for name in ("tasks", "fds")]
    grown = [f"{name} grew from {then} to {now}" for name, then, now in counted if now > then]
    more = after["rss"] - before["rss"]
    return grown + ([f"memory grew by {more / 2**20:.1f} MiB"] if more > GROWTH_ALLOWED else [])


# -- the run -----------------------------------------------------------------------------------------------------------


def main() -> int:
    """Start the server, run both parts, print the figures. Returns the exit status."""
    options = _parse_arguments()
    if options.serve is not None:
        serve(importlib.import_module(options.web), socket.socket(fileno=options.serve))
        return 0
    with socket.create_server((HOST, 0), backlog=1024) as sock:
        port = sock.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.soak", "--web", options.web, "--serve", str(sock.fileno())]
        server = subprocess.Popen(command, pass_fds=[sock.fileno()], cwd=_ROOT)
    try:
        return asyncio.run(_run(server, port, options))
    except (WrongAnswer, ConnectionError) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def _run(server: subprocess.Popen[bytes], port: int, options: argparse.Namespace) -> int:
    await _wait_until_served(server, port)
    await keep_alive_requests(port, max(1000, options.requests // 20))
    await connections(port, max(200, options.connections // 20))
    before = await read_stats(port)
    before = await read_stats(port, settled_at=before)
    print(f"{'':<40} {'RSS MiB':>8} {'fds':>5} {'tasks':>6} {'objects':>8} {'seconds':>8}")
    _print_stats("before (warm)", before, 0.0)
    grown: list[str] = []
    for title, part, number in (
        (f"{options.requests:,} keep-alive requests", keep_alive_requests, options.requests),
        (f"{options.connections:,} connections", connections, options.connections),
    ):
        begun = time.monotonic()
        await part(port, number)
        seconds = time.monotonic() - begun
        after = await read_stats(port, settled_at=before)
        _print_stats(f"after {title}", after, seconds)
        grown += [f"after {title}: {what}" for what in _grown(before, after)]
    print("\n".join(grown) or "nothing grew")
    return 1 if grown else 0


async def _wait_until_served(server: subprocess.Popen[bytes], port: int) -> None:
    """The socket listens from the beginning: wait for the first answer, or the end of the process."""
    answer = asyncio.ensure_future(read_stats(port))
    deadline = time.monotonic() + START_TIMEOUT
    while not answer.done():
        if server.poll() is not None or time.monotonic() > deadline:
            answer.cancel()
            raise WrongAnswer("the server does not start")
        await asyncio.wait([answer], timeout=0.05)
    answer.result()


def _print_stats(title: str, stats: Stats, seconds: float) -> None:
    memory = stats["rss"] / 2**20
    print(f"{title:<40} {memory:>8.1f} {stats['fds']:>5} {stats['tasks']:>6} {stats['objects']:>8} {seconds:>8.1f}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Does a server grow?")
    parser.add_argument("--requests", type=int, default=100_000, help="keep-alive requests (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=10_000, help="connections (default: %(default)s)")
    parser.add_argument("--web", default="aioweb.web", help="module that serves (default: %(default)s; aiohttp.web)")
    parser.add_argument(
        "--serve", type=int, help=argparse.SUPPRESS
    )  # the listening descriptor, in the server's process
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
