"""aiohttp: the application of on_web, no access log."""

from __future__ import annotations

import ssl

from aiohttp import web
from launch import BACKLOG, HOST, serve_forever
from on_web import application


async def start(port: int, tls: ssl.SSLContext | None) -> object:
    runner = web.AppRunner(application(web), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, ssl_context=tls, backlog=BACKLOG).start()
    return runner


if __name__ == "__main__":
    serve_forever(start)
