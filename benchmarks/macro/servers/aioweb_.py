"""aioweb: the application of on_web, no access log."""

from __future__ import annotations

import asyncio
import ssl

from launch import BACKLOG, HOST, serve_forever
from on_web import application

from aioweb import web


async def start(port: int, tls: ssl.SSLContext | None) -> object:
    app = application(web)
    handler = app.make_handler(access_log=None)
    await app.startup()
    return await asyncio.get_running_loop().create_server(handler, HOST, port, ssl=tls, backlog=BACKLOG)


if __name__ == "__main__":
    serve_forever(start)
