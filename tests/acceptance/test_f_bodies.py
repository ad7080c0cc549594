"""Section F of FEATURES.md, rows F14 to F20: `Response`, what may not have content, and what may not be sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Peer, Serve

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(handler: Handler) -> web.Application:
    """An application that gives every request to one handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


# -- F14 to F16: the content -------------------------------------------------------------------------------------------

OCTETS = "application/octet-stream"
PLAIN = "text/plain; charset=utf-8"
BODIES: list[tuple[dict[str, Any], str | None, bytes]] = [
    ({}, None, b""),
    ({"text": "Привет"}, PLAIN, "Привет".encode()),
    ({"text": ""}, PLAIN, b""),
    ({"text": "<b>", "content_type": "text/html"}, "text/html; charset=utf-8", b"<b>"),
    ({"text": "й", "charset": "koi8-r"}, "text/plain; charset=koi8-r", "й".encode("koi8-r")),
    ({"text": "a", "headers": {"Content-Type": "text/css"}}, "text/css; charset=utf-8", b"a"),
    ({"body": b"ab"}, OCTETS, b"ab"),
    ({"body": bytearray(b"ab")}, OCTETS, b"ab"),
    ({"body": memoryview(b"ab")}, OCTETS, b"ab"),
    ({"body": b"{}", "content_type": "application/json"}, "application/json", b"{}"),
    ({"body": b"a", "content_type": "text/plain", "charset": "ascii"}, "text/plain; charset=ascii", b"a"),
    ({"body": "of the talk"}, PLAIN, b"of the talk"),
]


@pytest.mark.parametrize(("arguments", "content_type", "body"), BODIES)
async def test_f14_content_and_its_type(
    serve: Serve, arguments: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=201, reason="Here", **arguments)

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.status, answer.reason, answer.body) == (201, "Here", body)
    assert answer.headers.get("Content-Type") == content_type
    assert answer.headers.getall("Content-Length") == [str(len(body))]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"body": b"a", "text": "a"}, ValueError),
        ({"text": b"a"}, TypeError),
        ({"text": 1}, TypeError),
        ({"body": 1}, TypeError),
        ({"body": {"a": 1}}, TypeError),
        ({"text": "a", "content_type": "text/html; charset=utf-8"}, ValueError),
        ({"text": "a", "content_type": "text/html", "headers": {"Content-Type": "text/css"}}, ValueError),
        ({"status": 99}, ValueError),
        ({"status": 1000}, ValueError),
    ],
)
async def test_f14_misuse_is_an_error_where_it_is_written(
    serve: Serve, arguments: dict[str, Any], error: type[Exception]
) -> None:
    async def handler(request: web.Request) -> web.Response:
        with pytest.raises(error):
            web.Response(**arguments)
        return web.Response(text="ok")

    assert (await (await serve(answering(handler))).request("GET", "/")).body == b"ok"


async def test_f15_setters_recompute_the_length(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=b"a long first body", headers={"X-A": "1"})
        assert response.content_length == 17
        if request.path == "/body":
            response.body = b"short"
            assert (response.body, response.text) == (b"short", "short")
        elif request.path == "/text":
            response.text = "й"
            assert (response.body, response.content_length) == ("й".encode(), 2)
        else:
            response.body = None
            assert (response.text, response.content_length) == (None, 0)
        return response

    peer = await (await serve(answering(handler))).connect()
    for path, length, body in (("/body", "5", b"short"), ("/text", "2", "й".encode()), ("/none", "0", b"")):
        answer = await peer.request("GET", path)
        assert (answer.headers["Content-Length"], answer.body) == (length, body)


async def test_f16_a_str_body_is_text(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body="Hello, world")
        response.body = "Hello, жизнь"
        return response

    answer = await (await serve(answering(handler))).request("GET", "/")
    assert (answer.headers["Content-Type"], answer.body.decode()) == (PLAIN, "Hello, жизнь")


# -- F17: what never has content ---------------------------------------------------------------------------------------


def plain(status: int) -> Handler:
    """A response with a body at hand."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, body=b"12345")

    return handler


def declared(status: int) -> Handler:
    """A stream that announces its length."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": "5"})
        await response.prepare(request)
        await response.write(b"12345")
        return response

    return handler


def streamed(status: int) -> Handler:
    """A stream that does not know its length."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        await response.write(b"123")
        await response.write_eof(b"45")
        return response

    return handler


def chunked(status: int) -> Handler:
    """A body at hand that is to go out in chunks."""

    async def handler(request: web.Request) -> web.Response:
        response = web.Response(status=status, body=b"12345")
        response.enable_chunked_encoding()
        return response

    return handler


KINDS = [plain, declared, streamed, chunked]


async def head_and_rest(peer: Peer, method: str) -> tuple[Any, bytes]:
    """The head of the answer, and every octet behind it; the server closes."""
    await peer.send(f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return await peer.head(), await peer.until_closed()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 205), ("GET", 304), ("HEAD", 304)]
)
async def test_f17_no_content_on_the_wire(serve: Serve, kind: Any, method: str, status: int) -> None:
    peer = await (await serve(answering(kind(status)))).connect()
    answer, rest = await head_and_rest(peer, method)
    assert answer.status == status
    assert rest == b""
    length, coding = answer.headers.get("Content-Length"), answer.headers.get("Transfer-Encoding")
    if status == 204:
        assert (length, coding) == (None, None)
    elif status == 205:
        assert (length, coding) == ("0", None)
    elif status == 304:
        # RFC 9110 section 15.4.5: the length of the 200, or none.
        assert length in (None, "5")
        assert coding is None
    else:
        assert (length, coding) == (("5", None) if kind in (plain, declared) else (None, "chunked"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)])
async def test_f17_the_next_response_is_read_from_its_begin(serve: Serve, kind: Any, method: str, status: int) -> None:
    app = web.Application()
    app.router.add_route("*", "/", kind(status))
    app.router.add_get("/next", plain(200))
    peer = await (await serve(app)).connect()
    first = f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n"
    await peer.send(f"{first}GET /next HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (await peer.response("HEAD")).status == status
    answer = await peer.response()
    assert (answer.status, answer.body) == (200, b"12345")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [100, 102, 103, 199])
async def test_f17_a_1xx_is_no_final_response_but_a_500(serve: Serve, kind: Any, status: int) -> None:
    # The client would go on waiting, and take what comes next on the connection for the answer to this request.
    octets = await (await serve(answering(kind(status)))).raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    assert octets.startswith(b"HTTP/1.1 500 ")
    assert octets.count(b"HTTP/1.1") == 1
    assert b"12345" not in octets


# -- F18: injection ----------------------------------------------------------------------------------------------------

EVIL = ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b", "a\r\n\r\nHTTP/1.1 200 OK"]
PLACES: dict[str, Callable[[str], web.StreamResponse]] = {
    "name": lambda evil: web.StreamResponse(headers={evil: "v"}),
    "value": lambda evil: web.StreamResponse(headers={"X-A": evil}),
    "reason": lambda evil: web.StreamResponse(reason=evil),
    "content type": lambda evil: web.Response(text="", content_type=evil),
    "charset": lambda evil: web.Response(text="", charset=evil),
    "content type in headers": lambda evil: web.Response(headers={"Content-Type": evil}),
    "cookie name": lambda evil: with_cookie(evil, "v"),
    "cookie value": lambda evil: with_cookie("a", evil),
    "cookie path": lambda evil: with_cookie("a", "v", path=evil),
    "cookie domain": lambda evil: with_cookie("a", "v", domain=evil),
    "cookie expires": lambda evil: with_cookie("a", "v", expires=evil),
    "Set-Cookie": lambda evil: web.Response(headers={"Set-Cookie": evil}),
    "location": lambda evil: web.HTTPFound(evil),
    "location in headers": lambda evil: web.Response(status=302, headers={"Location": evil}),
    "method of Allow": lambda evil: web.HTTPMethodNotAllowed("GET", [evil]),
    "link": lambda evil: web.HTTPUnavailableForLegalReasons(evil),
    "reason of an exception": lambda evil: web.HTTPNotFound(reason=evil),
}


def with_cookie(name: str, value: str, **attributes: Any) -> web.Response:
    """A response that sets one cookie."""
    response = web.Response()
    response.set_cookie(name, value, **attributes)
    return response


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("place", PLACES)
async def test_f18_what_would_split_a_response_is_a_value_error(serve: Serve, place: str, evil: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        with pytest.raises(ValueError):
            await PLACES[place](evil).prepare(request)
        return web.Response(text="unharmed")

    octets = await (await serve(answering(handler))).raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert octets.endswith(b"\r\n\r\nunharmed")
    assert b"Evil" not in octets
    assert octets.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("place", PLACES)
async def test_f18_returned_it_is_a_500_that_is_logged_once(serve: Serve, place: str, caplog: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return PLACES[place](EVIL[0])

    octets = await (await serve(answering(handler))).raw(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert octets.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"Evil" not in octets
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["Error handling GET /x"]


# -- F19 and F20 -------------------------------------------------------------------------------------------------------


async def test_f19_repr_tells_class_reason_and_request(serve: Serve) -> None:
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=404)
        seen.append(repr(response))
        await response.prepare(request)
        seen.append(repr(response))
        seen.append(repr(web.Response(reason="Fine")))
        return response

    await (await serve(answering(handler))).request("GET", "/a%20b?q=1")
    assert seen == [
        "<StreamResponse Not Found not started>",
        "<StreamResponse Not Found GET /a%20b>",
        "<Response Fine not started>",
    ]


async def test_f20_one_response_object_answers_many_requests(serve: Serve) -> None:
    shared = web.Response(text="shared", headers={"X-A": "1"})

    async def handler(request: web.Request) -> web.Response:
        return shared

    address = await serve(answering(handler))
    peers = [await address.connect() for _ in range(5)]
    for _ in range(3):
        answers = await asyncio.gather(*(peer.request("GET", "/") for peer in peers))
        assert [answer.body for answer in answers] == [b"shared"] * 5
    await peers[0].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    assert [(await peers[0].response()).headers["X-A"] for _ in range(3)] == ["1"] * 3


async def test_f20_with_cookies_it_answers_one(serve: Serve) -> None:
    shared = web.Response(text="shared")
    shared.set_cookie("session", "of the first client")

    async def handler(request: web.Request) -> web.Response:
        return shared

    address = await serve(answering(handler))
    assert "session" in (await address.request("GET", "/")).headers["Set-Cookie"]
    second = await address.request("GET", "/")
    assert second.status == 500
    assert "Set-Cookie" not in second.headers


async def test_f20_a_shared_stream_never_crosses_bodies(serve: Serve) -> None:
    shared = web.StreamResponse()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await shared.prepare(request)
        await shared.write(b"for " + request.path.encode())
        begun.set()
        await go_on.wait()
        return shared

    address = await serve(answering(handler))
    first = asyncio.create_task(address.request("GET", "/first"))
    await begun.wait()
    second = await address.request("GET", "/second")
    go_on.set()
    assert second.status == 500
    assert b"for" not in second.body
    assert (await first).body == b"for /first"


async def test_f20_a_response_prepared_for_one_client_is_no_answer_to_another(serve: Serve) -> None:
    shared = web.Response(text="shared")
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/first":
            await shared.prepare(request)
            waiting.set()
            await go_on.wait()
        return shared

    address = await serve(answering(handler))
    first = asyncio.create_task(address.request("GET", "/first"))
    await waiting.wait()
    assert (await address.request("GET", "/second")).status == 500
    go_on.set()
    assert (await first).body == b"shared"
