"""Hostile requests: octets that a server refuses, with the status and the advisory or the section of the RFC.

Data only: the tests of the ground deliver it to the parser, those in functional/ send it through sockets. Each case
is refused without the end of its connection, so a test need not close anything to see the answer.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Hostile:
    """One hostile request."""

    name: str
    """What is wrong with it, for the id of a test."""
    octets: bytes
    status: int
    source: str
    """The advisory, or the section of an RFC that is broken."""
    in_content: bool = False
    """The head is good: the application may see the request, and reading its content fails."""

    def __str__(self) -> str:
        return f"{self.source}: {self.name}"


def _line(octets: bytes) -> bytes:
    """A request with this request line."""
    return octets + b"\r\nHost: a\r\n\r\n"


def _fields(octets: bytes) -> bytes:
    """A POST with these field lines beside Host, and content that another reader might see behind them."""
    return b"POST /p HTTP/1.1\r\nHost: a\r\n" + octets + b"\r\n\r\n0\r\n\r\n"


def _field(octets: bytes) -> bytes:
    """A GET with this field line between two others."""
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + octets + b"\r\nX-After: b\r\n\r\n"


def _host(octets: bytes) -> bytes:
    """A GET with this value of Host."""
    return b"GET / HTTP/1.1\r\nHost: " + octets + b"\r\n\r\n"


def _chunks(octets: bytes) -> bytes:
    """A POST with this content in the chunked coding."""
    return b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + octets


_REQUEST_LINES = (
    Hostile("HTTP/0.9 without a version", b"GET /\r\n\r\n", 400, "RFC 9112 section 3"),
    Hostile("two spaces behind the method", _line(b"GET  / HTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("two spaces behind the target", _line(b"GET /  HTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("a space behind the version", _line(b"GET / HTTP/1.1 "), 400, "CVE-2024-23829"),
    Hostile("a space before the method", _line(b" GET / HTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("HTAB for a space", _line(b"GET\t/\tHTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("a no-break space for a space", _line("GET\xa0/ HTTP/1.1".encode()), 400, "GHSA-753j-mpmx-qq6g"),
    Hostile("four words", _line(b"GET / x HTTP/1.1"), 400, "RFC 9112 section 3"),
    Hostile("a method with a separator", _line(b"GE(T / HTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("a method with a colon", _line(b"GET: / HTTP/1.1"), 400, "CVE-2024-23829"),
    Hostile("a method that is not ASCII", _line("GÉT / HTTP/1.1".encode()), 400, "RFC 9110 section 9.1"),
    Hostile("an empty method", _line(b" / HTTP/1.1"), 400, "CVE-2022-24801"),
    Hostile("a lower-case protocol", _line(b"GET / http/1.1"), 400, "CVE-2024-23829"),
    Hostile("a sign in the version", _line(b"GET / HTTP/1.+1"), 400, "CVE-2024-23829"),
    Hostile("an underscore in the version", _line(b"GET / HTTP/1_1"), 400, "CVE-2023-47627"),
    Hostile("a second digit in the version", _line(b"GET / HTTP/1.10"), 400, "CVE-2024-23829"),
    Hostile("a version without a minor", _line(b"GET / HTTP/1"), 400, "RFC 9112 section 2.3"),
    Hostile("an Arabic digit in the version", _line("GET / HTTP/1.١".encode()), 400, "CVE-2025-69224"),
    Hostile("another protocol", _line(b"GET / ICE/1.1"), 400, "RFC 9112 section 2.3"),
    Hostile("HTTP/2.0", _line(b"GET / HTTP/2.0"), 505, "RFC 9110 section 15.6.6"),
    Hostile("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "RFC 9113 section 3.4"),
    Hostile("HTTP/0.9 by name", _line(b"GET / HTTP/0.9"), 505, "RFC 9110 section 15.6.6"),
    Hostile("HTTP/9.9", _line(b"GET / HTTP/9.9"), 505, "RFC 9110 section 15.6.6"),
    Hostile("a target without a slash", _line(b"GET index.html HTTP/1.1"), 400, "RFC 9112 section 3.2"),
    Hostile("a fragment", _line(b"GET /a#b HTTP/1.1"), 400, "CVE-2018-12123"),
    Hostile("a fragment in the query", _line(b"GET /a?b#c HTTP/1.1"), 400, "CVE-2018-12123"),
    Hostile("a target that is not ASCII", _line("GET /é HTTP/1.1".encode()), 400, "RFC 3986 section 2"),
    Hostile("DEL in a target", _line(b"GET /\x7f HTTP/1.1"), 400, "CVE-2026-34520"),
    Hostile("NUL in a target", _line(b"GET /\x00 HTTP/1.1"), 400, "CVE-2026-34520"),
    Hostile("ESC in a target", _line(b"GET /\x1b[31m HTTP/1.1"), 400, "CVE-2020-7694"),
    Hostile("quotes in a target", _line(b'GET /"a" HTTP/1.1'), 400, "RFC 3986 section 2"),
    Hostile("asterisk-form of GET", _line(b"GET * HTTP/1.1"), 400, "RFC 9112 section 3.2.4"),
    Hostile("authority-form of GET", _line(b"GET a:80 HTTP/1.1"), 400, "RFC 9112 section 3.2.3"),
    Hostile("origin-form of CONNECT", _line(b"CONNECT /a HTTP/1.1"), 400, "RFC 9112 section 3.2.3"),
    Hostile("absolute-form of CONNECT", _line(b"CONNECT http://a:80/ HTTP/1.1"), 400, "RFC 9112 section 3.2.3"),
    Hostile("CONNECT without a port", _line(b"CONNECT a HTTP/1.1"), 400, "RFC 9112 section 3.2.3"),
    Hostile("CONNECT without a host", _line(b"CONNECT :80 HTTP/1.1"), 400, "RFC 9112 section 3.2.3"),
    Hostile("userinfo in the target", _line(b"GET http://u:p@a/ HTTP/1.1"), 400, "CVE-2018-12123"),
    Hostile("a backslash in the authority", _line(b"GET http://a\\@b/ HTTP/1.1"), 400, "CVE-2018-12123"),
    Hostile("a target without an authority", _line(b"GET http:/// HTTP/1.1"), 400, "RFC 9110 section 4.2.1"),
    Hostile("an authority without a host", _line(b"GET http://:80/ HTTP/1.1"), 400, "RFC 9110 section 4.2.1"),
    Hostile("another scheme", _line(b"GET ftp://a/ HTTP/1.1"), 400, "RFC 9112 section 3.2.2"),
    Hostile("bare LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "CVE-2019-16785"),
    Hostile("bare CR behind the request line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "CVE-2023-30589"),
    Hostile("two CR behind the request line", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "CVE-2025-23167"),
    Hostile("an empty line of LF alone", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "CVE-2019-16785"),
    Hostile("a blank line before the request", b" \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 section 2.2"),
    Hostile("five empty lines before the request", b"\r\n" * 5, 400, "RFC 9112 section 2.2"),
    Hostile("the ClientHello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "RFC 9112 section 3"),
    Hostile("a request line of 8,191 bytes", _line(b"GET /%b HTTP/1.1" % (b"a" * 8177)), 414, "CVE-2018-12121"),
    Hostile("a request line without an end", b"G" * 8191, 414, "CVE-2018-12122"),
)

_FIELD_LINES = (
    Hostile("a space before the colon", _field(b"X-A : b"), 400, "CVE-2019-16276"),
    Hostile("HTAB before the colon", _field(b"X-A\t: b"), 400, "CVE-2019-16276"),
    Hostile("a space before the colon of a length", _fields(b"Content-Length : 5"), 400, "CVE-2019-16789"),
    Hostile("a space before the colon of a coding", _fields(b"Transfer-Encoding : chunked"), 400, "CVE-2019-16786"),
    Hostile("a folded value", _field(b"X-A: b\r\n c"), 400, "RFC 9112 section 5.2"),
    Hostile("a folded value with HTAB", _field(b"X-A: b\r\n\tc"), 400, "RFC 9112 section 5.2"),
    Hostile("a folded coding", _fields(b"Transfer-Encoding:\r\n chunked"), 400, "CVE-2022-32215"),
    Hostile("a first field that is folded", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "RFC 9112 section 2.2"),
    Hostile("white space alone on a line", _field(b" "), 400, "CVE-2024-27982"),
    Hostile("a space before a name", _field(b" Content-Length: 5"), 400, "CVE-2024-27982"),
    Hostile("no colon", _field(b"X-A"), 400, "RFC 9112 section 5"),
    Hostile("an empty name", _field(b": b"), 400, "CVE-2022-24801"),
    Hostile("a name with a space", _field(b"X A: b"), 400, "CVE-2021-22959"),
    Hostile("a name with a bracket", _field(b"X[A]: b"), 400, "CVE-2023-47627"),
    Hostile("a name that is not ASCII", _field("X-É: b".encode()), 400, "RFC 9110 section 5.1"),
    Hostile("a name behind VT", _field(b"\x0bContent-Length: 5"), 400, "CVE-2019-15606"),
    Hostile("NUL in a name", _field(b"X\x00A: b"), 400, "CVE-2026-34520"),
    Hostile("NUL in a value", _field(b"X-A: \x00b"), 400, "CVE-2023-37276"),
    Hostile("bare CR in a value", _field(b"X-A: b\rContent-Length: 5"), 400, "CVE-2023-37276"),
    Hostile("bare LF in a value", _field(b"X-A: b\nContent-Length: 5"), 400, "CVE-2023-37276"),
    Hostile("a field that LF ends", _field(b"X-A: b\nX-B: c"), 400, "CVE-2022-35256"),
    Hostile("LF CR for CR LF", _field(b"X-A: b\n\rX-B: c"), 400, "CVE-2022-32214"),
    Hostile("VT in a value", _field(b"X-A: b\x0bc"), 400, "CVE-2019-15606"),
    Hostile("ESC in a value", _field(b"X-A: \x1b[31m"), 400, "CVE-2026-34520"),
    Hostile("DEL in a value", _field(b"X-A: b\x7f"), 400, "CVE-2026-34520"),
    Hostile("CR LF CR and an octet ends no head", b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 400, "CVE-2025-23167"),
    Hostile("LF LF ends no head", b"GET / HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1", 400, "CVE-2022-32214"),
    Hostile("CR CR ends no head", b"GET / HTTP/1.1\r\nHost: a\r\rGET /b HTTP/1.1", 400, "CVE-2023-30589"),
    Hostile("a field of 8,191 bytes", _field(b"X:" + b"a" * 8189), 431, "CVE-2018-12121"),
    Hostile("a field without an end", b"GET / HTTP/1.1\r\nX:" + b"a" * 8189, 431, "CVE-2026-54277"),
    Hostile("129 fields", _field(b"X: a\r\n" * 126 + b"X: a"), 431, "CVE-2023-24534"),
    Hostile(
        "a head of more than 32 KiB",
        _field((b"X:" + b"a" * 8000 + b"\r\n") * 4 + b"Y:" + b"b" * 800),
        431,
        "CVE-2018-12121",
    ),
)

_HOSTS = (
    Hostile("no Host", b"GET / HTTP/1.1\r\n\r\n", 400, "RFC 9112 section 3.2"),
    Hostile("no Host beside an absolute target", b"GET http://a/ HTTP/1.1\r\n\r\n", 400, "RFC 9112 section 3.2"),
    Hostile("no Host in HTTP/1.2", b"GET / HTTP/1.2\r\n\r\n", 400, "RFC 9112 section 3.2"),
    Hostile("two Hosts", _field(b"Host: b"), 400, "CVE-2026-34525"),
    Hostile("the same Host twice", _field(b"host: a"), 400, "CVE-2026-34525"),
    Hostile("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "CVE-2026-34525"),
    Hostile("a Host with a space", _host(b"a b"), 400, "RFC 9112 section 3.2"),
    Hostile("a Host that is a list", _host(b"a, b"), 400, "CVE-2026-34525"),
    Hostile("a Host with userinfo", _host(b"u@a"), 400, "CVE-2018-12123"),
    Hostile("a Host with a path", _host(b"a/b"), 400, "CVE-2018-12123"),
    Hostile("a Host with a scheme", _host(b"http://a"), 400, "CVE-2018-12123"),
    Hostile("a Host with a bad port", _host(b"a:8x"), 400, "RFC 9110 section 7.2"),
    Hostile("a Host with two ports", _host(b"a:80:80"), 400, "RFC 9110 section 7.2"),
    Hostile("a Host with a port beyond 65,535", _host(b"a:65536"), 400, "RFC 9110 section 7.2"),
    Hostile("a Host of a port alone", _host(b":80"), 400, "RFC 9110 section 4.2.1"),
    Hostile("a Host that is not ASCII", _host("é".encode()), 400, "RFC 3986 section 3.2.2"),
    Hostile("a Host with a broken escape", _host(b"a%2"), 400, "RFC 3986 section 2.1"),
    Hostile("a Host with an open bracket", _host(b"[::1"), 400, "RFC 3986 section 3.2.2"),
    Hostile("a Host with two gaps in its address", _host(b"[1::2::3]"), 400, "RFC 3986 section 3.2.2"),
    Hostile("a Host with a zone", _host(b"[fe80::1%25eth0]"), 400, "RFC 3986 section 3.2.2"),
)

_FRAMINGS = (
    Hostile("two lengths", _fields(b"Content-Length: 5\r\nContent-Length: 6"), 400, "CVE-2019-16792"),
    Hostile("the same length twice", _fields(b"Content-Length: 5\r\nContent-Length: 5"), 400, "CVE-2019-16792"),
    Hostile("a list of lengths", _fields(b"Content-Length: 5, 5"), 400, "RFC 9112 section 6.3"),
    Hostile("an empty length", _fields(b"Content-Length:"), 400, "RFC 9110 section 8.6"),
    Hostile("a length with a plus", _fields(b"Content-Length: +5"), 400, "CVE-2023-47627"),
    Hostile("a length with a minus", _fields(b"Content-Length: -5"), 400, "CVE-2022-24801"),
    Hostile("a length with an underscore", _fields(b"Content-Length: 1_0"), 400, "GHSA-qppv-j76h-2rpx"),
    Hostile("a length in hexadecimal", _fields(b"Content-Length: 0x5"), 400, "CVE-2022-24801"),
    Hostile("a length with a fraction", _fields(b"Content-Length: 5.0"), 400, "CVE-2023-47627"),
    Hostile("a length with a space inside", _fields(b"Content-Length: 1 0"), 400, "CVE-2019-15606"),
    Hostile("a length in Arabic digits", _fields("Content-Length: ٥".encode()), 400, "CVE-2025-69224"),
    Hostile("a length behind a no-break space", _fields("Content-Length: \xa05".encode()), 400, "GHSA-753j-mpmx-qq6g"),
    Hostile("a length behind NEL", _fields(b"Content-Length: \x855"), 400, "GHSA-753j-mpmx-qq6g"),
    Hostile("a length of 19 digits", _fields(b"Content-Length: " + b"9" * 19), 400, "h11 0.15"),
    Hostile("a length of 5,000 digits", _fields(b"Content-Length: " + b"9" * 5000), 400, "h11 0.15"),
    Hostile(
        "length beside chunked", _fields(b"Content-Length: 5\r\nTransfer-Encoding: chunked"), 400, "CVE-2023-47641"
    ),
    Hostile("chunked beside length", _fields(b"Transfer-Encoding: chunked\r\nContent-Length: 0"), 400, "waitress 475"),
    Hostile(
        "an unknown coding beside length", _fields(b"Transfer-Encoding: x\r\nContent-Length: 5"), 400, "CVE-2023-47641"
    ),
    Hostile(
        "chunked in two fields",
        _fields(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        400,
        "waitress 465",
    ),
    Hostile(
        "two codings in two fields",
        _fields(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        400,
        "CVE-2020-8287",
    ),
    Hostile("chunked twice", _fields(b"Transfer-Encoding: chunked, chunked"), 400, "CVE-2024-1135"),
    Hostile("chunked before another coding", _fields(b"Transfer-Encoding: chunked, gzip"), 400, "CVE-2024-6827"),
    Hostile("chunked with a parameter", _fields(b"Transfer-Encoding: chunked;q=1"), 400, "CVE-2022-32213"),
    Hostile("chunked in quotes", _fields(b'Transfer-Encoding: "chunked"'), 400, "CVE-2022-32213"),
    Hostile("chunked behind an empty item", _fields(b"Transfer-Encoding: , chunked"), 400, "CVE-2022-32213"),
    Hostile("chunked before an empty item", _fields(b"Transfer-Encoding: chunked,"), 400, "CVE-2022-32213"),
    Hostile("chunked behind VT", _fields(b"Transfer-Encoding: \x0bchunked"), 400, "CVE-2019-16786"),
    Hostile(
        "chunked behind a no-break space",
        _fields("Transfer-Encoding: \xa0chunked".encode()),
        400,
        "GHSA-753j-mpmx-qq6g",
    ),
    Hostile("chunked and a control", _fields(b"Transfer-Encoding: chunked\x00"), 400, "CVE-2019-15605"),
    Hostile("an empty coding", _fields(b"Transfer-Encoding:"), 400, "CVE-2022-1705"),
    Hostile("chunked and a word", _fields(b"Transfer-Encoding: chunked x"), 400, "CVE-2022-1705"),
    Hostile("an unknown coding", _fields(b"Transfer-Encoding: xchunked"), 501, "RFC 9112 section 6.1"),
    Hostile("a coding that begins like chunked", _fields(b"Transfer-Encoding: chunkedx"), 501, "RFC 9112 section 6.1"),
    Hostile("identity", _fields(b"Transfer-Encoding: identity"), 501, "GHSA-753j-mpmx-qq6g"),
    Hostile("gzip before chunked", _fields(b"Transfer-Encoding: gzip, chunked"), 501, "RFC 9112 section 6.1"),
    Hostile(
        "chunked in HTTP/1.0",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "RFC 9112 section 6.1",
    ),
    Hostile(
        "a tunnel with content",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
        400,
        "RFC 9110 section 9.3.6",
    ),
)

_CHUNKS = (
    Hostile("a size with a sign", _chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("a size with a minus", _chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("a size with a prefix", _chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24801", True),
    Hostile("a size with an underscore", _chunks(b"1_0\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2023-47627", True),
    Hostile("an empty size", _chunks(b"\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("an extension without a size", _chunks(b";a=b\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("a space before a size", _chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("a space behind a size", _chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("a size of 17 digits", _chunks(b"00000000000000005\r\nhello\r\n"), 400, "CVE-2013-2028", True),
    Hostile("a size that is no number", _chunks(b"hello\r\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("an Arabic digit", _chunks("٥\r\nhello\r\n".encode()), 400, "CVE-2025-69224", True),
    Hostile("a size that LF ends", _chunks(b"5\nhello\r\n0\r\n\r\n"), 400, "CVE-2025-22871", True),
    Hostile("a size that CR ends", _chunks(b"5\rhello\r\n0\r\n\r\n"), 400, "GHSA-pjjw-qhg8-p2p9", True),
    Hostile("a size that CR CR LF ends", _chunks(b"5\r\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2025-23167", True),
    Hostile("LF in an extension", _chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2024-52304", True),
    Hostile("CR in an extension", _chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2021-22960", True),
    Hostile("LF in a quoted extension", _chunks(b'5;a="\n"\r\nhello\r\n0\r\n\r\n'), 400, "CVE-2024-52304", True),
    Hostile("NUL in an extension", _chunks(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2026-34520", True),
    Hostile("an extension without a name", _chunks(b"5;\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2021-22960", True),
    Hostile("an extension with an open quote", _chunks(b'5;a="b\r\nhello\r\n0\r\n\r\n'), 400, "CVE-2021-22960", True),
    Hostile("an extension without a semicolon", _chunks(b"5 a=b\r\nhello\r\n0\r\n\r\n"), 400, "CVE-2021-22960", True),
    Hostile("a chunk line without an end", _chunks(b"5;a=" + b"b" * 4093), 413, "CVE-2024-22019", True),
    Hostile("many extensions", _chunks((b"1;%b\r\na\r\n" % (b"b" * 4000)) * 5), 413, "CVE-2023-39326", True),
    Hostile("data without CRLF behind", _chunks(b"5\r\nhelloXX0\r\n\r\n"), 400, "CVE-2025-43859", True),
    Hostile("data longer than its size", _chunks(b"5\r\nhello!\r\n0\r\n\r\n"), 400, "CVE-2025-43859", True),
    Hostile("data with LF behind", _chunks(b"5\r\nhello\n0\r\n\r\n"), 400, "CVE-2022-24761", True),
    Hostile("data with CR behind", _chunks(b"5\r\nhello\r0\r\n\r\n"), 400, "GHSA-pjjw-qhg8-p2p9", True),
    Hostile("data with LF CR behind", _chunks(b"5\r\nhello\n\r0\r\n\r\n"), 400, "CVE-2025-43859", True),
    Hostile("a trailer without a colon", _chunks(b"0\r\nX-A\r\n\r\n"), 400, "CVE-2025-53643", True),
    Hostile("a trailer with a space before the colon", _chunks(b"0\r\nX-A : b\r\n\r\n"), 400, "CVE-2025-53643", True),
    Hostile("a request in the place of trailers", _chunks(b"0\r\nGET / HTTP/1.1\r\n\r\n"), 400, "CVE-2025-58068", True),
    Hostile("a folded trailer", _chunks(b"0\r\nX-A: b\r\n c\r\n\r\n"), 400, "CVE-2025-53643", True),
    Hostile("bare LF in a trailer", _chunks(b"0\r\nX-A: b\nX-B: c\r\n\r\n"), 400, "CVE-2025-53643", True),
    Hostile("LF for the end of trailers", _chunks(b"0\r\n\nGET / HTTP/1.1\r\n\r\n"), 400, "CVE-2025-53643", True),
    Hostile("a trailer without an end", _chunks(b"0\r\nX:" + b"a" * 8189), 431, "CVE-2026-22815", True),
    Hostile("129 trailers", _chunks(b"0\r\n" + b"X: a\r\n" * 129), 431, "CVE-2026-22815", True),
    Hostile(
        "trailers of more than 8,190 bytes",
        _chunks(b"0\r\n" + (b"X:%b\r\n" % (b"a" * 996)) * 9),
        431,
        "CVE-2026-22815",
        True,
    ),
)

HOSTILE: tuple[Hostile, ...] = (*_REQUEST_LINES, *_FIELD_LINES, *_HOSTS, *_FRAMINGS, *_CHUNKS)
"""All of them; names are unique."""
