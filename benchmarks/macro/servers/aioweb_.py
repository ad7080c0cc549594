"""aioweb: the application of on_web, no access log."""

from __future__ import annotations

import ssl

from launch import BACKLOG, HOST, serve_forever
from on_web import application

from aioweb import web


async def start(port: int, tls: ssl.SSLContext | None) -> object:
    runner = web.AppRunner(application(web), access_log=None)
    await runner.setup()
    # As run_app does it. Listeners of others cost each connection more: they do not hand down the kernel's probes.
    site = web.TCPSite(runner, HOST, port, ssl_context=tls, backlog=BACKLOG)
    await site.start()
    return site


if __name__ == "__main__":
    serve_forever(start)
