"""The values that the ground hands up: made of octets that nothing is lost of, and read when somebody asks."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.events import (
    Data,
    EndOfMessage,
    FieldSection,
    HttpVersion,
    HttpVersion10,
    HttpVersion11,
    RequestHead,
)

RAW = b"Host: a\r\nx-a:\t b \r\nX-A: c:d\r\nEmpty:\r\nUtf: \xd0\xba\r\nOther: \xff\r\n\r\n"


def test_a_version_is_a_pair_that_compares():
    assert HttpVersion10 < HttpVersion11 < HttpVersion(2, 0)
    assert HttpVersion11 == HttpVersion(1, 1) == (1, 1)
    assert (HttpVersion11.major, HttpVersion11.minor) == (1, 1)


def test_pairs_are_what_was_received_without_the_white_space_around_values():
    assert FieldSection(RAW).pairs == (
        (b"Host", b"a"),
        (b"x-a", b"b"),
        (b"X-A", b"c:d"),
        (b"Empty", b""),
        (b"Utf", b"\xd0\xba"),
        (b"Other", b"\xff"),
    )


def test_headers_are_the_same_as_text_by_names_in_any_case():
    headers = FieldSection(RAW).headers
    assert headers["HOST"] == "a"
    assert headers.getall("x-a") == ["b", "c:d"]
    assert (headers["empty"], headers["utf"], headers["other"]) == ("", "к", "\udcff")
    assert [name for name, _ in headers.items()] == ["Host", "x-a", "X-A", "Empty", "Utf", "Other"]


@pytest.mark.parametrize(
    "name", ["Host", "HOST", "x-a", "Empty", "utf", "Other", "a", "b", "c", "x", "Hos", "", "\u212a"]
)
def test_one_field_is_found_as_among_all_headers(name):
    section = FieldSection(RAW)
    first = section.get(name)
    assert first == section.headers.get(name) == section.get(name)
    assert FieldSection(b"\r\n").get(name) is None


def test_a_few_fields_that_were_found_are_remembered_and_no_more():
    section = FieldSection(RAW)
    assert section.get("x-a") is section.get("x-a")
    for number in range(1000):
        assert section.get(f"name-{number}") is None
    assert section.get("Other") == "\udcff"
    held = [thing for thing in gc.get_referents(section) if isinstance(thing, dict)]
    assert len(held) == 1
    assert len(held[0]) < 10


def test_headers_cannot_be_changed_as_requests_share_them():
    headers = FieldSection(RAW).headers
    assert isinstance(headers, CIMultiDictProxy)
    with pytest.raises(TypeError):
        headers["Host"] = "b"


def test_pairs_and_headers_are_made_once():
    section = FieldSection(RAW)
    assert section.pairs is section.pairs
    assert section.headers is section.headers


def test_a_section_without_fields_has_none():
    assert FieldSection(b"\r\n").pairs == ()
    assert len(FieldSection(b"\r\n").headers) == 0


def test_a_section_says_nothing_that_was_not_read():
    section = FieldSection(b"\r\n")
    assert (section.host, section.content_length, section.chunked, section.expect) == (None, None, False, None)
    assert section.options == frozenset()


@given(st.binary(max_size=30).map(lambda octets: octets.translate(None, bytes([*range(9), *range(10, 32), 127]))))
def test_any_legal_value_survives_the_round_trip(value):
    value = value.strip(b" \t")
    section = FieldSection(b"X: " + value + b"\r\n\r\n")
    assert section.pairs == ((b"X", value),)
    assert section.get("x") == section.headers["x"]
    assert encode_fields(section.headers.items()) == b"X: " + value + b"\r\n"


def test_events_compare_by_identity_and_show_what_they_hold():
    assert Data(b"a") != Data(b"a")
    assert EndOfMessage() != EndOfMessage()
    assert EndOfMessage().trailers == ()
    assert "trailers=((b'A', b'b'),)" in repr(EndOfMessage(((b"A", b"b"),)))
    assert not hasattr(Data(b"a"), "__dict__")
    assert not hasattr(
        RequestHead("GET", "/", "/", "", None, HttpVersion11, FieldSection(b"\r\n"), False, False), "__dict__"
    )
