"""Trusted proxies: what is believed of which fields, and what is not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from aioweb import web
from aioweb.web.forwarded import NOBODY, Behind, TrustedProxies
from tests.web.test_detached import Wire

ALL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix")
Fields = list[tuple[str, str]]


def read(fields: Fields, *names: str) -> Behind:
    proxies = TrustedProxies("10.0.0.0/8", fields=names or ALL)
    return proxies.read(CIMultiDictProxy(CIMultiDict(fields)))


# -- the address of the client -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "remote"),
    [
        ([], None),
        ([""], None),
        (["192.0.2.1"], "192.0.2.1"),
        (["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        (["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (["6.6.6.6", "192.0.2.1,10.0.0.3", "10.0.0.2 ,"], "192.0.2.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["6.6.6.6, ::ffff:10.0.0.3, [::ffff:10.0.0.2]:80"], "6.6.6.6"),
        (["192.0.2.1:4711"], "192.0.2.1"),
        (["[2001:DB8::1]:4711"], "2001:db8::1"),
        # Where the list breaks, whoever said that has the last word.
        (["6.6.6.6, unknown"], None),
        (["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        (["6.6.6.6, <script>, 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(lines: list[str], remote: str | None) -> None:
    assert read([("X-Forwarded-For", line) for line in lines]).remote == remote


@given(st.text("0123456789.,: abcdef[]unkow", max_size=40))
def test_nothing_that_a_client_sends_moves_its_address(sent: str) -> None:
    assert read([("X-Forwarded-For", f"{sent}, 192.0.2.1")]).remote == "192.0.2.1"
    assert read([("X-Forwarded-For", sent), ("X-Forwarded-For", "192.0.2.1, 10.0.0.2")]).remote == "192.0.2.1"
    assert read([("Forwarded", f'{sent}, for="192.0.2.1";proto=https')], "Forwarded") == Behind("192.0.2.1", "https")


def test_a_list_without_end_is_not_read_to_its_end() -> None:
    behind = read([("X-Forwarded-For", "6.6.6.6" + ", 10.0.0.2" * 64)])
    assert behind.remote == "10.0.0.2"
    assert read([("X-Forwarded-For", "6.6.6.6" + ", 10.0.0.2" * 63)]).remote == "6.6.6.6"
    assert read([("Forwarded", "for=6.6.6.6" + ", for=10.0.0.2" * 64)], "Forwarded").remote == "10.0.0.2"


@pytest.mark.parametrize(
    ("values", "remote"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["::1"], "::1"),
        (["10.0.0.2"], "10.0.0.2"),
        ([], None),
        (["192.0.2.1", "192.0.2.1"], None),
        (["6.6.6.6, 192.0.2.1"], None),
        (["nobody"], None),
    ],
)
def test_x_real_ip_is_one_address(values: list[str], remote: str | None) -> None:
    assert read([("X-Real-IP", value) for value in values], "x-real-ip").remote == remote


def test_x_real_ip_goes_with_the_scheme_of_the_last_proxy() -> None:
    fields = [("X-Real-IP", "192.0.2.1"), ("X-Forwarded-Proto", "http, https"), ("X-Forwarded-For", "6.6.6.6")]
    assert read(fields, "X-Real-IP", "X-Forwarded-Proto") == Behind("192.0.2.1", "https")


# -- what else they tell -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"Proto": "https"}, {"scheme": "https"}),
        ({"Proto": "HTTP"}, {"scheme": "http"}),
        ({"Proto": "wss"}, {"scheme": "https"}),
        ({"Proto": "ftp"}, {}),
        ({"Proto": "http, https"}, {"scheme": "https"}),
        ({"For": "192.0.2.1, 10.0.0.2", "Proto": "http, https, http"}, {"remote": "192.0.2.1", "scheme": "https"}),
        ({"For": "192.0.2.1, 10.0.0.2", "Proto": "https"}, {"remote": "192.0.2.1", "scheme": "https"}),
        ({"Host": "example.org:8080"}, {"host": "example.org:8080"}),
        ({"Host": "6.example, example.org"}, {"host": "example.org"}),
        ({"Host": "evil.example/path"}, {}),
        ({"Host": "user@example.org"}, {}),
        ({"Host": "[::1]:80"}, {"host": "[::1]:80"}),
        ({"Port": "8443"}, {"port": 8443}),
        ({"Port": "0"}, {}),
        ({"Port": "65536"}, {}),
        ({"Port": "+80"}, {}),
        ({"Port": "\u0661"}, {}),
        ({"Prefix": "/app"}, {"root_path": "/app"}),
        ({"Prefix": "/app/v%201/"}, {"root_path": "/app/v%201"}),
        ({"Prefix": "/"}, {}),
        ({"Prefix": "app"}, {}),
        ({"Prefix": "//evil.example"}, {}),
        ({"Prefix": "/a/../b"}, {}),
        ({"Prefix": "/a?b"}, {}),
        ({"Prefix": "/a b"}, {}),
    ],
)
def test_scheme_host_port_and_prefix(fields: dict[str, str], told: dict[str, Any]) -> None:
    assert read([(f"X-Forwarded-{name}", value) for name, value in fields.items()]) == Behind(**told)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ['for="[2001:db8::1]:80";proto=https;host="example.org:8443"'],
            Behind("2001:db8::1", "https", "example.org:8443"),
        ),
        (["for=6.6.6.6;host=evil.example, for=192.0.2.1"], Behind("192.0.2.1")),
        (["for=192.0.2.1;proto=https;host=a, for=10.0.0.2;proto=http;host=b"], Behind("192.0.2.1", "https", "a")),
        (["for=192.0.2.1", "for=10.0.0.2;proto=https"], Behind("192.0.2.1", "https")),
        (["for=6.6.6.6, for=_hidden;proto=https"], Behind(None, "https")),
        (["for=6.6.6.6, proto=https;host=a"], Behind(None, "https", "a")),
        (["for=6.6.6.6, for=unknown;proto=https, for=10.0.0.2"], Behind("10.0.0.2", "https")),
        (["for=6.6.6.6, broken, for=10.0.0.2;proto=https"], Behind("10.0.0.2", "https")),
        (["for=192.0.2.1;proto=gopher;host=a/b"], Behind("192.0.2.1")),
        ([], NOBODY),
    ],
)
def test_forwarded_is_read_hop_by_hop(lines: list[str], told: Behind) -> None:
    assert read([("Forwarded", line) for line in lines], "Forwarded") == told


def test_a_field_that_is_not_named_does_not_count() -> None:
    fields = [(name, "192.0.2.1") for name in (*ALL, "X-Real-IP")] + [("Forwarded", "for=192.0.2.1;proto=https")]
    assert read(fields, "X-Forwarded-Prefix") == NOBODY
    default = TrustedProxies("10.0.0.0/8")
    assert default.fields == {"X-Forwarded-For", "X-Forwarded-Proto"}
    assert default.read(CIMultiDictProxy(CIMultiDict(fields))) == Behind("192.0.2.1")


def test_what_cannot_be_read_is_told_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aioweb.server")
    read([("X-Forwarded-For", "what\x1b"), ("X-Forwarded-Host", "a" * 500 + "/")])
    first, second = caplog.messages
    assert first == r"X-Forwarded-For of a trusted proxy cannot be read: 'what\x1b'"
    assert len(second) < 300


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ("Forwarded", TypeError, "as a list of names, not as 'Forwarded'"),
        ([], ValueError, "name the fields"),
        ([1], TypeError, "not 1"),
        (["X-Client"], ValueError, "of 'X-Client' nothing can be read; of Forwarded, X-Forwarded-For"),
        (["Forwarded", "X-Forwarded-Proto"], ValueError, "writes one or the other"),
        (["X-Real-IP", "X-Forwarded-For"], ValueError, "name one of them"),
    ],
)
def test_fields_that_make_no_sense_are_an_error(fields: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        TrustedProxies("10.0.0.0/8", fields=fields)


def test_networks_that_make_no_sense_are_an_error() -> None:
    with pytest.raises(ValueError, match="name at least one network"):
        TrustedProxies()
    with pytest.raises(TypeError, match="a network is a str"):
        TrustedProxies(["10.0.0.0/8"])


def test_it_tells_what_it_is() -> None:
    assert repr(TrustedProxies("unix")) == "<TrustedProxies <Networks unix> X-Forwarded-For X-Forwarded-Proto>"


# -- the request -------------------------------------------------------------------------------------------------------


def make(*fields: str, peer: str = "10.0.0.1", host: str = "inside:8080", **options: Any) -> web.Request:
    lines = "".join(f"{field}\r\n" for field in (f"Host: {host}", *fields))
    options.setdefault("forwarded", TrustedProxies("10.0.0.0/8", fields=ALL))
    octets = f"GET /path?q=1 HTTP/1.1\r\n{lines}\r\n".encode()
    return web.detached_request(octets, Wire(peername=(peer, 5000)), **options)


def facts(request: web.Request) -> tuple[str | None, str, bool, str, str]:
    return request.remote, request.scheme, request.secure, request.host, str(request.url)


TOLD = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: example.org"]


def test_a_request_follows_its_proxy() -> None:
    request = make(*TOLD)
    assert facts(request) == ("192.0.2.1", "https", True, "example.org", "https://example.org/path?q=1")
    assert request.get_extra_info("peername") == ("10.0.0.1", 5000)


def test_a_request_of_anybody_else_is_what_it_is() -> None:
    own = ("203.0.113.1", "http", False, "inside:8080", "http://inside:8080/path?q=1")
    assert facts(make(*TOLD, peer="203.0.113.1")) == own
    assert facts(make(*TOLD, peer="203.0.113.1", forwarded=None)) == own
    assert facts(make(peer="10.0.0.1")) == ("10.0.0.1", *own[1:])


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        (["X-Forwarded-Port: 8443"], "inside"),
        (["X-Forwarded-Host: a", "X-Forwarded-Port: 8443"], "a:8443"),
        (["X-Forwarded-Host: a:1", "X-Forwarded-Port: 8443"], "a:1"),
        (["X-Forwarded-Host: a", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"], "a"),
        (["X-Forwarded-Host: a", "X-Forwarded-Port: 80"], "a"),
        (["X-Forwarded-Host: a", "X-Forwarded-Port: 80", "X-Forwarded-Proto: https"], "a:80"),
        (["X-Forwarded-Host: [::1]", "X-Forwarded-Port: 8443"], "[::1]:8443"),
        (["X-Forwarded-Host: [::1]:1", "X-Forwarded-Port: 8443"], "[::1]:1"),
    ],
)
def test_a_port_is_added_to_a_host_without_one(fields: list[str], host: str) -> None:
    expected = "inside:8443" if host == "inside" else host
    assert make(*fields, host="inside").host == expected


def test_the_prefix_is_in_front_of_urls_and_not_of_the_path() -> None:
    request = make("X-Forwarded-Prefix: /app/", host="a")
    assert request.root_path == "/app"
    assert (str(request.url), request.path, str(request.rel_url)) == ("http://a/app/path?q=1", "/path", "/path?q=1")
    assert make(host="a").root_path == make(host="a", forwarded=None).root_path == ""


def test_what_the_proxy_tells_wins_over_secure_proxy_ssl_header() -> None:
    options = {"secure_proxy_ssl_header": ("X-Tls", "yes")}
    assert make("X-Tls: yes", **options).scheme == "https"
    assert make("X-Tls: yes", "X-Forwarded-Proto: http", **options).scheme == "http"
    assert make("X-Tls: no", "X-Forwarded-Proto: https", **options).scheme == "https"


def test_a_clone_is_what_it_was_told() -> None:
    request = make(*TOLD)
    assert facts(request.clone()) == facts(request)
    clone = request.clone(remote="198.51.100.1", scheme="http", host="b")
    assert facts(clone) == ("198.51.100.1", "http", False, "b", "http://b/path?q=1")


def test_a_clone_without_the_fields_is_still_of_the_same_client() -> None:
    request = make(*TOLD)
    assert facts(request.clone(headers={"Host": "inside:8080"})) == facts(request)
    assert facts(request.clone(rel_url="/path?q=1")) == facts(request)
    for clone in request.clone(headers={"Host": "b"}), request.clone(rel_url="http://b/path?q=1"):
        assert facts(clone) == ("192.0.2.1", "https", True, "b", "https://b/path?q=1")


async def test_forwarded_takes_trusted_proxies_only() -> None:
    with pytest.raises(TypeError, match=r"forwarded takes web.TrustedProxies\(...\), not '10.0.0.0/8'"):
        web.Application().make_handler(forwarded="10.0.0.0/8")


async def test_a_prefix_stands_before_named_routes() -> None:
    app = web.Application()
    app.router.add_get("/items/{number}", lambda request: None, name="item")
    app.freeze()
    request = make("X-Forwarded-Prefix: /a%20b", host="a")
    request.match_info = await app.router.resolve(request)
    request.match_info.add_app(app)  # type: ignore[attr-defined]
    assert str(request.url_for("item", number="4 5")) == "/a%20b/items/4%205"


async def test_a_prefix_stands_before_what_paths_are_redirected_to(serve: Any, tmp_path: Path) -> None:
    async def folder(request: web.Request) -> web.Response:
        return web.Response()

    (tmp_path / "sub folder").mkdir()
    (tmp_path / "sub folder" / "index.html").touch()
    app = web.Application(middlewares=[web.normalize_path_middleware()])
    app.router.add_get("/items/", folder)
    app.router.add_static("/files", tmp_path, index="index.html")
    address = await serve(app, forwarded=TrustedProxies("127.0.0.1", fields=["X-Forwarded-Prefix"]))
    for path in ("/items?q=1", "/files/sub%20folder?q=1"):
        for prefix in ("", "/a%20b"):
            answer = await address.request("GET", path, f"X-Forwarded-Prefix: {prefix}")
            assert answer.headers["Location"] == f"{prefix}{path.replace('?', '/?')}"
