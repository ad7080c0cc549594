"""The request: its content, its state, its application, its clones, and the object itself."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import weakref
from collections.abc import MutableMapping
from typing import Any

import pytest
from multidict import MultiDictProxy
from yarl import URL

from aioweb.protocol.events import FieldSection
from aioweb.protocol.limits import Limits
from aioweb.server.stream import BodyTimeout
from aioweb.web.exceptions import (
    HTTPBadRequest,
    HTTPException,
    HTTPRequestEntityTooLarge,
)
from aioweb.web.request import BaseRequest, Request, RequestKey
from tests.web.fake_requests import content, make

FORM = "application/x-www-form-urlencoded"


def post(data: bytes, content_type: str | None = FORM, method: str = "POST", limits: Limits | None = None) -> Any:
    fields = [] if content_type is None else [("Content-Type", content_type)]
    return make(method, "/", *fields, body=content(data), limits=limits)


# -- the content -------------------------------------------------------------------------------------------------------


async def test_questions_about_the_content() -> None:
    empty, full = make(), make("POST", body=content(b"abc"))
    assert (empty.body_exists, empty.can_read_body, empty.has_body) == (False, False, False)
    assert (full.body_exists, full.can_read_body, full.has_body) == (True, True, True)
    assert full.content is full.payload
    await full.read()
    assert (full.body_exists, full.can_read_body, full.has_body) == (True, False, False)


async def test_read_is_cached() -> None:
    request = make("POST", body=content(b"abc", b"def"))
    assert await request.read() == b"abcdef"
    assert await request.read() is await request.read()
    assert await request.text() == "abcdef"
    assert await make().read() == b""


@pytest.mark.parametrize(("limit", "fits"), [(6, True), (5, False), (0, True), (-1, True)])
async def test_the_content_is_bounded(limit: int, fits: bool) -> None:
    request = make("POST", body=content(b"abc", b"def"))
    request.client_max_size = limit
    if fits:
        assert await request.read() == b"abcdef"
    else:
        with pytest.raises(HTTPRequestEntityTooLarge) as caught:
            await request.read()
        assert caught.value.text == "413: at most 5 bytes of content are allowed, and 6 came"


async def test_too_much_content_is_a_413_when_the_limit_is_passed_not_at_the_end() -> None:
    body = content(b"abc", eof=False)
    task = asyncio.ensure_future(make("POST", body=body, limits=Limits(client_max_size=5)).read())
    while not body.waiting:
        await asyncio.sleep(0)
    body.feed_data(b"def")
    with pytest.raises(HTTPRequestEntityTooLarge):
        await asyncio.wait_for(task, 1)


async def test_an_announced_length_over_the_limit_is_a_413_at_once() -> None:
    body = content(eof=False)
    request = make("POST", "/", ("Content-Length", "6"), body=body, limits=Limits(client_max_size=5))
    with pytest.raises(HTTPRequestEntityTooLarge):
        await asyncio.wait_for(request.read(), 1)
    request.client_max_size = 6
    body.feed_data(b"abcdef")
    body.feed_eof()
    assert await request.read() == b"abcdef"


async def test_a_read_that_was_cancelled_can_be_repeated() -> None:
    body = content(b"abc", eof=False)
    request = make("POST", body=body)
    task = asyncio.ensure_future(request.read())
    while not body.waiting:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    body.feed_data(b"def")
    body.feed_eof()
    assert await request.read() == b"abcdef"


async def test_what_breaks_the_content_reaches_who_reads_it() -> None:
    body = content(b"abc", eof=False)
    body.set_exception(BodyTimeout("slow"))
    for reading in ("read", "text", "json", "release"):
        with pytest.raises(BodyTimeout):
            await getattr(make("POST", body=body), reading)()


@pytest.mark.parametrize(
    ("content_type", "data", "text"),
    [
        ("text/plain", "ёж".encode(), "ёж"),
        ("text/plain; charset=koi8-r", "ёж".encode("koi8-r"), "ёж"),
        ("text/plain; charset=", b"a", "a"),
        ("text/plain", b"\xff", HTTPBadRequest),
        ("text/plain; charset=ascii", "ёж".encode(), HTTPBadRequest),
        ("text/plain; charset=nonsense", b"a", HTTPBadRequest),
        ("text/plain; charset=punycode", b"a", HTTPBadRequest),
    ],
)
async def test_text_is_in_the_charset_of_the_client(content_type: str, data: bytes, text: Any) -> None:
    request = post(data, content_type)
    if isinstance(text, str):
        assert await request.text() == text
    else:
        with pytest.raises(text):
            await request.text()


async def test_json() -> None:
    assert await post('{"a": "ё"}'.encode(), "application/json").json() == {"a": "ё"}
    assert await post(b"[1.5]", None).json(loads=lambda text: json.loads(text, parse_float=str)) == ["1.5"]
    assert await post(b"x", None).json(loader=str.upper) == "X"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"nonsense", b"\xff", b"[" * 200_000, b"\xef\xbb\xbf{}", b'{"a": 1} x', b'"\x00"']
)
async def test_bad_json_is_a_400(data: bytes) -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        await post(data, "application/json").json()
    assert re.fullmatch(r"400: the content is not valid (JSON|utf-8)", caught.value.text or "")


async def test_a_number_that_python_refuses_to_read_is_a_400() -> None:
    try:
        int("9" * 5000)
    except ValueError:
        with pytest.raises(HTTPBadRequest):
            await post(b"9" * 5000, "application/json").json()


async def test_release_drops_what_is_left() -> None:
    request = make("POST", body=content(b"abc"))
    assert await request.content.read(1) == b"a"
    await request.release()
    assert not request.can_read_body
    await make().release()


# -- forms -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_post_reads_the_form_of_methods_that_have_one(method: str) -> None:
    request = post(b"a=1&b=&a=%D1%8F", method=method)
    assert list((await request.post()).items()) == [("a", "1"), ("b", ""), ("a", "я")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "CONNECT"])
async def test_post_of_other_methods_is_empty_and_reads_nothing(method: str) -> None:
    request = post(b"a=1", method=method)
    assert len(await request.post()) == 0
    assert request.can_read_body


@pytest.mark.parametrize(
    ("content_type", "fields"),
    [
        (FORM, [("a", "1")]),
        (f"{FORM.upper()}; charset=utf-8", [("a", "1")]),
        ("", [("a", "1")]),
        (None, []),
        ("text/plain", []),
        ("application/json", []),
    ],
)
async def test_post_reads_forms_only(content_type: str | None, fields: list[tuple[str, str]]) -> None:
    request = post(b"a=1", content_type)
    assert list((await request.post()).items()) == fields
    assert request.can_read_body is not bool(fields)


async def test_post_is_cached_and_then_there_as_POST() -> None:
    request = post(b"a=1")
    with pytest.raises(RuntimeError, match=r"await request\.post"):
        _ = request.POST
    assert request.form is None
    data = await request.post()
    assert isinstance(data, MultiDictProxy)
    assert data is await request.post() is request.POST is request.form


async def test_post_uses_the_charset_of_the_header() -> None:
    assert (await post(b"a=%C8", f"{FORM}; charset=windows-1251").post())["a"] == "И"


@pytest.mark.parametrize(("limit", "fits"), [(3, True), (2, False)])
async def test_the_limit_of_fields_can_be_set_before_they_are_read(limit: int, fits: bool) -> None:
    request = post(b"a&b&c")
    request.client_max_fields = limit
    if fits:
        assert len(await request.post()) == 3
    else:
        with pytest.raises(HTTPRequestEntityTooLarge):
            await request.post()


@pytest.mark.parametrize(
    ("data", "content_type", "limits", "error"),
    [
        (b"a=%ff", FORM, None, HTTPBadRequest),
        (b"a=\xff", FORM, None, HTTPBadRequest),
        (b"a=1", f"{FORM}; charset=nonsense", None, HTTPBadRequest),
        (b"a&b&c", FORM, Limits(client_max_fields=2), HTTPRequestEntityTooLarge),
        (b"a=123", FORM, Limits(client_max_size=4), HTTPRequestEntityTooLarge),
        (b"--x", "multipart/form-data; boundary=x", None, HTTPBadRequest),
    ],
)
async def test_a_form_that_cannot_be_read(
    data: bytes, content_type: str, limits: Limits | None, error: type[HTTPException]
) -> None:
    with pytest.raises(error):
        await post(data, content_type, limits=limits).post()


# -- state -------------------------------------------------------------------------------------------------------------


def test_a_request_is_a_mapping_of_its_state() -> None:
    request = make()
    assert isinstance(request, MutableMapping)
    assert (len(request), list(request), request.get("user"), request.get("user", 1), "user" in request) == (
        0,
        [],
        None,
        1,
        False,
    )
    for action in (lambda: request["user"], lambda: request.__delitem__("user")):
        with pytest.raises(KeyError):
            action()
    request["user"] = "ann"
    request.update(role="admin")
    assert (request["user"], dict(request), len(request)) == ("ann", {"user": "ann", "role": "admin"}, 2)
    assert request.setdefault("user", "bob") == request.pop("user") == "ann"
    del request["role"]
    assert not list(request)
    with pytest.raises(KeyError):
        del request["role"]


def test_typed_keys_of_the_same_name_are_different() -> None:
    one, two = RequestKey("user", str), RequestKey[int]("user")
    request = make()
    request[one], request[two], request["user"] = "ann", 1, None
    assert (request[one], request[two], request.get(one), len(request)) == ("ann", 1, "ann", 3)
    assert (repr(one), repr(two)) == ("<RequestKey(user, type=str)>", "<RequestKey(user)>")


def test_a_request_is_true_and_equal_only_to_itself() -> None:
    one, two = make(), make()
    assert one
    assert one == one
    assert one != two
    assert one != {}
    assert len({one, two, one}) == 2


def test_two_requests_share_no_state() -> None:
    one, two = make(), make()
    one["a"] = 1
    assert "a" not in two


# -- the application ---------------------------------------------------------------------------------------------------


class App(dict[str, Any]):
    """State, and in one object the router with these names and the resource that was found last."""

    def __init__(self, *names: str, **state: object) -> None:
        super().__init__(state)
        self.router = self
        self.names = names
        self.path = ""

    def find_named(self, name: str) -> App:
        if name not in self.names:
            raise KeyError(name)
        self.path = f"/{self.names[0]}/{name}"
        return self

    def url_for(self, **parts: object) -> URL:
        return URL(self.path) % parts


class Match(dict[str, str]):
    def __init__(self, *apps: App, current: int = -1) -> None:
        super().__init__(id="7")
        self.apps = apps
        self.current_app = apps[current]


def test_before_it_is_routed_a_request_has_no_parts_and_no_application() -> None:
    request = make()
    assert len(request.match_info) == 0
    assert request.match_info.route is request.match_info.handler is None
    with pytest.raises(RuntimeError, match="not routed"):
        _ = request.app


def test_the_application_is_that_of_the_match() -> None:
    outer, inner = App(a=1, b=1), App(b=2)
    request = make()
    request.match_info = Match(outer, inner)
    assert request.app is inner
    assert request.match_info["id"] == "7"


def test_a_name_is_looked_for_outwards_from_the_current_application() -> None:
    outer, middle, inner = App("outer", "user"), App("middle", "user"), App("inner", "page")
    request = make()
    request.match_info = Match(outer, middle, inner)
    assert request.url_for("page", id=3) == URL("/inner/page?id=3")
    assert request.url_for("user") == URL("/middle/user")
    assert request.url_for("outer") == URL("/outer/outer")
    request.match_info = Match(outer, middle, inner, current=0)
    assert request.url_for("user") == URL("/outer/user")
    with pytest.raises(KeyError, match="page"):
        request.url_for("page")


def test_config_dict_sees_outwards_from_the_current_application() -> None:
    outer, middle, inner = App(a=1, b=1), App(), App(b=2)
    request = make()
    request.match_info = Match(outer, middle, inner)
    assert (request.config_dict["a"], request.config_dict["b"]) == (1, 2)
    request.match_info = Match(outer, middle, inner, current=1)
    assert dict(request.config_dict) == {"a": 1, "b": 1}
    with pytest.raises(TypeError):
        request.config_dict["c"] = 3


# -- clones ------------------------------------------------------------------------------------------------------------


def test_a_clone_without_changes_is_an_equal_request_with_state_of_its_own() -> None:
    request = make("GET", "/p?a=1", ("Host", "h"), ("X", "1"))
    request["user"] = "ann"
    request.match_info = match = Match(App())
    request.response_prepare_hooks = hooks = (lambda request, response: None,)
    clone = request.clone()
    assert type(clone) is Request
    assert clone is not request
    assert (clone.method, clone.url, clone.headers) == (request.method, request.url, request.headers)
    assert (clone.content, clone.writer, clone.limits) == (request.content, request.writer, request.limits)
    assert clone.match_info is match
    assert clone.response_prepare_hooks is hooks
    clone["user"] = "bob"
    assert request["user"] == "ann"


def test_a_clone_differs_in_what_is_given() -> None:
    request = make("GET", "/p?a=1", ("Host", "h"))
    assert request.query["a"] == "1"
    clone = request.clone(
        method="POST", rel_url="/ё?b=2", scheme="https", host="x:1", remote="1.2.3.4", client_max_size=9
    )
    assert (clone.method, clone.path, clone.raw_path) == ("POST", "/ё", "/%D1%91?b=2")
    assert dict(clone.query) == {"b": "2"}
    assert (clone.scheme, clone.secure, clone.host, clone.remote) == ("https", True, "x:1", "1.2.3.4")
    assert (clone.client_max_size, clone.client_max_fields) == (9, 1000)
    assert str(clone.url) == "https://x:1/%D1%91?b=2"
    assert (request.method, str(request.url), request.remote) == ("GET", "http://h/p?a=1", "10.0.0.1")
    second = clone.clone(client_max_fields=3)
    assert (second.scheme, second.host, second.remote) == ("https", "x:1", "1.2.3.4")
    assert (second.client_max_size, second.client_max_fields) == (9, 3)


def test_a_clone_can_have_other_headers() -> None:
    request = make("POST", "/", ("Host", "h"), ("Cookie", "a=1"), ("Content-Length", "3"))
    assert request.cookies == {"a": "1"}
    clone = request.clone(headers={"Host": "other", "Cookie": "b=2", "X": "ё"})
    assert (clone.host, clone.cookies, clone.headers["x"]) == ("other", {"b": "2"}, "ё")
    assert clone.raw_headers == ((b"Host", b"other"), (b"Cookie", b"b=2"), (b"X", "ё".encode()))
    assert clone.head.fields.content_length == 3, "the message on the wire is the same"
    assert (request.host, request.cookies) == ("h", {"a": "1"})
    with pytest.raises(ValueError, match="X"):
        request.clone(headers=[("X", "a\r\nb")])


def test_a_clone_of_an_absolute_target_keeps_its_host_unless_told() -> None:
    request = make("GET", "http://h/p", ("Host", "other"))
    assert request.clone(headers={"Host": "new"}).host == "h"
    assert request.clone(rel_url="http://x:1/y").host == "x:1"
    assert request.clone(rel_url=URL("/y")).host == "h"


async def test_a_request_whose_content_was_read_cannot_be_cloned() -> None:
    request = make("POST", body=content(b"abc"))
    assert await request.clone().read() == b"abc"
    request = make("POST", body=content(b"abc"))
    await request.read()
    with pytest.raises(RuntimeError, match="after reading its content"):
        request.clone()


def test_a_clone_of_a_subclass_is_one_with_its_attributes() -> None:
    class Own(Request):
        pass

    request = make(kind=Own)
    request.user = "ann"
    assert type(request.clone(method="PUT")) is Own
    assert request.clone(method="PUT").user == "ann"


# -- the object --------------------------------------------------------------------------------------------------------


def test_repr_tells_class_method_and_path_and_cannot_break_a_log_line() -> None:
    assert repr(make("GET", "/p?secret=1")) == "<Request GET /p>"
    assert repr(make("GET", "/a%0Ab", kind=BaseRequest)) == "<BaseRequest GET /a%0Ab>"


@pytest.mark.parametrize(
    "name",
    ["method", "path", "url", "rel_url", "query", "headers", "cookies", "scheme", "host", "remote", "app", "forwarded"],
)
def test_what_the_client_said_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(make(), name, "x")


def test_a_request_has_no_attributes_but_its_own() -> None:
    with pytest.raises(AttributeError):
        make().user = "ann"
    assert not hasattr(make(), "__dict__")


def test_a_request_dies_with_its_last_reference() -> None:
    request = make("GET", "/p?a=1", ("Host", "h"), ("Cookie", "a=1"))
    assert [request.url, request.query, request.cookies, request.path, request.clone(), request.forwarded]
    request["a"] = 1
    died = weakref.ref(request)
    gc.disable()
    try:
        del request
        assert died() is None
    finally:
        gc.enable()


class Unread(FieldSection):
    """A field section that nobody may parse."""

    @property
    def headers(self) -> Any:
        raise AssertionError("somebody built the headers")

    @property
    def pairs(self) -> Any:
        raise AssertionError("somebody split the fields")


def test_nothing_is_parsed_before_it_is_asked_for() -> None:
    request = make("GET", "/p?a=1", ("Host", "h"), ("Cookie", "a=1"))
    request.head = request.head._replace(fields=Unread(b"", "h"))
    clone = request.clone(method="PUT")
    assert (clone.method, clone.path, clone.host, str(clone.rel_url)) == ("PUT", "/p", "h", "/p?a=1")
    assert repr(request)
    with pytest.raises(AssertionError, match="built"):
        _ = clone.headers
