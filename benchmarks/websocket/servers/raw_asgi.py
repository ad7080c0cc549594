"""The smallest ASGI application for WebSockets. ASGI has no broadcast: each is sent the message in turn."""

from __future__ import annotations

from typing import Any

from benchmarks.macro.servers.launch import ready

GROUP: set[Any] = set()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve a WebSocket; say READY when the worker's life begins, if it has one (`lifespan`)."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    together = scope["path"] == "/broadcast"
    if together:
        GROUP.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None:
                answer = {"type": "websocket.send", "bytes": message["bytes"]}
            else:
                answer = {"type": "websocket.send", "text": text}
            if together:
                for each in GROUP:
                    await each(answer)
            else:
                await send(answer)
    finally:
        GROUP.discard(send)


async def lifespan(receive: Any, send: Any) -> None:
    """Agree to both ends of the server's life. granian's worker listens already when it begins."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
        ready()
