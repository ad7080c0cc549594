"""Is memory bounded? `python -m benchmarks.memory [--size 1GiB] [--only NAMES] [--loop uvloop]`.

Content of any size travels in bounded memory when the slow side holds up the fast one. Each scenario has a server
process of its own, which is warmed up with a little of the same; then `size` bytes go through it while the side that
reads makes pauses, long enough to fill what the kernel buffers. A row has the resident memory before, its peak (by the
kernel's own count, `VmHWM`) and what lies between. Linux only.

    upload      a handler that reads slowly
    stream      a client that reads a chunked response slowly
    file        the same with a file
    multipart   a form with one file, its parts read slowly
    post        the same form as a whole, `await request.post()`; the file goes to a temporary file
    events      1,000 clients that wait for server-sent events

Exit status: 1 if memory grew by 16 MiB or more, or an answer was wrong; else 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import http.client
import os
import pathlib
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from benchmarks.macro import process

HOST = "127.0.0.1"
GROWTH_ALLOWED = 16 * 2**20
WARM_UP = 64 * 2**10
STREAMS = 1000
PAUSE = 0.05
PAUSE_EVERY = 8 * 2**20
CLIENT_TIMEOUT = 60.0
_ROOT = pathlib.Path(__file__).resolve().parent.parent
_BLOCK = random.Random(1).randbytes(64 * 2**10)
_BOUNDARY = b"---------------------------9051914041544843365972754266"


class WrongAnswer(Exception):
    """The server answered something else, or not at all."""


# -- the server, in its own process ------------------------------------------------------------------------------------


async def _serve(sock: socket.socket, path: str) -> None:
    """Serve every scenario on a listening socket until the process is ended; `path` is a file that may be resized."""
    from aioweb import web

    _allow_many_files()
    app = web.Application()
    for handler in _handlers(web, path):
        app.router.add_route("*", f"/{handler.__name__}", handler)
    handler = app.make_handler(access_log=None, limits=web.Limits(client_max_size=0, form_file=0))
    await app.startup()
    await asyncio.get_running_loop().create_server(handler, sock=sock, backlog=STREAMS)
    await asyncio.Event().wait()


def _handlers(web: Any, path: str) -> list[Any]:
    """The handlers: named after their paths, each answers with a number of bytes or with as many as `?size=` says."""

    async def upload(request: Any) -> Any:
        return web.Response(text=str(await _read_slowly(request.content.readany)))

    async def stream(request: Any) -> Any:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["size"]) // len(_BLOCK)):
            await response.write(_BLOCK)
        return response

    async def file(request: Any) -> Any:
        os.truncate(path, int(request.query["size"]))
        return web.FileResponse(path)

    async def multipart(request: Any) -> Any:
        size = 0
        async for part in await request.multipart():
            size += await _read_slowly(part.read_chunk)
        return web.Response(text=str(size))

    async def post(request: Any) -> Any:
        fields = await request.post()
        return web.Response(text=str(fields["file"].file.seek(0, os.SEEK_END)))

    async def events(request: Any) -> Any:
        async with web.EventSourceResponse(request=request) as source:
            await source.send("hello")
            await asyncio.Event().wait()
        return source

    async def collected(request: Any) -> Any:
        return web.Response(text=str(len(await request.read())))

    async def whole(request: Any) -> Any:
        return web.Response(body=_BLOCK * (int(request.query["size"]) // len(_BLOCK)))

    # The last two keep everything: the tests show with them that growth is seen.
    return [upload, stream, file, multipart, post, events, collected, whole]


async def _read_slowly(read: Any) -> int:
    """Read to the end with pauses. Returns: the number of bytes."""
    size, pause_at = 0, 0
    while data := await read():
        if size >= pause_at:
            await asyncio.sleep(PAUSE)
            pause_at += PAUSE_EVERY
        size += len(data)
    return size


def _allow_many_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- the client --------------------------------------------------------------------------------------------------------


def _connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=CLIENT_TIMEOUT)


def _head(method: str, target: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]).encode()


def _begin_answer(connection: socket.socket) -> http.client.HTTPResponse:
    with contextlib.ExitStack() as stack:
        response = stack.enter_context(http.client.HTTPResponse(connection))
        try:
            response.begin()
        except (OSError, http.client.HTTPException) as exc:
            raise WrongAnswer(f"no answer: {exc!r}") from None
        if response.status != 200:
            raise WrongAnswer(f"answered {response.status} {response.read(80)!r}")
        stack.pop_all()
    return response


def send(target: str, port: int, size: int, before: bytes = b"", after: bytes = b"", kind: str = "text/plain") -> None:
    """POST `before`, `size` bytes in blocks, and `after`; the answer must be `size`."""
    length = len(before) + size + len(after)
    with _connect(port) as connection:
        try:
            connection.sendall(_head("POST", target, f"Content-Length: {length}", f"Content-Type: {kind}") + before)
            for _ in range(size // len(_BLOCK)):
                connection.sendall(_BLOCK)
            connection.sendall(after)
        except OSError:
            pass  # refused before the end; the answer says why
        with _begin_answer(connection) as response:
            said = response.read()
    if said != b"%d" % size:
        raise WrongAnswer(f"answered {said[:80]!r} to {size} bytes")


def send_form(target: str, port: int, size: int) -> None:
    """POST a multipart form with one file of `size` bytes; the answer must be that."""
    fields = b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream'
    before, after = b"--%b\r\n%b\r\n\r\n" % (_BOUNDARY, fields), b"\r\n--%b--\r\n" % _BOUNDARY
    send(target, port, size, before, after, f"multipart/form-data; boundary={_BOUNDARY.decode()}")


def receive(target: str, port: int, size: int) -> None:
    """GET `size` bytes and read them with pauses."""
    received, pause_at, buffer = 0, 0, bytearray(len(_BLOCK))
    with _connect(port) as connection:
        connection.sendall(_head("GET", f"{target}?size={size}"))
        with _begin_answer(connection) as response:
            while number := response.readinto(buffer):
                if received >= pause_at:
                    time.sleep(PAUSE)
                    pause_at += PAUSE_EVERY
                received += number
    if received != size:
        raise WrongAnswer(f"sent {received} bytes instead of {size}")


def wait_for_events(target: str, port: int, size: int) -> None:
    """Open STREAMS idle streams (a few to warm up), each with one event that has come."""
    with contextlib.ExitStack() as stack:
        for _ in range(STREAMS if size > WARM_UP else 10):
            connection = stack.enter_context(_connect(port))
            connection.sendall(_head("GET", target))
            response = stack.enter_context(_begin_answer(connection))
            if b"hello" not in response.readline():
                raise WrongAnswer("no event came")


SCENARIOS: dict[str, Callable[[str, int, int], None]] = {
    "upload": send,
    "stream": receive,
    "file": receive,
    "multipart": send_form,
    "post": send_form,
    "events": wait_for_events,
}
"""By path: what the client does with path, port and size."""


# -- the run -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Figures:
    """Resident memory of the server in bytes, before and at most, and how long it took."""

    before: int
    peak: int
    seconds: float

    @property
    def growth(self) -> int:
        """Bytes between both."""
        return self.peak - self.before


def measure(name: str, play: Callable[[str, int, int], None], size: int, *, loop: str = "asyncio") -> Figures:
    """Play a scenario against a server of its own.

    Args:
        name: the server's path.
        play: what the client does; see SCENARIOS.
        size: bytes that travel, a multiple of 64 KiB.
        loop: "asyncio" or "uvloop".

    Raises WrongAnswer.
    """
    with _serving(loop) as (pid, port):
        play(f"/{name}", port, WARM_UP)
        process.forget_peak(pid)
        before, begun = process.resident_bytes(pid), time.monotonic()
        play(f"/{name}", port, size)
        return Figures(before, process.peak_bytes(pid), time.monotonic() - begun)


@contextlib.contextmanager
def _serving(loop: str) -> Iterator[tuple[int, int]]:
    """Run the server while the context lasts. Yields: process id and port."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile())
        sock = stack.enter_context(socket.create_server((HOST, 0), backlog=STREAMS))
        port = sock.getsockname()[1]
        options = ["--loop", loop, "--serve", str(sock.fileno()), "--file", file.name]
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory", *options], pass_fds=[sock.fileno()], cwd=_ROOT
        )
        sock.close()  # a server that dies leaves no listening socket, and a client that waits learns of it
        try:
            yield server.pid, port
        finally:
            server.kill()
            server.wait()


def main() -> int:
    """Play the scenarios and print the table. Returns the exit status."""
    options = _parse_arguments()
    if options.serve is not None:
        _run_server(options.loop, _serve(socket.socket(fileno=options.serve), options.file))
    _allow_many_files()
    failed = False
    print(f"{options.size / 2**20:,.0f} MiB each, {options.loop}\n")
    print("| scenario | before MiB | peak MiB | growth MiB | seconds | remarks |")
    print("| --- |" + " ---: |" * 4 + " --- |")
    for name in options.only:
        try:
            figures = measure(name, SCENARIOS[name], options.size, loop=options.loop)
        except (WrongAnswer, OSError) as exc:
            failed = True
            print(f"| {name} | - | - | - | - | {exc} |", flush=True)
            continue
        remark = "" if figures.growth < GROWTH_ALLOWED else "too much"
        if name == "events":
            remark += f" {figures.growth / STREAMS / 2**10:.1f} KiB a stream"
        failed |= figures.growth >= GROWTH_ALLOWED
        cells = [figures.before / 2**20, figures.peak / 2**20, figures.growth / 2**20, figures.seconds]
        print(f"| {name} | {' | '.join(f'{cell:.1f}' for cell in cells)} | {remark.strip()} |", flush=True)
    return 1 if failed else 0


def _run_server(name: str, serving: Coroutine[Any, Any, None]) -> None:
    if name == "uvloop":
        import uvloop

        uvloop.new_event_loop().run_until_complete(serving)
    else:
        asyncio.run(serving)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Is memory bounded?")
    parser.add_argument("--size", type=_size, default="1GiB", help="bytes of each transfer (default: %(default)s)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios (default: %(default)s)")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="(default: %(default)s)")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # the listening socket, in the server's process
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(SCENARIOS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(SCENARIOS)}")
    return options


def _size(text: str) -> int:
    """Bytes of a text like 64MiB or 1GiB, in whole blocks."""
    for unit, factor in (("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30)):
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * factor) // len(_BLOCK) * len(_BLOCK)
    raise argparse.ArgumentTypeError(f"a size like 64MiB or 1GiB, not {text!r}")


if __name__ == "__main__":
    sys.exit(main())
