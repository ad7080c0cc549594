"""FEATURES.md row F6: `compression`, `enable_compression` and `ContentCoding`."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from aioweb import web

TEXT = "compressible " * 100


def app_of(prepare: Callable[[web.Response], object]) -> web.Application:
    async def handler(_: web.Request) -> web.Response:
        response = web.Response(text=TEXT)
        prepare(response)
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    return app


async def test_f6_compression_is_off_until_it_is_enabled() -> None:
    response = web.StreamResponse()
    assert response.compression is False
    response.enable_compression()
    assert response.compression is True


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate", "gzip"),
        ("gzip;q=0.1, deflate;q=0.5", "deflate"),
        ("deflate", "deflate"),
        ("br, gzip", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("*", "zstd"),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
async def test_f6_it_negotiates_by_accept_encoding(serve, accepted: str, coding: str | None) -> None:
    address = await serve(app_of(lambda response: response.enable_compression()))
    answer = await address.request("GET", "/", f"Accept-Encoding: {accepted}")
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("force", "coding"),
    [
        (web.ContentCoding.gzip, "gzip"),
        (web.ContentCoding.deflate, "deflate"),
        (web.ContentCoding.identity, None),
        (True, "deflate"),
        (False, None),
    ],
)
async def test_f6_force_needs_no_accept_encoding(serve, force: Any, coding: str | None) -> None:
    address = await serve(app_of(lambda response: response.enable_compression(force)))
    answer = await address.request("GET", "/")
    assert answer.headers.get("Content-Encoding") == coding
    undo = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}
    assert undo[coding](answer.body) == TEXT.encode()


async def test_f6_content_length_of_the_plain_content_is_dropped(serve) -> None:
    def prepare(response: web.Response) -> None:
        response.content_length = len(TEXT)
        response.enable_compression(web.ContentCoding.gzip)

    answer = await (await serve(app_of(prepare))).request("GET", "/")
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert len(answer.body) < len(TEXT)


async def test_f6_a_stream_drops_its_content_length(serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(TEXT)
        response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        await response.write(TEXT.encode())
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert "Content-Length" not in answer.headers
    assert gzip.decompress(answer.body) == TEXT.encode()


async def test_f20_a_shared_response_is_compressed_for_many_clients_at_once(serve) -> None:
    content = b"compressible " * 10_000  # so much is compressed in a thread
    shared = web.Response(body=content, content_type="text/plain")

    async def handler(_: web.Request) -> web.Response:
        return shared

    app = web.Application(middlewares=[web.compress_middleware()])
    app.router.add_get("/", handler)
    address = await serve(app)
    codings = ["gzip", "identity", "deflate"] * 5
    unpack = {"gzip": gzip.decompress, "identity": bytes, "deflate": zlib.decompress}
    answers = await asyncio.gather(*(address.request("GET", "/", f"Accept-Encoding: {coding}") for coding in codings))
    for coding, answer in zip(codings, answers, strict=True):
        assert (answer.status, answer.headers.get("Content-Encoding", "identity")) == (200, coding)
        assert unpack[coding](answer.body) == content
