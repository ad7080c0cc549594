"""A WSGI application behind a real socket: heads, content both ways, errors, ends. PEP 3333, paragraph by paragraph."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from aioweb import web, wsgi
from aioweb.wsgi.environ import Environ, FileWrapper

PLAIN = [("Content-Type", "text/plain")]
Start = Callable[..., Callable[[bytes], None]]


def mounted(wsgi_app: Any, prefix: str = "/", **options: Any) -> web.Application:
    app = web.Application()
    wsgi.mount(app, prefix, wsgi_app, **options)
    return app


def answering(result: Iterable[bytes], *headers: tuple[str, str], status: str = "200 OK") -> wsgi.WSGIApplication:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, [*PLAIN, *headers])
        return result

    return app


class Result:
    """What an application returns, with an end that can be seen."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.closed = threading.Event()
        self.closings = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        self.closings += 1
        self.closed.set()


async def until_set(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 5.0)


# -- heads -------------------------------------------------------------------------------------------------------------


async def test_an_application_that_the_validator_watches_is_served(serve) -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        content = environ["wsgi.input"].read(3) + environ["wsgi.input"].readline()
        start_response("201 Made", [*PLAIN, ("X-Twice", "a"), ("X-Twice", "b")])
        return [content, b"\n", repr(environ["PATH_INFO"]).encode()]

    address = await serve(mounted(validator(app), "/in"))
    answer = await address.request("POST", "/in/side?q=1", body=b"one two\nthree")
    assert (answer.status, answer.reason, answer.body) == (201, "Made", b"one two\n\n'/side'")
    assert answer.headers.getall("X-Twice") == ["a", "b"]
    assert (await address.request("HEAD", "/in")).headers["Content-Type"] == "text/plain"


async def test_a_connection_persists_from_request_to_request(serve) -> None:
    address = await serve(mounted(answering([b"some ", b"text"])))
    peer = await address.connect()
    for _ in range(3):
        answer = await peer.request("GET", "/")
        assert (answer.body, answer.headers["Content-Length"]) == (b"some text", "9")


async def test_a_stream_without_a_length_goes_out_in_chunks(serve) -> None:
    address = await serve(mounted(lambda environ, start: (start("200 OK", PLAIN), iter([b"a", b"", b"b"]))[1]))
    answer = await address.request("GET", "/")
    assert (answer.body, answer.headers["Transfer-Encoding"]) == (b"ab", "chunked")


async def test_what_is_yielded_is_sent_before_the_next_piece_is_asked_for(serve) -> None:
    go_on = threading.Event()

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        assert go_on.wait(5)
        yield b"second"

    peer = await (await serve(mounted(app))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await peer.head()
    assert await peer.reader.readuntil(b"first") == b"5\r\nfirst"
    go_on.set()
    assert await peer.reader.readuntil(b"0\r\n\r\n") == b"\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_what_is_written_is_sent_before_what_is_returned(serve) -> None:
    def app(environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"written, ")
        return [b"returned"]

    assert (await (await serve(mounted(app))).request("GET", "/")).body == b"written, returned"


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Same")])
async def test_where_no_content_may_be_sent_the_iteration_ends_early(serve, method: str, status: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    result = Result(endless())
    address = await serve(mounted(answering(result, ("X-Kept", "yes"), status=status)))
    peer = await address.connect()
    for number in (1, 2):
        answer = await peer.request(method, "/")
        assert (answer.status, answer.body, answer.headers["X-Kept"]) == (int(status[:3]), b"", "yes")
        await until_set(result.closed)
        result.closed.clear()
        assert result.closings == number


async def test_an_answer_without_content_has_the_length_nought(serve) -> None:
    address = await serve(mounted(answering([])))
    assert (await address.request("GET", "/")).headers["Content-Length"] == "0"
    head = await address.request("HEAD", "/")
    assert "Content-Length" not in head.headers


async def test_the_length_of_a_resource_is_told_to_head(serve) -> None:
    address = await serve(mounted(answering([], ("Content-Length", "5"))))
    assert (await address.request("HEAD", "/")).headers["Content-Length"] == "5"


async def test_octets_of_headers_and_reason_go_out_as_they_are(serve) -> None:
    name = "Grüße".encode().decode("latin-1")
    address = await serve(mounted(answering([b"x"], ("X-Utf", name), ("X-Latin", "\xfc"), status=f"200 {name}")))
    answer = await address.request("GET", "/")
    assert "Grüße\r\n".encode() in answer.raw_head.partition(b"X-Utf")[0]
    assert "X-Utf: Grüße\r\n".encode() in answer.raw_head
    assert b"X-Latin: \xfc\r\n" in answer.raw_head


async def test_an_error_replaces_a_head_that_was_not_sent(serve) -> None:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [*PLAIN, ("X-Old", "1")])
        yield b""
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("503 Sorry", PLAIN, sys.exc_info())
        yield b"sorry"

    answer = await (await serve(mounted(app))).request("GET", "/")
    assert (answer.status, answer.body, "X-Old" in answer.headers) == (503, b"sorry", False)


async def test_an_error_behind_a_head_that_was_sent_cuts_the_connection(serve, caplog) -> None:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"begun"
        try:
            raise ZeroDivisionError("late")
        except ZeroDivisionError:
            start_response("500 Too late", PLAIN, sys.exc_info())

    address = await serve(mounted(app))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not (await peer.until_closed()).endswith(b"0\r\n\r\n")
    assert [record.exc_info[1].args for record in caplog.records] == [("late",)]


# -- what is refused ---------------------------------------------------------------------------------------------------


def twice(environ: Environ, start_response: Start) -> list[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def early(environ: Environ, start_response: Start) -> list[bytes]:
    return [b"content"]


def written_late(environ: Environ, start_response: Start) -> list[bytes]:
    start_response("200 OK", [])(b"")
    return ["text"]  # type: ignore[list-item]


def leaving(environ: Environ, start_response: Start) -> list[bytes]:
    sys.exit(3)


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (answering([b"x"], ("Connection", "close")), "the header 'Connection' is the server's business"),
        (answering([b"x"], ("Transfer-Encoding", "chunked")), "the header 'Transfer-Encoding' is the server's"),
        (answering([b"x"], ("X-A", "b\r\nX-C: d")), "the header 'X-A' has a line break or a NUL"),
        (answering([b"x"], ("X A", "b")), "field name 'X A' is not a token"),
        (answering([b"x"], ("X-A", 1)), "a header is a tuple of two str"),  # type: ignore[arg-type]
        (answering([b"x"], ("X-A", "€")), "can't encode character"),
        (answering([b"x"], status="OK"), "a status is a number from 200 to 999 and a reason"),
        (answering([b"x"], status="101 Switching"), "a status is a number from 200 to 999 and a reason"),
        (answering([b"x"], status=200), "start_response() takes a str and a list"),  # type: ignore[arg-type]
        (answering([b"x"], ("Content-Length", "many")), "field Content-Length: 'many' is no number of bytes"),
        (twice, "start_response() was called twice"),
        (early, "start_response() must be called before content is sent"),
        (written_late, "a WSGI application sends bytes, not 'text'"),
        (lambda environ, start_response: [], "has returned without calling start_response()"),
        (lambda environ, start_response: FileWrapper(io.FileIO(__file__)), "returned without calling"),
        (lambda environ, start_response: None, "'NoneType' object is not iterable"),
        (leaving, "has raised SystemExit(3)"),
    ],
)
async def test_what_an_application_does_wrong_is_one_logged_error_and_a_500(serve, caplog, app, said: str) -> None:
    address = await serve(mounted(app))
    assert (await address.request("GET", "/")).status == 500
    assert len(caplog.records) == 1
    assert said in str(caplog.records[0].exc_info[1])


@pytest.mark.parametrize("length", ["3", "9"])
async def test_another_length_than_announced_cuts_the_connection(serve, caplog, length: str) -> None:
    result = Result([b"begun ", b"x"] if length == "3" else [b"begun"])
    address = await serve(mounted(answering(result, ("Content-Length", length))))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await peer.until_closed()
    assert b"begun" in answer or length == "3"
    assert "announced Content-Length" in str(caplog.records[0].exc_info[1])
    assert (len(caplog.records), result.closings) == (1, 1)


async def test_a_failure_in_mid_content_cuts_the_connection_and_closes_the_result(serve, caplog) -> None:
    def failing() -> Iterator[bytes]:
        yield b"begun"
        raise ZeroDivisionError

    result = Result(failing())
    address = await serve(mounted(answering(result)))
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await peer.until_closed()
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert result.closings == 1
    assert [record.message for record in caplog.records] == ["Error handling GET /"]


async def test_an_end_that_fails_spoils_no_answer(serve, caplog) -> None:
    class Bad(Result):
        def close(self) -> None:
            raise ZeroDivisionError("closing")

    peer = await (await serve(mounted(answering(Bad([b"whole"]))))).connect()
    assert (await peer.request("GET", "/")).body == b"whole"
    assert (await peer.request("HEAD", "/")).status == 200
    assert "close() of what the WSGI application returned has failed" in caplog.records[0].message


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(TypeError, match="must be callable, not 'shop:app'"):
        wsgi.WSGIHandler("shop:app")  # type: ignore[arg-type]
    for threads, waiting in ((0, 1), (1, -1)):
        with pytest.raises(ValueError, match="threads must be 1 or more, and waiting 0 or more"):
            wsgi.WSGIHandler(early, threads=threads, waiting=waiting)
    with pytest.raises(ValueError, match="begin with a slash"):
        wsgi.mount(web.Application(), "shop", early)


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
    import gzip

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
            import gzip

            assert gzip.decompress(answer.body) == expected
        else:
            assert answer.body == expected
    await peer.request(method, "/")  # comes when the call before has ended
    assert [file.closed for file in opened[:2]] == [True, True]
