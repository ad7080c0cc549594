"""frames.py: heads and whole frames by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.websocket import frames
from aioweb.protocol.websocket.frames import (
    CloseCode,
    Opcode,
    WebSocketError,
    is_close_code,
    read_frame_head,
)
from tests.protocol.websocket.exchange import frame

pytestmark = pytest.mark.usefixtures("tongue")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("key", [b"", b"\x12\x34\x56\x78"])
def test_a_frame_is_written_in_the_shortest_form(size, key):
    payload = b"x" * size
    octets = frames.encode_frame(0x82, payload, key)
    assert octets == frame(0x82, payload, key=key or None)
    first, length, end = read_frame_head(bytearray(octets), 0, bool(key))
    assert (first, length, end + len(key) + length) == (0x82, size, len(octets))


TEXTS = {
    "empty": "",
    "ascii": "a" * 125,
    "latin": "\xdf" * 63,
    "mixed": "Gru\xdf " * 200,
    "euro": "\u20ac" * 99,
    "far": "\U0001f600",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_becomes_utf_8_in_its_frame(text):
    assert frames.encode_frame(0x81, text) == frame(0x81, text.encode(), key=None)


def test_text_with_a_lone_surrogate_has_no_frame():
    with pytest.raises(UnicodeEncodeError):
        frames.encode_frame(0x81, "a\udc80")


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_head_is_read_from_anywhere_and_only_when_it_is_complete(size):
    octets = b"before" + frame(0x81, b"", length=size)
    head_size = 2 if size < 126 else 4 if size < 65536 else 10
    for end in range(len(octets)):
        head = read_frame_head(bytearray(octets[:end]), 6, True) if end >= 6 else None
        assert head == ((0x81, size, 6 + head_size) if end >= 6 + head_size else None)


BAD_HEADS = {
    "RSV2": b"\xa1",
    "RSV3": b"\x91",
    "opcode 3": b"\x83",
    "opcode 7": b"\x07",
    "opcode 11": b"\x8b",
    "opcode 15": b"\x8f",
    "fragmented ping": b"\x09",
    "fragmented close": b"\x08",
    "compressed pong": b"\xca",
    "no mask": b"\x81\x05",
    "long ping": b"\x89\xfe",
    "huge close": b"\x88\xff",
    "125 in two octets": b"\x81\xfe\x00\x7d",
    "0 in two octets": b"\x81\xfe\x00\x00",
    "65535 in eight octets": b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff",
    "64 bits": b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00",
    "all of 64 bits": b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.parametrize("octets", BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_bad_head_fails_at_the_octet_that_shows_it(octets):
    assert read_frame_head(bytearray(octets[:-1]), 0, True) is None
    with pytest.raises(WebSocketError) as caught:
        read_frame_head(bytearray(octets), 0, True)
    assert caught.value.close_code is caught.value.code is CloseCode.PROTOCOL_ERROR
    assert isinstance(caught.value, ProtocolError)


def test_a_server_does_not_mask():
    assert read_frame_head(bytearray(b"\x81\x05"), 0, False) == (0x81, 5, 2)
    with pytest.raises(WebSocketError, match="a server's frame is masked"):
        read_frame_head(bytearray(b"\x81\x85"), 0, False)


@given(st.binary(max_size=16), st.booleans())
def test_whatever_arrives_is_a_head_or_none_or_an_error(octets, masked):
    head, failure = None, 1002
    try:
        head = read_frame_head(bytearray(octets), 0, masked)
    except WebSocketError as error:
        failure = error.close_code
    assert failure == 1002
    if head is not None:
        first, length, end = head
        assert Opcode(first & 15) in Opcode
        assert 0 <= length < 2**63
        assert end <= len(octets)


def test_close_codes_are_those_of_the_rfc_the_registry_and_the_private_ranges():
    legal = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
    assert {code for code in range(65536) if is_close_code(code)} == legal
    assert {int(code) for code in CloseCode} - legal == {1005, 1006}
