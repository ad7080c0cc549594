"""Headers, types, dates, tags and cookies of a response, and what cannot be smuggled into them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.fields import ETag
from aioweb.web.response import Response
from aioweb.web.streamresponse import StreamResponse
from tests.web.fakes import FakeRequest, sent

# -- typed headers -----------------------------------------------------------------------------------------------------


def test_f10_content_type_and_charset_write_the_header() -> None:
    response = StreamResponse()
    assert (response.content_type, response.charset) == ("application/octet-stream", None)
    with pytest.raises(RuntimeError, match="has no charset"):
        response.charset = "utf-8"
    response.content_type = "text/html"
    response.charset = " UTF-8 "
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    response.content_type = "text/css"
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    response.charset = None
    assert response.headers["Content-Type"] == "text/css"
    response.content_type = None
    assert "Content-Type" not in response.headers
    with pytest.raises(ValueError, match="charset must not be in content_type"):
        response.content_type = "text/html; charset=utf-8"


def test_other_parameters_of_a_type_stay() -> None:
    response = StreamResponse(headers={"Content-Type": 'text/plain; format="a b"; charset=x'})
    response.charset = "utf-8"
    assert response.headers["Content-Type"] == 'text/plain; format="a b"; charset=utf-8'


def test_content_length_writes_the_header() -> None:
    response = StreamResponse()
    assert response.content_length is None
    response.content_length = 5
    assert (response.content_length, response.headers["Content-Length"]) == (5, "5")
    response.content_length = None
    assert "Content-Length" not in response.headers
    with pytest.raises(ValueError, match="-1"):
        response.content_length = -1


MOMENT = "Sat, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111776.2, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111777.0, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc), "Sun, 06 Nov 1994 08:49:37 GMT"),
        (datetime(1994, 11, 6, 8, 49, 37), "Sun, 06 Nov 1994 08:49:37 GMT"),
        (datetime(1994, 11, 6, 10, 49, 37, tzinfo=timezone(timedelta(hours=2))), "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("as it is", "as it is"),
    ],
)
def test_f10_last_modified_takes_what_tells_a_time(value: Any, header: str) -> None:
    response = StreamResponse()
    response.last_modified = value
    assert response.headers["Last-Modified"] == header


def test_last_modified_is_read_as_a_datetime_and_removed_by_none() -> None:
    response = StreamResponse()
    assert response.last_modified is None
    response.last_modified = 784111777
    assert response.last_modified == datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)
    response.last_modified = None
    assert "Last-Modified" not in response.headers
    with pytest.raises(TypeError, match="last_modified must be"):
        response.last_modified = []  # type: ignore[assignment]


def test_n12_etag_is_strong_as_text_and_weak_by_its_class() -> None:
    response = StreamResponse()
    assert response.etag is None
    response.etag = "abc"
    assert (response.headers["ETag"], response.etag) == ('"abc"', ETag("abc"))
    response.etag = ETag("abc", is_weak=True)
    assert (response.headers["ETag"], response.etag) == ('W/"abc"', ETag("abc", is_weak=True))
    with pytest.raises(ValueError, match="ETag"):
        response.etag = 'a"b'
    response.etag = None
    assert "ETag" not in response.headers


async def test_date_and_server_of_the_user_win() -> None:
    request = await sent(Response(headers={"date": "today"}))
    assert request.wire.count(b"\r\nDate:") + request.wire.count(b"\r\ndate:") == 1
    assert b"\r\nServer: fake\r\n" in request.wire
    request = await sent(Response(headers={"server": "mine"}))
    assert b"Server: fake" not in request.wire
    assert request.wire.count(b"Date:") == 1
    request = await sent(Response(headers={"Server": "mine", "Date": "today"}))
    assert request.fields == [("Server", "mine"), ("Date", "today"), ("Content-Length", "0")]


# -- cookies -----------------------------------------------------------------------------------------------------------


async def test_f8_a_cookie_goes_out_with_every_attribute() -> None:
    response = Response()
    response.set_cookie(
        "name",
        "value",
        expires="Thu, 31 Oct 2030 07:28:00 GMT",
        domain="example.com",
        max_age=60,
        path="/x",
        secure=True,
        httponly=True,
        version="1",
        samesite="None",
        partitioned=True,
    )
    response.set_cookie("other", "2")
    cookies = [value for name, value in (await sent(response)).fields if name == "Set-Cookie"]
    assert cookies == [
        "name=value; Domain=example.com; expires=Thu, 31 Oct 2030 07:28:00 GMT; HttpOnly; Max-Age=60;"
        " Partitioned; Path=/x; SameSite=None; Secure; Version=1",
        "other=2; Path=/",
    ]


def test_f8_setting_a_cookie_again_changes_only_what_is_given() -> None:
    response = Response()
    response.set_cookie("a", "1", httponly=True, max_age=5)
    response.set_cookie("a", "2", max_age=6)
    assert response.cookies["a"].encode() == "a=2; HttpOnly; Max-Age=6; Path=/"


def test_f9_a_deleted_cookie_is_empty_and_expired_until_it_is_set_again() -> None:
    response = Response()
    response.set_cookie("a", "1", httponly=True)
    response.del_cookie("a", path="/x", domain="d.com")
    assert response.cookies["a"].encode().startswith("a=; Domain=d.com; expires=Thu, 01 Jan 1970 00:00:00 GMT;")
    response.set_cookie("a", "2")
    assert response.cookies["a"].encode() == "a=2; Path=/"


# -- injection (F18, SECURITY.md section 4) ----------------------------------------------------------------------------

CONTROLS = [chr(code) for code in [*range(32), 127] if chr(code) != "\t"]
INJECTIONS = {
    "field X-A": lambda bad: Response(headers={"X-A": f"a{bad}b"}),
    "field name": lambda bad: Response(headers={f"X{bad}A": "b"}),
    "reason": lambda bad: Response(status=200, reason=f"a{bad}b"),
    "Content-Type": lambda bad: Response(headers={"Content-Type": f"text/html{bad}"}, body=b"x"),
    "Last-Modified": lambda bad: set_and_return("last_modified", f"a{bad}b"),
    "ETag": lambda bad: set_and_return("etag", f"a{bad}b"),
    "cookie 'a'": lambda bad: with_cookie("a", f"b{bad}c"),
    "cookie 'a": lambda bad: with_cookie(f"a{bad}", "b"),
    "path": lambda bad: with_cookie("a", "b", path=f"/{bad}x"),
    "domain": lambda bad: with_cookie("a", "b", domain=f"d{bad}x"),
    "expires": lambda bad: with_cookie("a", "b", expires=f"d{bad}x"),
    "samesite": lambda bad: with_cookie("a", "b", samesite=f"Lax{bad}x"),
}


def set_and_return(name: str, value: str) -> Response:
    response = Response()
    setattr(response, name, value)
    return response


def with_cookie(name: str, value: str, **attributes: Any) -> Response:
    response = Response()
    response.set_cookie(name, value, **attributes)
    return response


@pytest.mark.parametrize("bad", CONTROLS, ids=repr)
@pytest.mark.parametrize(("where", "make"), INJECTIONS.items(), ids=INJECTIONS)
@pytest.mark.parametrize("hooks", [[], ["one"]], ids=["at once", "prepared"])
async def test_f18_a_control_character_is_refused_with_the_name_of_its_place(
    where: str, make: Any, bad: str, hooks: list[str]
) -> None:
    async def hook(request: Any, response: Any) -> None:
        pass

    request = FakeRequest(hooks=[hook for _ in hooks])
    with pytest.raises(ValueError) as caught:
        await sent(make(bad), request)
    assert where in str(caught.value)
    assert bad not in str(caught.value)
    assert request.wire == b""


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x7f"])
def test_a_reason_is_refused_when_it_is_set(bad: str) -> None:
    response = StreamResponse()
    with pytest.raises(ValueError, match="reason"):
        response.set_status(404, f"a{bad}")
    assert (response.status, response.reason) == (200, "OK")


@given(st.text(), st.text())
async def test_whatever_a_header_is_the_head_has_as_many_lines_as_it_should(name: str, value: str) -> None:
    request = FakeRequest()
    try:
        await sent(Response(body=b"x", headers={name: value}), request)
    except (ValueError, RuntimeError):
        assert request.wire == b""
        return
    head = request.wire.partition(b"\r\n\r\n")[0]
    assert request.content == b"x"
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n") <= 5
