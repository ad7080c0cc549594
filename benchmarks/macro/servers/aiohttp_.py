"""aiohttp: an application with one route, no access log."""

from __future__ import annotations

from aiohttp import web
from launch import HOST, serve_forever


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, World!")


async def start(port: int) -> object:
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return runner


if __name__ == "__main__":
    serve_forever(start)
