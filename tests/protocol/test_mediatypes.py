"""Content-Type and parameters: RFC 9110 sections 5.6.6 and 8.3."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aioweb.protocol.mediatypes import (
    MimeType,
    format_content_type,
    parse_content_type,
    parse_mimetype,
    read_content_type,
    scan_parameters,
)

JUNK = ("application/octet-stream", {})


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("text/html", ("text/html", {})),
        ("Text/HTML;Charset=UTF-8", ("text/html", {"charset": "UTF-8"})),
        (" text/html ; charset=utf-8 ", ("text/html", {"charset": "utf-8"})),
        ('text/html; charset="utf-8"', ("text/html", {"charset": "utf-8"})),
        (r'multipart/mixed; boundary="a\"b;c\\"; x=1', ("multipart/mixed", {"boundary": 'a"b;c\\', "x": "1"})),
        ('text/html; charset=""', ("text/html", {"charset": ""})),
        ("text/html;;; ;charset=utf-8;", ("text/html", {"charset": "utf-8"})),
        ("text/html; charset", ("text/html", {"charset": ""})),
        ("multipart/mixed; boundary=a/b:c=d", ("multipart/mixed", {"boundary": "a/b:c=d"})),
        ("text/html; charset=a; charset=b", ("text/html", {"charset": "a"})),
        ("text/html; a=1; b = 2; c=3", ("text/html", {"a": "1"})),
        ('text/html; a=1; b="open; c=3', ("text/html", {"a": "1"})),
        ('text/html; a="b"c', ("text/html", {})),
        ("text/html; charset=", ("text/html", {})),
        ("text/html; charset=utf-8, text/plain", ("text/html", {"charset": "utf-8"})),
        ("application/vnd.api+json", ("application/vnd.api+json", {})),
        ("", JUNK),
        ("text", JUNK),
        ("text/", JUNK),
        ("/html", JUNK),
        ("text/html/x", JUNK),
        ("text /html", JUNK),
        ("text/html, text/plain", JUNK),
        ("text/html charset=utf-8", JUNK),
        ("тext/html", JUNK),
        ("\xa0text/html", JUNK),
        ("text/html\n", JUNK),
    ],
)
def test_content_type_is_read(value, parsed):
    assert parse_content_type(value) == parsed


def test_a_changed_dict_does_not_reach_the_next_caller():
    parse_content_type("text/x; a=1")[1]["a"] = "changed"
    assert parse_content_type("text/x; a=1") == ("text/x", {"a": "1"})
    with pytest.raises(TypeError):
        read_content_type("text/x; a=1").parameters["a"] = "2"


def test_the_cache_of_content_types_is_bounded():
    for number in range(1000):
        read_content_type(f"text/x; a={number}")
    info = read_content_type.cache_info()
    assert info.currsize <= info.maxsize == 256


def test_an_empty_charset_is_none():
    assert read_content_type('text/html; charset=""').charset is None
    assert read_content_type("text/html").charset is None
    assert read_content_type("text/html; charset=KOI8-R").charset == "KOI8-R"


def test_the_number_of_parameters_is_bounded():
    value = "".join(f";p{number}=1" for number in range(40))
    parameters, end = scan_parameters(value, 0)
    assert len(parameters) == 32
    assert value[end:].startswith(";p32=")
    assert len(scan_parameters(value, 0, limit=40)[0]) == 40


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("", ("", "", "", {})),
        ("*", ("*", "*", "", {})),
        ("*/*", ("*", "*", "", {})),
        ("text", ("text", "", "", {})),
        ("Application/JSON; Charset=utf-8;", ("application", "json", "", {"charset": "utf-8"})),
        ("application/rss+xml", ("application", "rss", "xml", {})),
        ("application/a+b+json", ("application", "a+b", "json", {})),
        ("text/plain;base64", ("text", "plain", "", {"base64": ""})),
        ("text/", ("", "", "", {})),
        ("te xt/plain", ("", "", "", {})),
    ],
)
def test_mimetype_is_taken_apart(value, parsed):
    assert parse_mimetype(value) == MimeType(*parsed)


@pytest.mark.parametrize(
    ("content_type", "params", "written"),
    [
        ("text/plain", None, "text/plain"),
        ("text/plain", {"charset": "utf-8"}, "text/plain; charset=utf-8"),
        ("text/plain", {"a": "", "b": 'x "y" \\'}, r'text/plain; a=""; b="x \"y\" \\"'),
    ],
)
def test_content_type_is_written(content_type, params, written):
    assert format_content_type(content_type, params) == written


@pytest.mark.parametrize(
    ("content_type", "params", "named"),
    [
        ("text", {}, "'text'"),
        ("text/plain\r\nX: y", {}, "type/subtype"),
        ("text/plain; a=b", {}, "type/subtype"),
        (" text/plain", {}, "type/subtype"),
        ("text/plain", {"a b": "c"}, "'a b'"),
        ("text/plain", {"charset": "x\r\ny"}, "charset"),
        ("text/plain", {"charset": "ю"}, "charset"),
        ("text/plain", {"charset": "x\x7f"}, "charset"),
    ],
)
def test_an_illegal_content_type_is_refused(content_type, params, named):
    with pytest.raises(ValueError, match="Content-Type") as caught:
        format_content_type(content_type, params)
    assert named in str(caught.value)


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


@given(st.dictionaries(names, texts, max_size=5))
def test_what_is_written_is_read_back(params):
    assert parse_content_type(format_content_type("text/x", params)) == ("text/x", params)


@given(st.text(st.sampled_from(list('tx/;="\\ ,\té'))) | st.text())
@example('a/b;c="' + "\\" * 9)
def test_any_text_has_a_reading(value):
    media_type, parameters = parse_content_type(value)
    assert media_type.count("/") == 1
    assert all(name == name.lower() for name in parameters)
    assert len(parse_mimetype(value)) == 4
