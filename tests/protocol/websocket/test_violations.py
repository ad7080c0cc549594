"""Every way to break RFC 6455 at the level of octets, each with its close code, however the octets arrive."""

from __future__ import annotations

import pytest

from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.messages import Message, State
from tests.data.websocket_violations import BAD_UTF8, VIOLATIONS
from tests.protocol.websocket.exchange import LIMIT, binary, close, frame, more, observe, ping, text

pytestmark = pytest.mark.usefixtures("tongue")


@pytest.mark.parametrize(("octets", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_fails_the_connection_with_its_code(octets, code):
    outcome = observe(octets)
    assert outcome.failed == code, outcome.reason
    assert outcome.state is State.CLOSING
    assert outcome.events == []


@pytest.mark.parametrize("name", ["opcode 3", "close 1005", "text, ff", "a frame over the limit", "unmasked text"])
def test_what_stands_before_a_violation_is_seen_and_what_stands_behind_is_not(name):
    octets, code = VIOLATIONS[name]
    outcome = observe(text("before") + ping("p") + octets + text("behind") + close())
    assert outcome.data == ["before", b"p"]
    assert outcome.failed == code


@pytest.mark.parametrize("name", [name for name in VIOLATIONS if "RSV" not in name and "bits" not in name])
def test_an_agreement_about_compression_changes_none_of_it(name):
    octets, code = VIOLATIONS[name]
    assert observe(octets, deflate=PerMessageDeflate()).failed == code


def fails_with(octets: bytes) -> dict[int, int]:
    """{position: code}: where the octets, coming one by one, fail the connection."""
    for position in range(len(octets)):
        failed = observe(octets[: position + 1]).failed
        if failed is not None:
            return {position: failed}
    return {}


@pytest.mark.parametrize(
    ("octets", "position", "code"),
    [
        (text(b"\xce\xba\xf4\x90\x80\x80edited"), 6 + 3, 1007),  # Autobahn 6.4.1 ff.: no character begins f4 90
        (text(b"abc\xffdef"), 6 + 3, 1007),
        (text(b"\xed\xa0\x80"), 6 + 1, 1007),
        (text(b"\xe0\x80\x80"), 6 + 1, 1007),
        (text(b"\xf0\x80\x80\x80"), 6 + 1, 1007),
        (text(b"\xc0\x80"), 6, 1007),
        (text("ok ", False) + more(b"\xf5 and more"), 9 + 6, 1007),
        (binary(b"x" * (LIMIT + 1)), 3, 1009),  # before its masking key
        (frame(0xB1, "x"), 0, 1002),
        (frame(0x81, "x", key=None), 1, 1002),
        (binary(b"a", False) + binary(b"b"), 8, 1002),
        (ping(b"x" * 126), 1, 1002),
    ],
)
def test_a_violation_is_seen_at_the_first_octet_that_shows_it(octets, position, code):
    assert fails_with(octets) == {position: code}


def test_without_text_to_decode_the_octets_are_checked_all_the_same():
    for octets in BAD_UTF8.values():
        assert observe(text(octets), decode_text=False).failed == 1007
    good = observe(text("né") + text("é", False) + more("x" * 200, True), decode_text=False)
    assert good.data == ["né".encode(), "é".encode() + b"x" * 200]
    assert [event.opcode.name for event in good.events] == ["TEXT", "TEXT"]


def test_nothing_continues_a_message_that_has_ended():
    outcome = observe(text("a", False) + more("b", True) + more("c", True))
    assert (outcome.data, outcome.failed) == (["ab"], 1002)


def test_a_message_of_exactly_the_limit_is_fine():
    whole, parts = observe(binary(b"x" * LIMIT)), observe(binary(b"x" * 400, False) + more(b"x" * 600, True))
    assert whole.events == parts.events == [Message(whole.events[0].opcode, b"x" * LIMIT)]
