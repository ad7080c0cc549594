"""DESIGN contract 5 and issue 5 "Limits": safe defaults, and each may be set, per server and per route."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import attrs
import pytest

from aioweb import web
from tests.conftest import Address, Serve

FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.bin"\r\n\r\n'
END = b"\r\n--b--\r\n"


async def read(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def post(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.post())))


async def parts(request: web.Request) -> web.Response:
    return web.Response(text=str([len(await part.read()) async for part in await request.multipart()]))


def form(size: int) -> bytes:
    return b"a=" + b"x" * (size - 2)


def multipart(size: int) -> bytes:
    return PART + b"x" * (size - len(PART) - len(END)) + END


@pytest.mark.parametrize(
    ("handler", "make", "fields"),
    [(read, form, []), (post, form, [FORM]), (post, multipart, [MULTIPART])],
    ids=["read", "form", "multipart"],
)
async def test_contract_5_content_is_bounded_by_its_route_at_n_and_n_1(
    serve: Serve, handler: Any, make: Any, fields: list[str]
) -> None:
    app = web.Application()
    app.router.add_post("/small", handler, client_max_size=200)
    app.router.add_post("/large", handler, client_max_size=2**21)
    app.router.add_post("/plain", handler)
    address = await serve(app)

    async def send(path: str, size: int) -> int:
        return (await address.request("POST", path, *fields, body=make(size))).status

    assert [await send("/small", 200), await send("/small", 201)] == [200, 413]
    assert [await send("/large", 2**21), await send("/large", 2**21 + 1)] == [200, 413]
    assert [await send("/plain", 2**20), await send("/plain", 2**20 + 1)] == [200, 413]


async def test_contract_5_what_decompression_makes_is_bounded_by_its_route(serve: Serve) -> None:
    app = web.Application()
    app.router.add_post("/", read, client_max_size=1000)
    address = await serve(app)
    for size, status in (1000, 200), (1001, 413):
        packed = gzip.compress(bytes(size))
        assert (await address.request("POST", "/", "Content-Encoding: gzip", body=packed)).status == status


async def test_contract_5_a_part_is_bounded_by_its_route(serve: Serve) -> None:
    app = web.Application()
    app.router.add_post("/", parts, client_max_size=200)
    address = await serve(app)
    for size, status in (200, 200), (201, 413):
        body = PART + bytes(size) + END
        assert (await address.request("POST", "/", MULTIPART, body=body)).status == status


@pytest.mark.parametrize("timeout_status", [None, 503, 504])
async def test_contract_5_a_handler_is_bounded_by_its_route(serve: Serve, timeout_status: int | None) -> None:
    async def sleep(request: web.Request) -> web.Response:
        await asyncio.sleep(0.06)
        return web.Response()

    app = web.Application()
    app.router.add_get("/short", sleep, timeout=0.02, timeout_status=timeout_status)
    app.router.add_get("/long", sleep, timeout=60)
    address = await serve(app)
    assert (await address.request("GET", "/short")).status == (timeout_status or 503)
    assert (await address.request("GET", "/long")).status == 200


async def test_contract_5_an_expect_handler_is_that_of_its_route(serve: Serve) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=417)

    app = web.Application()
    app.router.add_post("/", read, expect_handler=refuse)
    peer = await (await serve(app)).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert (await peer.response()).status == 417


async def test_contract_5_connections_are_bounded_at_n_and_n_1(serve: Serve) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    address = await serve(app, limits=web.Limits(connections=2), when_full="refuse")
    peers = [await address.connect() for _ in range(2)]
    for peer in peers:
        assert (await peer.request("GET", "/")).status == 200
    refused = await (await address.connect()).response()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    await peers.pop().close()
    while len(address.server.connections) > 2:
        await asyncio.sleep(0)
    assert (await peers.pop().request("GET", "/")).status == 200


async def test_contract_5_requests_of_a_connection_are_bounded_at_n(serve: Serve) -> None:
    app = web.Application()
    app.router.add_post("/", read)
    peer = await (await serve(app, limits=web.Limits(requests=2))).connect()
    assert "Connection" not in (await peer.request("POST", "/", body=b"1")).headers
    assert (await peer.request("POST", "/", body=b"1")).headers["Connection"] == "close"
    assert await peer.is_closed()


def test_contract_5_every_limit_has_a_default_that_bounds_or_a_reason_why_not() -> None:
    unbounded = {field.name for field in attrs.fields(web.Limits) if not field.default}
    assert unbounded == {"requests", "handler_timeout"}


@pytest.mark.parametrize(
    "options",
    [
        {"max_connections": 5, "max_requests_per_connection": 6, "handler_timeout": 7.0, "client_max_size": 8},
        {"limits": web.Limits(connections=5, requests=6, handler_timeout=7.0, client_max_size=8)},
    ],
)
async def test_n24_each_can_be_set_for_a_server(serve: Serve, options: dict[str, Any]) -> None:
    address: Address = await serve(web.Application(), **options)
    limits = address.server.limits
    assert (limits.connections, limits.requests, limits.handler_timeout, limits.client_max_size) == (5, 6, 7.0, 8)
