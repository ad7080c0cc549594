"""What ASGI servers serve in the tests: an aioweb application that shows what reaches it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from aioweb import asgi, web

written = 0


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def show(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "url": str(request.url),
            "own": str(request.url_for("show")),
            "remote": request.remote,
            "headers": request.headers.getall("X-Name", []),
            "cookies": dict(request.cookies),
        },
        headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
    )


async def echo(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def collect(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=413)


async def fail(request: web.Request) -> web.Response:
    raise ZeroDivisionError("on purpose")


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"begun")
    await response.drain()
    raise ZeroDivisionError("on purpose")


async def hang(request: web.Request) -> web.Response:
    tell("hanging")
    tell(f"gone: {await request.disconnected()}")
    return web.Response()


async def flood(request: web.Request) -> web.StreamResponse:
    global written
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(200):
        await response.write(bytes(250_000))
        written += 250_000
    return response


async def count(request: web.Request) -> web.Response:
    return web.Response(text=str(written))


async def talk(request: web.Request) -> web.StreamResponse:
    ws = web.WebSocketResponse(protocols=("chat",), heartbeat=0.2)
    ws.headers["X-Name"] = "talk"
    await ws.prepare(request)
    async for message in ws:
        if message.data == "close":
            await ws.close(code=3001, message="bye")
        elif message.type is web.WSMsgType.TEXT:
            await ws.send_str(f"{message.data} {request.url}")
        else:
            await ws.send_bytes(message.data)
    tell(f"closed: {ws.close_code} {ws.close_reason}.")
    return ws


async def context(app: web.Application) -> AsyncIterator[None]:
    tell("context up")
    yield
    tell("context down")


def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(context)
    app.router.add_get("/show", show, name="show")
    app.router.add_route("*", "/echo", echo)
    app.router.add_post("/collect", collect)
    app.router.add_post("/refuse", refuse)
    app.router.add_get("/fail", fail)
    app.router.add_get("/cut", cut)
    app.router.add_get("/hang", hang)
    app.router.add_get("/flood", flood)
    app.router.add_get("/count", count)
    app.router.add_get("/ws", talk)
    app.router.add_get("/deny", refuse_politely)
    return app


async def refuse_politely(request: web.Request) -> web.Response:
    return web.Response(status=418, text="no")


async def no_database(app: web.Application) -> None:
    raise RuntimeError("no database")


def create_broken() -> web.Application:
    app = create_app()
    app.on_startup.append(no_database)
    return app


app = asgi.to_asgi(create_app)
broken = asgi.to_asgi(create_broken)
