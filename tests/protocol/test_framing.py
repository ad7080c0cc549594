"""How a response ends and whether the connection survives it: RFC 9112 sections 6.3 and 9.3, case by case."""

from __future__ import annotations

from itertools import product

import pytest

from aioweb.protocol.events import HttpVersion10, HttpVersion11
from aioweb.protocol.framing import BodyKind, frame_response

pytestmark = pytest.mark.usefixtures("tongue")

V10, V11 = HttpVersion10, HttpVersion11
NONE, LENGTH, CHUNKED, UNTIL_CLOSE = BodyKind.NONE, BodyKind.LENGTH, BodyKind.CHUNKED, BodyKind.UNTIL_CLOSE
TE = b"Transfer-Encoding: chunked\r\n"
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "get", "X"]
STATUSES = [101, 200, 201, 204, 205, 206, 299, 300, 304, 404, 500, 999]
LENGTHS = [None, 0, 5]


# (method, version, status, length, chunked wanted) -> (kind, Content-Length in the head, Transfer-Encoding in the head)
@pytest.mark.parametrize(
    ("method", "version", "status", "length", "chunked", "kind", "announces_length", "announces_chunked"),
    [
        # A length that is known.
        ("GET", V11, 200, 5, False, LENGTH, True, False),
        ("GET", V11, 200, 0, False, LENGTH, True, False),
        ("GET", V10, 200, 5, False, LENGTH, True, False),
        ("POST", V11, 404, 5, False, LENGTH, True, False),
        # One that is not, or chunks that are wanted.
        ("GET", V11, 200, None, False, CHUNKED, False, True),
        ("GET", V11, 200, 5, True, CHUNKED, False, True),
        ("GET", V11, 200, None, True, CHUNKED, False, True),
        ("GET", V10, 200, None, False, UNTIL_CLOSE, False, False),
        ("GET", V10, 200, None, True, UNTIL_CLOSE, False, False),
        ("GET", V10, 200, 5, True, LENGTH, True, False),
        # HEAD: the fields of GET, and no content.
        ("HEAD", V11, 200, 5, False, NONE, True, False),
        ("HEAD", V11, 200, 0, False, NONE, True, False),
        ("HEAD", V11, 200, None, False, NONE, False, True),
        ("HEAD", V11, 200, 5, True, NONE, False, True),
        ("HEAD", V10, 200, 5, True, NONE, True, False),
        ("HEAD", V10, 200, None, False, NONE, False, False),
        ("HEAD", V11, 304, 5, False, NONE, True, False),
        ("HEAD", V11, 204, 5, False, NONE, False, False),
        ("HEAD", V11, 205, 0, True, NONE, False, False),
        # Statuses without content.
        ("GET", V11, 101, None, False, NONE, False, False),
        ("GET", V11, 204, 5, False, NONE, False, False),
        ("GET", V11, 204, None, True, NONE, False, False),
        ("GET", V11, 205, 0, False, NONE, False, False),
        ("GET", V11, 205, 0, True, NONE, False, False),
        ("GET", V10, 205, 0, False, NONE, False, False),
        ("GET", V11, 304, None, False, NONE, False, False),
        ("GET", V11, 304, 0, False, NONE, False, False),
        ("GET", V11, 304, 5, False, NONE, True, False),
        ("GET", V11, 304, 5, True, NONE, True, False),
        # CONNECT: a tunnel when it succeeds, an answer like others when not.
        ("CONNECT", V11, 200, None, False, NONE, False, False),
        ("CONNECT", V11, 299, 5, False, NONE, False, False),
        ("CONNECT", V11, 204, None, False, NONE, False, False),
        ("CONNECT", V11, 300, 5, False, LENGTH, True, False),
        ("CONNECT", V11, 407, None, False, CHUNKED, False, True),
    ],
)
@pytest.mark.parametrize("keep_alive", [True, False])
def test_the_framing_of_a_response(
    method, version, status, length, chunked, kind, announces_length, announces_chunked, keep_alive
):
    framing = frame_response(method, version, status, length, keep_alive, chunked)
    assert framing.kind is kind
    assert framing.chunked == (kind is CHUNKED)
    assert framing.announces_length == announces_length
    assert (TE in framing.fields) == announces_chunked


@pytest.mark.parametrize(
    ("version", "keep_alive", "length", "fields"),
    [
        (V11, True, 5, b""),
        (V11, False, 5, b"Connection: close\r\n"),
        (V10, True, 5, b"Connection: keep-alive\r\n"),
        (V10, False, 5, b"Connection: close\r\n"),
        # The end of the connection ends the content: it cannot persist, whatever both sides want.
        (V10, True, None, b"Connection: close\r\n"),
        (V11, True, None, TE),
        (V11, False, None, TE + b"Connection: close\r\n"),
    ],
)
def test_the_head_says_whether_the_connection_persists(version, keep_alive, length, fields):
    framing = frame_response("GET", version, 200, length, keep_alive)
    assert framing.fields == fields
    assert framing.keep_alive == (keep_alive and b"close" not in fields)


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("length", [None, 0, 5])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_205_says_that_it_has_no_content_whatever_was_given(method, length, keep_alive):
    framing = frame_response(method, V11, 205, length, keep_alive)
    assert framing.fields == b"Content-Length: 0\r\n" + (b"" if keep_alive else b"Connection: close\r\n")


def test_a_connection_that_changes_its_protocol_does_not_persist_for_http():
    upgrade = frame_response("GET", V11, 101, None, True)
    tunnel = frame_response("CONNECT", V11, 200, None, True)
    assert upgrade.switches
    assert tunnel.switches
    assert not upgrade.keep_alive
    assert not tunnel.keep_alive
    assert upgrade.fields == b"Connection: upgrade\r\n"
    assert tunnel.fields == b""


@pytest.mark.parametrize("version", [V10, V11], ids=["1.0", "1.1"])
@pytest.mark.parametrize("method", METHODS)
def test_no_response_has_two_readings(method, version):
    for status, length, keep_alive, chunked in product(STATUSES, LENGTHS, [True, False], [True, False]):
        framing = frame_response(method, version, status, length, keep_alive, chunked)
        assert frame_response(method, version, status, length, keep_alive, chunked) is framing, "made once"
        announces_chunked = TE in framing.fields
        assert not (framing.announces_length and announces_chunked), "one framing only"
        assert not (version is V10 and announces_chunked), "HTTP/1.0 knows no transfer coding"
        if status in (101, 204):
            assert not framing.announces_length
            assert not announces_chunked
        assert framing.keep_alive <= keep_alive
        if framing.switches:
            assert framing.kind is NONE
            continue
        assert (b"close" in framing.fields) == (not framing.keep_alive), "the client is told"
        if method == "HEAD" or status in (204, 205, 304):
            assert framing.kind is NONE
        else:
            assert framing.kind is not NONE, "the client waits for content"
            assert framing.announces_length == (framing.kind is LENGTH)
            assert announces_chunked == (framing.kind is CHUNKED)
            assert not (framing.kind is UNTIL_CLOSE and framing.keep_alive)
        if method == "HEAD":
            # RFC 9110 section 9.3.2: the fields that GET would have.
            get = frame_response("GET", version, status, length, keep_alive, chunked)
            assert framing.announces_length == get.announces_length
            assert announces_chunked == (TE in get.fields)
