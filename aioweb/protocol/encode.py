"""What goes out: heads, chunks and interim responses as octets. The one function that writes a field refuses what
would split a response (CVE-2018-1000164, CVE-2026-34514, CVE-2026-34519, CVE-2026-50269).

Some are written for every request, or for every piece of a stream: a whole response, its fields, and a chunk. Where it
was built, _encode.c takes the place of these: it writes the plain ones, and hands all others back to those here.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from aioweb.protocol.body import FORBIDDEN_TRAILERS
from aioweb.protocol.events import RequestHead
from aioweb.protocol.framing import BodyKind, Framing, frame_response
from aioweb.protocol.grammar import BAD_IN_VALUE, TOKEN
from aioweb.protocol.twins import TWINS_WANTED

REASONS: dict[int, str] = {status.value: status.phrase for status in HTTPStatus} | {
    # Where the standard library's older names differ from RFC 9110, the RFC's hold on every Python.
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""The reason phrases of the registry, by status."""

_STATUS_LINES = {
    (status, reason): f"HTTP/1.1 {status} {reason}\r\n".encode()
    for status, reason in REASONS.items()
    if status >= 200 or status == 101
}

_LENGTH = BodyKind.LENGTH

LAST_CHUNK = b"0\r\n\r\n"
"""The end of chunked content without trailers."""


def check_reason(reason: str) -> str:
    """Return `reason`; raise ValueError if it holds CR, LF, NUL or another control (RFC 9112 section 4).

    A surrogate that stands for no octet (PEP 383) is refused too: it could not be written.
    """
    if BAD_IN_VALUE.search(reason) is not None:
        raise ValueError(f"reason: a control character or a lone surrogate in {_show(reason)}")
    return reason


def encode_fields_in_python(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The field lines of names and values, in their order, each ended by CRLF.

    Values are written as UTF-8, surrogates as the octets that they stand for (PEP 383).
    Raises ValueError, naming the field, for a name that is no token, and for a value with a control other than HTAB or
    with a surrogate that stands for no octet; TypeError for what is no str.
    """
    fields = list(pairs)
    if not fields:
        return b""
    names, values = zip(*fields, strict=True)
    try:
        # What is forbidden are characters, so all names are looked at as one, and all values.
        are_good = TOKEN.fullmatch("".join(names)) is not None and BAD_IN_VALUE.search("".join(values)) is None
        are_good = are_good and all(map(str.__len__, names))
    except TypeError:
        are_good = False
    if not are_good:
        for name, value in fields:
            _check_field(name, value)
    # Joined, as they were checked: a format would ask a subclass of str, which may say something else.
    lines = [*map(": ".join, zip(names, values, strict=True)), ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _check_field(name: object, value: object) -> None:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"field {name}: name and value must be str, not {type(name).__name__} and {value!r:.80}")
    if TOKEN.fullmatch(name) is None:
        raise ValueError(f"field name {_show(name)} is not a token (RFC 9110 section 5.1)")
    if BAD_IN_VALUE.search(value) is not None:
        raise ValueError(f"field {name}: a control character or a lone surrogate in {_show(value)}")


def encode_response_head(status: int, reason: str, fields: bytes, framing: Framing, length: int | None) -> bytes:
    """The head of a response: status line, `fields` as `encode_fields` made them, and the fields of its framing.

    The version is always 1.1, the highest that we speak (RFC 9110 section 2.5). Raises ValueError for a reason that
    `check_reason` refuses, and for a status that no final response has: the client would wait for another one.
    """
    line = _STATUS_LINES.get((status, reason))
    if line is None:
        if not 200 <= status <= 999 and status != 101:
            raise ValueError(f"the status of a final response is 101 or from 200 to 999, not {status}")
        line = f"HTTP/1.1 {status:d} {check_reason(reason)}\r\n".encode("utf-8", "surrogateescape")
    if framing.announces_length:
        return b"%b%bContent-Length: %d\r\n%b\r\n" % (line, fields, length or 0, framing.fields)
    return b"%b%b%b\r\n" % (line, fields, framing.fields)


def encode_response_in_python(
    head: RequestHead, status: int, reason: str, fields: bytes, content: bytes, keep_alive: bool
) -> tuple[bytes, Framing]:
    """A whole response to the request of that head, and how it is framed.

    Content that may not be sent (HEAD, 204, 304 ...) is left out. `keep_alive`: our side lets the connection persist;
    whether the client does stands in `head`. The other arguments and what is raised are those of
    `encode_response_head`.
    """
    persists = keep_alive and head.keep_alive
    framing = frame_response(head.method, head.version, status, len(content), persists)
    octets = encode_response_head(status, reason, fields, framing, len(content))
    return (octets + content if framing.kind is _LENGTH else octets), framing


def encode_informational(status: int, fields: bytes = b"") -> bytes:
    """An interim response (RFC 9110 section 15.2); 101 is none, it is final for HTTP."""
    if not 100 <= status < 200 or status == 101:
        raise ValueError(f"an interim response has a status of 1xx other than 101, not {status}")
    return f"HTTP/1.1 {status:d} {REASONS.get(status, '')}\r\n".encode() + fields + b"\r\n"


def encode_chunk_in_python(data: bytes | bytearray | memoryview) -> bytes:
    """`data` as one chunk (RFC 9112 section 7.1); nothing if it is empty, for an empty chunk would be the last."""
    if type(data) is not bytes:
        data = bytes(data)  # a view with gaps cannot go into a format, and its length counts items, not octets
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


encode_response = encode_response_in_python
"""What everybody calls: the twin if there is one, else `encode_response_in_python`."""
encode_fields = encode_fields_in_python
"""What everybody calls: the twin if there is one, else `encode_fields_in_python`."""
encode_chunk = encode_chunk_in_python
"""What everybody calls: the twin if there is one, else `encode_chunk_in_python`."""
if TWINS_WANTED:
    try:
        # They take the names' places.
        from aioweb.protocol._encode import encode_chunk, encode_fields, encode_response  # noqa: F401
    except ImportError:  # not built
        pass


def encode_last_chunk(trailers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The end of chunked content, with its trailer section.

    Raises ValueError like `encode_fields`, and for a field that must not be a trailer (RFC 9110 section 6.5.1).
    """
    pairs = list(trailers)
    lines = encode_fields(pairs)
    for name, _ in pairs:
        if str.lower(name).encode() in FORBIDDEN_TRAILERS:
            raise ValueError(f"field {name} must not be a trailer (RFC 9110 section 6.5.1): send it in the head")
    return b"0\r\n%b\r\n" % lines


def _show(text: str) -> str:
    return repr(text if len(text) <= 64 else f"{text[:61]}...")
