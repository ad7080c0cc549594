"""connection.py: messages, fragments, the close handshake in all orders, what is sent, and what it may cost."""

from __future__ import annotations

import pytest

from aioweb.protocol.events import BUSY, NEED_DATA, Wait
from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import Opcode, WebSocketError
from aioweb.protocol.websocket.mask import mask
from aioweb.protocol.websocket.messages import Close, Message, Ping, Pong, State, prepare_message
from tests.protocol.websocket.exchange import (
    Outcome,
    binary,
    close,
    deliver,
    frame,
    more,
    observe,
    ping,
    pong,
    take,
    text,
)

pytestmark = pytest.mark.usefixtures("tongue")


def received(octets: bytes, **options) -> WebSocketConnection:
    """A connection that has received octets, and whose events were taken."""
    connection = WebSocketConnection(**options)
    connection.receive_data(octets)
    take(connection, Outcome())
    return connection


def read_back(octets: bytes, **options) -> Outcome:
    """What the client's end makes of what a server sends."""
    return deliver([octets], client=True, max_msg_size=0, **options)


# -- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4, 5, 124, 125, 126, 127, 128, 255, 256, 999, 1000])
@pytest.mark.parametrize("make", [text, lambda data: binary(data.encode())])
def test_a_message_of_any_size_is_read(size, make):
    data = ("naïveté " * size)[:size] if make is text and size < 700 else "x" * size
    outcome = observe(make(data))
    assert outcome.data == [data if make is text else data.encode()]
    assert type(outcome.data[0]) is (str if make is text else bytes)
    assert outcome.state is State.OPEN


def test_a_large_message_arrives_in_pieces():
    data = "aé€😀" * 30_000
    octets = text(data)
    for size in (1000, 65536, len(octets)):
        outcome = deliver([octets[i : i + size] for i in range(0, len(octets), size)], max_msg_size=0)
        assert outcome.data == [data]


def test_many_messages_in_one_read():
    outcome = deliver([text("a") * 1000 + binary(b"b") + ping("c")])
    assert outcome.data == ["a"] * 1000 + [b"b", b"c"]


def test_control_frames_stand_between_fragments():
    outcome = observe(
        text("a", False) + ping("1") + more("b") + pong("2") + more("") + ping("") + more("c", True) + binary(b"d")
    )
    assert outcome.events == [
        Ping(b"1"),
        Pong(b"2"),
        Ping(b""),
        Message(Opcode.TEXT, "abc"),
        Message(Opcode.BINARY, b"d"),
    ]


def test_a_character_may_be_cut_by_fragments():
    octets = "κόσμε😀".encode()
    frames = [more(octets[i : i + 1]) for i in range(len(octets))]
    assert observe(text("", False) + b"".join(frames) + more("", True)).data == ["κόσμε😀"]


def test_others_have_their_turn_among_fragments_without_number():
    connection = WebSocketConnection()
    connection.receive_data(text("<", False) + more("x") * 2000 + more(">", True))
    events = []
    while (event := connection.next_event()) is not NEED_DATA:
        events.append(event)
    assert len(events) > 3
    assert set(events[:-1]) == {BUSY}
    assert events[-1] == Message(Opcode.TEXT, "<" + "x" * 2000 + ">")


def test_empty_fragments_cost_nothing_and_are_no_message():
    outcome = deliver([text("", False) + more("") * 5000 + more("", True)])
    assert outcome.data == [""]


def test_the_client_reads_what_is_not_masked():
    outcome = deliver([frame(0x81, "hi", key=None), frame(0x82, b"x" * 300, key=None)], client=True)
    assert outcome.data == ["hi", b"x" * 300]
    assert deliver([text("masked")], client=True).failed == 1002


# -- the close handshake -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "event"),
    [
        (close(1000, "bye"), Close(1000, "bye")),
        (close(None), Close(1005, "")),
        (close(1001), Close(1001, "")),
        (close(3000, "ü" * 61), Close(3000, "ü" * 61)),
        (close(4999, "x" * 123), Close(4999, "x" * 123)),
    ],
)
def test_the_peer_closes_and_is_echoed(octets, event):
    outcome = observe(octets + text("never seen") + frame(0x83))
    assert outcome.events == [event]
    assert (outcome.state, outcome.failed) == (State.CLOSING, None)
    connection = received(octets)
    assert connection.close_received == event
    assert connection.close_code == event.code
    echo = b"" if event.code == 1005 else event.code.to_bytes(2, "big")
    assert connection.send_close(event.code) == frame(0x88, echo, key=None)
    assert connection.state is State.CLOSED
    assert connection.send_close() == b""


def test_we_close_and_the_peer_echoes_after_some_messages():
    connection = WebSocketConnection()
    assert connection.send_close(1001, "going") == frame(0x88, b"\x03\xe9going", key=None)
    assert connection.state is State.CLOSING
    assert connection.close_sent == Close(1001, "going")
    assert connection.close_code is None
    outcome = Outcome()
    connection.receive_data(text("late") + ping("p") + close(1001) + text("too late"))
    take(connection, outcome)
    assert outcome.events == [Ping(b"p"), Close(1001, "")]
    assert (connection.state, connection.close_code) == (State.CLOSED, 1001)


@pytest.mark.parametrize("deflate", [None, PerMessageDeflate()])
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_behind_our_close_frame_messages_are_passed_over_unread(deflate, step, monkeypatch):
    client = WebSocketConnection(client=True, deflate=deflate)
    bomb = client.send_binary(bytes(3000), True)
    parts = client.send_fragment("a" * 500, final=False, compress=True) + client.send_fragment("b", final=True)
    cut, rest = parts[:20], parts[20:]
    server = WebSocketConnection(deflate=deflate, max_msg_size=4000)
    server.receive_data(client.send_text("read") + cut)
    assert server.next_event() == Message(Opcode.TEXT, "read")
    assert isinstance(server.next_event(), Wait)
    server.send_close(1000)
    monkeypatch.setattr("aioweb.protocol.websocket.deflate.Inflater.inflate", None)
    monkeypatch.setattr("aioweb.protocol.websocket.connection.mask", mask_of_control_frames)
    octets = rest + bomb * 3 + text(b"\xff") + ping("p") + bomb + client.send_close(1000, "bye")
    events = []
    for start in range(0, len(octets), step):
        server.receive_data(octets[start : start + step])
        while not isinstance(event := server.next_event(), Wait):
            events.append(event)
        assert server.buffered < 200
    assert events == [Ping(b"p"), Close(1000, "bye")]


def mask_of_control_frames(keyed):
    assert len(keyed) <= 4 + 125, "what nobody reads is not unmasked"
    return mask(keyed)


def test_behind_our_close_frame_the_frames_still_have_to_be_frames():
    for octets, code in ((text("x" * 101), 1009), (frame(0x83, "x"), 1002), (more("x", True), 1002)):
        with pytest.raises(WebSocketError) as caught:
            connection = WebSocketConnection(max_msg_size=100)
            connection.send_close(1000)
            connection.receive_data(octets)
            connection.next_event()
        assert caught.value.close_code == code


def test_both_close_at_once():
    server, client = WebSocketConnection(), WebSocketConnection(client=True)
    from_server, from_client = server.send_close(1001), client.send_close(1000, "me too")
    server.receive_data(from_client)
    client.receive_data(from_server)
    assert server.next_event() == Close(1000, "me too")
    assert client.next_event() == Close(1001, "")
    assert server.state is client.state is State.CLOSED
    assert server.send_close() == client.send_close() == b""


def test_the_close_code_of_the_peer_is_kept_whatever_ours_is():
    connection = received(close(4001, "mine"))
    connection.send_close(1000)
    connection.receive_eof()
    assert connection.close_code == 4001
    assert connection.close_sent == Close(1000, "")


@pytest.mark.parametrize("before", [b"", text("a")[:3], text("a", False), ping("a")[:1], text("a" * 200)[:150]])
@pytest.mark.parametrize("closing", [False, True])
def test_a_connection_that_is_lost_has_the_code_1006(before, closing):
    connection = received(before)
    if closing:
        connection.send_close()
    connection.receive_eof()
    assert (connection.state, connection.close_code) == (State.CLOSED, 1006)
    connection.receive_data(text("ghost"))
    assert connection.next_event() is NEED_DATA
    assert connection.send_close() == b""


def test_after_an_error_the_close_frame_is_sent_and_nothing_is_read():
    connection = WebSocketConnection()
    connection.receive_data(frame(0x83) + text("a"))
    errors = []
    for _ in range(3):
        with pytest.raises(WebSocketError) as caught:
            connection.next_event()
        errors.append(caught.value)
        connection.receive_data(text("b"))
    assert errors[0] is errors[1] is errors[2]
    assert connection.buffered == 0
    assert connection.state is State.CLOSING
    assert connection.send_close(errors[0].close_code, str(errors[0])).startswith(b"\x88")
    assert connection.state is State.CLOSED
    assert connection.close_code == 1006


def test_an_error_after_our_close_frame_ends_it_at_once():
    connection = WebSocketConnection()
    connection.send_close()
    connection.receive_data(frame(0x83))
    with pytest.raises(WebSocketError):
        connection.next_event()
    assert connection.state is State.CLOSED
    assert connection.send_close(1002) == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2999, 5000, -1, 70000])
def test_a_code_that_nobody_may_send_is_refused(code):
    with pytest.raises(ValueError, match=str(code)):
        WebSocketConnection().send_close(code)


@pytest.mark.parametrize(("code", "reason"), [(1000, "x" * 124), (1000, "ü" * 62), (1005, "why"), (1000, b"\xff")])
def test_a_reason_that_does_not_fit_is_refused_and_nothing_is_closed(code, reason):
    connection = WebSocketConnection()
    with pytest.raises(ValueError):
        connection.send_close(code, reason)
    assert connection.state is State.OPEN
    assert connection.sendable


# -- what is sent --------------------------------------------------------------------------------------------------


def test_what_is_sent_is_read_by_the_other_end():
    server = WebSocketConnection()
    octets = [
        server.send_text("née"),
        server.send_text("née".encode()),
        server.send_binary(bytearray(b"ab")),
        server.send_binary(memoryview(b"abcdef")[::2]),
        server.send_ping(b"1"),
        server.send_pong(memoryview(b"2")),
        server.send_binary(b"x" * 70_000),
    ]
    assert read_back(b"".join(octets)).data == ["née", "née", b"ab", b"ace", b"1", b"2", b"x" * 70_000]


def test_a_client_masks_each_frame_with_another_key():
    client = WebSocketConnection(client=True)
    first, second = client.send_text("hello"), client.send_text("hello")
    assert first != second
    assert observe(first + second + client.send_ping(b"p") + client.send_close(1000, "x")).events == [
        Message(Opcode.TEXT, "hello"),
        Message(Opcode.TEXT, "hello"),
        Ping(b"p"),
        Close(1000, "x"),
    ]


def test_fragments_are_sent_with_pings_between_them_and_no_message():
    server = WebSocketConnection()
    octets = server.send_fragment("a", final=False) + server.send_ping(b"p") + server.send_fragment("", final=False)
    with pytest.raises(RuntimeError, match="among the fragments"):
        server.send_text("b")
    with pytest.raises(RuntimeError, match="among the fragments"):
        server.send_prepared(prepare_message("b"))
    with pytest.raises(TypeError, match="TEXT"):
        server.send_fragment(b"b", final=True)
    octets += server.send_fragment("é", final=True) + server.send_fragment(b"c", final=True)
    assert read_back(octets).data == [b"p", "aé", b"c"]
    assert read_back(server.send_text("b")).data == ["b"]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(
    "send",
    [
        lambda connection: connection.send_text("a"),
        lambda connection: connection.send_binary(b"a"),
        lambda connection: connection.send_fragment("a", final=True),
        lambda connection: connection.send_prepared(prepare_message("a")),
        lambda connection: connection.send_ping(),
        lambda connection: connection.send_pong(),
    ],
)
def test_nothing_is_sent_after_the_close_frame_or_the_end(send, lost):
    connection = WebSocketConnection()
    assert send(connection)
    connection.receive_data(close())
    assert connection.next_event() == Close(1000, "")
    assert send(connection), "until our own close frame is out"
    if lost:
        connection.receive_eof()
    else:
        connection.send_close()
    assert not connection.sendable
    with pytest.raises(RuntimeError, match="CLOSED"):
        send(connection)


@pytest.mark.parametrize("data", [b"x" * 126, bytearray(1000)])
def test_a_ping_has_at_most_125_octets(data):
    with pytest.raises(ValueError, match=str(len(data))):
        WebSocketConnection().send_ping(data)
    with pytest.raises(ValueError, match=str(len(data))):
        WebSocketConnection().send_pong(data)


@pytest.mark.parametrize("send", ["send_text", "send_binary", "send_ping", "send_pong"])
@pytest.mark.parametrize("data", [None, 5, ["a"], object()])
def test_what_is_neither_text_nor_octets_is_a_type_error(send, data):
    with pytest.raises(TypeError, match=type(data).__name__):
        getattr(WebSocketConnection(), send)(data)


def test_text_is_not_binary_and_binary_is_not_text():
    with pytest.raises(TypeError, match="str"):
        WebSocketConnection().send_binary("a")
    with pytest.raises(TypeError, match="bytearray"):
        WebSocketConnection().send_text(bytearray(b"a"))
    with pytest.raises(TypeError, match="int"):
        prepare_message(5)


# -- one message for many ------------------------------------------------------------------------------------------


def test_a_prepared_message_is_framed_once_for_connections_with_equal_parameters():
    message = prepare_message("hello " * 100)
    narrow, wide = PerMessageDeflate(server_max_window_bits=9), PerMessageDeflate(server_max_window_bits=15)
    plain = [WebSocketConnection().send_prepared(message) for _ in range(2)]
    small = [WebSocketConnection(deflate=narrow).send_prepared(message) for _ in range(2)]
    large = [WebSocketConnection(deflate=wide).send_prepared(message) for _ in range(2)]
    for first, second in (plain, small, large):
        assert first is second
    assert read_back(plain[0]).data == read_back(small[0], deflate=narrow).data == ["hello " * 100]
    assert len(small[0]) < 100 < len(plain[0])


@pytest.mark.parametrize("forgets", [False, True])
def test_prepared_messages_and_others_share_one_window_of_the_client(forgets):
    deflate = PerMessageDeflate(server_no_context_takeover=forgets)
    server, client = WebSocketConnection(deflate=deflate), WebSocketConnection(deflate=deflate, client=True)
    outcome, said = Outcome(), []
    for index in range(40):
        data = f"{index % 3} the same words in all of them, again and again " * (1 + index % 4)
        said.append(data)
        client.receive_data(server.send_prepared(prepare_message(data)) if index % 3 else server.send_text(data))
    take(client, outcome)
    assert outcome.data == said


def test_a_short_prepared_message_is_not_compressed_and_a_client_masks_it():
    deflate = PerMessageDeflate()
    assert WebSocketConnection(deflate=deflate).send_prepared(prepare_message(b"ab")) == b"\x82\x02ab"
    octets = WebSocketConnection(client=True).send_prepared(prepare_message("ab"))
    assert observe(octets).data == ["ab"]


# -- what it costs -------------------------------------------------------------------------------------------------


def test_nothing_over_the_limit_is_kept():
    connection = WebSocketConnection(max_msg_size=1000)
    connection.receive_data(binary(b"x" * 1001)[:4] + b"x" * 500)
    with pytest.raises(WebSocketError, match="over 1000 bytes"):
        connection.next_event()
    assert connection.buffered == 0


def test_an_idle_connection_keeps_no_buffer():
    connection = received(binary(b"x" * 100_000) + text("a"))
    assert connection.buffered == 0
    held = {name: getattr(connection, name, None) for name in connection.__slots__}
    assert sum(len(value) for value in held.values() if isinstance(value, (bytes, bytearray))) <= 4


@pytest.mark.parametrize("deflate", [None, PerMessageDeflate()])
def test_no_compressor_before_it_is_needed(deflate):
    connection = received(text("a"), deflate=deflate)
    connection.send_text("short")
    connection.forget()
    for name in ("_deflater", "_inflater"):
        coder = getattr(connection, name)
        assert coder is None or all(
            "compress" not in type(getattr(coder, slot)).__name__.lower() for slot in coder.__slots__
        )


@pytest.mark.parametrize("cut", ["octets", "frames"])
def test_a_message_in_tiny_pieces_costs_its_size(cut):
    size = 20_000
    octets = text("x" * size) if cut == "octets" else text("", False) + more("x") * (size - 1) + more("x", True)
    connection = WebSocketConnection()
    outcome = Outcome()
    most = 0
    for index in range(0, len(octets), 1 if cut == "octets" else 7):
        connection.receive_data(octets[index : index + (1 if cut == "octets" else 7)])
        take(connection, outcome)
        most = max(most, connection.buffered)
    assert outcome.data == ["x" * size]
    assert most <= 14
