"""Preconditions and ranges: the tables of RFC 9110 sections 13 and 14, and what no Range field can make of them."""

from __future__ import annotations

import time
from email.message import Message
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioweb.protocol.conditional import (
    ByteRange,
    Verdict,
    evaluate_preconditions,
    format_unsatisfied,
    frame_byteranges,
    select_ranges,
)
from aioweb.protocol.fields import ETag

WHOLE, RANGES, NOT_MODIFIED, FAILED = Verdict.WHOLE, Verdict.RANGES, Verdict.NOT_MODIFIED, Verdict.FAILED
BEFORE, AT, AFTER = (f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in (36, 37, 38))
CHANGED = 784111777  # AT
TAG = ETag("v1")
WEAK = ETag("v1", is_weak=True)


def verdict(*fields: str, method: str = "GET", etag: ETag | None = TAG, last_modified: int | None = CHANGED) -> Verdict:
    headers = CIMultiDict(field.split(": ", 1) for field in fields)
    return evaluate_preconditions(method, headers, etag, last_modified)


# -- one precondition --------------------------------------------------------------------------------------------------

SINGLE = [
    ("", WHOLE),
    ('If-Match: "v1"', WHOLE),
    ('If-Match: "v0", "v1"', WHOLE),
    ("If-Match: *", WHOLE),
    ('If-Match: "v0"', FAILED),
    ('If-Match: W/"v1"', FAILED),
    ("If-Match: v1", FAILED),
    ("If-Match: ", FAILED),
    ('If-Match: "*"', FAILED),
    (f"If-Unmodified-Since: {BEFORE}", FAILED),
    (f"If-Unmodified-Since: {AT}", WHOLE),
    (f"If-Unmodified-Since: {AFTER}", WHOLE),
    ("If-Unmodified-Since: yesterday", WHOLE),
    (f"If-Unmodified-Since: {BEFORE}, {BEFORE}", WHOLE),
    ('If-None-Match: "v1"', NOT_MODIFIED),
    ('If-None-Match: W/"v1"', NOT_MODIFIED),
    ('If-None-Match: "v0", W/"v1"', NOT_MODIFIED),
    ("If-None-Match: *", NOT_MODIFIED),
    ('If-None-Match: "v0"', WHOLE),
    ("If-None-Match: v1", WHOLE),
    ('If-None-Match: "*"', WHOLE),
    (f"If-Modified-Since: {BEFORE}", WHOLE),
    (f"If-Modified-Since: {AT}", NOT_MODIFIED),
    (f"If-Modified-Since: {AFTER}", NOT_MODIFIED),
    ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", NOT_MODIFIED),
    ("If-Modified-Since: Sun Nov  6 08:49:37 1994", NOT_MODIFIED),
    ("If-Modified-Since: 784111777", WHOLE),
    (f"If-Modified-Since: {AT}, {AT}", WHOLE),
]


@pytest.mark.parametrize(("field", "expected"), SINGLE)
def test_a_precondition_decides_about_a_get(field: str, expected: Verdict) -> None:
    assert verdict(*filter(None, [field])) is expected


@pytest.mark.parametrize(("field", "expected"), SINGLE)
def test_head_is_answered_like_get(field: str, expected: Verdict) -> None:
    assert verdict(*filter(None, [field]), method="HEAD") is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('If-None-Match: "v1"', FAILED),
        ("If-None-Match: *", FAILED),
        ('If-None-Match: "v0"', WHOLE),
        (f"If-Modified-Since: {AFTER}", WHOLE),
        ('If-Match: "v0"', FAILED),
        (f"If-Unmodified-Since: {BEFORE}", FAILED),
        ("Range: bytes=0-1", WHOLE),
    ],
)
def test_other_methods_are_never_answered_with_304_or_ranges(field: str, expected: Verdict) -> None:
    assert verdict(field, method="PUT") is expected


def test_tags_in_several_field_lines_are_one_list() -> None:
    assert verdict('If-None-Match: "v0"', 'If-None-Match: "v1"') is NOT_MODIFIED
    assert verdict('If-Match: "v0"', 'If-Match: "v1"') is WHOLE
    assert verdict("If-None-Match: ", "If-None-Match: *") is NOT_MODIFIED


def test_two_dates_are_no_date() -> None:
    assert verdict(f"If-Modified-Since: {AFTER}", f"If-Modified-Since: {AFTER}") is WHOLE
    assert verdict(f"If-Unmodified-Since: {BEFORE}", f"If-Unmodified-Since: {BEFORE}") is WHOLE


def test_a_weak_tag_is_good_for_caches_only() -> None:
    assert verdict('If-None-Match: "v1"', etag=WEAK) is NOT_MODIFIED
    assert verdict('If-Match: "v1"', etag=WEAK) is FAILED
    assert verdict('If-Match: W/"v1"', etag=WEAK) is FAILED
    assert verdict("If-Match: *", etag=WEAK) is WHOLE


def test_content_without_validators_matches_only_a_star() -> None:
    assert verdict('If-Match: "v1"', etag=None) is FAILED
    assert verdict("If-Match: *", etag=None) is WHOLE
    assert verdict('If-None-Match: "v1"', etag=None) is WHOLE
    assert verdict("If-None-Match: *", etag=None) is NOT_MODIFIED
    assert verdict(f"If-Modified-Since: {AFTER}", last_modified=None) is WHOLE
    assert verdict(f"If-Unmodified-Since: {BEFORE}", last_modified=None) is WHOLE


# -- several of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # A tag says more than a date: the date beside it is not looked at.
        (['If-Match: "v1"', f"If-Unmodified-Since: {BEFORE}"], WHOLE),
        (['If-Match: "v0"', f"If-Unmodified-Since: {AFTER}"], FAILED),
        (['If-None-Match: "v0"', f"If-Modified-Since: {AFTER}"], WHOLE),
        (['If-None-Match: "v1"', f"If-Modified-Since: {BEFORE}"], NOT_MODIFIED),
        # 412 comes before 304.
        (['If-Match: "v0"', 'If-None-Match: "v1"'], FAILED),
        ([f"If-Unmodified-Since: {BEFORE}", 'If-None-Match: "v1"'], FAILED),
        (['If-Match: "v1"', 'If-None-Match: "v1"'], NOT_MODIFIED),
        ([f"If-Unmodified-Since: {AFTER}", f"If-Modified-Since: {AT}"], NOT_MODIFIED),
        # And both before the ranges.
        (['If-None-Match: "v1"', "Range: bytes=0-1"], NOT_MODIFIED),
        (['If-Match: "v0"', "Range: bytes=0-1"], FAILED),
        (['If-None-Match: "v0"', "Range: bytes=0-1"], RANGES),
    ],
)
def test_preconditions_are_evaluated_in_the_order_of_the_rfc(fields: list[str], expected: Verdict) -> None:
    assert verdict(*fields) is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('If-Range: "v1"', RANGES),
        ('If-Range: "v0"', WHOLE),
        ('If-Range: W/"v1"', WHOLE),
        ('If-Range: "v1", "v0"', WHOLE),
        ("If-Range: *", WHOLE),
        ("If-Range: ", WHOLE),
        (f"If-Range: {AT}", RANGES),
        (f"If-Range: {BEFORE}", WHOLE),
        (f"If-Range: {AFTER}", WHOLE),
        ("If-Range: nonsense", WHOLE),
    ],
)
def test_if_range_keeps_parts_of_different_contents_apart(field: str, expected: Verdict) -> None:
    assert verdict("Range: bytes=0-1", field) is expected


def test_if_range_without_range_means_nothing() -> None:
    assert verdict('If-Range: "v1"') is WHOLE


def test_if_range_needs_a_validator_to_compare_with() -> None:
    assert verdict("Range: bytes=0-1", 'If-Range: "v1"', etag=None) is WHOLE
    assert verdict("Range: bytes=0-1", 'If-Range: W/"v1"', etag=WEAK) is WHOLE
    assert verdict("Range: bytes=0-1", f"If-Range: {AT}", last_modified=None) is WHOLE
    assert verdict("Range: bytes=0-1", "If-Range: *", etag=ETag("*")) is WHOLE


def test_two_range_fields_and_two_if_range_fields_are_ignored() -> None:
    assert verdict("Range: bytes=0-1", "Range: bytes=2-3") is WHOLE
    assert verdict("Range: bytes=0-1", 'If-Range: "v1"', 'If-Range: "v1"') is WHOLE


def test_head_has_no_ranges() -> None:
    assert verdict("Range: bytes=0-1", method="HEAD") is WHOLE


# -- ranges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=9-", [(9, 1)]),
        ("bytes=-1", [(9, 1)]),
        ("bytes=-10", [(0, 10)]),
        ("bytes=-11", [(0, 10)]),
        ("bytes=2-100", [(2, 8)]),
        ("bytes=0-18446744073709551615", [(0, 10)]),
        ("bytes=0-1,5-6", [(0, 2), (5, 2)]),
        # As asked for: the end of a document is often read first.
        ("bytes=5-6,0-1", [(5, 2), (0, 2)]),
        # What overlaps or touches is one.
        ("bytes=0-5,3-8", [(0, 9)]),
        ("bytes=0-1,2-3", [(0, 4)]),
        ("bytes=8-9,0-1,2-8", [(0, 10)]),
        ("bytes=6-7,0-1,1-2", [(6, 2), (0, 3)]),
        ("bytes=0-,0-,0-,0-", [(0, 10)]),
        # What cannot be had is left out.
        ("bytes=10-", []),
        ("bytes=10-20,30-", []),
        ("bytes=-0", []),
        ("bytes=10-,3-3", [(3, 1)]),
        # And what is no list of ranges is ignored.
        ("bytes=", None),
        ("bytes=5-4", None),
        ("bytes=a-b", None),
        ("bytes 0-1", None),
        ("items=0-1", None),
        ("bytes=0-1;2-3", None),
    ],
)
def test_ranges_of_ten_octets(value: str, expected: list[tuple[int, int]] | None) -> None:
    found = select_ranges(value, 10)
    assert (None if found is None else [(part.offset, part.size) for part in found]) == expected


def test_no_content_has_no_ranges() -> None:
    assert select_ranges("bytes=0-", 0) is None
    assert select_ranges("bytes=-5", 0) is None


def test_sixteen_ranges_are_served_and_seventeen_ignored() -> None:
    spread = [f"{position}-{position}" for position in range(0, 34, 2)]
    found = select_ranges("bytes=" + ",".join(spread[:16]), 100)
    assert found is not None
    assert len(found) == 16
    assert select_ranges("bytes=" + ",".join(spread), 100) is None
    assert select_ranges("bytes=0-0,2-2", 100, limit=1) is None


def test_ten_thousand_ranges_cost_next_to_nothing() -> None:
    value = "bytes=" + ",".join(f"{position}-" for position in range(10_000))
    start = time.perf_counter()
    for _ in range(100):
        assert select_ranges(value, 10**9) is None
    assert time.perf_counter() - start < 0.5


specs = st.tuples(st.integers(0, 30) | st.none(), st.integers(0, 30) | st.none()).filter(lambda pair: any(pair))


@given(st.lists(specs, min_size=1, max_size=16), st.integers(1, 25))
def test_the_ranges_are_exactly_the_octets_that_were_asked_for(
    asked: list[tuple[int | None, int | None]], size: int
) -> None:
    content = range(size)
    expected: set[int] = set()
    for first, last in asked:
        if first is not None and last is not None and last < first:
            assert select_ranges("bytes=" + f"{first}-{last}", size) is None
            return
        if first is None:
            expected.update(content[-last:] if last else ())
        else:
            expected.update(content[first : None if last is None else last + 1])
    value = "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)
    found = select_ranges(value, size)
    assert found is not None
    served = [octet for part in found for octet in range(part.offset, part.offset + part.size)]
    assert set(served) == expected
    assert len(served) == len(expected), "an octet is sent twice"
    ends = {part.offset + part.size for part in found}
    assert not ends & {part.offset for part in found}, "two ranges touch"


# -- how they are sent -------------------------------------------------------------------------------------------------


def test_content_range_counts_from_zero_to_the_last_octet() -> None:
    assert ByteRange(0, 1).format(1) == "bytes 0-0/1"
    assert ByteRange(500, 500).format(1234) == "bytes 500-999/1234"
    assert format_unsatisfied(1234) == "bytes */1234"


def test_a_foreign_parser_of_mime_reads_the_parts() -> None:
    content = bytes(range(256))
    ranges = (ByteRange(200, 56), ByteRange(0, 10), ByteRange(100, 1))
    framing = frame_byteranges(ranges, len(content), "image/x-thing", "a1b2")
    pieces = [
        head + content[part.offset : part.offset + part.size] for head, part in zip(framing.heads, ranges, strict=True)
    ]
    body = b"".join(pieces) + framing.end
    assert len(body) == framing.size
    head = f"Content-Type: {framing.content_type}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + body)
    assert isinstance(message, Message)
    assert not message.defects
    parts = message.get_payload()
    assert isinstance(parts, list)
    got = [(part.get_content_type(), part["Content-Range"], part.get_payload(decode=True)) for part in parts]
    assert got == [
        ("image/x-thing", "bytes 200-255/256", content[200:]),
        ("image/x-thing", "bytes 0-9/256", content[:10]),
        ("image/x-thing", "bytes 100-100/256", content[100:101]),
    ]


def test_a_content_type_that_would_split_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="Content-Type"):
        frame_byteranges((ByteRange(0, 1), ByteRange(2, 1)), 3, "text/plain\r\nX: y", "b")
