"""The workloads: what is asked, octet by octet, what the right answer is, and how many connections ask.

Every request but that of `minimal` has the head that a browser sends, so that no workload is cheaper than its use. A
new workload is a line of `WORKLOADS` and a path that the servers serve (`servers/content.py`); what a peer cannot serve
stands in `peers`.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable

from benchmarks.macro.servers import content

DEFAULT = "plaintext"
FORM_FILE_SIZE = 100 * 2**10
UPLOAD_SIZE = 10 * 2**20
PIPELINED = 16
_HOST = "Host: 127.0.0.1:8080"
_FIELDS = """\
Host: 127.0.0.1:8080
Connection: keep-alive
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Accept-Language: en-US,en;q=0.5
Accept-Encoding: gzip, deflate, br, zstd
Referer: http://127.0.0.1:8080/messages?page=2
Cookie: session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light
""".splitlines()
_MORE_FIELDS = """\
Upgrade-Insecure-Requests: 1
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Sec-Fetch-User: ?1
Priority: u=0, i
Pragma: no-cache
Cache-Control: no-cache
""".splitlines()


@dataclasses.dataclass(frozen=True)
class Workload:
    """One kind of request that is sent again and again."""

    name: str
    title: str
    connections: int
    """How many ask at once: many where the request is small, few where its content fills the pipes alone."""
    request: bytes
    """All its octets."""
    is_right: Callable[[bytes], bool]
    """Whether a body is the right answer, as it was before any transfer coding."""
    pipelined: int = 1
    """Requests that one write holds; the next write comes when all of them are answered."""
    persistent: bool = True
    """Whether connections stay; if not, each request has one of its own, and says so."""
    tls: bool = False
    windows: int = 1
    """A window lasts so many times as long as others: the load opens its connections within it."""


def get(path: str, fields: list[str] = _FIELDS) -> bytes:
    """A browser's GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", *fields, "", ""]).encode()


def post(path: str, content_type: str, body: bytes) -> bytes:
    """A browser's POST."""
    fields = [*_FIELDS, f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", *fields, "", ""]).encode() + body


def _message() -> dict[str, object]:
    """What is 1 KiB of JSON once it is written."""
    message: dict[str, object] = {
        "id": 4711,
        "author": {"name": "Ada", "mail": "ada@example.org", "admin": False},
        "tags": ["first", "second", "third"],
        "votes": [1, 2.5, None, True],
        "text": "",
    }
    return {**message, "text": "x" * (1024 - len(json.dumps(message)))}


def form_body(boundary: str, file: bytes) -> bytes:
    """A multipart form as a browser sends it: the fields `title` and `text`, and `file` as `picture`."""
    parts = [
        ('name="title"', b"A picture"),
        ('name="text"', b"How the town looked\r\nbefore the flood."),
        ('name="picture"; filename="town.jpg"\r\nContent-Type: image/jpeg', file),
    ]
    pieces = [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data for head, data in parts]
    return b"\r\n".join([*pieces, f"--{boundary}--\r\n".encode()])


def _form() -> bytes:
    boundary = "---------------------------9051914041544843365972754266"
    body = form_body(boundary, random.Random(1).randbytes(FORM_FILE_SIZE))
    return post("/form", f"multipart/form-data; boundary={boundary}", body)


def _equals(expected: bytes) -> Callable[[bytes], bool]:
    return lambda body: body == expected


def _echoes(message: object) -> Callable[[bytes], bool]:
    def check(body: bytes) -> bool:
        try:
            return bool(json.loads(body) == message)
        except ValueError:
            return False

    return check


def _all() -> list[Workload]:
    message = _message()
    text = _equals(content.TEXT.encode())
    closing = [field.replace("keep-alive", "close") for field in _FIELDS]
    return [
        Workload("plaintext", "GET, 13 bytes of text", 64, get("/"), text),
        Workload("minimal", "plaintext with the one field that must be there", 64, get("/", [_HOST]), text),
        Workload("browser", "plaintext with the 16 fields of a browser", 64, get("/", _FIELDS + _MORE_FIELDS), text),
        Workload(
            "item",
            "GET, a part of the path and two of the query",
            64,
            get("/items/4711/reviews?page=2&order=newest"),
            _equals(b"4711 2 newest"),
        ),
        Workload(
            "routes",
            f"GET, a part of the path, the last but ten of {content.MANY_ROUTES:,} routes",
            64,
            get(f"/r{content.MANY_ROUTES - 10}/4711"),
            _equals(b"4711"),
        ),
        Workload("layers", "GET, 13 bytes of text through three middlewares", 64, get("/layers/"), text),
        Workload("pipelined", f"plaintext, {PIPELINED} requests in one write", 64, get("/"), text, pipelined=PIPELINED),
        Workload("closing", "plaintext, each on its own connection", 64, get("/", closing), text, persistent=False),
        Workload("tls", "plaintext over TLS", 64, get("/"), text, tls=True),
        Workload("c512", "plaintext, many connections", 512, get("/"), text, windows=2),
        Workload("c2000", "plaintext, very many connections", 2000, get("/"), text, windows=3),
        Workload(
            "json",
            "POST, 1 KiB of JSON, read and sent back",
            64,
            post("/json", "application/json", json.dumps(message).encode()),
            _echoes(message),
        ),
        Workload(
            "form",
            "POST, a multipart form with a file of 100 KiB",
            8,
            _form(),
            _equals(b"%d" % FORM_FILE_SIZE),
        ),
        Workload(
            "upload",
            "POST, 10 MiB, read piece by piece",
            4,
            post("/upload", "application/octet-stream", bytes(UPLOAD_SIZE)),
            _equals(b"%d" % UPLOAD_SIZE),
        ),
        Workload("file", "GET, a file of 1 MiB", 8, get("/file"), _equals(content.file_content())),
        Workload(
            "stream",
            "GET, 100 chunks of 1 KiB, sent one by one",
            64,
            get("/stream"),
            _equals(content.CHUNK * content.CHUNKS),
        ),
    ]


WORKLOADS = {workload.name: workload for workload in _all()}
