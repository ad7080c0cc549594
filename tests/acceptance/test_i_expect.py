"""Section I of FEATURES.md, expectations, over real sockets.

The default invites when the content is first read (I1 says "before the handler"): a handler that needs no content to
answer then spares its client the upload.
"""

from __future__ import annotations

import asyncio
import types
from pathlib import Path
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


async def too_large(request: web.Request) -> web.Response:
    request.client_max_size = 4
    return await echo(request)


async def only_release(request: web.Request) -> web.Response:
    await request.release()
    return web.Response(text="released")


@pytest.mark.parametrize(("handler", "status"), [(ignore, 200), (too_large, 413), (only_release, 200)])
async def test_i1_an_answer_that_needs_no_content_invites_none_and_ends_the_connection_cve_2024_24791(
    serve: Serve, handler: Any, status: int
) -> None:
    octets = await (await serve(serving(handler))).raw(head(EXPECT))
    assert octets.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in octets


async def test_i1_content_that_began_uninvited_keeps_the_connection(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        while not request.content.total_bytes:
            await asyncio.sleep(0)  # waits for content, and does not read
        return await ignore(request)

    app = serving(handler)
    app.router.add_get("/next", ignore)
    peer = await (await serve(app)).connect()
    await peer.send(head(EXPECT))
    await peer.send(b"he")
    answer = await peer.response()
    assert (answer.status, "Connection" in answer.headers) == (200, False)
    await peer.send(b"llo")
    assert (await peer.request("GET", "/next")).body == b"not read"


async def test_i1_content_that_was_invited_and_then_left_unread_is_dropped(serve: Serve) -> None:
    async def read_one(request: web.Request) -> web.Response:
        return web.Response(body=await request.content.read(1))

    peer = await (await serve(serving(read_one))).connect()
    for _ in range(2):
        await peer.send(head(EXPECT))
        await invited(peer)
        await peer.send(b"h")
        answer = await peer.response()
        assert (answer.body, "Connection" in answer.headers) == (b"h", False)
        await peer.send(b"ello")


async def test_i1_content_over_the_limit_is_found_out_as_soon_as_it_can_be(serve: Serve) -> None:
    peer = await (await serve(serving(too_large))).connect()
    await peer.send(head(EXPECT).replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"))
    await invited(peer)
    await peer.send(b"5\r\nhello\r\n")
    assert (await peer.response()).status == 413


async def test_i1_who_waits_for_the_end_invites_too(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        await request.content.wait_eof()
        return await echo(request)

    peer = await (await serve(serving(handler))).connect()
    await peer.send(head(EXPECT))
    await invited(peer)
    await peer.send(b"hello")
    assert (await peer.response()).body == b"hello"


async def test_i1_a_server_without_an_application_invites_as_well(serve: Serve) -> None:
    peer = await (await serve(web.Server(echo))).connect()
    await peer.send(head(EXPECT))
    await invited(peer)
    await peer.send(b"hello")
    assert (await peer.response()).body == b"hello"


# -- inviting by hand --------------------------------------------------------------------------------------------------


async def invite_at_once(request: web.Request) -> None:
    request.send_continue()


async def invite_twice(request: web.Request) -> web.Response:
    request.send_continue()
    request.send_continue()
    return await echo(request)


@pytest.mark.parametrize("options", [{"handler": invite_twice}, {"expect_handler": invite_at_once}], ids=str)
async def test_i1_send_continue_invites_once(serve: Serve, options: Any) -> None:
    peer = await (await serve(serving(**options))).connect()
    for _ in range(2):
        await peer.send(head(EXPECT))
        await invited(peer)
        await peer.send(b"hello")
        answer = await peer.response()
        assert (answer.status, answer.body, "Connection" in answer.headers) == (200, b"hello", False)


@pytest.mark.parametrize(
    "octets",
    [head(EXPECT) + b"hello", head(EXPECT) + b"h", head(), head(EXPECT, length=0), head(EXPECT, http="1.0")],
    ids=["all is here", "some is here", "not asked for", "no content", "HTTP/1.0"],
)
async def test_i1_send_continue_does_nothing_where_nobody_waits_for_it(serve: Serve, octets: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        request.send_continue()
        return web.Response(text="not read", headers={"Connection": "close"})

    assert (await (await serve(serving(handler))).raw(octets)).startswith(b"HTTP/1.1 200 ")


async def test_i1_send_continue_does_nothing_once_the_response_has_begun(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        request.send_continue()
        await response.write_eof(await request.read())
        return response

    peer = await (await serve(serving(handler))).connect()
    await peer.send(head(EXPECT))
    assert (await peer.head()).status == 200
    await peer.send(b"hello")
    assert (await peer.until_closed()).endswith(b"hello\r\n0\r\n\r\n")


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


async def test_i2_a_static_route_has_one_too(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("page")
    app = web.Application()
    app.router.add_static("/open", tmp_path)
    app.router.add_static("/shut", tmp_path, expect_handler=refuse)
    address = await serve(app)
    assert (await address.raw(head(EXPECT, method="GET", target="/shut/page.txt"))).startswith(b"HTTP/1.1 403 ")
    octets = await address.raw(head(EXPECT, method="GET", target="/open/page.txt"))
    assert octets.startswith(b"HTTP/1.1 200 ")
    assert octets.endswith(b"page")


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


async def test_i4_content_that_it_has_invited_itself_may_be_left_unread(serve: Serve) -> None:
    async def read_one(request: web.Request) -> web.Response:
        return web.Response(body=await request.content.read(1))

    peer = await (await serve(serving(read_one, expect_handler=invite))).connect()
    for _ in range(2):
        await peer.send(head(EXPECT))
        await invited(peer)
        await peer.send(b"h")
        answer = await peer.response()
        assert (answer.body, "Connection" in answer.headers) == (b"h", False)
        await peer.send(b"ello")


async def test_i4_it_may_leave_the_invitation_to_the_first_read(serve: Serve) -> None:
    async def only_members(request: web.Request) -> web.StreamResponse | None:
        if "Authorization" not in request.headers:
            raise web.HTTPUnauthorized
        return await web.continue_on_read(request)

    address = await serve(serving(expect_handler=only_members))
    peer = await address.connect()
    await peer.send(head(EXPECT, "Authorization: Basic eA=="))
    await invited(peer)
    await peer.send(b"hello")
    assert (await peer.response()).body == b"hello"
    assert (await address.raw(head(EXPECT))).startswith(b"HTTP/1.1 401 ")


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
    await peer.send(b"hello")
    assert (await peer.response()).body == b"hello"
    assert trace == ["expect stone of True", "middleware", "handler"]


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
