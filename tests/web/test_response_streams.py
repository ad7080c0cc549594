"""`Response(body=...)` with content that is made while it is sent: its framing, and that its source always ends."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import pytest

from aioweb.server.flow import ClientDisconnectedError
from aioweb.web.bodies import StreamBody
from aioweb.web.response import Response
from tests.web.fakes import FakeRequest, Source, prepared, sent

TYPE = ("Content-Type", "application/octet-stream")
CHUNKED = ("Transfer-Encoding", "chunked")

# -- what is at hand ---------------------------------------------------------------------------------------------------


async def test_what_is_in_memory_is_at_hand() -> None:
    for memory in (io.BytesIO(b"xabc"), io.StringIO("xabc")):
        memory.read(1)
        response = Response(body=memory)
        assert response.body == b"abc"
        assert not memory.closed
        for _ in range(2):
            request = await sent(response)
            assert request.calls == ["send"]
            assert request.content == b"abc"
    assert response.content_type == "text/plain"
    response.body = io.StringIO("é")
    assert (response.text, response.body) == ("é", "é".encode())


def test_a_body_replaces_another() -> None:
    source = Source()
    response = Response(body=source)
    assert isinstance(response.body, StreamBody)
    assert response.text is None
    assert response.content_length is None
    for body in (b"a", "a", None):
        response.body = source
        response.body = body  # type: ignore[assignment]
        assert response.body == (body if body != "a" else b"a")
    response.body = source
    response.text = None
    assert response.body is None


# -- how it is sent ----------------------------------------------------------------------------------------------------


async def test_content_of_unknown_size_is_chunked_and_its_source_closed() -> None:
    source = Source(b"one", b"", bytearray(b"two"), memoryview(b"three"))
    request = await sent(Response(body=source))
    assert request.fields == [TYPE, CHUNKED]
    assert request.content == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    assert source.closed == 1


async def test_to_http_1_0_the_end_of_the_connection_ends_it() -> None:
    request = await sent(Response(body=Source(b"one", b"two")), FakeRequest(version="1.0"))
    assert request.fields == [TYPE, ("Connection", "close")]
    assert request.content == b"onetwo"


async def test_a_declared_length_is_kept() -> None:
    request = await sent(Response(body=Source(b"one", b"two"), headers={"Content-Length": "6"}))
    assert request.fields == [TYPE, ("Content-Length", "6")]
    assert request.content == b"onetwo"


@pytest.mark.parametrize(("length", "message"), [("5", "1 bytes more"), ("7", "1 bytes less")])
async def test_a_declared_length_that_is_wrong_is_an_error(length: str, message: str) -> None:
    source = Source(b"one", b"two")
    with pytest.raises(RuntimeError, match=message):
        await sent(Response(body=source, headers={"Content-Length": length}))
    assert source.closed == 1


async def test_a_file_that_has_shrunk_is_an_error(tmp_path: pathlib.Path) -> None:
    file = (tmp_path / "file").open("w+b")
    file.write(b"longer than it will be")
    file.seek(0)
    response = Response(body=file)
    file.truncate(5)
    with pytest.raises(RuntimeError, match="less than the announced"):
        await sent(response)
    assert file.closed


@pytest.mark.parametrize(
    ("arguments", "content_type", "charset"),
    [
        ({}, "text/plain; charset=utf-8", "utf-8"),
        ({"content_type": "text/html"}, "text/html; charset=utf-8", "utf-8"),
        ({"content_type": "text/html", "charset": "koi8-r"}, "text/html; charset=koi8-r", "koi8-r"),
        ({"headers": {"Content-Type": "text/css"}}, "text/css; charset=utf-8", "utf-8"),
    ],
)
async def test_str_is_sent_in_the_charset_of_the_response(
    arguments: dict[str, Any], content_type: str, charset: str
) -> None:
    request = await sent(Response(body=Source("Пр", "и"), **arguments), FakeRequest(version="1.0"))
    assert request.fields[0] == ("Content-Type", content_type)
    assert request.content == "При".encode(charset)


async def test_str_behind_bytes_is_utf_8() -> None:
    request = await sent(Response(body=Source(b"<", "é>")), FakeRequest(version="1.0"))
    assert request.fields[0] == TYPE
    assert request.content == "<é>".encode()


@pytest.mark.parametrize("piece", [5, None, [b"a"]])
async def test_a_piece_of_another_kind_is_an_error(piece: Any) -> None:
    source = Source(b"a", piece)
    with pytest.raises(TypeError, match="data must be bytes"):
        await sent(Response(body=source))
    assert source.closed == 1


@pytest.mark.parametrize("size", [None, 3])
async def test_where_no_content_is_wanted_it_is_not_made_but_closed(size: int | None) -> None:
    async def make_empty(request: Any, response: Any) -> None:
        response.set_status(204)

    for status, request in (
        (200, FakeRequest("HEAD")),
        (204, FakeRequest()),
        (205, FakeRequest()),
        (304, FakeRequest()),
        (200, FakeRequest(hooks=[make_empty])),
    ):
        source = Source(b"abc")
        headers = {} if size is None else {"Content-Length": str(size)}
        await sent(Response(body=source, status=status, headers=headers), request)
        assert request.content == b""
        assert source.given == (1 if request.response_prepare_hooks else 0)
        assert source.closed == 1
        if request.head.method == "HEAD":
            assert request.fields[-1] == (CHUNKED if size is None else ("Content-Length", "3"))


async def test_a_failure_before_the_first_piece_comes_before_the_head() -> None:
    source = Source(ZeroDivisionError())
    request = FakeRequest()
    with pytest.raises(ZeroDivisionError):
        await sent(Response(body=source), request)
    assert request.wire == b""
    assert source.closed == 1


async def test_a_failure_behind_it_leaves_the_response_incomplete() -> None:
    source = Source(b"a", ZeroDivisionError())
    request = FakeRequest()
    with pytest.raises(ZeroDivisionError):
        await sent(Response(body=source), request)
    assert request.content == b"1\r\na\r\n"
    assert not request.writer.finished
    assert source.closed == 1


async def test_a_source_that_fails_to_close_leaves_the_response_incomplete() -> None:
    class Bad(Source):
        async def aclose(self) -> None:
            raise ZeroDivisionError

    request = FakeRequest()
    with pytest.raises(ZeroDivisionError):
        await sent(Response(body=Bad(b"a")), request)
    assert not request.writer.finished


async def test_a_hook_that_fails_closes_the_source() -> None:
    async def broken(request: Any, response: Any) -> None:
        raise LookupError

    source = Source(b"a")
    with pytest.raises(LookupError):
        await sent(Response(body=source), FakeRequest(hooks=[broken]))
    assert source.closed == 1


async def test_it_answers_one_request_only() -> None:
    source = Source(b"a")
    response = Response(body=source)
    await sent(response)
    for call in (response.prepare, response.finish):
        with pytest.raises(RuntimeError, match="answers another request"):
            await call(FakeRequest())  # type: ignore[operator]
    assert source.closed == 1


async def test_under_way_it_is_not_disturbed_by_another_request() -> None:
    source = Source(b"a")
    response = Response(body=source)
    await prepared(response)
    with pytest.raises(RuntimeError, match="answers another request"):
        await sent(response)
    assert source.closed == 0


async def test_prepared_by_the_handler_it_is_sent_when_that_returns() -> None:
    for end in (Response.finish, lambda response, request: response.write_eof()):
        source = Source(b"a", b"b")
        response = Response(body=source)
        request = await prepared(response)
        await end(response, request)  # type: ignore[operator]
        assert request.content == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
        assert source.closed == 1
        await response.write_eof()
        await response.finish(request)  # type: ignore[arg-type]
        assert source.closed == 1


async def test_each_piece_waits_for_the_client() -> None:
    source = Source(b"a", b"b")
    request = await sent(Response(body=source))
    assert [drain.awaited for drain in request.writer.drains] == [True, True, True]


async def test_nothing_is_made_for_a_client_that_is_gone_already() -> None:
    source = Source(b"a")
    request = FakeRequest()
    request.writer.leave()
    with pytest.raises(ClientDisconnectedError):
        await sent(Response(body=source), request)
    assert (source.given, source.closed) == (0, 1)
