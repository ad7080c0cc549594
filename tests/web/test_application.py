"""Application: what no acceptance row shows. Composition, background tasks, the end when things fail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


def app_of(handler: Any, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_get("/", handler)
    return app


# -- what it is made of ------------------------------------------------------------------------------------------------


def test_add_routes_returns_the_routes_and_url_for_names_them() -> None:
    app = web.Application()
    routes = app.add_routes([web.get("/", hello, name="root"), web.view("/x/{y}", web.View, name="x")])
    assert [route.name for route in routes] == ["root", "x"]
    assert str(app.url_for("x", y="a b")) == "/x/a%20b"
    with pytest.raises(KeyError):
        app.url_for("missing")


def test_limits_and_client_max_size() -> None:
    assert web.Application().limits == Limits()
    assert web.Application(limits=Limits(line=100), client_max_size=5).limits == Limits(line=100, client_max_size=5)


async def test_client_max_size_bounds_what_read_collects(serve) -> None:
    async def read(request):
        return web.Response(text=str(len(await request.read())))

    app = web.Application(client_max_size=5)
    app.router.add_post("/", read)
    address = await serve(app)
    assert (await address.request("POST", "/", body=b"12345")).body == b"5"
    assert (await address.request("POST", "/", body=b"123456")).status == 413


def test_loop_is_the_given_one_or_the_running_one_or_an_error() -> None:
    loop = asyncio.new_event_loop()
    assert web.Application(loop=loop).loop is loop
    loop.close()
    with pytest.raises(RuntimeError):
        web.Application().loop  # noqa: B018


def test_debug_is_what_was_said_or_the_mode_of_the_loop() -> None:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    assert web.Application(loop=loop).debug is True
    assert web.Application(loop=loop, debug=False).debug is False
    assert web.Application(debug=True).debug is True
    assert web.Application().debug is False
    loop.close()


def test_the_start_freezes_everything() -> None:
    inner, app = web.Application(), web.Application()
    app.add_subapp("/inner", inner)
    app.freeze()
    app.freeze()
    assert app.frozen
    assert inner.frozen
    for sealed in (app.router, app.middlewares, app.observers, app.cleanup_ctx, app.on_startup, app.on_shutdown):
        assert sealed.frozen
    for signal in (app.on_cleanup, app.on_response_prepare):
        assert signal.frozen


async def test_handler_args_are_what_a_runner_passes_on() -> None:
    app = web.Application(handler_args={"keepalive_timeout": 5.0, "server_header": "mine"})
    runner = web.AppRunner(app, server_header="given")
    await runner.setup()
    assert runner.server is not None
    assert runner.server.limits.keepalive_timeout == 5.0
    assert runner.server.server_field == b"Server: given\r\n"
    await runner.cleanup()


# -- requests ----------------------------------------------------------------------------------------------------------


async def test_a_factory_that_fails_without_a_start_fails_each_request_and_is_called_once(serve, caplog) -> None:
    calls = []

    async def factory(app, handler):
        calls.append(app)
        raise RuntimeError("no database")

    app = app_of(hello, middlewares=[factory])
    server = app.make_handler()
    address = await serve(server)
    assert [(await address.request("GET", "/")).status for _ in range(2)] == [500, 500]
    assert calls == [app]
    assert "no database" in caplog.text


async def test_middlewares_of_routes_resources_and_tables_stand_within_those_of_the_application(serve) -> None:
    def mark(name: str) -> Any:
        @web.middleware
        async def marked(request, handler):
            response = await handler(request)
            response.text = f"{name}({response.text})"
            return response

        return marked

    app = web.Application(middlewares=[mark("app")])
    resource = app.router.add_resource("/", middlewares=[mark("resource")])
    resource.add_route("GET", hello, middlewares=[mark("route")])
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"app(resource(route(Hello, world)))"


async def test_observers_are_told_in_order(serve) -> None:
    class Notes(web.Observer):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def request_started(self, request: Any) -> None:
            self.notes.append(f"started {request.path}")

        def request_routed(self, request: Any) -> None:
            self.notes.append(f"routed {request.match_info.http_exception}")

        def response_started(self, request: Any, response: Any) -> None:
            self.notes.append(f"answering {response.status}")

        def request_failed(self, request: Any, exception: BaseException) -> None:
            self.notes.append(f"failed {exception}")

        def response_sent(self, request: Any, response: Any, seconds: float) -> None:
            self.notes.append(f"sent {response.body_length}")

    async def fail(request):
        raise RuntimeError("oh")

    of_app, of_server = Notes(), Notes()
    app = app_of(hello)
    app.router.add_get("/fail", fail)
    app.observers.append(of_app)
    address = await serve(app, observers=[of_server])
    await address.request("GET", "/")
    await address.request("GET", "/missing")
    await address.request("GET", "/fail")
    assert [*of_app.notes[:8], of_app.notes[8:12]] == [
        *("started /", "routed None", "answering 200", "sent 12"),
        *("started /missing", "routed Not Found", "answering 404", "sent 14"),
        ["started /fail", "routed None", "failed oh", "answering 500"],
    ]
    assert of_server.notes == of_app.notes


# -- background tasks --------------------------------------------------------------------------------------------------


async def test_a_spawned_task_survives_its_request_and_is_waited_for(serve) -> None:
    go_on, done = asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append(True)

    async def start(request):
        assert request.app.spawn(work(), name="work").get_name() == "work"
        return web.Response()

    app = app_of(start)
    address = await serve(app, handler_cancellation=True)
    await address.request("GET", "/")
    ending = asyncio.create_task(app.cleanup())
    await asyncio.sleep(0)
    assert not ending.done()
    go_on.set()
    await ending
    assert done == [True]


async def test_a_spawned_task_that_fails_is_logged_once_and_told(caplog) -> None:
    class Failures(web.Observer):
        def task_failed(self, task: Any, exception: BaseException) -> None:
            told.append((task, exception))

    async def fail() -> None:
        raise RuntimeError("in the background")

    told: list[Any] = []
    app = web.Application()
    app.observers.append(Failures())
    app.make_handler()
    task = app.spawn(fail(), name="job")
    await asyncio.wait([task])
    await app.cleanup()
    assert told == [(task, task.exception())]
    assert [record.getMessage() for record in caplog.records] == ["Background task job has failed"]
    assert caplog.text.count("RuntimeError: in the background") == 1


async def test_a_spawned_task_that_does_not_end_is_cancelled() -> None:
    app = web.Application(limits=Limits(lingering_time=0.02))
    task = app.spawn(asyncio.Event().wait())
    await app.cleanup()
    assert task.cancelled()


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_everything_is_tried_at_the_end() -> None:
    order: list[str] = []

    async def context(app: web.Application) -> Any:
        yield
        order.append("context")
        raise RuntimeError("context")

    async def cleanup(app: web.Application) -> None:
        order.append("on_cleanup")
        raise RuntimeError("on_cleanup")

    app = web.Application()
    app.cleanup_ctx.append(context)
    app.on_cleanup.append(cleanup)
    app.register_on_finish(lambda app: order.append("finish"))
    await app.startup()
    with pytest.raises(web.CleanupError, match="Several errors") as caught:
        await app.cleanup()
    assert [str(error) for error in caught.value.exceptions] == ["context", "on_cleanup"]
    assert order == ["context", "on_cleanup", "finish"]


async def test_a_context_may_be_any_asynchronous_context_manager() -> None:
    order: list[str] = []

    class Pool(contextlib.AbstractAsyncContextManager[None]):
        def __init__(self, app: web.Application) -> None:
            pass

        async def __aenter__(self) -> None:
            order.append("up")

        async def __aexit__(self, *exc: object) -> None:
            order.append("down")

    app = web.Application()
    app.cleanup_ctx.append(Pool)
    await app.startup()
    await app.cleanup()
    assert order == ["up", "down"]


async def test_without_a_start_the_application_freezes_when_its_handler_is_made() -> None:
    app = app_of(hello, logger=logging.getLogger("mine"))
    server = app.make_handler()
    assert app.frozen
    assert server.logger is app.logger
