"""FEATURES.md section O: where the generations disagree, this is what was decided.

Rows O1 to O4, O5 (responses), O6, O7, O9 (requests), O10, O14, O15 and O17. The rest belongs to later issues, O8 to the
access log.
"""

from __future__ import annotations

import asyncio
import gc
import json
import types
import warnings

import pytest
from yarl import URL

from aioweb import web
from tests.conftest import Serve


async def show(request: web.Request) -> web.Response:
    """A handler that answers with the parts of the path."""
    return web.json_response(dict(request.match_info))


async def hello(request: web.Request) -> web.Response:
    """A handler that greets."""
    return web.Response(text="hello")


def greeting(*middlewares) -> web.Application:
    """An application that greets, behind these middlewares."""
    app = web.Application(middlewares=middlewares)
    app.router.add_get("/", hello)
    return app


# -- O1 to O4: URLs and routes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{"a": "b", "c": "d"}, [("a", "b"), ("c", "d")], "a=b&c=d", "?a=b&c=d"])
def test_o1_a_query_may_be_a_mapping_pairs_or_text_with_or_without_its_mark(query):
    router = web.UrlDispatcher()
    literal = router.add_route("GET", "/root", show, name="root")
    dynamic = router.add_route("GET", "/{x}", show, name="x")
    assert literal.url(query=query) == router["root"].url(query=query) == "/root?a=b&c=d"
    assert dynamic.url(parts={"x": 1}, query=query) == router["x"].url(parts={"x": 1}, query=query) == "/1?a=b&c=d"


def test_o2_url_is_text_and_url_for_a_url():
    router = web.UrlDispatcher()
    for added in (router.add_route("GET", "/{x}", show), router.add_resource("/other/{x}")):
        assert type(added.url(parts={"x": "1"})) is str
        assert added.url(parts={"x": "1"}).replace("1", "2").endswith("/2")
        assert type(added.url_for(x="1")) is URL
        assert added.url(parts={"x": "a b"}) == str(added.url_for(x="a b"))


async def test_o3_raw_path_has_the_query_and_query_string_is_decoded(serve):
    async def handler(request):
        return web.json_response([request.raw_path, request.path, request.path_qs, request.query_string])

    app = web.Application()
    app.router.add_get("/{x:.*}", handler)
    address = await serve(app)
    said = json.loads((await address.request("GET", "/a%20b?c=%C3%A4+d")).body)
    assert said == ["/a%20b?c=%C3%A4+d", "/a b", "/a%20b?c=%C3%A4+d", "c=ä d"]


async def test_o4_first_registered_wins_although_routes_are_indexed(serve):
    app = web.Application()
    app.router.add_get("/users/{name}", lambda request: web.Response(text="part"))
    app.router.add_get("/users/me", lambda request: web.Response(text="literal"))
    address = await serve(app)
    assert (await address.request("GET", "/users/me")).body == b"part"


# -- O5: responses in both generations ---------------------------------------------------------------------------------


@types.coroutine
def stream_as_0_17(request):
    """Plain calls, nothing awaited but drain()."""
    response = web.StreamResponse(headers={"X-Style": "0.17"})
    response.enable_chunked_encoding()
    writer = response.start(request)
    assert response.started
    assert writer is not None
    for part in (b"a", b"b" * 100_000):
        response.write(part)
        yield from response.drain()
    yield from response.write_eof()
    return response


async def stream_as_today(request):
    """Everything awaited."""
    response = web.StreamResponse(headers={"X-Style": "3"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    assert response.prepared
    await response.write(b"a")
    await response.write(b"b" * 100_000)
    await response.write_eof()
    return response


async def stream_without_waiting(request):
    """Nothing awaited at all."""
    response = web.StreamResponse()
    response.start(request)
    response.write(b"a")
    response.write(b"b" * 100_000)
    response.write_eof()
    return response


@pytest.mark.parametrize("handler", [stream_as_0_17, stream_as_today, stream_without_waiting])
async def test_o5_writing_acts_at_once_and_may_be_awaited_or_dropped(handler, serve):
    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert (await peer.request("GET", "/")).body == b"a" + b"b" * 100_000
        gc.collect()  # an awaitable that was dropped would complain now


async def test_o5_start_says_so_when_a_hook_has_to_wait(serve, caplog):
    async def hook(request, response):
        await request.read()

    async def handler(request):
        response = web.StreamResponse()
        with pytest.raises(RuntimeError, match="prepare"):
            response.start(request)
        return web.Response(text="told")

    app = web.Application()
    app.on_response_prepare.append(hook)
    app.router.add_post("/", handler)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert (await peer.head()).status == 100, "the handler runs before the content is there"
    await peer.send(b"x")
    assert (await peer.response()).body == b"told"


# -- O6, O17: the state of an application ------------------------------------------------------------------------------


async def test_o6_a_mapping_for_text_and_typed_keys_before_init_too(serve):
    count = web.AppKey("count", int)

    class Project(web.Application):
        """As the talk writes it: state first."""

        def __init__(self, **options):
            self["settings"] = {"debug": True}
            super().__init__(**options)
            self[count] = 1

    app = Project()
    app.router.add_get("/", lambda request: web.json_response([request.app["settings"], request.app[count]]))
    address = await serve(app)
    assert json.loads((await address.request("GET", "/")).body) == [{"debug": True}, 1]
    assert app.get("none") is None
    assert set(app) == {"settings", count}
    assert web.AppKey("count", int) not in app, "keys of one name are different"
    app.update(other=2)
    assert app.pop("other") == 2


async def test_o17_state_may_change_while_serving_and_routes_may_not(serve):
    async def handler(request):
        request.app["seen"] = request.app.get("seen", 0) + 1
        with pytest.raises(RuntimeError, match="started"):
            request.app.router.add_get("/new", hello)
        with pytest.raises(RuntimeError, match="started"):
            request.app.middlewares.append(web.normalize_path_middleware())
        return web.json_response(request.app["seen"])

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [(await address.request("GET", "/")).body for _ in range(3)] == [b"1", b"2", b"3"]


# -- O7, O9: signatures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: web.HTTPRequestEntityTooLarge(),
        lambda: web.HTTPRequestEntityTooLarge(text="too much"),
        lambda: web.HTTPRequestEntityTooLarge(10, 20),
        lambda: web.HTTPRequestEntityTooLarge(max_size=10, actual_size=20),
        lambda: web.HTTPRequestEntityTooLarge(10, 20, text="too much"),
    ],
)
async def test_o7_413_takes_both_signatures(make, serve):
    def handler(request):
        raise make()

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.status == 413
    if make().text == "too much":
        assert answer.body == b"too much"
    elif b"10" in answer.body:
        assert b"20" in answer.body


@pytest.mark.parametrize("argument", ["loader", "loads"])
async def test_o9_json_takes_loader_and_loads(argument, serve):
    async def handler(request):
        return web.Response(text=await request.json(**{argument: lambda text: f"read {text}"}))

    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app)
    assert (await address.request("POST", "/", body=b"{")).body == b"read {"


# -- O10: middlewares --------------------------------------------------------------------------------------------------


async def factory(app, handler):
    async def middleware(request):
        response = await handler(request)
        response.headers.add("X-Seen", "factory")
        return response

    return middleware


@types.coroutine
def generator_factory(app, handler):
    async def middleware(request):
        response = await handler(request)
        response.headers.add("X-Seen", "generator")
        return response

    return middleware
    yield


@web.middleware
async def marked(asked, following):
    response = await following(asked)
    response.headers.add("X-Seen", "marked")
    return response


async def unmarked(request, handler):
    response = await handler(request)
    response.headers.add("X-Seen", "unmarked")
    return response


async def test_o10_generations_are_told_apart_and_mix(serve):
    address = await serve(greeting(factory, marked, unmarked, generator_factory))
    answer = await address.request("GET", "/")
    assert answer.headers.getall("X-Seen") == ["generator", "unmarked", "marked", "factory"]
    assert answer.body == b"hello"


async def unclear(first, second):
    """Either."""


async def one_argument(request):
    """Neither."""


def no_coroutine(app, handler):
    """Nor this."""


@pytest.mark.parametrize("middleware", [unclear, one_argument, no_coroutine, None, "name"])
def test_o10_what_is_unclear_is_refused_with_what_to_write(middleware):
    with pytest.raises(TypeError) as caught:
        web.Application(middlewares=[middleware])
    assert repr(middleware) in str(caught.value)
    if middleware is unclear:
        assert "@web.middleware" in str(caught.value)
        assert "(app, handler)" in str(caught.value)
    with pytest.raises(TypeError):
        web.Application().middlewares.append(middleware)


# -- O14, O15: framing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [web.Response, web.StreamResponse])
async def test_o14_a_101_is_never_chunked(kind, serve):
    async def handler(request):
        response = kind(status=101, headers={"Upgrade": "own"})
        await response.prepare(request)
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n")
    head = await peer.head()
    assert head.status == 101
    assert "Transfer-Encoding" not in head.headers
    assert "Content-Length" not in head.headers


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize("chunked", [True, False])
async def test_o15_whatever_kind_of_bytes_is_written_arrives(kind, chunked, serve):
    async def handler(request):
        response = web.StreamResponse()
        if chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = 25
        await response.prepare(request)
        for part in (b"0123456789", b"abcdefghij", b"", b"HTTP/"):
            await response.write(kind(part))
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    for _ in range(2):
        assert (await peer.request("GET", "/")).body == b"0123456789abcdefghijHTTP/"


@pytest.mark.parametrize("view", [lambda data: memoryview(data)[2:8], lambda data: memoryview(data)[::2]])
async def test_o15_a_part_of_a_view_is_what_arrives(view, serve):
    data = b"0123456789"

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(view(data))
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == bytes(view(data))


async def test_o15_bytes_that_change_after_they_were_written_arrive_as_they_were(serve):
    async def handler(request):
        response = web.StreamResponse()
        response.start(request)
        buffer = bytearray(100_000)
        for number in range(20):
            buffer[:] = bytes([number]) * len(buffer)
            response.write(buffer)
        response.write_eof()
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    expected = b"".join(bytes([number]) * 100_000 for number in range(20))
    assert (await address.request("GET", "/")).body == expected


@pytest.mark.parametrize("log_format", ['%a "%r" %s', '%(h)s "%(r)s" %(s)s'])
async def test_o8_both_dialects_of_the_access_log_are_understood(
    serve: Serve, log_format: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="aioweb.access")
    app = web.Application()
    address = await serve(app, access_log_format=log_format)
    await address.request("GET", "/nothing")
    assert [record.getMessage() for record in caplog.records] == ['127.0.0.1 "GET /nothing HTTP/1.1" 404']


@pytest.mark.parametrize("server_wide", [False, True])
@pytest.mark.parametrize("for_the_route", [None, False, True])
async def test_o16_cancellation_by_server_and_by_route(
    serve: Serve, server_wide: bool, for_the_route: bool | None
) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    @web.middleware
    async def choose(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        request.handler_cancellation = for_the_route
        return await handler(request)

    async def wait(request: web.Request) -> web.Response:
        begun.set()
        try:
            while request.transport is not None:
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            ended.set_result("finished")
        except asyncio.CancelledError:
            ended.set_result("cancelled")
            raise
        return web.Response()

    app = web.Application()
    app.router.add_get("/", wait, middlewares=[choose])
    address = await serve(app, handler_cancellation=server_wide)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await begun.wait()
    peer.abort()
    wanted = server_wide if for_the_route is None else for_the_route
    assert await asyncio.wait_for(ended, 5) == ("cancelled" if wanted else "finished")


async def test_o18_all_values_of_a_multidict_come_by_items(serve: Serve) -> None:
    async def show(request: web.Request) -> web.Response:
        return web.json_response(list(request.query.items()))

    app = web.Application()
    app.router.add_get("/", show)
    address = await serve(app)
    assert (await address.request("GET", "/?a=1&a=2")).body == b'[["a", "1"], ["a", "2"]]'
