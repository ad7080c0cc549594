"""Applications that cannot start: each way to run one must say so in one place, and fail."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from aioweb import web


async def first(app: web.Application) -> AsyncIterator[None]:
    yield
    os.write(1, b"what had started is cleaned up\n")


async def without_database(app: web.Application) -> AsyncIterator[None]:
    raise RuntimeError("no database")
    yield


async def look_for_database(app: web.Application) -> None:
    raise RuntimeError("no database")


async def cleanup_ctx() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.extend([first, without_database])
    return app


async def on_startup() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(first)
    app.on_startup.append(look_for_database)
    return app


async def factory() -> web.Application:
    raise RuntimeError("no database")
