"""FEATURES.md rows N10 and N14: attributes of a request that aiohttp added, and JSON responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from multidict import MultiDictProxy
from yarl import URL

from aioweb import web

Question = Callable[[web.Request], Any]


@pytest.fixture
def ask(serve):
    """`await ask(question, method, target, *lines, **request)` says what the question said of that request."""

    async def ask(question: Question, method: str = "GET", target: str = "/", *lines: str, **kwargs: Any) -> Any:
        said: list[Any] = []

        async def handler(request: web.Request) -> web.Response:
            answer = question(request)
            said.append(await answer if isinstance(answer, Awaitable) else answer)
            return web.Response()

        app = web.Application(**kwargs.pop("app", {}))
        app.router.add_route("*", "/{path:.*}", handler)
        address = await serve(app)
        answer = await address.request(method, target, *lines, **kwargs)
        assert answer.status == 200, answer.body
        return said[0]

    return ask


# -- N10: the URL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/", "http://example.org:8080/"),
        ("/a%20b?c=d%26e", "http://example.org:8080/a%20b?c=d%26e"),
        ("/a%2Fb", "http://example.org:8080/a%2Fb"),
        ("//evil.example/a", "http://example.org:8080//evil.example/a"),
        ("http://other.example/x?y", "http://other.example/x?y"),
    ],
)
async def test_n10_url_is_absolute_and_quoted_as_it_came(target, url, ask):
    said = await ask(lambda request: request.url, "GET", target, "Host: example.org:8080")
    assert isinstance(said, URL)
    assert said == URL(url, encoded=True)
    assert str(said) == url


async def test_n10_url_with_a_host_that_is_none_is_the_clients_fault(serve):
    async def handler(request):
        return web.Response(text=str(request.url))

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    assert (await address.request("GET", "/", "Host: a:99999")).status == 400


@pytest.mark.parametrize("target", ["/", "/a%20b?c=d", "/a%2Fb?", "/?a=%26", "//evil.example/a", "/a:b"])
async def test_n10_rel_url_is_the_target(target, ask):
    said = await ask(lambda request: request.rel_url, "GET", target)
    assert isinstance(said, URL)
    assert not said.absolute
    assert said.raw_path == target.partition("?")[0]
    assert said.raw_query_string == target.partition("?")[2]


async def test_n10_query_is_read_only_and_kept(ask):
    def question(request):
        assert request.query is request.query
        return request.query

    query = await ask(question, "GET", "/?a=1&a=2&b=")
    assert isinstance(query, MultiDictProxy)
    assert list(query.items()) == [("a", "1"), ("a", "2"), ("b", "")]


# -- N10: the connection -----------------------------------------------------------------------------------------------


async def test_n10_remote_is_the_address_of_the_client(ask):
    assert await ask(lambda request: request.remote) == "127.0.0.1"


async def test_n10_secure_tells_tls(ask):
    assert await ask(lambda request: (request.secure, request.scheme)) == (False, "http")


async def test_n10_protocol_task_and_loop(ask):
    def question(request):
        assert request.loop is asyncio.get_running_loop()
        assert request.task is asyncio.current_task()
        assert request.protocol is request.transport.get_protocol()
        assert request.get_extra_info("sockname")[0] == "127.0.0.1"
        assert request.get_extra_info("nothing of that name") is None
        return request.get_extra_info("nothing of that name", "default")

    assert await ask(question) == "default"


async def test_n10_config_dict_is_the_state_of_the_application(ask):
    def question(request):
        request.app["key"] = "value"
        return request.config_dict["key"]

    assert await ask(question) == "value"


# -- N10: the fields ---------------------------------------------------------------------------------------------------


async def test_n10_raw_headers_are_octets_in_order(ask):
    said = await ask(lambda request: request.raw_headers, "GET", "/", "Host: a", "X-B: \u00e4", "x-a:  1 ")
    assert list(said) == [(b"Host", b"a"), (b"X-B", "ä".encode()), (b"x-a", b"1")]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], []),
        (["for=192.0.2.60;proto=http;by=203.0.113.43"], [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        (["For=a, for=b", "for=c"], [{"for": "a"}, {"for": "b"}, {"for": "c"}]),
        (['for="[2001:db8::1]:80"'], [{"for": "[2001:db8::1]:80"}]),
    ],
)
async def test_n10_forwarded(lines, said, ask):
    assert [
        dict(hop) for hop in await ask(lambda r: r.forwarded, "GET", "/", *(f"Forwarded: {x}" for x in lines))
    ] == said


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (None, slice(None, None, 1)),
        ("bytes=0-499", slice(0, 500, 1)),
        ("bytes=500-", slice(500, None, 1)),
        ("bytes=-500", slice(-500, None, 1)),
    ],
)
async def test_n10_http_range(field, said, ask):
    lines = [] if field is None else [f"Range: {field}"]
    assert await ask(lambda request: request.http_range, "GET", "/", *lines) == said


@pytest.mark.parametrize("field", ["bytes", "bytes=a-b", "bytes=5-1", "lines=1-2", "bytes=-"])
async def test_n10_a_bad_range_is_a_value_error(field, ask):
    def question(request):
        with pytest.raises(ValueError):
            _ = request.http_range
        return True

    assert await ask(question, "GET", "/", f"Range: {field}")


DATE = datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", ["if_modified_since", "if_unmodified_since", "if_range"])
async def test_n10_dates_of_conditions(name, ask):
    field = name.replace("_", "-")

    def question(request):
        return getattr(request, name)

    assert await ask(question, "GET", "/", f"{field}: Sun, 06 Nov 1994 08:49:37 GMT") == DATE
    assert await ask(question, "GET", "/", f'{field}: "etag"') is None
    assert await ask(question) is None


@pytest.mark.parametrize("name", ["if_match", "if_none_match"])
async def test_n10_etags_of_conditions(name, ask):
    field = name.replace("_", "-")

    def question(request):
        return getattr(request, name)

    tags = await ask(question, "GET", "/", f'{field}: "a", W/"b"', f'{field}: "c"')
    assert tags == (web.ETag("a"), web.ETag("b", is_weak=True), web.ETag("c"))
    assert await ask(question, "GET", "/", f"{field}: *") == (web.ETag("*"),)
    assert await ask(question) is None


# -- N10: the content --------------------------------------------------------------------------------------------------


async def test_n10_body_exists_and_can_read_body(ask):
    async def question(request):
        before = request.body_exists, request.can_read_body
        await request.read()
        return before, (request.body_exists, request.can_read_body)

    assert await ask(question, "POST", body=b"x") == ((True, True), (True, False))
    assert await ask(question, "GET") == ((False, False), (False, False))


async def test_n10_limits_of_content_and_of_fields(ask):
    def question(request):
        return request.client_max_size, request.client_max_fields

    assert await ask(question) == (1024**2, 1000)
    assert await ask(question, app={"client_max_size": 5}) == (5, 1000)


async def test_n10_content_over_the_limit_is_413_unless_the_limit_is_raised(serve):
    async def handler(request):
        if "raise" in request.query:
            request.client_max_size = 20
        return web.Response(body=await request.read())

    app = web.Application(client_max_size=10)
    app.router.add_post("/", handler)
    address = await serve(app)
    assert (await address.request("POST", "/", body=b"x" * 10)).status == 200
    assert (await address.request("POST", "/", body=b"x" * 11)).status == 413
    assert (await address.request("POST", "/?raise", body=b"x" * 20)).status == 200
    assert (await address.request("POST", "/?raise", body=b"x" * 21)).status == 413
    chunks = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"
    peer = await address.connect()
    await peer.send(chunks)
    assert (await peer.response()).status == 413


async def test_n10_a_query_of_too_many_fields_is_414_and_a_form_413(serve):
    async def handler(request):
        return web.json_response(len(request.query) + len(await request.post()))

    app = web.Application(limits=web.Limits(client_max_fields=3))
    app.router.add_post("/", handler)
    address = await serve(app)
    form = "Content-Type: application/x-www-form-urlencoded"
    assert (await address.request("POST", "/?a&b&c", form, body=b"a&b&c")).body == b"6"
    assert (await address.request("POST", "/?a&b&c&d")).status == 414
    assert (await address.request("POST", "/", form, body=b"a&b&c&d")).status == 413


# -- N10: clone --------------------------------------------------------------------------------------------------------


async def test_n10_a_clone_differs_in_what_was_given(serve):
    @web.middleware
    async def disguise(request, handler):
        request["state"] = "kept"
        clone = request.clone(
            method="POST",
            rel_url="/other?x=y",
            headers={"X-New": "1"},
            scheme="https",
            host="example.org",
            remote="192.0.2.1",
            client_max_size=7,
        )
        assert type(clone) is type(request)
        assert request.method == "GET", "the request stays as it was"
        return await handler(clone)

    async def handler(request):
        said = [request.method, request.path_qs, dict(request.query), dict(request.headers), request.scheme]
        said += [request.host, request.remote, request.client_max_size, request["state"], str(request.url)]
        return web.json_response([*said, dict(request.match_info)])

    app = web.Application(middlewares=[disguise])
    app.router.add_get("/{x}", handler)
    address = await serve(app)
    assert json.loads((await address.request("GET", "/a")).body) == [
        "POST",
        "/other?x=y",
        {"x": "y"},
        {"X-New": "1"},
        "https",
        "example.org",
        "192.0.2.1",
        7,
        "kept",
        "https://example.org/other?x=y",
        {"x": "a"},
    ]


async def test_n10_a_clone_shares_the_content_and_none_is_made_once_it_was_read(ask):
    async def question(request):
        clone = request.clone(method="PUT")
        assert await clone.read() == b"abc"
        with pytest.raises(RuntimeError):
            clone.clone()
        return clone.content is request.content

    assert await ask(question, "POST", body=b"abc")


# -- N14: JSON responses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "body"),
    [
        (lambda: web.json_response({"a": "ä"}), b'{"a": "\\u00e4"}'),
        (lambda: web.json_response(None), b"null"),
        (lambda: web.json_response([]), b"[]"),
        (lambda: web.json_response(text='{"a": "ä"}'), '{"a": "ä"}'.encode()),
        (lambda: web.json_response(body=b"[1]"), b"[1]"),
        (lambda: web.json_response({"a": 1}, dumps=repr), b"{'a': 1}"),
        (lambda: web.json_bytes_response({"a": 1}, dumps=lambda data: repr(data).encode()), b"{'a': 1}"),
        (lambda: web.json_bytes_response(body=b"[1]", dumps=None), b"[1]"),
    ],
)
async def test_n14_json_from_data_text_or_body(make, body, serve):
    app = web.Application()
    app.router.add_get("/", lambda request: make())
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.body == body
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert answer.headers["Content-Length"] == str(len(body))


async def test_n14_u10_json_takes_what_a_response_takes(serve):
    def handler(request):
        return web.json_response(
            {}, status=201, reason="Made", headers={"X-A": "1"}, content_type="application/vnd.api+json"
        )

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert (answer.status, answer.reason, answer.headers["X-A"]) == (201, "Made", "1")
    assert answer.headers["Content-Type"].startswith("application/vnd.api+json")


def test_n14_two_contents_are_refused():
    with pytest.raises(ValueError):
        web.json_response({}, text="{}")
    with pytest.raises(ValueError):
        web.json_response({}, body=b"{}")
    with pytest.raises(ValueError):
        web.json_response(text="{}", body=b"{}")
    with pytest.raises(ValueError):
        web.json_bytes_response({}, body=b"{}", dumps=repr)


async def test_n14_data_that_is_no_json_is_the_handlers_fault(serve, caplog):
    app = web.Application()
    app.router.add_get("/path", lambda request: web.json_response(object()))
    address = await serve(app)
    assert (await address.request("GET", "/path")).status == 500
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "GET" in record.getMessage()
    assert "/path" in record.getMessage()
