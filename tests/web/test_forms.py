"""Urlencoded forms."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge
from aioweb.web.text import parse_form, parse_urlencoded


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
