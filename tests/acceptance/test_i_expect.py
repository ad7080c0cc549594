"""Section I of FEATURES.md, expectations, over real sockets: what the first issue has of it.

Left to the issue on expectations: I2 on static routes. The rest of the section is held already.
"""

from __future__ import annotations

import types
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Peer, Serve

EXPECT = "Expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def ignore(request: web.Request) -> web.Response:
    return web.Response(text="not read")


def serving(handler: Any = echo, **options: Any) -> web.Application:
    """An application with one handler at POST /."""
    app = web.Application(middlewares=options.pop("middlewares", ()))
    app.router.add_route("POST", "/", handler, **options)
    return app


def head(*lines: str, length: int = 5, target: str = "/", method: str = "POST", http: str = "1.1") -> bytes:
    """The head of a request with content."""
    fields = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {length}"))
    return f"{method} {target} HTTP/{http}\r\nHost: a\r\n{fields}\r\n".encode()


async def invited(peer: Peer) -> None:
    """The next octets are the invitation."""
    answer = await peer.head()
    assert answer.raw_head == CONTINUE


# -- I1: the default ---------------------------------------------------------------------------------------------------


async def test_i1_one_100_continue_then_the_response(serve: Serve) -> None:
    peer = await (await serve(serving())).connect()
    for content in (b"first", b"again"):
        await peer.send(head(EXPECT))
        await invited(peer)
        await peer.send(content)
        answer = await peer.response()
        assert (answer.status, answer.body) == (200, content)
        assert "Connection" not in answer.headers


async def test_i1_chunked_content_is_invited_too(serve: Serve) -> None:
    peer = await (await serve(serving())).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    await invited(peer)
    await peer.send(b"3\r\nabc\r\n0\r\n\r\n")
    assert (await peer.response()).body == b"abc"


async def test_i1_none_to_http_1_0(serve: Serve) -> None:
    octets = await (await serve(serving())).raw(head(EXPECT, http="1.0") + b"hello")
    assert octets.startswith(b"HTTP/1.1 200 OK\r\n")
    assert octets.endswith(b"\r\n\r\nhello")
    assert CONTINUE not in octets


@pytest.mark.parametrize("request_head", [head(length=5) + b"hello", head(EXPECT, length=5) + b"hello"])
async def test_i1_none_where_nothing_waits_for_it(serve: Serve, request_head: bytes) -> None:
    # RFC 9110 section 10.1.1: a server MAY omit it if it has received some or all of the content.
    peer = await (await serve(serving())).connect()
    await peer.send(request_head)
    answer = await peer.response()
    assert (answer.status, answer.body) == (200, b"hello")


async def test_i1_none_without_content(serve: Serve) -> None:
    app = serving()
    app.router.add_get("/", ignore)
    address = await serve(app)
    assert (await address.request("GET", "/", EXPECT)).body == b"not read"
    assert (await address.request("POST", "/", EXPECT, "Content-Length: 0")).body == b""


async def test_i1_a_handler_that_does_not_read_answers_all_the_same(serve: Serve) -> None:
    peer = await (await serve(serving(ignore))).connect()
    await peer.send(head(EXPECT))
    await invited(peer)
    assert (await peer.response()).body == b"not read"


# -- I2 to I5: handlers of one's own -----------------------------------------------------------------------------------


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=403, text="no, thanks")


async def refuse_by_raising(request: web.Request) -> None:
    raise web.HTTPForbidden(text="no, thanks")


async def invite(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.write(CONTINUE)


async def stay_silent(request: web.Request) -> None:
    pass


@types.coroutine
def invite_by_generator(request: web.Request) -> Any:
    yield from invite(request).__await__()


@pytest.mark.parametrize("wrong", [lambda request: None, "text", 1, web.Response])
def test_i2_others_than_coroutine_functions_are_refused_at_registration(wrong: Any) -> None:
    app = web.Application()
    with pytest.raises(TypeError, match="coroutine function"):
        app.router.add_route("POST", "/", echo, expect_handler=wrong)
    assert len(app.router.routes()) == 0


@pytest.mark.parametrize("expect_handler", [refuse, refuse_by_raising])
async def test_i3_i5_a_refusal_is_the_answer_and_nothing_else_runs(serve: Serve, expect_handler: Any) -> None:
    ran: list[str] = []

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        ran.append("middleware")
        response: web.StreamResponse = await handler(request)
        return response

    async def handler(request: web.Request) -> web.Response:
        ran.append("handler")
        return web.Response()

    app = serving(handler, expect_handler=expect_handler, middlewares=[middleware])
    octets = await (await serve(app)).raw(head(EXPECT))
    assert octets.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert octets.endswith(b"\r\n\r\nno, thanks")
    assert b"\r\nConnection: close\r\n" in octets
    assert CONTINUE not in octets
    assert ran == []


@pytest.mark.parametrize("expect_handler", [invite, invite_by_generator])
async def test_i4_none_goes_on_and_has_written_the_invitation_itself(serve: Serve, expect_handler: Any) -> None:
    peer = await (await serve(serving(expect_handler=expect_handler))).connect()
    for _ in range(2):
        await peer.send(head(EXPECT))
        await invited(peer)
        await peer.send(b"hello")
        answer = await peer.response()
        assert (answer.status, answer.body) == (200, b"hello")


async def test_i4_none_without_an_invitation_leaves_it_to_the_client_to_begin(serve: Serve) -> None:
    peer = await (await serve(serving(expect_handler=stay_silent))).connect()
    await peer.send(head(EXPECT))
    await peer.send(b"hello")
    answer = await peer.head()
    assert answer.status == 200


async def test_i4_it_is_not_asked_without_an_expectation(serve: Serve) -> None:
    address = await serve(serving(expect_handler=refuse))
    assert (await address.request("POST", "/", body=b"hello")).body == b"hello"


async def test_i4_it_meets_other_expectations_than_the_one_of_http(serve: Serve) -> None:
    seen: list[str] = []

    async def take_the_moon(request: web.Request) -> None:
        seen.append(request.headers["Expect"])

    address = await serve(serving(expect_handler=take_the_moon))
    assert (await address.request("POST", "/", "Expect: moon", body=b"hello")).body == b"hello"
    assert seen == ["moon"]


async def test_i5_another_exception_is_a_500_without_an_invitation(serve: Serve, caplog: Any) -> None:
    async def broken(request: web.Request) -> None:
        raise ZeroDivisionError

    octets = await (await serve(serving(expect_handler=broken))).raw(head(EXPECT))
    assert octets.startswith(b"HTTP/1.1 500 ")
    assert [record.getMessage() for record in caplog.records] == ["Error handling POST /"]


# -- I6 and I7: the order ----------------------------------------------------------------------------------------------


async def test_i6_after_the_head_and_before_the_middlewares(serve: Serve) -> None:
    trace: list[str] = []

    async def expect_handler(request: web.Request) -> None:
        trace.append(f"expect {request.match_info['name']} of {request.app is app}")
        await invite(request)

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        trace.append("middleware")
        response: web.StreamResponse = await handler(request)
        return response

    async def handler(request: web.Request) -> web.Response:
        trace.append("handler")
        return await echo(request)

    app = web.Application(middlewares=[middleware])
    app.router.add_post("/{name}", handler, expect_handler=expect_handler)
    peer = await (await serve(app)).connect()
    await peer.send(head(EXPECT, target="/stone"))
    await invited(peer)
    assert trace[0] == "expect stone of True"
    await peer.send(b"hello")
    assert (await peer.response()).body == b"hello"
    assert trace[1:] == ["middleware", "handler"]


async def test_i6_a_sub_application_meets_it_at_its_route(serve: Serve) -> None:
    app = web.Application()
    app.add_subapp("/sub", serving(expect_handler=refuse))
    octets = await (await serve(app)).raw(head(EXPECT, target="/sub/"))
    assert octets.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("method", "target", "status"), [("POST", "/nowhere", 404), ("PUT", "/", 405), ("POST", "/sub/nowhere", 404)]
)
async def test_i7_404_and_405_at_once_and_the_content_is_never_invited(
    serve: Serve, method: str, target: str, status: int
) -> None:
    app = serving()
    app.add_subapp("/sub", serving())
    octets = await (await serve(app)).raw(head(EXPECT, method=method, target=target))
    assert octets.startswith(b"HTTP/1.1 %d " % status)
    assert CONTINUE not in octets
    assert b"\r\nConnection: close\r\n" in octets


# -- I8 and I9: refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expectation", ["moon", "100-continue, moon", "100-continued", "100"])
async def test_i8_other_expectations_are_a_417(serve: Serve, expectation: str) -> None:
    octets = await (await serve(serving())).raw(head(f"Expect: {expectation}"))
    assert octets.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
    assert CONTINUE not in octets


async def test_i8_http_1_0_has_no_expectations(serve: Serve) -> None:
    octets = await (await serve(serving())).raw(head("Expect: moon", http="1.0") + b"hello")
    assert octets.startswith(b"HTTP/1.1 200 OK\r\n")


SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("expect_handler", [refuse, refuse_by_raising, None])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("together", [True, False])
async def test_i9_content_behind_a_refusal_is_never_read_as_a_request(
    serve: Serve, expect_handler: Any, chunked: bool, together: bool
) -> None:
    seen: list[str] = []

    async def admin(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(text="secret")

    app = serving(expect_handler=expect_handler)
    app.router.add_get("/admin", admin)
    expect = EXPECT if expect_handler is not None else "Expect: moon"
    request, content = head(expect, length=len(SMUGGLED)), SMUGGLED
    if chunked:
        request = request.replace(b"Content-Length: %d" % len(SMUGGLED), b"Transfer-Encoding: chunked")
        content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    peer = await (await serve(app)).connect()
    if together:
        # The content is here: whether it is skipped and the connection goes on, or not, it is content.
        await peer.send(request + content + head("Connection: close") + b"final")
        octets = await peer.until_closed()
        assert octets.count(b"HTTP/1.1 ") in (1, 2)
        assert octets.count(b"HTTP/1.1 2") == octets.count(b"final")
    else:
        await peer.send(request)
        answer = await peer.response()
        assert (answer.status, answer.headers["Connection"]) == (417 if expect_handler is None else 403, "close")
        await peer.send(content + head(length=5) + b"again")
        assert await peer.is_closed()
    assert seen == []
