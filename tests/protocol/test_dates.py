"""HTTP dates: RFC 9110 section 5.6.7."""

from __future__ import annotations

import locale
from datetime import datetime, timezone
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.dates import format_http_date, parse_http_date

EXAMPLE = datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_each_of_the_three_formats_is_read(value):
    assert parse_http_date(value) == EXAMPLE
    assert parse_http_date(value).tzinfo is timezone.utc


def test_an_asctime_day_has_two_digits_if_it_needs_them():
    assert parse_http_date("Wed Nov 16 08:49:37 1994") == EXAMPLE.replace(day=16)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Noo 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun Nov    08:49:37 1994",
        "Sunday, 00-Nov-94 08:49:37 GMT",
    ],
)
def test_nonsense_is_none(value):
    assert parse_http_date(value) is None


def test_a_leap_second_is_the_second_before_it():
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize("ahead", [-49, -1, 0, 1, 49, 50])
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(ahead):
    year = datetime.now(timezone.utc).year + ahead
    parsed = parse_http_date(f"Monday, 01-Jun-{year % 100:02} 00:00:00 GMT")
    assert parsed.year % 100 == year % 100
    assert parsed.year <= datetime.now(timezone.utc).year + 50
    if ahead >= 0 and year // 100 == (year - ahead) // 100:
        assert parsed.year == year


def test_a_year_of_two_digits_that_would_be_too_far_ahead_is_in_the_past():
    this_year = datetime.now(timezone.utc).year
    far = this_year - this_year % 100 + 99
    expected = far if far <= this_year + 50 else far - 100
    assert parse_http_date("Friday, 01-Jan-99 00:00:00 GMT").year == expected


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111777.999, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (-0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (-61_000_000_000, "Fri, 26 Dec 0036 11:33:20 GMT"),
    ],
)
def test_a_timestamp_is_written_as_imf_fixdate(timestamp, written):
    assert format_http_date(timestamp) == written


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), 1e18])
def test_a_timestamp_out_of_range_is_refused(timestamp):
    with pytest.raises(ValueError):
        format_http_date(timestamp)


def test_the_locale_does_not_matter(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8")
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        pass  # the machine has no such locale; the comparison holds all the same
    try:
        assert format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    finally:
        locale.setlocale(locale.LC_ALL, before)


@given(st.integers(min_value=0, max_value=253402300799))
def test_what_is_written_is_read_back_and_is_what_the_library_writes(timestamp):
    written = format_http_date(timestamp)
    assert parse_http_date(written).timestamp() == timestamp
    assert written == formatdate(timestamp, usegmt=True)


@given(st.text())
def test_any_text_is_a_date_or_none(value):
    assert parse_http_date(value) is None
