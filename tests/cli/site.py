"""What the command line serves in the tests."""

from __future__ import annotations

import asyncio
import functools
import os
import time

from aioweb import web

number = 5


async def hello(request: web.Request) -> web.Response:
    headers = {
        "Pid": str(os.getpid()),
        "Loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
        "Client": request.get_extra_info("peercert", {}).get("serialNumber", "") if request.secure else "",
    }
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
    os.write(1, b"blocking\n")
    while True:
        time.sleep(1)  # noqa: ASYNC251 - for a signal that nobody can ignore


async def be_slow(request: web.Request) -> web.Response:
    os.write(1, b"slow\n")
    await asyncio.sleep(1)
    return web.Response(text="slow but sure")


async def die(request: web.Request) -> web.Response:
    os._exit(7)


class Items(web.View):
    async def get(self) -> web.Response:
        return web.Response()


def create_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello, name="home")
    app.router.add_get("/fail", fail)
    app.router.add_get("/hang", hang)
    app.router.add_get("/die", die)
    app.router.add_get("/block", block)
    return app


app = create_app()


def create(argv: list[str]) -> web.Application:
    """A factory as aiohttp's command line calls it."""
    made = create_app()
    made["argv"] = argv
    return made


def create_perhaps(argv: list[str] | None = None) -> web.Application:
    made = create_app()
    made["argv"] = argv
    return made


async def create_in_loop() -> web.Application:
    await asyncio.sleep(0)
    return create_app()


async def create_nothing() -> None:
    return None


def create_of_two(host: str, port: int) -> web.Application:
    return create_app()


def create_big() -> web.Application:
    """Sub-applications, static files, views, and names: for the table of routes."""
    made = web.Application()
    inner = web.Application()
    inner.router.add_get("/{number:[0-9]+}", hello, name="item")
    other = web.Application()
    other.router.add_get("/", functools.partial(hello))
    made.router.add_route("*", "/items", Items)
    made.router.add_post("/long/path/to/somewhere", hello)
    made.add_subapp("/inner", inner)
    made.add_domain("*.example.org", other)
    return made


def create_with_arguments() -> web.Application:
    return web.Application(
        limits=web.Limits(connections=1), handler_args={"when_full": "refuse", "access_log_format": "<%s>"}
    )


def create_slow() -> web.Application:
    made = web.Application()
    made.router.add_get("/", be_slow)
    return made


async def _no_database(app: web.Application) -> None:
    raise ConnectionRefusedError(111, "no database")


def create_broken() -> web.Application:
    made = create_app()
    made.on_startup.append(_no_database)
    return made
