"""FEATURES section N: life of an application, typed state, cancellation, contexts, tuning."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from pathlib import Path
from typing import Any

import pytest

from aioweb import web

ROOT = Path(__file__).parents[2]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


def app_of(handler: Any, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_get("/", handler)
    return app


# -- N3: signals and cleanup contexts ----------------------------------------------------------------------------------


async def test_n3_signals_and_contexts_come_in_order() -> None:
    order: list[str] = []

    def note(event: str) -> Any:
        async def receiver(*args: Any) -> None:
            order.append(event)

        return receiver

    async def generator(app: web.Application) -> Any:
        order.append("generator up")
        yield
        order.append("generator down")

    @contextlib.asynccontextmanager
    async def context(app: web.Application) -> Any:
        order.append("context up")
        yield
        order.append("context down")

    app = app_of(hello)
    app.on_startup.append(note("startup"))
    app.on_shutdown.append(note("shutdown"))
    app.on_cleanup.append(note("cleanup"))
    app.on_response_prepare.append(note("prepare"))
    app.cleanup_ctx.extend([generator, context])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"Hello, world")
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()
    assert order == [
        *("generator up", "context up", "startup"),
        "prepare",
        *("shutdown", "context down", "generator down", "cleanup"),
    ]


async def test_n3_response_prepare_hooks_may_change_the_head(serve) -> None:
    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Signed"] = request.path

    app = app_of(hello)
    app.on_response_prepare.append(sign)
    address = await serve(app)
    assert (await address.request("GET", "/")).headers["X-Signed"] == "/"
    assert (await address.request("GET", "/missing")).headers["X-Signed"] == "/missing"


async def test_n3_only_what_came_up_is_cleaned_up() -> None:
    order: list[str] = []

    async def good(app: web.Application) -> Any:
        order.append("up")
        yield
        order.append("down")

    async def bad(app: web.Application) -> Any:
        raise RuntimeError("no database")
        yield

    app = web.Application()
    app.cleanup_ctx.extend([good, bad, good])
    runner = web.AppRunner(app)
    with pytest.raises(RuntimeError, match="no database"):
        await runner.setup()
    await runner.cleanup()
    assert order == ["up", "down"]


async def test_n3_one_error_of_the_cleanup_is_raised_and_several_are_collected() -> None:
    closed: list[int] = []

    def failing(number: int) -> Any:
        async def context(app: web.Application) -> Any:
            yield
            closed.append(number)
            raise RuntimeError(f"failure {number}")

        return context

    app = web.Application()
    app.cleanup_ctx.append(failing(1))
    await app.startup()
    with pytest.raises(RuntimeError, match="failure 1"):
        await app.cleanup()
    app = web.Application()
    app.cleanup_ctx.extend([failing(2), failing(3)])
    await app.startup()
    with pytest.raises(web.CleanupError) as caught:
        await app.cleanup()
    assert [str(error) for error in caught.value.exceptions] == ["failure 3", "failure 2"]
    assert closed == [1, 3, 2]


async def test_n3_a_generator_that_yields_twice_is_an_error() -> None:
    async def twice(app: web.Application) -> Any:
        yield
        yield

    app = web.Application()
    app.cleanup_ctx.append(twice)
    await app.startup()
    with pytest.raises(RuntimeError):
        await app.cleanup()


async def test_n3_what_is_no_context_is_refused() -> None:
    app = web.Application()
    app.cleanup_ctx.append(lambda app: None)
    with pytest.raises(TypeError, match="cleanup context"):
        await app.startup()


async def test_n3_nothing_can_be_added_after_the_start(serve) -> None:
    app = app_of(hello)
    await serve(app)
    with pytest.raises(RuntimeError, match="started"):
        app.on_startup.append(hello)
    with pytest.raises(RuntimeError, match="started"):
        app.middlewares.append(hello)
    with pytest.raises(RuntimeError):
        app.router.add_get("/late", hello)


# -- N4: the steps of stopping -----------------------------------------------------------------------------------------


async def test_n4_the_steps_of_stopping() -> None:
    steps: list[str] = []
    patient, endless = asyncio.Event(), asyncio.Event()
    started = [asyncio.Event(), asyncio.Event()]

    async def wait(request):
        started[0].set()
        await patient.wait()
        steps.append("patient handler")
        return web.Response(text="patient")

    async def forever(request):
        started[1].set()
        try:
            await endless.wait()
        finally:
            steps.append("endless handler cut")

    async def shutdown(app: web.Application) -> None:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        steps.append("listeners closed")
        assert await idle.read() == b""
        steps.append("idle closed")
        patient.set()

    async def cleanup(app: web.Application) -> None:
        steps.append("cleanup")

    app = app_of(hello)
    app.router.add_get("/wait", wait)
    app.router.add_get("/forever", forever)
    app.on_shutdown.append(shutdown)
    app.on_cleanup.append(cleanup)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site.port
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for (_, writer), path in zip(clients, ("/", "/wait", "/forever"), strict=True):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    idle = clients[0][0]
    await idle.readuntil(b"Hello, world")
    await asyncio.gather(*(event.wait() for event in started))
    await runner.cleanup()
    assert steps == ["listeners closed", "idle closed", "patient handler", "endless handler cut", "cleanup"]
    answer = await clients[1][0].read()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"patient")
    for reader, writer in clients:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


# -- N6: typed state ---------------------------------------------------------------------------------------------------


def test_n6_keys_are_distinct_whatever_their_names() -> None:
    for kind in (web.AppKey, web.RequestKey, web.ResponseKey):
        first, second = kind("a", int), kind("a", int)
        assert first != second
        assert len({first, second}) == 2
        assert repr(first) == f"<{kind.__name__}(a, type=int)>"


async def test_n6_keys_hold_state_of_application_request_and_response(serve) -> None:
    limit: web.AppKey[int] = web.AppKey("limit", int)
    user: web.RequestKey[str] = web.RequestKey("user", str)
    cached: web.ResponseKey[bool] = web.ResponseKey("cached", bool)

    @web.middleware
    async def around(request, handler):
        request[user] = "ann"
        response = await handler(request)
        assert response[cached] is True
        return response

    async def handler(request):
        response = web.Response(text=f"{request.app[limit]} {request[user]} {request.config_dict[limit]}")
        response[cached] = True
        return response

    app = app_of(handler, middlewares=[around])
    app[limit] = 5
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"5 ann 5"


REVEAL = """
from aioweb import web

LIMIT = web.AppKey("limit", int)
USER: web.RequestKey[str] = web.RequestKey("user")
CACHED = web.ResponseKey("cached", bool)

async def handler(request: web.Request) -> web.Response:
    response = web.Response()
    reveal_type(web.Application()[LIMIT])
    reveal_type(request[USER])
    reveal_type(response[CACHED])
    reveal_type(request.get(USER))
    reveal_type(request.get(USER, 5))
    web.Application()[LIMIT] = "five"
    return response
"""


def test_n6_type_checkers_know_what_a_key_holds() -> None:
    api = pytest.importorskip("mypy.api")
    # Python and cache are those of `make lint`: the package is not read twice.
    options = ["--strict", "--python-version", "3.10", "--cache-dir", str(ROOT / ".mypy_cache"), "--config-file", ""]
    said, errors, _ = api.run([*options, "--no-error-summary", "-c", REVEAL])
    assert errors == ""
    *revealed, refused = said.splitlines()
    assert [line.partition("Revealed type is ")[2].replace("builtins.", "") for line in revealed] == [
        *('"int"', '"str"', '"bool"', '"str | None"', '"str | int"')
    ]
    assert ":15: error: " in refused


# -- N20, N21: tasks and contexts of handlers --------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [True, False])
async def test_n20_a_handler_is_cancelled_if_its_client_leaves_and_the_server_is_told_to(serve, flag: bool) -> None:
    started, left, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    outcome: list[str] = []

    async def sleep(request):
        started.set()
        try:
            await left.wait()
            outcome.append(f"transport {request.transport}")
            with pytest.raises(ConnectionResetError):
                await web.StreamResponse().prepare(request)
            outcome.append("write raised")
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise
        finally:
            ended.set()
        return web.Response()

    address = await serve(app_of(sleep), handler_cancellation=flag)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await started.wait()
    peer.abort()
    while address.server.connections:
        await asyncio.sleep(0.001)
    if not flag:
        left.set()
    await asyncio.wait_for(ended.wait(), 5)
    assert outcome == (["cancelled"] if flag else ["transport None", "write raised"])


async def test_n20_reading_raises_a_connection_error_when_the_client_leaves(serve) -> None:
    reading, caught = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def read(request):
        reading.set()
        try:
            await request.read()
        except ConnectionResetError as error:
            caught.set_result(error)
            raise

    app = web.Application()
    app.router.add_post("/", read)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    await reading.wait()
    peer.abort()
    assert isinstance(await asyncio.wait_for(caught, 5), web.ClientDisconnectedError)


VAR: contextvars.ContextVar[str] = contextvars.ContextVar("VAR", default="unset")


@pytest.mark.parametrize("where", ["on_startup", "cleanup_ctx"])
async def test_n21_handlers_see_the_context_of_the_start_and_keep_their_changes(where: str) -> None:
    async def startup(app: web.Application) -> None:
        VAR.set("startup")

    async def context(app: web.Application) -> Any:
        VAR.set("startup")
        yield

    async def handler(request):
        before = VAR.get()
        VAR.set("changed")
        await asyncio.sleep(0)
        return web.Response(text=f"{before} {VAR.get()}")

    app = app_of(handler)
    app.on_startup.append(startup) if where == "on_startup" else app.cleanup_ctx.append(context)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"startup changed"), 5)
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()


# -- N24: tuning -------------------------------------------------------------------------------------------------------


async def test_n24_the_options_of_aiohttp_set_the_limits() -> None:
    options = {"lingering_time": 5.0, "read_bufsize": 1000, "max_line_size": 100, "max_headers": 10}
    server = app_of(hello).make_handler(
        **options, max_field_size=200, keepalive_timeout=30.0, auto_decompress=True, timeout_ceil_threshold=5
    )
    limits = server.limits
    assert (limits.lingering_time, limits.read_buffer, limits.line, limits.fields) == (5.0, 1000, 100, 10)
    assert (limits.field, limits.keepalive_timeout) == (200, 30.0)


async def test_n24_an_impossible_limit_is_named() -> None:
    with pytest.raises(ValueError, match="line"):
        app_of(hello).make_handler(max_line_size=-1)


@pytest.mark.parametrize("probes", [True, False])
async def test_n24_tcp_keepalive_is_about_probes_only(serve, probes: bool) -> None:
    seen: list[int] = []

    async def options(request):
        sock = request.get_extra_info("socket")
        seen.append(sock.getsockopt(1, 9))
        return web.Response()

    address = await serve(app_of(options), tcp_keepalive=probes)
    peer = await address.connect()
    assert "Connection" not in (await peer.request("GET", "/")).headers
    assert bool(seen[0]) is probes


async def test_n24_lingering_time_bounds_what_is_read_after_a_refusal(serve) -> None:
    address = await serve(app_of(hello), lingering_time=0.1)
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\nhalf")
    assert (await peer.response()).status == 405
    assert await peer.is_closed()


async def test_n24_read_bufsize_bounds_what_waits_for_the_handler(serve) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    buffered: list[int] = []

    async def slow(request):
        started.set()
        await go_on.wait()
        buffered.append(len(request.content.read_nowait()))
        return web.Response(text=str(len(await request.read())))

    app = web.Application(client_max_size=0)
    app.router.add_post("/", slow)
    address = await serve(app, read_bufsize=1000)
    peer = await address.connect()
    size = 8 * 2**20
    sending = asyncio.create_task(
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    )
    await started.wait()
    connection = address.server.connections[0]
    while not connection.flow.reading_paused:
        await asyncio.sleep(0.001)
    assert not sending.done()
    go_on.set()
    answer = await peer.response()
    # One read of the transport, 256 KiB, may pass the mark before it pauses.
    assert 1000 < buffered[0] <= 300_000
    assert int(answer.body) == size - buffered[0]
    await sending
