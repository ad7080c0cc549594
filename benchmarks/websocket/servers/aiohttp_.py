"""aiohttp: the application of on_web, no access log. It has no broadcast: each is sent the message in turn."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from benchmarks.macro.servers.launch import HOST, serve_forever
from benchmarks.websocket.servers.on_web import application


async def broadcast(group: set[Any], message: str) -> None:
    for ws in group:
        await ws.send_str(message)


async def start(port: int, tls: object) -> object:
    runner = web.AppRunner(application(web, broadcast), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=1000).start()
    return runner


if __name__ == "__main__":
    serve_forever(start)
