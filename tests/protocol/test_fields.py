"""Entity tags, ranges, Accept and Forwarded; and that every reader of field values is linear and never raises."""

from __future__ import annotations

from time import perf_counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol import fields
from aioweb.protocol.cookies import parse_cookie
from aioweb.protocol.fields import (
    ETAG_ANY,
    ETag,
    format_etag,
    parse_accept,
    parse_byte_ranges,
    parse_content_length,
    parse_etags,
    parse_forwarded,
    parse_range,
)


def test_the_face_names_what_it_promises():
    assert all(hasattr(fields, name) for name in fields.__all__)


# -- entity tags -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("", ()),
        ("*", (ETag("*", False),)),
        (" * ", (ETag("*", False),)),
        ('"a"', (ETag("a", False),)),
        ('W/"a"', (ETag("a", True),)),
        ('""', (ETag("", False),)),
        ('"a", W/"b","c"', (ETag("a"), ETag("b", True), ETag("c"))),
        (' , "a" ,, "b", ', (ETag("a"), ETag("b"))),
        ('"a,b"', (ETag("a,b"),)),
        ('"ключ"', (ETag("ключ"),)),
        ('"\\"', (ETag("\\"),)),
        # What breaks the grammar ends the list.
        ('"a", b, "c"', (ETag("a"),)),
        ('"a" "b"', ()),
        ('"a"x, "b"', ()),
        ('w/"a"', ()),
        ('W/ "a"', ()),
        ('"a b"', ()),
        ('"a\x7f"', ()),
        ('"open', ()),
        ('"a", *', (ETag("a"),)),
        ('"a"\n', ()),
    ],
)
def test_entity_tags_are_read(value, tags):
    assert parse_etags(value) == tags


def test_the_number_of_entity_tags_is_bounded():
    assert len(parse_etags(",".join(['"x"'] * 64))) == 64
    assert len(parse_etags(",".join(['"x"'] * 65))) == 64


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        (ETag("a"), '"a"'),
        (ETag("a", True), 'W/"a"'),
        (ETag(""), '""'),
        (ETag(ETAG_ANY), "*"),
        (ETag("*", True), 'W/"*"'),
    ],
)
def test_entity_tags_are_written(tag, written):
    assert format_etag(tag) == written
    assert parse_etags(written) == (tag,)


@pytest.mark.parametrize("value", ['a"b', "a b", "a\r\nb", "\0", "\x7f", "\t"])
def test_an_illegal_entity_tag_is_refused(value):
    with pytest.raises(ValueError, match="ETag"):
        format_etag(ETag(value))


def test_entity_tags_do_not_change():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ETag("a").value = "b"


# -- ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, slice(None, None, 1)),
        ("bytes=0-499", slice(0, 500, 1)),
        ("bytes=500-", slice(500, None, 1)),
        ("bytes=-500", slice(-500, None, 1)),
        ("BYTES=7-7", slice(7, 8, 1)),
        ("bytes= 0-1 ", slice(0, 2, 1)),
        ("bytes=0-18446744073709551615", slice(0, 2**64, 1)),
    ],
)
def test_a_range_is_a_slice(value, expected):
    assert parse_range(value) == expected


MALFORMED = [
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=5-4",
    "bytes=0-1-2",
    "bytes=0 - 1",
    "bytes=+1-2",
    "bytes=1_0-20",
    "bytes=٠-٩",
    "bytes=0-1x",
    "bytes=0-1\n",
    "bytes:0-1",
    " bytes=0-1",
    "lines=0-1",
    "bytes=" + "9" * 21 + "-",
    "bytes=" + "9" * 5000 + "-",
]


@pytest.mark.parametrize("value", [*MALFORMED, "bytes=0-1,2-3", "bytes=-0"])
def test_anything_but_one_range_has_no_slice(value):
    with pytest.raises(ValueError, match="Range"):
        parse_range(value)


@pytest.mark.parametrize("value", [*MALFORMED, "bytes=0-1,x", "bytes=0-1 2-3", "bytes=0-1,5-4"])
def test_malformed_ranges_are_none(value):
    assert parse_byte_ranges(value) is None


def test_several_ranges_are_read_in_their_order():
    assert parse_byte_ranges("bytes=5-9, 0-0,,-0 ,7-") == [(5, 9), (0, 0), (None, 0), (7, None)]


def test_the_number_of_ranges_is_bounded():
    sixteen = "bytes=" + ",".join(["0-1"] * 16)
    assert parse_byte_ranges(sixteen) == [(0, 1)] * 16
    assert parse_byte_ranges(sixteen + ",0-1") is None
    assert parse_byte_ranges("bytes=0-1,2-3", limit=1) is None


@given(st.integers(0, 10**19), st.none() | st.integers(0, 10**19))
def test_a_range_reads_as_it_was_written(first, length):
    last = None if length is None else first + length
    assert parse_byte_ranges(f"bytes={first}-{'' if last is None else last}") == [(first, last)]


# -- Content-Length --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "length"), [("0", 0), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("", None), ("٣", None)]
)
def test_a_content_length_is_one_to_eighteen_digits(value, length):
    assert parse_content_length(value) == length


# -- Accept and its kin ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", ()),
        ("gzip", (("gzip", 1.0),)),
        ("gzip, deflate, br", (("gzip", 1.0), ("deflate", 1.0), ("br", 1.0))),
        ("gzip;q=0.5, BR;Q=1.0, *;q=0", (("br", 1.0), ("gzip", 0.5), ("*", 0.0))),
        ("a;q=0.5, b;q=0.5, c;q=0.500", (("a", 0.5), ("b", 0.5), ("c", 0.5))),
        ("ru, en-US ; q=0.8", (("ru", 1.0), ("en-us", 0.8))),
        ("text/html;level=1;q=0.4;ext=2, Text/*", (("text/*", 1.0), ("text/html;level=1", 0.4))),
        (
            "text/html, image/gif, *; q=.2, */*; q=.2",
            (("text/html", 1.0), ("image/gif", 1.0), ("*", 0.2), ("*/*", 0.2)),
        ),
        (" ,, gzip ,", (("gzip", 1.0),)),
        ("a;q=1.9", (("a", 1.0),)),
        ("a;q=0.3333333", (("a", 0.3333333),)),
        # A malformed weight leaves its member out, anything else ends the list.
        ("a;q=2, b;q=nan, c;q=inf, d;q=-1, e;q=1e0, g;q, h;q=0_1, i", (("i", 1.0),)),
        ("a, b c, d", (("a", 1.0),)),
        ("a, ключ, d", (("a", 1.0),)),
        ("a/b/c, d", ()),
        ('a;x=";,", b', (("a;x=;,", 1.0), ("b", 1.0))),
    ],
)
def test_accepted_members_are_sorted_by_quality(value, members):
    assert parse_accept(value) == members


def test_the_number_of_accepted_members_is_bounded():
    assert len(parse_accept(",".join(f"c{number}" for number in range(65)))) == 64


def test_the_cache_of_accepted_members_is_bounded():
    for number in range(1000):
        parse_accept(f"x{number}")
    info = parse_accept.cache_info()
    assert info.currsize <= info.maxsize == 256


# -- Forwarded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ([], []),
        ([""], []),
        (["for=192.0.2.60;proto=http;by=203.0.113.43"], [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        (['For="[2001:db8:cafe::17]:4711"'], [{"for": "[2001:db8:cafe::17]:4711"}]),
        (["for=_mdn, for=unknown"], [{"for": "_mdn"}, {"for": "unknown"}]),
        (["for=a", "for=b , for=c"], [{"for": "a"}, {"for": "b"}, {"for": "c"}]),
        (["for=1.2.3.4:5678"], [{"for": "1.2.3.4:5678"}]),
        ([r'for="a\"b\\"'], [{"for": 'a"b\\'}]),
        ([",, ,for=a;;proto=x; ,"], [{"for": "a", "proto": "x"}]),
        (['for=""'], [{"for": ""}]),
        # A malformed element ends its field value, not the next one.
        (["for=a, for=b c, for=d", "for=e"], [{"for": "a"}, {"for": "e"}]),
        (["for=a, for=b;proto"], [{"for": "a"}]),
        (["for=a, for="], [{"for": "a"}]),
        (['for=a, for="b'], [{"for": "a"}]),
        (['for="a"b'], []),
        (["for = a"], []),
        (["for=a;proto=x;For=b, for=c"], []),
        (["for=ключ"], []),
    ],
)
def test_forwarded_elements_are_read(values, elements):
    assert [dict(element) for element in parse_forwarded(values)] == elements


def test_forwarded_elements_are_read_only():
    with pytest.raises(TypeError):
        parse_forwarded(["for=a"])[0]["for"] = "b"


def test_the_number_of_forwarded_elements_is_bounded_over_all_fields():
    assert len(parse_forwarded([",".join(["for=a"] * 40)] * 2)) == 64


# -- all of them -----------------------------------------------------------------------------------------------------

READERS = [
    fields.parse_content_type,
    fields.parse_mimetype,
    fields.parse_http_date,
    parse_content_length,
    parse_etags,
    parse_byte_ranges,
    parse_accept,
    lambda value: parse_forwarded([value]),
    parse_cookie,
]
ALPHABET = [*list('aWbytes09=-/*.;,:"\\ \t%+q\x00\r\né٣'), "bytes=", "text/x", 'W/"', "for=", "q=0."]


@given(st.lists(st.sampled_from(ALPHABET)).map("".join) | st.text())
def test_no_reader_raises_on_what_a_client_sends(value):
    for read in READERS:
        read(value)
    try:
        parse_range(value)
    except ValueError:
        pass


HOSTILE = {
    "spaces then junk": ("a{}\x00", " "),
    "spaces in a parameter": ("a/b;c{}\x00", " "),
    "spaces behind a semicolon": ("a/b;{}\x00", " "),
    "semicolons": ("a/b{}\x00", " ;"),
    "commas": ("{}\x00", " ,"),
    "one long token": ("{}\x00", "a"),
    "a long type": ("a/{}\x00", "a"),
    "an open quote": ('a/b;c="{}', "a"),
    "an open quote of escapes": ('a/b;c="{}', "\\\\"),
    "an open cookie of escapes": ('c="{}', '\\"'),
    "a closed cookie of escapes": ('c="{}"', "\\012"),
    "cookies": ("{}", "a=b;"),
    "open entity tags": ("{}", '"a'),
    "weak marks": ("{}", "W/"),
    "one long entity tag": ('"{}', "a"),
    "entity tag then spaces": ('"a"{}x', " "),
    "digits": ("bytes={}", "9"),
    "range then spaces": ("bytes=0-1{}x", " "),
    "ranges": ("bytes={}x", "0-1,"),
    "forwarded pairs": ("{}\x00", "for=a;"),
    "forwarded then spaces": ("for=a{}\x00", " "),
    "weights": ("{}\x00", "a;q=1,"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_time_is_linear_in_the_length(case):
    """A quadratic reader would need minutes for these."""
    frame, piece = HOSTILE[case]
    value = frame.format(piece * (300_000 // len(piece)))
    started = perf_counter()
    for read in READERS:
        read(value)
    assert perf_counter() - started < 5
