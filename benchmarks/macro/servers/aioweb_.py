"""aioweb: an application with one route, no access log."""

from __future__ import annotations

import asyncio

from launch import HOST, serve_forever

from aioweb import web


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, World!")


async def start(port: int) -> object:
    app = web.Application()
    app.router.add_get("/", hello)
    handler = app.make_handler(access_log=None)
    await app.startup()
    return await asyncio.get_running_loop().create_server(handler, HOST, port)


if __name__ == "__main__":
    serve_forever(start)
