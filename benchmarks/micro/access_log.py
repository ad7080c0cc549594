"""What one line of the access log costs: aioweb's formats next to aiohttp's logger, where that is installed.

The exchange is a browser's GET. "Formatting" makes the line; "whole" also hands it to a `logging.Logger` whose
StreamHandler writes to the null device; "seam" is the whole as a server sees it, through `Observers`. The first rows
say what the emitting site takes when nobody listens, and `logging` itself for a line that is ready.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from aioweb.protocol.events import HttpVersion11
from aioweb.server.access import AccessLogger, AccessLogObserver, JSONAccessLogger, LineAccessLogger
from aioweb.server.observe import NO_OBSERVERS, Observers
from benchmarks.timing import best_us

GUNICORN_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
SECONDS = 0.0123


class Request:
    """What an access log reads of a request."""

    def __init__(self) -> None:
        self.remote = "203.0.113.7"
        self.method = "GET"
        self.raw_path = self.path_qs = "/messages?page=2"
        self.version = HttpVersion11
        self.headers = CIMultiDictProxy(
            CIMultiDict(
                {
                    "Host": "127.0.0.1:8080",
                    "Connection": "keep-alive",
                    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                    "Accept-Language": "en-US,en;q=0.5",
                    "Accept-Encoding": "gzip, deflate, br, zstd",
                    "Referer": "http://127.0.0.1:8080/messages?page=2",
                    "Cookie": "session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light",
                }
            )
        )


class Response:
    """What an access log reads of a response."""

    def __init__(self) -> None:
        self.status = 200
        self.body_length = 1234
        self.headers = CIMultiDict({"Content-Type": "text/html"})


def null_logger() -> logging.Logger:
    """A logger that lets INFO pass, to a StreamHandler on the null device."""
    logger = logging.getLogger("benchmarks.access")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [logging.StreamHandler(open(os.devnull, "w"))]  # noqa: SIM115  (open to the end)
    return logger


def emitting(observers: Observers, request: Any, response: Any) -> Callable[[], None]:
    """The lines of the emitting site."""

    def emit() -> None:
        if observers.request_ended:
            for notify in observers.request_ended:
                notify(request, response, SECONDS)

    return emit


def row(name: str, access: LineAccessLogger, request: Any, response: Any) -> str:
    """Measure one access logger of aioweb."""
    observers = Observers([AccessLogObserver(access)])
    costs = (
        best_us(lambda: access.format_line(request, response, SECONDS)),
        best_us(lambda: access.log(request, response, SECONDS)),
        best_us(emitting(observers, request, response)),
    )
    return f"| {name} | {' | '.join(f'{cost:.2f}' for cost in costs)} |"


def aiohttp_row(logger: logging.Logger, request: Any, response: Any) -> str:
    """Measure aiohttp's access logger with its default format, the same as ours."""
    try:
        access = importlib.import_module("aiohttp.web_log").AccessLogger(logger)
    except ImportError as exc:
        return f"| aiohttp | not installed: {exc} | | |"
    return f"| aiohttp, combined | | {best_us(lambda: access.log(request, response, SECONDS)):.2f} | |"


def main() -> None:
    """Print the table."""
    logger, request, response = null_logger(), Request(), Response()
    print(f"One line of the access log, us (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| logger | formatting | whole | seam |\n| --- | ---: | ---: | ---: |")
    print(f"| nobody listens | | | {best_us(emitting(NO_OBSERVERS, request, response)):.2f} |")
    print(f"| logging.info alone | | {best_us(lambda: logger.info('x' * 150)):.2f} | |")
    print(row("aioweb, combined (default)", AccessLogger(logger), request, response))
    print(row("aioweb, gunicorn's default", AccessLogger(logger, GUNICORN_FORMAT), request, response))
    print(row("aioweb, JSON", JSONAccessLogger(logger), request, response))
    print(aiohttp_row(logger, request, response))


if __name__ == "__main__":
    main()
