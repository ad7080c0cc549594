"""Hostile content, at the level of framing: octets, what is sent behind them without end, and the answers.

Data only. What is wrong with single octets of chunked content stands in hostile.py, what is wrong inside of the content
beside its own format. Here is content that is too much, too long, too small in its pieces, uninvited, unread, or framed
so that another reader might see a second request in it.

The application that these are sent to collects content at /read, passes it through at /stream, answers without it at
/ignore, and refuses it by an expect handler at /refuse. Its limits are those of `LIMITS`.
"""

from __future__ import annotations

import attrs

from aioweb.protocol.limits import Limits

LIMITS = Limits(client_max_size=16384, body_timeout=5.0, lingering_time=5.0)

ENDLESS = 1 << 26
"""Octets of a flood that nobody must have to take: 64 MiB."""

CLOSING = b"GET /closing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@attrs.frozen
class HostileBody:
    """Hostile content, and what a client hears that sends it."""

    name: str
    octets: bytes
    answers: tuple[int, ...]
    """The statuses of all responses until the server closes."""
    source: str
    """The advisory, or the section of an RFC."""
    flood: bytes = b""
    """Sent behind `octets`, again and again, until the server closes."""

    def __str__(self) -> str:
        return f"{self.source}: {self.name}"


def _post(path: str, *lines: str, method: str = "POST") -> bytes:
    fields = "".join(f"{line}\r\n" for line in lines)
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


def _chunked(path: str, *lines: str, method: str = "POST") -> bytes:
    return _post(path, "Transfer-Encoding: chunked", *lines, method=method)


def _length(path: str, length: int, *lines: str, method: str = "POST") -> bytes:
    return _post(path, f"Content-Length: {length}", *lines, method=method)


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


_READ = _chunked("/read")
_STREAM = _chunked("/stream")
_CONTINUE = "Expect: 100-continue"
_BLOCK = b"x" * 65536

_MIXED = b"1\r\na\r\n10\r\n0123456789abcdef\r\n" * 500

_CHUNKS = (
    HostileBody("a size that does not end", _STREAM, (413,), "CVE-2024-22019", b"1" * 4096),
    HostileBody("an extension that does not end", _STREAM + b"1;a=", (413,), "CVE-2024-22019", b"b" * 4096),
    HostileBody("a quoted extension that does not end", _STREAM + b'1;a="', (413,), "CVE-2024-22019", b"\\b" * 2048),
    HostileBody("an extension on each chunk", _STREAM, (413,), "CVE-2023-39326", (b"1;%b\r\na\r\n" % (b"e" * 99)) * 40),
    HostileBody("white space for extensions", _STREAM, (400,), "RFC 9112 section 7.1.1", b"1 \t \r\na\r\n" * 400),
    HostileBody("chunks of one octet", _READ, (413,), "CVE-2025-69229", b"1\r\na\r\n" * 2000),
    HostileBody("chunks of one octet with zeros before", _READ, (413,), "CVE-2025-69229", b"0000001\r\na\r\n" * 1000),
    HostileBody(
        "chunks of one and of sixteen octets",
        _READ,
        (413,),
        "CVE-2025-69229",
        _MIXED,
    ),
    HostileBody("chunks of line ends", _READ, (413,), "CVE-2025-69229", b"2\r\n\r\n\r\n" * 2000),
    HostileBody("a chunk of 16 EiB", _READ + b"FFFFFFFFFFFFFFFF\r\n", (413,), "CVE-2013-2028", _BLOCK),
    HostileBody("a chunk of more than 16 digits", _READ + b"1" + b"0" * 16 + b"\r\n", (400,), "CVE-2013-2028", _BLOCK),
    HostileBody("a chunk that runs on", _READ + b"5\r\nhello", (400,), "CVE-2025-43859", _BLOCK),
    HostileBody("a second request for the CRLF of a chunk", _READ + b"5\r\nhello" + SMUGGLED, (400,), "CVE-2025-43859"),
    HostileBody(
        "a request behind content that is broken", _READ + b"x\r\n\r\n" + SMUGGLED * 2, (400,), "CVE-2024-49768"
    ),
)

_TRAILERS = (
    HostileBody("trailers that do not end", _READ + b"0\r\n", (431,), "CVE-2026-22815", b"X-T: y\r\n" * 512),
    HostileBody("a trailer that does not end", _READ + b"0\r\nX-T: ", (431,), "CVE-2026-22815", b"y" * 4096),
    HostileBody("129 trailers", _READ + b"0\r\n" + b"X: y\r\n" * 129 + b"\r\n" + CLOSING, (431,), "CVE-2026-22815"),
    HostileBody("a request in a trailer", _READ + b"0\r\n" + SMUGGLED + b"\r\n", (400,), "CVE-2025-53643"),
    HostileBody(
        "trailers about framing",
        _READ + b"0\r\nContent-Length: 99\r\nHost: b\r\n\r\n" + CLOSING,
        (200, 200),
        "CVE-2025-58068",
    ),
    HostileBody(
        "trailers that nobody reads", _chunked("/ignore") + b"0\r\nX: y\r\n\r\n" + CLOSING, (200, 200), "CVE-2025-58068"
    ),
)

_LENGTHS = (
    HostileBody("18 digits of length", _length("/read", 10**18 - 1), (413,), "RFC 9110 section 8.6", _BLOCK),
    HostileBody("19 digits of length", _length("/stream", 10**18), (400,), "RFC 9110 section 8.6", _BLOCK),
    HostileBody("one octet too many", _length("/read", 16385) + b"x" * 16385 + CLOSING, (413, 200), "CVE-2026-34517"),
    HostileBody("more than announced", _length("/read", 3) + b"hello\r\n\r\n", (200, 400), "RFC 9112 section 6.3"),
    HostileBody("content that is a request", _length("/read", len(SMUGGLED)) + SMUGGLED + CLOSING, (200, 200), "CL.0"),
    HostileBody("requests without end", _length("/read", 1) + b"x", (200, 400), "RFC 9112 section 2.2", b"\0" * 65536),
)

_UNREAD = (
    HostileBody(
        "a request nobody reads", _length("/ignore", len(SMUGGLED)) + SMUGGLED + CLOSING, (200, 200), "CVE-2023-41419"
    ),
    HostileBody(
        "a chunked request nobody reads",
        _chunked("/ignore") + _chunk(SMUGGLED) + b"0\r\n\r\n" + CLOSING,
        (200, 200),
        "CVE-2023-41419",
    ),
    HostileBody("a gigabyte nobody reads", _length("/ignore", 1 << 30), (200,), "CVE-2023-41419", _BLOCK),
    HostileBody("chunks without end nobody reads", _chunked("/ignore"), (200,), "CVE-2023-41419", _chunk(_BLOCK)),
    HostileBody(
        "tiny chunks without end nobody reads", _chunked("/ignore"), (200,), "CVE-2025-69229", b"1\r\na\r\n" * 2000
    ),
    HostileBody(
        "extensions without end nobody reads", _chunked("/ignore") + b"1;", (200,), "CVE-2023-39326", b"e" * 4096
    ),
    HostileBody("broken chunks nobody reads", _chunked("/ignore") + b"x\r\n" + SMUGGLED, (200,), "CVE-2024-49768"),
    *(
        HostileBody(
            f"content of {method}",
            _length("/ignore", len(SMUGGLED), method=method) + SMUGGLED + CLOSING,
            (200, 200),
            "CL.0",
        )
        for method in ("GET", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
    ),
    HostileBody(
        "content behind a GET without a length",
        _post("/ignore", method="GET") + b"hello\r\n\r\n",
        (200, 400),
        "RFC 9112 section 6.3",
    ),
)

_LONG = _length("/read", 1 << 30, _CONTINUE)

_EXPECTATIONS = (
    HostileBody("a flood that was refused", _chunked("/refuse", _CONTINUE), (403,), "CVE-2024-24791", _chunk(_BLOCK)),
    HostileBody("a flood that is too long", _LONG, (413,), "CVE-2024-24791", _BLOCK),
    HostileBody("requests for content", _LONG.replace(b"/read", b"/refuse"), (403,), "CVE-2024-24791", SMUGGLED),
    HostileBody("the same to another one", _LONG.replace(b"100-", b"moon-"), (417,), "CVE-2024-24791", SMUGGLED),
    HostileBody("a hundred expectations", _post("/read", *[_CONTINUE] * 99) + CLOSING, (417, 200), "RFC 9110 10.1.1"),
    HostileBody("an expectation that does not fit", _post("/read", "Expect: " + "a" * 8200), (431,), "RFC 9110 5.4"),
    HostileBody("invitations for nothing", _post("/ignore", _CONTINUE) * 50 + CLOSING, (200,) * 51, "CVE-2024-24791"),
)

HOSTILE_BODIES = (*_CHUNKS, *_TRAILERS, *_LENGTHS, *_UNREAD, *_EXPECTATIONS)
