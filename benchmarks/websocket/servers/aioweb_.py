"""aioweb: the application of on_web with web.broadcast, no access log."""

from __future__ import annotations

from typing import Any

from aioweb import web
from benchmarks.macro.servers.launch import HOST, serve_forever
from benchmarks.websocket.servers.on_web import application


async def broadcast(group: set[Any], message: str) -> None:
    web.broadcast(group, message)


async def start(port: int, tls: object) -> object:
    runner = web.AppRunner(application(web, broadcast), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port, backlog=1000)
    await site.start()
    return site


if __name__ == "__main__":
    serve_forever(start)
