"""Files of the tests, and applications that answer with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aioweb import web
from aioweb.web.openfile import SMALL
from tests.conftest import Answer, Serve

WHEN = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
SIZES = [1, 1000, SMALL, SMALL + 1, 300_000]


def make(folder: Path, size: int = 1000, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(bytes(index * 7 % 251 for index in range(size)))
    os.utime(path, (WHEN, WHEN))
    return path


def answering(respond: Callable[[web.Request], Any], **options: Any) -> web.Application:
    """An application that answers every request with what this makes."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse = respond(request)
        return response

    app = web.Application(**options)
    app.router.add_route("*", "/", handler)
    return app


async def get(serve: Serve, path: Path, *lines: str, method: str = "GET", **options: Any) -> Answer:
    address = await serve(answering(lambda request: web.FileResponse(path, **options)))
    return await address.request(method, "/", *lines)
