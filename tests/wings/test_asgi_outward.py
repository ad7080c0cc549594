"""An aioweb application as an ASGI application: the specification, row by row, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from aioweb import web
from tests.wings.asgi_server import GONE, HTTP, REQUEST, Call, call, content_of
from tests.wings.asgi_table import Table

spec = Table("http")


async def see(served: Callable[..., Any], scope: dict[str, Any], *messages: dict[str, Any]) -> web.Request:
    """The request that a handler gets for this scope, its content read."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        # What is asked of the connection has to be asked as long as there is one.
        request["seen"] = {name: getattr(request, name) for name in ("remote", "host", "path", "raw_path")}
        request["url"] = str(request.url)
        request["scope"] = request.get_extra_info("asgi.scope")
        request["peername"] = request.get_extra_info("peername")
        request["sockname"] = request.get_extra_info("sockname")
        return web.Response()

    sent = await call(await served(handler), scope, *(messages or (REQUEST,)))
    assert sent[0]["status"] == 200, sent
    return seen[0]


# -- the scope of a request --------------------------------------------------------------------------------------------


@spec("http", "type", "asgi", "method", "http_version", "headers")
async def test_method_version_and_headers_are_those_of_the_scope(served: Any) -> None:
    headers = [(b"host", b"example.org"), (b"x-name", b"J\xc3\xbcrgen"), (b"x-name", b"2"), (b"te", b"trailers")]
    request = await see(served, {**HTTP, "method": "PURGE", "headers": headers})
    assert request.method == "PURGE"
    assert request.version == (1, 1)
    assert list(request.headers.items()) == [
        ("host", "example.org"),
        ("x-name", "Jürgen"),
        ("x-name", "2"),
        ("te", "trailers"),
    ]
    assert (await see(served, {**HTTP, "http_version": "1.0"})).version == (1, 0)
    assert (await see(served, {**HTTP, "http_version": "2"})).version == (1, 1)


@spec("http", "path", "raw_path", "query_string")
@pytest.mark.parametrize(
    ("scope", "path", "raw_path"),
    [
        ({"path": "/a b/ä", "raw_path": b"/a%20b/%c3%a4"}, "/a b/ä", "/a%20b/%c3%a4"),
        ({"path": "/a/b", "raw_path": b"/a%2Fb"}, "/a/b", "/a%2Fb"),
        ({"path": "/100%/ä", "raw_path": None}, "/100%/ä", "/100%25/%C3%A4"),
        ({"path": "/", "raw_path": b"/", "query_string": b"a=1&b=%20"}, "/", "/?a=1&b=%20"),
        ({"path": "//x", "raw_path": b"//x"}, "//x", "//x"),
        ({"path": "/a\nb", "raw_path": b"/a\nb"}, "/a\nb", "/a%0Ab"),
    ],
)
async def test_the_path_is_matched_decoded_and_known_as_it_was_sent(
    served: Any, scope: dict[str, Any], path: str, raw_path: str
) -> None:
    request = await see(served, {**HTTP, **scope})
    assert (request["seen"]["path"], request["seen"]["raw_path"]) == (path, raw_path)


@spec("http", "root_path")
@pytest.mark.parametrize(
    ("root", "path", "raw_path", "below"),
    [
        ("/root", "/root/a b", b"/root/a%20b", "/a%20b"),
        ("/root", "/a", b"/a", "/a"),  # a server that takes it away itself
        ("/root", "/rooted", b"/rooted", "/rooted"),
        ("/root", "/root", b"/root", "/"),
        ("/ä", "/ä/x", b"/%C3%A4/x", "/x"),
        ("/ä", "/ä/x", b"/%c3%a4/x", "/x"),
        ("/root", "/root/x", None, "/x"),
        ("/", "/x", b"/x", "/x"),
    ],
)
async def test_routes_are_below_the_root_path(
    served: Any, root: str, path: str, raw_path: bytes | None, below: str
) -> None:
    request = await see(served, {**HTTP, "root_path": root, "path": path, "raw_path": raw_path})
    assert request["seen"]["raw_path"] == below
    assert request["scope"]["root_path"] == root
    assert request["url"] == f"http://example.org{quote(root.rstrip('/'))}{below}"


@spec("http", "scheme", "client", "server", "state", "extensions")
async def test_client_server_and_scheme_are_those_of_the_scope(served: Any) -> None:
    scope = {**HTTP, "scheme": "https", "state": {"pool": 1}, "extensions": {"tls": {}}}
    request = await see(served, scope)
    assert request["seen"]["remote"] == "192.0.2.1"
    assert request["url"] == "https://example.org/"
    assert request["peername"] == ("192.0.2.1", 4321)
    assert request["sockname"] == ("192.0.2.2", 80)
    assert request["scope"] is scope
    unknown = await see(served, {**HTTP, "client": None, "server": ("/run/sock", None), "headers": []})
    assert unknown["seen"]["remote"] is None
    assert unknown["seen"]["host"] == "localhost"
    of_text = await see(served, {**HTTP, "client": ("::1", "80"), "server": ("::1", "81"), "headers": []})
    assert of_text["seen"]["host"] == "[::1]:81"
    assert of_text["peername"] == ("::1", 80)


async def test_a_field_that_would_be_two_is_refused(served: Any) -> None:
    asgi_app = await served(lambda request: None)
    with pytest.raises(ValueError, match="control character"):
        await call(asgi_app, {**HTTP, "headers": [(b"a", b"1\r\nb: 2")]}, REQUEST)


async def test_what_our_parser_refuses_is_a_400(served: Any) -> None:
    headers = [(b"host", b"a"), (b"content-length", b"1"), (b"content-length", b"2")]
    sent = await call(await served(lambda request: None), {**HTTP, "headers": headers}, REQUEST)
    assert sent[0]["status"] == 400


# -- its content -------------------------------------------------------------------------------------------------------


async def echo(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


@spec("http.request", "body", "more_body")
@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [(b"content-length", b"6")]),
        ("1.1", [(b"transfer-encoding", b"chunked")]),
        ("2", []),
        ("2", [(b"content-length", b"6")]),
    ],
)
async def test_content_comes_in_pieces(served: Any, version: str, headers: list[tuple[bytes, bytes]]) -> None:
    scope = {**HTTP, "method": "POST", "http_version": version, "headers": [*HTTP["headers"], *headers]}
    sent = await call(
        await served(echo),
        scope,
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"def"},
    )
    assert content_of(sent) == b"abcdef"


async def test_a_request_of_http2_without_content_has_none(served: Any) -> None:
    request = await see(served, {**HTTP, "http_version": "2"})
    assert not request.body_exists


async def test_content_that_nobody_reads_is_not_asked_for_without_end(served: Any) -> None:
    read = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await read.wait()
        return web.Response(body=await request.content.read(-1) and b"read")

    headers = [*HTTP["headers"], (b"transfer-encoding", b"chunked")]
    asgi_app = await served(handler, limits=web.Limits(read_buffer=1000))
    pieces = [{"type": "http.request", "body": bytes(400), "more_body": True}] * 50
    async with Call(asgi_app, {**HTTP, "method": "POST", "headers": headers}, *pieces) as post:
        asked = -1
        while asked != post.asked:
            asked = post.asked
            for _ in range(20):
                await asyncio.sleep(0)
        assert post.asked < 10
        read.set()
        post.give({"type": "http.request"})
    assert content_of(post.sent) == b"read"


@pytest.mark.parametrize("reads", [True, False])
async def test_content_that_waits_for_100_continue_is_asked_for_when_a_handler_reads(served: Any, reads: bool) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        for _ in range(20):
            await asyncio.sleep(0)
        asked.append(post.asked)
        return web.Response(body=await request.read() if reads else b"no")

    headers = [*HTTP["headers"], (b"expect", b"100-continue"), (b"content-length", b"2")]
    messages = [{"type": "http.request", "body": b"ok"}] if reads else []
    post = Call(await served(handler), {**HTTP, "method": "POST", "headers": headers}, *messages)
    async with post:
        pass
    assert asked == [0]
    assert content_of(post.sent) == (b"ok" if reads else b"no")
    assert [message["type"] for message in post.sent] == ["http.response.start", "http.response.body"]


# -- the response ------------------------------------------------------------------------------------------------------


@spec("http.response.start", "status", "headers")
@spec("http.response.body", "body", "more_body")
async def test_a_response_is_two_messages(served: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(status=201, text="ja", headers={"X-Name": "Jürgen", "Connection": "close"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    assert await call(await served(handler), HTTP, REQUEST) == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"x-name", "Jürgen".encode()),
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"set-cookie", b"a=1; Path=/"),
                (b"set-cookie", b"b=2; Path=/"),
                (b"content-length", b"2"),
            ],
        },
        {"type": "http.response.body", "body": b"ja", "more_body": False},
    ]


async def test_a_stream_is_sent_as_it_is_written_and_1xx_are_not(served: Any) -> None:
    go_on = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        request.send_early_hints("</a.css>; rel=preload")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(b"one")
        await go_on.wait()
        await response.write(b"two")
        return response

    async with Call(await served(handler), HTTP, REQUEST) as get:
        await get.until("http.response.body")
        assert get.sent == [
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]},
            {"type": "http.response.body", "body": b"one", "more_body": True},
        ]
        go_on.set()
    assert get.sent[-1]["more_body"] is False
    assert content_of(get.sent) == b"onetwo"


@pytest.mark.parametrize(
    ("scope", "status", "content"),
    [({"method": "HEAD"}, 200, b""), ({}, 204, b""), ({}, 304, b""), ({"http_version": "1.0"}, 200, b"streamed")],
)
async def test_responses_without_content_and_to_http_1_0_have_an_end(
    served: Any, scope: dict[str, Any], status: int, content: bytes
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        if status == 200:
            await response.write(b"streamed")
        return response

    sent = await call(await served(handler), {**HTTP, **scope}, REQUEST)
    assert content_of(sent) == content
    assert [message["more_body"] for message in sent[1:]][-1] is False
    assert b"connection" not in dict(sent[0]["headers"])


@spec("http.response.start", "trailers")
@spec("http.response.trailers", "headers", "more_trailers")
@pytest.mark.parametrize("offered", [True, False])
async def test_trailers_are_sent_where_the_server_takes_them(served: Any, offered: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.trailers["X-Sum"] = "6"
        await response.prepare(request)
        await response.write(b"abc")
        return response

    scope = {**HTTP, "extensions": {"http.response.trailers": {}} if offered else {}}
    sent = await call(await served(handler), scope, REQUEST)
    assert content_of(sent) == b"abc"
    assert sent[0].get("trailers", False) is offered
    last = {"type": "http.response.trailers", "headers": [(b"x-sum", b"6")], "more_trailers": False}
    assert (sent[-1] == last) is offered
    assert ((b"trailer", b"X-Sum") in sent[0]["headers"]) is offered


async def test_a_slow_client_makes_the_handler_wait(served: Any) -> None:
    written = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(bytes(10_000))
            written += 10_000
        return response

    taken = asyncio.Event()

    async def wait(message: dict[str, Any]) -> None:
        await taken.wait()

    get = Call(await served(handler, limits=web.Limits(write_buffer=20_000)), HTTP, REQUEST)
    get.before_send = wait
    async with get:
        before = -1
        while before != written or not written:
            before = written
            for _ in range(20):
                await asyncio.sleep(0)
        assert written < 500_000
        taken.set()
    assert len(content_of(get.sent)) == 1_000_000


async def test_a_handler_that_fails_is_a_500_and_in_mid_response_an_exception(
    served: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/late":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"a")
        raise ZeroDivisionError("on purpose")

    asgi_app = await served(handler)
    assert (await call(asgi_app, HTTP, REQUEST))[0]["status"] == 500
    with pytest.raises(ConnectionAbortedError):
        await call(asgi_app, {**HTTP, "path": "/late", "raw_path": b"/late"}, REQUEST)
    assert [record.message.split(":")[0][:14] for record in caplog.records] == ["Error handling"] * 2


async def test_the_call_ends_when_the_handler_does(served: Any) -> None:
    done = []

    async def handler(request: web.Request) -> web.Response:
        response = web.Response(text="soon")
        await response.prepare(request)
        await response.write_eof()
        await get.until("http.response.body")
        get.give(GONE)  # what servers say when the response is complete
        for _ in range(20):
            await asyncio.sleep(0)
        done.append(request.transport is not None)
        return response

    get = Call(await served(handler, handler_cancellation=True), HTTP, REQUEST)
    async with get:
        pass
    assert done == [True]


# -- the client goes ---------------------------------------------------------------------------------------------------


@spec("http.disconnect")
@pytest.mark.parametrize("cancels", [True, False])
async def test_a_handler_learns_that_its_client_is_gone(served: Any, cancels: bool) -> None:
    ends: list[str] = []
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        try:
            if cancels:
                await asyncio.sleep(3600)
            ends.append(f"told {await request.disconnected()}")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        finally:
            ended.set()
        return web.Response()

    async with Call(await served(handler, handler_cancellation=cancels), HTTP, REQUEST) as get:
        await begun.wait()
        get.give(GONE)
    await asyncio.wait_for(ended.wait(), 10)
    assert get.sent == []
    assert ends == ["cancelled" if cancels else "told True"]


async def test_an_upload_that_ends_too_early_is_no_whole_one(served: Any) -> None:
    seen: list[BaseException] = []
    over = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        try:
            await request.read()
        except web.BodyError as error:
            seen.append(error)
        over.set()
        return web.Response()

    headers = [*HTTP["headers"], (b"content-length", b"10")]
    piece = {"type": "http.request", "body": b"abc", "more_body": True}
    await call(await served(handler), {**HTTP, "method": "PUT", "headers": headers}, piece, GONE)
    await asyncio.wait_for(over.wait(), 10)
    assert isinstance(seen[0], web.BodyInterrupted)


async def test_a_call_that_is_cancelled_has_no_client_any_more(served: Any) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        assert await request.disconnected()
        ended.set()
        return web.Response()

    get = await Call(await served(handler), HTTP, REQUEST).__aenter__()
    await begun.wait()
    get.task.cancel()
    await asyncio.wait([get.task])
    assert get.task.cancelled()
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_send_that_raises_oserror_tells_it_too(served: Any) -> None:
    async def fail(message: dict[str, Any]) -> None:
        raise BrokenPipeError

    gone = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"a")
        finally:
            gone.set()

    get = Call(await served(handler), HTTP, REQUEST)
    get.before_send = fail
    async with get:
        pass
    await asyncio.wait_for(gone.wait(), 10)


async def test_a_server_that_breaks_its_own_protocol_hears_of_it(served: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        await request.disconnected()
        return web.Response()

    asgi_app = await served(handler)

    async def receive() -> Any:
        raise KeyError("on purpose")

    async def send(message: Any) -> None:
        raise AssertionError

    with pytest.raises((KeyError, ConnectionAbortedError)):
        await asgi_app(HTTP, receive, send)


def test_every_row_of_the_specification_is_tested() -> None:
    assert spec.left == set()
