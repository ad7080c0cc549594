"""StreamResponse over the real ground: what is written in pieces, hooks, and what cannot change any more."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from aioweb.web.response import Response
from aioweb.web.streamresponse import StreamResponse
from tests.web.fakes import FakeRequest, Source, prepared, sent

OCTETS = ("Content-Type", "application/octet-stream")

# -- the stream --------------------------------------------------------------------------------------------------------


async def test_f1_a_stream_response_is_configured_then_started_then_ended() -> None:
    response = StreamResponse(status=202, headers={"X-A": "b"})
    assert not response.prepared
    assert not response.started
    assert response.task is None
    request = await prepared(response)
    assert response.prepared
    assert response.started
    assert response.req is request
    assert response.task is asyncio.current_task()
    assert request.status_line == "HTTP/1.1 202 Accepted"
    assert request.fields == [("X-A", "b"), OCTETS, ("Transfer-Encoding", "chunked")]
    await response.write(b"one")
    await response.write(bytearray(b"two"))
    await response.write(memoryview(b"three"))
    await response.write_eof(b"end")
    assert request.content == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n3\r\nend\r\n0\r\n\r\n"
    assert response.body_length == 14
    assert request.writer.finished
    await response.finish(request)  # type: ignore[arg-type]
    assert response.prepared


async def test_what_was_not_sent_is_sent_when_the_handler_returns() -> None:
    for response in (StreamResponse(), StreamResponse(headers={"Content-Length": "0"})):
        request = await sent(response)
        assert request.calls == ["send_head", "write_eof"]
        assert request.writer.finished


async def test_finishing_a_prepared_response_acts_at_once() -> None:
    for response in (StreamResponse(), Response(text="abc")):
        request = await prepared(response)
        waiting: Any = response.finish(request)  # type: ignore[arg-type]
        assert request.writer.finished
        assert waiting is request.writer.drains[-1]


async def test_o5_write_acts_at_once_and_gives_an_awaitable() -> None:
    response = StreamResponse()
    request = await prepared(response)
    waiting: Any = response.write(b"abc")
    assert request.content == b"3\r\nabc\r\n"
    assert not waiting.awaited
    await waiting
    assert waiting.awaited
    draining: Any = response.drain()
    assert draining is request.writer.drains[-1]
    end: Any = response.write_eof()
    assert request.content.endswith(b"0\r\n\r\n")
    assert not end.awaited


async def test_writing_nothing_is_nothing() -> None:
    response = StreamResponse()
    request = await prepared(response)
    for nothing in (b"", bytearray(), memoryview(b"")):
        await response.write(nothing)
    assert request.content == b""
    assert request.calls == ["send_head"]


@pytest.mark.parametrize("data", ["text", None, 5, [b"a"]])
async def test_only_bytes_can_be_written(data: Any) -> None:
    response = StreamResponse()
    request = await prepared(response)
    with pytest.raises(TypeError, match=f"not {type(data).__name__}"):
        response.write(data)
    with pytest.raises(TypeError, match=f"not {type(data).__name__}"):
        response.write_eof(data)
    assert request.content == b""


@pytest.mark.parametrize(
    "call",
    [
        lambda response: response.write(b"a"),
        lambda response: response.write_eof(),
        lambda response: response.drain(),
    ],
)
@pytest.mark.parametrize("kind", [StreamResponse, Response])
def test_nothing_can_be_written_before_prepare(kind: Any, call: Any) -> None:
    with pytest.raises(RuntimeError, match=r"Cannot call \w+\(\) before prepare\(\)"):
        call(kind())


async def test_nothing_can_be_written_after_the_end_and_a_second_end_is_harmless() -> None:
    response = StreamResponse()
    request = await prepared(response)
    await response.write_eof(b"a")
    wire = request.wire
    await response.write_eof()
    await response.write_eof(b"b")
    assert request.wire == wire
    with pytest.raises(RuntimeError, match=r"Cannot call write\(\) after write_eof\(\)"):
        response.write(b"b")


async def test_content_beyond_content_length_is_refused() -> None:
    response = StreamResponse()
    response.content_length = 3
    request = await prepared(response)
    response.write(b"ab")
    with pytest.raises(RuntimeError, match="more than the announced"):
        response.write(b"cd")
    with pytest.raises(RuntimeError, match="less than the announced"):
        response.write_eof()
    assert request.content == b"ab"


async def test_writing_to_a_client_that_is_gone_is_a_connection_error() -> None:
    response = StreamResponse()
    request = await prepared(response)
    request.writer.leave()
    with pytest.raises(ConnectionResetError):
        response.write(b"a")


async def test_preparing_again_is_harmless_for_the_same_request_only() -> None:
    response = StreamResponse()
    request = FakeRequest()
    writer = await response.prepare(request)  # type: ignore[arg-type]
    assert writer is request.writer
    assert await response.prepare(request) is writer  # type: ignore[arg-type]
    assert request.calls == ["send_head"]
    other = FakeRequest()
    for call in (response.prepare, response.finish):
        with pytest.raises(RuntimeError, match="answers another request"):
            await call(other)
    await response.write_eof()
    with pytest.raises(RuntimeError, match="answers another request"):
        await response.prepare(other)  # type: ignore[arg-type]
    assert other.wire == b""


async def test_f2_start_is_the_plain_call_of_0_17() -> None:
    response = StreamResponse()
    request = FakeRequest()
    assert response.start(request) is request.writer
    assert response.start(request) is request.writer
    assert response.started
    with pytest.raises(RuntimeError, match="answers another request"):
        response.start(FakeRequest())


async def test_start_runs_hooks_that_need_not_wait_and_refuses_others() -> None:
    async def quick(request: Any, response: StreamResponse) -> None:
        response.headers["X-Hook"] = "ran"

    async def slow(request: Any, response: StreamResponse) -> None:
        await asyncio.sleep(0)

    request = FakeRequest(hooks=[quick])
    StreamResponse().start(request)
    assert ("X-Hook", "ran") in request.fields
    request = FakeRequest(hooks=[slow])
    response = StreamResponse()
    with pytest.raises(RuntimeError, match=r"await response\.prepare\(request\)"):
        response.start(request)
    assert request.wire == b""
    await response.prepare(request)  # type: ignore[arg-type]
    assert response.prepared


# -- hooks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: Response(text="a"), StreamResponse])
async def test_hooks_see_every_response_before_its_head_and_may_change_it(make: Any) -> None:
    seen: list[Any] = []

    async def first(request: Any, response: StreamResponse) -> None:
        await asyncio.sleep(0)
        seen.append((request, response, response.prepared, request.wire))
        await response.prepare(request)  # harmless
        response.set_status(201, "Hooked")
        response.headers["X-Hook"] = "1"
        response.set_cookie("a", "b")

    async def second(request: Any, response: StreamResponse) -> None:
        assert response.status == 201
        response.headers.add("X-Hook", "2")

    response = make()
    request = await sent(response, FakeRequest(hooks=[first, second]))
    assert seen == [(request, response, False, b"")]
    assert request.status_line == "HTTP/1.1 201 Hooked"
    assert [pair for pair in request.fields if pair[0] in ("X-Hook", "Set-Cookie")] == [
        ("X-Hook", "1"),
        ("X-Hook", "2"),
        ("Set-Cookie", "a=b; Path=/"),
    ]


async def test_a_hook_that_fails_leaves_the_response_free() -> None:
    async def broken(request: Any, response: Any) -> None:
        raise LookupError("hook")

    response = Response(text="a")
    request = FakeRequest(hooks=[broken])
    with pytest.raises(LookupError):
        await sent(response, request)
    assert request.wire == b""
    assert (await sent(response)).content == b"a"


# -- status, reason, repr ----------------------------------------------------------------------------------------------


def test_f3_the_reason_is_looked_up() -> None:
    response = StreamResponse()
    assert (response.status, response.reason) == (200, "OK")
    response.set_status(404)
    assert (response.status, response.reason) == (404, "Not Found")
    response.set_status(404, "Gone fishing")
    assert response.reason == "Gone fishing"
    response.set_status(299)
    assert response.reason == ""
    response.set_status(HTTPStatus.CREATED)
    assert type(response.status) is int
    assert Response(status=201, reason="").reason == ""


async def test_a_reason_of_ones_own_goes_out() -> None:
    assert (await sent(Response(status=299, reason="Fine"))).status_line == "HTTP/1.1 299 Fine"
    assert (await sent(Response(status=299))).status_line == "HTTP/1.1 299 "


async def test_f19_the_repr_says_class_reason_and_request() -> None:
    response = StreamResponse(status=404)
    assert repr(response) == "<StreamResponse Not Found not started>"
    await prepared(response, method="POST", path="/x")
    assert repr(response) == "<StreamResponse Not Found POST /x>"
    assert repr(Response(status=299)) == "<Response 299 not started>"


# -- after the head ----------------------------------------------------------------------------------------------------

CHANGES = {
    "set": lambda headers: headers.__setitem__("X-A", "c"),
    "delete": lambda headers: headers.__delitem__("X-A"),
    "add": lambda headers: headers.add("X-A", "c"),
    "extend": lambda headers: headers.extend({"X-A": "c"}),
    "update": lambda headers: headers.update({"X-A": "c"}),
    "merge": lambda headers: headers.merge({"X-B": "c"}),
    "setdefault": lambda headers: headers.setdefault("X-B", "c"),
    "clear": lambda headers: headers.clear(),
    "pop": lambda headers: headers.pop("X-A"),
    "popone": lambda headers: headers.popone("X-A"),
    "popall": lambda headers: headers.popall("X-A"),
    "popitem": lambda headers: headers.popitem(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_header_change_after_prepare_is_an_error(change: Any) -> None:
    response = StreamResponse(headers={"X-A": "b"})
    headers = response.headers
    await prepared(response)
    for taken in (headers, response.headers):
        with pytest.raises(RuntimeError, match="its headers cannot change any more"):
            change(taken)
    assert headers["X-A"] == "b"


def test_every_way_to_change_a_multidict_is_known() -> None:
    readers = {"get", "getall", "getone", "items", "keys", "values", "copy", "to_dict"}
    public = {name for name in dir(StreamResponse().headers) if not name.startswith("_")}
    assert public - readers == CHANGES.keys() - {"set", "delete"}


def set_attribute(name: str, value: object) -> Any:
    return lambda response: setattr(response, name, value)


@pytest.mark.parametrize(
    "change",
    [
        set_attribute("content_type", "text/html"),
        set_attribute("content_type", None),
        set_attribute("charset", "utf-8"),
        set_attribute("content_length", 3),
        set_attribute("last_modified", 0),
        set_attribute("etag", "x"),
        set_attribute("body", b"x"),
        set_attribute("text", "x"),
        set_attribute("text", None),
        lambda response: response.headers.add("X-A", "b"),
        lambda response: response.set_status(404),
        lambda response: response.set_cookie("a", "b"),
        lambda response: response.del_cookie("a"),
        lambda response: response.enable_chunked_encoding(),
    ],
)
async def test_whatever_the_head_says_cannot_change_after_prepare(change: Any) -> None:
    response = Response(text="abc")
    request = await prepared(response)
    with pytest.raises(RuntimeError, match="cannot change any more"):
        change(response)
    await sent(response, request)
    assert request.content == b"abc"


# -- trailers, and several pieces at once ------------------------------------------------------------------------------


async def test_writelines_writes_each_piece() -> None:
    response = StreamResponse()
    request = await prepared(response)
    waiting: Any = response.writelines(piece for piece in [b"one", b"", bytearray(b"two"), memoryview(b"three")])
    assert request.content == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n"
    assert waiting is request.writer.drains[-1]
    await response.writelines([])
    with pytest.raises(TypeError, match="not str"):
        response.writelines([b"four", "five"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not int"):
        response.writelines(b"bytes are no pieces")  # type: ignore[arg-type]


async def test_writelines_before_prepare_is_refused() -> None:
    with pytest.raises(RuntimeError, match="before prepare"):
        StreamResponse().writelines([])


async def test_trailers_are_announced_and_follow_the_content() -> None:
    response = StreamResponse()
    response.trailers["X-Sum"] = ""
    response.trailers.add("X-Many", "1")
    response.trailers.add("X-Many", "2")
    request = await prepared(response)
    assert request.fields == [("Trailer", "X-Sum, X-Many"), OCTETS, ("Transfer-Encoding", "chunked")]
    await response.write(b"abc")
    response.trailers["X-Sum"] = "é6"
    await response.write_eof(b"def")
    assert request.content == "3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: é6\r\nX-Many: 1\r\nX-Many: 2\r\n\r\n".encode()


async def test_trailers_that_come_late_are_announced_by_hand() -> None:
    response = StreamResponse(headers={"Trailer": "X-Sum"})
    request = await prepared(response)
    assert ("Trailer", "X-Sum") in request.fields
    response.trailers["X-Sum"] = "6"
    await response.finish(request)  # type: ignore[arg-type]
    assert request.content == b"0\r\nX-Sum: 6\r\n\r\n"


@pytest.mark.parametrize("make", [lambda: Response(text="abc"), lambda: Response(body=Source(b"abc"))])
async def test_trailers_make_any_response_chunked(make: Any) -> None:
    response = make()
    response.trailers["X-Sum"] = "6"
    request = await sent(response)
    assert request.fields[-1] == ("Transfer-Encoding", "chunked")
    assert "Content-Length" not in dict(request.fields)
    assert request.content == b"3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"


@pytest.mark.parametrize(
    "request_", [FakeRequest("HEAD"), FakeRequest(version="1.0")], ids=lambda request_: request_.head.method
)
async def test_trailers_have_no_effect_where_there_can_be_none(request_: FakeRequest) -> None:
    response = Response(text="abc")
    response.trailers["X-Sum"] = "6"
    await sent(response, request_)
    assert b"X-Sum: 6" not in request_.wire
    late = StreamResponse(headers={"Content-Length": "0"})
    request = await prepared(late, version="1.0")
    late.trailers["X-Sum"] = "6"
    await late.write_eof()
    assert b"X-Sum" not in request.wire


async def test_a_length_and_trailers_exclude_each_other() -> None:
    response = StreamResponse(headers={"Content-Length": "3"})
    response.trailers["X-Sum"] = "6"
    request = FakeRequest()
    with pytest.raises(RuntimeError, match="exclude each other"):
        await response.prepare(request)  # type: ignore[arg-type]
    assert request.wire == b""
    late = StreamResponse(headers={"Content-Length": "0"})
    await prepared(late)
    with pytest.raises(RuntimeError, match="a length was announced"):
        late.trailers["X-Sum"] = "6"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Set-Cookie", "Content-Type", "Host"])
async def test_what_must_not_be_a_trailer_is_refused(name: str) -> None:
    early, late = StreamResponse(), StreamResponse()
    early.trailers[name] = "1"
    request = FakeRequest()
    with pytest.raises(ValueError, match="must not be a trailer"):
        await early.prepare(request)  # type: ignore[arg-type]
    assert request.wire == b""
    request = await prepared(late)
    late.trailers[name] = "1"
    with pytest.raises(ValueError, match="must not be a trailer"):
        late.write_eof()
    assert not request.writer.finished


@pytest.mark.parametrize(("name", "value"), [("X-A", "b\r\nX-Evil: 1"), ("X A", "b"), ("", "b"), ("X-A", "\0")])
async def test_a_trailer_cannot_split_the_response(name: str, value: str) -> None:
    response = StreamResponse()
    response.trailers[name] = value
    with pytest.raises(ValueError, match="field"):
        await prepared(response)
