"""Field values that a server reads and writes, and the face of the files that hold the larger ones of them.

    mediatypes.py   Content-Type, parameters        dates.py   Last-Modified, If-Modified-Since, Date
    auth.py         Basic credentials               here       ETag, Range, Accept and its kin
    forwarded.py    Forwarded

Whatever a client sent, nothing here raises but `parse_range` and `BasicAuth.decode`, whose callers want to know. Lists
are read from the left in one pass, up to a number of members, and end at the first member that breaks the grammar; the
members before it count. Each pattern takes the commas and the white space *before* a member and looks ahead for the
next comma: no two neighbouring repeats match the same character, so that time is linear (CVE-2024-24762). Digits are
`[0-9]` and bounded before int() sees them (CVE-2025-69225).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import attrs

from aioweb.protocol.auth import BasicAuth
from aioweb.protocol.dates import format_http_date, parse_http_date
from aioweb.protocol.forwarded import parse_forwarded
from aioweb.protocol.grammar import CONTENT_LENGTH, TOKEN
from aioweb.protocol.mediatypes import (
    OCTET_STREAM,
    ContentType,
    MimeType,
    format_content_type,
    parse_content_type,
    parse_mimetype,
    read_content_type,
    scan_parameters,
)

__all__ = (
    "ETAG_ANY",
    "OCTET_STREAM",
    "BasicAuth",
    "ContentType",
    "ETag",
    "MimeType",
    "format_content_type",
    "format_etag",
    "format_http_date",
    "parse_accept",
    "parse_byte_ranges",
    "parse_content_length",
    "parse_content_type",
    "parse_etags",
    "parse_forwarded",
    "parse_http_date",
    "parse_mimetype",
    "parse_range",
    "read_content_type",
    "scan_parameters",
)

ETAG_ANY = "*"
"""The value of the ETag that stands for any current representation (RFC 9110 section 13.1)."""

_LIST_LIMIT = 64
_TOKEN = TOKEN.pattern
# RFC 9110 section 8.8.3
#   entity-tag = [ weak ] opaque-tag;  weak = %s"W/";  opaque-tag = DQUOTE *etagc DQUOTE
#   etagc      = %x21 / %x23-7E / obs-text
_ETAGC = r"[!#-~\x80-\U0010ffff]*"
_ENTITY_TAG = re.compile(rf'[ \t,]*(W/)?"({_ETAGC})"[ \t]*(?=,|\Z)')
_ETAG_VALUE = re.compile(_ETAGC)
# RFC 9110 section 14.1.1, 14.1.2
#   ranges-specifier = range-unit "=" range-set;  range-set = 1#range-spec
#   int-range        = first-pos "-" [ last-pos ];  suffix-range = "-" suffix-length
# Twenty digits, so that clients that mean "to the end" by 2**64 - 1 are understood.
_BYTES = re.compile(r"[Bb][Yy][Tt][Ee][Ss]=")
_RANGE_SPEC = re.compile(r"[ \t,]*(?:([0-9]{1,20})-([0-9]{0,20})|-([0-9]{1,20}))[ \t]*(?=,|\Z)")
# RFC 9110 section 12.5: media-range, charset, content-coding and language-range are all made of these characters.
_ACCEPTED = re.compile(rf"[ \t,]*({_TOKEN}(?:/{_TOKEN})?)")
_MEMBER_END = re.compile(r"[ \t]*(?:,|\Z)")
# RFC 9110 section 12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ). Java sends q=.2, others send
# more digits than three.
_QVALUE = re.compile(r"[01](?:\.[0-9]{0,17})?|\.[0-9]{1,17}")


@attrs.frozen
class ETag:
    """An entity tag (RFC 9110 section 8.8.3): the opaque text between its quotes, and whether it is weak.

    `ETag("*")` is what a client sends to mean any tag.
    """

    value: str
    is_weak: bool = False


def parse_content_length(value: str) -> int | None:
    """The number of octets; None for anything but 1 to 18 digits (RFC 9110 section 8.6)."""
    return int(value) if CONTENT_LENGTH.fullmatch(value) else None


def parse_etags(value: str) -> tuple[ETag, ...]:
    """Read If-Match or If-None-Match (RFC 9110 section 13.1): `*` is `(ETag("*"),)`, else at most 64 tags."""
    if value.strip(" \t") == ETAG_ANY:
        return (ETag(ETAG_ANY),)
    return tuple(ETag(match[2], match[1] is not None) for match in _members(_ENTITY_TAG, value, 0, _LIST_LIMIT))


def format_etag(etag: ETag) -> str:
    """Write an entity tag, or `*`. Raises ValueError for a quote, space or control in its value."""
    if etag.value == ETAG_ANY and not etag.is_weak:
        return ETAG_ANY
    if _ETAG_VALUE.fullmatch(etag.value) is None:
        raise ValueError(f"ETag: an illegal character in {etag.value!r} (RFC 9110 section 8.8.3)")
    return f'W/"{etag.value}"' if etag.is_weak else f'"{etag.value}"'


def parse_byte_ranges(value: str, *, limit: int = 16) -> list[tuple[int | None, int | None]] | None:
    """Read a Range field of bytes (RFC 9110 section 14.2).

    Args:
        value: The field value.
        limit: More ranges than this are no request but an attack (CVE-2025-62727).

    Returns:
        A pair for each range, in order: `(first, last)` both inclusive, `(first, None)` to the end, or
        `(None, length)` for the last octets. None for another unit, too many ranges or anything malformed: a server
        may then ignore the field.
    """
    unit = _BYTES.match(value)
    if unit is None:
        return None
    ranges: list[tuple[int | None, int | None]] = []
    end = unit.end()
    for match in _members(_RANGE_SPEC, value, end, limit):
        end = match.end()
        first, last, suffix = match.groups()
        if suffix:
            ranges.append((None, int(suffix)))
        elif last and int(last) < int(first):
            return None
        else:
            ranges.append((int(first), int(last) if last else None))
    return ranges if ranges and not value[end:].strip(" \t,") else None


def parse_range(value: str | None) -> slice[int | None, int | None, int]:
    """The slice of the content that a Range field of one range asks for (`request.http_range`).

    `bytes=0-499` is `slice(0, 500, 1)`, `bytes=500-` is `slice(500, None, 1)`, `bytes=-500` is `slice(-500, None, 1)`;
    None, a request without the field, is the whole content, `slice(None, None, 1)`.

    Raises ValueError for anything else: several ranges, another unit, a start behind its end, the last 0 octets.
    """
    if value is None:
        return slice(None, None, 1)
    ranges = parse_byte_ranges(value, limit=1)
    if ranges is None:
        raise ValueError("Range: not one valid range of bytes")
    ((first, last),) = ranges
    if first is not None:
        return slice(first, None if last is None else last + 1, 1)
    if not last:
        raise ValueError("Range: the last 0 bytes are no range")
    return slice(-last, None, 1)


@lru_cache(maxsize=256)
def parse_accept(value: str) -> tuple[tuple[str, float], ...]:
    """Read Accept, Accept-Encoding, Accept-Language or Accept-Charset (RFC 9110 section 12.5).

    A member is its lower-cased range, a media range with its parameters as `text/html;level=1`, and its quality. Those
    with quality 0, "not acceptable", are kept; those with a malformed quality are left out. At most 64 are read; what
    was read last is remembered, for browsers repeat themselves.

    Returns:
        The members by falling quality; of equal ones the first sent is the first.
    """
    members: list[tuple[str, float]] = []
    position = 0
    for _ in range(_LIST_LIMIT):
        match = _ACCEPTED.match(value, position)
        if match is None:
            break
        parameters, position = scan_parameters(value, match.end())
        end = _MEMBER_END.match(value, position)
        if end is None:
            break
        position = end.end()
        quality = parameters.get("q", "1")
        if _QVALUE.fullmatch(quality):
            members.append((_accepted_range(match[1], parameters), min(float(quality), 1.0)))
    return tuple(sorted(members, key=lambda member: -member[1]))


def _accepted_range(name: str, parameters: Mapping[str, str]) -> str:
    # What stands behind the weight are the accept-ext of RFC 7231, which RFC 9110 section 12.5.1 took away.
    parts = [name.lower()]
    for key, text in parameters.items():
        if key == "q":
            break
        parts.append(f"{key}={text}")
    return ";".join(parts)


def _members(pattern: re.Pattern[str], value: str, start: int, limit: int) -> Iterator[re.Match[str]]:
    """The members of a list, as long as they are good."""
    for _ in range(limit):
        match = pattern.match(value, start)
        if match is None:
            return
        yield match
        start = match.end()
