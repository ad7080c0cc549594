"""The charsets of clients, and urlencoded fields."""

from __future__ import annotations

import encodings
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge
from aioweb.web.text import decode_text, find_codec, parse_form, parse_urlencoded


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        (None, "utf-8"),
        ("utf-8", "utf-8"),
        ("UTF8", "utf_8"),
        ("US-ASCII", "ascii"),
        ("ISO_8859-1:1987", "latin_1"),
        ("iso-8859-15", "iso8859_15"),
        ("windows-1251", "cp1251"),
        ("KOI8-R", "koi8_r"),
        ("koi8-u", "koi8_u"),
        ("Shift_JIS", "shift_jis"),
        ("GB2312", "gb2312"),
        ("euc-kr", "euc_kr"),
        ("utf-16le", "utf_16_le"),
    ],
)
def test_charsets_of_the_web_are_known_in_every_spelling(charset: str | None, codec: str) -> None:
    assert find_codec(charset) == codec
    "x".encode(codec).decode(codec)


PYTHON_ONLY = ["unicode_escape", "raw-unicode-escape", "idna", "punycode", "undefined", "charmap", "mbcs", "utf-7"]
NO_TEXT = ["rot13", "rot_13", "zlib", "zip", "bz2_codec", "hex", "base64", "quopri", "uu"]
NONSENSE = ["", "x-unknown", "ю", "a\0b", "../aliases", "x" * 8000]


@pytest.mark.parametrize("charset", [*PYTHON_ONLY, *NO_TEXT, *NONSENSE])
def test_a_charset_that_is_none_is_a_400(charset: str) -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        decode_text(b"abc", charset)
    assert caught.value.text == "400: unknown charset"


def test_every_codec_that_is_known_makes_text_without_surrogates_or_is_a_400() -> None:
    for name in sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values()}):
        for data in (b"\x00\xff\xd8\x00+2AA-", string.printable.encode()):
            try:
                decode_text(data, name).encode()
            except HTTPBadRequest:
                pass


def test_unknown_charsets_are_not_remembered() -> None:
    before = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(100):
        with pytest.raises(HTTPBadRequest):
            find_codec(f"x-charset-{number}")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


def test_text_is_strict() -> None:
    assert decode_text("тест".encode("koi8-r"), "koi8-r") == "тест"
    with pytest.raises(HTTPBadRequest) as caught:
        decode_text(b"\xff", None)
    assert caught.value.text == "400: the content is not valid utf-8"


# -- urlencoded -------------------------------------------------------------------------------------------------------


def pairs(data: bytes, charset: str | None = None, max_fields: int = 0) -> list[tuple[str, str]]:
    return list(parse_form(data, charset, max_fields).items())


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"", []),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a=&b&=c", [("a", ""), ("b", ""), ("", "c")]),
        (b"&&a=1&&", [("a", "1")]),
        (b"a+b=c+d%2B", [("a b", "c d+")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=%zz%4&%", [("a", "%zz%4"), ("%", "")]),
        (b"%D1%8F=%d1%8f", [("я", "я")]),
        ("я=ё".encode(), [("я", "ё")]),
        (b"a=%00%0a", [("a", "\0\n")]),
    ],
)
def test_an_urlencoded_form_keeps_order_duplicates_and_blanks(data: bytes, fields: list[tuple[str, str]]) -> None:
    assert pairs(data) == fields


def test_the_charset_is_that_of_the_content_and_of_its_escapes() -> None:
    assert pairs("имя=%C8%EC%FF".encode("cp1251"), "windows-1251") == [("имя", "Имя")]
    assert pairs(b"a=%E9\xe9", "ISO-8859-1") == [("a", "éé")]


@pytest.mark.parametrize("data", [b"a=\xff", b"a=%ff", b"a=%D1", b"%ff=1", b"a=%ED%A0%80"])
def test_what_is_not_of_the_charset_is_a_400(data: bytes) -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        parse_form(data, None, 0)
    assert caught.value.text is not None
    assert "not valid utf-8" in caught.value.text


@pytest.mark.parametrize(("limit", "fits"), [(3, True), (2, False), (0, True), (-1, True)])
def test_the_number_of_fields_is_bounded(limit: int, fits: bool) -> None:
    if fits:
        assert len(pairs(b"a&b&c", None, limit)) == 3
    else:
        with pytest.raises(HTTPRequestEntityTooLarge) as caught:
            parse_form(b"a&b&c", None, limit)
        assert caught.value.text == "413: more than 2 form fields"


def test_empty_places_count_so_that_they_cannot_cost_more_than_fields() -> None:
    with pytest.raises(HTTPRequestEntityTooLarge):
        parse_form(b"&" * 1000, None, 1000)


def test_octets_that_are_not_utf8_become_replacement_characters_in_a_query() -> None:
    assert list(parse_urlencoded("a=%ff%D1%8F&%ED%A0%80=x").items()) == [("a", "\ufffdя"), ("\ufffd" * 3, "x")]


@given(st.text())
def test_a_query_never_raises_and_never_makes_a_surrogate(text: str) -> None:
    for name, value in parse_urlencoded(text.encode("ascii", "replace").decode()).items():
        (name + value).encode()


@given(st.lists(st.tuples(st.text(), st.text(min_size=1))))
def test_what_yarl_writes_is_read_back(fields: list[tuple[str, str]]) -> None:
    fields = [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in fields
    ]
    assert list(parse_urlencoded(URL.build(query=fields).raw_query_string).items()) == fields


def test_a_form_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        begin = time.process_time()
        parse_form(b"%41=+%zz&" * size, None, 0)
        return time.process_time() - begin

    small = min(seconds(2000) for _ in range(3))
    assert seconds(16_000) < 8 * 2.5 * small + 0.02
