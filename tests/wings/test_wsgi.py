"""The head of a WSGI application's answer, and what goes wrong, on a real socket: PEP 3333, paragraph by paragraph."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterable, Iterator
from wsgiref.validate import validator

import pytest

from aioweb import web, wsgi
from aioweb.wsgi.environ import Environ, FileWrapper
from tests.wings.wsgi_apps import PLAIN, Result, Start, answering, mounted, until_set

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
