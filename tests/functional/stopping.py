"""The application whose server is stopped in the middle of everything; and what its clients do meanwhile.

Its handlers wait for the stop, so whatever they answer was in flight.
"""

from __future__ import annotations

import asyncio
import os

from aioweb import web

STOPPING = web.AppKey("STOPPING", asyncio.Event)


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello", headers={"Pid": str(os.getpid())})


async def plain(request: web.Request) -> web.Response:
    await request.app[STOPPING].wait()
    return web.Response(body=b"p" * 1000)


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"s" * 500)
    await request.app[STOPPING].wait()
    await response.write(b"s" * 500)
    return response


async def upload(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def socket(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


async def start(app: web.Application) -> None:
    app[STOPPING] = asyncio.Event()


async def stop(app: web.Application) -> None:
    app[STOPPING].set()


def create_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/plain", plain)
    app.router.add_get("/stream", stream)
    app.router.add_post("/upload", upload)
    app.router.add_get("/socket", socket)
    app.on_startup.append(start)
    app.on_shutdown.append(stop)
    app.on_cleanup.append(say_goodbye)
    return app


async def say_goodbye(app: web.Application) -> None:
    os.write(1, f"cleaned up {os.getpid()}\n".encode())  # one write: others write too


app = create_app()

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)
