"""The application of aioweb and of aiohttp: the same handlers, written once against the names that both have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Broadcast = Callable[[set[Any], Any], Awaitable[None]]


def application(web: Any, broadcast: Broadcast) -> Any:
    """The application; `web` is `aioweb.web` or `aiohttp.web`, `broadcast` sends text to all."""
    group: set[Any] = set()

    async def echo(request: Any) -> Any:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for msg in ws:
            if msg.type is web.WSMsgType.TEXT:
                await ws.send_str(msg.data)
            elif msg.type is web.WSMsgType.BINARY:
                await ws.send_bytes(msg.data)
        return ws

    async def together(request: Any) -> Any:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        group.add(ws)
        try:
            async for msg in ws:
                await broadcast(group, msg.data)
        finally:
            group.discard(ws)
        return ws

    app = web.Application()
    app.router.add_get("/echo", echo)
    app.router.add_get("/broadcast", together)
    return app
