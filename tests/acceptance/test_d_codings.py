"""FEATURES.md row D15 and what SECURITY.md says of encoded requests: Content-Encoding is undone, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.coding import make_encoder

MIB = 1024**2
CODINGS = ("gzip", "deflate", "br", "zstd")


def encode(coding: str, data: bytes) -> bytes:
    encoder = make_encoder(coding)
    return encoder.encode(data) + encoder.finish()


def app_of(handler: Callable[[web.Request], Awaitable[Any]], **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_route("*", "/", handler)
    return app


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


# -- D15: compressed request body --------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", [*CODINGS, "x-gzip", "raw deflate"])
async def test_d15_a_compressed_post_reads_plain(serve, coding: str) -> None:
    address = await serve(app_of(echo))
    content = b"plain " * 1000
    if coding == "raw deflate":
        coding, body = "deflate", zlib.compress(content)[2:-4]  # without its header and checksum
    else:
        body = encode(coding.removeprefix("x-"), content)
    peer = await address.connect()
    for _ in range(2):  # the connection persists
        answer = await peer.request("POST", "/", f"Content-Encoding: {coding}", body=body)
        assert (answer.status, answer.body) == (200, content)


async def test_d15_every_way_to_read_sees_plain_content(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        kind = request.query["by"]
        if kind == "json":
            return web.json_response(await request.json())
        if kind == "text":
            return web.Response(text=await request.text())
        if kind == "post":
            return web.json_response(dict(await request.post()))
        if kind == "multipart":
            return web.json_response({part.name: await part.text() async for part in await request.multipart()})
        return web.json_response([line.decode() async for line in request.content])

    address = await serve(app_of(handler))

    async def ask(by: str, content: bytes, content_type: str = "text/plain") -> Any:
        answer = await address.request(
            "POST",
            f"/?by={by}",
            "Content-Encoding: gzip",
            f"Content-Type: {content_type}",
            body=gzip.compress(content),
        )
        assert answer.status == 200, answer.body
        return answer.body if by == "text" else json.loads(answer.body)

    assert await ask("json", b'{"a": [1]}') == {"a": [1]}
    assert await ask("text", "ключ".encode(), "text/plain; charset=utf-8") == "ключ".encode()
    assert await ask("post", b"a=1&b=2", "application/x-www-form-urlencoded") == {"a": "1", "b": "2"}
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    assert await ask("post", form, "multipart/form-data; boundary=x") == {"a": "1"}
    assert await ask("multipart", form, "multipart/form-data; boundary=x") == {"a": "1"}
    assert await ask("lines", b"one\ntwo\n") == ["one\n", "two\n"]


async def test_d15_the_headers_say_what_was_sent(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response([request.headers["Content-Encoding"], request.content_length])

    body = gzip.compress(b"plain")
    answer = await (await serve(app_of(handler))).request("POST", "/", "Content-Encoding: gzip", body=body)
    assert json.loads(answer.body) == ["gzip", len(body)]


async def test_d15_auto_decompress_off_leaves_it_to_the_handler(serve) -> None:
    address = await serve(app_of(echo), auto_decompress=False)
    for coding in ("gzip", "quux"):
        answer = await address.request("POST", "/", f"Content-Encoding: {coding}", body=b"as it is")
        assert answer.body == b"as it is"


async def test_d15_chunked_content_with_trailers_is_decoded(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"X-Sum": request.trailers["Checksum"]})

    peer = await (await serve(app_of(handler))).connect()
    encoded = gzip.compress(b"plain")
    chunks = b"".join(b"1\r\n%c\r\n" % octet for octet in encoded)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    await peer.send(head + chunks + b"0\r\nChecksum: 7\r\n\r\n")
    answer = await peer.response()
    assert (answer.body, answer.headers["X-Sum"]) == (b"plain", "7")


async def test_d15_content_that_nobody_reads_is_not_looked_at(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if "release" in request.query:
            await request.release()
        return web.Response(text="ok")

    peer = await (await serve(app_of(handler))).connect()
    for coding in ("gzip", "quux"):
        for target in ("/", "/?release"):
            answer = await peer.request("POST", target, f"Content-Encoding: {coding}", body=b"no such thing")
            assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (gzip.compress(b"plain")[:-1], b"cut short"),
        (gzip.compress(b"plain") + b"more", b"not valid gzip"),
        (b"plain", b"not valid gzip"),
    ],
)
async def test_d15_broken_content_is_a_400_without_a_traceback(serve, caplog, body: bytes, said: bytes) -> None:
    caplog.set_level(logging.INFO)
    address = await serve(app_of(echo))
    answer = await address.request("POST", "/", "Content-Encoding: gzip", body=body)
    assert answer.status == 400
    assert said in answer.body
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_d15_an_unknown_coding_is_a_415_that_says_what_would_do(serve) -> None:
    address = await serve(app_of(echo))
    answer = await address.request("POST", "/", "Content-Encoding: <b>", body=b"a")
    assert answer.status == 415
    assert answer.headers["Accept-Encoding"] == "zstd, br, gzip, deflate"
    assert b"<b>" not in answer.body


async def test_d15_an_unknown_coding_is_refused_before_the_content_is_invited(serve) -> None:
    peer = await (await serve(app_of(echo))).connect()
    await peer.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Encoding: quux\r\nContent-Length: 9\r\n\r\n"
    )
    assert (await peer.response()).status == 415


async def test_d15_a_handler_may_catch_what_is_wrong(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        try:
            await request.read()
        except web.ContentEncodingError as error:
            return web.Response(text=f"caught {error.status}")
        return web.Response()

    answer = await (await serve(app_of(handler))).request("POST", "/", "Content-Encoding: gzip", body=b"plain")
    assert answer.body == b"caught 400"


# -- the size of what is decoded ---------------------------------------------------------------------------------------


async def test_d15_client_max_size_bounds_what_is_decoded(serve) -> None:
    address = await serve(app_of(echo, client_max_size=1000))
    fits = await address.request("POST", "/", "Content-Encoding: gzip", body=gzip.compress(bytes(1000)))
    assert (fits.status, len(fits.body)) == (200, 1000)
    answer = await address.request("POST", "/", "Content-Encoding: gzip", body=gzip.compress(bytes(1001)))
    assert answer.status == 413


async def test_d15_content_that_is_smaller_than_its_coding_is_welcome(serve) -> None:
    address = await serve(app_of(echo, client_max_size=10))
    body = gzip.compress(b"0123456789")
    assert len(body) > 10
    answer = await address.request("POST", "/", "Content-Encoding: gzip", body=body)
    assert (answer.status, answer.body) == (200, b"0123456789")


# -- SECURITY.md: GHSA-6mq8-rvhq-8wgg, CVE-2025-69223 ------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
async def test_cve_2025_69223_a_bomb_is_a_413_at_any_size(serve, coding: str) -> None:
    body = encode(coding, bytes(32 * MIB))
    seen = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal seen
        async for piece in request.content.iter_any():
            seen += len(piece)
        return web.Response()

    address = await serve(app_of(handler, client_max_size=0))
    answer = await address.request("POST", "/", f"Content-Encoding: {coding}", body=body)
    assert answer.status == 413
    assert b"decoding_ratio" in answer.body
    assert seen <= max(200 * len(body), 2 * MIB)


async def test_cve_2025_69223_a_bomb_does_not_hold_up_the_others(serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    address = await serve(app_of(handler, client_max_size=0), limits=web.Limits(decoding_ratio=0, client_max_size=0))
    bomb = asyncio.ensure_future(
        address.request("POST", "/", "Content-Encoding: gzip", body=gzip.compress(bytes(64 * MIB)))
    )
    other = await address.connect()
    answered = 0
    while not bomb.done():
        assert (await other.request("GET", "/")).status == 200
        answered += 1
    assert (await bomb).body == str(64 * MIB).encode()
    assert answered > 20


async def test_cve_2025_69223_a_handler_that_reads_slowly_holds_a_step_only(serve) -> None:
    sizes: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        content = request.content
        while not content.at_eof():
            before = content.total_bytes
            await content.read(1)
            sizes.append(content.total_bytes - before)
            content.read_nowait()
        return web.Response()

    address = await serve(app_of(handler))
    await address.request("POST", "/", "Content-Encoding: gzip", body=gzip.compress(bytes(MIB)))
    assert sum(sizes) == MIB
    assert max(sizes) <= 65536
