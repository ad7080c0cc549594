"""What gunicorn serves in the tests: an application, and what else may be named."""

from __future__ import annotations

import asyncio
import os
import time

from aioweb import web


async def hello(request: web.Request) -> web.Response:
    headers = {"Pid": str(os.getpid()), "Loop": type(asyncio.get_running_loop()).__module__.partition(".")[0]}
    return web.Response(text="hello", headers=headers)


async def fail(request: web.Request) -> web.Response:
    raise ZeroDivisionError("on purpose")


async def hang(request: web.Request) -> web.Response:
    os.write(1, b"hanging\n")
    try:
        await asyncio.sleep(3600)
    finally:
        os.write(1, b"no longer hanging\n")
    return web.Response()


async def block(request: web.Request) -> web.Response:
    time.sleep(3600)  # noqa: ASYNC251 - the mistake that a timeout is for
    return web.Response()


async def say_goodbye(app: web.Application) -> None:
    os.write(1, f"cleaned up {os.getpid()}\n".encode())  # one write: others write too


def create_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/fail", fail)
    app.router.add_get("/hang", hang)
    app.router.add_get("/block", block)
    app.on_cleanup.append(say_goodbye)
    return app


app = create_app()


async def create_in_loop() -> web.Application:
    await asyncio.sleep(0)
    return create_app()


async def create_runner() -> web.AppRunner:
    return web.AppRunner(create_app(), server_header="by the runner")


async def create_broken() -> web.Application:
    async def start(app: web.Application) -> None:
        raise RuntimeError("no database")

    app = create_app()
    app.on_startup.append(start)
    return app


def wsgi(environ: object, start_response: object) -> list[bytes]:
    return []
