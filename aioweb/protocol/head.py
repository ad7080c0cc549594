"""From octets to a `RequestHead`: the reference parser.

Two ways lead through a head. The fast one accepts: one pattern for the request line, one for the whole field section,
one search for the few fields that decide something. The slow one explains: it walks line by line and raises the error
of the first octet that is wrong. It runs when the fast one did not accept, and on heads that arrive in pieces, so that
a broken request is answered as soon as it can be known, and with the same error however its octets were cut.

A section that repeats the one before on its connection (browsers and API clients do), or a whole head that does
(pollers and health checks do), is recognised by its octets.

`parse_request_head` is a pure function. Where it was built, _head.c takes its place: it accepts plain heads, and hands
all others back to `parse_request_head_in_python`. `LineScan` holds what the slow way must remember between two calls,
so that the work per octet is constant.
"""

from __future__ import annotations

import attrs

from aioweb.protocol.errors import (
    BadField,
    BadFraming,
    BadRequestLine,
    FieldsTooLarge,
    UnknownTransferCoding,
    UriTooLong,
    VersionNotSupported,
)
from aioweb.protocol.events import FieldSection, HttpVersion, HttpVersion10, HttpVersion11, RequestHead
from aioweb.protocol.grammar import (
    ABSOLUTE_FORM,
    AUTHORITY_FORM,
    BAD_OCTET,
    CONTENT_LENGTH,
    DECIDING_FIELD,
    FIELD_LINE,
    FIELD_SECTION,
    HOST,
    HTTP_VERSION,
    ORIGIN_FORM,
    REQUEST_LINE,
    TOKEN,
)
from aioweb.protocol.limits import Limits
from aioweb.protocol.twins import TWINS_WANTED

_NO_OPTIONS: frozenset[str] = frozenset()


def parse_request_head_in_python(
    buffer: bytes | bytearray, limits: Limits, previous: RequestHead | None = None
) -> tuple[RequestHead, int] | None:
    """Parse the head at the beginning of `buffer`, which is left as it is.

    `previous` is the head of the request before on the same connection, if there was one.

    Returns the head and the number of octets that it takes, or None if its end has not arrived.
    Raises ProtocolError if a complete line breaks a rule, or an incomplete one is too long already.
    """
    if previous is not None and previous.line and buffer.startswith(previous.line):
        section_start = len(previous.line)
        if buffer.startswith(previous.fields.raw, section_start):
            return previous, section_start + len(previous.fields.raw)
    match = REQUEST_LINE.match(buffer)
    if match is None:
        return _parse_line_by_line(buffer, limits)
    section_start = match.end()
    if section_start - 2 > limits.line:
        return _parse_line_by_line(buffer, limits)
    if previous is not None and buffer.startswith(previous.fields.raw, section_start):
        fields = previous.fields
    else:
        section = FIELD_SECTION.match(buffer, section_start)
        if section is None:
            return _parse_line_by_line(buffer, limits)
        raw = section.group()
        if len(raw) > limits.field or len(raw) > limits.head or raw.count(b"\r\n") > limits.fields:
            return _parse_line_by_line(buffer, limits)
        fields = _read_section(raw, DECIDING_FIELD.findall(buffer, section_start - 2, section.end()))
    method, target_octets, minor = match.groups()
    target = target_octets.decode()
    path, _, query = target.partition("?")
    version = HttpVersion10 if minor == b"0" else HttpVersion11
    head = _make_head(method.decode(), target, path, query, None, version, fields, match.group())
    return head, section_start + len(fields.raw)


parse_request_head = parse_request_head_in_python
"""What everybody calls: the twin if there is one, else `parse_request_head_in_python`."""
if TWINS_WANTED:
    try:
        from aioweb.protocol._head import parse_request_head  # noqa: F401  (it takes the name's place)
    except ImportError:  # not built
        pass


@attrs.define
class LineScan:
    """How far the lines of a head, or of a trailer section, have been looked at.

    Made by the connection when a head arrives in pieces; it lives until that head is complete.
    """

    line_start: int = 0
    """Where the first line begins that is not complete yet."""
    checked: int = 0
    """Octets before this one are known to be legal."""
    empty_lines: int = 0
    """Empty lines in front of the request line."""
    request_line: tuple[int, int] | None = None
    """Begin and end of the request line once it is complete."""
    section_start: int | None = None
    """Where the field section begins; None while the request line is awaited."""
    field_lines: int = 0
    """Complete field lines."""
    complete: bool = False
    """The empty line that ends the section was seen; `line_start` is behind it."""


def check_lines(buffer: bytes | bytearray, scan: LineScan, limits: Limits, section_limit: int) -> None:
    """Look at what arrived since the last call, line by line; `section_limit` bounds the whole field section.

    Raises the ProtocolError of the first octet that is wrong. In each line the order is: an illegal octet within the
    limit, then the limit, then the grammar once the line is complete. So the error does not depend on the cuts.
    """
    while not scan.complete:
        start = scan.line_start
        end = buffer.find(b"\r\n", max(start, scan.checked))
        # A CR that came last may be the first half of the end of the line.
        stop = end if end >= 0 else len(buffer) - buffer.endswith(b"\r")
        if scan.section_start is None:
            limit = limits.line
        else:
            # What is left of the section, without the CRLF of this line and the empty line that ends them all.
            limit = min(limits.field, max(0, section_limit - 4 - (start - scan.section_start)))
        bad = BAD_OCTET.search(buffer, max(start, scan.checked), min(stop, start + limit))
        if bad is not None:
            raise _illegal_octet(buffer[bad.start()], scan)
        if stop - start > limit:
            raise _too_long(scan, limit)
        scan.checked = max(stop, scan.checked)
        if end < 0:
            return
        _finish_line(buffer, scan, start, end, limits)
        scan.line_start = end + 2


def _finish_line(buffer: bytes | bytearray, scan: LineScan, start: int, end: int, limits: Limits) -> None:
    if scan.section_start is not None:
        if start == end:
            scan.complete = True
            return
        scan.field_lines += 1
        if scan.field_lines > limits.fields:
            raise FieldsTooLarge(f"more than {limits.fields} field lines")
        if FIELD_LINE.fullmatch(buffer, start, end) is None:
            raise _explain_field_line(bytes(buffer[start:end]))
    elif start == end:
        scan.empty_lines += 1
        if scan.empty_lines > limits.empty_lines:
            raise BadRequestLine(f"more than {limits.empty_lines} empty lines before the request line")
    else:
        _parse_request_line(buffer[start:end])
        scan.request_line = (start, end)
        scan.section_start = end + 2


def _parse_line_by_line(buffer: bytes | bytearray, limits: Limits) -> tuple[RequestHead, int] | None:
    scan = LineScan()
    check_lines(buffer, scan, limits, limits.head)
    if not scan.complete or scan.request_line is None or scan.section_start is None:
        return None
    start, end = scan.request_line
    raw = bytes(buffer[scan.section_start : scan.line_start])
    fields = _read_section(raw, DECIDING_FIELD.findall(buffer, end, scan.line_start))
    head = _make_head(*_parse_request_line(buffer[start:end]), fields, bytes(buffer[start : end + 2]))
    # RFC 9110 section 9.3.6: CONNECT has no content. Some read what follows as the tunnel's, some as the content's.
    if head.has_body and head.method == "CONNECT":
        raise BadFraming("CONNECT with content")
    return head, scan.line_start


def _parse_request_line(line: bytes | bytearray) -> tuple[str, str, str, str, str | None, HttpVersion]:
    """method, target, path, query, authority and version of a request line in any legal form."""
    try:
        method, target, version_text = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadRequestLine("the request line is not ASCII") from None
    except ValueError:
        raise BadRequestLine("the request line is not three words with single spaces between them") from None
    if TOKEN.fullmatch(method) is None:
        raise BadRequestLine("the method is not a token")
    version = HTTP_VERSION.fullmatch(version_text)
    if version is None:
        raise BadRequestLine("the third word of the request line is no HTTP version")
    if version[1] != "1":
        raise VersionNotSupported(f"HTTP/{version[1]}.{version[2]} is not spoken here, HTTP/1.1 is")
    path, query, authority = _read_target(method, target)
    return method, target, path, query, authority, HttpVersion10 if version[2] == "0" else HttpVersion11


def _read_target(method: str, target: str) -> tuple[str, str, str | None]:
    """Path, query and authority of a target: RFC 9112 section 3.2."""
    # 3.2.3: authority-form is for CONNECT, and CONNECT takes no other.
    if method == "CONNECT":
        if AUTHORITY_FORM.fullmatch(target) is None:
            raise BadRequestLine("the target of CONNECT is not host:port")
        return target, "", target
    # 3.2.1
    origin = ORIGIN_FORM.fullmatch(target)
    if origin is not None:
        return origin[1], origin[2] or "", None
    # 3.2.4: asterisk-form is for OPTIONS only.
    if target == "*" and method == "OPTIONS":
        return target, "", None
    # 3.2.2: a server MUST accept absolute-form, and then ignore Host in favour of the target's authority.
    absolute = ABSOLUTE_FORM.fullmatch(target)
    if absolute is None or not absolute[1] or HOST.fullmatch(absolute[1]) is None:
        raise BadRequestLine("the request target has none of the forms of RFC 9112 section 3.2")
    return absolute[2] or "/", absolute[3] or "", absolute[1]


def _read_section(raw: bytes, deciding: list[tuple[bytes, bytes]]) -> FieldSection:
    """The facts of a valid section; those that depend on the request line are left to `_make_head`."""
    host: str | None = None
    length: str | None = None
    coding: str | None = None
    expect: str | None = None
    options = _NO_OPTIONS
    for name_octets, value_octets in deciding:
        name = name_octets.lower()
        # obs-text can be no part of any of these values: latin-1 keeps it recognisable and never fails.
        value = value_octets.strip(b" \t").decode("latin-1")
        if name == b"host":
            if host is not None:
                raise BadField("more than one Host")
            if HOST.fullmatch(value) is None:
                raise BadField("Host is not host[:port]")
            host = value
        elif name == b"connection":
            options |= {option.strip(" \t").lower() for option in value.split(",")}
        elif name == b"content-length":
            if length is not None:
                raise BadFraming("more than one Content-Length")
            if CONTENT_LENGTH.fullmatch(value) is None:
                raise BadFraming("Content-Length is not one number of at most 18 digits")
            length = value
        elif name == b"transfer-encoding":
            if coding is not None:
                raise BadFraming("more than one Transfer-Encoding")
            coding = value
        else:
            expect = value.lower() if expect is None else f"{expect}, {value.lower()}"
    if coding is not None:
        _check_transfer_coding(coding, length)
    return FieldSection(raw, host, int(length) if length is not None else None, coding is not None, options, expect)


def _check_transfer_coding(coding: str, length: str | None) -> None:
    """RFC 9112 section 6.1. Only `chunked` alone is understood; what proxies read in two ways is refused."""
    if length is not None:
        raise BadFraming("Transfer-Encoding beside Content-Length")
    codings = [item.strip(" \t").lower() for item in coding.split(",")]
    if codings == ["chunked"]:
        return
    names = [item.partition(";")[0].rstrip(" \t") for item in codings]
    if not all(map(TOKEN.fullmatch, names)):
        raise BadFraming("Transfer-Encoding is not a list of codings")
    if "chunked" in names[:-1] or (names[-1] == "chunked" and codings[-1] != "chunked"):
        # Not final, applied twice, or with parameters: the end of such a message cannot be known.
        raise BadFraming("chunked is not the one and final transfer coding")
    raise UnknownTransferCoding("the only transfer coding is chunked")


def _make_head(
    method: str,
    target: str,
    path: str,
    query: str,
    authority: str | None,
    version: HttpVersion,
    fields: FieldSection,
    line: bytes,
) -> RequestHead:
    options = fields.options
    if version is HttpVersion11:
        # RFC 9112 section 3.2: a request without Host, or with an absolute target and without Host, is a 400.
        if fields.host is None:
            raise BadField("no Host")
        keep_alive = "close" not in options
    else:
        # RFC 9112 section 6.1: HTTP/1.0 knows no transfer coding; somebody on the way would read it differently.
        if fields.chunked:
            raise BadFraming("Transfer-Encoding in an HTTP/1.0 request")
        keep_alive = "keep-alive" in options and "close" not in options
    if authority is None:
        authority = fields.host
    has_body = fields.chunked or bool(fields.content_length)
    # tuple.__new__ is what a NamedTuple's own constructor calls, one frame later.
    return tuple.__new__(
        RequestHead, (method, target, path, query, authority, version, fields, has_body, keep_alive, line)
    )


def _illegal_octet(octet: int, scan: LineScan) -> BadRequestLine | BadField:
    if scan.section_start is None:
        return BadRequestLine(f"octet 0x{octet:02x} in the request line")
    return BadField(f"octet 0x{octet:02x} in field line {scan.field_lines + 1}")


def _too_long(scan: LineScan, limit: int) -> UriTooLong | FieldsTooLarge:
    if scan.section_start is None:
        return UriTooLong(f"the request line is longer than {limit} bytes")
    return FieldsTooLarge(f"field line {scan.field_lines + 1} is longer than the {limit} bytes that are left for it")


def _explain_field_line(line: bytes) -> BadField:
    """Why FIELD_LINE refused a line that holds no illegal octet. Nothing of its value is shown: it may be a secret."""
    if line[:1] in b" \t":
        return BadField("a line that begins with white space (obsolete line folding)")
    name, colon, _ = line.partition(b":")
    if not colon:
        return BadField("a field line without a colon")
    if name.endswith((b" ", b"\t")):
        return BadField("white space before the colon of a field line")
    return BadField("a field name that is not a token")
