"""FEATURES.md section D (D15 is in test_d_codings.py), and of section E what it says of urlencoded forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import pytest
from multidict import CIMultiDictProxy, MultiDictProxy

from aioweb import web


class Asked:
    """An application that answers everything, after it was asked what the test wants to know of the request."""

    def __init__(self, serve: Any, question: Callable[[web.Request], Any], **options: Any) -> None:
        self.serve = serve
        self.question = question
        self.options = options
        self.address: Any = None
        self.said: Any = None

    async def handler(self, request: web.Request) -> web.Response:
        said = self.question(request)
        self.said = await said if hasattr(said, "__await__") else said
        return web.Response()

    async def __call__(self, method: str, target: str, *lines: str, status: int = 200, **kwargs: Any) -> Any:
        if self.address is None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self.handler)
            self.address = await self.serve(app, **self.options)
        self.said = None
        answer = await self.address.request(method, target, *lines, **kwargs)
        assert answer.status == status, answer.body
        return self.said


@pytest.fixture
def ask(serve):
    """`ask(question, **options)` gives a coroutine function: a request of these arguments -> what the question said."""
    return lambda question, **options: Asked(serve, question, **options)


# -- D1: method, version, scheme, host ---------------------------------------------------------------------------------


async def test_d1_method_is_upper_case_text(ask):
    asked = ask(lambda request: request.method)
    for method in ("GET", "POST", "OPTIONS", "PROPFIND"):
        assert await asked(method, "/") == method


async def test_d1_version_is_a_named_tuple(ask):
    asked = ask(lambda request: request.version)
    assert await asked("GET", "/") == web.HttpVersion11 == (1, 1)
    version = await asked("GET", "/", http="1.0")
    assert version == web.HttpVersion10 == (1, 0)
    assert isinstance(version, web.HttpVersion)
    assert (version.major, version.minor) == (1, 0)


async def test_d1_b12_scheme_is_what_the_trusted_proxy_says(ask):
    asked = ask(
        lambda request: (request.scheme, request.secure), secure_proxy_ssl_header=("X-Forwarded-Proto", "https")
    )
    assert await asked("GET", "/") == ("http", False)
    assert await asked("GET", "/", "X-Forwarded-Proto: https") == ("https", True)
    assert await asked("GET", "/", "X-Forwarded-Proto: http") == ("http", False)
    trusting_nobody = ask(lambda request: request.scheme)
    assert await trusting_nobody("GET", "/", "X-Forwarded-Proto: https") == "http"
    assert await trusting_nobody("GET", "https://a/") == "http"


async def test_d1_n10_remote_scheme_and_host_are_what_trusted_proxies_tell(ask):
    def question(request):
        return request.remote, request.scheme, request.secure, request.host, str(request.url)

    told = ["Host: inside", 'Forwarded: for="[2001:db8::1]:4711";proto=https;host=example.org']
    trusting = ask(question, forwarded=web.TrustedProxies("127.0.0.1", fields=["Forwarded"]))
    assert await trusting("GET", "/a", *told) == ("2001:db8::1", "https", True, "example.org", "https://example.org/a")
    trusting_others = ask(question, forwarded=web.TrustedProxies("10.0.0.0/8", "unix", fields=["Forwarded"]))
    assert await trusting_others("GET", "/a", *told) == ("127.0.0.1", "http", False, "inside", "http://inside/a")


async def test_d1_host_is_the_host_field(ask):
    asked = ask(lambda request: request.host)
    assert await asked("GET", "/", "Host: example.org:8080") == "example.org:8080"
    assert await asked("GET", "http://other.example/", "Host: example.org") == "other.example"


# -- D2, D3: paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query_string"),
    [
        ("/", "/", "/", ""),
        ("/a/b", "/a/b", "/a/b", ""),
        ("/a%20b", "/a b", "/a%20b", ""),
        ("/%D0%BF", "/п", "/%D0%BF", ""),
        ("/a?b=c", "/a", "/a?b=c", "b=c"),
        ("/a?b=%20c&d=%C3%A4", "/a", "/a?b=%20c&d=%C3%A4", "b= c&d=ä"),
        ("/a?", "/a", "/a?", ""),
        ("/a?b?c/d", "/a", "/a?b?c/d", "b?c/d"),
        ("//a", "//a", "//a", ""),
        ("/a:b", "/a:b", "/a:b", ""),
        ("/a%2Fb", "/a/b", "/a%2Fb", ""),
    ],
)
async def test_d2_path_raw_path_and_query_string(target, path, raw_path, query_string, ask):
    def question(request):
        return request.path, request.raw_path, request.path_qs, request.query_string

    assert await ask(question)("GET", target) == (path, raw_path, raw_path, query_string)


@pytest.mark.parametrize(
    ("target", "path", "raw_path"),
    [
        ("http://h/p", "/p", "/p"),
        ("http://h", "/", "/"),
        ("http://h:80/a%20b?c=d", "/a b", "/a%20b?c=d"),
        ("HTTP://h/p", "/p", "/p"),
    ],
)
async def test_d3_the_path_of_an_absolute_target_is_right(target, path, raw_path, ask):
    asked = ask(lambda request: (request.path, request.raw_path))
    assert await asked("GET", target) == (path, raw_path)
    assert await asked("GET", target, http="1.0") == (path, raw_path)


async def test_d3_without_a_host_field_only_http_1_0_is_served(ask):
    asked = ask(lambda request: (request.path, request.host))
    assert await asked("GET", "/") == ("/", "localhost")
    without_host = await asked.address.raw(b"GET http://h/p HTTP/1.0\r\n\r\n")
    assert without_host.startswith(b"HTTP/1.1 200 ")
    assert asked.said == ("/p", "h")
    # DESIGN contract 2: RFC 9112 section 3.2 asks for 400, also for the absolute form.
    without_host = await asked.address.raw(b"GET http://h/p HTTP/1.1\r\n\r\n")
    assert without_host.startswith(b"HTTP/1.1 400 ")


# -- D4, D5: GET and POST ----------------------------------------------------------------------------------------------


async def test_d4_get_holds_the_fields_of_the_query(ask):
    asked = ask(lambda request: request.GET)
    query = await asked("GET", "/?a=1&b=&c&a=2&d=x+y&e=%D0%BF%2B&f=%zz&g=%ff")
    assert isinstance(query, MultiDictProxy)
    assert list(query.items()) == [
        ("a", "1"),
        ("b", ""),
        ("c", ""),
        ("a", "2"),
        ("d", "x y"),
        ("e", "п+"),
        ("f", "%zz"),
        ("g", "\ufffd"),
    ]
    assert query.getall("a") == ["1", "2"]
    assert query.get("locale", "default") == "default"
    assert len(await asked("GET", "/")) == 0


async def test_d4_get_is_lazy_and_the_same_object(ask):
    def question(request):
        assert request.GET is request.GET
        assert request.GET is request.query
        return True

    assert await ask(question)("GET", "/?a=b")


async def test_d5_post_is_there_after_it_was_awaited(ask):
    async def question(request):
        with pytest.raises(RuntimeError, match=r"post\(\)"):
            _ = request.POST
        form = await request.post()
        assert request.POST is form
        assert await request.post() is form
        return form

    form = await ask(question)("POST", "/", "Content-Type: application/x-www-form-urlencoded", body=b"a=1&b=2")
    assert isinstance(form, MultiDictProxy)
    assert dict(form) == {"a": "1", "b": "2"}


# -- D6 to D8: headers, keep-alive, app and transport ------------------------------------------------------------------


async def test_d6_headers_are_a_read_only_multi_mapping_in_any_case(ask):
    asked = ask(lambda request: request.headers)
    headers = await asked("GET", "/", "X-One: 1", "x-two: a", "X-TWO: b", "X-Name: \u00e4")
    assert isinstance(headers, CIMultiDictProxy)
    assert headers["x-one"] == headers["X-ONE"] == "1"
    assert headers.getall("X-Two") == ["a", "b"]
    assert headers["X-Name"] == "ä"
    assert headers.get("missing") is None
    assert list(headers)[:2] == ["Host", "X-One"]
    with pytest.raises(TypeError):
        headers["X-One"] = "2"


@pytest.mark.parametrize(
    ("http", "connection", "keep_alive"),
    [
        ("1.1", "", True),
        ("1.1", "close", False),
        ("1.1", "Close, x", False),
        ("1.1", "keep-alive", True),
        ("1.0", "", False),
        ("1.0", "keep-alive", True),
        ("1.0", "Keep-Alive", True),
        ("1.0", "close", False),
    ],
)
async def test_d7_keep_alive_comes_from_version_and_connection(http, connection, keep_alive, ask):
    lines = [f"Connection: {connection}"] if connection else []
    assert await ask(lambda request: request.keep_alive)("GET", "/", *lines, http=http) is keep_alive


async def test_d8_app_and_transport(serve):
    seen = []

    async def handler(request):
        assert request.app is app
        seen.append(request.transport.get_extra_info("peername"))
        seen.append(request.get_extra_info("peername"))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    await peer.request("GET", "/")
    assert seen == [peer.writer.get_extra_info("sockname")] * 2


# -- D9: cookies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "cookies"),
    [
        ([], {}),
        (["a=1; b=2"], {"a": "1", "b": "2"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (['a="quoted value"'], {"a": "quoted value"}),
        (['a="x\\"y\\073"'], {"a": 'x"y;'}),
        (["a=x=y"], {"a": "x=y"}),
        (["a="], {"a": ""}),
        (["a=1;b=2;"], {"a": "1", "b": "2"}),
        (["expires=1; path=2"], {"expires": "1", "path": "2"}),
        (["a=1; b,c=2; d=3"], {"a": "1", "d": "3"}),
    ],
)
async def test_d9_cookies_are_decoded(sent, cookies, ask):
    said = await ask(lambda request: request.cookies)("GET", "/", *(f"Cookie: {line}" for line in sent))
    assert {name: said.get(name) for name in cookies} == cookies
    with pytest.raises(TypeError):
        said["a"] = "b"


@pytest.mark.parametrize("sent", [";", "=", "a", '"', 'a="', "a=\u00e4", "=x; b=1", ";;;b=1", "a b=c", "\t", "a=\\"])
async def test_d9_broken_cookies_never_raise(sent, ask):
    cookies = await ask(lambda request: dict(request.cookies))("GET", "/", f"Cookie: {sent}", "Cookie: ok=1")
    assert cookies["ok"] == "1"


# -- D10 to D12: the content -------------------------------------------------------------------------------------------


async def test_d10_content_is_the_stream_and_payload_its_old_name(ask):
    async def question(request):
        assert request.payload is request.content
        return await request.content.read()

    asked = ask(question)
    assert await asked("POST", "/", body=b"abc" * 10_000) == b"abc" * 10_000
    assert await asked("GET", "/") == b""


@pytest.mark.parametrize(
    ("sent", "content_type", "charset"),
    [
        (None, "application/octet-stream", None),
        ("text/html", "text/html", None),
        ("Text/HTML; Charset=UTF-8", "text/html", "UTF-8"),
        ('text/plain; a=b; charset="koi8-r"', "text/plain", "koi8-r"),
        ("nonsense", "application/octet-stream", None),
    ],
)
async def test_d11_content_type_and_charset(sent, content_type, charset, ask):
    lines = [] if sent is None else [f"Content-Type: {sent}"]
    asked = ask(lambda request: (request.content_type, request.charset))
    assert await asked("POST", "/", *lines, body=b"x") == (content_type, charset)


async def test_d11_content_length_and_has_body(ask):
    asked = ask(lambda request: (request.content_length, request.has_body))
    assert await asked("POST", "/", body=b"abc") == (3, True)
    assert await asked("GET", "/") == (None, False)
    assert await asked("POST", "/", "Content-Length: 0") == (0, False)
    chunked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )
    assert (await asked.address.raw(chunked)).startswith(b"HTTP/1.1 200 ")
    assert asked.said == (None, True)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)),
        ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)),
        ("yesterday", None),
        ("", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        (None, None),
    ],
)
async def test_d11_if_modified_since_is_aware_or_none(sent, said, ask):
    lines = [] if sent is None else [f"If-Modified-Since: {sent}"]
    assert await ask(lambda request: request.if_modified_since)("GET", "/", *lines) == said


async def test_d12_read_text_and_json_share_the_bytes(ask):
    async def question(request):
        data = await request.read()
        assert await request.read() is data
        assert await request.text() == data.decode()
        return await request.json()

    assert await ask(question)("POST", "/", body='{"a": "ä"}'.encode()) == {"a": "ä"}


@pytest.mark.parametrize("charset", ["utf-8", "koi8-r", "windows-1251", "utf-16", "UTF8"])
async def test_d12_text_is_in_the_charset_of_the_header(charset, ask):
    asked = ask(lambda request: request.text())
    assert await asked("POST", "/", f"Content-Type: text/plain; charset={charset}", body="при".encode(charset)) == "при"


async def test_d12_o9_json_takes_its_loader_by_both_names(ask):
    def loader(text):
        return "loaded", text

    assert await ask(lambda request: request.json(loader=loader))("POST", "/", body=b"[1]") == ("loaded", "[1]")
    assert await ask(lambda request: request.json(loads=loader))("POST", "/", body=b"[1]") == ("loaded", "[1]")


# -- D13 and E1 to E3: forms -------------------------------------------------------------------------------------------

FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_e1_methods_with_a_form(method, ask):
    assert list((await ask(lambda request: request.post())(method, "/", FORM, body=b"a=b")).items()) == [("a", "b")]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "REPORT"])
async def test_e1_methods_without_a_form(method, ask):
    assert len(await ask(lambda request: request.post())(method, "/", FORM, body=b"a=b")) == 0


@pytest.mark.parametrize("line", ["Content-Type: text/plain", "Content-Type: application/json", "X-No: type"])
async def test_e2_other_types_are_no_form(line, ask):
    assert len(await ask(lambda request: request.post())("POST", "/", line, body=b"a=b")) == 0


@pytest.mark.parametrize("line", [FORM, "Content-Type:", f"{FORM}; charset=utf-8", FORM.upper()])
async def test_e2_types_of_an_urlencoded_form(line, ask):
    assert dict(await ask(lambda request: request.post())("POST", "/", line, body=b"a=b")) == {"a": "b"}


async def test_e3_order_duplicates_and_blanks_are_kept(ask):
    asked = ask(lambda request: request.post())
    form = await asked("POST", "/", FORM, body=b"b=2&a=1&b=&c&d=x+y%2B&e=%D0%BF")
    assert list(form.items()) == [("b", "2"), ("a", "1"), ("b", ""), ("c", ""), ("d", "x y+"), ("e", "п")]
    assert len(await asked("POST", "/", FORM)) == 0


async def test_e3_the_form_is_in_the_charset_of_the_header(ask):
    asked = ask(lambda request: request.post())
    body = f"a={quote('при'.encode('koi8-r'))}".encode()
    assert dict(await asked("POST", "/", f"{FORM}; charset=koi8-r", body=body)) == {"a": "при"}


async def test_d13_release_eats_an_unread_body(serve):
    async def handler(request):
        await request.release()
        assert await request.content.read() == b""
        return web.Response(text="released")

    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app)
    peer = await address.connect()
    for _ in range(3):
        assert (await peer.request("POST", "/", body=b"x" * 300_000)).body == b"released"


# -- O9: what a client gets wrong is a 400 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "line", "body"),
    [
        (lambda request: request.json(), "Content-Type: application/json", b"{"),
        (lambda request: request.json(), "Content-Type: application/json", b""),
        (lambda request: request.json(), "Content-Type: application/json", b"[" * 100_000),
        (lambda request: request.json(), "Content-Type: application/json", b'"\xff"'),
        (lambda request: request.text(), "Content-Type: text/plain", b"\xff"),
        (lambda request: request.text(), "Content-Type: text/plain; charset=nonsense", b"a"),
        (lambda request: request.text(), "Content-Type: text/plain; charset=zlib", b"a"),
        (lambda request: request.post(), FORM, b"a=%ff"),
        (lambda request: request.post(), FORM, b"a=\xff"),
        (lambda request: request.post(), f"{FORM}; charset=nonsense", b"a=b"),
    ],
)
async def test_o9_bad_json_bad_text_and_unknown_charsets_are_a_400(question, line, body, serve, caplog):
    async def handler(request):
        await question(request)
        raise AssertionError("not reached")

    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app)
    peer = await address.connect()
    answer = await peer.request("POST", "/", line, body=body)
    assert answer.status == 400
    assert 0 < len(answer.body) < 100, "a short reason"
    assert (await peer.request("POST", "/", line, body=body)).status == 400, "the connection persists"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# -- D14, D16: state and repr ------------------------------------------------------------------------------------------


async def test_d14_a_request_is_a_mapping_of_its_own_state(serve):
    requests = []

    @web.middleware
    async def log_in(request, handler):
        assert "user" not in request
        assert len(request) == 0
        request["user"] = "anna"
        return await handler(request)

    async def handler(request):
        requests.append(request)
        request.setdefault("seen", []).append(request["user"])
        request.update(more=1)
        del request["more"]
        return web.json_response({name: request[name] for name in request})

    app = web.Application(middlewares=[log_in])
    app.router.add_get("/", handler)
    address = await serve(app)
    for _ in range(2):
        assert json.loads((await address.request("GET", "/")).body) == {"user": "anna", "seen": ["anna"]}
    assert requests[0] != requests[1]


@pytest.mark.parametrize("target", ["/a", "/a%0Ab", "/?secret=1"])
async def test_d16_repr_names_class_method_and_path(target, ask):
    said = await ask(repr)("POST", target)
    assert said == f"<Request POST {target.partition('?')[0]}>"
