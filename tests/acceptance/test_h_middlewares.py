"""Section H of FEATURES.md, middlewares of the first generation, over real sockets."""

from __future__ import annotations

import asyncio
import functools
import logging
import types
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def serving(*middlewares: Any, handler: Any = hello) -> web.Application:
    """An application with these middlewares and one handler at GET /."""
    app = web.Application(middlewares=middlewares)
    app.router.add_route("GET", "/", handler)
    return app


def tracing(name: str, trace: list[str]) -> Any:
    """A factory that notes when its middleware comes and goes."""

    async def factory(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            trace.append(f"{name} in")
            response: web.StreamResponse = await handler(request)
            trace.append(f"{name} out")
            return response

        return middleware

    return factory


async def test_h1_the_first_of_the_sequence_is_outermost(serve: Serve) -> None:
    trace: list[str] = []
    app = serving(tracing("outer", trace), tracing("inner", trace))
    assert (await (await serve(app)).request("GET", "/")).body == b"hello"
    assert trace == ["outer in", "inner in", "inner out", "outer out"]


async def test_h1_a_factory_gets_the_application_and_the_next_handler(serve: Serve) -> None:
    seen: list[Any] = []

    async def factory(app: web.Application, handler: Any) -> Any:
        seen.append((app, handler is not hello))

        async def middleware(request: web.Request) -> web.StreamResponse:
            assert request.app is app
            response: web.StreamResponse = await handler(request)
            return response

        return middleware

    app = serving(factory)
    assert (await (await serve(app)).request("GET", "/")).status == 200
    assert seen == [(app, True)]


@types.coroutine
def generator_factory(app: web.Application, handler: Any) -> Any:
    yield from asyncio.sleep(0).__await__()

    @types.coroutine
    def middleware(request: web.Request) -> Any:
        response = yield from handler(request).__await__()
        response.headers["X-Generator"] = "1"
        return response

    return middleware


class Counting:
    """A factory that is an object, and a middleware that is its method."""

    def __init__(self) -> None:
        self.handler: Any = None
        self.count = 0

    async def __call__(self, app: web.Application, handler: Any) -> Any:
        self.handler = handler
        return self.run

    async def run(self, request: web.Request) -> web.StreamResponse:
        self.count += 1
        response: web.StreamResponse = await self.handler(request)
        response.headers["X-Count"] = str(self.count)
        return response


async def test_h2_generators_objects_methods_and_partials_are_factories(serve: Serve) -> None:
    async def labelled(label: str, app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request)
            response.headers["X-Label"] = label
            return response

        return middleware

    app = serving(generator_factory, Counting(), functools.partial(labelled, "partial"))
    answer = await (await serve(app)).request("GET", "/")
    assert [answer.headers[name] for name in ("X-Generator", "X-Count", "X-Label")] == ["1", "1", "partial"]


@pytest.mark.parametrize("wrong", [lambda app, handler: handler, "name", None, 1, web.Application])
def test_h2_what_is_no_coroutine_function_is_refused_at_once(wrong: Any) -> None:
    for put_in in (
        lambda: web.Application(middlewares=[wrong]),
        lambda: web.Application().middlewares.append(wrong),
        lambda: web.Application().middlewares.insert(0, wrong),
    ):
        with pytest.raises(TypeError, match="a middleware must be a coroutine function"):
            put_in()


def test_h2_a_factory_is_told_from_a_middleware_or_refused() -> None:
    async def unclear(one: Any, two: Any) -> Any: ...

    async def too_many(app: Any, handler: Any, third: Any) -> Any: ...

    for wrong in (unclear, too_many):
        with pytest.raises(TypeError, match=r"write `@web.middleware`.*or name the arguments of a factory"):
            web.Application(middlewares=[wrong])


async def test_h2_a_factory_that_gives_no_handler_stops_the_start() -> None:
    async def forgetful(app: web.Application, handler: Any) -> Any:
        pass

    with pytest.raises(TypeError, match=r"forgetful.*returned None"):
        await serving(forgetful).startup()


async def test_h3_a_factory_may_await(serve: Serve) -> None:
    ready = asyncio.Event()

    async def slow_factory(app: web.Application, handler: Any) -> Any:
        asyncio.get_running_loop().call_soon(ready.set)
        await ready.wait()
        return handler

    assert (await (await serve(serving(slow_factory))).request("GET", "/")).body == b"hello"
    assert ready.is_set()


async def test_h4_it_may_answer_alone_raise_or_swap(serve: Serve) -> None:
    called: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        called.append(request.query_string)
        return web.Response(text="inner")

    async def factory(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            if request.query_string == "alone":
                return web.Response(text="alone")
            if request.query_string == "raise":
                raise web.HTTPForbidden
            response: web.StreamResponse = await handler(request)
            if request.query_string == "swap":
                return web.Response(text="swapped", status=203)
            return response

        return middleware

    peer = await (await serve(serving(factory, handler=handler))).connect()
    answers = [await peer.request("GET", f"/?{how}") for how in ("alone", "raise", "swap", "through")]
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"alone"),
        (403, b"403: Forbidden"),
        (203, b"swapped"),
        (200, b"inner"),
    ]
    assert called == ["swap", "through"]


async def test_h4_what_it_returns_must_be_a_response(serve: Serve, caplog: Any) -> None:
    async def factory(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> None:
            await handler(request)

        return middleware

    answer = await (await serve(serving(factory))).request("GET", "/")
    assert answer.status == 500
    assert "is a return statement missing?" in caplog.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/", 405)])
async def test_h5_it_sees_the_404_and_405_of_the_router(serve: Serve, method: str, path: str, status: int) -> None:
    seen: list[web.HTTPException] = []

    async def factory(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            try:
                response: web.StreamResponse = await handler(request)
            except web.HTTPException as exception:
                seen.append(exception)
                raise
            return response

        return middleware

    answer = await (await serve(serving(factory))).request(method, path)
    assert answer.status == status
    assert [exception.status for exception in seen] == [status]


async def test_h6_the_error_handler_of_the_talk_lets_redirections_pass(serve: Serve) -> None:
    async def error_pages(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            try:
                response: web.StreamResponse = await handler(request)
            except web.HTTPError as error:
                return web.Response(text=f"page of {error.status}", status=error.status)
            return response

        return middleware

    async def handler(request: web.Request) -> web.Response:
        raise {
            "move": web.HTTPFound("/there"),
            "same": web.HTTPNotModified(),
            "ok": web.HTTPOk(),
            "gone": web.HTTPGone(),
        }[request.query_string]

    peer = await (await serve(serving(error_pages, handler=handler))).connect()
    moved = await peer.request("GET", "/?move")
    assert (moved.status, moved.headers["Location"]) == (302, "/there")
    assert (await peer.request("GET", "/?same")).status == 304
    assert (await peer.request("GET", "/?ok")).body == b"200: OK"
    gone = await peer.request("GET", "/?gone")
    assert (gone.status, gone.body) == (410, b"page of 410")
    assert (await peer.request("GET", "/nowhere")).body == b"page of 404"


async def test_h7_a_started_response_passes_a_rewriting_middleware(serve: Serve) -> None:
    async def rewriting(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            response: Any = await handler(request)
            if response.started:
                with pytest.raises(RuntimeError):
                    response.headers["X-Rewritten"] = "late"
                return response  # type: ignore[no-any-return]
            response.headers["X-Rewritten"] = "yes"
            response.text = response.text.upper()
            return response  # type: ignore[no-any-return]

        return middleware

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query_string == "whole":
            return web.Response(text="whole")
        response = web.StreamResponse()
        response.start(request)
        response.write(b"pieces")
        if request.query_string == "ended":
            await response.write_eof()
        return response

    peer = await (await serve(serving(rewriting, handler=handler))).connect()
    for how in ("open", "ended"):
        streamed = await peer.request("GET", f"/?{how}")
        assert (streamed.status, streamed.body) == (200, b"pieces")
        assert "X-Rewritten" not in streamed.headers
    whole = await peer.request("GET", "/?whole")
    assert (whole.headers["X-Rewritten"], whole.body) == ("yes", b"WHOLE")


async def test_h7_another_response_in_place_of_a_started_one_is_cut_and_logged(serve: Serve, caplog: Any) -> None:
    async def careless(app: web.Application, handler: Any) -> Any:
        async def middleware(request: web.Request) -> web.StreamResponse:
            await handler(request)
            return web.Response(text="too late")

        return middleware

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        return response

    octets = await (await serve(serving(careless, handler=handler))).raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"too late" not in octets
    assert not octets.endswith(b"0\r\n\r\n")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["Error handling GET /"]


async def test_h8_companions_append_to_the_list_before_the_start(serve: Serve) -> None:
    trace: list[str] = []
    app = serving(tracing("first", trace))
    assert isinstance(app.middlewares, list)
    app.middlewares.append(tracing("appended", trace))
    app.middlewares.insert(0, tracing("inserted", trace))
    app.middlewares.extend([tracing("extended", trace)])
    await (await serve(app)).request("GET", "/")
    assert trace[:4] == ["inserted in", "first in", "appended in", "extended in"]
    with pytest.raises(RuntimeError, match="the application has started"):
        app.middlewares.append(tracing("late", trace))


async def test_h9_a_factory_is_called_once_and_not_for_each_request(serve: Serve) -> None:
    calls: list[web.Application] = []

    async def factory(app: web.Application, handler: Any) -> Any:
        calls.append(app)
        return handler

    app = serving(factory)
    address = await serve(app)
    assert calls == [app]
    peer = await address.connect()
    for _ in range(10):
        assert (await peer.request("GET", "/")).status == 200
    assert calls == [app]


async def test_h9_without_a_start_the_first_requests_compose_once_together(serve: Serve) -> None:
    calls: list[web.Application] = []

    async def factory(app: web.Application, handler: Any) -> Any:
        calls.append(app)
        await asyncio.sleep(0)
        return handler

    app = serving(factory)
    # A server, as old code makes it: `loop.create_server(app.make_handler())` without `startup`.
    address = await serve(app.make_handler())
    answers = await asyncio.gather(*(address.request("GET", "/") for _ in range(10)))
    assert [answer.body for answer in answers] == [b"hello"] * 10
    assert calls == [app]
