"""The cases of the usual compliance suite for WebSocket servers, by its numbers: what an echoing server answers.

Each row: what the suite sends, in the pieces in which it sends it, and what has to come back: the data of messages and
pongs, then the close code. The suite itself runs for minutes; its sizes are cut down here, its payloads rebuilt.
"""

from __future__ import annotations

import itertools

import pytest

from aioweb.protocol.events import NEED_DATA
from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import Opcode, WebSocketError
from aioweb.protocol.websocket.handshake import choose_deflate, parse_extensions
from aioweb.protocol.websocket.messages import Close, Message, Ping, State
from tests.protocol.websocket.exchange import Outcome, binary, close, frame, more, ping, pong, take, text
from tests.protocol.wire import byte_by_byte


def echo(connection: WebSocketConnection, pieces: list[bytes]) -> bytes:
    """What a server answers that echoes messages, pongs pings and closes as it is told."""
    answer = b""
    for piece in pieces:
        connection.receive_data(piece)
        try:
            while (event := connection.next_event()) is not NEED_DATA:
                if isinstance(event, Close):
                    answer += connection.send_close(event.code)
                elif isinstance(event, Ping):
                    answer += connection.send_pong(event.data)
                elif isinstance(event, Message):
                    send = connection.send_text if event.opcode is Opcode.TEXT else connection.send_binary
                    answer += send(event.data)
        except WebSocketError as error:
            return answer + connection.send_close(error.close_code, str(error))
    return answer


def answered(pieces: list[bytes], deflate: PerMessageDeflate | None = None) -> list[object]:
    """Data of the answers in their order, then the code of the close frame if there was one."""
    server = WebSocketConnection(deflate=deflate)
    client = WebSocketConnection(deflate=deflate, client=True)
    client.receive_data(echo(server, pieces))
    outcome = Outcome()
    take(client, outcome)
    assert outcome.failed is None
    closed = [event.code for event in outcome.events if isinstance(event, Close)]
    assert (server.state is State.CLOSED) is bool(closed)
    return [*outcome.data, *closed]


STAR, FE = "*", b"\xfe"
BYE = close(1000)
KOSME = "Hello-µ@ßöäüàá-UTF-8!!"
CASES: dict[str, tuple[bytes, list[object]]] = {
    # 1: framing
    **{f"1.1 {n}": (text(STAR * n) + BYE, [STAR * n, 1000]) for n in (0, 125, 126, 127, 128, 65535, 65536)},
    **{f"1.2 {n}": (binary(FE * n) + BYE, [FE * n, 1000]) for n in (0, 125, 126, 127, 128, 65535, 65536)},
    # 2: pings and pongs
    "2.1": (ping() + BYE, [b"", 1000]),
    "2.2": (ping("Hello, world!") + BYE, [b"Hello, world!", 1000]),
    "2.3": (ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff") + BYE, [b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 1000]),
    "2.4": (ping(FE * 125) + BYE, [FE * 125, 1000]),
    "2.5": (ping(FE * 126), [1002]),
    "2.7": (pong() + BYE, [1000]),
    "2.8": (pong("unsolicited pong payload") + BYE, [1000]),
    "2.9": (pong("unsolicited") + ping("ping payload") + BYE, [b"ping payload", 1000]),
    "2.10": (b"".join(ping(f"payload-{n}") for n in range(10)) + BYE, [*(b"payload-%d" % n for n in range(10)), 1000]),
    # 3: reserved bits
    "3.1": (frame(0xC1, "small"), [1002]),
    "3.2": (text("small") + frame(0xA1, "small") + ping(), ["small", 1002]),
    "3.3": (text("small") + frame(0xB1, "small") + ping(), ["small", 1002]),
    "3.4": (text("small") + frame(0x91 | 0x40, "small") + ping(), ["small", 1002]),
    "3.5": (frame(0xD2, b"\x00\xff\xfe"), [1002]),
    "3.6": (frame(0xE9, "reserved"), [1002]),
    "3.7": (frame(0xF8), [1002]),
    # 4: opcodes
    **{f"4.1 {code}": (frame(0x80 | code), [1002]) for code in range(3, 8)},
    **{f"4.2 {code}": (text("a") + frame(0x80 | code, "b") + ping(), ["a", 1002]) for code in range(11, 16)},
    # 5: fragments
    "5.1": (frame(0x09, "fragment1") + more("fragment2", True), [1002]),
    "5.2": (frame(0x0A, "fragment1") + more("fragment2", True), [1002]),
    "5.3": (text("fragment1", False) + more("fragment2", True) + BYE, ["fragment1fragment2", 1000]),
    "5.6": (text("a", False) + ping("p") + more("b", True) + BYE, [b"p", "ab", 1000]),
    "5.9": (more("non-continuation", True) + text("Hello"), [1002]),
    "5.12": (more("non-continuation", False) + text("Hello"), [1002]),
    "5.15": (text("a", False) + more("b", True) + more("c", False) + text("d", False), ["ab", 1002]),
    "5.16": ((more("a", False) + text("b", False) + more("c", True)) * 2, [1002]),
    "5.18": (text("a", False) + text("b"), [1002]),
    "5.19": (
        text("1", False) + more("2") + ping("p1") + more("3") + more("4") + ping("p2") + more("5", True) + BYE,
        [b"p1", b"p2", "12345", 1000],
    ),
    # 6: UTF-8
    "6.1.1": (text("") + BYE, ["", 1000]),
    "6.1.2": (text("", False) + more("") + more("", True) + BYE, ["", 1000]),
    "6.1.3": (text("", False) + more("middle") + more("", True) + BYE, ["middle", 1000]),
    "6.2.1": (text(KOSME) + BYE, [KOSME, 1000]),
    "6.2.3": (
        text("", False) + b"".join(more(bytes([octet])) for octet in KOSME.encode()) + more("", True) + BYE,
        [KOSME, 1000],
    ),
    "6.3.1": (text(b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), [1007]),
    "6.4.1": (text("κόσμε", False) + more(b"\xf4\x90\x80\x80") + more("edited", True), [1007]),
    **{
        f"6.5-23 {character!r}": (text(character) + BYE, [character, 1000])
        for character in (
            "\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000",
            "\U0010ffff", "\ufdd0", "\U0001fffe\U0001ffff",
        )
    },
    **{
        f"6.12-20 {octets!r}": (text(octets), [1007])
        for octets in (
            b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\x80", b"\xbf\x80\xbf",
            b"\xc0 \xc1 ", b"\xe0 ", b"\xfe", b"\xff\xff", b"\xc0\xaf", b"\xf0\x80\x80\xaf", b"\xed\xad\xbf",
            b"\xed\xa0\x80\xed\xb0\x80", b"\xce", b"\xce\xba\xe1", b"\xf0\x90\x80",
        )
    },
    # 7: closing
    "7.1.1": (text("Hello World!") + BYE, ["Hello World!", 1000]),
    "7.1.2": (BYE + BYE, [1000]),
    "7.1.3": (BYE + ping(), [1000]),
    "7.1.4": (BYE + text("late"), [1000]),
    "7.1.5": (text("a", False) + BYE + more("b", True), [1000]),
    "7.3.1": (close(None), [1005]),
    "7.3.2": (frame(0x88, b"a"), [1002]),
    "7.3.3": (close(1000), [1000]),
    "7.3.4": (close(1000, "Hello World!"), [1000]),
    "7.3.5": (close(1000, "*" * 123), [1000]),
    "7.3.6": (frame(0x88, b"\x03\xe8" + b"*" * 124), [1002]),
    "7.5.1": (close(1000, b"\xce\xba\xed\xa0\x80edited"), [1007]),
    **{
        f"7.7 {code}": (close(code), [code])
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    },
    **{f"7.9 {code}": (close(code), [1002]) for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)},
    "7.13.1": (close(5000), [1002]),
    "7.13.2": (close(65535), [1002]),
    # 9: sizes
    **{f"9.1 {n}": (text(STAR * n) + BYE, [STAR * n, 1000]) for n in (262_144, 4_194_304)},
    **{
        f"9.3 {n}": (text("", False) + more(STAR * n) * (262_144 // n) + more("", True) + BYE, [STAR * 262_144, 1000])
        for n in (64, 4096, 65536)
    },
    "9.7": (text(STAR * 16) * 1000 + BYE, [STAR * 16] * 1000 + [1000]),
}  # fmt: skip


@pytest.mark.parametrize(("octets", "answers"), CASES.values(), ids=CASES)
def test_the_server_answers_as_the_suite_asks(octets, answers):
    assert answered([octets]) == answers
    pieces = byte_by_byte(octets) if len(octets) < 5000 else [octets[i : i + 997] for i in range(0, len(octets), 997)]
    assert answered(pieces) == answers


@pytest.mark.parametrize("pieces", [(b"\xce\xba\xf4", b"\x90", b"\x80\x80edited"), (b"ok ", b"\xff", b" ok")])
def test_6_4_text_fails_before_its_frame_is_complete(pieces):
    octets = text(b"".join(pieces))
    assert answered([octets[: 6 + len(pieces[0])], octets[6 + len(pieces[0]) :][: len(pieces[1])]]) == [1007]


OFFERS = {
    "13.1": "permessage-deflate; client_max_window_bits",
    "13.2": "permessage-deflate; client_max_window_bits; server_no_context_takeover",
    "13.3": "permessage-deflate; client_max_window_bits; server_max_window_bits=9",
    "13.4": "permessage-deflate; client_max_window_bits; server_max_window_bits=15",
    "13.5": "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9",
    "13.6": "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=15",
    "13.7": (
        "permessage-deflate; server_no_context_takeover; client_max_window_bits; server_max_window_bits=9, "
        "permessage-deflate; server_no_context_takeover; client_max_window_bits, "
        "permessage-deflate; client_max_window_bits"
    ),
}
SIZES = [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072]
NOVEL = ("So we beat on, boats against the current, borne back, and so on, in words of our own. " * 2000).split()


@pytest.mark.parametrize(
    ("offer", "size", "parts"),
    [(*row, parts) for row, parts in itertools.product(itertools.product(OFFERS, SIZES), [1, 7])],
)
def test_12_and_13_compressed_messages_are_echoed(offer, size, parts):
    agreed = choose_deflate(parse_extensions(OFFERS[offer]), PerMessageDeflate())
    assert agreed is not None
    client = WebSocketConnection(deflate=agreed, client=True)
    messages: list[str] = []
    octets = b""
    for index in range(8):
        message = " ".join(NOVEL[index : index + size // 4])[:size]
        messages.append(message)
        for part in range(parts):
            bounds = [len(message) * part // parts, len(message) * (part + 1) // parts]
            octets += client.send_fragment(message[slice(*bounds)], final=part == parts - 1, compress=True)
    assert answered([octets], agreed) == messages
