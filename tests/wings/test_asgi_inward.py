"""HTTP of an ASGI application that is mounted in aioweb: the specification, row by row, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import asgi, web
from tests.wings.asgi_table import Table

spec = Table("http")
Part = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def mounted(serve: Any) -> Callable[..., Any]:
    """`await mounted(part)`: where an application that only answers requests is served, below /app."""

    async def mount(part: Part, prefix: str = "/app", **options: Any) -> Any:
        app = web.Application()
        asgi.mount(app, prefix, part, lifespan=False)
        return await serve(app, **options)

    return mount


def sending(*messages: dict[str, Any]) -> Part:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


async def body(send: Any, content: bytes = b"", **more: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": content, **more})


# -- the scope ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def scope_of(mounted: Any) -> Callable[..., Any]:
    """`await scope_of(target, *lines)`: the scope of a GET."""

    async def ask(target: str, *lines: str, prefix: str = "/app", method: str = "GET", **options: Any) -> Any:
        scopes: list[Any] = []

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            scopes.append(scope)
            await body(send)

        address = await mounted(app, prefix, **options)
        assert (await address.request(method, target, *lines)).status == 200
        return scopes[0], address

    return ask


@spec("http", "type", "asgi", "http_version", "method", "headers", "scheme", "client", "server", "extensions", "state")
async def test_the_scope_tells_of_request_and_connection(scope_of: Any) -> None:
    scope, address = await scope_of("/app/", "Host: a.example", "X-Name: J\u00fcrgen", "X-Name: 2", method="PURGE")
    request = scope.pop("aioweb.request")
    client = scope.pop("client")
    assert client[0] == "127.0.0.1"
    assert client[1] == request.writer.peername[1]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "PURGE",
        "scheme": "http",
        "path": "/app/",
        "raw_path": b"/app/",
        "query_string": b"",
        "root_path": "/app",
        "headers": [(b"host", b"a.example"), (b"x-name", "Jürgen".encode()), (b"x-name", b"2")],
        "server": ("127.0.0.1", address.port),
        "extensions": {},
    }


@spec("http", "path", "raw_path", "query_string", "root_path")
@pytest.mark.parametrize(
    ("prefix", "target", "root_path", "path", "raw_path", "query"),
    [
        ("/app", "/app", "/app", "/app", b"/app", b""),
        ("/app/", "/app/x?a=%20&b", "/app", "/app/x", b"/app/x", b"a=%20&b"),
        ("/app", "/app/a%20b/%c3%a4%2Fc", "/app", "/app/a b/ä/c", b"/app/a%20b/%c3%a4%2Fc", b""),
        ("/app", "/%61pp/x", "/app", "/app/x", b"/%61pp/x", b""),
        ("/a/ä", "/a/%C3%A4//x", "/a/ä", "/a/ä//x", b"/a/%C3%A4//x", b""),
        ("/", "/x/y", "", "/x/y", b"/x/y", b""),
        ("", "/", "", "/", b"/", b""),
        ("/app", "/app/%ff", "/app", "/app/\ufffd", b"/app/%ff", b""),
        ("/app", "http://other.example/app/x", "/app", "/app/x", b"/app/x", b""),
    ],
)
async def test_the_path_is_whole_and_the_root_path_is_the_prefix(
    scope_of: Any, prefix: str, target: str, root_path: str, path: str, raw_path: bytes, query: bytes
) -> None:
    scope, _ = await scope_of(target, prefix=prefix)
    found = (scope["root_path"], scope["path"], scope["raw_path"], scope["query_string"])
    assert found == (root_path, path, raw_path, query)


async def test_a_trusted_proxy_is_believed(scope_of: Any) -> None:
    lines = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example")
    fields = [line.partition(":")[0] for line in lines]
    scope, _ = await scope_of("/app", *lines, forwarded=web.TrustedProxies("127.0.0.1", fields=fields))
    assert (scope["client"], scope["scheme"]) == (("192.0.2.7", 0), "https")
    assert dict(scope["headers"])[b"host"] == b"public.example"


# -- the content -------------------------------------------------------------------------------------------------------


@spec("http.request", "body", "more_body")
async def test_content_is_received_in_pieces_as_it_comes(mounted: Any) -> None:
    pieces: list[Any] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send(START)
        more = True
        while more:
            message = await receive()
            pieces.append((message["body"], message["more_body"]))
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"].upper(), "more_body": more})

    peer = await (await mounted(app)).connect()
    await peer.send(b"POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert (await peer.head()).status == 200
    assert await peer.reader.readuntil(b"ABC\r\n") == b"3\r\nABC\r\n"
    await peer.send(b"3\r\ndef\r\n0\r\n\r\n")
    assert await peer.reader.readuntil(b"0\r\n\r\n") == b"3\r\nDEF\r\n0\r\n\r\n"
    assert b"".join(content for content, _ in pieces) == b"abcdef"
    assert [more for _, more in pieces][-1] is False


async def test_a_request_without_content_is_one_message(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await body(send)
        assert await receive() == {"type": "http.disconnect"}  # the response is complete

    address = await mounted(app)
    assert (await address.request("GET", "/app")).status == 200


async def test_a_slow_application_makes_the_client_wait(mounted: Any) -> None:
    go_on = asyncio.Event()
    sizes = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await go_on.wait()
        while (message := await receive())["more_body"]:
            sizes.append(len(message["body"]))
        await body(send)

    size = 30_000_000
    peer = await (await mounted(app)).connect()
    peer.writer.write(b"PUT /app HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(peer.writer.drain(), 0.2)
    go_on.set()
    assert (await peer.response()).status == 200
    assert max(sizes) < 1_000_000


async def test_content_that_waits_for_an_invitation_is_invited_when_it_is_received(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await body(send, (await receive())["body"])

    peer = await (await mounted(app)).connect()
    await peer.send(b"PUT /app HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await peer.head()).status == 100
    await peer.send(b"ok")
    assert (await peer.response()).body == b"ok"


async def test_a_content_coding_is_undone_and_not_told_of(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert {name for name, _ in scope["headers"]} == {b"host"}
        await body(send, (await receive())["body"])

    address = await mounted(app)
    answer = await address.request("PUT", "/app", "Content-Encoding: gzip", body=gzip.compress(b"plain"))
    assert answer.body == b"plain"


@pytest.mark.parametrize("catches", [True, False])
async def test_what_a_client_does_wrong_is_its_own_fault(
    mounted: Any, catches: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        assert message == {"type": "http.disconnect"}
        if not catches:
            raise ValueError("what frameworks raise")

    address = await mounted(app)
    answer = await address.raw(b"PUT /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- the response ------------------------------------------------------------------------------------------------------


@spec("http.response.start", "status", "headers")
async def test_status_and_headers_are_sent_as_they_are(mounted: Any) -> None:
    headers = [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-name", "Jürgen".encode()),
        (b"x-raw", b"\xff"),
        (b"content-type", b"text/plain"),
        (b"date", b"Mon, 01 Jan 2024 00:00:00 GMT"),
        (b"server", b"theirs"),
        (b"transfer-encoding", b"chunked"),
    ]
    start = {**START, "status": 299, "headers": headers}
    address = await mounted(sending(start, {"type": "http.response.body", "body": b"content"}))
    answer = await address.request("GET", "/app")
    assert (answer.status, answer.body) == (299, b"content")
    lines = [b"%b: %b" % pair for pair in headers[:-1]] + [b"Content-Length: 7"]
    assert answer.raw_head.split(b"\r\n")[1:-2] == lines


@spec("http.response.body", "body", "more_body")
@pytest.mark.parametrize(
    ("messages", "method", "content", "length"),
    [
        ([{"body": b"all"}], "GET", b"all", "3"),
        ([{}], "GET", b"", "0"),
        ([{"body": b"a", "more_body": True}, {"body": b"b", "more_body": True}, {}], "GET", b"ab", None),
        ([{"body": bytearray(b"a")}], "GET", b"a", "1"),
        ([{"body": memoryview(b"ab")}], "GET", b"ab", "2"),
        ([{"body": b"all"}], "HEAD", b"", "3"),
    ],
)
async def test_content_is_sent_with_its_length_or_in_chunks(
    mounted: Any, messages: list[dict[str, Any]], method: str, content: bytes, length: str | None
) -> None:
    address = await mounted(sending(START, *({"type": "http.response.body", **each} for each in messages)))
    answer = await address.request(method, "/app")
    assert answer.body == content
    assert answer.headers.get("Content-Length") == length


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_content_has_none(mounted: Any, status: int) -> None:
    address = await mounted(sending({**START, "status": status}, {"type": "http.response.body", "body": b"x"}))
    peer = await address.connect()
    for _ in range(2):
        assert (await peer.request("GET", "/app")).status == status


async def test_to_http_1_0_a_stream_ends_with_the_connection(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["http_version"] == "1.0"
        await body(send, b"a", more_body=True)
        await send({"type": "http.response.body", "body": b"b"})

    answer = await (await mounted(app)).raw(b"GET /app HTTP/1.0\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nab")


async def test_the_head_waits_for_the_first_content(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send(START)
        raise ZeroDivisionError("on purpose")

    assert (await (await mounted(app)).request("GET", "/app")).status == 500


@spec("http.response.start", "trailers")
@spec("http.response.trailers", "headers", "more_trailers")
async def test_trailers_are_sent_to_who_takes_them(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        takes = "http.response.trailers" in scope["extensions"]
        await send({**START, "headers": [(b"trailer", b"x-sum")], "trailers": takes})
        await send({"type": "http.response.body", "body": b"abc"})
        if takes:
            one = {"type": "http.response.trailers", "headers": [(b"x-sum", b"6")], "more_trailers": True}
            await send(one)
            await send({"type": "http.response.trailers", "headers": [(b"x-more", b"7")]})

    address = await mounted(app)
    peer = await address.connect()
    await peer.send(b"GET /app HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
    assert (await peer.head()).headers["Trailer"] == "x-sum"
    assert await peer.reader.readuntil(b"7\r\n\r\n") == b"3\r\nabc\r\n0\r\nx-sum: 6\r\nx-more: 7\r\n\r\n"
    assert (await address.request("GET", "/app")).body == b"abc"
    old = await address.raw(b"GET /app HTTP/1.0\r\nTE: trailers\r\nHost: a\r\n\r\n")
    assert old.endswith(b"\r\n\r\nabc")


async def test_what_follows_the_end_is_ignored_and_the_client_does_not_wait_for_it(mounted: Any) -> None:
    go_on = asyncio.Event()
    ended = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await body(send, b"done")
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"more"})
        await send(START)
        ended.append(True)

    peer = await (await mounted(app)).connect()
    assert (await peer.request("GET", "/app")).body == b"done"
    go_on.set()
    assert (await peer.request("GET", "/app")).body == b"done"
    assert ended


async def test_a_slow_client_makes_the_application_wait(mounted: Any) -> None:
    sent = 0
    stuck = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        asyncio.get_running_loop().call_later(0.2, stuck.set)
        for _ in range(30):
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
            sent += 1_000_000
        await send({"type": "http.response.body"})

    peer = await (await mounted(app)).connect()
    await peer.send(b"GET /app HTTP/1.1\r\nHost: a\r\n\r\n")
    await stuck.wait()
    assert sent < 30_000_000
    assert len((await peer.response()).body) == 30_000_000


# -- mistakes ----------------------------------------------------------------------------------------------------------

CONTENT = {"type": "http.response.body", "body": b"content"}
LENGTH_9 = {**START, "headers": [(b"content-length", b"9")]}
LENGTH_3 = {**START, "headers": [(b"content-length", b"3")]}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([CONTENT], "http.response.start must come before"),
        ([START, START], "sent twice"),
        ([], "returned without a response"),
        ([START], "returned without a response"),
        ([{"type": "websocket.accept"}], "must come before"),
        ([START, {"type": "http.response.debug"}], "no message that can be sent"),
        ([{**START, "status": "200"}, CONTENT], "status must be a number"),
        ([{**START, "status": 100}, CONTENT], "status of a final response"),
        ([{**START, "headers": [(b"a", b"1\r\nb: 2")]}, CONTENT], "control character"),
        ([{**START, "headers": [(b"a b", b"1")]}, CONTENT], "not a token"),
        ([{"type": "http.response.start"}, CONTENT], "'status'"),
    ],
)
async def test_a_mistake_before_the_head_is_a_500_and_logged_once(
    mounted: Any, messages: list[dict[str, Any]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await (await mounted(sending(*messages))).connect()
    assert (await peer.request("GET", "/app")).status == 500
    (record,) = caplog.records
    assert record.message == "Error handling GET /app"
    assert record.exc_info is not None
    assert said in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([START, {**CONTENT, "more_body": True}], "returned without the end of its response"),
        ([LENGTH_9, CONTENT], "2 bytes less than the announced"),
        ([LENGTH_3, {**CONTENT, "body": b"con", "more_body": True}, CONTENT], "7 bytes more than the announced"),
        ([START, {**CONTENT, "more_body": True}, START], "sent twice"),
    ],
)
async def test_a_mistake_after_the_head_cuts_the_connection(
    mounted: Any, messages: list[dict[str, Any]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await (await mounted(sending(*messages))).raw(b"GET /app HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head == b"" or head.startswith(b"HTTP/1.1 200 ")
    assert not content.endswith(b"0\r\n\r\n")
    assert len(content) < 9 or b"chunked" in head
    (record,) = caplog.records
    assert record.exc_info is not None
    assert said in str(record.exc_info[1])


async def test_a_mistake_that_the_application_swallows_is_none_the_less_one(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await send(CONTENT)
        except RuntimeError:
            pass

    assert (await (await mounted(app)).request("GET", "/app")).status == 500


# -- the client goes ---------------------------------------------------------------------------------------------------


@spec("http.disconnect")
@pytest.mark.parametrize("how", ["receives", "sends", "raises"])
async def test_an_application_is_told_that_its_client_is_gone(
    mounted: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        begun.set_result(None)
        if how == "sends":
            try:
                await send(START)
                while True:
                    await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})
            except OSError as error:
                told.set_result(error)
                raise LookupError("what frameworks raise") from error
        told.set_result(await receive())
        if how == "raises":
            raise ZeroDivisionError("in consequence")

    peer = await (await mounted(app, handler_cancellation=True)).connect()
    await peer.send(b"GET /app HTTP/1.1\r\nHost: a\r\n\r\n")
    await begun
    peer.abort()
    found = await asyncio.wait_for(told, 10)
    assert found == {"type": "http.disconnect"} or how == "sends"
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_two_tasks_of_the_application_may_receive_and_send(mounted: Any) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await body(send, b"first", more_body=True)
        gone.cancel()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.body", "body": b"second"})
        assert await gone == {"type": "http.disconnect"}

    assert (await (await mounted(app)).request("GET", "/app")).body == b"firstsecond"


async def test_what_cannot_be_mounted_is_refused() -> None:
    app = web.Application()
    with pytest.raises(TypeError, match="callable"):
        asgi.mount(app, "/app", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"is callable with .scope, receive, send., and .* is not$"):
        asgi.mount(app, "/app", lambda environ, start_response: [])  # type: ignore[arg-type, misc]
    with pytest.raises(TypeError, match="is not; add_subapp"):
        asgi.mount(app, "/app", web.Application())  # type: ignore[arg-type]
    asgi.mount(app, "/app", min)  # type: ignore[arg-type]  # compiled: it does not say what it takes
    with pytest.raises(ValueError, match="slash"):
        asgi.mount(app, "app", sending())
    with pytest.raises(ValueError, match="max_msg_size"):
        asgi.mount(app, "/app", sending(), websocket={"max_msg_size": -1})


def test_every_row_of_the_specification_is_tested() -> None:
    assert spec.left == set()
