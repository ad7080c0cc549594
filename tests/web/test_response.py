"""Response over the real ground: its content, its framing, several requests, JSON."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import Any

import pytest

from aioweb.web.response import Response, json_bytes_response, json_response
from aioweb.web.streamresponse import StreamResponse
from tests.web.fakes import FakeRequest, prepared, sent

TEXT = ("Content-Type", "text/plain; charset=utf-8")
OCTETS = ("Content-Type", "application/octet-stream")

# -- the plain response ------------------------------------------------------------------------------------------------


async def test_a_plain_response_leaves_in_one_send_and_builds_neither_headers_nor_cookies() -> None:
    response = Response(text="Hello")
    request = await sent(response)
    assert request.calls == ["send"]
    assert request.wire == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\nServer: fake\r\nContent-Length: 5\r\n\r\nHello"
    )
    assert vars(response).keys() == {"_body", "_content_type", "_writer"}


@pytest.mark.parametrize(
    ("response", "fields", "content"),
    [
        (lambda: Response(text="é"), [TEXT, ("Content-Length", "2")], "é".encode()),
        (lambda: Response(body="é"), [TEXT, ("Content-Length", "2")], "é".encode()),
        (lambda: Response(text=""), [TEXT, ("Content-Length", "0")], b""),
        (lambda: Response(body=b"ab"), [OCTETS, ("Content-Length", "2")], b"ab"),
        (lambda: Response(body=bytearray(b"ab")), [OCTETS, ("Content-Length", "2")], b"ab"),
        (lambda: Response(body=memoryview(b"abcd")[::2]), [OCTETS, ("Content-Length", "2")], b"ac"),
        (lambda: Response(), [("Content-Length", "0")], b""),
        (lambda: Response(body=b""), [("Content-Length", "0")], b""),
        (
            lambda: Response(body=b"a", content_type="image/png"),
            [("Content-Type", "image/png"), ("Content-Length", "1")],
            b"a",
        ),
        (
            lambda: Response(text="я", content_type="text/html", charset="koi8-r"),
            [("Content-Type", "text/html; charset=koi8-r"), ("Content-Length", "1")],
            "я".encode("koi8-r"),
        ),
        (
            lambda: Response(text="я", charset="koi8-r"),
            [("Content-Type", "text/plain; charset=koi8-r"), ("Content-Length", "1")],
            "я".encode("koi8-r"),
        ),
        (
            lambda: Response(text="a", headers={"content-type": "text/html"}),
            [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "1")],
            b"a",
        ),
        (
            lambda: Response(body="я", headers={"Content-Type": "text/html; charset=koi8-r"}),
            [("Content-Type", "text/html; charset=koi8-r"), ("Content-Length", "1")],
            "я".encode("koi8-r"),
        ),
        (
            lambda: Response(text="a", headers=[("X-A", "1"), ("X-A", "2")], content_type="text/css"),
            [("X-A", "1"), ("X-A", "2"), ("Content-Type", "text/css; charset=utf-8"), ("Content-Length", "1")],
            b"a",
        ),
    ],
)
async def test_type_length_and_content_of_what_is_given(response: Any, fields: Any, content: bytes) -> None:
    request = await sent(response())
    assert request.calls == ["send"]
    assert request.fields == fields
    assert request.content == content


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"body": b"a", "text": "a"}, ValueError, "body and text"),
        ({"body": "a", "text": "a"}, ValueError, "body and text"),
        ({"body": b"", "text": ""}, ValueError, "body and text"),
        ({"text": b"a"}, TypeError, "text must be a str, not bytes"),
        (
            {"body": 5},
            TypeError,
            "body must be bytes, bytearray, memoryview, str, an async",
        ),
        ({"body": iter(())}, TypeError, "not tuple_iterator"),
        ({"content_type": "text/html; charset=x"}, ValueError, "charset must not be in content_type argument"),
        ({"content_type": "text"}, ValueError, "'text' is not type/subtype"),
        ({"content_type": "text/html\r\nX: y"}, ValueError, "Content-Type"),
        ({"text": "a", "charset": "utf-8\n"}, ValueError, "charset"),
        ({"headers": {"Content-Type": "a/b"}, "content_type": "a/b"}, ValueError, "the type is in headers"),
        ({"headers": {"content-type": "a/b"}, "charset": "utf-8", "text": ""}, ValueError, "the type is in headers"),
        ({"status": 99}, ValueError, "status must be a number from 100 to 999, not 99"),
        ({"status": 1000}, ValueError, "not 1000"),
    ],
)
def test_a_wrong_argument_raises_at_once(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Response(**arguments)
    assert message in str(caught.value)


async def test_a_mutable_body_may_change_after_it_was_given() -> None:
    body = bytearray(b"right")
    response = Response(body=body)
    body[:] = b"wrong"
    assert (await sent(response)).content == b"right"


def test_body_and_text_are_two_views_of_the_content() -> None:
    response = Response(text="я")
    assert (response.body, response.text, response.content_length) == ("я".encode(), "я", 2)
    response.body = b"abc"
    assert (response.text, response.content_length) == ("abc", 3)
    response.body = None
    assert (response.body, response.text, response.content_length) == (None, None, 0)
    response.content_type, response.charset = "text/html", "koi8-r"
    response.text = "я"
    assert (response.body, response.text) == (b"\xd1", "я")
    response.body = "яя"
    assert response.body == b"\xd1\xd1"
    response.text = None
    assert response.content_length == 0
    with pytest.raises(TypeError, match="not list"):
        response.body = []  # type: ignore[assignment]


def test_text_in_octets_becomes_text() -> None:
    response = Response(body=b"", content_type="application/octet-stream")
    response.text = "a"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_new_content_forgets_the_length_of_the_old() -> None:
    response = Response(body=b"abc", headers={"Content-Length": "3"})
    response.body = b"ab"
    assert ("Content-Length", "2") in (await sent(response)).fields
    response = Response(text="abc", headers={"Content-Length": "3"})
    response.text = "a"
    assert ("Content-Length", "1") in (await sent(response)).fields


@pytest.mark.parametrize("status", [204, 304, 205])
@pytest.mark.parametrize("headers", [None, {"X-A": "b"}])
async def test_a_status_without_content_has_none_on_the_wire(status: int, headers: Any) -> None:
    request = await sent(Response(status=status, body=b"abc", headers=headers))
    assert request.content == b""
    assert "application/octet-stream" not in dict(request.fields).values()


@pytest.mark.parametrize("headers", [None, {"X-A": "b"}])
async def test_head_gets_the_fields_of_get_and_no_content(headers: Any) -> None:
    got = await sent(Response(text="abc", headers=headers), FakeRequest("GET"))
    head = await sent(Response(text="abc", headers=headers), FakeRequest("HEAD"))
    assert head.fields == got.fields
    assert head.content == b""


async def test_a_length_for_head_may_be_announced_without_the_content() -> None:
    request = await sent(Response(headers={"Content-Length": "1234"}), FakeRequest("HEAD"))
    assert ("Content-Length", "1234") in request.fields
    assert request.content == b""


@pytest.mark.parametrize("headers", [{"Content-Length": "2"}, {"Content-Length": "0"}])
async def test_a_length_that_is_not_the_bodys_is_refused_before_anything_is_sent(headers: Any) -> None:
    request = FakeRequest()
    with pytest.raises(RuntimeError, match=r"Content-Length says \d bytes, but the body has 3"):
        await sent(Response(body=b"abc", headers=headers), request)
    assert request.wire == b""


@pytest.mark.parametrize("value", ["-1", "x", "+3", "3, 3", "٣", ""])
async def test_a_length_that_is_no_number_is_refused_with_its_name(value: str) -> None:
    request = FakeRequest()
    with pytest.raises(ValueError, match="Content-Length"):
        await sent(Response(body=b"abc", headers={"Content-Length": value}), request)
    assert request.wire == b""


# -- framing -----------------------------------------------------------------------------------------------------------


async def test_framing_fields_of_the_user_are_wishes_and_never_lines() -> None:
    headers = {"content-length": "3", "CONNECTION": "keep-alive, X-A, Close", "X-A": "b"}
    request = await sent(Response(body=b"abc", headers=headers))
    assert sorted(request.fields) == [
        ("Connection", "close"),
        ("Content-Length", "3"),
        OCTETS,
        ("X-A", "b"),
    ]


async def test_a_connection_header_that_does_not_say_close_is_dropped() -> None:
    request = await sent(Response(headers={"Connection": "keep-alive, x-close"}))
    assert "Connection" not in dict(request.fields)


async def test_force_close_announces_the_end_of_the_connection() -> None:
    response = Response(text="a")
    assert response.keep_alive is None
    response.force_close()
    assert response.keep_alive is False
    assert ("Connection", "close") in (await sent(response)).fields


@pytest.mark.parametrize(("fields", "keep_alive"), [("", True), ("Connection: close\r\n", False)])
async def test_keep_alive_is_none_until_it_is_decided(fields: str, keep_alive: bool) -> None:
    response = StreamResponse()
    assert response.keep_alive is None
    await prepared(response, fields=fields)
    assert response.keep_alive is keep_alive


async def test_a_chunked_response_sends_its_body_in_one_chunk() -> None:
    response = Response(text="abc")
    response.enable_chunked_encoding(1024)
    assert response.chunked
    assert response.content_length is None
    request = await sent(response)
    assert request.fields == [TEXT, ("Transfer-Encoding", "chunked")]
    assert request.content == b"3\r\nabc\r\n0\r\n\r\n"


async def test_a_chunked_response_to_http_1_0_ends_with_the_connection() -> None:
    response = StreamResponse()
    response.enable_chunked_encoding()
    request = await prepared(response, version="1.0")
    response.write(b"abc")
    response.write_eof()
    assert not response.chunked
    assert request.content == b"abc"
    assert ("Connection", "close") in request.fields


def test_chunked_encoding_and_a_length_exclude_each_other() -> None:
    response = StreamResponse()
    response.content_length = 3
    with pytest.raises(RuntimeError, match="Content-Length is set"):
        response.enable_chunked_encoding()
    response = StreamResponse(headers={"Transfer-Encoding": "chunked"})
    with pytest.raises(RuntimeError, match="chunked encoding is enabled"):
        response.content_length = 3
    response.content_length = None


# -- overriding --------------------------------------------------------------------------------------------------------


async def test_what_a_subclass_overrides_is_called() -> None:
    called = []

    class Own(Response):
        async def prepare(self, request: Any) -> Any:
            called.append("prepare")
            return await super().prepare(request)

    class Upper(Response):
        def write_eof(self, data: bytes | bytearray | memoryview = b"") -> Any:
            called.append("write_eof")
            return super().write_eof((self.body or b"").upper())

    class Below(Upper):
        pass

    assert (await sent(Own(text="abc"))).content == b"abc"
    assert (await sent(Upper(text="abc"))).content == b"ABC"
    assert (await sent(Below(text="abc"))).content == b"ABC"
    assert called == ["prepare", "write_eof", "write_eof"]


async def test_a_subclass_that_overrides_nothing_is_as_quick() -> None:
    class Page(Response):
        pass

    assert (await sent(Page(text="abc"))).calls == ["send"]


# -- one response, several requests (F20) ------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [None, {"X-A": "b"}])
async def test_f20_a_complete_response_may_be_sent_again_and_is_framed_for_each_request(headers: Any) -> None:
    shared = Response(text="abc", headers=headers)
    first = await sent(shared)
    head = await sent(shared, FakeRequest("HEAD"))
    old = await sent(shared, FakeRequest(version="1.0"))
    last = await sent(shared)
    assert first.wire == last.wire
    assert head.content == b""
    assert ("Connection", "close") in old.fields
    assert ("Connection", "close") not in last.fields


async def test_f20_a_shared_response_may_be_changed_between_requests_and_by_hooks() -> None:
    async def number(request: Any, response: StreamResponse) -> None:
        response.headers["X-Path"] = request.head.path

    shared = Response(text="abc")
    for path in ("/1", "/2"):
        request = await sent(shared, FakeRequest(path=path, hooks=[number]))
        assert ("X-Path", path) in request.fields
        assert not shared.prepared
        shared.headers["X-Own"] = path
    assert ("X-Own", "/2") in (await sent(shared)).fields


async def test_f20_a_response_with_cookies_is_for_one_client() -> None:
    by_name, by_header = Response(), Response(headers={"Set-Cookie": "a=b"})
    by_name.set_cookie("session", "secret")
    for response in (by_name, by_header):
        await sent(response)
        other = FakeRequest()
        with pytest.raises(RuntimeError, match="sets cookies and answered another request"):
            await sent(response, other)
        assert other.wire == b""


async def test_f20_a_response_that_is_under_way_answers_another_request_as_well() -> None:
    gate = asyncio.Event()

    async def wait(request: Any, response: Any) -> None:
        response.headers["X-Path"] = request.head.path
        await gate.wait()

    shared = Response(text="abc", headers={"X-Own": "1"})
    first, last = FakeRequest(path="/first", hooks=[wait]), FakeRequest(path="/last", hooks=[wait])
    tasks = [asyncio.ensure_future(sent(shared, request)) for request in (first, last)]
    await asyncio.sleep(0)
    middle = await sent(shared, FakeRequest())
    gate.set()
    await asyncio.gather(*tasks)
    assert first.content == middle.content == last.content == b"abc"
    assert ("X-Path", "/first") in first.fields
    assert ("X-Path", "/last") in last.fields
    assert ("X-Own", "1") in last.fields
    assert not shared.prepared


async def test_f20_a_response_with_cookies_that_is_under_way_cannot_answer_another_request() -> None:
    gate = asyncio.Event()

    async def set_cookie(request: Any, response: Any) -> None:
        response.set_cookie("session", "secret")
        await gate.wait()

    shared = Response(text="abc")
    task = asyncio.ensure_future(sent(shared, FakeRequest(hooks=[set_cookie])))
    await asyncio.sleep(0)
    other = FakeRequest()
    with pytest.raises(RuntimeError, match="sets cookies and answered another request"):
        await sent(shared, other)
    gate.set()
    await task
    assert other.wire == b""


async def test_a_response_that_the_handler_ended_itself_is_not_sent_twice() -> None:
    response = Response(text="abc")
    request = await prepared(response)
    await response.write_eof()
    wire = request.wire
    assert response.started
    await sent(response, request)
    await sent(response, request)
    assert request.wire == wire
    assert request.content == b"abc"


async def test_finishing_a_second_time_for_one_request_is_harmless() -> None:
    response = Response(text="abc")
    request = await sent(response)
    wire = request.wire
    await sent(response, request)
    assert request.wire == wire


# -- copies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda response: pickle.loads(pickle.dumps(response))])
async def test_a_copy_is_unsent_and_has_headers_of_its_own(duplicate: Any) -> None:
    response = Response(text="abc", status=201, headers={"X-A": "b"})
    await prepared(response)
    twin = duplicate(response)
    assert not twin.prepared
    twin.headers["X-A"] = "c"
    assert response.headers["X-A"] == "b"
    request = await sent(twin)
    assert request.status_line == "HTTP/1.1 201 Created"
    assert request.content == b"abc"


# -- json --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (lambda: json_response({"a": "я"}), json.dumps({"a": "я"}).encode()),
        (lambda: json_response(None), b"null"),
        (lambda: json_response(text="[1]"), b"[1]"),
        (lambda: json_response([1, 2], dumps=lambda data: json.dumps(data, indent=1)), b"[\n 1,\n 2\n]"),
    ],
)
async def test_n14_json_response(response: Any, content: bytes) -> None:
    request = await sent(response())
    assert request.fields[0] == ("Content-Type", "application/json; charset=utf-8")
    assert request.content == content
    assert request.calls == ["send"]


async def test_n14_json_response_of_bytes_and_with_everything_else() -> None:
    request = await sent(
        json_response(body=b"[]", status=201, reason="Made", headers={"X-A": "b"}, content_type="application/x+json")
    )
    assert request.status_line == "HTTP/1.1 201 Made"
    assert request.fields == [("X-A", "b"), ("Content-Type", "application/x+json"), ("Content-Length", "2")]


async def test_n14_json_bytes_response() -> None:
    request = await sent(json_bytes_response([1], dumps=lambda data: json.dumps(data).encode(), status=202))
    assert request.status_line == "HTTP/1.1 202 Accepted"
    assert request.fields == [("Content-Type", "application/json"), ("Content-Length", "3")]
    assert (await sent(json_bytes_response(dumps=lambda data: b"", body=b"{}"))).content == b"{}"


def test_json_responses_want_the_content_once() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        json_response({}, text="{}")
    with pytest.raises(ValueError, match="give one of them"):
        json_response({}, body=b"{}")
    with pytest.raises(ValueError, match="give one of them"):
        json_bytes_response({}, body=b"{}", dumps=lambda data: b"")
