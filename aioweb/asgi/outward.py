"""An aioweb application as an ASGI 3 application: to_asgi."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from aioweb import web
from aioweb.asgi.contract import ASGIApplication, Receive, Scope, Send, takes
from aioweb.asgi.exchange import HTTPExchange, WebSocketExchange, run
from aioweb.log import web_logger


def to_asgi(
    app: web.Application | Callable[[], web.Application | Awaitable[web.Application]], **options: Any
) -> ASGIApplication:
    """Let an ASGI server run an aioweb application: `uvicorn module:asgi_app`, with `asgi_app = to_asgi(app)`.

    HTTP is streamed both ways, with the back-pressure of the server; WebSockets, the client's leaving, its address and
    the scheme are what the server says. Paths are matched below `root_path`, which `request.url` and `request.url_for`
    have in front. The scope is `request.get_extra_info("asgi.scope")`.

    The application starts and ends with the server (lifespan). Under a server that has no such thing it starts with its
    first request, and its cleanup never runs.

    What belongs to the connection with the client is the server's: TLS, keep-alive, `100 Continue` (which it sends when
    a handler reads), compression and pings of WebSockets, Date, and the access log.

    Args:
        app: the application, or a function or coroutine function that makes it when the server starts.
        options: for `AppRunner`: `shutdown_timeout`, `limits`, `handler_cancellation`, `access_log` (none by default).

    Returns: what an ASGI server calls, for any number of servers one after another.

    Raises TypeError for what is neither an application nor makes one.
    """
    if not takes(app):
        raise TypeError(f"to_asgi() takes an Application, or a function that makes one, not {app!r:.100}")
    return _Served(app, options)


class _Served:
    """An application and its runner."""

    def __init__(self, app: Callable[[], Any], options: dict[str, Any]) -> None:
        self._app = app
        self._options = {"access_log": None, "server_header": "", **options, "keep_alive_on": False}
        self._runner: web.AppRunner | None = None
        self._starting: asyncio.Future[web.AppRunner] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(receive, send)
        elif kind == "http":
            await run(HTTPExchange(await self._server(), scope, receive, send))
        elif kind == "websocket":
            await run(WebSocketExchange(await self._server(), scope, receive, send))
        else:
            raise ValueError(f"aioweb speaks the ASGI of http, websocket and lifespan, not of {kind!r}")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            runner = await self._start()
        except Exception as error:
            web_logger.exception("The application does not start")
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()  # lifespan.shutdown
        finally:
            failure = await _clean_up(runner)
            self._runner = None
        if failure is None:
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "lifespan.shutdown.failed", "message": f"{type(failure).__name__}: {failure}"})

    async def _start(self) -> web.AppRunner:
        made = self._app()  # an Application that is called returns itself
        runner = web.AppRunner(await made if inspect.isawaitable(made) else made, **self._options)
        try:
            await runner.setup()
        except BaseException:
            await _clean_up(runner)
            raise
        self._runner = runner
        return runner

    async def _server(self) -> Callable[[], asyncio.BaseProtocol]:
        """What makes our end of a connection; if no lifespan was begun, now is the time to start."""
        if self._runner is None:
            if self._starting is None:
                web_logger.warning("The ASGI server runs no lifespan: the application starts now, and nothing ends it")
                self._starting = asyncio.ensure_future(self._start())
            await asyncio.shield(self._starting)
        server = self._runner.server if self._runner is not None else None
        if server is None:
            raise RuntimeError("the application has ended, and the ASGI server still has a request for it")
        return server


async def _clean_up(runner: web.AppRunner) -> Exception | None:
    """End everything; what fails is logged, and returned."""
    try:
        await runner.cleanup()
    except Exception as error:
        web_logger.exception("The application does not end well")
        return error
    return None
