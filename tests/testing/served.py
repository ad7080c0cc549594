"""The application that the tests of the test client ask."""

from __future__ import annotations

import asyncio

import attrs

from aioweb import web


@attrs.define
class Room:
    """What handlers and tests tell each other."""

    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Opened by the test; some handlers wait for it."""
    entered: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set by handlers when they begin to wait."""
    sent: int = 0
    """Octets that a streaming handler has written."""
    said: list[str] = attrs.field(factory=list)
    """What handlers have noted."""


ROOM = web.AppKey("room", Room)


async def hello(request: web.Request) -> web.Response:
    """Says what it was asked."""
    answer = web.json_response(
        {
            "method": request.method,
            "query": list(request.query.items()),
            "cookies": dict(request.cookies),
            "headers": {name.title(): value for name, value in request.headers.items()},
            "content": (await request.read()).decode("latin-1"),
            "remote": request.remote,
            "path": request.path,
        }
    )
    answer.headers.add("X-Twice", "1")
    answer.headers.add("X-Twice", "2")
    return answer


async def form(request: web.Request) -> web.Response:
    """Says what is in a form."""
    fields = []
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            fields.append([name, value.filename, value.content_type, value.file.read().decode()])
        else:
            fields.append([name, value])
    return web.json_response({"type": request.content_type, "fields": fields})


async def login(request: web.Request) -> web.Response:
    """Sets cookies and leads on."""
    answer = web.HTTPFound("/hello")
    answer.set_cookie("user", "ann", httponly=True)
    answer.set_cookie("admin", "no", path="/admin")
    raise answer


async def stream(request: web.Request) -> web.StreamResponse:
    """Two lines; the second one when the gate is open."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write("one ä\n".encode())
    await request.app[ROOM].gate.wait()
    await response.write(b"two\n")
    return response


async def flood(request: web.Request) -> web.StreamResponse:
    """16 MiB, or as much as the client takes."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(256):
        await response.write(bytes(65536))
        request.app[ROOM].sent += 65536
    return response


async def broken(request: web.Request) -> web.StreamResponse:
    """Fails when a part of it is out."""
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"x" * 10)
    await response.drain()
    request.writer.abort()
    return response


async def slow(request: web.Request) -> web.Response:
    """Answers when the gate is open."""
    room = request.app[ROOM]
    room.entered.set()
    try:
        await room.gate.wait()
    except asyncio.CancelledError:
        room.said.append("cancelled")
        raise
    return web.Response(text="slow")


async def late_reader(request: web.Request) -> web.Response:
    """Reads its content when the gate is open."""
    room = request.app[ROOM]
    room.entered.set()
    await room.gate.wait()
    return web.Response(text=str(len(await request.read())))


async def events(request: web.Request) -> web.EventSourceResponse:
    """Events; the last one when the gate is open."""

    async def make():
        yield web.ServerSentEvent("first\nlines", event="news", id="1", retry=500)
        yield web.ServerSentEvent(comment="still here")
        await request.app[ROOM].gate.wait()
        yield "last"

    return web.EventSourceResponse(make())


async def sizes(request: web.Request) -> web.Response:
    """How content came."""
    pieces = [len(piece) async for piece in request.content.iter_any()]
    return web.json_response({"total": sum(pieces), "chunked": "Transfer-Encoding" in request.headers})


async def echo(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket that repeats, but for some words."""
    ws = web.WebSocketResponse(protocols=["b", "a"], compress=True)
    await ws.prepare(request)
    async for message in ws:
        if message.data == "close":
            await ws.close(code=4000, message=b"as you say")
        elif message.data == "cut" and request.transport is not None:
            request.transport.abort()
        elif message.data == "ping":
            await ws.ping(b"there?")
            await ws.send_str("pinged")
        elif message.data == "cookies":
            await ws.send_json(dict(request.cookies) | {"origin": request.headers.get("Origin")})
        elif message.type is web.WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    request.app[ROOM].said.append(f"closed {ws.close_code}")
    return ws


async def deaf(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket that does not listen."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    assert request.transport is not None
    request.transport.pause_reading()
    await request.app[ROOM].gate.wait()
    request.transport.resume_reading()
    return ws


def create_app() -> web.Application:
    """A fresh application."""
    app = web.Application(client_max_size=2**25)
    app[ROOM] = Room()
    for handler in (form, login, stream, flood, broken, slow, late_reader, events, sizes, echo, deaf):
        app.router.add_route("*", f"/{handler.__name__}", handler)
    app.router.add_route("*", "/{tail:.*}", hello)
    return app
