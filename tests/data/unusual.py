"""Unusual but legal requests: octets, and what the application must see of them.

Data only, like hostile.py. Methods, targets and values that browsers, old clients and proxies send in practice are
here beside what only the grammar allows.
"""

from __future__ import annotations

import attrs

_HOST_A = (("Host", "a"),)


@attrs.frozen
class Unusual:
    """One unusual request. The defaults are those of `GET / HTTP/1.1` with `Host: a`."""

    name: str
    """What is unusual, for the id of a test."""
    octets: bytes
    method: str = "GET"
    path: str = "/"
    """Still percent-encoded."""
    query: str = ""
    """Still percent-encoded."""
    headers: tuple[tuple[str, str], ...] = _HOST_A
    """All of them, in their order; octets that are no UTF-8 as surrogates (PEP 383)."""
    content: bytes = b""
    keep_alive: bool = True
    authority: str | None = "a"
    """Who is asked: of the target, else of Host."""
    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def __str__(self) -> str:
        return self.name


def _line(name: str, line: bytes, method: str = "GET", path: str = "/", query: str = "", host: str = "a") -> Unusual:
    """A request line, and what is read of it."""
    return Unusual(name, line + b"\r\nHost: a\r\n\r\n", method, path, query, authority=host)


def _fields(
    name: str, lines: bytes, *headers: tuple[str, str], content: bytes = b"", keep_alive: bool = True
) -> Unusual:
    """A GET with these field lines behind Host, and content behind them."""
    octets = b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n" + content
    return Unusual(name, octets, headers=(*_HOST_A, *headers), content=content, keep_alive=keep_alive)


def _host(name: str, host: str) -> Unusual:
    """A GET with this value of Host."""
    octets = b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"
    return Unusual(name, octets, headers=(("Host", host),), authority=host)


def _chunks(name: str, chunks: bytes, content: bytes = b"", *trailers: tuple[bytes, bytes]) -> Unusual:
    """A POST with these octets for its chunked content."""
    octets = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    headers = (*_HOST_A, ("Transfer-Encoding", "chunked"))
    return Unusual(name, octets, "POST", "/p", headers=headers, content=content, trailers=trailers)


def _http10(
    name: str, lines: bytes, *headers: tuple[str, str], content: bytes = b"", keep_alive: bool = False
) -> Unusual:
    """A GET of HTTP/1.0 with these field lines, each with its CRLF."""
    octets = b"GET / HTTP/1.0\r\n" + lines + b"\r\n" + content
    return Unusual(name, octets, headers=headers, content=content, keep_alive=keep_alive, authority=None)


_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
_TCHARS = "!#$%&'*+-.^_`|~09AZaz"
_LEFT = "/a|b{c}[d]^`\\"

_REQUEST_LINES = (
    Unusual("one empty line before it", b"\r\n" + _GET),
    Unusual("four empty lines before it", b"\r\n" * 4 + _GET),
    _line("every tchar in a method", f"{_TCHARS} / HTTP/1.1".encode(), _TCHARS),
    _line("a method in lower case is another method", b"get / HTTP/1.1", "get"),
    _line("a method of one letter", b"X / HTTP/1.1", "X"),
    _line("a method that begins like CONNECT", b"CONNECTX /a HTTP/1.1", "CONNECTX", "/a"),
    _line("a higher minor version", b"GET / HTTP/1.9"),
    _line("two slashes", b"GET //b/c HTTP/1.1", path="//b/c"),
    _line("dots and empty segments", b"GET /a/../b//./c/ HTTP/1.1", path="/a/../b//./c/"),
    _line("an absolute URI for a path", b"GET /http://b/c HTTP/1.1", path="/http://b/c"),
    _line("escapes are kept", b"GET /%2F%00%zz%C3%A9 HTTP/1.1", path="/%2F%00%zz%C3%A9"),
    _line("what browsers leave unescaped", f"GET {_LEFT}?{_LEFT} HTTP/1.1".encode(), path=_LEFT, query=_LEFT),
    _line("every other sign in a path", b"GET /-._~!$&'()*+,;=:@ HTTP/1.1", path="/-._~!$&'()*+,;=:@"),
    _line("an empty query", b"GET /? HTTP/1.1"),
    _line("question marks in the query", b"GET /?a?b=/c?&& HTTP/1.1", query="a?b=/c?&&"),
    _line("a request line of 8,190 bytes", b"GET /%b HTTP/1.1" % (b"a" * 8176), path="/" + "a" * 8176),
    _line("absolute-form", b"GET http://b/c?d HTTP/1.1", path="/c", query="d", host="b"),
    _line("absolute-form without a path", b"GET http://b HTTP/1.1", host="b"),
    _line("absolute-form of a query alone", b"GET http://b?c HTTP/1.1", query="c", host="b"),
    _line("absolute-form in capitals", b"GET HTTPS://B:443/ HTTP/1.1", host="B:443"),
    _line("absolute-form with IPv6", b"GET http://[::1]:80/ HTTP/1.1", host="[::1]:80"),
    _line("asterisk-form", b"OPTIONS * HTTP/1.1", "OPTIONS", "*"),
    _line("authority-form", b"CONNECT b:443 HTTP/1.1", "CONNECT", "b:443", host="b:443"),
    _line("authority-form with IPv6", b"CONNECT [::1]:443 HTTP/1.1", "CONNECT", "[::1]:443", host="[::1]:443"),
)

_FIELDS = (
    Unusual("no white space behind a colon", b"GET / HTTP/1.1\r\nHost:a\r\n\r\n"),
    Unusual("names in capitals", b"GET / HTTP/1.1\r\nHOST: a\r\n\r\n", headers=(("HOST", "a"),)),
    _fields("much white space around a value", b"X:  \t b \t ", ("X", "b")),
    _fields("white space inside a value", b"X: b \t c", ("X", "b \t c")),
    _fields("an empty value", b"X:\r\nY: \t ", ("X", ""), ("Y", "")),
    _fields("every tchar in a name", f"{_TCHARS}: b".encode(), (_TCHARS, "b")),
    _fields("colons in a value", b"X:: b:c", ("X", ": b:c")),
    _fields("UTF-8 in a value", "X: ключ".encode(), ("X", "ключ")),
    _fields("other octets in a value", b"X: \x80\xff", ("X", "\udc80\udcff")),
    _fields("NEL is no white space", b"X: \x85", ("X", "\udc85")),
    _fields("a name that is repeated", b"x: b\r\nX: c", ("x", "b"), ("X", "c")),
    _fields("an underscore is no hyphen (gunicorn 22)", b"Content_Length: 5", ("Content_Length", "5")),
    _fields("a name that ends like another", b"X-Host: b", ("X-Host", "b")),
    _fields("a field of 8,190 bytes", b"X:" + b"a" * 8188, ("X", "a" * 8188)),
    _fields("128 fields", b"\r\n".join([b"X: a"] * 127), *[("X", "a")] * 127),
    _host("an empty Host", ""),
    _host("a Host with IPv6", "[2001:db8::1.2.3.4]"),
    _host("a Host with an empty port", "a:"),
    _host("a Host with the last port", "a:65535"),
    _host("a Host with an underscore and a last dot", "a_b."),
    _host("a Host with an escape", "%C3%A9"),
)

_PERSISTENCE = (
    _fields("close", b"Connection: close", ("Connection", "close"), keep_alive=False),
    _fields("close in a list", b"Connection: x ,\tCLOSE", ("Connection", "x ,\tCLOSE"), keep_alive=False),
    _fields(
        "close in a second field",
        b"Connection: keep-alive\r\nConnection: close",
        ("Connection", "keep-alive"),
        ("Connection", "close"),
        keep_alive=False,
    ),
    _fields("options that contain close", b"Connection: x-close, closed", ("Connection", "x-close, closed")),
    _http10("HTTP/1.0 without Host", b""),
    _http10("HTTP/1.0 with keep-alive", b"Connection: Keep-Alive\r\n", ("Connection", "Keep-Alive"), keep_alive=True),
    _http10("HTTP/1.0 with both", b"Connection: close, keep-alive\r\n", ("Connection", "close, keep-alive")),
)

_CONTENTS = (
    _line("a POST without content", b"POST /p HTTP/1.1", "POST", "/p"),
    _fields("GET with content", b"Content-Length: 5", ("Content-Length", "5"), content=b"hello"),
    _fields("a length of nought", b"Content-Length: 0", ("Content-Length", "0")),
    _fields("noughts before a length", b"content-length: 0005", ("content-length", "0005"), content=b"hello"),
    _fields(
        "content like a request", b"Content-Length: 18", ("Content-Length", "18"), content=b"GET / HTTP/1.1\r\n\r\n"
    ),
    _http10("content in HTTP/1.0", b"Content-Length: 2\r\n", ("Content-Length", "2"), content=b"\r\n"),
    _chunks("chunks: none but the last", b"0\r\n\r\n"),
    _chunks("chunks: noughts before a size", b"0000000000000005\r\nhello\r\n00\r\n\r\n", b"hello"),
    _chunks("chunks: a size in capitals", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    _chunks("chunks: a size in small letters", b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    _chunks("chunks: one octet each", b"1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", b"hi"),
    _chunks("chunks: CRLF for content", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    _chunks("chunks: extensions", b'2;a;b=c;d="\\"\xe9,;\t"\r\nhi\r\n0;e\r\n\r\n', b"hi"),
    _chunks("chunks: spaced extensions", b"2 \t; a = b ;c\r\nhi\r\n0\r\n\r\n", b"hi"),
    _chunks("trailers", b"0\r\nX-A: b \r\nx-c:\xff\r\n\r\n", b"", (b"X-A", b"b"), (b"x-c", b"\xff")),
    _chunks("fields that are no trailers", b"0\r\nContent-Length: 5\r\nHOST: b\r\nX: y\r\n\r\n", b"", (b"X", b"y")),
    Unusual(
        "chunked in capitals",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \t CHUNKED \r\n\r\n0\r\n\r\n",
        headers=(*_HOST_A, ("Transfer-Encoding", "CHUNKED")),
    ),
)

UNUSUAL: tuple[Unusual, ...] = (*_REQUEST_LINES, *_FIELDS, *_PERSISTENCE, *_CONTENTS)
"""All of them; names are unique."""
