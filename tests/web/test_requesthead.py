"""What a request says with its head, and what its connection says about it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy, MultiDictProxy
from yarl import URL

from aioweb.protocol.events import HttpVersion10, HttpVersion11
from aioweb.protocol.fields import ETag
from aioweb.protocol.limits import Limits
from aioweb.server.stream import EMPTY_BODY
from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestURITooLong
from aioweb.web.request import Request
from tests.web.fake_requests import Wire, Writer, make, make_head

# -- the request line --------------------------------------------------------------------------------------------------


def test_the_request_line() -> None:
    request = make("PATCH", "/a%20b?x=1&x=%D1%8F")
    assert (request.method, request.version, request.keep_alive) == ("PATCH", HttpVersion11, True)
    assert request.path == "/a b"
    assert request.raw_path == request.path_qs == "/a%20b?x=1&x=%D1%8F"
    assert request.query_string == "x=1&x=я"
    assert request.query.getall("x") == ["1", "я"]
    assert request.rel_url == URL("/a%20b?x=1&x=%D1%8F")
    assert request.head.target == request.raw_path


def test_http_1_0_is_told() -> None:
    head = make_head()
    head = head._replace(version=HttpVersion10, keep_alive=False)
    request = Request(head, EMPTY_BODY, Writer())  # type: ignore[arg-type]
    assert (request.version, request.keep_alive) == ((1, 0), False)


def test_an_absolute_target_has_a_path_and_its_host_counts() -> None:
    request = make("GET", "http://h:81/p?q=1", ("Host", "other"))
    assert (request.path, request.host) == ("/p", "h:81")
    assert request.raw_path == request.path_qs == "/p?q=1"
    assert request.url == URL("http://h:81/p?q=1")


@pytest.mark.parametrize("target", ["//evil.example/x", "//evil.example/x?y=//z", "///", "//user@evil/"])
def test_a_path_with_two_slashes_is_never_a_host(target: str) -> None:
    request = make("GET", target, ("Host", "good.example"))
    assert request.raw_path == target
    assert request.rel_url.host is None
    assert request.rel_url.raw_path == request.path == target.partition("?")[0]
    assert request.url.host == "good.example"
    assert request.clone(rel_url=request.rel_url).raw_path == target
    assert request.clone(rel_url=target).host == "good.example"


@pytest.mark.parametrize(
    "target", ["/a%2Fb", "/a%2fb%41%zz", "/%FF", "/a|b\\c", "/p;v=1/../x/./y", "/%25%32%66", "/a+b"]
)
def test_nothing_of_the_url_is_requoted(target: str) -> None:
    request = make("GET", f"{target}?{target}", ("Host", "h"))
    assert str(request.rel_url) == f"{target}?{target}"
    assert str(request.url) == f"http://h{target}?{target}"


@pytest.mark.parametrize(
    ("target", "path"), [("/%FF%D1%8F", "/%FFя"), ("/%zz", "/%zz"), ("/a%2Fb", "/a/b"), ("/a+b", "/a+b"), ("*", "*")]
)
def test_path_is_decoded_as_far_as_it_can_be(target: str, path: str) -> None:
    assert make("GET", target).path == path


@pytest.mark.parametrize(("method", "target"), [("OPTIONS", "*"), ("CONNECT", "h:443")])
def test_the_url_of_a_request_without_a_path_has_none(method: str, target: str) -> None:
    request = make(method, target, ("Host", "h"))
    assert (request.path, request.raw_path, str(request.url.origin())) == (target, target, "http://h")
    assert str(request.rel_url) in (target, "h%3A443")


@pytest.mark.parametrize("host", ["h:99999", "xn--a"])
def test_a_host_that_is_none_is_a_400_and_only_for_who_asks_for_the_url(host: str) -> None:
    request = make("GET", "/", ("Host", host))
    assert request.host == host
    with pytest.raises(HTTPBadRequest):
        _ = request.url


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='#"<>'), max_size=30))
def test_no_target_of_the_grammar_makes_the_request_raise(text: str) -> None:
    request = make("GET", "/" + text, ("Host", "h"))
    request.path.encode("utf-8", "surrogatepass")
    assert request.raw_path == "/" + text
    assert [*request.query, request.query_string, request.rel_url, request.url.path, repr(request)]


# -- the query ---------------------------------------------------------------------------------------------------------


def test_the_query_keeps_order_duplicates_and_blanks() -> None:
    request = make("GET", "/?a=1&b=&a=2&c&d=x+y%2B&e=%zz%ff;f=1")
    expected = [("a", "1"), ("b", ""), ("a", "2"), ("c", ""), ("d", "x y+"), ("e", "%zz\ufffd;f=1")]
    assert list(request.query.items()) == expected
    assert isinstance(request.query, MultiDictProxy)
    assert request.query is request.GET is request.query
    assert request.GET.get("locale", "de") == "de"


def test_no_query_is_an_empty_one() -> None:
    assert len(make("GET", "/?").query) == len(make().query) == 0
    assert make("GET", "/?").raw_path == "/?"


@pytest.mark.parametrize(("limit", "fits"), [(2, True), (1, False), (0, True)])
def test_the_number_of_query_fields_is_bounded(limit: int, fits: bool) -> None:
    request = make("GET", "/?a&b", limits=Limits(client_max_fields=limit))
    if fits:
        assert len(request.query) == 2
    else:
        with pytest.raises(HTTPRequestURITooLong):
            _ = request.query


# -- the connection ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writer", "scheme"),
    [
        (Writer(Wire()), "http"),
        (Writer(Wire(sslcontext=object())), "https"),
        (Writer(Wire(ssl_object=object())), "https"),
        (Writer(Wire(), proxy=("X-Forwarded-Proto", "https")), "https"),
        (Writer(Wire(), proxy=("X-Forwarded-Proto", "ssl")), "http"),
        (Writer(Wire(), proxy=("X-Missing", "https")), "http"),
        (Writer(None), "http"),
    ],
)
def test_the_scheme_is_that_of_the_connection_or_of_a_trusted_proxy(writer: Writer, scheme: str) -> None:
    request = make("GET", "ftp://h/", ("x-forwarded-proto", "https"), ("Host", "h"), writer=writer)
    assert request.scheme == scheme
    assert request.secure is (scheme == "https")


def test_the_scheme_of_an_absolute_target_is_only_the_clients_word() -> None:
    assert make("GET", "https://h/").scheme == "http"


@pytest.mark.parametrize(
    ("fields", "sockname", "host"),
    [
        ([("Host", "example.org:81")], ("127.0.0.1", 80), "example.org:81"),
        ([], ("127.0.0.1", 8080), "127.0.0.1:8080"),
        ([("Host", "")], ("127.0.0.1", 8080), "127.0.0.1:8080"),
        ([], ("::1", 8080, 0, 0), "[::1]:8080"),
        ([], ("fe80::1%eth0", 8080, 0, 2), "[fe80::1]:8080"),
        ([], "/run/app.sock", "localhost"),
        ([], None, "localhost"),
    ],
)
def test_the_host_is_who_was_asked_else_the_socket(fields: Any, sockname: Any, host: str) -> None:
    request = make("GET", "/", *fields, writer=Writer(Wire(sockname=sockname)))
    assert request.host == host
    assert str(request.url) == f"http://{host}/"


@pytest.mark.parametrize(
    ("peername", "remote"), [(("10.0.0.1", 5000), "10.0.0.1"), (("::1", 1, 0, 0), "::1"), ("", None), (None, None)]
)
def test_remote_is_the_address_of_the_client(peername: Any, remote: str | None) -> None:
    assert make(writer=Writer(Wire(), peername)).remote == remote


async def test_transport_protocol_loop_and_task() -> None:
    request = make(writer=Writer(Wire(peername=("10.0.0.1", 5000))))
    assert request.transport.get_extra_info("peername") == request.get_extra_info("peername") == ("10.0.0.1", 5000)
    assert request.get_extra_info("nothing") is None
    assert request.get_extra_info("nothing", 1) == 1
    assert request.protocol == "the protocol"
    assert request.loop is asyncio.get_running_loop()
    assert request.task is asyncio.current_task()


async def test_the_task_is_asked_for_in_vain_outside_of_one() -> None:
    answer = asyncio.get_running_loop().create_future()

    def ask() -> None:
        with pytest.raises(RuntimeError) as caught:
            _ = make().task
        answer.set_result(str(caught.value))

    asyncio.get_running_loop().call_soon(ask)
    assert await answer == "request.task was asked outside of a task"


def test_attributes_that_are_computed_tell_what_they_are() -> None:
    assert "decoded" in Request.path.__doc__


def test_when_the_client_is_gone_there_is_no_transport() -> None:
    request = make(writer=Writer(None))
    assert (request.transport, request.protocol, request.get_extra_info("peername", 7)) == (None, None, 7)
    assert (request.remote, request.host) == ("10.0.0.1", "localhost")


# -- the fields --------------------------------------------------------------------------------------------------------


def test_headers_are_a_read_only_multidict_without_case() -> None:
    request = make("GET", "/", ("X-A", "1"), ("x-a", "2"), ("X-B", "caf\udce9"))
    assert isinstance(request.headers, CIMultiDictProxy)
    assert request.headers.getall("x-A") == ["1", "2"]
    assert request.headers is request.headers
    assert request.raw_headers == ((b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"caf\xe9"))


def test_what_the_fields_say_about_the_content() -> None:
    request = make("POST", "/", ("Content-Type", 'Text/HTML; Charset="KOI8-R"'), ("Content-Length", "12"))
    assert (request.content_type, request.charset, request.content_length) == ("text/html", "KOI8-R", 12)
    assert (make().content_type, make().charset, make().content_length) == ("application/octet-stream", None, None)


def test_cookies() -> None:
    request = make("GET", "/", ("Cookie", 'a=1; b="x y"; broken; =; c'), ("Cookie", "d=4; a=5"))
    assert request.cookies == {"a": "1", "b": "x y", "d": "4"}
    assert request.cookies is request.cookies
    with pytest.raises(TypeError):
        request.cookies["e"] = "6"
    assert make().cookies == {}


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)),
        ("nonsense", None),
        ('"etag"', None),
        (None, None),
    ],
)
def test_dates(name: str, value: str | None, date: datetime | None) -> None:
    request = make("GET", "/", *([(name, value)] if value else []))
    assert getattr(request, name.lower().replace("-", "_")) == date


def test_etags() -> None:
    request = make("GET", "/", ("If-Match", '"a", W/"b"'), ("If-Match", '"c"'), ("If-None-Match", "*"))
    assert request.if_match == (ETag("a"), ETag("b", True), ETag("c"))
    assert request.if_none_match == (ETag("*"),)
    assert make().if_match is make().if_none_match is None


def test_http_range() -> None:
    assert make("GET", "/", ("Range", "bytes=0-499")).http_range == slice(0, 500, 1)
    assert make("GET", "/", ("Range", "bytes=-500")).http_range == slice(-500, None, 1)
    assert make().http_range == slice(None, None, 1)
    with pytest.raises(ValueError, match="Range"):
        _ = make("GET", "/", ("Range", "bytes=9-1")).http_range


def test_forwarded() -> None:
    request = make("GET", "/", ("Forwarded", "for=1.2.3.4;proto=https, for=b"), ("Forwarded", 'host="h"'))
    assert request.forwarded == ({"for": "1.2.3.4", "proto": "https"}, {"for": "b"}, {"host": "h"})
