"""Where the search begins: the golden octets of tests/data, cut nowhere and somewhere, and the words of requests."""

from __future__ import annotations

from collections.abc import Iterator

from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from fuzz.targets import BOUNDARIES, CHUNKED
from tests.data.fuzzed import FUZZED
from tests.data.hostile import HOSTILE
from tests.data.hostile_multipart import HOSTILE_MULTIPART
from tests.data.unusual import UNUSUAL
from tests.data.websocket_violations import VIOLATIONS
from tests.protocol.strategies import WORDS
from tests.protocol.websocket.exchange import binary, close, frame, more, ping, text

LONGEST = 2000
"""Octets of a seed; what needs more than that is no matter of luck."""
CHOICES = (b"\0\xff\xff\xff", b"\3\7\25\60")
BROWSER = b"""\
GET /messages?page=2 HTTP/1.1
Host: 127.0.0.1:8080
Connection: keep-alive, Upgrade
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Cookie: session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light
Content-Length: 5
Expect: 100-continue

hello""".replace(b"\n", b"\r\n")
FIELDS = (
    b'attachment; filename="a\\"b.txt"; filename*=UTF-8\'\'%e2%82%ac%20rates',
    b'form-data; name="a"; filename="b.txt"',
    b'text/html; charset=utf-8; boundary="a b\'c"',
    b"application/vnd.api+json;a=b;a*=c",
    b'a=b; c="d\\054e"; $Version=1; f=%20',
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b'W/"a", "b,c", *',
    b"bytes=0-4,-5,9-,1000-2000",
    b"gzip;q=0.5, br;q=1.0, *;q=0",
    b'for=192.0.2.1;proto=https;by="[2001:db8::1]:80", for=_hidden; host="a:1"',
    b"999999999999999999",
)


def seeds(target: str) -> list[bytes]:
    """Inputs for that target: choices, if it has any, then octets."""
    found = [octets for octets in _octets(target) if len(octets) <= LONGEST]
    choices = (b"",) if target in ("response", "frame", "fields", "handshake", "proxy") else CHOICES
    return [*FUZZED.get(target, []), *(choice + octets for choice in choices for octets in found)]


def words(target: str) -> list[bytes]:
    """What is worth inserting as a whole."""
    if target in ("head", "http", "chunked"):
        return WORDS
    if target == "multipart":
        return [b"\r\n--", *(f"\r\n--{boundary}\r\n".encode() for boundary in BOUNDARIES), b"Content-Disposition: "]
    return []


def _octets(target: str) -> Iterator[bytes]:
    if target in ("head", "http"):
        yield from (case.octets for case in (*UNUSUAL, *HOSTILE))
        yield from (BROWSER, BROWSER * 2)
    elif target == "chunked":
        for case in (*UNUSUAL, *HOSTILE):
            _, marked, content = case.octets.partition(b"chunked\r\n\r\n")
            if marked:
                yield content
        yield b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n" + CHUNKED
    elif target == "response":
        for choice, status in enumerate((200, 101, 204, 205, 404, 304, 599, 999), 8):
            for reason in (b"", b"OK\tfine", "Gruß".encode(), b"\xff", b"a\nb"):
                yield bytes([choice]) + status.to_bytes(2, "big") + reason + b"|hello" * (status != 404)
    elif target == "frame":
        yield from (b"\x81" + text.encode() for text in ("", "a" * 125, "Gruß " * 60, "€" * 70, "a" * 70 + "é", "😀"))
        yield from (b"\xc2" + bytes(size) for size in (0, 125, 126, 1990))
        yield b"\x83" + bytes(9)
    elif target in ("websocket", "mask"):
        yield from (octets for octets, _ in VIOLATIONS.values())
        yield text("héllo") + text("a", False) + ping("b") + more("é") + more("c", True) + binary(b"\0") + close()
        yield b"".join(frame(first, b"abc", key=bytes(4)) for first in (0x81, 0x02, 0x89, 0x80, 0x8A, 0x88))
    elif target == "deflate":
        client = WebSocketConnection(deflate=PerMessageDeflate(), client=True)
        yield client.send_text("hello " * 40) + client.send_binary(bytes(300)) + client.send_close()
        yield frame(0xC1, b"\xf2\x48\xcd\xc9\xc9\x07\x00", key=bytes(4)) + frame(0x81, b"plain", key=bytes(4))
    elif target == "multipart":
        for case in HOSTILE_MULTIPART:
            yield case.octets.replace(case.boundary.encode(), b"x")
    elif target == "fields":
        yield from FIELDS
    elif target == "handshake":
        key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        yield from (key, key + b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15, x")
        yield key + b"\r\nSec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://a"
    elif target == "proxy":
        yield b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"
        yield b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\nGET"
        address = bytes(12) + b"\x20\0\x05\x01\0\0\0\0\x04\0\1a"
        yield b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + len(address).to_bytes(2, "big") + address
