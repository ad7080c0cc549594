"""The ways of a request through aioweb, each a step longer than the one before, and how each is counted.

A way is 64 connections on one loop, over a transport that drops octets: in every round all of them receive a request,
and all answer before the next round. Turns of the loop are shared as on a busy server, so nothing but the system calls
is missing. The difference of two ways is the cost of a stage (`PREFIXES`), so the stages sum up to the last of them: an
application with one middleware that answers a browser's request of 16 fields by `Response(text=...)`.

What a longer way does not do yet is at hand: canned octets, connections of the ground that await their next request,
responses that were made before. All ways answer with as many octets, which is checked.

    python -m benchmarks.ways counted           under callgrind: a profile of each way, dumped between two marks
    python -m benchmarks.ways timed             CPU time, the least of many rounds
    python -m benchmarks.ways twins             nothing but what is imported

All print JSON for `benchmarks.micro.budget`, which runs this as a child. Only names that every version of aioweb has
are used, so that it may count another checkout of it (`--tree`).
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import importlib
import io
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import aioweb
from aioweb import web
from aioweb.protocol.connection import Connection
from aioweb.protocol.limits import Limits
from aioweb.server.server import Server
from benchmarks.macro import servers
from benchmarks.macro.workloads import WORKLOADS
from benchmarks.micro.budget import PREFIXES

KINDS = ("minimal", "browser", "item", "routes", "json", "pipelined", "layers", "stream")
"""Workloads of macro/ that are sent to its whole application."""

TEXT = "Hello, World!"
FIELDS = b"Content-Type: text/plain; charset=utf-8\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nServer: aioweb\r\n"
BODY = TEXT.encode()
CANNED = b"HTTP/1.1 200 OK\r\n%sContent-Length: 13\r\n\r\n%s" % (FIELDS, BODY)

_CONNECTIONS = 64
_WARM_UP = 4
_COUNTED = 4
_PATIENCE = 40
"""Turns in which nothing is written before a round is taken for answered."""
_TIMED_SECONDS = 0.005
_REPEATS = 20


class StillLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, for which no time passes: no timer fires in the middle of what is counted."""

    def time(self) -> float:
        """Always the same moment."""
        return 1000.0


class Sink(asyncio.Transport):
    """Counts what is written, and takes it at once."""

    written = 0

    def write(self, data: Any) -> None:
        """Count."""
        self.written += len(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """A client like another."""
        return ("127.0.0.1", 4711) if name == "peername" else default

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def close(self) -> None:
        """Seen by what is missing in `written`."""

    abort = close


class Keeper(Sink):
    """Keeps what is written, to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.octets = b""

    def write(self, data: Any) -> None:
        """Keep."""
        self.octets += data

    def makefile(self, mode: str) -> io.BytesIO:
        """What http.client asks of a socket."""
        return io.BytesIO(self.octets)


class Way:
    """Connections of one kind.

    Args:
        make: makes the protocol of a connection.
        workload: what is sent; see macro/workloads.py.
        prepare: called with a number of exchanges before they happen.
        startup: awaited before the first.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        workload: str = "browser",
        *,
        prepare: Callable[[int], None] = lambda number: None,
        startup: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.octets = WORKLOADS[workload].request * WORKLOADS[workload].pipelined
        self.is_right = WORKLOADS[workload].is_right
        self.exchanges = _CONNECTIONS * WORKLOADS[workload].pipelined
        """Of one round."""
        self._make = make
        self._prepare = prepare
        self._startup = startup
        self._receivers: list[Callable[[bytes], None]] = []
        self._sinks = [Sink() for _ in range(_CONNECTIONS)]
        self._turns = 0
        self._answers = 0

    @property
    def written(self) -> int:
        """Octets of all answers so far."""
        return sum(sink.written for sink in self._sinks)

    @property
    def answer_size(self) -> float:
        """Octets of one answer."""
        return self._answers / self.exchanges

    async def open(self) -> None:
        """Connect, see whether an answer is right, and how many turns of the loop a round takes; warm up."""
        if self._startup is not None:
            await self._startup()
        await self._check_answer()
        self._receivers = [self._connect(sink) for sink in self._sinks]
        self._prepare(self.exchanges)
        self._feed()
        self._turns = 1 + await self._await_silence(lambda: self.written)
        self._answers = self.written
        await self.run(_WARM_UP)

    def _connect(self, sink: Sink) -> Callable[[bytes], None]:
        protocol = self._make()
        protocol.connection_made(sink)
        receive: Callable[[bytes], None] = protocol.data_received
        return receive

    async def _check_answer(self) -> None:
        keeper = Keeper()
        self._prepare(self.exchanges)
        self._connect(keeper)(self.octets)
        await self._await_silence(lambda: len(keeper.octets))
        response = http.client.HTTPResponse(cast(socket.socket, keeper))
        response.begin()
        if response.status != 200 or not self.is_right(response.read()):
            raise RuntimeError(f"a wrong answer: {keeper.octets!r:.400}")

    async def _await_silence(self, written: Callable[[], int]) -> int:
        """Let the loop turn until nothing more is written. Returns: the turns before that."""
        turn = quiet = 0
        while quiet < _PATIENCE:
            before = written()
            await asyncio.sleep(0)
            turn += 1
            quiet = quiet + 1 if written() == before else 0
        return turn - _PATIENCE

    def _feed(self) -> None:
        octets = self.octets
        for receive in self._receivers:
            receive(octets)

    async def run(self, rounds: int, mark: Callable[[], Any] = time.process_time) -> tuple[Any, Any]:
        """So many rounds. Returns: what `mark` gave before and after them. Raises RuntimeError for missing answers."""
        self._prepare(rounds * self.exchanges)
        gc.collect()
        gc.disable()
        written = self.written
        schedule, feed, turns = asyncio.get_running_loop().call_soon, self._feed, range(self._turns)
        before = mark()
        for _ in range(rounds):
            schedule(feed)
            for _ in turns:
                await asyncio.sleep(0)
        after = mark()
        gc.enable()
        if self.written - written != rounds * self._answers:
            raise RuntimeError(f"{self.written - written} octets of answers, not {rounds * self._answers}")
        return before, after


# -- the prefixes ------------------------------------------------------------------------------------------------------


class Bare(asyncio.Protocol):
    """Answers whatever arrives, with a connection of the ground at hand that it does not ask."""

    def __init__(self, grounds: Iterator[Connection]) -> None:
        self.grounds = grounds

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        next(self.grounds)
        self.transport.write(CANNED)


class Reading(Bare):
    """Has the ground read the request."""

    def data_received(self, data: bytes) -> None:
        """Read and answer."""
        ground = next(self.grounds)
        ground.receive_data(data)
        ground.next_event()
        self.transport.write(CANNED)


class Exchanging(Bare):
    """Has the ground make the octets of the answer, too."""

    def data_received(self, data: bytes) -> None:
        """Read and answer."""
        ground = next(self.grounds)
        ground.receive_data(data)
        ground.next_event()
        self.transport.write(ground.send_response(200, "OK", FIELDS, BODY))
        ground.start_next_cycle()


class Stock:
    """What was made before it is asked for. It is held until the next stock comes: letting it go is not counted."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._held: list[Any] = []
        self._rest: Iterator[Any] = iter(())

    def fill(self, number: int) -> None:
        """Make so many."""
        self._held = [self._make() for _ in range(number)]
        self._rest = iter(self._held)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._rest)


def _used_ground() -> Connection:
    """A connection that has answered one request and awaits the next, which is most of them."""
    ground = Connection(Limits())
    ground.receive_data(WORKLOADS["browser"].request)
    ground.next_event()
    ground.send_response(200, "OK", FIELDS, BODY)
    if not ground.start_next_cycle():
        raise RuntimeError("the ground does not persist")
    return ground


def _bare(protocol: type[Bare]) -> Way:
    stock = Stock(_used_ground)
    return Way(lambda: protocol(stock), prepare=stock.fill)


def _receive() -> Way:
    async def answer(head: Any, body: Any, writer: Any) -> None:
        await writer.send(200, "OK", FIELDS, BODY)

    return Way(Server(answer, tcp_keepalive=False))


def _request() -> Way:
    limits = Limits()

    async def answer(head: Any, body: Any, writer: Any) -> None:
        request = web.Request(head, body, writer, limits)
        await request.writer.send(200, "OK", FIELDS, BODY)

    return Way(Server(answer, tcp_keepalive=False))


def _response() -> Way:
    stock = Stock(lambda: web.Response(text=TEXT))

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return next(stock)

    server = web.Server(handler, request_factory=web.Request, tcp_keepalive=False)
    return Way(server, prepare=stock.fill)


@web.middleware
async def pass_through(request: web.Request, handler: Any) -> web.StreamResponse:
    """The least that a middleware can do."""
    return await handler(request)


def _application(app: web.Application, workload: str = "browser", **options: Any) -> Way:
    return Way(app.make_handler(access_log=None, tcp_keepalive=False), workload, startup=app.startup, **options)


def _resolve(*middlewares: Any) -> Way:
    stock = Stock(lambda: web.Response(text=TEXT))

    async def handler(request: web.Request) -> web.StreamResponse:
        return next(stock)

    app = web.Application(middlewares=middlewares)
    app.router.add_get("/", handler)
    return _application(app, prepare=stock.fill)


def _handler() -> Way:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=TEXT)

    app = web.Application(middlewares=[pass_through])
    app.router.add_get("/", handler)
    return _application(app)


_MAKERS: dict[str, Callable[[], Way]] = {
    "loop": lambda: _bare(Bare),
    "head": lambda: _bare(Reading),
    "write": lambda: _bare(Exchanging),
    "receive": _receive,
    "request": _request,
    "response": _response,
    "resolve": _resolve,
    "chain": lambda: _resolve(pass_through),
    "handler": _handler,
}


def make_ways() -> dict[str, Way]:
    """All of them, by name: the prefixes, then the workloads. Call it where the loop is running."""
    folder = str(pathlib.Path(servers.__path__[0]))
    if folder not in sys.path:  # its files are scripts, which import each other by that
        sys.path.insert(0, folder)
    on_web = importlib.import_module("on_web")
    ways = {name: _MAKERS[name]() for name in PREFIXES}
    app = on_web.application(web)
    make = app.make_handler(access_log=None, tcp_keepalive=False)
    for name in KINDS:  # the first to open starts the application, for all of them
        ways[name] = Way(make, name, startup=app.startup if name == KINDS[0] else None)
    return ways


async def open_ways() -> dict[str, Way]:
    """All ways, ready to be measured. Raises RuntimeError if one gives another answer than the others."""
    ways = make_ways()
    for name, way in ways.items():
        await way.open()
        if name in PREFIXES and way.answer_size != len(CANNED):
            raise RuntimeError(f"{name} answers with {way.answer_size} octets, not {len(CANNED)}")
    gc.collect()
    gc.freeze()  # what stays is not searched again before every run
    return ways


# -- measuring ---------------------------------------------------------------------------------------------------------


def _mark() -> None:
    """callgrind dumps what it has counted whenever this function of the C library is entered."""
    os.getpriority(os.PRIO_PROCESS, 0)


async def count() -> dict[str, int]:
    """Run each way between two marks. Returns: the exchanges between them, in the order of the ways."""
    ways = await open_ways()
    for way in ways.values():
        await way.run(_COUNTED, _mark)
    return {name: _COUNTED * way.exchanges for name, way in ways.items()}


async def time_cpu(repeats: int = _REPEATS) -> dict[str, float]:
    """Run the ways in turn, so that a disturbance meets all alike. Returns: the least CPU us of an exchange."""
    ways = await open_ways()
    rounds = {}
    for name, way in ways.items():
        before, after = await way.run(_WARM_UP)
        rounds[name] = max(1, int(_TIMED_SECONDS / max(after - before, 1e-6) * _WARM_UP))
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            before, after = await way.run(rounds[name])
            best[name] = min(best[name], (after - before) / rounds[name] / way.exchanges * 1e6)
    return best


def twins() -> list[str]:
    """The twins in C that are in use."""
    folder = f"{aioweb.__name__}."
    return sorted(
        name
        for name, module in sys.modules.items()
        if name.startswith(folder) and str(getattr(module, "__file__", "")).endswith(".so")
    )


def main() -> None:
    """Print what was measured as JSON."""
    measure = {"counted": count, "timed": time_cpu}.get(sys.argv[1])
    figures = {} if measure is None else StillLoop().run_until_complete(measure())
    origin = str(pathlib.Path(aioweb.__file__ or "").parent.parent)
    print(json.dumps({"tree": origin, "twins": twins(), "figures": figures}))


if __name__ == "__main__":
    main()
