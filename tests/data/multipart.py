"""Multipart bodies as clients send them, octet by octet, and what they mean.

Data only. These bodies were caught on a socket from the real programs; those of programs that could not be run follow
their formats (the boundary, the order of the fields, the escapes, the padding) and stand in multipart_formats.py.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Meant:
    """One part as its sender meant it. None: the part has no such field or parameter."""

    name: str | None
    content: bytes
    filename: str | None = None
    content_type: str | None = None


@attrs.frozen
class Golden:
    """One multipart body."""

    client: str
    content_type: str
    body: bytes
    parts: tuple[Meant, ...]

    def __str__(self) -> str:
        return self.client


def octets(text: str) -> bytes:
    """Text as UTF-8; a surrogate stands for an octet that is none (PEP 383)."""
    return text.encode("utf-8", "surrogateescape")


_CHROMIUM = Golden(
    "Chromium 156",
    "multipart/form-data; boundary=----WebKitFormBoundaryXJZWlxmqwZZOfwGB",
    octets(
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="_charset_"\r\n\r\n'
        "UTF-8\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="a%22b%"\r\n\r\n'
        "1\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="text"\r\n\r\n'
        "one\r\n"
        "two\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="empty"; filename=""\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="files"; filename="плоский %22x%22.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
        "\x00\udcff\r\n\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="files"; filename="back\\slash%22.txt"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "a\r\n"
        "--b\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB\r\n"
        'Content-Disposition: form-data; name="files"; filename="line%0Aend\\"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "\r\n"
        "------WebKitFormBoundaryXJZWlxmqwZZOfwGB--\r\n"
    ),
    (
        Meant("_charset_", b"UTF-8"),
        Meant("title", "плоский".encode()),
        Meant('a"b%', b"1"),
        Meant("text", b"one\r\ntwo"),
        Meant("empty", b"", "", "application/octet-stream"),
        Meant("files", b"\x00\xff\r\n", 'плоский "x".png', "image/png"),
        # The file was called back\slash%22.txt; what stands before a backslash is taken for a path.
        Meant("files", b"a\r\n--b", 'slash".txt', "application/octet-stream"),
        Meant("files", b"", "line\nend", "text/plain"),
    ),
)
_CURL = Golden(
    "curl 7.88",
    "multipart/form-data; boundary=------------------------d4af522ef4bbc830",
    octets(
        "--------------------------d4af522ef4bbc830\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "--------------------------d4af522ef4bbc830\r\n"
        'Content-Disposition: form-data; name="a%22b"\r\n\r\n'
        "a\r\n"
        "--b\n\r\n"
        "--------------------------d4af522ef4bbc830\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский %22x%22.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "a\r\n"
        "--b\n\r\n"
        "--------------------------d4af522ef4bbc830\r\n"
        'Content-Disposition: form-data; name="g"; filename="C:\\x.bin"\r\n'
        "Content-Type: application/octet-stream\r\n"
        "X-A: b\r\n\r\n"
        "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\r\n"
        "--------------------------d4af522ef4bbc830--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant('a"b', b"a\r\n--b\n"),
        Meant("f", b"a\r\n--b\n", 'плоский "x".txt', "text/plain"),
        Meant("g", bytes(range(16)), "x.bin", "application/octet-stream"),
    ),
)
_CURL_ESCAPE = Golden(
    "curl 7.88 --form-escape; older ones always do",
    "multipart/form-data; boundary=------------------------0c8e45309411b095",
    octets(
        "--------------------------0c8e45309411b095\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский \\"x\\".txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "a\r\n"
        "--b\n\r\n"
        "--------------------------0c8e45309411b095--\r\n"
    ),
    (Meant("f", b"a\r\n--b\n", 'плоский "x".txt', "text/plain"),),
)
_HTTPX = Golden(
    "httpx 0.28",
    "multipart/form-data; boundary=5b5ff2b9b5f98d01e1624ba6bad5d35f",
    octets(
        "--5b5ff2b9b5f98d01e1624ba6bad5d35f\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "--5b5ff2b9b5f98d01e1624ba6bad5d35f\r\n"
        'Content-Disposition: form-data; name="a%22b%0D%0A"\r\n\r\n'
        "1\r\n"
        "--5b5ff2b9b5f98d01e1624ba6bad5d35f\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский %22x%22\\\\.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "\x00\udcff\r\n"
        "--5b5ff2b9b5f98d01e1624ba6bad5d35f--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant('a"b\r\n', b"1"),
        Meant("f", b"\x00\xff", ".txt", "text/plain"),
    ),
)
_REQUESTS = Golden(
    "requests 2.34",
    "multipart/form-data; boundary=d95b4c3099ffecd7fa197912f36d00c0",
    octets(
        "--d95b4c3099ffecd7fa197912f36d00c0\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "--d95b4c3099ffecd7fa197912f36d00c0\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский %22x%22.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "\x00\udcff\r\n"
        "--d95b4c3099ffecd7fa197912f36d00c0--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant("f", b"\x00\xff", 'плоский "x".txt', "text/plain"),
    ),
)
_AIOHTTP = Golden(
    "aiohttp 3.14",
    "multipart/form-data; boundary=b04bd7f4e08e4342926ddba89d2714ca",
    octets(
        "--b04bd7f4e08e4342926ddba89d2714ca\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "--b04bd7f4e08e4342926ddba89d2714ca\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        'Content-Disposition: form-data; name="a\\"b"\r\n\r\n'
        "1\r\n"
        "--b04bd7f4e08e4342926ddba89d2714ca\r\n"
        "Content-Type: image/png\r\n"
        'Content-Disposition: form-data; name="f"; '
        'filename="%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9%20%22x%22.txt"\r\n'
        "\r\n"
        "\x00\udcff\r\n"
        "--b04bd7f4e08e4342926ddba89d2714ca--\r\n"
    ),
    (
        Meant("title", "плоский".encode(), None, "text/plain; charset=utf-8"),
        Meant('a"b', b"1", None, "text/plain; charset=utf-8"),
        # It encodes all of a filename; only what browsers encode is decoded.
        Meant("f", b"\x00\xff", '%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9%20"x".txt', "image/png"),
    ),
)
_AIOHTTP_PLAIN = Golden(
    "aiohttp 3.14 with quote_fields=False",
    "multipart/form-data; boundary=6ddd0174781948d19610ff889a27fe13",
    octets(
        "--6ddd0174781948d19610ff889a27fe13\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "--6ddd0174781948d19610ff889a27fe13\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        'Content-Disposition: form-data; name="a\\"b"\r\n\r\n'
        "1\r\n"
        "--6ddd0174781948d19610ff889a27fe13\r\n"
        "Content-Type: image/png\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский \\"x\\".txt"\r\n\r\n'
        "\x00\udcff\r\n"
        "--6ddd0174781948d19610ff889a27fe13--\r\n"
    ),
    (
        Meant("title", "плоский".encode(), None, "text/plain; charset=utf-8"),
        Meant('a"b', b"1", None, "text/plain; charset=utf-8"),
        Meant("f", b"\x00\xff", 'плоский "x".txt', "image/png"),
    ),
)
_AIOHTTP_MIXED = Golden(
    "aiohttp 3.14, multipart/mixed",
    "multipart/mixed; boundary=7beb12ed4a7549939e13afabe74d308b",
    octets(
        "--7beb12ed4a7549939e13afabe74d308b\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 10\r\n\r\n"
        "текст\r\n"
        "--7beb12ed4a7549939e13afabe74d308b\r\n"
        "Content-Type: application/json\r\n"
        "Content-Length: 8\r\n\r\n"
        '{"a": 1}\r\n'
        "--7beb12ed4a7549939e13afabe74d308b\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 3\r\n\r\n"
        "x=1\r\n"
        "--7beb12ed4a7549939e13afabe74d308b\r\n"
        "Content-Type: multipart/mixed; boundary=2b169b72c3a444a8adefb1aad800d21a\r\n"
        "Content-Length: 139\r\n\r\n"
        "--2b169b72c3a444a8adefb1aad800d21a\r\n"
        "Content-Type: application/octet-stream\r\n"
        "Content-Length: 2\r\n\r\n"
        "in\r\n"
        "--2b169b72c3a444a8adefb1aad800d21a--\r\n\r\n"
        "--7beb12ed4a7549939e13afabe74d308b--\r\n"
    ),
    (
        Meant(None, "текст".encode(), None, "text/plain; charset=utf-8"),
        Meant(None, b'{"a": 1}', None, "application/json"),
        Meant(None, b"x=1", None, "application/x-www-form-urlencoded"),
        Meant(
            None,
            octets(
                "--2b169b72c3a444a8adefb1aad800d21a\r\n"
                "Content-Type: application/octet-stream\r\n"
                "Content-Length: 2\r\n\r\n"
                "in\r\n"
                "--2b169b72c3a444a8adefb1aad800d21a--\r\n"
            ),
            None,
            "multipart/mixed; boundary=2b169b72c3a444a8adefb1aad800d21a",
        ),
    ),
)
_CURL_NESTED = Golden(
    "curl 7.88, two files with one name",
    "multipart/form-data; boundary=------------------------fef142a21cb14cbf",
    octets(
        "--------------------------fef142a21cb14cbf\r\n"
        'Content-Disposition: form-data; name="pics"\r\n'
        "Content-Type: multipart/mixed; boundary=------------------------f0c3a02cc2ccde2f\r\n\r\n"
        "--------------------------f0c3a02cc2ccde2f\r\n"
        'Content-Disposition: attachment; filename="b.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\r\n"
        "--------------------------f0c3a02cc2ccde2f\r\n"
        'Content-Disposition: attachment; filename="b.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\r\n"
        "--------------------------f0c3a02cc2ccde2f--\r\n\r\n"
        "--------------------------fef142a21cb14cbf--\r\n"
    ),
    (
        Meant(
            "pics",
            octets(
                "--------------------------f0c3a02cc2ccde2f\r\n"
                'Content-Disposition: attachment; filename="b.bin"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
                "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\r\n"
                "--------------------------f0c3a02cc2ccde2f\r\n"
                'Content-Disposition: attachment; filename="b.bin"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
                "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\r\n"
                "--------------------------f0c3a02cc2ccde2f--\r\n"
            ),
            None,
            "multipart/mixed; boundary=------------------------f0c3a02cc2ccde2f",
        ),
    ),
)

RECORDED = (
    _CHROMIUM,
    _CURL,
    _CURL_ESCAPE,
    _HTTPX,
    _REQUESTS,
    _AIOHTTP,
    _AIOHTTP_PLAIN,
    _AIOHTTP_MIXED,
    _CURL_NESTED,
)
"""What real clients sent."""
