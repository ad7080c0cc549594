"""FEATURES N11: the limits of content, at n and n + 1, over real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Serve

MEGA = 1024**2
FORM = "Content-Type: application/x-www-form-urlencoded"


async def read(request: web.Request) -> bytes:
    return await request.read()


async def text(request: web.Request) -> str:
    return await request.text()


async def json(request: web.Request) -> Any:
    return await request.json()


async def post(request: web.Request) -> Any:
    return (await request.post())["a"]


async def stream(request: web.Request) -> bytes:
    return b"".join([piece async for piece in request.content.iter_any()])


Reader = Callable[[web.Request], Awaitable[Any]]


def application(reader: Reader = read, **options: Any) -> web.Application:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await reader(request))))

    app = web.Application(**options)
    app.router.add_post("/", handler)
    return app


async def send(address: Address, body: bytes, *fields: str, chunked: bool = False) -> int:
    if not chunked:
        return (await address.request("POST", "/", *fields, body=body)).status
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]))
    peer = await address.connect()
    head = "\r\n".join(["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", *fields, "", ""])
    await peer.send(head.encode() + pieces + b"0\r\n\r\n")
    return (await peer.response()).status


def content(reader: Reader, size: int) -> bytes:
    """Content of this size that `reader` understands."""
    if reader is json:
        return b'"' + b"x" * (size - 2) + b'"'
    return b"a=" + b"x" * (size - 2)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("reader", [read, text, json, post])
async def test_n11_content_is_bounded_at_1_mib(serve: Serve, reader: Reader, chunked: bool) -> None:
    address = await serve(application(reader))
    assert await send(address, content(reader, MEGA), FORM, chunked=chunked) == 200
    assert await send(address, content(reader, MEGA + 1), FORM, chunked=chunked) == 413


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("options", [{"client_max_size": 10}, {"limits": web.Limits(client_max_size=10)}], ids=str)
async def test_n11_the_limit_is_that_of_the_application(serve: Serve, options: Any, chunked: bool) -> None:
    address = await serve(application(**options))
    assert await send(address, b"x" * 10, chunked=chunked) == 200
    assert await send(address, b"x" * 11, chunked=chunked) == 413


@pytest.mark.parametrize("reader", [read, stream])
async def test_n11_0_is_no_limit_and_a_stream_has_none(serve: Serve, reader: Reader) -> None:
    address = await serve(application(reader, client_max_size=0 if reader is read else 10))
    assert await send(address, b"x" * (3 * MEGA)) == 200
    assert await send(address, b"x" * (3 * MEGA), chunked=True) == 200


async def test_n11_a_handler_or_a_middleware_has_limits_of_its_own(serve: Serve) -> None:
    async def narrow(request: web.Request) -> bytes:
        request.client_max_size = 5
        return await request.read()

    @web.middleware
    async def wide(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        return await handler(request.clone(client_max_size=2 * MEGA))

    address = await serve(application(narrow))
    assert [await send(address, b"x" * size) for size in (5, 6)] == [200, 413]
    address = await serve(application(middlewares=[wide]))
    assert [await send(address, b"x" * size) for size in (2 * MEGA, 2 * MEGA + 1)] == [200, 413]


@pytest.mark.parametrize(("options", "most"), [({}, 1000), ({"client_max_fields": 3}, 3)], ids=str)
async def test_n11_the_fields_of_a_form_are_bounded(serve: Serve, options: Any, most: int) -> None:
    address = await serve(application(post, **options))
    assert await send(address, b"&".join([b"a=b"] * most), FORM) == 200
    assert await send(address, b"&".join([b"a=b"] * (most + 1)), FORM) == 413
    parts = b"".join([b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'] * (most + 1))
    multipart = "Content-Type: multipart/form-data; boundary=x"
    assert await send(address, parts[: len(parts) * most // (most + 1)] + b"--x--\r\n", multipart) == 200
    assert await send(address, parts + b"--x--\r\n", multipart) == 413


async def test_n11_the_answer_names_the_limit(serve: Serve) -> None:
    address = await serve(application(client_max_size=10))
    answer = await address.request("POST", "/", body=b"x" * 11)
    assert (answer.status, answer.reason) == (413, "Content Too Large")
    assert b"10" in answer.body
    assert b"11" in answer.body
