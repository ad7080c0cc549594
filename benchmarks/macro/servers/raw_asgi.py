"""The smallest ASGI application: two messages a request, nothing looked at."""

from __future__ import annotations

from typing import Any

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"13"), (b"content-type", b"text/plain; charset=utf-8")],
}
BODY = {"type": "http.response.body", "body": b"Hello, World!"}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request; take part in the lifespan protocol so that a server knows when it may begin."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await send(START)
    await send(BODY)


async def lifespan(receive: Any, send: Any) -> None:
    """Agree to both ends of the server's life."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
