"""HTTP dates: three formats are read, one is written (RFC 9110 section 5.6.7).

Names of days and months are those of the RFC, whatever the locale. Nothing here raises on what a client sent.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}

# RFC 9110 section 5.6.7; the day of the week tells nothing new and is not compared with the date.
#   IMF-fixdate  = day-name "," SP date1 SP time-of-day SP GMT           Sun, 06 Nov 1994 08:49:37 GMT
#   rfc850-date  = day-name-l "," SP date2 SP time-of-day SP GMT         Sunday, 06-Nov-94 08:49:37 GMT
#   asctime-date = day-name SP date3 SP time-of-day SP year              Sun Nov  6 08:49:37 1994
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATE = re.compile(f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT")
_OBSOLETE_DATES = (
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def parse_http_date(value: str) -> datetime | None:
    """Read an HTTP date in any of the three formats (RFC 9110 section 5.6.7).

    A leap second is the second before it, as datetime has none.

    Returns:
        An aware datetime in UTC, or None for anything that is no date, such as the 31st of February.
    """
    match = _DATE.fullmatch(value)
    if match is None:
        match = _OBSOLETE_DATES[0].fullmatch(value) or _OBSOLETE_DATES[1].fullmatch(value)
        if match is None:
            return None
    year = int(match["year"]) if len(match["year"]) == 4 else _full_year(int(match["year"]))
    second = int(match["second"])
    try:
        return datetime(
            year,
            _MONTH_NUMBERS[match["month"]],
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            59 if second == 60 else second,
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None


def _full_year(year: int) -> int:
    # RFC 9110 section 5.6.7: "Recipients of a timestamp value in rfc850-date format, which uses a two-digit year, MUST
    # interpret a timestamp that appears to be more than 50 years in the future as representing the most recent year in
    # the past that had the same last two digits." The only place of the ground where the present day matters.
    this_year = datetime.now(timezone.utc).year
    year += this_year - this_year % 100
    return year - 100 if year > this_year + 50 else year


def format_http_date(timestamp: float) -> str:
    """Write a POSIX timestamp, in seconds, as IMF-fixdate; the fraction of a second is cut off (towards the past).

    Raises ValueError for a timestamp outside of the years 1 to 9999.
    """
    try:
        at = datetime.fromtimestamp(timestamp // 1, timezone.utc)
    except (OverflowError, OSError):  # which of the three it is depends on the platform
        raise ValueError(f"the timestamp {timestamp!r} is outside of the years 1 to 9999") from None
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04}"
        f" {at.hour:02}:{at.minute:02}:{at.second:02} GMT"
    )
