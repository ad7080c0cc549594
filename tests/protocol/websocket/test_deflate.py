"""deflate.py: what is agreed on, and the streams that come of it (RFC 7692)."""

from __future__ import annotations

import itertools
import random
import zlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.websocket import deflate as module
from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import Inflater, PerMessageDeflate
from aioweb.protocol.websocket.frames import WebSocketError, read_frame_head
from tests.protocol.websocket.exchange import Outcome, close, deliver, frame, more, observe, ping, take, text

ZLIB = PerMessageDeflate(server_max_window_bits=15, client_max_window_bits=15)
HELLO = bytes.fromhex("f248cdc9c90700")
"""The example of section 7.2.3.1."""


# -- what is agreed on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ([], "permessage-deflate; server_max_window_bits=15"),
        ([("server_no_context_takeover", None)], "server_no_context_takeover; server_max_window_bits=15"),
        ([("client_no_context_takeover", None)], "client_no_context_takeover; server_max_window_bits=15"),
        ([("client_max_window_bits", None)], "permessage-deflate; server_max_window_bits=15"),
        ([("client_max_window_bits", "10")], "server_max_window_bits=15; client_max_window_bits=10"),
        ([("client_max_window_bits", "15")], "permessage-deflate; server_max_window_bits=15"),
        ([("server_max_window_bits", "8")], "permessage-deflate; server_max_window_bits=8"),
        ([("server_max_window_bits", "15")], "permessage-deflate; server_max_window_bits=15"),
    ],
)
def test_an_offer_is_accepted_with_what_it_asks(offer, answer):
    assert str(ZLIB.accept(offer)).endswith(answer)


@pytest.mark.parametrize(
    "offer",
    [
        [("unknown", None)],
        [("", None)],
        [("Server_no_context_takeover", None)],
        [("server_no_context_takeover", "1")],
        [("client_no_context_takeover", "")],
        [("server_max_window_bits", None)],
        *([(name, value)] for name in ("server_max_window_bits", "client_max_window_bits") for value in
          ["", "0", "7", "16", "08", "+9", " 9", "9 ", "9.0", "1e1", "٩", "999999", "x"]),
        *([(name, "10"), (name, "10")] for name in ("server_max_window_bits", "client_max_window_bits")),
        [("server_no_context_takeover", None)] * 2,
        [("client_max_window_bits", None), ("client_max_window_bits", "9")],
        [("client_max_window_bits", None), ("x", "9")],
    ],
)  # fmt: skip
def test_an_offer_with_a_bad_parameter_is_declined(offer):
    assert ZLIB.accept(offer) is None


@pytest.mark.parametrize("wish", range(8, 16))
@pytest.mark.parametrize("asked", range(8, 16))
def test_a_window_is_the_smaller_of_what_both_want(wish, asked):
    mine = PerMessageDeflate(server_max_window_bits=wish, client_max_window_bits=wish)
    agreed = mine.accept([("server_max_window_bits", str(asked)), ("client_max_window_bits", str(asked))])
    assert agreed.server_max_window_bits == agreed.client_max_window_bits == min(wish, asked)
    assert mine.accept([]).client_max_window_bits == 15, "who did not offer it cannot be limited"
    assert mine.accept([("client_max_window_bits", None)]).client_max_window_bits == wish


@pytest.mark.parametrize("bits", [7, 16, 0, -15, "9", None, True, 9.5])
def test_window_bits_that_are_none_are_refused(bits):
    with pytest.raises(ValueError, match="server_max_window_bits"):
        PerMessageDeflate(server_max_window_bits=bits)
    with pytest.raises(ValueError, match="client_max_window_bits"):
        PerMessageDeflate(client_max_window_bits=bits)


# -- messages ------------------------------------------------------------------------------------------------------

COMBINATIONS = [
    PerMessageDeflate(
        server_no_context_takeover=server, client_no_context_takeover=client,
        server_max_window_bits=bits, client_max_window_bits=23 - bits,
    )
    for server, client, bits in itertools.product([False, True], [False, True], range(8, 16))
]  # fmt: skip


def conversation(deflate: PerMessageDeflate, messages: list[str | bytes]) -> None:
    """Both ends say the messages, and read what the other says in three pieces."""
    server = WebSocketConnection(deflate=deflate)
    client = WebSocketConnection(deflate=deflate, client=True)
    for sender, receiver in ((server, client), (client, server)):
        outcome = Outcome()
        for message in messages:
            send = sender.send_text if isinstance(message, str) else sender.send_binary
            octets = send(message, compress=True)
            assert octets[0] & 0x40
            third = len(octets) // 3
            for piece in (octets[:third], octets[third : 2 * third], octets[2 * third :]):
                receiver.receive_data(piece)
                take(receiver, outcome)
        assert (outcome.data, outcome.failed) == (messages, None)


def some_messages(seed: int) -> list[str | bytes]:
    chance = random.Random(seed)
    noise = chance.randbytes(3000)
    return ["hello", "", b"", noise, "hello hello " * 300, noise + noise[:700] * 5, b"\0" * 70_000, "é😀" * 5000, noise]


@pytest.mark.parametrize("deflate", COMBINATIONS, ids=str)
def test_all_combinations_of_parameters_carry_all_messages(deflate):
    conversation(deflate, some_messages(deflate.server_max_window_bits))


@pytest.mark.parametrize("deflate", COMBINATIONS, ids=str)
def test_the_window_that_was_agreed_on_is_enough_for_what_is_sent(deflate):
    """The smallest inflater that is allowed reads it, of 8 bits too, of which zlib makes no compressor."""
    server = WebSocketConnection(deflate=deflate)
    bits = deflate.server_max_window_bits
    inflate = zlib.decompressobj(-bits)
    for message in some_messages(bits):
        octets = message.encode() if isinstance(message, str) else message
        if deflate.server_no_context_takeover:
            inflate = zlib.decompressobj(-bits)
        payload = payload_of(server.send_binary(octets, compress=True))
        assert inflate.decompress(payload + b"\0\0\xff\xff") == octets


def payload_of(octets: bytes) -> bytes:
    """The payload of the one frame of a server."""
    first, length, end = read_frame_head(bytearray(octets), 0, False)
    assert (first, end + length) == (0xC2, len(octets))
    return octets[end:]


@given(st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=6), st.sampled_from(COMBINATIONS))
def test_any_messages_arrive(messages, deflate):
    conversation(deflate, messages)


def test_takeover_makes_the_second_message_shorter_and_no_takeover_does_not():
    data = random.Random(1).randbytes(500)
    keeps, forgets = (PerMessageDeflate(server_no_context_takeover=value) for value in (False, True))
    server = WebSocketConnection(deflate=keeps)
    assert len(server.send_binary(data)) > 500 > 50 > len(server.send_binary(data))
    alone = WebSocketConnection(deflate=forgets)
    assert alone.send_binary(data) == alone.send_binary(data)


def test_a_context_that_was_dropped_is_not_missed():
    server = WebSocketConnection(deflate=ZLIB)
    client = WebSocketConnection(deflate=ZLIB, client=True)
    data, outcome = "the same words again " * 20, Outcome()
    for _ in range(4):
        client.receive_data(server.send_text(data))
        server.forget()
    take(client, outcome)
    assert outcome.data == [data] * 4


def test_short_messages_are_compressed_only_on_demand():
    deflate = attrs.evolve(ZLIB, min_size=10)
    server = WebSocketConnection(deflate=deflate)
    assert server.deflate is deflate
    assert server.send_text("x" * 9)[0] == 0x81
    assert server.send_text("x" * 10)[0] == 0xC1
    assert server.send_text("x", compress=True)[0] == 0xC1
    assert server.send_text("x" * 100, compress=False)[0] == 0x81
    assert WebSocketConnection().send_text("x" * 100, compress=True)[0] == 0x81


@pytest.mark.parametrize("compress", [False, True])
def test_fragments_are_compressed_as_one_message(compress):
    server = WebSocketConnection(deflate=ZLIB)
    parts = ["", "hello ", "", "hello " * 50, "é", ""]
    octets = b""
    for index, part in enumerate(parts):
        octets += server.send_fragment(part, final=index == len(parts) - 1, compress=compress)
        octets += server.send_ping(b"p")
    octets += server.send_text("behind", compress=True)
    outcome = deliver([octets], deflate=ZLIB, client=True)
    assert outcome.data == [b"p"] * 5 + ["".join(parts), b"p", "behind"]
    assert octets[0] == (0x41 if compress else 0x01)


# -- what others send (section 7.2.3) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (HELLO, "Hello"),
        (b"\x00\x05\x00\xfa\xffHello\x00", "Hello"),  # 7.2.3.3: a block without compression
        (bytes.fromhex("f348cdc9c9070000"), "Hello"),  # 7.2.3.4: a final block
        (bytes.fromhex("f348cdc9c90700"), "Hello"),  # and the octet behind it forgotten
        (bytes.fromhex("f248050000 00ffff cac9c90700".replace(" ", "")), "Hello"),  # 7.2.3.5: two blocks
        (b"\x00", ""),  # 7.2.3.6
        (b"\x02\x00", ""),
        (b"\x03\x00", ""),
        (b"\x01", ""),  # a final block that ends with what is added to it
        (b"", ""),
        (bytes.fromhex("f348cdc9c90700") * 3 + b"\x00", "HelloHelloHello"),
    ],
)
def test_the_examples_of_the_rfc_are_read_twice_and_however_they_are_cut(payload, data):
    cut = len(payload) // 2
    whole = frame(0xC1, payload)
    fragments = frame(0x41, payload[:cut]) + ping("p") + more(payload[cut:], True)
    empty = frame(0x41) + more(payload) + more("", True)
    assert observe(whole + whole + text("plain"), deflate=ZLIB).data == [data, data, "plain"]
    assert observe(fragments + whole, deflate=ZLIB).data == [b"p", data, data]
    assert observe(empty + fragments, deflate=ZLIB).data == [data, b"p", data]


def test_the_second_hello_may_refer_to_the_first():
    second = bytes.fromhex("f200110000")
    assert observe(frame(0xC1, HELLO) + frame(0xC1, second), deflate=ZLIB).data == ["Hello", "Hello"]
    alone = PerMessageDeflate(client_no_context_takeover=True)
    assert observe(frame(0xC1, HELLO) + frame(0xC1, second), deflate=alone).failed == 1007


def test_messages_that_are_not_compressed_stand_between_others():
    second = bytes.fromhex("f200110000")
    octets = frame(0xC1, HELLO) + text("plain") + text("a", False) + more("b", True) + frame(0xC1, second)
    assert observe(octets, deflate=ZLIB).data == ["Hello", "plain", "ab", "Hello"]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (frame(0xC1, b"\xff\xff\xff"), 1007),
        (frame(0xC2, b"\x06\x12"), 1007),
        (frame(0xC9, b"p"), 1002),
        (frame(0xCA, b"p"), 1002),
        (frame(0xC8, b"\x03\xe8"), 1002),
        (text("a", False) + frame(0xC0, HELLO), 1002),
        (frame(0x41, HELLO[:3]) + frame(0xC0, HELLO[3:]), 1002),
        (frame(0x41, HELLO[:3]) + frame(0xC1, HELLO), 1002),
    ],
)
def test_what_is_not_deflate_or_is_marked_in_the_wrong_place_fails(octets, code):
    assert observe(octets, deflate=ZLIB).failed == code


def test_without_an_agreement_nothing_is_compressed():
    assert observe(frame(0xC1, HELLO)).failed == 1002
    assert observe(frame(0x41, HELLO)).failed == 1002


def test_text_is_checked_as_it_is_decompressed():
    client = WebSocketConnection(deflate=ZLIB, client=True)
    start = client.send_fragment(b"ok \xff and more", final=False, compress=True)
    outcome = deliver([bytes([start[0] & 0xF0 | 1]) + start[1:]], deflate=ZLIB)
    assert outcome.failed == 1007


def test_a_close_frame_between_compressed_fragments_is_read():
    outcome = observe(frame(0x41, HELLO[:3]) + close(1000), deflate=ZLIB)
    assert outcome.events[-1].code == 1000


# -- what it may cost ----------------------------------------------------------------------------------------------


def squeezed(octets: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(octets) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [999, 1000, 1001, 100_000])
def test_the_limit_counts_what_comes_out(size):
    outcome = observe(frame(0xC2, squeezed(b"\0" * size)), deflate=ZLIB)
    assert outcome.failed == (1009 if size > 1000 else None)
    assert outcome.data == ([b"\0" * size] if size <= 1000 else [])


def test_without_a_limit_anything_comes_out():
    data = random.Random(3).randbytes(20_000) + b"\0" * 100_000
    assert deliver([frame(0xC2, squeezed(data))], deflate=ZLIB, max_msg_size=0).data == [data]


def test_noise_of_exactly_the_limit_passes_though_it_is_longer_when_compressed():
    noise = random.Random(2).randbytes(1000)
    payload = squeezed(noise)
    assert len(payload) > 1000
    assert observe(frame(0xC2, payload), deflate=ZLIB).data == [noise]


@pytest.mark.parametrize("size", [20_000, 20_001])
def test_the_limit_counts_once_what_comes_in_many_slices(size):
    noise = random.Random(4).randbytes(size)
    outcome = deliver([frame(0xC2, squeezed(noise))], deflate=ZLIB, max_msg_size=20_000)
    assert outcome.failed == (None if size == 20_000 else 1009)
    assert outcome.data == ([noise] if size == 20_000 else [])


def test_the_limit_counts_all_fragments():
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [compressor.compress(b"x" * 300) + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in range(4)]
    octets = frame(0x42, parts[0]) + b"".join(map(more, parts[1:]))
    assert observe(octets, deflate=ZLIB).failed == 1009
    assert observe(octets[: -len(parts[3]) - 6] + more("", True), deflate=ZLIB).data == [b"x" * 900]


def test_a_bomb_is_never_unpacked(monkeypatch):
    made = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, *args: int) -> None:
            self.real = real(*args)

        def decompress(self, data: bytes, max_length: int) -> bytes:
            made.append(len(result := self.real.decompress(data, max_length)))
            return result

        @property
        def eof(self) -> bool:
            return self.real.eof

    monkeypatch.setattr(module.zlib, "decompressobj", Counting)
    bomb = squeezed(b"\0" * 50_000_000)
    assert deliver([frame(0xC2, bomb)], deflate=ZLIB).failed == 1009
    assert sum(made) <= 1001


def test_final_blocks_without_number_cost_a_slice_each(monkeypatch):
    """zlib copies all that stands behind the end of a stream: it is never given more than a slice."""
    given_ = []
    real = zlib.decompressobj

    def counting(bits: int):
        stream = real(bits)

        class Counting:
            eof = property(lambda self: stream.eof)
            unused_data = property(lambda self: stream.unused_data)

            def decompress(self, data: bytes, max_length: int) -> bytes:
                given_.append(len(data))
                return stream.decompress(data, max_length)

        return Counting()

    monkeypatch.setattr(module.zlib, "decompressobj", counting)
    outcome = deliver([frame(0xC2, b"\x03\x00" * 20_000)], deflate=ZLIB)
    assert outcome.data == [b""]
    assert max(given_) <= 4096


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans(), st.integers(0, 500) | st.none())
def test_whatever_is_inflated_is_octets_within_the_room_or_the_error(pieces, forgets, room):
    inflater = Inflater(15, forgets)
    left, code = room, 1007
    try:
        for piece in pieces:
            result = inflater.inflate(piece, left, False)
            assert left is None or len(result) <= left
            left = None if left is None else left - len(result)
        inflater.inflate(b"", left, True)
    except WebSocketError as error:
        code = error.close_code
    assert code in (1007, 1009)
