"""The octets between an ASGI server and ours: whole, byte by byte, and split anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioweb.asgi.frames import BINARY, CLOSE, PING, TEXT, Frame, FrameReader, encode_close, encode_frame
from aioweb.asgi.wire import Content, ResponseReader, encode_chunk, encode_handshake, encode_request
from aioweb.protocol.websocket import Close, Message, WebSocketConnection
from tests.wings.asgi_server import HTTP, WEBSOCKET, content_of

HEAD = b"HTTP/1.1 200 OK\r\nX-A: 1\r\n"
Case = tuple[bytes, str, list[Any], bytes, bool]
# octets, method, headers, content, ends only with the connection
CASES: dict[str, Case] = {
    "length": (HEAD + b"Content-Length: 3\r\n\r\nabc", "GET", [(b"content-length", b"3")], b"abc", False),
    "no content": (HEAD + b"Content-Length: 0\r\n\r\n", "GET", [(b"content-length", b"0")], b"", False),
    "chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "GET",
        [],
        b"abc0123456789",
        False,
    ),
    "no chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET", [], b"", False),
    "chunk of line ends": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
        "GET",
        [],
        b"\r\n\r\n",
        False,
    ),
    "HEAD": (HEAD + b"Content-Length: 3\r\n\r\n", "HEAD", [(b"content-length", b"3")], b"", False),
    "HEAD of chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "HEAD", [], b"", False),
    "until the end": (HEAD + b"Connection: close\r\n\r\nabc", "GET", [], b"abc", True),
    "interim ones": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        + HEAD
        + b"Content-Length: 1\r\n\r\na",
        "GET",
        [(b"content-length", b"1")],
        b"a",
        False,
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_response_is_read_however_it_is_split(case: Case, size: int) -> None:
    octets, method, headers, content, until_closed = case
    reader = ResponseReader(method)
    messages = []
    for start in range(0, len(octets), size):
        messages += reader.receive(octets[start : start + size])
    assert reader.complete is not until_closed
    messages += reader.end()
    assert reader.complete
    assert messages[0] == {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), *headers]}
    assert content_of(messages) == content
    assert [message["more_body"] for message in messages[1:]] == [True] * (len(messages) - 2) + [False]
    assert reader.end() == []


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_trailers_follow_the_content(size: int) -> None:
    octets = HEAD + b"Transfer-Encoding: chunked\r\nTrailer: x-b, x-c\r\n\r\n1\r\na\r\n0\r\nX-B: 2\r\nX-C: 3\r\n\r\n"
    reader = ResponseReader("GET", trailers=True)
    messages = [
        message for start in range(0, len(octets), size) for message in reader.receive(octets[start : start + size])
    ]
    assert messages[0]["trailers"] is True
    last = {"type": "http.response.trailers", "headers": [(b"x-b", b"2"), (b"x-c", b"3")], "more_trailers": False}
    assert messages[-1] == last


def test_a_response_that_is_cut_is_not_complete() -> None:
    for octets in (
        b"",
        HEAD,
        HEAD + b"Content-Length: 3\r\n\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ):
        reader = ResponseReader("GET")
        reader.receive(octets)
        assert reader.end() == []
        assert not reader.complete


def test_after_the_head_of_a_101_comes_another_protocol() -> None:
    reader = ResponseReader("GET")
    (start,) = reader.receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes")
    assert (start["status"], reader.rest) == (101, b"frames")


def test_a_request_is_what_the_scope_says() -> None:
    scope = {
        **HTTP,
        "method": "PUT",
        "query_string": b"a=1",
        "headers": [(b"transfer-encoding", b"chunked"), (b"a", b"b")],
    }
    assert encode_request(scope, Content.CHUNKED) == (
        b"PUT /?a=1 HTTP/1.1\r\nhost: 192.0.2.2:80\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    assert encode_chunk(b"abc", last=False) + encode_chunk(b"", last=False) == b"3\r\nabc\r\n"
    assert encode_chunk(b"abc", last=True) == b"3\r\nabc\r\n0\r\n\r\n"
    assert encode_chunk(b"", last=True) == b"0\r\n\r\n"


def test_an_upgrade_is_not_passed_on_and_the_handshake_is_ours() -> None:
    headers = [(b"host", b"a"), (b"upgrade", b"h2c"), (b"sec-websocket-key", b"theirs"), (b"connection", b"upgrade")]
    assert b"upgrade: h2c" not in encode_request({**HTTP, "headers": headers}, Content.NONE)
    octets = encode_handshake({**WEBSOCKET, "headers": headers, "subprotocols": ["a", "b"]})
    assert octets.count(b"upgrade: websocket\r\n") == octets.count(b"sec-websocket-key: ") == 1
    assert b"theirs" not in octets
    assert b"sec-websocket-protocol: a, b\r\n" in octets


# -- frames ------------------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(payload=st.binary(max_size=300) | st.integers(65530, 65540).map(bytes), size=st.integers(1, 70000))
def test_messages_pass_between_the_ground_and_the_bridge(payload: bytes, size: int) -> None:
    ground = WebSocketConnection(max_msg_size=0)
    ground.receive_data(encode_frame(BINARY, payload))
    event = ground.next_event()
    assert isinstance(event, Message)
    assert event.data == payload
    octets = bytes(ground.send_binary(payload)) + bytes(ground.send_ping(b"p"))
    reader = FrameReader()
    frames = [frame for start in range(0, len(octets), size) for frame in reader.receive(octets[start : start + size])]
    assert frames == [Frame(BINARY, payload), Frame(PING, b"p")]


def test_fragments_make_one_message() -> None:
    octets = b"\x01\x01a" + b"\x89\x01p" + b"\x00\x01b" + b"\x80\x01c" + b"\x81\x00"
    reader = FrameReader()
    frames = [frame for octet in octets for frame in reader.receive(bytes((octet,)))]
    assert frames == [Frame(PING, b"p"), Frame(TEXT, b"abc"), Frame(TEXT, b"")]


@pytest.mark.parametrize(
    ("code", "reason", "read"),
    [(1000, "", (1000, "")), (3001, "bye", (3001, "bye")), (1005, "", (1005, "")), (1001, "ä" * 99, (1001, "ä" * 61))],
)
def test_a_close_frame_is_what_a_client_may_send(code: int, reason: str, read: tuple[int, str]) -> None:
    ground = WebSocketConnection()
    ground.receive_data(encode_close(code, reason))
    event = ground.next_event()
    assert isinstance(event, Close)
    assert (event.code, event.reason) == read
    assert FrameReader().receive(bytes(ground.send_close(1000, "ja")))[0] == Frame(CLOSE, b"\x03\xe8ja")
