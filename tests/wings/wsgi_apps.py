"""WSGI applications that tests mount, and what they return."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aioweb import web, wsgi
from aioweb.wsgi.environ import Environ

PLAIN = [("Content-Type", "text/plain")]
Start = Callable[..., Callable[[bytes], None]]


def mounted(wsgi_app: Any, prefix: str = "/", **options: Any) -> web.Application:
    app = web.Application()
    wsgi.mount(app, prefix, wsgi_app, **options)
    return app


def answering(result: Iterable[bytes], *headers: tuple[str, str], status: str = "200 OK") -> wsgi.WSGIApplication:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, [*PLAIN, *headers])
        return result

    return app


class Result:
    """What an application returns, with an end that can be seen."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.closed = threading.Event()
        self.closings = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        self.closings += 1
        self.closed.set()


async def until_set(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 5.0)
