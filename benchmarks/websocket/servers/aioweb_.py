"""aioweb: the application of on_web with web.broadcast, no access log."""

from __future__ import annotations

import asyncio
from typing import Any

from aioweb import web
from benchmarks.macro.servers.launch import HOST, serve_forever
from benchmarks.websocket.servers.on_web import application


async def broadcast(group: set[Any], message: str) -> None:
    web.broadcast(group, message)


async def start(port: int, tls: object) -> object:
    app = application(web, broadcast)
    handler = app.make_handler(access_log=None)
    await app.startup()
    return await asyncio.get_running_loop().create_server(handler, HOST, port, backlog=1000)


if __name__ == "__main__":
    serve_forever(start)
