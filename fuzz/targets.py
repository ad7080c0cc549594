"""What has to hold, whatever octets arrive. Each target is a function of octets that fails, or does not.

The first octets of its input choose limits, options and cuts; the others are what arrives. Where there are twins, both
get the same, and have to tell the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aioweb.protocol.conditional import select_ranges
from aioweb.protocol.cookies import parse_cookie
from aioweb.protocol.dates import parse_http_date
from aioweb.protocol.disposition import read_disposition, safe_filename
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import FieldSection, HttpVersion10, HttpVersion11, RequestHead
from aioweb.protocol.fields import parse_accept, parse_byte_ranges, parse_content_length, parse_etags, parse_range
from aioweb.protocol.forwarded import forwarded_from_right, parse_address, parse_forwarded, parse_node
from aioweb.protocol.limits import Limits
from aioweb.protocol.mediatypes import parse_content_type, parse_mimetype, read_content_type
from aioweb.protocol.multipart import MultipartError, read_boundary
from aioweb.protocol.proxyprotocol import BadProxyHeader, parse_proxy_header
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.handshake import BadHandshake, read_handshake
from tests.protocol import multipart_wire
from tests.protocol.strategies import NARROW
from tests.protocol.tongues import CHUNK, FIELDS, FRAMES, HEAD, MASK, RESPONSE, speaking, story
from tests.protocol.websocket import exchange
from tests.protocol.wire import cut, deliver

LIMITS = (Limits(), NARROW)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
BOUNDARIES = ("x", "a:b", "----WebKitFormBoundaryXJZWlxmqwZZOfwGB")
CHOICES = 4
"""Octets of the input that choose; see `_choose`."""


def head(data: bytes) -> None:
    """Both parsers read the same of up to four heads in a row, or refuse with the same words; so does one that has
    seen no head before."""
    choice, _, octets = _choose(data)
    kind: Any = bytearray if choice & 2 else bytes
    limits, previous = LIMITS[choice & 1], None
    for _ in range(4):
        buffer = kind(octets)
        told = story(HEAD.reference, buffer, limits, previous)
        assert story(HEAD.spoken("C"), buffer, limits, previous) == told
        assert story(HEAD.spoken("C"), buffer, limits) == told
        assert buffer == octets
        if not isinstance(told, list):
            break
        previous, size = HEAD.reference(buffer, limits, previous)
        octets = octets[size:]


def response(data: bytes) -> None:
    """Both functions write the same response, the same fields and the same chunk, or refuse with the same words."""
    choice, status = data[0] if data else 0, int.from_bytes(data[1:3], "big") % 1024
    reason, _, content = data[3:].partition(b"|")
    method, version = ("GET", "HEAD", "CONNECT", "POST")[choice & 3], (HttpVersion10, HttpVersion11)[choice >> 2 & 1]
    head = RequestHead(method, "/", "/", "", None, version, FieldSection(b""), False, bool(choice & 8))
    for text in (reason.decode("latin-1"), reason.decode("utf-8", "surrogateescape"), "OK"):
        for code in (status, 200):
            for keep_alive in (True, False):
                arguments = (head, code, text, data, content, keep_alive)
                assert _written(RESPONSE.spoken("C"), *arguments) == _written(RESPONSE.reference, *arguments)
        words = text.split(":")
        pairs = [*zip(words[::2], words[1::2], strict=False), ("X-" + text[:9], text)]
        for fields in (pairs[:-1], tuple(pairs), [("Name", word) for word in words], words):
            assert _written(FIELDS.spoken("C"), fields) == _written(FIELDS.reference, fields)
    for view in (content, bytearray(content), memoryview(content)[::2]):
        assert CHUNK.spoken("C")(view) == CHUNK.reference(view)


def mask(data: bytes) -> None:
    """Both functions give the same, of bytes, of a bytearray and of a slice, and masking twice gives the payload."""
    masked = MASK.spoken("C")(data)
    assert masked == MASK.spoken("C")(bytearray(data)) == MASK.reference(data) == MASK.reference(bytearray(data))
    assert MASK.spoken("C")(data[:4] + masked) == data[4:]
    slice_of = (data[0] if data else 0, data[1] if len(data) > 1 else None)
    assert MASK.spoken("C")(data, *slice_of) == MASK.reference(bytearray(data), *slice_of)


def frame(data: bytes) -> None:
    """Both functions make the same frame of octets and of text, whatever its characters, or fail alike."""
    first, octets = data[0] if data else 0, data[1:]
    for payload in (
        octets,
        octets.decode("latin-1"),
        octets.decode("utf-8", "replace"),
        octets.decode("utf-16", "replace"),
    ):
        for octet in (first, 0x81):
            told = _told(FRAMES.reference, octet, payload)
            assert _told(FRAMES.spoken("C"), octet, payload) == told


def http(data: bytes) -> None:
    """A connection tells one story in both tongues, however its octets are cut, and raises ProtocolError only."""
    choice, positions, octets = _choose(data)
    _same_story(lambda pieces: deliver(pieces, LIMITS[choice & 1]), octets, positions)


def chunked(data: bytes) -> None:
    """The same of chunked content."""
    choice, positions, octets = _choose(data)
    _same_story(lambda pieces: deliver([CHUNKED, *pieces], LIMITS[choice & 1]), octets, positions)


def websocket(data: bytes) -> None:
    """A WebSocket gives the same events in both tongues, however its octets are cut, and fails by one close code."""
    choice, positions, octets = _choose(data)
    options: dict[str, Any] = {"decode_text": bool(choice & 1), "max_msg_size": (0, 1, 200, 4096)[choice >> 1 & 3]}
    _same_story(lambda pieces: exchange.deliver(pieces, **options), octets, positions)


def deflate(data: bytes) -> None:
    """The same of a WebSocket with compression. A message that is both too big and no text may fail by either code."""
    choice, positions, octets = _choose(data)
    options: dict[str, Any] = {"max_msg_size": (0, 1, 200, 4096)[choice >> 1 & 3]}

    def events(pieces: list[bytes]) -> tuple[object, bool]:
        outcome = exchange.deliver(pieces, deflate=PerMessageDeflate(), **options)
        assert outcome.failed in (None, 1002, 1007, 1009)
        return outcome.events, outcome.failed is None

    _same_story(events, octets, positions)


def multipart(data: bytes) -> None:
    """A multipart decoder tells one story however its octets are cut, and raises MultipartError only."""
    choice, positions, octets = _choose(data)
    boundary, limits = BOUNDARIES[choice % 3], LIMITS[choice >> 7]
    told = multipart_wire.decode([octets], boundary, limits)
    pieces = cut(octets, positions)
    assert multipart_wire.decode(pieces, boundary, limits) == told
    assert multipart_wire.decode_at_once(pieces, boundary, limits) == told


def fields(data: bytes) -> None:
    """Whatever a field holds, its reader returns; where it may refuse, it raises what it says."""
    value = data.decode("utf-8", "surrogateescape")
    for read in (
        *(parse_cookie, read_disposition, read_content_type, parse_content_type, parse_mimetype, parse_http_date),
        *(parse_etags, parse_byte_ranges, parse_accept, parse_content_length, parse_node, parse_address),
        *(lambda text: parse_forwarded([text, text]), lambda text: list(forwarded_from_right([text]))),
        *(lambda text: select_ranges(text, 1000), lambda text: safe_filename(text)),
    ):
        read(value)
    _may(ValueError, parse_range, value)
    _may(MultipartError, read_boundary, value)


def handshake(data: bytes) -> None:
    """The head of a request for a WebSocket is one, or BadHandshake is raised."""
    try:
        parsed = HEAD.reference(UPGRADE + data + b"\r\n\r\n", Limits())
    except ProtocolError:
        return
    if parsed is not None:
        _may(BadHandshake, read_handshake, parsed[0])


def proxy(data: bytes) -> None:
    """The header of a proxy is read or refused as soon as it is there, and what comes behind it changes nothing."""
    limit = 216
    told: object = None
    for end in range(min(len(data), 2 * limit) + 1):
        try:
            here: object = parse_proxy_header(bytearray(data[:end]), limit)
        except BadProxyHeader as error:
            here = type(error)
        assert told is None or here == told
        told = here
    assert told is not None or len(data) < 2 * limit, "what waits for more is bounded"


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (head, response, mask, frame, http, chunked, websocket, deflate, multipart, fields, handshake, proxy)
}


def _choose(data: bytes) -> tuple[int, list[int], bytes]:
    """A number that chooses, up to three positions to cut at, and the octets that arrive."""
    octets = data[CHOICES:]
    positions = [position for position in data[1:CHOICES] if position < len(octets)]
    return (data[0] if data else 0), positions, octets


def _may(error: type[Exception], read: Callable[[Any], object], value: object) -> None:
    try:
        read(value)
    except error:
        pass


def _written(encode: Callable[..., object], *arguments: object) -> object:
    try:
        return encode(*arguments)
    except ValueError as error:
        return type(error), str(error)


def _told(encode: Callable[..., bytes], first: int, payload: bytes | str) -> object:
    try:
        return encode(first, payload)
    except KeyError as error:  # no frame begins like that
        return error.args


def _same_story(tell: Callable[[list[bytes]], object], octets: bytes, positions: list[int]) -> None:
    with speaking("Python"):
        told = tell([octets])
    with speaking("C"):
        assert tell([octets]) == told
        assert tell(cut(octets, positions)) == told
