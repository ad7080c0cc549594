"""FEATURES section A: Application, as users of aiohttp 0.17 rely on it."""

from __future__ import annotations

import asyncio
import logging
import types
from typing import Any

import pytest

from aioweb import web


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


def hello_app(**options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_route("GET", "/", hello)
    return app


def test_a1_constructor_is_keyword_only() -> None:
    with pytest.raises(TypeError):
        web.Application(asyncio.Lock)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="surprise"):
        web.Application(surprise=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="AbstractRouter"):
        web.Application(router={})  # type: ignore[arg-type]


async def test_a2_loop_is_accepted_and_never_required(serve) -> None:
    for app in (hello_app(loop=asyncio.get_running_loop()), hello_app()):
        address = await serve(app, loop=asyncio.get_running_loop())
        assert (await address.request("GET", "/")).body == b"Hello, world"


async def test_a3_state_is_a_mapping_with_any_hashable_key(serve) -> None:
    marker = object()

    @web.middleware
    async def write(request, handler):
        request.app[("a", "tuple")] = request.app.get("written", 0) + 1
        return await handler(request)

    async def read(request):
        return web.json_response(request.app[("a", "tuple")])

    app = web.Application(middlewares=[write])
    app.router.add_get("/", read)
    app.update({"a": 1, marker: 2}, b=3)
    del app["a"]
    assert "a" not in app
    assert app.get("a", "default") == "default"
    assert list(app) == [marker, "b"]
    assert len(app) == 2
    with pytest.raises(KeyError):
        app["a"]
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"1"


async def test_a4_state_may_be_written_before_the_constructor_of_the_base_runs(serve) -> None:
    class Application(web.Application):
        def __init__(self, **kwargs: Any) -> None:
            self["settings"] = kwargs.pop("settings")
            super().__init__(**kwargs)

    async def debug(request):
        return web.json_response(request.app["settings"])

    app = Application(settings={"DEBUG": True})
    app.router.add_get("/", debug)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b'{"DEBUG": true}'


async def test_a5_state_may_be_written_while_serving_without_a_warning(serve) -> None:
    async def connect(request):
        request.app["db"] = request.app.get("db", 0) + 1
        return web.json_response(request.app["db"])

    app = web.Application()
    app.router.add_get("/", connect)
    address = await serve(app)
    assert [(await address.request("GET", "/")).body for _ in range(2)] == [b"1", b"2"]


def test_a6_the_router_is_read_only() -> None:
    app = web.Application()
    assert type(app.router) is web.UrlDispatcher
    with pytest.raises(AttributeError):
        app.router = web.UrlDispatcher()  # type: ignore[misc]


class Answer(web.AbstractMatchInfo):
    handler = route = None

    def __init__(self, handler: Any) -> None:
        self.handler = handler


class EverythingRouter(web.AbstractRouter):
    async def resolve(self, request: web.Request) -> Answer:
        return Answer(hello)


async def test_a7_a_router_of_your_own_serves(serve) -> None:
    address = await serve(web.Application(router=EverythingRouter()))
    for method, path in (("GET", "/"), ("DELETE", "/any/where?a=b")):
        assert (await address.request(method, path)).body == b"Hello, world"


async def test_a7_a_router_of_your_own_stands_behind_middlewares(serve) -> None:
    @web.middleware
    async def count(request, handler):
        request.app["count"] = request.app.get("count", 0) + 1
        return await handler(request)

    app = web.Application(router=EverythingRouter(), middlewares=[count])
    address = await serve(app)
    await address.request("POST", "/", "Expect: 100-continue", body=b"abc")
    assert app["count"] == 1


async def test_a7_a_router_of_your_own_serves_a_sub_application(serve) -> None:
    @web.middleware
    async def note(request, handler):
        request["apps"] = [request.app]
        response = await handler(request)
        assert request.app is app
        return response

    async def which(request):
        request["apps"].append(request.app)
        assert request["apps"] == [app, inner]
        return web.Response(text=request.config_dict["name"])

    class Router(web.AbstractRouter):
        async def resolve(self, request: web.Request) -> Answer:
            return Answer(which)

    inner = web.Application(router=Router())
    app = web.Application(middlewares=[note])
    app["name"] = "outer"
    app.add_subapp("/inner", inner)
    address = await serve(app)
    assert (await address.request("GET", "/inner/x")).body == b"outer"


async def test_a8_loop_logger_and_middlewares_can_be_read() -> None:
    app = web.Application()
    assert app.loop is asyncio.get_running_loop()
    assert app.logger is logging.getLogger("aioweb.web")
    assert isinstance(app.middlewares, list)
    mine = logging.getLogger("mine")
    assert web.Application(logger=mine).logger is mine


async def test_a9_make_handler_makes_what_create_server_calls() -> None:
    handler = hello_app().make_handler()
    server = await asyncio.get_running_loop().create_server(handler, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"\r\n\r\nHello, world")
    writer.close()
    await writer.wait_closed()
    server.close()
    await handler.finish_connections(1)


async def test_a9_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="surprise"):
        hello_app().make_handler(surprise=1)


async def test_a10_finish_callbacks_are_plain_or_coroutines_and_may_be_registered_twice() -> None:
    calls: list[Any] = []

    def plain(app: web.Application, *args: Any, **kwargs: Any) -> None:
        calls.append((app, args, kwargs))

    async def coroutine(app: web.Application) -> None:
        await asyncio.sleep(0)
        calls.append("coroutine")

    @types.coroutine
    def generator(app: web.Application) -> Any:
        yield
        calls.append("generator")

    app = web.Application()
    app.register_on_finish(plain, 1, two=2)
    app.register_on_finish(plain)
    app.register_on_finish(coroutine)
    app.register_on_finish(generator)
    await app.finish()
    assert calls == ["generator", "coroutine", (app, (), {}), (app, (1,), {"two": 2})]
    with pytest.raises(TypeError, match="callable"):
        app.register_on_finish(None)  # type: ignore[arg-type]


async def test_a11_finish_runs_each_once_last_in_first_out_and_reports_errors() -> None:
    calls: list[int] = []
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    error = RuntimeError("in the middle")

    def fail(app: web.Application) -> None:
        calls.append(2)
        raise error

    app = web.Application()
    app.register_on_finish(lambda app: calls.append(1))
    app.register_on_finish(fail)
    app.register_on_finish(lambda app: calls.append(3))
    await app.finish()
    await app.finish()
    assert calls == [3, 2, 1]
    assert len(reports) == 1
    assert reports[0].keys() >= {"message", "exception", "application"}
    assert reports[0]["exception"] is error
    assert reports[0]["application"] is app


def test_a12_calling_an_application_returns_it() -> None:
    app = web.Application()
    assert app() is app


async def test_a13_a_handler_factory_of_your_own_is_asked() -> None:
    asked = []

    def factory(app: web.Application, router: web.AbstractRouter, **options: Any) -> str:
        asked.append((app, router, options))
        return "a protocol factory"

    app = web.Application(handler_factory=factory)
    assert app.make_handler(debug=True) == "a protocol factory"
    assert asked == [(app, app.router, {"debug": True})]


async def test_a13_a_subclass_passes_debug_through_make_handler(serve) -> None:
    class Application(web.Application):
        def make_handler(self, **kwargs: Any) -> Any:
            kwargs["debug"] = True
            kwargs["loop"] = self.loop
            return super().make_handler(**kwargs)

    async def fail(request):
        raise RuntimeError("to be seen in the page")

    app = Application(logger=logging.Logger("silent"))
    app.router.add_get("/", fail)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.status == 500
    assert b"to be seen in the page" in answer.body


def test_a14_the_repr_names_the_class_and_no_secret() -> None:
    class Shop(web.Application):
        pass

    app = Shop()
    app["password"] = "hunter2"
    assert repr(app).startswith("<Shop ")
    assert "hunter2" not in repr(app)
    assert "password" not in repr(app)
