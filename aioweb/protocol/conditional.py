"""Is the content sent, and which part of it? Preconditions and ranges (RFC 9110 sections 13 and 14), as pure functions.

    evaluate_preconditions     the fields of a request and the validators of what it asks for -> a Verdict
    select_ranges              the Range field and a size -> the ranges to send; none is 416
    frame_byteranges           several of them as the parts of multipart/byteranges, whose size is known before

Nothing here raises for what a client sent. Its ranges are bounded in number, and those that overlap or touch are sent
as one, so no request makes a response that is larger than the content and a few heads of parts (CVE-2025-62727).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs
from multidict import MultiMapping

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.fields import ETAG_ANY, ETag, parse_byte_ranges, parse_etags, parse_http_date


class Verdict(Enum):
    """What becomes of a request for something that is there."""

    WHOLE = "send all of the content"
    RANGES = "send what the Range field asks for"
    NOT_MODIFIED = "304: the client has it already"
    FAILED = "412: it is not what the client takes it for"


def evaluate_preconditions(
    method: str, headers: MultiMapping[str], etag: ETag | None, last_modified: int | None
) -> Verdict:
    """Evaluate If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range, in the order of RFC 9110
    section 13.2.2.

    Args:
        method: of the request.
        headers: its fields, by name in any case.
        etag: of the content as it is now; None if it has none.
        last_modified: when it changed last, in whole seconds since the epoch, as Last-Modified tells; None if unknown.
    """
    is_read = method in ("GET", "HEAD")
    # Steps 1 and 2.
    if "If-Match" in headers:
        if not _match(headers.getall("If-Match"), etag, strong=True):
            return Verdict.FAILED
    elif not _unchanged_since(headers, "If-Unmodified-Since", last_modified, unknown=True):
        return Verdict.FAILED
    # Steps 3 and 4.
    if "If-None-Match" in headers:
        if _match(headers.getall("If-None-Match"), etag, strong=False):
            return Verdict.NOT_MODIFIED if is_read else Verdict.FAILED
    elif is_read and _unchanged_since(headers, "If-Modified-Since", last_modified, unknown=False):
        return Verdict.NOT_MODIFIED
    # Step 5. Section 14.2: Range is defined for GET only. It is no list: two of them have no meaning.
    if method != "GET" or len(headers.getall("Range", ())) != 1:
        return Verdict.WHOLE
    return Verdict.RANGES if _is_same(headers.getall("If-Range", ()), etag, last_modified) else Verdict.WHOLE


def _match(values: Sequence[str], etag: ETag | None, *, strong: bool) -> bool:
    """One of the tags is the tag of the content: by the strong or the weak comparison of section 8.8.3.2."""
    if any(value.strip(" \t") == ETAG_ANY for value in values):
        return True  # there is some content, that is all that `*` asks
    if etag is None or (strong and etag.is_weak):
        return False
    tags = parse_etags(", ".join(values))
    return any(tag.value == etag.value and not (strong and tag.is_weak) for tag in tags)


def _unchanged_since(headers: MultiMapping[str], name: str, last_modified: int | None, *, unknown: bool) -> bool:
    """The content did not change after the date of this field; `unknown` if there is no such date, or no valid one."""
    values = headers.getall(name, ())
    # Sections 13.1.3 and 13.1.4: what is no date, or seems to be several, MUST be ignored.
    date = parse_http_date(values[0]) if len(values) == 1 else None
    if date is None or last_modified is None:
        return unknown
    return last_modified <= date.timestamp()


def _is_same(values: Sequence[str], etag: ETag | None, last_modified: int | None) -> bool:
    """If-Range (section 13.1.5): the client's part and the content of now belong together, or it does not ask."""
    if not values:
        return True
    if len(values) > 1:
        return False
    tags = parse_etags(values[0])
    if tags:
        return len(tags) == 1 and tags[0] == etag and not etag.is_weak and values[0].strip(" \t") != ETAG_ANY
    # Not "unchanged since": it must be the very date. That a date is a strong validator only if it was a second old
    # when the client got it is the client's to see to (sections 8.8.2.2 and 13.1.5).
    date = parse_http_date(values[0])
    return date is not None and last_modified is not None and date.timestamp() == last_modified


@attrs.frozen
class ByteRange:
    """A run of octets of some content."""

    offset: int
    """The first of them."""
    size: int
    """How many there are, one at least."""

    def format(self, complete: int) -> str:
        """The value of Content-Range (RFC 9110 section 14.4), of a content of `complete` octets."""
        return f"bytes {self.offset}-{self.offset + self.size - 1}/{complete}"


def format_unsatisfied(complete: int) -> str:
    """The value of Content-Range in a 416: nothing of the `complete` octets that there are was asked for."""
    return f"bytes */{complete}"


def select_ranges(value: str, size: int, *, limit: int = 16) -> tuple[ByteRange, ...] | None:
    """The ranges that a Range field asks for, of a content of `size` octets.

    Those that overlap or touch are one (section 15.3.7.2 lets a server do that); they stay in the order in which they
    were asked for, which is what readers of large documents need.

    Args:
        value: the field value.
        size: of the content, in octets.
        limit: a field of more ranges is ignored.

    Returns:
        None if the field is to be ignored: another unit, malformed, too many ranges, or there is no content at all, of
        which no Content-Range can tell. An empty tuple if none of the ranges can be had: 416.
    """
    asked = parse_byte_ranges(value, limit=limit)
    if asked is None or not size:
        return None
    spans = []
    for index, (first, last) in enumerate(asked):
        if first is None:
            start, stop = max(0, size - (last or 0)), size
        else:
            start, stop = first, size if last is None else min(last + 1, size)
        if start < stop:
            spans.append((start, stop, index))
    merged: list[tuple[int, int, int]] = []
    for start, stop, index in sorted(spans):
        if merged and start <= merged[-1][1]:
            before = merged.pop()
            start, stop, index = before[0], max(before[1], stop), min(before[2], index)
        merged.append((start, stop, index))
    merged.sort(key=lambda span: span[2])
    return tuple(ByteRange(start, stop - start) for start, stop, _ in merged)


@attrs.frozen
class Byteranges:
    """The framing of a multipart/byteranges message (RFC 9110 section 14.6): what stands around the ranges."""

    content_type: str
    """The value of its Content-Type."""
    heads: tuple[bytes, ...]
    """What goes before each range: delimiter and head of its part."""
    end: bytes
    """What goes behind the last one."""
    size: int
    """The octets of the whole content, ranges included."""


def frame_byteranges(ranges: Sequence[ByteRange], complete: int, content_type: str, boundary: str) -> Byteranges:
    """Frame several ranges of a content.

    Args:
        ranges: what is sent, in order.
        complete: the size of the whole content, in octets.
        content_type: of the content, for the head of each part.
        boundary: 1 to 70 letters and digits that the content does not hold: make them up anew each time.

    Raises ValueError for a control character in `content_type`.
    """
    delimiter = f"--{boundary}".encode("ascii")
    heads = []
    for index, part in enumerate(ranges):
        fields = encode_fields([("Content-Type", content_type), ("Content-Range", part.format(complete))])
        heads.append(b"%b%b\r\n%b\r\n" % (b"\r\n" if index else b"", delimiter, fields))
    end = b"\r\n%b--\r\n" % delimiter
    return Byteranges(
        content_type=f"multipart/byteranges; boundary={boundary}",
        heads=tuple(heads),
        end=end,
        size=sum(map(len, heads)) + sum(part.size for part in ranges) + len(end),
    )
