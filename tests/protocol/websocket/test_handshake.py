"""handshake.py: every requirement of RFC 6455 section 4.2, with the status that answers its breach."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.connection import Connection
from aioweb.protocol.encode import encode_fields
from aioweb.protocol.events import RequestHead
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.handshake import (
    BadHandshake,
    Handshake,
    accept_key,
    choose_deflate,
    choose_protocol,
    is_upgrade,
    origin_allowed,
    parse_extensions,
    read_handshake,
    response_fields,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FIELDS = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def head_of(line: str = "GET /chat HTTP/1.1", *more: tuple[str, str], **changed: str | None) -> RequestHead:
    """The head of the RFC's request with some fields changed, taken away (None) or added."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changed.items()}
    pairs = [(name, value) for name, value in fields.items() if value is not None]
    connection = Connection()
    connection.receive_data(f"{line}\r\n".encode() + encode_fields([*pairs, *more]) + b"\r\n")
    head = connection.next_event()
    assert isinstance(head, RequestHead)
    return head


def refused(head: RequestHead) -> BadHandshake:
    with pytest.raises(BadHandshake) as caught:
        read_handshake(head)
    return caught.value


def test_the_handshake_of_the_rfc():
    asked = read_handshake(
        head_of(Origin="http://example.com", Sec_WebSocket_Protocol="chat, superchat")  # section 1.2
    )
    assert asked == Handshake(KEY, ("chat", "superchat"), (), "http://example.com")
    assert response_fields(asked, choose_protocol(asked.protocols, {"superchat", "chat"})) == [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Sec-WebSocket-Protocol", "chat"),
    ]


def test_the_answer_of_the_ground():
    connection = Connection()
    connection.receive_data(b"GET / HTTP/1.1\r\n" + encode_fields(FIELDS.items()) + b"\r\n")
    head = connection.next_event()
    asked = read_handshake(head)
    octets, framing = connection.send_head(101, "Switching Protocols", encode_fields(response_fields(asked)), None)
    assert framing.switches
    assert octets == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\n\r\n"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c , WEBSOCKET,"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE"},
        {"Connection": "keep-alive,upgrade , x"},
        {"Content-Length": "0"},
        {"Sec_WebSocket_Version": " 13 "},
    ],
)
def test_what_lists_and_case_may_look_like(changed):
    assert read_handshake(head_of(**changed)).key == KEY
    assert is_upgrade(head_of(**changed))


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "get", "OPTIONS"])
def test_another_method_is_not_allowed(method):
    error = refused(head_of(f"{method} /chat HTTP/1.1"))
    assert (error.status, error.fields) == (405, (("Allow", "GET"),))


@pytest.mark.parametrize(
    "changed",
    [
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Upgrade": "websockets"},
        {"Upgrade": "web socket"},
        {"Upgrade": "websocket/13"},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Connection": "notupgrade"},
        {"Connection": "upgraded, xupgrade"},
        {"Connection": "close"},
    ],
)
def test_what_asks_for_no_upgrade_opens_no_websocket(changed):
    assert refused(head_of(**changed)).status == 400
    assert not is_upgrade(head_of(**changed))


def test_http_10_cannot_upgrade():
    head = head_of("GET /chat HTTP/1.0")
    assert not is_upgrade(head)
    assert refused(head).status == 400


def test_a_request_with_content_opens_no_websocket():
    assert refused(head_of(Content_Length="5")).status == 400
    assert refused(head_of(Transfer_Encoding="chunked")).status == 400


@pytest.mark.parametrize("version", ["12", "8", "7", "0", "14", "013", "13.0", "13, 8", "", "x", "255"])
def test_another_version_is_told_ours(version):
    error = refused(head_of(Sec_WebSocket_Version=version))
    assert error.status == 426
    assert ("Sec-WebSocket-Version", "13") in error.fields
    assert ("Upgrade", "websocket") in error.fields


def test_no_version_is_told_ours_and_two_versions_are_a_bad_request():
    assert refused(head_of(Sec_WebSocket_Version=None)).status == 426
    two = head_of("GET / HTTP/1.1", ("sec-websocket-version", "13"))
    assert refused(two).status == 400


@pytest.mark.parametrize(
    "key",
    [
        None, "", "x", KEY[:-1], KEY[:-2], KEY + "=", "A" * 24, "A" * 23 + "=", "A" * 21 + "===", KEY[:-3] + "-==",
        KEY[:-3] + " ==", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==", "é" * 22 + "==", "A" * 8000,
    ],
)  # fmt: skip
def test_a_key_is_sixteen_octets_in_base64(key):
    assert refused(head_of(Sec_WebSocket_Key=key)).status == 400


def test_two_keys_are_one_too_many():
    assert refused(head_of("GET / HTTP/1.1", ("sec-websocket-key", KEY))).status == 400


@pytest.mark.parametrize("name", ["a b", "a;b", 'a, "b"', "é", "a, b/c", "a@b"])
def test_a_subprotocol_is_a_token(name):
    assert refused(head_of(Sec_WebSocket_Protocol=name)).status == 400


def test_subprotocols_in_several_lines_are_one_list():
    head = head_of("GET / HTTP/1.1", ("Sec-WebSocket-Protocol", "a,, b"), ("sec-websocket-protocol", "c,"))
    assert read_handshake(head).protocols == ("a", "b", "c")


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        (["a", "b"], ["b", "a"], "a"),
        (["x", "b", "a"], ["a", "b"], "b"),
        (["A"], ["a"], None),
        ([], ["a"], None),
        (["a"], [], None),
    ],
)
def test_the_first_subprotocol_of_the_client_that_the_server_knows(offered, known, chosen):
    assert choose_protocol(offered, known) == chosen


def test_the_accept_key_of_the_rfc():
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# -- extensions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("", ()),
        (" , ,", ()),
        ("foo", (("foo", ()),)),
        ("foo, bar; baz=2", (("foo", ()), ("bar", (("baz", "2"),)))),
        ('foo; a="b c"', None),
        ('foo; a="b"', (("foo", (("a", "b"),)),)),
        ('foo; a="\\b\\1"', (("foo", (("a", "b1"),)),)),
        ("foo ; a = 1 ;b , bar", (("foo", (("a", "1"), ("b", None))), ("bar", ()))),
        ("foo; a; a", (("foo", (("a", None), ("a", None))),)),
        ("a, a; x, a", (("a", ()), ("a", (("x", None),)), ("a", ()))),
        *((value, None) for value in [
            "foo bar", "foo;", "foo; ;a", "foo; a=", "foo; =1", "=", ";a", "foo; a=b=c", 'foo; a="', 'foo; a=""', "é",
            "foo; a=b c", "foo/1", "foo;a=\"b\\\"", "foo; a=(b)", "foo\t;a\tb", "foo, bar;",
        ]),
    ],
)  # fmt: skip
def test_the_grammar_of_extensions(value, parsed):
    if parsed is None:
        with pytest.raises(BadHandshake):
            parse_extensions(value)
        assert refused(head_of(Sec_WebSocket_Extensions=value)).status == 400
    else:
        assert parse_extensions(value) == parsed
        assert read_handshake(head_of(Sec_WebSocket_Extensions=value)).extensions == parsed


DEFLATE = "permessage-deflate"


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        (DEFLATE, "server_max_window_bits=12"),
        (f"{DEFLATE}; client_max_window_bits", "server_max_window_bits=12; client_max_window_bits=12"),
        (f"{DEFLATE}; client_max_window_bits=9", "server_max_window_bits=12; client_max_window_bits=9"),
        (f'{DEFLATE}; server_max_window_bits="10"', "server_max_window_bits=10"),
        (f"{DEFLATE}; server_no_context_takeover", "server_no_context_takeover; server_max_window_bits=12"),
        (f"x-webkit-deflate-frame, {DEFLATE}", "server_max_window_bits=12"),
        (f"{DEFLATE}; server_max_window_bits=7, {DEFLATE}; server_max_window_bits=9", "server_max_window_bits=9"),
        (f"{DEFLATE}; foo, {DEFLATE}", "server_max_window_bits=12"),
        (f"{DEFLATE}; server_max_window_bits=9, {DEFLATE}", "server_max_window_bits=9"),
        (f"{DEFLATE}; foo", None),
        (f"{DEFLATE}; server_max_window_bits", None),
        (f"{DEFLATE}; client_max_window_bits; client_max_window_bits", None),
        (DEFLATE.upper(), None),
        ("foo", None),
        ("", None),
    ],
)
def test_the_first_offer_that_can_be_accepted_is(offers, answer):
    asked = read_handshake(head_of(Sec_WebSocket_Extensions=offers))
    agreed = choose_deflate(asked.extensions, PerMessageDeflate())
    fields = dict(response_fields(asked, None, agreed))
    assert fields.get("Sec-WebSocket-Extensions") == (answer and f"{DEFLATE}; {answer}")


@given(st.text('ab =;,"\\\t1', max_size=30))
def test_any_value_is_a_list_of_extensions_or_a_bad_handshake(value):
    try:
        parsed = parse_extensions(value)
    except BadHandshake as error:
        parsed = ()
        status = error.status
    else:
        status = 400
    assert status == 400
    assert all(name for name, _ in parsed)


@pytest.mark.parametrize("value", [";a" * 200_000, " " * 400_000 + "x y", "a;b" + " " * 400_000 + "x", "a" * 400_000])
def test_extensions_are_read_in_linear_time(value):
    start = time.perf_counter()
    try:
        parse_extensions(value)
    except BadHandshake:
        pass
    assert time.perf_counter() - start < 2


# -- origin --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed", "verdict"),
    [
        (None, [], True),
        (None, ["https://example.org"], True),
        ("https://example.org", ["https://example.org"], True),
        ("https://example.org", ["http://a", "https://EXAMPLE.org:443"], True),
        ("HTTPS://Example.org:443", ["https://example.org"], True),
        ("http://example.org:80", ["http://example.org"], True),
        ("http://example.org", ["https://example.org"], False),
        ("https://example.org:8443", ["https://example.org"], False),
        ("https://example.org:4430", ["https://example.org"], False),
        ("https://evil.org", ["https://example.org"], False),
        ("https://example.org.evil.org", ["https://example.org"], False),
        ("https://evilexample.org", ["https://example.org"], False),
        ("https://example.org/", ["https://example.org"], False),
        ("null", ["https://example.org", "self"], False),
        ("null", ["null"], True),
        ("", ["https://example.org", "self"], False),
        ("self", ["self"], False),
        ("https://server.example.com", ["self"], True),
        ("http://server.example.com", ["self"], True),
        ("http://SERVER.example.com:80", ["self"], True),
        ("http://server.example.com:443", ["self"], False),
        ("http://evil.example.com", ["self"], False),
        ("https://server.example.com", [], False),
    ],
)
def test_an_origin_is_allowed_if_it_is_on_the_list(origin, allowed, verdict):
    assert origin_allowed(head_of(Origin=origin), allowed) is verdict


def test_the_own_host_counts_with_its_port():
    head = head_of(Host="localhost:8080", Origin="http://localhost:8080")
    assert origin_allowed(head, ["self"])
    assert not origin_allowed(head_of(Host="localhost:8080", Origin="http://localhost"), ["self"])
    assert origin_allowed(head_of(Host="localhost:443", Origin="https://localhost"), ["self"])


def test_two_origins_are_none():
    head = head_of("GET / HTTP/1.1", ("Origin", "https://a"), ("Origin", "https://a"))
    assert not origin_allowed(head, ["https://a"])
