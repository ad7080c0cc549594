"""The patterns of the grammar, against every octet, against foreign readers and against inputs made to hurt them."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioweb.protocol import grammar
from aioweb.protocol.grammar import (
    AUTHORITY_FORM,
    BAD_IN_VALUE,
    BAD_OCTET,
    CHUNK_LINE,
    CONTENT_LENGTH,
    DECIDING_FIELD,
    FIELD_LINE,
    FIELD_SECTION,
    HOST,
    HTTP_VERSION,
    REQUEST_LINE,
    TOKEN,
)

PATTERNS = {name: value for name, value in vars(grammar).items() if isinstance(value, re.Pattern)}
TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_token_is_made_of_tchars_and_of_nothing_else_in_unicode():
    assert TOKEN.fullmatch("") is None
    assert {chr(point) for point in range(0x11000) if TOKEN.fullmatch(chr(point))} == set(TCHARS)


@pytest.mark.parametrize("pattern", [CONTENT_LENGTH, HTTP_VERSION, HOST, AUTHORITY_FORM], ids=lambda p: p.pattern[:20])
def test_digits_are_ascii_cve_2025_69224(pattern):
    for digit in "٣३߃๓３𝟛³":
        assert not any(pattern.fullmatch(text % digit) for text in ("%s", "HTTP/1.%s", "HTTP/%s.1", "a:%s", "[::%s]"))


def test_the_octets_that_no_line_may_hold_are_the_controls_but_htab():
    controls = {*range(0x20), 0x7F} - {0x09}
    assert {octet for octet in range(256) if BAD_OCTET.search(bytes([octet]))} == controls
    assert {point for point in range(0x250) if BAD_IN_VALUE.search(chr(point))} == controls


def test_no_value_may_hold_a_surrogate_that_stands_for_no_octet():
    legal = {point for point in range(0xD800, 0xE000) if not BAD_IN_VALUE.search(chr(point))}
    assert legal == set(range(0xDC80, 0xDD00))
    for point in legal:
        assert chr(point).encode("utf-8", "surrogateescape") == bytes([point - 0xDC00])


# -- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "A.b-c_d~", "a:", "a:0", "a:00080", "a:65535", "127.0.0.1:1", "%00", "%C3%a9", "!$&'()*+,;="),
        *("[::]", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]", "[1::8]", "[FE80::a]"),
        *("[::1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[::ffff:255.255.255.255]", "[v1.x]", "[VF.a:b]"),
    ],
)
def test_a_host_is_accepted(text):
    assert HOST.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        *(":", ":80", "a:b", "a:65536", "a:99999", "a:000080", "a:-1", "a:1:2", "a b", " a", "a/", "a?", "a#", "u@a"),
        *(
            "é",
            "a%",
            "a%2",
            "a%zz",
            'a"',
            "a<b",
            "a\\b",
            "a\n",
            "a\x00",
            "[",
            "]",
            "[]",
            "[::1",
            "::1",
            "[a]",
            "[::1]a",
        ),
        *("[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:::]", "[.]", "[12345::]", "[::256.1.1.1]", "[g::]"),
        *("[::1.2.3]", "[1.2.3.4::]", "[::1%25eth0]", "[v.x]", "[v1.]", "[v1]", "[vg.x]"),
    ],
)
def test_a_host_is_refused(text):
    assert HOST.fullmatch(text) is None


@given(st.one_of(st.ip_addresses(v=6).map(str), st.from_regex(r"[0-9a-f:.]{0,24}", fullmatch=True)))
def test_an_ipv6_address_is_what_the_standard_library_takes_for_one(text):
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        legal = False
    else:
        legal = True
    assert bool(HOST.fullmatch(f"[{text}]")) == legal


@given(st.from_regex(HOST, fullmatch=True).filter(bool))
def test_every_host_makes_a_url(text):
    # What the grammar lets pass must not become a 500 when somebody reads `request.url`.
    assert URL.build(scheme="http", authority=text, path="/", encoded=True).raw_host


@pytest.mark.parametrize(("text", "legal"), [("a:1", True), ("[::1]:65535", True), ("a", False), ("a:", False)])
def test_an_authority_has_a_host_and_a_port(text, legal):
    assert bool(AUTHORITY_FORM.fullmatch(text)) == legal
    assert AUTHORITY_FORM.fullmatch(":1") is None


# -- lines -----------------------------------------------------------------------------------------------------------


def test_the_usual_request_line_is_matched_with_its_crlf():
    match = REQUEST_LINE.match(b"GET /a?b HTTP/1.1\r\nHost")
    assert match.groups() == (b"GET", b"/a?b", b"1")
    assert match.end() == 19


@pytest.mark.parametrize(
    "line", [b"CONNECT /a HTTP/1.1\r\n", b"GET / HTTP/1.1\n", b"GET / HTTP/2.0\r\n", b"GET * HTTP/1.1\r\n"]
)
def test_an_unusual_request_line_is_left_to_the_slow_way(line):
    assert REQUEST_LINE.match(line) is None


def test_a_field_section_ends_with_its_first_empty_line():
    assert FIELD_SECTION.match(b"A: b\r\nC:\r\n\r\nD: e\r\n\r\n").end() == 12
    assert FIELD_SECTION.match(b"\r\n\r\n").end() == 2
    for section in (b"A: b\r\n", b"A: b\n\r\n", b"A: b\r\n c\r\n\r\n", b"A : b\r\n\r\n", b": b\r\n\r\n"):
        assert FIELD_SECTION.match(section) is None


def test_a_field_line_is_the_same_alone_and_in_a_section():
    for octet in range(256):
        for line in (b"X%bY: z" % bytes([octet]), b"X: y%bz" % bytes([octet])):
            assert bool(FIELD_LINE.fullmatch(line)) == bool(FIELD_SECTION.fullmatch(line + b"\r\n\r\n"))


def test_deciding_fields_are_found_by_whole_names_in_any_case():
    section = b"\r\nHOST: a\r\nX-Host: b\r\nHosts: c\r\nX: Host:d\r\ncontent-length:5\r\nExpect: \r\n\r\n"
    assert DECIDING_FIELD.findall(section) == [(b"HOST", b" a"), (b"content-length", b"5"), (b"Expect", b" ")]


@pytest.mark.parametrize(
    ("line", "size", "extensions"),
    [
        (b"0", b"0", b""),
        (b"fF09", b"fF09", b""),
        (b"F" * 16, b"F" * 16, b""),
        (b"1;a", b"1", b";a"),
        (b'1 ; a\t=\t"b;\\"\\\\c" ;d=e', b"1", b' ; a\t=\t"b;\\"\\\\c" ;d=e'),
        (b'1;a=""', b"1", b';a=""'),
    ],
)
def test_a_chunk_line_is_a_size_and_extensions(line, size, extensions):
    assert CHUNK_LINE.fullmatch(line).groups() == (size, extensions)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"g", b"+1", b"-1", b"0x1", b"1_0", b" 1", b"1 ", b"1\t", b"0" * 17, b"1.0", b"1,1", b"\xb2", b"1 1"),
        *(b";a", b"1;", b"1;;a", b"1;a;", b"1;a=", b"1;=a", b"1;a=b c", b'1;a="', b'1;a="b', b'1;a="\\"', b'1;a="b"c'),
        *(b'1;a="\x00"', b'1;a="\r\n"', b"1;a b", b"1;a=@", b"1 a", b"1;a=b;"),
    ],
)
def test_a_chunk_line_that_is_none_is_refused(line):
    assert CHUNK_LINE.fullmatch(line) is None


# -- no input makes a pattern slow -----------------------------------------------------------------------------------

HURTFUL = [
    *(
        "a",
        "!",
        ":",
        "/",
        "?",
        ";",
        "=",
        '"',
        "\\",
        "%",
        "%41",
        "[",
        ":0",
        "0:",
        "1.",
        ";a",
        ';a="',
        ' ;a="\\"',
        "a: b\r\n",
    ),
    *(
        " ",
        "\t",
        "\r\n",
        "\r\nhost:",
        "\r\nhost: \r",
        "http://",
        "/?",
        "a:b",
        "(",
        "a,",
        "\x80",
        "é",
        "1",
        "1;a=b",
        "GET ",
    ),
]


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_backtracks_over_much_cve_2020_5236_cve_2024_24762(name):
    # A linear pattern needs seconds for all of these, a quadratic one the better part of an hour.
    pattern = PATTERNS[name]
    for part in HURTFUL:
        for start in ("", "/", "GET /", "http://", "1", '1;a="', "X:", "[", "a: b\r\n"):
            for end in ("", "\x00", "\n", " "):
                text = start + part * (20_000 // len(part)) + end
                subject = text if isinstance(pattern.pattern, str) else text.encode("latin-1")
                pattern.match(subject)
                pattern.fullmatch(subject)
