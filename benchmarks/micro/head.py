"""What parsing the head of a request costs: aioweb next to h11, aiohttp's two parsers and httptools, where installed.

The input is what a browser sends: a GET cut to 1, 8 and 16 fields, and a POST with 12 from a page's script (of
Content-Length 0, so that the parsers that read the body, too, begin anew with the next head). Each parser does what its
server makes it do for every request: aiohttp builds its message with multidict and URL, httptools a list of lower-cased
pairs as uvicorn keeps it, h11 its Request event, aioweb a RequestHead.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable

from benchmarks.timing import best_us

_LINES = """\
Host: 127.0.0.1:8080
Connection: keep-alive
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Accept-Language: en-US,en;q=0.5
Accept-Encoding: gzip, deflate, br, zstd
Referer: http://127.0.0.1:8080/messages?page=2
Cookie: session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light
Upgrade-Insecure-Requests: 1
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Sec-Fetch-User: ?1
Priority: u=0, i
Pragma: no-cache
Cache-Control: no-cache
""".splitlines()
_POSTED = """\
Origin: http://127.0.0.1:8080
Content-Type: application/json
X-Requested-With: XMLHttpRequest
Content-Length: 0
""".splitlines()

Call = Callable[[], object]


def browser_head(fields: int) -> bytes:
    """The head of a GET with the first `fields` of a browser's header fields, 1 to 16."""
    return _head("GET", _LINES[:fields])


def post_head() -> bytes:
    """The head of a POST with 12 fields, two of which say what the content is."""
    return _head("POST", _LINES[:8] + _POSTED)


def _head(method: str, fields: list[str]) -> bytes:
    return "\r\n".join([f"{method} /messages?page=2 HTTP/1.1", *fields, "", ""]).encode()


HEADS = {
    "1 field": browser_head(1),
    "8 fields": browser_head(8),
    "16 fields": browser_head(16),
    "POST, 12 fields": post_head(),
}


def aioweb_parser(tongue: str) -> Callable[..., tuple[object, int]]:
    """aioweb's parser: the reference in Python, or its twin in C."""
    if tongue == "C":
        return importlib.import_module("aioweb.protocol._head").parse_request_head
    return importlib.import_module("aioweb.protocol.head").parse_request_head_in_python


def aioweb_fresh(tongue: str) -> Callable[[bytes], Call]:
    """aioweb, a field section that was not seen before."""

    def prepare(head: bytes) -> Call:
        parse, buffer = aioweb_parser(tongue), bytearray(head)
        limits = importlib.import_module("aioweb.protocol.limits").Limits()
        assert parse(buffer, limits)[1] == len(head)
        return lambda: parse(buffer, limits)

    return prepare


def aioweb_after(tongue: str, previous_target: bytes) -> Callable[[bytes], Call]:
    """aioweb, after a request for that target with the same field section on the same connection."""

    def prepare(head: bytes) -> Call:
        parse, buffer = aioweb_parser(tongue), bytearray(head)
        limits = importlib.import_module("aioweb.protocol.limits").Limits()
        previous, _ = parse(bytearray(head.replace(b"/messages?page=2", previous_target, 1)), limits)
        return lambda: parse(buffer, limits, previous)

    return prepare


def httptools_pairs(head: bytes) -> Call:
    """httptools with all the callbacks of uvicorn, one parser for the connection."""
    httptools = importlib.import_module("httptools")

    class Collector:
        def on_message_begin(self) -> None:
            self.url = b""
            self.headers: list[tuple[bytes, bytes]] = []

        def on_url(self, url: bytes) -> None:
            self.url += url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers.append((name.lower(), value))

        def on_headers_complete(self) -> None:
            self.method = parser.get_method()
            self.version = parser.get_http_version()
            self.parsed = httptools.parse_url(self.url)

    parser = httptools.HttpRequestParser(Collector())
    return lambda: parser.feed_data(head)


def aiohttp_c(head: bytes) -> Call:
    """aiohttp's parser in C (llhttp), one parser for the connection."""
    return _aiohttp(importlib.import_module("aiohttp._http_parser").HttpRequestParser, head)


def aiohttp_python(head: bytes) -> Call:
    """aiohttp's parser in Python, one parser for the connection."""
    return _aiohttp(importlib.import_module("aiohttp.http_parser").HttpRequestParserPy, head)


def _aiohttp(parser_class: Callable[..., object], head: bytes) -> Call:
    protocol = importlib.import_module("aiohttp.base_protocol").BaseProtocol
    loop = asyncio.new_event_loop()
    parser = parser_class(protocol(loop), loop, 2**16)
    feed = parser.feed_data  # type: ignore[attr-defined]
    assert len(feed(head)[0]) == 1
    return lambda: feed(head)


def h11_event(head: bytes) -> Call:
    """h11 up to its Request event; its Connection is made anew, for it waits for a response otherwise."""
    h11 = importlib.import_module("h11")

    def parse() -> object:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(head)
        return connection.next_event()

    assert isinstance(parse(), h11.Request)
    return parse


PARSERS: dict[str, Callable[[bytes], Call]] = {
    **{
        f"aioweb in {tongue}{what}": prepare
        for tongue in ("C", "Python")
        for what, prepare in (
            (", same head as before", aioweb_after(tongue, b"/messages?page=2")),
            (", same fields as before", aioweb_after(tongue, b"/")),
            ("", aioweb_fresh(tongue)),
        )
    },
    "httptools, pairs": httptools_pairs,
    "aiohttp C": aiohttp_c,
    "aiohttp Python": aiohttp_python,
    "h11": h11_event,
}


def main() -> None:
    """Print the table; a parser that is not installed has a row that says so."""
    sizes = ", ".join(str(len(head)) for head in HEADS.values())
    print(f"Parsing a head, us (minimum of repeats), Python {sys.version.split()[0]}; {sizes} bytes\n")
    print("| parser | " + " | ".join(HEADS) + " |")
    print("| --- |" + " ---: |" * len(HEADS))
    for name, prepare in PARSERS.items():
        try:
            cells = [f"{best_us(prepare(head)):.2f}" for head in HEADS.values()]
        except ImportError as exc:
            cells = [f"not installed: {exc}"] + [""] * (len(HEADS) - 1)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
