"""Content of a WSGI application, both ways: as a file, as it comes, decoded, collected, by coroutines, out of files."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from aioweb import web, wsgi
from aioweb.wsgi.environ import Environ
from tests.wings.wsgi_apps import PLAIN, Start, answering, mounted

# -- content -----------------------------------------------------------------------------------------------------------


def reading(read: Callable[[Any], Any]) -> wsgi.WSGIApplication:
    def app(environ: Environ, start_response: Start) -> list[bytes]:
        content = repr(read(environ["wsgi.input"])).encode()
        start_response("200 OK", PLAIN)
        return [content]

    return app


LINES = b"one\ntwo\nthree"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\nt\r\n8\r\nwo\nthree\r\n0\r\n\r\n"


@pytest.mark.parametrize("readpayload", [False, True])
@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda content: content.read(), LINES),
        (lambda content: content.read(-1), LINES),
        (lambda content: (content.read(5), content.read(100), content.read(1)), (b"one\nt", b"wo\nthree", b"")),
        (lambda content: (content.readline(), content.readline(2), content.readline()), (b"one\n", b"tw", b"o\n")),
        (lambda content: content.readlines(), [b"one\n", b"two\n", b"three"]),
        (lambda content: content.readlines(3), [b"one\n"]),
        (lambda content: [*content], [b"one\n", b"two\n", b"three"]),
        (lambda content: content.readinto(bytearray(4)), 4),
        (lambda content: None, None),
    ],
)
async def test_content_is_read_as_a_file_is(serve, readpayload: bool, read, expected) -> None:
    peer = await (await serve(mounted(reading(read), readpayload=readpayload))).connect()
    for _ in range(2):  # what was left unread does not come before the next request
        assert (await peer.request("POST", "/", body=LINES)).body == repr(expected).encode()
    await peer.send(CHUNKED)
    assert (await peer.response()).body == repr(expected).encode()
    if expected == LINES:
        assert (await peer.request("GET", "/")).body == b"b''"


async def test_content_is_read_while_it_comes_and_answered_meanwhile(serve) -> None:
    def echo(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        for line in environ["wsgi.input"]:
            yield line.upper()

    peer = await (await serve(mounted(echo))).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    await peer.send(b"4\r\none\n\r\n")
    await peer.head()
    assert await peer.reader.readuntil(b"ONE\n\r\n") == b"4\r\nONE\n\r\n"
    await peer.send(b"4\r\ntwo\n\r\n0\r\n\r\n")
    assert await peer.reader.readuntil(b"0\r\n\r\n") == b"4\r\nTWO\n\r\n0\r\n\r\n"


async def test_a_megabyte_goes_in_and_out(serve) -> None:
    octets = bytes(range(256)) * 8192

    def echo(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", environ["CONTENT_LENGTH"])])
        return iter(lambda: environ["wsgi.input"].read(50_000), b"")

    peer = await (await serve(mounted(echo))).connect()
    sending = asyncio.ensure_future(
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(octets), octets))
    )
    assert (await peer.response()).body == octets
    await sending


async def test_the_client_is_invited_when_its_content_is_first_read(serve) -> None:
    address = await serve(mounted(reading(lambda content: content.read())))
    peer = await address.connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await peer.head()).status == 100
    await peer.send(b"hi")
    assert (await peer.response()).body == b"b'hi'"

    refusing = await (await serve(mounted(answering([b"no"], status="403 No")))).connect()
    await refusing.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await refusing.head()).status == 403


async def test_encoded_content_is_decoded_and_says_so(serve) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        seen.append(environ)
        return reading(lambda content: content.read())(environ, start_response)  # type: ignore[no-any-return]

    coded = gzip.compress(b"content")
    for readpayload, length in ((False, None), (True, "7")):
        address = await serve(mounted(app, readpayload=readpayload))
        answer = await address.request("POST", "/", "Content-Encoding: gzip", body=coded)
        assert answer.body == b"b'content'"
        environ = seen.pop()
        assert ("HTTP_CONTENT_ENCODING" in environ, environ.get("CONTENT_LENGTH")) == (False, length)
    broken = await address.request("POST", "/", "Content-Encoding: gzip", body=b"nonsense")
    assert broken.status == 400


@pytest.mark.parametrize(("readpayload", "status"), [(False, 200), (True, 413)])
async def test_only_collected_content_is_under_the_limit_of_the_application(
    serve, readpayload: bool, status: int
) -> None:
    app = web.Application(client_max_size=10)
    wsgi.mount(app, "/", reading(lambda content: len(content.read())), readpayload=readpayload)
    assert (await (await serve(app)).request("POST", "/", body=b"x" * 11)).status == status


async def test_a_coroutine_may_be_the_application(serve) -> None:
    threads: list[int] = []

    async def app(environ: Environ, start_response: Start) -> list[bytes]:
        await asyncio.sleep(0)
        threads.append(threading.get_ident())
        content = environ["wsgi.input"].read()
        start_response("200 OK", PLAIN)
        return [b"awaited ", content]

    address = await serve(mounted(app, readpayload=True))
    assert (await address.request("POST", "/", body=b"content")).body == b"awaited content"
    assert threads == [threading.get_ident()]


async def test_a_coroutine_that_would_block_the_loop_is_told_so(serve, caplog) -> None:
    async def app(environ: Environ, start_response: Start) -> list[bytes]:
        content = await environ["aioweb.request"].content.read()
        with pytest.raises(RuntimeError, match=r"would block the event loop: .*environ\['aioweb.request'\]"):
            start_response("200 OK", PLAIN)(b"written")
        with pytest.raises(RuntimeError, match="would block the event loop"):
            environ["wsgi.input"].read()
        return [content]

    address = await serve(mounted(app))
    assert (await address.request("POST", "/", body=b"x")).body == b"x"


NOTE: ContextVar[str] = ContextVar("note")


async def test_context_variables_of_middlewares_are_seen(serve) -> None:
    async def noting(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        NOTE.set("seen")
        return await handler(request)

    app = web.Application(middlewares=[web.middleware(noting)])
    wsgi.mount(app, "/", lambda environ, start: (start("200 OK", PLAIN), [NOTE.get().encode()])[1])
    assert (await (await serve(app)).request("GET", "/")).body == b"seen"


async def test_the_hooks_of_the_application_see_the_head(serve) -> None:
    app = mounted(answering([b"x" * 5000], ("X-Own", "1")))

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Hook"] = response.headers["X-Own"]
        response.enable_compression()

    app.on_response_prepare.append(add)
    answer = await (await serve(app)).request("GET", "/", "Accept-Encoding: gzip")
    assert (answer.headers["X-Hook"], answer.headers["Content-Encoding"]) == ("1", "gzip")


# -- files -------------------------------------------------------------------------------------------------------------


def sending_file(open_file: Callable[[], Any], *headers: tuple[str, str]) -> wsgi.WSGIApplication:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [*PLAIN, *headers])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](open_file(), 1000)
        return wrapped

    return app


async def test_what_is_a_file_and_no_content_of_one_is_read(serve) -> None:
    readable, writable = os.pipe()
    os.write(writable, b"from a pipe")
    os.close(writable)
    answer = await (await serve(mounted(sending_file(lambda: os.fdopen(readable, "rb"))))).request("GET", "/")
    assert (answer.body, answer.headers["Transfer-Encoding"]) == (b"from a pipe", "chunked")


async def test_a_file_without_a_close_is_only_read(serve) -> None:
    class Blocks:
        blocks = [b"b", b"a"]

        def read(self, size: int) -> bytes:
            return self.blocks.pop() if self.blocks else b""

    assert (await (await serve(mounted(sending_file(Blocks)))).request("GET", "/")).body == b"ab"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", ["file", "raw", "offset", "memory", "declared", "compressed"])
async def test_a_file_is_sent_and_closed(serve, tmp_path: Path, kind: str, method: str) -> None:
    octets = b"0123456789" * 30_000
    path = tmp_path / "file"
    path.write_bytes(octets)
    opened: list[Any] = []

    def open_file() -> Any:
        file = io.BytesIO(octets) if kind == "memory" else path.open("rb", buffering=0 if kind == "raw" else -1)
        if kind == "offset":
            file.seek(10)
        opened.append(file)
        return file

    headers = [("Content-Length", str(len(octets)))] if kind == "declared" else []
    app = mounted(sending_file(open_file, *headers))
    if kind == "compressed":

        async def compress(request: web.Request, response: web.StreamResponse) -> None:
            response.enable_compression(web.ContentCoding.identity if method == "HEAD" else None)

        app.on_response_prepare.append(compress)
    peer = await (await serve(app)).connect()
    for _ in range(2):
        answer = await peer.request(method, "/", *(["Accept-Encoding: gzip"] if kind == "compressed" else []))
        expected = b"" if method == "HEAD" else octets[10:] if kind == "offset" else octets
        if answer.headers.get("Content-Encoding") == "gzip":
            assert gzip.decompress(answer.body) == expected
        else:
            assert answer.body == expected
    await peer.request(method, "/")  # comes when the call before has ended
    assert [file.closed for file in opened[:2]] == [True, True]
