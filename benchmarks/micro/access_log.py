"""What one line of the access log costs, from the end of a request to the file: aioweb's formats next to aiohttp's.

The exchange is a browser's GET with its 16 fields, which nobody has decoded. It is told as a server tells it, through
`Observers`, in a running loop. The logger has a plain StreamHandler, on the null device and on a file. "In a row" are
lines that come in quick succession, one to each turn of the loop; "alone" is a line before which there was a pause, so
that it is written by itself. "Formatting" is what making the text takes of it. All figures are CPU time, the minimum of
many rounds, which is the round that others disturbed least; the loop's own turns are taken off.

With handlers that are not plain ones each line is a LogRecord, as all those of aiohttp are.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TextIO

from aioweb.protocol.events import RequestHead
from aioweb.protocol.head import parse_request_head
from aioweb.protocol.limits import Limits
from aioweb.server.access import AccessLogger, AccessLogObserver, JSONAccessLogger, LineAccessLogger
from aioweb.server.observe import NO_OBSERVERS, Observers
from aioweb.server.stream import EMPTY_BODY
from aioweb.web import Request, Response

GUNICORN_FORMAT: Final = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
SECONDS: Final = 0.0123
LINES: Final = 256
ROUNDS: Final = 60

BROWSER: Final = (
    b"GET /messages?page=2 HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8080\r\n"
    b"Connection: keep-alive\r\n"
    b"Cache-Control: max-age=0\r\n"
    b'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "Linux"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/130.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Referer: http://127.0.0.1:8080/messages?page=1\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Cookie: session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light\r\n\r\n"
)


class Peer:
    """What a request asks its writer for."""

    peername = ("203.0.113.7", 4711)


def make_request() -> Any:
    """A request, as a handler gets it."""
    parsed = parse_request_head(BROWSER, Limits())
    assert parsed is not None
    head: RequestHead = parsed[0]
    return Request(head, EMPTY_BODY, Peer(), Limits())  # type: ignore[arg-type]


class Quiet(logging.StreamHandler):  # type: ignore[type-arg]
    """Not a plain handler, for all that `logging` knows."""


def make_logger(handler: logging.Handler) -> logging.Logger:
    """A logger that lets INFO pass, to one handler."""
    logger = logging.Logger("benchmarks.access", logging.INFO)
    logger.addHandler(handler)
    return logger


def emitter(observers: Observers, request: Any, response: Any) -> Callable[[], None]:
    """The lines of the emitting site."""

    def emit() -> None:
        if observers.request_ended:
            for notify in observers.request_ended:
                notify(request, response, SECONDS)

    return emit


async def cpu_us(emit: Callable[[], object]) -> float:
    """The least CPU time of a line, in microseconds, that of empty turns not counted."""
    best = {emit: float("inf"), _nothing: float("inf")}
    for _ in range(ROUNDS):
        for function in best:
            start = time.process_time()
            for _ in range(LINES):
                function()
                await asyncio.sleep(0)
            best[function] = min(best[function], time.process_time() - start)
    return (best[emit] - best[_nothing]) / LINES * 1e6


def _nothing() -> None:
    pass


async def ours(name: str, make: Callable[[logging.Logger], LineAccessLogger], *handlers: logging.Handler) -> str:
    """Measure one of aioweb's."""
    request, response = make_request(), Response(text="x" * 1234)
    made = [make(make_logger(handler)) for handler in handlers]
    costs = [await cpu_us(lambda: made[0].format_line(request, response, SECONDS))]
    for access in made:
        emit = emitter(Observers([AccessLogObserver(access)]), request, response)
        costs += [await cpu_us(emit), await cpu_us(_alone(emit, access))]
    return _row(name, costs)


def _alone(emit: Callable[[], None], access: LineAccessLogger) -> Callable[[], None]:
    def emit_and_flush() -> None:
        emit()
        access.flush()

    return emit_and_flush


async def aiohttps(*handlers: logging.Handler) -> str:
    """Measure aiohttp's access logger with its default format, the same as ours."""
    try:
        kind = importlib.import_module("aiohttp.web_log").AccessLogger
    except ImportError as exc:
        return f"| aiohttp | not installed: {exc} | | | | |"
    request, response = make_request(), Response(text="x" * 1234)
    costs = []
    for handler in handlers:
        access = kind(make_logger(handler))
        costs.append(await cpu_us(partial(access.log, request, response, SECONDS)))
    return _row("aiohttp, its default", [None, costs[0], None, costs[1], None])


def _row(name: str, costs: Iterable[float | None]) -> str:
    return f"| {name} | {' | '.join('' if cost is None else f'{cost:.2f}' for cost in costs)} |"


async def print_table(null: TextIO, file: TextIO) -> None:
    """Measure all of them."""
    plain = logging.StreamHandler(null), logging.StreamHandler(file)
    records = Quiet(null), Quiet(file)
    print(f"One line of the access log, us of CPU, Python {sys.version.split()[0]}\n")
    print("| | formatting | null device, in a row | alone | file, in a row | alone |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    silent = emitter(NO_OBSERVERS, None, None)
    print(_row("nobody listens", [None, await cpu_us(silent), None, None, None]))
    print(await ours("aioweb, default", AccessLogger, *plain))
    print(await ours("aioweb, gunicorn's default", lambda logger: AccessLogger(logger, GUNICORN_FORMAT), *plain))
    print(await ours("aioweb, JSON", JSONAccessLogger, *plain))
    print(await ours("aioweb, default, records", AccessLogger, *records))
    print(await aiohttps(*plain))


def main() -> None:
    """Print the table."""
    with open(os.devnull, "w") as null, tempfile.TemporaryFile("w") as file:
        asyncio.run(print_table(null, file))


if __name__ == "__main__":
    main()
