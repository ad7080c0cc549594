"""The smallest ASGI application: the messages of the exchange, nothing looked at but the path.

It has no form parser. The file goes by the `pathsend` extension where the server has it, else in one message.
"""

from __future__ import annotations

import json
from typing import Any

from content import CHUNK, CHUNKS, FILE, FILE_SIZE, TEXT


def start(size: int | None, content_type: bytes = b"text/plain; charset=utf-8") -> dict[str, Any]:
    """The first message of a response; `size` is that of its body, None if it is not known."""
    length = [] if size is None else [(b"content-length", b"%d" % size)]
    return {"type": "http.response.start", "status": 200, "headers": [*length, (b"content-type", content_type)]}


HELLO_START = start(len(TEXT))
HELLO_BODY = {"type": "http.response.body", "body": TEXT.encode()}
FILE_START = start(FILE_SIZE, b"application/octet-stream")
STREAM_START = start(None)
STREAM_BODY = {"type": "http.response.body", "body": CHUNK, "more_body": True}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request; take part in the lifespan protocol so that a server knows when it may begin."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    path = scope["path"]
    if path == "/":
        await send(HELLO_START)
        await send(HELLO_BODY)
    elif path == "/json":
        pieces = [data async for data in content(receive)]
        await reply(send, json.dumps(json.loads(b"".join(pieces))).encode(), b"application/json")
    elif path == "/upload":
        size = 0
        async for data in content(receive):
            size += len(data)
        await reply(send, b"%d" % size)
    elif path == "/file":
        await send_file(scope, send)
    elif path == "/stream":
        await send(STREAM_START)
        for _ in range(CHUNKS):
            await send(STREAM_BODY)
        await send({"type": "http.response.body", "body": b""})


async def content(receive: Any) -> Any:
    """The content of the request, piece by piece."""
    more = True
    while more:
        message = await receive()
        yield message["body"]
        more = message.get("more_body", False)


async def reply(send: Any, body: bytes, content_type: bytes = b"text/plain; charset=utf-8") -> None:
    """Answer with this body."""
    await send(start(len(body), content_type))
    await send({"type": "http.response.body", "body": body})


async def send_file(scope: dict[str, Any], send: Any) -> None:
    """Answer with FILE."""
    await send(FILE_START)
    if "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": str(FILE)})
    else:
        await send({"type": "http.response.body", "body": FILE.read_bytes()})


async def lifespan(receive: Any, send: Any) -> None:
    """Agree to both ends of the server's life."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
